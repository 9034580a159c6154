//! What the verdict says.

use super::*;

#[test]
fn what_the_deployment_came_to_is_told_by_its_phase_and_its_jobs_step() {
    let jobs = [job(NONCE)];
    let told = |phase: &str, step: Option<&str>, evidence: Evidence| {
        let mut own = deployment("d2", phase, "00:31:00", &jobs);
        match step {
            Some(step) => own = job_step(own, step, None),
            None => own["progress"] = Value::Null,
        }
        let rows = [
            deployment("d3", "ACTIVE", "00:42:00", &[]),
            own,
            deployment("d1", "SUPERSEDED", "00:10:00", &[]),
        ];
        let world = inserted(seen("00:50:00", &[], "d3", &rows), "00:31:00", ours());
        let verdict = verdict(next(&goal(), &with_log(world, "d2", evidence)));
        (verdict.deployment, verdict.reason)
    };
    use DeploymentAxis as D;
    assert_eq!(
        told("SUPERSEDED", Some("SUCCESS"), all_done()),
        (D::Active, Reason::Done)
    );
    assert_eq!(
        told("SUPERSEDED", None, all_done()),
        (D::Active, Reason::Done)
    );
    assert_eq!(
        told("SUPERSEDED", Some("PENDING"), Evidence::default()),
        (D::Cancelled, Reason::Superseded)
    );
    assert_eq!(
        told("CANCELED", Some("PENDING"), Evidence::default()),
        (D::Cancelled, Reason::Superseded)
    );
    assert_eq!(
        told("ERROR", Some("PENDING"), Evidence::default()),
        (D::Failed, Reason::NeverStarted)
    );
    assert_eq!(
        told("ERROR", Some("ERROR"), backfill_failed()),
        (D::Failed, Reason::MigrationFailed)
    );
}

/// What was taken out before the job went in was another job.
#[test]
fn only_what_came_after_the_job_can_have_taken_it_out() {
    let rows = [
        deployment("d3", "ACTIVE", "00:42:00", &[]),
        deployment("d2", "SUPERSEDED", "00:31:00", &[job(NONCE)]),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let named = |at: &str, id: &str| {
        let world = seen("00:50:00", &[], "d3", &rows);
        let mut world = with_log(inserted(world, "00:31:00", ours()), "d2", all_done());
        world.doings.removals = vec![removal(at, PutResult::Applied(Some(d(id))))];
        verdict(next(&goal(), &world)).facts.clean_up
    };
    assert_eq!(named("00:42:00", "d3"), Some(d("d3")));
    assert_eq!(named("00:31:00", "d3"), Some(d("d3")));
    assert_eq!(named("00:30:59", "d1"), None);
}

#[test]
fn a_run_whose_deployment_nobody_shows_says_so() {
    let world = inserted(quiet("00:40:00"), "00:31:00", ours());
    assert_eq!(
        verdict(next(&goal(), &world)).deployment,
        DeploymentAxis::Unknown
    );
    let refused = inserted(quiet("00:40:00"), "00:31:00", PutResult::NotApplied);
    let mut refused = refused;
    refused.doings.insert_refused = Some(PutRefused::Access);
    let ended = verdict(next(&goal(), &refused));
    assert_eq!(
        (ended.deployment, ended.reason),
        (DeploymentAxis::None, Reason::MissingScope)
    );
}

#[test]
fn what_we_cancelled_ourselves_ran_out_of_time() {
    let jobs = [job(NONCE)];
    let told = |step: &str, evidence: Evidence, cancelled: bool| {
        let rows = [
            deployment("d3", "ACTIVE", "00:42:00", &[]),
            job_step(deployment("d2", "CANCELED", "00:31:00", &jobs), step, None),
            deployment("d1", "SUPERSEDED", "00:10:00", &[]),
        ];
        let world = inserted(seen("00:50:00", &[], "d3", &rows), "00:31:00", ours());
        let mut world = with_log(world, "d2", evidence);
        if cancelled {
            world.doings.cancelled.push(d("d2"));
        }
        verdict(next(&goal(), &world)).reason
    };
    let cut = || Evidence {
        begins: 1,
        steps: vec![ran("columns", None)],
        ..Evidence::default()
    };
    assert_eq!(told("RUNNING", cut(), true), Reason::JobTimedOut);
    assert_eq!(told("RUNNING", cut(), false), Reason::Unproven);
    assert_eq!(
        told("PENDING", Evidence::default(), true),
        Reason::StartTimedOut
    );
    assert_eq!(
        told("PENDING", Evidence::default(), false),
        Reason::Superseded
    );
}

#[test]
fn a_run_that_ends_while_its_job_runs_is_detached() {
    let running = under_way("DEPLOYING", "RUNNING", Some("02:00:00"), "01:40:00");
    let stuck = at(running, "02:20:00");
    let ended = verdict(next(&goal(), &stuck));
    assert_eq!(
        (ended.job, ended.clean_up, ended.reason),
        (JobAxis::Running, CleanUpAxis::Blocked, Reason::Detached)
    );
    let mut swept = sweeping(stuck);
    let waiting = Goal::Clean(CleanUp {
        running: Running::Cancel,
        ..CleanUp::default()
    });
    swept.doings.cancelled.push(d("d2"));
    let ended = verdict(next(&waiting, &swept));
    assert_eq!(
        (ended.job, ended.reason),
        (JobAxis::Running, Reason::Detached)
    );
}

#[test]
fn a_run_that_ends_before_it_reads_the_log_of_an_ended_job_says_nothing_is_proven() {
    let mut world = under_way("ACTIVE", "SUCCESS", Some("00:31:00"), "00:31:00");
    world.stop = Some(Stop::Signal);
    let ended = verdict(next(&goal(), &world));
    assert_eq!(ended.job, JobAxis::Unproven { during: None });
}

#[test]
fn checks_alone_that_passed_are_told_as_that() {
    let mut plan = plan();
    plan.request.intent = Intent::Check;
    let checked = Evidence {
        begins: 1,
        checks: vec![ran("columns", Some(0))],
        done: Some(DoneMark {
            code: 0,
            ran: 0,
            of: 0,
        }),
        ..Evidence::default()
    };
    let mut record = record(NONCE);
    record.mode = RunMode::ChecksOnly;
    let job = json!({"name": job_name().to_string(), "kind": "POST_DEPLOY",
        "envs": [{"key": "HARBOR_PILOT_RUN", "value": serde_json::to_string(&record).unwrap()}]});
    let rows = [
        deployment("d3", "ACTIVE", "00:42:00", &[]),
        deployment("d2", "SUPERSEDED", "00:31:00", &[job]),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let world = inserted(seen("00:50:00", &[], "d3", &rows), "00:31:00", ours());
    let ended = verdict(next(
        &Goal::Migrate(Box::new(plan)),
        &with_log(world, "d2", checked),
    ));
    assert_eq!(
        (ended.job, ended.reason),
        (JobAxis::Done, Reason::ChecksPassed)
    );
}

#[test]
fn the_post_step_leaves_the_clean_up_deployment_to_itself() {
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d3", "BUILDING", "00:32:00", &[]),
        deployment("d2", "ACTIVE", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let world = seen("00:32:30", &[], "d2", &rows);
    let mut world = with_log(inserted(world, "00:31:00", ours()), "d2", all_done());
    world.doings.removals = vec![removal("00:32:00", PutResult::Applied(Some(d("d3"))))];
    let post = in_mode(world.clone(), Mode::Post);
    let ended = verdict(next(&goal(), &post));
    assert_eq!(
        (ended.clean_up, ended.reason),
        (CleanUpAxis::Sent, Reason::Done)
    );
    let ended = verdict(next(&sweep(), &post));
    assert_eq!(
        (ended.clean_up, ended.reason),
        (CleanUpAxis::Sent, Reason::Cleaned)
    );
    let late = sweeping(at(world, "01:02:00"));
    let ended = verdict(next(&sweep(), &late));
    assert_eq!(
        (ended.clean_up, ended.reason),
        (CleanUpAxis::Sent, Reason::CleanUpNotProven)
    );
}

#[test]
fn a_pinned_app_stops_the_sweeper_only_where_something_is_to_be_taken_out() {
    let jobs = [job(NONCE)];
    let pinned = |jobs: &[Value]| {
        let rows = [deployment("d1", "ACTIVE", "00:00:00", &[])];
        let mut world = sweeping(seen("00:31:00", jobs, "d1", &rows));
        if let AppView::Present(app) = &mut world.app {
            app.pinned = app.active.clone();
        }
        verdict(next(&sweep(), &world)).reason
    };
    assert_eq!(pinned(&jobs), Reason::Pinned);
    assert_eq!(pinned(&[]), Reason::Cleaned);
}

#[test]
fn edits_of_others_meanwhile_are_told_by_their_place() {
    let edited = |rows: &[Value], attempted: bool| {
        let mut world = seen("00:50:00", &[], "d3", rows);
        if attempted {
            world = inserted(world, "00:31:00", ours());
        }
        let mut world = with_log(world, "d2", all_done());
        if let AppView::Present(app) = &mut world.app {
            let mut spec = app.spec.raw().clone();
            spec.insert("region".to_owned(), json!("ams"));
            app.spec = app_spec::AppSpec::from(spec);
        }
        world.doings.repairs = vec![removal("00:45:00", PutResult::Applied(None)); 2];
        outcome::of_plan(
            &plan(),
            &world,
            &Care::of_plan(&plan(), &world),
            Some(Reason::Skipped),
        )
        .facts
        .changed_by_others
    };
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d3", "ACTIVE", "00:42:00", &[]),
        deployment("d2", "SUPERSEDED", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    assert_eq!(edited(&rows, true), ["region"]);
    let bare: Vec<Value> = rows
        .iter()
        .cloned()
        .map(|mut row| {
            row["spec"] = Value::Null;
            row
        })
        .collect();
    assert_eq!(
        edited(&bare, true),
        ["(the spec as it was before is no longer in the deployment history)"]
    );
    assert_eq!(edited(&bare[2..], false), [""; 0]);
}

#[test]
fn put_back_is_said_only_once_it_is_proven() {
    let world = put_back(all_done());
    assert_eq!(crate::put_back(&plan(), &world), Some(Vec::new()));
    let mut edited = world.clone();
    if let AppView::Present(app) = &mut edited.app {
        let mut spec = app.spec.raw().clone();
        spec.insert("region".to_owned(), json!("ams"));
        app.spec = app_spec::AppSpec::from(spec);
    }
    assert_eq!(
        crate::put_back(&plan(), &edited),
        Some(vec!["region".to_owned()])
    );
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d2", "ACTIVE", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let in_spec = inserted(seen("00:50:00", &jobs, "d2", &rows), "00:31:00", ours());
    assert_eq!(crate::put_back(&plan(), &in_spec), None);
    let in_live = inserted(seen("00:50:00", &[], "d2", &rows), "00:31:00", ours());
    assert_eq!(crate::put_back(&plan(), &in_live), None);
}

#[test]
fn a_declared_stale_job_that_was_never_touched_is_not_ours_to_answer_for() {
    let stale = [json!({"name": "migration-job", "kind": "POST_DEPLOY"})];
    let mut plan = plan();
    plan.request.settings.also_stale = vec![ComponentName::from_platform("migration-job")];
    let rows = [deployment("d1", "ACTIVE", "00:10:00", &stale)];
    let mut world = seen("00:31:00", &stale, "d1", &rows);
    world.stop = Some(Stop::Signal);
    let goal = Goal::Migrate(Box::new(plan));
    assert_eq!(
        verdict(next(&goal, &world)).clean_up,
        CleanUpAxis::NotNeeded
    );
    let sent = inserted(world, "00:30:30", ours());
    let ended = verdict(next(&goal, &at(sent, "00:40:00")));
    assert_eq!(ended.clean_up, CleanUpAxis::Blocked);
}
