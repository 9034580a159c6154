//! Tolerant reading of the platform's replies.
//!
//! The platform omits what is empty, writes year 1 for a time that never was, and adds fields at will.
//! Only what identifies a document is required of it; the rest is read when it has the expected type.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// Why a document of the platform could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DocumentError {
    /// The document is not a JSON object.
    #[error("cannot read {what}: it is {found}, not an object")]
    NotAnObject {
        /// The kind of document.
        what: &'static str,
        /// The JSON type that stood there.
        found: &'static str,
    },
    /// A list of documents is not a JSON array.
    #[error("cannot read {what}: it is {found}, not a list")]
    NotAList {
        /// The kind of document.
        what: &'static str,
        /// The JSON type that stood there.
        found: &'static str,
    },
    /// A field without which the document means nothing is absent, empty or of another type.
    #[error("cannot read {what}: `{field}` is missing")]
    Missing {
        /// The kind of document.
        what: &'static str,
        /// The field.
        field: &'static str,
    },
}

/// Returns the JSON type of a value in words, for messages.
pub(crate) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Returns the map of a document.
pub(crate) fn object<'a>(
    what: &'static str,
    value: &'a Value,
) -> Result<&'a Map<String, Value>, DocumentError> {
    value.as_object().ok_or(DocumentError::NotAnObject {
        what,
        found: type_of(value),
    })
}

/// Returns a text field; an empty text reads as absent, as the platform means it.
pub(crate) fn text<'a>(map: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    map.get(field)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// Returns an owned text field; an empty text reads as absent.
pub(crate) fn owned_text(map: &Map<String, Value>, field: &str) -> Option<String> {
    text(map, field).map(str::to_owned)
}

/// Returns a text field that the document cannot do without.
pub(crate) fn required_text<'a>(
    what: &'static str,
    map: &'a Map<String, Value>,
    field: &'static str,
) -> Result<&'a str, DocumentError> {
    text(map, field).ok_or(DocumentError::Missing { what, field })
}

/// Returns an object field.
pub(crate) fn child<'a>(
    map: &'a Map<String, Value>,
    field: &str,
) -> Option<&'a Map<String, Value>> {
    map.get(field).and_then(Value::as_object)
}

/// Returns the objects of a list field; elements of another type are passed over.
pub(crate) fn children<'a>(
    map: &'a Map<String, Value>,
    field: &str,
) -> impl Iterator<Item = &'a Map<String, Value>> + use<'a> {
    map.get(field)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

/// Returns a flag; absent reads as `false`, as the platform omits it then.
pub(crate) fn flag(map: &Map<String, Value>, field: &str) -> bool {
    map.get(field).and_then(Value::as_bool).unwrap_or(false)
}

/// Returns a whole number.
pub(crate) fn number(map: &Map<String, Value>, field: &str) -> Option<u64> {
    map.get(field).and_then(Value::as_u64)
}

/// Returns a time; the platform writes `0001-01-01T00:00:00Z` for one that never was (seen in its own
/// API examples and in recorded deployments).
pub(crate) fn time(map: &Map<String, Value>, field: &str) -> Option<Timestamp> {
    let text = text(map, field)?;
    if text.starts_with("0001-01-01") {
        return None;
    }
    text.parse().ok()
}
