//! A receiver that takes nothing on trust: signature, keys, headers and the shape of every event.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use wiremock::{
    Mock, MockServer, Request, Respond, ResponseTemplate,
    matchers::{method, path},
};

use crate::support::tls;

pub(super) const SECRET: &str = "canary-secret-9b1c";
pub(super) const TOKEN: &str = "canary-query-token";
pub(super) const TEAM: &str = "canary-team-header";

/// What a receiver does about events that it does not want. It refuses those whose member this holds for.
#[derive(Clone, Copy)]
pub(super) enum Refusing {
    Nobody,
    /// 207 with the rows.
    Rows(fn(&str) -> bool),
    /// 207 with every row, each by a code of its own and with the member of the row after it.
    Each,
    /// 422 with the members, and takes nothing.
    Members(fn(&str) -> bool),
    /// 422 without a word on which, and takes nothing.
    Whole(fn(&str) -> bool),
    /// 413 for bodies with more events than this.
    MoreThan(usize),
    /// 413 for bodies with more events than the first number; once something was taken, the second as status to all.
    AfterFirst(usize, u16),
}

/// One body as it came.
#[derive(Clone)]
pub(super) struct Received {
    pub(super) key: String,
    pub(super) body: Vec<u8>,
    pub(super) timestamp: String,
    pub(super) answered: u16,
}

pub(super) struct State {
    /// Member as JSON text → record.
    pub(super) held: BTreeMap<String, Map<String, Value>>,
    pub(super) received: Vec<Received>,
    /// Headers of every event that was applied.
    pub(super) applied: Vec<Value>,
    pub(super) refusing: Refusing,
    seen: HashMap<String, (Vec<u8>, Reply)>,
    format: &'static str,
}

/// The server, and what it holds.
pub(super) struct Receiver {
    server: MockServer,
    state: Arc<Mutex<State>>,
}

#[derive(Clone)]
struct Reply {
    status: u16,
    body: Option<Value>,
}

struct Strict(Arc<Mutex<State>>);

impl Receiver {
    pub(super) async fn start() -> Self {
        Self::with_format("application/x-ndjson").await
    }

    pub(super) async fn with_format(format: &'static str) -> Self {
        tls();
        let state = State {
            held: BTreeMap::new(),
            received: Vec::new(),
            applied: Vec::new(),
            refusing: Refusing::Nobody,
            seen: HashMap::new(),
            format,
        };
        let state = Arc::new(Mutex::new(state));
        let server = MockServer::start().await;
        let strict = Mock::given(method("POST")).and(path("/hooks/in")).respond_with(Strict(state.clone()));
        strict.mount(&server).await;
        Mock::given(path("/page")).respond_with(ResponseTemplate::new(405)).mount(&server).await;
        Self { server, state }
    }

    pub(super) fn port(&self) -> u16 {
        self.server.address().port()
    }

    /// Options of a target that this receiver is.
    pub(super) fn options(&self) -> Value {
        options(self.port(), "/hooks/in")
    }

    pub(super) fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().unwrap())
    }

    pub(super) fn refuse(&self, refusing: Refusing) {
        self.state(|state| state.refusing = refusing);
    }

    /// Members held, without the quotes of a text.
    pub(super) fn members(&self) -> Vec<String> {
        self.state(|state| state.held.keys().map(|member| member.trim_matches('"').to_owned()).collect())
    }
}

pub(super) fn options(port: u16, path: &str) -> Value {
    json!({
        "url": format!("http://127.0.0.1:{port}{path}?token={TOKEN}"), "secret": SECRET,
        "headers": { "X-Team": TEAM }
    })
}

impl Respond for Strict {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock().unwrap();
        let answer = state.answer(request).unwrap_or_else(|status| Reply { status, body: None });
        let header = |name: &str| request.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let answered = answer.status;
        let (key, timestamp) = (header("idempotency-key"), header("webhook-timestamp"));
        state.received.push(Received { key, body: request.body.clone(), timestamp, answered });
        let template = ResponseTemplate::new(answered);
        match answer.body {
            None => template,
            Some(Value::String(text)) => template.set_body_string(text),
            Some(body) => template.set_body_json(body),
        }
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Result<Reply, u16> {
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).ok_or(400_u16);
        if request.url.query() != Some(&format!("token={TOKEN}")) || header("x-team")? != TEAM {
            return Err(403);
        }
        signed(&header, &request.body)?;
        if header("content-type")? != self.format {
            return Err(415);
        }
        if !header("user-agent")?.starts_with("herald/") {
            return Err(400);
        }
        let key = header("idempotency-key")?.to_owned();
        if let Some((body, answer)) = self.seen.get(&key) {
            return if *body == request.body { Ok(answer.clone()) } else { Err(409) };
        }
        let events = events(self.format, &request.body).ok_or(400_u16)?;
        if header("x-herald-probe").is_ok() {
            return if events.is_empty() { Ok(Reply { status: 204, body: None }) } else { Err(400) };
        }
        if events.is_empty() || !events.iter().all(well_formed) {
            return Err(400);
        }
        let answer = self.take(&events);
        self.seen.insert(key, (request.body.clone(), answer.clone()));
        Ok(answer)
    }

    fn take(&mut self, events: &[Value]) -> Reply {
        let member = |event: &Value| event["header"]["member"].to_string();
        let which = |fits: fn(&str) -> bool| -> Vec<usize> {
            (0..events.len()).filter(|index| fits(&member(&events[*index]))).collect()
        };
        let mut unwanted = Vec::new();
        let answer = match self.refusing {
            Refusing::Nobody => Reply { status: 200, body: None },
            Refusing::Rows(fits) => {
                unwanted = which(fits);
                let said = |index: &usize| {
                    let email = events[*index]["body"]["email"].as_str().unwrap_or_default();
                    json!({ "row": index, "code": "bad_email", "message": format!("no such box: {email}") })
                };
                let rejected: Vec<Value> = unwanted.iter().map(said).collect();
                Reply { status: 207, body: Some(json!({ "rejected": rejected })) }
            }
            Refusing::Each => {
                unwanted = (0..events.len()).collect();
                let said = |index: &usize| {
                    let other = events[(index + 1) % events.len()]["header"]["member"].as_str().unwrap();
                    json!({ "row": index, "code": format!("code_{index}"), "message": format!("as {other}") })
                };
                let rejected: Vec<Value> = unwanted.iter().map(said).collect();
                Reply { status: 207, body: Some(json!({ "rejected": rejected })) }
            }
            Refusing::Members(fits) if !which(fits).is_empty() => {
                let said = |index: &usize| json!({ "member": events[*index]["header"]["member"] });
                let rejected: Vec<Value> = which(fits).iter().map(said).collect();
                return Reply { status: 422, body: Some(json!({ "rejected": rejected })) };
            }
            Refusing::Whole(fits) if !which(fits).is_empty() => {
                let said = format!("{} is not welcome", events[which(fits)[0]]["body"]["email"]);
                return Reply { status: 422, body: Some(Value::String(said)) };
            }
            Refusing::MoreThan(most) if events.len() > most => return Reply { status: 413, body: None },
            Refusing::AfterFirst(_, status) if !self.applied.is_empty() => return Reply { status, body: None },
            Refusing::AfterFirst(most, _) if events.len() > most => return Reply { status: 413, body: None },
            Refusing::Members(_) | Refusing::Whole(_) | Refusing::MoreThan(_) | Refusing::AfterFirst(..) => {
                Reply { status: 200, body: None }
            }
        };
        for (_, event) in events.iter().enumerate().filter(|(index, _)| !unwanted.contains(index)) {
            self.applied.push(event["header"].clone());
            match event["body"].as_object() {
                Some(record) => self.held.insert(member(event), record.clone()),
                None => self.held.remove(&member(event)),
            };
        }
        answer
    }
}

fn signed<'a>(header: &impl Fn(&str) -> Result<&'a str, u16>, body: &[u8]) -> Result<(), u16> {
    let plain = format!("sha256={}", hex(&hmac(SECRET.as_bytes(), body)));
    let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    let content = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let standard = format!("v1,{}", STANDARD.encode(hmac(SECRET.as_bytes(), &content)));
    let fresh = (chrono::Utc::now().timestamp() - timestamp.parse::<i64>().map_err(|_| 400_u16)?).abs() < 300;
    let ours = header("x-herald-signature")? == plain && header("webhook-signature")? == standard;
    if ours && fresh && id == header("idempotency-key")? { Ok(()) } else { Err(401) }
}

/// RFC 2104, by its text.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::digest([block.map(|byte| byte ^ 0x36).as_slice(), message].concat());
    Sha256::digest([block.map(|byte| byte ^ 0x5c).as_slice(), inner.as_slice()].concat()).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn events(format: &str, body: &[u8]) -> Option<Vec<Value>> {
    let body = std::str::from_utf8(body).ok()?;
    if format == "application/json" {
        return serde_json::from_str::<Value>(body).ok()?["events"].as_array().cloned();
    }
    body.lines().map(|line| serde_json::from_str(line).ok()).collect()
}

fn well_formed(event: &Value) -> bool {
    let names = |value: &Value| value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
    let header = &event["header"];
    let expected =
        ["change_type", "member", "changed_fields", "activation", "segment", "publish", "sequence", "commit_time"];
    let fields = names(&event["body"]).unwrap_or_default();
    let changed = header["changed_fields"].as_array();
    let known = changed.is_some_and(|changed| changed.iter().all(|name| fields.iter().any(|field| name == field)));
    let time = header["commit_time"].as_str().map(chrono::DateTime::parse_from_rfc3339);
    let body_fits = match header["change_type"].as_str() {
        Some("create" | "undelete") => changed.is_some_and(|changed| changed.len() == fields.len()),
        Some("update") => event["body"].is_object(),
        Some("delete") => event["body"].is_null(),
        _ => false,
    };
    names(event) == Some(vec!["header".to_owned(), "body".to_owned()])
        && names(header) == Some(expected.map(str::to_owned).to_vec())
        && !header["member"].is_null()
        && header["sequence"].is_u64()
        && known
        && body_fits
        && time.is_some_and(|time| time.is_ok())
}
