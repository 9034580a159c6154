use super::*;
use crate::planner::fixture::{Past, World, deployment, failed, key, time};
use crate::{DoneMark, Evidence, LogView, Ran, after, bounds};
use rstest::rstest;
use serde_json::{Value, json};
use std::time::Duration;

const CREATED: &str = "2026-02-18T00:18:00Z";

fn job() -> JobName {
    JobName {
        key: key(),
        epoch: Epoch(0),
    }
}

/// A deployment that carries epoch 0, and how far the platform says its job is.
fn carrier(id: &str, phase: &str, build: &str, deploy: &str) -> Value {
    let mut spec = World::new().spec;
    spec["jobs"] = json!([Past::epoch(0).job()]);
    let mut row = deployment(id, phase, &spec);
    let step = |status: &str| json!({"component_name": job().to_string(), "status": status});
    row["progress"] = json!({"steps": [
        {"name": "build", "steps": [step(build)]},
        {"name": "deploy", "steps": [step(deploy)]},
    ]});
    row
}

fn ran(step: &str, code: Option<i32>) -> Ran {
    Ran {
        step: StepName::parse(step).unwrap(),
        started_at: None,
        code,
        ended_at: None,
    }
}

/// What a log shows whose steps ended with these codes.
fn marks(codes: &[Option<i32>], done: Option<i32>) -> Evidence {
    let good = codes.iter().filter(|code| **code == Some(0)).count();
    Evidence {
        begins: 1,
        steps: ["columns", "backfill"]
            .into_iter()
            .zip(codes)
            .map(|(step, code)| ran(step, *code))
            .collect(),
        done: done.map(|code| DoneMark {
            code,
            ran: u32::try_from(good).unwrap(),
            of: 2,
        }),
        ..Evidence::default()
    }
}

fn log(evidence: Evidence, read: LogRead, tries: u32) -> LogView {
    LogView {
        evidence,
        tries,
        first_asked: time(CREATED),
        read,
    }
}

/// The app after `rows` (newest first), of which some have a log.
fn seen(rows: &[Value], logs: &[(&str, LogView)]) -> Observed {
    let mut world = World::new();
    world.deployments.splice(0..0, rows.iter().cloned());
    let mut seen = world.seen();
    for (id, log) in logs {
        seen.logs
            .insert((job(), DeploymentId::new(*id)), log.clone());
    }
    seen
}

fn proof_of(row: &Value, read: Option<LogView>) -> Proof {
    let logs: Vec<(&str, LogView)> = read.into_iter().map(|log| ("d", log)).collect();
    let seen = seen(std::slice::from_ref(row), &logs);
    let steps = Past::epoch(0).steps;
    proof(&seen.deployments[0], &job(), &steps, RunMode::Steps, &seen)
}

fn epoch_0(observed: &Observed) -> PastEpoch {
    History::of(&key(), observed).epochs[0].clone()
}

fn unproven(during: Option<&str>, done: u32) -> Proof {
    Proof::Unproven {
        during: during.map(|step| StepName::parse(step).unwrap()),
        done,
    }
}

#[rstest]
#[case("BUILDING", "PENDING", true)]
#[case("DEPLOYING", "SUCCESS", true)]
#[case("ACTIVE", "PENDING", true)]
#[case("ACTIVE", "RUNNING", true)]
#[case("ACTIVE", "SUCCESS", false)]
#[case("ACTIVE", "ERROR", false)]
#[case("SUPERSEDED", "RUNNING", false)]
#[case("ERROR", "RUNNING", false)]
#[case("CANCELED", "PENDING", false)]
fn a_job_may_still_run_in_flight_and_by_its_own_open_step(
    #[case] phase: &str,
    #[case] step: &str,
    #[case] live: bool,
) {
    let row = Deployment::from_value(&carrier("d", phase, "SUCCESS", step)).unwrap();
    assert_eq!(is_live(&row, &job(), time(CREATED)), live);
}

#[test]
fn an_open_step_of_an_active_deployment_is_believed_for_as_long_as_the_job_may_run_and_be_ended() {
    let mut value = carrier("d", "ACTIVE", "SUCCESS", "RUNNING");
    value["phase_last_updated_at"] = json!(CREATED);
    let row = Deployment::from_value(&value).unwrap();
    // Its own timeout is 30 minutes, the platform's default.
    let span = Duration::from_secs(30 * 60) + bounds::JOB_SLACK + bounds::CANCEL_SETTLES;
    let end = after(time(CREATED), span);
    assert!(is_live(&row, &job(), end));
    assert!(!is_live(
        &row,
        &job(),
        end + jiff::SignedDuration::from_secs(1)
    ));
}

#[test]
fn a_job_that_the_platform_never_reached_ran_nothing() {
    for (phase, build, deploy) in [
        ("ERROR", "ERROR", "PENDING"),
        ("ERROR", "SUCCESS", "PENDING"),
        ("CANCELED", "PENDING", "UNKNOWN"),
        ("SUPERSEDED", "SUCCESS", "PENDING"),
    ] {
        let row = carrier("d", phase, build, deploy);
        assert_eq!(proof_of(&row, None), Proof::Nothing(None), "{row}");
    }
    // Its own word weighs more than the platform's steps.
    let row = carrier("d", "ERROR", "SUCCESS", "PENDING");
    let begun = log(marks(&[Some(0), None], None), LogRead::Whole, 1);
    assert_eq!(proof_of(&row, Some(begun)), unproven(Some("backfill"), 1));
}

#[test]
fn absent_marks_prove_nothing_of_a_job_that_may_have_started() {
    let silent = || log(Evidence::default(), LogRead::Whole, 1);
    for (phase, build, deploy) in [
        ("ERROR", "SUCCESS", "ERROR"),
        ("ERROR", "SUCCESS", "RUNNING"),
        ("ACTIVE", "SUCCESS", "SUCCESS"),
        ("CANCELED", "UNKNOWN", "UNKNOWN"),
    ] {
        let row = carrier("d", phase, build, deploy);
        assert_eq!(proof_of(&row, None), Proof::Pending, "unread: {row}");
        assert_eq!(proof_of(&row, Some(silent())), unproven(None, 0), "{row}");
    }
    let mut old = carrier("d", "ACTIVE", "SUCCESS", "PENDING");
    old["updated_at"] = json!("2026-02-17T00:00:00Z");
    assert_eq!(
        proof_of(&old, Some(silent())),
        unproven(None, 0),
        "a live deployment whose job is still pending after six hours"
    );
    let mut bare = carrier("d", "ERROR", "SUCCESS", "PENDING");
    bare["progress"] = Value::Null;
    assert_eq!(proof_of(&bare, Some(silent())), unproven(None, 0));
}

#[test]
fn a_log_that_does_not_come_is_given_up_after_some_tries() {
    let row = carrier("d", "ERROR", "SUCCESS", "ERROR");
    for read in [LogRead::Absent, LogRead::Failed] {
        let tried = |tries| proof_of(&row, Some(log(Evidence::default(), read, tries)));
        assert_eq!(tried(bounds::LOG_TRIES - 1), Proof::Pending);
        assert_eq!(tried(bounds::LOG_TRIES), unproven(None, 0));
    }
}

#[test]
fn the_steps_before_the_cut_are_done() {
    let row = carrier("d", "ERROR", "SUCCESS", "ERROR");
    let cut = |evidence| proof_of(&row, Some(log(evidence, LogRead::Cut, 1)));
    assert_eq!(cut(marks(&[None], None)), unproven(Some("columns"), 0));
    assert_eq!(cut(marks(&[Some(0)], None)), unproven(None, 1));
    assert_eq!(
        cut(marks(&[Some(0), None], None)),
        unproven(Some("backfill"), 1)
    );
    assert_eq!(cut(marks(&[Some(0), Some(0)], None)), unproven(None, 2));
    assert_eq!(
        cut(marks(&[Some(1), Some(0)], None)),
        unproven(None, 0),
        "nothing behind a failure counts"
    );
    let contradictory = Evidence {
        contradictory: true,
        ..marks(&[Some(0), Some(0)], None)
    };
    assert_eq!(cut(contradictory), unproven(None, 0));
}

#[test]
fn the_end_that_a_log_proves_is_the_epochs() {
    let row = carrier("d-0", "ERROR", "SUCCESS", "ERROR");
    let end = |evidence| {
        let read = log(evidence, LogRead::Whole, 1);
        epoch_0(&seen(std::slice::from_ref(&row), &[("d-0", read)])).state
    };
    assert_eq!(
        end(marks(&[Some(0), Some(0)], Some(0))),
        EpochState::Ended(LedgerOutcome::Done)
    );
    assert_eq!(
        end(marks(&[Some(0), Some(1)], Some(1))),
        EpochState::Ended(failed("backfill"))
    );
    let disarmed = Evidence {
        begins: 1,
        disarmed: Some(Disarmed::Lease),
        ..Evidence::default()
    };
    assert_eq!(
        end(disarmed),
        EpochState::Ended(LedgerOutcome::NeverStarted)
    );
    let refused = Evidence {
        begins: 1,
        refused: Some("JWT_SECRET".to_owned()),
        ..Evidence::default()
    };
    assert_eq!(
        end(refused),
        EpochState::Ended(LedgerOutcome::Failed {
            step: StepName::parse("columns").unwrap(),
            code: REFUSED_EXIT_CODE,
            check: true,
        }),
        "nothing ran, and the first step is the one to run again"
    );
}

/// Somebody else's deployment runs the job once more: what is done is done, and all else waits for its end.
#[test]
fn only_done_is_certain_before_the_last_carrier_has_ended() {
    let rows = [
        carrier("d-new", "DEPLOYING", "SUCCESS", "RUNNING"),
        carrier("d-0", "ERROR", "SUCCESS", "ERROR"),
    ];
    let states = |rows: &[Value], evidence| {
        let read = log(evidence, LogRead::Whole, 1);
        let epoch = epoch_0(&seen(rows, &[("d-0", read)]));
        (epoch.state_by_evidence, epoch.state)
    };
    let done = EpochState::Ended(LedgerOutcome::Done);
    assert_eq!(
        states(&rows, marks(&[Some(0), Some(0)], Some(0))),
        (done.clone(), done)
    );
    let failing = || marks(&[Some(0), Some(1)], Some(1));
    assert_eq!(
        states(&rows, failing()),
        (EpochState::Open, EpochState::Open)
    );
    let unread = [
        carrier("d-new", "ERROR", "SUCCESS", "ERROR"),
        rows[1].clone(),
    ];
    assert_eq!(
        states(&unread, failing()),
        (EpochState::Open, EpochState::Open),
        "its log is still to be read"
    );
    let ended = EpochState::Ended(failed("backfill"));
    assert_eq!(states(&rows[1..], failing()), (ended.clone(), ended));
}

#[test]
fn the_ledger_remembers_what_no_log_shows_any_more() {
    let past = Past::epoch(0);
    let recorded = |world: World| epoch_0(&world.seen()).state;
    assert_eq!(
        recorded(World::new().claim(&past, Some(failed("backfill")))),
        EpochState::Ended(failed("backfill"))
    );
    assert_eq!(recorded(World::new().claim(&past, None)), EpochState::Open);
    assert_eq!(
        recorded(
            World::new()
                .claim(&past, Some(failed("backfill")))
                .carried(&past, "DEPLOYING")
        ),
        EpochState::Open,
        "a deployment in flight may run it again"
    );
}

/// A claim without an outcome may have its insert on its way: another's withdrawal says nothing about it.
/// Whoever recorded it; a claim that was withdrawn says nothing of how the epoch ended.
#[test]
fn an_epoch_is_recorded_once_a_claim_of_it_has_its_end() {
    let past = Past::epoch(0);
    let recorded = |outcomes: &[Option<LedgerOutcome>]| {
        let world = outcomes
            .iter()
            .cloned()
            .fold(World::new(), |world, outcome| world.claim(&past, outcome));
        epoch_0(&world.seen()).is_recorded()
    };
    assert!(!recorded(&[None]));
    assert!(!recorded(&[Some(LedgerOutcome::Withdrawn), None]));
    assert!(recorded(&[
        Some(LedgerOutcome::Withdrawn),
        Some(LedgerOutcome::Done)
    ]));
    assert!(recorded(&[Some(LedgerOutcome::NeverStarted)]));
}

#[test]
fn a_withdrawal_ends_nothing_while_another_claim_is_open() {
    let past = Past::epoch(0);
    let withdrawn = || World::new().claim(&past, Some(LedgerOutcome::Withdrawn));
    assert_eq!(
        epoch_0(&withdrawn().claim(&past, None).seen()).state,
        EpochState::Open
    );
    assert_eq!(
        epoch_0(&withdrawn().seen()).state,
        EpochState::Ended(LedgerOutcome::Withdrawn)
    );
    let failed_beside = World::new()
        .claim(&past, Some(failed("backfill")))
        .claim(&past, None);
    assert_eq!(
        epoch_0(&failed_beside.seen()).state,
        EpochState::Ended(failed("backfill"))
    );
}

/// One run's claim came to nothing, another's put the job in: what that came to is still to be read.
#[test]
fn a_claim_that_put_nothing_in_does_not_end_an_epoch_that_an_open_one_put_in() {
    let past = Past::epoch(0);
    let never = || World::new().claim(&past, Some(LedgerOutcome::NeverStarted));
    let state = |world: World| epoch_0(&world.seen()).state;
    let ended = EpochState::Ended(LedgerOutcome::NeverStarted);
    let inserted = || never().claim(&past, None).carried(&past, "ACTIVE");
    assert_eq!(state(inserted()), EpochState::Open);
    assert_eq!(state(never().claim(&past, None)), EpochState::Open);
    assert_eq!(
        state(never().carried(&past, "ACTIVE")),
        ended,
        "nobody's is open"
    );
    let never_reached = carrier("d-0", "ERROR", "SUCCESS", "PENDING");
    let mut world = never().claim(&past, None);
    world.deployments.insert(0, never_reached);
    assert_eq!(state(world), ended, "and nothing is still to be read");
}

/// Two runs follow one job, and one of them can't read its log: what it records comes last, and says less.
#[test]
fn what_is_recorded_later_takes_back_nothing_stronger() {
    let ends = |recorded: &[LedgerOutcome]| {
        let mut entry = World::new().claim(&Past::epoch(0), None).ledger[0].clone();
        for outcome in recorded {
            entry.take(outcome.clone());
        }
        entry.outcome
    };
    let unproven = LedgerOutcome::Unproven { done: 0 };
    let done = Some(LedgerOutcome::Done);
    assert_eq!(ends(&[LedgerOutcome::Done, unproven.clone()]), done);
    assert_eq!(ends(&[unproven, LedgerOutcome::Done]), done);
    assert_eq!(
        ends(&[LedgerOutcome::Done, LedgerOutcome::NeverStarted]),
        done
    );
    let later = ends(&[failed("columns"), failed("backfill")]);
    assert_eq!(later, Some(failed("backfill")), "of two as strong");
}

#[test]
fn the_strongest_of_several_outcomes_counts() {
    let ranked = [
        LedgerOutcome::Done,
        LedgerOutcome::Unproven { done: 1 },
        failed("backfill"),
        LedgerOutcome::NeverStarted,
        LedgerOutcome::Withdrawn,
    ];
    let past = Past::epoch(0);
    for (place, strong) in ranked.iter().enumerate() {
        for weak in &ranked[place + 1..] {
            for pair in [[strong, weak], [weak, strong]] {
                let world = pair.into_iter().fold(World::new(), |world, outcome| {
                    world.claim(&past, Some(outcome.clone()))
                });
                assert_eq!(
                    epoch_0(&world.seen()).state,
                    EpochState::Ended(strong.clone()),
                    "{pair:?}"
                );
            }
        }
    }
}

/// A stale copy of the spec brings the job back within its lease, after somebody wrote down that it never started.
#[test]
fn a_log_that_shows_that_it_ran_outweighs_a_record_that_it_never_started() {
    let past = Past::epoch(0);
    let row = carrier("d-back", "ACTIVE", "SUCCESS", "SUCCESS");
    let read = log(marks(&[Some(0), Some(0)], Some(0)), LogRead::Whole, 1);
    for nothing in [LedgerOutcome::NeverStarted, LedgerOutcome::Withdrawn] {
        let mut world = World::new().claim(&past, Some(nothing));
        world.deployments.insert(0, row.clone());
        let mut seen = world.seen();
        let place = (job(), DeploymentId::new("d-back"));
        seen.logs.insert(place, read.clone());
        let state = epoch_0(&seen).state;
        assert_eq!(state, EpochState::Ended(LedgerOutcome::Done));
    }
}

#[test]
fn the_logs_that_may_still_change_how_an_epoch_ended_are_those_to_read() {
    let past = Past::epoch(0);
    let unread = |outcome: Option<LedgerOutcome>, row: Value, read: Option<LogView>| {
        let mut world = World::new().claim(&past, outcome);
        world.deployments.insert(0, row);
        let mut seen = world.seen();
        let place = (job(), DeploymentId::new("d"));
        seen.logs.extend(read.map(|read| (place.clone(), read)));
        let unread = History::of(&key(), &seen).unread_logs(&seen);
        assert!(unread.iter().all(|found| *found == place), "{unread:?}");
        unread.len()
    };
    let ran = || carrier("d", "ACTIVE", "SUCCESS", "SUCCESS");
    let nothing = || Some(LedgerOutcome::NeverStarted);
    for told in [None, nothing(), Some(LedgerOutcome::Withdrawn)] {
        assert_eq!(unread(told.clone(), ran(), None), 1, "{told:?}");
    }
    for told in [
        LedgerOutcome::Done,
        failed("backfill"),
        LedgerOutcome::Unproven { done: 0 },
    ] {
        assert_eq!(unread(Some(told.clone()), ran(), None), 0, "{told:?}");
    }
    let flies = carrier("d", "DEPLOYING", "SUCCESS", "RUNNING");
    assert_eq!(
        unread(nothing(), flies, None),
        0,
        "its end is still to come"
    );
    let never_reached = carrier("d", "ERROR", "SUCCESS", "PENDING");
    assert_eq!(unread(nothing(), never_reached, None), 0);
    let asked = |tries| log(Evidence::default(), LogRead::Failed, tries);
    assert_eq!(unread(nothing(), ran(), Some(asked(7))), 1);
    assert_eq!(
        unread(nothing(), ran(), Some(asked(8))),
        0,
        "it is given up"
    );
    let whole = log(marks(&[Some(0), Some(0)], Some(0)), LogRead::Whole, 1);
    assert_eq!(unread(nothing(), ran(), Some(whole)), 0);
}
