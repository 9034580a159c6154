//! The HTTP faces of a world, one module per group of endpoints.

pub(crate) mod apps;
pub(crate) mod control;
pub(crate) mod databases;
pub(crate) mod deployments;
pub(crate) mod endpoint;
pub(crate) mod github;
pub(crate) mod jobs;
pub(crate) mod live;
pub(crate) mod logs;
pub(crate) mod page;

use crate::error::ApiError;
use crate::world::World;
use axum::Router;
use bytes::Bytes;
use serde_json::Value;

/// Returns every route of a world. Time, tokens, faults and the record are the gate's business.
pub(crate) fn router(world: World) -> Router {
    Router::new()
        .merge(apps::router(world.clone()))
        .merge(deployments::router(world.clone()))
        .merge(jobs::router(world.clone()))
        .merge(logs::router(world.clone()))
        .merge(databases::router(world.clone()))
        .merge(live::router(world.clone()))
        .merge(control::router(world.clone()))
        .merge(github::router(world))
}

/// Reads a JSON body, of which an empty one counts as an empty object.
///
/// # Errors
/// 400 for anything else.
pub(crate) fn json_body(bytes: &Bytes) -> Result<Value, ApiError> {
    if bytes.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        ApiError::bad_request(format!("failed to decode request body: {error}"))
    })?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(ApiError::bad_request("request body must be an object"))
    }
}
