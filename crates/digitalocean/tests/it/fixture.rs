//! Documents in the platform's shape; every identifier is invented.

use app_spec::{AppId, AppSpec, ClusterId, ComponentName, DeploymentId};
use serde_json::{Value, json};

pub(crate) const APP: &str = "11111111-1111-4111-8111-111111111111";
pub(crate) const CLUSTER: &str = "55555555-5555-4555-8555-555555555555";
pub(crate) const OLD: &str = "aaaaaaaa-0000-4000-8000-000000000001";
pub(crate) const OURS: &str = "aaaaaaaa-0000-4000-8000-000000000002";

pub(crate) fn app_id() -> AppId {
    AppId::new(APP)
}

pub(crate) fn cluster() -> ClusterId {
    ClusterId::new(CLUSTER)
}

pub(crate) fn old() -> DeploymentId {
    DeploymentId::new(OLD)
}

pub(crate) fn ours() -> DeploymentId {
    DeploymentId::new(OURS)
}

pub(crate) fn job() -> ComponentName {
    ComponentName::parse("migrate-k3f9q2x7-e0").unwrap()
}

/// Holds what a typed model would lose: an unknown field, a null, an empty list, an odd order of keys.
pub(crate) fn spec_json() -> Value {
    json!({
        "region": "nyc", "name": "shop", "features": ["buildpack-stack=ubuntu-22"],
        "services": [{"name": "web", "github": {"repo": "acme/shop", "branch": "main", "deploy_on_push": true},
            "dockerfile_path": "Dockerfile", "http_port": 3000, "instance_size_slug": "apps-s-1vcpu-1gb",
            "instance_count": 1,
            "health_check": {"http_path": "/health", "initial_delay_seconds": 120},
            "envs": [{"key": "DATABASE_URL", "scope": "RUN_TIME", "value": "${shop-db.DATABASE_URL}"},
                {"key": "JWT_SECRET", "scope": "RUN_TIME", "type": "SECRET", "value": "EV[1:bm9uY2U=:Y2lwaGVy]"}]}],
        "workers": [],
        "databases": [{"name": "shop-db", "engine": "MYSQL", "version": "8", "production": true,
            "cluster_name": "shop-mysql"}],
        "x_unknown": {"b": 1, "a": [null]},
    })
}

pub(crate) fn spec() -> AppSpec {
    AppSpec::from_value(spec_json()).unwrap()
}

pub(crate) fn app() -> Value {
    app_called(APP, "shop")
}

pub(crate) fn app_called(id: &str, name: &str) -> Value {
    let mut spec = spec_json();
    spec["name"] = json!(name);
    json!({
        "id": id, "owner_uuid": "22222222-2222-4222-8222-222222222222", "spec": spec,
        "default_ingress": "https://shop-abcde.ondigitalocean.app", "live_url": "https://shop.example.com",
        "live_domain": "shop.example.com", "tier_slug": "basic",
        "region": {"slug": "nyc", "label": "New York", "continent": "North America"},
        "active_deployment": deployment(OLD, "ACTIVE"),
        "created_at": "2025-06-01T00:00:00Z", "updated_at": "2026-02-17T10:09:00Z",
    })
}

/// The reply to an update: the app with the deployment that the update made.
pub(crate) fn updated_app() -> Value {
    let mut app = app();
    app["pending_deployment"] = deployment(OURS, "PENDING_BUILD");
    json!({"app": app})
}

pub(crate) fn deployment(id: &str, phase: &str) -> Value {
    json!({
        "id": id, "phase": phase, "cause": "app spec updated", "tier_slug": "basic",
        "cause_details": {"type": "MANUAL",
            "digitalocean_user_action": {"name": "UPDATE_SPEC", "user": {"email": "dev@example.com"}}},
        "services": [{"name": "web", "source_commit_hash": "0123456789abcdef0123456789abcdef01234567"}],
        "created_at": "2026-02-18T00:35:00Z", "updated_at": "2026-02-18T00:37:02Z",
    })
}

pub(crate) fn invocation() -> Value {
    json!({
        "id": "77777777-7777-4777-8777-777777777777", "job_name": "migrate-k3f9q2x7-e0",
        "deployment_id": OURS, "phase": "RUNNING", "trigger": {"type": "MANUAL"},
        "created_at": "2026-02-18T00:37:00Z",
    })
}

/// A database as the platform shows it to a token that may see its credentials.
pub(crate) fn database() -> Value {
    json!({
        "id": CLUSTER, "name": "shop-mysql", "engine": "mysql", "version": "8", "status": "online",
        "connection": {"uri": "mysql://doadmin:canary-password@db.example.com:25060/defaultdb",
            "password": "canary-password"},
        "num_nodes": 1, "region": "nyc3", "size": "db-s-1vcpu-1gb",
    })
}

pub(crate) fn rules() -> Value {
    json!({"rules": [
        {"uuid": "44444444-4444-4444-8444-444444444444", "cluster_uuid": CLUSTER, "type": "app", "value": APP,
            "created_at": "2025-06-01T00:00:00Z"},
        {"uuid": "66666666-6666-4666-8666-666666666666", "cluster_uuid": CLUSTER, "type": "ip_addr",
            "value": "203.0.113.7", "created_at": "2026-02-18T00:05:00Z", "description": "debug"},
    ]})
}
