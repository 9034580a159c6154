//! Two deployments at a time.

use crate::client::{APP, client, id, job, jobs_exit, steps_of, text, wait};
use serde_json::json;
use sim::{FirewallPut, Overlap};

#[tokio::test(start_paused = true)]
async fn a_newer_deployment_ends_the_one_in_flight_and_freezes_its_progress() {
    for (knob, phase) in [
        (Overlap::Cancel, "CANCELED"),
        (Overlap::Supersede, "SUPERSEDED"),
    ] {
        let client = client();
        client.world.turn(|knobs| knobs.overlap = knob);
        let first = client.insert(&job("once", "x")).await;
        wait(60).await;
        let second = client.update(&client.spec().await).await;
        let frozen = client.deployment(&first).await;
        assert_eq!(frozen["phase"], phase);
        assert_eq!(steps_of(&frozen, "once")[0]["status"], "RUNNING");
        client.settle(&second).await;
        assert_eq!(client.deployment(&first).await, frozen);
        assert_eq!(
            client.spec().await["jobs"][0]["name"],
            "once",
            "the cancelled change is still in the spec"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_deployment_may_wait_for_the_one_in_flight() {
    let client = client();
    client.world.turn(|knobs| knobs.overlap = Overlap::Queue);
    jobs_exit(&client.world, 0);
    let first = client.insert(&job("once", "x")).await;
    wait(60).await;
    let second = client.update(&client.spec().await).await;
    wait(60).await;
    assert_eq!(client.phase(&first).await, "BUILDING");
    assert_eq!(client.phase(&second).await, "PENDING_BUILD");
    let app = client.app().await;
    assert_eq!(
        (
            id(&app["in_progress_deployment"]),
            id(&app["pending_deployment"])
        ),
        (first.clone(), second.clone())
    );
    assert_eq!(client.settle(&first).await, "ACTIVE");
    assert_eq!(client.settle(&second).await, "ACTIVE");
    assert_eq!(client.world.executions().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn cancelling_cuts_a_running_job_short() {
    let client = client();
    let made = client
        .insert(&job("once", "sh -c 'echo early; echo late'"))
        .await;
    wait(560).await;
    client
        .post(&format!("{APP}/deployments/{made}/cancel"), &json!({}))
        .await
        .ok();
    assert_eq!(client.phase(&made).await, "CANCELED");
    assert_eq!(
        client
            .post(&format!("{APP}/deployments/{made}/cancel"), &json!({}))
            .await
            .status,
        400
    );
    let logs = client
        .get(&format!(
            "{APP}/deployments/{made}/components/once/logs?type=DEPLOY"
        ))
        .await
        .ok();
    let log = client
        .again()
        .anonymous()
        .get(&text(&logs["historic_urls"][0]))
        .await
        .text();
    assert!(log.contains(" early") && !log.contains(" late"), "{log}");
    wait(600).await;
    assert_eq!(
        client.deployments().await.len(),
        2,
        "a cancelled deployment is not rolled back"
    );
}

#[tokio::test(start_paused = true)]
async fn a_push_in_the_window_carries_the_job_along() {
    let client = client();
    jobs_exit(&client.world, 0);
    let first = client.insert(&job("once", "x")).await;
    wait(30).await;
    client.push("a", "b");
    let pushed = client.deployments().await[0].clone();
    assert_eq!(pushed["cause_details"]["type"], "DEPLOY_ON_PUSH");
    assert_eq!(pushed["jobs"][0]["name"], "once");
    assert_eq!(client.phase(&first).await, "CANCELED");
    assert_eq!(client.settle(&id(&pushed)).await, "ACTIVE");
    assert_eq!(client.world.executions()[0].deployment_id, id(&pushed));
}

#[tokio::test(start_paused = true)]
async fn a_push_elsewhere_deploys_nothing() {
    let client = client();
    client
        .world
        .github_push(|github, at| {
            let act = sim::Act { login: "mona", at };
            let head = github.branch_head("acme/shop", "main").unwrap();
            github.reset_branch("acme/shop", "feature", &head, act)
        })
        .unwrap();
    assert_eq!(client.deployments().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn somebody_else_s_edit_is_a_deployment_of_theirs() {
    let client = client();
    let made = client
        .world
        .edit_spec("shop", "ops@example.com", |spec| spec["alerts"] = json!([]))
        .unwrap();
    let deployment = client.deployment(&made).await;
    assert_eq!(
        deployment["cause_details"]["digitalocean_user_action"]["user"]["email"],
        "ops@example.com"
    );
    assert_eq!(client.spec().await["alerts"], serde_json::Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_failed_deployment_is_not_rolled_back_once_another_has_begun() {
    let client = client();
    jobs_exit(&client.world, 1);
    let made = client.insert(&job("once", "x")).await;
    client.settle(&made).await;
    let mut spec = client.spec().await;
    spec["jobs"] = json!([]);
    let next = client.update(&spec).await;
    assert_eq!(client.settle(&next).await, "ACTIVE");
    assert_eq!(client.deployments().await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_firewall_update_may_deploy_the_app() {
    for (knob, count) in [(FirewallPut::Quiet, 1), (FirewallPut::Deploys, 2)] {
        let client = client();
        client.world.turn(|knobs| knobs.firewall_put = knob);
        let rules = json!([{"type": "app", "value": crate::client::APP_ID}]);
        client
            .world
            .edit_firewall("shop-mysql", rules.as_array().unwrap())
            .unwrap();
        let rows = client.deployments().await;
        assert_eq!(rows.len(), count);
        if knob == FirewallPut::Deploys {
            assert_eq!(
                rows[0]["cause_details"]["type"],
                "UPDATE_DATABASE_TRUSTED_SOURCES"
            );
        }
    }
}
