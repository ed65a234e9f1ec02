//! The suite that every destination passes, on the strict receiver; what it can't be made to do, a proxy in front of
//! it does.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use herald_destinations::{
    conformance::{Arranged, Canary, Harness, Outcome, Poison, Row, Trouble, Whole, batch, key},
    contract::{Destination, ErrorKind, Op, RetryPolicy},
    kind,
};
use serde_json::{Value, json};

use super::{
    connected,
    receiver::{Receiver, Refusing, SECRET, TEAM, TOKEN, options},
    spoiled,
};
use crate::support::proxy::Spoil;

struct WebhookHarness(Receiver);

#[async_trait]
impl Harness for WebhookHarness {
    async fn fresh() -> Self {
        Self(Receiver::start().await)
    }

    async fn destination(&self) -> Arc<dyn Destination> {
        connected(self.0.options(), RetryPolicy::default()).await
    }

    async fn visible(&self) -> Vec<Row> {
        let text = |value: &Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        self.0.state(|state| {
            let row = |(member, record): (&String, &serde_json::Map<String, Value>)| Row {
                op: Op::Add.as_str().to_owned(),
                member: text(&serde_json::from_str(member).expect("a key")).expect("a key"),
                fields: record.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            };
            state.held.iter().map(row).collect()
        })
    }

    fn reads_json(&self) -> bool {
        true
    }

    async fn residue(&self) -> Vec<String> {
        // A receiver that was never sent anything that it had to refuse for its form has nothing to clear up.
        self.0.state(|state| {
            let odd = state.received.iter().filter(|received| matches!(received.answered, 400 | 409 | 415));
            odd.map(|received| format!("{} was answered by {}", received.key, received.answered)).collect()
        })
    }

    async fn damage(&self, _: &str) -> bool {
        false
    }

    async fn arrange(&self, trouble: Trouble) -> Arranged {
        let port = self.0.port();
        let usual = RetryPolicy::default();
        let (options, retry, outcome, at_least, means) = match trouble {
            Trouble::WrongCredentials => {
                let mut options = self.0.options();
                options["secret"] = json!("not-the-secret");
                let means = "a secret that the receiver does not know";
                (options, usual, Outcome::Fails(ErrorKind::Unauthorized), 0, means)
            }
            Trouble::MissingTarget => {
                let options = options(port, "/nowhere");
                (options, usual, Outcome::Fails(ErrorKind::Missing), 0, "a path that nobody serves")
            }
            Trouble::FullTarget => {
                let options = spoiled(port, Spoil::Answer(answer("507 Insufficient Storage", "")), u32::MAX).await;
                let means = "every request is answered by 507, by a proxy";
                (options, usual, Outcome::Fails(ErrorKind::Full), 0, means)
            }
            Trouble::Occupied => {
                let means = "a page that takes no POST has the address";
                (options(port, "/page"), usual, Outcome::Fails(ErrorKind::Conflict), 0, means)
            }
            Trouble::Throttled => {
                let slow = Spoil::Answer(answer("429 Too Many Requests", "Retry-After: 1\r\n"));
                let means = "two requests are answered by 429 and a pause of a second";
                (spoiled(port, slow, 2).await, usual, Outcome::Passes, 2, means)
            }
            Trouble::ServerError => {
                let broken = Spoil::Answer(answer("503 Service Unavailable", ""));
                (spoiled(port, broken, 2).await, usual, Outcome::Passes, 0, "two requests are answered by 503")
            }
            Trouble::CutConnection => {
                let means = "the connection is cut while a request is sent, twice";
                (spoiled(port, Spoil::Cut, 2).await, usual, Outcome::Passes, 0, means)
            }
            Trouble::AnswerLost => {
                let means = "a request is taken, its answer lost";
                (spoiled(port, Spoil::LoseAnswer, 1).await, usual, Outcome::Passes, 0, means)
            }
            Trouble::Deadline => {
                let mut options = spoiled(port, Spoil::Hang(Duration::from_secs(60)), 1).await;
                options["timeout"] = json!("1s");
                let outcome = Outcome::PassesOnRepeat(ErrorKind::TimedOut);
                let means = "a request is not answered in time, and the destination may not repeat it";
                (options, RetryPolicy::ONCE, outcome, 1, means)
            }
            Trouble::RightsWithdrawn => {
                let options = spoiled(port, Spoil::Answer(answer("401 Unauthorized", "")), u32::MAX).await;
                let means = "a token that ran out before the first batch: what came before it would stay";
                (options, usual, Outcome::Fails(ErrorKind::Unauthorized), 0, means)
            }
            Trouble::SlowServer => {
                let slow = Spoil::Delay(Duration::from_secs(1));
                (spoiled(port, slow, u32::MAX).await, usual, Outcome::Passes, 1, "every request waits for a second")
            }
            Trouble::WrongClock => {
                let options = spoiled(port, Spoil::Answer(answer("401 Unauthorized", "")), u32::MAX).await;
                let means = "signatures are too old for a receiver whose clock is an hour ahead, says a proxy";
                (options, usual, Outcome::Fails(ErrorKind::Unauthorized), 0, means)
            }
        };
        let destination = connected(options, retry).await;
        Arranged { destination, outcome, at_least: Duration::from_secs(at_least), means }
    }

    fn poison(&self) -> Poison {
        self.0.refuse(Refusing::Rows(|member| member.contains(&key(3)) || member.contains(&key(7))));
        Poison::Rows { batch: batch(Op::Add, 0, 12), rejected: vec![3, 7] }
    }

    async fn refuse_whole(&self, member: usize) -> Whole {
        assert_eq!(member, 7, "a function can't hold a number");
        self.0.refuse(Refusing::Whole(|member| member.contains(&key(7))));
        Whole::Arranged { destination: self.destination().await }
    }

    fn canary(&self) -> Canary {
        let config = kind("webhook").expect("the kind").parse(self.0.options(), ".".as_ref()).expect("options");
        let secrets = [SECRET, TOKEN, TEAM, "not-the-secret"].map(str::to_owned).to_vec();
        Canary { config, secrets }
    }
}

/// An answer of the proxy's own.
fn answer(status: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n{headers}\r\n")
}

herald_destinations::conformance_suite!(conformance, WebhookHarness);
