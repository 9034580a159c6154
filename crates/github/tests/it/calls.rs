//! Every read, and the labels.

use std::time::Duration;

use github::{
    EntryKind, ErrorKind, FileStatus, GitHub, Label, Patience, PullNumber, PullState, Relation,
    RepoName, Timing, Visibility,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;
use wiremock::ResponseTemplate;

use crate::support::{Step, TOKEN, chain, fixture, hasty, scripted, sha, transport, world};

fn commit(sha: &github::Sha, message: &str) -> Value {
    fixture(
        "commit",
        &json!({"sha": sha.as_str(), "commit": {"message": message}}),
    )
}

fn comparison(status: &str, total: usize, commits: &[Value]) -> Value {
    fixture(
        "comparison",
        &json!({"status": status, "total_commits": total, "commits": commits}),
    )
}

fn merged_pull(number: u64, merge: &github::Sha) -> Value {
    json!({
        "number": number,
        "state": "closed",
        "merged_at": "2026-01-02T03:04:05Z",
        "merge_commit_sha": merge.as_str(),
        "title": "Add columns",
        "html_url": format!("https://github.test/acme/shop/pull/{number}"),
        "user": {"login": "ana"},
        "head": {"ref": "topic", "sha": sha('d').as_str(), "repo": {"full_name": "acme/shop"}},
        "base": {"ref": "main", "sha": sha('b').as_str(), "repo": {"full_name": "acme/shop"}},
    })
}

#[tokio::test]
async fn requests_carry_the_token_the_api_version_and_one_agent() {
    let world = world().await;
    world
        .on("GET", "", 200, &fixture("repository", &json!({})))
        .await;
    world.github.repo().await.unwrap();
    let headers = world.last_headers();
    assert_eq!(headers["authorization"], format!("Bearer {TOKEN}"));
    assert!(headers["authorization"].is_sensitive());
    assert_eq!(headers["x-github-api-version"], "2022-11-28");
    assert_eq!(headers["accept"], "application/vnd.github+json");
    assert_eq!(headers.get_all("user-agent").iter().count(), 1);
}

#[tokio::test]
async fn a_persons_token_tells_its_login_and_an_apps_is_not_asked() {
    let login = async |token: &str| {
        let (transport, requests) = transport(|_| Step::Reply(200, &[], json!({"login": "ana"})));
        let base = Url::parse("https://api.github.test").unwrap();
        let repo = RepoName::parse("acme/shop").unwrap();
        let github = GitHub::new(transport, &base, SecretString::from(token), repo).unwrap();
        let login = github.login_of_token().await.unwrap();
        let requests = requests.lock().unwrap().clone();
        (login, requests)
    };
    assert_eq!(login("ghs_x").await, (None, vec![]));
    assert_eq!(
        login("github_pat_x").await,
        (Some("ana".to_owned()), vec!["GET /user".to_owned()])
    );
}

/// A caller may need to hand the calls to another thread.
#[tokio::test]
async fn the_calls_can_move_between_threads() {
    fn check<T: Send>(_: T) {}
    let (github, requests) = scripted(|_| Step::Hang);
    let deployment = github::NewDeployment {
        git_ref: String::new(),
        task: String::new(),
        environment: String::new(),
        description: String::new(),
        payload: Value::Null,
    };
    check(github.create_deployment(&deployment));
    check(github.deployments("t"));
    check(github.upsert(PullNumber(1), "m", "m"));
    check(github.pulls_of_commit(&sha('a'), Patience::UntilIndexed));
    check(github.ensure_label(&running()));
    check(github.file("x", "y"));
    assert!(requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_repository_tells_its_visibility_and_default_branch() {
    for (told, expected) in [
        (json!({"visibility": "public"}), Visibility::Public),
        (json!({"visibility": "private"}), Visibility::Private),
        (
            json!({"visibility": "internal", "private": true}),
            Visibility::Internal,
        ),
        (json!({"private": true}), Visibility::Private),
        (json!({"private": false}), Visibility::Public),
        (
            json!({"visibility": "secret"}),
            Visibility::Other("secret".to_owned()),
        ),
    ] {
        let world = world().await;
        let mut reply = fixture("repository", &json!({"default_branch": "main", "id": 7}));
        for (key, value) in told.as_object().unwrap() {
            reply[key] = value.clone();
        }
        world.on("GET", "", 200, &reply).await;
        let repo = world.github.repo().await.unwrap();
        assert_eq!(repo.visibility, expected);
        assert_eq!(repo.default_branch, "main");
        assert_eq!(repo.id, Some(7));
    }
}

#[tokio::test]
async fn a_branch_with_a_slash_is_one_segment_and_a_missing_one_is_none() {
    let world = world().await;
    let reply = fixture("branch", &json!({"commit": {"sha": sha('a').as_str()}}));
    world.on("GET", "/branches/release%2F1", 200, &reply).await;
    let missing = json!({"message": "Branch not found"});
    world.on("GET", "/branches/gone", 404, &missing).await;
    let head = world.github.branch_head("release/1").await.unwrap();
    assert_eq!(head, Some(sha('a')));
    assert_eq!(world.github.branch_head("gone").await.unwrap(), None);
}

#[tokio::test]
async fn the_commits_of_a_push_come_oldest_first_over_all_pages() {
    let world = world().await;
    let route = format!("/compare/{}...{}", sha('a'), sha('b'));
    let first: Vec<Value> = (0..100).map(|_| commit(&sha('1'), "one\n\nbody")).collect();
    let second = [commit(&sha('b'), "Add columns (#428)")];
    world
        .on_page(&route, 1, &comparison("ahead", 101, &first))
        .await;
    world
        .on_page(&route, 2, &comparison("ahead", 101, &second))
        .await;
    let range = world
        .github
        .commits_between(&sha('a'), &sha('b'))
        .await
        .unwrap();
    assert_eq!(range.relation, Relation::Ahead);
    assert_eq!(range.commits.len(), 101);
    assert_eq!(range.commits[0].subject, "one");
    assert_eq!(range.commits[100].subject, "Add columns (#428)");
    assert!(range.is_complete());
}

#[tokio::test]
async fn a_range_beyond_the_cap_says_that_it_is_not_complete() {
    let world = world().await;
    let route = format!("/compare/{}...{}", sha('a'), sha('b'));
    let page: Vec<Value> = (0..100).map(|_| commit(&sha('1'), "x")).collect();
    world
        .on("GET", &route, 200, &comparison("ahead", 5000, &page))
        .await;
    let range = world
        .github
        .commits_between(&sha('a'), &sha('b'))
        .await
        .unwrap();
    assert_eq!(range.commits.len(), github::CommitRange::MOST);
    assert!(!range.is_complete());
    assert_eq!(world.count("GET", &route), 10);
}

#[tokio::test]
async fn a_commit_contains_another_when_it_is_ahead_of_it_or_the_same() {
    for (status, expected) in [
        ("ahead", true),
        ("identical", true),
        ("behind", false),
        ("diverged", false),
    ] {
        let world = world().await;
        // From the ancestor to the commit, in this order.
        let route = format!("/compare/{}...{}", sha('a'), sha('c'));
        world
            .on("GET", &route, 200, &comparison(status, 0, &[]))
            .await;
        let contains = world.github.contains(&sha('c'), &sha('a')).await.unwrap();
        assert_eq!(contains, expected, "{status}");
    }
    let world = world().await;
    assert!(world.github.contains(&sha('a'), &sha('a')).await.unwrap());
}

#[tokio::test]
async fn a_relation_that_github_invents_is_not_guessed() {
    let world = world().await;
    let route = format!("/compare/{}...{}", sha('a'), sha('c'));
    world
        .on_raw(
            "GET",
            &route,
            ResponseTemplate::new(200).set_body_raw(r#"{"status":"sideways"}"#, "text/json"),
        )
        .await;
    let error = world
        .github
        .contains(&sha('c'), &sha('a'))
        .await
        .unwrap_err();
    insta::assert_snapshot!(chain(&error), @"cannot compare `aaaaaaa` with `ccccccc` in `acme/shop`: cannot understand GitHub's reply at `status`: unknown variant `sideways`, expected one of `ahead`, `behind`, `identical`, `diverged`");
}

#[tokio::test]
async fn a_pull_request_tells_what_is_decided_by() {
    let world = world().await;
    let mut fields = merged_pull(428, &sha('c'));
    fields["merged"] = json!(true);
    fields["labels"] = json!([
        {"id": 1, "node_id": "x", "url": "https://x.test", "name": "Needs-Migration",
         "description": null, "color": "fff", "default": false}
    ]);
    world
        .on("GET", "/pulls/428", 200, &fixture("pull", &fields))
        .await;
    let pull = world.github.pull(PullNumber(428)).await.unwrap();
    assert!(pull.is_merged());
    assert!(!pull.is_fork());
    assert_eq!(pull.merge_commit_sha, Some(sha('c')));
    assert_eq!(pull.base_ref.as_deref(), Some("main"));
    assert_eq!(pull.base_sha, Some(sha('b')));
    assert_eq!(pull.base_repo, Some(RepoName::parse("acme/shop").unwrap()));
    assert_eq!(pull.head_ref.as_deref(), Some("topic"));
    assert_eq!(pull.head_sha, Some(sha('d')));
    assert!(pull.has_label("needs-migration"));
    assert_eq!(pull.title.as_deref(), Some("Add columns"));
    assert_eq!(pull.author.as_deref(), Some("ana"));
    assert_eq!(
        pull.html_url.as_deref(),
        Some("https://github.test/acme/shop/pull/428")
    );
}

#[tokio::test]
async fn a_pull_request_closed_without_a_merge_is_closed() {
    let world = world().await;
    let fields = json!({"number": 1, "state": "closed", "merged": false, "merged_at": null});
    world
        .on("GET", "/pulls/1", 200, &fixture("pull", &fields))
        .await;
    let pull = world.github.pull(PullNumber(1)).await.unwrap();
    assert_eq!(pull.state, PullState::Closed);
}

#[tokio::test]
async fn the_files_of_a_pull_request_tell_moves_and_removals() {
    let world = world().await;
    let file = |fields: Value| fixture("file", &fields);
    let first: Vec<Value> = (0..100)
        .map(|n| file(json!({"filename": format!("f{n}"), "status": "modified"})))
        .collect();
    let second = json!([
        file(
            json!({"filename": ".harbor-pilot/b.yml", "status": "renamed",
                    "previous_filename": ".harbor-pilot/a.yml"})
        ),
        file(json!({"filename": "x", "status": "removed"})),
        file(json!({"filename": "y", "status": "added"})),
    ]);
    world.on_page("/pulls/428/files", 1, &json!(first)).await;
    world.on_page("/pulls/428/files", 2, &second).await;
    let files = world.github.pull_files(PullNumber(428)).await.unwrap();
    assert_eq!(files.len(), 103);
    assert_eq!(files[100].status, FileStatus::Renamed);
    assert_eq!(
        files[100].previous_path.as_deref(),
        Some(".harbor-pilot/a.yml")
    );
    assert_eq!(files[101].status, FileStatus::Removed);
    assert_eq!(files[102].status, FileStatus::Added);
}

#[tokio::test]
async fn a_list_of_files_that_github_cut_is_refused() {
    let world = world().await;
    let page: Vec<Value> = (0..100).map(|_| fixture("file", &json!({}))).collect();
    world.on("GET", "/pulls/428/files", 200, &json!(page)).await;
    let error = world.github.pull_files(PullNumber(428)).await.unwrap_err();
    insta::assert_snapshot!(chain(&error), @"cannot list the files of #428 of `acme/shop`: GitHub's reply exceeds our limit of 3000 files");
    assert_eq!(world.count("GET", "/pulls/428/files"), 30);
}

#[tokio::test]
async fn all_pull_requests_of_a_merge_commit_are_found_after_github_indexed_them() {
    let world = world().await;
    let route = format!("/commits/{}/pulls", sha('c'));
    let unknown = json!({"message": "No commit found for SHA"});
    world.on_next(1, "GET", &route, 422, &unknown).await;
    world.on_next(2, "GET", &route, 200, &json!([])).await;
    let found = json!([fixture("pull-simple", &merged_pull(428, &sha('c')))]);
    world.on("GET", &route, 200, &found).await;
    let pulls = world
        .github
        .pulls_of_commit(&sha('c'), Patience::UntilIndexed)
        .await
        .unwrap();
    assert_eq!(pulls.len(), 1);
    assert_eq!(pulls[0].number, PullNumber(428));
    assert!(pulls[0].is_merged());
    assert_eq!(world.count("GET", &route), 4);
}

#[tokio::test]
async fn without_patience_the_first_answer_stands() {
    let world = world().await;
    let route = format!("/commits/{}/pulls", sha('c'));
    world.on("GET", &route, 200, &json!([])).await;
    let pulls = world
        .github
        .pulls_of_commit(&sha('c'), Patience::Once)
        .await
        .unwrap();
    assert!(pulls.is_empty());
    assert_eq!(world.count("GET", &route), 1);
}

async fn found_by_subject(subject: &str, pull: &Value) -> usize {
    let world = world().await;
    world
        .on(
            "GET",
            &format!("/commits/{}/pulls", sha('c')),
            200,
            &json!([]),
        )
        .await;
    world
        .on(
            "GET",
            &format!("/commits/{}", sha('c')),
            200,
            &commit(&sha('c'), subject),
        )
        .await;
    world.on("GET", "/pulls/428", 200, pull).await;
    let impatient = Timing {
        index_wait: Duration::ZERO,
        ..hasty()
    };
    world
        .github
        .clone()
        .with_timing(impatient)
        .pulls_of_commit(&sha('c'), Patience::UntilIndexed)
        .await
        .unwrap()
        .len()
}

#[tokio::test]
async fn a_number_in_the_subject_is_believed_only_when_the_pull_request_confirms_it() {
    let mut confirmed = merged_pull(428, &sha('c'));
    confirmed["merged"] = json!(true);
    let confirmed = fixture("pull", &confirmed);
    let mut other_merge = merged_pull(428, &sha('e'));
    other_merge["merged"] = json!(true);
    let other_merge = fixture("pull", &other_merge);
    let mut still_open = merged_pull(428, &sha('c'));
    still_open["state"] = json!("open");
    still_open["merged"] = json!(false);
    still_open["merged_at"] = Value::Null;
    let still_open = fixture("pull", &still_open);

    assert_eq!(found_by_subject("Add columns (#428)", &confirmed).await, 1);
    assert_eq!(
        found_by_subject("Merge pull request #428 from a/b", &confirmed).await,
        1
    );
    assert_eq!(
        found_by_subject("Add columns (#428)", &other_merge).await,
        0
    );
    assert_eq!(found_by_subject("Add columns (#428)", &still_open).await, 0);
    assert_eq!(
        found_by_subject("Add columns, see #428", &confirmed).await,
        0
    );
}

#[tokio::test]
async fn a_file_is_read_raw_at_a_commit() {
    let world = world().await;
    let raw = ResponseTemplate::new(200).set_body_raw(
        "steps: []\n",
        "application/vnd.github.raw+json; charset=utf-8",
    );
    world
        .on_raw("GET", "/contents/.harbor-pilot/ter%20235.yml", raw)
        .await;
    let bytes = world
        .github
        .file(".harbor-pilot/ter 235.yml", sha('c').as_str())
        .await
        .unwrap();
    assert_eq!(bytes.as_deref(), Some(b"steps: []\n".as_slice()));
    assert_eq!(
        world.last_headers()["accept"],
        "application/vnd.github.raw+json"
    );

    let missing = json!({"message": "Not Found"});
    world.on("GET", "/contents/none.yml", 404, &missing).await;
    assert_eq!(world.github.file("none.yml", "main").await.unwrap(), None);
}

#[tokio::test]
async fn a_file_beyond_a_mebibyte_is_refused() {
    let world = world().await;
    let raw = |bytes: usize| {
        ResponseTemplate::new(200)
            .set_body_raw(vec![b'x'; bytes], "application/vnd.github.raw+json")
    };
    world
        .on_raw("GET", "/contents/fits", raw(1024 * 1024))
        .await;
    world
        .on_raw("GET", "/contents/big", raw(1024 * 1024 + 1))
        .await;
    assert!(world.github.file("fits", "main").await.unwrap().is_some());
    let error = world.github.file("big", "main").await.unwrap_err();
    insta::assert_snapshot!(chain(&error), @"cannot read the file `big` of `acme/shop`: GitHub's reply exceeds our limit of 1048576 bytes");
    assert!(!error.is_retryable());
}

fn entry(name: &str, kind: &str) -> Value {
    json!({
        "name": name, "path": format!("folder/{name}"), "type": kind, "size": 12,
        "sha": sha('f').as_str(), "url": "https://x.test", "git_url": null, "html_url": null,
        "download_url": null,
        "_links": {"self": "https://x.test", "git": null, "html": null},
    })
}

#[tokio::test]
async fn a_folder_is_listed_with_the_kinds_of_its_entries() {
    let world = world().await;
    let listing = json!([
        entry("a.yml", "file"),
        entry("b", "dir"),
        entry("c", "symlink")
    ]);
    world.on("GET", "/contents/folder", 200, &listing).await;
    let entries = world
        .github
        .directory("folder/", "main")
        .await
        .unwrap()
        .unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind.clone()).collect();
    assert_eq!(
        kinds,
        [EntryKind::File, EntryKind::Directory, EntryKind::Symlink]
    );
    assert_eq!(entries[0].path, "folder/a.yml");
    assert_eq!(entries[0].size_bytes, Some(12));

    let missing = json!({"message": "Not Found"});
    world.on("GET", "/contents/none", 404, &missing).await;
    assert_eq!(world.github.directory("none", "main").await.unwrap(), None);
}

#[tokio::test]
async fn a_folder_is_no_file_and_a_file_no_folder() {
    let world = world().await;
    let listing = json!([entry("a.yml", "file")]);
    world.on("GET", "/contents/folder", 200, &listing).await;
    let file = ResponseTemplate::new(200).set_body_raw(r#"{"type":"file"}"#, "text/json");
    world.on_raw("GET", "/contents/a.yml", file).await;
    let error = world.github.file("folder", "main").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::BadPath { .. }),
        "{error:?}"
    );
    let error = world.github.directory("a.yml", "main").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::BadPath { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_path_that_leaves_the_repository_is_never_asked_for() {
    let world = world().await;
    for bad in ["../../../user", "a/../../b", "a//b", "./a", "/etc", "a\nb"] {
        let error = world.github.file(bad, "main").await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadPath { .. }), "{bad:?}");
        assert!(world.github.directory(bad, "main").await.is_err());
    }
    assert_eq!(world.count("GET", ""), 0);
}

fn running() -> Label {
    Label {
        name: "migration running".to_owned(),
        color: "1d76db".to_owned(),
        description: "A migration is under way".to_owned(),
    }
}

#[tokio::test]
async fn a_label_is_made_once_and_an_existing_one_is_left_alone() {
    let world = world().await;
    let missing = json!({"message": "Not Found"});
    world
        .on_next(1, "GET", "/labels/migration%20running", 404, &missing)
        .await;
    let label = fixture("label", &json!({"name": "migration running"}));
    world
        .expect_body(
            "POST",
            "/labels",
            &json!({"name": "migration running", "color": "1d76db"}),
            201,
            &label,
        )
        .await;
    world.github.ensure_label(&running()).await.unwrap();
    world
        .on("GET", "/labels/migration%20running", 200, &label)
        .await;
    world.github.ensure_label(&running()).await.unwrap();
    assert_eq!(world.count("POST", "/labels"), 1);
}

#[tokio::test]
async fn a_label_that_somebody_else_makes_meanwhile_is_fine() {
    let world = world().await;
    let missing = json!({"message": "Not Found"});
    world
        .on("GET", "/labels/migration%20running", 404, &missing)
        .await;
    let exists = json!({"message": "Validation Failed", "documentation_url": "x",
        "errors": [{"resource": "Label", "code": "already_exists", "field": "name"}]});
    world.on("POST", "/labels", 422, &exists).await;
    world.github.ensure_label(&running()).await.unwrap();
}

#[tokio::test]
async fn labels_are_put_on_and_taken_off() {
    let world = world().await;
    let labels = json!([fixture("label", &json!({"name": "migration-done"}))]);
    let sent = json!({"labels": ["migration-done"]});
    world
        .expect_body("POST", "/issues/428/labels", &sent, 200, &labels)
        .await;
    world
        .on(
            "DELETE",
            "/issues/428/labels/needs%2Fmigration",
            200,
            &json!([]),
        )
        .await;
    let gone = json!({"message": "Label does not exist"});
    world
        .on("DELETE", "/issues/428/labels/absent", 404, &gone)
        .await;

    let pull = PullNumber(428);
    world
        .github
        .add_labels(pull, &["migration-done"])
        .await
        .unwrap();
    world.github.add_labels(pull, &[]).await.unwrap();
    world
        .github
        .remove_label(pull, "needs/migration")
        .await
        .unwrap();
    world.github.remove_label(pull, "absent").await.unwrap();
}

#[tokio::test]
async fn a_passing_failure_of_a_read_is_not_seen_by_the_caller() {
    let world = world().await;
    let failure = json!({"message": "Server Error"});
    world.on_next(2, "GET", "", 502, &failure).await;
    world
        .on("GET", "", 200, &fixture("repository", &json!({})))
        .await;
    world.github.repo().await.unwrap();
    assert_eq!(world.count("GET", ""), 3);
}
