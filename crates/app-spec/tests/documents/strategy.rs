//! Any JSON, any spec, and what the platform may do to one between writing and reading.

use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

/// Any JSON value, nulls and empty lists among them.
pub(crate) fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("JSON has finite numbers only", |n| Number::from_f64(n)
            .map(Value::Number)),
        any::<String>().prop_map(Value::String),
        Just(json!([])),
        Just(json!({})),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            object_of(any::<String>(), inner).prop_map(Value::Object),
        ]
    })
}

/// Any JSON object in any order of keys.
pub(crate) fn json_object() -> impl Strategy<Value = Map<String, Value>> {
    object_of(any::<String>(), json_value())
}

fn object_of(
    keys: impl Strategy<Value = String>,
    values: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((keys, values), 0..6).prop_map(|entries| entries.into_iter().collect())
}

/// A spec of unknown fields around a list of jobs that may be absent, null, empty, or hold other jobs
/// (and even things that are none), anywhere among the keys.
pub(crate) fn spec_around_jobs() -> impl Strategy<Value = Map<String, Value>> {
    let job = (
        prop::sample::select(vec!["seed", "report", "old-job"]),
        json_object(),
    )
        .prop_map(|(name, mut job)| {
            job.insert("name".to_owned(), json!(name));
            Value::Object(job)
        });
    let jobs = prop_oneof![
        Just(None),
        Just(Some(Value::Null)),
        Just(Some(json!([]))),
        prop::collection::vec(prop_oneof![9 => job, 1 => json_value()], 1..4)
            .prop_map(|jobs| Some(Value::Array(jobs))),
    ];
    (json_object(), jobs, json_object()).prop_map(|(mut spec, jobs, rest)| {
        let _replaced = spec.shift_remove("jobs");
        if let Some(jobs) = jobs {
            spec.insert("jobs".to_owned(), jobs);
        }
        for (key, value) in rest.into_iter().filter(|(key, _)| key != "jobs") {
            spec.insert(key, value);
        }
        spec
    })
}

/// Returns the same meaning in another spelling: keys reversed, and values that mean nothing added
/// wherever there is an object.
pub(crate) fn respelled(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map
                .iter()
                .map(|(key, value)| (key.clone(), respelled(value)))
                .collect();
            entries.reverse();
            for (key, nothing) in [
                ("zz_null", json!(null)),
                ("zz_false", json!(false)),
                ("zz_zero", json!(0)),
                ("zz_text", json!("")),
                ("zz_list", json!([])),
                ("zz_map", json!({"zz": {}})),
            ] {
                if !map.contains_key(key) {
                    entries.push((key.to_owned(), nothing));
                }
            }
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(elements) => Value::Array(elements.iter().map(respelled).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
