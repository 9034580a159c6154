//! Runs of deploy-time jobs, as far as the knob lists them among the job invocations.

use super::page::{Page, page};
use crate::deployment::{Deployment, JobRun};
use crate::error::ApiError;
use crate::knobs::JobInvocations;
use crate::render::invocation;
use crate::world::{State as WorldState, World};
use axum::extract::{Path, Query, RawQuery, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

pub(crate) fn router(world: World) -> Router {
    Router::new()
        .route("/v2/apps/{app}/job-invocations", get(list))
        .route("/v2/apps/{app}/job-invocations/{invocation}", get(one))
        .route(
            "/v2/apps/{app}/job-invocations/{invocation}/cancel",
            post(cancel),
        )
        .with_state(world)
}

/// Returns the runs that are listed, newest first.
fn listed<'a>(
    state: &'a WorldState,
    app: &str,
) -> Result<Vec<(&'a Deployment, &'a JobRun)>, ApiError> {
    let app = state.app(app)?;
    if state.knobs.job_invocations == JobInvocations::Hidden {
        return Ok(Vec::new());
    }
    let deployments = app.deployments.iter().rev();
    Ok(deployments
        .flat_map(|each| each.jobs.iter().rev().map(move |job| (each, job)))
        .collect())
}

/// Finds one run by its id.
pub(crate) fn find<'a>(
    state: &'a WorldState,
    app: &str,
    id: &str,
) -> Result<(&'a Deployment, &'a JobRun), ApiError> {
    let found = listed(state, app)?
        .into_iter()
        .find(|(_, job)| job.invocation == id);
    found.ok_or_else(ApiError::not_found)
}

async fn list(
    State(world): State<World>,
    Path(app): Path<String>,
    Query(query): Query<Page>,
    RawQuery(raw): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let raw = raw.unwrap_or_default();
    let asked = |names: &[&str]| -> Vec<String> {
        let pairs = raw.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(name, _)| names.contains(name))
            .map(|(_, value)| value.to_owned())
            .collect()
    };
    let jobs = asked(&["job_names", "job_names[]", "job_names%5B%5D"]);
    let deployments = asked(&["deployment_id"]);
    world.with(|state| {
        let rows = listed(state, &app)?
            .into_iter()
            .filter(|(deployment, job)| {
                (jobs.is_empty() || jobs.contains(&job.name))
                    && (deployments.is_empty() || deployments.contains(&deployment.id))
            });
        let rows = rows
            .map(|(deployment, job)| invocation(deployment, job, state.now))
            .collect();
        page(
            rows,
            "job_invocations",
            &query,
            &format!("{}/v2/apps/{app}/job-invocations", state.public_base),
        )
        .map(Json)
    })
}

async fn one(
    State(world): State<World>,
    Path((app, id)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    world.with(|state| show(state, &app, &id))
}

fn show(state: &WorldState, app: &str, id: &str) -> Result<Json<Value>, ApiError> {
    let (deployment, job) = find(state, app, id)?;
    Ok(Json(
        json!({"job_invocation": invocation(deployment, job, state.now)}),
    ))
}

async fn cancel(
    State(world): State<World>,
    Path((app, id)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    world.with(|state| {
        find(state, &app, &id)?;
        state.cancel_invocation(&app, &id)?;
        show(state, &app, &id)
    })
}
