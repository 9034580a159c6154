//! The Action from event to comment, against the simulator in process, in virtual time.
#![cfg(test)]

#[path = "action/events.rs"]
mod events;
#[path = "action/noise.rs"]
mod noise;
#[path = "action/reviewed.rs"]
mod reviewed;
#[path = "action/stage.rs"]
mod stage;
#[path = "action/trust.rs"]
mod trust;
#[path = "action/words.rs"]
mod words;

use stage::{Stage, TER_235, good, manifest};

#[tokio::test(start_paused = true)]
async fn a_labelled_merge_runs_its_migration_once_and_tells_it() {
    let stage = Stage::new();
    let before = stage.spec();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    let ran = stage.merge(&[428]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert_eq!(stage.spec(), before);
    assert_eq!(stage.puts(), 2);
    assert_eq!(stage.world.executions().len(), 1);
    assert_eq!(stage.labels(428), ["migration-done"]);
    assert_eq!(ran.output("status"), "succeeded");
    assert_eq!(ran.output("cleanup"), "done");
    assert!(
        ran.output("comment-url")
            .contains("/pull/428#issuecomment-"),
        "{}",
        ran.output("comment-url")
    );
    assert_eq!(
        ran.output("result").parse::<serde_json::Value>().unwrap()["schema_version"],
        1
    );
    let comments = stage.comments(428);
    assert_eq!(comments.len(), 1);
    assert!(comments[0].contains("`ter-235` is done"), "{}", comments[0]);
    assert!(ran.summary.contains("`ter-235` is done"));
    assert!(ran.out.contains("::notice title="), "{}", ran.out);
}

#[tokio::test(start_paused = true)]
async fn the_step_sets_every_output_that_action_yml_promises() {
    let stage = Stage::new();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    let ran = stage.merge(&[428]).await;
    let promised: Vec<String> = stage::action_yml("outputs");
    let mut set: Vec<String> = ran.outputs.keys().cloned().collect();
    let mut wanted = promised.clone();
    set.sort();
    wanted.sort();
    assert_eq!(set, wanted);
}

#[tokio::test(start_paused = true)]
async fn action_yml_declares_the_inputs_that_are_read() {
    let mut declared = stage::action_yml("inputs");
    let mut read = harbor_pilot::commands::action::input_names();
    declared.sort();
    read.sort();
    assert_eq!(declared, read);
}

/// A step that works once the repository's script is mended.
fn by_script() -> String {
    manifest(&[
        ("columns", "echo adding columns"),
        ("backfill", "sh bin/backfill.sh"),
    ])
}

/// A world in which PR 428's second step has failed.
async fn failed() -> (Stage, stage::Ran) {
    let stage = Stage::new();
    stage.open(
        428,
        "columns",
        &[
            (TER_235, &by_script()),
            ("bin/backfill.sh", "echo poi.deletedAt is unknown; exit 1\n"),
        ],
    );
    stage.label(428, "needs-migration");
    let ran = stage.merge(&[428]).await;
    (stage, ran)
}

#[tokio::test(start_paused = true)]
async fn a_failing_step_is_told_and_its_fix_runs_only_what_is_left() {
    let (stage, ran) = failed().await;
    assert_eq!(ran.code, 5, "{}\n{}", ran.out, ran.err);
    assert_eq!(ran.output("status"), "rolled-back");
    assert_eq!(stage.labels(428), ["needs-migration", "migration-failed"]);
    let comment = &stage.comments(428)[0];
    assert!(
        comment.contains("failed at step `backfill`")
            && comment.contains("poi.deletedAt is unknown"),
        "{comment}"
    );
    assert!(comment.contains("gh workflow run migrate.yml --repo acme/shop --ref main -f mode=retry -f migration=ter-235"), "{comment}");
    assert_eq!(stage.world.executions().len(), 1);

    stage.open(
        431,
        "mend the backfill",
        &[("bin/backfill.sh", "echo filled in\n")],
    );
    stage.label(431, "needs-migration");
    let fixed = stage.merge(&[431]).await;
    assert_eq!(fixed.code, 0, "{}\n{}", fixed.out, fixed.err);
    assert!(
        fixed.output("job-name").ends_with("-e1"),
        "{}",
        fixed.output("job-name")
    );
    assert_eq!(stage.world.executions().len(), 2);
    let log = stage.job_output(&fixed);
    assert!(
        log.contains("filled in") && !log.contains("adding columns"),
        "{log}"
    );
    assert_eq!(stage.labels(431), ["migration-done"]);
    assert!(
        stage.comments(428)[0].contains("Continued in #431"),
        "{}",
        stage.comments(428)[0]
    );
    assert!(
        stage.comments(431)[0].contains("done earlier (epoch 0, PR 428)"),
        "{}",
        stage.comments(431)[0]
    );
}

#[tokio::test(start_paused = true)]
async fn running_the_workflow_again_reports_and_runs_nothing() {
    let stage = Stage::new();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    let pushed = stage.land(&[428]);
    stage.pushed(&pushed).await;
    let (puts, comment) = (stage.puts(), stage.comments(428));
    let again = stage.pushed(&pushed).await;
    assert_eq!(again.code, 0, "{}", again.out);
    assert_eq!((stage.puts(), stage.world.executions().len()), (puts, 1));
    assert_eq!(stage.comments(428), comment);

    let (stage, _) = failed().await;
    let pushed = stage.last_push();
    let (puts, comment) = (stage.puts(), stage.comments(428));
    let again = stage.pushed(&pushed).await;
    assert_eq!(again.code, 1, "{}", again.out);
    assert_eq!(again.output("reason-code"), "already-failed");
    assert_eq!((stage.puts(), stage.world.executions().len()), (puts, 1));
    assert_eq!(stage.comments(428), comment);
    assert!(!again.output("comment-url").is_empty());
}

/// Another run that followed the same job, and could not read its log, closes the claim after the one that could.
#[tokio::test(start_paused = true)]
async fn a_weaker_status_that_comes_later_takes_nothing_back() {
    let stage = Stage::new();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    stage.merge(&[428]).await;
    let claim = stage.github(|github, _| github.deployments(stage::REPO)[0].id);
    stage
        .post_to_github(
            &format!("deployments/{claim}/statuses"),
            &serde_json::json!({"state": "error", "description": "v1 unproven done=0"}),
        )
        .await;
    let puts = stage.puts();
    let again = stage.by_hand(&[("migration", "ter-235")]).await;
    assert_eq!(again.code, 0, "{}", again.out);
    assert_eq!(again.output("reason-code"), "already-done");
    assert_eq!((stage.puts(), stage.world.executions().len()), (puts, 1));
}

#[tokio::test(start_paused = true)]
async fn a_retry_by_hand_runs_what_is_left_and_tells_it_where_it_was_asked_for() {
    let (stage, _) = failed().await;
    stage.push(&[("bin/backfill.sh", "echo filled in\n")]);
    let retried = stage
        .by_hand(&[("mode", "retry"), ("migration", "ter-235")])
        .await;
    assert_eq!(retried.code, 0, "{}\n{}", retried.out, retried.err);
    assert!(retried.output("job-name").ends_with("-e1"));
    assert_eq!(stage.comments(428).len(), 1);
    assert!(
        stage.comments(428)[0].contains("`ter-235` is done"),
        "{}",
        stage.comments(428)[0]
    );
    assert_eq!(stage.labels(428), ["migration-done"]);
    // The same run started again has no authority left.
    let event = stage.github(|github, _| {
        let inputs = [("mode", "retry"), ("migration", "ter-235")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        github.workflow_dispatch_event(stage::REPO, ("migrate.yml", "main"), &inputs.into(), "mona")
    });
    let puts = stage.puts();
    let again = stage.again("workflow_dispatch", &event.unwrap()).await;
    assert_eq!(
        (again.code, again.output("status")),
        (0, "already-ran"),
        "{}",
        again.out
    );
    assert_eq!((stage.puts(), stage.world.executions().len()), (puts, 2));
}

#[tokio::test(start_paused = true)]
async fn again_runs_a_done_migration_once_more_and_wants_a_reason() {
    let stage = Stage::new();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    stage.merge(&[428]).await;
    let puts = stage.puts();
    let unreasoned = stage
        .by_hand(&[("mode", "again"), ("migration", "ter-235")])
        .await;
    assert_eq!(
        (unreasoned.code, stage.puts()),
        (2, puts),
        "{}",
        unreasoned.out
    );
    assert!(
        unreasoned.out.contains("needs a `reason`"),
        "{}",
        unreasoned.out
    );
    let again = stage
        .by_hand(&[
            ("mode", "again"),
            ("migration", "ter-235"),
            ("reason", "the rows were restored"),
        ])
        .await;
    assert_eq!(again.code, 0, "{}\n{}", again.out, again.err);
    assert_eq!(stage.world.executions().len(), 2);
    let unknown = stage
        .by_hand(&[("mode", "run"), ("migration", "ter-999")])
        .await;
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.out.contains("There are `ter-235`"),
        "{}",
        unknown.out
    );
}

#[tokio::test(start_paused = true)]
async fn several_pull_requests_of_one_push_run_in_their_order_until_one_fails() {
    let stage = Stage::new();
    stage.open(
        1,
        "first",
        &[(
            ".harbor-pilot/zebra.yml",
            &manifest(&[("one", "echo first")]),
        )],
    );
    stage.open(
        2,
        "second",
        &[(
            ".harbor-pilot/ant.yml",
            &manifest(&[("two", "echo second; exit 4")]),
        )],
    );
    stage.open(
        3,
        "third",
        &[(
            ".harbor-pilot/bee.yml",
            &manifest(&[("three", "echo third")]),
        )],
    );
    for number in [1, 2, 3] {
        stage.label(number, "needs-migration");
    }
    let ran = stage.merge(&[1, 2, 3]).await;
    assert_eq!(ran.code, 5, "{}\n{}", ran.out, ran.err);
    assert_eq!(stage.world.executions().len(), 2);
    assert_eq!(stage.labels(1), ["migration-done"]);
    assert_eq!(stage.labels(2), ["needs-migration", "migration-failed"]);
    assert_eq!(stage.labels(3), ["needs-migration"]);
    assert!(
        ran.out
            .contains("Not started, because what was merged before it failed: `bee` of #3"),
        "{}",
        ran.out
    );
    assert!(ran.summary.contains("`bee` of #3"));
}

/// The event of a labelled pull request's merge.
fn merged(stage: &Stage) -> serde_json::Value {
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    let pushed = stage.land(&[428]);
    stage
        .github(|github, _| github.push_event(&pushed))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_ends_at_once_and_the_post_step_takes_the_job_out() {
    let stage = Stage::new();
    let before = stage.spec();
    let event = merged(&stage);
    let ((host, out, err), switch, folder) = stage.host("push", &event);
    let cancel = async {
        while stage.world.executions().is_empty() {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        switch.stop();
        tokio::time::Instant::now()
    };
    let main = async {
        let code = stage::main_step(host).await;
        (code, tokio::time::Instant::now())
    };
    let ((code, ended), asked) = tokio::join!(main, cancel);
    let ran = stage::left(code, (&out, &err), &folder);
    assert_eq!(ran.code, 130, "{}", ran.out);
    assert!(
        ended - asked < std::time::Duration::from_secs(5),
        "{:?}",
        ended - asked
    );
    assert_ne!(stage.spec(), before);
    assert_eq!(ran.state.get("ended").map(String::as_str), Some(""));

    let post = stage.post(&ran.state).await;
    assert_eq!(post.code, 0, "{}\n{}", post.out, post.err);
    assert_eq!(stage.spec(), before);
    assert_eq!(stage.comments(428).len(), 1);
    assert!(
        stage.comments(428)[0].contains("After the run was cut off"),
        "{}",
        stage.comments(428)[0]
    );
    assert_eq!(stage.labels(428), ["needs-migration", "migration-failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_sigterm_ended_says_so() {
    let stage = Stage::new();
    let event = merged(&stage);
    let ((host, out, err), switch, folder) = stage.host("push", &event);
    host.signal.0.store(
        harbor_pilot::host::SIGTERM,
        std::sync::atomic::Ordering::Relaxed,
    );
    let terminate = async {
        while stage.world.executions().is_empty() {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        switch.stop();
    };
    let (code, ()) = tokio::join!(stage::main_step(host), terminate);
    let ran = stage::left(code, (&out, &err), &folder);
    assert_eq!(
        (ran.code, ran.output("reason-code")),
        (143, "terminated"),
        "{}",
        ran.out
    );
}

#[tokio::test(start_paused = true)]
async fn a_post_step_with_nothing_left_to_do_says_and_sends_nothing() {
    let stage = Stage::new();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    let ran = stage.merge(&[428]).await;
    let requests = stage.world.requests().len();
    for state in [&ran.state, &std::collections::BTreeMap::new()] {
        let post = stage.post(state).await;
        assert_eq!(
            (post.code, post.out.as_str(), post.err.as_str()),
            (0, "", "")
        );
    }
    assert_eq!(stage.world.requests().len(), requests);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_takes_out_what_a_killed_run_left() {
    let stage = Stage::new();
    let before = stage.spec();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    let pushed = stage.land(&[428]);
    let killed = async {
        while stage.world.executions().is_empty() {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    };
    tokio::select! { _ = stage.pushed(&pushed) => panic!("it ended"), () = killed => {} }
    assert_ne!(stage.spec(), before);
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    let swept = stage
        .step("schedule", &serde_json::json!({ "schedule": "23 * * * *" }))
        .await;
    assert_eq!(swept.code, 0, "{}\n{}", swept.out, swept.err);
    assert_eq!(stage.spec(), before);
    assert_eq!(swept.output("status"), "succeeded");
    let status = stage.by_hand(&[("mode", "status")]).await;
    assert_eq!(status.code, 0, "{}", status.out);
    assert!(status.summary.contains("ter-235"), "{}", status.summary);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_claims_a_job_that_came_back_before_it_takes_it_out() {
    let stage = Stage::new();
    let before = stage.spec();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    let stale = async {
        while stage.world.executions().is_empty() {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        stage.spec()
    };
    let merged = Box::pin(stage.merge(&[428]));
    let (ran, stale) = tokio::join!(merged, stale);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let hours = |hours: u64| tokio::time::sleep(std::time::Duration::from_secs(hours * 3600));
    hours(5).await;
    stage
        .world
        .edit_spec("shop", "terraform@example.com", |spec| *spec = stale)
        .unwrap();
    hours(1).await;
    let swept = stage
        .step("schedule", &serde_json::json!({ "schedule": "23 * * * *" }))
        .await;
    assert_eq!(swept.code, 0, "{}\n{}", swept.out, swept.err);
    assert_eq!(stage.spec(), before);
    let claims = stage.github(|github, _| {
        let claims = github.deployments(stage::REPO).into_iter();
        let ended = claims.map(|one| {
            let last = one.statuses.last().map(|last| last.state.clone());
            (one.reference.clone(), last)
        });
        ended.collect::<Vec<_>>()
    });
    let success = Some("success".to_owned());
    assert_eq!(claims.len(), 2, "{claims:?}");
    assert!(
        claims.contains(&("main".to_owned(), success.clone())),
        "{claims:?}"
    );
    assert!(
        claims.iter().all(|(_, ended)| *ended == success),
        "{claims:?}"
    );
    let again = stage.by_hand(&[("migration", "ter-235")]).await;
    assert!(
        again.out.contains("nothing is run") || again.summary.contains("already"),
        "{}",
        again.out
    );
    assert_eq!(stage.puts(), 3, "what is done stays done");
}

#[tokio::test(start_paused = true)]
async fn the_comment_is_edited_at_a_pace_that_github_bears() {
    let stage = Stage::new();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    stage.merge(&[428]).await;
    let writes = stage.comment_writes();
    assert!(writes.len() > 3, "{writes:?}");
    // All but the last, which is the end's and does not wait.
    for pair in writes[..writes.len() - 1].windows(2) {
        assert!(
            pair[1].duration_since(pair[0]).as_secs() >= 20,
            "{writes:?}"
        );
    }
    assert!(stage.github_calls() < 120, "{}", stage.github_calls());
}

#[tokio::test(start_paused = true)]
async fn github_down_never_stops_a_clean_up() {
    use std::sync::atomic::Ordering;
    let stage = Stage::new();
    let before = stage.spec();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    let pushed = stage.land(&[428]);
    let down = async {
        while stage.world.executions().is_empty() {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        stage.github_down.store(true, Ordering::Relaxed);
    };
    let (ran, ()) = tokio::join!(stage.pushed(&pushed), down);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert_eq!(stage.spec(), before);
    assert!(ran.summary.contains("`ter-235` is done"), "{}", ran.summary);
}

#[tokio::test(start_paused = true)]
async fn the_post_step_cleans_up_without_github() {
    use std::sync::atomic::Ordering;
    let stage = Stage::new();
    let before = stage.spec();
    let event = merged(&stage);
    let ((host, out, err), switch, folder) = stage.host("push", &event);
    let cancel = async {
        while stage.world.executions().is_empty() {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        stage.github_down.store(true, Ordering::Relaxed);
        switch.stop();
        tokio::time::Instant::now()
    };
    let main = async { (stage::main_step(host).await, tokio::time::Instant::now()) };
    let ((code, ended), asked) = tokio::join!(main, cancel);
    assert!(
        ended - asked < std::time::Duration::from_secs(5),
        "{:?}",
        ended - asked
    );
    let ran = stage::left(code, (&out, &err), &folder);
    assert_eq!(ran.code, 130);
    let begun = tokio::time::Instant::now();
    stage.post(&ran.state).await;
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(285),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(stage.spec(), before);
}
