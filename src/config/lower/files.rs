//! The `files` block of an activation.

use herald_destinations::{
    contract::Mode,
    files::{Compression, CsvOptions, DATA_CLOUD_PATH, DEFAULT_PATH, FileOptions, Format},
};

use super::{Lowering, together};
use crate::config::{Code, Keep, raw};

impl Lowering<'_> {
    pub(super) fn files(&mut self, at: &str, raw: raw::Files, mode: Option<Mode>) -> (FileOptions, Option<Keep>) {
        let at = format!("{at}.files");
        let format = raw.format.unwrap_or(Format::Parquet);
        let usual = if format == Format::Parquet { Compression::Zstd } else { Compression::Gzip };
        let known = !self.dropped(&format!("{at}.format"), &raw.format);
        if raw.csv.is_some() && known && format != Format::Csv {
            let message = "it goes with `format: csv` alone";
            self.fault_with(&format!("{at}.csv"), Code::Conflict, message, "remove it, or set `format: csv`");
        }
        let csv = csv(raw.csv.unwrap_or_default());
        if raw.layout.is_some() && raw.path.is_some() {
            self.fault_with(&format!("{at}.path"), Code::Conflict, together("path", "layout"), "keep one of the two");
        }
        let usual_path = match raw.layout {
            Some(raw::Layout::DataCloud) => DATA_CLOUD_PATH,
            None => DEFAULT_PATH,
        };
        let encrypt = raw.encrypt.and_then(|encrypt| self.encrypt(&format!("{at}.encrypt"), encrypt));
        let keep = raw.keep.and_then(|keep| self.keep(&format!("{at}.keep"), keep));
        let options = FileOptions {
            format,
            compression: raw.compression.unwrap_or(usual),
            path: raw.path.unwrap_or_else(|| usual_path.to_owned()),
            overwrite: raw.overwrite.unwrap_or(false),
            max_rows: raw.max_rows.unwrap_or(5_000_000),
            max_size: raw.max_size.map_or(512 << 20, |size| size.0),
            csv,
            encrypt,
            checksums: raw.checksums.unwrap_or(false),
            manifest: raw.manifest.unwrap_or(true),
            marker: raw.marker,
        };
        self.combinations(&at, &options, known && !self.dropped(&format!("{at}.compression"), &raw.compression));
        if options.overwrite && mode.is_some_and(|mode| mode != Mode::Full) {
            self.fault_with(
                &format!("{at}.overwrite"),
                Code::Conflict,
                "a file that stands still holds a whole membership, and this activation publishes changes",
                "set `mode: full`, or remove `overwrite`",
            );
        }
        (options, keep)
    }

    /// What the options say together. `compression`: whether it and the format are what the config says.
    fn combinations(&mut self, at: &str, options: &FileOptions, compression: bool) {
        let usual = FileOptions::default();
        let mut options = options.clone();
        // The check tells one fault at a time: what it finds is mended, to see what else there is.
        while let Err(error) = options.check() {
            let told = error.key != "compression" || compression;
            match error.key.as_str() {
                "path" => options.path.clone_from(&usual.path),
                "compression" => options.compression = Compression::Zstd,
                "max_rows" => options.max_rows = usual.max_rows,
                "max_size" => options.max_size = usual.max_size,
                "csv.delimiter" => options.csv.delimiter = usual.csv.delimiter,
                "csv.null" => options.csv.null.clone_from(&usual.csv.null),
                "marker" => options.marker = None,
                _ => return self.fault(&format!("{at}.{}", error.key), Code::InvalidValue, error.message),
            }
            if told {
                self.fault(&format!("{at}.{}", error.key), Code::InvalidValue, error.message);
            }
        }
    }

    fn keep(&mut self, at: &str, raw: raw::Keep) -> Option<Keep> {
        if self.dropped(&format!("{at}.publishes"), &raw.publishes) || self.dropped(&format!("{at}.age"), &raw.age) {
            return None;
        }
        match (raw.publishes, raw.age) {
            (Some(publishes), None) => Some(Keep::Publishes(publishes)),
            (None, Some(age)) => Some(Keep::Age(self.positive(&format!("{at}.age"), age.0))),
            (Some(_), Some(_)) => {
                self.fault(&format!("{at}.age"), Code::Conflict, together("age", "publishes"));
                None
            }
            (None, None) if self.misspelt(at) => None,
            (None, None) => {
                let remedy = "give `publishes: 14` or `age: 30d`";
                self.fault_with(at, Code::MissingKey, "nothing says how long files stay", remedy);
                None
            }
        }
    }
}

fn csv(raw: raw::Csv) -> CsvOptions {
    let usual = CsvOptions::default();
    CsvOptions {
        delimiter: raw.delimiter.and_then(|text| text.chars().next()).unwrap_or(usual.delimiter),
        header: raw.header.unwrap_or(usual.header),
        quote: raw.quote.unwrap_or(usual.quote),
        null: raw.null.unwrap_or(usual.null),
        formula_guard: raw.formula_guard.unwrap_or(usual.formula_guard),
        bom: raw.bom.unwrap_or(usual.bom),
    }
}
