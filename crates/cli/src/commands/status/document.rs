//! How things stand, as one JSON document: codes, ids, times and names.

use super::words::{lease, migration_of};
use super::{Survey, undeclared};
use crate::desk;
use crate::wiring::Found;
use app_spec::DeploymentId;
use migration::{Config, EpochState, PastEpoch, RunMode};
use serde_json::{Value, json};

/// Returns how things stand, as a document.
pub(super) fn document(found: &Found, survey: &Survey, config: &Config) -> Value {
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
