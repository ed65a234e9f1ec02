//! One publish on its way to a receiver.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::StatusCode;
use uuid::Uuid;

use super::{
    answer::{UNNAMED, Unclear, refused, rejections},
    client::{Answer, Request},
    destination::{Receiver, ticket},
    events::Events,
};
use crate::{
    contract::{Account, Batch, Error, ErrorKind, Publication, PublishContext, Rejection, Ticket},
    encode::EncodeError,
};

/// Characters kept of why a row was refused alone.
const LONGEST_REASON: usize = 300;

/// Codes of a publish that are counted each by itself.
const MOST_CODES: usize = 32;

/// Sends each batch as it comes.
pub(super) struct WebhookPublication {
    receiver: Arc<Receiver>,
    publish: Uuid,
    context: PublishContext,
    events: Arc<Events>,
    /// Bodies sent so far, which number the idempotency keys.
    bodies: u64,
    /// Codes that the receiver gave so far.
    codes: BTreeSet<String>,
}

/// What came of one body.
enum Outcome {
    /// All but these rows are taken.
    Taken(Vec<Rejection>),
    /// Nothing is taken, because of these rows.
    RefusedFor(Vec<Rejection>),
    /// Nothing is taken, because of rows that nobody names.
    RefusedWhole(Error),
    /// Nothing is taken: less is wanted at once.
    TooLarge,
}

impl WebhookPublication {
    pub(super) fn new(receiver: Arc<Receiver>, context: &PublishContext) -> Self {
        let events = Arc::new(Events::new(context, receiver.format));
        Self { receiver, publish: context.publish, context: context.clone(), events, bodies: 0, codes: BTreeSet::new() }
    }

    /// A body with the first of these rows, as many as it may hold, and their number.
    async fn body(&self, batch: &Batch, rows: &[usize]) -> Result<(Bytes, usize), Error> {
        let (events, batch) = (Arc::clone(&self.events), batch.clone());
        let rows = rows[..rows.len().min(self.receiver.batch)].to_vec();
        let encoded = tokio::task::spawn_blocking(move || events.body(&batch, &rows)).await;
        Ok(encoded.map_err(|_| EncodeError::Thread)??)
    }

    async fn send(&mut self, batch: &Batch, sent: &[usize], body: Bytes) -> Result<Outcome, Error> {
        let key = format!("{}-{}", self.publish, self.bodies);
        self.bodies += 1;
        let request = Request { key: &key, body: &body, probe: false };
        let client = &self.receiver.client;
        let (answer, doubt) =
            self.receiver.retries.run_in_doubt(&self.context.cancel, || client.post(&request)).await?;
        if doubt && !answer.status.is_success() {
            // The no is to this try alone: an earlier one may have been applied.
            return Err(self.refused_whole(&answer, batch, sent).after_doubt(true));
        }
        if answer.status == StatusCode::PAYLOAD_TOO_LARGE {
            return Ok(Outcome::TooLarge);
        }
        let secrets = self.receiver.mask();
        let named = refused(&answer.body, answer.json)
            .and_then(|refused| refused.map(|refused| rejections(refused, batch, sent, &secrets)).transpose());
        let named = named.map(|named| named.map(|named| self.countable(named)));
        if answer.status.is_success() {
            let taken = |named: Option<_>| Outcome::Taken(named.unwrap_or_default());
            return named.map(taken).map_err(|why| self.unclear(&answer, why));
        }
        match named {
            Ok(Some(named)) if !named.is_empty() => Ok(Outcome::RefusedFor(named)),
            // Nothing was taken, so that an odd list leaves nothing unclear.
            _ => Ok(Outcome::RefusedWhole(self.refused_whole(&answer, batch, sent))),
        }
    }

    /// With few enough codes to count by: a receiver may think up one for every event.
    fn countable(&mut self, mut rejections: Vec<Rejection>) -> Vec<Rejection> {
        for rejection in &mut rejections {
            if self.codes.len() < MOST_CODES {
                self.codes.insert(rejection.code.clone());
            } else if !self.codes.contains(&rejection.code) {
                UNNAMED.clone_into(&mut rejection.code);
            }
        }
        rejections
    }

    fn refused_whole(&self, answer: &Answer, batch: &Batch, sent: &[usize]) -> Error {
        let mut mask = self.receiver.mask();
        for row in sent {
            mask.hide_row(batch, *row);
        }
        let error = self.receiver.client.error(ErrorKind::Refused).with("status", answer.status.as_u16());
        let said = mask.message(&String::from_utf8_lossy(&answer.body));
        if said.is_empty() { error } else { error.caused_by(format!("the receiver said: {said}")) }
    }

    /// Which events arrived is unknown: not a refusal, since some may have been taken.
    fn unclear(&self, answer: &Answer, why: Unclear) -> Error {
        let error = self.receiver.client.error(ErrorKind::Conflict).with("status", answer.status.as_u16());
        error.caused_by(format!("the answer does not say what was taken: {why}"))
    }

    /// Sends all rows of a batch. `taken` becomes true once any of them was taken.
    async fn send_all(&mut self, batch: &Batch, taken: &mut bool) -> Result<Vec<Rejection>, Error> {
        let mut rejected = Vec::new();
        // Each turn takes rows out, or makes two of one list: it ends.
        let mut waiting = VecDeque::from([(0..batch.rows.num_rows()).collect::<Vec<usize>>()]);
        while let Some(rows) = waiting.pop_front() {
            if rows.is_empty() {
                continue;
            }
            let (body, fitting) = self.body(batch, &rows).await?;
            let (sent, later) = rows.split_at(fitting);
            waiting.push_front(later.to_vec());
            match self.send(batch, sent, body).await? {
                Outcome::Taken(named) => {
                    *taken |= named.len() < sent.len();
                    rejected.extend(named);
                }
                Outcome::RefusedFor(named) => {
                    let rest = sent.iter().filter(|row| named.iter().all(|rejection| rejection.row != **row));
                    waiting.push_front(rest.copied().collect());
                    rejected.extend(named);
                }
                // The runner tries halves of the batch: not to be left to it once they hold rows that were taken.
                Outcome::RefusedWhole(error) if !*taken => return Err(error),
                Outcome::RefusedWhole(error) => match sent {
                    [row] => rejected.push(refused_alone(*row, &error)),
                    _ => halves(sent, &mut waiting),
                },
                Outcome::TooLarge => match sent {
                    [row] => rejected.push(too_large(*row)),
                    _ => halves(sent, &mut waiting),
                },
            }
        }
        rejected.sort_by_key(|rejection| rejection.row);
        Ok(rejected)
    }
}

#[async_trait]
impl Publication for WebhookPublication {
    async fn write(&mut self, batch: Batch) -> Result<Vec<Rejection>, Error> {
        let mut taken = false;
        let sent = self.send_all(&batch, &mut taken).await;
        // One request ended without being applied; the batch as a whole did not.
        sent.map_err(|error| error.after_doubt(taken))
    }

    async fn seal(self: Box<Self>, _: Account) -> Result<Ticket, Error> {
        Ok(ticket(self.publish, true))
    }
}

fn halves(rows: &[usize], waiting: &mut VecDeque<Vec<usize>>) {
    let (first, second) = rows.split_at(rows.len() / 2);
    waiting.push_front(second.to_vec());
    waiting.push_front(first.to_vec());
}

/// The receiver named no row; its answer to the row alone is the reason.
fn refused_alone(row: usize, error: &Error) -> Rejection {
    Rejection { row, code: "refused".to_owned(), message: error.to_string().chars().take(LONGEST_REASON).collect() }
}

fn too_large(row: usize) -> Rejection {
    Rejection {
        row,
        code: "too_large".to_owned(),
        message: "the receiver takes no request as large as this one event (413)".to_owned(),
    }
}

impl fmt::Debug for WebhookPublication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookPublication")
            .field("publish", &self.publish)
            .field("bodies", &self.bodies)
            .finish_non_exhaustive()
    }
}
