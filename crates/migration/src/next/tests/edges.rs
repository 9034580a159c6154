//! The edges of each wait and guard: what follows just before a bound, at it, and where a condition does not hold.

use super::*;
use crate::next::bounds;
use app_spec::FirewallRules;
use jiff::SignedDuration;

mod carrier;
mod earlier;
mod end;
mod insert;
mod removal;
mod verdict;
mod words;

fn at(mut world: Observed, now: &str) -> Observed {
    world.now = time(now);
    world
}

fn in_mode(mut world: Observed, mode: Mode) -> Observed {
    world.mode = mode;
    world
}

/// How far the platform says the job in `row` is.
fn job_step(mut row: Value, status: &str, started: Option<&str>) -> Value {
    let step = &mut row["progress"]["steps"][1]["steps"][0];
    step["status"] = json!(status);
    step["started_at"] = json!(started.map(time));
    row
}

/// Our deployment is under way: made at 00:31:00, in this phase, with its job at this step.
fn under_way(phase: &str, step: &str, started: Option<&str>, created: &str) -> Observed {
    let jobs = [job(NONCE)];
    let rows = [
        job_step(deployment("d2", phase, created, &jobs), step, started),
        deployment("d1", "ACTIVE", "00:10:00", &[]),
    ];
    inserted(seen("00:31:30", &jobs, "d1", &rows), created, ours())
}

fn d(id: &str) -> DeploymentId {
    DeploymentId::new(id)
}

fn cancel() -> Next {
    Next::Do(Action::Cancel(d("d2")))
}

fn remove() -> Next {
    Next::Do(Action::Remove(vec![job_name().component()]))
}

pub(super) fn removal(at: &str, outcome: PutResult) -> Put {
    Put {
        at: time(at),
        outcome,
        sent: sent(),
        retry_after: None,
    }
}

fn wait_of(next: &Next) -> &Wait {
    match next {
        Next::Wait(wait) => wait,
        other @ (Next::Do(_) | Next::Replan | Next::Done(_)) => panic!("not waiting: {other:?}"),
    }
}
