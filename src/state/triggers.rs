//! Publishes that somebody asked the service for: on record before the answer, so that none is lost.

use chrono::{DateTime, TimeDelta, Utc};
use herald_destinations::contract::Mode;
use sqlx::{Sqlite, Transaction};
use uuid::Uuid;

use super::{
    ActivationState, AuditEntry, NewPublish, State, StateError, audit,
    publishes::{self, timestamp},
};
use crate::publish::{Failure, PublishKind, Receipt, Status};

/// Most member keys that one waiting publish gathers.
const MOST_NAMED: u64 = 100_000;
/// For so long the same key gets the same answer.
const REMEMBERED: TimeDelta = TimeDelta::hours(24);

/// Who a publish looks at, without the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhomWord {
    /// All members.
    Everybody,
    /// Those touched lately, and those named.
    Touched,
    /// Those named.
    Named,
}

/// A publish that is asked for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// What goes on record if none waits that it can join.
    pub new: NewPublish,
    /// Everything anew was asked for by name.
    pub in_full: bool,
    /// Who is looked at.
    pub whom: WhomWord,
    /// The keys of named members, encrypted, and how many they are.
    pub members: Option<(Vec<u8>, u64)>,
    /// Who asks.
    pub caller: String,
    /// Digests of the caller's key, and of the request.
    pub idempotency: Option<([u8; 32], [u8; 32])>,
}

/// What became of it.
#[derive(Debug, Clone)]
pub enum Asked {
    /// It is on record; the flag says whether it joined one that waits.
    Queued(Box<Receipt>, bool),
    /// The same was asked before; this is how it stands.
    Before(Box<Receipt>),
    /// The key was used for another request.
    Reused,
    /// The activation is torn down, or has been.
    Deleted(ActivationState),
    /// Too many members are named by what waits.
    Full,
}

/// A publish that waits for a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Of the publish.
    pub publish: Uuid,
    /// Name of the activation.
    pub activation: String,
    /// Why it will run.
    pub kind: PublishKind,
}

/// A publish that a worker has taken up.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Everything anew was asked for by name.
    pub in_full: bool,
    /// Who is looked at.
    pub whom: WhomWord,
    /// The keys of named members, encrypted.
    pub members: Vec<Vec<u8>>,
    /// Why guards may be passed.
    pub override_reason: Option<String>,
}

impl WhomWord {
    const ALL: [Self; 3] = [Self::Everybody, Self::Touched, Self::Named];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Everybody => "everybody",
            Self::Touched => "touched",
            Self::Named => "named",
        }
    }

    fn parse(word: &str) -> Result<Self, StateError> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == word);
        known.ok_or_else(|| StateError::internal(format_args!("a trigger can't be for {word:?}")))
    }

    /// Who is looked at where both are asked for.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everybody, _) | (_, Self::Everybody) => Self::Everybody,
            (Self::Touched, _) | (_, Self::Touched) => Self::Touched,
            (Self::Named, Self::Named) => Self::Named,
        }
    }
}

/// A trigger as it stands.
struct Row {
    receipt: Receipt,
    whom: WhomWord,
    in_full: bool,
    named: u64,
}

impl State {
    /// Puts what many ask for on record, in one transaction and in order. Of one activation and kind, all join the one that
    /// waits.
    ///
    /// # Errors
    /// When the state can't be written: then nothing is on record.
    pub async fn ask(&self, asks: Vec<Ask>) -> Result<Vec<Asked>, StateError> {
        let now = Utc::now();
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM idempotency WHERE at < ?1")
            .bind(timestamp(now - REMEMBERED))
            .execute(&mut *transaction)
            .await?;
        let mut gathered = Gathered::default();
        let mut answers = Vec::with_capacity(asks.len());
        for ask in asks {
            answers.push(gathered.take(&mut transaction, ask, now).await?);
        }
        gathered.write_down(&mut transaction, now).await?;
        transaction.commit().await?;
        let mut told: Vec<Uuid> = Vec::new();
        for answer in &answers {
            if let Asked::Queued(receipt, false) = answer
                && !told.contains(&receipt.id)
            {
                told.push(receipt.id);
                self.tell(receipt);
            }
        }
        Ok(answers)
    }

    /// Publishes that wait for a worker, oldest first.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn waiting(&self) -> Result<Vec<Waiting>, StateError> {
        let found: Vec<(String,)> = sqlx::query_as(
            "SELECT receipt FROM publishes JOIN triggers ON publish = id WHERE status = 'queued' AND NOT taken ORDER BY number",
        )
        .fetch_all(self.read())
        .await?;
        found
            .iter()
            .map(|(receipt,)| {
                let Receipt { id, activation, kind, .. } = publishes::parse(receipt)?;
                Ok(Waiting { publish: id, activation, kind })
            })
            .collect()
    }

    /// Takes a waiting publish up: from now on nothing joins it. `None`: it does not wait any more.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn take(&self, publish: Uuid) -> Result<Option<Taken>, StateError> {
        let mut transaction = self.write().await?;
        let found: Option<(String, bool, String)> = sqlx::query_as(
            "UPDATE triggers SET taken = 1
             WHERE publish = ?1 AND NOT taken AND EXISTS (SELECT 1 FROM publishes WHERE id = ?1 AND status = 'queued')
             RETURNING whom, in_full, (SELECT receipt FROM publishes WHERE id = ?1)",
        )
        .bind(publish.to_string())
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((whom, in_full, receipt)) = found else { return Ok(None) };
        let members = sqlx::query_scalar("SELECT members FROM trigger_parts WHERE publish = ?1 ORDER BY number")
            .bind(publish.to_string())
            .fetch_all(&mut *transaction)
            .await?;
        transaction.commit().await?;
        let override_reason = publishes::parse(&receipt)?.override_reason;
        Ok(Some(Taken { in_full, whom: WhomWord::parse(&whom)?, members, override_reason }))
    }

    /// Lets a publish that was taken up and could not begin wait again; `None`: all of them, whose process has ended.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn put_back(&self, publish: Option<Uuid>) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "UPDATE triggers SET taken = 0 WHERE taken AND (?1 IS NULL OR publish = ?1)
               AND EXISTS (SELECT 1 FROM publishes WHERE id = publish AND status = 'queued')",
        )
        .bind(publish.map(|id| id.to_string()))
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Puts what a publish that died was asked for on record again, as a new one that waits. `None`: nobody had asked for it.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn ask_again(&self, died: &Receipt) -> Result<Option<Receipt>, StateError> {
        let mut transaction = self.write().await?;
        let asked: i64 = sqlx::query_scalar("SELECT count(*) FROM triggers WHERE publish = ?1")
            .bind(died.id.to_string())
            .fetch_one(&mut *transaction)
            .await?;
        if asked == 0 {
            return Ok(None);
        }
        let new = NewPublish {
            activation: died.activation.clone(),
            segment: died.segment.clone(),
            target: died.target.clone(),
            kind: died.kind,
            mode: died.mode,
            queued_at: Utc::now(),
            override_reason: died.override_reason.clone(),
        };
        let receipt = publishes::insert(&mut transaction, new).await?;
        sqlx::query("UPDATE triggers SET publish = ?2, taken = 0 WHERE publish = ?1")
            .bind(died.id.to_string())
            .bind(receipt.id.to_string())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        self.tell(&receipt);
        Ok(Some(receipt))
    }

    /// Ends a publish that waits, as cancelled. `None`: it does not wait any more.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn cancel_waiting(&self, waiting: &Receipt, why: &Failure) -> Result<Option<Receipt>, StateError> {
        let mut transaction = self.write().await?;
        let cancelled = cancel(&mut transaction, &waiting.activation, Some(waiting.id), why).await?.pop();
        transaction.commit().await?;
        if let Some(receipt) = &cancelled {
            self.tell(receipt);
        }
        Ok(cancelled)
    }

    /// Begins a publish that waited: it comes after all others of its activation, those that still wait excepted. `None`: it
    /// has ended meanwhile.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn begin_waiting(&self, publish: Uuid, new: &NewPublish) -> Result<Option<Receipt>, StateError> {
        let mut transaction = self.write().await?;
        let found = publishes::receipt_of(&mut *transaction, publish).await?;
        let Some(mut receipt) = found.filter(|receipt| receipt.status == Status::Queued) else { return Ok(None) };
        // What came meanwhile came before it.
        sqlx::query("UPDATE publishes SET number = (SELECT max(number) + 1 FROM publishes) WHERE id = ?1")
            .bind(publish.to_string())
            .execute(&mut *transaction)
            .await?;
        receipt.sequence = publishes::first_of_waiting(&mut transaction, &receipt).await?;
        // The config may say otherwise by now.
        receipt.segment.clone_from(&new.segment);
        receipt.target.clone_from(&new.target);
        receipt.mode = new.mode;
        publishes::store(&mut transaction, &receipt).await?;
        transaction.commit().await?;
        Ok(Some(receipt))
    }

    /// Notes that a publish looks at named members alone.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn looks_at_some(&self, publish: Uuid) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE publishes SET of_some = 1 WHERE id = ?1")
            .bind(publish.to_string())
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }
}

/// What one transaction gathers, so that ten thousand triggers make few rows.
#[derive(Default)]
struct Gathered {
    rows: Vec<Row>,
    /// Who asked for which publish, how often.
    lines: Vec<(String, Uuid, &'static str, String, u64)>,
    states: Vec<(String, ActivationState)>,
}

impl Gathered {
    async fn take(
        &mut self,
        transaction: &mut Transaction<'static, Sqlite>,
        ask: Ask,
        now: DateTime<Utc>,
    ) -> Result<Asked, StateError> {
        if let Some((key, request)) = &ask.idempotency {
            let found: Option<(Vec<u8>, String)> =
                sqlx::query_as("SELECT request, publish FROM idempotency WHERE caller = ?1 AND key = ?2")
                    .bind(&ask.caller)
                    .bind(key.as_slice())
                    .fetch_optional(&mut **transaction)
                    .await?;
            if let Some((before, publish)) = found {
                if before != request {
                    return Ok(Asked::Reused);
                }
                let id = publish.parse().map_err(StateError::internal)?;
                let receipt = publishes::receipt_of(&mut **transaction, id).await?;
                return receipt
                    .map(|receipt| Asked::Before(Box::new(receipt)))
                    .ok_or_else(|| StateError::internal("a key without its publish"));
            }
        }
        match self.state_of(transaction, &ask.new.activation).await? {
            ActivationState::Active => {}
            state => return Ok(Asked::Deleted(state)),
        }
        let (receipt, joined) = match self.join(transaction, &ask).await? {
            Some(joined) => joined,
            None => return Ok(Asked::Full),
        };
        if let Some((sealed, _)) = &ask.members {
            sqlx::query("INSERT INTO trigger_parts (publish, members) VALUES (?1, ?2)")
                .bind(receipt.id.to_string())
                .bind(sealed.as_slice())
                .execute(&mut **transaction)
                .await?;
        }
        if let Some((key, request)) = &ask.idempotency {
            sqlx::query("INSERT INTO idempotency (caller, key, request, publish, at) VALUES (?1, ?2, ?3, ?4, ?5)")
                .bind(&ask.caller)
                .bind(key.as_slice())
                .bind(request.as_slice())
                .bind(receipt.id.to_string())
                .bind(timestamp(now))
                .execute(&mut **transaction)
                .await?;
        }
        self.note(&ask, &receipt);
        Ok(Asked::Queued(Box::new(receipt), joined))
    }

    async fn state_of(
        &mut self,
        transaction: &mut Transaction<'static, Sqlite>,
        activation: &str,
    ) -> Result<ActivationState, StateError> {
        if let Some((_, state)) = self.states.iter().find(|(name, _)| name == activation) {
            return Ok(*state);
        }
        let found: Option<String> = sqlx::query_scalar("SELECT state FROM activations WHERE name = ?1")
            .bind(activation)
            .fetch_optional(&mut **transaction)
            .await?;
        let state = found.as_deref().map(ActivationState::parse).transpose()?.unwrap_or_default();
        self.states.push((activation.to_owned(), state));
        Ok(state)
    }

    /// Joins what waits, or makes it wait. `None`: too many members are named.
    async fn join(
        &mut self,
        transaction: &mut Transaction<'static, Sqlite>,
        ask: &Ask,
    ) -> Result<Option<(Receipt, bool)>, StateError> {
        let more = ask.members.as_ref().map_or(0, |(_, count)| *count);
        if more > MOST_NAMED {
            return Ok(None);
        }
        let known = |row: &Row| row.receipt.activation == ask.new.activation && row.receipt.kind == ask.new.kind;
        let at = match self.rows.iter().position(known) {
            Some(at) => Some(at),
            None => find(transaction, &ask.new.activation, ask.new.kind).await?.map(|row| {
                self.rows.push(row);
                self.rows.len() - 1
            }),
        };
        let Some(at) = at else {
            let receipt = publishes::insert(transaction, ask.new.clone()).await?;
            sqlx::query("INSERT INTO triggers (publish, whom, in_full, named) VALUES (?1, ?2, ?3, 0)")
                .bind(receipt.id.to_string())
                .bind(ask.whom.as_str())
                .bind(ask.in_full)
                .execute(&mut **transaction)
                .await?;
            let row = Row { receipt: receipt.clone(), whom: ask.whom, in_full: ask.in_full, named: more };
            self.rows.push(row);
            return Ok(Some((receipt, false)));
        };
        let row = &mut self.rows[at];
        if row.named + more > MOST_NAMED {
            return Ok(None);
        }
        row.named += more;
        row.whom = row.whom.and(ask.whom);
        row.in_full |= ask.in_full;
        if ask.new.mode == Mode::Full {
            row.receipt.mode = Mode::Full;
        }
        if ask.new.override_reason.is_some() {
            row.receipt.override_reason.clone_from(&ask.new.override_reason);
        }
        Ok(Some((row.receipt.clone(), true)))
    }

    fn note(&mut self, ask: &Ask, receipt: &Receipt) {
        let what = if receipt.kind == PublishKind::Retry { "retry" } else { "publish" };
        let known = self.lines.iter_mut().find(|(caller, publish, ..)| *caller == ask.caller && *publish == receipt.id);
        match known {
            Some((.., times)) => *times += 1,
            None => self.lines.push((ask.caller.clone(), receipt.id, what, receipt.activation.clone(), 1)),
        }
    }

    /// Writes what changed, each row once, and who asked.
    async fn write_down(
        self,
        transaction: &mut Transaction<'static, Sqlite>,
        now: DateTime<Utc>,
    ) -> Result<(), StateError> {
        for row in &self.rows {
            sqlx::query("UPDATE triggers SET whom = ?2, in_full = ?3, named = ?4 WHERE publish = ?1")
                .bind(row.receipt.id.to_string())
                .bind(row.whom.as_str())
                .bind(row.in_full)
                .bind(i64::try_from(row.named).map_err(StateError::internal)?)
                .execute(&mut **transaction)
                .await?;
            publishes::store(transaction, &row.receipt).await?;
        }
        for (who, publish, what, activation, times) in self.lines {
            let detail = if times > 1 { format!("{publish}, {times} times") } else { publish.to_string() };
            let (activation, detail) = (Some(activation), Some(detail));
            audit::add(transaction, &AuditEntry { at: now, who, what: what.to_owned(), activation, detail }).await?;
        }
        Ok(())
    }
}

/// Ends what waits, as cancelled: one, or all of an activation, those that were just taken up among them.
pub(super) async fn cancel(
    transaction: &mut Transaction<'static, Sqlite>,
    activation: &str,
    publish: Option<Uuid>,
    why: &Failure,
) -> Result<Vec<Receipt>, StateError> {
    let found: Vec<String> = sqlx::query_scalar(
        "SELECT receipt FROM publishes JOIN triggers ON publish = id
         WHERE status = 'queued' AND activation = ?1 AND (?2 IS NULL OR (id = ?2 AND NOT taken))",
    )
    .bind(activation)
    .bind(publish.map(|id| id.to_string()))
    .fetch_all(&mut **transaction)
    .await?;
    let mut cancelled = Vec::with_capacity(found.len());
    for text in found {
        let mut receipt = publishes::parse(&text)?;
        receipt.status = Status::Cancelled;
        receipt.finished_at = Some(Utc::now());
        receipt.fail(why.clone());
        publishes::store(transaction, &receipt).await?;
        cancelled.push(receipt);
    }
    Ok(cancelled)
}

/// The publish of an activation and kind that waits, if there is one.
async fn find(
    transaction: &mut Transaction<'static, Sqlite>,
    activation: &str,
    kind: PublishKind,
) -> Result<Option<Row>, StateError> {
    let found: Option<(String, String, bool, i64)> = sqlx::query_as(
        "SELECT receipt, whom, in_full, named FROM publishes JOIN triggers ON publish = id
         WHERE status = 'queued' AND NOT taken AND activation = ?1 AND kind = ?2 ORDER BY number LIMIT 1",
    )
    .bind(activation)
    .bind(publishes::word(kind)?)
    .fetch_optional(&mut **transaction)
    .await?;
    found
        .map(|(receipt, whom, in_full, named)| {
            Ok(Row {
                receipt: publishes::parse(&receipt)?,
                whom: WhomWord::parse(&whom)?,
                in_full,
                named: u64::try_from(named).map_err(StateError::internal)?,
            })
        })
        .transpose()
}
