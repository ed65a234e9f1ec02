//! Connections: how many there may be, and when one that nobody uses is closed.
//!
//! hyper closes an HTTP/1 connection between two requests. What it leaves open for ever are HTTP/2 connections that do
//! nothing but answer pings, and whoever asks and does not read what he is told.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    response::Response,
};
use axum_server::accept::Accept;
use futures::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep},
};
use tower::Service;

/// Bytes that answers to pings do not come to while a connection is idle.
const MORE_THAN_PINGS: usize = 64 << 10;

/// What connections are held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// At once; those past it are closed.
    pub(super) connections: usize,
    /// Without a request under way.
    pub(super) idle: Duration,
    /// Without the other side taking anything of what it is told.
    pub(super) stalled: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 1_024, idle: Duration::from_secs(90), stalled: Duration::from_secs(30) }
    }
}

/// Gives each connection a place, as long as there are any.
#[derive(Debug, Clone)]
pub(super) struct Bounded {
    places: Arc<Semaphore>,
    limits: Limits,
}

impl Bounded {
    pub(super) fn new(limits: Limits) -> Self {
        Self { places: Arc::new(Semaphore::new(limits.connections)), limits }
    }
}

impl<S> Accept<TcpStream, S> for Bounded {
    type Stream = Watched<TcpStream>;
    type Service = Held<S>;
    type Future = std::future::Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| io::Error::other("too many connections"));
        // Answers and events are small, and wanted at once.
        std::future::ready(place.and_then(|place| stream.set_nodelay(true).map(|()| place)).map(|place| {
            let under_way = Arc::new(AtomicUsize::new(0));
            let stream = Watched {
                stream,
                under_way: Arc::clone(&under_way),
                limits: self.limits,
                idle: None,
                written: 0,
                stalled: None,
            };
            (stream, Held { service, under_way, _place: Arc::new(place) })
        }))
    }
}

/// A connection's service, which holds its place until it ends.
#[derive(Debug, Clone)]
pub(super) struct Held<S> {
    service: S,
    under_way: Arc<AtomicUsize>,
    _place: Arc<OwnedSemaphorePermit>,
}

impl<S, B> Service<Request<B>> for Held<S>
where
    S: Service<Request<B>, Response = Response>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let under_way = UnderWay::new(&self.under_way);
        let answer = self.service.call(request);
        Box::pin(async move { Ok(answer.await?.map(|body| Body::new(Answer { body, _under_way: under_way }))) })
    }
}

/// A request that is under way until this is dropped.
#[derive(Debug)]
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn new(number: &Arc<AtomicUsize>) -> Self {
        number.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(number))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer: the request is under way until its last byte is sent.
#[derive(Debug)]
struct Answer {
    body: Body,
    _under_way: UnderWay,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// A connection that ends itself.
#[derive(Debug)]
pub(super) struct Watched<I> {
    stream: I,
    under_way: Arc<AtomicUsize>,
    limits: Limits,
    /// Since it was looked at last whether anything is under way.
    idle: Option<Pin<Box<Sleep>>>,
    /// Bytes written since then: an answer that was handed over whole is under way until it has gone.
    written: usize,
    /// Since something could not be written.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<I> Watched<I> {
    /// Wakes the connection's task when it has been idle for too long.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let limit = self.limits.idle;
        let idle = self.idle.get_or_insert_with(|| Box::pin(sleep(limit)));
        loop {
            ready!(idle.as_mut().poll(context));
            let answering = self.stalled.is_some() || self.written > MORE_THAN_PINGS;
            self.written = 0;
            if self.under_way.load(Ordering::Relaxed) == 0 && !answering {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "nothing was asked for"));
            }
            idle.as_mut().reset(Instant::now() + limit);
        }
    }

    /// What a write comes to: one that waits for too long is over.
    fn written(&mut self, context: &mut Context<'_>, done: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(done) = done {
            self.stalled = None;
            self.written = self.written.saturating_add(*done.as_ref().unwrap_or(&0));
            return Poll::Ready(done);
        }
        let limit = self.limits.stalled;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the answer is not read")))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            return Poll::Ready(read);
        }
        self.poll_idle(context).map(Err)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
