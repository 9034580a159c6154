use super::fixture::*;
use super::*;
use crate::{
    Authority, Entry, Epoch, EpochState, FirewallPolicy, FirewallView, HealthCheck, HealthSample,
    Kind, LedgerOutcome, MigrationId, Nonce, Reviewed, RunMode, Shell, Strategy, WaitForDeploy,
};
use app_spec::{CommitSha, RuleKind, RuleMatch};
use rstest::rstest;
use serde_json::json;
use std::time::Duration;

/// What a request comes to, in one line.
fn comes_to(request: &Request, world: &World) -> String {
    let names = |names: Vec<String>| {
        if names.is_empty() {
            "-".to_owned()
        } else {
            names.join("+")
        }
    };
    match plan(request, &world.seen()) {
        Err(refusal) => format!("refused {}", refusal.reason.code()),
        Ok(Planned::AlreadyDone(done)) => {
            let done = done
                .iter()
                .map(|done| format!("{}@e{}", done.step.name, done.epoch))
                .collect();
            format!("done {}", names(done))
        }
        Ok(Planned::AlreadyEnded(ended)) => {
            let outcome = match ended.outcome {
                LedgerOutcome::Done => "done",
                LedgerOutcome::Failed { .. } => "failed",
                LedgerOutcome::Unproven { .. } => "unproven",
                LedgerOutcome::NeverStarted => "never started",
                LedgerOutcome::Withdrawn => "withdrawn",
            };
            assert!(!ended.hint.as_str().is_empty());
            format!("ended e{} {outcome}", ended.epoch)
        }
        Ok(Planned::Run(plan)) => {
            let entry = match plan.entry {
                Entry::Fresh => "fresh",
                Entry::Resumed => "resumed",
            };
            let steps = plan
                .steps
                .iter()
                .map(|step| step.name.to_string())
                .collect();
            let whose = if plan.nonce == nonce(0xaa) {
                "ours"
            } else {
                "theirs"
            };
            format!(
                "run e{} {entry} {} by {} with {whose}",
                plan.epoch,
                names(steps),
                plan.authority
            )
        }
    }
}

fn by(authority: &str) -> Request {
    let intent = match Authority::parse(authority).unwrap() {
        Authority::Retry(_) => Intent::Retry,
        Authority::Again(_) => Intent::Again {
            reason: "rows were added by hand".to_owned(),
        },
        Authority::Merge(_) | Authority::Cli(_) => Intent::Run,
    };
    Request {
        authority: Authority::parse(authority).unwrap(),
        intent,
        ..request()
    }
}

fn with(authority: &str, text: &str) -> Request {
    Request {
        manifest: manifest(text),
        ..by(authority)
    }
}

const BOTH: &[&str] = &["columns", "backfill"];

// ---- what the request names is there

#[test]
fn an_app_that_can_not_be_read_is_refused_by_what_is_the_matter() {
    let with = |app: AppView| {
        let mut seen = World::new().seen();
        seen.app = app;
        told(&plan(&request(), &seen).unwrap_err())
    };
    insta::assert_snapshot!(with(AppView::Gone), @r#"
    app-not-found (2)
    cannot find the app: the platform answers 404
    look at `app`, and whether the token belongs to the team that owns the app
    "#);
    insta::assert_snapshot!(with(AppView::Unreachable(time(NOW))), @r#"
    platform-unreachable (12)
    cannot read the app: the DigitalOcean API gives no answer
    try again later
    "#);
    insta::assert_snapshot!(with(AppView::Denied), @r#"
    unauthorized (3)
    cannot read the app: the DigitalOcean token is not accepted
    make a token with the scopes `app:read` and `app:update` and give it as `token` or DIGITALOCEAN_ACCESS_TOKEN
    "#);
    let mut named = request();
    named.manifest.app = Some("terp".to_owned());
    let mut seen = World::new().seen();
    seen.app = AppView::Gone;
    insta::assert_snapshot!(plan(&named, &seen).unwrap_err(), @"cannot find app `terp`: the platform answers 404");
}

#[test]
fn a_reference_component_that_is_not_there_is_refused_with_those_that_are() {
    let mut request = request();
    request.settings.reference = component("wbe");
    insta::assert_snapshot!(refused(&request, &World::new()), @r#"
    component-not-found (2)
    app `terp` has no component `wbe`
    name one of these with `component`: `web`
    "#);
    request.settings.reference = component("terp-mysql-db");
    insta::assert_snapshot!(refused(&request, &World::new()), @r#"
    component-not-found (2)
    component `terp-mysql-db` of app `terp` is a database, and a job is copied from a service or worker
    name one of these with `component`: `web`
    "#);
    request.settings.reference = component("web");
    let mut world = World::new();
    world.spec["services"][0]
        .as_object_mut()
        .unwrap()
        .shift_remove("github");
    insta::assert_snapshot!(refused(&request, &world), @r#"
    component-not-found (2)
    component `web` of app `terp` has no source that a job could be built from
    name one of these with `component`: `web`
    "#);
}

#[test]
fn a_database_that_is_not_there_is_refused_with_those_that_are() {
    let mut request = request();
    request.settings.database = "mysql".to_owned();
    insta::assert_snapshot!(refused(&request, &World::new()), @r#"
    database-not-found (2)
    app `terp` has no database `mysql`
    name one of these with `database`: `terp-mysql-db`
    "#);
    let mut world = World::new();
    world.spec["databases"] = json!([]);
    insta::assert_snapshot!(refused(&request, &world), @r#"
    database-not-found (2)
    app `terp` has no database `mysql`
    the app has no database; attach the cluster to it, so that the job can be bound to its address
    "#);
}

#[test]
fn a_health_address_elsewhere_is_refused() {
    let mut request = request();
    request.settings.health = HealthCheck::Url("https://other.example.com/health".to_owned());
    insta::assert_snapshot!(refused(&request, &World::new()), @r#"
    health-url-foreign (2)
    the health address `https://other.example.com/health` is not an https address on one of the hosts of app `terp`
    its hosts are `terp-app-b9s35.ondigitalocean.app`, `terp.example.com`
    "#);
}

#[rstest]
#[case("https://terp.example.com/api/health", true)]
#[case("https://TERP.example.com", true)]
#[case("https://terp-app-b9s35.ondigitalocean.app/x?y=z", true)]
#[case("http://terp.example.com/api/health", false)]
#[case("https://terp.example.com:8443/api/health", false)]
#[case("https://terp.example.com@evil.example/", false)]
#[case("https://evil.example/@terp.example.com", false)]
#[case("https://evil.example\\@terp.example.com/", false)]
#[case("https://terp.example.com.evil.example/", false)]
#[case("https://terp.example.com\u{ff0f}x", false)]
#[case("https://169.254.169.254/latest", false)]
#[case("file:///etc/passwd", false)]
#[case("https://", false)]
#[case("https://terp.example.com/a b", false)]
#[case("https://terp.example.com/\\x", false)]
#[case("https://terp.example.com/\u{fc}", false)]
fn only_the_apps_own_hosts_are_asked_for_their_health(#[case] url: &str, #[case] good: bool) {
    let mut request = request();
    request.settings.health = HealthCheck::Url(url.to_owned());
    let planned = plan(&request, &World::new().seen());
    assert_eq!(planned.is_ok(), good, "{planned:?}");
    if let Err(refusal) = planned {
        assert_eq!(refusal.reason, Reason::HealthUrlForeign);
    }
}

/// An address that readers of addresses disagree about is not asked, even where the platform lists it.
#[test]
fn a_host_of_odd_characters_is_not_asked() {
    let mut world = World::new();
    world.app["live_domain"] = json!("te_rp.example.com");
    let mut request = request();
    request.settings.health = HealthCheck::Url("https://te_rp.example.com/health".to_owned());
    assert_eq!(comes_to(&request, &world), "refused health-url-foreign");
}

#[rstest]
#[case("http://localhost:4000")]
#[case("http://[::1]:4000")]
#[case("http://127.0.0.2")]
fn each_name_of_this_machine_may_be_asked(#[case] base: &str) {
    let mut world = World::new();
    world.app["live_url"] = json!(base);
    let mut request = request();
    let url = format!("{base}/other");
    request.settings.health = HealthCheck::Url(url.clone());
    assert_eq!(planned(&request, &world).health_url, Some(url));
}

#[test]
fn before_the_run_the_same_address_is_asked_as_after_it() {
    let world = World::new();
    let asked = crate::health_url(&request(), crate::app_of(&world.seen()).unwrap());
    let planned = planned(&request(), &world).health_url;
    assert!(planned.is_some());
    assert_eq!(asked, Ok(planned));
}

#[test]
fn plain_http_is_for_this_machine() {
    let mut request = request();
    let mut world = World::new();
    world.app["live_url"] = json!("http://127.0.0.1:4000");
    assert_eq!(
        planned(&request, &world).health_url.as_deref(),
        Some("http://127.0.0.1:4000/api/health")
    );
    request.settings.health = HealthCheck::Url("http://127.0.0.1:4000/other".to_owned());
    assert_eq!(
        planned(&request, &world).health_url.as_deref(),
        Some("http://127.0.0.1:4000/other")
    );
    request.settings.health = HealthCheck::Url("http://127.0.0.1:4001/other".to_owned());
    assert_eq!(comes_to(&request, &world), "refused health-url-foreign");
}

#[test]
fn without_a_ledger_nothing_is_planned() {
    let mut seen = World::new().seen();
    seen.ledger = LedgerView::Unreachable;
    insta::assert_snapshot!(told(&plan(&request(), &seen).unwrap_err()), @r#"
    ledger-unreachable (12)
    cannot tell what was done of `ter-235`: the ledger gives no answer
    try again; no job is put in without a ledger, since it alone knows what ran years ago
    "#);
}

// ---- the app's own state

fn foreign(name: &str, kind: &str) -> serde_json::Value {
    json!({"name": name, "kind": kind, "github": {"repo": "acme/terp", "branch": "main"}, "run_command": "x"})
}

#[test]
fn an_undeclared_job_is_refused_with_both_lines_to_paste() {
    let world = World::new().job(foreign("migration-job", "POST_DEPLOY"));
    insta::assert_snapshot!(refused(&request(), &world), @r#"
    undeclared-job (11)
    app `terp` has the job `migration-job`, which every deployment runs, and this run makes two deployments
    say which it is with one of these lines in .github/harbor-pilot.yml:
      accept-jobs: [migration-job]  # belongs there, and may run with every deployment
      also-stale: [migration-job]  # was left by hand; it is removed together with the temporary job
    "#);
    let world = world
        .job(foreign("warm-cache", "PRE_DEPLOY"))
        .job(foreign("odd", "NEW_KIND"));
    let mut declared = request();
    declared.settings.accept_jobs = vec![component("warm-cache")];
    insta::assert_snapshot!(refused(&declared, &world), @r#"
    undeclared-job (11)
    app `terp` has the jobs `migration-job`, `odd`, which every deployment runs, and this run makes two deployments
    say which it is with one of these lines in .github/harbor-pilot.yml:
      accept-jobs: [warm-cache, migration-job, odd]  # belongs there, and may run with every deployment
      also-stale: [migration-job, odd]  # was left by hand; it is removed together with the temporary job
    "#);
}

#[test]
fn a_job_without_a_kind_runs_with_every_deployment_too() {
    let mut job = foreign("migration-job", "");
    job.as_object_mut().unwrap().shift_remove("kind");
    assert_eq!(
        comes_to(&request(), &World::new().job(job)),
        "refused undeclared-job"
    );
}

#[rstest]
#[case("FAILED_DEPLOY")]
#[case("SCHEDULED")]
fn a_job_that_good_deployments_do_not_run_needs_no_declaration(#[case] kind: &str) {
    let world = World::new().job(foreign("other", kind));
    assert!(comes_to(&request(), &world).starts_with("run e0 fresh"));
}

#[test]
fn a_declared_job_is_told_and_stops_nobody() {
    let world = World::new()
        .job(foreign("migration-job", "POST_DEPLOY"))
        .job(foreign("warm-cache", "PRE_DEPLOY"));
    let mut request = request();
    request.settings.accept_jobs = vec![component("warm-cache")];
    request.settings.also_stale = vec![component("migration-job")];
    let findings = findings_told(&planned(&request, &world));
    for told in [
        "accepted-job: job `warm-cache` runs again",
        "also-stale: job `migration-job` is declared stale",
    ] {
        assert!(findings.contains(told), "{findings}");
    }
}

#[test]
fn a_foreign_job_of_our_name_is_refused() {
    let name = format!("migrate-{}-e0", key());
    let world = World::new().job(foreign(&name, "SCHEDULED"));
    insta::assert_snapshot!(refused(&request(), &world).replace(key().as_str(), "<key>"), @r#"
    name-taken (11)
    app `terp` has a job named `migrate-<key>-e0`, which is the name of this migration's job and is not ours
    rename or remove it by hand; without our record in its environment it is never touched
    "#);
    // A copy of our record under another name is not ours either.
    let mut job = Past::epoch(0).job();
    job["name"] = json!(format!("migrate-{}-e1", key()));
    assert_eq!(
        comes_to(&request(), &World::new().job(job)),
        "refused name-taken"
    );
}

fn other() -> Past {
    Past {
        key: Key::of(
            &app_spec::AppId::new(APP),
            &MigrationId::parse("ter-231").unwrap(),
        ),
        ..Past::epoch(2)
    }
}

#[test]
fn another_migrations_running_job_owns_the_app() {
    let world = World::new()
        .job(other().job())
        .carried(&other(), "DEPLOYING");
    insta::assert_snapshot!(refused(&request(), &world).replace(other().key.as_str(), "<key>"), @r#"
    owned (8)
    migration `ter-235` owns app `terp`: its job `migrate-<key>-e2` (epoch 2, from acme/terp#428) is under way, for 25 min
    wait for its end, then run again; to see it: harbor-pilot status --app terp
    "#);
}

#[test]
fn another_migrations_stale_job_is_told_and_stops_nobody() {
    let world = World::new().job(other().job()).carried(&other(), "ERROR");
    let findings = findings_told(&planned(&request(), &world));
    assert!(findings.contains("stale-job"), "{findings}");
}

#[test]
fn a_firewall_without_the_apps_own_rule_is_refused() {
    let mut world = World::new();
    world.firewall = rules(&json!([{"type": "ip_addr", "value": "203.0.113.7"}]));
    insta::assert_snapshot!(refused(&request(), &world), @r#"
    app-rule-missing (11)
    the firewall of database `terp-mysql-db` does not admit app `terp`, so that the job could not connect
    add the app as a trusted source of the cluster (a rule of type `app` with the value `1fd40be5-b9af-4e71-ab1d-3af0864a7da4`); where it gets in by another rule, as in a VPC, set `firewall: off`
    "#);
    let mut request = request();
    request.settings.firewall = FirewallPolicy::Off;
    assert!(comes_to(&request, &world).starts_with("run e0 fresh"));
}

#[test]
fn a_restore_without_a_cluster_is_refused() {
    let mut request = request();
    request.settings.firewall = FirewallPolicy::Restore;
    request.settings.cluster = None;
    insta::assert_snapshot!(refused(&request, &World::new()), @r#"
    cluster-not-found (2)
    cannot find the cluster behind database `terp-mysql-db` of app `terp`, whose firewall is to be restored
    give its id with `database-cluster`; the token needs the scope `database:read` to find it by name
    "#);
}

#[test]
fn an_app_that_was_never_live_is_refused() {
    let mut world = World::new();
    world
        .app
        .as_object_mut()
        .unwrap()
        .shift_remove("active_deployment");
    insta::assert_snapshot!(refused(&request(), &world), @r#"
    nothing-live (11)
    app `terp` has no live deployment, so there would be nothing to go back to
    deploy it once, then run again
    "#);
}

#[test]
fn a_pinned_app_is_refused() {
    let mut world = World::new();
    world.app["pinned_deployment"] = world.deployments[0].clone();
    insta::assert_snapshot!(refused(&request(), &world), @r#"
    pinned (11)
    app `terp` is pinned to deployment `d-live` by a rollback, and deploys nothing until that is settled
    commit or revert the rollback in the control panel, then run again; Harbor Pilot never does that for you
    "#);
}

/// The first reason counts, so that the same state always gets the same answer.
#[test]
fn reasons_come_in_their_order() {
    let name = format!("migrate-{}-e0", key());
    let mut world = World::new()
        .job(other().job())
        .carried(&other(), "DEPLOYING")
        .job(foreign("migration-job", "POST_DEPLOY"))
        .job(foreign(&name, "SCHEDULED"));
    world.firewall = rules(&json!([{"type": "ip_addr", "value": "203.0.113.7"}]));
    world.app["pinned_deployment"] = world.deployments[0].clone();
    world
        .app
        .as_object_mut()
        .unwrap()
        .shift_remove("active_deployment");
    let mut request = request();
    request.settings.reference = component("nope");
    request.settings.database = "nope".to_owned();
    request.settings.health = HealthCheck::Url("https://nope.example".to_owned());
    let mut reasons = Vec::new();
    let mut next = |request: &Request, world: &World| {
        reasons.push(comes_to(request, world).replace("refused ", ""))
    };
    next(&request, &world);
    request.settings.reference = component("web");
    next(&request, &world);
    request.settings.database = "terp-mysql-db".to_owned();
    next(&request, &world);
    request.settings.health = HealthCheck::OfReference;
    next(&request, &world);
    request.settings.accept_jobs = vec![component("migration-job")];
    next(&request, &world);
    world.spec["jobs"].as_array_mut().unwrap().pop();
    next(&request, &world);
    world.deployments.remove(0);
    next(&request, &world);
    world.firewall = rules(&json!([{"type": "app", "value": APP}]));
    next(&request, &world);
    world.app["active_deployment"] = world.deployments[0].clone();
    next(&request, &world);
    assert_eq!(
        reasons,
        [
            "component-not-found",
            "database-not-found",
            "health-url-foreign",
            "undeclared-job",
            "name-taken",
            "owned",
            "app-rule-missing",
            "nothing-live",
            "pinned",
        ]
    );
}

// ---- once, and again

#[test]
fn the_first_time_all_steps_run_as_epoch_0() {
    assert_eq!(
        comes_to(&by("merge:first"), &World::new()),
        "run e0 fresh columns+backfill by merge:first with ours"
    );
}

#[test]
fn what_is_done_stays_done_whoever_asks() {
    let world = World::new().ended(&Past::epoch(0), LedgerOutcome::Done);
    for authority in ["merge:first", "merge:fix", "cli:1", "retry:1"] {
        assert_eq!(
            comes_to(&by(authority), &world),
            "done columns@e0+backfill@e0",
            "{authority}"
        );
    }
}

#[test]
fn a_done_step_that_changed_is_refused() {
    let world = World::new().ended(&Past::epoch(0), LedgerOutcome::Done);
    let changed = MANIFEST.replace("columns.ts", "columns2.ts");
    insta::assert_snapshot!(refused(&with("merge:fix", &changed), &world), @r#"
    changed-after-done (11)
    step `columns` of `ter-235` has changed since it was done: epoch 0 of acme/terp#428 ran it as 9493f4efaa041028, and it is now f32de103c0552f76
    put the new work into a migration with an id of its own, or run the changed steps on purpose with `--again --reason TEXT` (`mode: again`)
    "#);
    // The check is part of what a step does.
    let changed = MANIFEST.replace("--dry-run", "--explain");
    assert_eq!(
        comes_to(&with("retry:1", &changed), &world),
        "refused changed-after-done"
    );
    // `again` is how a person says that it is meant.
    assert_eq!(
        comes_to(&with("again:1", &changed), &world),
        "run e1 fresh columns+backfill by again:1 with ours"
    );
}

#[test]
fn a_used_id_under_new_names_is_refused() {
    let world = World::new().ended(&Past::epoch(0), LedgerOutcome::Done);
    let other = "steps: [{name: indexes, run: x}]";
    insta::assert_snapshot!(refused(&with("merge:fix", other), &world), @r#"
    id-reused (2)
    migration id `ter-235` is used: on this app it has run `columns`, `backfill`, and none of these is in the manifest
    give the new work an id of its own: a manifest under another file name
    "#);
    assert_eq!(
        comes_to(&with("again:1", other), &world),
        "refused id-reused"
    );
}

#[test]
fn a_fix_may_drop_the_steps_that_are_done() {
    let world = World::new().ended(&Past::epoch(0), failed("backfill"));
    let fix = "steps: [{name: backfill, run: x}]";
    assert_eq!(
        comes_to(&with("merge:fix", fix), &world),
        "run e1 fresh backfill by merge:fix with ours"
    );
}

#[test]
fn a_new_step_of_a_done_migration_runs_alone() {
    let world = World::new().ended(&Past::epoch(0), LedgerOutcome::Done);
    let more = format!("{MANIFEST}  - name: indexes\n    run: x\n");
    assert_eq!(
        comes_to(&with("merge:fix", &more), &world),
        "run e1 fresh indexes by merge:fix with ours"
    );
}

#[test]
fn a_failed_step_runs_under_a_fresh_authority_alone() {
    let world = World::new().ended(&Past::epoch(0), failed("backfill"));
    assert_eq!(comes_to(&by("merge:first"), &world), "ended e0 failed");
    for fresh in ["merge:fix", "retry:1", "cli:1"] {
        assert_eq!(
            comes_to(&by(fresh), &world),
            format!("run e1 fresh backfill by {fresh} with ours")
        );
    }
    let world = world.ended(
        &Past::epoch(1).by("retry:1").steps(&["backfill"]),
        failed("backfill"),
    );
    assert_eq!(
        comes_to(&by("retry:1"), &world),
        "ended e1 failed",
        "a retry is good once"
    );
    assert_eq!(comes_to(&by("merge:first"), &world), "ended e0 failed");
    assert_eq!(
        comes_to(&by("retry:2"), &world),
        "run e2 fresh backfill by retry:2 with ours"
    );
}

#[test]
fn a_step_behind_the_failed_one_needs_a_fresh_authority_too() {
    let world = World::new().ended(&Past::epoch(0), failed("columns"));
    assert_eq!(comes_to(&by("merge:first"), &world), "ended e0 failed");
    assert_eq!(
        comes_to(&by("merge:fix"), &world),
        "run e1 fresh columns+backfill by merge:fix with ours"
    );
}

#[test]
fn unproven_runs_again_only_by_retry() {
    let world = World::new().ended(&Past::epoch(0), LedgerOutcome::Unproven { done: 1 });
    insta::assert_snapshot!(refused(&by("merge:fix"), &world), @r#"
    earlier-unproven (10)
    epoch 0 of `ter-235` may have run `backfill`, and its log does not prove how that ended
    look at the database first; where it is safe to run `backfill` again: harbor-pilot run --app terp --migration-id ter-235 --retry (or the workflow with `mode: retry`)
    "#);
    for authority in ["merge:first", "cli:1", "again:1"] {
        assert_eq!(
            comes_to(&by(authority), &world),
            "refused earlier-unproven",
            "{authority}"
        );
    }
    let rest = with("again:1", "steps: [{name: backfill, run: x}]");
    assert_eq!(
        comes_to(&rest, &world),
        "refused earlier-unproven",
        "a done step that the manifest no longer has is no reason"
    );
    assert_eq!(
        comes_to(&by("retry:1"), &world),
        "run e1 fresh backfill by retry:1 with ours"
    );
    let retried = world.ended(
        &Past::epoch(1).by("retry:1").steps(&["backfill"]),
        LedgerOutcome::Unproven { done: 0 },
    );
    assert_eq!(
        comes_to(&by("retry:1"), &retried),
        "ended e1 unproven",
        "a retry is good once"
    );
    assert_eq!(
        comes_to(&by("retry:2"), &retried),
        "run e2 fresh backfill by retry:2 with ours"
    );
}

#[test]
fn an_epoch_that_never_started_decides_nothing_about_an_unproven_one() {
    let world = World::new()
        .ended(&Past::epoch(0), LedgerOutcome::Unproven { done: 0 })
        .ended(&Past::epoch(1).by("retry:1"), LedgerOutcome::NeverStarted);
    assert_eq!(
        comes_to(&by("merge:fix"), &world),
        "refused earlier-unproven"
    );
    assert_eq!(
        comes_to(&by("retry:1"), &world),
        "run e2 fresh columns+backfill by retry:1 with ours"
    );
}

#[test]
fn a_step_that_no_later_epoch_ran_stays_unproven() {
    let world = World::new()
        .ended(
            &Past::epoch(0).steps(&["columns"]),
            LedgerOutcome::Unproven { done: 0 },
        )
        .ended(&Past::epoch(1).steps(&["backfill"]), LedgerOutcome::Done);
    assert_eq!(
        comes_to(&by("merge:fix"), &world),
        "refused earlier-unproven"
    );
    assert_eq!(
        comes_to(&by("retry:1"), &world),
        "run e2 fresh columns by retry:1 with ours"
    );
}

#[test]
fn never_started_is_tried_again_twice() {
    let mut world = World::new();
    for epoch in 0..3 {
        assert_eq!(
            comes_to(&by("merge:first"), &world),
            format!("run e{epoch} fresh columns+backfill by merge:first with ours")
        );
        world = world.ended(&Past::epoch(epoch), LedgerOutcome::NeverStarted);
    }
    insta::assert_snapshot!(refused(&by("merge:first"), &world), @r#"
    never-started (1)
    the job of `ter-235` was inserted 3 times and never started, so it is not tried again by itself
    see in the deployments of app `terp` why (a build that fails, a newer deployment each time); then: harbor-pilot run --app terp --migration-id ter-235 --retry (or the workflow with `mode: retry`)
    "#);
    assert_eq!(
        comes_to(&by("retry:1"), &world),
        "run e3 fresh columns+backfill by retry:1 with ours"
    );
}

#[test]
fn a_claim_that_never_became_a_job_costs_no_try_and_keeps_its_number() {
    let mut world = World::new();
    for _ in 0..4 {
        world = world.claim(&Past::epoch(0), Some(LedgerOutcome::NeverStarted));
    }
    assert_eq!(
        comes_to(&by("merge:first"), &world),
        "run e0 fresh columns+backfill by merge:first with ours"
    );
}

#[test]
fn an_epoch_in_the_app_is_followed_under_its_own_nonce() {
    let past = Past::epoch(0);
    let carried = World::new().carried(&past, "BUILDING").claim(&past, None);
    assert_eq!(
        comes_to(&by("merge:first"), &carried),
        "run e0 resumed columns+backfill by merge:first with theirs"
    );
    assert_eq!(
        comes_to(&by("merge:fix"), &carried),
        "run e0 resumed columns+backfill by merge:first with theirs"
    );
    let log_to_come = World::new().carried(&past, "SUPERSEDED").claim(&past, None);
    assert_eq!(
        comes_to(&by("merge:fix"), &log_to_come),
        "run e0 resumed columns+backfill by merge:first with theirs"
    );
    let in_spec = World::new().job(past.job());
    assert_eq!(
        comes_to(&by("cli:1"), &in_spec),
        "run e0 resumed columns+backfill by merge:first with theirs"
    );
}

/// Whatever is known of its end, it has to come out again.
#[test]
fn an_ended_epoch_whose_job_is_still_in_the_spec_is_followed() {
    let past = Past::epoch(0);
    let ended = World::new().ended(&past, LedgerOutcome::Done);
    assert_eq!(
        comes_to(&by("merge:fix"), &ended),
        "done columns@e0+backfill@e0"
    );
    assert_eq!(
        comes_to(&by("merge:fix"), &ended.job(past.job())),
        "run e0 resumed columns+backfill by merge:first with theirs"
    );
}

#[test]
fn an_epoch_in_the_app_that_runs_other_steps_is_not_followed() {
    let past = Past::epoch(0);
    let world = World::new().carried(&past, "DEPLOYING");
    insta::assert_snapshot!(refused(&with("merge:fix", "steps: [{name: indexes, run: x}]"), &world), @r#"
    id-reused (2)
    migration id `ter-235` is used: on this app it runs `columns`, `backfill`, and none of these is in the manifest
    give the new work an id of its own: a manifest under another file name
    "#);
}

/// Rows of a list may lack the spec, and with it what the job says of itself.
#[test]
fn an_epoch_known_by_its_jobs_name_alone_is_taken_to_run_what_is_not_done() {
    let done = Past::epoch(0).steps(&["columns"]);
    let mut world = World::new().ended(&done, LedgerOutcome::Done);
    let name = format!("migrate-{}-e1", key());
    world.deployments.insert(
        0,
        json!({"id": "d-1", "phase": "DEPLOYING", "jobs": [{"name": name}]}),
    );
    assert_eq!(
        comes_to(&by("merge:first"), &world),
        "run e1 resumed backfill by merge:first with ours"
    );
}

#[test]
fn what_the_followed_epoch_runs_again_is_not_called_done() {
    let done = World::new().ended(&Past::epoch(0), LedgerOutcome::Done);
    let already = |world: &World| -> Vec<String> {
        let done = planned(&by("again:1"), world).already_done;
        done.iter().map(|done| done.step.name.to_string()).collect()
    };
    let again = Past::epoch(1).by("again:1");
    let one = again.clone().steps(&["backfill"]);
    assert_eq!(already(&done.carried(&again, "DEPLOYING")), [""; 0]);
    let done = World::new().ended(&Past::epoch(0), LedgerOutcome::Done);
    assert_eq!(already(&done.carried(&one, "DEPLOYING")), ["columns"]);
}

#[test]
fn what_the_followed_epoch_does_not_run_is_left_for_after_it() {
    let left = |request: &Request, world: &World| -> Vec<String> {
        let left = planned(request, world).left;
        left.iter().map(ToString::to_string).collect()
    };
    let world = World::new().carried(&Past::epoch(0), "DEPLOYING");
    assert_eq!(left(&by("merge:fix"), &world), [""; 0]);
    let mut grown = by("merge:fix");
    let more = manifest("steps: [{name: indexes, run: c}]");
    grown.manifest.steps.extend(more.steps);
    assert_eq!(left(&grown, &world), ["indexes"]);
    let mut changed = by("merge:fix");
    changed.manifest.steps[1].run = "another".to_owned();
    assert_eq!(left(&changed, &world), ["backfill"]);
    let mut checks = Past::epoch(0);
    checks.mode = RunMode::ChecksOnly;
    let checked = World::new().carried(&checks, "DEPLOYING");
    grown.intent = Intent::Check;
    assert_eq!(left(&grown, &checked), [""; 0]);

    // Done, and under way once more: by somebody else, by this authority, and by it one job per step.
    let again = |steps: &[&str], authority: &str| {
        let done = World::new().ended(&Past::epoch(0), LedgerOutcome::Done);
        done.carried(&Past::epoch(1).by(authority).steps(steps), "DEPLOYING")
    };
    assert_eq!(left(&by("again:1"), &again(BOTH, "again:2")), BOTH);
    assert_eq!(left(&by("again:1"), &again(BOTH, "again:1")), [""; 0]);
    let first = again(&["columns"], "again:1");
    assert_eq!(left(&by("again:1"), &first), ["backfill"]);

    let mut one_by_one = by("merge:first");
    one_by_one.settings.strategy = Strategy::OneJobPerStep;
    assert_eq!(left(&one_by_one, &World::new()), ["backfill"]);
    assert_eq!(left(&by("merge:first"), &World::new()), [""; 0]);
}

/// What refuses an insert is no reason to look away from a job that is there.
#[test]
fn an_epoch_in_the_app_is_followed_whatever_the_apps_state() {
    let past = Past::epoch(0);
    let mut world = World::new()
        .carried(&past, "DEPLOYING")
        .claim(&past, None)
        .job(foreign("migration-job", "POST_DEPLOY"));
    world.app["pinned_deployment"] = world.deployments[1].clone();
    world.firewall = rules(&json!([{"type": "ip_addr", "value": "203.0.113.7"}]));
    assert!(comes_to(&by("merge:first"), &world).starts_with("run e0 resumed"));
}

#[test]
fn a_claim_alone_leaves_its_number_to_whoever_settles_it() {
    let claimed = World::new().claim(&Past::epoch(0), None);
    assert_eq!(
        comes_to(&by("merge:first"), &claimed),
        "run e0 fresh columns+backfill by merge:first with ours"
    );
    assert_eq!(
        comes_to(&by("cli:1"), &claimed),
        "run e0 fresh columns+backfill by cli:1 with ours"
    );
    let later = World::new()
        .ended(&Past::epoch(0), failed("backfill"))
        .claim(&Past::epoch(1).by("merge:fix"), None);
    assert_eq!(
        comes_to(&by("merge:fix"), &later),
        "run e1 fresh backfill by merge:fix with ours"
    );
    assert_eq!(
        comes_to(&by("merge:first"), &later),
        "ended e0 failed",
        "a used authority stays used"
    );
}

#[test]
fn again_runs_a_done_migration_once_more() {
    let done = World::new().ended(&Past::epoch(0), LedgerOutcome::Done);
    assert_eq!(
        comes_to(&by("again:1"), &done),
        "run e1 fresh columns+backfill by again:1 with ours"
    );
    let twice = done.ended(&Past::epoch(1).by("again:1"), LedgerOutcome::Done);
    assert_eq!(
        comes_to(&by("again:1"), &twice),
        "ended e1 done",
        "an `again` is good once"
    );
    assert_eq!(
        comes_to(&by("again:2"), &twice),
        "run e2 fresh columns+backfill by again:2 with ours"
    );
    let unproven = twice.ended(
        &Past::epoch(2).by("again:2"),
        LedgerOutcome::Unproven { done: 0 },
    );
    assert_eq!(comes_to(&by("again:2"), &unproven), "ended e2 unproven");
    assert_eq!(
        comes_to(&by("again:3"), &unproven),
        "run e3 fresh columns+backfill by again:3 with ours"
    );
    insta::assert_snapshot!(refused(&by("again:1"), &World::new()), @r#"
    usage (2)
    no step of `ter-235` is done on this app, so there is nothing to run again
    leave `--again` away (`mode: run`); for what failed or is unproven, use `--retry` (`mode: retry`)
    "#);
}

#[test]
fn one_job_per_step_runs_the_first_that_is_not_done() {
    let steps = |authority: &str| {
        let mut request = by(authority);
        request.settings.strategy = Strategy::OneJobPerStep;
        request
    };
    let world = World::new();
    assert_eq!(
        comes_to(&steps("merge:first"), &world),
        "run e0 fresh columns by merge:first with ours"
    );
    let world = world.ended(&Past::epoch(0).steps(&["columns"]), LedgerOutcome::Done);
    assert_eq!(
        comes_to(&steps("merge:first"), &world),
        "run e1 fresh backfill by merge:first with ours"
    );
    let failed =
        |world: World| world.ended(&Past::epoch(1).steps(&["backfill"]), failed("backfill"));
    let world = failed(world);
    assert_eq!(comes_to(&steps("merge:first"), &world), "ended e1 failed");
    assert_eq!(
        comes_to(&steps("merge:fix"), &world),
        "run e2 fresh backfill by merge:fix with ours"
    );

    let done = World::new().ended(&Past::epoch(0), LedgerOutcome::Done);
    assert_eq!(
        comes_to(&steps("again:1"), &done),
        "run e1 fresh columns by again:1 with ours"
    );
    let half = done.ended(
        &Past::epoch(1).by("again:1").steps(&["columns"]),
        LedgerOutcome::Done,
    );
    assert_eq!(
        comes_to(&steps("again:1"), &half),
        "run e2 fresh backfill by again:1 with ours"
    );
    let whole = half.ended(
        &Past::epoch(2).by("again:1").steps(&["backfill"]),
        LedgerOutcome::Done,
    );
    assert_eq!(comes_to(&steps("again:1"), &whole), "ended e2 done");
}

#[test]
fn without_a_shell_a_job_runs_one_step() {
    let mut request = request();
    request.settings.shell = Shell::None;
    assert_eq!(
        comes_to(&request, &World::new()),
        "run e0 fresh columns by merge:fix with ours"
    );
}

#[test]
fn check_runs_the_checks_alone_and_contained() {
    let mut request = by("cli:1");
    request.intent = Intent::Check;
    let plan = planned(&request, &World::new());
    assert_eq!(plan.mode(), RunMode::ChecksOnly);
    assert_eq!(plan.request.settings.on_failure, OnFailure::Contain);
    assert_eq!(
        plan.steps
            .iter()
            .map(|step| step.name.as_str())
            .collect::<Vec<_>>(),
        ["backfill"]
    );
    request.manifest = manifest("steps: [{name: columns, run: x}]");
    insta::assert_snapshot!(refused(&request, &World::new()), @r#"
    usage (2)
    no step of `ter-235` has a check
    give a step a harmless command that must pass first:
        check: node scripts/backfill.js --dry-run
    "#);
}

#[test]
fn checks_and_steps_are_not_taken_for_each_other() {
    let checks = Past {
        mode: RunMode::ChecksOnly,
        ..Past::epoch(0).by("cli:1").steps(&["backfill"])
    };
    let passed = World::new().ended(&checks, LedgerOutcome::Done);
    assert_eq!(
        comes_to(&by("merge:first"), &passed),
        "run e1 fresh columns+backfill by merge:first with ours"
    );
    let unproven = World::new().ended(&checks, LedgerOutcome::Unproven { done: 0 });
    assert_eq!(
        comes_to(&by("merge:first"), &unproven),
        "run e1 fresh columns+backfill by merge:first with ours"
    );
    let running = World::new()
        .carried(&checks, "DEPLOYING")
        .claim(&checks, None);
    let mut check = by("cli:1");
    check.intent = Intent::Check;
    assert_eq!(
        comes_to(&check, &running),
        "run e0 resumed backfill by cli:1 with theirs"
    );
    insta::assert_snapshot!(refused(&by("merge:first"), &running), @r#"
    owned (8)
    epoch 0 of `ter-235` is under way and runs only the checks, and its steps were asked for
    wait for its end, then run again
    "#);
}

/// No authority ever gets the same step twice, and no done step runs again but by `again`: over every history of up to
/// three epochs.
#[test]
fn no_authority_is_good_twice_over_all_short_histories() {
    let outcomes = [
        LedgerOutcome::Done,
        failed("columns"),
        failed("backfill"),
        LedgerOutcome::Unproven { done: 0 },
        LedgerOutcome::Unproven { done: 1 },
        LedgerOutcome::NeverStarted,
    ];
    let authorities = ["merge:first", "merge:fix", "retry:1", "again:1", "cli:1"];
    let mut runs = 0;
    let mut walk: Vec<Vec<(&str, LedgerOutcome, Vec<String>)>> = vec![Vec::new()];
    while let Some(past) = walk.pop() {
        let mut world = World::new();
        for (epoch, (authority, outcome, steps)) in past.iter().enumerate() {
            let names: Vec<&str> = steps.iter().map(String::as_str).collect();
            let past = Past::epoch(u32::try_from(epoch).unwrap())
                .by(authority)
                .steps(&names);
            world = world.ended(&past, outcome.clone());
        }
        let history = History::of(&key(), &world.seen());
        for authority in authorities {
            let request = by(authority);
            let Ok(Planned::Run(plan)) = plan(&request, &world.seen()) else {
                continue;
            };
            runs += 1;
            assert_eq!(plan.epoch, Epoch(u32::try_from(past.len()).unwrap()));
            for step in &plan.steps {
                let spent = past.iter().any(|(by, outcome, steps)| {
                    *by == plan.authority.to_string()
                        && *outcome != LedgerOutcome::NeverStarted
                        && steps.iter().any(|name| name == step.name.as_str())
                });
                assert!(
                    !spent,
                    "{authority} ran `{}` twice after {past:?}",
                    step.name
                );
                let done = history
                    .done_steps()
                    .iter()
                    .any(|done| done.step.name == step.name);
                assert!(
                    !done || authority == "again:1",
                    "{authority} ran done `{}` after {past:?}",
                    step.name
                );
            }
            let unproven = history.newest().is_some_and(|newest| {
                matches!(
                    newest.state,
                    EpochState::Ended(LedgerOutcome::Unproven { .. })
                )
            });
            let all_done = BOTH.iter().all(|name| {
                history
                    .done_steps()
                    .iter()
                    .any(|done| done.step.name.as_str() == *name)
            });
            let may_have_run = plan.steps.iter().any(|step| {
                let ran = |(_, outcome, steps): &&(&str, LedgerOutcome, Vec<String>)| {
                    *outcome != LedgerOutcome::NeverStarted
                        && steps.iter().any(|name| name == step.name.as_str())
                };
                let last = past.iter().rev().find(ran);
                last.is_some_and(|(_, outcome, _)| {
                    matches!(outcome, LedgerOutcome::Unproven { .. })
                })
            });
            assert!(
                !(unproven || may_have_run) || all_done || request.intent == Intent::Retry,
                "{authority} after {past:?}"
            );
            if past.len() < 2 {
                let steps: Vec<String> = plan
                    .steps
                    .iter()
                    .map(|step| step.name.to_string())
                    .collect();
                for outcome in &outcomes {
                    let fits = match outcome {
                        LedgerOutcome::Failed { step, .. } => {
                            steps.iter().any(|name| name == step.as_str())
                        }
                        LedgerOutcome::Unproven { done } => {
                            usize::try_from(*done).unwrap() < steps.len()
                        }
                        LedgerOutcome::Done
                        | LedgerOutcome::NeverStarted
                        | LedgerOutcome::Withdrawn => true,
                    };
                    if fits {
                        let mut longer = past.clone();
                        longer.push((authority, outcome.clone(), steps.clone()));
                        walk.push(longer);
                    }
                }
            }
        }
    }
    assert!(runs > 500, "{runs}");
}

// ---- what the plan holds

#[test]
fn a_plan_holds_every_choice() {
    let plan = planned(&request(), &World::new());
    assert_eq!(plan.app.as_str(), APP);
    assert_eq!(plan.app_name, "terp");
    assert_eq!(plan.key, key());
    assert_eq!(plan.commit, Some(CommitSha::parse(LIVE_COMMIT).unwrap()));
    assert_eq!(plan.image_digest, None);
    assert_eq!(
        plan.health_url.as_deref(),
        Some("https://terp.example.com/api/health")
    );
    assert_eq!(
        plan.baseline,
        app_spec::Fingerprint::without_secrets(&app_spec::AppSpec::from_value(spec()).unwrap())
    );
}

#[test]
fn the_baseline_is_the_spec_without_ours_and_without_the_stale() {
    let world = World::new()
        .job(Past::epoch(0).job())
        .job(foreign("migration-job", "POST_DEPLOY"));
    let mut request = request();
    request.settings.also_stale = vec![component("migration-job")];
    let plan = planned(&request, &world);
    assert_eq!(
        plan.baseline,
        app_spec::Fingerprint::without_secrets(&app_spec::AppSpec::from_value(spec()).unwrap())
    );
}

#[test]
fn an_image_job_is_pinned_to_the_live_digest() {
    let mut world = World::new();
    let service = world.spec["services"][0].as_object_mut().unwrap();
    service.shift_remove("github");
    service.insert(
        "image".to_owned(),
        json!({"registry_type": "DOCR", "repository": "terp", "tag": "latest"}),
    );
    let digest = format!("sha256:{}", "0".repeat(64));
    world.deployments[0]["services"][0] = json!({"name": "web", "source_image_digest": digest});
    let plan = planned(&request(), &world);
    assert!(!findings_told(&plan).contains("image-not-pinned"));
    assert_eq!((plan.commit, plan.image_digest), (None, Some(digest)));
}

#[test]
fn the_estimate_is_measured_on_good_deployments() {
    let at = |id: &str, phase: &str, cause: &str, minutes: u32| {
        let mut one = deployment(id, phase, &spec());
        one["created_at"] = json!("2026-02-17T00:00:00Z");
        one["updated_at"] = json!("2026-02-17T23:00:00Z");
        one["cause_details"] = json!({"type": cause});
        one["progress"] = json!({"steps": [{"name": "deploy", "status": "SUCCESS", "steps": [
            {"name": "wait", "status": "SUCCESS", "ended_at": format!("2026-02-17T00:{minutes:02}:00Z")}
        ]}]});
        one
    };
    let mut world = World::new();
    world.deployments = vec![
        at("a", "ERROR", "MANUAL", 59),
        at("b", "ACTIVE", "MANUAL", 9),
        at("c", "SUPERSEDED", "DEPLOY_ON_PUSH", 8),
        at("d", "SUPERSEDED", "AUTO_ROLLBACK", 1),
        at("e", "SUPERSEDED", "MANUAL", 12),
    ];
    let estimate = planned(&request(), &world).estimate;
    assert_eq!(
        (estimate.to_start, estimate.measured),
        (Duration::from_secs(9 * 60), true)
    );
    // Without steps only the live one's own times tell anything.
    let estimate = planned(&request(), &World::new()).estimate;
    assert_eq!(
        (estimate.to_start, estimate.measured),
        (Duration::from_secs(8 * 60), true)
    );
    world.deployments = vec![at("a", "ERROR", "MANUAL", 59)];
    world.app["active_deployment"] = json!({"id": "x", "phase": "ACTIVE"});
    let estimate = planned(&request(), &world).estimate;
    assert_eq!(
        (estimate.to_start, estimate.measured),
        (Duration::from_secs(10 * 60), false)
    );
    assert_eq!(
        (estimate.job, estimate.clean_up),
        (Duration::from_secs(2 * 60), Duration::from_secs(10 * 60))
    );
}

/// Without a believable span the lease would be no guard.
#[test]
fn a_span_that_can_not_be_is_not_measured() {
    let measured = |created: &str, ended: &str| {
        let mut world = World::new();
        world.deployments[0]["created_at"] = json!(created);
        world.deployments[0]["updated_at"] = json!(ended);
        planned(&request(), &world).estimate.measured
    };
    assert!(measured("2026-02-18T00:10:00Z", "2026-02-18T01:50:00Z"));
    assert!(!measured("2026-02-18T00:10:00Z", "2026-02-18T01:50:01Z"));
    assert!(!measured("2026-02-18T00:10:00Z", "2026-02-18T00:10:00Z"));
    assert!(!measured("2026-02-18T00:10:00Z", "2026-02-18T00:09:00Z"));
}

#[test]
fn the_live_deployment_is_measured_where_the_list_does_not_reach_back_to_it() {
    let mut world = World::new();
    world.deployments[0] = deployment("d-later", "ERROR", &spec());
    let estimate = planned(&request(), &world).estimate;
    assert_eq!(
        (estimate.to_start, estimate.measured),
        (Duration::from_secs(8 * 60), true)
    );
}

// ---- findings

fn findings_told(plan: &Plan) -> String {
    let lines = plan.findings.iter().map(|finding| {
        let Finding {
            severity,
            code,
            message,
            hint,
        } = finding;
        let hint = hint
            .as_deref()
            .map_or_else(String::new, |hint| format!("\n  -> {hint}"));
        format!("{severity:?} {code}: {message}{hint}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_ordinary_plan_has_few_findings() {
    insta::assert_snapshot!(findings_told(&planned(&request(), &World::new())), @r#"
    Note job-timeout-default: no `job-timeout` is set, so the platform ends the job after 30 min
    Note built-at-head: the job is built from the head of `main`; when that is not 0123456, it runs nothing and says so
    Note secret-not-copied: the job does not get `JWT_SECRET` of `web`
      -> name what it needs in `env`
    "#);
}

#[test]
fn everything_odd_is_told() {
    let mut request = by("cli:1");
    request.reviewed = Reviewed::Unreviewed;
    request.manifest = manifest("env: [JWT_SECRET]\nsteps: [{name: columns, run: a && b}]");
    request.settings.env = vec!["JWT_SECRET".to_owned()];
    request.settings.deadline = Duration::from_secs(20 * 60);
    request.settings.accept_jobs = vec![component("warm-cache")];
    request.settings.keep_rules = vec![RuleMatch::new(RuleKind::Tag, "bastion")];
    request.commit = None;
    request.settings.wait_for_deploy = WaitForDeploy::Off;
    let mut world = World::new()
        .job(foreign("warm-cache", "PRE_DEPLOY"))
        .job(foreign("page-somebody", "FAILED_DEPLOY"))
        .job(other().job());
    world.spec["services"][0]
        .as_object_mut()
        .unwrap()
        .shift_remove("health_check");
    world.deployments[0]["services"] = json!([]);
    world.firewall = rules(&json!([
        {"type": "app", "value": APP},
        {"type": "ip_addr", "value": "203.0.113.7"},
        {"type": "tag", "value": "bastion"}
    ]));
    world.health_before = Some(HealthSample {
        at: time(NOW),
        status: Some(502),
    });
    let told = findings_told(&planned(&request, &world)).replace(other().key.as_str(), "<key>");
    insta::assert_snapshot!(told, @r#"
    Warning unreviewed: the commands come from the command line or a local file, and nobody has reviewed them
    Warning deadline-short: the deadline of 20 min is shorter than what the run may take: 56 min with a job that uses its whole 30 min
      -> raise `deadline`, or lower `job-timeout`
    Warning commit-unknown: the job is built from the head of `main`, and no commit is known to hold it to
    Warning stale-job: job `migrate-<key>-e2` of migration `ter-235` was left in the app and is removed first
    Warning pre-deploy-needed: the app is unhealthy now, and a POST_DEPLOY job starts only once it is healthy: it may never start
      -> set `kind: PRE_DEPLOY`, which runs before the services roll out and is the only one that can work then
    Warning firewall-drift: the firewall also admits `ip_addr 203.0.113.7`
      -> take it away with `firewall: restore`, or keep it with `keep-rules`
    Note operator-joined: the command of step `columns` is several commands joined by `&&`; there is one result for all of them
      -> make them steps of their own to see the result of each
    Note job-timeout-default: no `job-timeout` is set, so the platform ends the job after 30 min
    Note secret-copied: `JWT_SECRET` is copied in its encrypted form, which is not known to work in another component; where it does not, the job stops before any step
      -> if it stops, give the value with `secret-env`
    Note accepted-job: job `warm-cache` runs again with both deployments of this run
    Note failed-deploy-job: should a step fail, the platform also runs the job `page-somebody`, which is for failed deployments
    Note health-not-checked: component `web` has no health path, so the app's health is not checked
      -> give an address with `health-url`
    "#);
}

#[test]
fn the_rest_that_is_odd_is_told() {
    let mut request = request();
    request.settings.shell = Shell::None;
    request.settings.kind = Kind::PreDeploy;
    request.manifest = manifest("job-timeout: 10m\nsteps: [{name: columns, run: a, check: b}]");
    request.settings.firewall = FirewallPolicy::Restore;
    let mut world = World::new();
    world.health_before = Some(HealthSample {
        at: time(NOW),
        status: None,
    });
    world.firewall =
        rules(&json!([{"type": "app", "value": APP}, {"type": "ip_addr", "value": "203.0.113.7"}]));
    let service = world.spec["services"][0].as_object_mut().unwrap();
    service.shift_remove("github");
    service.insert(
        "image".to_owned(),
        json!({"registry_type": "DOCR", "repository": "terp", "tag": "latest"}),
    );
    insta::assert_snapshot!(findings_told(&planned(&request, &world)), @r#"
    Warning no-shell: with `shell: none` the job leaves no marks: that it ran to its end is not proven, and no lease stops a copy that is left behind
    Warning check-not-run: with `shell: none` a step's check does not run before it
    Warning image-not-pinned: the digest of the live image of `web` is not known, so the job runs whatever its tag names
    Warning unhealthy-before: the app is unhealthy already, before anything was changed
    Warning firewall-drift: the firewall also admits `ip_addr 203.0.113.7`; that is taken away at the end
    Note secret-not-copied: the job does not get `JWT_SECRET` of `web`
      -> name what it needs in `env`
    "#);
    world.firewall = rules(&json!([]));
    assert!(findings_told(&planned(&request, &world)).contains("firewall-open"));
    world.firewall = FirewallView::Failed;
    assert!(findings_told(&planned(&request, &world)).contains("firewall-unread"));
}

#[test]
fn a_deadline_that_just_suffices_is_not_told() {
    let mut request = request();
    let estimate = planned(&request, &World::new()).estimate;
    let reserve = super::findings::RESERVE;
    request.settings.deadline =
        estimate.to_start + request.settings.job_timeout + estimate.clean_up + reserve;
    let told = |request: &Request| {
        findings_told(&planned(request, &World::new())).contains("deadline-short")
    };
    assert!(!told(&request));
    request.settings.deadline -= Duration::from_secs(1);
    assert!(told(&request));
}

#[test]
fn a_check_that_is_not_there_or_is_all_that_runs_is_not_missed() {
    let mut request = with("cli:1", "steps: [{name: columns, run: a}]");
    request.settings.shell = Shell::None;
    assert!(!findings_told(&planned(&request, &World::new())).contains("check-not-run"));
    let mut request = with("cli:1", "steps: [{name: columns, run: a, check: b}]");
    request.settings.shell = Shell::None;
    request.intent = Intent::Check;
    assert!(!findings_told(&planned(&request, &World::new())).contains("check-not-run"));
}

#[test]
fn a_secret_that_the_job_is_given_otherwise_is_not_missed() {
    let mut world = World::new();
    world.spec["services"][0]["envs"][0] =
        json!({"key": "DATABASE_URL", "type": "SECRET", "value": "EV[1:a:b]"});
    let mut request = request();
    let told = |request: &Request, world: &World| findings_told(&planned(request, world));
    assert!(told(&request, &world).contains("the job does not get `JWT_SECRET` of"));
    request.settings.secret_env = vec![("JWT_SECRET".to_owned(), "x".into())];
    assert!(!told(&request, &world).contains("secret-not-copied"));
}

#[test]
fn a_running_job_beside_the_followed_one_is_not_called_left_over() {
    let ours = Past::epoch(0);
    let world = World::new()
        .job(ours.job())
        .carried(&ours, "DEPLOYING")
        .job(other().job())
        .carried(&other(), "DEPLOYING");
    let plan = planned(&request(), &world);
    assert_eq!(plan.entry, Entry::Resumed);
    assert!(!findings_told(&plan).contains("stale-job"));
}

#[test]
fn a_command_that_loses_exit_codes_is_refused() {
    let request = with(
        "merge:fix",
        "steps: [{name: columns, run: a | b}, {name: backfill, run: 'c &'}]",
    );
    insta::assert_snapshot!(refused(&request, &World::new()), @r#"
    operator-refused (2)
    the command of step `columns` has a pipe: `sh` forgets the exit code of the command before `|`, so that its failure would look like success
    let a shell that knows `pipefail` run it, where the image has one:
      bash -o pipefail -c 'a | b'
    or put it into a script of the repository
    also: the command of step `backfill` sends a command into the background with `&`, and nobody would wait for its end
    "#);
    let request = with("merge:fix", "steps: [{name: columns, run: 'echo \"x'}]");
    assert_eq!(comes_to(&request, &World::new()), "refused bad-manifest");
    // What is done is not judged again, and what is running can't be helped.
    let done = "steps: [{name: columns, run: a | b}]";
    let steps = manifest(done)
        .steps
        .iter()
        .map(crate::Step::reference)
        .collect();
    let past = Past {
        steps,
        ..Past::epoch(0)
    };
    let world = World::new().ended(&past, LedgerOutcome::Done);
    assert_eq!(
        comes_to(&with("merge:fix", done), &world),
        "done columns@e0"
    );
    let world = World::new().carried(&past, "DEPLOYING");
    assert!(comes_to(&with("merge:fix", done), &world).starts_with("run e0 resumed columns"));
}

#[test]
fn findings_come_gravest_first_and_their_codes_are_kebab() {
    let mut request = request();
    request.reviewed = Reviewed::Unreviewed;
    let plan = planned(&request, &World::new());
    let severities: Vec<Severity> = plan
        .findings
        .iter()
        .map(|finding| finding.severity)
        .collect();
    assert!(severities.is_sorted_by(|one, other| one >= other));
    assert!(plan.findings.iter().all(|finding| {
        finding
            .code
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit())
    }));
}

#[test]
fn what_the_edit_would_refuse_is_told_by_the_plan() {
    let mut request = request();
    request.settings.env = vec!["JWT_SECRT".to_owned()];
    insta::assert_snapshot!(refused(&request, &World::new()), @r#"
    usage (2)
    component `web` of app `terp` has no variable `JWT_SECRT` to copy
    it has `DATABASE_URL`, `NODE_ENV`, `JWT_SECRET`
    "#);
}

#[test]
fn a_fresh_plan_carries_the_requests_own_nonce() {
    let request = request();
    let nonce: &Nonce = &planned(&request, &World::new()).nonce;
    assert_eq!(*nonce, request.nonce);
}
