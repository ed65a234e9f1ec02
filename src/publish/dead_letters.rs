//! Records that were refused for good: encrypted on the way in, readable on the way out.

use arrow::{
    array::{Array, ArrayRef, AsArray},
    compute::cast,
    datatypes::DataType,
};
use chrono::{DateTime, TimeDelta, Utc};
use herald_destinations::contract::Rejection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Failure, PublishError, PublishKind, Publisher, Request, Whom, code, outgoing::Outgoing};
use crate::{
    snapshot::{Keys, identities},
    state::{DeadLetterRow, DeadLettersOf, Refused},
};

/// Publishes running after which a record that is refused just so is quarantined: sent seldom.
pub(super) const QUARANTINED_AFTER: u32 = 10;
/// How often a quarantined record is sent: it still comes again by itself.
pub(super) const TRIED_EVERY: TimeDelta = TimeDelta::days(1);

/// Dead letters that are read at a time.
const PAGE: u32 = 1_000;

/// A dead letter as users see it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// The last publish that it was refused in.
    pub publish: Uuid,
    /// The member's key.
    pub member: String,
    /// `add`, `update`, `remove`.
    pub op: String,
    /// Why, as a code.
    pub code: String,
    /// Why.
    pub message: String,
    /// Publishes running in which it was refused.
    pub count: u64,
    /// When it was refused first.
    pub since: DateTime<Utc>,
    /// Whether it is sent only once a day, until its record changes or somebody retries it.
    pub quarantined: bool,
}

impl std::fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetter")
            .field("publish", &self.publish)
            .field("op", &self.op)
            .field("code", &self.code)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// What of a dead letter nobody may read without the key.
#[derive(Serialize, Deserialize)]
struct Sealed {
    member: String,
    message: String,
    code: String,
}

impl Publisher {
    /// A page of dead letters, and where the next one begins.
    ///
    /// # Errors
    /// When the state can't be read, or the key is lost.
    pub async fn dead_letters(
        &self,
        of: DeadLettersOf<'_>,
        limit: u32,
        after: Option<&DeadLetterRow>,
    ) -> Result<(Vec<DeadLetter>, Option<DeadLetterRow>), Failure> {
        let mut rows = self.state.dead_letters(of, limit, after).await?;
        let keys = self.snapshots()?.keys();
        let letters = rows.iter().map(|row| letter(row, keys)).collect::<Result<Vec<_>, _>>()?;
        Ok((letters, rows.pop()))
    }

    /// What it takes to publish the members of a publish's dead letters anew.
    ///
    /// # Errors
    /// An unknown publish, one without dead letters, or a state that can't be read.
    pub async fn retry(&self, publish: Uuid) -> Result<Request, PublishError> {
        let unknown = || PublishError::Unknown(format!("no publish has the id {publish}"));
        let receipt = self.state.receipt(publish).await.map_err(Failure::from)?.ok_or_else(unknown)?;
        let mut members = Vec::new();
        let mut after = None;
        loop {
            let (page, last) = self.dead_letters(DeadLettersOf::Publish(publish), PAGE, after.as_ref()).await?;
            members.extend(page.into_iter().map(|letter| letter.member));
            match last {
                Some(_) => after = last,
                None => break,
            }
        }
        if members.is_empty() {
            let what = format!("publish {publish} left no dead letters, or a later one settled them");
            return Err(PublishError::Unknown(what));
        }
        Ok(Request {
            activation: receipt.activation,
            kind: PublishKind::Retry,
            full: false,
            whom: Whom::Named(members),
            override_reason: None,
            receipt: None,
            wait: true,
            unattended: false,
        })
    }

    /// The dead letters of one member; `key`: its key as stored, alone.
    pub(super) async fn dead_letters_of(&self, activation: &str, key: &ArrayRef) -> Result<Vec<DeadLetter>, Failure> {
        let keys = self.snapshots()?.keys();
        let hash = identities(key, keys).map_err(code::internal)?;
        let rows = self.state.dead_letters_of(activation, hash.value(0)).await?;
        rows.iter().map(|row| letter(row, keys)).collect()
    }
}

fn about(activation: &str) -> String {
    format!("dead letter of {activation}")
}

fn letter(row: &DeadLetterRow, keys: &Keys) -> Result<DeadLetter, Failure> {
    let sealed = keys.unseal(&about(&row.activation), &row.sealed)?;
    let sealed: Sealed = serde_json::from_slice(&sealed).map_err(code::internal)?;
    Ok(DeadLetter {
        publish: row.publish,
        member: sealed.member,
        op: row.op.clone(),
        code: sealed.code,
        message: sealed.message,
        count: row.count,
        since: row.since,
        quarantined: row.same >= u64::from(QUARANTINED_AFTER),
    })
}

/// Refused rows of a batch, ready to be stored; the batch's first record has the number `from`.
pub(super) fn letters(
    activation: &str,
    outgoing: &Outgoing,
    from: u64,
    refused: &[Rejection],
    keys: &Keys,
) -> Result<Vec<Refused>, Failure> {
    if refused.is_empty() {
        return Ok(Vec::new());
    }
    let hashes = identities(&outgoing.keys, keys).map_err(code::internal)?;
    let members = cast(&outgoing.batch.members, &DataType::Utf8).map_err(code::internal)?;
    let members = members.as_string::<i32>();
    let about = about(activation);
    let one = |rejection: &Rejection| {
        let row = rejection.row;
        let sealed = Sealed {
            member: if members.is_null(row) { String::new() } else { members.value(row).to_owned() },
            message: rejection.message.clone(),
            code: rejection.code.clone(),
        };
        let sealed = serde_json::to_vec(&sealed).map_err(code::internal)?;
        Ok(Refused {
            record: from + row as u64,
            member: hashes.value(row).to_vec(),
            op: outgoing.batch.op,
            code: rejection.code.clone(),
            sealed: keys.seal(&about, &sealed)?,
            fingerprint: outgoing.prints.as_ref().map(|prints| prints.value(row).to_vec()),
        })
    };
    refused.iter().map(one).collect()
}
