//! The loop: observe → next → act, told as one stream of events.
//!
//! This is the only module that waits for more than one thing at a time.

use crate::act::Writer;
use crate::cancel::StopSignal;
use crate::event::Teller;
use crate::ledger::{Ledger, Lineage};
use crate::observe::Observer;
use crate::poll::Pace;
use crate::preflight;
use app_spec::AppId;
use digitalocean::{Client, Transport};
use migration::{
    Action, CleanUp, CleanUpAxis, Event, Goal, Happening, JobAxis, Key, LedgerOutcome, Mode, Next,
    Plan, Planned, Purpose, Reason, Redactor, Refusal, Report, Request, Stop, Verdict, WaitFor,
    bounds, elapsed, left_to_a_person, next, stopped,
};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How many effects may follow each other without a wait; more means that nothing comes of them.
const EFFECTS_IN_A_ROW: u32 = 12;

/// How often one run may plan again because the app changed under it: once for the merge's deployment, and some for
/// other people's edits.
const REPLANS: u32 = 12;

/// How often a job that is proven never to have started is tried again by itself.
const TRIES_AGAIN: u32 = 2;

/// Everything a run needs from outside.
pub struct Harbor {
    /// The platform.
    pub client: Client,
    /// The app.
    pub app: AppId,
    /// Reaches the app's own address, without a credential.
    pub transport: Transport,
    /// Where claims and verdicts stand; without one nothing is ever inserted.
    pub ledger: Option<Arc<dyn Ledger>>,
    /// Whether one commit contains another.
    pub lineage: Arc<dyn Lineage>,
    /// Cleans everything that is told.
    pub redactor: Redactor,
    /// How much faster than real time the platform's clock runs.
    pub pace: Pace,
    /// Where whole job logs are kept; nothing keeps them from disk.
    pub log_folder: Option<PathBuf>,
    /// Where events go.
    pub events: mpsc::Sender<Event>,
    /// How a stop reaches the run.
    pub stop: StopSignal,
}

/// How a run ended, with everything a report shows.
#[derive(Debug)]
pub struct Ended {
    /// The finished report; always holds a verdict, a refusal, or the steps that were done already.
    pub report: Report,
    /// The one reason.
    pub reason: Reason,
}

/// Makes the plan and shows it; has no way to write.
///
/// # Cancel safety
/// Safe.
pub async fn plan(harbor: &Harbor, request: Request) -> Ended {
    let mut world = Observer::new(harbor);
    let mut tell = Teller::new(harbor.events.clone(), harbor.redactor.clone());
    match preflight::plan(harbor, request, Purpose::Preview, &mut world, &mut tell).await {
        Ok(planned) => settle(planned, &mut tell, &world),
        Err(refusal) => refused(refusal, tell, &world),
    }
}

/// Sweeps, plans, runs the migration and puts the app back.
///
/// # Cancel safety
/// Not safe for the report; safe for the app: whoever looks next (post step, sweeper, re-run) goes on.
pub async fn migrate(harbor: &Harbor, request: Request) -> Ended {
    let mut run = Run::new(harbor, request.settings.also_stale.clone());
    let sweep = CleanUp {
        also_stale: request.settings.also_stale.clone(),
        ..CleanUp::default()
    };
    let swept = run.clean(sweep, Mode::Sweep).await;
    if let Some(refusal) = preflight::unswept(&swept, &run.world) {
        return refused(refusal, run.tell, &run.world);
    }
    let (mut again, mut replans) = (0, 0);
    // The last plan that is done, where another one comes after it.
    let mut last: Option<Box<Plan>> = None;
    while replans < REPLANS {
        let (plan, rest) = match run.plan(harbor, request.clone()).await {
            Ok(Planned::Run(plan)) => {
                let at = run.world.seen.now;
                run.tell.tell(at, Happening::Planned(plan.clone()));
                (plan, None)
            }
            Ok(planned) => match last.take() {
                None => return settle(planned, &mut run.tell, &run.world),
                // Another run did what was left. What is said of this run's own part must be true now.
                Some(plan) => (plan, Some(planned)),
            },
            Err(refusal) => return refused(refusal, run.tell, &run.world),
        };
        let job = plan.job();
        run.world.begin(Mode::Main, [plan.key.clone()]);
        let Some(verdict) = run.drive(Goal::Migrate(plan.clone())).await else {
            replans += 1;
            last = rest.map(|_| plan).or(last);
            continue;
        };
        let out = verdict.clean_up == CleanUpAxis::Verified;
        let never_started = out && verdict.job == JobAxis::NeverStarted;
        if never_started && again < TRIES_AGAIN && !stopped(&job, &run.world.seen) {
            again += 1;
            run.tell.warn(
                &run.world.clock,
                format_args!("the job never started; it is tried again ({again} of {TRIES_AGAIN})"),
            );
            continue;
        }
        let at = run.world.seen.now;
        match (verdict.reason, rest) {
            (Reason::Done, None) if !plan.left.is_empty() => {
                let steps = plan.steps.iter().map(|step| step.name.clone()).collect();
                let unproven = verdict.facts.unproven;
                run.tell.tell(at, Happening::PartDone { steps, unproven });
                last = Some(plan);
            }
            (Reason::Done, Some(Planned::AlreadyDone(done))) => {
                let steps = done.into_iter().map(|done| done.step.name).collect();
                let unproven = Vec::new();
                run.tell.tell(at, Happening::PartDone { steps, unproven });
                return run.ended(verdict);
            }
            // Of the whole, the other run's end counts.
            (Reason::Done, Some(ended)) => return settle(ended, &mut run.tell, &run.world),
            _ => return run.ended(verdict),
        }
    }
    let refusal = Refusal::new(
        Reason::DeploymentInFlight,
        format!(
            "the app kept changing: planned {REPLANS} times, and each time it was edited before the job could go in"
        ),
        "Find out who edits it, then run again. Nothing of ours is in the app.",
    );
    refused(refusal, run.tell, &run.world)
}

/// Takes out temporary jobs that a run left behind; never inserts.
///
/// # Cancel safety
/// Safe for the app: a removal that is cut off is looked at by whoever comes next.
pub async fn clean(harbor: &Harbor, goal: CleanUp, mode: Mode) -> Ended {
    let mut run = Run::new(harbor, goal.also_stale.clone());
    if mode == Mode::Post {
        run.world.client = run.world.client.in_a_hurry();
        run.writer.client = run.writer.client.in_a_hurry();
    }
    let verdict = run.clean(goal, mode).await;
    if let Some(refusal) = preflight::unseen(&run.world) {
        return refused(refusal, run.tell, &run.world);
    }
    run.ended(verdict)
}

struct Run {
    world: Observer,
    writer: Writer,
    tell: Teller,
    pace: Pace,
    stop: StopSignal,
    begun: Instant,
}

impl Run {
    fn new(harbor: &Harbor, also_stale: Vec<app_spec::ComponentName>) -> Self {
        Self {
            world: Observer::new(harbor),
            writer: Writer {
                client: harbor.client.clone(),
                app: harbor.app.clone(),
                ledger: harbor.ledger.clone(),
                also_stale,
            },
            tell: Teller::new(harbor.events.clone(), harbor.redactor.clone()),
            pace: harbor.pace,
            stop: harbor.stop.clone(),
            begun: Instant::now(),
        }
    }

    /// Makes the plan; a signal meanwhile refuses it, for nothing was sent yet.
    async fn plan(&mut self, harbor: &Harbor, request: Request) -> Result<Planned, Refusal> {
        let mut stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop.asked() => Err(preflight::interrupted()),
            planned = preflight::plan(harbor, request, Purpose::Run, &mut self.world, &mut self.tell) => planned,
        }
    }

    async fn clean(&mut self, goal: CleanUp, mode: Mode) -> Verdict {
        let keys: Vec<Key> = goal.keys.iter().flatten().cloned().collect();
        self.world.begin(mode, keys);
        // A clean-up is never planned again, so that it always ends.
        loop {
            if let Some(verdict) = self.drive(Goal::Clean(goal.clone())).await {
                return verdict;
            }
        }
    }

    /// Carries `goal` out; nothing when it must be planned again.
    async fn drive(&mut self, goal: Goal) -> Option<Verdict> {
        let plan = match &goal {
            Goal::Migrate(plan) => Some(plan.as_ref().clone()),
            Goal::Clean(_) => None,
        };
        let mut effects = 0;
        loop {
            let mut stop = self.stop.clone();
            let end = self.end(plan.as_ref());
            let step = self.step(&goal, plan.as_ref(), &mut effects);
            let why = tokio::select! {
                biased;
                () = stop.asked() => Stop::Signal,
                () = over(end) => Stop::OutOfTime,
                ended = step => match ended {
                    Step::Again => continue,
                    Step::Replan => return None,
                    Step::Ended(verdict) => return Some(*verdict),
                },
            };
            // No look and no write after this: seconds are left, and the next actor looks anyway.
            self.world.seen.stop = Some(why);
            return match next(&goal, &self.world.seen) {
                Next::Done(verdict) => Some(*verdict),
                Next::Do(_) | Next::Wait(_) | Next::Replan => None,
            };
        }
    }

    /// When this process is over, whatever is open.
    fn end(&self, plan: Option<&Plan>) -> Instant {
        let seen = &self.world.seen;
        let time = bounds::own_time(seen.mode, plan) + seen.stood_still;
        self.begun + self.pace.local(time) + bounds::LAST_REQUEST
    }

    async fn step(&mut self, goal: &Goal, plan: Option<&Plan>, effects: &mut u32) -> Step {
        let still = self.world.look(plan.map(|plan| &plan.request)).await;
        if !still.is_zero() {
            // What was looked at may be as old as that.
            self.tell.stood_still(self.world.seen.now, still);
            self.world.look_afresh();
            return Step::Again;
        }
        self.tell.phases(&self.world.seen, plan);
        if let Some(plan) = plan {
            self.tell.put_back(&self.world.seen, plan);
        }
        match next(goal, &self.world.seen) {
            Next::Do(Action::Record { .. }) if !self.world.has_read_the_ledger() => {
                self.world.ledger_due = true;
                Step::Again
            }
            Next::Do(action) => {
                tracing::debug!(?action, "next");
                if matches!(action, Action::Record { .. }) {
                    let places = left_to_a_person(goal, &self.world.seen);
                    self.tell.overwritten(self.world.seen.now, places);
                }
                // Logs have a pace of their own, and a busy app has dozens.
                *effects += u32::from(!matches!(action, Action::FetchLog { .. }));
                self.writer
                    .act(action, plan, &mut self.world, &mut self.tell)
                    .await;
                if *effects > EFFECTS_IN_A_ROW {
                    // Once, and not after each of the next ones: a claim must be used within a minute.
                    *effects = 0;
                    tokio::time::sleep(self.pace.local(bounds::POLL_MAX)).await;
                }
                Step::Again
            }
            Next::Wait(wait) => {
                *effects = 0;
                self.tell.wait(self.world.seen.now, &wait.what);
                // What is waited for stands in the ledger.
                let is_claim = matches!(wait.what, WaitFor::OlderClaim | WaitFor::ClaimVisible);
                self.world.ledger_due |= is_claim;
                let left = elapsed(self.world.seen.now, wait.until);
                // At least a second there: a bound that falls between two seconds of `Date` must not spin.
                let poll = self.pace.between_looks(wait.poll);
                let span = poll.min(left).max(std::time::Duration::from_secs(1));
                tokio::time::sleep(self.pace.local(span)).await;
                Step::Again
            }
            Next::Replan => {
                if let Some(made) = self.world.seen.doings.claim.clone() {
                    let (writer, world, tell) = (&self.writer, &mut self.world, &mut self.tell);
                    writer
                        .record(made.id, &LedgerOutcome::Withdrawn, world, tell)
                        .await;
                }
                Step::Replan
            }
            // What is said last must be true now, and not two minutes ago.
            Next::Done(_) if self.world.is_believing() => {
                self.world.look_afresh();
                Step::Again
            }
            Next::Done(verdict) => Step::Ended(verdict),
        }
    }

    fn ended(mut self, verdict: Verdict) -> Ended {
        let reason = verdict.reason;
        self.tell
            .tell(self.world.seen.now, Happening::Ended(Box::new(verdict)));
        Ended {
            report: self.tell.report,
            reason,
        }
    }
}

/// Waits until `end`. Whoever learns late that it is over has stood still, and looks once more before it ends: that look tells
/// for how long.
async fn over(mut end: Instant) {
    loop {
        tokio::time::sleep_until(end).await;
        if end.elapsed() < bounds::POLL_MIN {
            return;
        }
        end = Instant::now() + bounds::LAST_REQUEST;
    }
}

enum Step {
    Again,
    Replan,
    Ended(Box<Verdict>),
}

/// Ends a run that has nothing to carry out.
fn settle(planned: Planned, tell: &mut Teller, world: &Observer) -> Ended {
    let at = world.seen.now;
    let reason = match planned {
        Planned::Run(plan) => {
            tell.tell(at, Happening::Planned(plan));
            Reason::Planned
        }
        Planned::AlreadyDone(steps) => {
            let cleaned_up = !world.seen.wrote.is_empty();
            tell.tell(at, Happening::AlreadyDone { steps, cleaned_up });
            Reason::AlreadyDone
        }
        Planned::AlreadyEnded(ended) => {
            let reason = ended.reason();
            tell.tell(at, Happening::AlreadyEnded(ended));
            reason
        }
    };
    let report = std::mem::take(&mut tell.report);
    Ended { report, reason }
}

fn refused(refusal: Refusal, mut tell: Teller, world: &Observer) -> Ended {
    let reason = refusal.reason;
    tell.tell(world.seen.now, Happening::Refused(refusal));
    Ended {
        report: tell.report,
        reason,
    }
}
