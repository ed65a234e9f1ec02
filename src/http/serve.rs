//! Listening: the address, connections and their limits, TLS, and the end of it all.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum_server::{
    Handle,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};

use super::{Server, connection::Bounded, routes};
use crate::{
    config::Tls,
    publish::{Failure, code},
};

/// Until the head of a request has arrived, from when it is waited for: an idle connection lasts as long.
const HEAD: Duration = Duration::from_secs(15);
/// Bytes of a request's head.
const LARGEST_HEAD: usize = 64 << 10;
const STREAMS: u32 = 128;
/// What a stopping service gives answers under way.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;
/// Bytes that wait to be read by a client; the system takes twice as many.
const SEND_BUFFER: u32 = 256 << 10;
/// Between two looks for another certificate.
const LOOK: Duration = Duration::from_secs(2);

/// Listens where the config says, until the server is closed. Listens before it returns; the task ends after the last
/// answer.
///
/// # Errors
/// An address that can't be listened on, or a certificate that can't be read.
pub async fn serve(server: Server) -> Result<(SocketAddr, JoinHandle<()>), Failure> {
    let publisher = server.control.publisher();
    let http = &publisher.config().service.http;
    let listener = listen(&http.listen).await.map_err(|error| not_bound(&http.listen, &error))?;
    let address = listener.local_addr().map_err(code::internal)?;
    let (handle, close) = (Handle::new(), server.close.clone());
    let mut over = axum_server::Server::<SocketAddr>::from_listener(listener).handle(handle.clone());
    over.http_builder().http1().header_read_timeout(HEAD).max_buf_size(LARGEST_HEAD);
    over.http_builder()
        .http2()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(LARGEST_HEAD as u32)
        .keep_alive_interval(Some(HEAD));
    let over = over.first_request_timeout(HEAD);
    let bounded = Bounded::new(server.limits);
    let app = routes(server.clone()).into_make_service();
    let answering = match http.tls.clone() {
        None => tokio::spawn(over.acceptor(bounded).serve(app)),
        Some(tls) => {
            let config = RustlsConfig::from_config(read(&tls)?);
            tokio::spawn(keep_reading(server.clone(), tls, config.clone()));
            tokio::spawn(over.acceptor(RustlsAcceptor::new(config).acceptor(bounded)).serve(app))
        }
    };
    tokio::spawn(async move {
        close.cancelled().await;
        handle.graceful_shutdown(Some(LAST_ANSWERS));
    });
    let scheme = if http.tls.is_some() { "https" } else { "http" };
    tracing::info!(%address, scheme, "the service listens");
    let task = tokio::spawn(async move {
        if let Ok(Err(error)) = answering.await {
            tracing::error!(%error, "the service listens no more");
        }
    });
    Ok((address, task))
}

/// As `TcpListener::bind`, with buffers so small that a slow reader is seen to read: the system wakes a writer when a third of
/// its buffer is free.
async fn listen(address: &str) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in tokio::net::lookup_host(address).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        let bound = socket.set_reuseaddr(true).and_then(|()| socket.set_send_buffer_size(SEND_BUFFER));
        match bound.and_then(|()| socket.bind(address)).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn not_bound(listen: &str, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there: stop it, or set `service.http.listen` to another port"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 are not for everybody: set `service.http.listen` to a higher one"
        }
        _ => "set `service.http.listen` to an address of this machine",
    };
    Failure {
        code: "listen".into(),
        message: format!("could not listen on {listen} (`service.http.listen`): {error}"),
        remedy: remedy.into(),
        retryable: false,
    }
}

fn read(tls: &Tls) -> Result<Arc<rustls::ServerConfig>, Failure> {
    let wrong = |key: &str, path: &Path, error: &dyn std::fmt::Display| Failure {
        code: "listen".into(),
        message: format!("could not use {} (`service.http.tls.{key}`): {error}", path.display()),
        remedy: "name a PEM file that the service may read".into(),
        retryable: false,
    };
    let certificates = CertificateDer::pem_file_iter(&tls.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong("cert", &tls.cert, &error))?;
    // What the parser says of a key could quote it.
    let key =
        PrivateKeyDer::from_pem_file(&tls.key).map_err(|_| wrong("key", &tls.key, &"no private key can be read"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    provider
        .key_provider
        .load_private_key(key.clone_key())
        .map_err(|_| wrong("key", &tls.key, &"no private key can be read"))?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(code::internal)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| wrong("cert", &tls.cert, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Takes up another certificate, be it that the files changed or that a reload names others.
async fn keep_reading(server: Server, mut tls: Tls, config: RustlsConfig) {
    let changed = |tls: &Tls| -> Vec<Option<SystemTime>> {
        [&tls.cert, &tls.key].map(|path| path.metadata().and_then(|file| file.modified()).ok()).to_vec()
    };
    let mut seen = changed(&tls);
    while tokio::time::timeout(LOOK, server.close.cancelled()).await.is_err() {
        let named = server.control.publisher().config().service.http.tls.clone().unwrap_or_else(|| tls.clone());
        let now = changed(&named);
        if named == tls && now == seen {
            continue;
        }
        (tls, seen) = (named, now);
        match read(&tls) {
            Ok(read) => {
                config.reload_from_config(read);
                tracing::info!("another certificate is in use");
            }
            Err(failure) => tracing::warn!(%failure, "the certificate in use stays"),
        }
    }
}
