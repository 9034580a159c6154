//! Jobs of earlier epochs of the same migration, which somebody brings back into the app.

use super::*;

/// The second epoch, after the first has ended.
fn second() -> Plan {
    Plan {
        epoch: Epoch(1),
        ..plan()
    }
}

fn goal() -> Goal {
    Goal::Migrate(Box::new(second()))
}

/// The job of the second epoch.
fn second_job() -> Value {
    let record = RunRecord {
        epoch: Epoch(1),
        ..record(NONCE)
    };
    json!({"name": second().job().to_string(), "kind": "POST_DEPLOY",
           "envs": [{"key": "HARBOR_PILOT_RUN", "value": serde_json::to_string(&record).unwrap()}]})
}

/// What the first epoch came to is in the ledger and in its log; what ran it since did nothing.
fn told(mut world: Observed, carriers: &[&str]) -> Observed {
    world.doings.claimed_removals.clear();
    let mut ended = entry(6, "00:30:00", NONCE);
    ended.outcome = Some(LedgerOutcome::Done);
    world.ledger = LedgerView::Entries(vec![ended]);
    let world = with_log(world, "d2", all_done());
    carriers
        .iter()
        .fold(world, |world, id| with_log(world, id, disarmed()))
}

/// The job of the first epoch is back before that of the second goes in.
fn before_the_insert() -> Observed {
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d3", "ACTIVE", "00:33:00", &jobs),
        deployment("d2", "SUPERSEDED", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    told(seen("00:36:00", &jobs, "d3", &rows), &["d3"])
}

/// A rollback to the deployment of the first job has cancelled that of the second.
fn after_the_insert() -> Observed {
    let jobs = [job(NONCE)];
    let mut back = deployment("d4", "ACTIVE", "00:34:00", &jobs);
    back["cause_details"] = json!({"type": "MANUAL_ROLLBACK"});
    let mut cancelled = deployment("d3", "CANCELED", "00:33:00", &[second_job()]);
    cancelled["progress"] = json!({"steps": [{"name": "deploy", "status": "PENDING", "steps": [
        {"name": second().job().to_string(), "status": "PENDING", "component_name": second().job().to_string()}]}]});
    let rows = [
        back,
        cancelled,
        deployment("d2", "SUPERSEDED", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let world = told(seen("00:36:00", &jobs, "d4", &rows), &["d4"]);
    let ours = PutResult::Applied(Some(DeploymentId::new("d3")));
    inserted(world, "00:33:00", ours)
}

fn claims_its_removal(next: &Next) -> bool {
    matches!(next, Next::Do(Action::ClaimRemoval(claim)) if claim.job() == job_name())
}

/// Planned again it would never be followed, for its end is known; and nothing goes in beside it.
#[test]
fn a_job_of_an_earlier_epoch_is_taken_out_before_the_insert() {
    let mut world = before_the_insert();
    assert!(claims_its_removal(&next(&goal(), &world)));
    world.doings.claimed_removals = vec![job_name()];
    let out = Next::Do(Action::Remove(vec![job_name().component()]));
    assert_eq!(next(&goal(), &world), out);
    // What can't be taken out is left to a person, and nothing goes in.
    world.doings.removals = vec![removal("00:35:00", PutResult::Applied(None)); 3];
    let ended = verdict(next(&goal(), &world));
    assert_eq!(ended.reason, Reason::CleanUpNotProven);
    assert_eq!(ended.clean_up, CleanUpAxis::Blocked);
    assert_eq!(ended.job, JobAxis::NotAttempted);
}

#[test]
fn an_app_with_an_earlier_epochs_job_in_it_is_not_put_back() {
    let mut world = after_the_insert();
    assert_eq!(crate::put_back(&second(), &world), None);
    assert!(claims_its_removal(&next(&goal(), &world)));
    world.doings.claimed_removals = vec![job_name()];
    let out = Next::Do(Action::Remove(vec![job_name().component()]));
    assert_eq!(next(&goal(), &world), out);
    // Out of the spec, and still in what is live.
    let mut in_live = world.clone();
    let AppView::Present(app) = &mut in_live.app else {
        panic!("there is no app")
    };
    app.spec = app_spec::AppSpec::from_value(spec(&[])).unwrap();
    assert_eq!(crate::put_back(&second(), &in_live), None);
    assert_eq!(next(&goal(), &in_live), out);
    world.stop = Some(Stop::Signal);
    let ended = verdict(next(&goal(), &world));
    assert_eq!(ended.clean_up, CleanUpAxis::Blocked);
}

#[test]
fn the_firewall_is_not_touched_while_an_earlier_epochs_job_is_in() {
    let mut plan = second();
    plan.cluster = Some(app_spec::ClusterId::new("c"));
    plan.request.settings.firewall = FirewallPolicy::Restore;
    let mut world = after_the_insert();
    world.doings.claimed_removals = vec![job_name()];
    world.doings.removals = vec![removal("00:35:00", PutResult::Applied(None)); 3];
    let ended = verdict(next(&Goal::Migrate(Box::new(plan)), &world));
    assert_eq!(ended.firewall, FirewallAxis::NotChecked);
    assert_eq!(ended.clean_up, CleanUpAxis::Blocked);
}

/// Our own job may still run where it was given up at the deadline: an update now would end it.
#[test]
fn an_earlier_epochs_job_is_left_alone_while_our_own_may_run() {
    let jobs = [job(NONCE), second_job()];
    let rows = [
        deployment("d3", "DEPLOYING", "02:10:00", &jobs[1..]),
        deployment("d2", "SUPERSEDED", "00:31:00", &jobs[..1]),
        deployment("d1", "ACTIVE", "00:10:00", &[]),
    ];
    let world = told(seen("02:20:00", &jobs, "d1", &rows), &[]);
    let ours = PutResult::Applied(Some(DeploymentId::new("d3")));
    let mut world = inserted(world, "02:10:00", ours);
    world.doings.cancelled = vec![DeploymentId::new("d3")];
    let ended = verdict(next(&goal(), &world));
    assert_eq!(ended.reason, Reason::Detached);
}

#[test]
fn the_claim_on_an_earlier_epochs_removal_is_closed_with_what_its_log_proves() {
    let rows = [
        deployment("d4", "ACTIVE", "00:34:00", &[]),
        deployment("d3", "SUPERSEDED", "00:33:00", &[job(NONCE)]),
        deployment("d2", "SUPERSEDED", "00:31:00", &[job(NONCE)]),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let mut world = told(seen("00:36:00", &[], "d4", &rows), &["d3"]);
    world.doings.claimed_removals = vec![job_name()];
    let LedgerView::Entries(entries) = &mut world.ledger else {
        panic!("there is no ledger")
    };
    entries.push(entry(7, "00:33:30", NONCE));
    let closed = Next::Do(Action::Record {
        entry: EntryId(7),
        outcome: LedgerOutcome::Done,
    });
    assert_eq!(next(&goal(), &world), closed);
}
