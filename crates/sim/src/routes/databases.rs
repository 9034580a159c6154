//! Database clusters and their trusted sources.

use super::json_body;
use super::page::{Page, page};
use crate::clock::rfc3339;
use crate::database::Cluster;
use crate::error::ApiError;
use crate::token::Side;
use crate::world::World;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

pub(crate) fn router(world: World) -> Router {
    Router::new()
        .route("/v2/databases", get(list))
        .route("/v2/databases/{cluster}", get(one))
        .route(
            "/v2/databases/{cluster}/firewall",
            get(rules).put(put_rules),
        )
        .with_state(world)
}

/// Whether the caller may see the connection's user and password.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Credentials {
    Shown,
    Hidden,
}

fn credentials(world: &World, headers: &HeaderMap) -> Credentials {
    let allowed = world.with(|state| {
        state
            .token(Side::DigitalOcean, headers)
            .is_some_and(|token| token.allows("database:view_credentials"))
    });
    if allowed {
        Credentials::Shown
    } else {
        Credentials::Hidden
    }
}

/// The connection is an invented public address: the real one is only given to jobs.
fn show(cluster: &Cluster, credentials: Credentials) -> Value {
    let host = format!("{}.db.example.com", cluster.name);
    let mut connection = json!({"protocol": cluster.engine, "database": "defaultdb", "host": host, "port": 25060, "ssl": true});
    if credentials == Credentials::Shown {
        connection["user"] = json!("doadmin");
        connection["password"] = json!("not-the-real-one");
        connection["uri"] = json!(format!(
            "{}://doadmin:not-the-real-one@{host}:25060/defaultdb",
            cluster.engine
        ));
    }
    json!({
        "id": cluster.id, "name": cluster.name, "engine": cluster.engine, "version": cluster.version,
        "semantic_version": format!("{}.0", cluster.version), "num_nodes": 1, "size": "db-s-1vcpu-1gb",
        "region": "nyc3", "status": "online", "created_at": rfc3339(cluster.created_at), "tags": [],
        "db_names": ["defaultdb"], "connection": connection, "rules": cluster.rules,
    })
}

async fn list(
    State(world): State<World>,
    Query(query): Query<Page>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let credentials = credentials(&world, &headers);
    world.with(|state| {
        let clusters = state
            .clusters
            .iter()
            .map(|cluster| show(cluster, credentials))
            .collect();
        page(
            clusters,
            "databases",
            &query,
            &format!("{}/v2/databases", state.public_base),
        )
        .map(Json)
    })
}

async fn one(
    State(world): State<World>,
    Path(cluster): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let credentials = credentials(&world, &headers);
    with_cluster(
        &world,
        &cluster,
        |cluster| json!({"database": show(cluster, credentials)}),
    )
}

async fn rules(
    State(world): State<World>,
    Path(cluster): Path<String>,
) -> Result<Json<Value>, ApiError> {
    with_cluster(&world, &cluster, |cluster| json!({"rules": cluster.rules}))
}

fn with_cluster(
    world: &World,
    id: &str,
    show: impl FnOnce(&Cluster) -> Value,
) -> Result<Json<Value>, ApiError> {
    world.with(|state| {
        let found = state.clusters.iter().find(|cluster| cluster.id == id);
        found
            .map(|cluster| Json(show(cluster)))
            .ok_or_else(ApiError::not_found)
    })
}

async fn put_rules(
    State(world): State<World>,
    Path(cluster): Path<String>,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let body = json_body(&body)?;
    let rules = body.get("rules").and_then(Value::as_array);
    let rules = rules.ok_or_else(|| ApiError::unprocessable("rules must be a list"))?;
    world
        .with(|state| state.put_firewall(&cluster, rules))
        .map(|()| StatusCode::NO_CONTENT)
}
