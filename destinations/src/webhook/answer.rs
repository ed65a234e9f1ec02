//! What a receiver answers: which of the events it refused for good.

use std::collections::HashMap;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::Deserialize;
use serde_json::Value;

use super::mask::Mask;
use crate::contract::{Batch, Rejection};

/// The code of a rejection that came without one.
pub(super) const UNNAMED: &str = "rejected";
const SILENT: &str = "the receiver refused it without saying why";

/// One refused event.
#[derive(Deserialize)]
pub(super) struct Refused {
    /// Its place in the request, from 0.
    row: Option<usize>,
    /// Its member, in place of `row`.
    member: Option<Value>,
    code: Option<String>,
    message: Option<String>,
}

/// An answer that does not say which of the events were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unclear {
    #[error("it calls itself JSON and is none")]
    BrokenJson,
    #[error("its `rejected` is no list of rows or members")]
    OddList,
    #[error("its `rejected` names a row or a member that was not sent")]
    UnknownRow,
}

/// The list `rejected` of an answer; `None` where it has none. `json`: whether it calls itself JSON.
pub(super) fn refused(body: &[u8], json: bool) -> Result<Option<Vec<Refused>>, Unclear> {
    match serde_json::from_slice::<Value>(body) {
        Err(_) if json && !body.trim_ascii().is_empty() => Err(Unclear::BrokenJson),
        Err(_) => Ok(None),
        Ok(mut answer) => match answer.get_mut("rejected").map(Value::take) {
            None | Some(Value::Null) => Ok(None),
            Some(list) => serde_json::from_value(list).map(Some).map_err(|_| Unclear::OddList),
        },
    }
}

/// The refused rows of the batch; `sent` are the rows of the request, in its order. Each row once, by its first
/// mention, and without what `secrets` hides or any row of the request holds.
pub(super) fn rejections(
    refused: Vec<Refused>,
    batch: &Batch,
    sent: &[usize],
    secrets: &Mask,
) -> Result<Vec<Rejection>, Unclear> {
    let members =
        if refused.iter().any(|refused| refused.row.is_none()) { places(batch, sent) } else { HashMap::new() };
    let mut mask = secrets.clone();
    // What is said of one may speak of another.
    for row in sent.iter().filter(|_| !refused.is_empty()) {
        mask.hide_row(batch, *row);
    }
    let mut rejections: Vec<Rejection> = Vec::with_capacity(refused.len());
    let mut named = vec![false; sent.len()];
    for refused in refused {
        let place = match (&refused.row, &refused.member) {
            (Some(row), _) => Some(*row).filter(|row| *row < sent.len()).ok_or(Unclear::UnknownRow)?,
            (None, Some(member)) => *members.get(&plain(member)).ok_or(Unclear::UnknownRow)?,
            (None, None) => return Err(Unclear::OddList),
        };
        if std::mem::replace(&mut named[place], true) {
            continue;
        }
        let row = sent[place];
        let message = mask.message(refused.message.as_deref().unwrap_or_default());
        rejections.push(Rejection {
            row,
            code: refused.code.and_then(|code| mask.code(&code)).unwrap_or_else(|| UNNAMED.to_owned()),
            message: if message.is_empty() { SILENT.to_owned() } else { message },
        });
    }
    Ok(rejections)
}

/// Key as text → place in the request.
fn places(batch: &Batch, sent: &[usize]) -> HashMap<String, usize> {
    let Ok(texts) = ArrayFormatter::try_new(batch.members.as_ref(), &FormatOptions::default()) else {
        return HashMap::new();
    };
    sent.iter().enumerate().map(|(place, row)| (texts.value(*row).to_string(), place)).collect()
}

fn plain(member: &Value) -> String {
    match member {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;

    use super::*;
    use crate::{conformance::batch, contract::Op};

    fn secrets() -> Mask {
        let mut secrets = Mask::default();
        secrets.hide("t0ken");
        secrets
    }

    fn read(body: &str, sent: &[usize]) -> Result<Vec<Rejection>, Unclear> {
        let refused = refused(body.as_bytes(), true)?.unwrap_or_default();
        rejections(refused, &batch(Op::Add, 0, 50), sent, &secrets())
    }

    fn rows(body: &str, sent: &[usize]) -> Vec<usize> {
        read(body, sent).unwrap().into_iter().map(|rejection| rejection.row).collect()
    }

    #[test]
    fn rows_count_within_the_request_and_members_by_key() {
        let sent = [10, 20, 30];
        assert_eq!(rows(r#"{"rejected":[{"row":2},{"member":"m000010"},{"row":0}]}"#, &sent), [30, 10]);
    }

    #[test]
    fn a_number_as_a_key_may_be_named_as_text_too() {
        let mut batch = batch(Op::Remove, 0, 2);
        batch.members = Arc::new(Int64Array::from(vec![41, 42]));
        for member in ["42", "\"42\""] {
            let body = format!("{{\"rejected\":[{{\"member\":{member}}}]}}");
            let refused = refused(body.as_bytes(), false).unwrap().unwrap();
            assert_eq!(rejections(refused, &batch, &[0, 1], &secrets()).unwrap()[0].row, 1);
        }
    }

    #[test]
    fn an_answer_without_the_list_accepts_all() {
        for body in
            ["", "  \n", "{}", "{\"ok\":true}", "[]", "\"done\"", "7", "{\"rejected\":null}", "{\"rejected\":[]}"]
        {
            assert_eq!(rows(body, &[0, 1]), Vec::<usize>::new(), "{body}");
        }
        assert!(refused(b"OK", false).unwrap().is_none(), "text that does not call itself JSON");
    }

    #[test]
    fn an_answer_that_names_what_was_not_sent_is_unclear() {
        for (body, why) in [
            ("{\"rejected\":[{\"row\":2}]}", Unclear::UnknownRow),
            ("{\"rejected\":[{\"member\":\"m000002\"}]}", Unclear::UnknownRow),
            ("{\"rejected\":[{\"row\":-1}]}", Unclear::OddList),
            ("{\"rejected\":[{\"row\":\"1\"}]}", Unclear::OddList),
            ("{\"rejected\":[{}]}", Unclear::OddList),
            ("{\"rejected\":[1]}", Unclear::OddList),
            ("{\"rejected\":3}", Unclear::OddList),
            ("{\"rejected\":{\"row\":1}}", Unclear::OddList),
            ("{\"rejected\":[{\"row\":1}", Unclear::BrokenJson),
        ] {
            assert_eq!(read(body, &[0, 1]), Err(why), "{body}");
        }
    }

    #[test]
    fn what_is_said_of_a_row_is_kept_without_its_values() {
        let body = r#"{"rejected":[{"row":0,"code":"bad email","message":"no box Person3@Example.com\nfor m000003"}]}"#;
        let found = read(body, &[3]).unwrap();
        assert_eq!((found[0].code.as_str(), found[0].message.as_str()), ("bad_email", "no box … for …"));
        let found = read(r#"{"rejected":[{"row":0,"message":"not with T0KEN"}]}"#, &[3]).unwrap();
        assert_eq!(found[0].message, "not with …");
        let found = read(r#"{"rejected":[{"row":0,"code":"m000003"}]}"#, &[3]).unwrap();
        assert_eq!((found[0].code.as_str(), found[0].message.as_str()), (UNNAMED, SILENT));
        let body = r#"{"rejected":[{"row":0,"code":"like_m000004","message":"same as person4@example.com"}]}"#;
        let found = read(body, &[3, 4]).unwrap();
        assert_eq!((found[0].code.as_str(), found[0].message.as_str()), (UNNAMED, "same as …"));
    }
}
