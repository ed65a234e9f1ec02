//! What each mishap does to a call.

use std::{collections::BTreeMap, time::Duration};

use herald_destinations::{
    conformance::{batch, context},
    contract::{Account, Config, ErrorKind, Mode, Op, Retries, Retry, RetryPolicy},
    reference::{FaultyTarget, MemoryTarget, Mishap, Operation, Script},
};

use super::publish;

#[tokio::test]
async fn a_mishap_is_before_after_or_in_the_middle_of_a_write() {
    for (mishap, arrived) in [
        (Mishap::Before(ErrorKind::Unreachable), 0),
        (Mishap::Cut(ErrorKind::Unreachable), 10),
        (Mishap::After(ErrorKind::Unreachable), 20),
    ] {
        let (target, script) = (MemoryTarget::new("t"), Script::new());
        script.at(Operation::Write, 2, mishap);
        let faulty = FaultyTarget::new(target.clone(), &script);
        let destination = faulty.connect(RetryPolicy::ONCE.into()).await.unwrap();
        let mut publication = destination.begin(&context(Mode::Full)).await.unwrap();
        publication.write(batch(Op::Add, 0, 5)).await.unwrap();
        let error = publication.write(batch(Op::Add, 5, 20)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{mishap:?}");
        assert_eq!(target.records().len(), 5 + arrived, "{mishap:?}");
        publication.write(batch(Op::Add, 5, 20)).await.unwrap();
        assert_eq!(target.records().len(), 25, "{mishap:?}");
    }
}

#[tokio::test]
async fn every_operation_can_fail() {
    let script = Script::new();
    let faulty = FaultyTarget::new(MemoryTarget::new("t"), &script);
    let destination = faulty.connect(RetryPolicy::ONCE.into()).await.unwrap();
    let context = context(Mode::Full);
    let fault = Mishap::Throttled(Duration::from_secs(7));
    for operation in [
        Operation::Probe,
        Operation::Begin,
        Operation::Write,
        Operation::Seal,
        Operation::Commit,
        Operation::Discard,
        Operation::Manifests,
        Operation::Remove,
        Operation::Verify,
    ] {
        script.next(operation, 1, fault);
        let all = async {
            destination.probe().await?;
            destination.manifests(&context).await?;
            publish(destination.as_ref(), &context, &[batch(Op::Add, 0, 5)]).await?;
            destination.discard(&destination.ticket(&context)).await?;
            destination.remove(&[]).await?;
            destination.verify(&[], &[], herald_destinations::contract::Depth::Quick).await
        };
        let error = all.await.unwrap_err();
        assert!(error.to_string().contains(&format!("{operation:?}")), "{operation:?}: {error}");
        assert_eq!(error.retry(), Retry::After(Duration::from_secs(7)));
    }
}

#[tokio::test]
async fn a_write_that_hangs_ends_with_the_publish() {
    let script = Script::new();
    script.next(Operation::Write, 1, Mishap::Hang);
    let faulty = FaultyTarget::new(MemoryTarget::new("t"), &script);
    let destination = faulty.connect(RetryPolicy::ONCE.into()).await.unwrap();
    let context = context(Mode::Full);
    let mut publication = destination.begin(&context).await.unwrap();
    let write = publication.write(batch(Op::Add, 0, 5));
    tokio::pin!(write);
    let early = tokio::time::timeout(Duration::from_millis(20), &mut write).await;
    assert!(early.is_err(), "it hangs");
    context.cancel.cancel();
    assert_eq!(write.await.unwrap_err().kind(), ErrorKind::Cancelled);
}

#[tokio::test]
async fn repeats_of_the_destination_itself_stand_in_the_tally() {
    let (target, script) = (MemoryTarget::new("t"), Script::new());
    script.next(Operation::Write, 1, Mishap::Repeated(2, ErrorKind::Unavailable));
    let retries = Retries::from(RetryPolicy::default());
    let destination = FaultyTarget::new(target.clone(), &script).connect(retries.clone()).await.unwrap();
    let mut publication = destination.begin(&context(Mode::Full)).await.unwrap();
    publication.write(batch(Op::Add, 0, 5)).await.unwrap();
    publication.seal(Account::default()).await.unwrap();
    assert_eq!(target.records().len(), 5);
    assert_eq!(retries.tally().most_tries(), 3);
    assert_eq!(retries.tally().repeats(), BTreeMap::from([(ErrorKind::Unavailable, 2)]));
}
