//! Publishes in flight: what the next process needs to settle them, and how they end.

use herald_destinations::contract::Ticket;
use uuid::Uuid;

use super::{Looked, SnapshotRow, State, StateError, dead_letters, publishes, snapshots};
use crate::publish::Receipt;

/// A publish that has not ended: it runs, or its process died.
#[derive(Debug, Clone)]
pub struct InFlight {
    /// How it stood when last heard of.
    pub receipt: Receipt,
    /// What it may have left at the target; `None`: it never got as far.
    pub ticket: Option<Ticket>,
    /// What was given with the ticket, to be acknowledged once the target has committed.
    pub pending: Option<serde_json::Value>,
}

impl State {
    /// Stores the ticket of a publish in flight over the one before. `pending`, opaque here, is all that
    /// another process needs to acknowledge the publish after it has committed the ticket; null for none.
    ///
    /// # Errors
    /// When the publish is unknown or has ended, or the state can't be written.
    pub async fn put_ticket(
        &self,
        publish: Uuid,
        ticket: &Ticket,
        pending: &serde_json::Value,
    ) -> Result<(), StateError> {
        let pending = if pending.is_null() { None } else { Some(serde_json::to_string(pending)?) };
        let mut transaction = self.write().await?;
        let stored = sqlx::query(
            "INSERT INTO tickets (publish, sealed, ticket, pending)
             SELECT id, ?2, ?3, ?4 FROM publishes WHERE id = ?1 AND status IN ('queued', 'running')
             ON CONFLICT (publish) DO UPDATE SET sealed = excluded.sealed, ticket = excluded.ticket, pending = excluded.pending",
        )
        .bind(publish.to_string())
        .bind(ticket.sealed)
        .bind(serde_json::to_string(ticket)?)
        .bind(pending)
        .execute(&mut *transaction)
        .await?;
        if stored.rows_affected() == 0 {
            return Err(StateError::internal(format_args!("publish {publish} is unknown or has already ended")));
        }
        Ok(transaction.commit().await?)
    }

    /// Publishes that have not ended, oldest first; of one activation, or of all. Those that wait for the service to run them
    /// are none: nothing of them was begun.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn in_flight(&self, activation: Option<&str>) -> Result<Vec<InFlight>, StateError> {
        let found: Vec<(String, Option<String>, Option<String>)> = sqlx::query_as(
            "SELECT receipt, ticket, pending FROM publishes LEFT JOIN tickets ON publish = id
             WHERE status IN ('queued', 'running') AND (?1 IS NULL OR activation = ?1)
               AND NOT (status = 'queued' AND (kind = 'teardown' OR id IN (SELECT triggers.publish FROM triggers)))
             ORDER BY number",
        )
        .bind(activation)
        .fetch_all(self.read())
        .await?;
        found
            .into_iter()
            .map(|(receipt, ticket, pending)| {
                Ok(InFlight {
                    receipt: publishes::parse(&receipt)?,
                    ticket: ticket.as_deref().map(serde_json::from_str).transpose()?,
                    pending: pending.as_deref().map(serde_json::from_str).transpose()?,
                })
            })
            .collect()
    }

    /// Ends a publish that the target has acknowledged, in one transaction: the receipt is final, the snapshot
    /// is the new one (`None`: stays as it was), the ticket is gone, and so are dead letters that this publish has
    /// settled. The same call again changes nothing.
    ///
    /// # Errors
    /// When the receipt is not final, the publish is unknown or ended otherwise, or the state can't be written.
    pub async fn acknowledge(
        &self,
        receipt: &Receipt,
        snapshot: Option<&SnapshotRow>,
        looked: &Looked,
    ) -> Result<(), StateError> {
        if !publishes::has_ended(receipt.status) {
            return Err(StateError::internal(format_args!("publish {} has not ended", receipt.id)));
        }
        let mut transaction = self.write().await?;
        if let Some(stored) = publishes::receipt_of(&mut *transaction, receipt.id).await?
            && publishes::has_ended(stored.status)
        {
            if stored == *receipt {
                return Ok(());
            }
            return Err(StateError::internal(format_args!("publish {} has already ended otherwise", receipt.id)));
        }
        publishes::store(&mut transaction, receipt).await?;
        if let Some(snapshot) = snapshot {
            snapshots::store(&mut transaction, snapshot).await?;
        }
        dead_letters::drop_settled(&mut transaction, receipt, looked).await?;
        transaction.commit().await?;
        self.tell(receipt);
        Ok(())
    }

    /// Ends a publish without a word about the snapshot: it failed, was blocked or was cancelled.
    ///
    /// # Errors
    /// As [`acknowledge`](Self::acknowledge).
    pub async fn finish(&self, receipt: &Receipt) -> Result<(), StateError> {
        self.acknowledge(receipt, None, &Looked::At(Vec::new())).await
    }
}
