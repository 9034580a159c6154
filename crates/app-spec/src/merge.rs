//! Putting back an edit that another write has overwritten.
//!
//! The platform's `PUT` has no precondition, so two writers that read the same spec lose one of the edits.
//! Given the spec that both began with, the edit that was lost, and the spec as it now stands, the merge
//! carries the lost edit over into the present spec. Where both changed the same place, the present stays
//! and the place is reported: which of two values a person meant is never guessed.

use serde_json::{Map, Value};

use crate::canonical::is_nothing;
use crate::element::{identity_field, join, labelled};
use crate::spec::AppSpec;

/// The outcome of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The present spec with the lost edit in it, overlaps excepted.
    pub spec: AppSpec,
    /// The places that both edits changed, each in its own way, such as `services[web].run_command`. There
    /// the spec holds the present value.
    pub overlaps: Vec<String>,
}

/// Carries the edit that leads from `base` to `lost` over into `present`.
///
/// Lists whose elements have names (components, databases, variables, domains) are merged element by
/// element; other lists are one value. What the lost edit does not touch stays as it stands in `present`,
/// order included; what it adds comes last. A value that is null, false, zero or empty counts as absent
/// when asking whether something was changed, for that is how the platform reads it back.
#[must_use]
pub fn merge(base: &AppSpec, present: &AppSpec, lost: &AppSpec) -> Merged {
    let mut overlaps = Vec::new();
    let versions = Versions {
        base: Some(&base.to_value()),
        present: Some(&present.to_value()),
        lost: Some(&lost.to_value()),
    };
    let spec = match merge_value("", "", versions, &mut overlaps) {
        Some(Value::Object(map)) => AppSpec::from(map),
        // Three objects merge into an object; this arm only makes the match total.
        Some(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_),
        )
        | None => present.clone(),
    };
    Merged { spec, overlaps }
}

/// One place in the three specs.
#[derive(Clone, Copy)]
struct Versions<'a> {
    base: Option<&'a Value>,
    present: Option<&'a Value>,
    lost: Option<&'a Value>,
}

fn merge_value(
    path: &str,
    key: &str,
    versions: Versions<'_>,
    overlaps: &mut Vec<String>,
) -> Option<Value> {
    let Versions {
        base,
        present,
        lost,
    } = versions;
    if same(base, lost) || same(present, lost) {
        return present.cloned();
    }
    if same(base, present) {
        return lost.cloned();
    }
    if let (Some(Value::Object(present)), Some(Value::Object(lost))) = (present, lost) {
        let none = Map::new();
        let base = base.and_then(Value::as_object).unwrap_or(&none);
        return Some(Value::Object(merge_maps(
            path, base, present, lost, overlaps,
        )));
    }
    if let (Some(before), Some(now), Some(edit)) = (list(base), list(present), list(lost))
        && let Some(field) = identity_field(key, &[before, now, edit])
    {
        let merged = merge_lists(path, field, [before, now, edit], overlaps);
        let stays_absent = merged.is_empty() && !present.is_some_and(Value::is_array);
        return if stays_absent {
            present.cloned()
        } else {
            Some(Value::Array(merged))
        };
    }
    overlaps.push(path.to_owned());
    present.cloned()
}

/// Returns the elements of a list. An absent one is empty: the platform drops the key with the last element.
fn list(value: Option<&Value>) -> Option<&[Value]> {
    match value {
        None | Some(Value::Null) => Some(&[]),
        Some(Value::Array(elements)) => Some(elements),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => None,
    }
}

fn merge_maps(
    path: &str,
    base: &Map<String, Value>,
    present: &Map<String, Value>,
    lost: &Map<String, Value>,
    overlaps: &mut Vec<String>,
) -> Map<String, Value> {
    let added = lost.keys().filter(|key| !present.contains_key(*key));
    let mut merged = Map::new();
    for key in present.keys().chain(added) {
        let versions = Versions {
            base: base.get(key),
            present: present.get(key),
            lost: lost.get(key),
        };
        if let Some(value) = merge_value(&join(path, key), key, versions, overlaps) {
            merged.insert(key.clone(), value);
        }
    }
    merged
}

fn merge_lists(
    path: &str,
    field: &str,
    lists: [&[Value]; 3],
    overlaps: &mut Vec<String>,
) -> Vec<Value> {
    let [base, present, lost] = lists.map(|list| labelled(list, Some(field)));
    let added = lost
        .iter()
        .filter(|(label, _)| named(&present, label).is_none());
    let mut merged = Vec::new();
    for (label, _) in present.iter().chain(added) {
        let versions = Versions {
            base: named(&base, label),
            present: named(&present, label),
            lost: named(&lost, label),
        };
        merged.extend(merge_value(
            &format!("{path}[{label}]"),
            "",
            versions,
            overlaps,
        ));
    }
    merged
}

fn named<'a>(list: &[(String, &'a Value)], label: &str) -> Option<&'a Value> {
    list.iter()
        .find(|(candidate, _)| candidate == label)
        .map(|(_, element)| *element)
}

/// Tells whether two values are the same to the platform, as far as that does not depend on the place.
fn same(one: Option<&Value>, other: Option<&Value>) -> bool {
    one == other || (one.is_none_or(is_nothing) && other.is_none_or(is_nothing))
}
