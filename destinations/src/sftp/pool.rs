//! Threads that each keep one connection. libssh2 waits while it speaks, so none of it runs where others wait.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use futures::future::{FutureExt, Map, Shared};
use tokio::sync::{Semaphore, oneshot};

use super::{
    config::SftpConfig,
    connection::{Connection, Proven},
    error::Failure,
};
use crate::contract::ErrorKind;

/// Connections that short requests share. A file being written has one of its own beside them, so that none ever waits
/// for another to end.
const AT_ONCE: usize = 4;
/// An idle connection shows a sign of life so often. Firewalls forget connections that are silent for a few minutes.
pub(super) const BREATH: Duration = Duration::from_secs(20);
/// A connection is closed after so long without work.
const IDLE: Duration = Duration::from_secs(60);
/// After so long without work, a connection is tried before it is trusted.
const STALE: Duration = Duration::from_secs(2);

type Job = Box<dyn FnOnce(&mut Line) + Send>;
/// The end of work, for any number to wait for.
type Ended = Shared<Map<oneshot::Receiver<()>, fn(Result<(), oneshot::error::RecvError>)>>;

/// What a thread works with: a connection that is made when it is first needed, and anew when it was lost.
#[derive(Debug)]
pub(super) struct Line {
    config: Arc<SftpConfig>,
    proven: Arc<Proven>,
    connection: Option<Connection>,
    used: Instant,
}

impl Line {
    /// The connection, working until `given_up` is set.
    pub(super) fn connected(&mut self, given_up: &Arc<AtomicBool>) -> Result<&mut Connection, Failure> {
        if self.used.elapsed() > STALE {
            self.breathe();
        }
        if given_up.load(Ordering::SeqCst) {
            return Err(Failure::given_up());
        }
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.config, &self.proven)?,
        };
        let connection = self.connection.insert(connection);
        connection.work_until(given_up.clone());
        Ok(connection)
    }

    /// Shows a sign of life, and lets go of a connection that does not answer.
    fn breathe(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.work_until(Arc::default());
            if connection.breathe().is_err() {
                self.connection = None;
            }
        }
    }
}

/// All connections of one target.
pub(super) struct Pool {
    config: Arc<SftpConfig>,
    proven: Arc<Proven>,
    /// Threads without work, each with when it came here.
    idle: Mutex<Vec<(mpsc::Sender<Job>, Instant)>>,
    turns: Semaphore,
    /// Ends of work that nobody waited for. Each stays until it has come: whoever gives up waiting loses none.
    abandoned: Mutex<Vec<Ended>>,
}

impl Pool {
    pub(super) fn new(config: &SftpConfig) -> Arc<Self> {
        Arc::new(Self {
            config: Arc::new(config.clone()),
            proven: Arc::default(),
            idle: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
            abandoned: Mutex::default(),
        })
    }

    /// Does short work on a connection. Dropped, the work stops before its next request.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let _turn = self.turns.acquire().await.map_err(|_| lost())?;
        self.start(work)?.answer().await
    }

    /// Starts work on a connection of its own.
    pub(super) fn start<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<Work<T>, Failure> {
        let given_up = Arc::new(AtomicBool::new(false));
        let (tell, answer) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let gate = given_up.clone();
        let job: Job = Box::new(move |line| {
            let answer = line.connected(&gate).and_then(work);
            if answer.as_ref().is_err_and(|failure| failure.breaks) {
                line.connection = None;
            }
            line.used = Instant::now();
            // Nobody may listen any more.
            let _ = tell.send(answer);
            drop(end);
        });
        let worker = self.hand(job)?;
        Ok(Work { pool: self.clone(), worker: Some(worker), answer, ended: Some(ended), given_up })
    }

    /// Waits for the end of all that was given up until now: it may have been within a request.
    pub(super) async fn quiet(&self) {
        let abandoned = lock(&self.abandoned).clone();
        for ended in abandoned {
            ended.await;
        }
        lock(&self.abandoned).retain(|ended| ended.peek().is_none());
    }

    /// Hands a job to an idle thread, or to a new one.
    fn hand(&self, mut job: Job) -> Result<mpsc::Sender<Job>, Failure> {
        while let Some(worker) = self.idle() {
            match worker.send(job) {
                Ok(()) => return Ok(worker),
                // It ended meanwhile, and gives the job back.
                Err(mpsc::SendError(back)) => job = back,
            }
        }
        let (worker, jobs) = mpsc::channel::<Job>();
        let line =
            Line { config: self.config.clone(), proven: self.proven.clone(), connection: None, used: Instant::now() };
        thread::Builder::new()
            .name("sftp".to_owned())
            .spawn(move || serve(line, &jobs))
            .map_err(|error| Failure::new(ErrorKind::Internal, format!("no thread for a connection: {error}")))?;
        worker.send(job).map_err(|_| lost())?;
        Ok(worker)
    }
}

impl Pool {
    /// An idle thread. One that is about to end by itself could take a job along, and is passed over.
    fn idle(&self) -> Option<mpsc::Sender<Job>> {
        let mut idle = lock(&self.idle);
        idle.retain(|(_, since)| since.elapsed() < IDLE - BREATH);
        idle.pop().map(|(worker, _)| worker)
    }
}

/// A thread's life. It ends when nobody can send it work any more, or has not for a while.
fn serve(mut line: Line, jobs: &mpsc::Receiver<Job>) {
    loop {
        match jobs.recv_timeout(BREATH) {
            Ok(job) => job(&mut line),
            Err(RecvTimeoutError::Timeout) if line.used.elapsed() < IDLE => line.breathe(),
            Err(_) => return,
        }
    }
}

/// Work on its way. Dropping it stops the work before its next request.
pub(super) struct Work<T> {
    pool: Arc<Pool>,
    worker: Option<mpsc::Sender<Job>>,
    answer: oneshot::Receiver<Result<T, Failure>>,
    ended: Option<oneshot::Receiver<()>>,
    given_up: Arc<AtomicBool>,
}

impl<T> Work<T> {
    /// Waits for its end.
    pub(super) async fn answer(mut self) -> Result<T, Failure> {
        let answer = (&mut self.answer).await.map_err(|_| lost())?;
        self.ended = None;
        if let Some(worker) = self.worker.take() {
            lock(&self.pool.idle).push((worker, Instant::now()));
        }
        answer
    }
}

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        if let Some(ended) = self.ended.take() {
            self.given_up.store(true, Ordering::SeqCst);
            lock(&self.pool.abandoned).push(ended.map(drop as fn(_)).shared());
        }
    }
}

fn lost() -> Failure {
    Failure::new(ErrorKind::Internal, "the thread of a connection is gone")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Work<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").finish_non_exhaustive()
    }
}
