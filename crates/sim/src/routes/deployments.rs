//! Deployments: list, create, get, cancel; rollbacks: create, validate, commit, revert.

use super::json_body;
use super::page::{Page, page};
use crate::clock::later;
use crate::error::ApiError;
use crate::gate::User;
use crate::knobs::{ListSpec, seconds};
use crate::render::{WithSpec, deployment};
use crate::spec::components;
use crate::world::{State as WorldState, World};
use axum::extract::{Path, Query, RawQuery, State};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

pub(crate) fn router(world: World) -> Router {
    Router::new()
        .route("/v2/apps/{app}/deployments", get(list).post(create))
        .route("/v2/apps/{app}/deployments/{deployment}", get(one))
        .route(
            "/v2/apps/{app}/deployments/{deployment}/cancel",
            post(cancel),
        )
        .route("/v2/apps/{app}/rollback", post(rollback))
        .route("/v2/apps/{app}/rollback/validate", post(validate))
        .route("/v2/apps/{app}/rollback/commit", post(commit))
        .route("/v2/apps/{app}/rollback/revert", post(revert))
        .with_state(world)
}

/// Shows one deployment of an app.
///
/// # Errors
/// 404 where there is none.
pub(crate) fn answer(state: &WorldState, app: &str, id: &str) -> Result<Json<Value>, ApiError> {
    let found = state
        .app(app)?
        .deployment(id)
        .ok_or_else(ApiError::not_found)?;
    Ok(Json(
        json!({"deployment": deployment(found, state.now, &state.knobs, WithSpec::Yes)}),
    ))
}

async fn list(
    State(world): State<World>,
    Path(app): Path<String>,
    Query(query): Query<Page>,
    RawQuery(raw): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let types = deployment_types(&raw.unwrap_or_default());
    world.with(|state| {
        let app = state.app(&app)?;
        let lag = seconds(state.knobs.list_lag_seconds);
        let spec = match state.knobs.list_spec {
            ListSpec::Present => WithSpec::Yes,
            ListSpec::Omitted => WithSpec::No,
        };
        let seen = app.deployments.iter().rev().filter(|each| {
            let wanted =
                types.is_empty() || types.iter().any(|kind| kind == each.cause.kind.text());
            wanted && later(each.created_at, lag) <= state.now
        });
        let rows = seen
            .map(|each| deployment(each, state.now, &state.knobs, spec))
            .collect();
        let url = format!("{}/v2/apps/{}/deployments", state.public_base, app.id);
        page(rows, "deployments", &query, &url).map(Json)
    })
}

/// Reads `deployment_types=A&deployment_types=B`, with or without brackets.
fn deployment_types(query: &str) -> Vec<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let types = pairs.filter(|(name, _)| {
        matches!(
            *name,
            "deployment_types" | "deployment_types[]" | "deployment_types%5B%5D"
        )
    });
    types.map(|(_, value)| value.to_owned()).collect()
}

async fn create(
    State(world): State<World>,
    Path(app): Path<String>,
    Extension(User(user)): Extension<User>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let force = json_body(&body)?
        .get("force_build")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    world.with(|state| {
        let id = state.create_deployment(&app, force, &user)?;
        answer(state, &app, &id)
    })
}

async fn one(
    State(world): State<World>,
    Path((app, deployment)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    world.with(|state| answer(state, &app, &deployment))
}

async fn cancel(
    State(world): State<World>,
    Path((app, deployment)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    world.with(|state| {
        state.cancel(&app, &deployment)?;
        answer(state, &app, &deployment)
    })
}

/// Reads the deployment to roll back to and whether to leave the app unpinned.
fn target(body: &Bytes) -> Result<(String, bool), ApiError> {
    let body = json_body(body)?;
    let id = body.get("deployment_id").and_then(Value::as_str);
    let id = id.ok_or_else(|| ApiError::bad_request("deployment_id is required"))?;
    Ok((
        id.to_owned(),
        body.get("skip_pin")
            .and_then(Value::as_bool)
            .unwrap_or(false),
    ))
}

async fn rollback(
    State(world): State<World>,
    Path(app): Path<String>,
    Extension(User(user)): Extension<User>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let (to, skip_pin) = target(&body)?;
    world.with(|state| {
        let id = state.rollback(&app, &to, skip_pin, &user)?;
        answer(state, &app, &id)
    })
}

async fn validate(
    State(world): State<World>,
    Path(app): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let (to, _) = target(&body)?;
    world.with(|state| {
        let app = state.app(&app)?;
        let target = app.deployment(&to).ok_or_else(ApiError::not_found)?;
        if let Some((code, message)) = state.rollback_obstacle(app, target) {
            return Ok(Json(
                json!({"valid": false, "error": {"code": code, "message": message}}),
            ));
        }
        let warn = |code: &str, message: &str, names: Vec<&str>| {
            (!names.is_empty())
                .then(|| json!({"code": code, "message": message, "components": names}))
        };
        let sites = components(&target.spec)
            .filter(|each| each.section == "static_sites")
            .map(|each| each.name);
        let tagged = components(&target.spec).filter(|each| {
            each.fields
                .get("image")
                .is_some_and(|image| image.get("digest").is_none())
        });
        let warnings: Vec<Value> = [
            warn(
                "static_site_requires_rebuild",
                "static sites are built again",
                sites.collect(),
            ),
            warn(
                "image_source_missing_digest",
                "images without a digest may differ",
                tagged.map(|each| each.name).collect(),
            ),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut verdict = json!({"valid": true});
        if !warnings.is_empty() {
            verdict["warnings"] = Value::Array(warnings);
        }
        Ok(Json(verdict))
    })
}

async fn commit(
    State(world): State<World>,
    Path(app): Path<String>,
) -> Result<StatusCode, ApiError> {
    world
        .with(|state| state.commit_rollback(&app))
        .map(|()| StatusCode::OK)
}

async fn revert(
    State(world): State<World>,
    Path(app): Path<String>,
    Extension(User(user)): Extension<User>,
) -> Result<Json<Value>, ApiError> {
    world.with(|state| {
        let id = state.revert_rollback(&app, &user)?;
        answer(state, &app, &id)
    })
}
