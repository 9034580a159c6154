//! A deployment that carries the job: followed, cancelled, its log read, its rollback waited for.

use super::*;

#[test]
fn a_redeployment_that_shows_before_our_own_is_not_taken_for_it() {
    let stop = Goal::Clean(CleanUp {
        running: Running::Cancel,
        ..CleanUp::default()
    });
    let jobs = [job(NONCE)];
    let shown = |action: Option<&str>| {
        let mut newest = deployment("d2", "BUILDING", "00:31:00", &jobs);
        if let Some(name) = action {
            newest["cause_details"]["digitalocean_user_action"] =
                json!({"name": name, "user": {"email": "dev@example.com"}});
        }
        let rows = [newest, deployment("d1", "ACTIVE", "00:10:00", &[])];
        next(&stop, &sweeping(seen("00:31:30", &jobs, "d1", &rows)))
    };
    assert_eq!(shown(Some("UPDATE_SPEC")), cancel());
    assert_eq!(shown(None), cancel());
    let followed = shown(Some("CREATE_DEPLOYMENT"));
    assert!(
        matches!(waits_for(&followed), WaitFor::Job(id, _) if *id == d("d2")),
        "{followed:?}"
    );
}

#[test]
fn a_deployment_that_the_list_does_not_show_yet_is_cancelled_only_by_who_knows_it_for_its_own() {
    let stop = Goal::Clean(CleanUp {
        running: Running::Cancel,
        ..CleanUp::default()
    });
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d2", "BUILDING", "00:31:00", &jobs),
        deployment("d1", "ACTIVE", "00:10:00", &[]),
    ];
    let mut world = sweeping(seen("00:31:30", &jobs, "d1", &rows));
    assert_eq!(next(&stop, &world), cancel());
    world.unlisted = vec![d("d2")];
    let followed = next(&stop, &world);
    assert!(
        matches!(waits_for(&followed), WaitFor::Job(id, _) if *id == d("d2")),
        "{followed:?}"
    );
    let mut own = under_way("BUILDING", "PENDING", Some("00:31:00"), "00:31:00");
    own.now = after(time("00:31:01"), bounds::BUILD);
    own.unlisted = vec![d("d2")];
    assert_eq!(next(&goal(), &own), cancel(), "the reply named it");
}

#[test]
fn our_own_deployment_is_cancelled_once_when_it_is_past_the_bound_of_its_phase() {
    for (phase, step, bound) in [
        ("PENDING_BUILD", "PENDING", bounds::PENDING_BUILD),
        ("BUILDING", "PENDING", bounds::BUILD),
        ("PENDING_DEPLOY", "PENDING", bounds::DEPLOY),
        ("DEPLOYING", "PENDING", bounds::DEPLOY),
        (
            "DEPLOYING",
            "RUNNING",
            plan().request.settings.job_timeout + bounds::JOB_SLACK,
        ),
    ] {
        let mut world = under_way(phase, step, Some("00:31:00"), "00:31:00");
        world.now = after(time("00:31:00"), bound);
        let waits = next(&goal(), &world);
        assert!(
            matches!(waits_for(&waits), WaitFor::Job(id, _) if *id == d("d2")),
            "{phase} {step}"
        );
        world.now += SignedDuration::from_secs(1);
        assert_eq!(next(&goal(), &world), cancel(), "{phase} {step}");
        world.doings.cancelled.push(d("d2"));
        let waits = next(&goal(), &world);
        assert!(
            matches!(waits_for(&waits), WaitFor::Job(id, _) if *id == d("d2")),
            "{phase} {step}"
        );
    }
}

#[test]
fn a_job_that_has_started_has_its_own_time() {
    let world = under_way("DEPLOYING", "RUNNING", Some("01:20:00"), "00:31:00");
    let waits = next(&goal(), &at(world.clone(), "01:55:00"));
    assert_eq!(waits_for(&waits), &WaitFor::Job(d("d2"), Phase::Deploying));
    assert_eq!(next(&goal(), &at(world, "01:55:01")), cancel());
}

/// Ten minutes before the run's deadline the clean-up begins, but for a job that runs.
#[test]
fn a_deployment_that_has_not_reached_its_job_is_cancelled_when_the_clean_up_must_begin() {
    let building = under_way("BUILDING", "PENDING", None, "02:00:00");
    let waits = next(&goal(), &at(building.clone(), "02:09:59"));
    assert_eq!(waits_for(&waits), &WaitFor::Job(d("d2"), Phase::Building));
    assert_eq!(next(&goal(), &at(building, "02:10:00")), cancel());
    let running = under_way("DEPLOYING", "RUNNING", Some("02:00:00"), "01:50:00");
    let waits = next(&goal(), &at(running.clone(), "02:19:59"));
    assert_eq!(waits_for(&waits), &WaitFor::Job(d("d2"), Phase::Deploying));
    let ended = verdict(next(&goal(), &at(running, "02:20:00")));
    assert_eq!(
        (ended.job, ended.reason),
        (JobAxis::Running, Reason::Detached),
        "at the deadline it is left to itself"
    );
}

/// Whoever has slept through the deadline is given back what it slept, and takes its job out in it.
#[test]
fn what_a_process_stood_still_counts_against_no_bound_of_its_own() {
    let building = under_way("BUILDING", "PENDING", None, "03:00:00");
    let running = under_way("DEPLOYING", "RUNNING", Some("03:00:00"), "02:50:00");
    let clean = Goal::Clean(CleanUp {
        running: Running::Await,
        ..CleanUp::default()
    });
    // 110 minutes for the run, 60 for the sweep; ten of each are for the clean-up.
    for (goal, mode, slept, reserve, end) in [
        (goal(), Mode::Main, 60 * 60, "03:10:00", "03:20:00"),
        (clean.clone(), Mode::Sweep, 110 * 60, "03:10:00", "03:20:00"),
        (clean, Mode::Post, 156 * 60, "03:09:00", "03:10:00"),
    ] {
        let slept = |world: &Observed, now: &str| Observed {
            stood_still: Duration::from_secs(slept),
            ..in_mode(at(world.clone(), now), mode)
        };
        let waits = next(&goal, &slept(&building, "03:08:59"));
        assert_eq!(waits_for(&waits), &WaitFor::Job(d("d2"), Phase::Building));
        assert_eq!(wait_of(&waits).until, time(reserve));
        assert_eq!(next(&goal, &slept(&building, reserve)), cancel());
        let waits = next(&goal, &slept(&running, "03:09:59"));
        assert_eq!(waits_for(&waits), &WaitFor::Job(d("d2"), Phase::Deploying));
        let ended = verdict(next(&goal, &slept(&running, end)));
        assert_eq!(ended.job, JobAxis::Running);
    }
}

#[test]
fn a_short_run_keeps_half_of_its_time_for_the_clean_up() {
    let mut plan = plan();
    plan.request.settings.deadline = Duration::from_secs(14 * 60);
    plan.estimate = Estimate {
        to_start: Duration::from_secs(60),
        job: Duration::from_secs(60),
        clean_up: Duration::from_secs(60),
        measured: true,
    };
    let rows = [
        deployment("d2", "BUILDING", "00:30:00", &[]),
        deployment("d1", "ACTIVE", "00:10:00", &[]),
    ];
    let waits = next(
        &Goal::Migrate(Box::new(plan)),
        &seen("00:30:30", &[], "d1", &rows),
    );
    assert_eq!(wait_of(&waits).until, time("00:37:00"));
}

#[test]
fn the_post_step_waits_for_three_minutes_and_cancels_what_has_not_begun() {
    let clean = Goal::Clean(CleanUp {
        running: Running::Await,
        ..CleanUp::default()
    });
    let world = in_mode(
        under_way("BUILDING", "PENDING", None, "00:31:00"),
        Mode::Post,
    );
    for goal in [goal(), clean] {
        let waits = next(&goal, &at(world.clone(), "00:32:59"));
        assert_eq!(waits_for(&waits), &WaitFor::Job(d("d2"), Phase::Building));
        assert_eq!(next(&goal, &at(world.clone(), "00:33:00")), cancel());
    }
}

#[test]
fn the_post_step_leaves_a_push_that_carries_the_job_to_itself() {
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d3", "BUILDING", "00:32:00", &jobs),
        deployment("d2", "SUPERSEDED", "00:31:00", &jobs),
        deployment("d1", "ACTIVE", "00:10:00", &[]),
    ];
    let world = with_log(
        inserted(seen("00:32:30", &jobs, "d1", &rows), "00:31:00", ours()),
        "d2",
        all_done(),
    );
    assert_eq!(
        waits_for(&next(&goal(), &world)),
        &WaitFor::Job(d("d3"), Phase::Building)
    );
    // A removal now would cut its job short, and there is no time to wait for it.
    let ended = verdict(next(&goal(), &in_mode(world, Mode::Post)));
    assert_eq!(
        (ended.clean_up, ended.reason),
        (CleanUpAxis::Blocked, Reason::CleanUpNotProven)
    );
}

#[test]
fn a_job_is_waited_for_until_what_is_done_about_it_changes() {
    let world = under_way("BUILDING", "PENDING", None, "00:31:00");
    for (now, until) in [("00:31:30", "01:31:00"), ("01:31:00", "01:36:00")] {
        let waits = next(&goal(), &at(world.clone(), now));
        assert_eq!(wait_of(&waits).until, time(until), "{now}");
    }
}

#[test]
fn what_has_gone_on_for_long_is_looked_at_more_rarely() {
    let world = under_way("BUILDING", "PENDING", None, "00:31:00");
    for (now, poll) in [
        ("00:31:00", 5),
        ("00:31:50", 5),
        ("00:36:00", 30),
        ("00:41:00", 60),
        ("01:11:00", 60),
    ] {
        let waits = next(&goal(), &at(world.clone(), now));
        assert_eq!(wait_of(&waits).poll, Duration::from_secs(poll), "{now}");
    }
}

#[test]
fn an_insert_that_no_deployment_shows_yet_is_given_a_minute() {
    let sent = |now| inserted(quiet(now), "00:31:00", ours());
    let waits = next(&goal(), &sent("00:31:59"));
    assert_eq!(waits_for(&waits), &WaitFor::DoubtfulPut);
    let ended = verdict(next(&goal(), &sent("00:32:00")));
    assert_eq!(ended.job, JobAxis::Unproven { during: None });

    // The process that sent it is gone; its job is in the spec.
    let jobs = [job(NONCE)];
    let rows = [deployment("d1", "ACTIVE", "00:10:00", &[])];
    let found = |now| seen(now, &jobs, "d1", &rows);
    let waits = next(&goal(), &found("00:30:59"));
    assert_eq!(waits_for(&waits), &WaitFor::DoubtfulPut);
    assert_eq!(next(&goal(), &found("00:31:00")), remove());

    // Where nothing is, nothing is waited for.
    let ended = verdict(next(&sweep(), &sweeping(quiet("00:30:10"))));
    assert_eq!(ended.reason, Reason::Cleaned);
}

/// One after the other they would keep the job in a busy app for a minute each.
#[test]
fn the_logs_of_all_copies_of_a_job_are_asked_for_at_once() {
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d3", "ACTIVE", "00:33:00", &jobs),
        deployment("d2", "SUPERSEDED", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let asked = |logs: &[(&str, &str, u32)], now| {
        let mut world = inserted(seen(now, &jobs, "d3", &rows), "00:31:00", ours());
        for (deployment, first_asked, tries) in logs {
            let view = LogView {
                evidence: Evidence::default(),
                tries: *tries,
                first_asked: time(first_asked),
                read: LogRead::Absent,
            };
            world.logs.insert((job_name(), d(deployment)), view);
        }
        next(&goal(), &world)
    };
    let fetch = |deployment| {
        let (job, deployment) = (job_name(), d(deployment));
        Next::Do(Action::FetchLog { job, deployment })
    };
    assert_eq!(asked(&[], "00:42:00"), fetch("d2"));
    let first = ("d2", "00:42:00", 1);
    assert_eq!(asked(&[first], "00:42:01"), fetch("d3"));
    let both = [first, ("d3", "00:42:01", 1)];
    let waits = asked(&both, "00:42:02");
    assert_eq!(wait_of(&waits).until, time("00:42:15"));
    assert_eq!(asked(&both, "00:42:15"), fetch("d2"));
    let given_up = [("d2", "00:42:00", 4), ("d3", "00:42:01", 3)];
    assert_eq!(asked(&given_up, "00:42:46"), fetch("d3"));
}

#[test]
fn a_log_that_is_not_there_is_asked_for_every_fifteen_seconds() {
    let fetch = Next::Do(Action::FetchLog {
        job: job_name(),
        deployment: d("d2"),
    });
    let absent = |mut world: Observed, tries| {
        for log in world.logs.values_mut() {
            log.first_asked = time("00:42:00");
            log.read = LogRead::Absent;
            log.tries = tries;
        }
        world
    };
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d2", "ACTIVE", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let world = inserted(seen("00:42:00", &jobs, "d2", &rows), "00:31:00", ours());
    let world = with_log(world, "d2", Evidence::default());
    let before = |now, tries| next(&goal(), &absent(at(world.clone(), now), tries));
    let waits = before("00:42:29", 2);
    assert_eq!(
        wait_of(&waits),
        &Wait {
            what: WaitFor::Log,
            poll: Duration::from_secs(1),
            until: time("00:42:30")
        }
    );
    assert_eq!(before("00:42:30", 2), fetch);
    assert_eq!(
        before("00:43:00", bounds::LOG_TRIES_BEFORE_REMOVAL),
        remove()
    );

    let removed = put_back(Evidence::default());
    let later = |tries| next(&goal(), &absent(removed.clone(), tries));
    assert_eq!(later(bounds::LOG_TRIES_BEFORE_REMOVAL), fetch);
    let ended = verdict(later(bounds::LOG_TRIES));
    assert_eq!(ended.job, JobAxis::Unproven { during: None });
}

#[test]
fn no_rollback_is_waited_for_where_none_can_come() {
    let jobs = [job(NONCE)];
    let world = |rows: &[Value]| {
        with_log(
            inserted(seen("00:33:00", &jobs, "d1", rows), "00:31:00", ours()),
            "d2",
            backfill_failed(),
        )
    };
    let live = deployment("d1", "ACTIVE", "00:10:00", &[]);
    let failed = deployment("d2", "ERROR", "00:31:00", &jobs);
    let mut in_its_deploy = failed.clone();
    in_its_deploy["progress"]["steps"][1]["status"] = json!("ERROR");
    let waits = next(&goal(), &world(&[in_its_deploy, live.clone()]));
    assert_eq!(waits_for(&waits), &WaitFor::Rollback);
    let mut in_its_build = failed.clone();
    in_its_build["progress"]["steps"][0]["status"] = json!("ERROR");
    assert_eq!(
        next(&goal(), &world(&[in_its_build, live.clone()])),
        remove()
    );
    let newer = deployment("d3", "SUPERSEDED", "00:32:00", &[]);
    assert_eq!(next(&goal(), &world(&[newer, failed, live])), remove());
}

#[test]
fn a_deployment_of_others_is_waited_for_before_the_removal() {
    let jobs = [job(NONCE)];
    let mut record = record(OTHER_NONCE);
    record.key = Key::of(&AppId::new(APP), &MigrationId::parse("ter-231").unwrap());
    let others = json!({"name": record.job().to_string(),
        "envs": [{"key": "HARBOR_PILOT_RUN", "value": serde_json::to_string(&record).unwrap()}]});
    let world = |now, others: &[Value]| {
        let rows = [
            deployment("d3", "BUILDING", "00:40:00", others),
            deployment("d2", "ACTIVE", "00:31:00", &jobs),
            deployment("d1", "SUPERSEDED", "00:10:00", &[]),
        ];
        with_log(
            inserted(seen(now, &jobs, "d2", &rows), "00:31:00", ours()),
            "d2",
            all_done(),
        )
    };
    let other = WaitFor::OtherDeployment(d("d3"), Phase::Building);
    for carried in [&[][..], &[others]] {
        let waits = next(&goal(), &world("01:19:59", carried));
        assert_eq!(waits_for(&waits), &other);
        assert_eq!(next(&goal(), &world("01:20:00", carried)), remove());
        // The post step has three minutes for it, and then leaves the app to whoever comes later.
        let post = |now| {
            let mut post = in_mode(world(now, carried), Mode::Post);
            post.since = time("00:40:00");
            post
        };
        let waits = next(&goal(), &post("00:42:59"));
        assert_eq!(waits_for(&waits), &other);
        let ended = verdict(next(&goal(), &post("00:43:00")));
        assert_eq!(ended.reason, Reason::CleanUpNotProven);
    }
    let waits = next(&sweep(), &sweeping(world("00:41:00", &[])));
    assert_eq!(waits_for(&waits), &other);
}
