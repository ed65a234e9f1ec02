//! Connections that nobody uses, and answers that nobody reads.

use std::time::Duration;

use herald::http::{Hub, Scrape, Server, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout},
};

use super::{READER, home, with};
use crate::service::Live;

const IDLE: Duration = Duration::from_secs(2);
const STALLED: Duration = Duration::from_secs(3);

async fn site() -> (Live, crate::support::Home, std::net::SocketAddr) {
    let home = home(&with("", &[("a", "target: out")]));
    let live = Live::idle(&home).await;
    // An answer far larger than what sockets hold.
    let scrape = Scrape::new(|| "x".repeat(64 << 20));
    let server = Server::new(live.control.clone(), Hub::new(), scrape, live.stop.clone()).unwrap();
    let (address, _) = serve(server.closing_after(IDLE, STALLED)).await.unwrap();
    (live, home, address)
}

/// An empty SETTINGS of HTTP/2.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Opens an HTTP/2 connection with these frames, and lets it send nothing but pings from then on. It must be closed.
async fn is_closed(frames: &[u8]) {
    let (_live, _home, address) = site().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(frames).await.unwrap();
    let began = Instant::now();
    let (mut reads, mut writes) = stream.into_split();
    let pings = tokio::spawn(async move {
        // A PING a moment: the connection is anything but silent.
        while writes.write_all(&[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut buffer = vec![0; 4096];
    let closed =
        timeout(Duration::from_secs(20), async { while reads.read(&mut buffer).await.is_ok_and(|read| read > 0) {} });
    assert!(closed.await.is_ok(), "it is still open");
    assert!(began.elapsed() >= IDLE, "{:?}", began.elapsed());
    pings.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_does_nothing_but_answer_pings_is_closed() {
    is_closed(&SETTINGS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_asks_and_leaves_no_room_for_the_answer_is_closed() {
    // SETTINGS: streams have a window of 0 bytes.
    let mut frames = vec![0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0];
    // HEADERS, the end of stream 1: GET, http, /healthz, localhost.
    let mut headers = vec![0x82, 0x86, 0x04, 8];
    headers.extend(b"/healthz");
    headers.extend([0x01, 9]);
    headers.extend(b"localhost");
    frames.extend([0, 0, u8::try_from(headers.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    frames.extend(headers);
    is_closed(&frames).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_used_now_and_then_stays() {
    let (_live, _home, address) = site().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n");
    for _ in 0..8 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"{\"status\":\"ok\"}") {
            let read = stream.read_buf(&mut answer).await.unwrap();
            assert!(read > 0, "closed after {}", String::from_utf8_lossy(&answer));
        }
        tokio::time::sleep(IDLE * 3 / 4).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_his_answer_loses_the_connection_and_who_reads_slowly_gets_it() {
    let (_live, _home, address) = site().await;
    let request = format!(
        "GET /metrics HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {READER}\r\nconnection: close\r\n\r\n"
    );
    let ask = async || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 << 10).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    };
    let read_all = async |stream: &mut TcpStream, pause: Duration| {
        let (mut buffer, mut all) = (vec![0; 8 << 20], 0);
        loop {
            match stream.read(&mut buffer).await {
                Ok(read) if read > 0 => all += read,
                _ => return all,
            }
            tokio::time::sleep(pause).await;
        }
    };
    let mut asleep = ask().await;
    tokio::time::sleep(STALLED * 2).await;
    let left = timeout(Duration::from_secs(20), read_all(&mut asleep, Duration::ZERO)).await.expect("it ends");
    assert!(left < 64 << 20, "cut off: {left} bytes");
    let mut slow = ask().await;
    let all = timeout(Duration::from_secs(60), read_all(&mut slow, Duration::from_millis(5))).await.expect("it ends");
    assert!(all > 64 << 20, "{all} bytes");
}
