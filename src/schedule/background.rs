//! Threads of the standard lane. They give way to all others of the process, so that a rapid publish, the API and the dashboard
//! answer at once while a large publish uses whatever is left of the machine.

use std::future::Future;

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};
use tracing::Instrument;

use crate::publish::{Failure, code};

/// Of 20 steps down. A thread at the default gets about ten times the share of one at 10 while both have something to do.
const NICE: i32 = 10;

/// A runtime of its own.
#[derive(Debug)]
pub(super) struct Background(Option<Runtime>);

impl Background {
    /// As many workers as there are cores.
    pub(super) fn new() -> Result<Self, Failure> {
        let mut builder = Builder::new_multi_thread();
        builder
            .enable_all()
            .thread_name("herald-standard")
            .thread_stack_size(crate::cli::STACK)
            .on_thread_start(give_way);
        Ok(Self(Some(builder.build().map_err(code::internal)?)))
    }

    /// Runs a future there. Dropped, it is dropped; what it panics with goes on here.
    pub(super) async fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let runtime = self.0.as_ref()?;
        let mut one = JoinSet::new();
        one.spawn_on(future.in_current_span(), runtime.handle());
        match one.join_next().await? {
            Ok(done) => Some(done),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => None,
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// On Linux a priority is that of the thread which sets it; elsewhere it would be that of the process.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "a thread of the standard lane keeps its priority");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn its_threads_give_way_and_others_do_not() {
        let background = Background::new().unwrap();
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let own = nice();
        let runtime = Builder::new_current_thread().build().unwrap();
        let (worker, blocking) = runtime.block_on(async {
            let worker = background.run(async move { nice() }).await;
            let blocking = background.run(async move { tokio::task::spawn_blocking(nice).await.unwrap() }).await;
            (worker.unwrap(), blocking.unwrap())
        });
        assert_eq!((worker, blocking, nice()), (NICE, NICE, own));
    }
}
