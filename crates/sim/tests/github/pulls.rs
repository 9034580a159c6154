//! Pull requests: opening, merging, and finding the one that brought a commit.

use std::time::Duration;

use serde_json::{Value, json};
use sim::github::{ControlError, Edits, MergeMethod, NewPullRequest};

use crate::client::{Client, REPO};

fn pull(number: u64, head: &str, edits: Edits) -> NewPullRequest {
    let title = format!("Change {number}");
    NewPullRequest {
        number: Some(number),
        title,
        head: head.to_owned(),
        edits,
        ..NewPullRequest::default()
    }
}

fn open(client: &Client, new: &NewPullRequest) -> u64 {
    client
        .as_mona(|github, act| github.open_pull_request(REPO, new, act))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_open_pull_request_shows_its_test_merge_as_merge_commit() {
    let client = Client::new();
    let json = client.get("pulls/428").await.json;
    assert_eq!(
        (&json["merged"], &json["state"], &json["mergeable"]),
        (&json!(false), &json!("open"), &json!(true))
    );
    let test_merge = json["merge_commit_sha"].as_str().unwrap();
    assert_ne!(test_merge, json["head"]["sha"]);
    assert_eq!(
        client.get(&format!("commits/{test_merge}")).await.status,
        422,
        "it is on no branch"
    );
    assert_eq!(
        (&json["commits"], &json["changed_files"]),
        (&json!(1), &json!(3))
    );
    assert_eq!(
        (&json["additions"], &json["deletions"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        client.get("pulls/7").await.status,
        404,
        "an issue is not a pull request"
    );
    assert_eq!(
        client.get("issues/428").await.json["pull_request"]["merged_at"],
        Value::Null
    );
}

#[tokio::test(start_paused = true)]
async fn the_files_of_a_pull_request_come_with_status_and_in_pages() {
    let client = Client::new();
    let files = client.get("pulls/428/files").await;
    assert_eq!(
        files.each("filename"),
        [".harbor-pilot/ter-235.yml", "second.txt", "src/app.js"]
    );
    assert_eq!(files.each("status"), ["added", "removed", "modified"]);
    let page = client.get("pulls/428/files?per_page=2").await;
    assert_eq!(
        client
            .get(&page.link("next").unwrap())
            .await
            .each("filename"),
        ["src/app.js"]
    );
    let moved = Edits::new()
        .delete("src/lib/ids.js")
        .write("src/ids.js", "ids\n");
    open(&client, &pull(5, "move-file", moved));
    let file = &client.get("pulls/5/files").await.json[0];
    assert_eq!(
        (&file["status"], &file["previous_filename"]),
        (&json!("renamed"), &json!("src/lib/ids.js"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_merge_commit_has_both_parents() {
    let client = Client::new();
    let pushed = client
        .as_mona(|github, act| github.merge(REPO, 428, MergeMethod::Merge, act))
        .unwrap();
    assert_eq!(
        pushed.message,
        "Merge pull request #428 from acme/move-ids\n\nMove the ids"
    );
    let json = client.get("pulls/428").await.json;
    assert_eq!(
        (&json["merged"], &json["state"]),
        (&json!(true), &json!("closed"))
    );
    assert_eq!(json["merge_commit_sha"], pushed.after);
    assert_eq!(json["merged_by"]["login"], "mona");
    let commit = client.get(&format!("commits/{}", pushed.after)).await.json;
    assert_eq!(commit["parents"][0]["sha"], pushed.before);
    assert_eq!(commit["parents"][1]["sha"], json["head"]["sha"]);
    assert_eq!(
        client.get("compare/move-ids...main").await.json["status"],
        "ahead"
    );
    assert_eq!(
        client.get("pulls/428/files").await.each("filename").len(),
        3,
        "the files stay"
    );
    assert_eq!(
        client.get("pulls/428/commits").await.each("sha"),
        [&json["head"]["sha"]]
    );
}

#[tokio::test(start_paused = true)]
async fn a_squash_is_one_new_commit_that_lists_the_others() {
    let client = Client::new();
    let edits = Edits::new().write("more.txt", "1");
    client
        .as_mona(|github, act| github.push(REPO, "move-ids", (&edits, "More"), act))
        .unwrap();
    let pushed = client
        .as_mona(|github, act| github.merge(REPO, 428, MergeMethod::Squash, act))
        .unwrap();
    assert_eq!(
        pushed.message,
        "Move the ids (#428)\n\n* Move the ids\n\n* More"
    );
    let commit = client.get(&format!("commits/{}", pushed.after)).await.json;
    assert_eq!(commit["parents"].as_array().unwrap().len(), 1);
    assert_eq!(commit["files"].as_array().unwrap().len(), 4);
    assert_eq!(
        client.get("compare/main...move-ids").await.json["status"],
        "diverged"
    );
    assert_eq!(client.get("contents/more.txt").await.status, 200);
    let found = client.get(&format!("commits/{}/pulls", pushed.after)).await;
    assert_eq!(found.each("number"), [428]);
}

#[tokio::test(start_paused = true)]
async fn a_rebase_makes_each_commit_again_and_the_last_is_the_merge_commit() {
    let client = Client::new();
    let edits = Edits::new().write("more.txt", "1");
    client
        .as_mona(|github, act| github.push(REPO, "move-ids", (&edits, "More"), act))
        .unwrap();
    let other = Edits::new().write("other.txt", "1");
    client
        .as_mona(|github, act| github.push(REPO, "main", (&other, "Other"), act))
        .unwrap();
    let pushed = client
        .as_mona(|github, act| github.merge(REPO, 428, MergeMethod::Rebase, act))
        .unwrap();
    let range = client
        .get(&format!("compare/{}...main", pushed.before))
        .await
        .json;
    let messages: Vec<&Value> = range["commits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|commit| &commit["commit"]["message"])
        .collect();
    assert_eq!(messages, ["Move the ids", "More"]);
    let json = client.get("pulls/428").await.json;
    assert_eq!(json["merge_commit_sha"], pushed.after);
    assert_ne!(json["head"]["sha"], pushed.after);
    let first = range["commits"][0]["sha"].as_str().unwrap();
    assert_eq!(
        client
            .get(&format!("commits/{first}/pulls"))
            .await
            .each("number"),
        [428]
    );
    for file in ["more.txt", "other.txt"] {
        assert_eq!(
            client.get(&format!("contents/{file}")).await.status,
            200,
            "{file}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_merge_queue_lands_several_pull_requests_in_one_push() {
    let client = Client::new();
    open(
        &client,
        &pull(429, "second", Edits::new().write("429.txt", "1")),
    );
    let pushed = client
        .as_mona(|github, act| github.merge_queue(REPO, &[428, 429], MergeMethod::Squash, act))
        .unwrap();
    let range = client
        .get(&format!("compare/{}...{}", pushed.before, pushed.after))
        .await
        .json;
    let mut found = Vec::new();
    for commit in range["commits"].as_array().unwrap() {
        let path = format!("commits/{}/pulls", commit["sha"].as_str().unwrap());
        found.extend(client.get(&path).await.each("number").into_iter().cloned());
    }
    assert_eq!(found, [428, 429]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_merged_changes_nothing() {
    let client = Client::new();
    let before = client
        .world
        .github(|github, _| github.branch_head(REPO, "main"));
    open(
        &client,
        &pull(430, "clash", Edits::new().write("src/app.js", "else\n")),
    );
    open(
        &client,
        &NewPullRequest {
            draft: true,
            ..pull(431, "draft", Edits::new().write("d", "1"))
        },
    );
    let merge = |numbers: &[u64]| {
        client
            .as_mona(|github, act| github.merge_queue(REPO, numbers, MergeMethod::Merge, act))
            .unwrap_err()
    };
    let clash = ControlError::Conflict {
        number: 430,
        paths: vec!["src/app.js".to_owned()],
    };
    assert_eq!(merge(&[428, 430]), clash);
    let errors = [merge(&[431]), merge(&[7]), merge(&[999]), merge(&[])];
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(errors.join("\n"), @"
    #431 cannot be merged: it is a draft
    #7 cannot be merged: it is not a pull request
    `acme/shop` has no issue or pull request #999
    no pull request to merge is named
    ");
    assert_eq!(
        client
            .world
            .github(|github, _| github.branch_head(REPO, "main")),
        before
    );
    assert_eq!(client.get("pulls/428").await.json["merged"], false);
    let edits = Edits::new().write("src/app.js", "main\n");
    client
        .as_mona(|github, act| github.push(REPO, "main", (&edits, "Clash"), act))
        .unwrap();
    client
        .as_mona(|github, act| github.push(REPO, "clash", (&Edits::new(), "Again"), act))
        .unwrap();
    let json = client.get("pulls/430").await.json;
    assert_eq!(
        (&json["mergeable"], &json["mergeable_state"]),
        (&json!(false), &json!("dirty"))
    );
    assert_eq!(json["merge_commit_sha"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn the_index_of_commits_lags_behind_the_merge() {
    let client = Client::new();
    client
        .world
        .github(|github, _| github.knobs_mut().commit_pull_index_lag = Duration::from_secs(8));
    let pushed = client
        .as_mona(|github, act| github.merge(REPO, 428, MergeMethod::Squash, act))
        .unwrap();
    let path = format!("commits/{}/pulls", pushed.after);
    assert_eq!(client.get(&path).await.json, json!([]));
    tokio::time::advance(Duration::from_secs(7)).await;
    assert_eq!(client.get(&path).await.json, json!([]));
    tokio::time::advance(Duration::from_secs(1)).await;
    let found = client.get(&path).await;
    assert_eq!(found.each("number"), [428]);
    assert_eq!(found.json[0]["merge_commit_sha"], pushed.after);
}

#[tokio::test(start_paused = true)]
async fn a_commit_pushed_directly_belongs_to_no_pull_request() {
    let client = Client::new();
    let edits = Edits::new().write("x", "1");
    let pushed = client
        .as_mona(|github, act| github.push(REPO, "main", (&edits, "Direct"), act))
        .unwrap();
    assert_eq!(
        client
            .get(&format!("commits/{}/pulls", pushed.after))
            .await
            .json,
        json!([])
    );
    let head = client.get("pulls/428").await.json["head"]["sha"]
        .as_str()
        .unwrap()
        .to_owned();
    let open = client.get(&format!("commits/{head}/pulls")).await;
    assert_eq!(
        (open.each("number"), open.each("state")),
        (vec![&json!(428)], vec![&json!("open")])
    );
    client
        .as_mona(|github, act| github.close(REPO, 428, act))
        .unwrap();
    assert_eq!(
        client.get(&format!("commits/{head}/pulls")).await.json,
        json!([]),
        "closed without a merge"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pull_request_from_a_fork_names_the_fork_and_its_commits_are_seen_here() {
    let client = Client::new();
    let new = pull(440, "eve:evil", Edits::new().write("evil.sh", "1"));
    client
        .world
        .github(|github, at| {
            github.open_pull_request(REPO, &new, sim::github::Act { login: "eve", at })
        })
        .unwrap();
    let json = client.get("pulls/440").await.json;
    assert_eq!(json["head"]["repo"]["full_name"], "eve/shop");
    assert_eq!(json["head"]["repo"]["fork"], true);
    assert_eq!(json["base"]["repo"]["full_name"], REPO);
    assert_eq!(json["author_association"], "NONE");
    let head = json["head"]["sha"].as_str().unwrap();
    assert_eq!(
        client.get(&format!("commits/{head}")).await.status,
        200,
        "as on GitHub, forks share commits"
    );
    assert_eq!(
        client.get(&format!("compare/main...{head}")).await.json["status"],
        "ahead"
    );
    assert_eq!(client.get("branches/evil").await.status, 404);
    assert_eq!(
        client.get("compare/main...eve:evil").await.json["ahead_by"],
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_push_to_the_head_branch_moves_the_pull_request() {
    let client = Client::new();
    let edits = Edits::new().write("more.txt", "1");
    let pushed = client
        .as_mona(|github, act| github.push(REPO, "move-ids", (&edits, "More"), act))
        .unwrap();
    let json = client.get("pulls/428").await.json;
    assert_eq!(
        (&json["head"]["sha"], &json["commits"]),
        (&json!(pushed.after), &json!(2))
    );
    let unknown = client
        .as_mona(|github, act| github.push(REPO, "nope", (&edits, "More"), act))
        .unwrap_err();
    assert_eq!(unknown.to_string(), "`acme/shop` has no branch `nope`");
}
