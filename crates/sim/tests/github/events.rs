//! Payloads for `GITHUB_EVENT_PATH`, held against recorded ones.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use sim::github::{Edits, MergeMethod};

use crate::client::{Client, REPO};

/// Asserts that two payloads have the same keys and kinds of values, down to the leaves.
///
/// The recordings are some years old: `only_ours` are keys that came later, `only_theirs` those
/// that only a repository with an app installed or an organisation has.
fn same_shape(recording: &str, ours: &Value) {
    let file = format!("../../../shared/github-events/{recording}");
    let Ok(text) = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)) else {
        println!("no shared folder: `{recording}` is not compared");
        return;
    };
    let mut differences = Vec::new();
    compare(
        "",
        &serde_json::from_str(&text).unwrap(),
        ours,
        &mut differences,
    );
    assert!(
        differences.is_empty(),
        "{recording}:\n{}",
        differences.join("\n")
    );
}

fn compare(at: &str, theirs: &Value, ours: &Value, differences: &mut Vec<String>) {
    let only_theirs = ["installation", "organization"];
    let only_ours = ["disabled"];
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) if at != ".inputs" => {
            for (key, value) in theirs {
                match ours.get(key) {
                    Some(own) => compare(&format!("{at}.{key}"), value, own, differences),
                    None if only_theirs.contains(&key.as_str()) => {}
                    None => differences.push(format!("{at}.{key} is missing")),
                }
            }
            let new = ours
                .keys()
                .filter(|key| !theirs.contains_key(*key) && !only_ours.contains(&key.as_str()));
            differences.extend(new.map(|key| format!("{at}.{key} is not in the recording")));
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            if let (Some(one), Some(own)) = (theirs.first(), ours.first()) {
                compare(&format!("{at}[0]"), one, own, differences);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (theirs, ours) => {
            if std::mem::discriminant(theirs) != std::mem::discriminant(ours) {
                differences.push(format!("{at}: {theirs} against {ours}"));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_merge_makes_the_push_event_of_its_merge_commit() {
    let client = Client::new();
    let pushed = client
        .as_mona(|github, act| github.merge(REPO, 428, MergeMethod::Merge, act))
        .unwrap();
    let event = client
        .world
        .github(|github, _| github.push_event(&pushed))
        .unwrap();
    same_shape("push.branch.json", &event);
    assert_eq!(
        (&event["ref"], &event["forced"]),
        (&json!("refs/heads/main"), &json!(false))
    );
    assert_eq!(
        (&event["before"], &event["after"]),
        (&json!(pushed.before), &json!(pushed.after))
    );
    assert_eq!(event["head_commit"]["id"], pushed.after);
    assert_eq!(
        event["commits"].as_array().unwrap().len(),
        2,
        "the head's commit and the merge commit"
    );
    assert_eq!(event["head_commit"]["removed"], json!(["second.txt"]));
    assert_eq!(event["repository"]["full_name"], REPO);
    assert_eq!(event["sender"]["login"], "mona");
}

#[tokio::test(start_paused = true)]
async fn new_and_forced_pushes_say_so() {
    let client = Client::new();
    let made = client
        .as_mona(|github, act| github.reset_branch(REPO, "new", "main", act))
        .unwrap();
    let event = client
        .world
        .github(|github, _| github.push_event(&made))
        .unwrap();
    assert_eq!(
        (&event["created"], &event["before"]),
        (&json!(true), &json!("0".repeat(40)))
    );
    let edits = Edits::new().write("x", "1");
    client
        .as_mona(|github, act| github.push(REPO, "new", (&edits, "x"), act))
        .unwrap();
    let back = client
        .as_mona(|github, act| github.reset_branch(REPO, "new", "main", act))
        .unwrap();
    let event = client
        .world
        .github(|github, _| github.push_event(&back))
        .unwrap();
    assert_eq!(
        (&event["forced"], &event["commits"]),
        (&json!(true), &json!([]))
    );
}

#[tokio::test(start_paused = true)]
async fn a_label_makes_the_labeled_event() {
    let client = Client::new();
    client
        .as_mona(|github, act| github.add_label(REPO, 428, "bug", act))
        .unwrap();
    let event = client
        .world
        .github(|github, _| github.pull_request_event((REPO, 428), "labeled", Some("bug"), "mona"))
        .unwrap();
    same_shape("pull_request.labeled.json", &event);
    assert_eq!(
        (&event["label"]["name"], &event["number"]),
        (&json!("bug"), &json!(428))
    );
    assert_eq!(event["pull_request"]["head"]["ref"], "move-ids");
    let none = client
        .world
        .github(|github, _| github.pull_request_event((REPO, 7), "opened", None, "mona"));
    assert!(none.is_none(), "an issue is not a pull request");
}

#[tokio::test(start_paused = true)]
async fn a_merge_makes_the_closed_event() {
    let client = Client::new();
    let pushed = client
        .as_mona(|github, act| github.merge(REPO, 428, MergeMethod::Squash, act))
        .unwrap();
    let closed = |github: &mut sim::GitHubState, _| {
        github.pull_request_event((REPO, 428), "closed", None, "mona")
    };
    let event = client.world.github(closed).unwrap();
    same_shape("derived.pull_request.closed.merged.json", &event);
    let pull = &event["pull_request"];
    assert_eq!(
        (&pull["merged"], &pull["merge_commit_sha"]),
        (&json!(true), &json!(pushed.after))
    );
    assert_eq!(pull["base"]["repo"]["full_name"], REPO);
}

#[tokio::test(start_paused = true)]
async fn a_push_to_the_head_makes_the_synchronize_event() {
    let client = Client::new();
    let edits = Edits::new().write("x", "1");
    let pushed = client
        .as_mona(|github, act| github.push(REPO, "move-ids", (&edits, "x"), act))
        .unwrap();
    let event = client
        .world
        .github(|github, _| github.pull_request_event((REPO, 428), "synchronize", None, "mona"))
        .unwrap();
    same_shape("pull_request.synchronize.json", &event);
    assert_eq!(
        (&event["before"], &event["after"]),
        (&json!(pushed.before), &json!(pushed.after))
    );
}

#[tokio::test(start_paused = true)]
async fn a_dispatch_event_carries_its_inputs() {
    let client = Client::new();
    let inputs = BTreeMap::from([("mode".to_owned(), "retry".to_owned())]);
    let workflow = ".github/workflows/migrate.yml";
    let event = client
        .world
        .github(|github, _| {
            github.workflow_dispatch_event(REPO, (workflow, "main"), &inputs, "mona")
        })
        .unwrap();
    same_shape("workflow_dispatch.json", &event);
    assert_eq!(
        (&event["inputs"]["mode"], &event["ref"]),
        (&json!("retry"), &json!("refs/heads/main"))
    );
}
