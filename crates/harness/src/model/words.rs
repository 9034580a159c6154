//! A path through a variant, one line for each step.

use super::check::{Action, Variant};
use super::pilot::{Do, SWEEPER, Step};
use super::world::{Bits, Cause, NOBODY, Outcome, Row, Spec, State};

/// Tells how much may happen.
pub(super) fn bounds(variant: &Variant) -> String {
    let bounds = &variant.bounds;
    let all = [
        (variant.rules.runners, "runners"),
        (bounds.pushes, "pushes"),
        (bounds.edits, "edits"),
        (bounds.rollbacks, "rollbacks"),
        (bounds.crashes, "deaths"),
        (bounds.lost, "lost"),
        (bounds.reruns, "re-runs"),
        (bounds.failures, "failures"),
        (bounds.breaks, "broken"),
        (bounds.sweeps, "sweeps"),
    ];
    let some = all.into_iter().filter(|(count, _)| *count > 0);
    some.map(|(count, word)| format!("{word} {count}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Tells one step: what happened, and the live spec after it.
pub(super) fn step(before: &State, action: Action, after: &State) -> String {
    format!(
        "{}; spec {}",
        happened(before, action, after),
        spec(after.spec)
    )
}

fn happened(before: &State, action: Action, after: &State) -> String {
    match action {
        Action::Ours(me, what) => format!("{} {}", actor(me), does(me, what, after)),
        Action::Sweep(what) => format!("the sweeper, beside a run, {}", does(SWEEPER, what, after)),
        Action::Land(slot) => {
            let put = before.puts[usize::from(slot)];
            let sent = put.map_or_else(String::new, |put| {
                format!("{} of {}", update(put.cause), actor(put.by))
            });
            format!(
                "the {sent} takes effect as deployment {}",
                after.rows().len() - 1
            )
        }
        Action::Reply(slot) => {
            let by = before.puts[usize::from(slot)].map_or(NOBODY, |put| put.by);
            format!("{} gets the reply", actor(by))
        }
        Action::Lose(slot) => {
            let by = before.puts[usize::from(slot)].map_or(NOBODY, |put| put.by);
            format!("{} gives the reply up", actor(by))
        }
        Action::Refuse(slot) => {
            let by = before.puts[usize::from(slot)].map_or(NOBODY, |put| put.by);
            format!(
                "the update of {} is refused, for the app is pinned",
                actor(by)
            )
        }
        Action::Commit => "a person commits the rollback".to_owned(),
        Action::Vanish(_) => "a request that nobody waits for gets lost".to_owned(),
        Action::Begin(place, lapsed) => {
            let row = &after.rows()[usize::from(place)];
            let late = if lapsed == 0 {
                ""
            } else {
                " (a lease is over)"
            };
            format!("deployment {place} {}{late}", begins(row))
        }
        Action::GoLive(place) => format!("the job of deployment {place} ends with 0; it is live"),
        Action::Fail(place) => {
            format!("the job of deployment {place} fails, and so does the deployment")
        }
        Action::LoseLog(place) => {
            format!("the log of the job of deployment {place} is lost; it is live")
        }
        Action::Break(place) => format!("deployment {place} fails for the services' sake"),
        Action::RollBack(target) => {
            format!("the platform goes back to what deployment {target} deployed")
        }
        Action::RollBackByHand(target) => format!("a person rolls back to deployment {target}"),
        Action::Start => format!("{} begins", actor(1)),
        Action::Rerun(me) => format!("{} is begun again", actor(me)),
        Action::Crash(me) => format!("{} dies", actor(me)),
        Action::Push => "somebody pushes a commit".to_owned(),
        Action::Edit(base) => format!(
            "a person who had read {} puts it back with an edit",
            spec(base)
        ),
    }
}

fn does(me: u8, what: Do, after: &State) -> String {
    let runner = after.runners.get(usize::from(me));
    let epoch = runner.map_or(0, |runner| runner.epoch);
    let closed = |place: u8| outcome(after.claims()[usize::from(place)].outcome);
    match what {
        Do::Plan => match runner.map(|runner| runner.step) {
            Some(Step::Care) => format!("follows epoch {epoch}"),
            Some(Step::Claim) => format!("plans epoch {epoch}"),
            _ => "finds nothing left to run".to_owned(),
        },
        Do::MayClaim => "sees nobody else's open claim".to_owned(),
        Do::Claim => format!("claims epoch {epoch}"),
        Do::CloseOlder(place) => format!("closes the older claim {place} as {}", closed(place)),
        Do::Refuse(jobs) => format!(
            "names what the update of {} overwrote, withdraws its claim and ends",
            set("job", jobs)
        ),
        Do::CloseClaim(place) => format!("closes claim {place} as {}", closed(place)),
        Do::Withdraw(_) => "withdraws its claim".to_owned(),
        Do::MayInsert => "sees that it may insert".to_owned(),
        Do::Insert if runner.is_some_and(|runner| runner.step == Step::Wait) => {
            format!("reads the app and sends the insert of epoch {epoch}")
        }
        Do::Insert => "reads the app and finds it no longer free".to_owned(),
        Do::GiveUp => "gives its doubtful insert up".to_owned(),
        Do::ClaimRemoval(epoch) => format!("claims the removal of job {epoch}"),
        Do::Remove(jobs) => format!(
            "reads the app and sends the removal of {}",
            set("job", jobs)
        ),
        Do::Repair(edits) => format!("reads the app and sends a repair to {}", set("edit", edits)),
        Do::EndSweep => "has nothing left to do".to_owned(),
        Do::Close => "finds the job out and nothing to put back, and ends".to_owned(),
    }
}

fn begins(row: &Row) -> String {
    match (row.spec.jobs, row.ran) {
        (0, _) => "is live".to_owned(),
        (_, 0) => "is live, and its job disarms itself".to_owned(),
        (_, ran) => format!("runs the commands of {}", set("job", ran)),
    }
}

fn actor(me: u8) -> &'static str {
    match me {
        0 => "runner A",
        1 => "runner B",
        SWEEPER => "the sweeper",
        _ => "a process that waits no more",
    }
}

fn update(cause: Cause) -> &'static str {
    match cause {
        Cause::Insert => "insert",
        Cause::Remove => "removal",
        Cause::Repair => "repair",
        Cause::First | Cause::Person | Cause::Push | Cause::AutoRollback | Cause::Rollback => {
            "write"
        }
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Open => "open",
        Outcome::Withdrawn => "withdrawn",
        Outcome::NeverStarted => "never started",
        Outcome::Failed => "failed",
        Outcome::Unproven => "unproven",
        Outcome::Done => "done",
    }
}

fn spec(spec: Spec) -> String {
    let parts = [set("edit", spec.edits), set("job", spec.jobs)];
    format!(
        "[{}]",
        parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(", ")
    )
}

fn set(word: &str, bits: Bits) -> String {
    let places = (0..8).filter(|place| bits & 1 << place != 0);
    places
        .map(|place| format!("{word} {place}"))
        .collect::<Vec<_>>()
        .join(", ")
}
