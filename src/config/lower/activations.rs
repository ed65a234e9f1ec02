//! The `activations` map.

use std::collections::BTreeMap;

use herald_destinations::contract::{Mode, RetryPolicy};
use serde_json::{Map, Value as Json};

use super::{Lowering, fitting::Fitting};
use crate::config::{Activation, Code, OnDelete, Refresh, Segment, SendOps, Table, Target, raw};

/// What activations refer to.
type Known<'a> = (&'a BTreeMap<String, Segment>, &'a BTreeMap<String, Table>, &'a BTreeMap<String, Target>);

impl Lowering<'_> {
    pub(super) fn activations(&mut self, entries: Map<String, Json>, known: Known<'_>) -> BTreeMap<String, Activation> {
        let mut renamed = BTreeMap::new();
        self.each("activations", entries, |lowering, at, name, raw: raw::Activation| {
            if let Some(was) = &raw.was {
                lowering.was(&at, &name, was, &mut renamed);
            }
            lowering.activation(at, name, raw, known)
        })
    }

    fn activation(
        &mut self,
        at: String,
        name: String,
        raw: raw::Activation,
        (segments, tables, targets): Known<'_>,
    ) -> Option<Activation> {
        let given = raw.segment.is_some();
        let segment = raw.segment.unwrap_or_default();
        if given {
            self.segment(&format!("{at}.segment"), &segment, segments, true);
        }
        let of = segments.get(segment.split('.').next().unwrap_or_default());
        if let Some(target) = &raw.target {
            let targets = std::mem::take(&mut self.names.targets);
            self.refer(&format!("{at}.target"), "target", target, &targets);
            self.names.targets = targets;
        }
        // Of a mode that does not fit, nothing follows.
        let known = if self.dropped(&format!("{at}.mode"), &raw.mode) {
            None
        } else {
            Some(raw.mode.unwrap_or(Mode::Incremental))
        };
        let mode = known.unwrap_or(Mode::Incremental);
        if raw.identifiers.is_some() {
            let message = "targets that take identifiers are not in this build yet; file targets take `attributes`";
            self.fault_with(&format!("{at}.identifiers"), Code::Conflict, message, "write `attributes` instead");
        } else if raw.attributes.is_none()
            && !["attributes", "identifiers"].iter().any(|key| self.places.has(&format!("{at}.{key}")))
        {
            let remedy = "name the record's fields: `email: email`";
            self.fault_with(&at, Code::MissingKey, "the key `attributes` is missing", remedy);
        }
        let attributes = self.attributes(&at, raw.attributes.unwrap_or_default(), of, tables);
        let require = raw.require.unwrap_or_default();
        self.require(&at, &require, &attributes);
        if raw.rapid.is_some() && mode == Mode::Full {
            self.incremental_only(&format!("{at}.rapid"));
        }
        let kind = raw.target.as_ref().and_then(|target| self.names.without_files.get(target).copied());
        if let Some(kind) = kind.filter(|_| raw.files.is_some()) {
            let message = format!("a target of type {kind} takes records, not files");
            self.fault_with(&format!("{at}.files"), Code::Conflict, message, "remove `files`");
        }
        let target = raw.target.as_ref().and_then(|target| targets.get(target));
        let mut files = raw.files.unwrap_or_default();
        if files.format.is_none() && !self.places.has(&format!("{at}.files.format")) {
            files.format = target.and_then(|target| target.config.format());
        }
        let (files, keep) = self.files(&at, files, known);
        let send = self.send(&at, raw.send, mode);
        if let Some(target) = target.filter(|_| known.is_some()) {
            let resyncs = raw.resync.is_some();
            let activation = Fitting { mode, send, resyncs, attributes: &attributes, files: &files };
            self.fits(&at, target, &activation);
        }
        let retry = RetryPolicy::default();
        Some(Activation {
            was: raw.was,
            paused: raw.paused.unwrap_or(false),
            segment,
            table: of.map(|segment| segment.from.clone()).unwrap_or_default(),
            target: raw.target.unwrap_or_default(),
            attributes,
            filter: raw.filter.map(|text| self.sql(text, format!("{at}.filter"))),
            require,
            mode,
            send,
            refresh: raw.refresh.map_or(Refresh::Manual, |refresh| self.refresh(&at, refresh)),
            rapid: raw.rapid.map(|rapid| self.rapid(&at, rapid)),
            resync: raw.resync.map(|resync| self.positive(&format!("{at}.resync.every"), resync.every.0)),
            freshness: raw.freshness.map(|freshness| self.positive(&format!("{at}.freshness"), freshness.0)),
            guards: self.guards(&at, &raw.guards.unwrap_or_default()),
            on_delete: match raw.on_delete {
                None | Some(raw::OnDelete::Keep) => OnDelete::Keep,
                Some(raw::OnDelete::Purge) => OnDelete::Purge,
            },
            files,
            keep,
            retry: raw.retry.map_or(retry, |raw| RetryPolicy {
                attempts: raw.attempts.unwrap_or(retry.attempts),
                max_elapsed: raw.max_elapsed.map_or(retry.max_elapsed, |elapsed| elapsed.0),
            }),
            name,
        })
    }

    fn send(&mut self, at: &str, ops: Option<Vec<raw::SendOp>>, mode: Mode) -> SendOps {
        let Some(ops) = ops else { return SendOps { add: true, update: true, remove: true } };
        if mode == Mode::Full {
            self.incremental_only(&format!("{at}.send"));
        }
        for (index, op) in ops.iter().enumerate() {
            if ops[..index].contains(op) {
                self.fault(&format!("{at}.send[{index}]"), Code::DuplicateName, "the operation is given twice");
            }
        }
        let has = |op| ops.contains(&op);
        SendOps { add: has(raw::SendOp::Add), update: has(raw::SendOp::Update), remove: has(raw::SendOp::Remove) }
    }

    fn incremental_only(&mut self, at: &str) {
        let remedy = "set `mode: incremental`, or remove the key";
        self.fault_with(at, Code::Conflict, "it goes with `mode: incremental` alone", remedy);
    }

    /// A renamed activation takes over one snapshot, which nobody else may hold or take.
    fn was(&mut self, at: &str, name: &str, was: &str, renamed: &mut BTreeMap<String, String>) {
        let at = format!("{at}.was");
        if let Err(message) = crate::config::shapes::name(was) {
            self.fault(&at, Code::InvalidValue, message);
        } else if was == name {
            self.fault_with(&at, Code::Conflict, "an activation can't be renamed to its own name", "remove `was`");
        } else if self.names.activations.contains(was) {
            let message = format!("the activation `{was}` is still in the config, so its snapshot can't be taken over");
            self.fault_with(&at, Code::Conflict, message, "remove one of the two");
        } else if let Some(other) = renamed.insert(was.to_owned(), name.to_owned()) {
            let message = format!("the activation `{other}` takes over `{was}` already");
            self.fault_with(&at, Code::DuplicateName, message, "let one activation take it over");
        }
    }
}
