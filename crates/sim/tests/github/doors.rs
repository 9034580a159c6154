//! Who gets in, what they may do, and that every call answers as described.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use sim::github::{GitHubState, MergeMethod, NewRun};

use crate::client::{Client, REPO};
use crate::contract::Contract;

#[tokio::test(start_paused = true)]
async fn every_call_answers_as_described() {
    let Some(contract) = Contract::load().map(Arc::new) else {
        return;
    };
    let client = Client::with_contract(Some(contract.clone()));
    let sha = client
        .world
        .github(|github, _| github.branch_head(REPO, "main"))
        .unwrap();
    let comment = client
        .post("issues/428/comments", json!({"body": "hello"}))
        .await
        .json["id"]
        .clone();
    let request = json!({"ref": "main", "auto_merge": false, "required_contexts": []});
    let deployment = client.post("deployments", request).await.json["id"].clone();
    let statuses = format!("deployments/{deployment}/statuses");
    let status = client
        .post(&statuses, json!({"state": "success"}))
        .await
        .json["id"]
        .clone();
    let new = NewRun {
        workflow: ".github/workflows/migrate.yml",
        event: "push",
        branch: "main",
        actor: "mona",
    };
    let run = client
        .world
        .github(|github, at| github.start_run(REPO, &new, at))
        .unwrap();
    let paths = [
        String::new(),
        "contents".to_owned(),
        "contents/src".to_owned(),
        "contents/README.md?ref=main".to_owned(),
        format!("commits/{sha}"),
        format!("commits/{sha}/pulls"),
        "compare/main...move-ids".to_owned(),
        "branches/main".to_owned(),
        "git/ref/heads/main".to_owned(),
        "collaborators/mona/permission".to_owned(),
        "pulls/428".to_owned(),
        "pulls/428/files".to_owned(),
        "pulls/428/commits".to_owned(),
        "issues/428".to_owned(),
        "issues/7".to_owned(),
        "issues/428/comments".to_owned(),
        format!("issues/comments/{comment}"),
        "issues/428/labels".to_owned(),
        "labels".to_owned(),
        "labels/bug".to_owned(),
        "deployments".to_owned(),
        format!("deployments/{deployment}"),
        statuses.clone(),
        format!("{statuses}/{status}"),
        format!("actions/runs/{run}"),
    ];
    for path in &paths {
        assert_eq!(client.get(path).await.status, 200, "{path}");
    }
    client
        .patch(
            &format!("issues/comments/{comment}"),
            json!({"body": "better"}),
        )
        .await;
    client.delete(&format!("issues/comments/{comment}")).await;
    client
        .post("issues/428/labels", json!({"labels": ["one", "two"]}))
        .await;
    client
        .put("issues/428/labels", json!({"labels": ["bug"]}))
        .await;
    client.delete("issues/428/labels/bug").await;
    client.delete("issues/428/labels").await;
    client
        .post(
            "labels",
            json!({"name": "migration-done", "color": "00ff00"}),
        )
        .await;
    let workflow = "actions/workflows/migrate.yml/dispatches";
    assert_eq!(
        client.post(workflow, json!({"ref": "main"})).await.status,
        204
    );
    assert_eq!(
        client
            .post(workflow, json!({"ref": "main", "return_run_details": true}))
            .await
            .status,
        200
    );

    let done: Vec<String> = contract
        .checked()
        .iter()
        .map(|line| line.replace("/repos/{owner}/{repo}", "…"))
        .collect();
    insta::assert_snapshot!(done.join("\n"), @"
    DELETE …/issues/comments/{comment_id} 204
    DELETE …/issues/{issue_number}/labels 204
    DELETE …/issues/{issue_number}/labels/{name} 200
    GET … 200
    GET …/actions/runs/{run_id} 200
    GET …/branches/{branch} 200
    GET …/collaborators/{username}/permission 200
    GET …/commits/{commit_sha}/pulls 200
    GET …/commits/{ref} 200
    GET …/compare/{basehead} 200
    GET …/contents/{path} 200
    GET …/deployments 200
    GET …/deployments/{deployment_id} 200
    GET …/deployments/{deployment_id}/statuses 200
    GET …/deployments/{deployment_id}/statuses/{status_id} 200
    GET …/git/ref/{ref} 200
    GET …/issues/comments/{comment_id} 200
    GET …/issues/{issue_number} 200
    GET …/issues/{issue_number}/comments 200
    GET …/issues/{issue_number}/labels 200
    GET …/labels 200
    GET …/labels/{name} 200
    GET …/pulls/{pull_number} 200
    GET …/pulls/{pull_number}/commits 200
    GET …/pulls/{pull_number}/files 200
    PATCH …/issues/comments/{comment_id} 200
    POST …/actions/workflows/{workflow_id}/dispatches 200
    POST …/actions/workflows/{workflow_id}/dispatches 204
    POST …/deployments 201
    POST …/deployments/{deployment_id}/statuses 201
    POST …/issues/{issue_number}/comments 201
    POST …/issues/{issue_number}/labels 200
    POST …/labels 201
    PUT …/issues/{issue_number}/labels 200
    ");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_good_token_gets_in_nowhere_private() {
    let client = Client::new();
    let nobody = client.with_token(None);
    assert_eq!(nobody.get("").await.status, 404);
    assert_eq!(nobody.get("/repos/acme/open").await.status, 200);
    assert_eq!(
        nobody
            .post("/repos/acme/open/labels", json!({"name": "x"}))
            .await
            .status,
        401
    );
    let wrong = client.with_token(Some("guess")).get("").await;
    assert_eq!(wrong.status, 401);
    insta::assert_snapshot!(wrong.json, @r#"{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest","status":"401"}"#);
    let elsewhere = client.with_token(Some("elsewhere"));
    assert_eq!(
        elsewhere.get("").await.status,
        404,
        "a private repository is not even confirmed"
    );
    assert_eq!(client.get("/repos/acme/nothing").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn the_older_authorization_scheme_is_taken_and_others_are_not() {
    let client = Client::new();
    let ask = |authorization: &'static str| {
        let request = Request::get(format!("/repos/{REPO}")).header("user-agent", "test");
        request
            .header("authorization", authorization)
            .body(Bytes::new())
            .unwrap()
    };
    assert_eq!(client.send_request(ask("token full")).await.status, 200);
    assert_eq!(client.send_request(ask("Basic full")).await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_user_agent_is_refused() {
    let client = Client::new();
    let request = Request::get(format!("/repos/{REPO}")).header("authorization", "Bearer full");
    let answer = client
        .send_request(request.body(Bytes::new()).unwrap())
        .await;
    assert_eq!(answer.status, 403);
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_is_refused_and_named() {
    let client = Client::new();
    let plain = client.with_token(Some("plain"));
    assert_eq!(plain.get("contents/README.md").await.status, 200);
    let refused = plain.post("deployments", json!({"ref": "main"})).await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.header("x-accepted-github-permissions"),
        "deployments=write"
    );
    insta::assert_snapshot!(refused.json, @r#"{"message":"Resource not accessible by integration","documentation_url":"https://docs.github.com/rest","status":"403"}"#);
    assert!(
        client
            .world
            .github(|github, _| github.deployments(REPO).is_empty())
    );
    let refused = client.with_token(Some("person")).get("deployments").await;
    assert_eq!(
        refused.json["message"],
        "Resource not accessible by personal access token"
    );
    let posted = plain
        .post("issues/428/comments", json!({"body": "hi"}))
        .await;
    assert_eq!(
        posted.header("x-accepted-github-permissions"),
        "issues=write; pull_requests=write"
    );
    let dispatched = plain
        .post(
            "actions/workflows/migrate.yml/dispatches",
            json!({"ref": "main"}),
        )
        .await;
    assert_eq!(dispatched.status, 403);
}

#[tokio::test(start_paused = true)]
async fn pull_requests_write_is_enough_to_comment_on_a_pull_request_but_not_on_an_issue() {
    let reviewer = Client::new().with_token(Some("reviewer"));
    assert_eq!(
        reviewer
            .post("issues/428/comments", json!({"body": "hi"}))
            .await
            .status,
        201
    );
    assert_eq!(
        reviewer
            .post("issues/428/labels", json!(["seen"]))
            .await
            .status,
        200
    );
    assert_eq!(
        reviewer
            .post("issues/7/comments", json!({"body": "hi"}))
            .await
            .status,
        403
    );
}

#[tokio::test(start_paused = true)]
async fn the_hourly_limit_counts_down_refuses_and_starts_again() {
    let slow = Client::new().with_token(Some("slow"));
    let first = slow.get("").await;
    assert_eq!(
        (
            first.header("x-ratelimit-limit"),
            first.header("x-ratelimit-remaining")
        ),
        ("2", "1")
    );
    let reset: i64 = first.header("x-ratelimit-reset").parse().unwrap();
    let start: jiff::Timestamp = "2026-02-18T00:35:00Z".parse().unwrap();
    assert_eq!(reset - start.as_second(), 3600);
    assert_eq!(slow.get("").await.status, 200);
    let refused = slow.get("").await;
    assert_eq!(
        (refused.status, refused.header("x-ratelimit-remaining")),
        (403, "0")
    );
    tokio::time::advance(std::time::Duration::from_secs(3600)).await;
    assert_eq!(slow.get("").await.status, 200);
}

#[test]
fn a_token_does_not_show_in_the_state() {
    let state = GitHubState::from_config(&crate::client::config()).unwrap();
    assert!(!format!("{state:?}").contains("elsewhere"));
}

#[test]
fn a_configuration_that_cannot_be_used_is_refused_by_name() {
    let refuse = |config: Value| GitHubState::from_config(&config).unwrap_err();
    let errors = [
        refuse(json!({"repos": []})),
        refuse(json!({"users": [{"login": "x", "type": "Robot"}]})),
        refuse(json!({"repositories": [{"name": "a/b", "labels": [{"colour": "0"}]}]})),
        refuse(json!({"repositories": [{"name": "shop"}]})),
        refuse(json!({"repositories": [{"name": "eve/shop", "fork_of": "acme/shop"}]})),
        refuse(json!({"repositories": [{"name": "a/b"}, {"name": "A/B"}]})),
        refuse(
            json!({"repositories": [{"name": "a/b", "commits": [{"message": "m", "sha": "12"}]}]}),
        ),
        refuse(json!({"tokens": {"t": {"login": "x", "permissions": {"admin": "write"}}}})),
    ];
    insta::assert_snapshot!(errors.join("\n"), @"
    unknown field `repos`, expected one of `html_url`, `users`, `tokens`, `repositories`, `knobs`
    users: unknown variant `Robot`, expected one of `User`, `Bot`, `Organization`
    repository `a/b`: labels: unknown field `colour`, expected one of `name`, `color`, `description`
    repository `shop`: the name is not `owner/name`
    repository `eve/shop`: `acme/shop` must be listed before it
    repository `A/B`: it is listed twice
    repository `a/b`: `12` is not a commit's 40 hex digits
    unknown variant `admin`, expected one of `actions`, `contents`, `deployments`, `issues`, `pull-requests`
    ");
}

#[test]
fn the_same_configuration_gives_the_same_commits() {
    let heads = || {
        let mut state = GitHubState::from_config(&crate::client::config()).unwrap();
        let act = sim::github::Act {
            login: "mona",
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        state
            .merge(REPO, 428, MergeMethod::Squash, act)
            .unwrap()
            .after
    };
    assert_eq!(heads(), heads());
    assert_eq!(heads().len(), 40);
}
