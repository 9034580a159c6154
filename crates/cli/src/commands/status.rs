//! `status`: what of ours is in the app, what ran, what goes on, and what would refuse a run. Reads only.

mod document;
mod words;

use crate::args::StatusArgs;
use crate::desk::Desk;
use crate::ledger::file::FileLedger;
use crate::wiring::{self, Access, Found, chain};
use app_spec::{Deployment, JobKind};
use digitalocean::Error;
use jiff::Timestamp;
use migration::{
    AppView, Config, History, JobName, Key, LedgerEntry, LedgerView, Mode, Observed, Reason,
    Refusal, RunRecord, carried, live,
};
use serde_json::Value;
use std::collections::BTreeSet;

use self::document::document;
pub(super) use self::words::text;

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
        app: AppView::Present(Box::new(app.clone())),
        deployments,
        ledger: LedgerView::Entries(entries),
        ..Observed::nothing(now, Mode::Sweep)
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
