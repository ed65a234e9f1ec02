//! Parts that are full, and whose uploads end while the next one is encoded.

use futures::{StreamExt, future::BoxFuture, stream::FuturesOrdered};

use super::{part::FullPart, sealed::SealedPart};
use crate::contract::Error;

/// Most parts whose uploads end at once: each may hold a connection and some megabytes.
const AT_ONCE: usize = 2;

/// Uploads that are ending, in the order of their parts. They go on for as long as somebody waits in
/// [`beside`](Self::beside), and no task of their own runs them: once this is dropped, nothing happens at the target any more,
/// and a sweep finds all that there will ever be.
#[derive(Default)]
pub(super) struct Closings {
    flying: FuturesOrdered<BoxFuture<'static, Result<SealedPart, Error>>>,
    closed: Vec<SealedPart>,
}

impl Closings {
    /// Does other work, and lets uploads end meanwhile. The first error of either ends both.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = self.flying.next(), if !self.flying.is_empty() => self.closed.extend(done.transpose()?),
                answer = &mut work => return answer,
            }
        }
    }

    /// Begins to end an upload; waits where as many are ending already.
    pub(super) async fn push(&mut self, part: FullPart) -> Result<(), Error> {
        while self.flying.len() >= AT_ONCE {
            self.closed.extend(self.flying.next().await.transpose()?);
        }
        self.flying.push_back(Box::pin(part.close()));
        Ok(())
    }

    /// Waits for all, and gives the parts in order.
    pub(super) async fn finish(&mut self) -> Result<Vec<SealedPart>, Error> {
        while let Some(part) = self.flying.next().await {
            self.closed.push(part?);
        }
        Ok(std::mem::take(&mut self.closed))
    }
}
