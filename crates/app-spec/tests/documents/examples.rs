//! The example documents read as what they are.

use std::time::Duration;

use app_spec::{
    App, AppId, CauseKind, ComponentKind, Deployment, DeploymentId, InvocationPhase, JobInvocation,
    JobKind, Phase, Source, StepStatus,
};
use serde_json::{Value, json};

use crate::{example, shop, spec};

fn deployment(name: &str) -> Deployment {
    let document = example(name);
    Deployment::from_value(document.get("deployment").unwrap_or(&document)).unwrap()
}

#[test]
fn an_app_is_read_with_its_slots_and_addresses() {
    let app: App = serde_json::from_value(example("app")["app"].clone()).unwrap();
    assert_eq!(app.id, AppId::new("11111111-1111-4111-8111-111111111111"));
    assert_eq!(app.spec, shop());
    assert_eq!(app.live_url.as_deref(), Some("https://shop.example.com"));
    assert_eq!(
        app.default_ingress.as_deref(),
        Some("https://shop-abcde.ondigitalocean.app")
    );
    assert_eq!(app.live_domain.as_deref(), Some("shop.example.com"));
    assert_eq!(app.domains, ["shop.example.com"]);
    assert_eq!(app.region_slug.as_deref(), Some("nyc"));
    assert_eq!(app.tier_slug.as_deref(), Some("basic"));
    assert_eq!(app.updated_at.unwrap().to_string(), "2026-02-17T10:09:00Z");
    let active = app.active.unwrap();
    assert_eq!(active.phase, Phase::Active);
    assert_eq!(
        active.commit_of("web"),
        Some("0123456789abcdef0123456789abcdef01234567")
    );
    assert_eq!(
        (app.in_progress, app.pending, app.pinned),
        (None, None, None)
    );
}

#[test]
fn the_reply_to_a_write_names_the_deployment_that_it_made() {
    let app = App::from_value(&example("put_reply")["app"]).unwrap();
    let pending = app.pending.unwrap();
    assert_eq!(
        pending.id,
        DeploymentId::new("aaaaaaaa-0000-4000-8000-000000000002")
    );
    assert_eq!(
        (pending.phase, pending.cause_kind),
        (Phase::PendingBuild, CauseKind::Manual)
    );
}

#[test]
fn what_is_under_way_and_what_waits_is_still_to_come() {
    let slots = |in_progress: Option<&str>, pending: Option<&str>| {
        let mut app = example("app")["app"].clone();
        let slot = |id: Option<&str>| id.map(|id| json!({"id": id, "phase": "BUILDING"}));
        app["in_progress_deployment"] = slot(in_progress).into();
        app["pending_deployment"] = slot(pending).into();
        let app = App::from_value(&app).unwrap();
        let ids = app.to_come().map(|slot| slot.id.to_string());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(slots(Some("d2"), Some("d3")), ["d2", "d3"]);
    assert_eq!(slots(None, Some("d3")), ["d3"]);
    assert_eq!(slots(None, None), Vec::<String>::new(), "what is live came");
}

#[test]
fn empty_slots_are_no_deployments() {
    let app = App::from_value(&json!({
        "id": "a", "spec": {}, "active_deployment": null, "pinned_deployment": {}
    }))
    .unwrap();
    assert_eq!((app.active, app.pinned), (None, None));
}

#[test]
fn a_job_may_run_as_long_as_its_timeout_says_where_it_says_so() {
    let timeout = |timeout: Value| {
        let spec = spec(json!({"name": "shop", "jobs": [{"name": "nightly", "timeout": timeout}]}));
        spec.job("nightly").unwrap().timeout()
    };
    assert_eq!(timeout(json!("30m")), Some(Duration::from_secs(1800)));
    assert_eq!(timeout(Value::Null), None);
    assert_eq!(timeout(json!("soon")), None);
}

#[test]
fn the_spec_is_seen_through_lenses() {
    let shop = shop();
    assert_eq!(shop.name(), "shop");
    let all: Vec<(ComponentKind, &str)> = shop.components().map(|c| (c.kind(), c.name())).collect();
    assert_eq!(
        all,
        [
            (ComponentKind::Service, "web"),
            (ComponentKind::Database, "shop-db")
        ]
    );
    assert_eq!(
        shop.services().map(|c| c.name()).collect::<Vec<_>>(),
        ["web"]
    );
    let web = shop.component("web").unwrap();
    let source = web.source().unwrap();
    assert_eq!(
        source,
        Source::GitHub {
            repo: "acme/shop".into(),
            branch: Some("main".into()),
            deploy_on_push: true
        }
    );
    assert!(source.deploys_on_push());
    assert_eq!(web.dockerfile_path(), Some("Dockerfile"));
    assert_eq!(web.http_port(), Some(3000));
    let health = web.health_check().unwrap();
    assert_eq!(health.http_path.as_deref(), Some("/health"));
    assert_eq!(health.initial_delay, Duration::from_secs(120));
    let secret = web.env("JWT_SECRET").unwrap();
    assert!(secret.is_encrypted());
    assert!(!web.env("DATABASE_URL").unwrap().is_encrypted());
    assert_eq!(
        web.env_value("DATABASE_URL"),
        Some("${shop-db.DATABASE_URL}")
    );
    let database = shop.database("shop-db").unwrap();
    assert_eq!(
        (database.engine(), database.cluster_name()),
        (Some("MYSQL"), Some("shop-mysql"))
    );
}

#[test]
fn a_job_without_a_kind_runs_after_every_deployment() {
    let jobs = spec(json!({"jobs": [
        {"name": "a"}, {"name": "b", "kind": "UNSPECIFIED"}, {"name": "c", "kind": "PRE_DEPLOY"},
        {"name": "d", "kind": "SCHEDULED", "schedule": {"cron": "0 * * * *"}}, {"name": "e", "kind": "NEW"},
        {"name": "f", "kind": "FAILED_DEPLOY"}
    ]}));
    let seen: Vec<(JobKind, bool)> = jobs
        .jobs()
        .map(|job| (job.job_kind(), job.runs_on_deploy()))
        .collect();
    assert_eq!(
        seen,
        [
            (JobKind::PostDeploy, true),
            (JobKind::PostDeploy, true),
            (JobKind::PreDeploy, true),
            (JobKind::Scheduled, false),
            (JobKind::Other("NEW".into()), true),
            (JobKind::FailedDeploy, true),
        ]
    );
    assert_eq!(jobs.job("d").unwrap().schedule().unwrap().cron, "0 * * * *");
}

#[test]
fn every_kind_of_source_is_told_apart() {
    let sources = |source: Value| {
        spec(json!({"workers": [source]}))
            .components()
            .next()
            .unwrap()
            .source()
    };
    let repo = json!({"repo": "group/sub/shop", "branch": "main"});
    assert!(matches!(
        sources(json!({"gitlab": repo})),
        Some(Source::GitLab {
            deploy_on_push: false,
            ..
        })
    ));
    assert!(matches!(
        sources(json!({"bitbucket": repo})),
        Some(Source::Bitbucket { .. })
    ));
    let git =
        sources(json!({"git": {"repo_clone_url": "https://e.example/a.git", "branch": "dev"}}))
            .unwrap();
    assert_eq!((git.branch(), git.deploys_on_push()), (Some("dev"), false));
    let image = json!({"repository": "shop", "tag": "v1", "deploy_on_push": {"enabled": true}});
    assert!(sources(json!({"image": image})).unwrap().deploys_on_push());
    assert_eq!(
        sources(json!({"github": {"branch": "main"}})),
        Some(Source::Other)
    );
    assert_eq!(sources(json!({"image": "shop"})), Some(Source::Other));
    assert_eq!(sources(json!({"github": null})), None);
}

#[test]
fn a_running_deployment_tells_build_and_run_of_a_job_apart() {
    let running = deployment("deployment_running");
    assert_eq!(
        (&running.phase, &running.cause_kind),
        (&Phase::Deploying, &CauseKind::Manual)
    );
    assert_eq!(running.caused_by.as_deref(), Some("dev@example.com"));
    assert_eq!(running.user_action.as_deref(), Some("UPDATE_SPEC"));
    assert_eq!(
        running.rolls_back(),
        None,
        "every deployment has a previous one"
    );
    assert!(running.carries_job("oneoff-k3f9q2"));
    let progress = running.progress.unwrap();
    let job = progress.job_status("oneoff-k3f9q2");
    assert_eq!(
        (job.build, job.deploy),
        (StepStatus::Success, StepStatus::Running)
    );
    assert_eq!(job.reason.unwrap().code, "PreBuiltImage");
    assert_eq!(job.started_at.unwrap().to_string(), "2026-02-18T00:37:02Z");
    assert_eq!(job.ended_at, None);
    let web = progress.job_status("web");
    assert_eq!(
        (web.build, web.deploy),
        (StepStatus::Success, StepStatus::Pending)
    );
    let names: Vec<&str> = progress
        .steps_of("web")
        .iter()
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(names, ["web", "deploy", "wait"]);
    let nobody = progress.job_status("nobody");
    assert_eq!(
        (nobody.build, nobody.deploy),
        (StepStatus::Unknown, StepStatus::Unknown)
    );
}

#[test]
fn a_failed_job_shows_its_reason_and_the_row_does_not_say_which_jobs_it_carries() {
    let failed = deployment("deployment_failed");
    assert_eq!(failed.phase, Phase::Error);
    assert!(!failed.knows_jobs());
    let job = failed.progress.unwrap().job_status("oneoff-k3f9q2");
    assert_eq!(
        (job.build, job.deploy),
        (StepStatus::Unknown, StepStatus::Error)
    );
    assert_eq!(job.reason.unwrap().code, "DeployContainerExitNonZero");
    assert_eq!(job.ended_at.unwrap().to_string(), "2026-02-18T00:37:41Z");
}

#[test]
fn steps_of_a_component_are_found_by_component_name_at_any_depth_under_any_branch() {
    let odd = Deployment::from_value(&json!({"id": "d", "progress": {
        "success_steps": 9, "total_steps": 9,
        "steps": [
            {"name": "build", "steps": [{"name": "job-a", "status": "ERROR"}]},
            {"name": "post_deploy", "steps": [{"name": "x", "steps": [
                {"name": "y", "component_name": "job-a", "status": "RUNNING",
                 "steps": [{"name": "z", "status": "SUCCESS"},
                           {"name": "other", "component_name": "web", "status": "ERROR"}]}
            ]}]}
        ]
    }}))
    .unwrap();
    let job = odd.progress.unwrap().job_status("job-a");
    assert_eq!(
        (job.build, job.deploy),
        (StepStatus::Unknown, StepStatus::Running)
    );
}

#[test]
fn the_reason_is_that_of_the_failing_step_and_else_the_newest() {
    let reason = |last: &str| {
        let row = Deployment::from_value(
            &json!({"id": "d", "progress": {"steps": [{"name": "deploy", "steps": [
                {"component_name": "job-a", "status": "ERROR", "reason": {"code": "First"}},
                {"component_name": "job-a", "status": last, "reason": {"code": "Last"}},
            ]}]}}),
        )
        .unwrap();
        row.progress
            .unwrap()
            .job_status("job-a")
            .reason
            .unwrap()
            .code
    };
    assert_eq!(reason("PENDING"), "First");
    assert_eq!(reason("ERROR"), "Last");
}

#[test]
fn a_rollback_names_the_deployment_that_failed() {
    let failed = DeploymentId::new("aaaaaaaa-0000-4000-8000-000000000002");
    let mut row = example("rollback");
    let read = |row: &Value| Deployment::from_value(row).unwrap();
    assert_eq!(read(&row).cause_kind, CauseKind::AutoRollback);
    assert_eq!(read(&row).rolls_back(), Some(failed.clone()));
    assert_eq!(
        read(&row).cloned_from,
        Some(DeploymentId::new("aaaaaaaa-0000-4000-8000-000000000001"))
    );
    row.as_object_mut().unwrap().remove("cause_details");
    row.as_object_mut()
        .unwrap()
        .remove("previous_deployment_id");
    assert_eq!(
        read(&row).rolls_back(),
        Some(failed.clone()),
        "by the text alone"
    );
    let by_field = read(&json!({
        "id": "d", "cause_details": {"type": "AUTO_ROLLBACK"}, "previous_deployment_id": failed.as_str()
    }));
    assert_eq!(
        by_field.rolls_back(),
        Some(failed.clone()),
        "by the field alone"
    );
    let cut = read(&json!({
        "id": "d", "cause": "automated rollback after failed deployment of \"\"",
        "previous_deployment_id": failed.as_str()
    }));
    assert_eq!(cut.rolls_back(), Some(failed), "where the text names none");
}

#[test]
fn a_cause_without_details_is_read_from_its_text() {
    let kind = |cause: &str| {
        Deployment::from_value(&json!({"id": "d", "cause": cause}))
            .unwrap()
            .cause_kind
    };
    assert_eq!(
        kind("commit 9a4df0b pushed to github/acme/shop"),
        CauseKind::DeployOnPush
    );
    assert_eq!(
        kind("commit b27a128 pushed to github.com/acme/shop/tree/main"),
        CauseKind::DeployOnPush
    );
    assert_eq!(kind("manual"), CauseKind::Manual);
    assert_eq!(kind("app spec updated"), CauseKind::Manual);
    assert_eq!(kind("restarting app"), CauseKind::Manual);
    for other in [
        "something new",
        "commit 9a4df0b reverted",
        "image pushed to registry",
    ] {
        assert_eq!(kind(other), CauseKind::Unknown, "{other}");
    }
    let copy = |cause: &str| {
        let row = json!({"id": "d", "cause": cause, "cloned_from": "c"});
        Deployment::from_value(&row).unwrap().cause_kind
    };
    assert_eq!(copy("something new"), CauseKind::ManualRollback);
    assert_eq!(
        copy("commit 9a4df0b pushed to github/acme/shop"),
        CauseKind::DeployOnPush
    );
    let told = json!({"id": "d", "cause": "manual", "cause_details": {"type": "MAINTENANCE"}});
    assert_eq!(
        Deployment::from_value(&told).unwrap().cause_kind,
        CauseKind::Maintenance
    );
    let untold = json!({"id": "d", "cause": "manual", "cause_details": {"type": "UNKNOWN"}});
    assert_eq!(
        Deployment::from_value(&untold).unwrap().cause_kind,
        CauseKind::Manual
    );
}

#[test]
fn the_jobs_of_a_deployment_come_from_its_spec_and_its_list() {
    let read = |row: Value| Deployment::from_value(&row).unwrap();
    let both = read(
        json!({"id": "d", "jobs": [{"name": "b"}], "spec": {"jobs": [{"name": "a"}, {"name": "b"}]}}),
    );
    assert_eq!(both.job_names(), ["a", "b"]);
    assert!(read(json!({"id": "d", "jobs": []})).knows_jobs());
    assert!(read(json!({"id": "d", "spec": {}})).knows_jobs());
    let bare = read(json!({"id": "d", "spec": null, "services": [{"name": "web"}]}));
    assert!(!bare.knows_jobs());
    assert!(!bare.carries_job("a"));
}

#[test]
fn unknown_words_and_times_that_never_were_are_no_errors() {
    let odd = Deployment::from_value(&json!({
        "id": "d", "phase": "FINAL_CLEANUP", "created_at": "0001-01-01T00:00:00Z", "updated_at": "soon",
        "progress": null, "services": [{"name": "web", "source_image_digest": "sha256:00"}, {}], "new": 1
    }))
    .unwrap();
    assert_eq!(odd.phase, Phase::Other("FINAL_CLEANUP".into()));
    assert!(!odd.phase.is_terminal() && !odd.phase.is_in_flight());
    assert_eq!((odd.created_at, odd.updated_at), (None, None));
    assert_eq!(odd.digest_of("web"), Some("sha256:00"));
    assert_eq!(odd.components.len(), 1);
}

#[test]
fn a_document_without_its_identity_is_an_error_that_names_it() {
    let errors = [
        Deployment::from_value(&json!([])).unwrap_err().to_string(),
        Deployment::from_value(&json!({"phase": "ACTIVE"}))
            .unwrap_err()
            .to_string(),
        Deployment::from_value(&json!({"id": "d", "spec": 1}))
            .unwrap_err()
            .to_string(),
        App::from_value(&json!({"id": "a"}))
            .unwrap_err()
            .to_string(),
        App::from_value(&json!({"id": "a", "spec": {}, "active_deployment": 1}))
            .unwrap_err()
            .to_string(),
        JobInvocation::from_value(&json!({"id": ""}))
            .unwrap_err()
            .to_string(),
        serde_json::from_value::<App>(json!({}))
            .unwrap_err()
            .to_string(),
    ];
    insta::assert_snapshot!(errors.join("\n"), @r#"
    cannot read a deployment: it is a list, not an object
    cannot read a deployment: `id` is missing
    cannot read the spec of a deployment: it is a number, not an object
    cannot read an app: `spec` is missing
    cannot read a deployment: it is a number, not an object
    cannot read a job invocation: `id` is missing
    cannot read an app: `id` is missing
    "#);
}

#[test]
fn a_phase_is_terminal_or_in_flight_or_unknown() {
    let words = [
        "UNKNOWN",
        "PENDING_BUILD",
        "BUILDING",
        "PENDING_DEPLOY",
        "DEPLOYING",
        "ACTIVE",
        "SUPERSEDED",
        "ERROR",
        "CANCELED",
    ];
    let terminal: Vec<&str> = words
        .into_iter()
        .filter(|word| Phase::from_word(word).is_terminal())
        .collect();
    let in_flight: Vec<&str> = words
        .into_iter()
        .filter(|word| Phase::from_word(word).is_in_flight())
        .collect();
    assert_eq!(terminal, ["ACTIVE", "SUPERSEDED", "ERROR", "CANCELED"]);
    assert_eq!(
        in_flight,
        ["PENDING_BUILD", "BUILDING", "PENDING_DEPLOY", "DEPLOYING"]
    );
    for word in words {
        assert_eq!(Phase::from_word(word).as_str(), word);
        assert!(!matches!(Phase::from_word(word), Phase::Other(_)));
    }
}

#[test]
fn an_invocation_is_read_with_and_without_its_wrapper() {
    let bare = json!({"id": "i", "job_name": "seed", "deployment_id": "d", "phase": "SUCCEEDED",
        "trigger": {"type": "SCHEDULED"}, "started_at": "2026-02-18T00:37:02Z"});
    let read = JobInvocation::from_value(&bare).unwrap();
    assert_eq!(
        JobInvocation::from_value(&json!({ "job_invocation": bare })).unwrap(),
        read
    );
    assert_eq!(
        (read.phase, read.trigger.as_deref()),
        (InvocationPhase::Succeeded, Some("SCHEDULED"))
    );
    assert_eq!(read.deployment_id, Some(DeploymentId::new("d")));
}
