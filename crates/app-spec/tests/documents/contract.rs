//! The documents agree with the platform's own API description, where its known faults allow.
//!
//! The description lives beside the repository; without it these tests say so and pass.

use std::path::Path;
use std::time::Duration;

use app_spec::{AppId, ComponentName, Env, EnvScope, FirewallRules, JobComponent, JobKind};
use serde_json::{Value, json};

use crate::{example, shop};

/// Returns what the schema of that name finds wrong; `None` where the description is not there.
fn faults(schema: &str, document: &Value) -> Option<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/openapi/digitalocean-apps.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no API description beside the repository");
        return None;
    };
    let description: Value = serde_json::from_str(&text).unwrap();
    // OpenAPI 3.0 schemas are close to draft 4; a reference ignores its neighbours there.
    let root = json!({
        "allOf": [{"$ref": format!("#/components/schemas/{schema}")}],
        "components": description["components"],
    });
    let validator = jsonschema::draft4::new(&root).unwrap();
    Some(
        validator
            .iter_errors(document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect(),
    )
}

#[track_caller]
fn assert_agrees(schema: &str, document: &Value) {
    if let Some(faults) = faults(schema, document) {
        assert_eq!(faults, Vec::<String>::new(), "{schema}");
    }
}

#[test]
fn the_examples_agree_with_the_description() {
    assert_agrees("app", &example("app")["app"]);
    assert_agrees("app", &example("put_reply")["app"]);
    assert_agrees(
        "apps_deployment",
        &example("deployment_running")["deployment"],
    );
    assert_agrees(
        "apps_deployment",
        &example("deployment_failed")["deployment"],
    );
    assert_agrees("apps_deployment", &example("rollback"));
    for rule in example("firewall")["rules"].as_array().unwrap() {
        assert_agrees("firewall_rule", rule);
    }
}

#[test]
fn a_spec_with_our_job_agrees_with_the_description() {
    let shop = shop();
    let web = shop.component("web").unwrap();
    for kind in [
        JobKind::PreDeploy,
        JobKind::PostDeploy,
        JobKind::FailedDeploy,
    ] {
        let job = JobComponent::copy_of(&web, ComponentName::parse("migrate-k3f9q2x7-e0").unwrap())
            .unwrap()
            .kind(kind)
            .run_command("sh -c 'true'")
            .env(Env::general(
                "DATABASE_URL",
                "${shop-db.DATABASE_URL}",
                &EnvScope::RunTime,
            ))
            .env(Env::secret("TOKEN", "plain", &EnvScope::RunTime))
            .copy_env(&web.env("JWT_SECRET").unwrap())
            .timeout(Duration::from_secs(1800))
            .termination_grace(Duration::from_secs(600))
            .build()
            .unwrap();
        assert_agrees("app_job_spec", &job.to_value());
        assert_agrees(
            "apps_update_app_request",
            &json!({"spec": shop.insert_job(&job).unwrap()}),
        );
    }
}

#[test]
fn a_firewall_body_agrees_with_the_description() {
    let rules = FirewallRules::from_value(&example("firewall")).unwrap();
    let body = rules.app_only(&AppId::new("another"), &[]).put_body();
    for rule in body["rules"].as_array().unwrap() {
        assert_agrees("firewall_rule", rule);
    }
}

#[test]
fn the_description_does_find_faults() {
    for (schema, document) in [
        ("app_job_spec", json!({"name": "Bad_Name"})),
        ("app_job_spec", json!({"name": "seed", "kind": "SOMETIMES"})),
        (
            "app_job_spec",
            json!({"name": "seed", "termination": {"grace_period_seconds": 601}}),
        ),
        ("apps_deployment", json!({"phase": "FINE"})),
        ("firewall_rule", json!({"type": "app"})),
    ] {
        if let Some(faults) = faults(schema, &document) {
            assert!(!faults.is_empty(), "{document}");
        }
    }
}
