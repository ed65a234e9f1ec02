use super::{assert_clean, assert_nothing, assert_visible, deliver, seal, shows_at_write};
use crate::{
    conformance::{Harness, batch, context, rows_of_batch},
    contract::{Account, Batch, Mode, Op, Visibility},
};

/// Staged rows are unseen until commit, at every stage before it. A destination that shows rows as they arrive
/// says so in its capabilities; it shows exactly the batches that were answered, and seal and commit change nothing.
pub async fn nothing_is_visible_before_commit<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let batches = [batch(Op::Add, 0, 300), batch(Op::Add, 300, 300)];
    let context = context(Mode::Full);
    if destination.capabilities().visibility == Visibility::AtCommit {
        let mut publication = destination.begin(&context).await.expect("begin");
        assert_eq!(harness.visible().await, [], "after begin");
        for batch in &batches {
            publication.write(batch.clone()).await.expect("write");
            assert_eq!(harness.visible().await, [], "after write");
        }
        let ticket = publication.seal(Account::default()).await.expect("seal");
        assert_eq!(harness.visible().await, [], "after seal");
        destination.commit(&ticket).await.expect("commit");
    } else {
        let mut publication = destination.begin(&context).await.expect("begin");
        assert_eq!(harness.visible().await, [], "after begin");
        for (index, batch) in batches.iter().enumerate() {
            publication.write(batch.clone()).await.expect("write");
            assert_visible(&harness, &batches[..=index]).await;
        }
        let ticket = publication.seal(Account::default()).await.expect("seal");
        assert_visible(&harness, &batches).await;
        destination.commit(&ticket).await.expect("commit");
    }
    assert_visible(&harness, &batches).await;
    assert_clean(&harness).await;
}

/// What a publish delivered before it died is there once, and the next publish, which sends it again with the rest,
/// leaves it there once. Files have nothing of it before the next publish.
pub async fn a_batch_acknowledged_stays_acknowledged<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let (first, rest) = (batch(Op::Add, 0, 70), batch(Op::Add, 70, 70));
    let died = context(Mode::Incremental);
    let ticket = destination.ticket(&died);
    let mut publication = destination.begin(&died).await.expect("begin");
    assert_eq!(publication.write(first.clone()).await.expect("write"), []);
    drop(publication);
    harness.destination().await.discard(&ticket).await.expect("discard");
    let shown: &[_] = if shows_at_write(&harness).await { std::slice::from_ref(&first) } else { &[] };
    assert_visible(&harness, shown).await;
    let batches = [first, rest];
    deliver(harness.destination().await.as_ref(), &context(Mode::Incremental), &batches).await.expect("deliver");
    assert_visible(&harness, &batches).await;
    assert_clean(&harness).await;
}

/// The ticket of [`Destination::ticket`](crate::contract::Destination::ticket), taken before anything is begun, is enough to discard.
pub async fn discard_after_begin_leaves_nothing<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let context = context(Mode::Full);
    let ticket = destination.ticket(&context);
    drop(destination.begin(&context).await.expect("begin"));
    harness.destination().await.discard(&ticket).await.expect("discard");
    assert_nothing(&harness).await;
}

/// Rows that were written and given up are gone, from another process too. Where they show as they arrive they stay:
/// nothing takes back what was acknowledged.
pub async fn discard_after_write_leaves_nothing<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let mut context = context(Mode::Full);
    context.files.max_rows = 100;
    let ticket = destination.ticket(&context);
    let mut publication = destination.begin(&context).await.expect("begin");
    publication.write(batch(Op::Add, 0, 450)).await.expect("write");
    drop(publication);
    let other = harness.destination().await;
    for _ in 0..2 {
        other.discard(&ticket).await.expect("discard");
        assert_left_by_discard(&harness, &[batch(Op::Add, 0, 450)]).await;
    }
}

/// After a discard: nothing, or, where rows show as they arrive, those that were written.
async fn assert_left_by_discard<H: Harness>(harness: &H, written: &[Batch]) {
    let left = if shows_at_write(harness).await { written } else { &[] };
    assert_visible(harness, left).await;
    assert_clean(harness).await;
}

/// So are those of a sealed publish, by either ticket.
pub async fn discard_after_seal_leaves_nothing<H: Harness>() {
    for by_sealed in [true, false] {
        let harness = H::fresh().await;
        let destination = harness.destination().await;
        let mut context = context(Mode::Full);
        context.files.max_rows = 100;
        let first = destination.ticket(&context);
        let sealed = seal(destination.as_ref(), &context, &[batch(Op::Add, 0, 450)]).await.expect("seal");
        let ticket = if by_sealed { sealed } else { first };
        harness.destination().await.discard(&ticket).await.expect("discard");
        assert_left_by_discard(&harness, &[batch(Op::Add, 0, 450)]).await;
    }
}

/// A crash between storing the ticket and the first request.
pub async fn discard_with_nothing_there_is_a_no_op<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let ticket = destination.ticket(&context(Mode::Incremental));
    assert!(!ticket.sealed, "the first ticket is not sealed");
    destination.discard(&ticket).await.expect("discard");
    destination.discard(&ticket).await.expect("discard again");
    assert_nothing(&harness).await;
}

/// A discard that comes too late changes nothing.
pub async fn discard_never_undoes_a_commit<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let batches = [batch(Op::Add, 0, 50)];
    let context = context(Mode::Full);
    let first = destination.ticket(&context);
    let sealed = seal(destination.as_ref(), &context, &batches).await.expect("seal");
    destination.commit(&sealed).await.expect("commit");
    for ticket in [first, sealed] {
        harness.destination().await.discard(&ticket).await.expect("discard");
        assert_visible(&harness, &batches).await;
        assert_clean(&harness).await;
    }
}

/// Each stage is dropped at its first await, as a cancel would, then discarded. Where rows show as they arrive, some
/// may have arrived, none but those written, and the next publish brings the rest.
pub async fn a_publication_dropped_anywhere_leaves_nothing_once_discarded<H: Harness>() {
    let harness = H::fresh().await;
    let destination = harness.destination().await;
    let mut context = context(Mode::Full);
    context.files.max_rows = 64;
    // The number of polls that a stage gets before it is dropped.
    for polls in 1..=12 {
        context.publish = uuid::Uuid::now_v7();
        let ticket = destination.ticket(&context);
        let work = async {
            let mut publication = destination.begin(&context).await?;
            publication.write(batch(Op::Add, 0, 500)).await?;
            publication.seal(Account::default()).await
        };
        give_up_after(polls, work).await;
        harness.destination().await.discard(&ticket).await.expect("discard");
        if shows_at_write(&harness).await {
            let written = rows_of_batch(&batch(Op::Add, 0, 500));
            assert!(harness.visible().await.iter().all(|row| written.contains(row)), "a row that nobody wrote");
            assert_clean(&harness).await;
        } else {
            assert_nothing(&harness).await;
        }
    }
    context.publish = uuid::Uuid::now_v7();
    let batches = [batch(Op::Add, 0, 500)];
    deliver(harness.destination().await.as_ref(), &context, &batches).await.expect("deliver");
    assert_visible(&harness, &batches).await;
}

/// Polls `work` so many times, then drops it.
async fn give_up_after<T>(polls: usize, work: impl Future<Output = T>) {
    let mut work = Box::pin(work);
    let mut left = polls;
    std::future::poll_fn(|cx| {
        if work.as_mut().poll(cx).is_ready() {
            return std::task::Poll::Ready(());
        }
        left -= 1;
        if left == 0 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
