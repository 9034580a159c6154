//! Apps: list, get, update, propose, restart, health.

use super::json_body;
use super::page::{Page, page};
use crate::app::{App, Health};
use crate::error::ApiError;
use crate::gate::User;
use crate::knobs::{EvOnRead, PutReply, ReadBack};
use crate::order::Refresh;
use crate::render;
use crate::spec::{app_name, components, normalise};
use crate::vault::first_encrypted;
use crate::world::{State as WorldState, World};
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn router(world: World) -> Router {
    Router::new()
        .route("/v2/apps", get(list))
        .route("/v2/apps/propose", post(propose))
        .route("/v2/apps/{app}", get(one).put(update))
        .route("/v2/apps/{app}/restart", post(restart))
        .route("/v2/apps/{app}/health", get(health))
        .with_state(world)
}

async fn list(
    State(world): State<World>,
    Query(query): Query<Page>,
) -> Result<Json<Value>, ApiError> {
    world.with(|state| {
        (0..state.apps.len()).for_each(|index| reseal(state, index));
        let apps = state.apps.iter().map(|app| show(state, app)).collect();
        let url = format!("{}/v2/apps", state.public_base);
        page(apps, "apps", &query, &url).map(Json)
    })
}

async fn one(State(world): State<World>, Path(app): Path<String>) -> Result<Json<Value>, ApiError> {
    world.with(|state| {
        let index = state.app_index(&app)?;
        reseal(state, index);
        Ok(Json(json!({"app": show(state, state.app(&app)?)})))
    })
}

/// Encrypts the secrets anew where the knob says that reading does.
fn reseal(state: &mut WorldState, index: usize) {
    if state.knobs.ev_on_read == EvOnRead::Changing
        && let Some(app) = state.apps.get_mut(index)
    {
        app.spec = Arc::new(state.vault.reseal(&app.id, &app.spec));
    }
}

fn show(state: &WorldState, app: &App) -> Value {
    render::app(
        app,
        state.now,
        &state.knobs,
        &state.public_base,
        app.pending(),
    )
}

async fn update(
    State(world): State<World>,
    Path(app): Path<String>,
    Extension(User(user)): Extension<User>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let body = json_body(&body)?;
    let spec = body
        .get("spec")
        .ok_or_else(|| ApiError::bad_request("app spec is required"))?;
    let refresh = match body
        .get("update_all_source_versions")
        .and_then(Value::as_bool)
    {
        Some(true) => Refresh::All,
        Some(false) | None => Refresh::NewOnly,
    };
    world.with(|state| {
        let id = state.put_spec(&app, spec, refresh, &user)?;
        let app = state.app(&app)?;
        let made = match state.knobs.put_reply {
            PutReply::Deployment => app.deployment(&id),
            PutReply::Bare => None,
        };
        Ok(Json(
            json!({"app": render::app(app, state.now, &state.knobs, &state.public_base, made)}),
        ))
    })
}

async fn propose(State(world): State<World>, body: Bytes) -> Result<Json<Value>, ApiError> {
    let body = json_body(&body)?;
    let spec = body
        .get("spec")
        .ok_or_else(|| ApiError::bad_request("app spec is required"))?;
    let app_id = body
        .get("app_id")
        .and_then(Value::as_str)
        .filter(|id| !id.is_empty());
    world.with(|state| {
        if let Some(message) = &state.knobs.propose_refusal {
            return Err(ApiError::bad_request(message.clone()));
        }
        state.check_spec(spec, app_id)?;
        if let Some(id) = app_id {
            state.check_sources(id, spec)?;
        }
        if app_id.is_none()
            && let Some(field) = first_encrypted(spec)
        {
            let what = "secret env value must not be encrypted before app is created";
            let text =
                format!("errors validating app spec; first error in field \"{field}\": {what}");
            return Err(ApiError::bad_request(text));
        }
        let shown = match state.knobs.read_back {
            ReadBack::Normalised => normalise(spec),
            ReadBack::Verbatim => spec.clone(),
        };
        let name = app_name(spec);
        let taken = state
            .apps
            .iter()
            .any(|app| Some(app.id.as_str()) != app_id && app.name() == name);
        let cost: u64 = components(spec)
            .map(|component| cost(component.text("instance_size_slug")))
            .sum();
        let mut answer = json!({"app_name_available": !taken, "existing_static_apps": "0",
            "max_free_static_apps": "3", "app_cost": cost, "spec": shown});
        if taken {
            answer["app_name_suggestion"] = json!(format!("{name}-2"));
        }
        Ok(Json(answer))
    })
}

/// Returns the monthly price of an instance size, in USD; an unknown one costs what the default one does.
fn cost(size: &str) -> u64 {
    match size {
        "apps-s-1vcpu-1gb" => 12,
        "apps-s-1vcpu-2gb" => 25,
        "apps-s-2vcpu-4gb" => 50,
        _ => 5,
    }
}

async fn restart(
    State(world): State<World>,
    Path(app): Path<String>,
    Extension(User(user)): Extension<User>,
) -> Result<Json<Value>, ApiError> {
    world.with(|state| {
        let id = state.restart(&app, &user)?;
        super::deployments::answer(state, &app, &id)
    })
}

async fn health(
    State(world): State<World>,
    Path(app): Path<String>,
) -> Result<Json<Value>, ApiError> {
    world.with(|state| {
        let app = state.app(&app)?;
        let up = app.health == Health::Up;
        let live = app
            .active_deployment()
            .map_or(&Value::Null, |live| live.spec.as_ref());
        let parts = components(live).filter(|component| component.section == "services");
        let parts: Vec<Value> = parts
            .map(|service| {
                let wanted = service
                    .fields
                    .get("instance_count")
                    .and_then(Value::as_u64)
                    .unwrap_or(1);
                json!({"name": service.name, "state": if up { "HEALTHY" } else { "UNHEALTHY" },
                    "replicas_desired": wanted, "replicas_ready": if up { wanted } else { 0 },
                    "cpu_usage_percent": 2.5, "memory_usage_percent": 25.0})
            })
            .collect();
        Ok(Json(json!({"app_health": {"components": parts}})))
    })
}
