//! Servers that the tests run against, installed by `tests/setup.sh`.

pub(crate) mod fake_gcs;
pub(crate) mod moto;
pub(crate) mod proxy;
pub(crate) mod relay;
pub(crate) mod seaweed;
pub(crate) mod shared;
pub(crate) mod sshd;

use std::{net::TcpListener, path::PathBuf};

/// A program of the tests' environment.
///
/// # Panics
/// When it is not installed: a test that can't run must not pass.
pub(crate) fn tool(name: &str) -> PathBuf {
    let path = cache().join("venv/bin").join(name);
    assert!(path.is_file(), "{} is missing: run tests/setup.sh", path.display());
    path
}

/// Where `tests/setup.sh` puts what it installs.
pub(crate) fn cache() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("HERALD_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("herald")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/herald")))
        .expect("HOME or HERALD_CACHE is set")
}

/// Ports that nobody listens on, all different.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind(("127.0.0.1", 0)).expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}

/// The provider of TLS; the dependencies bring two, so one must be named before the first connection.
pub(crate) fn tls() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
