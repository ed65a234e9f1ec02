//! The one task that owns the board: it waits for times, wishes and ends, and starts what the board says.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, stream};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    Asked, Clock, Ending, Job, Runner, Scheduler, Standing, Trigger,
    board::Board,
    handle::{Message, Wish},
};
use crate::{
    config::Config,
    publish::Failure,
    state::{History, Waiting},
};

/// How the service paces itself.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Between two looks at the state, for what other processes paused, resumed or deleted.
    pub look: Duration,
    /// Between two searches for publishes whose process died.
    pub settle: Duration,
    /// Once asked to stop, how long publishes that run may go on before they are cancelled.
    pub grace: Duration,
    /// And how long they then may take to stop.
    pub parting: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(1),
            settle: Duration::from_secs(3),
            grace: Duration::from_secs(30),
            parting: Duration::from_secs(10),
        }
    }
}

/// After settling failed, the same activation is left alone for this, and twice as long each further time.
const SETTLE_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_SETTLE_PAUSE: Duration = Duration::from_secs(300);

/// Most activations that are settled side by side.
const SETTLED_AT_ONCE: usize = 8;

/// The scheduler.
#[derive(Debug)]
pub struct Service {
    runner: Arc<dyn Runner>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    board: Board,
    wishes: mpsc::Receiver<Wish>,
    /// Kept, so that there is always somebody who could wish.
    scheduler: Scheduler,
    tasks: JoinSet<Event>,
    running: HashMap<tokio::task::Id, Running>,
    looking: bool,
    look_at: DateTime<Utc>,
    settling: bool,
    settle_at: DateTime<Utc>,
    /// Activations that could not be settled: until when they are left alone, and how often it failed.
    unsettled: HashMap<String, (DateTime<Utc>, u32)>,
    published: u64,
    load: watch::Sender<Load>,
}

#[derive(Debug)]
struct Running {
    job: Job,
    began: DateTime<Utc>,
    cancel: CancellationToken,
}

/// What a task of the service brings back.
#[derive(Debug)]
enum Event {
    Ended(Job, Ending),
    Looked(Look),
    Settled(Vec<(String, Result<(), Failure>)>),
}

/// What a look at the state found.
#[derive(Debug)]
struct Look {
    standings: Result<Vec<Standing>, Failure>,
    histories: Vec<(Arc<str>, History)>,
    waiting: Result<Vec<Waiting>, Failure>,
}

/// How much the service has to do, for who watches it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Publishes that run.
    pub running: usize,
    /// Publishes that wait for a worker of the standard lane.
    pub queued_standard: usize,
    /// Publishes that wait for a worker of the rapid lane.
    pub queued_rapid: usize,
}

impl Service {
    /// Puts every activation of a config on the board, with what it did last.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn new(
        config: &Config,
        runner: Arc<dyn Runner>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Result<Self, Failure> {
        let now = clock.now();
        let mut board = Board::new(config.service.concurrency, now);
        for activation in config.activations.values() {
            board.add(activation, runner.history(&activation.name).await?, now);
        }
        board.stand(&runner.standings().await?, now);
        let (scheduler, wishes) = Scheduler::new();
        Ok(Self {
            runner,
            clock,
            settings,
            board,
            wishes,
            scheduler,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            looking: false,
            look_at: now,
            settling: false,
            settle_at: now,
            unsettled: HashMap::new(),
            published: 0,
            load: watch::Sender::new(Load::default()),
        })
    }

    /// How much there is to do, as it changes.
    pub fn load(&self) -> watch::Receiver<Load> {
        self.load.subscribe()
    }

    /// A handle for others to speak to it.
    pub fn scheduler(&self) -> Scheduler {
        self.scheduler.clone()
    }

    /// Runs until `stop` is cancelled and what ran then has ended. How many publishes ran.
    pub async fn run(mut self, stop: CancellationToken) -> u64 {
        let clock = Arc::clone(&self.clock);
        loop {
            let now = clock.now();
            self.start(now);
            self.tell_load(now);
            let wake = self.upkeep(now);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => self.ended(ended),
                Some((wish, answer)) = self.wishes.recv() => {
                    let asked = self.hear(wish);
                    // Who asked may have gone away meanwhile.
                    let _ = answer.send(asked);
                }
                () = clock.sleep_until(wake) => {}
            }
        }
        self.wishes.close();
        self.part().await;
        self.published
    }

    fn tell_load(&self, now: DateTime<Utc>) {
        let [queued_standard, queued_rapid] = self.board.queued(now);
        let load = Load { running: self.running.len(), queued_standard, queued_rapid };
        self.load.send_if_modified(|told| std::mem::replace(told, load) != load);
    }

    fn start(&mut self, now: DateTime<Utc>) {
        let runner = &self.runner;
        for job in self.board.starts(now, |target| runner.parallel(target)) {
            let cancel = CancellationToken::new();
            let running = Running { job: job.clone(), began: now, cancel: cancel.clone() };
            let task = self.tasks.spawn(publish(Arc::clone(runner), job, cancel));
            self.running.insert(task.id(), running);
        }
    }

    /// Begins what is due of the service's own work. When to wake up next.
    fn upkeep(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        // A clock that went back must not put off the next look, nor settling.
        self.look_at = self.look_at.min(now + delta(self.settings.look));
        self.settle_at = self.settle_at.min(now + delta(self.settings.settle));
        for (until, failures) in self.unsettled.values_mut() {
            *until = (*until).min(now + settle_pause(*failures));
        }
        if !self.looking && self.look_at <= now {
            self.looking = true;
            let (runner, asking) = (Arc::clone(&self.runner), self.board.asking(now));
            self.tasks.spawn(look(runner, asking));
        }
        if !self.settling && self.settle_at <= now {
            self.settling = true;
            let let_alone = self.unsettled.iter().filter(|(_, (until, _))| *until > now).map(|(name, _)| name.clone());
            self.tasks.spawn(settle(Arc::clone(&self.runner), let_alone.collect()));
        }
        let look = if self.looking { None } else { Some(self.look_at) };
        let settle = if self.settling { None } else { Some(self.settle_at) };
        // Never long without a look at the clock, which may have been put on.
        let latest = now + delta(self.settings.look);
        [look, settle, self.board.wakes(now)].into_iter().flatten().fold(latest, DateTime::min)
    }

    fn hear(&mut self, wish: Message) -> Asked {
        match wish {
            Message::Publish(trigger) => self.board.ask(&trigger, self.clock.now()),
            Message::Drop(activation, receipt) => {
                self.board.drop_asked(&activation, receipt);
                Asked::Accepted
            }
            Message::Reload(reloaded) => {
                let stopping = self.board.reload(&reloaded.config, &reloaded.histories, self.clock.now());
                let stops = |running: &&Running| stopping.contains(&running.job.activation);
                self.running.values().filter(stops).for_each(|running| running.cancel.cancel());
                Asked::Accepted
            }
            Message::Pause(activation, paused) => self.board.pause(&activation, paused),
            Message::Cancel(activation) => {
                match self.running.values().find(|running| *running.job.activation == *activation) {
                    Some(running) => {
                        running.cancel.cancel();
                        Asked::Accepted
                    }
                    None => Asked::Idle,
                }
            }
        }
    }

    fn ended(&mut self, ended: Result<(tokio::task::Id, Event), tokio::task::JoinError>) {
        let now = self.clock.now();
        let (id, event) = match ended {
            Ok((id, event)) => (id, Some(event)),
            Err(error) => (error.id(), None),
        };
        match (self.running.remove(&id), event) {
            (Some(running), event) => {
                // A panic is a bug, and has been reported; what the publish left is settled like that of a dead process.
                let (job, ending) = match event {
                    Some(Event::Ended(job, ending)) => (job, ending),
                    _ => (running.job, Ending::Failed { retryable: false, by_target: false }),
                };
                self.published += u64::from(ending != Ending::Busy);
                self.board.ended(job, ending, running.began, now);
            }
            (None, Some(Event::Looked(look))) => {
                self.looking = false;
                self.look_at = now + delta(self.settings.look);
                self.looked(look, now);
            }
            (None, Some(Event::Settled(settled))) => {
                self.settling = false;
                self.settle_at = now + delta(self.settings.settle);
                self.settled(settled, now);
            }
            (None, _) => {
                (self.looking, self.settling) = (false, false);
                self.look_at = now + delta(self.settings.look);
                self.settle_at = now + delta(self.settings.settle);
            }
        }
    }

    fn looked(&mut self, Look { standings, histories, waiting }: Look, now: DateTime<Utc>) {
        match standings {
            Ok(standings) => self.board.stand(&standings, now),
            Err(failure) => tracing::warn!(code = failure.code, error = failure.message, "the state can't be read"),
        }
        // What was asked for before a restart, or of a process that died, and what nobody could be told of.
        for Waiting { publish, activation, kind } in waiting.unwrap_or_default() {
            self.board.ask(&Trigger { activation, kind, receipt: publish }, now);
        }
        for (name, history) in histories {
            if let Some(age) = self.board.learn(&name, &history, now) {
                tracing::warn!(activation = %name, lag_seconds = age.num_seconds(), "the last good publish is older than `freshness`");
            }
        }
    }

    fn settled(&mut self, settled: Vec<(String, Result<(), Failure>)>, now: DateTime<Utc>) {
        for (name, settled) in settled {
            match settled {
                Ok(()) => {
                    self.unsettled.remove(&name);
                }
                Err(failure) => {
                    let (until, failures) = self.unsettled.entry(name.clone()).or_insert((now, 0));
                    *failures += 1;
                    *until = now + settle_pause(*failures);
                    if *failures == 1 {
                        tracing::warn!(
                            activation = name,
                            code = failure.code,
                            error = failure.message,
                            "could not settle what a publish left; it is tried again"
                        );
                    }
                }
            }
        }
    }

    /// Lets what runs come to its end, for a while.
    async fn part(&mut self) {
        if !self.running.is_empty() {
            tracing::info!(publishes = self.running.len(), "waiting for publishes that run");
        }
        if self.all_ended_by(self.clock.now() + delta(self.settings.grace)).await {
            return;
        }
        tracing::warn!(publishes = self.running.len(), "cancelling publishes that still run");
        self.running.values().for_each(|running| running.cancel.cancel());
        if !self.all_ended_by(self.clock.now() + delta(self.settings.parting)).await {
            tracing::error!(publishes = self.running.len(), "left publishes behind; the next start settles them");
        }
    }

    async fn all_ended_by(&mut self, at: DateTime<Utc>) -> bool {
        let clock = Arc::clone(&self.clock);
        let over = clock.sleep_until(at);
        tokio::pin!(over);
        while !self.running.is_empty() {
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
                () = &mut over => return false,
            }
        }
        true
    }
}

async fn publish(runner: Arc<dyn Runner>, mut job: Job, cancel: CancellationToken) -> Event {
    let ending = runner.publish(&mut job, &cancel).await;
    Event::Ended(job, ending)
}

async fn look(runner: Arc<dyn Runner>, asking: Vec<Arc<str>>) -> Event {
    let mut histories = Vec::with_capacity(asking.len());
    for name in asking {
        // One that can't be read now is asked for again with the next look.
        if let Ok(history) = runner.history(&name).await {
            histories.push((name, history));
        }
    }
    let (standings, waiting) = (runner.standings().await, runner.waiting().await);
    Event::Looked(Look { standings, histories, waiting })
}

async fn settle(runner: Arc<dyn Runner>, let_alone: HashSet<String>) -> Event {
    let left = match runner.left_behind().await {
        Ok(left) => left,
        Err(failure) => {
            tracing::warn!(code = failure.code, error = failure.message, "the state can't be read");
            Vec::new()
        }
    };
    // Side by side: a target that does not answer holds up nobody else's.
    let settle = |name: String| {
        let runner = &runner;
        async move {
            let result = runner.settle(&name).await;
            (name, result)
        }
    };
    let left = left.into_iter().filter(|name| !let_alone.contains(name));
    Event::Settled(stream::iter(left).map(settle).buffer_unordered(SETTLED_AT_ONCE).collect().await)
}

/// For how long an activation is let alone that could not be settled so often in a row.
fn settle_pause(failures: u32) -> TimeDelta {
    delta(SETTLE_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_SETTLE_PAUSE))
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
pub(super) mod tests;
