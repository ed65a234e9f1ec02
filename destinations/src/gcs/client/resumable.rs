//! One method a request: an object on its way, chunk by chunk
//! (<https://cloud.google.com/storage/docs/performing-resumable-uploads>).

use std::fmt;

use bytes::Bytes;
use reqwest::{
    Url,
    header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE},
};

use super::{Client, FIELDS, Object, Writing, answer::Answer, base64_of};
use crate::gcs::error::{Failure, Stage};

/// Where an upload goes on. Whoever knows it may write to it, so it is never shown.
#[derive(Clone)]
pub(in crate::gcs) struct Session(Url);

/// Bytes for an upload, and where they belong.
#[derive(Debug, Clone)]
pub(in crate::gcs) struct Chunk {
    /// Position of the first byte in the object.
    pub(in crate::gcs) from: u64,
    /// A multiple of 256 KiB, unless it is the last.
    pub(in crate::gcs) bytes: Bytes,
    /// The CRC32C of the whole object, with the last chunk: the server compares.
    pub(in crate::gcs) last: Option<u32>,
}

/// How far an upload has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gcs) enum Progress {
    /// The server holds so many bytes, and waits for more.
    Holds(u64),
    /// The object stands.
    Whole(Object),
}

impl Client {
    /// Begins an upload.
    pub(in crate::gcs) async fn begin(&self, writing: Writing<'_>) -> Result<Session, Failure> {
        // An address keeps the parameters that it was begun with, so that the last answer has these fields.
        let mut query = vec![("uploadType", "resumable"), ("name", writing.name), ("fields", FIELDS)];
        query.extend(writing.create_only.then_some(("ifGenerationMatch", "0")));
        let request = self
            .http
            .post(self.uploads(&query))
            .header(CONTENT_TYPE, "application/json; charset=UTF-8")
            .header("x-upload-content-type", writing.content_type)
            .body(writing.resource().to_string());
        let answer = self.ask(request, self.deadlines.request).await?;
        answer.header(LOCATION.as_str()).and_then(|location| self.session(location)).ok_or_else(|| Failure {
            stage: Stage::Network,
            message: "the answer names no address for the upload".to_owned(),
            ..Failure::default()
        })
    }

    /// A session's address as seen from here: a server behind a proxy or in a container names itself otherwise, and
    /// the token goes nowhere but to the target.
    fn session(&self, location: &str) -> Option<Session> {
        let named = self.base.join(location).ok()?;
        let mut url = self.base.clone();
        url.set_path(named.path());
        url.set_query(named.query());
        Some(Session(url))
    }

    /// Sends a chunk.
    pub(in crate::gcs) async fn chunk(
        &self,
        session: &Session,
        content_type: &str,
        chunk: Chunk,
    ) -> Result<Progress, Failure> {
        let end = chunk.from + chunk.bytes.len() as u64;
        let total = if chunk.last.is_some() { end.to_string() } else { "*".to_owned() };
        let range = match chunk.bytes.len() {
            0 => format!("bytes */{total}"),
            _ => format!("bytes {}-{}/{total}", chunk.from, end - 1),
        };
        let deadline = self.deadlines.body(chunk.bytes.len());
        let mut request =
            self.http.put(session.0.clone()).header(CONTENT_RANGE, range).header(CONTENT_TYPE, content_type);
        if let Some(crc32c) = chunk.last {
            request = request.header("x-goog-hash", format!("crc32c={}", base64_of(crc32c)));
        }
        progress(&self.ask(request.body(chunk.bytes), deadline).await?)
    }

    /// Asks how far an upload has come.
    pub(in crate::gcs) async fn progress(&self, session: &Session) -> Result<Progress, Failure> {
        let request = self.http.put(session.0.clone()).header(CONTENT_RANGE, "bytes */*").body(Bytes::new());
        progress(&self.ask(request, self.deadlines.request).await?)
    }

    /// Gives an upload up.
    pub(in crate::gcs) async fn cancel(&self, session: &Session) -> Result<(), Failure> {
        match self.ask(self.http.delete(session.0.clone()).body(Bytes::new()), self.deadlines.request).await {
            // Google's status for an upload that was given up.
            Err(failure) if failure.status == Some(499) || failure.is_gone() => Ok(()),
            answer => answer.map(drop),
        }
    }
}

/// 308 tells the bytes held as `Range: bytes=0-LAST`, and of an upload without any by no range at all.
fn progress(answer: &Answer) -> Result<Progress, Failure> {
    if answer.status != 308 {
        return answer.json().map(Progress::Whole);
    }
    let Some(range) = answer.header(RANGE.as_str()) else { return Ok(Progress::Holds(0)) };
    let last = range.strip_prefix("bytes=0-").and_then(|last| last.parse::<u64>().ok());
    last.map(|last| Progress::Holds(last + 1)).ok_or_else(|| Failure {
        stage: Stage::Network,
        message: "the answer does not say how much arrived".to_owned(),
        ..Failure::default()
    })
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(…)")
    }
}
