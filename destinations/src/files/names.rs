use super::{NewObject, template::Template};
use crate::contract::{Error, ErrorKind, PublishContext};

/// The names of one publish. They follow from its context alone.
#[derive(Debug)]
pub(super) struct Names {
    template: Template,
}

impl Names {
    pub(super) fn new(context: &PublishContext) -> Result<Self, Error> {
        let template = Template::parse(&context.files.path).map_err(|message| {
            Error::new(ErrorKind::Internal, "read the path of the files")
                .with("path", &context.files.path)
                .caused_by(message)
        })?;
        Ok(Self { template })
    }

    /// A part, numbered from 0.
    pub(super) fn part(&self, context: &PublishContext, number: usize) -> NewObject {
        NewObject {
            path: self.template.path(context, number),
            publish: context.publish,
            content_type: context.files.content_type().to_owned(),
            replace: context.files.overwrite,
        }
    }

    /// What the paths of the publish's parts begin with.
    pub(super) fn prefix(&self, context: &PublishContext) -> String {
        self.template.prefix(context)
    }

    /// What the paths of all of the activation's publishes begin with.
    pub(super) fn common_prefix(&self, context: &PublishContext) -> String {
        self.template.common_prefix(context)
    }

    /// The manifest: `manifest.json` in a folder that is the publish's own, else with the publish in its name.
    pub(super) fn manifest(&self, context: &PublishContext) -> NewObject {
        let part = self.template.path(context, 0);
        let folder = part.rfind('/').map_or("", |slash| &part[..=slash]);
        let (folder_holds, _) = self.template.placeholders();
        let path = if folder_holds.iter().any(|placeholder| placeholder.is_unique()) {
            format!("{folder}{MANIFEST}")
        } else {
            format!("{folder}{}.{MANIFEST}", context.publish)
        };
        NewObject {
            path,
            publish: context.publish,
            content_type: "application/json".to_owned(),
            replace: context.files.overwrite,
        }
    }
}

const MANIFEST: &str = "manifest.json";

/// Whether a path may be a manifest's.
pub(super) fn is_manifest(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(MANIFEST).is_some_and(|rest| {
        rest.is_empty() || rest.strip_suffix('.').is_some_and(|id| uuid::Uuid::try_parse(id).is_ok())
    })
}

/// `path` as seen from the manifest, which stands beside the parts.
pub(super) fn beside(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A manifest's `path`, as seen from the target's root.
pub(super) fn seen_from_root(manifest: &str, path: &str) -> String {
    let folder = manifest.rfind('/').map_or("", |slash| &manifest[..=slash]);
    format!("{folder}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{conformance::context, contract::Mode};

    fn names(path: &str) -> (String, String, String, String) {
        let mut context = context(Mode::Incremental);
        context.publish = uuid::Uuid::nil();
        context.sequence = 42;
        path.clone_into(&mut context.files.path);
        let names = Names::new(&context).expect("a path");
        (
            names.part(&context, 7).path,
            names.manifest(&context).path,
            names.prefix(&context),
            names.common_prefix(&context),
        )
    }

    const NIL: &str = "00000000-0000-0000-0000-000000000000";

    #[test]
    fn placeholders_follow_from_the_publish() {
        let (part, ..) = names("{yyyy}/{mm}/{dd}/{hh}/{date}/{timestamp}/{segment}/{mode}/{sequence}-{part}.{ext}");
        assert_eq!(part, "2026/11/22/06/2026-11-22/20261122T063015Z/gold_buyers/incremental/42-00007.parquet");
    }

    #[test]
    fn a_manifest_stands_in_the_folder_of_its_publish_or_bears_its_id() {
        let (part, manifest, prefix, common) = names(crate::files::DEFAULT_PATH);
        assert_eq!(part, format!("gold_to_partner/2026-11-22/{NIL}/part-00007.parquet"));
        assert_eq!(manifest, format!("gold_to_partner/2026-11-22/{NIL}/manifest.json"));
        assert_eq!(prefix, format!("gold_to_partner/2026-11-22/{NIL}/part-"));
        assert_eq!(common, "gold_to_partner/");

        let (_, manifest, prefix, common) = names("in/{publish_id}-{part}.{ext}");
        assert_eq!(manifest, format!("in/{NIL}.manifest.json"));
        assert_eq!(prefix, format!("in/{NIL}-"));
        assert_eq!(common, "in/");

        let (part, manifest, prefix, _) = names("customers.csv");
        assert_eq!((part.as_str(), prefix.as_str()), ("customers.csv", "customers.csv"));
        assert_eq!(manifest, format!("{NIL}.manifest.json"));
        assert!(is_manifest(&manifest) && is_manifest("a/manifest.json"));
        assert_eq!(seen_from_root("a/b/manifest.json", beside("a/b/part-0")), "a/b/part-0");
        assert_eq!(seen_from_root("manifest.json", beside("part-0")), "part-0");
        assert!(!is_manifest("a/x.manifest.json") && !is_manifest("manifest.json.gz"));
    }
}
