//! The loop itself, with a runner that only pretends, in real time and in simulated time.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Service, Settings};
use crate::{
    config::{Activation, Config, Rapid, Refresh},
    publish::{Failure, PublishKind},
    schedule::{
        Asked, Clock, Ending, Job, Lane, Runner, Standing, SystemClock, Trigger,
        board::tests::{activation, every},
    },
    state::{History, Waiting},
};

/// Time that stands still until everybody waits, and then jumps to what is waited for first.
#[derive(Debug)]
struct Simulated {
    now: Mutex<DateTime<Utc>>,
    waiting: Mutex<BTreeMap<u64, DateTime<Utc>>>,
    number: Mutex<u64>,
}

/// Turns that all other tasks of the one thread get before time moves.
const TURNS: usize = 20;

/// Takes a waiter off the list when it is dropped, too.
struct Waiter<'a>(&'a Simulated, u64);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiting.lock().unwrap().remove(&self.1);
    }
}

impl Simulated {
    fn at(now: DateTime<Utc>) -> Self {
        Self { now: Mutex::new(now), waiting: Mutex::default(), number: Mutex::default() }
    }
}

#[async_trait]
impl Clock for Simulated {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap()
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        let number = {
            let mut number = self.number.lock().unwrap();
            *number += 1;
            *number
        };
        self.waiting.lock().unwrap().insert(number, at);
        let _waiter = Waiter(self, number);
        loop {
            for _ in 0..TURNS {
                if self.now() >= at {
                    return;
                }
                tokio::task::yield_now().await;
            }
            let first = self.waiting.lock().unwrap().values().min().copied();
            if first == Some(at) {
                let mut now = self.now.lock().unwrap();
                *now = at.max(*now);
            }
        }
    }
}

/// Pretends to publish: takes a while by the clock, and ends well unless it is cancelled.
#[derive(Debug)]
struct Pretended {
    clock: Arc<dyn Clock>,
    takes: fn(&Job) -> TimeDelta,
    /// Does not stop when it is cancelled.
    stubborn: bool,
    ran: Mutex<Vec<(DateTime<Utc>, Job, Ending)>>,
    paused: AtomicBool,
    left: Mutex<HashMap<String, u32>>,
    settled: Mutex<Vec<DateTime<Utc>>>,
}

impl Pretended {
    fn new(clock: &Arc<dyn Clock>, takes: fn(&Job) -> TimeDelta) -> Self {
        Self {
            clock: Arc::clone(clock),
            takes,
            stubborn: false,
            ran: Mutex::default(),
            paused: AtomicBool::new(false),
            left: Mutex::default(),
            settled: Mutex::default(),
        }
    }

    fn ran(&self) -> Vec<(DateTime<Utc>, Job, Ending)> {
        self.ran.lock().unwrap().clone()
    }
}

#[async_trait]
impl Runner for Pretended {
    async fn publish(&self, job: &mut Job, cancel: &CancellationToken) -> Ending {
        let began = self.clock.now();
        let work = self.clock.sleep_until(began + (self.takes)(job));
        let ending = tokio::select! {
            () = work => Ending::Good { delivered: true },
            () = cancel.cancelled(), if !self.stubborn => Ending::Cancelled,
        };
        self.ran.lock().unwrap().push((began, job.clone(), ending));
        ending
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, Failure> {
        Ok(Vec::new())
    }

    async fn standings(&self) -> Result<Vec<Standing>, Failure> {
        let paused = self.paused.load(Ordering::Relaxed);
        Ok(Vec::from_iter(paused.then(|| Standing { activation: "a".to_owned(), paused, deleted: false })))
    }

    async fn history(&self, _: &str) -> Result<History, Failure> {
        Ok(History::default())
    }

    async fn left_behind(&self) -> Result<Vec<String>, Failure> {
        Ok(self.left.lock().unwrap().keys().cloned().collect())
    }

    async fn settle(&self, activation: &str) -> Result<(), Failure> {
        self.settled.lock().unwrap().push(self.clock.now());
        let mut left = self.left.lock().unwrap();
        let failures = left.get_mut(activation).unwrap();
        if *failures == 0 {
            left.remove(activation);
            return Ok(());
        }
        *failures -= 1;
        Err(crate::publish::code::interrupted())
    }

    fn parallel(&self, _: &str) -> Option<usize> {
        None
    }
}

pub(in crate::schedule) fn config(activations: Vec<Activation>) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("herald.yaml");
    std::fs::write(&path, include_str!("../../../tests/fixtures/config/small.yaml")).unwrap();
    let mut config = crate::config::load(Path::new(&path)).unwrap();
    config.activations = activations.into_iter().map(|activation| (activation.name.clone(), activation)).collect();
    config
}

fn start() -> DateTime<Utc> {
    "2026-10-01T00:00:00Z".parse().unwrap()
}

async fn service(config: &Config, runner: &Arc<Pretended>, clock: &Arc<dyn Clock>, settings: Settings) -> Service {
    let runner: Arc<dyn Runner> = Arc::<Pretended>::clone(runner);
    Service::new(config, runner, Arc::clone(clock), settings).await.unwrap()
}

/// Stops at a time of the clock.
fn stop_at(clock: &Arc<dyn Clock>, at: DateTime<Utc>) -> CancellationToken {
    let (clock, stop) = (Arc::clone(clock), CancellationToken::new());
    let cancel = stop.clone();
    tokio::spawn(async move {
        clock.sleep_until(at).await;
        cancel.cancel();
    });
    stop
}

#[tokio::test]
async fn a_simulated_month_of_the_service_passes_in_moments_and_misses_nothing() {
    let began = Instant::now();
    let clock: Arc<dyn Clock> = Arc::new(Simulated::at(start()));
    let runner = Arc::new(Pretended::new(&clock, |_| TimeDelta::seconds(20)));
    let config = config((0..5).map(|number| activation(&format!("a_{number}"), every(3_600))).collect());
    // One look an hour: a look a second is for people who wait.
    let settings =
        Settings { look: Duration::from_secs(3_600), settle: Duration::from_secs(86_400), ..Settings::default() };
    let stop = stop_at(&clock, start() + TimeDelta::days(31));
    let published = service(&config, &runner, &clock, settings).await.run(stop).await;
    // The first of all comes within a minute, and then one an hour.
    assert!((5 * 31 * 24..=5 * (31 * 24 + 1)).contains(&published), "{published}");
    assert_eq!(runner.ran().len() as u64, published);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_runs_may_come_to_its_end_and_is_cancelled_after_the_grace() {
    for (takes, stubborn, ending, seconds) in [
        ((|_| TimeDelta::seconds(20)) as fn(&Job) -> TimeDelta, false, Some(true), 10..=21),
        (|_| TimeDelta::hours(5), false, Some(false), 30..=31),
        (|_| TimeDelta::hours(5), true, None, 40..=41),
    ] {
        let clock: Arc<dyn Clock> = Arc::new(Simulated::at(start()));
        let runner = Arc::new(Pretended { stubborn, ..Pretended::new(&clock, takes) });
        let config = config(vec![activation("a", Refresh::Manual)]);
        let service = service(&config, &runner, &clock, Settings::default()).await;
        let scheduler = service.scheduler();
        let stop = CancellationToken::new();
        let running = tokio::spawn(service.run(stop.clone()));
        let trigger = || Trigger { activation: "a".to_owned(), kind: PublishKind::Manual, receipt: Uuid::from_u128(1) };
        assert_eq!(scheduler.publish(trigger()).await, Asked::Accepted);
        clock.sleep_until(start() + TimeDelta::seconds(5)).await;
        let asked = clock.now();
        stop.cancel();
        running.await.unwrap();
        assert!(
            seconds.contains(&((clock.now() - asked).num_seconds() + 1))
                || seconds.contains(&(clock.now() - asked).num_seconds()),
            "{}",
            clock.now() - asked
        );
        let endings: Vec<bool> = runner.ran().iter().map(|(_, _, ending)| *ending != Ending::Cancelled).collect();
        assert_eq!(endings, Vec::from_iter(ending));
        assert_eq!(scheduler.publish(trigger()).await, Asked::Stopping);
    }
}

/// In real time: a pool full of publishes that take an hour, and one rapid one that is asked for.
#[tokio::test]
async fn a_rapid_publish_starts_within_a_second_while_the_pool_is_full() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let takes: fn(&Job) -> TimeDelta =
        |job| if job.lane == Lane::Rapid { TimeDelta::zero() } else { TimeDelta::hours(1) };
    let runner = Arc::new(Pretended::new(&clock, takes));
    let rapid = Some(Rapid { every: Duration::from_secs(3_600), overlap: Duration::ZERO });
    let mut activations: Vec<_> = (0..40).map(|number| activation(&format!("a_{number}"), Refresh::Manual)).collect();
    activations.push(Activation { rapid, ..activation("quick", Refresh::Manual) });
    let config = config(activations);
    let settings = Settings { grace: Duration::ZERO, ..Settings::default() };
    let service = service(&config, &runner, &clock, settings).await;
    let scheduler = service.scheduler();
    let stop = CancellationToken::new();
    let running = tokio::spawn(service.run(stop.clone()));
    let trigger = |activation: String, kind| Trigger { activation, kind, receipt: Uuid::now_v7() };
    for number in 0..40 {
        let name = format!("a_{number}");
        assert_eq!(scheduler.publish(trigger(name, PublishKind::Manual)).await, Asked::Accepted);
    }
    let asked = Instant::now();
    assert_eq!(scheduler.publish(trigger("quick".to_owned(), PublishKind::Rapid)).await, Asked::Accepted);
    while runner.ran().is_empty() {
        assert!(asked.elapsed() < Duration::from_secs(1), "the rapid publish has not run");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(runner.ran()[0].1.kind, PublishKind::Rapid);
    assert_eq!(scheduler.cancel("a_nothing").await, Asked::Idle);
    assert_eq!(scheduler.cancel("a_0").await, Asked::Accepted);
    stop.cancel();
    running.await.unwrap();
    assert!(runner.ran().iter().skip(1).all(|(_, _, ending)| *ending == Ending::Cancelled));
}

#[tokio::test]
async fn a_pause_written_by_another_process_is_seen_within_two_seconds() {
    let clock: Arc<dyn Clock> = Arc::new(Simulated::at(start()));
    let runner = Arc::new(Pretended::new(&clock, |_| TimeDelta::milliseconds(10)));
    let config = config(vec![activation("a", every(1))]);
    let running = tokio::spawn(
        service(&config, &runner, &clock, Settings::default())
            .await
            .run(stop_at(&clock, start() + TimeDelta::seconds(60))),
    );
    let second = |number| start() + TimeDelta::seconds(number);
    clock.sleep_until(second(20)).await;
    runner.paused.store(true, Ordering::Relaxed);
    clock.sleep_until(second(40)).await;
    runner.paused.store(false, Ordering::Relaxed);
    running.await.unwrap();
    let ran = runner.ran();
    let within = |from, to| ran.iter().filter(|(at, ..)| *at >= second(from) && *at < second(to)).count();
    assert_eq!((within(22, 40), within(42, 60)), (0, 18), "{}", ran.len());
}

#[tokio::test]
async fn what_a_dead_process_left_is_settled_and_one_that_fails_is_let_alone_longer_each_time() {
    let clock: Arc<dyn Clock> = Arc::new(Simulated::at(start()));
    let runner = Arc::new(Pretended::new(&clock, |_| TimeDelta::zero()));
    let config = config(vec![activation("a", Refresh::Manual)]);
    let running = tokio::spawn(
        service(&config, &runner, &clock, Settings::default())
            .await
            .run(stop_at(&clock, start() + TimeDelta::seconds(120))),
    );
    clock.sleep_until(start() + TimeDelta::seconds(10)).await;
    runner.left.lock().unwrap().insert("a".to_owned(), 3);
    running.await.unwrap();
    let settled = runner.settled.lock().unwrap().clone();
    let pauses: Vec<i64> = settled.windows(2).map(|pair| (pair[1] - pair[0]).num_seconds()).collect();
    assert!(settled[0] <= start() + TimeDelta::seconds(14), "{settled:?}");
    assert!(pauses.len() == 3 && pauses.is_sorted() && pauses[2] >= 20, "{pauses:?}");
    assert!(runner.left.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_clock_that_goes_back_lets_what_a_dead_process_left_wait_no_longer_than_its_pause() {
    let clock: Arc<dyn Clock> = Arc::new(Simulated::at(start()));
    let runner = Arc::new(Pretended::new(&clock, |_| TimeDelta::zero()));
    let config = config(vec![activation("a", Refresh::Manual)]);
    let mut service = service(&config, &runner, &clock, Settings::default()).await;
    for seconds in [5, 10] {
        service.settled(vec![("a".to_owned(), Err(crate::publish::code::interrupted()))], start());
        let back = start() - TimeDelta::days(1);
        service.upkeep(back);
        assert_eq!(service.unsettled["a"].0, back + TimeDelta::seconds(seconds));
    }
}
