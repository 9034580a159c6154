//! `status`: what of ours is in the app, what ran, what goes on, and what would refuse a run. Reads only.

use crate::args::StatusArgs;
use crate::desk::{self, Desk};
use crate::ledger::file::FileLedger;
use crate::wiring::{self, Access, Found, chain};
use app_spec::{Deployment, DeploymentId, JobKind};
use digitalocean::Error;
use jiff::{Timestamp, tz::TimeZone};
use migration::{
    AppView, Config, Doings, EpochState, FirewallView, History, JobName, Key, LedgerEntry,
    LedgerOutcome, LedgerView, Mode, Observed, PastEpoch, Reason, Refusal, RunMode, RunRecord,
    carried, elapsed, live,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

/// How many pages of 200 deployments are looked back: the ledger knows what is older.
const PAGES: u32 = 1;

/// How many rows that do not tell their jobs are read one by one.
const ROWS_BY_ID: usize = 40;

/// Shows how things stand.
pub(crate) async fn status(desk: Desk<'_>, args: StatusArgs) -> u8 {
    let looked = desk.unless_stopped(look(&desk, &args)).await;
    match looked.and_then(|looked| looked) {
        Ok((config, found, survey)) => {
            let text = text(&found, &survey, &config);
            desk.result(
                desk.redactor.clean(&text).as_str(),
                &cleaned(&desk, document(&found, &survey, &config)),
            );
            Reason::Planned.exit().code()
        }
        Err(refusal) => desk.refuse(refusal),
    }
}

async fn look(desk: &Desk<'_>, args: &StatusArgs) -> Result<(Config, Found, Survey), Refusal> {
    let choices = args.place.choices().or_from(desk.host)?;
    let config = wiring::config(desk.host, &choices)?;
    let wanted = wiring::wanted_app(&choices, None, &config)?;
    let access = wiring::access(desk.host, &choices)?;
    let found = wiring::resolve_app(&access, &wanted).await?;
    let state = wiring::state_folder(desk.host, args.state_dir.as_deref());
    let ledger = state
        .ok()
        .and_then(|state| FileLedger::new(&state, &found.app.id, found.clock).ok());
    let survey = survey(&access, &found, ledger.as_ref()).await?;
    Ok((config, found, survey))
}

/// What the app and the records show.
pub(super) struct Survey {
    pub(super) now: Timestamp,
    pub(super) jobs: Vec<SeenJob>,
    histories: Vec<(Key, History)>,
    in_flight: Vec<Deployment>,
    live: Option<Deployment>,
}

/// A temporary job that the app shows.
pub(super) struct SeenJob {
    pub(super) name: JobName,
    record: Option<RunRecord>,
    in_spec: bool,
    in_live: bool,
    /// Whether a deployment in flight carries it.
    pub(super) in_flight: bool,
    since: Option<Timestamp>,
}

/// Looks at the deployments and the ledger.
pub(super) async fn survey(
    access: &Access,
    found: &Found,
    ledger: Option<&FileLedger>,
) -> Result<Survey, Refusal> {
    let entries = ledger.map_or_else(|| Ok(Vec::new()), FileLedger::all);
    let entries = entries.map_err(|error| {
        Refusal::new(
            Reason::LedgerUnreachable,
            chain(&error),
            "Move the damaged file aside only when you know what ran.",
        )
    })?;
    survey_with(access, found, entries).await
}

/// Looks at the deployments beside what a ledger holds.
pub(super) async fn survey_with(
    access: &Access,
    found: &Found,
    entries: Vec<LedgerEntry>,
) -> Result<Survey, Refusal> {
    let refused = |error: Error| wiring::refused(access, &error);
    let id = &found.app.id;
    let deployments = access
        .client
        .deployments_back(id, PAGES)
        .collect()
        .await
        .map_err(refused)?
        .deployments;
    let mut complete = Vec::with_capacity(deployments.len());
    let mut budget = ROWS_BY_ID;
    for row in deployments {
        if !row.knows_jobs() && budget > 0 {
            budget -= 1;
            match access.client.deployment(id, &row.id).await {
                Ok(read) => complete.push(read.value),
                Err(Error::NotFound { .. }) => complete.push(row),
                Err(error) => return Err(refused(error)),
            }
        } else {
            complete.push(row);
        }
    }
    Ok(of(found, complete, entries))
}

fn of(found: &Found, deployments: Vec<Deployment>, entries: Vec<LedgerEntry>) -> Survey {
    let now = found.clock.now().unwrap_or(Timestamp::UNIX_EPOCH);
    let app = &found.app;
    let seen = Observed {
        now,
        since: now,
        mode: Mode::Sweep,
        stop: None,
        app: AppView::Present(Box::new(app.clone())),
        deployments,
        ledger: LedgerView::Entries(entries),
        logs: BTreeMap::new(),
        lineage: BTreeMap::new(),
        health: Vec::new(),
        health_before: None,
        firewall: FirewallView::Unread,
        doings: Doings::default(),
    };
    let live = live(app, &seen).cloned();
    let records = RunRecord::all(&app.spec);
    let flying = || {
        seen.deployments
            .iter()
            .filter(|one| one.phase.is_in_flight())
    };
    let mut names: BTreeSet<JobName> = records.iter().map(RunRecord::job).collect();
    names.extend(live.as_ref().map(carried).unwrap_or_default());
    names.extend(flying().flat_map(carried));
    let jobs = names.into_iter().map(|name| {
        let carriers = || {
            seen.deployments
                .iter()
                .filter(|one| carried(one).contains(&name))
        };
        let in_deployments = carriers()
            .filter_map(|one| one.spec.as_ref())
            .flat_map(RunRecord::all);
        SeenJob {
            record: records
                .iter()
                .cloned()
                .chain(in_deployments)
                .find(|record| record.job() == name),
            in_spec: records.iter().any(|record| record.job() == name),
            in_live: live
                .as_ref()
                .is_some_and(|live| carried(live).contains(&name)),
            in_flight: carriers().any(|one| one.phase.is_in_flight()),
            since: carriers().filter_map(|one| one.created_at).min(),
            name,
        }
    });
    let jobs = jobs.collect();
    let mut keys: BTreeSet<Key> = seen
        .ledger
        .entries()
        .iter()
        .map(|entry| entry.claim.key.clone())
        .collect();
    keys.extend(
        seen.deployments
            .iter()
            .flat_map(carried)
            .map(|name| name.key),
    );
    keys.extend(records.iter().map(|record| record.key.clone()));
    let histories = keys
        .into_iter()
        .map(|key| (key.clone(), History::of(&key, &seen)))
        .collect();
    let in_flight = flying().cloned().collect();
    Survey {
        now,
        jobs,
        histories,
        in_flight,
        live,
    }
}

/// Deploy-time jobs that are neither ours nor declared: a run would be refused for them.
fn undeclared<'a>(found: &'a Found, config: &'a Config) -> impl Iterator<Item = &'a str> {
    let declared = |name: &str| {
        config
            .accept_jobs
            .iter()
            .chain(&config.also_stale)
            .any(|known| known.as_str() == name)
    };
    found
        .app
        .spec
        .jobs()
        .filter(|job| RunRecord::of(job).is_none())
        .filter_map(move |job| {
            let runs = match job.job_kind() {
                JobKind::PreDeploy | JobKind::PostDeploy | JobKind::Other(_) => true,
                JobKind::FailedDeploy | JobKind::Scheduled => false,
            };
            (runs && !declared(job.name())).then_some(job.name())
        })
}

/// Returns how things stand, for people.
pub(super) fn text(found: &Found, survey: &Survey, config: &Config) -> String {
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

fn lease(job: &SeenJob) -> Option<Timestamp> {
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

fn migration_of(history: &History) -> Option<String> {
    let named = |epoch: &PastEpoch| match (&epoch.record, epoch.claims.first()) {
        (Some(record), _) => Some(record.migration.to_string()),
        (None, entry) => entry.map(|entry| entry.claim.migration.to_string()),
    };
    history.epochs.iter().rev().find_map(named)
}

fn document(found: &Found, survey: &Survey, config: &Config) -> Value {
    let app = &found.app;
    let id = |id: &DeploymentId| id.as_str().to_owned();
    let jobs = survey.jobs.iter().map(|job| {
        json!({
            "name": job.name.to_string(),
            "key": job.name.key.as_str(),
            "epoch": job.name.epoch.0,
            "migration": job.record.as_ref().map(|record| record.migration.to_string()),
            "repository": job.record.as_ref().and_then(|record| record.repository.clone()),
            "pull_request": job.record.as_ref().and_then(|record| record.pr),
            "in_spec": job.in_spec,
            "in_live_deployment": job.in_live,
            "alive": job.in_flight,
            "since": job.since.map(|at| at.to_string()),
            "starts_no_later_than": lease(job).map(|at| at.to_string()),
        })
    });
    let migrations = survey.histories.iter().map(|(key, history)| {
        let epochs = history.epochs.iter().map(|epoch| {
            json!({
                "epoch": epoch.epoch.0,
                "state": state(epoch),
                "outcome": match &epoch.state {
                    EpochState::Open => Value::Null,
                    EpochState::Ended(outcome) => json!(outcome),
                },
                "checks_only": epoch.mode() == RunMode::ChecksOnly,
                "steps": epoch.steps().iter().map(|step| step.name.as_str()).collect::<Vec<_>>(),
                "authority": epoch.authority().map(ToString::to_string),
                "repository": epoch.repository(),
                "pull_request": epoch.pull_request(),
                "deployments": epoch.carriers.iter().map(id).collect::<Vec<_>>(),
            })
        });
        json!({ "key": key.as_str(), "migration": migration_of(history), "epochs": epochs.collect::<Vec<_>>() })
    });
    let in_flight = survey.in_flight.iter().map(|one| {
        json!({
            "id": one.id.as_str(),
            "phase": one.phase.to_string(),
            "cause": one.cause,
            "created_at": one.created_at.map(|at| at.to_string()),
        })
    });
    json!({
        "schema_version": desk::SCHEMA_VERSION,
        "at": survey.now.to_string(),
        "app": {
            "id": app.id.as_str(),
            "name": app.spec.name(),
            "live_deployment": survey.live.as_ref().map(|live| id(&live.id)),
            "pinned_to": app.pinned.as_ref().map(|pinned| id(&pinned.id)),
        },
        "jobs": jobs.collect::<Vec<_>>(),
        "migrations": migrations.collect::<Vec<_>>(),
        "in_flight": in_flight.collect::<Vec<_>>(),
        "undeclared_jobs": undeclared(found, config).collect::<Vec<_>>(),
    })
}

fn state(epoch: &PastEpoch) -> &'static str {
    match &epoch.state {
        EpochState::Open if epoch.in_flight => "under-way",
        EpochState::Open if epoch.inserted() => "unread",
        EpochState::Open => "claimed",
        EpochState::Ended(_) => "ended",
    }
}

/// Returns the document with all text in it cleaned: names and causes are other people's.
pub(super) fn cleaned(desk: &Desk<'_>, value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(desk.redactor.clean(&text).to_string()),
        Value::Array(items) => items.into_iter().map(|item| cleaned(desk, item)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| (key, cleaned(desk, value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}
