//! The rules of the `files` block that a schema can't say.

use super::{
    Compression, FileOptions, Format,
    names::{CHECKSUM, MANIFEST},
    template::{Placeholder, Template},
};
use crate::contract::ConfigError;

impl FileOptions {
    /// Format, then compression, then encryption, as at the end of a file's name: `parquet` (which compresses within),
    /// `csv`, `csv.gz`, `ndjson.bz2`, `ndjson.zst.pgp`.
    pub fn extension(&self) -> String {
        let plain = self.plain_extension();
        if self.encrypt.is_some() { format!("{plain}.pgp") } else { plain }
    }

    fn plain_extension(&self) -> String {
        let format = match self.format {
            Format::Parquet => return "parquet".to_owned(),
            Format::Csv => "csv",
            Format::Ndjson => "ndjson",
        };
        let compression = match self.compression {
            Compression::None | Compression::Snappy => return format.to_owned(),
            Compression::Zstd => "zst",
            Compression::Gzip => "gz",
            Compression::Bzip2 => "bz2",
        };
        format!("{format}.{compression}")
    }

    /// The media type of a part.
    pub fn content_type(&self) -> &'static str {
        if self.encrypt.is_some() {
            return "application/pgp-encrypted";
        }
        match (self.format, self.compression) {
            (Format::Parquet, _) => "application/vnd.apache.parquet",
            (_, Compression::Gzip) => "application/gzip",
            (_, Compression::Bzip2) => "application/x-bzip2",
            (_, Compression::Zstd) => "application/zstd",
            (Format::Csv, _) => "text/csv",
            (Format::Ndjson, _) => "application/x-ndjson",
        }
    }

    /// Checks the rules that bind options to each other. That `overwrite` needs full publishes is the
    /// activation's to check.
    ///
    /// # Errors
    /// The first option at fault, as it is called within `files`.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_path().map_err(|message| wrong("path", message))?;
        let text = self.format != Format::Parquet;
        match self.compression {
            Compression::Snappy if text => {
                return Err(wrong("compression", "snappy is for parquet; text takes none, gzip, bzip2 or zstd"));
            }
            Compression::Gzip | Compression::Bzip2 if !text => {
                return Err(wrong("compression", "parquet takes snappy, zstd or none"));
            }
            _ => {}
        }
        if self.max_rows == 0 {
            return Err(wrong("max_rows", "a part holds at least 1 row"));
        }
        if self.max_size == 0 {
            return Err(wrong("max_size", "a part holds at least 1 byte"));
        }
        let delimiter = self.csv.delimiter;
        if matches!(delimiter, '"' | '\n' | '\r' | '\0' | '\u{feff}') {
            return Err(wrong("csv.delimiter", "expected one character other than a quote or a line break"));
        }
        if self.csv.null.contains([delimiter, '"', '\n', '\r']) {
            return Err(wrong(
                "csv.null",
                "it stands without quotes, so it can't hold a quote, line break or delimiter",
            ));
        }
        self.check_side_files()
    }

    /// Files beside the parts must have names of their own.
    fn check_side_files(&self) -> Result<(), ConfigError> {
        let Ok(template) = Template::parse(&self.path) else { return Ok(()) };
        // Elsewhere their names begin with the id of the publish.
        let taken = |name: &str| template.has_own_folder() && template.may_name(name);
        if self.manifest && taken(MANIFEST) {
            return Err(wrong("path", format!("a part could be called `{MANIFEST}`, as the manifest is")));
        }
        let Some(marker) = &self.marker else { return Ok(()) };
        if marker.is_empty() || marker.contains(['/', '\\']) || marker.contains(char::is_control) {
            return Err(wrong("marker", "expected a file's name, such as `_SUCCESS`, that stands beside the parts"));
        }
        if marker.starts_with('.') {
            return Err(wrong("marker", "a name that begins with a dot is hidden; readers would not see it"));
        }
        if marker.ends_with(MANIFEST) || marker.ends_with(CHECKSUM) || taken(marker) {
            return Err(wrong("marker", "a part, its checksum or the manifest could have this name too"));
        }
        Ok(())
    }

    fn check_path(&self) -> Result<(), String> {
        let path = &self.path;
        let template = Template::parse(path)?;
        if path.is_empty() || path.ends_with('/') {
            return Err("it must end with a file's name".to_owned());
        }
        if path.starts_with('/') || path.contains('\\') || path.contains(char::is_control) {
            return Err("it is relative to the target, with `/` between folders".to_owned());
        }
        if path.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return Err("it must not hold empty names, `.` or `..`".to_owned());
        }
        let (folder, name) = template.placeholders();
        if folder.contains(&Placeholder::Part) {
            return Err("`{part}` belongs in the file's name, not in a folder's".to_owned());
        }
        if name.iter().filter(|placeholder| **placeholder == Placeholder::Part).count() > 1 {
            return Err("`{part}` may stand in it once".to_owned());
        }
        if self.overwrite {
            return Ok(());
        }
        if !folder.iter().chain(&name).any(|placeholder| placeholder.is_unique()) {
            return Err(
                "it must hold `{publish_id}`, `{sequence}` or `{timestamp}`, or publishes would share a name; \
                 to replace one file each time, set `overwrite: true`"
                    .to_owned(),
            );
        }
        if !name.contains(&Placeholder::Part) {
            return Err("it must hold `{part}` in the file's name, or parts would share a name".to_owned());
        }
        Ok(())
    }
}

fn wrong(key: &str, message: impl Into<String>) -> ConfigError {
    ConfigError { key: key.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(change: impl FnOnce(&mut FileOptions)) -> Option<String> {
        let mut options = FileOptions::default();
        change(&mut options);
        options.check().err().map(|error| error.key)
    }

    fn path(path: &str) -> Option<String> {
        key(|options| path.clone_into(&mut options.path))
    }

    #[test]
    fn the_defaults_pass() {
        assert_eq!(key(|_| {}), None);
    }

    #[test]
    fn a_path_must_tell_publishes_and_parts_apart() {
        for good in [
            "{sequence}-{part}.{ext}",
            "a/{timestamp}/x{part}.{ext}",
            "{publish_id}_{part}",
            "{yyyy}/{mm}/{dd}/{hh}/{mode}/{segment}/{sequence}/{part}.{ext}",
        ] {
            assert_eq!(path(good), None, "{good}");
        }
        for bad in [
            "",
            "{part}.{ext}",
            "{date}/{part}.{ext}",
            "{publish_id}.{ext}",
            "{part}/{publish_id}.{ext}",
            "{publish_id}/{part}/x.csv",
            "{publish_id}/{part}{part}",
            "/{publish_id}/{part}",
            "../{publish_id}/{part}",
            "a/../{publish_id}/{part}",
            "./{publish_id}/{part}",
            "a//{publish_id}/{part}",
            "{publish_id}/{part}/",
            "{publish_id}\\{part}",
            "{publish_id}/{part}.{extension}",
            "{publish_id}/{part",
            "publish_id}/{part}",
        ] {
            assert_eq!(path(bad).as_deref(), Some("path"), "{bad}");
        }
    }

    #[test]
    fn a_file_that_is_replaced_may_have_any_name_inside_the_target() {
        let replaced = |path: &str| {
            key(|options| {
                options.overwrite = true;
                path.clone_into(&mut options.path);
            })
        };
        assert_eq!(replaced("customers.csv"), None);
        assert_eq!(replaced("{date}/customers.{ext}"), None);
        assert_eq!(replaced("../customers.csv").as_deref(), Some("path"));
        assert_eq!(replaced("").as_deref(), Some("path"));
    }

    #[test]
    fn compressions_fit_their_formats() {
        use Compression::{Bzip2, Gzip, None as Plain, Snappy, Zstd};
        let fits = |format, compression| {
            key(|options| (options.format, options.compression) = (format, compression)).is_none()
        };
        for (format, good, bad) in [
            (Format::Parquet, &[Plain, Snappy, Zstd][..], &[Gzip, Bzip2][..]),
            (Format::Csv, &[Plain, Gzip, Bzip2, Zstd], &[Snappy]),
            (Format::Ndjson, &[Plain, Gzip, Bzip2, Zstd], &[Snappy]),
        ] {
            assert!(good.iter().all(|compression| fits(format, *compression)), "{format:?}");
            assert!(!bad.iter().any(|compression| fits(format, *compression)), "{format:?}");
        }
    }

    #[test]
    fn limits_and_dialect_make_sense() {
        assert_eq!(key(|options| options.max_rows = 0).as_deref(), Some("max_rows"));
        assert_eq!(key(|options| options.max_size = 0).as_deref(), Some("max_size"));
        for delimiter in ['"', '\n', '\r', '\0'] {
            assert_eq!(key(|options| options.csv.delimiter = delimiter).as_deref(), Some("csv.delimiter"));
        }
        for delimiter in ",\t|;:^#/~_¦€".chars() {
            assert_eq!(key(|options| options.csv.delimiter = delimiter), None, "{delimiter}");
        }
        for null in ["a,b", "\"", "a\n"] {
            assert_eq!(key(|options| null.clone_into(&mut options.csv.null)).as_deref(), Some("csv.null"));
        }
        assert_eq!(key(|options| "NULL".clone_into(&mut options.csv.null)), None);
    }

    #[test]
    fn a_marker_has_a_name_that_nothing_else_can_have() {
        let marked = |path: &str, marker: &str| {
            key(|options| {
                path.clone_into(&mut options.path);
                options.marker = Some(marker.to_owned());
            })
        };
        for path in [crate::files::DEFAULT_PATH, crate::files::DATA_CLOUD_PATH, "{sequence}-{part}.{ext}"] {
            for good in ["_SUCCESS", "done", "DONE.txt", "fertig ä"] {
                assert_eq!(marked(path, good), None, "{path} {good}");
            }
            for bad in ["", "a/b", "..", ".done", "a\\b", "a\n", "manifest.json", "x.sha256"] {
                assert_eq!(marked(path, bad).as_deref(), Some("marker"), "{path} {bad:?}");
            }
        }
        assert_eq!(marked("{publish_id}/part-{part}", "part-00000").as_deref(), Some("marker"));
        assert_eq!(marked("{publish_id}/{part}_{date}.csv", "0_1.csv").as_deref(), Some("marker"));
        assert_eq!(marked("{publish_id}/part-{part}", "part-x"), None);
        assert_eq!(marked("{publish_id}/{part}.{ext}", "DONE.txt"), None);
    }

    #[test]
    fn a_part_is_never_called_as_the_manifest_is() {
        let replaced = |path: &str| {
            key(|options| {
                options.overwrite = true;
                path.clone_into(&mut options.path);
            })
        };
        assert_eq!(replaced("{publish_id}/manifest.json").as_deref(), Some("path"));
        assert_eq!(replaced("{publish_id}/{segment}.json").as_deref(), Some("path"));
        // There the manifest's name begins with the publish.
        assert_eq!(replaced("manifest.json"), None);
        assert_eq!(path("{publish_id}/{part}.json"), None);
    }

    #[test]
    fn extensions_name_format_then_compression() {
        let extension = |format, compression| FileOptions { format, compression, ..FileOptions::default() }.extension();
        assert_eq!(extension(Format::Parquet, Compression::Zstd), "parquet");
        assert_eq!(extension(Format::Csv, Compression::None), "csv");
        assert_eq!(extension(Format::Csv, Compression::Gzip), "csv.gz");
        assert_eq!(extension(Format::Ndjson, Compression::Bzip2), "ndjson.bz2");
        assert_eq!(extension(Format::Ndjson, Compression::Zstd), "ndjson.zst");
    }
}
