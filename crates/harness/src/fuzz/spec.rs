//! App specs: any JSON, edited by us and merged with what others wrote.

use super::unread::Unread;
use app_spec::{AppSpec, ComponentName, JobComponent, SpecError, changes, merge, redacted_diff};
use migration::{RunRecord, removal};
use serde_json::{Map, Value, json};

const OURS: &str = "migrate-k3f9q2x7-e0";

/// What separates the texts of several specs in one input.
const BETWEEN: u8 = 0x1e;

/// Keys that mean something in a spec, and two that do not.
const KEYS: [&str; 26] = [
    "name",
    "jobs",
    "services",
    "workers",
    "static_sites",
    "functions",
    "databases",
    "envs",
    "key",
    "value",
    "scope",
    "type",
    "domains",
    "domain",
    "github",
    "repo",
    "image",
    "tag",
    "instance_count",
    "features",
    "ingress",
    "rules",
    "timeout",
    "run_command",
    "zeta",
    "",
];

const WORDS: [&str; 14] = [
    "web",
    "seed",
    "shop-db",
    OURS,
    "KEY",
    "TOKEN",
    "GENERAL",
    "SECRET",
    "",
    "${db.DATABASE_URL}",
    "30m",
    "1800s",
    "latest",
    "0",
];

/// An encrypted value, as the platform writes it.
const ENCRYPTED: &str = "EV[1:canary:canary]";

/// Our job goes in and comes out without a trace, fields that we don't know stay as they are, and the merge loses
/// nothing that it does not report.
pub fn spec(bytes: &[u8]) {
    let [base, present, lost] = specs(bytes);
    for one in [&base, &present, &lost] {
        reads_back(one);
        put_in_and_taken_out(one);
        foreign_jobs_stay(one);
    }
    merged(&base, &present, &lost);
    // As a run of ours meets it: our job is in the present, and somebody's edit was overwritten by it.
    if let Ok(with_ours) = base.insert_job(&our_job()) {
        let merged = merge(&base, &with_ours, &lost).spec;
        assert!(merged.job(OURS).is_some(), "our job is lost in a merge");
    }
}

fn reads_back(spec: &AppSpec) {
    let again: AppSpec = serde_json::from_str(&text(spec)).unwrap();
    assert!(again.is_identical(spec), "{}", text(spec));
    assert!(changes(spec, spec).is_empty());
    assert_eq!(again.fingerprint(), spec.fingerprint());
}

fn put_in_and_taken_out(before: &AppSpec) {
    let with = match before.insert_job(&our_job()) {
        Ok(with) => with,
        Err(SpecError::NameTaken { .. }) => {
            assert!(before.component(OURS).is_some());
            return;
        }
        Err(error) => {
            assert!(
                matches!(error, SpecError::NotAList { key: "jobs", .. }),
                "{error}"
            );
            return;
        }
    };
    assert_eq!(without_jobs(&with), without_jobs(before));
    let jobs = |spec: &AppSpec| match spec.raw().get("jobs") {
        Some(Value::Array(jobs)) => jobs.iter().map(Value::to_string).collect(),
        _ => Vec::new(),
    };
    let (mut others, all): (Vec<String>, Vec<String>) = (jobs(before), jobs(&with));
    others.push(our_job().to_value().to_string());
    assert_eq!(all, others);
    let after = with.remove_jobs(&[name(OURS)], Some(before));
    assert_eq!(text(&after), text(before));
    // Where nobody knows any more how it was, the list goes, and nothing else moves.
    let after = with.remove_jobs(&[name(OURS)], None);
    assert_eq!(without_jobs(&after), without_jobs(before));
}

/// A job that is called like ours and has no record that agrees is somebody's.
fn foreign_jobs_stay(spec: &AppSpec) {
    let ours = RunRecord::all(spec);
    let after = removal(spec, &[name(OURS)], None);
    if ours.iter().all(|record| record.job().to_string() != OURS) {
        assert_eq!(text(&after), text(spec));
    }
    assert_eq!(without_jobs(&after), without_jobs(spec));
}

fn merged(base: &AppSpec, present: &AppSpec, lost: &AppSpec) {
    // Nothing was lost: the present stays, to the letter.
    for nothing in [base, present] {
        let merged = merge(base, present, nothing);
        assert_eq!(text(&merged.spec), text(present));
        assert!(merged.overlaps.is_empty());
    }
    // Nobody else wrote: the edit comes back whole.
    let alone = merge(base, base, lost);
    assert!(alone.overlaps.is_empty());
    assert_eq!(alone.spec.fingerprint(), lost.fingerprint());
    // Put back a second time, nothing changes: two runners may both do it.
    let merged = merge(base, present, lost);
    let again = merge(base, &merged.spec, lost);
    assert_eq!(text(&again.spec), text(&merged.spec));
    assert_eq!(again.overlaps, merged.overlaps);
}

/// Reads up to three specs: their JSON, or choices that make some. One that is missing is like the one before it.
fn specs(bytes: &[u8]) -> [AppSpec; 3] {
    let mut texts = bytes.split(|byte| *byte == BETWEEN);
    let first = texts.next().and_then(parsed);
    let Some(base) = first else {
        let mut unread = Unread::new(bytes);
        let made = [(); 3].map(|()| AppSpec::from(object(&mut unread, 5)));
        let [one, other, _] = &made;
        assert!(!redacted_diff(one, other).contains("canary"), "{made:?}");
        return made;
    };
    let present = texts
        .next()
        .and_then(parsed)
        .unwrap_or_else(|| base.clone());
    let lost = texts
        .next()
        .and_then(parsed)
        .unwrap_or_else(|| present.clone());
    [base, present, lost]
}

fn parsed(text: &[u8]) -> Option<AppSpec> {
    serde_json::from_slice(text).ok()
}

fn value(unread: &mut Unread<'_>, depth: usize) -> Value {
    let kinds = if depth == 0 { 7 } else { 12 };
    match unread.below(kinds) {
        0 => Value::Null,
        1 => json!(unread.below(2) == 1),
        2 => json!(unread.byte()),
        3 => json!(f64::from(unread.byte()) / 8.0 - 4.0),
        4 => json!([]),
        5 => json!(ENCRYPTED),
        6 => json!(unread.one_of(&WORDS)),
        7..=9 => {
            let length = unread.below(4);
            (0..length).map(|_| value(unread, depth - 1)).collect()
        }
        _ => Value::Object(object(unread, depth - 1)),
    }
}

fn object(unread: &mut Unread<'_>, depth: usize) -> Map<String, Value> {
    let length = unread.below(6);
    (0..length)
        .map(|_| {
            let key = unread.one_of(&KEYS);
            let value = match key {
                // What tells the elements of a list apart is always plain, so that most lists can be merged.
                "name" | "key" | "domain" => json!(unread.one_of(&WORDS)),
                _ => value(unread, depth),
            };
            (key.to_owned(), value)
        })
        .collect()
}

fn our_job() -> JobComponent {
    let shop =
        json!({"services": [{"name": "web", "github": {"repo": "acme/shop", "branch": "main"}}]});
    let shop = AppSpec::from_value(shop).unwrap();
    JobComponent::copy_of(&shop.component("web").unwrap(), name(OURS))
        .unwrap()
        .run_command("true")
        .build()
        .unwrap()
}

fn name(text: &str) -> ComponentName {
    ComponentName::parse(text).unwrap()
}

fn text(spec: &AppSpec) -> String {
    spec.to_value().to_string()
}

fn without_jobs(spec: &AppSpec) -> String {
    let mut map = spec.raw().clone();
    map.shift_remove("jobs");
    Value::Object(map).to_string()
}
