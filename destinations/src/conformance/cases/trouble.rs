use std::time::Instant;

use super::{assert_clean, assert_nothing, assert_visible, deliver, seal, shows_at_write};
use crate::{
    conformance::{Arranged, Harness, Outcome, Trouble, batch, context},
    contract::{Batch, Destination, Error, ErrorKind, Mode, Op, PublishContext},
};

/// Credentials that don't work are said to be the cause, by probe and publish alike, and are not retried.
pub async fn wrong_credentials_are_named<H: Harness>() {
    let harness = H::fresh().await;
    let arranged = harness.arrange(Trouble::WrongCredentials).await;
    assert_eq!(arranged.outcome, Outcome::Fails(ErrorKind::Unauthorized), "{}", arranged.means);
    let error = arranged.destination.probe().await.expect_err("a probe with wrong credentials");
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    meets(&harness, arranged).await;
}

/// A target that isn't there is said to be missing, by probe and publish alike.
pub async fn a_missing_target_is_named<H: Harness>() {
    let harness = H::fresh().await;
    let arranged = harness.arrange(Trouble::MissingTarget).await;
    assert_eq!(arranged.outcome, Outcome::Fails(ErrorKind::Missing), "{}", arranged.means);
    let error = arranged.destination.probe().await.expect_err("a probe of a missing target");
    assert_eq!(error.kind(), ErrorKind::Missing, "{error}");
    meets(&harness, arranged).await;
}

/// No space left while writing.
pub async fn a_full_target_is_named<H: Harness>() {
    let harness = H::fresh().await;
    let arranged = harness.arrange(Trouble::FullTarget).await;
    meets(&harness, arranged).await;
}

/// What stands where a part must go is left as it is, and the publish fails; nothing else of it is visible.
pub async fn something_in_the_way_is_not_replaced<H: Harness>() {
    let harness = H::fresh().await;
    let arranged = harness.arrange(Trouble::Occupied).await;
    let before = harness.visible().await;
    let Outcome::Fails(kind) = arranged.outcome else { panic!("what is in the way must stop the publish") };
    let mut context = context(Mode::Full);
    context.files.path = "{sequence}/part-{part}.bin".to_owned();
    let ticket = arranged.destination.ticket(&context);
    let error = deliver(arranged.destination.as_ref(), &context, &[batch(Op::Add, 0, 30)])
        .await
        .expect_err("a publish onto what is in the way");
    assert_eq!(error.kind(), kind, "{}: {error}", arranged.means);
    arranged.destination.discard(&ticket).await.expect("discard");
    assert_eq!(harness.visible().await, before, "{}", arranged.means);
    assert_clean(&harness).await;
}

/// 429 with `Retry-After`.
pub async fn a_request_for_a_slower_pace_is_obeyed<H: Harness>() {
    let harness = H::fresh().await;
    let arranged = harness.arrange(Trouble::Throttled).await;
    meets(&harness, arranged).await;
}

/// 5xx.
pub async fn a_broken_server_is_survived_or_named<H: Harness>() {
    let harness = H::fresh().await;
    let arranged = harness.arrange(Trouble::ServerError).await;
    meets(&harness, arranged).await;
}

/// The connection is cut in the middle.
pub async fn a_cut_connection_is_survived_or_named<H: Harness>() {
    let harness = H::fresh().await;
    let arranged = harness.arrange(Trouble::CutConnection).await;
    meets(&harness, arranged).await;
}

/// The commit was applied, its answer lost: rows are there once.
pub async fn an_answer_lost_after_it_was_applied_counts_once<H: Harness>() {
    let harness = H::fresh().await;
    let arranged = harness.arrange(Trouble::AnswerLost).await;
    meets(&harness, arranged).await;
}

/// No answer in time.
pub async fn a_deadline_is_named<H: Harness>() {
    let harness = H::fresh().await;
    let arranged = harness.arrange(Trouble::Deadline).await;
    meets(&harness, arranged).await;
}

/// The right to write ends half-way: nothing of the publish is to be seen.
pub async fn rights_withdrawn_half_way_are_named<H: Harness>() {
    let harness = H::fresh().await;
    let arranged = harness.arrange(Trouble::RightsWithdrawn).await;
    assert_eq!(arranged.outcome, Outcome::Fails(ErrorKind::Unauthorized), "{}", arranged.means);
    meets(&harness, arranged).await;
}

/// Late answers are answers.
pub async fn a_slow_server_is_waited_for<H: Harness>() {
    let harness = H::fresh().await;
    let arranged = harness.arrange(Trouble::SlowServer).await;
    assert_eq!(arranged.outcome, Outcome::Passes, "{}", arranged.means);
    meets(&harness, arranged).await;
}

/// Where requests bear the time, a clock that is wrong is said to be the cause.
pub async fn a_clock_that_is_wrong_is_named_or_does_not_matter<H: Harness>() {
    let harness = H::fresh().await;
    let arranged = harness.arrange(Trouble::WrongClock).await;
    meets(&harness, arranged).await;
}

/// A cancel stops the publish at the next batch, with that as its reason. What was acknowledged before it is there
/// where rows show as they arrive, and nowhere else.
pub async fn a_cancelled_publish_gives_up<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let context = context(Mode::Full);
    let ticket = destination.ticket(&context);
    let mut publication = destination.begin(&context).await.expect("begin");
    publication.write(batch(Op::Add, 0, 100)).await.expect("write");
    context.cancel.cancel();
    let written = publication.write(batch(Op::Add, 100, 100)).await;
    let error = written.expect_err("a batch after the cancel");
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    drop(publication);
    destination.discard(&ticket).await.expect("discard");
    let left: &[_] = if shows_at_write(&harness).await { &[batch(Op::Add, 0, 100)] } else { &[] };
    assert_visible(&harness, left).await;
    assert_clean(&harness).await;
}

/// Publishes into the trouble, holds the outcome against what was arranged, and then publishes in peace.
async fn meets<H: Harness>(harness: &H, arranged: Arranged) {
    let Arranged { destination, outcome, at_least, means } = arranged;
    let batches = [batch(Op::Add, 0, 100), batch(Op::Add, 100, 100)];
    let mut context = context(Mode::Full);
    let started = Instant::now();
    match outcome {
        Outcome::Passes => {
            let answer = deliver(destination.as_ref(), &context, &batches).await;
            answer.unwrap_or_else(|error| panic!("{means}: {error}"));
        }
        Outcome::PassesOnRepeat(kind) => {
            assert!(kind.passes(), "{means}: {kind:?} can't pass");
            let error = repeated(destination.as_ref(), &context, &batches).await;
            let error = error.unwrap_or_else(|| panic!("{means}: no stage failed"));
            assert_eq!(error.kind(), kind, "{means}: {error}");
        }
        Outcome::Fails(kind) => {
            let ticket = destination.ticket(&context);
            let error = deliver(destination.as_ref(), &context, &batches).await.expect_err(means);
            assert_eq!(error.kind(), kind, "{means}: {error}");
            let healthy = harness.destination().await;
            healthy.discard(&ticket).await.expect("discard");
            assert_nothing(harness).await;
            context.publish = uuid::Uuid::now_v7();
            deliver(healthy.as_ref(), &context, &batches).await.expect("a publish in peace");
        }
    }
    assert!(started.elapsed() >= at_least, "{means}: over after {:?}, not before {at_least:?}", started.elapsed());
    assert_visible(harness, &batches).await;
    assert_clean(harness).await;
}

/// Does what the runner does on an error that passes: a commit is repeated, anything before it begins anew.
/// Returns the error.
async fn repeated(destination: &dyn Destination, context: &PublishContext, batches: &[Batch]) -> Option<Error> {
    let mut met = None;
    let ticket = match seal(destination, context, batches).await {
        Ok(ticket) => ticket,
        Err(error) => {
            met = Some(error);
            destination.discard(&destination.ticket(context)).await.expect("discard");
            seal(destination, context, batches).await.expect("seal on repeat")
        }
    };
    if let Err(error) = destination.commit(&ticket).await {
        assert!(met.is_none(), "two stages failed");
        met = Some(error);
        destination.commit(&ticket).await.expect("commit on repeat");
    }
    met
}
