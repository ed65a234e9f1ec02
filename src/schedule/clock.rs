//! What time it is, and waiting for another.

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// What time it is. Cadences follow the wall clock, so it may jump, in both directions.
#[async_trait]
pub trait Clock: Debug + Send + Sync + 'static {
    /// Now.
    fn now(&self) -> DateTime<Utc>;

    /// Returns at a time, or at once when it has passed. A wall clock that is put on or back meanwhile need not be
    /// noticed: who waits looks at [`now`](Self::now) again, and waits for no more than seconds.
    async fn sleep_until(&self, at: DateTime<Utc>);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        tokio::time::sleep((at - Utc::now()).to_std().unwrap_or(Duration::ZERO)).await;
    }
}
