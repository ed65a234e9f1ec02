//! stderr, shared by log lines and a progress bar.

use std::{
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

use indicatif::ProgressBar;
use tracing_subscriber::fmt::MakeWriter;

use crate::withheld;

/// The bar on the terminal, if any. Log lines are written above it.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Keeps a bar on the terminal; dropping it takes the bar off.
#[derive(Debug)]
#[must_use = "the bar goes when this does"]
pub struct Shown(ProgressBar);

/// Shows a progress bar below the log lines, in place of the one before.
pub fn show(bar: ProgressBar) -> Shown {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
    Shown(bar)
}

impl Drop for Shown {
    fn drop(&mut self) {
        *BAR.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.finish_and_clear();
    }
}

/// Writes to stderr with the bar out of the way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stderr;

impl Write for Stderr {
    /// The formatter hands over one whole line at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let shown = String::from_utf8_lossy(line);
        let shown = withheld::without_in_line(&shown);
        let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner);
        match &*bar {
            Some(bar) => bar.suspend(|| io::stderr().lock().write_all(shown.as_bytes())),
            None => io::stderr().lock().write_all(shown.as_bytes()),
        }?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for Stderr {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}
