//! A relay in front of a real server that knows nothing of what passes through it, and cuts, resets, delays or slows
//! connections as a script says. For trouble with single requests there is [`proxy`](super::proxy).

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

/// How a connection is ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Both sides are told that all was said.
    Close,
    /// Both sides are told that the connection is lost.
    Reset,
    /// Nobody is told anything for so long; then it is closed.
    Silence(Duration),
}

/// What happens to one connection; by default nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Before the server is reached.
    pub(crate) delay: Duration,
    /// Bytes a second, each way; `None`: as fast as it goes.
    pub(crate) pace: Option<u64>,
    /// The end, once so many bytes went to the server.
    pub(crate) up: Option<(u64, End)>,
    /// The end, once so many bytes came from the server.
    pub(crate) down: Option<(u64, End)>,
}

/// A relay that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Where it listens.
    pub(crate) port: u16,
    counts: Arc<Counts>,
    _running: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU32,
    ended: AtomicU32,
    up: AtomicU64,
}

impl Relay {
    /// Connections so far.
    pub(crate) fn connections(&self) -> u32 {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// Connections that were ended before their time.
    pub(crate) fn ended(&self) -> u32 {
        self.counts.ended.load(Ordering::SeqCst)
    }

    /// Bytes that went to the server.
    pub(crate) fn up(&self) -> u64 {
        self.counts.up.load(Ordering::SeqCst)
    }
}

/// Starts a relay to a port of this machine. `plan` tells what happens to connection number so many, from 0.
pub(crate) fn relay(upstream: u16, plan: impl Fn(u32) -> Plan + Send + 'static) -> Relay {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let counts = Arc::new(Counts::default());
    let (running, stopped) = oneshot::channel();
    let counting = Arc::clone(&counts);
    // A thread of its own: tests that wait for a program block theirs.
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            tokio::select! {
                _ = stopped => {}
                () = accept(listener, upstream, plan, counting) => {}
            }
        });
    });
    Relay { port, counts, _running: running }
}

async fn accept(listener: TcpListener, upstream: u16, plan: impl Fn(u32) -> Plan, counts: Arc<Counts>) {
    loop {
        let (client, _) = listener.accept().await.expect("a connection");
        let plan = plan(counts.connections.fetch_add(1, Ordering::SeqCst));
        let counts = Arc::clone(&counts);
        // A side that goes away is no failure of the relay.
        tokio::spawn(async move { pass(client, upstream, plan, &counts).await.ok() });
    }
}

async fn pass(mut client: TcpStream, upstream: u16, plan: Plan, counts: &Counts) -> io::Result<()> {
    tokio::time::sleep(plan.delay).await;
    let mut server = TcpStream::connect(("127.0.0.1", upstream)).await?;
    let end = {
        let (client_reads, client_writes) = client.split();
        let (server_reads, server_writes) = server.split();
        let up = copy(client_reads, server_writes, plan.pace, plan.up, Some(&counts.up));
        let down = copy(server_reads, client_writes, plan.pace, plan.down, None);
        tokio::pin!(up, down);
        // One way may end by itself while the other goes on.
        tokio::select! {
            end = &mut up => if end.is_some() { end } else { down.await },
            end = &mut down => if end.is_some() { end } else { up.await },
        }
    };
    let Some(end) = end else { return Ok(()) };
    counts.ended.fetch_add(1, Ordering::SeqCst);
    match end {
        End::Close => {}
        End::Silence(pause) => tokio::time::sleep(pause).await,
        End::Reset => {
            client.set_zero_linger()?;
            server.set_zero_linger()?;
        }
    }
    Ok(())
}

/// Passes bytes on until there are no more, or the limit is reached: then the end that was asked for.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    pace: Option<u64>,
    limit: Option<(u64, End)>,
    count: Option<&AtomicU64>,
) -> Option<End> {
    let mut block = vec![0; 16 << 10];
    let mut left = limit.map_or(u64::MAX, |(bytes, _)| bytes);
    loop {
        if left == 0 {
            return limit.map(|(_, end)| end);
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        let read = match from.read(&mut block[..most]).await {
            Ok(0) | Err(_) => {
                let _ = to.shutdown().await;
                return None;
            }
            Ok(read) => read,
        };
        if let Some(pace) = pace {
            tokio::time::sleep(Duration::from_micros(read as u64 * 1_000_000 / pace)).await;
        }
        if to.write_all(&block[..read]).await.is_err() {
            return None;
        }
        if let Some(count) = count {
            count.fetch_add(read as u64, Ordering::SeqCst);
        }
        left -= read as u64;
    }
}
