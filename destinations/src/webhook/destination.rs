//! A connected receiver.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    client::{Client, Request},
    config::WebhookConfig,
    events::Events,
    mask::Mask,
    options::EventFormat,
    publication::WebhookPublication,
};
use crate::contract::{
    Capabilities, Delivered, DeliveredFile, Depth, Destination, Error, ErrorKind, Extra, Kind, Manifest, Part,
    PartState, Publication, PublishContext, Retries, Ticket, Visibility,
};

/// Format of the ticket's body, which is empty: there is nothing to commit.
const TICKET_VERSION: u16 = 1;

/// What its publications share.
pub(super) struct Receiver {
    pub(super) client: Client,
    pub(super) retries: Retries,
    pub(super) format: EventFormat,
    pub(super) batch: usize,
    secrets: Vec<SecretString>,
}

impl Receiver {
    /// Hides what the config entrusts.
    pub(super) fn mask(&self) -> Mask {
        let mut mask = Mask::default();
        for secret in &self.secrets {
            mask.hide(secret.expose_secret());
        }
        mask
    }
}

/// A receiver that is ready.
pub(super) struct WebhookDestination(Arc<Receiver>);

impl WebhookDestination {
    pub(super) fn new(client: Client, config: &WebhookConfig, retries: Retries) -> Self {
        let secrets = config.secrets.clone();
        Self(Arc::new(Receiver { client, retries, format: config.format, batch: config.batch, secrets }))
    }
}

impl fmt::Debug for WebhookDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookDestination").field("batch", &self.0.batch).finish_non_exhaustive()
    }
}

/// Names the publish, and nothing else: an event that was sent can't be taken back.
pub(super) fn ticket(publish: Uuid, sealed: bool) -> Ticket {
    let kind = super::config::Webhook.name().to_owned();
    Ticket { kind, version: TICKET_VERSION, publish, sealed, body: serde_json::Value::Null }
}

/// The facts about a receiver that takes so many events at once.
pub(super) fn capabilities(batch: usize) -> Capabilities {
    Capabilities {
        visibility: Visibility::AtWrite,
        max_rows: Some(batch),
        parallel: None,
        // A receiver may, but need not.
        names_rejected_rows: false,
        change_events: true,
    }
}

#[async_trait]
impl Destination for WebhookDestination {
    fn capabilities(&self) -> Capabilities {
        capabilities(self.0.batch)
    }

    fn ticket(&self, context: &PublishContext) -> Ticket {
        ticket(context.publish, false)
    }

    async fn probe(&self) -> Result<(), Error> {
        let receiver = &self.0;
        let key = format!("probe-{}", Uuid::now_v7());
        let body = Events::empty(receiver.format);
        let request = Request { key: &key, body: &body, probe: true };
        let never = CancellationToken::new();
        let answer = receiver.retries.run(&never, || receiver.client.post(&request)).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        let said = receiver.mask().message(&String::from_utf8_lossy(&answer.body));
        let error = receiver.client.error(ErrorKind::Refused).with("status", answer.status.as_u16());
        Err(error.caused_by(format!("a request without events is not answered by 2xx: {said}")))
    }

    async fn begin(&self, context: &PublishContext) -> Result<Box<dyn Publication>, Error> {
        Ok(Box::new(WebhookPublication::new(Arc::clone(&self.0), context)))
    }

    async fn commit(&self, _: &Ticket) -> Result<Delivered, Error> {
        Ok(Delivered::default())
    }

    async fn discard(&self, _: &Ticket) -> Result<(), Error> {
        Ok(())
    }

    async fn verify(&self, files: &[DeliveredFile], extras: &[Extra], _: Depth) -> Result<Vec<Part>, Error> {
        let paths = files.iter().map(|file| &file.path).chain(extras.iter().map(|extra| &extra.path));
        Ok(paths.map(|path| Part { path: path.clone(), state: PartState::Unverifiable }).collect())
    }

    async fn remove(&self, paths: &[String]) -> Result<Vec<String>, Error> {
        Ok(paths.to_vec())
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        Err(Error::new(ErrorKind::Missing, "read an object back").with("path", path))
    }

    async fn manifests(&self, _: &PublishContext) -> Result<Vec<Manifest>, Error> {
        Ok(Vec::new())
    }
}
