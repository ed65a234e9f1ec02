use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::{config::LiveRampConfig, files::Purpose, publication::LiveRampPublication, ticket::Body};
use crate::contract::{
    Capabilities, Delivered, DeliveredFile, Depth, Destination, Error, ErrorKind, Extra, Manifest, Mode, Part,
    Publication, PublishContext, Ticket,
};

/// LiveRamp, as seen through whoever carries the files.
#[derive(Debug)]
pub(super) struct LiveRampDestination {
    carrier: Arc<dyn Destination>,
    settings: Arc<LiveRampConfig>,
}

impl LiveRampDestination {
    pub(super) fn new(carrier: Arc<dyn Destination>, settings: LiveRampConfig) -> Self {
        Self { carrier, settings: Arc::new(settings) }
    }

    /// The carrier's tickets of a publish that has not begun.
    fn body(&self, context: &PublishContext) -> Body {
        let ticket = |purpose| Some(self.carrier.ticket(&self.settings.publish(purpose, context)?));
        Body { audience: ticket(Purpose::Audience), deletions: ticket(Purpose::Deletions) }
    }

    /// Takes back the visible files of a publish that can't be completed.
    async fn take_back(&self, delivered: &Delivered) {
        let paths: Vec<String> = delivered.files.iter().map(|file| file.path.clone()).collect();
        if paths.is_empty() {
            return;
        }
        if let Err(error) = self.carrier.remove(&paths).await {
            tracing::warn!(%error, "files of a failed publish could not be removed");
        }
    }
}

#[async_trait]
impl Destination for LiveRampDestination {
    fn capabilities(&self) -> Capabilities {
        self.carrier.capabilities()
    }

    fn ticket(&self, context: &PublishContext) -> Ticket {
        self.body(context).ticket(context.publish, false)
    }

    async fn probe(&self) -> Result<(), Error> {
        // At the carrier's root, which is above the folders that LiveRamp looks at.
        self.carrier.probe().await
    }

    async fn begin(&self, context: &PublishContext) -> Result<Box<dyn Publication>, Error> {
        if context.mode == Mode::Full && context.previous.is_some() && self.settings.deletions.is_some() {
            return Err(Error::new(ErrorKind::Refused, "publish an audience anew").caused_by(
                "a full publish can't say who left, and LiveRamp keeps who is not in a file: publish the changes; or \
                 have each file replace the audience, and remove the target's `deletions`",
            ));
        }
        // What an earlier attempt staged is of no use: its rows may have been others.
        for ticket in self.body(context).tickets() {
            self.carrier.discard(ticket).await?;
        }
        Ok(Box::new(LiveRampPublication::new(&self.carrier, &self.settings, context)?))
    }

    async fn commit(&self, ticket: &Ticket) -> Result<Delivered, Error> {
        let body = Body::of(ticket)?;
        if !ticket.sealed {
            return Err(
                Error::new(ErrorKind::Internal, "commit a publish that is not sealed").with("publish", ticket.publish)
            );
        }
        let mut delivered = Delivered::default();
        for ticket in body.tickets() {
            match self.carrier.commit(ticket).await {
                Ok(more) => {
                    delivered.files.extend(more.files);
                    delivered.extras.extend(more.extras);
                }
                Err(error) => {
                    if !error.kind().passes() {
                        self.take_back(&delivered).await;
                    }
                    return Err(error);
                }
            }
        }
        Ok(delivered)
    }

    async fn discard(&self, ticket: &Ticket) -> Result<(), Error> {
        for ticket in Body::of(ticket)?.tickets() {
            self.carrier.discard(ticket).await?;
        }
        Ok(())
    }

    async fn verify(&self, files: &[DeliveredFile], extras: &[Extra], depth: Depth) -> Result<Vec<Part>, Error> {
        self.carrier.verify(files, extras, depth).await
    }

    async fn remove(&self, paths: &[String]) -> Result<Vec<String>, Error> {
        self.carrier.remove(paths).await
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        self.carrier.read(path).await
    }

    async fn manifests(&self, _: &PublishContext) -> Result<Vec<Manifest>, Error> {
        // LiveRamp would take one for an audience's file, so there are none.
        Ok(Vec::new())
    }
}
