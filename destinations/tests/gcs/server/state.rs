//! Buckets, objects, uploads, and what the server does otherwise than usual.

use std::collections::{BTreeMap, HashMap, VecDeque};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{BUCKET, auth::Rights, refusal::Refusal};

#[derive(Debug)]
pub(crate) struct State {
    buckets: HashMap<String, BTreeMap<String, Stored>>,
    pub(super) sessions: HashMap<String, Session>,
    /// Rewrites under way, by token: what they copy, and how much of it.
    pub(super) rewrites: HashMap<String, (String, u64)>,
    pub(super) tokens: HashMap<String, Rights>,
    pub(super) knobs: Knobs,
    last: u64,
}

/// What the server does otherwise than usual.
#[derive(Debug)]
pub(crate) struct Knobs {
    /// Most objects in a page of a list.
    pub(crate) page: usize,
    /// Of the next chunks, so many bytes are kept.
    pub(crate) keeps: VecDeque<usize>,
    /// Bytes that a rewrite copies in one step.
    pub(crate) step: u64,
    /// How many of the next uploads lose a bit on the way.
    pub(crate) damages: u32,
    /// Whether the server overlooks checksums that come with an upload.
    pub(crate) blind: bool,
    /// Whether an upload is forgotten once it has ended.
    pub(crate) forgets: bool,
    /// What the server calls itself in an upload's address.
    pub(crate) called: Option<String>,
}

/// An object.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) bytes: Bytes,
    pub(crate) generation: u64,
    pub(crate) content_type: String,
    pub(crate) metadata: Map<String, Value>,
}

/// An upload that was begun.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) bucket: String,
    pub(super) name: String,
    pub(super) query: HashMap<String, String>,
    pub(super) resource: Value,
    pub(super) held: Vec<u8>,
    /// The answer, once it has ended.
    pub(super) ended: Option<Value>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            buckets: HashMap::from([(BUCKET.to_owned(), BTreeMap::new())]),
            sessions: HashMap::new(),
            rewrites: HashMap::new(),
            tokens: HashMap::new(),
            knobs: Knobs {
                page: 1000,
                keeps: VecDeque::new(),
                step: u64::MAX,
                damages: 0,
                blind: false,
                forgets: false,
                called: None,
            },
            last: 1_795_000_000_000_000,
        }
    }

    /// A number that was never given before: generations, addresses, tokens.
    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn bucket(&self, bucket: &str) -> Result<&BTreeMap<String, Stored>, Refusal> {
        self.buckets.get(bucket).ok_or_else(Refusal::no_bucket)
    }

    pub(super) fn object(&self, bucket: &str, name: &str) -> Result<&Stored, Refusal> {
        self.bucket(bucket)?.get(name).ok_or_else(|| Refusal::no_object(bucket, name))
    }

    pub(super) fn remove(&mut self, bucket: &str, name: &str) {
        self.buckets.get_mut(bucket).expect("a bucket").remove(name);
    }

    /// Puts an object in place, as a new generation; its resource.
    pub(super) fn store(&mut self, bucket: &str, name: &str, object: Stored) -> Value {
        let stored = Stored { generation: self.next(), ..object };
        let resource = stored.resource(bucket, name);
        self.buckets.get_mut(bucket).expect("a bucket").insert(name.to_owned(), stored);
        resource
    }

    /// The preconditions on what stands at a name; `prefix` is empty, or `Source` for where a copy comes from.
    pub(super) fn check(
        &self,
        bucket: &str,
        name: &str,
        query: &HashMap<String, String>,
        prefix: &str,
    ) -> Result<(), Refusal> {
        let Some(wanted) = query.get(&format!("if{prefix}GenerationMatch")) else { return Ok(()) };
        let wanted: u64 = wanted.parse().map_err(|_| Refusal::invalid("Invalid value for: generation"))?;
        let stands = self.bucket(bucket)?.get(name).map_or(0, |stored| stored.generation);
        if wanted == stands { Ok(()) } else { Err(Refusal::unmet()) }
    }
}

impl Stored {
    /// Somebody's object.
    pub(super) fn of(bytes: Bytes) -> Self {
        Self { bytes, generation: 0, content_type: "application/octet-stream".to_owned(), metadata: Map::new() }
    }

    pub(crate) fn crc32c(&self) -> String {
        BASE64_STANDARD.encode(crc32c::crc32c(&self.bytes).to_be_bytes())
    }

    pub(super) fn resource(&self, bucket: &str, name: &str) -> Value {
        json!({
            "kind": "storage#object", "bucket": bucket, "name": name, "size": self.bytes.len().to_string(),
            "generation": self.generation.to_string(), "metageneration": "1", "contentType": self.content_type,
            "crc32c": self.crc32c(), "metadata": self.metadata
        })
    }
}
