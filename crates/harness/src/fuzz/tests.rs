//! The same bodies on a stable toolchain: every kept input, and inputs made of them, of the words of each dictionary
//! and of nothing but chance.

use app_spec::{App, AppId, AppSpec, changes, redacted_diff};
use digitalocean::{Error, Stamped};
use github::Event;
use migration::{Config, Manifest, MigrationId, RunRecord};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// How many inputs are tried of each kind: what the development profile has time for.
const CASES: u32 = 400;

type Body = fn(&[u8]);

const TARGETS: [(&str, Body); 6] = [
    ("commands", super::commands),
    ("event", super::event),
    ("files", super::files),
    ("gzip", super::gzip),
    ("log", super::log),
    ("spec", super::spec),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The names in a folder, without their endings.
fn names(folder: &Path) -> BTreeSet<String> {
    let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| stem(entry.unwrap().path())).collect()
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder().join("corpus").join(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// The words of a dictionary in libFuzzer's form: one in quotes on a line, with `\xNN`, `\\` and `\"`.
fn words(target: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(folder().join(format!("dictionaries/{target}.dict"))).unwrap();
    let quoted = text
        .lines()
        .filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    quoted.map(word).collect()
}

fn word(quoted: &str) -> Vec<u8> {
    let mut word = Vec::new();
    let mut rest = quoted.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'\\' => match rest.next().unwrap() {
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                literal => literal,
            },
            plain => plain,
        };
        word.push(byte);
    }
    word
}

#[derive(Debug, Clone)]
enum Edit {
    Put(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
}

fn edited(mut bytes: Vec<u8>, edits: Vec<Edit>) -> Vec<u8> {
    let place = |at: Index, bytes: &[u8]| at.index(bytes.len() + 1);
    for edit in edits {
        match edit {
            Edit::Put(at, byte) => {
                let at = place(at, &bytes);
                bytes.splice(at..(at + 1).min(bytes.len()), [byte]);
            }
            Edit::Insert(at, word) => {
                let at = place(at, &bytes);
                bytes.splice(at..at, word);
            }
            Edit::Remove(at, length) => {
                let at = place(at, &bytes);
                bytes.drain(at..(at + length).min(bytes.len()));
            }
            Edit::Repeat(at, length) => {
                let at = place(at, &bytes);
                let part = bytes[at..(at + length).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}

fn inputs(target: &str) -> impl Strategy<Value = Vec<u8>> {
    let words = proptest::sample::select(words(target));
    let edit = prop_oneof![
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Put(at, byte)),
        3 => (any::<Index>(), words.clone()).prop_map(|(at, word)| Edit::Insert(at, word)),
        1 => (any::<Index>(), 1_usize..40).prop_map(|(at, length)| Edit::Remove(at, length)),
        1 => (any::<Index>(), 1_usize..40).prop_map(|(at, length)| Edit::Repeat(at, length)),
    ];
    let kept = proptest::sample::select(seeds(target));
    prop_oneof![
        1 => proptest::collection::vec(any::<u8>(), 0..600),
        1 => proptest::collection::vec(words, 0..30).prop_map(|words| words.concat()),
        2 => (kept, proptest::collection::vec(edit, 0..8)).prop_map(|(seed, edits)| edited(seed, edits)),
    ]
}

fn holds(target: &str) {
    let (_, body) = TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    seeds(target).iter().for_each(|seed| body(seed));
    let config = ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(input in inputs(target))| body(&input));
}

#[test]
fn every_target_has_its_body_its_inputs_and_its_words() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for folder in ["fuzz_targets", "corpus", "dictionaries"] {
        assert_eq!(names(&self::folder().join(folder)), targets, "{folder}");
    }
}

/// Deeper than any reader of ours goes, and deeper than any stack.
const TOO_DEEP: [usize; 2] = [129, 100_000];

/// An object in an object and so on.
fn nested(depth: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
}

#[test]
fn json_beyond_any_depth_is_refused_wherever_it_comes_in() {
    for depth in TOO_DEEP {
        let deep = nested(depth);
        assert!(serde_json::from_str::<AppSpec>(&deep).is_err());
        let inputs = format!(r#"{{"inputs":{deep}}}"#);
        assert!(Event::parse("workflow_dispatch", inputs.as_bytes()).is_err());
        let job = json!({"name": "migrate-k3f9q2x7-e0", "envs": [{"key": "HARBOR_PILOT_RUN", "value": deep}]});
        let spec = AppSpec::from_value(json!({"jobs": [job]})).unwrap();
        assert!(RunRecord::all(&spec).is_empty());
        let manifest = format!("steps: {deep}");
        let id = MigrationId::parse("ter-235").unwrap();
        assert!(Manifest::parse(id, "manifest.yml", &manifest).is_err());
        assert!(Config::parse("config.yml", &format!("app: {deep}")).is_err());

        let reply = format!(r#"{{"app":{{"id":"1","spec":{deep}}}}}"#);
        let error = app(&reply).unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{error:?}");
    }
}

/// What is just not too deep is worked on like anything else, also on the small stack of a thread.
#[test]
fn json_as_deep_as_is_read_is_edited_and_merged() {
    super::spec(nested(127).as_bytes());
    let reply = format!(r#"{{"app":{{"id":"1","spec":{}}}}}"#, nested(124));
    let app = app(&reply).unwrap();
    let spec = app.value.spec;
    assert_eq!(spec.to_value().to_string(), nested(124));
    let deeper = AppSpec::from_value(serde_json::from_str(&nested(127)).unwrap()).unwrap();
    assert!(!redacted_diff(&spec, &deeper).is_empty());
    assert_eq!(changes(&spec, &deeper).len(), 1);
}

/// Reads an app as the platform's answer to the call for it.
fn app(reply: &str) -> Result<Stamped<App>, Error> {
    let client = super::gzip::client(&[reply.as_bytes()]);
    let runtime = super::gzip::runtime();
    runtime.block_on(client.app(&AppId::new("1")))
}

#[test]
fn foreign_text_is_never_a_command_of_the_runner() {
    holds("commands");
}

#[test]
fn any_event_is_read_or_refused() {
    holds("event");
}

#[test]
fn any_manifest_or_config_is_read_or_refused_in_few_words() {
    holds("files");
}

#[test]
fn any_stored_log_comes_out_whole_or_not_at_all_and_never_without_end() {
    holds("gzip");
}

#[test]
fn foreign_output_proves_nothing_and_shows_no_secret() {
    holds("log");
}

#[test]
fn any_spec_is_edited_without_a_trace_and_merged_without_a_loss() {
    holds("spec");
}
