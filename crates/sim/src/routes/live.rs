//! The live app: its services answer here, healthy or not.

use crate::app::Health;
use crate::deployment::Content;
use crate::render::was_deployed;
use crate::spec::components;
use crate::world::World;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};

pub(crate) fn router(world: World) -> Router {
    Router::new()
        .route("/_live/{app}", get(root))
        .route("/_live/{app}/{*path}", get(path))
        .with_state(world)
}

async fn root(State(world): State<World>, Path(app): Path<String>) -> Response {
    answer(&world, &app, "/")
}

async fn path(State(world): State<World>, Path((app, path)): Path<(String, String)>) -> Response {
    answer(&world, &app, &format!("/{path}"))
}

/// The health path of any service, and the root, tell which deployment answers; other paths are not there.
fn answer(world: &World, app: &str, path: &str) -> Response {
    world.with(|state| {
        let missing = || (StatusCode::NOT_FOUND, "no such app\n").into_response();
        let Some(app) = state.apps.iter().find(|each| each.name() == app) else {
            return missing();
        };
        let live = app
            .active_deployment()
            .filter(|live| was_deployed(live.phase));
        let (Some(live), Health::Up) = (live, app.health) else {
            return (
                StatusCode::SERVICE_UNAVAILABLE,
                Json(json!({"status": "down"})),
            )
                .into_response();
        };
        let mut services =
            components(&live.spec).filter(|component| component.section == "services");
        let service = services.find(|service| {
            let health = service
                .fields
                .get("health_check")
                .and_then(|check| check.get("http_path"));
            path == "/" || health.and_then(Value::as_str) == Some(path)
        });
        let Some(service) = service else {
            return missing();
        };
        let commit = live
            .origins
            .get(service.name)
            .map(|origin| match &origin.content {
                Content::Commit { hash, .. } => hash.clone(),
                Content::Image { digest } => digest.clone(),
            });
        Json(json!({"status": "ok", "deployment": live.id, "commit": commit})).into_response()
    })
}
