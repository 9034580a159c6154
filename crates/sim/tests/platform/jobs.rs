//! Deploy-time jobs: when they run, as what, and what they see.

use crate::client::{APP, APP_ID, Client, client, id, job, jobs_exit, steps_of, text, wait};
use serde_json::{Value, json};
use sim::{
    Clock, CommitHash, JobExit, JobInvocations, JobTimeout, PushRefreshes, RunCommand, World,
    WorldConfig,
};

/// Runs a job to its end and returns what its process wrote.
async fn output(client: &Client, job: &Value) -> String {
    let made = client.insert(job).await;
    client.settle(&made).await;
    let place = format!(
        "{APP}/deployments/{made}/components/{}/logs?type=DEPLOY",
        text(&job["name"])
    );
    let urls = client.get(&place).await.ok();
    let log = client
        .again()
        .anonymous()
        .get(&text(&urls["historic_urls"][0]))
        .await
        .text();
    let message = |line: &str| line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
    log.lines().map(message).collect::<Vec<_>>().join("\n")
}

fn with_envs(envs: &Value, command: &str) -> Value {
    let mut job = job("once", command);
    job["envs"] = envs.clone();
    job
}

#[tokio::test(start_paused = true)]
async fn a_job_is_a_real_process_in_the_tree_of_its_commit() {
    let client = client();
    assert_eq!(
        output(&client, &job("once", "bin/hello")).await,
        "hello from the first commit"
    );
    let [run] = client.world.executions().try_into().unwrap();
    assert_eq!(
        (run.component.as_str(), run.exit),
        ("once", JobExit::Code(0))
    );
    assert_eq!(run.started_at.to_string(), "2026-02-18T00:43:45Z");
}

#[tokio::test(start_paused = true)]
async fn a_job_sees_its_variables_resolved_and_decrypted_and_nothing_else() {
    let client = client();
    let envs = json!([
        {"key": "DATABASE_URL", "value": "${db.DATABASE_URL}", "scope": "RUN_TIME"},
        {"key": "PLACE", "value": "${db.HOSTNAME}:${db.PORT}/${db.DATABASE} as ${db.USERNAME}"},
        {"key": "APP", "value": "${APP_ID} ${APP_URL} ${web.PRIVATE_URL}"},
        {"key": "ODD", "value": "${nobody.DATABASE_URL} $HOME ${WHAT}"},
        {"key": "SECRET", "value": "planted", "type": "SECRET"},
        {"key": "AT_BUILD", "value": "x", "scope": "BUILD_TIME"}
    ]);
    let show = "sh -c 'env | grep -v -e ^PATH -e ^HOME -e ^PWD -e ^_= -e ^SHLVL -e ^OLDPWD | sort'";
    let seen = output(&client, &with_envs(&envs, show)).await;
    assert_eq!(
        seen,
        format!(
            "APP={APP_ID} http://127.0.0.1:9/_live/shop http://web:3000\n\
             DATABASE_URL=mysql://doadmin:real-password@127.0.0.1:3306/shop?ssl-mode=REQUIRED\n\
             ODD=${{nobody.DATABASE_URL}} $HOME ${{WHAT}}\n\
             PLACE=127.0.0.1:3306/shop as doadmin\n\
             SECRET=planted"
        )
    );
    let [run] = client.world.executions().try_into().unwrap();
    assert_eq!(
        run.env_keys,
        ["APP", "DATABASE_URL", "ODD", "PLACE", "SECRET"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_clock_inside_a_job_is_the_simulated_one() {
    let client = client();
    assert_eq!(
        output(&client, &job("once", "date -u +%Y-%m-%dT%H:%M:%SZ")).await,
        "2026-02-18T00:43:45Z"
    );
}

#[tokio::test(start_paused = true)]
async fn a_compound_command_runs_whole_only_with_a_shell() {
    for (knob, wanted) in [
        (RunCommand::Argv, "a && echo b"),
        (RunCommand::Shell, "a\nb"),
    ] {
        let client = client();
        client.world.turn(|knobs| knobs.run_command = knob);
        assert_eq!(
            output(&client, &job("once", "echo a && echo b")).await,
            wanted
        );
        // Either way the platform calls it a success.
        assert_eq!(client.deployments().await[0]["phase"], "ACTIVE");
    }
}

#[tokio::test(start_paused = true)]
async fn the_commit_bindings_of_a_job_follow_their_knobs() {
    let envs = json!([
        {"key": "OWN", "value": "${_self.COMMIT_HASH}"}, {"key": "WEB", "value": "${web.COMMIT_HASH}"}
    ]);
    let show = with_envs(&envs, "sh -c 'echo \"$OWN|$WEB\"'");
    for own in [CommitHash::Resolved, CommitHash::Literal, CommitHash::Empty] {
        for web in [CommitHash::Resolved, CommitHash::Literal, CommitHash::Empty] {
            let client = client();
            client.world.turn(|knobs| {
                knobs.self_commit_hash = own;
                knobs.component_commit_hash = web;
            });
            let head = client
                .world
                .github(|github, _| github.branch_head("acme/shop", "main"))
                .unwrap();
            let wanted = |knob, name: &str| match knob {
                CommitHash::Resolved => head.clone(),
                CommitHash::Literal => format!("${{{name}.COMMIT_HASH}}"),
                CommitHash::Empty => String::new(),
            };
            assert_eq!(
                output(&client, &show).await,
                format!("{}|{}", wanted(own, "_self"), wanted(web, "web"))
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_runs_again_in_every_deployment_that_holds_it() {
    let client = client();
    jobs_exit(&client.world, 0);
    let first = client.insert(&job("once", "bin/hello")).await;
    client.settle(&first).await;
    let second = client.update(&client.spec().await).await;
    client.settle(&second).await;
    client.push("a", "b");
    let third = id(&client.deployments().await[0]);
    client.settle(&third).await;
    let fourth = id(&client
        .post(&format!("{APP}/deployments"), &json!({}))
        .await
        .ok()["deployment"]);
    client.settle(&fourth).await;
    let ran: Vec<String> = client
        .world
        .executions()
        .into_iter()
        .map(|run| run.deployment_id)
        .collect();
    assert_eq!(ran, [first, second, third, fourth]);
}

#[tokio::test(start_paused = true)]
async fn a_push_rebuilds_the_job_too_or_only_what_tracks_the_branch() {
    for knob in [PushRefreshes::All, PushRefreshes::Tracking] {
        let client = client();
        jobs_exit(&client.world, 0);
        client.world.turn(|knobs| knobs.push_refreshes = knob);
        let made = client.insert(&job("once", "bin/hello")).await;
        let old = text(&client.deployment(&made).await["jobs"][0]["source_commit_hash"]);
        let new = client.push("a", "b");
        let pushed = client.deployments().await[0].clone();
        assert_eq!(pushed["services"][0]["source_commit_hash"], new);
        let wanted = match knob {
            PushRefreshes::All => new,
            PushRefreshes::Tracking => old,
        };
        assert_eq!(pushed["jobs"][0]["source_commit_hash"], wanted);
        assert_eq!(
            pushed["cause_details"]["git_push"]["commit_sha"],
            client
                .world
                .github(|github, _| { github.branch_head("acme/shop", "main").unwrap() })
        );
    }
}

#[tokio::test(start_paused = true)]
async fn pre_deploy_jobs_come_before_the_services_and_post_deploy_jobs_after() {
    let client = client();
    jobs_exit(&client.world, 0);
    let mut spec = client.spec().await;
    let mut before = job("before", "x");
    before["kind"] = json!("PRE_DEPLOY");
    let mut nightly = job("nightly", "x");
    nightly["kind"] = json!("SCHEDULED");
    nightly["schedule"] = json!({"cron": "0 3 * * *"});
    spec["jobs"] = json!([job("after", "x"), before, nightly]);
    let made = client.update(&spec).await;
    client.settle(&made).await;
    let deployment = client.deployment(&made).await;
    let time =
        |name: &str, step: usize, field: &str| text(&steps_of(&deployment, name)[step][field]);
    assert!(time("before", 1, "ended_at") <= time("web", 1, "started_at"));
    assert!(time("web", 2, "ended_at") <= time("after", 1, "started_at"));
    let ran: Vec<String> = client
        .world
        .executions()
        .into_iter()
        .map(|run| run.component)
        .collect();
    assert_eq!(ran, ["before", "after"]);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_outlives_its_timeout_is_killed_or_not() {
    for (knob, phase) in [
        (JobTimeout::Honoured, "ERROR"),
        (JobTimeout::Ignored, "ACTIVE"),
    ] {
        let client = client();
        client.world.turn(|knobs| knobs.job_timeout = knob);
        let mut slow = job("once", "sh -c 'echo one; echo two; echo three'");
        slow["timeout"] = json!("30s");
        let made = client.insert(&slow).await;
        assert_eq!(client.settle(&made).await, phase);
        let log = client
            .get(&format!(
                "{APP}/deployments/{made}/components/once/logs?type=DEPLOY"
            ))
            .await
            .ok();
        let text = client
            .again()
            .anonymous()
            .get(&text(&log["historic_urls"][0]))
            .await
            .text();
        // Ninety seconds of work for three lines: only the first was written after thirty.
        assert_eq!(
            text.contains(" three"),
            knob == JobTimeout::Ignored,
            "{text}"
        );
        assert_eq!(
            text.contains("terminated with non-zero exit code: 137"),
            knob == JobTimeout::Honoured
        );
    }
}

#[tokio::test(start_paused = true)]
async fn runs_of_a_job_are_invocations_or_not() {
    let client = client();
    jobs_exit(&client.world, 0);
    let made = client.insert(&job("once", "x")).await;
    let list = format!("{APP}/job-invocations?deployment_id={made}&job_names=once");
    let before = client.get(&list).await.ok();
    assert_eq!(before["job_invocations"][0]["phase"], "PENDING");
    client.settle(&made).await;
    let after = client.get(&list).await.ok();
    assert_eq!(after["job_invocations"][0]["phase"], "SUCCEEDED");
    let run = id(&after["job_invocations"][0]);
    let one = client
        .get(&format!("{APP}/job-invocations/{run}"))
        .await
        .ok();
    assert_eq!(one["job_invocation"]["deployment_id"], made);
    let logs = client
        .get(&format!(
            "{APP}/jobs/once/invocations/{run}/logs?type=JOB_INVOCATION"
        ))
        .await
        .ok();
    assert_eq!(logs["historic_urls"].as_array().unwrap().len(), 1);
    client
        .world
        .turn(|knobs| knobs.job_invocations = JobInvocations::Hidden);
    assert_eq!(client.get(&list).await.ok()["job_invocations"], json!([]));
    assert_eq!(
        client
            .get(&format!("{APP}/job-invocations/{run}"))
            .await
            .status,
        404
    );
}

#[tokio::test(start_paused = true)]
async fn cancelling_an_invocation_stops_the_job_and_fails_its_deployment() {
    let client = client();
    jobs_exit(&client.world, 0);
    let made = client.insert(&job("once", "x")).await;
    let list = client
        .get(&format!("{APP}/job-invocations?job_names=once"))
        .await
        .ok();
    let cancel = format!(
        "{APP}/job-invocations/{}/cancel",
        id(&list["job_invocations"][0])
    );
    assert_eq!(client.post(&cancel, &json!({})).await.status, 400);
    wait(530).await;
    let cancelled = client.post(&cancel, &json!({})).await.ok();
    assert_eq!(cancelled["job_invocation"]["phase"], "CANCELED");
    assert_eq!(client.phase(&made).await, "ERROR");
}

#[tokio::test(start_paused = true)]
async fn a_job_without_a_kind_is_a_post_deploy_job() {
    let client = client();
    let mut plain = job("once", "x");
    plain.as_object_mut().unwrap().shift_remove("kind");
    client.insert(&plain).await;
    assert_eq!(client.spec().await["jobs"][0]["kind"], "POST_DEPLOY");
}

#[tokio::test(start_paused = true)]
async fn a_job_from_a_known_image_finds_the_files_of_its_commit() {
    let file = json!({
        "tokens": [{"token": "do-token", "user": "dev@example.com", "scopes": ["*"]}],
        "apps": [{"id": APP_ID, "spec": {"name": "shop"}, "timing": {"job_start_seconds": 0}, "job_seconds": {"on*": 7}}],
        "images": [{"repository": "shop", "tags": ["v1"], "digest": "sha256:abc", "repo": "acme/shop", "commit": "main"}],
        "github": {"repositories": [{"name": "acme/shop", "files": {"bin/hello": "#!/bin/sh\necho from the image\n"}}]}
    });
    let clock = Clock::starting_at("2026-02-18T00:35:00Z".parse().unwrap());
    let client =
        Client::of(World::new(WorldConfig::read(&file.to_string()).unwrap(), clock).unwrap());
    let image = json!({"registry_type": "DOCR", "repository": "shop", "tag": "v1"});
    let once =
        json!({"name": "once", "kind": "PRE_DEPLOY", "image": image, "run_command": "bin/hello"});
    assert_eq!(output(&client, &once).await, "from the image");
    let made = client.deployments().await[0].clone();
    assert_eq!(
        made["jobs"],
        json!([{"name": "once", "source_image_digest": "sha256:abc"}])
    );
    let step = steps_of(&made, "once").pop().unwrap();
    assert_eq!(
        (text(&step["started_at"]), text(&step["ended_at"])),
        (
            "2026-02-18T00:35:05Z".to_owned(),
            "2026-02-18T00:35:12Z".to_owned()
        )
    );
}

#[tokio::test(start_paused = true)]
async fn times_can_be_set_while_the_world_runs() {
    let client = client();
    client
        .world
        .set_timing("shop", |timing| timing.build_seconds = 1)
        .unwrap();
    client.world.set_job_seconds("shop", "once", 2).unwrap();
    let made = client.insert(&job("once", "bin/hello")).await;
    client.settle(&made).await;
    // 3 + 2 (the web's build is reused) + 2 + 240 + 10 + 2 + 2.
    assert_eq!(
        client.deployment(&made).await["phase_last_updated_at"],
        "2026-02-18T00:39:21Z"
    );
}

#[tokio::test(start_paused = true)]
async fn a_script_in_a_variable_runs_whole_with_and_without_a_shell() {
    // Octal escapes of `echo one && (echo two; exit 3)`, so that neither a binding nor a quote is in the value.
    let script: String = "echo one && (echo two; exit 3)"
        .bytes()
        .map(|byte| format!("\\0{byte:o}"))
        .collect();
    let envs = json!([{"key": "SCRIPT", "value": script}]);
    for knob in [RunCommand::Argv, RunCommand::Shell] {
        let client = client();
        client.world.turn(|knobs| knobs.run_command = knob);
        let job = with_envs(&envs, "sh -c 'eval \"$(printf %b \"$SCRIPT\")\"'");
        let wanted = "one\ntwo\nERROR component terminated with non-zero exit code: 3";
        assert_eq!(output(&client, &job).await, wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_story_told_twice_ends_the_same() {
    let story = async || {
        let client = client();
        let made = client
            .insert(&job("once", "sh -c 'echo $HOSTNAME; exit 1'"))
            .await;
        client.settle(&made).await;
        client.push("a", "b");
        wait(700).await;
        (client.world.state(), json!(client.world.requests()))
    };
    assert_eq!(story().await, story().await);
}
