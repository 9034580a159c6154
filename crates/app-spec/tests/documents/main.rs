//! The platform's documents, seen from outside the crate.
#![cfg(test)]

mod contract;
mod edit;
mod examples;
mod fingerprint;
mod firewall;
mod lossless;
mod merge;
mod secrets;
mod strategy;

use app_spec::AppSpec;
use serde_json::Value;

/// Reads one of the example documents.
fn example(name: &str) -> Value {
    let text = match name {
        "app" => include_str!("examples/app.json"),
        "put_reply" => include_str!("examples/put_reply.json"),
        "deployment_running" => include_str!("examples/deployment_running.json"),
        "deployment_failed" => include_str!("examples/deployment_failed.json"),
        "rollback" => include_str!("examples/rollback.json"),
        "firewall" => include_str!("examples/firewall.json"),
        "firewall_restore" => include_str!("examples/firewall_restore.json"),
        other => panic!("no example `{other}`"),
    };
    serde_json::from_str(text).unwrap()
}

/// Returns the spec of the example app.
fn shop() -> AppSpec {
    AppSpec::from_value(example("app")["app"]["spec"].clone()).unwrap()
}

/// Reads a spec that a test writes out.
fn spec(value: Value) -> AppSpec {
    AppSpec::from_value(value).unwrap()
}
