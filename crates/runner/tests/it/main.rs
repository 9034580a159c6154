//! The real driver against the simulator in process, in virtual time.
#![cfg(test)]

mod harbor;

use harbor::{Box_, harbour, open, request};
use migration::{CleanUpAxis, FirewallAxis, HealthAxis, JobAxis, LedgerOutcome, Reason, StepName};

const STEPS: &[(&str, &str)] = &[("columns", "echo adding columns"), ("backfill", "echo filling in")];

#[tokio::test(start_paused = true)]
async fn an_ordinary_migration_runs_once_and_the_app_is_put_back() {
    let harbour = harbour();
    let before = harbour.spec();
    let ended = runner::migrate(&harbour.harbor, request(STEPS)).await;
    let verdict = ended.report.verdict.as_ref().unwrap_or_else(|| panic!("{:?}", ended.report.refusal));
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
    assert!(log.contains("adding columns") && log.contains("filling in"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_failing_step_is_rolled_back_and_the_rest_never_runs() {
    let harbour = harbour();
    let before = harbour.spec();
    let steps = [("columns", "echo adding columns"), ("backfill", "echo broken; exit 3"), ("never", "echo never")];
    let ended = runner::migrate(&harbour.harbor, request(&steps)).await;
    let verdict = ended.report.verdict.as_ref().unwrap_or_else(|| panic!("{:?}", ended.report.refusal));
    assert_eq!(ended.reason, Reason::RolledBack, "{verdict:#?}");
    let failed = JobAxis::Failed { step: StepName::parse("backfill").unwrap(), code: 3, check: false };
    assert_eq!(verdict.job, failed);
    assert_eq!(verdict.clean_up, CleanUpAxis::Verified);
    assert!(verdict.facts.rollback.is_some());
    assert_eq!(harbour.spec(), before);
    assert_eq!(harbour.world.executions().len(), 1);
}

/// A second process on the same ledger, with an authority of its own.
async fn again(harbour: &Box_, authority: &str) -> runner::Ended {
    let next = open(harbour.world.clone(), harbour.ledger.clone());
    let mut request = request(STEPS);
    request.authority = migration::Authority::parse(authority).unwrap();
    request.nonce = migration::Nonce::parse("000000000000000000000000000000a2").unwrap();
    runner::migrate(&next.harbor, request).await
}

#[tokio::test(start_paused = true)]
async fn a_done_migration_is_not_run_again() {
    let harbour = harbour();
    runner::migrate(&harbour.harbor, request(STEPS)).await;
    let writes = harbour.puts().len();
    let ended = again(&harbour, "cli:2").await;
    assert_eq!(ended.reason, Reason::AlreadyDone);
    assert_eq!(harbour.puts().len(), writes);
    assert_eq!(harbour.world.executions().len(), 1);
}
