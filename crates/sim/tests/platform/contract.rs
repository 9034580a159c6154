//! Every JSON answer against the published description of the API.
//!
//! Known faults of the description, for which the check makes way:
//! - single job invocations: the schema forgets the wrapper that the examples and the clients have;
//! - the kind `SCHEDULED` of a job is missing from its enumeration;
//! - `rollback/commit` is described as an answer without content, with status 200.
//!
//! It also documents no 403, 405, 409 or 422, which the real API gives; they fall under its `default`.

use crate::client::Answer;
use http::Method;
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Checks an answer, where the description is at hand and speaks of it.
pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    let Some(document) = document() else { return };
    let path = path.split('?').next().unwrap_or_default();
    if !path.starts_with("/v2/") || answer.bytes.is_empty() {
        return;
    }
    // A body that is no JSON is a fault that a test asked for.
    if answer.body.is_null()
        || !answer
            .header("content-type")
            .starts_with("application/json")
    {
        return;
    }
    let Some(operation) = operation(document, method, path) else {
        assert!(answer.status >= 400, "{method} {path} is not described");
        return;
    };
    let status = answer.status.to_string();
    let response = operation["responses"]
        .get(&status)
        .unwrap_or(&operation["responses"]["default"]);
    let response = resolve(document, response);
    let Some(schema) = response.pointer("/content/application~1json/schema") else {
        return;
    };
    let mut body = answer.body.clone();
    if path.contains("/job-invocations/")
        && let Some(inner) = body.get_mut("job_invocation")
    {
        body = inner.take();
    }
    let validator = compiled(document, schema);
    let errors: Vec<String> = validator
        .iter_errors(&body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(
        errors.is_empty(),
        "{method} {path} {status}: {errors:#?}\n{body:#}"
    );
}

/// Returns the description, or nothing (and says so once) where it is not beside the checkout.
pub(crate) fn document() -> Option<&'static Value> {
    static DOCUMENT: OnceLock<Option<Value>> = OnceLock::new();
    DOCUMENT
        .get_or_init(|| {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/openapi/digitalocean-apps.json");
            let Ok(text) = std::fs::read_to_string(path) else {
                println!("skipped: no API description at ../shared/openapi; answers are not checked against it");
                return None;
            };
            Some(serde_json::from_str(&text).expect("the description is JSON"))
        })
        .as_ref()
}

fn operation<'a>(document: &'a Value, method: &Method, path: &str) -> Option<&'a Value> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let wanted: Vec<&str> = template.split('/').collect();
        wanted.len() == parts.len()
            && wanted
                .iter()
                .zip(&parts)
                .all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
    };
    let paths = document["paths"].as_object()?;
    // A path without parameters comes before one with: `/v2/apps/propose` is no app.
    let exact = paths.get(path);
    let found = exact.or_else(|| {
        paths
            .iter()
            .find(|(template, _)| fits(template))
            .map(|(_, item)| item)
    })?;
    found.get(method.as_str().to_lowercase())
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .expect("a reference that leads somewhere"),
        None => value,
    }
}

/// Compiling takes much longer than checking, and a test makes the same calls over and over.
fn compiled(document: &Value, schema: &Value) -> Arc<Validator> {
    static KNOWN: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());
    let key = schema.to_string();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(
        known
            .entry(key)
            .or_insert_with(|| Arc::new(compile(document, schema))),
    )
}

/// OpenAPI 3.0 schemas are a dialect of JSON Schema draft 4, near enough for answers without nulls.
fn compile(document: &Value, schema: &Value) -> Validator {
    let mut components = document["components"].clone();
    if let Some(kinds) = components
        .pointer_mut("/schemas/app_job_spec/allOf/2/properties/kind/enum")
        .and_then(Value::as_array_mut)
    {
        kinds.push(json!("SCHEDULED"));
    }
    let root = json!({"components": {"schemas": components["schemas"]}, "allOf": [schema]});
    jsonschema::options()
        .with_draft(Draft::Draft4)
        .build(&root)
        .expect("a schema that compiles")
}

#[test]
fn an_answer_that_does_not_fit_is_noticed() {
    let Some(document) = document() else { return };
    let schema = json!({"$ref": "#/components/schemas/apps_deployment_response"});
    let validator = compile(document, &schema);
    assert!(validator.is_valid(&json!({"deployment": {"phase": "ACTIVE"}})));
    assert!(!validator.is_valid(&json!({"deployment": {"phase": "LIVE"}})));
}
