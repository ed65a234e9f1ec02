//! A process that publishes, and that can die at any moment.

use std::{
    fmt,
    future::Future,
    panic::{self, AssertUnwindSafe},
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use herald::{
    config,
    publish::{Phase, Preview, Progress, PublishError, PublishKind, Publisher, Receipt, Request, Silent, Whom, crash},
};
use herald_destinations::contract::Config;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// How a publish is cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The process dies as a phase begins, or so many steps of its task later.
    Die {
        /// From here on.
        phase: Phase,
        /// Times that the task waits before it is no more.
        waits: u32,
    },
    /// The process dies at a named moment, the so-manieth time that it comes by.
    Moment(&'static str, u32),
    /// Somebody stops the publish as a phase begins.
    Cancel(Phase),
}

/// How a publish ended, seen from its process.
#[derive(Debug)]
pub(crate) enum Ended {
    /// There is an answer.
    Answered(Result<Box<Receipt>, PublishError>),
    /// The process is no more.
    Died,
}

/// A publisher with a runtime of its own.
pub(crate) struct Process {
    publisher: Option<Publisher>,
    runtime: Runtime,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Process")
    }
}

impl Process {
    /// Starts one in a folder with a config; its one target is `to`.
    pub(crate) fn start(home: &Path, to: &(impl Config + Clone + 'static)) -> Result<Self, String> {
        let mut config = config::load(&home.join("herald.yaml")).map_err(|problems| problems.render(false))?;
        for target in config.targets.values_mut() {
            target.config = Box::new(to.clone());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let publisher = runtime.block_on(Publisher::open(Arc::new(config))).map_err(|failure| failure.to_string())?;
        Ok(Self { publisher: Some(publisher), runtime })
    }

    /// One publish of the one activation.
    pub(crate) fn publish(&self, full: bool, override_reason: Option<String>, cut: Option<Cut>) -> Ended {
        self.run(&Request { full, override_reason, ..request() }, cut, &CancellationToken::new())
    }

    /// One publish as it is asked for; `cancel` stops it.
    pub(crate) fn run(&self, request: &Request, cut: Option<Cut>, cancel: &CancellationToken) -> Ended {
        let Some(publisher) = &self.publisher else { return Ended::Died };
        let watch = Watch { cut, reached: AtomicBool::new(false), cancel: cancel.clone() };
        // A publish that dies gives its connections back to the runtime.
        let _inside = self.runtime.enter();
        let publish = async {
            match cut {
                Some(Cut::Moment(name, time)) => {
                    crash::cut(name, time, Box::pin(publisher.publish(request, &watch, cancel))).await
                }
                _ => Some(publisher.publish(request, &watch, cancel).await),
            }
        };
        let mortal = Mortal { inner: Box::pin(publish), watch: &watch, waits: 0 };
        match panic::catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(mortal))) {
            Ok(Some(Some(answer))) => Ended::Answered(answer.map(Box::new)),
            Ok(_) => Ended::Died,
            Err(payload) if payload.is::<Death>() => Ended::Died,
            Err(payload) => panic::resume_unwind(payload),
        }
    }

    /// Anything else that is asked of the publisher.
    pub(crate) fn ask<'p, F: Future>(&'p self, call: impl FnOnce(&'p Publisher) -> F) -> Result<F::Output, String> {
        let publisher = self.publisher.as_ref().ok_or("no publisher")?;
        Ok(self.runtime.block_on(call(publisher)))
    }

    /// What a publish would do.
    pub(crate) fn preview(&self, full: bool) -> Result<Preview, String> {
        let publisher = self.publisher.as_ref().ok_or("no publisher")?;
        let never = CancellationToken::new();
        let preview = self.runtime.block_on(publisher.preview("a", full, 3, &Silent, &never));
        preview.map_err(|error| format!("{error:?}"))
    }
}

impl Drop for Process {
    /// What the process had begun on other threads ends before another one starts, as it would if it had been killed.
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        if let Some(publisher) = self.publisher.take() {
            self.runtime.block_on(publisher.state().clone().close());
        }
    }
}

/// A publish of everybody, that somebody asked for.
pub(crate) fn request() -> Request {
    Request {
        activation: "a".to_owned(),
        kind: PublishKind::Manual,
        full: false,
        whom: Whom::Everybody,
        override_reason: None,
        receipt: None,
        wait: true,
        unattended: false,
    }
}

/// Unwinds a publish at the very point where it dies.
struct Death;

/// Knows how far a publish has come, and cuts it short.
#[derive(Debug)]
struct Watch {
    cut: Option<Cut>,
    reached: AtomicBool,
    cancel: CancellationToken,
}

impl Progress for Watch {
    fn phase(&self, phase: Phase, _: Option<u64>) {
        match self.cut {
            Some(Cut::Die { phase: at, waits }) if at == phase => {
                if waits == 0 {
                    panic::resume_unwind(Box::new(Death));
                }
                self.reached.store(true, Ordering::SeqCst);
            }
            Some(Cut::Cancel(at)) if at == phase => self.cancel.cancel(),
            _ => {}
        }
    }

    fn advance(&self, _: u64) {}
}

/// A publish that is dropped after it has waited so many times past its phase.
struct Mortal<'a, F> {
    inner: Pin<Box<F>>,
    watch: &'a Watch,
    waits: u32,
}

impl<F: Future> Future for Mortal<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.inner.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => {
                if let Some(Cut::Die { waits, .. }) = self.watch.cut
                    && self.watch.reached.load(Ordering::SeqCst)
                {
                    self.waits += 1;
                    if self.waits >= waits {
                        return Poll::Ready(None);
                    }
                }
                Poll::Pending
            }
        }
    }
}
