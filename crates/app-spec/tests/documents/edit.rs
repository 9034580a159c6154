//! Putting a job in and taking it out again.

use std::time::Duration;

use app_spec::{
    AppSpec, ComponentKind, ComponentName, Env, EnvScope, JobComponent, JobKind, SpecError,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::strategy::spec_around_jobs;
use crate::{shop, spec};

const OURS: &str = "migrate-k3f9q2x7-e0";

fn name(text: &str) -> ComponentName {
    ComponentName::parse(text).unwrap()
}

fn our_job() -> JobComponent {
    JobComponent::copy_of(&shop().component("web").unwrap(), name(OURS))
        .unwrap()
        .run_command("true")
        .build()
        .unwrap()
}

fn text(spec: &AppSpec) -> String {
    serde_json::to_string(spec).unwrap()
}

proptest! {
    #[test]
    fn inserting_and_removing_a_job_leaves_the_spec_as_it_was(map in spec_around_jobs()) {
        let before = AppSpec::from(map);
        let with = before.insert_job(&our_job()).unwrap();
        prop_assert!(with.job(OURS).is_some());
        let after = with.remove_jobs(&[name(OURS)], Some(&before));
        prop_assert_eq!(text(&after), text(&before));
    }

    #[test]
    fn inserting_a_job_changes_nothing_but_the_end_of_the_jobs(map in spec_around_jobs()) {
        let before = AppSpec::from(map);
        let with = before.insert_job(&our_job()).unwrap();
        let without_jobs = |spec: &AppSpec| {
            let mut map: Map<String, Value> = spec.raw().clone();
            map.shift_remove("jobs");
            serde_json::to_string(&map).unwrap()
        };
        prop_assert_eq!(without_jobs(&with), without_jobs(&before));
        let jobs = with.raw()["jobs"].as_array().unwrap();
        let others = before.raw().get("jobs").and_then(Value::as_array).cloned().unwrap_or_default();
        prop_assert_eq!(jobs.last().unwrap(), &our_job().to_value());
        prop_assert_eq!(&jobs[..jobs.len() - 1], &others[..]);
    }

    #[test]
    fn removing_a_job_that_is_not_there_changes_nothing(map in spec_around_jobs()) {
        let before = AppSpec::from(map);
        prop_assert_eq!(text(&before.remove_jobs(&[name(OURS)], None)), text(&before));
    }
}

#[test]
fn a_list_made_for_our_job_goes_with_it_when_the_earlier_spec_is_not_known() {
    let before = spec(json!({"name": "shop", "services": [], "region": "nyc"}));
    let after = before
        .insert_job(&our_job())
        .unwrap()
        .remove_jobs(&[name(OURS)], None);
    assert_eq!(text(&after), text(&before));
}

#[test]
fn what_others_changed_meanwhile_survives_the_removal() {
    let before = spec(json!({"name": "shop", "region": "nyc"}));
    let with = before.insert_job(&our_job()).unwrap();
    let mut meanwhile = with.raw().clone();
    meanwhile["jobs"]
        .as_array_mut()
        .unwrap()
        .insert(0, json!({"name": "theirs"}));
    meanwhile.insert("features".to_owned(), json!([]));
    meanwhile["region"] = json!("ams");
    let after = AppSpec::from(meanwhile).remove_jobs(&[name(OURS)], Some(&before));
    assert_eq!(
        text(&after),
        r#"{"name":"shop","region":"ams","jobs":[{"name":"theirs"}],"features":[]}"#
    );
}

#[test]
fn a_job_that_others_took_out_meanwhile_does_not_come_back() {
    let before = spec(json!({"name": "shop", "jobs": [{"name": "theirs"}]}));
    let meanwhile = spec(json!({"name": "shop", "jobs": [{"name": OURS}]}));
    let after = meanwhile.remove_jobs(&[name(OURS)], Some(&before));
    assert_eq!(text(&after), r#"{"name":"shop"}"#);
}

#[test]
fn the_other_keys_keep_their_order_wherever_the_platform_put_the_jobs() {
    let read_back = spec(json!({"a": 1, "jobs": [{"name": OURS}], "b": 2, "c": 3}));
    let after = read_back.remove_jobs(&[name(OURS)], None);
    assert_eq!(text(&after), r#"{"a":1,"b":2,"c":3}"#);
}

#[test]
fn exactly_the_named_jobs_are_removed() {
    let full = spec(json!({"jobs": [
        {"name": "migration-job"}, {"name": "seed"}, {"name": OURS}, {"name": "migrate-k3f9q2x7-e1"}
    ], "name": "shop"}));
    let after = full.remove_jobs(&[name("migration-job"), name(OURS)], None);
    assert_eq!(
        text(&after),
        r#"{"jobs":[{"name":"seed"},{"name":"migrate-k3f9q2x7-e1"}],"name":"shop"}"#
    );
}

#[test]
fn a_name_that_any_component_has_is_taken() {
    for (list, kind) in ComponentKind::ALL.map(|kind| (kind.list_key(), kind)) {
        let taken = spec(json!({ list: [{"name": OURS}] }));
        assert_eq!(
            taken.insert_job(&our_job()).unwrap_err(),
            SpecError::NameTaken {
                name: OURS.to_owned(),
                kind
            }
        );
    }
    let taken = spec(json!({"databases": [{"name": OURS}]}));
    insta::assert_snapshot!(
        taken.insert_job(&our_job()).unwrap_err(),
        @"the name `migrate-k3f9q2x7-e0` belongs to a database of the app"
    );
}

#[test]
fn jobs_that_are_not_a_list_are_never_overwritten() {
    let odd = spec(json!({"jobs": {"a": 1}}));
    insta::assert_snapshot!(
        odd.insert_job(&our_job()).unwrap_err(),
        @"`jobs` of the app spec is an object, not a list"
    );
}

#[test]
fn a_job_copies_source_build_and_size_and_takes_only_the_variables_it_is_given() {
    let reference = spec(json!({"services": [{
        "name": "web", "github": {"repo": "acme/shop", "branch": "main", "deploy_on_push": true},
        "dockerfile_path": "Dockerfile", "source_dir": "/", "build_command": "make",
        "environment_slug": "node-js", "http_port": 3000, "instance_size_slug": "apps-s-1vcpu-1gb",
        "instance_count": 3, "routes": [{"path": "/"}], "health_check": {"http_path": "/health"},
        "envs": [
            {"value": "EV[1:bm9uY2U=:Y2lw]", "key": "JWT_SECRET", "type": "SECRET", "scope": "RUN_TIME"},
            {"key": "OTHER", "value": "x"}
        ]
    }]}));
    let web = reference.component("web").unwrap();
    let job = JobComponent::copy_of(&web, name(OURS))
        .unwrap()
        .kind(JobKind::PreDeploy)
        .run_command("sh -c 'true'")
        .env(Env::general(
            "DATABASE_URL",
            "${db.DATABASE_URL}",
            &EnvScope::RunTime,
        ))
        .copy_env(&web.env("JWT_SECRET").unwrap())
        .env(Env::secret("TOKEN", "plain", &EnvScope::RunTime))
        .timeout(Duration::from_secs(5400))
        .termination_grace(Duration::from_secs(120))
        .build()
        .unwrap();
    assert_eq!(job.env_value("DATABASE_URL"), Some("${db.DATABASE_URL}"));
    assert_eq!(job.kind(), JobKind::PreDeploy);
    insta::assert_snapshot!(format!("{:#}", job.to_value()), @r#"
    {
      "name": "migrate-k3f9q2x7-e0",
      "kind": "PRE_DEPLOY",
      "github": {
        "repo": "acme/shop",
        "branch": "main",
        "deploy_on_push": false
      },
      "dockerfile_path": "Dockerfile",
      "source_dir": "/",
      "build_command": "make",
      "environment_slug": "node-js",
      "run_command": "sh -c 'true'",
      "envs": [
        {
          "key": "DATABASE_URL",
          "scope": "RUN_TIME",
          "value": "${db.DATABASE_URL}"
        },
        {
          "value": "EV[1:bm9uY2U=:Y2lw]",
          "key": "JWT_SECRET",
          "type": "SECRET",
          "scope": "RUN_TIME"
        },
        {
          "key": "TOKEN",
          "scope": "RUN_TIME",
          "value": "plain",
          "type": "SECRET"
        }
      ],
      "instance_size_slug": "apps-s-1vcpu-1gb",
      "instance_count": 1,
      "timeout": "1h30m",
      "termination": {
        "grace_period_seconds": 120
      }
    }
    "#);
}

#[test]
fn an_image_source_is_pinned_by_digest_in_place_of_its_tag() {
    let reference = spec(json!({"workers": [{
        "name": "worker",
        "image": {"registry_type": "GHCR", "tag": "v1", "repository": "acme/shop",
                  "registry_credentials": "EV[1:a:b]", "deploy_on_push": {"enabled": true}}
    }]}));
    let worker = reference.component("worker").unwrap();
    let pinned = JobComponent::copy_of(&worker, name(OURS))
        .unwrap()
        .image_digest("sha256:00")
        .build()
        .unwrap();
    assert_eq!(
        pinned.raw()["image"].to_string(),
        r#"{"registry_type":"GHCR","repository":"acme/shop","registry_credentials":"EV[1:a:b]","digest":"sha256:00"}"#
    );
    let by_tag = JobComponent::copy_of(&worker, name(OURS))
        .unwrap()
        .build()
        .unwrap();
    assert_eq!(by_tag.raw()["image"]["tag"], "v1");
    assert_eq!(by_tag.raw()["image"].get("deploy_on_push"), None);
}

#[test]
fn a_job_that_the_platform_would_refuse_is_not_made() {
    let shop = shop();
    let job = || JobComponent::copy_of(&shop.component("web").unwrap(), name(OURS)).unwrap();
    let env = |key: &str| Env::general(key, "1", &EnvScope::RunTime);
    let errors = [
        JobComponent::copy_of(&shop.component("shop-db").unwrap(), name(OURS))
            .map(drop)
            .unwrap_err(),
        job().image_digest("sha256:00").build().unwrap_err(),
        job()
            .env(env("A"))
            .env(env("B"))
            .env(env("A"))
            .build()
            .unwrap_err(),
        job().env(env("1A")).build().unwrap_err(),
        job().env(env("A-B")).build().unwrap_err(),
        job()
            .termination_grace(Duration::from_secs(601))
            .build()
            .unwrap_err(),
        job().termination_grace(Duration::ZERO).build().unwrap_err(),
    ];
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    database `shop-db` has no source that a job could be built from
    job `migrate-k3f9q2x7-e0` is not made from an image, so it cannot be pinned to a digest
    job `migrate-k3f9q2x7-e0` has the variable `A` twice
    job `migrate-k3f9q2x7-e0` cannot have a variable named "1A"
    job `migrate-k3f9q2x7-e0` cannot have a variable named "A-B"
    job `migrate-k3f9q2x7-e0` cannot have 601 seconds between TERM and KILL: the platform takes 1 to 600
    job `migrate-k3f9q2x7-e0` cannot have 0 seconds between TERM and KILL: the platform takes 1 to 600
    "#);
}

#[test]
fn secrets_that_a_write_would_wipe_are_named() {
    assert!(shop().secrets_without_value().is_empty());
    let wiping = spec(json!({
        "envs": [{"key": "A", "type": "SECRET"}],
        "services": [{"name": "web", "envs": [
            {"key": "B", "type": "SECRET", "value": ""},
            {"key": "C", "type": "SECRET", "value": "EV[1:a:b]"},
            {"key": "D"}
        ]}],
        "functions": [{"name": "fn", "envs": [{"key": "E", "type": "SECRET", "value": null}]}],
    }));
    assert_eq!(
        wiping.secrets_without_value(),
        ["envs[A]", "services[web].envs[B]", "functions[fn].envs[E]"]
    );
}
