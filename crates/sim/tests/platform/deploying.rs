//! The ordinary way of a deployment, from the update to the active slot.

use crate::client::{APP, client, id, job, jobs_exit, steps_of, text, wait};
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn an_update_with_a_job_goes_through_the_phases_in_order() {
    let client = client();
    jobs_exit(&client.world, 0);
    let first = id(&client.app().await["active_deployment"]);
    let made = client.insert(&job("once", "bin/hello")).await;
    let mut story = Vec::new();
    loop {
        let app = client.app().await;
        let slot = |name: &str| match app[name]["id"].as_str() {
            Some(id) if id == first => "1",
            Some(id) if id == made => "2",
            Some(_) => "?",
            None => "-",
        };
        let deployment = client.deployment(&made).await;
        let job = steps_of(&deployment, "once")
            .iter()
            .map(|step| text(&step["status"]))
            .collect::<Vec<_>>()
            .join("+");
        let row = format!(
            "{:14} job {job:15} slots {}/{}/{}",
            deployment["phase"].as_str().unwrap(),
            slot("active_deployment"),
            slot("in_progress_deployment"),
            slot("pending_deployment")
        );
        if story.last() != Some(&row) {
            story.push(row);
        }
        if deployment["phase"] == "ACTIVE" {
            break;
        }
        wait(1).await;
    }
    insta::assert_snapshot!(story.join("\n"), @"
    PENDING_BUILD  job PENDING+PENDING slots 1/-/2
    BUILDING       job RUNNING+PENDING slots 1/2/-
    PENDING_DEPLOY job SUCCESS+PENDING slots 1/2/-
    DEPLOYING      job SUCCESS+PENDING slots 1/2/-
    DEPLOYING      job SUCCESS+RUNNING slots 1/2/-
    DEPLOYING      job SUCCESS+SUCCESS slots 1/2/-
    ACTIVE         job SUCCESS+SUCCESS slots 2/-/-
    ");
    assert_eq!(client.phase(&first).await, "SUPERSEDED");
    assert_eq!(client.world.executions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_runbook_s_timing_is_the_default() {
    let client = client();
    jobs_exit(&client.world, 0);
    let made = client.insert(&job("once", "bin/hello")).await;
    client.settle(&made).await;
    let deployment = client.deployment(&made).await;
    assert_eq!(deployment["created_at"], "2026-02-18T00:35:00Z");
    assert_eq!(
        deployment["timing"],
        json!({"pending": "3s", "build_total": "270s", "deploying": "342s"})
    );
    // 3 s pending, 270 s build, 2 s, 240 s deploy, 10 s job start, 90 s job, 2 s: ten minutes, as in the runbook.
    assert_eq!(deployment["phase_last_updated_at"], "2026-02-18T00:45:17Z");
}

#[tokio::test(start_paused = true)]
async fn a_deployment_holds_its_whole_spec_its_cause_and_its_sources() {
    let client = client();
    let made = client.insert(&job("once", "bin/hello")).await;
    let deployment = client.deployment(&made).await;
    assert_eq!(deployment["spec"], client.spec().await);
    assert_eq!(deployment["cause"], "app spec updated");
    assert_eq!(
        deployment["cause_details"],
        json!({"type": "MANUAL", "digitalocean_user_action": {"name": "UPDATE_SPEC", "user": {"email": "dev@example.com"}}})
    );
    let head = client
        .world
        .github(|github, _| github.branch_head("acme/shop", "main"))
        .unwrap();
    assert_eq!(
        deployment["jobs"],
        json!([{"name": "once", "source_commit_hash": head}])
    );
    assert_eq!(
        deployment["previous_deployment_id"],
        client.app().await["active_deployment"]["id"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_update_keeps_the_commit_of_what_was_there_and_takes_the_head_for_what_is_new() {
    let client = client();
    let mut spec = client.spec().await;
    spec["services"][0]["github"]["deploy_on_push"] = json!(false);
    let quiet = client.update(&spec).await;
    client.settle(&quiet).await;
    let old = text(&client.deployment(&quiet).await["services"][0]["source_commit_hash"]);
    let new = client.push("bin/hello", "#!/bin/sh\necho second\n");
    assert_ne!(old, new);
    let made = client.insert(&job("once", "bin/hello")).await;
    let deployment = client.deployment(&made).await;
    assert_eq!(deployment["services"][0]["source_commit_hash"], old);
    assert_eq!(deployment["jobs"][0]["source_commit_hash"], new);
    let all = client
        .put(
            APP,
            &json!({"spec": client.spec().await, "update_all_source_versions": true}),
        )
        .await
        .ok();
    assert_eq!(
        all["app"]["pending_deployment"]["services"][0]["source_commit_hash"],
        new
    );
}

#[tokio::test(start_paused = true)]
async fn creating_a_deployment_takes_the_newest_source_of_everything() {
    let client = client();
    let mut spec = client.spec().await;
    spec["services"][0]["github"]["deploy_on_push"] = json!(false);
    client.update(&spec).await;
    let new = client.push("bin/hello", "#!/bin/sh\necho second\n");
    let made = client
        .post(&format!("{APP}/deployments"), &json!({}))
        .await
        .ok();
    assert_eq!(made["deployment"]["services"][0]["source_commit_hash"], new);
    assert_eq!(made["deployment"]["cause"], "manual");
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_build_is_reused_unless_it_is_forced() {
    let client = client();
    let made = client.update(&client.spec().await).await;
    client.settle(&made).await;
    let build = |deployment: &Value| steps_of(deployment, "web")[0].clone();
    assert_eq!(
        build(&client.deployment(&made).await)["reason"]["code"],
        "PreviousBuildReused"
    );
    let forced = id(&client
        .post(&format!("{APP}/deployments"), &json!({"force_build": true}))
        .await
        .ok()["deployment"]);
    client.settle(&forced).await;
    assert_eq!(
        build(&client.deployment(&forced).await)["reason"],
        Value::Null
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_is_not_built_and_keeps_its_digest() {
    let client = client();
    jobs_exit(&client.world, 0);
    let digest = format!("sha256:{}", "0".repeat(64));
    let image = json!({"name": "once", "kind": "PRE_DEPLOY", "run_command": "x",
        "image": {"registry_type": "DOCR", "repository": "shop", "digest": digest}});
    let made = client.insert(&image).await;
    client.settle(&made).await;
    let deployment = client.deployment(&made).await;
    assert_eq!(
        deployment["jobs"],
        json!([{"name": "once", "source_image_digest": digest}])
    );
    assert_eq!(
        steps_of(&deployment, "once")[0]["reason"]["code"],
        "PreBuiltImage"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_deploy_job_stays_pending_in_a_good_deployment() {
    let client = client();
    let mut failed = job("cleanup", "bin/hello");
    failed["kind"] = json!("FAILED_DEPLOY");
    let made = client.insert(&failed).await;
    assert_eq!(client.settle(&made).await, "ACTIVE");
    let deployment = client.deployment(&made).await;
    assert_eq!(
        steps_of(&deployment, "cleanup").last().unwrap()["status"],
        "PENDING"
    );
    assert_eq!(deployment["progress"]["pending_steps"], 1);
    assert_eq!(deployment["progress"]["steps"][1]["status"], "SUCCESS");
    assert!(client.world.executions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_time_that_is_not_set_is_missing_or_zero() {
    let client = client();
    let made = client.update(&client.spec().await).await;
    let step = |deployment: &Value| deployment["progress"]["steps"][1]["steps"][2].clone();
    assert_eq!(
        step(&client.deployment(&made).await),
        json!({"name": "finalize", "status": "PENDING"})
    );
    client
        .world
        .turn(|knobs| knobs.unset_times = sim::UnsetTimes::Zero);
    assert_eq!(
        step(&client.deployment(&made).await)["started_at"],
        "0001-01-01T00:00:00Z"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deployment_may_tell_its_cause_in_a_sentence_only() {
    let client = client();
    let made = client.update(&client.spec().await).await;
    let shown = client.deployment(&made).await;
    assert_eq!(shown["cause_details"]["type"], "MANUAL");
    client
        .world
        .turn(|knobs| knobs.cause_details = sim::CauseDetails::Omitted);
    let shown = client.deployment(&made).await;
    assert_eq!(shown["cause"], "app spec updated");
    for missing in ["cause_details", "previous_deployment_id"] {
        assert_eq!(shown.get(missing), None);
    }
}

#[tokio::test(start_paused = true)]
async fn the_list_is_newest_first_in_pages_and_by_type() {
    let client = client();
    for _ in 0..3 {
        client.update(&client.spec().await).await;
    }
    client.push("a", "b");
    let page = client
        .get(&format!("{APP}/deployments?page=2&per_page=2"))
        .await
        .ok();
    assert_eq!(page["meta"]["total"], 5);
    assert_eq!(page["deployments"].as_array().unwrap().len(), 2);
    assert_eq!(
        page["links"]["pages"]["next"],
        format!("http://127.0.0.1:9{APP}/deployments?page=3&per_page=2")
    );
    let all = client.deployments().await;
    assert_eq!(all[0]["cause_details"]["type"], "DEPLOY_ON_PUSH");
    assert_eq!(page["deployments"][0]["id"], all[2]["id"]);
    let pushes = client
        .get(&format!(
            "{APP}/deployments?deployment_types=DEPLOY_ON_PUSH"
        ))
        .await
        .ok();
    assert_eq!(pushes["meta"]["total"], 1);
    assert_eq!(
        client
            .get(&format!("{APP}/deployments?per_page=201"))
            .await
            .status,
        400
    );
}

#[tokio::test(start_paused = true)]
async fn rows_of_the_list_may_lack_the_spec_and_lag_behind() {
    let client = client();
    assert!(client.deployments().await[0]["spec"].is_object());
    client.world.turn(|knobs| {
        knobs.list_spec = sim::ListSpec::Omitted;
        knobs.list_lag_seconds = 30;
    });
    let made = client.update(&client.spec().await).await;
    assert_ne!(client.deployments().await[0]["id"], made);
    wait(30).await;
    let rows = client.deployments().await;
    assert_eq!(rows[0]["id"], made);
    assert_eq!(rows[0]["spec"], Value::Null);
    assert_eq!(rows[0]["services"][0]["name"], "web");
}

#[tokio::test(start_paused = true)]
async fn the_reply_to_an_update_may_not_name_its_deployment() {
    let client = client();
    client
        .world
        .turn(|knobs| knobs.put_reply = sim::PutReply::Bare);
    let reply = client
        .put(APP, &json!({"spec": client.spec().await}))
        .await
        .ok();
    assert_eq!(reply["app"]["pending_deployment"], Value::Null);
    assert_eq!(client.deployments().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_live_app_tells_which_deployment_answers() {
    let client = client();
    let app = client.app().await;
    assert_eq!(app["live_url"], "http://127.0.0.1:9/_live/shop");
    let health = client.get("/_live/shop/health").await;
    assert_eq!(health.status, 200);
    assert_eq!(health.body["deployment"], app["active_deployment"]["id"]);
    client.world.set_health("shop", sim::Health::Down).unwrap();
    assert_eq!(client.get("/_live/shop/health").await.status, 503);
    let components = client.get(&format!("{APP}/health")).await.ok();
    assert_eq!(
        components["app_health"]["components"][0]["state"],
        "UNHEALTHY"
    );
    assert_eq!(client.get("/_live/shop/nothing").await.status, 503);
    client.world.set_health("shop", sim::Health::Up).unwrap();
    assert_eq!(client.get("/_live/shop/nothing").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_restart_leaves_the_jobs_alone() {
    let client = client();
    jobs_exit(&client.world, 0);
    let made = client.insert(&job("once", "bin/hello")).await;
    client.settle(&made).await;
    let again = id(&client
        .post(&format!("{APP}/restart"), &json!({}))
        .await
        .ok()["deployment"]);
    assert_eq!(client.settle(&again).await, "ACTIVE");
    assert_eq!(client.world.executions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_answer_bears_the_simulated_time() {
    let client = client();
    wait(90).await;
    assert_eq!(
        client.get(APP).await.header("date"),
        "Wed, 18 Feb 2026 00:36:30 GMT"
    );
    assert_eq!(
        client.get("/_live/shop/health").await.header("date"),
        "Wed, 18 Feb 2026 00:36:30 GMT"
    );
}
