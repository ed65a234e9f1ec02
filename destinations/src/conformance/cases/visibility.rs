use super::{assert_clean, assert_nothing, assert_visible, deliver, seal};
use crate::{
    conformance::{Harness, batch, context},
    contract::{Account, Mode, Op, Visibility},
};

/// Staged rows are unseen until commit, at every stage before it. A destination that shows rows as they arrive
/// says so in its capabilities; of it, only that commit leaves exactly the rows is asked.
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
        deliver(destination.as_ref(), &context, &batches).await.expect("deliver");
    }
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

/// Rows that were written and given up are gone, from another process too.
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
    other.discard(&ticket).await.expect("discard");
    assert_nothing(&harness).await;
    other.discard(&ticket).await.expect("discard again");
    assert_nothing(&harness).await;
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
        assert_nothing(&harness).await;
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

/// Each stage is dropped at its first await, as a cancel would, then discarded.
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
        assert_nothing(&harness).await;
    }
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
