//! What is said of a wait.

use super::*;

#[test]
fn each_wait_has_words_of_its_own() {
    let waits = [
        WaitFor::Platform,
        WaitFor::Ledger,
        WaitFor::MergeDeployment,
        WaitFor::OtherDeployment(d("d3"), Phase::Building),
        WaitFor::OlderClaim,
        WaitFor::ClaimVisible,
        WaitFor::DoubtfulPut,
        WaitFor::Job(d("d2"), Phase::Deploying),
        WaitFor::Rollback,
        WaitFor::Log,
        WaitFor::RemovalAgain,
        WaitFor::RepairAgain,
        WaitFor::CleanUp,
        WaitFor::Health,
    ];
    insta::assert_snapshot!(waits.map(|wait| wait.to_string()).join("\n"), @"
    the DigitalOcean API gives no answer; asking again
    the ledger gives no answer; asking again
    waiting for the merged commit to be live
    waiting for deployment d3 (BUILDING), which this run did not start
    waiting for an older claim on this migration to settle
    waiting for the ledger to show the claim
    the reply to the update was lost; watching whether it was applied
    deployment d2 is DEPLOYING
    the deployment failed; waiting for the platform's rollback
    waiting for the job's log
    the removal was not accepted; trying again
    putting somebody's edit back was not accepted; trying again
    the job is out of the spec; waiting for the deployment without it
    asking the app's health address
    ");
}
