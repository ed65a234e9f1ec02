use std::sync::Arc;

use arrow::array::StringArray;

use super::{account, assert_clean, assert_nothing, assert_visible, assert_visible_as, deliver, shows_at_write};
use crate::{
    conformance::{
        Harness, Poison, Whole, batch, context, encryption, every_type, key, rows_of_batch, rows_of_batch_as_json,
    },
    contract::{Batch, Depth, ErrorKind, Mode, Op, PartState, Visibility},
    files::{Compression, Format},
};

/// Several batches, uneven, over several parts.
pub async fn rows_read_back_equal_rows_delivered<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let batches =
        [batch(Op::Add, 0, 1), batch(Op::Add, 1, 2_048), batch(Op::Add, 2_049, 777), batch(Op::Add, 2_826, 0)];
    let mut context = context(Mode::Full);
    context.files.max_rows = 1_000;
    let delivered = deliver(destination.as_ref(), &context, &batches).await.expect("deliver");
    if destination.capabilities().visibility == Visibility::AtCommit {
        let rows: Vec<u64> = delivered.files.iter().map(|file| file.rows).collect();
        assert_eq!(rows, [1_000, 1_000, 826], "rows of the parts");
    }
    assert_visible(&harness, &batches).await;
    assert_clean(&harness).await;
}

/// Every type that a record may hold, each with a null. What a reader sees is the value as text, or, where records
/// travel as JSON, as a file of NDJSON has it.
pub async fn every_column_type_arrives_with_its_nulls<H: Harness>() {
    let harness = H::fresh().await;
    let rows = every_type();
    let members = Arc::new((0..rows.num_rows()).map(|index| Some(key(index))).collect::<StringArray>());
    let mut context = context(Mode::Full);
    context.schema = rows.schema();
    let batches = [Batch { op: Op::Add, members, rows, changes: None }];
    deliver(harness.destination().await.as_ref(), &context, &batches).await.expect("deliver");
    let rows_of = if harness.reads_json() { rows_of_batch_as_json } else { rows_of_batch };
    assert_visible_as(&harness, &batches, rows_of).await;
}

/// Each format with each of its compressions; a destination without files sees the same publish nine times.
pub async fn every_format_reads_back<H: Harness>() {
    let text = [Compression::None, Compression::Gzip, Compression::Bzip2, Compression::Zstd];
    let parquet = [Compression::None, Compression::Snappy, Compression::Zstd];
    let all = [(Format::Parquet, &parquet[..]), (Format::Csv, &text[..]), (Format::Ndjson, &text[..])];
    for (format, compressions) in all {
        for compression in compressions {
            let harness = H::fresh().await;
            let mut context = context(Mode::Full);
            context.files.format = format;
            context.files.compression = *compression;
            let batches = [batch(Op::Add, 0, 500), batch(Op::Add, 500, 23)];
            deliver(harness.destination().await.as_ref(), &context, &batches).await.expect("deliver");
            assert_visible(&harness, &batches).await;
            assert_clean(&harness).await;
        }
    }
}

/// Encrypted parts come last in their names, and hold nothing that others can read; they are verified by their bytes alone.
/// A target without files has no parts to encrypt.
pub async fn encrypted_parts_are_read_by_their_recipient<H: Harness>() {
    for format in [Format::Parquet, Format::Csv, Format::Ndjson] {
        let harness = H::fresh().await;
        let destination = harness.destination().await;
        let mut context = context(Mode::Full);
        (context.files.format, context.files.compression) = (format, Compression::Zstd);
        context.files.encrypt = Some(encryption());
        context.files.max_rows = 300;
        let batches = [batch(Op::Add, 0, 500), batch(Op::Add, 500, 23)];
        let delivered = deliver(destination.as_ref(), &context, &batches).await.expect("deliver");
        assert_visible(&harness, &batches).await;
        assert_clean(&harness).await;
        let verified = destination.verify(&delivered.files, &delivered.extras, Depth::Whole).await.expect("verify");
        assert!(verified.iter().all(|part| matches!(part.state, PartState::Ok | PartState::Unverifiable)));
        for file in &delivered.files {
            assert!(file.path.ends_with(".pgp"), "{}", file.path);
        }
    }
}

/// An incremental publish says of each row what to do with it, and whom it is about. A target that shows members as
/// they arrive does it: of those who were there before, some have a new record, and some are gone.
pub async fn changes_arrive_with_operation_and_member<H: Harness>() {
    for format in [Format::Parquet, Format::Csv, Format::Ndjson] {
        let harness = H::fresh().await;
        let mut context = context(Mode::Incremental);
        context.files.format = format;
        if format != Format::Parquet {
            context.files.compression = Compression::Gzip;
        }
        let changes = [batch(Op::Add, 0, 40), batch(Op::Update, 40, 30), batch(Op::Remove, 70, 20)];
        let mut batches = Vec::new();
        if shows_at_write(&harness).await {
            // Their records are others' until the update.
            let held = Batch { members: batch(Op::Add, 40, 60).members, ..batch(Op::Add, 1_040, 60) };
            let before = crate::conformance::context(Mode::Incremental);
            let held = std::slice::from_ref(&held);
            deliver(harness.destination().await.as_ref(), &before, held).await.expect("deliver");
            assert_visible(&harness, held).await;
            batches.extend_from_slice(held);
            (context.sequence, context.previous) = (2, Some(1));
        }
        deliver(harness.destination().await.as_ref(), &context, &changes).await.expect("deliver");
        batches.extend(changes);
        assert_visible(&harness, &batches).await;
    }
}

/// Nothing changed: no trace. Nobody qualifies: the target says so.
pub async fn an_empty_publish_says_so_in_full_mode_only<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let delivered = deliver(destination.as_ref(), &context(Mode::Incremental), &[]).await.expect("deliver");
    assert_eq!((delivered.files.len(), delivered.extras.len()), (0, 0), "an empty incremental publish");
    assert_nothing(&harness).await;

    let delivered = deliver(destination.as_ref(), &context(Mode::Full), &[]).await.expect("deliver");
    if destination.capabilities().visibility == Visibility::AtCommit {
        let rows: Vec<u64> = delivered.files.iter().map(|file| file.rows).collect();
        assert_eq!((rows, delivered.extras.len()), (vec![0], 1), "an empty full publish");
    }
    assert_nothing(&harness).await;
}

/// One bad row does not take its neighbours with it. A target that judges no row delivers strange ones as they are.
pub async fn a_poison_row_is_rejected_and_its_neighbours_are_delivered<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let context = context(Mode::Full);
    match harness.poison() {
        Poison::None { why } => {
            assert!(!why.is_empty(), "a harness says why no row is refused");
            let batches = [batch(Op::Add, 0, 22)];
            deliver(destination.as_ref(), &context, &batches).await.expect("deliver");
            assert_visible(&harness, &batches).await;
        }
        Poison::Rows { batch, rejected } => {
            let mut publication = destination.begin(&context).await.expect("begin");
            let answer = publication.write(batch.clone()).await.expect("write");
            assert_eq!(answer.iter().map(|rejection| rejection.row).collect::<Vec<_>>(), rejected);
            assert!(answer.iter().all(|rejection| !rejection.code.is_empty() && !rejection.message.is_empty()));
            let ticket = publication.seal(account(&[])).await.expect("seal");
            destination.commit(&ticket).await.expect("commit");
            let kept: arrow::array::BooleanArray =
                (0..batch.rows.num_rows()).map(|row| Some(!rejected.contains(&row))).collect();
            let good = Batch {
                op: batch.op,
                members: arrow::compute::filter(&batch.members, &kept).expect("filter"),
                rows: arrow::compute::filter_record_batch(&batch.rows, &kept).expect("filter"),
                changes: None,
            };
            assert_visible(&harness, &[good]).await;
        }
    }
}

/// A target that refuses a batch whole says so, by an error that makes the runner try halves, and has nothing of it.
pub async fn a_batch_refused_whole_leaves_nothing_of_it<H: Harness>() {
    let harness = H::fresh().await;
    match harness.refuse_whole(7).await {
        Whole::Never { why } => {
            assert!(!why.is_empty(), "a harness says why no batch is refused whole");
            let batches = [batch(Op::Add, 0, 20)];
            deliver(harness.destination().await.as_ref(), &context(Mode::Full), &batches).await.expect("deliver");
            assert_visible(&harness, &batches).await;
        }
        Whole::Arranged { destination } => {
            assert!(!destination.capabilities().names_rejected_rows, "rows are refused without being named");
            let context = context(Mode::Full);
            let whole = batch(Op::Add, 0, 20);
            let mut publication = destination.begin(&context).await.expect("begin");
            for (from, rows) in [(0, 20), (0, 10), (7, 1)] {
                let answer = publication.write(whole.slice(from, rows)).await;
                let error = answer.expect_err("a batch with a row that is refused");
                assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
                assert_nothing(&harness).await;
            }
            let good = [whole.slice(10, 10), whole.slice(8, 2), whole.slice(0, 7)];
            for batch in &good {
                assert_eq!(publication.write(batch.clone()).await.expect("write"), []);
            }
            let ticket = publication.seal(account(&good)).await.expect("seal");
            destination.commit(&ticket).await.expect("commit");
            assert_visible(&harness, &good).await;
            assert_clean(&harness).await;
        }
    }
}
