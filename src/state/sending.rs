//! How far the sending of a publish has come, for targets that show members as they arrive.

use herald_destinations::contract::Op;
use uuid::Uuid;

use super::{Refused, State, StateError, dead_letters};
use crate::snapshot::Answers;

/// Records of one operation that were answered.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The operation.
    pub op: Op,
    /// Records before this one are answered now.
    pub done: u64,
    /// Those among them that were refused.
    pub refused: Vec<Refused>,
}

impl State {
    /// Notes, in one transaction and before it happens, what is sent next: records of an operation before the number
    /// given; and what was answered since.
    ///
    /// # Errors
    /// When the publish is unknown, or the state can't be written.
    pub async fn advance(
        &self,
        publish: Uuid,
        answered: Option<&Answered>,
        next: Option<(Op, u64)>,
    ) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        if let Some(answered) = answered {
            dead_letters::add(&mut transaction, publish, &answered.refused).await?;
            sqlx::query("UPDATE sending SET done = ?3 WHERE publish = ?1 AND op = ?2")
                .bind(publish.to_string())
                .bind(answered.op.as_str())
                .bind(i64::try_from(answered.done).map_err(StateError::internal)?)
                .execute(&mut *transaction)
                .await?;
        }
        if let Some((op, begun)) = next {
            sqlx::query(
                "INSERT INTO sending (publish, op, begun) VALUES (?1, ?2, ?3)
                 ON CONFLICT (publish, op) DO UPDATE SET begun = excluded.begun",
            )
            .bind(publish.to_string())
            .bind(op.as_str())
            .bind(i64::try_from(begun).map_err(StateError::internal)?)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// How far the sending of a publish has come.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn answers(&self, publish: Uuid) -> Result<Answers, StateError> {
        let mut answers = Answers::default();
        let ranges: Vec<(String, i64, i64)> = sqlx::query_as("SELECT op, done, begun FROM sending WHERE publish = ?1")
            .bind(publish.to_string())
            .fetch_all(self.read())
            .await?;
        for (op, done, begun) in ranges {
            let range = answers.of(parse(&op)?);
            range.done = u64::try_from(done).map_err(StateError::internal)?;
            range.begun = u64::try_from(begun).map_err(StateError::internal)?;
        }
        let refused: Vec<(String, i64)> = sqlx::query_as("SELECT op, record FROM dead_letters WHERE publish = ?1")
            .bind(publish.to_string())
            .fetch_all(self.read())
            .await?;
        for (op, record) in refused {
            answers.refuse(parse(&op)?, u64::try_from(record).map_err(StateError::internal)?);
        }
        Ok(answers)
    }

    /// Codes of the records that a publish was refused, counted.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn refused_by(&self, publish: Uuid) -> Result<Vec<(String, u64)>, StateError> {
        let found: Vec<(String, i64)> =
            sqlx::query_as("SELECT code, count(*) FROM dead_letters WHERE publish = ?1 GROUP BY code")
                .bind(publish.to_string())
                .fetch_all(self.read())
                .await?;
        found.into_iter().map(|(code, count)| Ok((code, u64::try_from(count).map_err(StateError::internal)?))).collect()
    }
}

fn parse(op: &str) -> Result<Op, StateError> {
    [Op::Add, Op::Update, Op::Remove]
        .into_iter()
        .find(|known| known.as_str() == op)
        .ok_or_else(|| StateError::internal(format_args!("an operation can't be {op:?}")))
}
