//! The ledger's storage.

use github::{
    Deployment, DeploymentState, ErrorKind, GitHubDeploymentId, NewDeployment, NewStatus,
};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Step, Wire, chain, fixture, scripted, sha, world};

const TASK: &str = "app-platform-migration:k3f9q2x7";

fn claim(nonce: &str) -> NewDeployment {
    NewDeployment {
        git_ref: sha('c').to_string(),
        task: TASK.to_owned(),
        environment: "harbor-pilot".to_owned(),
        description: "claim of ter-235".to_owned(),
        payload: json!({"version": 1, "nonce": nonce}),
    }
}

fn stored(id: u64, nonce: &str) -> Value {
    fixture(
        "deployment",
        &json!({
            "id": id, "task": TASK, "sha": sha('c').as_str(), "environment": "harbor-pilot",
            "payload": {"version": 1, "nonce": nonce},
            "creator": {"login": "github-actions[bot]"},
        }),
    )
}

fn ids(deployments: &[Deployment]) -> Vec<u64> {
    deployments
        .iter()
        .map(|deployment| deployment.id.0)
        .collect()
}

#[tokio::test]
async fn a_deployment_is_made_without_merging_and_without_waiting_for_checks() {
    let world = world().await;
    let sent = json!({
        "ref": sha('c').as_str(), "task": TASK, "auto_merge": false, "required_contexts": [],
        "environment": "harbor-pilot", "production_environment": false,
        "payload": {"version": 1, "nonce": "n1"},
    });
    world
        .expect_body("POST", "/deployments", &sent, 201, &stored(7, "n1"))
        .await;
    let made = world.github.create_deployment(&claim("n1")).await.unwrap();
    assert_eq!(made.id, GitHubDeploymentId(7));
    assert_eq!(made.payload["nonce"], "n1");
    assert_eq!(made.sha, Some(sha('c')));
    assert_eq!(made.task, TASK);
    assert_eq!(made.environment.as_deref(), Some("harbor-pilot"));
    assert_eq!(made.creator.as_deref(), Some("github-actions[bot]"));
    assert_eq!(
        made.created_at,
        Some("2026-01-02T03:04:05Z".parse().unwrap())
    );
}

#[tokio::test]
async fn all_pages_are_read_and_the_oldest_comes_first() {
    let world = world().await;
    // Newest first, and one more arrived between the pages: 101 shows twice.
    let first: Vec<Value> = (101..=200).rev().map(|id| stored(id, "x")).collect();
    let second = json!([stored(101, "x"), stored(100, "x")]);
    world.on_page("/deployments", 1, &json!(first)).await;
    world.on_page("/deployments", 2, &second).await;
    let deployments = world.github.deployments(TASK).await.unwrap();
    assert_eq!(ids(&deployments), (100..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_to_its_end_is_an_error() {
    let world = world().await;
    let page: Vec<Value> = (1..=100).map(|id| stored(id, "x")).collect();
    world.on("GET", "/deployments", 200, &json!(page)).await;
    let error = world.github.deployments(TASK).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::TooLarge { .. }),
        "{error:?}"
    );
    assert_eq!(world.count("GET", "/deployments"), 10);
}

#[tokio::test]
async fn a_payload_is_read_as_an_object_and_as_a_text_of_one() {
    let world = world().await;
    let mut as_text = stored(7, "n1");
    as_text["payload"] = json!(r#"{"version":1,"nonce":"n1"}"#);
    world.on("GET", "/deployments/7", 200, &as_text).await;
    let mut plain = stored(8, "n1");
    plain["payload"] = json!("deploy me");
    world.on("GET", "/deployments/8", 200, &plain).await;
    let deployment = world
        .github
        .deployment(GitHubDeploymentId(7))
        .await
        .unwrap();
    assert_eq!(deployment.payload, json!({"version": 1, "nonce": "n1"}));
    let deployment = world
        .github
        .deployment(GitHubDeploymentId(8))
        .await
        .unwrap();
    assert_eq!(deployment.payload, json!("deploy me"));
}

#[tokio::test]
async fn a_creation_with_a_lost_reply_is_found_and_not_sent_again() {
    let world = world().await;
    world
        .on("POST", "/deployments", 201, &stored(7, "n1"))
        .await;
    world.next(Method::POST, "/deployments", Wire::LosesReply);
    // The list lags at first, and another runner's claim is older.
    world
        .on_next(1, "GET", "/deployments", 200, &json!([stored(6, "other")]))
        .await;
    let list = json!([stored(7, "n1"), stored(6, "other")]);
    world.on("GET", "/deployments", 200, &list).await;
    let made = world.github.create_deployment(&claim("n1")).await.unwrap();
    assert_eq!(made.id, GitHubDeploymentId(7));
    assert_eq!(world.count("POST", "/deployments"), 1);
}

#[tokio::test]
async fn a_creation_that_is_proven_absent_is_sent_once_more() {
    let world = world().await;
    world
        .on_next(1, "POST", "/deployments", 502, &json!({"message": "x"}))
        .await;
    world
        .on("POST", "/deployments", 201, &stored(7, "n1"))
        .await;
    world
        .on("GET", "/deployments", 200, &json!([stored(6, "other")]))
        .await;
    let made = world.github.create_deployment(&claim("n1")).await.unwrap();
    assert_eq!(made.id, GitHubDeploymentId(7));
    assert_eq!(world.count("POST", "/deployments"), 2);
    assert_eq!(world.count("GET", "/deployments"), 3);
}

#[tokio::test]
async fn a_creation_that_cannot_be_looked_for_stays_in_doubt() {
    let world = world().await;
    world
        .on("POST", "/deployments", 502, &json!({"message": "x"}))
        .await;
    world
        .on("GET", "/deployments", 403, &json!({"message": "no"}))
        .await;
    let error = world
        .github
        .create_deployment(&claim("n1"))
        .await
        .unwrap_err();
    assert!(error.may_have_applied());
    assert_eq!(world.count("POST", "/deployments"), 1);
    insta::assert_snapshot!(chain(&error), @"cannot create a deployment in `acme/shop`: GitHub failed with status 502");
}

#[tokio::test]
async fn a_creation_that_fails_to_the_end_was_sent_twice_at_most() {
    let world = world().await;
    world
        .on("POST", "/deployments", 502, &json!({"message": "x"}))
        .await;
    world.on("GET", "/deployments", 200, &json!([])).await;
    let error = world
        .github
        .create_deployment(&claim("n1"))
        .await
        .unwrap_err();
    assert!(error.may_have_applied());
    assert_eq!(world.count("POST", "/deployments"), 2);
}

#[tokio::test]
async fn a_refused_creation_is_not_repeated() {
    let world = world().await;
    let conflict = json!({"message": "Conflict: Commit status checks failed"});
    world.on("POST", "/deployments", 409, &conflict).await;
    let error = world
        .github
        .create_deployment(&claim("n1"))
        .await
        .unwrap_err();
    assert!(!error.may_have_applied());
    assert_eq!(world.count("POST", "/deployments"), 1);
    assert_eq!(world.count("GET", "/deployments"), 0);
    insta::assert_snapshot!(chain(&error), @"cannot create a deployment in `acme/shop`: GitHub refused with status 409: Conflict: Commit status checks failed");
}

fn verdict(description: &str) -> NewStatus {
    NewStatus {
        state: DeploymentState::Success,
        description: description.to_owned(),
        log_url: Some("https://github.test/acme/shop/actions/runs/1".to_owned()),
        environment_url: None,
    }
}

fn status(id: u64, state: &str, description: &str) -> Value {
    fixture(
        "deployment-status",
        &json!({"id": id, "state": state, "description": description,
                "log_url": "https://github.test/acme/shop/actions/runs/1"}),
    )
}

const STATUSES: &str = "/deployments/7/statuses";

#[tokio::test]
async fn a_status_is_added_without_switching_others_off() {
    let world = world().await;
    let sent = json!({"state": "success", "description": "v1 done", "auto_inactive": false,
                      "log_url": "https://github.test/acme/shop/actions/runs/1"});
    world
        .expect_body(
            "POST",
            STATUSES,
            &sent,
            201,
            &status(1, "success", "v1 done"),
        )
        .await;
    let id = GitHubDeploymentId(7);
    let made = world
        .github
        .create_status(id, &verdict("v1 done"))
        .await
        .unwrap();
    assert_eq!(made.state, DeploymentState::Success);
    assert_eq!(made.description, "v1 done");
}

#[tokio::test]
async fn statuses_come_oldest_first() {
    let world = world().await;
    let list = json!([
        status(3, "success", ""),
        status(2, "in_progress", "b"),
        status(1, "queued", "a")
    ]);
    world.on("GET", STATUSES, 200, &list).await;
    let statuses = world.github.statuses(GitHubDeploymentId(7)).await.unwrap();
    let states: Vec<&str> = statuses
        .iter()
        .map(|status| status.state.as_str())
        .collect();
    assert_eq!(states, ["queued", "in_progress", "success"]);
}

#[tokio::test]
async fn a_state_that_github_invents_is_kept() {
    let list = json!([{"id": 1, "state": "abandoned"}]);
    let (github, _) = scripted(move |_| Step::Reply(200, &[], list.clone()));
    let statuses = github.statuses(GitHubDeploymentId(7)).await.unwrap();
    let kept = DeploymentState::Other("abandoned".to_owned());
    assert_eq!(statuses[0].state, kept);
}

#[tokio::test]
async fn a_status_with_a_lost_reply_is_found_as_the_newest() {
    let world = world().await;
    world
        .on("POST", STATUSES, 201, &status(2, "success", "v1 done"))
        .await;
    world.next(Method::POST, STATUSES, Wire::LosesReply);
    let list = json!([status(2, "success", "v1 done"), status(1, "queued", "")]);
    world.on("GET", STATUSES, 200, &list).await;
    let id = GitHubDeploymentId(7);
    let made = world
        .github
        .create_status(id, &verdict("v1 done"))
        .await
        .unwrap();
    assert_eq!(made.id.0, 2);
    assert_eq!(world.count("POST", STATUSES), 1);
}

#[tokio::test]
async fn a_status_text_that_github_would_cut_is_refused_unsent() {
    let world = world().await;
    let id = GitHubDeploymentId(7);
    let error = world
        .github
        .create_status(id, &verdict(&"ü".repeat(141)))
        .await
        .unwrap_err();
    insta::assert_snapshot!(chain(&error), @"cannot add the status `success` to the deployment 7 of `acme/shop`: the text is longer than the 140 characters that GitHub takes");
    assert_eq!(world.count("POST", STATUSES), 0);
}
