//! A batch of which some was taken, or may have been: no error may say that nothing was.

use herald_destinations::{
    conformance::{batch, context, key},
    contract::{ErrorKind, Mode, Op, Publication, RetryPolicy},
};
use serde_json::json;

use super::{
    connected,
    receiver::{Receiver, Refusing},
    spoiled,
};
use crate::support::proxy::Spoil;

async fn publication(receiver: &Receiver) -> Box<dyn Publication> {
    let destination = connected(receiver.options(), RetryPolicy::ONCE).await;
    destination.begin(&context(Mode::Incremental)).await.unwrap()
}

#[tokio::test]
async fn an_error_after_a_part_was_taken_leaves_the_batch_uncertain() {
    for (status, kind) in
        [(401, ErrorKind::Unauthorized), (404, ErrorKind::Missing), (429, ErrorKind::Throttled), (507, ErrorKind::Full)]
    {
        let receiver = Receiver::start().await;
        receiver.refuse(Refusing::AfterFirst(10, status));
        let error = publication(&receiver).await.write(batch(Op::Add, 0, 20)).await.unwrap_err();
        assert_eq!((error.kind(), error.doubtful()), (kind, true), "{error}");
        assert_eq!(receiver.members().len(), 10);

        let error = publication(&receiver).await.write(batch(Op::Add, 20, 5)).await.unwrap_err();
        assert_eq!((error.kind(), error.doubtful()), (kind, false), "nothing of this batch was taken: {error}");
    }
}

#[tokio::test]
async fn events_taken_are_not_sent_again_because_later_ones_of_the_batch_are_refused() {
    let receiver = Receiver::start().await;
    receiver.refuse(Refusing::Whole(|member| member.contains(&key(17)) || member.contains(&key(12))));
    let mut options = receiver.options();
    options["batch"] = json!(10);
    let destination = connected(options, RetryPolicy::ONCE).await;
    let mut publication = destination.begin(&context(Mode::Incremental)).await.unwrap();
    let rejected = publication.write(batch(Op::Add, 0, 30)).await.unwrap();
    assert_eq!(rejected.iter().map(|one| one.row).collect::<Vec<_>>(), [12, 17]);
    for one in &rejected {
        assert_eq!(one.code, "refused");
        assert!(one.message.contains("422") && !one.message.contains("person"), "{}", one.message);
    }
    assert_eq!(receiver.state(|state| state.applied.len()), 28, "each once");
    assert_eq!(receiver.members().len(), 28);
}

#[tokio::test]
async fn a_batch_whose_first_request_is_refused_whole_is_left_to_the_runner() {
    let receiver = Receiver::start().await;
    receiver.refuse(Refusing::Whole(|member| member.contains(&key(3))));
    let mut options = receiver.options();
    options["batch"] = json!(10);
    let destination = connected(options, RetryPolicy::ONCE).await;
    let mut publication = destination.begin(&context(Mode::Incremental)).await.unwrap();
    let error = publication.write(batch(Op::Add, 0, 30)).await.unwrap_err();
    assert_eq!((error.kind(), error.doubtful()), (ErrorKind::Refused, false), "{error}");
    assert_eq!(receiver.members(), Vec::<String>::new());
}

#[tokio::test]
async fn a_refusal_after_a_try_without_an_answer_leaves_the_batch_uncertain() {
    for refusing in [Refusing::Whole(|_| true), Refusing::Members(|_| true), Refusing::MoreThan(3)] {
        let receiver = Receiver::start().await;
        receiver.refuse(refusing);
        let options = spoiled(receiver.port(), Spoil::LoseAnswer, 1).await;
        let destination = connected(options, RetryPolicy::default()).await;
        let mut publication = destination.begin(&context(Mode::Incremental)).await.unwrap();
        let error = publication.write(batch(Op::Add, 10, 5)).await.unwrap_err();
        assert_eq!((error.kind(), error.doubtful()), (ErrorKind::Refused, true), "{error}");
    }
}
