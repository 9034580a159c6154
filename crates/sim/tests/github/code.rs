//! Files, commits, branches and how they compare.

use base64::Engine as _;
use serde_json::{Value, json};
use sim::github::Edits;

use crate::client::{Client, REPO};

fn decode(content: &Value) -> String {
    let text = content.as_str().unwrap().replace('\n', "");
    String::from_utf8(
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .unwrap(),
    )
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_file_comes_as_base64_in_lines_of_sixty() {
    let client = Client::new();
    let long = "0123456789".repeat(20);
    let edits = Edits::new().write("long name.txt", long.as_str());
    client
        .as_mona(|github, act| github.push(REPO, "main", (&edits, "Add"), act))
        .unwrap();
    let file = client.get("contents/long%20name.txt").await.json;
    assert_eq!(decode(&file["content"]), long);
    let lines: Vec<usize> = file["content"]
        .as_str()
        .unwrap()
        .split('\n')
        .map(str::len)
        .collect();
    assert_eq!(lines, [60, 60, 60, 60, 28, 0]);
    assert_eq!(
        (&file["path"], &file["size"]),
        (&json!("long name.txt"), &json!(200))
    );
    assert!(
        file["url"]
            .as_str()
            .unwrap()
            .ends_with("/contents/long%20name.txt?ref=main")
    );
}

#[tokio::test(start_paused = true)]
async fn the_raw_media_type_gives_the_bytes() {
    let client = Client::new();
    for accept in [
        "application/vnd.github.raw+json",
        "application/vnd.github.v3.raw",
        "application/vnd.github.raw",
    ] {
        let raw = client
            .get_as("contents/src/app.js?ref=move-ids", accept)
            .await;
        assert_eq!(raw.bytes, b"one\n2\nthree\n", "{accept}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_above_a_megabyte_comes_without_its_content() {
    let client = Client::new();
    let edits = Edits::new().write("big", vec![b'x'; 1024 * 1024 + 1]);
    client
        .as_mona(|github, act| github.push(REPO, "main", (&edits, "Add"), act))
        .unwrap();
    let file = client.get("contents/big").await.json;
    assert_eq!(
        (&file["content"], &file["encoding"]),
        (&json!(""), &json!("none"))
    );
    assert_eq!(
        client
            .get_as("contents/big", "application/vnd.github.raw")
            .await
            .bytes
            .len(),
        1024 * 1024 + 1
    );
}

#[tokio::test(start_paused = true)]
async fn a_folder_lists_what_lies_directly_in_it() {
    let client = Client::new();
    let folder = client.get("contents/src").await;
    assert_eq!(folder.each("path"), ["src/app.js", "src/lib"]);
    assert_eq!(folder.each("type"), ["file", "dir"]);
    let root = client.get("contents/?ref=move-ids").await;
    assert_eq!(
        root.each("name"),
        [".github", ".harbor-pilot", "README.md", "src"]
    );
    let object = client
        .get_as("contents/src", "application/vnd.github.object+json")
        .await
        .json;
    assert_eq!(object["entries"].as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_missing_file_and_a_missing_ref_are_told_apart() {
    let client = Client::new();
    let file = client.get("contents/nothing.txt").await;
    assert_eq!(
        (file.status, &file.json["message"]),
        (404, &json!("Not Found"))
    );
    let reference = client.get("contents/README.md?ref=gone").await;
    assert_eq!(
        (reference.status, &reference.json["message"]),
        (404, &json!("No commit found for the ref gone"))
    );
    assert_eq!(client.get("commits/gone").await.status, 422);
    assert_eq!(
        client.get("branches/gone").await.json["message"],
        "Branch not found"
    );
    assert_eq!(client.get("git/ref/heads/gone").await.status, 404);
    assert_eq!(
        client.get("git/ref/main").await.status,
        404,
        "only full names"
    );
}

#[tokio::test(start_paused = true)]
async fn the_download_address_of_a_private_file_carries_a_token() {
    let client = Client::new();
    let file = client.get("contents/README.md").await.json;
    assert!(file["download_url"].as_str().unwrap().contains("?token="));
}

#[tokio::test(start_paused = true)]
async fn a_commit_is_found_by_branch_full_name_and_short_name() {
    let client = Client::new();
    let sha = "1234567890abcdef1234567890abcdef12345678";
    for name in ["main", "heads/main", "refs/heads/main", sha, "1234567"] {
        assert_eq!(
            client.get(&format!("commits/{name}")).await.json["sha"],
            sha,
            "{name}"
        );
    }
    let plain = client
        .get_as("commits/main", "application/vnd.github.sha")
        .await;
    assert_eq!(plain.bytes, sha.as_bytes());
    assert_eq!(client.get("branches/main").await.json["commit"]["sha"], sha);
    assert_eq!(
        client.get("git/ref/heads/main").await.json["object"]["sha"],
        sha
    );
    let commit = client.get("commits/main").await.json;
    assert_eq!(commit["commit"]["author"]["date"], "2026-02-01T10:00:00Z");
    assert_eq!(commit["files"][0]["patch"], "@@ -0,0 +1 @@\n+2");
}

#[tokio::test(start_paused = true)]
async fn a_branch_name_may_hold_a_slash_encoded_or_not() {
    let client = Client::new();
    client
        .as_mona(|github, act| github.reset_branch(REPO, "fix/ids", "main", act))
        .unwrap();
    for path in ["branches/fix/ids", "branches/fix%2Fids"] {
        assert_eq!(client.get(path).await.json["name"], "fix/ids");
    }
    assert_eq!(client.get("commits/fix/ids").await.status, 200);
    assert_eq!(client.get("commits/fix/ids/pulls").await.json, json!([]));
    assert_eq!(
        client.get("compare/main...fix/ids").await.json["status"],
        "identical"
    );
}

#[tokio::test(start_paused = true)]
async fn compare_knows_the_four_ways_two_commits_can_stand() {
    let client = Client::new();
    let stand = async |basehead: &str| {
        let json = client.get(&format!("compare/{basehead}")).await.json;
        let commits = json["commits"].as_array().unwrap().len();
        (
            json["status"].clone(),
            json["ahead_by"].clone(),
            json["behind_by"].clone(),
            commits,
        )
    };
    assert_eq!(
        stand("main...main").await,
        (json!("identical"), json!(0), json!(0), 0)
    );
    assert_eq!(
        stand("main...move-ids").await,
        (json!("ahead"), json!(1), json!(0), 1)
    );
    assert_eq!(
        stand("move-ids...main").await,
        (json!("behind"), json!(0), json!(1), 0)
    );
    let edits = Edits::new().write("other.txt", "1");
    client
        .as_mona(|github, act| github.push(REPO, "main", (&edits, "Other"), act))
        .unwrap();
    assert_eq!(
        stand("main...move-ids").await,
        (json!("diverged"), json!(1), json!(1), 1)
    );
    assert_eq!(stand("main...acme:move-ids").await.0, json!("diverged"));
    let files = client.get("compare/main...move-ids").await.json;
    let names: Vec<&Value> = files["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| &file["filename"])
        .collect();
    assert_eq!(
        names,
        [".harbor-pilot/ter-235.yml", "second.txt", "src/app.js"],
        "against the fork point"
    );
    assert_eq!(client.get("compare/main...gone").await.status, 404);
    assert_eq!(client.get("compare/main..move-ids").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn contains_follows_every_parent_and_stays_in_its_network() {
    let client = Client::new();
    let pushed = client
        .as_mona(|github, act| github.merge(REPO, 428, sim::github::MergeMethod::Merge, act))
        .unwrap();
    let head = client.get("pulls/428").await.json["head"]["sha"]
        .as_str()
        .unwrap()
        .to_owned();
    client.world.github(|github, _| {
        assert!(github.contains(REPO, &pushed.after, &head));
        assert!(github.contains(REPO, "main", &pushed.before));
        assert!(!github.contains(REPO, &pushed.before, &pushed.after));
        assert!(
            github.contains("eve/shop", &pushed.after, &head),
            "a fork shares its commits"
        );
        assert!(!github.contains("acme/open", &pushed.after, &pushed.after));
        assert_eq!(
            github.tree(REPO, &pushed.after).unwrap()["src/app.js"],
            b"one\n2\nthree\n"
        );
    });
}

#[tokio::test(start_paused = true)]
async fn what_a_collaborator_may_do_is_told_in_both_words() {
    let client = Client::new();
    let told = async |login: &str| {
        let json = client
            .get(&format!("collaborators/{login}/permission"))
            .await
            .json;
        (
            json["permission"].clone(),
            json["role_name"].clone(),
            json["user"]["permissions"]["push"].clone(),
        )
    };
    assert_eq!(
        told("mona").await,
        (json!("write"), json!("maintain"), json!(true))
    );
    assert_eq!(told("acme").await.0, json!("admin"));
    assert_eq!(
        told("eve").await,
        (json!("none"), json!("none"), json!(false))
    );
    assert_eq!(
        client.get("collaborators/nobody/permission").await.status,
        404
    );
}
