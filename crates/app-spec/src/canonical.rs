//! One form for all spellings of a spec that mean the same to the platform.
//!
//! What the platform is sent and what it reads back differ (recorded from live apps): `type: GENERAL` and
//! `deploy_on_push: false` vanish, zero, false and empty values are omitted, the default instance size and
//! count appear. The form undoes that:
//!
//! - a key whose value is null, false, zero, or an empty text, list or object is as if absent;
//! - the defaults are as if absent: variable type `GENERAL`, variable scope `RUN_AND_BUILD_TIME` or `UNSET`,
//!   one instance, the default instance size, job kind `POST_DEPLOY` or `UNSPECIFIED`, image tag `latest`;
//! - the order of keys does not count;
//! - a job's `timeout` is compared as a time: `30m` is `1800s`;
//! - lists that the platform treats as sets are sorted: components and databases by `name`, variables by
//!   `key`, domains by `domain`, and `features`. In all other lists order counts, above all in ingress
//!   rules, and so do empty elements.

use serde_json::{Map, Value};

use crate::component::ComponentKind;
use crate::duration;
use crate::element;

/// What the platform makes of an absent instance size (read back from live apps).
const DEFAULT_INSTANCE_SIZE: &str = "apps-s-1vcpu-0.5gb";

/// Where in a spec a value stands, as far as its meaning depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Spec,
    Component(ComponentKind),
    Env,
    Image,
    Elsewhere,
}

/// Returns a spec in the one form, with keys sorted.
pub(crate) fn canonical(spec: &Map<String, Value>) -> Map<String, Value> {
    canonical_map(spec, Place::Spec)
}

fn canonical_map(map: &Map<String, Value>, place: Place) -> Map<String, Value> {
    let mut kept: Vec<(&String, Value)> = map
        .iter()
        .filter(|(key, value)| !is_default(place, key, value))
        .map(|(key, value)| (key, canonical_field(place, key, value)))
        .filter(|(_, value)| !is_nothing(value))
        .collect();
    kept.sort_by_key(|(key, _)| *key);
    kept.into_iter()
        .map(|(key, value)| (key.clone(), value))
        .collect()
}

fn canonical_field(place: Place, key: &str, value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(canonical_map(map, place_of_object(place, key))),
        Value::Array(elements) => Value::Array(canonical_list(place, key, elements)),
        Value::String(text)
            if place == Place::Component(ComponentKind::Job) && key == "timeout" =>
        {
            duration::from_text(text)
                .map_or_else(|| value.clone(), |time| duration::to_text(time).into())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn canonical_list(place: Place, key: &str, elements: &[Value]) -> Vec<Value> {
    let inside = place_of_element(place, key);
    let mut list: Vec<Value> = elements
        .iter()
        .map(|element| canonical_element(inside, element))
        .collect();
    if let Some(field) = element::identifying_field(key) {
        // Stable, so that two entries of one name keep their order: the later one may win.
        list.sort_by(|one, other| identity(one, field).cmp(identity(other, field)));
    } else if place == Place::Spec && key == "features" {
        list.sort_by_key(Value::to_string);
    }
    list
}

fn canonical_element(place: Place, element: &Value) -> Value {
    match element {
        Value::Object(map) => Value::Object(canonical_map(map, place)),
        Value::Array(elements) => Value::Array(
            elements
                .iter()
                .map(|element| canonical_element(place, element))
                .collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => element.clone(),
    }
}

/// Returns what tells an element of a list from the others.
fn identity<'a>(element: &'a Value, field: &str) -> &'a str {
    element
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn place_of_object(place: Place, key: &str) -> Place {
    match (place, key) {
        (Place::Component(_), "image") => Place::Image,
        _ => Place::Elsewhere,
    }
}

fn place_of_element(place: Place, key: &str) -> Place {
    match (place, key) {
        (Place::Spec | Place::Component(_), "envs") => Place::Env,
        (Place::Spec, key) => {
            ComponentKind::of_list(key).map_or(Place::Elsewhere, Place::Component)
        }
        _ => Place::Elsewhere,
    }
}

fn is_default(place: Place, key: &str, value: &Value) -> bool {
    let text = value.as_str();
    match (place, key) {
        (Place::Env, "type") => text == Some("GENERAL"),
        (Place::Env, "scope") => matches!(text, Some("RUN_AND_BUILD_TIME" | "UNSET")),
        (Place::Image, "tag") => text == Some("latest"),
        (Place::Component(ComponentKind::Job), "kind") => {
            matches!(text, Some("POST_DEPLOY" | "UNSPECIFIED"))
        }
        (Place::Component(_), "instance_count") => value.as_u64() == Some(1),
        (Place::Component(_), "instance_size_slug") => text == Some(DEFAULT_INSTANCE_SIZE),
        _ => false,
    }
}

/// Tells whether a value is as good as absent.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}
