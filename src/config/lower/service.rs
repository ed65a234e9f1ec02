//! The `service` map.

use std::{collections::BTreeSet, net::IpAddr, path::Path};

use axum::http::{HeaderName, HeaderValue, Uri};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret;
use serde_json::{Map, Value as Json};

use super::Lowering;
use crate::config::{Alert, AlertFormat, Code, Http, Key, Service, Tls, Token, Traces, raw};

/// Least memory that a publish can work in, in bytes.
const LEAST_MEMORY: u64 = 16 << 20;

impl Lowering<'_> {
    pub(super) fn service(&mut self, entries: Map<String, Json>, path: &Path) -> Service {
        let raw: raw::Service = self.read("service", Json::Object(entries)).unwrap_or_default();
        let data_dir = match &raw.data_dir {
            Some(given) => self.local_path("service.data_dir", given),
            None => beside(path),
        };
        if let Some(state) = &raw.state {
            self.state(state.0.expose_secret());
        }
        let memory = raw.engine.as_ref().and_then(|engine| engine.memory.as_ref()).map_or(1 << 30, |size| size.0);
        if memory < LEAST_MEMORY {
            self.fault("service.engine.memory", Code::InvalidValue, "at least 16MiB is wanted");
        }
        let key = raw.encryption_key.as_ref().and_then(|key| self.key(key.0.expose_secret()));
        Service {
            data_dir,
            encryption_key: key,
            memory,
            concurrency: raw.concurrency.map_or(4, |count| count as usize),
            max_teardowns_per_reload: raw.max_teardowns_per_reload.unwrap_or(1),
            watch: raw.watch.unwrap_or(true),
            http: self.http(raw.http.unwrap_or_default()),
            alerts: raw.alerts.into_iter().flatten().enumerate().map(|(index, raw)| self.alert(index, raw)).collect(),
            traces: raw.traces.map(|raw| self.traces(raw)),
        }
    }

    fn key(&mut self, text: &str) -> Option<Key> {
        const AT: &str = "service.encryption_key";
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let message = match STANDARD.decode(text) {
            Ok(bytes) => match <[u8; 32]>::try_from(bytes) {
                Ok(key) => return Some(Key(key)),
                Err(bytes) => format!("a key of 32 bytes is wanted, this one has {}", bytes.len()),
            },
            Err(_) => "32 bytes in base64 are wanted, and this is not base64".to_owned(),
        };
        // Says nothing of the key but its length, which is why it need not be withheld.
        let at = self.places.find(AT).cloned();
        self.push(
            crate::config::Problem::new(at, Code::InvalidValue, format!("{AT}: {message}"))
                .remedy("make one with `openssl rand -base64 32`"),
        );
        None
    }

    fn state(&mut self, state: &str) {
        const AT: &str = "service.state";
        let (code, message) = match state {
            "sqlite" => return,
            other if other.starts_with("postgres://") || other.starts_with("postgresql://") => {
                (Code::NotSupported, "state in Postgres is not in this build yet")
            }
            _ => (Code::InvalidValue, "`sqlite` is wanted"),
        };
        let at = self.places.find(AT).cloned();
        self.push(crate::config::Problem::new(at, code, format!("{AT}: {message}")).remedy("write `state: sqlite`"));
    }

    fn http(&mut self, raw: raw::Http) -> Http {
        let unknown =
            self.dropped("service.http.tokens", &raw.tokens) || self.dropped("service.http.listen", &raw.listen);
        let mut tokens = Vec::new();
        let mut names = BTreeSet::new();
        for (index, token) in raw.tokens.into_iter().flatten().enumerate() {
            if !names.insert(token.name.clone()) {
                let at = format!("service.http.tokens[{index}].name");
                self.fault(&at, Code::DuplicateName, "two tokens have this name");
            }
            // One that was read from a file ends in a line break, which no header can hold.
            let secret = token.token.0.expose_secret().trim();
            if !secret.is_empty() {
                tokens.push(Token { name: token.name, token: secret.into(), scope: token.scope });
            }
        }
        let listen = raw.listen.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        const AT: &str = "service.http.listen";
        match is_loopback(&listen) {
            None => self.fault(AT, Code::InvalidValue, "an address and a port such as 127.0.0.1:8080 is wanted"),
            Some(false) if tokens.is_empty() && !unknown => self.fault_with(
                AT,
                Code::Conflict,
                "an address that other machines reach needs `tokens`, and none is set",
                "add a token that is not empty to `service.http.tokens`, or listen on 127.0.0.1",
            ),
            Some(_) => {}
        }
        let tls = raw.tls.map(|tls| Tls {
            cert: self.local_path("service.http.tls.cert", &tls.cert),
            key: self.local_path("service.http.tls.key", &tls.key),
        });
        if let Some(url) = &raw.url
            && !is_web(url)
        {
            self.fault("service.http.url", Code::InvalidValue, "a URL such as https://herald.example.com is wanted");
        }
        Http { url: raw.url, listen, tokens, tls }
    }

    fn alert(&mut self, index: usize, raw: raw::Alert) -> Alert {
        let url = raw.url.0.expose_secret();
        if !is_web(url) {
            let at = format!("service.alerts[{index}].url");
            let place = self.places.find(&at).cloned();
            let message = format!("{at}: a URL that starts with https:// is wanted");
            self.push(crate::config::Problem::new(place, Code::InvalidValue, message));
        }
        let at = format!("service.alerts[{index}].key");
        let given = raw.key.as_ref().is_some_and(|key| !key.0.expose_secret().trim().is_empty());
        let fault = match raw.format {
            AlertFormat::Pagerduty if !given && !self.dropped(&at, &raw.key) => {
                Some((Code::MissingKey, "`pagerduty` needs `key`, the routing key of the service there"))
            }
            AlertFormat::Webhook | AlertFormat::Slack if raw.key.is_some() => {
                Some((Code::Conflict, "`key` is of `pagerduty` alone"))
            }
            _ => None,
        };
        if let Some((code, message)) = fault {
            let place = self.places.find(&at).cloned();
            self.push(crate::config::Problem::new(place, code, format!("{at}: {message}")));
        }
        Alert { url: raw.url.0, format: raw.format, key: raw.key.map(|key| key.0), when: raw.when }
    }

    fn traces(&mut self, raw: raw::Traces) -> Traces {
        let web = |uri: Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none();
        if !raw.endpoint.parse::<Uri>().is_ok_and(web) {
            let message = "the URL of a collector is wanted, such as http://collector:4318";
            self.fault("service.traces.endpoint", Code::InvalidValue, message);
        }
        // Whoever copies the whole address means the same.
        let base = raw.endpoint.trim_end_matches('/').trim_end_matches("/v1/traces");
        let mut headers = Vec::new();
        for (name, raw::Secret(value)) in raw.headers.into_iter().flatten() {
            let fits = name.parse::<HeaderName>().is_ok() && HeaderValue::from_str(value.expose_secret()).is_ok();
            if !fits {
                let at = self.places.find("service.traces.headers").cloned();
                let message = "service.traces.headers: a name or a value can't be sent as a header";
                self.push(crate::config::Problem::new(at, Code::InvalidValue, message.to_owned()));
            }
            headers.push((name, value));
        }
        Traces { endpoint: format!("{base}/v1/traces"), headers, sample: raw.sample.map(|share| share.0) }
    }
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// Whether only this machine reaches an address. `None`: no address and port.
pub(in crate::config) fn is_loopback(listen: &str) -> Option<bool> {
    let (host, port) = listen.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bare.unwrap_or(host).parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => bare.map(|_| address.is_loopback()),
        Ok(address) => Some(address.is_loopback()),
        Err(_) if bare.is_some() || host.is_empty() || host.contains([':', '/', ' ']) => None,
        Err(_) => Some(host.eq_ignore_ascii_case("localhost")),
    }
}

/// `herald-data` in the folder that holds the config file or folder.
pub(in crate::config) fn beside(path: &Path) -> std::path::PathBuf {
    let absolute =
        std::fs::canonicalize(path).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned());
    absolute.parent().unwrap_or(&absolute).join("herald-data")
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn addresses_that_other_machines_reach_are_told_apart() {
        for (listen, expected) in [
            ("127.0.0.1:8080", Some(true)),
            ("127.9.9.9:0", Some(true)),
            ("[::1]:80", Some(true)),
            ("localhost:80", Some(true)),
            ("0.0.0.0:80", Some(false)),
            ("[::]:80", Some(false)),
            ("10.0.0.1:80", Some(false)),
            ("herald.internal:80", Some(false)),
            ("::1:80", None),
            ("127.0.0.1", None),
            ("127.0.0.1:99999", None),
            (":80", None),
            ("http://x:80", None),
        ] {
            assert_eq!(is_loopback(listen), expected, "{listen}");
        }
    }
}
