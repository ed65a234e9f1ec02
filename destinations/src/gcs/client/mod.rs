//! The only place that touches the HTTP client and Google's library for credentials: plain values in, plain values
//! or a [`Failure`](super::error::Failure) out. Every call is one request, never repeated here.

mod answer;
mod connect;
mod credentials;
mod requests;
mod resumable;

use std::{collections::HashMap, fmt, time::Duration};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use serde::{Deserialize, Deserializer, de::Error as _};

pub(super) use resumable::{Chunk, Progress, Session};

/// How long requests may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Reaching the server.
    pub connect: Duration,
    /// A request without a body of any size; also a read's pause between two pieces.
    pub request: Duration,
    /// One step of a rewrite, in which the server may copy for a while.
    pub rewrite: Duration,
    /// Bytes a second below which a body counts as stuck; added to `request`.
    pub slowest: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(60),
            rewrite: Duration::from_secs(300),
            slowest: 64 << 10,
        }
    }
}

impl Deadlines {
    /// For a request that carries a body.
    fn body(&self, bytes: usize) -> Duration {
        self.request + Duration::from_secs(bytes as u64 / self.slowest.max(1))
    }
}

/// A bucket, and how it is asked.
pub(super) struct Client {
    http: reqwest::Client,
    /// Without a `/` at its end.
    base: Url,
    bucket: String,
    /// `None`: nobody in particular asks.
    credentials: Option<google_cloud_auth::credentials::Credentials>,
    /// No file holds the credentials.
    needs_metadata_server: bool,
    deadlines: Deadlines,
}

/// Metadata that names the publish an object belongs to.
const PUBLISH: &str = "herald-publish";
/// What is asked of an object; with its content type and all it would be three times as long.
const FIELDS: &str = "name,size,generation,crc32c,metadata";

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Object {
    pub(super) name: String,
    /// A number as text in JSON; an empty object may come without.
    #[serde(default, deserialize_with = "number")]
    pub(super) size: u64,
    /// Another for every content that ever stood there.
    #[serde(default)]
    pub(super) generation: String,
    /// Base64 of four bytes, the highest first.
    #[serde(default)]
    pub(super) crc32c: Option<String>,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

impl Object {
    /// The publish that wrote it, where Herald did.
    pub(super) fn publish(&self) -> Option<&str> {
        self.metadata.get(PUBLISH).map(String::as_str)
    }
}

/// What an object is written with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writing<'a> {
    pub(super) name: &'a str,
    pub(super) content_type: &'a str,
    pub(super) publish: uuid::Uuid,
    /// Whether the server must refuse to replace what stands there.
    pub(super) create_only: bool,
}

impl Writing<'_> {
    /// The object's resource, as an upload begins with it.
    fn resource(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name,
            "contentType": self.content_type,
            "metadata": { PUBLISH: self.publish.to_string() }
        })
    }
}

/// A rewrite's step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rewritten {
    /// There is more to copy: ask again with this token.
    Partly(String),
    /// The object stands.
    Whole(Object),
}

/// What the server should hold, in its own notation.
pub(super) fn base64_of(crc32c: u32) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(crc32c.to_be_bytes())
}

fn number<'de, D: Deserializer<'de>>(text: D) -> Result<u64, D::Error> {
    String::deserialize(text)?.parse().map_err(D::Error::custom)
}

/// All that may stand in a part of a path or a query as it is (RFC 3986, "unreserved").
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn encoded(text: &str) -> impl fmt::Display {
    utf8_percent_encode(text, RESERVED)
}

impl Client {
    /// The bucket's name.
    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Where the bucket's objects are asked for.
    fn objects(&self, query: &[(&str, &str)]) -> Url {
        self.url(&format!("/storage/v1/b/{}/o", encoded(&self.bucket)), query)
    }

    /// Where one object is asked for. Its name is one part of the path, `/` and all.
    fn object(&self, name: &str, query: &[(&str, &str)]) -> Url {
        self.url(&format!("/storage/v1/b/{}/o/{}", encoded(&self.bucket), encoded(name)), query)
    }

    /// Where objects are sent to.
    fn uploads(&self, query: &[(&str, &str)]) -> Url {
        self.url(&format!("/upload/storage/v1/b/{}/o", encoded(&self.bucket)), query)
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        let query: Vec<String> = query.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
        url.set_query(Some(&query.join("&")).filter(|query| !query.is_empty()).map(String::as_str));
        url
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_written_as_the_server_writes_it() {
        // From the description of CRC32C in RFC 3720, B.4: 32 bytes of zeros.
        assert_eq!(base64_of(0x8a91_36aa), "ipE2qg==");
        assert_eq!(base64_of(crc32c::crc32c(&[0; 32])), "ipE2qg==");
    }

    #[test]
    fn an_object_is_read_as_google_writes_it() {
        let text = r#"{ "name": "in/a", "size": "12", "generation": "1795379092802632", "crc32c": "ipE2qg==",
            "metadata": { "herald-publish": "p" } }"#;
        let object: Object = serde_json::from_str(text).unwrap();
        assert_eq!((object.size, object.publish()), (12, Some("p")));
        assert!(serde_json::from_str::<Object>(r#"{ "name": "in/a", "size": "many" }"#).is_err());
    }
}
