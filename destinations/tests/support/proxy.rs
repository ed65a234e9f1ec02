//! A proxy that passes requests on to a real server, and spoils some of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What happens to a request.
#[derive(Debug, Clone)]
pub(crate) enum Spoil {
    /// The proxy answers itself; the server never sees the request.
    Answer(String),
    /// The connection is cut while the request is being read.
    Cut,
    /// The server does as it is told, and its answer is thrown away.
    LoseAnswer,
    /// Nothing comes back for a while, then the connection ends.
    Hang(Duration),
    /// The request is passed on after a while.
    Delay(Duration),
}

/// Which requests are spoiled, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// Start of the request line, such as `PUT `.
    pub(crate) method: &'static str,
    /// A text in the request's target, such as `partNumber=`.
    pub(crate) target: &'static str,
    /// What happens.
    pub(crate) spoil: Spoil,
    /// How many requests it happens to.
    pub(crate) times: u32,
}

/// An answer in S3's form.
pub(crate) fn answer(status: &str, headers: &str, code: &str) -> Spoil {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>spoiled</Message></Error>");
    let length = body.len();
    Spoil::Answer(format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    ))
}

/// Starts a proxy in front of a port; its own port, and how many requests it spoiled so far.
pub(crate) async fn proxy(upstream: u16, rule: Rule) -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let spoiled = Arc::new(AtomicU32::new(0));
    let counter = spoiled.clone();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.expect("a connection");
            // One request a connection: nothing to keep in step. A client that goes away is no failure.
            let (rule, counter) = (rule.clone(), counter.clone());
            tokio::spawn(async move { serve(client, upstream, &rule, &counter).await.ok() });
        }
    });
    (port, spoiled)
}

async fn serve(mut client: TcpStream, upstream: u16, rule: &Rule, spoiled: &AtomicU32) -> std::io::Result<()> {
    let Some((head, mut body)) = head(&mut client).await? else { return Ok(()) };
    let line = head.lines().next().unwrap_or_default();
    let fits = line.starts_with(rule.method) && line.contains(rule.target);
    let due = fits
        && spoiled
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| (count < rule.times).then_some(count + 1))
            .is_ok();
    let spoil = due.then_some(&rule.spoil);
    if let Some(Spoil::Cut) = spoil {
        return Ok(());
    }
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    if header("expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let length: usize = header("content-length").map_or(0, |length| length.parse().expect("a length"));
    let have = body.len();
    body.resize(length.max(have), 0);
    client.read_exact(&mut body[have..]).await?;
    match spoil {
        Some(Spoil::Answer(answer)) => return client.write_all(answer.as_bytes()).await,
        Some(Spoil::Hang(pause)) => {
            tokio::time::sleep(*pause).await;
            return Ok(());
        }
        Some(Spoil::Delay(pause)) => tokio::time::sleep(*pause).await,
        _ => {}
    }
    let mut server = TcpStream::connect(("127.0.0.1", upstream)).await?;
    let kept = head.lines().filter(|line| {
        let name = line.split(':').next().unwrap_or_default();
        !line.is_empty() && !name.eq_ignore_ascii_case("connection") && !name.eq_ignore_ascii_case("expect")
    });
    let head = kept.collect::<Vec<_>>().join("\r\n") + "\r\nConnection: close\r\n\r\n";
    server.write_all(head.as_bytes()).await?;
    server.write_all(&body).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    if matches!(spoil, Some(Spoil::LoseAnswer)) {
        return Ok(());
    }
    client.write_all(&answer).await?;
    client.shutdown().await
}

/// Reads up to the end of the head; what follows it is the body's beginning.
async fn head(client: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut read = Vec::new();
    let mut chunk = vec![0; 16 << 10];
    loop {
        let count = client.read(&mut chunk).await?;
        if count == 0 {
            return Ok(None);
        }
        read.extend_from_slice(&chunk[..count]);
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = read.split_off(end + 4);
            return Ok(Some((String::from_utf8_lossy(&read).into_owned(), body)));
        }
    }
}
