//! Batches on their way, one after the other, each on record before it leaves and after it was answered.

use std::collections::{BTreeMap, HashMap};

use arrow::array::BooleanArray;
use chrono::Utc;
use herald_destinations::contract::{Account, Capabilities, ErrorKind, Mode, Op, Publication, Rejection};

use super::{
    Failure, PublishKind, Receipt, code, crash,
    dead_letters::{QUARANTINED_AFTER, TRIED_EVERY, letters},
    outgoing::{Halves, Outgoing},
    run::Run,
};
use crate::{
    snapshot::{Answers, Keys, identities},
    state::{Answered, State},
};

/// Code of a record that is not sent this time, because it was refused just so in many publishes running.
const QUARANTINED: &str = "quarantined";
/// Single records refused running beyond those known, with none accepted before, after which it is not the records.
pub(super) const HOPELESS: u64 = 16;

/// Sends batches, and keeps the books of what was answered.
pub(super) struct Sender<'a> {
    run: &'a Run<'a>,
    state: &'a State,
    keys: Keys,
    publish: uuid::Uuid,
    publication: Box<dyn Publication>,
    capabilities: Capabilities,
    answers: Answers,
    /// Answered, and not on record yet.
    news: Option<Answered>,
    rejected_by: BTreeMap<String, u64>,
    accepted: u64,
    /// Records that the target refused whole, each alone.
    alone: u64,
    /// Records that it is known to refuse.
    known: u64,
    /// Hash and operation → fingerprint, of records that are refused again and again.
    quarantined: HashMap<(Vec<u8>, String), Option<Vec<u8>>>,
}

/// Why a batch was not answered to its end.
struct Broken {
    failure: Failure,
    /// Whether the records may have arrived all the same.
    doubtful: bool,
    /// Rows that were answered before.
    answered: usize,
}

impl<'a> Sender<'a> {
    pub(super) async fn new(
        run: &'a Run<'a>,
        receipt: &Receipt,
        publication: Box<dyn Publication>,
        capabilities: Capabilities,
    ) -> Result<Self, Failure> {
        let state = &run.publisher.state;
        // Who asks for these records by name, or for everything again, means to try them too.
        let running = match (receipt.kind, receipt.mode) {
            (PublishKind::Retry, _) | (_, Mode::Full) => Vec::new(),
            _ => state.refused_running(&receipt.activation, QUARANTINED_AFTER, Utc::now() - TRIED_EVERY).await?,
        };
        let quarantined = running.into_iter().map(|letter| ((letter.member, letter.op), letter.fingerprint)).collect();
        Ok(Self {
            run,
            state,
            keys: run.publisher.snapshots()?.keys().clone(),
            publish: receipt.id,
            publication,
            capabilities,
            answers: Answers::default(),
            news: None,
            rejected_by: BTreeMap::new(),
            accepted: 0,
            alone: 0,
            known: state.count_dead_letters(&receipt.activation).await?,
            quarantined,
        })
    }

    /// Sends a batch. Batches of one operation come in the order of their records.
    pub(super) async fn send(&mut self, outgoing: Outgoing) -> Result<(), Failure> {
        let op = outgoing.batch.op;
        let from = self.answers.of(op).done;
        let to = from + outgoing.len() as u64;
        self.state.advance(self.publish, self.news.as_ref(), Some((op, to))).await?;
        self.news = None;
        self.answers.of(op).begun = to;
        crash::point(crash::BATCH_BEGUN).await;
        let held_back = self.held_back(&outgoing)?;
        let mut refused: Vec<Rejection> = held_back.iter().copied().map(quarantined).collect();
        let sent = if held_back.is_empty() {
            self.deliver(&outgoing, &mut refused).await
        } else {
            // They are in order.
            let chosen: Vec<bool> = (0..outgoing.len()).map(|row| held_back.binary_search(&row).is_err()).collect();
            let rows: Vec<usize> = (0..outgoing.len()).filter(|row| chosen[*row]).collect();
            let chosen = outgoing.filter(&BooleanArray::from(chosen)).map_err(code::internal)?;
            let mut theirs = Vec::new();
            let sent = self.deliver(&chosen, &mut theirs).await;
            refused.extend(theirs.into_iter().map(|one| Rejection { row: rows[one.row], ..one }));
            sent.map_err(|broken| Broken {
                answered: rows.get(broken.answered).copied().unwrap_or(outgoing.len()),
                ..broken
            })
        };
        crash::point(crash::BATCH_SENT).await;
        let answered = sent.as_ref().map_or_else(|broken| broken.answered, |()| outgoing.len());
        refused.retain(|one| one.row < answered);
        self.take_note(&outgoing, from, answered, &refused)?;
        match sent {
            Ok(()) => Ok(()),
            Err(broken) => {
                if !broken.doubtful {
                    self.answers.of(op).begun = self.answers.of(op).done;
                }
                Err(broken.failure)
            }
        }
    }

    /// Hands a batch over; where it is refused whole and rows are not named, by halves.
    async fn deliver(&mut self, outgoing: &Outgoing, refused: &mut Vec<Rejection>) -> Result<(), Broken> {
        let mut halves = Halves::of(outgoing.len());
        while let Some((from, rows)) = halves.next() {
            let broken = |failure: Failure, doubtful| Broken { failure, doubtful, answered: from };
            let batch = outgoing.batch.slice(from, rows);
            let written = tokio::select! {
                biased;
                () = self.run.cancel.cancelled() => return Err(broken(code::interrupted(), true)),
                written = self.publication.write(batch) => written,
            };
            match written {
                Ok(rejections) => {
                    self.accepted += (rows - rejections.len().min(rows)) as u64;
                    if let Some(wrong) = rejections.iter().find(|one| one.row >= rows) {
                        let failure = code::internal(format!("the target refused row {} of {rows}", wrong.row));
                        return Err(broken(failure, true));
                    }
                    refused.extend(rejections.into_iter().map(|one| Rejection { row: from + one.row, ..one }));
                }
                Err(error)
                    if error.kind() == ErrorKind::Refused
                        && !error.doubtful()
                        && !self.capabilities.names_rejected_rows =>
                {
                    if rows > 1 {
                        halves.split(from, rows);
                        continue;
                    }
                    self.alone += 1;
                    if self.accepted == 0 && self.alone >= HOPELESS + self.known {
                        return Err(broken(error.into(), false));
                    }
                    refused.push(alone_refused(from, &error.to_string()));
                }
                Err(error) => {
                    let doubtful = error.doubtful();
                    return Err(broken(error.into(), doubtful));
                }
            }
            self.run.progress.advance(rows as u64);
        }
        Ok(())
    }

    /// Rows that are not worth sending: refused just so, again and again.
    fn held_back(&self, outgoing: &Outgoing) -> Result<Vec<usize>, Failure> {
        if self.quarantined.is_empty() {
            return Ok(Vec::new());
        }
        let hashes = identities(&outgoing.keys, &self.keys).map_err(code::internal)?;
        let op = outgoing.batch.op.as_str();
        let same = |row: &usize| {
            let known = self.quarantined.get(&(hashes.value(*row).to_vec(), op.to_owned()));
            let print = outgoing.prints.as_ref().map(|prints| prints.value(*row));
            known.is_some_and(|known| known.as_deref() == print)
        };
        Ok((0..outgoing.len()).filter(same).collect())
    }

    fn take_note(
        &mut self,
        outgoing: &Outgoing,
        from: u64,
        answered: usize,
        refused: &[Rejection],
    ) -> Result<(), Failure> {
        let op: Op = outgoing.batch.op;
        self.answers.of(op).done = from + answered as u64;
        for one in refused {
            self.answers.refuse(op, from + one.row as u64);
            *self.rejected_by.entry(one.code.clone()).or_default() += 1;
        }
        let refused = letters(&self.run.activation.name, outgoing, from, refused, &self.keys)?;
        self.news = Some(Answered { op, done: from + answered as u64, refused });
        Ok(())
    }

    /// Ends the publication, and returns what was answered, and why records were refused.
    pub(super) async fn finish(
        self,
        receipt: &Receipt,
        whole: bool,
    ) -> Result<(Answers, BTreeMap<String, u64>), Failure> {
        self.state.advance(self.publish, self.news.as_ref(), None).await?;
        if whole {
            let sent = receipt.counts.added + receipt.counts.updated + receipt.counts.removed;
            let rejected: u64 = self.rejected_by.values().sum();
            let account = Account { delivered: sent - rejected, rejected, owed: 0, ..receipt.counts };
            // Every record was answered: what the end of the publication says changes nothing about that.
            if let Err(error) = self.publication.seal(account).await {
                tracing::warn!(%error, "the target did not take the end of the publish");
            }
        }
        Ok((self.answers, self.rejected_by))
    }
}

fn quarantined(row: usize) -> Rejection {
    Rejection {
        row,
        code: QUARANTINED.into(),
        message: format!("refused just so in {QUARANTINED_AFTER} publishes running: sent once a day until it changes"),
    }
}

/// The target named no row; its answer to the row alone is the reason.
fn alone_refused(row: usize, answer: &str) -> Rejection {
    Rejection { row, code: "refused".into(), message: answer.chars().take(300).collect() }
}
