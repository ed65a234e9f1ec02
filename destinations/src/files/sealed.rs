use serde::{Deserialize, Serialize};

use super::{
    NewObject, Staged,
    names::{CHECKSUM, beside},
};
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
    /// Whether each part gets a file of its SHA-256.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) checksums: bool,
    /// The empty file that comes last, once sealed, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) marker: Option<NewObject>,
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

    /// The file beside it that `sha256sum -c` takes, and its text.
    fn checksum(&self) -> (NewObject, String) {
        let object = &self.staged.object;
        let path = format!("{}{CHECKSUM}", object.path);
        let text = format!("{}  {}\n", self.sha256, beside(&object.path));
        (NewObject { path, content_type: "text/plain".to_owned(), ..object.clone() }, text)
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

    /// What stands beside the parts, with its text, in the order in which it is written.
    pub(super) fn beside(&self) -> Vec<(NewObject, String)> {
        let checksums = self.parts.iter().filter(|_| self.checksums).map(SealedPart::checksum);
        let manifest = self.manifest.iter().map(|manifest| (manifest.object.clone(), manifest.text.clone()));
        let marker = self.marker.iter().map(|marker| (marker.clone(), String::new()));
        checksums.chain(manifest).chain(marker).collect()
    }

    pub(super) fn delivered(&self) -> Delivered {
        let extra = |(object, text): (NewObject, String)| Extra { path: object.path, bytes: text.len() as u64 };
        Delivered {
            files: self.parts.iter().map(SealedPart::delivered).collect(),
            extras: self.beside().into_iter().map(extra).collect(),
        }
    }
}
