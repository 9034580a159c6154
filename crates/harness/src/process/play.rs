//! One run: the program works until the chosen request arrives, dies or is asked to end there, and somebody comes after
//! it.
//!
//! The request is one that the simulator never answers, with its effect or without. That it has arrived is heard of from
//! the simulator; nothing is timed. A killed process has no say in when it dies, so its next request may be on its way
//! too, as with any real one.

use super::call;
use super::child::{Ended, Process, Program, Signal};
use super::judge::is_clean;
use super::stage::{Role, Stage, Way, Written};
use crate::scene::SWEEPS;
use crate::shown::is_in_flight;
use jiff::Timestamp;
use serde_json::Value;
use sim::{Applied, Fault, FaultKind, Request};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;
use tokio::time::Instant;

/// How long a process may take at the platform's pace, by what it is there for, as `invariants` has it.
const MAIN: Duration = Duration::from_secs(110 * 60);
const SWEEP: Duration = Duration::from_secs(60 * 60);
const POST: Duration = Duration::from_secs(285);
/// What comes on top at this machine's own pace: to start, and for the last request's answer.
const SLACK: Duration = Duration::from_secs(10);
/// How long a machine is suspended: past the run's own time.
const SUSPENDED: Duration = Duration::from_secs(3 * 60 * 60);
/// How often it is looked whether the request has arrived at which that happens.
const ARRIVED: Duration = Duration::from_millis(1);
/// How long the platform may take to come to rest: more than its longest chain of deployments here.
const REST: Duration = Duration::from_secs(2 * 60 * 60);

/// How often somebody looks whether it has.
const LOOK_EVERY: Duration = Duration::from_secs(12);

/// Which request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum At {
    /// None: the run is left alone.
    Never,
    /// The how-manieth of all.
    Nth(u32),
    /// The first of a call.
    First(String),
}

/// What becomes of the process there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Killed,
    Interrupted,
    Terminated,
    /// It is stopped, and goes on when three hours have passed on the platform, as on a machine that was suspended.
    Suspended,
}

impl End {
    pub(crate) fn signal(self) -> Signal {
        match self {
            Self::Killed => Signal::KILL,
            Self::Interrupted => Signal::INT,
            Self::Terminated => Signal::TERM,
            Self::Suspended => Signal::STOP,
        }
    }
}

/// What is played.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) way: Way,
    pub(crate) at: At,
    pub(crate) effect: Effect,
    pub(crate) end: End,
    pub(crate) by: Role,
}

/// Whether the request that is never answered has its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    Before,
    After,
}

impl Cell {
    /// What keeps the process at its request; whoever is to go on gets its answer.
    fn fault(&self) -> Option<Fault> {
        if self.end == End::Suspended {
            return None;
        }
        let applied = match self.effect {
            Effect::Before => Applied::No,
            Effect::After => Applied::Yes,
        };
        let silence = FaultKind::Timeout { applied };
        match &self.at {
            At::Never => None,
            At::Nth(nth) => Some(Fault::next("/*", silence).nth(*nth)),
            At::First(call) => Some(call::first(call, silence)),
        }
    }
}

/// How one process went.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) role: Role,
    /// The platform's time when it was started.
    pub(crate) since: Timestamp,
    pub(crate) ended: Ended,
    /// From the signal to its end, where it got one.
    pub(crate) after_signal: Option<Duration>,
    pub(crate) written: Written,
    /// Its requests, by their places in the record.
    pub(crate) requests: Range<usize>,
    /// The world, and the steps that had taken effect, when it ended.
    pub(crate) state: Value,
    pub(crate) effects: Vec<String>,
}

/// Everything about one run.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) cell: Cell,
    /// The request at which it happened; nothing where the run ended before.
    pub(crate) struck: Option<Request>,
    pub(crate) gone: Vec<Gone>,
    pub(crate) at_start: Value,
    pub(crate) at_rest: bool,
    pub(crate) requests: Vec<Request>,
    pub(crate) state: Value,
    pub(crate) effects: Vec<String>,
    /// All that was written to a file of this run, by the file's name.
    pub(crate) files: Vec<(String, String)>,
}

/// Plays one cell.
pub(crate) async fn play(program: &Program, pace: f64, cell: Cell) -> Played {
    let stage = Stage::new(cell.way, pace).await;
    let at_start = stage.world.state();
    let mut run = Run {
        program,
        stage: &stage,
        gone: Vec::new(),
    };
    if let Some(fault) = cell.fault() {
        stage.world.arm(fault);
    }
    let struck = run.main(&cell).await;
    stage.world.disarm();
    let mut at_rest = true;
    if struck.is_some() {
        run.later(cell.by).await;
        at_rest = run.sweep_up().await;
    }
    let requests = stage.world.requests();
    let place = |time| requests.partition_point(|request| request.at < time);
    let mut gone = run.gone;
    let ends: Vec<usize> = gone.iter().skip(1).map(|next| place(next.since)).collect();
    for (gone, end) in gone
        .iter_mut()
        .zip(ends.into_iter().chain([requests.len()]))
    {
        gone.requests = place(gone.since)..end;
    }
    Played {
        struck,
        gone,
        at_start,
        at_rest,
        requests,
        state: stage.world.state(),
        effects: stage.effects(),
        files: stage.files(),
        cell,
    }
}

struct Run<'a> {
    program: &'a Program,
    stage: &'a Stage,
    gone: Vec<Gone>,
}

impl Run<'_> {
    /// Runs the first process, and returns the request at which it died or got its signal.
    async fn main(&mut self, cell: &Cell) -> Option<Request> {
        let since = self.stage.world.now();
        let start = self.stage.start(Role::Main, &BTreeMap::new());
        let folder = start.folder.clone();
        let mut process = Process::start(self.program, start);
        let patience = self.patience(Role::Main);
        let by_itself = tokio::select! {
            biased;
            request = self.arrived(cell) => Err(request),
            ended = process.ended(patience) => Ok(ended),
        };
        let (ended, struck, after_signal) = match by_itself {
            Ok(ended) => (ended, None, None),
            Err(request) => {
                process.signal(cell.end.signal());
                let goes_on = cell.end == End::Suspended;
                if goes_on {
                    self.stage.world.skip(SUSPENDED);
                    process.signal(Signal::CONT);
                }
                let since = Instant::now();
                let ended = process.ended(patience).await;
                let took = since.elapsed();
                (ended, Some(request), (!goes_on).then_some(took))
            }
        };
        let written = Written::read(&folder);
        self.note((Role::Main, since), ended, after_signal, written);
        struck
    }

    /// Waits for the request at which it happens.
    async fn arrived(&self, cell: &Cell) -> Request {
        if cell.end != End::Suspended {
            return self.stage.world.unanswered().await;
        }
        loop {
            let found = match &cell.at {
                At::Never => None,
                At::Nth(nth) => self
                    .stage
                    .world
                    .requests()
                    .into_iter()
                    .nth(*nth as usize - 1),
                At::First(name) => {
                    let mut requests = self.stage.world.requests().into_iter();
                    requests.find(|request| call::name(request) == *name)
                }
            };
            match found {
                Some(request) => return request,
                None => tokio::time::sleep(ARRIVED).await,
            }
        }
    }

    /// Runs one that comes later, to its own end.
    async fn later(&mut self, role: Role) {
        let since = self.stage.world.now();
        let saved = match (role, self.gone.first()) {
            (Role::Post, Some(main)) => main.written.saved.clone(),
            _ => BTreeMap::new(),
        };
        let start = self.stage.start(role, &saved);
        let folder = start.folder.clone();
        let mut process = Process::start(self.program, start);
        let ended = process.ended(self.patience(role)).await;
        self.note((role, since), ended, None, Written::read(&folder));
    }

    fn note(
        &mut self,
        (role, since): (Role, Timestamp),
        ended: Ended,
        after_signal: Option<Duration>,
        written: Written,
    ) {
        self.gone.push(Gone {
            role,
            since,
            ended,
            after_signal,
            written,
            requests: 0..0,
            state: self.stage.world.state(),
            effects: self.stage.effects(),
        });
    }

    fn patience(&self, role: Role) -> Duration {
        let there = match role {
            Role::Main | Role::Rerun => MAIN,
            Role::Sweep => SWEEP,
            Role::Post => POST,
        };
        self.stage.local(there) + SLACK
    }

    /// Waits until the platform is at rest and sweeps until the app is clean, three times at most; returns whether it
    /// came to rest each time.
    async fn sweep_up(&mut self) -> bool {
        let mut at_rest = self.rest().await;
        for _ in 0..SWEEPS {
            if is_clean(&self.stage.world.state()) {
                break;
            }
            self.later(Role::Sweep).await;
            at_rest &= self.rest().await;
        }
        at_rest
    }

    async fn rest(&self) -> bool {
        let flying = || {
            let state = self.stage.world.state();
            let deployments = state["apps"][0]["deployments"].as_array();
            deployments
                .into_iter()
                .flatten()
                .any(|one| one["phase"].as_str().is_some_and(is_in_flight))
        };
        let wait = async {
            while flying() {
                tokio::time::sleep(self.stage.local(LOOK_EVERY)).await;
            }
        };
        tokio::time::timeout(self.stage.local(REST), wait)
            .await
            .is_ok()
    }
}
