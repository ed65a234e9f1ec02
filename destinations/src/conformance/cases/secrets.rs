use std::{fmt::Write, sync::Arc};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use super::{account, deliver};
use crate::{
    conformance::{Harness, Trouble, captured_log, context, schema},
    contract::{Batch, Mode, Op},
};

const ADDRESS: &str = "canary.address@example.com";
const MEMBER: &str = "canary-member-4711";

/// What a target's owner entrusts and what a member is must be in no `Debug`, `Display`, log or ticket.
pub async fn no_secret_and_no_address_is_shown<H: Harness>() {
    let harness = H::fresh().await;
    let canary = harness.canary();
    let mut shown = format!("{:?} {:#?} {}", canary.config, canary.config, canary.config.identity());

    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![MEMBER])),
        Arc::new(StringArray::from(vec![ADDRESS])),
        Arc::new(Int64Array::from(vec![1])),
    ];
    let rows = RecordBatch::try_new(schema(), columns).expect("columns of the sample");
    let batch = Batch { op: Op::Add, members: Arc::new(StringArray::from(vec![MEMBER])), rows, changes: None };
    let batches = [batch];

    let (healthy, log) = captured_log(async {
        let destination = harness.destination().await;
        let context = context(Mode::Full);
        let mut shown = format!("{destination:?} {:?}", destination.ticket(&context));
        let mut publication = destination.begin(&context).await.expect("begin");
        publication.write(batches[0].clone()).await.expect("write");
        let _ = write!(shown, "{publication:?}");
        let ticket = publication.seal(account(&batches)).await.expect("seal");
        let _ = write!(shown, "{ticket:?} {}", serde_json::to_string(&ticket).expect("a ticket as JSON"));
        let delivered = destination.commit(&ticket).await.expect("commit");
        let _ = write!(shown, "{delivered:?}");
        shown
    })
    .await;
    shown += &healthy;
    shown += &log;

    for trouble in [Trouble::WrongCredentials, Trouble::MissingTarget, Trouble::CutConnection] {
        let harness = H::fresh().await;
        let (errors, log) = captured_log(async {
            let arranged = harness.arrange(trouble).await;
            let mut shown = format!("{arranged:?}");
            if let Err(error) = deliver(arranged.destination.as_ref(), &context(Mode::Full), &batches).await {
                let _ = write!(shown, "{error} {error:?}");
            }
            shown
        })
        .await;
        shown += &errors;
        shown += &log;
    }
    let secrets = canary.secrets.iter().map(String::as_str).chain([ADDRESS, MEMBER, "canary.address"]);
    for secret in secrets {
        assert!(!shown.contains(secret), "a secret or a member's value is shown");
    }
}
