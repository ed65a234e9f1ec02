//! Publishes that were asked for and wait on record until a worker takes them up.

use uuid::Uuid;

use super::{Failure, PublishError, Publisher, Receipt, Request, Status, Whom, code, publisher::deleted};
use crate::state::{NewPublish, WhomWord};

impl Publisher {
    /// Keys of named members, encrypted: they wait on disk.
    ///
    /// # Errors
    /// `snapshot_unreadable` when the key is lost.
    pub fn seal_members(&self, activation: &str, members: &[String]) -> Result<Vec<u8>, Failure> {
        let text = serde_json::to_vec(members).map_err(code::internal)?;
        self.snapshots()?.keys().seal(&about(activation), &text)
    }

    /// Takes up a publish that waits: what was asked for by all that joined it. `None`: it does not wait any more.
    ///
    /// # Errors
    /// When the state can't be written, or the key is lost.
    pub async fn take_up(
        &self,
        activation: &str,
        publish: Uuid,
    ) -> Result<Option<(Whom, bool, Option<String>)>, Failure> {
        let Some(taken) = self.state.take(publish).await? else { return Ok(None) };
        let mut members: Vec<String> = Vec::new();
        for part in &taken.members {
            let text = self.snapshots()?.keys().unseal(&about(activation), part)?;
            members.extend(serde_json::from_slice::<Vec<String>>(&text).map_err(code::internal)?);
        }
        members.sort_unstable();
        members.dedup();
        let whom = match taken.whom {
            WhomWord::Everybody => Whom::Everybody,
            WhomWord::Touched => Whom::Touched(members),
            WhomWord::Named => Whom::Named(members),
        };
        Ok(Some((whom, taken.in_full, taken.override_reason)))
    }

    /// Begins a publish on record: a new one, or the one that waited.
    pub(super) async fn put_on_record(&self, request: &Request, new: NewPublish) -> Result<Receipt, Failure> {
        let receipt = match request.receipt {
            None => self.state.queue(new).await?,
            Some(id) => self.state.begin_waiting(id, &new).await?.ok_or_else(code::interrupted)?,
        };
        if matches!(request.whom, Whom::Named(_)) {
            self.state.looks_at_some(receipt.id).await?;
        }
        Ok(receipt)
    }

    /// Ends a publish that waited and can't be taken up.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn give_up(&self, id: Uuid, failure: Failure) -> Result<Receipt, PublishError> {
        self.could_not_begin(id, failure.into()).await
    }

    /// Puts on record why a publish that waited could not begin. Where another process is in the way, it waits on.
    pub(super) async fn could_not_begin(&self, id: Uuid, error: PublishError) -> Result<Receipt, PublishError> {
        let (status, failure) = match error {
            PublishError::Failed(failure) if failure.code == code::BUSY => {
                self.state.put_back(Some(id)).await.map_err(Failure::from)?;
                return Err(failure.into());
            }
            PublishError::Failed(failure) => {
                let cancelled = [code::INTERRUPTED, "deleted"].contains(&failure.code.as_str());
                (if cancelled { Status::Cancelled } else { Status::Failed }, failure)
            }
            PublishError::Unknown(message) => (Status::Cancelled, Failure { message, ..deleted("") }),
            PublishError::Unfit(message) => {
                let remedy = "set `mode: incremental`, or publish everybody".into();
                (Status::Failed, Failure { code: "unfit".into(), message, remedy, retryable: false })
            }
            PublishError::Config(_) => return Err(error),
        };
        let found = self.state.receipt(id).await.map_err(Failure::from)?;
        let Some(mut receipt) = found.filter(|receipt| receipt.status == Status::Queued) else {
            return Err(failure.into());
        };
        receipt.status = status;
        receipt.finished_at = Some(chrono::Utc::now());
        receipt.fail(failure);
        self.state.finish(&receipt).await.map_err(Failure::from)?;
        Ok(receipt)
    }
}

fn about(activation: &str) -> String {
    format!("trigger of {activation}")
}
