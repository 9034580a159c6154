//! Bad input: a clear message on standard error, the documented exit code, and nothing written.

use crate::bench::{Bench, Ended, SHOP, bare, finish, shop};
use crate::runs::settled;
use serde_json::{Value, json};

const RUN: [&str; 6] = ["run", "--yes", "--app", "shop", "--migration-id", "ter-235"];

/// `RUN` with more, refused without a write.
async fn refused(bench: &Bench, more: &[&str]) -> String {
    bench.refused(&[&RUN, more].concat()).await.told()
}

/// The same in the shop as it is.
async fn in_shop(more: &[&str]) -> String {
    refused(&Bench::new().await, more).await
}

async fn of_manifest(text: &str) -> String {
    let bench = Bench::new().await;
    bench.write(".harbor-pilot/ter-235.yml", text);
    let told = refused(&bench, &[]).await;
    assert!(
        bench.world.requests().is_empty(),
        "nothing is asked of the platform before the manifest is good"
    );
    told
}

fn job(name: &str) -> Value {
    json!({
        "name": name, "kind": "POST_DEPLOY", "github": { "repo": "acme/shop", "branch": "main" },
        "dockerfile_path": "Dockerfile", "run_command": "true",
    })
}

fn with_job(job: Value) -> Value {
    let mut world = shop();
    world["apps"][0]["spec"]["jobs"] = json!([job]);
    world
}

async fn with_token(variable: &str, token: &str) -> String {
    let bench = Bench::new().await;
    let mut command = bench.command(&RUN);
    command
        .env_remove("DIGITALOCEAN_ACCESS_TOKEN")
        .env(variable, token);
    let ended = finish(command).await;
    bench.nothing_was_written();
    ended.told()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token() {
    insta::assert_snapshot!(with_token("DIGITALOCEAN_ACCESS_TOKEN", "").await, @r"
    exit code 3
    ❌ Migration `ter-235` was not started; nothing was inserted

    There is no DigitalOcean token: `DIGITALOCEAN_ACCESS_TOKEN` is not set.

    What to do now:
      - Make one in the DigitalOcean control panel (API, then Tokens) with the scopes app:read, app:update, regions:read, sizes:read, actions:read and database:read, and give it in DIGITALOCEAN_ACCESS_TOKEN; in a workflow, as the input `token`.

    Reason unauthorized, exit code 3.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_can_be_none() {
    insta::assert_snapshot!(with_token("HARBOR_PILOT_TOKEN", "two canary words").await, @r"
    exit code 3
    ❌ Migration `ter-235` was not started; nothing was inserted

    `HARBOR_PILOT_TOKEN` does not hold a DigitalOcean API token: it has a space, a line break or an unprintable character in it.

    What to do now:
      - Make one in the DigitalOcean control panel (API, then Tokens) with the scopes app:read, app:update, regions:read, sizes:read, actions:read and database:read, and give it in DIGITALOCEAN_ACCESS_TOKEN; in a workflow, as the input `token`.

    Reason unauthorized, exit code 3.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_the_platform_does_not_know() {
    insta::assert_snapshot!(with_token("DIGITALOCEAN_ACCESS_TOKEN", "unknown-canary").await, @r"
    exit code 3
    ❌ Migration `ter-235` was not started; nothing was inserted

    Cannot list the apps: the platform does not accept the token (it came from `DIGITALOCEAN_ACCESS_TOKEN`).

    What to do now:
      - Make a token in the DigitalOcean control panel (API, then Tokens) and pass it as `token` or DIGITALOCEAN_ACCESS_TOKEN.

    Reason unauthorized, exit code 3.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_without_the_scope() {
    insta::assert_snapshot!(with_token("DIGITALOCEAN_ACCESS_TOKEN", "do-database").await, @r"
    exit code 3
    ❌ Migration `ter-235` was not started; nothing was inserted

    Cannot list the apps: the token lacks the scope `app:read` (it came from `DIGITALOCEAN_ACCESS_TOKEN`).

    What to do now:
      - Make a token with the scope `app:read`. A run needs app:read, app:update, regions:read, sizes:read and actions:read, and database:read (database:update to restore the firewall).

    Reason missing-scope, exit code 3.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_may_only_read() {
    let told = with_token("DIGITALOCEAN_ACCESS_TOKEN", "do-read").await;
    assert!(
        told.contains("the token lacks the scope `app:update`"),
        "{told}"
    );
    assert!(
        told.ends_with("Reason missing-scope, exit code 3."),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_is_not_there_by_name_or_id() {
    let bench = Bench::new().await;
    let run = |app: &'static str| ["run", "--yes", "--app", app, "--migration-id", "ter-235"];
    insta::assert_snapshot!(bench.refused(&run("shap")).await.told(), @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    There is no app `shap` that this token can see.

    What to do now:
      - The token sees these: `shop`. An app of another team needs a token of that team.

    Reason app-not-found, exit code 2.
    ");
    insta::assert_snapshot!(bench.refused(&run("99999999-9999-4999-8999-999999999999")).await.told(), @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    There is no app `99999999-9999-4999-8999-999999999999` that this token can see.

    What to do now:
      - The token sees these: `shop`. An app of another team needs a token of that team.

    Reason app-not-found, exit code 2.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_of_two_apps() {
    let mut world = shop();
    let mut second = world["apps"][0].clone();
    second["id"] = json!("22222222-2222-4222-8222-222222222222");
    world["apps"].as_array_mut().unwrap().push(second);
    insta::assert_snapshot!(refused(&Bench::of(world).await, &[]).await, @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    2 apps are named `shop`.

    What to do now:
      - Name the one that is meant by its id: `11111111-1111-4111-8111-111111111111`, `22222222-2222-4222-8222-222222222222`.

    Reason ambiguous, exit code 2.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_app_and_no_migration() {
    let bench = Bench::new().await;
    insta::assert_snapshot!(bench.refused(&["run", "--yes", "--migration-id", "ter-235"]).await.told(), @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    No app is named.

    What to do now:
      - Name it with `--app ID|NAME`, as `app` in .github/harbor-pilot.yml, or in HARBOR_PILOT_APP.

    Reason usage, exit code 2.
    ");
    insta::assert_snapshot!(bench.refused(&["run", "--yes", "--app", "shop"]).await.told(), @r"
    exit code 2
    error: no migration is named
    Name it with `--migration-id ID`, which reads .harbor-pilot/<ID>.yml; or name a file with `--manifest FILE`.
    (reason usage, exit code 2)
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_or_database_that_is_not_there() {
    insta::assert_snapshot!(in_shop(&["--component", "worker"]).await, @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    App `shop` has no component `worker`.

    What to do now:
      - Name one of these with `component`: `web`.

    Reason component-not-found, exit code 2.
    ");
    insta::assert_snapshot!(in_shop(&["--database", "dbx"]).await, @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    App `shop` has no database `dbx`.

    What to do now:
      - Name one of these with `database`: `db`.

    Reason database-not-found, exit code 2.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_that_is_none() {
    insta::assert_snapshot!(in_shop(&["--manifest", "nowhere/ter-235.yml"]).await, @r"
    exit code 2
    error: cannot read the manifest `nowhere/ter-235.yml`: No such file or directory (os error 2)
    Name the file with `--manifest FILE`, or give the steps with `--step NAME=COMMAND`.
    (reason bad-manifest, exit code 2)
    ");
    insta::assert_snapshot!(of_manifest("steps: [unclosed").await, @r"
    exit code 2
    error: .harbor-pilot/ter-235.yml:1:8: cannot read it as YAML: unclosed bracket '['
    (reason bad-manifest, exit code 2)
    ");
    insta::assert_snapshot!(of_manifest("steps:\n  - name: columns\n    rum: node columns.js\n").await, @r"
    exit code 2
    error: .harbor-pilot/ter-235.yml:3:5: unknown key `rum`
    did you mean `run`? the keys here are `name`, `run`, `check`
    (reason bad-manifest, exit code 2)
    ");
    insta::assert_snapshot!(of_manifest("steps: []\n").await, @r"
    exit code 2
    error: .harbor-pilot/ter-235.yml:1:8: it has no steps
    write at least one:
    steps:
      - name: columns
        run: node scripts/columns.js
    (reason bad-manifest, exit code 2)
    ");
    insta::assert_snapshot!(of_manifest("steps:\n  - {name: a, run: x}\n  - {name: a, run: y}\n").await, @r"
    exit code 2
    error: .harbor-pilot/ter-235.yml:3:12: the step `a` stands here a second time
    the first one stands in line 2; give each step a name of its own
    (reason bad-manifest, exit code 2)
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_that_is_none() {
    let bench = Bench::new().await;
    insta::assert_snapshot!(refused(&bench, &["--config", "nowhere.yml"]).await, @r"
    exit code 2
    error: cannot read the config `nowhere.yml`: No such file or directory (os error 2)
    Check `--config` (or HARBOR_PILOT_CONFIG). Without it, .github/harbor-pilot.yml of this folder is read.
    (reason bad-config, exit code 2)
    ");
    bench.write(".github/harbor-pilot.yml", "ap: shop\n");
    insta::assert_snapshot!(refused(&bench, &[]).await, @r"
    exit code 2
    error: .github/harbor-pilot.yml:1:1: unknown key `ap`
    did you mean `app`? the keys here are `app`, `component`, `database`, `manifests`, `label`, `labels`, `health-url`, `firewall`, `database-cluster`, `keep-rules`, `also-stale`, `accept-jobs`, `defaults`
    (reason bad-config, exit code 2)
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_that_lose_exit_codes() {
    let bench = Bench::new().await;
    let run = [
        "run",
        "--yes",
        "--app",
        "shop",
        "--migration-id",
        "x",
        "--step",
        "a=node a.js | tee log",
    ];
    let told = bench.refused(&run).await.told();
    assert!(
        told.contains("step `a` has a pipe")
            && told.contains("\n      bash -o pipefail -c 'node a.js | tee log'"),
        "{told}"
    );
    assert!(
        told.ends_with("Reason operator-refused, exit code 2."),
        "{told}"
    );
    let run = [
        "run",
        "--yes",
        "--app",
        "shop",
        "--migration-id",
        "x",
        "--shell",
        "none",
        "--step",
        "a=node a.js && node b.js",
    ];
    insta::assert_snapshot!(bench.refused(&run).await.told(), @r"
    exit code 2
    ❌ Migration `x` was not started; nothing was inserted

    The command of step `a` needs a shell for `&&`, and `shell: none` has none.

    What to do now:
      - Put the command into a script or program of the image and call that, or use `shell: sh`.

    Reason operator-refused, exit code 2.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_is_pinned() {
    let bench = Bench::new().await;
    let first = bench.world.state()["apps"][0]["active"]
        .as_str()
        .unwrap()
        .to_owned();
    bench.world.create_deployment(SHOP, "mona").unwrap();
    settled(&bench).await;
    bench
        .world
        .rollback(SHOP, &first, sim::Pin::Pinned, "mona")
        .unwrap();
    settled(&bench).await;
    let told = refused(&bench, &[]).await;
    insta::with_settings!({ filters => vec![("deployment `[0-9a-f-]{36}`", "deployment `[id]`")] }, {
        insta::assert_snapshot!(told, @r"
        exit code 11
        ❌ Migration `ter-235` was not started; nothing was inserted

        App `shop` is pinned to deployment `[id]` by a rollback, and deploys nothing until that is settled.

        What to do now:
          - Commit or revert the rollback in the control panel, then run again; Harbor Pilot never does that for you.

        Reason pinned, exit code 11.
        ");
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_in_flight_that_does_not_settle() {
    let mut world = shop();
    world["apps"][0]["timing"] = json!({ "deploy_seconds": 1_209_600 });
    let bench = Bench::of(world).await;
    bench.world.create_deployment(SHOP, "mona").unwrap();
    let ended = bench.refused(&RUN).await;
    assert_eq!(ended.code, Some(11), "{ended:?}");
    assert!(said(&ended).contains("deployment-in-flight"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_merges_own_deployment_failed() {
    let bench = Bench::new().await;
    bench
        .world
        .break_next(
            SHOP,
            sim::Breakage::BuildFails {
                component: "web".to_owned(),
            },
        )
        .unwrap();
    let edits = sim::Edits::new().write("bin/new", "x");
    let pushed = bench
        .world
        .push("acme/shop", "main", (&edits, "a change"), "mona")
        .unwrap();
    settled(&bench).await;
    let ended = bench
        .refused(&[&RUN as &[&str], &["--sha", &pushed.after]].concat())
        .await;
    assert_eq!(ended.code, Some(11), "{ended:?}");
    assert!(said(&ended).contains("deploy-failed"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_left_by_hand_that_nobody_declared() {
    let told = refused(&Bench::of(with_job(job("migration-job"))).await, &[]).await;
    assert!(
        told.contains("\n      accept-jobs: [migration-job]")
            && told.contains("\n      also-stale: [migration-job]"),
        "{told}"
    );
    assert!(
        told.ends_with("Reason undeclared-job, exit code 11."),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_job_under_our_name() {
    let key = migration::Key::of(
        &app_spec::AppId::new(SHOP),
        &migration::MigrationId::parse("ter-235").unwrap(),
    );
    let bench = Bench::of(with_job(job(&format!("migrate-{key}-e0")))).await;
    insta::assert_snapshot!(refused(&bench, &[]).await, @r"
    exit code 11
    ❌ Migration `ter-235` was not started; nothing was inserted

    App `shop` has a job named `migrate-78qv6e3a-e0`, which is the name of this migration's job and is not ours.

    What to do now:
      - Rename or remove it by hand; without our record in its environment it is never touched.

    Reason name-taken, exit code 11.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_migration_owns_the_app() {
    let mut world = shop();
    world["apps"][0]["timing"] = json!({ "build_seconds": 1_209_600 });
    let bench = Bench::of(world).await;
    let key = migration::Key::of(
        &app_spec::AppId::new(SHOP),
        &migration::MigrationId::parse("other-9").unwrap(),
    );
    let record = json!({
        "version": 1, "key": key.as_str(), "epoch": 2, "nonce": "0".repeat(32), "migration": "other-9", "steps": [],
        "authority": "merge:abc", "pr": 431, "repository": "acme/shop", "not_after": 4_000_000_000_u32,
    });
    let mut ours = job(&format!("migrate-{key}-e2"));
    ours["envs"] =
        json!([{ "key": "HARBOR_PILOT_RUN", "value": record.to_string(), "scope": "RUN_TIME" }]);
    bench
        .world
        .edit_spec(SHOP, "mona", |spec| spec["jobs"] = json!([ours]))
        .unwrap();
    let ended = bench.refused(&RUN).await;
    assert_eq!(ended.code, Some(8), "{ended:?}");
    let told = said(&ended);
    assert!(
        told.contains("other-9") && told.contains("acme/shop#431") && told.contains("status"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_firewall_that_does_not_admit_the_app() {
    let mut world = shop();
    world["databases"][0]["rules"] = json!([{ "type": "ip_addr", "value": "203.0.113.7" }]);
    insta::assert_snapshot!(refused(&Bench::of(world).await, &[]).await, @r"
    exit code 11
    ❌ Migration `ter-235` was not started; nothing was inserted

    The firewall of database `db` does not admit app `shop`, so that the job could not connect.

    What to do now:
      - Add the app as a trusted source of the cluster (a rule of type `app` with the value `11111111-1111-4111-8111-111111111111`); where it gets in by another rule, as in a VPC, set `firewall: off`.

    Reason app-rule-missing, exit code 11.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_firewall_without_a_cluster_that_can_be_found() {
    let bench = Bench::new().await;
    let none = || sim::FaultKind::Respond {
        status: 200,
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        body: Some(json!({ "databases": [] })),
        applied: sim::Applied::default(),
    };
    bench.world.arm(sim::Fault::next("/v2/databases", none()));
    insta::assert_snapshot!(refused(&bench, &["--firewall", "restore"]).await, @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    Cannot find the database cluster `shop-mysql` whose firewall is to be restored.

    What to do now:
      - Set `database-cluster` to the cluster's id, or `firewall: off`.

    Reason cluster-not-found, exit code 2.
    ");
    bench.world.arm(sim::Fault::next("/v2/databases", none()));
    insta::assert_snapshot!(bench.refused(&["firewall", "check", "--app", "shop"]).await.told(), @r"
    exit code 2
    error: cannot find the cluster `shop-mysql` of database `db` of app `shop`
    Give its id with `--database-cluster`: `doctl databases list` shows it.
    (reason cluster-not-found, exit code 2)
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spec_that_the_platform_refuses() {
    let bench = Bench::new().await;
    bench.world.turn(|knobs| {
        knobs.propose_refusal = Some("instance size is not available in nyc".to_owned())
    });
    insta::assert_snapshot!(refused(&bench, &[]).await, @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    The platform refuses the app spec with the job in it: cannot have the spec of app `11111111-1111-4111-8111-111111111111` checked: the platform refused it (400 Bad Request): instance size is not available in nyc.

    What to do now:
      - The job was not put in. Mend what the platform names, in the app or in the config, and run again.

    Reason spec-refused, exit code 2.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_health_address_of_somebody_else() {
    let told = in_shop(&["--health-url", "https://evil.example/health"]).await;
    insta::with_settings!({ filters => vec![(r"127\.0\.0\.1:\d+", "[here]")] }, {
        insta::assert_snapshot!(told, @r"
        exit code 2
        ❌ Migration `ter-235` was not started; nothing was inserted

        The health address `https://evil.example/health` is not an https address on one of the hosts of app `shop`.

        What to do now:
          - Its hosts are `[here]`, `[here]/_live/shop`.

        Reason health-url-foreign, exit code 2.
        ");
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inputs_that_can_not_be() {
    insta::assert_snapshot!(in_shop(&["--kind", "deploy"]).await, @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    `kind` holds `deploy`, which it can't be.

    What to do now:
      - It may be `POST_DEPLOY`, `PRE_DEPLOY`, `post-deploy`, `pre-deploy`.

    Reason usage, exit code 2.
    ");
    insta::assert_snapshot!(in_shop(&["--deadline", "soon"]).await, @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    `deadline` holds `soon`, which it can't be.

    What to do now:
      - It must be a span of time, such as `45m` or `1h 30m`.

    Reason usage, exit code 2.
    ");
    insta::assert_snapshot!(in_shop(&["--sha", "main"]).await, @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    `sha` holds `main`, which it can't be.

    What to do now:
      - It must be a whole commit: 40 hexadecimal digits (`git rev-parse HEAD`).

    Reason usage, exit code 2.
    ");
    insta::assert_snapshot!(in_shop(&["--secret-env", "STRIPE_KEY"]).await, @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    `secret-env` names the variable `STRIPE_KEY`, which is not set here.

    What to do now:
      - Set `STRIPE_KEY` in the environment of this command; in a workflow, under `env:` of the step.

    Reason usage, exit code 2.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_no_token_may_go_to() {
    let bench = Bench::new().await;
    let without_pace = |args: &[&str]| {
        let mut command = bench.command(&[&RUN as &[&str], args].concat());
        command.env_remove("HARBOR_PILOT_PACE");
        command
    };
    insta::assert_snapshot!(finish(without_pace(&["--api-url", "http://api.example.com"])).await.told(), @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    `api-url` holds `http://api.example.com`, which it can't be.

    What to do now:
      - The API address must be https (http is accepted for loopback addresses only).

    Reason usage, exit code 2.
    ");
    insta::assert_snapshot!(finish(without_pace(&["--api-url", "nonsense"])).await.told(), @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    `api-url` holds `nonsense`, which it can't be.

    What to do now:
      - It must be an https address (relative URL without a base).

    Reason usage, exit code 2.
    ");
    insta::assert_snapshot!(in_shop(&["--api-url", "https://api.example.com"]).await, @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    `pace` holds `240`, which it can't be.

    What to do now:
      - The real platform runs at its own pace; give one for a simulator on this machine only (`--api-url http://127.0.0.1:…`).

    Reason usage, exit code 2.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_is_not_there() {
    let bench = Bench::new().await;
    // A port that was free a moment ago and is closed now.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let ended = bench
        .refused(&[&RUN as &[&str], &["--api-url", &format!("http://{gone}")]].concat())
        .await;
    assert_eq!(ended.code, Some(12), "{ended:?}");
    insta::assert_snapshot!(ended.told(), @r"
    exit code 12
    ❌ Migration `ter-235` was not started; nothing was inserted

    Cannot list the apps: no connection to the platform: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111).

    What to do now:
      - Try again later; status.digitalocean.com tells about outages.

    Reason platform-unreachable, exit code 12.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_to_ask() {
    let bench = Bench::new().await;
    let ended = bench
        .refused(&["run", "--app", "shop", "--migration-id", "ter-235"])
        .await;
    insta::assert_snapshot!(ended.told(), @r"
    exit code 2
    error: a run was not confirmed: nobody can be asked here
    Add `--yes` to go on without being asked; `harbor-pilot plan` (or `--dry-run`) shows what will happen.
    (reason usage, exit code 2)
    ");
    assert!(bench.world.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_folder_for_the_record() {
    let bench = Bench::new().await;
    let mut command = bench.command(&RUN);
    command.env_remove("HOME");
    insta::assert_snapshot!(finish(command).await.told(), @r"
    exit code 2
    ❌ Migration `ter-235` was not started; nothing was inserted

    There is no folder for the record of claims: neither XDG_STATE_HOME nor HOME is set.

    What to do now:
      - Name one with `--state-dir FOLDER`, the same one every time: it is what keeps a migration from running twice.

    Reason usage, exit code 2.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_is_damaged() {
    let bench = Bench::new().await;
    bench.write(&format!("state/{SHOP}.jsonl"), "not a ledger\n");
    let ended = bench
        .refused(&[&RUN as &[&str], &["--state-dir", "state"]].concat())
        .await;
    assert_eq!(ended.code, Some(12), "{ended:?}");
    let told = ended.told();
    assert!(
        told.contains("line 1 of the ledger") && told.contains("is damaged"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_one_json_document_too() {
    let bench = Bench::new().await;
    let ended = bench
        .refused(
            &[
                &RUN as &[&str],
                &["--component", "worker", "--output", "json"],
            ]
            .concat(),
        )
        .await;
    let json: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(
        (&json["status"], &json["reason_code"]),
        (&json!("refused"), &json!("component-not-found"))
    );
    assert_eq!((json["exit_code"].as_i64(), ended.code), (Some(2), Some(2)));
}

#[tokio::test]
async fn without_anything_the_token_is_what_is_missing_first() {
    let ended = finish(bare(&["status", "--app", "shop"])).await;
    insta::assert_snapshot!(ended.told(), @r"
    exit code 3
    error: there is no DigitalOcean token: `DIGITALOCEAN_ACCESS_TOKEN` is not set
    Make one in the DigitalOcean control panel (API, then Tokens) with the scopes app:read, app:update, regions:read, sizes:read, actions:read and database:read, and give it in DIGITALOCEAN_ACCESS_TOKEN; in a workflow, as the input `token`.
    (reason unauthorized, exit code 3)
    ");
}

fn said(ended: &Ended) -> String {
    format!("{}{}", ended.out, ended.err)
}
