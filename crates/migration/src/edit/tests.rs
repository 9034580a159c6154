use super::*;
use crate::planner::fixture::{
    NOW, Past, World, component, manifest, planned, request, spec, time, told,
};
use crate::{Epoch, HealthCheck, Intent, OnFailure};
use app_spec::changes;
use proptest::prelude::*;
use secrecy::SecretString;

fn live(value: &Value) -> AppSpec {
    AppSpec::from_value(value.clone()).unwrap()
}

fn ours(plan: &Plan) -> Vec<ComponentName> {
    vec![plan.job().component()]
}

/// The job that the edit puts in, as JSON.
fn job_of(plan: &Plan, world: &World) -> Value {
    let edited = insertion(plan, &live(&world.spec), time(NOW)).unwrap();
    let name = plan.job().to_string();
    Value::Object(edited.job(&name).unwrap().raw().clone())
}

fn env(job: &Value, key: &str) -> Option<String> {
    let envs = job["envs"].as_array().unwrap();
    let env = envs.iter().find(|env| env["key"] == key)?;
    Some(env["value"].as_str().unwrap().to_owned())
}

#[test]
fn the_job_copies_the_reference_component_and_nothing_that_serves() {
    let plan = planned(&request(), &World::new());
    let mut job = job_of(&plan, &World::new());
    for env in job["envs"].as_array_mut().unwrap() {
        if env["key"]
            .as_str()
            .unwrap()
            .starts_with("HARBOR_PILOT_SCRIPT")
        {
            env["value"] = json!("<script>");
        }
    }
    insta::assert_snapshot!(format!("{job:#}").replace(plan.key.as_str(), "<key>"), @r#"
    {
      "name": "migrate-<key>-e0",
      "kind": "POST_DEPLOY",
      "github": {
        "repo": "acme/terp",
        "branch": "main",
        "deploy_on_push": false
      },
      "dockerfile_path": "Dockerfile",
      "run_command": "sh -c 'eval \"$(printf %b \"$HARBOR_PILOT_SCRIPT\")\"'",
      "envs": [
        {
          "key": "DATABASE_URL",
          "scope": "RUN_TIME",
          "value": "${terp-mysql-db.DATABASE_URL}"
        },
        {
          "key": "NODE_ENV",
          "value": "production"
        },
        {
          "key": "HARBOR_PILOT_SCRIPT",
          "scope": "RUN_TIME",
          "value": "<script>"
        },
        {
          "key": "HARBOR_PILOT_NOT_AFTER",
          "scope": "RUN_TIME",
          "value": "1771376760"
        },
        {
          "key": "HARBOR_PILOT_COMMIT",
          "scope": "RUN_TIME",
          "value": "${_self.COMMIT_HASH}"
        },
        {
          "key": "HARBOR_PILOT_REFERENCE_COMMIT",
          "scope": "RUN_TIME",
          "value": "${web.COMMIT_HASH}"
        },
        {
          "key": "HARBOR_PILOT_PLANNED_COMMIT",
          "scope": "RUN_TIME",
          "value": "0123456789abcdef0123456789abcdef01234567"
        },
        {
          "key": "HARBOR_PILOT_RUN",
          "scope": "RUN_TIME",
          "value": "{\"version\":1,\"key\":\"<key>\",\"epoch\":0,\"nonce\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"migration\":\"ter-235\",\"steps\":[{\"name\":\"columns\",\"digest\":\"9493f4efaa041028\"},{\"name\":\"backfill\",\"digest\":\"8573b77cc2b63881\"}],\"mode\":\"steps\",\"authority\":\"merge:fix\",\"pr\":428,\"sha\":\"0123456789abcdef0123456789abcdef01234567\",\"repository\":\"acme/terp\",\"not_after\":1771376760}"
        }
      ],
      "instance_size_slug": "apps-s-1vcpu-1gb",
      "instance_count": 1,
      "timeout": "30m",
      "termination": {
        "grace_period_seconds": 120
      }
    }
    "#);
}

#[test]
fn every_choice_reaches_the_job() {
    let mut request = request();
    request.settings.kind = Kind::PreDeploy;
    request.settings.instance_size = Some("apps-s-2vcpu-4gb".to_owned());
    request.settings.job_timeout = Duration::from_secs(90 * 60);
    request.settings.env = vec![
        "JWT_SECRET".to_owned(),
        "NODE_ENV".to_owned(),
        "DATABASE_URL".to_owned(),
    ];
    request.settings.secret_env = vec![("EXTRA".to_owned(), SecretString::from("hunter2hunter2"))];
    let job = job_of(&planned(&request, &World::new()), &World::new());
    assert_eq!(job["kind"], "PRE_DEPLOY");
    assert_eq!(job["instance_size_slug"], "apps-s-2vcpu-4gb");
    assert_eq!(job["timeout"], "1h30m");
    let envs = job["envs"].as_array().unwrap();
    assert_eq!(
        envs[0],
        json!({"key": "DATABASE_URL", "scope": "RUN_TIME", "value": "${terp-mysql-db.DATABASE_URL}"})
    );
    assert_eq!(envs[1], json!({"key": "NODE_ENV", "value": "production"}));
    assert_eq!(envs[2], spec()["services"][0]["envs"][2], "byte for byte");
    assert_eq!(
        envs[3],
        json!({"key": "EXTRA", "scope": "RUN_TIME", "value": "hunter2hunter2", "type": "SECRET"})
    );
    let keys: Vec<&str> = envs
        .iter()
        .map(|env| env["key"].as_str().unwrap())
        .collect();
    assert_eq!(
        keys.iter()
            .filter(|key| **key == "NODE_ENV" || **key == "DATABASE_URL")
            .count(),
        2
    );
}

#[test]
fn the_job_says_what_it_is_and_when_its_lease_ends() {
    let plan = planned(&request(), &World::new());
    let job = job_of(&plan, &World::new());
    let record: RunRecord = serde_json::from_str(&env(&job, RunRecord::VARIABLE).unwrap()).unwrap();
    // The live deployment took eight minutes: twice that, and a quarter of an hour.
    let not_after = time("2026-02-18T01:06:00Z").as_second();
    assert_eq!(record.not_after, not_after);
    assert_eq!(
        env(&job, "HARBOR_PILOT_NOT_AFTER").unwrap(),
        not_after.to_string()
    );
    assert_eq!(record.job(), plan.job());
    assert_eq!(
        (record.nonce, record.authority, record.epoch),
        (plan.nonce.clone(), plan.authority.clone(), Epoch(0))
    );
    assert_eq!(record.steps, plan.step_refs());
    assert_eq!(
        (record.pr, record.repository.as_deref()),
        (Some(428), Some("acme/terp"))
    );
    let edited = insertion(&plan, &live(&World::new().spec), time(NOW)).unwrap();
    assert_eq!(
        RunRecord::all(&edited).len(),
        1,
        "the platform's copy is recognised as ours"
    );
}

/// `${…}` is the platform's own syntax: the only ones that may stand in our variables are the two bindings.
#[test]
fn no_binding_stands_in_the_script_or_the_record() {
    let mut request = request();
    request.manifest =
        manifest("steps: [{name: columns, run: 'echo ${DATABASE_URL} $(date) $HOME'}]");
    request.origin.repository = Some("acme/${terp-mysql-db.PASSWORD}".to_owned());
    let job = job_of(&planned(&request, &World::new()), &World::new());
    for env in job["envs"].as_array().unwrap() {
        let (key, value) = (env["key"].as_str().unwrap(), env["value"].as_str().unwrap());
        match key {
            "DATABASE_URL" | "HARBOR_PILOT_COMMIT" | "HARBOR_PILOT_REFERENCE_COMMIT" => {
                assert!(value.starts_with("${"))
            }
            _ => assert!(!value.contains('$'), "{key}={value}"),
        }
    }
}

#[test]
fn a_check_is_contained() {
    let mut request = request();
    request.intent = Intent::Check;
    request.settings.on_failure = OnFailure::Fail;
    let job = job_of(&planned(&request, &World::new()), &World::new());
    let script = env(&job, "HARBOR_PILOT_SCRIPT").unwrap();
    assert!(script.contains("_hp_strict=0"), "{script}");
    assert!(script.contains("_hp_steps=0"), "{script}");
}

#[test]
fn without_a_shell_the_bare_command_runs() {
    let mut request = request();
    request.settings.shell = Shell::None;
    let job = job_of(&planned(&request, &World::new()), &World::new());
    assert_eq!(job["run_command"], "npx tsx scripts/columns.ts");
    assert_eq!(env(&job, "HARBOR_PILOT_SCRIPT"), None);
    assert!(env(&job, RunRecord::VARIABLE).is_some());
}

#[test]
fn declared_stale_jobs_leave_with_the_insert() {
    let mut request = request();
    request.settings.also_stale = vec![component("migration-job")];
    let stale = json!({"name": "migration-job", "github": {"repo": "acme/terp", "branch": "main"}});
    let kept = json!({"name": "nightly", "kind": "SCHEDULED", "schedule": {"cron": "0 3 * * *"}, "github": {"repo": "acme/terp", "branch": "main"}});
    let world = World::new().job(stale).job(kept.clone());
    let plan = planned(&request, &world);
    let edited = insertion(&plan, &live(&world.spec), time(NOW)).unwrap();
    let names: Vec<&str> = edited.jobs().map(|job| job.name()).collect();
    assert_eq!(names, ["nightly", &plan.job().to_string()]);
    let back = removal(&edited, &ours(&plan), None);
    assert!(back.is_identical(&live(&World::new().job(kept).spec)));
}

fn refused(plan: &Plan, spec: &Value) -> String {
    told(&insertion(plan, &live(spec), time(NOW)).unwrap_err()).replace(plan.key.as_str(), "<key>")
}

#[test]
fn what_is_not_there_any_more_is_refused() {
    let plan = planned(&request(), &World::new());
    let mut spec = World::new().spec;
    spec["databases"] = json!([]);
    insta::assert_snapshot!(refused(&plan, &spec), @r#"
    database-not-found (2)
    app `terp` no longer has the database `terp-mysql-db`
    name another with `database`
    "#);
    spec["services"] = json!([]);
    insta::assert_snapshot!(refused(&plan, &spec), @r#"
    component-not-found (2)
    app `terp` no longer has the component `web`
    name another with `component`
    "#);
}

#[test]
fn a_variable_that_is_not_there_is_refused_with_those_that_are() {
    let mut plan = planned(&request(), &World::new());
    plan.request.settings.env = vec!["JWT_SECRT".to_owned(), "NODE_ENV".to_owned()];
    insta::assert_snapshot!(refused(&plan, &World::new().spec), @r#"
    usage (2)
    component `web` of app `terp` has no variable `JWT_SECRT` to copy
    it has `DATABASE_URL`, `NODE_ENV`, `JWT_SECRET`
    "#);
    let mut spec = World::new().spec;
    spec["services"][0]["envs"] = json!([]);
    insta::assert_snapshot!(refused(&plan, &spec), @r#"
    usage (2)
    component `web` of app `terp` has no variable `JWT_SECRT`, `NODE_ENV` to copy
    it has no variables of its own; leave `env` empty
    "#);
}

#[test]
fn a_variable_of_the_whole_app_needs_no_copy() {
    let mut plan = planned(&request(), &World::new());
    plan.request.settings.env = vec!["REGION".to_owned()];
    let mut world = World::new();
    world.spec["envs"] = json!([{"key": "REGION", "value": "nyc"}]);
    assert_eq!(env(&job_of(&plan, &world), "REGION"), None);
}

#[test]
fn a_variable_that_is_given_twice_is_refused() {
    let mut plan = planned(&request(), &World::new());
    plan.request.settings.env = vec!["JWT_SECRET".to_owned()];
    plan.request.settings.secret_env = vec![("JWT_SECRET".to_owned(), SecretString::from("x"))];
    insta::assert_snapshot!(refused(&plan, &World::new().spec), @r#"
    usage (2)
    the variable `JWT_SECRET` is given twice: by `secret-env`, and copied from `web`
    take it out of one of them
    "#);
}

#[test]
fn a_secret_is_never_wiped() {
    let plan = planned(&request(), &World::new());
    let mut spec = World::new().spec;
    spec["services"][0]["envs"][2]
        .as_object_mut()
        .unwrap()
        .shift_remove("value");
    insta::assert_snapshot!(refused(&plan, &spec), @r#"
    spec-refused (2)
    cannot update app `terp`: its spec has a secret without a value at `services[web].envs[JWT_SECRET]`, and sending it would wipe the secret
    read the app with a token that may see its whole spec, or set the secret anew in the control panel
    "#);
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let plan = planned(&request(), &World::new());
    let mut spec = World::new().spec;
    spec["workers"] = json!([{"name": plan.job().to_string()}]);
    insta::assert_snapshot!(refused(&plan, &spec), @r#"
    name-taken (11)
    app `terp` has a worker named `migrate-<key>-e0`, which is not ours
    rename it; names of this form are kept for temporary jobs
    "#);
}

#[test]
fn commands_that_no_variable_holds_are_refused() {
    let mut plan = planned(&request(), &World::new());
    plan.steps[0].run = "é".repeat(30_000);
    insta::assert_snapshot!(refused(&plan, &World::new().spec), @r#"
    bad-manifest (2)
    the commands of `ter-235` come to 297 KiB in the form they travel in, and one environment variable holds 115
    put the commands into scripts of the repository and let the steps call them
    "#);
}

#[test]
fn commands_that_a_variable_just_holds_are_sent() {
    let world = World::new();
    let mut plan = planned(&request(), &world);
    plan.steps.truncate(1);
    let script = |plan: &Plan| env(&job_of(plan, &world), "HARBOR_PILOT_SCRIPT").unwrap();
    plan.steps[0].run = String::new();
    let room = MAX_SCRIPT_BYTES - script(&plan).len();
    plan.steps[0].run = "x".repeat(room);
    assert_eq!(script(&plan).len(), MAX_SCRIPT_BYTES);
    plan.steps[0].run.push('x');
    assert!(refused(&plan, &world.spec).starts_with("bad-manifest"));
}

/// What the platform does with an encrypted value elsewhere is not known: the job looks before it runs anything.
#[test]
fn the_job_checks_the_variables_it_can_not_do_without() {
    let mut world = World::new();
    let envs = world.spec["services"][0]["envs"].as_array_mut().unwrap();
    envs.push(json!({"key": "EMPTY", "value": ""}));
    envs.push(json!({"key": "BUILD_ONLY", "scope": "BUILD_TIME", "value": "x"}));
    let mut request = request();
    request.settings.env = ["JWT_SECRET", "EMPTY", "BUILD_ONLY"]
        .map(str::to_owned)
        .into();
    request.settings.secret_env = vec![("EXTRA".to_owned(), SecretString::from("hunter2hunter2"))];
    let script = env(
        &job_of(&planned(&request, &world), &world),
        "HARBOR_PILOT_SCRIPT",
    )
    .unwrap();
    let checked: Vec<&str> = script
        .split("_hp_need ")
        .skip(1)
        .filter_map(|rest| rest.split(' ').next())
        .collect();
    assert_eq!(checked, ["DATABASE_URL", "JWT_SECRET", "EXTRA"]);
}

#[test]
fn only_what_is_ours_or_declared_is_taken_out() {
    let name = Past::epoch(0).job()["name"].as_str().unwrap().to_owned();
    let impostor = json!({"name": name, "github": {"repo": "acme/terp", "branch": "main"}});
    let jobs = [component(&name), component("migration-job")];
    let spec = live(
        &World::new()
            .job(impostor)
            .job(json!({"name": "migration-job"}))
            .job(json!({"name": "other"}))
            .spec,
    );
    let left: Vec<String> = removal(&spec, &jobs, None)
        .jobs()
        .map(|job| job.name().to_owned())
        .collect();
    assert_eq!(
        left,
        [name.as_str(), "other"],
        "without our record the name alone is nothing"
    );
    let spec = live(&World::new().job(Past::epoch(0).job()).spec);
    assert!(removal(&spec, &jobs, None).is_identical(&live(&World::new().spec)));
    assert!(
        removal(&live(&World::new().spec), &jobs, None).is_identical(&live(&World::new().spec))
    );
}

#[test]
fn the_shown_diff_is_one_job_without_secrets_and_the_same_each_time() {
    let mut request = request();
    request.settings.env = vec!["JWT_SECRET".to_owned()];
    request.settings.secret_env = vec![("EXTRA".to_owned(), SecretString::from("hunter2hunter2"))];
    let world = World::new();
    let mut plan = planned(&request, &world);
    let shown = plan_diff(&plan, &live(&world.spec)).unwrap();
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(!shown.contains("EV["), "{shown}");
    insta::assert_snapshot!(shown.replace(plan.key.as_str(), "<key>"), @r#"
    --- before
    +++ after
    @@ -60,5 +60,77 @@
       },
       "features": [
         "buildpack-stack=ubuntu-22"
    +  ],
    +  "jobs": [
    +    {
    +      "name": "migrate-<key>-e0",
    +      "kind": "POST_DEPLOY",
    +      "github": {
    +        "repo": "acme/terp",
    +        "branch": "main",
    +        "deploy_on_push": false
    +      },
    +      "dockerfile_path": "Dockerfile",
    +      "run_command": "sh -c 'eval \"$(printf %b \"$HARBOR_PILOT_SCRIPT\")\"'",
    +      "envs": [
    +        {
    +          "key": "DATABASE_URL",
    +          "scope": "RUN_TIME",
    +          "value": "${terp-mysql-db.DATABASE_URL}"
    +        },
    +        {
    +          "key": "NODE_ENV",
    +          "value": "production"
    +        },
    +        {
    +          "key": "JWT_SECRET",
    +          "scope": "RUN_TIME",
    +          "type": "SECRET",
    +          "value": "<secret>"
    +        },
    +        {
    +          "key": "EXTRA",
    +          "scope": "RUN_TIME",
    +          "value": "<secret>",
    +          "type": "SECRET"
    +        },
    +        {
    +          "key": "HARBOR_PILOT_SCRIPT",
    +          "scope": "RUN_TIME",
    +          "value": "(the steps, wrapped)"
    +        },
    +        {
    +          "key": "HARBOR_PILOT_NOT_AFTER",
    +          "scope": "RUN_TIME",
    +          "value": "(set when the job is inserted)"
    +        },
    +        {
    +          "key": "HARBOR_PILOT_COMMIT",
    +          "scope": "RUN_TIME",
    +          "value": "${_self.COMMIT_HASH}"
    +        },
    +        {
    +          "key": "HARBOR_PILOT_REFERENCE_COMMIT",
    +          "scope": "RUN_TIME",
    +          "value": "${web.COMMIT_HASH}"
    +        },
    +        {
    +          "key": "HARBOR_PILOT_PLANNED_COMMIT",
    +          "scope": "RUN_TIME",
    +          "value": "0123456789abcdef0123456789abcdef01234567"
    +        },
    +        {
    +          "key": "HARBOR_PILOT_RUN",
    +          "scope": "RUN_TIME",
    +          "value": "(what the run says of itself)"
    +        }
    +      ],
    +      "instance_size_slug": "apps-s-1vcpu-1gb",
    +      "instance_count": 1,
    +      "timeout": "30m",
    +      "termination": {
    +        "grace_period_seconds": 120
    +      }
    +    }
       ]
     }
    "#);
    plan.nonce = crate::Nonce::from_bytes([1; 16]);
    assert_eq!(plan_diff(&plan, &live(&world.spec)).unwrap(), shown);
}

/// The editor is right as far as its own tests go; what is sent to the platform is looked at once more.
#[test]
fn an_edit_that_does_more_than_it_should_is_seen() {
    let ours = ComponentName::from_platform("migrate-k3f9q2x7-e0");
    let stale = [ComponentName::from_platform("migration-job")];
    let before = live(&json!({"name": "shop", "region": "ams", "jobs": [
        {"name": "nightly", "kind": "SCHEDULED"}, {"name": "migration-job"}]}));
    let job = json!({"name": ours.as_str()});
    let nightly = json!({"name": "nightly", "kind": "SCHEDULED"});
    let after = |region: &str, jobs: &[&Value]| {
        let edited = live(&json!({"name": "shop", "region": region, "jobs": jobs}));
        only_jobs_differ(&before, &edited, &ours, &stale)
    };
    assert!(after("ams", &[&nightly, &job]));
    assert!(!after("fra", &[&nightly, &job]), "another region");
    assert!(!after("ams", &[&job]), "a job of others is gone");
    let changed = json!({"name": "nightly", "kind": "POST_DEPLOY"});
    assert!(!after("ams", &[&changed, &job]), "a job of others changed");
    let other = json!({"name": "other"});
    assert!(!after("ams", &[&nightly, &other, &job]), "a job too many");
    assert!(!after("ams", &[&nightly]), "ours is not in");
    assert!(!after("ams", &[&nightly, &job, &job]), "ours is in twice");
}

/// A spec as a person or another tool may have left it: jobs absent, null, empty or several, and fields we don't know.
fn specs() -> impl proptest::strategy::Strategy<Value = Value> {
    let job = prop_oneof![
        Just(
            json!({"name": "nightly", "kind": "SCHEDULED", "github": {"repo": "a/b", "branch": "main"}, "envs": []})
        ),
        Just(
            json!({"name": "page", "kind": "FAILED_DEPLOY", "image": {"repository": "x"}, "run_command": null})
        ),
        Just(
            json!({"name": "twelfth", "kind": "SCHEDULED", "new_field": {"b": [1, 2.50, null], "a": ""}})
        ),
    ];
    let jobs = prop_oneof![
        Just(None),
        Just(Some(Value::Null)),
        Just(Some(json!([]))),
        prop::collection::vec(job, 1..4).prop_map(|jobs| {
            let mut seen = std::collections::BTreeSet::new();
            Some(
                jobs.into_iter()
                    .filter(|job| seen.insert(job["name"].to_string()))
                    .collect(),
            )
        }),
    ];
    let extra = prop::collection::vec(
        (
            "[a-z_]{3,12}",
            prop_oneof![
                Just(Value::Null),
                Just(json!([])),
                Just(json!({"z": 1, "a": "EV[1:x:y]"}))
            ],
        ),
        0..4,
    );
    (jobs, 0usize..8, extra).prop_map(|(jobs, place, extra)| {
        let mut spec: Vec<(String, Value)> =
            spec().as_object().unwrap().clone().into_iter().collect();
        for (key, value) in extra {
            if key != "jobs"
                && spec.iter().all(|(known, _)| *known != key)
                && !["envs", "workers", "functions"].contains(&key.as_str())
            {
                spec.push((key, value));
            }
        }
        if let Some(jobs) = jobs {
            spec.insert(place.min(spec.len()), ("jobs".to_owned(), jobs));
        }
        Value::Object(spec.into_iter().collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn taking_the_job_out_again_restores_the_spec(spec in specs()) {
        let mut world = World::new();
        world.spec = spec;
        let mut request = request();
        request.settings.health = HealthCheck::Off;
        let plan = planned(&request, &world);
        let before = live(&world.spec);
        let edited = insertion(&plan, &before, time(NOW)).unwrap();
        let paths: Vec<String> = changes(&before, &edited).into_iter().map(|change| change.path).collect();
        prop_assert_eq!(paths, [format!("jobs[{}]", plan.job())]);
        let back = removal(&edited, &ours(&plan), Some(&before));
        prop_assert!(back.is_identical(&before), "{} became {}", before.to_value(), back.to_value());
        let unaided = removal(&edited, &ours(&plan), None);
        prop_assert_eq!(unaided.fingerprint(), before.fingerprint());
        prop_assert_eq!(crate::baseline(&unaided, &[]), plan.baseline);
    }
}
