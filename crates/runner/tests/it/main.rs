//! The real driver against the simulator in process, in virtual time.
#![cfg(test)]

mod crashes;
mod faults;
mod harbor;
mod races;

use harbor::{Box_, harbour, open};
use std::time::Duration;

use migration::{
    CleanUpAxis, Epoch, FirewallAxis, HealthAxis, JobAxis, LedgerOutcome, Reason, StepName,
};

const STEPS: &[(&str, &str)] = &[
    ("columns", "echo adding columns"),
    ("backfill", "echo filling in"),
];

/// The verdict that a run ended with.
fn verdict(ended: &runner::Ended) -> &migration::Verdict {
    let refusal = &ended.report.refusal;
    let verdict = ended.report.verdict.as_ref();
    verdict.unwrap_or_else(|| panic!("{refusal:?}"))
}

#[tokio::test(start_paused = true)]
async fn an_ordinary_migration_runs_once_and_the_app_is_put_back() {
    let harbour = harbour();
    let before = harbour.spec();
    let ended = runner::migrate(&harbour.harbor, harbour.request(STEPS)).await;
    let verdict = ended
        .report
        .verdict
        .as_ref()
        .unwrap_or_else(|| panic!("{:?}", ended.report.refusal));
    assert_eq!(ended.reason, Reason::Done, "{verdict:#?}");
    assert_eq!(verdict.job, JobAxis::Done);
    assert_eq!(verdict.clean_up, CleanUpAxis::Verified);
    assert_eq!(verdict.health, HealthAxis::Ok);
    assert_eq!(verdict.firewall, FirewallAxis::AsAsked);
    assert_eq!(verdict.facts.executions, 1);
    assert_eq!(harbour.spec(), before);
    assert_eq!(harbour.puts(), [(1, Some(200)), (0, Some(200))]);
    let executions = harbour.world.executions();
    assert_eq!(executions.len(), 1, "{executions:?}");
    assert_eq!(harbour.ledger.all()[0].outcome, Some(LedgerOutcome::Done));
    let log = std::fs::read_to_string(&verdict.facts.log_paths[0].1).unwrap();
    assert!(
        log.contains("adding columns") && log.contains("filling in"),
        "{log}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failing_step_is_rolled_back_and_the_rest_never_runs() {
    let harbour = harbour();
    let before = harbour.spec();
    let steps = [
        ("columns", "echo adding columns"),
        ("backfill", "echo broken; exit 3"),
        ("never", "echo never"),
    ];
    let ended = runner::migrate(&harbour.harbor, harbour.request(&steps)).await;
    let verdict = ended
        .report
        .verdict
        .as_ref()
        .unwrap_or_else(|| panic!("{:?}", ended.report.refusal));
    assert_eq!(ended.reason, Reason::RolledBack, "{verdict:#?}");
    let failed = JobAxis::Failed {
        step: StepName::parse("backfill").unwrap(),
        code: 3,
        check: false,
    };
    assert_eq!(verdict.job, failed);
    assert_eq!(verdict.clean_up, CleanUpAxis::Verified);
    assert!(verdict.facts.rollback.is_some());
    assert_eq!(harbour.spec(), before);
    assert_eq!(harbour.world.executions().len(), 1);
}

/// A second process on the same ledger, with an authority of its own.
async fn again(harbour: &Box_, authority: &str) -> runner::Ended {
    let next = open(harbour.world.clone(), harbour.ledger.clone());
    let mut request = harbour.request(STEPS);
    request.authority = migration::Authority::parse(authority).unwrap();
    request.nonce = migration::Nonce::parse("000000000000000000000000000000a2").unwrap();
    runner::migrate(&next.harbor, request).await
}

#[tokio::test(start_paused = true)]
async fn a_done_migration_is_not_run_again() {
    let harbour = harbour();
    runner::migrate(&harbour.harbor, harbour.request(STEPS)).await;
    let writes = harbour.puts().len();
    let ended = again(&harbour, "cli:2").await;
    assert_eq!(ended.reason, Reason::AlreadyDone);
    assert_eq!(harbour.puts().len(), writes);
    assert_eq!(harbour.world.executions().len(), 1);
}

/// Pushes a commit once `until` holds, looked at every ten simulated seconds.
async fn push_when(world: sim::World, until: impl Fn(&serde_json::Value) -> bool) {
    loop {
        tokio::time::sleep(Duration::from_secs(10)).await;
        if until(&world.state()) {
            break;
        }
    }
    let edits = sim::Edits::new().write("README.md", "another change\n");
    world
        .push(harbor::REPO, "main", (&edits, "an unrelated push"), "mona")
        .unwrap();
}

fn newest_phase(state: &serde_json::Value) -> &str {
    let deployments = state["apps"][0]["deployments"].as_array().unwrap();
    let newest = deployments
        .iter()
        .max_by_key(|one| one["created_at"].as_str().unwrap().to_owned())
        .unwrap();
    newest["phase"].as_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_push_in_the_window_runs_nothing() {
    for overlap in [
        sim::Overlap::Cancel,
        sim::Overlap::Queue,
        sim::Overlap::Supersede,
    ] {
        let harbour = harbour();
        let before = harbour.spec();
        harbour.world.turn(|knobs| knobs.overlap = overlap);
        let push = tokio::spawn(push_when(harbour.world.clone(), |state| {
            newest_phase(state) == "DEPLOYING"
        }));
        let ended = runner::migrate(&harbour.harbor, harbour.request(STEPS)).await;
        push.await.unwrap();
        let verdict = ended
            .report
            .verdict
            .as_ref()
            .unwrap_or_else(|| panic!("{:?}", ended.report.refusal));
        assert_eq!(ended.reason, Reason::Done, "{overlap:?} {verdict:#?}");
        assert_eq!(harbour.spec(), before, "{overlap:?}");
        let ran = ran_steps(&harbour);
        assert_eq!(ran, 1, "{overlap:?}: the steps ran {ran} times");
    }
}

/// How often the first step ran: each time it leaves a line outside the simulator.
fn ran_steps(harbour: &Box_) -> usize {
    std::fs::read_to_string(&harbour.ran).map_or(0, |text| text.lines().count())
}

#[tokio::test(start_paused = true)]
async fn every_answer_to_the_open_questions_ends_well() {
    use sim::{
        ListSpec, LogEncoding, PostDeployFailure, PostJobPhase, PutReply, RollbackJobs, RunCommand,
        SpecAfterRollback,
    };
    type Turn = fn(&mut sim::Knobs);
    let turns: &[(&str, Turn)] = &[
        ("rows without spec", |knobs| {
            knobs.list_spec = ListSpec::Omitted
        }),
        ("rows that lag", |knobs| knobs.list_lag_seconds = 30),
        ("a reply without deployment", |knobs| {
            knobs.put_reply = PutReply::Bare
        }),
        ("gzip", |knobs| knobs.log_encoding = LogEncoding::Gzip),
        ("shell", |knobs| knobs.run_command = RunCommand::Shell),
        ("active while the job runs", |knobs| {
            knobs.post_job_phase = PostJobPhase::Active
        }),
        ("spec reverted", |knobs| {
            knobs.spec_after_rollback = SpecAfterRollback::Reverted
        }),
        ("jobs again in rollbacks", |knobs| {
            knobs.rollback_jobs = RollbackJobs::Rerun
        }),
        ("release stays live", |knobs| {
            knobs.post_deploy_failure = PostDeployFailure::StaysLive
        }),
        ("error without rollback", |knobs| {
            knobs.post_deploy_failure = PostDeployFailure::Error
        }),
        ("commit binding literal", |knobs| {
            knobs.self_commit_hash = sim::CommitHash::Literal;
        }),
        ("commit binding empty", |knobs| {
            knobs.self_commit_hash = sim::CommitHash::Empty;
        }),
        ("zero times", |knobs| {
            knobs.unset_times = sim::UnsetTimes::Zero
        }),
        ("read back verbatim", |knobs| {
            knobs.read_back = sim::ReadBack::Verbatim
        }),
        ("no job invocations", |knobs| {
            knobs.job_invocations = sim::JobInvocations::Hidden
        }),
        ("failed slot lingers", |knobs| {
            knobs.failed_slot = sim::FailedSlot::Lingers
        }),
    ];
    let failing = [("columns", "echo adding columns"), ("backfill", "exit 3")];
    for (name, turn) in turns {
        for (steps, wanted) in [(STEPS, None), (&failing, Some(3))] {
            let harbour = harbour();
            let before = harbour.spec();
            harbour.world.turn(turn);
            let ended = runner::migrate(&harbour.harbor, harbour.request(steps)).await;
            let verdict = ended
                .report
                .verdict
                .as_ref()
                .unwrap_or_else(|| panic!("{name}: {:?}", ended.report.refusal));
            let axis = match wanted {
                None => JobAxis::Done,
                Some(code) => JobAxis::Failed {
                    step: StepName::parse("backfill").unwrap(),
                    code,
                    check: false,
                },
            };
            assert_eq!(verdict.job, axis, "{name}: {verdict:#?}");
            assert_eq!(
                verdict.clean_up,
                CleanUpAxis::Verified,
                "{name}: {verdict:#?}"
            );
            assert_eq!(harbour.spec(), before, "{name}");
            assert_eq!(ran_steps(&harbour), 1, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_doubtful_put_is_sent_once() {
    use sim::{Applied, Fault, FaultKind};
    let lost = |applied| {
        [
            FaultKind::Timeout { applied },
            FaultKind::Reset { applied },
            FaultKind::Respond {
                status: 502,
                headers: Default::default(),
                body: None,
                applied,
            },
        ]
    };
    for (applied, faults) in [
        (Applied::Yes, lost(Applied::Yes)),
        (Applied::No, lost(Applied::No)),
    ] {
        for fault in faults {
            let harbour = harbour();
            let before = harbour.spec();
            harbour.world.arm(Fault::next("apps.update", fault.clone()));
            let ended = runner::migrate(&harbour.harbor, harbour.request(STEPS)).await;
            let verdict = ended
                .report
                .verdict
                .as_ref()
                .unwrap_or_else(|| panic!("{:?}", ended.report.refusal));
            let inserts = harbour.puts().iter().filter(|(jobs, _)| *jobs > 0).count();
            assert_eq!(inserts, 1, "{fault:?} {applied:?}");
            assert_eq!(harbour.spec(), before, "{fault:?}");
            let (job, runs) = match applied {
                Applied::Yes => (JobAxis::Done, 1),
                Applied::No => (JobAxis::NeverStarted, 0),
            };
            assert_eq!(
                (&verdict.job, ran_steps(&harbour)),
                (&job, runs),
                "{fault:?} {verdict:#?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_left_by_a_killed_run_is_cleared_and_its_end_recorded() {
    let harbour = harbour();
    let before = harbour.spec();
    // Killed once the job's deployment is live, before anything is taken out.
    let killed = {
        let run = runner::migrate(&harbour.harbor, harbour.request(STEPS));
        let dead = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if !harbour.world.executions().is_empty() {
                    break;
                }
            }
        };
        tokio::select! { _ = run => false, () = dead => true }
    };
    assert!(killed);
    assert_ne!(harbour.spec(), before);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let ended = again(&harbour, "cli:2").await;
    assert_eq!(
        ended.reason,
        Reason::AlreadyDone,
        "{:?}",
        ended.report.refusal
    );
    assert_eq!(harbour.spec(), before);
    assert_eq!(ran_steps(&harbour), 1);
    assert_eq!(harbour.ledger.all()[0].outcome, Some(LedgerOutcome::Done));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_still_alive_is_followed_and_not_inserted_twice() {
    let harbour = harbour();
    let before = harbour.spec();
    let second = async {
        tokio::time::sleep(Duration::from_secs(120)).await;
        again(&harbour, "cli:1").await
    };
    let (first, second) = tokio::join!(
        runner::migrate(&harbour.harbor, harbour.request(STEPS)),
        second
    );
    assert_eq!(first.reason, Reason::Done);
    for ended in [&first, &second] {
        assert!(verdict(ended).facts.recorded, "by one of them");
    }
    assert_eq!(
        second.reason,
        Reason::Done,
        "{:?} {:#?}",
        second.report.refusal,
        second.report.verdict
    );
    assert_eq!(harbour.spec(), before);
    assert_eq!(ran_steps(&harbour), 1);
    let inserts = harbour.puts().iter().filter(|(jobs, _)| *jobs > 0).count();
    assert_eq!(inserts, 1);
}

/// A manifest that grew while an earlier run of it was under way is done only when all of it is.
#[tokio::test(start_paused = true)]
async fn what_the_followed_job_does_not_run_is_run_after_it() {
    let harbour = harbour();
    let before = harbour.spec();
    let grown = [STEPS[0], STEPS[1], ("indexes", "echo adding indexes")];
    let ended = Box::pin(beside_a_live_run(&harbour, &grown)).await;
    assert_eq!(ended.reason, Reason::Done);
    let plan = ended.report.plan.unwrap();
    let ran: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(ran, ["indexes"]);
    let told = [(0, LedgerOutcome::Done), (1, LedgerOutcome::Done)];
    assert_eq!(
        harbour.ledger.told(),
        told.map(|(epoch, ended)| (Epoch(epoch), Some(ended)))
    );
    assert_eq!(harbour.spec(), before);
    assert_eq!(ran_steps(&harbour), 1);
}

/// What ran is what the script was when the job went in.
#[tokio::test(start_paused = true)]
async fn a_step_that_changed_while_its_job_was_followed_is_not_said_to_be_done() {
    let harbour = harbour();
    let changed = [STEPS[0], ("backfill", "echo filling in otherwise")];
    let ended = Box::pin(beside_a_live_run(&harbour, &changed)).await;
    assert_eq!(ended.reason, Reason::ChangedAfterDone);
    let refusal = ended.report.refusal.unwrap();
    assert!(refusal.message.contains("step `backfill`"), "{refusal}");
    assert_eq!(
        harbour.ledger.told(),
        [(Epoch(0), Some(LedgerOutcome::Done))]
    );
}

/// Runs these steps two minutes after another run began, which is still under way.
async fn beside_a_live_run(harbour: &Box_, steps: &[(&str, &str)]) -> runner::Ended {
    let next = open(harbour.world.clone(), harbour.ledger.clone());
    let second = async {
        tokio::time::sleep(Duration::from_secs(120)).await;
        let mut request = harbour.request(steps);
        request.authority = migration::Authority::parse("cli:2").unwrap();
        request.nonce = migration::Nonce::parse("000000000000000000000000000000a2").unwrap();
        runner::migrate(&next.harbor, request).await
    };
    let first = runner::migrate(&harbour.harbor, harbour.request(STEPS));
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.reason, Reason::Done, "{:#?}", first.report.verdict);
    second
}

#[tokio::test(start_paused = true)]
async fn two_runners_at_once_insert_once() {
    for apart in [0, 1, 2, 5, 30] {
        let harbour = harbour();
        let before = harbour.spec();
        let second = async {
            tokio::time::sleep(Duration::from_secs(apart)).await;
            again(&harbour, "cli:2").await
        };
        let (first, second) = tokio::join!(
            runner::migrate(&harbour.harbor, harbour.request(STEPS)),
            second
        );
        let inserts = harbour
            .puts()
            .iter()
            .filter(|(jobs, status)| *jobs > 0 && *status == Some(200))
            .count();
        assert_eq!(inserts, 1, "{apart} s apart");
        assert_eq!(ran_steps(&harbour), 1, "{apart} s apart");
        for ended in [first, second] {
            let done = [Reason::Done, Reason::AlreadyDone].contains(&ended.reason);
            assert!(
                done,
                "{apart} s apart: {:?} {:#?}",
                ended.report.refusal, ended.report.verdict
            );
        }
        assert_eq!(harbour.spec(), before, "{apart} s apart");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_left_by_hand_is_refused_until_it_is_declared() {
    let harbour = harbour();
    let by_hand = serde_json::json!([{"name": "migration-job", "kind": "POST_DEPLOY", "run_command": "echo by hand",
        "github": {"repo": "acme/shop", "branch": "main"}, "dockerfile_path": "Dockerfile"}]);
    harbour
        .world
        .edit_spec("shop", "dev@example.com", |spec| spec["jobs"] = by_hand)
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1800)).await;
    let ended = runner::migrate(&harbour.harbor, harbour.request(STEPS)).await;
    assert_eq!(ended.reason, Reason::UndeclaredJob);
    assert_eq!(harbour.puts(), []);
    let mut declared = harbour.request(STEPS);
    declared.settings.also_stale = vec![app_spec::ComponentName::from_platform("migration-job")];
    let ended = runner::migrate(&harbour.harbor, declared).await;
    assert_eq!(
        ended.reason,
        Reason::Done,
        "{:?} {:#?}",
        ended.report.refusal,
        ended.report.verdict
    );
    assert!(harbour.spec().get("jobs").is_none());
}

#[tokio::test(start_paused = true)]
async fn one_job_per_step_takes_each_out_before_the_next_goes_in() {
    let harbour = harbour();
    let before = harbour.spec();
    let mut request = harbour.request(STEPS);
    request.settings.strategy = migration::Strategy::OneJobPerStep;
    let ended = runner::migrate(&harbour.harbor, request).await;
    assert_eq!(
        ended.reason,
        Reason::Done,
        "{:?} {:#?}",
        ended.report.refusal,
        ended.report.verdict
    );
    assert_eq!(
        harbour.puts(),
        [
            (1, Some(200)),
            (0, Some(200)),
            (1, Some(200)),
            (0, Some(200))
        ]
    );
    assert_eq!(harbour.world.executions().len(), 2);
    assert_eq!(harbour.spec(), before);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_within_seconds_and_a_post_step_cleans_up() {
    let harbour = harbour();
    let before = harbour.spec();
    let stop = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if !harbour.world.executions().is_empty() {
                break;
            }
        }
        harbour.stop.stop();
        tokio::time::Instant::now()
    };
    let (ended, asked) = tokio::join!(
        runner::migrate(&harbour.harbor, harbour.request(STEPS)),
        stop
    );
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert_eq!(ended.reason, Reason::Interrupted);
    let post = open(harbour.world.clone(), harbour.ledger.clone());
    let goal = migration::CleanUp {
        running: migration::Running::Await,
        ..Default::default()
    };
    let cleaned = runner::clean(&post.harbor, goal, migration::Mode::Post).await;
    assert!(
        asked.elapsed() < Duration::from_secs(245),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(
        cleaned.reason,
        Reason::Cleaned,
        "{:#?}",
        cleaned.report.verdict
    );
    assert_eq!(harbour.spec(), before);
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_our_update_overwrites_is_put_back() {
    for (nth, place) in [(1, "the insert"), (2, "the removal")] {
        let harbour = harbour();
        let before = harbour.spec();
        harbour
            .world
            .turn(|knobs| knobs.overlap = sim::Overlap::Queue);
        // Somebody else's update takes effect in the moment between our read and our write.
        let world = harbour.world.clone();
        let seen = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let mut other = harbor::open(world.clone(), harbour.ledger.clone());
        other.harbor.client = harbor::client_that(&world, move |world, request| {
            let update =
                request.method() == http::Method::PUT && request.uri().path().contains("/v2/apps/");
            if update && seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 == nth {
                world
                    .edit_spec("shop", "colleague@example.com", |spec| {
                        spec["services"][0]["instance_count"] = serde_json::json!(3);
                    })
                    .unwrap();
            }
        });
        let ended = runner::migrate(&other.harbor, harbour.request(STEPS)).await;
        let verdict = ended
            .report
            .verdict
            .as_ref()
            .unwrap_or_else(|| panic!("{place}: {:?}", ended.report.refusal));
        let mut wanted = before.clone();
        wanted["services"][0]["instance_count"] = serde_json::json!(3);
        assert_eq!(harbour.spec(), wanted, "{place}: {verdict:#?}");
        assert_eq!(
            verdict.facts.repaired,
            ["services[web].instance_count"],
            "{place}"
        );
        assert_eq!(ended.reason, Reason::Done, "{place}: {verdict:#?}");
        // The colleague's update just before the removal carries the job at the planned commit within its lease: it runs
        // again, which nobody outside the job can prevent, and the report counts it.
        assert_eq!(ran_steps(&harbour), nth, "{place}");
        assert_eq!(verdict.facts.executions as usize, nth, "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_during_the_run_stays_and_needs_no_repair() {
    let harbour = harbour();
    let before = harbour.spec();
    harbour
        .world
        .turn(|knobs| knobs.overlap = sim::Overlap::Queue);
    let edit = async {
        while newest_phase(&harbour.world.state()) != "DEPLOYING" {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        let edited = harbour
            .world
            .edit_spec("shop", "colleague@example.com", |spec| {
                spec["services"][0]["instance_count"] = serde_json::json!(3);
            });
        edited.unwrap();
    };
    let (ended, ()) = tokio::join!(
        runner::migrate(&harbour.harbor, harbour.request(STEPS)),
        edit
    );
    let verdict = ended
        .report
        .verdict
        .as_ref()
        .unwrap_or_else(|| panic!("{:?}", ended.report.refusal));
    let mut wanted = before.clone();
    wanted["services"][0]["instance_count"] = serde_json::json!(3);
    assert_eq!(harbour.spec(), wanted);
    assert_eq!(verdict.facts.repaired, Vec::<String>::new());
    assert_eq!(
        verdict.facts.changed_by_others,
        ["services[web].instance_count"]
    );
    assert_eq!(ended.reason, Reason::Done, "{verdict:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_reads_anew_each_time_is_no_edit() {
    let harbour = harbour();
    harbour
        .world
        .turn(|knobs| knobs.ev_on_read = sim::EvOnRead::Changing);
    let ended = runner::migrate(&harbour.harbor, harbour.request(STEPS)).await;
    let verdict = ended
        .report
        .verdict
        .as_ref()
        .unwrap_or_else(|| panic!("{:?}", ended.report.refusal));
    assert_eq!(ended.reason, Reason::Done, "{verdict:#?}");
    assert_eq!(verdict.facts.changed_by_others, Vec::<String>::new());
    assert_eq!(harbour.puts().len(), 2);
}
