//! The job's removal, and the deployment without it.

use super::*;

#[test]
fn the_deployment_without_the_job_is_given_half_an_hour() {
    let jobs = [job(NONCE)];
    let world = |sent, now| {
        let rows = [
            deployment("d3", "BUILDING", "00:42:00", &[]),
            deployment("d2", "ACTIVE", "00:31:00", &jobs),
            deployment("d1", "SUPERSEDED", "00:10:00", &[]),
        ];
        let world = seen(now, &[], "d2", &rows);
        let mut world = with_log(inserted(world, "00:31:00", ours()), "d2", all_done());
        world.doings.removals = vec![removal(sent, PutResult::Applied(Some(d("d3"))))];
        world
    };
    // Also where the update lay here for a while before it went out.
    for sent in ["00:42:00", "00:35:00"] {
        let waits = next(&goal(), &world(sent, "01:11:59"));
        assert_eq!(waits_for(&waits), &WaitFor::CleanUp);
        assert_eq!(wait_of(&waits).until, time("01:12:00"));
        let ended = verdict(next(&goal(), &world(sent, "01:12:00")));
        assert_eq!(
            (ended.clean_up, ended.reason),
            (CleanUpAxis::Sent, Reason::CleanUpNotProven)
        );
    }
}

#[test]
fn a_refused_removal_is_tried_again_for_ten_minutes() {
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d2", "ACTIVE", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let world = |now, removals: &[(&str, PutResult)]| {
        let world = seen(now, &jobs, "d2", &rows);
        let mut world = with_log(inserted(world, "00:31:00", ours()), "d2", all_done());
        world.doings.removals = removals
            .iter()
            .map(|(at, outcome)| removal(at, outcome.clone()))
            .collect();
        world
    };
    let refused = |at| (at, PutResult::NotApplied);
    let once = [refused("00:42:00")];
    let waits = next(&goal(), &world("00:42:11", &once));
    assert_eq!(
        wait_of(&waits),
        &Wait {
            what: WaitFor::RemovalAgain,
            poll: Duration::from_secs(1),
            until: time("00:52:00")
        }
    );
    assert_eq!(next(&goal(), &world("00:42:12", &once)), remove());
    let often = [
        refused("00:42:00"),
        refused("00:43:00"),
        refused("00:44:00"),
    ];
    assert_eq!(
        next(&goal(), &world("00:51:59", &often)),
        remove(),
        "what was not applied does not count"
    );
    let ended = verdict(next(&goal(), &world("00:52:00", &often)));
    assert_eq!(ended.reason, Reason::CleanUpNotProven);
    let applied = |at| (at, PutResult::Applied(None));
    let late = [applied("00:42:00"), applied("00:43:00")];
    assert_eq!(
        next(&goal(), &world("00:59:00", &late)),
        remove(),
        "one that was taken has no such bound"
    );
}

#[test]
fn a_job_whose_claims_are_closed_is_claimed_before_it_is_taken_out() {
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d3", "ACTIVE", "00:50:00", &jobs),
        deployment("d2", "SUPERSEDED", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let world = |spec: &[Value], ledger| {
        let world = sweeping(seen("01:00:00", spec, "d3", &rows));
        let mut world = with_log(with_log(world, "d2", all_done()), "d3", disarmed());
        world.doings.claimed_removals.clear();
        world.ledger = ledger;
        world
    };
    let closed = LedgerEntry {
        outcome: Some(LedgerOutcome::Done),
        ..entry(1, "00:30:30", NONCE)
    };
    let again = Claim {
        pull_request: Some(428),
        ..entry(2, "01:00:00", NONCE).claim
    };
    let claim = Next::Do(Action::ClaimRemoval(Box::new(again)));
    let entries =
        |all: &[&LedgerEntry]| LedgerView::Entries(all.iter().copied().cloned().collect());
    let ended = || entries(&[&closed]);
    assert_eq!(next(&sweep(), &world(&jobs, ended())), claim);
    assert_eq!(
        next(&sweep(), &world(&[], ended())),
        claim,
        "an update that replaces what is live may overwrite an edit, too"
    );
    assert_eq!(next(&sweep(), &world(&jobs, entries(&[]))), claim);

    let mut asked = world(&jobs, ended());
    asked.doings.claimed_removals = vec![job_name()];
    assert_eq!(next(&sweep(), &asked), remove(), "it is asked for once");
    let open = entries(&[&closed, &entry(2, "01:00:00", NONCE)]);
    assert_eq!(next(&sweep(), &world(&jobs, open)), remove());
    let silent = world(&jobs, LedgerView::Unreachable);
    assert_eq!(
        next(&sweep(), &silent),
        remove(),
        "a ledger that gives no answer holds nothing back"
    );
}
