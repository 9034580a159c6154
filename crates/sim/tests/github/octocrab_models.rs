//! The strictest public reader of GitHub's answers in Rust takes ours.

use octocrab::models;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::client::{Client, REPO};

#[track_caller]
fn read<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

#[tokio::test(start_paused = true)]
async fn octocrab_reads_every_kind_of_object() {
    let client = Client::new();
    let repository: models::Repository = read(client.get("").await.json);
    assert_eq!(repository.full_name.as_deref(), Some(REPO));
    let pull: models::pulls::PullRequest = read(client.get("pulls/428").await.json);
    assert_eq!(pull.number, 428);
    let head = pull.head.sha;
    let pulls: Vec<models::pulls::PullRequest> =
        read(client.get(&format!("commits/{head}/pulls")).await.json);
    assert_eq!(pulls.len(), 1);
    let files: Vec<models::repos::DiffEntry> = read(client.get("pulls/428/files").await.json);
    assert_eq!(files.len(), 3);
    let commits: Vec<models::repos::RepoCommit> = read(client.get("pulls/428/commits").await.json);
    assert_eq!(commits.len(), 1);
    let compared: models::commits::CommitComparison =
        read(client.get("compare/main...move-ids").await.json);
    assert_eq!(compared.ahead_by, 1);
    let file: models::repos::Content = read(client.get("contents/README.md").await.json);
    assert_eq!(file.decoded_content().as_deref(), Some("# Shop\n"));
    let folder: Vec<models::repos::Content> = read(client.get("contents/src").await.json);
    assert_eq!(folder.len(), 2);
    let reference: models::repos::Ref = read(client.get("git/ref/heads/main").await.json);
    assert_eq!(reference.ref_field, "refs/heads/main");
    let issue: models::issues::Issue = read(client.get("issues/428").await.json);
    assert!(issue.pull_request.is_some());
    let posted = client
        .post("issues/428/comments", json!({"body": "hi"}))
        .await
        .json;
    let comment: models::issues::Comment = read(posted);
    assert_eq!(comment.user.login, "github-actions[bot]");
    let labels: Vec<models::Label> =
        read(client.post("issues/428/labels", json!(["new"])).await.json);
    assert_eq!(labels.len(), 2);
    let request = json!({"ref": "main", "auto_merge": false, "required_contexts": []});
    let deployment: models::repos::Deployment =
        read(client.post("deployments", request).await.json);
    let path = format!("deployments/{}/statuses", deployment.id);
    let status: models::repos::DeploymentStatus =
        read(client.post(&path, json!({"state": "success"})).await.json);
    assert_eq!(status.environment.as_deref(), Some("production"));
    let details = json!({"ref": "main", "return_run_details": true});
    let run = client
        .post("actions/workflows/migrate.yml/dispatches", details)
        .await
        .json;
    let run: models::workflows::Run = read(
        client
            .get(&format!("actions/runs/{}", run["workflow_run_id"]))
            .await
            .json,
    );
    assert_eq!(run.event, "workflow_dispatch");
}
