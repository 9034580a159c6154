//! What follows a failure, and what a person's rollback does.

use crate::client::{APP, Client, client, id, job, jobs_exit, steps_of, text, wait};
use serde_json::{Value, json};
use sim::{
    Breakage, FailedSlot, JobEnd, JobExit, JobStart, Pin, PostDeployFailure, PostJobPhase,
    PreDeployFailure, RollbackJobs, SpecAfterRollback,
};

async fn fail_a_post_deploy_job(client: &Client) -> String {
    jobs_exit(&client.world, 1);
    let made = client.insert(&job("once", "x")).await;
    client.settle(&made).await;
    made
}

#[tokio::test(start_paused = true)]
async fn a_failed_post_deploy_job_is_followed_by_a_separate_rollback() {
    let client = client();
    let good = id(&client.app().await["active_deployment"]);
    let made = fail_a_post_deploy_job(&client).await;
    let failed = client.deployment(&made).await;
    assert_eq!(failed["phase"], "ERROR");
    let step = steps_of(&failed, "once").pop().unwrap();
    assert_eq!(
        (&step["status"], &step["reason"]["code"]),
        (&json!("ERROR"), &json!("DeployContainerExitNonZero"))
    );
    assert_eq!(
        id(&client.deployments().await[0]),
        made,
        "the rollback takes a moment to appear"
    );
    wait(5).await;
    let back = client.deployments().await[0].clone();
    assert_eq!(
        back["cause"],
        format!("automated rollback after failed deployment of \"{made}\"")
    );
    assert_eq!(back["cause_details"]["type"], "AUTO_ROLLBACK");
    assert_eq!(back["previous_deployment_id"], made);
    assert_eq!(back["cloned_from"], good);
    assert_eq!(client.settle(&id(&back)).await, "ACTIVE");
    let app = client.app().await;
    assert_eq!(id(&app["active_deployment"]), id(&back));
    assert_eq!(client.phase(&good).await, "SUPERSEDED");
    assert_eq!(client.phase(&made).await, "ERROR");
    assert_eq!(client.world.executions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_post_deploy_job_may_leave_the_release_live() {
    for (knob, phase, live) in [
        (PostDeployFailure::StaysLive, "ACTIVE", true),
        (PostDeployFailure::Error, "ERROR", false),
    ] {
        let client = client();
        client.world.turn(|knobs| knobs.post_deploy_failure = knob);
        let made = fail_a_post_deploy_job(&client).await;
        assert_eq!(client.phase(&made).await, phase);
        assert_eq!(
            steps_of(&client.deployment(&made).await, "once")
                .pop()
                .unwrap()["status"],
            "ERROR"
        );
        wait(600).await;
        assert_eq!(client.deployments().await.len(), 2, "no rollback");
        assert_eq!(id(&client.app().await["active_deployment"]) == made, live);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_pre_deploy_job_keeps_the_new_code_off() {
    for (knob, deployments) in [
        (PreDeployFailure::Error, 2),
        (PreDeployFailure::Rollback, 3),
    ] {
        let client = client();
        client.world.turn(|knobs| knobs.pre_deploy_failure = knob);
        jobs_exit(&client.world, 1);
        let mut before = job("once", "x");
        before["kind"] = json!("PRE_DEPLOY");
        let good = id(&client.app().await["active_deployment"]);
        let made = client.insert(&before).await;
        assert_eq!(client.settle(&made).await, "ERROR");
        assert_eq!(id(&client.app().await["active_deployment"]), good);
        assert_eq!(
            steps_of(&client.deployment(&made).await, "web")[1]["status"],
            "PENDING"
        );
        wait(600).await;
        assert_eq!(client.deployments().await.len(), deployments);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_build_is_not_rolled_back_and_a_failed_health_check_is() {
    let broken = |kind: fn(String) -> Breakage| kind("web".to_owned());
    for (breakage, code, deployments) in [
        (
            broken(|component| Breakage::BuildFails { component }),
            "BuildJobExitNonZero",
            2,
        ),
        (
            broken(|component| Breakage::HealthCheckFails { component }),
            "DeployContainerHealthChecksFailed",
            3,
        ),
    ] {
        let client = client();
        client.world.break_next("shop", breakage).unwrap();
        let made = client.update(&client.spec().await).await;
        assert_eq!(client.settle(&made).await, "ERROR");
        let steps = steps_of(&client.deployment(&made).await, "web");
        assert!(
            steps.iter().any(|step| step["reason"]["code"] == code),
            "{steps:?}"
        );
        wait(600).await;
        assert_eq!(client.deployments().await.len(), deployments);
    }
}

#[tokio::test(start_paused = true)]
async fn the_spec_after_a_rollback_is_kept_or_reverted() {
    for (knob, jobs) in [
        (SpecAfterRollback::Kept, 1),
        (SpecAfterRollback::Reverted, 0),
    ] {
        let client = client();
        client.world.turn(|knobs| knobs.spec_after_rollback = knob);
        fail_a_post_deploy_job(&client).await;
        wait(300).await;
        assert_eq!(
            client.spec().await["jobs"].as_array().map_or(0, Vec::len),
            jobs
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_deployment_leaves_every_slot_or_lingers() {
    for (knob, lingers) in [(FailedSlot::Leaves, false), (FailedSlot::Lingers, true)] {
        let client = client();
        client.world.turn(|knobs| {
            knobs.failed_slot = knob;
            knobs.post_deploy_failure = PostDeployFailure::Error;
        });
        let made = fail_a_post_deploy_job(&client).await;
        assert_eq!(
            client.app().await["in_progress_deployment"]["id"] == made,
            lingers
        );
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_for_failures_run_when_something_fails() {
    let client = client();
    client.world.set_executor(|job: &JobStart| JobEnd {
        exit: JobExit::Code(i32::from(job.component == "once")),
        output: String::new(),
        seconds: None,
    });
    let mut spec = client.spec().await;
    let mut rescue = job("rescue", "x");
    rescue["kind"] = json!("FAILED_DEPLOY");
    spec["jobs"] = json!([job("once", "x"), rescue]);
    let made = client.update(&spec).await;
    assert_eq!(client.settle(&made).await, "ERROR");
    assert_eq!(
        steps_of(&client.deployment(&made).await, "rescue")
            .pop()
            .unwrap()["status"],
        "SUCCESS"
    );
}

#[tokio::test(start_paused = true)]
async fn the_phase_may_be_active_before_the_post_deploy_job_is_over() {
    let client = client();
    client
        .world
        .turn(|knobs| knobs.post_job_phase = PostJobPhase::Active);
    jobs_exit(&client.world, 1);
    let good = id(&client.app().await["active_deployment"]);
    let made = client.insert(&job("once", "x")).await;
    assert_eq!(client.settle(&made).await, "ACTIVE");
    assert_eq!(
        steps_of(&client.deployment(&made).await, "once")
            .pop()
            .unwrap()["status"],
        "RUNNING"
    );
    assert_eq!(id(&client.app().await["active_deployment"]), made);
    wait(101).await;
    assert_eq!(client.phase(&made).await, "ERROR");
    assert_eq!(id(&client.app().await["active_deployment"]), good);
}

/// Leaves the job behind in a good deployment, which is returned, and takes it out of the spec again.
async fn a_job_long_gone(client: &Client) -> String {
    jobs_exit(&client.world, 0);
    let with = client.insert(&job("once", "x")).await;
    client.settle(&with).await;
    let mut spec = client.spec().await;
    spec["jobs"] = json!([]);
    let without = client.update(&spec).await;
    client.settle(&without).await;
    with
}

#[tokio::test(start_paused = true)]
async fn a_rollback_to_a_deployment_with_a_job_runs_it_again_or_not() {
    for (knob, runs) in [(RollbackJobs::Skip, 1), (RollbackJobs::Rerun, 2)] {
        let client = client();
        client.world.turn(|knobs| knobs.rollback_jobs = knob);
        let old = a_job_long_gone(&client).await;
        let made = client
            .world
            .rollback("shop", &old, Pin::Unpinned, "ops@example.com")
            .unwrap();
        assert_eq!(client.settle(&made).await, "ACTIVE");
        let deployment = client.deployment(&made).await;
        assert_eq!(deployment["cause_details"]["type"], "MANUAL_ROLLBACK");
        assert_eq!(deployment["cloned_from"], old);
        assert_eq!(client.spec().await["jobs"][0]["name"], "once");
        assert_eq!(client.world.executions().len(), runs);
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_pinned_takes_no_deployment_until_the_rollback_is_settled() {
    for (settle, jobs) in [("commit", 1), ("revert", 0)] {
        let client = client();
        let old = a_job_long_gone(&client).await;
        let body = json!({"deployment_id": old});
        assert_eq!(
            client
                .post(&format!("{APP}/rollback/validate"), &body)
                .await
                .ok()["valid"],
            true
        );
        let made = id(&client.post(&format!("{APP}/rollback"), &body).await.ok()["deployment"]);
        client.settle(&made).await;
        assert_eq!(id(&client.app().await["pinned_deployment"]), made);
        let count = client.deployments().await.len();
        assert_eq!(
            client
                .put(APP, &json!({"spec": client.spec().await}))
                .await
                .status,
            400
        );
        assert_eq!(
            client
                .post(&format!("{APP}/deployments"), &json!({}))
                .await
                .status,
            400
        );
        client.push("a", "b");
        assert_eq!(client.deployments().await.len(), count);
        let again = client
            .post(&format!("{APP}/rollback/validate"), &body)
            .await
            .ok();
        assert_eq!(again["error"]["code"], "app_pinned");
        let settled = client
            .post(&format!("{APP}/rollback/{settle}"), &json!({}))
            .await;
        assert_eq!(settled.status, 200);
        assert_eq!(settled.bytes.is_empty(), settle == "commit");
        let app = client.app().await;
        assert_eq!(app["pinned_deployment"], Value::Null);
        assert_eq!(app["spec"]["jobs"].as_array().map_or(0, Vec::len), jobs);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_cannot_be_says_why() {
    let client = client();
    let code = async |id: &str| {
        let verdict = client
            .post(
                &format!("{APP}/rollback/validate"),
                &json!({"deployment_id": id}),
            )
            .await
            .ok();
        text(&verdict["error"]["code"])
    };
    let first = id(&client.app().await["active_deployment"]);
    let made = client.update(&client.spec().await).await;
    assert_eq!(code(&made).await, "incompatible_phase");
    client
        .post(&format!("{APP}/deployments/{made}/cancel"), &json!({}))
        .await
        .ok();
    assert_eq!(code(&made).await, "incompatible_result");
    for _ in 0..10 {
        let next = client.update(&client.spec().await).await;
        client.settle(&next).await;
    }
    assert_eq!(code(&first).await, "exceeded_revision_limit");
    let refused = client
        .post(&format!("{APP}/rollback"), &json!({"deployment_id": first}))
        .await;
    assert_eq!(refused.status, 400);
    let last = id(&client.deployments().await[0]);
    let mut spec = client.spec().await;
    spec["databases"] = json!([]);
    spec["services"][0]["envs"] = json!([]);
    client.update(&spec).await;
    assert_eq!(code(&last).await, "database_config_conflict");
}
