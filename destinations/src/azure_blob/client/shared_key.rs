//! Signing with a key of the account, which the SDK leaves to its users.
//!
//! The form is that of "Authorize with Shared Key" in Azure's REST reference, for version 2015-02-21 and later.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use aws_lc_rs::hmac;
use azure_core::http::{
    Context, Request, Url,
    headers::{HeaderName, Headers},
    policies::{Policy, PolicyResult},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Utc;

/// Headers whose values are signed one a line, in this order, without their names. The length stands among them in a
/// form of its own.
const BEFORE_LENGTH: [&str; 2] = ["content-encoding", "content-language"];
const AFTER_LENGTH: [&str; 8] = [
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// Signs each try of a request.
pub(super) struct SharedKey {
    account: String,
    key: hmac::Key,
}

impl SharedKey {
    /// With a key as it is decoded from base64.
    pub(super) fn new(account: &str, key: &[u8]) -> Self {
        Self { account: account.to_owned(), key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    fn authorization(&self, text: &str) -> String {
        let signature = hmac::sign(&self.key, text.as_bytes());
        format!("SharedKey {}:{}", self.account, BASE64_STANDARD.encode(signature.as_ref()))
    }
}

#[async_trait]
impl Policy for SharedKey {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.insert_header("x-ms-date", Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string());
        let length = request.body().len().unwrap_or_default();
        let text = to_sign(request.method().as_ref(), length, request.headers(), request.url(), &self.account);
        request.insert_header("authorization", self.authorization(&text));
        match next {
            [first, rest @ ..] => first.send(ctx, request, rest).await,
            [] => Err(azure_core::Error::with_message(azure_core::error::ErrorKind::Other, "nothing sends requests")),
        }
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedKey").field("account", &self.account).finish_non_exhaustive()
    }
}

/// The text that the service puts together too.
fn to_sign(method: &str, length: u64, headers: &Headers, url: &Url, account: &str) -> String {
    let value = |name: &'static str| headers.get_optional_str(&HeaderName::from_static(name)).unwrap_or_default();
    // No body is no length, not 0.
    let length = if length == 0 { String::new() } else { length.to_string() };
    let mut lines = vec![method.to_owned()];
    lines.extend(BEFORE_LENGTH.map(|name| value(name).to_owned()));
    lines.push(length);
    lines.extend(AFTER_LENGTH.map(|name| value(name).to_owned()));
    let own: BTreeMap<&str, &str> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().trim()))
        .filter(|(name, _)| name.starts_with("x-ms-"))
        .collect();
    lines.extend(own.iter().map(|(name, value)| format!("{name}:{value}")));
    lines.push(format!("/{account}{}", url.path()));
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url.query_pairs() {
        parameters.entry(name.to_lowercase()).or_default().push(value.into_owned());
    }
    for (name, mut values) in parameters {
        values.sort();
        lines.push(format!("{name}:{}", values.join(",")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in pairs {
            headers.insert(*name, *value);
        }
        headers
    }

    /// The example of the reference: "Get Container Metadata" of `myaccount`.
    #[test]
    fn a_request_without_a_body_has_the_form_of_the_reference() {
        let url =
            "https://myaccount.blob.core.windows.net/mycontainer?restype=container&comp=metadata".parse().unwrap();
        let headers = headers(&[("x-ms-version", "2015-02-21"), ("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT")]);
        let expected = "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n\
                        /myaccount/mycontainer\ncomp:metadata\nrestype:container";
        assert_eq!(to_sign("GET", 0, &headers, &url, "myaccount"), expected);
    }

    /// Parameters decoded, sorted and joined, as the reference shows for a listing; an emulator's path names the
    /// account twice.
    #[test]
    fn parameters_are_decoded_sorted_and_joined() {
        let url = "http://127.0.0.1:10000/devstoreaccount1/c/a%20b%2Fc?restype=container&include=snapshots&include=metadata&blockid=a%2Bb%3D&Comp=list"
            .parse()
            .unwrap();
        let text = to_sign(
            "PUT",
            11,
            &headers(&[("content-type", "text/csv"), ("if-none-match", "*"), ("range", "bytes=0-1")]),
            &url,
            "devstoreaccount1",
        );
        let expected = "PUT\n\n\n11\n\ntext/csv\n\n\n\n*\n\nbytes=0-1\n\
                        /devstoreaccount1/devstoreaccount1/c/a%20b%2Fc\nblockid:a+b=\ncomp:list\n\
                        include:metadata,snapshots\nrestype:container";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        // Test case 2 of RFC 4231, in base64.
        let key = SharedKey::new("acc", b"Jefe");
        let expected = "SharedKey acc:W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
        assert_eq!(key.authorization("what do ya want for nothing?"), expected);
        assert!(!format!("{key:?}").contains("Jefe"));
    }
}
