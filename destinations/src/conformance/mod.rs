//! The suite that every destination passes: named cases, run against a private target by a [`Harness`].
//!
//! ```ignore
//! herald_destinations::conformance_suite!(local, LocalHarness);
//! ```
//!
//! stamps one test a case into a module `local`. A case that means nothing to a destination is not left out:
//! its harness arranges what stands in its place and says so ([`Arranged::means`], [`Poison::None`],
//! [`Whole::Never`]). Where the promise of a target that shows members as they arrive is another than that of files,
//! the case asks for that one instead, and its words say which.
//!
//! What is read back is read by others' readers (the `parquet` crate, a plain CSV state machine, `serde_json`),
//! never by the code that wrote it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a suite of tests: a panic is its way to fail")]

mod capture;
pub mod cases;
mod faulty;
mod harness;
mod read;
mod sample;
mod secret;

pub use capture::captured_log;
pub use faulty::{FaultyStore, Step};
pub use harness::{Arranged, Canary, Harness, OCCUPIED, Outcome, Poison, Trouble, Whole};
pub use read::{Row, csv_fields, rows_of_batch, rows_of_batch_as_json, rows_of_objects};
pub use sample::{batch, context, every_type, key, schema};
pub use secret::{decrypted, encryption, public_key};

/// Stamps every case of the suite into a module of tests: `conformance_suite!(name, HarnessType)`.
#[macro_export]
macro_rules! conformance_suite {
    ($name:ident, $harness:ty) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $crate::conformance_suite! { @cases $harness:
                a_probe_leaves_nothing,
                nothing_is_visible_before_commit,
                discard_after_begin_leaves_nothing,
                discard_after_write_leaves_nothing,
                discard_after_seal_leaves_nothing,
                discard_with_nothing_there_is_a_no_op,
                discard_never_undoes_a_commit,
                a_publication_dropped_anywhere_leaves_nothing_once_discarded,
                commit_twice_gives_the_same_answer,
                commit_from_another_process_delivers,
                a_whole_publication_replayed_shows_its_rows_once,
                a_batch_acknowledged_stays_acknowledged,
                a_batch_replayed_has_no_second_effect,
                a_batch_refused_whole_leaves_nothing_of_it,
                a_poison_row_is_rejected_and_its_neighbours_are_delivered,
                wrong_credentials_are_named,
                a_missing_target_is_named,
                a_full_target_is_named,
                something_in_the_way_is_not_replaced,
                a_request_for_a_slower_pace_is_obeyed,
                a_broken_server_is_survived_or_named,
                a_cut_connection_is_survived_or_named,
                an_answer_lost_after_it_was_applied_counts_once,
                a_deadline_is_named,
                rights_withdrawn_half_way_are_named,
                a_slow_server_is_waited_for,
                a_clock_that_is_wrong_is_named_or_does_not_matter,
                a_cancelled_publish_gives_up,
                two_publications_at_once_do_not_disturb_each_other,
                names_are_equal_across_attempts,
                every_column_type_arrives_with_its_nulls,
                every_format_reads_back,
                encrypted_parts_are_read_by_their_recipient,
                checksums_stand_beside_their_parts,
                a_marker_comes_last_and_goes_with_its_publish,
                changes_arrive_with_operation_and_member,
                an_empty_publish_says_so_in_full_mode_only,
                rows_read_back_equal_rows_delivered,
                verify_finds_what_is_missing_and_what_differs,
                remove_takes_back_exactly_what_was_delivered,
                manifests_come_back_by_sequence,
                no_secret_and_no_address_is_shown,
            }
        }
    };
    (@cases $harness:ty: $($case:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::conformance::cases::$case::<$harness>().await;
            }
        )*
    };
}
