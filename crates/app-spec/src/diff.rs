//! What differs between two specs: as text for a person, without secrets, and as paths for a program.
//!
//! The two answer different questions. The text compares the specs as they are written. The paths compare
//! what they mean (see the canonical form), so that the platform's own rewriting is no difference.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::group_diff_ops;
use similar::udiff::UnifiedHunkHeader;

use crate::canonical::canonical;
use crate::element::{identity_field, join, labelled};
use crate::redact;
use crate::spec::AppSpec;

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// It is only in the later spec.
    Added,
    /// It is only in the earlier spec.
    Removed,
    /// It is in both, with another value.
    Changed,
}

/// One difference between two specs. It names a place and never a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The place, such as `services[web].envs[NODE_ENV].value`.
    pub path: String,
    /// How it differs.
    pub kind: ChangeKind,
}

/// Returns what differs in meaning between two specs, in the order of the paths' keys.
///
/// Components are told apart by name, variables by key and domains by domain, so a change of order is no
/// difference there. A whole component or variable that came or went is one difference.
#[must_use]
pub fn changes(before: &AppSpec, after: &AppSpec) -> Vec<Change> {
    let mut found = Vec::new();
    compare_maps(
        "",
        &canonical(before.raw()),
        &canonical(after.raw()),
        &mut found,
    );
    found
}

fn compare_maps(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    found: &mut Vec<Change>,
) {
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let path = join(path, key);
        match (before.get(key), after.get(key)) {
            (Some(one), Some(other)) => compare(&path, key, one, other, found),
            // A list that came or went is told element by element, so that a first job reads as a job.
            (Some(Value::Array(one)), None) => compare_lists(&path, key, one, &[], found),
            (None, Some(Value::Array(other))) => compare_lists(&path, key, &[], other, found),
            (Some(_), None) => found.push(Change {
                path,
                kind: ChangeKind::Removed,
            }),
            (None, Some(_)) => found.push(Change {
                path,
                kind: ChangeKind::Added,
            }),
            (None, None) => {}
        }
    }
}

fn compare(path: &str, key: &str, before: &Value, after: &Value, found: &mut Vec<Change>) {
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => compare_maps(path, one, other, found),
        (Value::Array(one), Value::Array(other)) => compare_lists(path, key, one, other, found),
        (one, other) if one != other => {
            found.push(Change {
                path: path.to_owned(),
                kind: ChangeKind::Changed,
            });
        }
        (_, _) => {}
    }
}

fn compare_lists(
    path: &str,
    key: &str,
    before: &[Value],
    after: &[Value],
    found: &mut Vec<Change>,
) {
    let field = identity_field(key, &[before, after]);
    let one = labelled(before, field);
    let other = labelled(after, field);
    for (label, value) in &one {
        match other.iter().find(|(candidate, _)| candidate == label) {
            Some((_, counterpart)) => {
                compare(&format!("{path}[{label}]"), "", value, counterpart, found);
            }
            None => found.push(Change {
                path: format!("{path}[{label}]"),
                kind: ChangeKind::Removed,
            }),
        }
    }
    for (label, _) in &other {
        if !one.iter().any(|(candidate, _)| candidate == label) {
            found.push(Change {
                path: format!("{path}[{label}]"),
                kind: ChangeKind::Added,
            });
        }
    }
}

/// Returns the unified diff of two specs as indented JSON; empty when nothing differs.
///
/// Never shown are: values of variables of any type but plain, values of plain variables whose key tells of
/// a secret, text that the platform encrypted, credentials of registries and log destinations, and users
/// and passwords in URLs. In their place stands `<secret, unchanged>`, or `<secret>` before and
/// `<secret, changed>` after, or `<secret>` where only one spec has the place.
#[must_use]
pub fn redacted_diff(before: &AppSpec, after: &AppSpec) -> String {
    let before = before.to_value();
    let after = after.to_value();
    let old = shown(&before, &after, Side::Before);
    let new = shown(&after, &before, Side::After);
    if old == new {
        return String::new();
    }
    unified(&old, &new)
}

/// How many lines that are alike are shown around those that are not, as `diff -u` does.
const AROUND: usize = 3;

/// Returns the unified diff of two texts.
///
/// The algorithm is named here, and not left to `similar::TextDiff`: that can be asked for any of six, and so brings all
/// of them along, a hundred and fifty kilobytes of an image that is meant to be small.
fn unified(old: &str, new: &str) -> String {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let (before, after) = (old.as_slice(), new.as_slice());
    let mut differing = Compact::new(Replace::new(Capture::new()), before, after);
    let Ok(()) = myers::diff(
        &mut differing,
        before,
        0..before.len(),
        after,
        0..after.len(),
    );
    let mut text = String::from("--- before\n+++ after\n");
    for hunk in group_diff_ops(differing.into_inner().into_inner().into_ops(), AROUND) {
        text.push_str(&format!("{}\n", UnifiedHunkHeader::new(&hunk)));
        for change in hunk.iter().flat_map(|op| op.iter_changes(before, after)) {
            text.push_str(&format!("{}{}", change.tag(), change.value()));
        }
    }
    text
}

/// Which of the two specs is being written.
#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

/// Returns a spec as indented JSON, with every secret replaced.
fn shown(spec: &Value, counterpart: &Value, side: Side) -> String {
    let mut leaves = BTreeMap::new();
    visit(counterpart, &Place::root(), &mut |place, leaf| {
        let text = leaf_text(leaf);
        leaves.insert(
            place.path.clone(),
            Leaf {
                secret: place.secret || redact::is_secret_text(&text),
                text,
            },
        );
    });
    let mut shown = spec.clone();
    hide(&mut shown, &Place::root(), &|place, leaf| {
        let text = leaf_text(leaf);
        let counterpart = leaves.get(&place.path);
        let placeholder = match (counterpart, side) {
            (Some(other), _) if other.text == text => "<secret, unchanged>",
            (Some(_), Side::After) => "<secret, changed>",
            (Some(_), Side::Before) | (None, _) => "<secret>",
        };
        // A value that is plain here and secret there may well be the same one.
        let secret = place.secret
            || redact::is_secret_text(&text)
            || counterpart.is_some_and(|other| other.secret);
        if secret {
            Some(placeholder.to_owned())
        } else {
            redact::mask_userinfo(&text, placeholder)
        }
    });
    let mut text = format!("{shown:#}");
    text.push('\n');
    text
}

/// A text, number or flag of the other spec.
struct Leaf {
    text: String,
    secret: bool,
}

/// Where in a spec the walk is.
struct Place {
    path: String,
    /// The key of the nearest field, by which the elements of a list are told apart.
    key: String,
    /// Whether everything from here down is secret.
    secret: bool,
}

impl Place {
    fn root() -> Self {
        Self {
            path: String::new(),
            key: String::new(),
            secret: false,
        }
    }

    fn field(&self, key: &str, hides_value: bool) -> Self {
        Self {
            path: join(&self.path, key),
            key: key.to_owned(),
            secret: self.secret
                || redact::is_credential_field(key)
                || (hides_value && key == "value"),
        }
    }

    fn element(&self, label: &str) -> Self {
        Self {
            path: format!("{}[{label}]", self.path),
            key: String::new(),
            secret: self.secret,
        }
    }

    fn labels(&self, elements: &[Value]) -> Vec<String> {
        let field = identity_field(&self.key, &[elements]);
        labelled(elements, field)
            .into_iter()
            .map(|(label, _)| label)
            .collect()
    }
}

fn leaf_text(leaf: &Value) -> String {
    leaf.as_str()
        .map_or_else(|| leaf.to_string(), str::to_owned)
}

/// Shows every leaf to `see`.
fn visit(value: &Value, place: &Place, see: &mut impl FnMut(&Place, &Value)) {
    match value {
        Value::Object(map) => {
            let hides_value = redact::hides_value(map);
            for (key, value) in map {
                visit(value, &place.field(key, hides_value), see);
            }
        }
        Value::Array(elements) => {
            for (element, label) in elements.iter().zip(place.labels(elements)) {
                visit(element, &place.element(&label), see);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => see(place, value),
    }
}

/// Puts what `hidden` says in the place of every leaf for which it says something; null hides nothing.
fn hide(value: &mut Value, place: &Place, hidden: &impl Fn(&Place, &Value) -> Option<String>) {
    match value {
        Value::Object(map) => {
            let hides_value = redact::hides_value(map);
            for (key, value) in map.iter_mut() {
                hide(value, &place.field(key, hides_value), hidden);
            }
        }
        Value::Array(elements) => {
            let labels = place.labels(elements);
            for (element, label) in elements.iter_mut().zip(labels) {
                hide(element, &place.element(&label), hidden);
            }
        }
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            if let Some(text) = hidden(place, value) {
                *value = Value::String(text);
            }
        }
    }
}
