//! GitHub's published description of its API, as a check on answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// The description, and what has been checked against it.
pub(crate) struct Contract {
    paths: Map<String, Value>,
    components: Value,
    checked: Mutex<BTreeMap<String, u32>>,
}

impl Contract {
    /// Reads the description; `None`, with a printed line, where the shared folder is absent.
    pub(crate) fn load() -> Option<Self> {
        let file = "../../../shared/openapi/github-slice.json";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("no shared folder: answers are not checked against GitHub's description");
            return None;
        };
        let mut document: Value = serde_json::from_str(&text).unwrap();
        allow_null(&mut document);
        let paths = document["paths"].as_object().unwrap().clone();
        let components = document["components"].take();
        Some(Self {
            paths,
            components,
            checked: Mutex::default(),
        })
    }

    /// Checks an answer; errors that a call does not list must still look like GitHub's errors.
    #[track_caller]
    pub(crate) fn check(
        &self,
        (method, path, accept): (&str, &str, &str),
        status: u16,
        body: Option<&Value>,
    ) {
        let template = self.template(method, path);
        let label = template.map_or_else(|| path.to_owned(), str::to_owned);
        let line = format!("{method} {label} {status}");
        let seen_before = {
            let mut checked = self.checked.lock().unwrap();
            let count = checked.entry(line.clone()).or_default();
            *count += 1;
            *count > 40
        };
        if seen_before {
            return;
        }
        let described = template.and_then(|template| {
            let responses = &self.paths[template][method.to_lowercase()]["responses"];
            self.resolve(&responses[status.to_string()])
        });
        let object = "application/vnd.github.object";
        let media = if accept.starts_with(object) {
            object
        } else {
            "application/json"
        };
        let schema = match (&described, status) {
            // A description without content, as of a deployment's 409, says nothing of the body.
            (Some(response), 400..) if response.get("content").is_none() => {
                json!({"$ref": "#/components/schemas/basic-error"})
            }
            (Some(response), _) => response["content"][media]["schema"].clone(),
            (None, 422) => json!({"$ref": "#/components/schemas/validation-error"}),
            (None, 400..) => json!({"$ref": "#/components/schemas/basic-error"}),
            (None, _) => panic!("{line} is not described"),
        };
        let Some(body) = body else {
            assert!(schema.is_null(), "{line} has no body");
            return;
        };
        assert!(!schema.is_null(), "{line} has a body: {body}");
        let validator = self.validator(schema);
        let errors: Vec<String> = validator
            .iter_errors(body)
            .map(|error| {
                let text: String = error.to_string().chars().take(400).collect();
                format!("{}: {text}", error.instance_path())
            })
            .collect();
        assert!(errors.is_empty(), "{line}:\n{}", errors.join("\n"));
    }

    /// Returns each call and status that was checked, as `GET /repos/{owner}/{repo} 200`.
    pub(crate) fn checked(&self) -> Vec<String> {
        self.checked.lock().unwrap().keys().cloned().collect()
    }

    fn validator(&self, schema: Value) -> Validator {
        jsonschema::validator_for(&json!({"allOf": [schema], "components": self.components}))
            .unwrap()
    }

    fn resolve(&self, response: &Value) -> Option<Value> {
        if response.is_null() {
            return None;
        }
        let Some(name) = response["$ref"].as_str() else {
            return Some(response.clone());
        };
        let name = name.rsplit('/').next().unwrap();
        Some(self.components["responses"][name].clone())
    }

    /// Returns the description of a call that fits a path with the fewest parameters.
    fn template(&self, method: &str, path: &str) -> Option<&str> {
        let path: Vec<&str> = path.trim_matches('/').split('/').collect();
        self.paths
            .iter()
            .filter(|(_, calls)| calls.get(method.to_lowercase()).is_some())
            .map(|(template, _)| template.as_str())
            .filter(|template| {
                fits(
                    &template.trim_matches('/').split('/').collect::<Vec<_>>(),
                    &path,
                )
            })
            .min_by_key(|template| {
                (
                    template.matches('{').count(),
                    std::cmp::Reverse(template.len()),
                )
            })
    }
}

/// A path, a reference and a name may hold slashes; the rest may not.
fn fits(template: &[&str], path: &[&str]) -> bool {
    match (template, path) {
        ([], []) | (["{path}"], []) => true,
        (
            [
                "{path}" | "{ref}" | "{commit_sha}" | "{branch}" | "{basehead}" | "{name}",
                after @ ..,
            ],
            [_, rest @ ..],
        ) => (0..=rest.len()).any(|end| fits(after, &rest[end..])),
        ([one, after @ ..], [part, rest @ ..]) => {
            (one == part || one.starts_with('{')) && fits(after, rest)
        }
        ([], _) | (_, []) => false,
    }
}

/// Writes OpenAPI 3.0's `nullable` as JSON Schema does.
fn allow_null(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(allow_null),
        Value::Object(map) => {
            map.values_mut().for_each(allow_null);
            if map.get("nullable") == Some(&json!(true)) {
                map.remove("nullable");
                let schema = Value::Object(std::mem::take(map));
                map.insert("anyOf".to_owned(), json!([schema, {"type": "null"}]));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
