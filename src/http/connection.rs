//! Connections: how many there may be, and when one that nobody uses is closed.
//!
//! hyper closes an HTTP/1 connection between two requests. What it leaves open for ever are HTTP/2 connections that do
//! nothing but answer pings, and whoever asks and does not read what he is told.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
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
    /// Without a request, or a piece of an answer taken.
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
            let activity = Activity::new();
            let stream = Watched {
                stream,
                activity: Arc::clone(&activity),
                limits: self.limits,
                look: None,
                written: 0,
                stalled: None,
            };
            (stream, Held { service, activity, _place: Arc::new(place) })
        }))
    }
}

/// What is under way over a connection.
#[derive(Debug)]
struct Activity {
    /// Requests whose answer has not begun: their time is bounded elsewhere.
    asked: AtomicUsize,
    /// When something was asked, or a piece of an answer taken, last.
    moved: Mutex<Instant>,
}

impl Activity {
    fn new() -> Arc<Self> {
        Arc::new(Self { asked: AtomicUsize::new(0), moved: Mutex::new(Instant::now()) })
    }

    fn moves(&self) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn moved(&self) -> Instant {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request until its answer begins.
struct AskedFor(Arc<Activity>);

impl AskedFor {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.asked.fetch_add(1, Ordering::Relaxed);
        activity.moves();
        Self(Arc::clone(activity))
    }
}

impl Drop for AskedFor {
    fn drop(&mut self) {
        self.0.asked.fetch_sub(1, Ordering::Relaxed);
        self.0.moves();
    }
}

/// A connection's service, which holds its place until it ends.
#[derive(Debug, Clone)]
pub(super) struct Held<S> {
    service: S,
    activity: Arc<Activity>,
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
        let (asked, activity) = (AskedFor::new(&self.activity), Arc::clone(&self.activity));
        let answer = self.service.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            drop(asked);
            Ok(answer.map(|body| Body::new(Answer { body, activity })))
        })
    }
}

/// The body of an answer. That a piece of it is wanted shows that the other side took those before.
#[derive(Debug)]
struct Answer {
    body: Body,
    activity: Arc<Activity>,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.activity.moves();
        Poll::Ready(frame)
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
    activity: Arc<Activity>,
    limits: Limits,
    /// When to look next whether anything moves.
    look: Option<Pin<Box<Sleep>>>,
    /// Bytes written since the last look: an answer that was handed over whole moves until it has gone.
    written: usize,
    /// Since something could not be written.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<I> Watched<I> {
    /// Wakes the connection's task when nothing has moved for too long.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let limit = self.limits.idle;
        let look = self.look.get_or_insert_with(|| Box::pin(sleep(limit)));
        loop {
            ready!(look.as_mut().poll(context));
            let now = Instant::now();
            let writing = self.stalled.is_some() || self.written > MORE_THAN_PINGS;
            self.written = 0;
            if writing || self.activity.asked.load(Ordering::Relaxed) > 0 {
                self.activity.moves();
            }
            let until = self.activity.moved() + limit;
            if until <= now {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "nothing was asked for"));
            }
            look.as_mut().reset(until);
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
