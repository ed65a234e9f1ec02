use std::{
    io::{Cursor, Read, Write},
    process::{Command, Stdio},
    sync::Arc,
};

use arrow::array::{Int64Array, RecordBatch, StringArray};
use herald_destinations::files::{Compression, Format};

use super::{columns, encode, options};

/// Enough rows for several chunks.
const ROWS: i64 = 70_000;

fn rows() -> RecordBatch {
    columns(vec![
        ("n", Arc::new(Int64Array::from_iter_values(0..ROWS))),
        (
            "text",
            Arc::new(
                (0..ROWS)
                    .map(|row| (row % 5 != 0).then(|| format!("t{}", row * 7_919 % 1_000)))
                    .collect::<StringArray>(),
            ),
        ),
    ])
}

async fn text(format: Format, compression: Compression) -> Vec<u8> {
    encode(&options(format, compression), &[rows().slice(0, 33_333), rows().slice(33_333, ROWS as usize - 33_333)])
        .await
}

#[tokio::test]
async fn chunks_follow_each_other_in_order() {
    let plain = String::from_utf8(text(Format::Csv, Compression::None).await).expect("UTF-8");
    let mut lines = plain.lines();
    assert_eq!(lines.next(), Some("n,text"));
    for (row, line) in lines.enumerate() {
        assert_eq!(line.split(',').next(), Some(row.to_string().as_str()));
    }
    assert_eq!(plain.lines().count() as i64, ROWS + 1);
}

#[tokio::test]
async fn gzip_is_one_member_for_decoders_that_know_no_second() {
    for format in [Format::Csv, Format::Ndjson] {
        let plain = text(format, Compression::None).await;
        let packed = text(format, Compression::Gzip).await;
        let mut rest = Cursor::new(packed.as_slice());
        let mut found = Vec::new();
        flate2::bufread::GzDecoder::new(&mut rest).read_to_end(&mut found).expect("gzip");
        assert_eq!(rest.position() as usize, packed.len(), "bytes after the member");
        assert!(found == plain, "content");
        assert!(packed.len() * 2 < plain.len(), "{} of {}", packed.len(), plain.len());
    }
}

#[tokio::test]
async fn gzip_of_any_number_of_rows_is_read_by_the_command() {
    for count in [0, 1, 16_384, 16_385, 40_000] {
        let packed = encode(&options(Format::Csv, Compression::Gzip), &[rows().slice(0, count)]).await;
        let mut gzip = Command::new("gzip")
            .args(["-d", "-c"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command gzip");
        let mut input = gzip.stdin.take().expect("its input");
        let writer = std::thread::spawn(move || input.write_all(&packed));
        let answer = gzip.wait_with_output().expect("its answer");
        writer.join().expect("the thread").expect("its input");
        assert!(answer.status.success());
        assert_eq!(answer.stdout.iter().filter(|byte| **byte == b'\n').count(), count + 1);
    }
}

#[tokio::test]
async fn gzip_holds_neither_name_nor_time_so_the_same_rows_give_the_same_bytes() {
    let packed = text(Format::Csv, Compression::Gzip).await;
    assert_eq!(packed[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    assert!(packed == text(Format::Csv, Compression::Gzip).await);
}

#[tokio::test]
async fn bzip2_and_zstd_read_back() {
    for format in [Format::Csv, Format::Ndjson] {
        let plain = text(format, Compression::None).await;
        let mut found = Vec::new();
        let packed = text(format, Compression::Bzip2).await;
        bzip2::read::MultiBzDecoder::new(packed.as_slice()).read_to_end(&mut found).expect("bzip2");
        assert!(found == plain, "bzip2");
        assert!(packed.len() * 2 < plain.len());
        let packed = text(format, Compression::Zstd).await;
        assert!(zstd::stream::decode_all(packed.as_slice()).expect("zstd") == plain, "zstd");
        assert!(packed.len() * 2 < plain.len());
    }
}

#[tokio::test]
async fn no_rows_make_a_file_that_every_decoder_takes() {
    let none = rows().slice(0, 0);
    for (format, expected) in [(Format::Csv, &b"n,text\n"[..]), (Format::Ndjson, b"")] {
        let packed = async |compression| encode(&options(format, compression), std::slice::from_ref(&none)).await;
        assert_eq!(packed(Compression::None).await, expected);
        let mut found = Vec::new();
        flate2::read::GzDecoder::new(packed(Compression::Gzip).await.as_slice()).read_to_end(&mut found).expect("gzip");
        assert_eq!(found, expected);
        found.clear();
        bzip2::read::BzDecoder::new(packed(Compression::Bzip2).await.as_slice())
            .read_to_end(&mut found)
            .expect("bzip2");
        assert_eq!(found, expected);
        assert_eq!(zstd::stream::decode_all(packed(Compression::Zstd).await.as_slice()).expect("zstd"), expected);
    }
}
