//! The cases, one function each, named by the sentence that it proves.

mod content;
mod idempotence;
mod secrets;
mod trouble;
mod upkeep;
mod visibility;

pub use content::{
    a_poison_row_is_rejected_and_its_neighbours_are_delivered, an_empty_publish_says_so_in_full_mode_only,
    changes_arrive_with_operation_and_member, every_column_type_arrives_with_its_nulls, every_format_reads_back,
    rows_read_back_equal_rows_delivered,
};
pub use idempotence::{
    a_whole_publication_replayed_shows_its_rows_once, commit_from_another_process_delivers,
    commit_twice_gives_the_same_answer, names_are_equal_across_attempts,
    two_publications_at_once_do_not_disturb_each_other,
};
pub use secrets::no_secret_and_no_address_is_shown;
pub use trouble::{
    a_broken_server_is_survived_or_named, a_cancelled_publish_gives_up, a_cut_connection_is_survived_or_named,
    a_deadline_is_named, a_full_target_is_named, a_missing_target_is_named, a_request_for_a_slower_pace_is_obeyed,
    an_answer_lost_after_it_was_applied_counts_once, something_in_the_way_is_not_replaced, wrong_credentials_are_named,
};
pub use upkeep::{
    a_probe_leaves_nothing, manifests_come_back_by_sequence, remove_takes_back_exactly_what_was_delivered,
    verify_finds_what_is_missing_and_what_differs,
};
pub use visibility::{
    a_publication_dropped_anywhere_leaves_nothing_once_discarded, discard_after_begin_leaves_nothing,
    discard_after_seal_leaves_nothing, discard_after_write_leaves_nothing, discard_never_undoes_a_commit,
    discard_with_nothing_there_is_a_no_op, nothing_is_visible_before_commit,
};

use super::{Harness, Row, rows_of_batch};
use crate::contract::{Account, Batch, Delivered, Destination, Error, PublishContext, Ticket};

/// What the runner would count for these batches.
fn account(batches: &[Batch]) -> Account {
    let mut account = Account::default();
    for batch in batches {
        let rows = batch.rows.num_rows() as u64;
        match batch.op {
            crate::contract::Op::Add => account.added += rows,
            crate::contract::Op::Update => account.updated += rows,
            crate::contract::Op::Remove => account.removed += rows,
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

fn expected(batches: &[Batch]) -> Vec<Row> {
    let mut rows: Vec<Row> = batches.iter().flat_map(rows_of_batch).collect();
    rows.sort();
    rows
}

async fn assert_visible<H: Harness>(harness: &H, batches: &[Batch]) {
    let mut visible = harness.visible().await;
    visible.sort();
    let expected = expected(batches);
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
