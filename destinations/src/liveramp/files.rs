//! The two sorts of files: where each stands, what it is called, which columns it has.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, new_null_array},
    datatypes::{DataType, Field, Schema},
};

use super::{
    columns::Family,
    config::LiveRampConfig,
    shape::{columns, line},
};
use crate::{
    contract::{Error, ErrorKind, Mode, PublishContext},
    files::{FileOptions, Format},
};

/// What a file does at LiveRamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Adds and updates.
    Audience,
    /// Removals.
    Deletions,
}

/// What stands in each segment column of a deletion file: the value goes.
const REMOVED: &str = "1";

impl LiveRampConfig {
    /// The publish of one sort of files, as the carrier sees it: whole files of plain columns, without `_op`, without
    /// a manifest. `None` where such files can't be.
    pub(super) fn publish(&self, purpose: Purpose, context: &PublishContext) -> Option<PublishContext> {
        let folder = match purpose {
            Purpose::Audience => &self.folder,
            Purpose::Deletions if context.mode == Mode::Incremental => self.deletions.as_ref()?,
            Purpose::Deletions => return None,
        };
        let mut files = FileOptions {
            format: Format::Csv,
            overwrite: false,
            csv: self.csv(),
            manifest: false,
            // Always one file: of several that replace an audience the last would replace the others, and the last of
            // many may have too few rows.
            max_rows: u64::MAX,
            max_size: u64::MAX,
            ..context.files.clone()
        };
        files.path = format!("{folder}/{}", self.name(purpose, context, &files));
        let schema = match purpose {
            Purpose::Audience => Schema::new(columns(self.key(), &context.member_type, &context.schema)),
            Purpose::Deletions => {
                let texts = context.schema.fields().iter().map(|field| Field::new(field.name(), DataType::Utf8, true));
                let texts = Schema::new(texts.collect::<Vec<_>>());
                Schema::new(columns(self.key(), &context.member_type, &texts))
            }
        };
        Some(PublishContext { mode: Mode::Full, schema: Arc::new(schema), files, ..context.clone() })
    }

    /// `{List}_{IDTYPE}_{YYYY-MM-DD}_…_file-part-…`, as LiveRamp suggests, with the publish, so that no two files share
    /// a name. ASCII, without spaces, at most 250 characters: the list's name has at most 100 of them.
    fn name(&self, purpose: Purpose, context: &PublishContext, files: &FileOptions) -> String {
        let contents = context.schema.fields().iter().filter_map(|field| self.region.content(field.name()));
        let family = contents.map(super::columns::Content::family).next().unwrap_or(Family::Known);
        let what = match purpose {
            Purpose::Audience => "",
            Purpose::Deletions => "_DELETE",
        };
        let extension = files.extension().replacen("csv", self.separator.extension(), 1);
        format!("{}_{}{what}_{{date}}_{{publish_id}}_file-part-{{part}}.{extension}", self.audience, family.word())
    }

    /// Rows of a file: for deletion files the key, and in each segment column the mark that its value goes.
    pub(super) fn rows(
        &self,
        purpose: Purpose,
        members: &ArrayRef,
        records: &RecordBatch,
    ) -> Result<RecordBatch, Error> {
        if purpose == Purpose::Audience {
            return line(self.key(), members, records);
        }
        let rows = members.len();
        let mark: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(REMOVED, rows)));
        let nothing = new_null_array(&DataType::Utf8, rows);
        let fields = records.schema();
        let marked = fields.fields().iter().map(|field| {
            let column = if self.region.content(field.name()).is_some() { &nothing } else { &mark };
            (field.name().as_str(), Arc::clone(column), true)
        });
        let marked = RecordBatch::try_from_iter_with_nullable(marked)
            .map_err(|error| Error::new(ErrorKind::Internal, "write a deletion").caused_by(error))?;
        line(self.key(), members, &marked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        conformance::context,
        files::Compression,
        liveramp::{config::tests::settings, options::Separator},
    };

    fn of(header: &str, mode: Mode) -> PublishContext {
        let mut context = context(mode);
        context.publish = uuid::Uuid::nil();
        context.files.compression = Compression::Gzip;
        context.schema = Arc::new(Schema::new(vec![
            Field::new(header, DataType::Utf8, true),
            Field::new("GOLD", DataType::Int64, true),
        ]));
        context
    }

    fn path(settings: &LiveRampConfig, purpose: Purpose, context: &PublishContext) -> Option<String> {
        settings.publish(purpose, context).map(|publish| publish.files.path)
    }

    #[test]
    fn names_say_list_sort_of_identifiers_day_and_publish() {
        let mut settings = settings("us");
        let context = of("EMAIL1", Mode::Incremental);
        assert_eq!(
            path(&settings, Purpose::Audience, &context).as_deref(),
            Some("gold/GOLD_PII_{date}_{publish_id}_file-part-{part}.csv.gz")
        );
        assert_eq!(
            path(&settings, Purpose::Deletions, &context).as_deref(),
            Some("gold-deletions/GOLD_PII_DELETE_{date}_{publish_id}_file-part-{part}.csv.gz")
        );
        settings.separator = Separator::Psv;
        let mut plain = of("IDFA", Mode::Full);
        plain.files.compression = Compression::None;
        assert_eq!(
            path(&settings, Purpose::Audience, &plain).as_deref(),
            Some("gold/GOLD_MAID_{date}_{publish_id}_file-part-{part}.psv")
        );
        assert_eq!(path(&settings, Purpose::Deletions, &plain), None, "a full publish removes nobody");
        settings.deletions = None;
        assert_eq!(path(&settings, Purpose::Deletions, &context), None);
    }

    #[test]
    fn both_sorts_have_the_same_headers() {
        let settings = settings("us");
        let context = of("EMAIL1", Mode::Incremental);
        let headers = |purpose| {
            let publish = settings.publish(purpose, &context).expect("a sort of files");
            publish.schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
        };
        assert_eq!(headers(Purpose::Audience), ["CCID", "EMAIL1", "GOLD"]);
        assert_eq!(headers(Purpose::Audience), headers(Purpose::Deletions));
    }
}
