use serde::Deserialize;
use uuid::Uuid;

use crate::contract::{Error, ErrorKind, Ticket};

/// The kind's name, as in tickets.
const KIND: &str = "liveramp";
/// Format of the ticket's body.
const VERSION: u16 = 1;

/// What a ticket holds: those of the carrier. `None`: no such file.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Body {
    pub(super) audience: Option<Ticket>,
    pub(super) deletions: Option<Ticket>,
}

impl Body {
    pub(super) fn of(ticket: &Ticket) -> Result<Self, Error> {
        let refuse = |why: &'static str| {
            Error::new(ErrorKind::Internal, "read the ticket of a publish")
                .with("publish", ticket.publish)
                .caused_by(why)
        };
        if ticket.kind != KIND {
            return Err(refuse("another kind of target wrote it"));
        }
        if ticket.version != VERSION {
            return Err(refuse("another version of herald wrote it"));
        }
        serde_json::from_value(ticket.body.clone()).map_err(|_| refuse("its body is not what was written"))
    }

    pub(super) fn ticket(&self, publish: Uuid, sealed: bool) -> Ticket {
        // `json!` takes what is made to be written as JSON, as tickets are.
        let body = serde_json::json!({ "audience": self.audience, "deletions": self.deletions });
        Ticket { kind: KIND.to_owned(), version: VERSION, publish, sealed, body }
    }

    /// Removals first: who opted out goes even where the rest has to wait.
    pub(super) fn tickets(&self) -> impl Iterator<Item = &Ticket> {
        self.deletions.iter().chain(&self.audience)
    }
}
