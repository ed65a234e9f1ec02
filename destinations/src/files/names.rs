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

    /// What the paths of all of the activation's publishes begin with, also those of manifests that are named otherwise
    /// than parts.
    pub(super) fn common_prefix(&self, context: &PublishContext) -> String {
        let prefix = self.template.common_prefix(context);
        if self.template.has_own_folder() { prefix } else { folder_of(&prefix).to_owned() }
    }

    /// The manifest: `manifest.json` in a folder that is the publish's own, else with the publish in its name.
    pub(super) fn manifest(&self, context: &PublishContext) -> NewObject {
        self.beside_parts(context, MANIFEST, "application/json")
    }

    /// The marker, if there is one; named as the manifest is.
    pub(super) fn marker(&self, context: &PublishContext) -> Option<NewObject> {
        let name = context.files.marker.as_ref()?;
        Some(self.beside_parts(context, name, "application/octet-stream"))
    }

    fn beside_parts(&self, context: &PublishContext, name: &str, content_type: &str) -> NewObject {
        let part = self.template.path(context, 0);
        let folder = folder_of(&part);
        let path = match self.template.has_own_folder() {
            true => format!("{folder}{name}"),
            false => format!("{folder}{}.{name}", context.publish),
        };
        NewObject {
            path,
            publish: context.publish,
            content_type: content_type.to_owned(),
            replace: context.files.overwrite,
        }
    }
}

/// Name of the manifest.
pub(super) const MANIFEST: &str = "manifest.json";
/// What a part's name gets for the name of its checksum.
pub(super) const CHECKSUM: &str = ".sha256";

/// Whether a path may be a manifest's.
pub(super) fn is_manifest(path: &str) -> bool {
    let name = beside(path);
    name == MANIFEST || publish_of_manifest(name).is_some()
}

/// The publish in the name of a manifest that stands where other publishes' do.
pub(super) fn publish_of_manifest(path: &str) -> Option<uuid::Uuid> {
    let id = beside(path).strip_suffix(MANIFEST)?.strip_suffix('.')?;
    uuid::Uuid::try_parse(id).ok()
}

/// The folder of a path with the slash at its end; empty for the target's root.
pub(super) fn folder_of(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..=slash])
}

/// `path` as seen from the manifest, which stands beside the parts.
pub(super) fn beside(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A manifest's `path`, as seen from the target's root.
pub(super) fn seen_from_root(manifest: &str, path: &str) -> String {
    format!("{}{path}", folder_of(manifest))
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
    fn data_cloud_names_segment_activation_and_a_time_with_milliseconds() {
        let mut context = context(Mode::Full);
        context.started_at += chrono::Duration::milliseconds(7);
        context.files.path = crate::files::DATA_CLOUD_PATH.to_owned();
        let names = Names::new(&context).expect("a path");
        let folder = format!("gold_to_partner/2026-11-22/{}", context.publish);
        let part = "gold_buyers_gold_to_partner_2026-11-22-06-30-15-007_00012.parquet";
        assert_eq!(names.part(&context, 12).path, format!("{folder}/{part}"));
        assert_eq!(names.manifest(&context).path, format!("{folder}/manifest.json"));
    }

    #[test]
    fn a_marker_bears_the_publish_where_the_folder_does_not() {
        let mut context = context(Mode::Full);
        assert_eq!(Names::new(&context).expect("a path").marker(&context), None);
        context.files.marker = Some("_SUCCESS".to_owned());
        for (path, folder, name) in [
            ("{publish_id}/{part}", format!("{}/", context.publish), "_SUCCESS".to_owned()),
            ("in/{publish_id}-{part}", "in/".to_owned(), format!("{}._SUCCESS", context.publish)),
            ("customers.csv", String::new(), format!("{}._SUCCESS", context.publish)),
        ] {
            path.clone_into(&mut context.files.path);
            let marker = Names::new(&context).expect("a path").marker(&context).expect("a marker");
            assert_eq!(marker.path, format!("{folder}{name}"));
        }
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

        let (part, manifest, prefix, common) = names("customers.csv");
        assert_eq!((part.as_str(), prefix.as_str(), common.as_str()), ("customers.csv", "customers.csv", ""));
        assert_eq!(names("in/x-{publish_id}-{part}").3, "in/");
        assert_eq!(names("in/x-{publish_id}/{part}").3, "in/x-");
        assert_eq!(manifest, format!("{NIL}.manifest.json"));
        assert!(is_manifest(&manifest) && is_manifest("a/manifest.json"));
        assert_eq!(seen_from_root("a/b/manifest.json", beside("a/b/part-0")), "a/b/part-0");
        assert_eq!(seen_from_root("manifest.json", beside("part-0")), "part-0");
        assert!(!is_manifest("a/x.manifest.json") && !is_manifest("manifest.json.gz"));
    }
}
