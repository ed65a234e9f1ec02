use super::{account, assert_clean, assert_visible, deliver, seal, shows_at_write};
use crate::{
    conformance::{Harness, batch, context},
    contract::{Delivered, Mode, Op, Ticket},
};

fn paths(delivered: &Delivered) -> Vec<String> {
    let parts = delivered.files.iter().map(|file| file.path.clone());
    parts.chain(delivered.extras.iter().map(|extra| extra.path.clone())).collect()
}

/// The answer to a commit may be lost; asking again is safe and gives the same.
pub async fn commit_twice_gives_the_same_answer<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let batches = [batch(Op::Add, 0, 120)];
    let mut context = context(Mode::Full);
    context.files.max_rows = 50;
    let ticket = seal(destination.as_ref(), &context, &batches).await.expect("seal");
    let first = destination.commit(&ticket).await.expect("commit");
    let again = destination.commit(&ticket).await.expect("commit again");
    let elsewhere = harness.destination().await.commit(&ticket).await.expect("commit elsewhere");
    assert_eq!(first, again);
    assert_eq!(first, elsewhere);
    assert_visible(&harness, &batches).await;
    assert_clean(&harness).await;
}

/// A ticket that was stored and read again commits what a dead process sealed.
pub async fn commit_from_another_process_delivers<H: Harness>() {
    let harness = H::fresh().await;
    let batches = [batch(Op::Add, 0, 120), batch(Op::Add, 120, 30)];
    let stored = {
        let destination = harness.destination().await;
        let ticket = seal(destination.as_ref(), &context(Mode::Full), &batches).await.expect("seal");
        serde_json::to_string(&ticket).expect("a ticket as JSON")
    };
    let ticket: Ticket = serde_json::from_str(&stored).expect("a ticket");
    let delivered = harness.destination().await.commit(&ticket).await.expect("commit");
    assert_eq!(delivered.files.iter().map(|file| file.rows).sum::<u64>() % 150, 0, "rows in the parts");
    assert_visible(&harness, &batches).await;
    assert_clean(&harness).await;
}

/// The publish id is the idempotency key: begin to commit all over again shows the rows once.
pub async fn a_whole_publication_replayed_shows_its_rows_once<H: Harness>() {
    let harness = H::fresh().await;
    let batches = [batch(Op::Add, 0, 120)];
    let context = context(Mode::Full);
    let first = deliver(harness.destination().await.as_ref(), &context, &batches).await.expect("deliver");
    let again = deliver(harness.destination().await.as_ref(), &context, &batches).await.expect("deliver again");
    assert_eq!(first, again);
    assert_visible(&harness, &batches).await;
    assert_clean(&harness).await;
}

/// Of a batch whose answer was lost nobody knows whether it arrived, so that it comes again: within the publish and by
/// the next one. Adds and removals done twice are done once. Files never get a batch twice: a publish that stopped
/// is discarded, and begins anew.
pub async fn a_batch_replayed_has_no_second_effect<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let (added, removed) = (batch(Op::Add, 0, 60), batch(Op::Remove, 40, 20));
    let once = [added.clone(), removed.clone()];
    if shows_at_write(&harness).await {
        let twice = [added.clone(), added, removed.clone(), removed];
        for _ in 0..2 {
            deliver(destination.as_ref(), &context(Mode::Incremental), &twice).await.expect("deliver");
            assert_visible(&harness, &once).await;
        }
    } else {
        let context = context(Mode::Incremental);
        let ticket = destination.ticket(&context);
        let mut publication = destination.begin(&context).await.expect("begin");
        publication.write(added).await.expect("write");
        drop(publication);
        destination.discard(&ticket).await.expect("discard");
        deliver(destination.as_ref(), &context, &once).await.expect("deliver");
        assert_visible(&harness, &once).await;
    }
    assert_clean(&harness).await;
}

/// Every name follows from the context alone: an attempt given up and the next one use the same names.
pub async fn names_are_equal_across_attempts<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let batches = [batch(Op::Add, 0, 120)];
    let mut context = context(Mode::Full);
    context.files.max_rows = 50;
    let ticket = destination.ticket(&context);
    assert_eq!(ticket, harness.destination().await.ticket(&context), "tickets of one publish");
    let given_up = seal(destination.as_ref(), &context, &batches).await.expect("seal");
    let second = H::fresh().await;
    let elsewhere = second.destination().await;
    let there = deliver(elsewhere.as_ref(), &context, &batches).await.expect("deliver to another target");
    destination.discard(&given_up).await.expect("discard");
    let here = deliver(harness.destination().await.as_ref(), &context, &batches).await.expect("deliver");
    assert_eq!(paths(&here), paths(&there));
}

/// Two publishes interleave on one target, and one that is given up leaves the other alone; what it wrote stays only
/// where rows show as they arrive.
pub async fn two_publications_at_once_do_not_disturb_each_other<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let (mut one, mut two, mut lost) = (context(Mode::Full), context(Mode::Full), context(Mode::Full));
    (one.sequence, two.sequence, lost.sequence) = (1, 2, 3);
    two.activation = "gold_to_other".to_owned();
    let batches = [batch(Op::Add, 0, 90), batch(Op::Add, 90, 90)];
    let mut first = destination.begin(&one).await.expect("begin");
    let mut second = destination.begin(&two).await.expect("begin");
    let mut third = destination.begin(&lost).await.expect("begin");
    let (a, b, c) = tokio::join!(
        first.write(batches[0].clone()),
        second.write(batches[1].clone()),
        third.write(batch(Op::Add, 180, 90))
    );
    for rejected in [a, b, c] {
        assert_eq!(rejected.expect("write"), []);
    }
    let ticket = destination.ticket(&lost);
    drop(third);
    destination.discard(&ticket).await.expect("discard");
    let (first, second) = tokio::join!(first.seal(account(&batches[..1])), second.seal(account(&batches[1..])));
    let (first, second) = (first.expect("seal"), second.expect("seal"));
    let (first, second) = tokio::join!(destination.commit(&first), destination.commit(&second));
    first.expect("commit");
    second.expect("commit");
    let mut left = batches.to_vec();
    left.extend(shows_at_write(&harness).await.then(|| batch(Op::Add, 180, 90)));
    assert_visible(&harness, &left).await;
    assert_clean(&harness).await;
}
