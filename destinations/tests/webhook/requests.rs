//! What goes out, what comes back, and what is made of it.

use std::{collections::BTreeMap, time::Duration};

use arrow::buffer::BooleanBuffer;
use herald_destinations::{
    conformance::{batch, captured_log, context, key},
    contract::{Account, Changes, ErrorKind, Mode, Op, Publication, Rejection, Retries, RetryPolicy, Visibility},
};
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, header, header_exists},
};

use super::{
    connected,
    receiver::{Receiver, Refusing},
    spoiled,
};
use crate::support::{proxy::Spoil, tls};

async fn publication(receiver: &Receiver) -> Box<dyn Publication> {
    let destination = connected(receiver.options(), RetryPolicy::ONCE).await;
    destination.begin(&context(Mode::Incremental)).await.unwrap()
}

fn rows(rejections: &[Rejection]) -> Vec<usize> {
    rejections.iter().map(|rejection| rejection.row).collect()
}

/// A server that answers everything alike, and options that lead to it.
async fn answering(answer: ResponseTemplate) -> (MockServer, Value) {
    tls();
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let options =
        json!({ "url": format!("{}/hooks/canary-path?canary=query", server.uri()), "secret": "canary-secret" });
    (server, options)
}

#[tokio::test]
async fn the_runner_is_told_what_a_webhook_can_do() {
    let receiver = Receiver::start().await;
    let mut options = receiver.options();
    options["batch"] = json!(7);
    let capabilities = connected(options, RetryPolicy::ONCE).await.capabilities();
    assert_eq!((capabilities.visibility, capabilities.max_rows), (Visibility::AtWrite, Some(7)));
    assert!(capabilities.change_events && !capabilities.names_rejected_rows);
}

#[tokio::test]
async fn events_say_what_changed_in_both_formats() {
    for (format, content_type) in [("ndjson", "application/x-ndjson"), ("json", "application/json")] {
        let receiver = Receiver::with_format(content_type).await;
        let mut options = receiver.options();
        options["format"] = json!(format);
        let destination = connected(options, RetryPolicy::ONCE).await;
        let mut publication = destination.begin(&context(Mode::Incremental)).await.unwrap();
        let mut added = batch(Op::Add, 0, 2);
        added.changes = Some(Changes::Returning(BooleanBuffer::from(vec![true, false])));
        let mut updated = batch(Op::Update, 2, 1);
        let fields = [false, true, false].map(|changed| BooleanBuffer::from(vec![changed]));
        updated.changes = Some(Changes::Fields(fields.to_vec()));
        let mut removed = batch(Op::Remove, 1, 1);
        removed.changes = Some(Changes::None);
        for batch in [added, updated, removed] {
            assert_eq!(publication.write(batch).await.unwrap(), []);
        }
        let applied = receiver.state(|state| state.applied.clone());
        let told: Vec<_> = applied.iter().map(|header| header["change_type"].as_str().unwrap()).collect();
        assert_eq!(told, ["undelete", "create", "update", "delete"], "{format}");
        assert_eq!(applied[2]["changed_fields"], json!(["email"]));
        assert_eq!(receiver.members(), [key(0), key(2)]);
    }
}

#[tokio::test]
async fn more_rows_than_a_request_may_hold_are_sent_in_several() {
    let receiver = Receiver::start().await;
    let mut options = receiver.options();
    options["batch"] = json!(40);
    let destination = connected(options, RetryPolicy::ONCE).await;
    let context = context(Mode::Incremental);
    let mut publication = destination.begin(&context).await.unwrap();
    publication.write(batch(Op::Add, 0, 100)).await.unwrap();
    publication.write(batch(Op::Add, 100, 5)).await.unwrap();
    let received = receiver.state(|state| state.received.clone());
    let keys: Vec<_> = received.iter().map(|received| received.key.clone()).collect();
    assert_eq!(keys, [0, 1, 2, 3].map(|number| format!("{}-{number}", context.publish)));
    let lines = received.iter().map(|received| received.body.iter().filter(|byte| **byte == b'\n').count());
    assert_eq!(lines.collect::<Vec<_>>(), [40, 40, 20, 5]);
    assert_eq!(receiver.members().len(), 105);
}

#[tokio::test]
async fn a_repeat_keeps_its_key_and_body_and_is_signed_anew() {
    let receiver = Receiver::start().await;
    let options = spoiled(receiver.port(), Spoil::LoseAnswer, 2).await;
    let retries = Retries::from(RetryPolicy::default());
    let destination = connected(options, retries.clone()).await;
    let mut publication = destination.begin(&context(Mode::Incremental)).await.unwrap();
    publication.write(batch(Op::Add, 0, 10)).await.unwrap();
    let received = receiver.state(|state| state.received.clone());
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|each| each.key == received[0].key && each.body == received[0].body));
    assert!(received.iter().all(|each| each.answered == 200 && !each.timestamp.is_empty()));
    assert_eq!(receiver.state(|state| state.applied.len()), 10, "applied once");
    assert_eq!(retries.tally().most_tries(), 3);
    assert_eq!(retries.tally().repeats(), BTreeMap::from([(ErrorKind::Unreachable, 2)]));
}

#[tokio::test]
async fn rows_refused_beside_a_success_are_named_without_their_values() {
    let receiver = Receiver::start().await;
    receiver.refuse(Refusing::Rows(|member| member.ends_with("4\"")));
    let rejected = publication(&receiver).await.write(batch(Op::Add, 0, 20)).await.unwrap();
    assert_eq!(rows(&rejected), [4, 14]);
    assert_eq!((rejected[0].code.as_str(), rejected[0].message.as_str()), ("bad_email", "no such box: …"));
    assert_eq!(receiver.members().len(), 18);
}

#[tokio::test]
async fn codes_are_few_and_no_message_holds_a_value_of_another_event() {
    let receiver = Receiver::start().await;
    receiver.refuse(Refusing::Each);
    let mut publication = publication(&receiver).await;
    let mut rejected = publication.write(batch(Op::Add, 0, 20)).await.unwrap();
    rejected.extend(publication.write(batch(Op::Add, 20, 40)).await.unwrap());
    let mut counts = BTreeMap::<&str, usize>::new();
    for one in &rejected {
        *counts.entry(&one.code).or_default() += 1;
        assert_eq!(one.message, "as …");
    }
    // 20 of the first batch again, 12 more, and 8 past the bound.
    assert_eq!((rejected.len(), counts.len(), counts["rejected"], counts["code_0"]), (60, 33, 8, 2));
}

#[tokio::test]
async fn a_path_that_comes_back_in_an_answer_is_not_kept() {
    let said = "Cannot POST /hooks/canary-path?canary=query (CANARY-PATH)";
    let (_server, options) = answering(ResponseTemplate::new(400).set_body_string(said)).await;
    let destination = connected(options, RetryPolicy::ONCE).await;
    let mut publication = destination.begin(&context(Mode::Incremental)).await.unwrap();
    let error = publication.write(batch(Op::Add, 0, 2)).await.unwrap_err().to_string();
    assert!(error.contains("Cannot POST …") && !error.to_lowercase().contains("canary-path"), "{error}");
}

#[tokio::test]
async fn where_named_rows_stop_a_request_the_rest_is_sent_again_without_them() {
    let receiver = Receiver::start().await;
    receiver.refuse(Refusing::Members(|member| member.ends_with("4\"")));
    let rejected = publication(&receiver).await.write(batch(Op::Add, 0, 20)).await.unwrap();
    assert_eq!(rows(&rejected), [4, 14]);
    assert_eq!(receiver.members().len(), 18);
    let keys: Vec<_> = receiver.state(|state| state.received.iter().map(|each| each.key.clone()).collect());
    assert!(keys.len() == 2 && keys[0] != keys[1], "another content has another key: {keys:?}");

    receiver.refuse(Refusing::Members(|_| true));
    let rejected = publication(&receiver).await.write(batch(Op::Add, 20, 5)).await.unwrap();
    assert_eq!(rows(&rejected), [0, 1, 2, 3, 4]);
    assert_eq!(receiver.members().len(), 18);
}

#[tokio::test]
async fn a_batch_refused_whole_is_said_to_be_without_the_values_of_any_row() {
    let receiver = Receiver::start().await;
    receiver.refuse(Refusing::Whole(|member| member.contains(&key(4))));
    let error = publication(&receiver).await.write(batch(Op::Add, 0, 20)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let shown = error.to_string();
    assert!(shown.contains("422") && shown.contains("is not welcome") && !shown.contains("person4"), "{shown}");
    assert_eq!(receiver.members(), Vec::<String>::new());
}

#[tokio::test]
async fn a_request_that_is_too_large_is_halved_until_it_fits() {
    let receiver = Receiver::start().await;
    receiver.refuse(Refusing::MoreThan(3));
    assert_eq!(publication(&receiver).await.write(batch(Op::Add, 0, 20)).await.unwrap(), []);
    assert_eq!(receiver.members().len(), 20);
    receiver.refuse(Refusing::MoreThan(0));
    let rejected = publication(&receiver).await.write(batch(Op::Add, 20, 3)).await.unwrap();
    assert_eq!(rows(&rejected), [0, 1, 2]);
    assert!(rejected.iter().all(|rejection| rejection.code == "too_large"), "{rejected:?}");
}

#[tokio::test]
async fn an_answer_that_names_what_was_not_sent_leaves_the_batch_uncertain() {
    for body in [json!({ "rejected": [{ "row": 5 }] }), json!({ "rejected": "all" })] {
        let (_server, options) = answering(ResponseTemplate::new(200).set_body_json(body)).await;
        let destination = connected(options, RetryPolicy::ONCE).await;
        let mut publication = destination.begin(&context(Mode::Incremental)).await.unwrap();
        let error = publication.write(batch(Op::Add, 0, 5)).await.unwrap_err();
        // Not a refusal: the runner would take it that nothing arrived.
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert!(error.to_string().contains("does not say what was taken"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_without_a_list_accepts_everything() {
    for answer in [
        ResponseTemplate::new(204),
        ResponseTemplate::new(200).set_body_string("OK"),
        ResponseTemplate::new(202).set_body_json(json!({ "id": 7 })),
    ] {
        let (_server, options) = answering(answer).await;
        let destination = connected(options, RetryPolicy::ONCE).await;
        let mut publication = destination.begin(&context(Mode::Incremental)).await.unwrap();
        assert_eq!(publication.write(batch(Op::Add, 0, 5)).await.unwrap(), []);
        let ticket = publication.seal(Account::default()).await.unwrap();
        assert!(ticket.sealed);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_says_where_to() {
    let (server, options) = answering(
        ResponseTemplate::new(308).insert_header("Location", "https://user:canary@new.example.com/x?canary=token"),
    )
    .await;
    let error = connected(options, RetryPolicy::default()).await.probe().await.unwrap_err();
    let shown = error.to_string();
    assert!(
        shown.contains("308") && shown.contains("to https://new.example.com") && !shown.contains("canary"),
        "{shown}"
    );
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn each_status_is_told_by_what_to_do_about_it() {
    for (status, kind) in [
        (401, ErrorKind::Unauthorized),
        (403, ErrorKind::Unauthorized),
        (404, ErrorKind::Missing),
        (408, ErrorKind::TimedOut),
        (409, ErrorKind::Conflict),
        (410, ErrorKind::Missing),
        (422, ErrorKind::Refused),
        (425, ErrorKind::Unavailable),
        (429, ErrorKind::Throttled),
        (500, ErrorKind::Unavailable),
        (507, ErrorKind::Full),
    ] {
        let (server, options) = answering(ResponseTemplate::new(status).set_body_string("canary-body")).await;
        let destination = connected(options, RetryPolicy::ONCE).await;
        let mut publication = destination.begin(&context(Mode::Incremental)).await.unwrap();
        let error = publication.write(batch(Op::Add, 0, 2)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}: {error}");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert!(!error.to_string().contains("canary-path") && !error.to_string().contains("query"), "{error}");
        assert_eq!(server.received_requests().await.unwrap().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn what_cannot_pass_is_not_repeated() {
    let (server, options) = answering(ResponseTemplate::new(403)).await;
    let destination = connected(options, RetryPolicy::default()).await;
    let mut publication = destination.begin(&context(Mode::Incremental)).await.unwrap();
    publication.write(batch(Op::Add, 0, 2)).await.unwrap_err();
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_endless_answer_is_not_read_on() {
    let (_server, options) = answering(ResponseTemplate::new(200).set_body_bytes(vec![b'x'; 5 << 20])).await;
    let destination = connected(options, RetryPolicy::ONCE).await;
    let mut publication = destination.begin(&context(Mode::Incremental)).await.unwrap();
    let error = publication.write(batch(Op::Add, 0, 2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("longer than 4 MiB"), "{error}");
}

#[tokio::test]
async fn nobody_at_the_address_and_no_answer_in_time_are_told_apart() {
    tls();
    let [port] = crate::support::free_ports();
    let mut options = json!({ "url": format!("http://127.0.0.1:{port}/canary?x=canary"), "secret": "s" });
    let error = connected(options.clone(), RetryPolicy::ONCE).await.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(!error.to_string().contains("canary"), "{error}");

    let (server, slow) = answering(ResponseTemplate::new(200).set_delay(Duration::from_secs(60))).await;
    options["url"] = slow["url"].clone();
    options["timeout"] = json!("1s");
    let error = connected(options, RetryPolicy::ONCE).await.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    drop(server);
}

#[tokio::test]
async fn a_probe_is_an_empty_signed_request_that_says_so() {
    for (format, body) in [("ndjson", ""), ("json", "{\"events\":[]}")] {
        tls();
        let server = MockServer::start().await;
        Mock::given(header("X-Herald-Probe", "true"))
            .and(header_exists("webhook-signature"))
            .and(header_exists("x-herald-signature"))
            .respond_with(ResponseTemplate::new(204))
            .mount(&server)
            .await;
        let options = json!({ "url": server.uri(), "secret": "s", "format": format });
        connected(options, RetryPolicy::ONCE).await.probe().await.unwrap();
        let received = server.received_requests().await.unwrap();
        assert_eq!(received.iter().map(|request| request.body.as_slice()).collect::<Vec<_>>(), [body.as_bytes()]);
    }
    let (_server, options) = answering(ResponseTemplate::new(400).set_body_string("canary-secret is unknown")).await;
    let error = connected(options, RetryPolicy::ONCE).await.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("… is unknown"), "{error}");
}

#[tokio::test]
async fn nothing_of_a_member_is_logged_however_a_receiver_answers() {
    let receiver = Receiver::start().await;
    receiver.refuse(Refusing::Rows(|_| true));
    let destination = connected(receiver.options(), RetryPolicy::ONCE).await;
    let (shown, log) = captured_log(async {
        let mut publication = destination.begin(&context(Mode::Incremental)).await.unwrap();
        let rejected = publication.write(batch(Op::Add, 3, 3)).await.unwrap();
        format!("{publication:?} {rejected:?}")
    })
    .await;
    for value in ["person", "m00000", "canary"] {
        assert!(!shown.contains(value) && !log.contains(value), "{shown}\n{log}");
    }
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed() {
    let (server, mut options) = answering(ResponseTemplate::new(200)).await;
    options.as_object_mut().unwrap().remove("secret");
    connected(options, RetryPolicy::ONCE).await.probe().await.unwrap();
    let received = server.received_requests().await.unwrap();
    let headers = &received[0].headers;
    assert!(headers.contains_key("webhook-id") && headers.contains_key("idempotency-key"));
    assert!(!headers.contains_key("webhook-signature") && !headers.contains_key("x-herald-signature"));
}
