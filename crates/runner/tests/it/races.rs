//! Somebody else who pushes, edits, rolls back or runs a migration at the same time.

use crate::crashes::swept;
use crate::harbor::{self, Box_, StandsStill, harbour, harbour_that_stands_still, open};
use crate::{STEPS, again, newest_phase, push_when, ran_steps, verdict};
use migration::{CleanUpAxis, Epoch, JobAxis, LedgerOutcome, Reason, StepState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const FAILING: &[(&str, &str)] = &[("columns", "echo adding columns"), ("backfill", "exit 3")];

async fn when(harbour: &Box_, phase: &str) {
    while newest_phase(&harbour.world.state()) != phase {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

/// The newest deployment that carries a job of ours.
fn carrier(harbour: &Box_) -> String {
    let state = harbour.world.state();
    let deployments = state["apps"][0]["deployments"].as_array().unwrap();
    let carries = |one: &&serde_json::Value| one["spec"].get("jobs").is_some();
    let found = deployments.iter().find(carries).unwrap();
    found["id"].as_str().unwrap().to_owned()
}

/// Whoever came meanwhile has waited for its claim, taken it for abandoned, and run everything.
#[tokio::test(start_paused = true)]
async fn a_process_that_stands_still_between_its_claim_and_its_insert_inserts_nothing() {
    let harbour = harbour_that_stands_still(StandsStill::BeforeItsInsert, 1800);
    let second = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        again(&harbour, "cli:2").await
    };
    let first = runner::migrate(&harbour.harbor, harbour.request(STEPS));
    let (first, second) = tokio::join!(first, second);
    assert_eq!(ran_steps(&harbour), 1);
    let reasons = (first.reason, second.reason);
    assert_eq!(reasons, (Reason::AlreadyDone, Reason::Done));
}

/// Its own time is over by then, and nobody expects an insert any more.
#[tokio::test(start_paused = true)]
async fn a_process_that_stands_still_past_its_deadline_before_its_insert_inserts_nothing() {
    let harbour = harbour_that_stands_still(StandsStill::BeforeItsInsert, 5 * 3600);
    let ended = runner::migrate(&harbour.harbor, harbour.request(STEPS)).await;
    assert_eq!(ended.reason, Reason::Deadline);
    assert_eq!(harbour.puts(), []);
}

/// By its own monotonic clock nothing of that has passed.
#[tokio::test(start_paused = true)]
async fn a_run_that_was_suspended_past_its_deadline_takes_its_job_out() {
    let harbour = harbour();
    let before = harbour.spec();
    let suspended = async {
        while harbour.puts().is_empty() {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        harbour.world.skip(Duration::from_secs(5 * 3600));
    };
    let run = runner::migrate(&harbour.harbor, harbour.request(STEPS));
    let (ended, ()) = tokio::join!(run, suspended);
    assert_eq!(ended.reason, Reason::Done, "{:#?}", verdict(&ended));
    assert_eq!(harbour.spec(), before);
    assert_eq!(ran_steps(&harbour), 1);
    let told = &ended.report.warnings;
    let told = told
        .iter()
        .filter(|one| one.as_str().contains("stood still"));
    assert_eq!(told.count(), 1);
}

/// By the same authority, as two triggers of one workflow are. The first does the first step, the other one what is left.
#[tokio::test(start_paused = true)]
async fn a_run_whose_rest_failed_in_another_one_is_not_done() {
    let harbour = harbour();
    let next = open(harbour.world.clone(), harbour.ledger.clone());
    let one_by_one = |mut request: migration::Request| {
        request.settings.strategy = migration::Strategy::OneJobPerStep;
        request
    };
    let mut request = one_by_one(harbour.request(FAILING));
    request.nonce = migration::Nonce::parse("000000000000000000000000000000a2").unwrap();
    let first = runner::migrate(&harbour.harbor, one_by_one(harbour.request(FAILING)));
    let second = runner::migrate(&next.harbor, request);
    let (first, second) = tokio::join!(first, second);
    let failed = harbour.ledger.told().into_iter().filter(|(epoch, ended)| {
        *epoch == Epoch(1) && matches!(ended, Some(LedgerOutcome::Failed { code: 3, .. }))
    });
    assert_eq!(failed.count(), 1);
    for ended in [first, second] {
        assert_ne!(ended.reason.exit(), migration::Exit::Success, "{ended:#?}");
        assert_eq!(ended.report.reason(), Some(ended.reason));
        let rows = ended.report.step_rows();
        let states: Vec<StepState> = rows.iter().map(|row| row.state).collect();
        assert!(
            matches!(
                states[..],
                [
                    StepState::Done | StepState::DoneEarlier(..),
                    StepState::Failed(3)
                ]
            ),
            "{states:?}"
        );
    }
}

/// Others count from when it was written.
#[tokio::test(start_paused = true)]
async fn a_claim_that_its_process_learned_of_late_is_made_anew() {
    let harbour = harbour_that_stands_still(StandsStill::BeforeItsClaimIsKnown, 120);
    let ended = runner::migrate(&harbour.harbor, harbour.request(STEPS)).await;
    assert_eq!(ended.reason, Reason::Done);
    let wanted = [
        (Epoch(0), Some(LedgerOutcome::Withdrawn)),
        (Epoch(0), Some(LedgerOutcome::Done)),
    ];
    assert_eq!(harbour.ledger.told(), wanted);
}

#[tokio::test(start_paused = true)]
async fn a_push_before_the_job_starts_is_followed_and_the_job_goes_in_anew() {
    let harbour = harbour();
    let before = harbour.spec();
    let push = push_when(harbour.world.clone(), |state| {
        newest_phase(state) == "BUILDING"
    });
    let run = runner::migrate(&harbour.harbor, harbour.request(STEPS));
    let (ended, ()) = tokio::join!(run, push);
    assert_eq!(ended.reason, Reason::Done, "{:#?}", verdict(&ended));
    let wanted = [
        (Epoch(0), Some(LedgerOutcome::NeverStarted)),
        (Epoch(1), Some(LedgerOutcome::Done)),
    ];
    assert_eq!(harbour.ledger.told(), wanted);
    assert_eq!(harbour.spec(), before);
    assert_eq!(ran_steps(&harbour), 1);
    let cancels = harbour.world.requests().into_iter();
    let mut cancels = cancels.filter(|one| one.call == Some("deployments.cancel"));
    assert!(
        cancels.next().is_none(),
        "a push is followed, never cancelled"
    );
}

#[tokio::test(start_paused = true)]
async fn a_push_while_the_job_runs_is_followed_and_its_copy_of_the_job_is_told() {
    for overlap in [sim::Overlap::Queue, sim::Overlap::Cancel] {
        let harbour = harbour();
        let before = harbour.spec();
        harbour.world.turn(|knobs| knobs.overlap = overlap);
        let push = push_when(harbour.world.clone(), |state| {
            !state["executions"].as_array().unwrap().is_empty()
        });
        let run = runner::migrate(&harbour.harbor, harbour.request(STEPS));
        let (ended, ()) = tokio::join!(run, push);
        let verdict = verdict(&ended);
        let wanted = match overlap {
            sim::Overlap::Cancel => JobAxis::Unproven { during: None },
            sim::Overlap::Queue | sim::Overlap::Supersede => JobAxis::Done,
        };
        assert_eq!(verdict.job, wanted, "{overlap:?} {verdict:#?}");
        assert_eq!(verdict.facts.carried_by.len(), 1, "{overlap:?}");
        assert_eq!(verdict.facts.disarmed.len(), 1, "{overlap:?}");
        assert_eq!(harbour.puts().len(), 2, "{overlap:?}");
        assert_eq!(harbour.spec(), before, "{overlap:?}");
        assert_eq!(ran_steps(&harbour), 1, "{overlap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_took_the_job_out_saves_the_removal() {
    use sim::SpecAfterRollback::{Kept, Reverted};
    for (spec, jobs) in [(Kept, &[1, 0][..]), (Reverted, &[1])] {
        let harbour = harbour();
        let before = harbour.spec();
        harbour.world.turn(|knobs| knobs.spec_after_rollback = spec);
        let ended = runner::migrate(&harbour.harbor, harbour.request(FAILING)).await;
        let verdict = verdict(&ended);
        assert_eq!(ended.reason, Reason::RolledBack, "{spec:?} {verdict:#?}");
        assert_eq!(verdict.clean_up, CleanUpAxis::Verified, "{spec:?}");
        let sent: Vec<usize> = harbour.puts().iter().map(|(jobs, _)| *jobs).collect();
        assert_eq!(sent, jobs, "{spec:?}");
        assert_eq!(harbour.spec(), before, "{spec:?}");
    }
}

/// The job's process that came after the first `ran` did nothing, and the sweeper takes it out.
async fn disarmed_and_swept_up(harbour: &Box_, ran: usize, before: &serde_json::Value) {
    let ended = swept(harbour).await;
    assert_eq!(ended.reason, Reason::Cleaned, "{:#?}", ended.report.verdict);
    assert_eq!(harbour.world.executions().len(), ran + 1);
    assert_eq!(ran_steps(harbour), 1, "the job disarmed itself");
    assert_eq!(harbour.spec(), *before);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_to_the_jobs_own_deployment_runs_nothing_and_is_swept_up() {
    let harbour = harbour();
    let before = harbour.spec();
    runner::migrate(&harbour.harbor, harbour.request(STEPS)).await;
    tokio::time::sleep(Duration::from_secs(40 * 86_400)).await;
    let ran = harbour.world.executions().len();
    harbour
        .world
        .turn(|knobs| knobs.rollback_jobs = sim::RollbackJobs::Rerun);
    harbour
        .world
        .rollback(
            "shop",
            &carrier(&harbour),
            sim::Pin::Unpinned,
            "dev@example.com",
        )
        .unwrap();
    disarmed_and_swept_up(&harbour, ran, &before).await;
}

/// The rollback cancels the second step's deployment: its job never starts, and that of the first is in the app again.
#[tokio::test(start_paused = true)]
async fn a_rollback_to_an_earlier_steps_deployment_is_cleared_before_the_next_job_goes_in() {
    let harbour = harbour();
    let before = harbour.spec();
    let mut request = harbour.request(STEPS);
    request.settings.strategy = migration::Strategy::OneJobPerStep;
    let back = async {
        while harbour.puts().len() < 3 {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        roll_back_to_the_first_job(&harbour.world);
    };
    let run = runner::migrate(&harbour.harbor, request);
    let (ended, ()) = tokio::join!(run, back);
    assert_eq!(ended.reason, Reason::Done, "{:?}", ended.report.refusal);
    let sent: Vec<usize> = harbour.puts().iter().map(|(jobs, _)| *jobs).collect();
    assert_eq!(sent, [1, 0, 1, 0, 1, 0], "never two jobs at once");
    let wanted = [
        (Epoch(0), Some(LedgerOutcome::Done)),
        (Epoch(1), Some(LedgerOutcome::NeverStarted)),
        // That of the removal.
        (Epoch(0), Some(LedgerOutcome::Done)),
        (Epoch(2), Some(LedgerOutcome::Done)),
    ];
    assert_eq!(harbour.ledger.told(), wanted);
    assert_eq!(harbour.world.executions().len(), 2, "each step ran once");
    assert_eq!(harbour.spec(), before);
}

/// Brings the app back to the first deployment that carried a job of ours.
fn roll_back_to_the_first_job(world: &sim::World) {
    let state = world.state();
    let mut rows = state["apps"][0]["deployments"].as_array().unwrap().iter();
    let first = rows.rfind(|one| one["spec"].get("jobs").is_some()).unwrap();
    let id = first["id"].as_str().unwrap();
    world
        .rollback("shop", id, sim::Pin::Unpinned, "dev@example.com")
        .unwrap();
}

/// Between what was recorded of the last step and the last look.
#[tokio::test(start_paused = true)]
async fn a_run_of_several_jobs_ends_only_while_the_app_is_still_put_back() {
    let mut harbour = harbour();
    let before = harbour.spec();
    let mut request = harbour.request(STEPS);
    request.settings.strategy = migration::Strategy::OneJobPerStep;
    let (ledger, looks) = (harbour.ledger.clone(), AtomicUsize::new(0));
    harbour.harbor.client = harbor::client_that(&harbour.world, move |world, request| {
        let claims = ledger.all();
        let ended = claims.iter().filter(|one| one.outcome.is_some()).count();
        let reads = request.method() == "GET" && request.uri().path().ends_with(harbor::APP);
        if ended == 2 && reads && looks.fetch_add(1, Ordering::SeqCst) == 0 {
            roll_back_to_the_first_job(world);
        }
    });
    let ended = runner::migrate(&harbour.harbor, request).await;
    assert_eq!(ended.reason, Reason::Done);
    assert_eq!(verdict(&ended).clean_up, CleanUpAxis::Verified);
    let sent: Vec<usize> = harbour.puts().iter().map(|(jobs, _)| *jobs).collect();
    assert_eq!(sent, [1, 0, 1, 0, 0]);
    assert_eq!(harbour.spec(), before);
    assert_eq!(harbour.world.executions().len(), 2, "each step ran once");
}

/// Its first job's deployments are its own as long as it tells of any.
#[tokio::test(start_paused = true)]
async fn a_run_of_several_jobs_calls_none_of_its_own_deployments_anothers() {
    let harbour = harbour();
    let mut request = harbour.request(STEPS);
    request.settings.strategy = migration::Strategy::OneJobPerStep;
    let ended = runner::migrate(&harbour.harbor, request).await;
    assert_eq!(ended.reason, Reason::Done);
    let roles: Vec<migration::Role> = ended
        .report
        .deployments
        .iter()
        .map(|one| one.role)
        .collect();
    use migration::Role::{CleanUp, Ours};
    assert_eq!(roles, [Ours, CleanUp, Ours, CleanUp]);
}

/// A migration that ended well, whose job somebody's stale copy of the spec brings back just now, after its lease; and
/// the spec as it was before.
pub(crate) async fn brought_back() -> (Box_, serde_json::Value) {
    let harbour = harbour();
    let before = harbour.spec();
    let stale = async {
        when(&harbour, "BUILDING").await;
        harbour.spec()
    };
    let run = runner::migrate(&harbour.harbor, harbour.request(STEPS));
    let (ended, stale) = tokio::join!(run, stale);
    assert_eq!(ended.reason, Reason::Done);
    assert!(stale.get("jobs").is_some());
    tokio::time::sleep(Duration::from_secs(4 * 3600)).await;
    harbour
        .world
        .edit_spec("shop", "terraform@example.com", |spec| *spec = stale)
        .unwrap();
    (harbour, before)
}

#[tokio::test(start_paused = true)]
async fn a_job_that_a_stale_edit_brings_back_runs_nothing_after_its_lease_and_is_swept_up() {
    let (harbour, before) = brought_back().await;
    let ran = harbour.world.executions().len();
    disarmed_and_swept_up(&harbour, ran, &before).await;
}

#[tokio::test(start_paused = true)]
async fn a_stale_edit_that_takes_the_job_out_leaves_nothing_to_clean() {
    let harbour = harbour();
    let before = harbour.spec();
    harbour
        .world
        .turn(|knobs| knobs.overlap = sim::Overlap::Queue);
    let stale = before.clone();
    let edit = async {
        when(&harbour, "DEPLOYING").await;
        harbour
            .world
            .edit_spec("shop", "terraform@example.com", |spec| {
                *spec = stale;
                spec["services"][0]["instance_count"] = serde_json::json!(2);
            })
            .unwrap();
    };
    let run = runner::migrate(&harbour.harbor, harbour.request(STEPS));
    let (ended, ()) = tokio::join!(run, edit);
    let verdict = verdict(&ended);
    assert_eq!(ended.reason, Reason::Done, "{verdict:#?}");
    assert_eq!(verdict.clean_up, CleanUpAxis::Verified);
    assert_eq!(
        harbour.puts(),
        [(1, Some(200))],
        "there was nothing to clean"
    );
    assert_eq!(
        verdict.facts.changed_by_others,
        ["services[web].instance_count"]
    );
    assert_eq!(harbour.spec()["services"][0]["instance_count"], 2);
    assert_eq!(ran_steps(&harbour), 1);
}

/// Another repository's runner: it shares the app, and nothing else.
fn another(harbour: &Box_) -> (Box_, migration::Request) {
    let other = open(harbour.world.clone(), harbor::MemoryLedger::default());
    let mut request = other.request(STEPS);
    request.manifest.id = migration::MigrationId::parse("ter-300").unwrap();
    request.nonce = migration::Nonce::parse("000000000000000000000000000000b1").unwrap();
    (other, request)
}

#[tokio::test(start_paused = true)]
async fn another_repositorys_job_owns_the_app() {
    for apart in [0, 200] {
        let harbour = harbour();
        let before = harbour.spec();
        let (other, request) = another(&harbour);
        let second = async {
            tokio::time::sleep(Duration::from_secs(apart)).await;
            runner::migrate(&other.harbor, request).await
        };
        let run = runner::migrate(&harbour.harbor, harbour.request(STEPS));
        let (first, second) = tokio::join!(run, second);
        let reasons = (first.reason, second.reason);
        assert_eq!(reasons, (Reason::Done, Reason::Owned), "{apart} s apart");
        assert_eq!((ran_steps(&harbour), ran_steps(&other)), (1, 0));
        assert_eq!(harbour.spec(), before, "{apart} s apart");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_another_repositorys_update_overwrites_goes_in_anew() {
    for overlap in [
        sim::Overlap::Cancel,
        sim::Overlap::Queue,
        sim::Overlap::Supersede,
    ] {
        let harbour = harbour();
        let before = harbour.spec();
        harbour.world.turn(|knobs| knobs.overlap = overlap);
        // It has read the app before our insert, and writes after it.
        let (mut other, request) = another(&harbour);
        other.harbor.client = harbor::client_whose_updates_come_second(&harbour.world);
        let ours = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            runner::migrate(&harbour.harbor, harbour.request(STEPS)).await
        };
        let (first, second) = tokio::join!(ours, runner::migrate(&other.harbor, request));
        let reasons = (first.reason, second.reason);
        assert_eq!(reasons, (Reason::Done, Reason::Done), "{overlap:?}");
        let ran = (ran_steps(&harbour), ran_steps(&other));
        assert_eq!(ran, (1, 1), "{overlap:?}");
        let claims = harbour.ledger.all();
        let told: Vec<_> = claims
            .iter()
            .map(|entry| (entry.claim.epoch, entry.outcome.clone().unwrap()))
            .collect();
        // Where the platform ends a deployment for a newer one, ours never came to its job, and goes in anew.
        let wanted = match overlap {
            sim::Overlap::Queue => vec![(Epoch(0), LedgerOutcome::Done)],
            sim::Overlap::Cancel | sim::Overlap::Supersede => vec![
                (Epoch(0), LedgerOutcome::NeverStarted),
                (Epoch(1), LedgerOutcome::Done),
            ],
        };
        assert_eq!(told, wanted, "{overlap:?}");
        assert_eq!(harbour.spec(), before, "{overlap:?}");
    }
}
