//! Which events may do what, as a repository sees it.

use crate::stage::{REPO, Stage, TER_235, good, manifest};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn events_that_bring_secrets_to_foreign_code_are_refused_before_anything_is_sent() {
    let stage = Stage::new();
    let events = [
        ("pull_request_target", json!({ "action": "labeled" })),
        ("issue_comment", json!({ "action": "created" })),
        ("workflow_run", json!({ "action": "completed" })),
        ("merge_group", json!({ "action": "checks_requested" })),
        (
            "push",
            json!({ "ref": "refs/tags/v1", "after": "a".repeat(40) }),
        ),
    ];
    for (name, event) in events {
        let ran = stage.step(name, &event).await;
        assert_eq!(ran.code, 2, "{name}: {}", ran.out);
        assert_eq!(ran.output("reason-code"), "event-refused", "{name}");
        assert!(ran.out.contains("::error title="), "{name}: {}", ran.out);
        assert!(
            ran.summary.contains("event-refused"),
            "{name}: {}",
            ran.summary
        );
    }
    assert!(stage.world.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_merge_without_the_label_runs_nothing_and_says_how_to() {
    let stage = Stage::new();
    stage.open(428, "columns", &[(TER_235, &good())]);
    let ran = stage.merge(&[428]).await;
    assert_eq!(
        (ran.code, ran.output("status")),
        (0, "skipped"),
        "{}",
        ran.out
    );
    assert_eq!(stage.puts(), 0);
    let command =
        "gh workflow run migrate.yml --repo acme/shop --ref main -f mode=run -f migration=ter-235";
    assert!(ran.summary.contains(command), "{}", ran.summary);
    assert!(
        stage.comments(428)[0].contains(command),
        "{}",
        stage.comments(428)[0]
    );
    assert!(ran.out.contains("::notice title="), "{}", ran.out);
    // And that command runs it.
    let by_hand = stage
        .by_hand(&[("mode", "run"), ("migration", "ter-235")])
        .await;
    assert_eq!(by_hand.code, 0, "{}\n{}", by_hand.out, by_hand.err);
    assert_eq!(stage.world.executions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reverted_pull_request_undoes_nothing() {
    let stage = Stage::new();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    stage.merge(&[428]).await;
    let (spec, puts) = (stage.spec(), stage.puts());
    for (number, label) in [(429, None), (430, Some("needs-migration"))] {
        stage.open_without(number, "Revert \"columns\"", TER_235);
        if let Some(label) = label {
            stage.label(number, label);
        }
        let ran = stage.merge(&[number]).await;
        let said = (ran.code, ran.output("reason-code"));
        let wanted = match label {
            None => (0, "skipped"),
            Some(_) => (2, "bad-manifest"),
        };
        assert_eq!(said, wanted, "{label:?}: {}", ran.out);
        assert_eq!((stage.puts(), stage.spec()), (puts, spec.clone()));
        assert_eq!(stage.world.executions().len(), 1, "{label:?}");
        // To have it undone takes a migration of its own.
        stage.push(&[(TER_235, &good())]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_is_pushed_without_a_pull_request_is_told() {
    let stage = Stage::new();
    let pushed = stage.push(&[(TER_235, &good())]);
    let ran = stage.pushed(&pushed).await;
    assert_eq!((ran.code, stage.puts()), (0, 0), "{}", ran.out);
    assert!(
        ran.summary.contains("-f mode=run -f migration=ter-235"),
        "{}",
        ran.summary
    );
    let pushed = stage.push(&[("README.md", "nothing of ours")]);
    let ran = stage.pushed(&pushed).await;
    assert_eq!((ran.code, ran.output("status")), (0, "skipped"));
    assert!(!ran.summary.contains("ter-235"), "{}", ran.summary);
}

#[tokio::test(start_paused = true)]
async fn a_label_after_the_merge_gets_the_command() {
    let stage = Stage::new();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.land(&[428]);
    stage.label(428, "needs-migration");
    let ran = stage
        .pull_request(428, "labeled", Some("needs-migration"))
        .await;
    assert_eq!((ran.code, stage.puts()), (0, 0), "{}", ran.out);
    assert!(
        stage.comments(428)[0].contains("-f mode=run -f migration=ter-235"),
        "{}",
        stage.comments(428)[0]
    );
}

#[tokio::test(start_paused = true)]
async fn a_pull_request_event_plans_and_never_writes_to_the_app() {
    let stage = Stage::new();
    stage.open(428, "columns", &[(TER_235, &good())]);
    let unlabelled = stage.pull_request(428, "synchronize", None).await;
    assert_eq!(
        (unlabelled.code, unlabelled.output("status")),
        (0, "skipped")
    );
    assert!(stage.comments(428).is_empty());
    stage.label(428, "needs-migration");
    let ran = stage
        .pull_request(428, "labeled", Some("needs-migration"))
        .await;
    assert_eq!(
        (ran.code, ran.output("status")),
        (0, "planned"),
        "{}",
        ran.out
    );
    assert_eq!((stage.puts(), stage.comments(428).len()), (0, 1));
    assert_eq!(stage.labels(428), ["needs-migration"]);
    let closed = stage.pull_request(428, "closed", None).await;
    assert_eq!((closed.code, stage.comments(428).len()), (0, 1));
    // Whatever the workflow's own inputs say.
    let mut forced = stage;
    forced.inputs.insert("mode".to_owned(), "run".to_owned());
    let ran = forced.pull_request(428, "synchronize", None).await;
    assert_eq!((ran.code, forced.puts()), (2, 0), "{}", ran.out);
}

#[tokio::test(start_paused = true)]
async fn a_plan_takes_its_settings_from_the_base_and_not_from_the_pull_request() {
    let stage = Stage::new();
    let own = "app: other-app\nlabel: my-label\n";
    stage.open(
        428,
        "columns",
        &[(TER_235, &good()), (".github/harbor-pilot.yml", own)],
    );
    stage.label(428, "my-label");
    let ran = stage.pull_request(428, "labeled", Some("my-label")).await;
    assert_eq!(
        (ran.code, ran.output("status")),
        (0, "skipped"),
        "{}",
        ran.out
    );
    stage.label(428, "needs-migration");
    let ran = stage
        .pull_request(428, "labeled", Some("needs-migration"))
        .await;
    assert_eq!(
        (ran.code, ran.output("status")),
        (0, "planned"),
        "{}",
        ran.out
    );
}

#[tokio::test(start_paused = true)]
async fn a_fork_is_refused_until_it_is_merged() {
    let stage = Stage::with(|github| {
        github["users"].as_array_mut().unwrap().push(json!("eve"));
        github["repositories"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "name": "eve/shop", "fork_of": REPO }));
    });
    stage.open_from(428, "columns", "eve:topic", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    let ran = stage
        .pull_request(428, "labeled", Some("needs-migration"))
        .await;
    assert_eq!(
        (ran.code, ran.output("reason-code")),
        (2, "event-refused"),
        "{}",
        ran.out
    );
    assert_eq!((stage.puts(), stage.comments(428).len()), (0, 0));
    // Merged, it is this repository's reviewed code.
    let merged = stage.merge(&[428]).await;
    assert_eq!(merged.code, 0, "{}\n{}", merged.out, merged.err);
    assert_eq!(stage.world.executions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_branch_than_the_one_the_app_is_built_from_is_refused() {
    let stage = Stage::new();
    stage
        .github(|github, act| github.reset_branch(REPO, "release", "main", act))
        .unwrap();
    stage.open_into(428, "release", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    let ran = stage.merge(&[428]).await;
    assert_eq!(
        (ran.code, ran.output("reason-code")),
        (2, "event-refused"),
        "{}",
        ran.out
    );
    assert!(
        ran.summary.contains("is built from the branch `main`"),
        "{}",
        ran.summary
    );
    assert_eq!((stage.puts(), stage.world.executions().len()), (0, 0));
    let event = stage.github(|github, _| {
        let inputs = [("mode", "run"), ("migration", "ter-235")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        github.workflow_dispatch_event(REPO, ("migrate.yml", "release"), &inputs.into(), "mona")
    });
    let ran = stage.step("workflow_dispatch", &event.unwrap()).await;
    assert_eq!(
        (ran.code, ran.output("reason-code"), stage.puts()),
        (2, "event-refused", 0),
        "{}",
        ran.out
    );
}

#[tokio::test(start_paused = true)]
async fn a_label_without_a_manifest_and_without_a_failure_is_told() {
    let stage = Stage::new();
    stage.open(428, "no manifest", &[("src/app.js", "1")]);
    stage.label(428, "needs-migration");
    let ran = stage.merge(&[428]).await;
    assert_eq!(
        (ran.code, ran.output("reason-code")),
        (2, "bad-manifest"),
        "{}",
        ran.out
    );
    assert_eq!(stage.puts(), 0);
    assert!(
        stage.comments(428)[0].contains("brings no manifest"),
        "{}",
        stage.comments(428)[0]
    );
}

#[tokio::test(start_paused = true)]
async fn two_failed_migrations_are_never_guessed_between() {
    let stage = Stage::new();
    for (number, id) in [(1, "one"), (2, "two")] {
        let path = format!(".harbor-pilot/{id}.yml");
        stage.open(
            number,
            id,
            &[(&path, &manifest(&[("only", &format!("echo {id}; exit 1"))]))],
        );
        stage.label(number, "needs-migration");
        assert_eq!(stage.merge(&[number]).await.code, 5);
    }
    let puts = stage.puts();
    stage.open(3, "a fix", &[("src/app.js", "2")]);
    stage.label(3, "needs-migration");
    let ran = stage.merge(&[3]).await;
    assert_eq!(
        (ran.code, ran.output("reason-code")),
        (2, "ambiguous"),
        "{}",
        ran.out
    );
    assert_eq!(stage.puts(), puts);
    assert!(
        stage.comments(3)[0].contains("`one`, `two`"),
        "{}",
        stage.comments(3)[0]
    );
}

#[tokio::test(start_paused = true)]
async fn a_merge_that_github_indexes_late_is_found() {
    let stage =
        Stage::with(|github| github["knobs"] = json!({ "commit_pull_index_lag_seconds": 20 }));
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    let ran = stage.merge(&[428]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert_eq!(stage.world.executions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn bad_inputs_are_named() {
    let cases = [
        ("helth-url", "off", "no input `helth-url`"),
        ("mode", "destroy", "`mode` holds `destroy`"),
        ("migration", "Ter 235", "`Ter 235` is not a migration id"),
        ("job-timeout", "soon", "`job-timeout` holds `soon`"),
    ];
    for (name, value, told) in cases {
        let mut stage = Stage::new();
        stage.inputs.insert(name.to_owned(), value.to_owned());
        stage.open(428, "columns", &[(TER_235, &good())]);
        stage.label(428, "needs-migration");
        let ran = stage.merge(&[428]).await;
        assert_eq!((ran.code, stage.puts()), (2, 0), "{name}: {}", ran.out);
        assert!(ran.out.contains(told), "{name}: {}", ran.out);
    }
}
