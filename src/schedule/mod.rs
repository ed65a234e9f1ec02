//! When what is published: cadence, lanes, catch-up, retries, and targets that are let alone while they are down.
//!
//! ```text
//! config, history ─▶ cadence ─▶ board ─▶ lanes ─▶ runner
//!                    due times  who next  workers   one publish
//!                                 ▲                     │
//!                                 └────── how it ended ─┘
//! ```
//!
//! The board knows everything and does nothing: it is asked what to start, and told what ended, what was asked for, and what time it
//! is. One task, the [`Service`], owns it.

mod background;
mod board;
mod breaker;
mod cadence;
mod clock;
mod entry;
mod handle;
mod lane;
mod runner;
mod service;

pub use cadence::{Cadence, Due};
pub use clock::{Clock, SystemClock};
pub use handle::{Asked, Scheduler, Trigger};
pub use lane::Lane;
pub use runner::{Ending, Job, Publishing, Runner, Standing};
pub use service::{Load, Service, Settings};
