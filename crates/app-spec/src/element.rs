//! How the elements of a spec's lists are told apart.
//!
//! Components and databases have a name, variables a key and domains a domain, each unique in its list; the
//! place in the list means nothing there. Elements of all other lists are told apart by their place.

use serde_json::Value;

use crate::component::ComponentKind;

/// Returns the field that tells the elements of a list of this key apart, if the platform has one.
pub(crate) fn identifying_field(key: &str) -> Option<&'static str> {
    match key {
        "envs" => Some("key"),
        "domains" => Some("domain"),
        _ => ComponentKind::of_list(key).map(|_| "name"),
    }
}

/// Returns the field that tells the elements of these lists of one key apart; `None` where an element of
/// any of them lacks it or two share it.
pub(crate) fn identity_field(key: &str, lists: &[&[Value]]) -> Option<&'static str> {
    identifying_field(key).filter(|field| lists.iter().all(|list| are_distinct(list, field)))
}

/// Returns each element with its name, or with its place where there is no field to name it by.
pub(crate) fn labelled<'a>(elements: &'a [Value], field: Option<&str>) -> Vec<(String, &'a Value)> {
    elements
        .iter()
        .enumerate()
        .map(|(index, element)| {
            let name = field
                .and_then(|field| element.get(field))
                .and_then(Value::as_str);
            (
                name.map_or_else(|| index.to_string(), str::to_owned),
                element,
            )
        })
        .collect()
}

/// Returns the path of a field, such as `services[web].image`.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn are_distinct(elements: &[Value], field: &str) -> bool {
    let mut names: Vec<&str> = elements
        .iter()
        .filter_map(|element| element.get(field).and_then(Value::as_str))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.len() == elements.len()
}
