//! Whether an activation is one that its target takes.

use herald_destinations::{
    contract::{ActivationFacts, Mode},
    files::FileOptions,
};

use super::Lowering;
use crate::config::{Attribute, Code, SendOps, Target};

/// What of an activation its target may judge.
pub(super) struct Fitting<'a> {
    pub(super) mode: Mode,
    pub(super) send: SendOps,
    pub(super) resyncs: bool,
    pub(super) attributes: &'a [Attribute],
    pub(super) files: &'a FileOptions,
}

impl Lowering<'_> {
    /// Reports what the target finds wrong, at the keys that it names.
    pub(super) fn fits(&mut self, at: &str, target: &Target, activation: &Fitting<'_>) {
        let attributes: Vec<&str> = activation.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
        let given = self.places.keys(&format!("{at}.files"));
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        let facts = ActivationFacts {
            mode: activation.mode,
            removes: activation.send.remove,
            resyncs: activation.resyncs,
            attributes: &attributes,
            files: activation.files,
            files_given: &given,
        };
        for fault in target.config.check(&facts) {
            self.fault(&format!("{at}.{}", fault.key), Code::Conflict, fault.message);
        }
    }
}
