//! Whole runs through the binary.

use crate::bench::{Bench, SHOP, finish, shop};
use harbor_pilot::host::{Host, Input, Stream, Wire};
use serde_json::{Value, json};

fn spec(bench: &Bench) -> Value {
    bench.world.state()["apps"][0]["spec"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_shows_the_edit_and_writes_nothing() {
    let bench = Bench::new().await;
    let ended = bench
        .refused(&["plan", "--app", "shop", "--migration-id", "ter-235"])
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.out.contains("Plan for migration `ter-235` on `shop`"),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("echo backfill"), "{}", ended.out);
    assert!(
        ended.out.contains("+") && ended.out.contains("DATABASE_URL"),
        "{}",
        ended.out
    );
    let json = bench
        .json(&[
            "run",
            "--dry-run",
            "--app",
            SHOP,
            "--migration-id",
            "ter-235",
        ])
        .await;
    assert_eq!(json["status"], "planned", "{json}");
    bench.nothing_was_written();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_runs_is_done_and_is_not_run_again() {
    let bench = Bench::new().await;
    let before = spec(&bench);
    let run = [
        "run",
        "--app",
        "shop",
        "--migration-id",
        "ter-235",
        "--yes",
        "--result-file",
        "result.json",
    ];
    let ended = bench.call(&run).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.out.contains("Migration `ter-235` is done"),
        "{}",
        ended.out
    );
    assert_eq!(spec(&bench), before);
    assert_eq!(bench.world.executions().len(), 1);
    let kept: Value =
        serde_json::from_str(&std::fs::read_to_string(bench.folder().join("result.json")).unwrap())
            .unwrap();
    assert_eq!(
        (&kept["status"], &kept["reason_code"]),
        (&json!("succeeded"), &json!("done")),
        "{kept}"
    );

    let again = bench.call(&run).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(
        again.out.contains("is done already; nothing was run"),
        "{}",
        again.out
    );
    assert_eq!(bench.world.executions().len(), 1);

    let logs = bench
        .call(&["logs", "--app", "shop", "--migration-id", "ter-235"])
        .await;
    assert_eq!(logs.code, Some(0), "{logs:?}");
    assert!(
        logs.out.lines().any(|line| line.ends_with("backfill")),
        "{}",
        logs.out
    );

    let status = bench.json(&["status", "--app", "shop"]).await;
    assert_eq!(status["jobs"], json!([]), "{status:#}");
    assert_eq!(
        status["migrations"][0]["migration"], "ter-235",
        "{status:#}"
    );
    assert_eq!(
        status["migrations"][0]["epochs"][0]["outcome"]["is"], "done",
        "{status:#}"
    );

    // The whole of all that was said holds no token.
    for said in [&ended, &again, &logs] {
        assert!(!said.out.contains("canary") && !said.err.contains("canary"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_is_done_and_changed_is_refused() {
    let bench = Bench::new().await;
    let run = ["run", "--app", "shop", "--migration-id", "ter-235", "--yes"];
    assert_eq!(bench.call(&run).await.code, Some(0));
    let executions = bench.world.executions().len();
    bench.write(
        ".harbor-pilot/ter-235.yml",
        "steps:\n  - name: columns\n    run: echo other columns\n",
    );
    let ended = bench.call(&run).await;
    assert_eq!(ended.code, Some(11), "{ended:?}");
    assert!(
        ended
            .err
            .contains("step `columns` of `ter-235` has changed")
            || ended.err.contains("has changed since it was done"),
        "{}",
        ended.err
    );
    assert_eq!(bench.world.executions().len(), executions);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_step_is_told_with_its_log_and_retried() {
    let bench = Bench::new().await;
    bench.write(".harbor-pilot/ter-235.yml", "steps:\n  - name: columns\n    run: echo columns\n  - name: backfill\n    run: ./backfill.sh\n");
    let before = spec(&bench);
    let ended = bench
        .call(&["run", "--app", "shop", "--migration-id", "ter-235", "--yes"])
        .await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(
        ended.out.contains("failed at step `backfill`"),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("harbor-pilot run --retry --app"),
        "{}",
        ended.out
    );
    assert_eq!(spec(&bench), before);
    let json = bench
        .json(&[
            "run",
            "--retry",
            "--app",
            "shop",
            "--migration-id",
            "ter-235",
            "--yes",
        ])
        .await;
    assert_eq!(json["steps"][0]["state"], "done-earlier", "{json:#}");
    assert_eq!(json["steps"][1]["state"], "failed", "{json:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_left_behind_is_shown_and_taken_out() {
    let bench = Bench::new().await;
    let before = spec(&bench);
    leave_job(&bench).await;
    let status = bench.call(&["status", "--app", "shop"]).await;
    assert_eq!(status.code, Some(0), "{status:?}");
    assert!(
        status.out.contains("migration old-1, from acme/shop#7"),
        "{}",
        status.out
    );
    assert!(
        status.out.contains("left behind (`reap` takes it out)"),
        "{}",
        status.out
    );
    let dry = bench.refused(&["reap", "--app", "shop", "--dry-run"]).await;
    assert!(dry.out.contains("would be taken out"), "{}", dry.out);
    let ended = bench.call(&["reap", "--app", "shop"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(spec(&bench), before);
}

/// Puts a job of ours into the app as a killed run leaves it, and lets its deployment end.
async fn leave_job(bench: &Bench) {
    let key = migration::Key::of(
        &app_spec::AppId::new(SHOP),
        &migration::MigrationId::parse("old-1").unwrap(),
    );
    let record = json!({
        "version": 1, "key": key.as_str(), "epoch": 0, "nonce": "0".repeat(32), "migration": "old-1",
        "steps": [{ "name": "columns", "digest": "0011223344556677" }], "authority": "cli:1",
        "pr": 7, "repository": "acme/shop", "not_after": 1,
    });
    let job = json!({
        "name": format!("migrate-{key}-e0"),
        "kind": "POST_DEPLOY",
        "github": { "repo": "acme/shop", "branch": "main" },
        "dockerfile_path": "Dockerfile",
        "run_command": "true",
        "envs": [{ "key": "HARBOR_PILOT_RUN", "value": record.to_string(), "scope": "RUN_TIME" }],
    });
    bench
        .world
        .edit_spec(SHOP, "mona", |spec| spec["jobs"] = json!([job]))
        .unwrap();
    settled(bench).await;
}

/// Waits until nothing is in flight.
pub(crate) async fn settled(bench: &Bench) {
    loop {
        let state = bench.world.state();
        if state["apps"][0]["in_progress"].is_null() && state["apps"][0]["pending"].is_null() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_firewall_that_drifted_is_told_and_put_back() {
    let mut world = shop();
    world["databases"][0]["rules"] = json!([{ "type": "app", "value": SHOP }, { "type": "ip_addr", "value": "203.0.113.7" }, { "type": "ip_addr", "value": "198.51.100.1" }]);
    let bench = Bench::of(world).await;
    let check = bench.refused(&["firewall", "check", "--app", "shop"]).await;
    assert_eq!(check.code, Some(13), "{check:?}");
    assert!(check.out.contains("ip_addr 203.0.113.7"), "{}", check.out);
    let unasked = bench
        .refused(&["firewall", "restore", "--app", "shop"])
        .await;
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    let restored = bench
        .call(&[
            "firewall",
            "restore",
            "--app",
            "shop",
            "--yes",
            "--keep-rule",
            "ip_addr:198.51.100.1",
        ])
        .await;
    assert_eq!(restored.code, Some(0), "{restored:?}");
    let rules = bench.world.state()["databases"][0]["rules"].to_string();
    assert!(
        !rules.contains("203.0.113.7") && rules.contains("198.51.100.1") && rules.contains(SHOP),
        "{rules}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_firewall_is_not_touched_while_a_job_is_in_the_app() {
    let mut world = shop();
    world["databases"][0]["rules"] =
        json!([{ "type": "app", "value": SHOP }, { "type": "ip_addr", "value": "203.0.113.7" }]);
    let bench = Bench::of(world).await;
    leave_job(&bench).await;
    let ended = bench
        .refused(&["firewall", "restore", "--app", "shop", "--yes"])
        .await;
    assert_eq!(ended.code, Some(11), "{ended:?}");
    assert!(
        ended.err.contains("so the firewall is not touched"),
        "{}",
        ended.err
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_result_file_is_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new().await;
    let ended = bench
        .refused(&[
            "plan",
            "--app",
            "nobody",
            "--migration-id",
            "ter-235",
            "--result-file",
            "r.json",
        ])
        .await;
    assert_eq!(ended.code, Some(2));
    let path = bench.folder().join("r.json");
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(kept["reason_code"], "app-not-found");
}

/// In a step of a workflow the runner reads every line: names of others must not become commands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_line_is_a_command_to_the_actions_runner() {
    let bench = Bench::new().await;
    bench.write(
        ".harbor-pilot/ter-235.yml",
        "steps:\n  - name: columns\n    run: 'echo \"##[error]x\"; echo \"::add-mask::web\"'\n",
    );
    let run = ["run", "--app", "shop", "--migration-id", "ter-235", "--yes"];
    let mut command = bench.command(&run);
    command.env("GITHUB_ACTIONS", "true");
    let ended = finish(command).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut command = bench.command(&["logs", "--app", "shop", "--migration-id", "ter-235"]);
    command.env("GITHUB_ACTIONS", "true");
    let logs = finish(command).await;
    assert!(logs.out.contains("error]x"), "{}", logs.out);
    for line in [&ended.out, &ended.err, &logs.out, &logs.err]
        .into_iter()
        .flat_map(|text| text.lines())
    {
        assert!(
            !line.contains("##[") && !line.trim_start().starts_with("::"),
            "{line}"
        );
    }
}

/// Secrets of ours and of the job's, in everything that a failing run says or keeps, at the most talkative.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_said_or_kept() {
    let bench = Bench::new().await;
    bench.write(".harbor-pilot/ter-235.yml", "steps:\n  - name: columns\n    run: 'echo \"key $STRIPE_KEY\"; echo \"$DATABASE_URL\"; exit 3'\n");
    let run = [
        "run",
        "--app",
        "shop",
        "--migration-id",
        "ter-235",
        "--yes",
        "-vvv",
        "--secret-env",
        "STRIPE_KEY",
        "--result-file",
        "r.json",
    ];
    let mut command = bench.command(&run);
    command.env("STRIPE_KEY", "stripe-canary-value");
    let ended = finish(command).await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(
        ended.out.contains("| ") && ended.out.contains("key ***"),
        "{}",
        ended.out
    );
    let mut command = bench.command(&[
        "logs",
        "--app",
        "shop",
        "--migration-id",
        "ter-235",
        "--secret-env",
        "STRIPE_KEY",
        "-vvv",
    ]);
    command.env("STRIPE_KEY", "stripe-canary-value");
    let logs = finish(command).await;
    let mut said = vec![ended.out, ended.err, logs.out, logs.err];
    let mut folders = vec![bench.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                said.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    assert!(
        said.len() > 6,
        "the log, the ledger, the result and the manifest are kept"
    );
    for text in said {
        for secret in ["canary", "real-password", "X-Amz", "Signature="] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runners_of_one_folder_insert_once() {
    let bench = Bench::new().await;
    let run = ["run", "--app", "shop", "--migration-id", "ter-235", "--yes"];
    let (one, other) = tokio::join!(bench.call(&run), bench.call(&run));
    assert_eq!(
        (one.code, other.code),
        (Some(0), Some(0)),
        "{one:?}\n{other:?}"
    );
    assert_eq!(bench.world.executions().len(), 1, "{one:?}\n{other:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_runs_no_step() {
    let bench = Bench::new().await;
    bench.write(
        ".harbor-pilot/ter-235.yml",
        "steps:\n  - name: columns\n    run: echo columns\n    check: echo checked\n",
    );
    let json = bench
        .json(&[
            "check",
            "--app",
            "shop",
            "--migration-id",
            "ter-235",
            "--yes",
        ])
        .await;
    assert_eq!(
        (&json["reason_code"], &json["steps"][0]["state"]),
        (&json!("checks-passed"), &json!("check-passed")),
        "{json:#}"
    );
    let logs = bench
        .call(&["logs", "--app", "shop", "--migration-id", "ter-235"])
        .await;
    assert!(
        logs.out.contains("checked") && !logs.out.lines().any(|line| line.ends_with(" columns")),
        "{}",
        logs.out
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_ends_a_run_and_takes_its_job_out() {
    let mut world = shop();
    world["apps"][0]["timing"] = json!({ "build_seconds": 1_209_600 });
    let bench = Bench::of(world).await;
    let before = spec(&bench);
    let run = async {
        bench
            .call(&["run", "--app", "shop", "--migration-id", "ter-235", "--yes"])
            .await
    };
    let stop = async {
        while spec(&bench) == before {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        bench.call(&["stop", "--app", "shop"]).await
    };
    let (run, stop) = tokio::join!(run, stop);
    assert_eq!(stop.code, Some(0), "{stop:?}\n{run:?}");
    assert_eq!(spec(&bench), before, "{stop:?}\n{run:?}");
    assert_ne!(run.code, Some(0), "{run:?}");
    assert_eq!(bench.world.executions().len(), 0);
}

/// In this process, with somebody at the terminal who answers `answer`.
async fn asked(bench: &Bench, answer: &'static str) -> (u8, String, String) {
    let (out, out_kept) = Stream::kept();
    let (err, err_kept) = Stream::kept();
    let (_switch, stop) = runner::stop_switch();
    let mut host = Host::new(out, err, bench.folder().to_owned(), Wire::Network, stop);
    host.input = Some(Input::new(answer.as_bytes()));
    let home = bench.folder().join("home").display().to_string();
    let vars = [
        ("DIGITALOCEAN_ACCESS_TOKEN", "do-token-canary"),
        ("DIGITALOCEAN_API_URL", &bench.url),
        ("HARBOR_PILOT_PACE", "240"),
        ("HARBOR_PILOT_HEALTH_URL", "off"),
        ("HOME", &home),
    ];
    host.vars = vars
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let args = [
        "harbor-pilot",
        "run",
        "--app",
        "shop",
        "--migration-id",
        "ter-235",
        "--output",
        "json",
    ];
    let code = harbor_pilot::run(host, args.into_iter().map(Into::into).collect()).await;
    (code, out_kept.text(), err_kept.text())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_shown_the_plan_and_asked() {
    let bench = Bench::new().await;
    for answer in ["no\n", "", "yess\n"] {
        let (code, out, err) = asked(&bench, answer).await;
        assert_eq!(code, 0, "{err}");
        assert!(
            err.contains("Plan for migration `ter-235` on `shop`") && err.contains("Type yes:"),
            "{err}"
        );
        let json: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(json["reason_code"], "skipped", "{json:#}");
        bench.nothing_was_written();
    }
    let (code, out, err) = asked(&bench, "Yes\n").await;
    assert_eq!(code, 0, "{err}");
    // One document on standard output, whatever was shown before it.
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["status"], "succeeded", "{json:#}");
    assert_eq!(
        err.matches("The record of what ran is kept in").count(),
        1,
        "{err}"
    );
    assert_eq!(bench.world.executions().len(), 1);
}
