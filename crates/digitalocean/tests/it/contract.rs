//! Every request that the client sends, against the platform's published description.
//!
//! The description lies outside the repository; where it is absent, the test says so and passes. Its known
//! faults do not touch what is sent here: its example of a log reply has names that its schema and every client
//! contradict, its spec model lacks fields (which it then allows as unknown ones) and the job kind `SCHEDULED`,
//! and it forgets the wrapper around a single job run.

use std::collections::BTreeSet;
use std::path::Path;

use app_spec::{FirewallRules, InvocationId};
use digitalocean::{Client, LogKind, LogLimits, Page, PresignedUrl, PutOutcome, WriteOutcome};
use serde_json::{Value, json};

use crate::fixture;
use crate::world::{Record, Seen, client_of, in_process, reply};

const DESCRIPTION: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/openapi/digitalocean-apps.json"
);

const RUN: &str = "77777777-7777-4777-8777-777777777777";

fn description() -> Option<Value> {
    let text = std::fs::read_to_string(Path::new(DESCRIPTION)).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

/// A platform that knows one app, one deployment and one cluster, in the shapes of the documents.
fn answer(seen: &Seen) -> http::Response<String> {
    let path = seen.path.strip_prefix("/v2/").unwrap();
    let parts: Vec<&str> = path.split('/').collect();
    let deployment = json!({"deployment": fixture::deployment(fixture::OURS, "DEPLOYING")});
    let body = match (seen.method.as_str(), parts.as_slice()) {
        ("GET", ["apps"]) => {
            json!({"apps": [fixture::app()], "links": {"pages": {}}, "meta": {"total": 1}})
        }
        ("POST", ["apps", "propose"]) => json!({"spec": fixture::spec_json(), "app_cost": 5}),
        ("GET", ["apps", fixture::APP]) => json!({"app": fixture::app()}),
        ("PUT", ["apps", fixture::APP]) => fixture::updated_app(),
        ("GET", ["apps", _, "deployments"]) => {
            json!({"deployments": [fixture::deployment(fixture::OURS, "ACTIVE")], "links": {}, "meta": {"total": 1}})
        }
        ("GET", ["apps", _, "deployments", _])
        | ("POST", ["apps", _, "deployments", _, "cancel"]) => deployment,
        ("GET", ["apps", _, "deployments", _, "components", _, "logs"]) => {
            json!({"live_url": "https://proxy.example.com/?token=x", "historic_urls": ["https://logs.example.com/"]})
        }
        ("POST", ["apps", _, "rollback", "validate"]) => json!({"valid": true}),
        ("GET", ["apps", _, "job-invocations"]) => {
            json!({"job_invocations": [fixture::invocation()]})
        }
        ("POST", ["apps", _, "job-invocations", RUN, "cancel"]) => {
            json!({"job_invocation": fixture::invocation()})
        }
        ("GET", ["databases"]) => json!({"databases": [fixture::database()]}),
        ("GET", ["databases", fixture::CLUSTER]) => json!({"database": fixture::database()}),
        ("GET", ["databases", _, "firewall"]) => fixture::rules(),
        ("PUT", ["databases", _, "firewall"]) => return reply(204, &[], &Value::Null),
        other => panic!("the platform has no {other:?}"),
    };
    reply(200, &[], &body)
}

/// Makes every call that the client has.
async fn call_everything(client: &Client) {
    let (app, deployment, cluster) = (fixture::app_id(), fixture::ours(), fixture::cluster());
    let (job, run) = (fixture::job(), InvocationId::new(RUN));
    let rules = FirewallRules::from_value(&fixture::rules()).unwrap();
    client.app(&app).await.unwrap();
    client.apps().await.unwrap();
    client.app_named("shop").await.unwrap();
    client.propose(&fixture::spec(), Some(&app)).await.unwrap();
    client.propose(&fixture::spec(), None).await.unwrap();
    let put = client.update_app(&app, &fixture::spec()).await;
    assert!(matches!(put, PutOutcome::Applied { .. }), "{put:?}");
    client.deployments(&app, Page::first()).await.unwrap();
    client.deployments_back(&app, 1).collect().await.unwrap();
    client.deployment(&app, &deployment).await.unwrap();
    let cancelled = client.cancel_deployment(&app, &deployment).await;
    assert!(
        matches!(cancelled, WriteOutcome::Applied(_)),
        "{cancelled:?}"
    );
    client.probe_write_scope(&app, &deployment).await.unwrap();
    client
        .job_invocations(&app, Some(&deployment))
        .await
        .unwrap();
    let cancelled = client.cancel_job_invocation(&app, &run, &job).await;
    assert!(
        matches!(cancelled, WriteOutcome::Applied(_)),
        "{cancelled:?}"
    );
    for kind in [
        LogKind::Build,
        LogKind::Deploy,
        LogKind::Run,
        LogKind::RunRestarted,
    ] {
        client
            .log_urls(&app, &deployment, &job, kind)
            .await
            .unwrap();
    }
    client.databases().await.unwrap();
    client.database(&cluster).await.unwrap();
    client.firewall(&cluster).await.unwrap();
    let written = client.put_firewall(&cluster, &rules).await;
    assert!(matches!(written, WriteOutcome::Applied(())), "{written:?}");
}

async fn recorded() -> Vec<Seen> {
    let (transport, record): (_, Record) = in_process(answer);
    call_everything(&client_of(transport)).await;
    let record = record.lock().unwrap();
    record.clone()
}

/// Finds the description of a request: its path template and operation.
fn operation<'a>(description: &'a Value, seen: &Seen) -> (&'a str, &'a Value) {
    let paths = description["paths"].as_object().unwrap();
    let asked: Vec<&str> = seen.path.split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        parts.len() == asked.len()
            && parts
                .iter()
                .zip(&asked)
                .all(|(part, asked)| part.starts_with('{') || part == asked)
    };
    // `/v2/apps/propose` also fits `/v2/apps/{id}`: the template with fewer blanks is meant.
    let method = seen.method.to_lowercase();
    let (template, path) = paths
        .iter()
        .filter(|(template, path)| fits(template) && path.get(&method).is_some())
        .min_by_key(|(template, _)| template.matches('{').count())
        .unwrap_or_else(|| panic!("not described: {} {}", seen.method, seen.path));
    (template, &path[&method])
}

/// Follows a reference inside the description.
fn resolve<'a>(description: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => description
            .pointer(reference.strip_prefix('#').unwrap())
            .unwrap(),
        None => value,
    }
}

/// Returns what is wrong with a document by one of the description's schemas.
fn faults(description: &Value, schema: &Value, document: &Value) -> Vec<String> {
    let schema = json!({"allOf": [schema], "components": description["components"]});
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft4)
        .build(&schema)
        .unwrap();
    validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[tokio::test]
async fn every_request_is_one_that_the_platform_describes() {
    let Some(description) = description() else {
        println!("skipped: no API description at ../shared/openapi");
        return;
    };
    let mut described = BTreeSet::new();
    for seen in recorded().await {
        let (template, operation) = operation(&description, &seen);
        described.insert(format!("{} {template}", seen.method));

        let parameters: Vec<&Value> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| resolve(&description, parameter))
            .collect();
        for (name, value) in &seen.query {
            let parameter = parameters
                .iter()
                .find(|parameter| parameter["in"] == "query" && parameter["name"] == name.as_str())
                .unwrap_or_else(|| panic!("{template}: no parameter `{name}`"));
            // A query is text; the schema says what it is to be read as.
            let value = match resolve(&description, &parameter["schema"])["type"].as_str() {
                Some("integer" | "boolean") => serde_json::from_str(value).unwrap(),
                _ => json!(value),
            };
            let wrong = faults(&description, &parameter["schema"], &value);
            assert_eq!(wrong, [""; 0], "{template}: {name}={value}");
        }
        for parameter in &parameters {
            if parameter["in"] == "query" && parameter["required"] == true {
                let name = parameter["name"].as_str().unwrap();
                assert!(
                    seen.query(name).is_some(),
                    "{template}: `{name}` is missing"
                );
            }
        }

        let body = resolve(&description, &operation["requestBody"]);
        if body.is_null() {
            assert!(seen.body.is_empty(), "{template} takes no body");
            continue;
        }
        let sent: Value = serde_json::from_slice(&seen.body).unwrap();
        let wrong = faults(
            &description,
            &body["content"]["application/json"]["schema"],
            &sent,
        );
        assert_eq!(wrong, [""; 0], "{template}");
        assert_eq!(seen.headers["content-type"], "application/json");
    }
    insta::assert_snapshot!(described.into_iter().collect::<Vec<_>>().join("\n"), @r"
    GET /v2/apps
    GET /v2/apps/{app_id}/deployments
    GET /v2/apps/{app_id}/deployments/{deployment_id}
    GET /v2/apps/{app_id}/deployments/{deployment_id}/components/{component_name}/logs
    GET /v2/apps/{app_id}/job-invocations
    GET /v2/apps/{id}
    GET /v2/databases
    GET /v2/databases/{database_cluster_uuid}
    GET /v2/databases/{database_cluster_uuid}/firewall
    POST /v2/apps/propose
    POST /v2/apps/{app_id}/deployments/{deployment_id}/cancel
    POST /v2/apps/{app_id}/job-invocations/{job_invocation_id}/cancel
    POST /v2/apps/{app_id}/rollback/validate
    PUT /v2/apps/{id}
    PUT /v2/databases/{database_cluster_uuid}/firewall
    ");
}

#[tokio::test]
async fn every_reply_of_these_tests_is_one_that_the_platform_describes() {
    let Some(description) = description() else {
        println!("skipped: no API description at ../shared/openapi");
        return;
    };
    for seen in recorded().await {
        let (template, operation) = operation(&description, &seen);
        let reply = answer(&seen);
        let described = resolve(
            &description,
            &operation["responses"][reply.status().as_str()],
        );
        let Some(schema) = described.pointer("/content/application~1json/schema") else {
            assert_eq!(reply.status(), 204, "{template}");
            continue;
        };
        let body: Value = serde_json::from_str(reply.body()).unwrap();
        let wrong = faults(&description, schema, &body);
        assert_eq!(wrong, [""; 0], "{template}");
    }
}

#[tokio::test]
async fn a_fault_in_a_request_would_be_seen() {
    let Some(description) = description() else {
        println!("skipped: no API description at ../shared/openapi");
        return;
    };
    let schema = &description["components"]["schemas"]["apps_update_app_request"];
    assert!(
        !faults(
            &description,
            schema,
            &json!({"spec": {"name": "UPPER", "region": "nyc"}})
        )
        .is_empty()
    );
    assert!(
        !faults(
            &description,
            schema,
            &json!({"update_all_source_versions": false})
        )
        .is_empty()
    );
}

#[tokio::test]
async fn only_the_log_storage_is_asked_without_the_token() {
    for seen in recorded().await {
        assert_eq!(
            seen.headers.get_all("authorization").iter().count(),
            1,
            "{}",
            seen.path
        );
    }
    let (transport, record) = in_process(|_| reply(200, &[], &Value::Null));
    let url = PresignedUrl::parse("https://logs.example.com/?X-Amz-Signature=x").unwrap();
    let client = client_of(transport);
    client
        .fetch_log(&url, &LogLimits::default(), |_| ())
        .await
        .unwrap();
    assert!(
        !record
            .lock()
            .unwrap()
            .first()
            .unwrap()
            .headers
            .contains_key("authorization")
    );
}
