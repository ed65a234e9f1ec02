//! One publish, from plan to receipt.
//!
//! ```text
//! lock ─▶ settle what a crash left ─▶ resolve ─▶ spool ─▶ delta ─▶ guards ─▶ deliver ─▶ seal ─▶ commit ─▶ acknowledge
//!                                                          └── bucket by bucket ──┘        receipt and snapshot, in
//!                                                                                          one transaction
//! ```

mod adopt;
mod before;
mod chain;
pub mod code;
pub mod crash;
mod dead_letters;
mod decision;
mod definition;
mod delivery;
mod explain;
mod fetch;
mod former;
mod guards;
mod key_file;
mod ledger;
mod observer;
mod outgoing;
mod pending;
mod place;
mod preview;
mod progress;
mod publisher;
mod reasons;
mod receipt;
mod recovery;
mod recreate;
mod removal;
mod rename;
mod retention;
mod run;
mod scratch;
mod send;
mod sender;
mod site;
mod stage;
mod standing;
mod take_back;
mod teardown;
mod trigger;
mod verification;
mod withdrawal;
mod work;

pub use adopt::{Adopted, AdoptedFrom};
pub use dead_letters::DeadLetter;
pub use definition::Vanished;
pub use explain::{Explanation, Outcome, Presence, Step};
pub use guards::{Judgement, judge};
pub use ledger::Ledger;
pub use observer::{Event, Observer, Observers};
pub use preview::Preview;
pub use progress::{Phase, Progress, Silent};
pub use publisher::{PublishError, Publisher, Request, Whom};
pub use receipt::{Failure, PublishKind, Receipt, Status, TakenBack};
pub use verification::Verification;
pub use withdrawal::{Elsewhere, Withdrawal};
