//! The API description as judge over both sides: what our client sends, and what the fixtures
//! pretend that GitHub answers.
//!
//! The description lies in a folder beside the workspace; where it is absent, nothing is judged
//! and a line says so.

use std::path::Path;
use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::{Map, Value, json};

/// One request and its response.
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) sent: Bytes,
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) received: Bytes,
}

/// Checks every exchange.
pub(crate) fn check(exchanges: &[Exchange]) {
    let Some(description) = description() else {
        println!("the GitHub API description is not there: exchanges are not checked against it");
        return;
    };
    for exchange in exchanges {
        if let Err(fault) = description.judge(exchange) {
            panic!(
                "{} {}?{} -> {}: {fault}",
                exchange.method, exchange.path, exchange.query, exchange.status
            );
        }
    }
}

struct Description(Value);

fn description() -> Option<&'static Description> {
    static DESCRIPTION: OnceLock<Option<Description>> = OnceLock::new();
    DESCRIPTION
        .get_or_init(|| {
            let file = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../../../shared/openapi/github-slice.json");
            let text = std::fs::read_to_string(file).ok()?;
            let mut document: Value = serde_json::from_str(&text).unwrap();
            as_json_schema(&mut document);
            Some(Description(document))
        })
        .as_ref()
}

/// OpenAPI 3.0 says `nullable: true` where JSON Schema says `type: null`.
fn as_json_schema(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(as_json_schema),
        Value::Object(fields) => {
            fields.values_mut().for_each(as_json_schema);
            if fields.get("nullable") == Some(&Value::Bool(true)) {
                let mut plain = Map::clone(fields);
                plain.shift_remove("nullable");
                *value = json!({ "anyOf": [plain, { "type": "null" }] });
            }
        }
        _ => {}
    }
}

impl Description {
    fn judge(&self, exchange: &Exchange) -> Result<(), String> {
        let operation = self.operation(&exchange.method, &exchange.path)?;
        self.judge_query(operation, &exchange.query)?;
        let body = operation.pointer("/requestBody/content/application~1json/schema");
        match (body, exchange.sent.is_empty()) {
            (Some(schema), false) => {
                let sent = serde_json::from_slice(&exchange.sent).map_err(|e| e.to_string())?;
                self.validate(schema, &sent)
                    .map_err(|fault| format!("request body: {fault}"))?;
                no_unknown_fields(schema, &sent)?;
            }
            (Some(_), true) if operation.pointer("/requestBody/required") == Some(&json!(true)) => {
                return Err("the request lacks its body".to_owned());
            }
            (Some(_) | None, true) => {}
            (None, false) => return Err("the request has a body and must not".to_owned()),
        }
        self.judge_response(operation, exchange)
    }

    fn operation(&self, method: &str, path: &str) -> Result<&Value, String> {
        let paths = self.0["paths"].as_object().unwrap();
        paths
            .iter()
            .find(|(template, _)| fits(template, path))
            .and_then(|(_, operations)| operations.get(method.to_lowercase()))
            .ok_or_else(|| "there is no such operation".to_owned())
    }

    fn judge_query(&self, operation: &Value, query: &str) -> Result<(), String> {
        let known: Vec<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| self.resolved(parameter))
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        for (name, _) in url::form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&name.as_ref()) {
                return Err(format!("there is no query parameter `{name}`"));
            }
        }
        Ok(())
    }

    fn judge_response(&self, operation: &Value, exchange: &Exchange) -> Result<(), String> {
        let Some(response) = operation["responses"].get(exchange.status.to_string()) else {
            // Every operation may fail, or have moved, in ways that are described elsewhere.
            return if exchange.status >= 300 {
                Ok(())
            } else {
                Err("this success is not described".to_owned())
            };
        };
        let is_json = exchange
            .content_type
            .as_deref()
            .is_some_and(|kind| kind.starts_with("application/json"));
        let schema = self
            .resolved(response)
            .pointer("/content/application~1json/schema");
        match schema {
            Some(schema) if is_json => {
                let body = serde_json::from_slice(&exchange.received).map_err(|e| e.to_string())?;
                self.validate(schema, &body)
                    .map_err(|fault| format!("response body: {fault}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.0.pointer(reference.trim_start_matches('#')).unwrap(),
            None => value,
        }
    }

    fn validate(&self, schema: &Value, instance: &Value) -> Result<(), String> {
        let whole = json!({ "components": self.0["components"], "allOf": [schema] });
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft4)
            .should_validate_formats(false)
            .build(&whole)
            .map_err(|e| e.to_string())?;
        let faults: Vec<String> = validator
            .iter_errors(instance)
            .map(|fault| format!("{fault} at {}", fault.instance_path()))
            .collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults.join("; "))
        }
    }
}

/// A field that GitHub does not know would be passed over in silence.
fn no_unknown_fields(schema: &Value, sent: &Value) -> Result<(), String> {
    let (Some(known), Some(sent)) = (schema["properties"].as_object(), sent.as_object()) else {
        return Ok(());
    };
    match sent.keys().find(|name| !known.contains_key(*name)) {
        Some(name) => Err(format!("request body: there is no field `{name}`")),
        None => Ok(()),
    }
}

/// Returns whether a path is one of the template's. Only a file's path may hold slashes.
fn fits(template: &str, path: &str) -> bool {
    if let Some(start) = template.strip_suffix("{path}") {
        let depth = start.matches('/').count();
        let split = path.match_indices('/').nth(depth - 1);
        return split.is_some_and(|(at, _)| fits(start, &path[..=at]));
    }
    let mut pieces = path.split('/');
    template
        .split('/')
        .all(|wanted| match (wanted.starts_with('{'), pieces.next()) {
            (true, Some(piece)) => !piece.is_empty(),
            (false, Some(piece)) => piece == wanted,
            (_, None) => false,
        })
        && pieces.next().is_none()
}

mod judge {
    use super::*;

    fn exchange(method: &str, path: &str, sent: &Value, status: u16, received: &Value) -> Exchange {
        Exchange {
            method: method.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            headers: http::HeaderMap::new(),
            sent: sent.to_string().into(),
            status,
            content_type: Some("application/json".to_owned()),
            received: received.to_string().into(),
        }
    }

    #[test]
    fn a_wrong_request_or_fixture_is_found() {
        let Some(description) = description() else {
            println!("the GitHub API description is not there");
            return;
        };
        let path = "/repos/a/b/deployments/1/statuses";
        let fault = |exchange: &Exchange| description.judge(exchange).unwrap_err();
        let wrong_word = exchange("POST", path, &json!({"state": "done"}), 201, &json!({}));
        assert!(fault(&wrong_word).contains("request body"));
        let wrong_field = json!({"state": "success", "log": "x"});
        let wrong_field = exchange("POST", path, &wrong_field, 201, &json!({}));
        assert!(fault(&wrong_field).contains("no field `log`"));
        let thin = exchange(
            "POST",
            path,
            &json!({"state": "success"}),
            201,
            &json!({"id": 1}),
        );
        assert!(fault(&thin).contains("response body"));
        let nowhere = exchange("PUT", path, &json!({}), 200, &json!({}));
        assert!(fault(&nowhere).contains("no such operation"));
    }

    #[test]
    fn only_a_files_path_may_hold_slashes() {
        assert!(fits(
            "/repos/{o}/{r}/contents/{path}",
            "/repos/a/b/contents/x/y.yml"
        ));
        assert!(!fits(
            "/repos/{o}/{r}/branches/{b}",
            "/repos/a/b/branches/x/y"
        ));
    }
}
