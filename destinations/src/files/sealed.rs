use serde::{Deserialize, Serialize};

use super::{NewObject, Staged};
use crate::contract::{Delivered, DeliveredFile, Error, ErrorKind, Extra, Ticket};

/// Format of the ticket's body.
pub(super) const TICKET_VERSION: u16 = 1;

/// What a ticket of a file target holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Body {
    /// What the paths of the parts begin with: enough to discard.
    pub(super) prefix: String,
    /// The parts, once sealed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) parts: Vec<SealedPart>,
    /// The manifest, once sealed, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) manifest: Option<SealedManifest>,
}

/// A part that is staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SealedPart {
    pub(super) staged: Staged,
    pub(super) rows: u64,
    pub(super) sha256: String,
}

/// A manifest that waits for its parts to be visible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SealedManifest {
    pub(super) object: NewObject,
    pub(super) text: String,
}

impl SealedPart {
    pub(super) fn delivered(&self) -> DeliveredFile {
        DeliveredFile {
            path: self.staged.object.path.clone(),
            rows: self.rows,
            bytes: self.staged.bytes,
            sha256: self.sha256.clone(),
            checksum: None,
        }
    }
}

impl Body {
    /// Reads a ticket that this kind wrote.
    pub(super) fn of(ticket: &Ticket, kind: &str) -> Result<Self, Error> {
        let refuse = |why: &'static str| {
            Error::new(ErrorKind::Internal, "read the ticket of a publish")
                .with("publish", ticket.publish)
                .caused_by(why)
        };
        if ticket.kind != kind {
            return Err(refuse("another kind of target wrote it"));
        }
        if ticket.version != TICKET_VERSION {
            return Err(refuse("another version of herald wrote it"));
        }
        serde_json::from_value(ticket.body.clone()).map_err(|_| refuse("its body is not what was written"))
    }

    pub(super) fn delivered(&self) -> Delivered {
        let extras = self
            .manifest
            .iter()
            .map(|manifest| Extra { path: manifest.object.path.clone(), bytes: manifest.text.len() as u64 });
        Delivered { files: self.parts.iter().map(SealedPart::delivered).collect(), extras: extras.collect() }
    }
}
