//! What no well-behaved client sends: bodies too large, and heads that never end.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{PUBLISHER, Site, home, with};

/// Sends these bytes and reads the answer, for as long as the service sends or waits.
async fn exchange(site: &Site, head: &str, body: impl Iterator<Item = Vec<u8>>) -> String {
    let (mut reader, mut writer) = TcpStream::connect(site.address).await.unwrap().into_split();
    writer.write_all(head.replace('\n', "\r\n").as_bytes()).await.unwrap();
    for part in body {
        // A service that has answered need not read on.
        if writer.write_all(&part).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), reader.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(length: &str) -> String {
    format!(
        "POST /v1/activations/a/publishes HTTP/1.1\nHost: localhost\nConnection: close\nAuthorization: Bearer {PUBLISHER}\n\
         Content-Type: application/json\n{length}\n\n"
    )
}

fn chunk(bytes: usize) -> Vec<u8> {
    [format!("{bytes:x}\r\n").into_bytes(), vec![b' '; bytes], b"\r\n".to_vec()].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_past_the_limit_is_refused_whether_or_not_it_says_how_long_it_is() {
    let site = Site::idle(home(&with("", &[("a", "target: out")]))).await;
    let told = exchange(&site, &head("Content-Length: 2097152"), std::iter::empty()).await;
    let untold = exchange(&site, &head("Transfer-Encoding: chunked"), (0..17).map(|_| chunk(65_536))).await;
    for answer in [told, untold] {
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("application/problem+json") && answer.contains("\"code\":\"too_large\""), "{answer}");
    }
    let end = [b"2\r\n{}\r\n".to_vec(), b"0\r\n\r\n".to_vec()];
    let fits = (0..15).map(|_| chunk(65_536)).chain(end);
    let fits = exchange(&site, &head("Transfer-Encoding: chunked"), fits).await;
    assert!(fits.starts_with("HTTP/1.1 202 "), "{fits}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_does_not_end_is_not_waited_for() {
    let site = Site::idle(home(&with("", &[("a", "target: out")]))).await;
    let whole = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let began = Instant::now();
    let slow = ["", "G", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", whole].map(|first| {
        let address = site.address;
        async move {
            let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
            writer.write_all(first.as_bytes()).await.unwrap();
            if first.is_empty() {
                // Nothing at all.
            } else if first == whole {
                // A second request that begins and does not end.
                writer.write_all(b"GET /heal").await.unwrap();
            } else {
                tokio::spawn(async move {
                    // As slow as can be, and never silent.
                    while writer.write_all(b"x").await.is_ok() {
                        tokio::time::sleep(Duration::from_secs(2)).await;
                    }
                });
            }
            let mut answer = Vec::new();
            let ended = tokio::time::timeout(Duration::from_secs(30), reader.read_to_end(&mut answer)).await;
            assert!(ended.is_ok(), "{first:?} is waited for");
        }
    });
    let all = futures::future::join_all(slow);
    all.await;
    assert!(began.elapsed() > Duration::from_secs(5), "a slow network is not cut off");
    let large = format!("GET /healthz HTTP/1.1\nHost: localhost\nX-Large: {}\n\n", "x".repeat(100_000));
    let refused = exchange(&site, &large, std::iter::empty()).await;
    assert!(!refused.contains(" 200 "), "{refused}");
    assert_eq!(site.get("/healthz").await.status, 200);
}
