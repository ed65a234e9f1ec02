//! Removing temporary objects that will never be revealed.

use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::store::Shared;
use crate::contract::Error;

/// An upload that was on its way when its publish was given up may end after all; so it is looked again.
const ROUNDS: usize = 3;
const AT_ONCE: usize = 8;

impl Shared {
    /// Removes what one publish has on its way below a path prefix. Its folder is its own: nothing else can be met.
    /// Uploads that never ended show nothing, cost nothing, and expire by themselves.
    pub(super) async fn sweep(&self, prefix: &str, publish: Uuid) -> Result<(), Error> {
        let below = self.temporary(publish, prefix);
        for round in 0..ROUNDS {
            let left = self.list(&below).await?;
            if left.is_empty() {
                return Ok(());
            }
            tracing::debug!(objects = left.len(), round, "removing temporary objects");
            let removals: Vec<_> = left.iter().map(|object| self.remove(&object.name)).collect();
            stream::iter(removals).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        }
        Ok(())
    }
}
