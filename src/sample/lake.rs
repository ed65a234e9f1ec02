//! The lake's files.

use std::{fs, path::Path};

use arrow::{array::RecordBatch, error::ArrowError};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};

use super::{FILES, SampleError, tables};

/// Writes every table of a generation; a file that is there is replaced whole.
pub(super) fn write(dir: &Path, generation: u32) -> Result<(), SampleError> {
    for file in &FILES[2..] {
        let batch = match *file {
            "lake/individual.parquet" => tables::individual(generation),
            "lake/email.parquet" => tables::email(generation),
            "lake/phone.parquet" => tables::phone(generation),
            "lake/engagement/2026-08.parquet" => tables::engagement(generation, 0),
            "lake/engagement/2026-09.parquet" => tables::engagement(generation, 1),
            _ => tables::engagement(generation, 2),
        };
        replace(&dir.join(file), batch)?;
    }
    Ok(())
}

/// Writes beside the file, then renames over it, so that a reader sees the old file or the new one.
fn replace(path: &Path, batch: Result<RecordBatch, ArrowError>) -> Result<(), SampleError> {
    let io = |source| SampleError::Io { path: path.to_path_buf(), source };
    let encode = |source: ParquetError| SampleError::Encode { path: path.to_path_buf(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io)?;
    }
    let batch = batch.map_err(|error| encode(error.into()))?;
    let beside = path.with_extension("tmp");
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let file = fs::File::create(&beside).map_err(io)?;
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).map_err(encode)?;
    writer.write(&batch).map_err(encode)?;
    writer.close().map_err(encode)?;
    fs::rename(&beside, path).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Changes;

    fn rows(batch: Result<RecordBatch, ArrowError>) -> usize {
        batch.unwrap().num_rows()
    }

    // These numbers stand in docs/guide.md.
    #[test]
    fn the_lake_has_the_documented_size() {
        assert_eq!(rows(tables::individual(0)), 2_004);
        let events: usize = (0..3).map(|month| rows(tables::engagement(0, month))).sum();
        assert_eq!((rows(tables::email(0)), rows(tables::phone(0)), events), (2_468, 1_608, 8_070));
    }

    #[test]
    fn generations_change_as_documented() {
        let of = |generation| {
            let Changes { added, updated, removed } = Changes::of(generation);
            (added, updated, removed)
        };
        assert_eq!([0, 1, 2, 3].map(of), [(2_000, 0, 0), (40, 61, 20), (40, 79, 26), (40, 87, 17)]);
    }
}
