//! What other processes put on record: seen by asking SQLite whether anything changed, which costs no read.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::{
    State, StateError,
    publishes::{has_ended, parse},
};
use crate::publish::Receipt;

/// Sees what changes, whoever writes it. Holds a connection of its own: SQLite says for each whether another one wrote.
#[derive(Debug)]
pub struct Watch {
    connection: SqliteConnection,
    version: i64,
    /// Number of the newest publish that was seen.
    newest: i64,
    /// Publishes that had not ended when they were seen.
    open: Vec<String>,
    lives: BTreeMap<String, String>,
}

/// What changed since it was last asked.
#[derive(Debug, Default)]
pub struct News {
    /// Publishes that are new or that had not ended, as they stand now, oldest first.
    pub receipts: Vec<Receipt>,
    /// Activations that were paused or resumed, or are further in their life: name and state.
    pub activations: Vec<(String, String)>,
}

impl State {
    /// Begins to watch: what is on record now is no news.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn watch(&self) -> Result<Watch, StateError> {
        let connection = self.read().acquire().await?.detach();
        let mut watch = Watch { connection, version: 0, newest: 0, open: Vec::new(), lives: BTreeMap::new() };
        watch.version = watch.data_version().await?;
        watch.newest = sqlx::query_scalar("SELECT coalesce(max(number), 0) FROM publishes")
            .fetch_one(&mut watch.connection)
            .await?;
        watch.open = sqlx::query_scalar("SELECT id FROM publishes WHERE status IN ('queued', 'running')")
            .fetch_all(&mut watch.connection)
            .await?;
        watch.lives = watch.lives_now().await?;
        Ok(watch)
    }
}

impl Watch {
    /// What changed since the last call.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn news(&mut self) -> Result<News, StateError> {
        let version = self.data_version().await?;
        if version == self.version {
            return Ok(News::default());
        }
        let found: Vec<(i64, String)> = sqlx::query_as(
            "SELECT number, receipt FROM publishes
             WHERE number > ?1 OR id IN (SELECT value FROM json_each(?2)) ORDER BY number",
        )
        .bind(self.newest)
        .bind(serde_json::to_string(&self.open)?)
        .fetch_all(&mut self.connection)
        .await?;
        let mut receipts = Vec::with_capacity(found.len());
        for (number, text) in found {
            self.newest = self.newest.max(number);
            receipts.push(parse(&text)?);
        }
        let open = |receipt: &&Receipt| !has_ended(receipt.status);
        self.open = receipts.iter().filter(open).map(|receipt| receipt.id.to_string()).collect();
        let before = std::mem::take(&mut self.lives);
        self.lives = self.lives_now().await?;
        let changed = |(name, life): &(&String, &String)| before.get(*name).is_some_and(|before| before != *life);
        let activations = self.lives.iter().filter(changed).map(|(name, life)| (name.clone(), life.clone())).collect();
        self.version = version;
        Ok(News { receipts, activations })
    }

    async fn data_version(&mut self) -> Result<i64, StateError> {
        Ok(sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut self.connection).await?)
    }

    async fn lives_now(&mut self) -> Result<BTreeMap<String, String>, StateError> {
        let lives: Vec<(String, String)> = sqlx::query_as(
            "SELECT name, CASE WHEN state = 'active' AND paused THEN 'paused' ELSE state END FROM activations",
        )
        .fetch_all(&mut self.connection)
        .await?;
        Ok(lives.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use herald_destinations::contract::Mode;

    use crate::{
        publish::{PublishKind, Status},
        state::{NewPublish, State},
    };

    #[tokio::test]
    async fn what_another_process_does_is_news_once() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (State::open(folder.path()).await.unwrap(), State::open(folder.path()).await.unwrap());
        let new = NewPublish {
            activation: "gold".to_owned(),
            segment: "s".to_owned(),
            target: "t".to_owned(),
            kind: PublishKind::Manual,
            mode: Mode::Full,
            queued_at: Utc::now(),
            override_reason: None,
        };
        there.queue(new.clone()).await.unwrap();
        let mut watch = here.watch().await.unwrap();
        assert_eq!(watch.news().await.unwrap().receipts.len(), 0);
        let mut receipt = there.queue(new).await.unwrap();
        let seen = watch.news().await.unwrap().receipts;
        assert_eq!(
            seen.iter().map(|one| one.sequence).collect::<Vec<_>>(),
            [1, 2],
            "the one in flight and the new one"
        );
        receipt.status = Status::Failed;
        there.finish(&receipt).await.unwrap();
        there.set_paused("gold", true).await.unwrap();
        let news = watch.news().await.unwrap();
        assert!(news.receipts.iter().any(|one| one.status == Status::Failed));
        assert_eq!(news.activations, [("gold".to_owned(), "paused".to_owned())]);
        let after = watch.news().await.unwrap();
        assert!(after.receipts.is_empty() && after.activations.is_empty());
    }
}
