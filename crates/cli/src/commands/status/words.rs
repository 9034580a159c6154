//! How things stand, for people.

use super::{SeenJob, Survey, undeclared};
use crate::wiring::Found;
use jiff::{Timestamp, tz::TimeZone};
use migration::{Config, EpochState, History, LedgerOutcome, PastEpoch, RunMode, elapsed};
use std::fmt::Write as _;
use std::time::Duration;

/// Returns how things stand, for people.
pub(in crate::commands) fn text(found: &Found, survey: &Survey, config: &Config) -> String {
    let app = &found.app;
    let mut out = format!("App {} ({})\n", app.spec.name(), app.id);
    let mut line = |text: String| {
        // Writing into a String can't fail.
        let _written = writeln!(out, "{text}");
    };
    match &survey.live {
        Some(live) => line(format!(
            "  live: deployment {}{}",
            live.id,
            age(live.created_at, survey.now)
        )),
        None => line("  nothing is live; a run would be refused".to_owned()),
    }
    if let Some(pinned) = &app.pinned {
        line(format!(
            "  pinned to deployment {} by a rollback: commit or revert it in the control panel; until then a run is refused",
            pinned.id
        ));
    }
    for deployment in &survey.in_flight {
        let cause = if deployment.cause.is_empty() {
            String::new()
        } else {
            format!(", {}", deployment.cause)
        };
        line(format!(
            "  in flight: deployment {} is {}{}{cause}",
            deployment.id,
            deployment.phase,
            age(deployment.created_at, survey.now)
        ));
    }
    for job in undeclared(found, config) {
        line(format!(
            "  undeclared: job {job} runs with every deployment; a run is refused until the config says `accept-jobs` or `also-stale`"
        ));
    }
    line(String::new());
    if survey.jobs.is_empty() {
        line("No temporary job is in the app.".to_owned());
    } else {
        line("Temporary jobs in the app:".to_owned());
    }
    for job in &survey.jobs {
        line(format!("  {}{}", job.name, about(job, survey)));
    }
    line(String::new());
    if survey.histories.is_empty() {
        line("No migration is on record.".to_owned());
    } else {
        line("Migrations on record:".to_owned());
    }
    for (key, history) in &survey.histories {
        let name = migration_of(history).unwrap_or_else(|| "(unnamed)".to_owned());
        line(format!("  {name} (key {key})"));
        for epoch in &history.epochs {
            line(format!(
                "    epoch {}: {}{}",
                epoch.epoch,
                ended(epoch),
                by(epoch)
            ));
        }
    }
    out
}

fn about(job: &SeenJob, survey: &Survey) -> String {
    let mut text = String::new();
    if let Some(record) = &job.record {
        text.push_str(&format!(
            ", migration {}, from {}",
            record.migration,
            asker(record.repository.as_deref(), record.pr)
        ));
    }
    text.push_str(&age(job.since, survey.now));
    text.push_str(match (job.in_spec, job.in_live) {
        (true, true) => "; in the spec and in the live deployment",
        (true, false) => "; in the spec",
        (false, true) => "; in the live deployment only",
        (false, false) => "; in a deployment in flight only",
    });
    text.push_str(if job.in_flight {
        "; its run is alive (`stop` ends it)"
    } else {
        "; left behind (`reap` takes it out)"
    });
    if let Some(at) = lease(job) {
        let state = if at <= survey.now {
            "its lease is over: a new start runs nothing"
        } else {
            "starts no later than"
        };
        let until = if at <= survey.now {
            String::new()
        } else {
            format!(" {}", at.to_zoned(TimeZone::UTC).strftime("%H:%M UTC"))
        };
        text.push_str(&format!("; {state}{until}"));
    }
    text
}

/// Returns until when the job may start.
pub(super) fn lease(job: &SeenJob) -> Option<Timestamp> {
    let seconds = job.record.as_ref()?.not_after;
    (seconds > 0)
        .then(|| Timestamp::from_second(seconds).ok())
        .flatten()
}

fn ended(epoch: &PastEpoch) -> String {
    let checks = if epoch.mode() == RunMode::ChecksOnly {
        "checks only, "
    } else {
        ""
    };
    let how = match &epoch.state {
        EpochState::Open if epoch.in_flight => "under way".to_owned(),
        EpochState::Open if epoch.inserted() => {
            "ended; how is in its log (`harbor-pilot logs`)".to_owned()
        }
        EpochState::Open => "claimed, not inserted".to_owned(),
        EpochState::Ended(LedgerOutcome::Done) => "done".to_owned(),
        EpochState::Ended(LedgerOutcome::Failed {
            step,
            code,
            check: false,
        }) => format!("failed at step {step} (exit code {code})"),
        EpochState::Ended(LedgerOutcome::Failed {
            step,
            code,
            check: true,
        }) => format!("stopped at the check of step {step} (exit code {code})"),
        EpochState::Ended(LedgerOutcome::Unproven { done }) => {
            format!("unproven; {done} of its steps are proven done")
        }
        EpochState::Ended(LedgerOutcome::NeverStarted) => "never started".to_owned(),
        EpochState::Ended(LedgerOutcome::Withdrawn) => "gave way to another runner".to_owned(),
    };
    format!("{checks}{how}")
}

fn by(epoch: &PastEpoch) -> String {
    let steps: Vec<&str> = epoch
        .steps()
        .iter()
        .map(|step| step.name.as_str())
        .collect();
    let steps = if steps.is_empty() {
        String::new()
    } else {
        format!("; steps {}", steps.join(", "))
    };
    format!(
        "{steps}; from {}",
        asker(epoch.repository().as_deref(), epoch.pull_request())
    )
}

fn asker(repository: Option<&str>, number: Option<u64>) -> String {
    match (repository, number) {
        (Some(repository), Some(number)) => format!("{repository}#{number}"),
        (Some(repository), None) => repository.to_owned(),
        (None, Some(number)) => format!("pull request #{number}"),
        (None, None) => "the command line".to_owned(),
    }
}

fn age(since: Option<Timestamp>, now: Timestamp) -> String {
    since.map_or_else(String::new, |since| {
        format!(", {} ago", span(elapsed(since, now)))
    })
}

fn span(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    match (minutes / 1440, minutes / 60) {
        (0, 0) => format!("{minutes} min"),
        (0, hours) => format!("{hours} h {} min", minutes % 60),
        (days, hours) => format!("{days} d {} h", hours % 24),
    }
}

/// Returns the id of the migration, as its newest epoch tells it.
pub(super) fn migration_of(history: &History) -> Option<String> {
    let named = |epoch: &PastEpoch| match (&epoch.record, epoch.claims.first()) {
        (Some(record), _) => Some(record.migration.to_string()),
        (None, entry) => entry.map(|entry| entry.claim.migration.to_string()),
    };
    history.epochs.iter().rev().find_map(named)
}
