//! Who did what, and when.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{Sqlite, Transaction};

use super::{State, StateError, publishes::timestamp};

/// One line of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// A user of the machine, the name of a token, or `herald` for what follows from the config.
    pub who: String,
    /// A verb: `publish`, `override`, `pause`, `delete`, `rename`, `reload`.
    pub what: String,
    /// The activation it was done to, if to one.
    pub activation: Option<String>,
    /// A reason or a publish's id; never a secret or a member's value.
    pub detail: Option<String>,
}

/// Which lines; all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditsOf {
    /// About this activation.
    pub activation: Option<String>,
    /// Written then or later.
    pub since: Option<DateTime<Utc>>,
}

/// `at`, `who`, `what`, `activation`, `detail`.
type Row = (String, String, String, Option<String>, Option<String>);

impl State {
    /// Writes a line.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn audit(&self, entry: &AuditEntry) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        add(&mut transaction, entry).await?;
        Ok(transaction.commit().await?)
    }

    /// The newest lines first, at most `limit`.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn audits(&self, of: &AuditsOf, limit: u32) -> Result<Vec<AuditEntry>, StateError> {
        // Times are text of one width, so that they compare as times do.
        let found: Vec<Row> = sqlx::query_as(
            "SELECT at, who, what, activation, detail FROM audit
             WHERE (?1 IS NULL OR activation = ?1) AND (?2 IS NULL OR at >= ?2) ORDER BY number DESC LIMIT ?3",
        )
        .bind(&of.activation)
        .bind(of.since.map(timestamp))
        .bind(limit)
        .fetch_all(self.read())
        .await?;
        found
            .into_iter()
            .map(|(at, who, what, activation, detail)| {
                Ok(AuditEntry { at: at.parse().map_err(StateError::internal)?, who, what, activation, detail })
            })
            .collect()
    }
}

/// Writes a line, together with what it tells of.
pub(super) async fn add(transaction: &mut Transaction<'static, Sqlite>, entry: &AuditEntry) -> Result<(), StateError> {
    sqlx::query("INSERT INTO audit (at, who, what, activation, detail) VALUES (?1, ?2, ?3, ?4, ?5)")
        .bind(timestamp(entry.at))
        .bind(&entry.who)
        .bind(&entry.what)
        .bind(&entry.activation)
        .bind(&entry.detail)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{AuditEntry, AuditsOf, State};

    #[tokio::test]
    async fn a_line_can_be_neither_changed_nor_removed_nor_replaced() {
        let data_dir = tempfile::tempdir().unwrap();
        let state = State::open(data_dir.path()).await.unwrap();
        let entry = AuditEntry {
            at: "2026-03-01T10:00:00Z".parse().unwrap(),
            who: "ann".to_owned(),
            what: "delete".to_owned(),
            activation: Some("gold".to_owned()),
            detail: Some("purge".to_owned()),
        };
        state.audit(&entry).await.unwrap();
        for sql in [
            "UPDATE audit SET who = 'bob'",
            "DELETE FROM audit",
            "INSERT OR REPLACE INTO audit (number, at, who, what) VALUES (1, '2026-03-01T10:00:00.000000Z', 'bob', 'pause')",
            "INSERT INTO audit (number, at, who, what) VALUES (1, 'x', 'bob', 'pause')
             ON CONFLICT (number) DO UPDATE SET who = 'bob'",
        ] {
            let mut transaction = state.write().await.unwrap();
            let error = sqlx::query(sql).execute(&mut *transaction).await.unwrap_err();
            assert!(error.to_string().contains("the audit is append-only"), "{sql}: {error}");
        }
        assert_eq!(state.audits(&AuditsOf::default(), 10).await.unwrap(), std::slice::from_ref(&entry));
        state.audit(&entry).await.unwrap();
        assert_eq!(state.audits(&AuditsOf::default(), 10).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn lines_are_chosen_by_activation_and_time() {
        let data_dir = tempfile::tempdir().unwrap();
        let state = State::open(data_dir.path()).await.unwrap();
        let line = |hour: u32, activation: Option<&str>| AuditEntry {
            at: format!("2026-03-01T{hour:02}:00:00.5Z").parse().unwrap(),
            who: "ann".to_owned(),
            what: "pause".to_owned(),
            activation: activation.map(str::to_owned),
            detail: None,
        };
        let lines = [line(8, Some("gold")), line(9, Some("silver")), line(10, None), line(11, Some("gold"))];
        for line in &lines {
            state.audit(line).await.unwrap();
        }
        let [first, _, reload, last] = &lines;
        let gold = AuditsOf { activation: Some("gold".to_owned()), ..AuditsOf::default() };
        assert_eq!(state.audits(&gold, 10).await.unwrap(), [last.clone(), first.clone()]);
        let late = AuditsOf { since: Some(reload.at), ..AuditsOf::default() };
        assert_eq!(state.audits(&late, 10).await.unwrap(), [last.clone(), reload.clone()]);
        let both = AuditsOf { since: Some(reload.at), ..gold };
        assert_eq!(state.audits(&both, 10).await.unwrap(), std::slice::from_ref(last));
        assert_eq!(state.audits(&both, 0).await.unwrap(), []);
    }
}
