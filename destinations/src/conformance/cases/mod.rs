//! The cases, one function each, named by the sentence that it proves.

mod content;
mod idempotence;
mod secrets;
mod side_files;
mod trouble;
mod upkeep;
mod visibility;

pub use content::{
    a_batch_refused_whole_leaves_nothing_of_it, a_poison_row_is_rejected_and_its_neighbours_are_delivered,
    an_empty_publish_says_so_in_full_mode_only, changes_arrive_with_operation_and_member,
    encrypted_parts_are_read_by_their_recipient, every_column_type_arrives_with_its_nulls, every_format_reads_back,
    rows_read_back_equal_rows_delivered,
};
pub use idempotence::{
    a_batch_replayed_has_no_second_effect, a_whole_publication_replayed_shows_its_rows_once,
    commit_from_another_process_delivers, commit_twice_gives_the_same_answer, names_are_equal_across_attempts,
    two_publications_at_once_do_not_disturb_each_other,
};
pub use secrets::no_secret_and_no_address_is_shown;
pub use side_files::{a_marker_comes_last_and_goes_with_its_publish, checksums_stand_beside_their_parts};
pub use trouble::{
    a_broken_server_is_survived_or_named, a_cancelled_publish_gives_up,
    a_clock_that_is_wrong_is_named_or_does_not_matter, a_cut_connection_is_survived_or_named, a_deadline_is_named,
    a_full_target_is_named, a_missing_target_is_named, a_request_for_a_slower_pace_is_obeyed,
    a_slow_server_is_waited_for, an_answer_lost_after_it_was_applied_counts_once, rights_withdrawn_half_way_are_named,
    something_in_the_way_is_not_replaced, wrong_credentials_are_named,
};
pub use upkeep::{
    a_probe_leaves_nothing, manifests_come_back_by_sequence, remove_takes_back_exactly_what_was_delivered,
    verify_finds_what_is_missing_and_what_differs,
};
pub use visibility::{
    a_batch_acknowledged_stays_acknowledged, a_publication_dropped_anywhere_leaves_nothing_once_discarded,
    discard_after_begin_leaves_nothing, discard_after_seal_leaves_nothing, discard_after_write_leaves_nothing,
    discard_never_undoes_a_commit, discard_with_nothing_there_is_a_no_op, nothing_is_visible_before_commit,
};

use std::collections::BTreeMap;

use super::{Harness, Row, rows_of_batch};
use crate::contract::{Account, Batch, Delivered, Destination, Error, Op, PublishContext, Ticket, Visibility};

/// What the runner would count for these batches.
fn account(batches: &[Batch]) -> Account {
    let mut account = Account::default();
    for batch in batches {
        let rows = batch.rows.num_rows() as u64;
        match batch.op {
            Op::Add => account.added += rows,
            Op::Update => account.updated += rows,
            Op::Remove => account.removed += rows,
        }
    }
    account.resolved = account.added + account.updated;
    account.delivered = account.added + account.updated + account.removed;
    account
}

async fn seal(destination: &dyn Destination, context: &PublishContext, batches: &[Batch]) -> Result<Ticket, Error> {
    let mut publication = destination.begin(context).await?;
    for batch in batches {
        let rejected = publication.write(batch.clone()).await?;
        assert_eq!(rejected, [], "a good row was rejected");
    }
    let ticket = publication.seal(account(batches)).await?;
    assert!(ticket.sealed, "seal gives a sealed ticket");
    assert_eq!(ticket.publish, context.publish, "the ticket names the publish");
    Ok(ticket)
}

async fn deliver(
    destination: &dyn Destination,
    context: &PublishContext,
    batches: &[Batch],
) -> Result<Delivered, Error> {
    let ticket = seal(destination, context, batches).await?;
    destination.commit(&ticket).await
}

/// What a reader sees once these are delivered: of files every row, of a target that shows members as they arrive
/// those that it holds after all of them.
fn expected(visibility: Visibility, batches: &[Batch], rows_of: fn(&Batch) -> Vec<Row>) -> Vec<Row> {
    let mut rows: Vec<Row> = batches.iter().flat_map(rows_of).collect();
    if visibility == Visibility::AtWrite {
        let mut held = BTreeMap::new();
        for row in rows {
            let member = row.member.clone();
            if row.op == Op::Remove.as_str() {
                held.remove(&member);
            } else {
                held.insert(member, Row { op: Op::Add.as_str().to_owned(), ..row });
            }
        }
        rows = held.into_values().collect();
    }
    rows.sort();
    rows
}

async fn shows_at_write<H: Harness>(harness: &H) -> bool {
    harness.destination().await.capabilities().visibility == Visibility::AtWrite
}

async fn assert_visible<H: Harness>(harness: &H, batches: &[Batch]) {
    assert_visible_as(harness, batches, rows_of_batch).await;
}

async fn assert_visible_as<H: Harness>(harness: &H, batches: &[Batch], rows_of: fn(&Batch) -> Vec<Row>) {
    let mut visible = harness.visible().await;
    visible.sort();
    let expected = expected(harness.destination().await.capabilities().visibility, batches, rows_of);
    assert_eq!(visible.len(), expected.len(), "rows at the target");
    for (found, wanted) in visible.iter().zip(&expected) {
        assert_eq!(found, wanted);
    }
}

async fn assert_clean<H: Harness>(harness: &H) {
    assert_eq!(harness.residue().await, Vec::<String>::new(), "residue at the target");
}

async fn assert_nothing<H: Harness>(harness: &H) {
    assert_eq!(harness.visible().await, Vec::<Row>::new(), "rows are visible");
    assert_clean(harness).await;
}
