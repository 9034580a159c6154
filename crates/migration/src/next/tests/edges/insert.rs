//! The guards before the insert and the claim.

use super::*;

#[test]
fn a_busy_platform_is_asked_again_after_a_while() {
    let ledger = vec![entry(7, "00:31:00", NONCE)];
    let busy = |now| {
        let mut world = claimed(quiet(now), ledger.clone(), 7);
        world.doings.insert_refused = Some(PutRefused::Busy);
        inserted(world, "00:31:00", PutResult::NotApplied)
    };
    let waits = next(&goal(), &busy("00:31:11"));
    assert_eq!(waits_for(&waits), &WaitFor::Platform);
    assert_eq!(next(&goal(), &busy("00:31:12")), Next::Do(Action::Insert));
}

/// Insert, job and clean-up are expected to take 22 minutes, and ten are kept for the clean-up whatever happens.
#[test]
fn nothing_is_inserted_that_may_not_end_before_the_deadline() {
    let claims = next(&goal(), &quiet("01:48:00"));
    assert_eq!(claims, Next::Do(Action::Claim));
    let ended = verdict(next(&goal(), &quiet("01:48:01")));
    assert_eq!(ended.reason, Reason::Deadline);
}

/// Nobody expects an insert hours after a laptop was closed.
#[test]
fn what_a_process_stood_still_is_not_its_own_for_an_insert() {
    let slept = |now, minutes: u64| Observed {
        stood_still: Duration::from_secs(minutes * 60),
        ..quiet(now)
    };
    let claims = next(&goal(), &slept("01:48:00", 60));
    assert_eq!(claims, Next::Do(Action::Claim));
    let ended = verdict(next(&goal(), &slept("01:48:01", 60)));
    assert_eq!(ended.reason, Reason::Deadline);
}

#[test]
fn another_migrations_job_owns_the_app_and_another_epoch_is_planned_again() {
    let rows = [deployment("d1", "ACTIVE", "00:10:00", &[])];
    let with = |record: &RunRecord| {
        let job = json!({"name": record.job().to_string(),
            "envs": [{"key": "HARBOR_PILOT_RUN", "value": serde_json::to_string(record).unwrap()}]});
        next(&goal(), &seen("00:33:00", &[job], "d1", &rows))
    };
    let mut other = record(OTHER_NONCE);
    other.epoch = Epoch(3);
    assert_eq!(with(&other), Next::Replan);
    other.key = Key::of(&AppId::new(APP), &MigrationId::parse("ter-231").unwrap());
    assert_eq!(verdict(with(&other)).reason, Reason::Owned);
}

#[test]
fn an_older_claim_can_no_longer_insert_after_three_minutes() {
    let entries = vec![
        entry(6, "00:30:00", OTHER_NONCE),
        entry(7, "00:31:00", NONCE),
    ];
    let world = |now| claimed(quiet(now), entries.clone(), 7);
    let waits = next(&goal(), &world("00:32:59"));
    assert_eq!(waits_for(&waits), &WaitFor::OlderClaim);
    let closed = Action::Record {
        entry: EntryId(6),
        outcome: LedgerOutcome::NeverStarted,
    };
    assert_eq!(next(&goal(), &world("00:33:00")), Next::Do(closed));
}

/// With the claim of a run that died in the way, and a token that may read the ledger and not write it.
#[test]
fn a_ledger_that_takes_no_outcome_of_an_older_claim_ends_the_run() {
    let after = |failures| {
        let mut world = quiet("00:33:00");
        world.ledger = LedgerView::Entries(vec![entry(6, "00:30:00", OTHER_NONCE)]);
        world.doings.record_failures = failures;
        next(&goal(), &world)
    };
    let closed = Action::Record {
        entry: EntryId(6),
        outcome: LedgerOutcome::NeverStarted,
    };
    assert_eq!(after(2), Next::Do(closed));
    assert_eq!(verdict(after(3)).reason, Reason::LedgerUnreachable);
}

/// A claim that waits for another one is too old afterwards, and keeps others waiting meanwhile.
#[test]
fn nothing_is_claimed_while_somebody_elses_claim_is_open() {
    let with = |now, entries| {
        let mut world = quiet(now);
        world.ledger = LedgerView::Entries(entries);
        next(&goal(), &world)
    };
    let open = || vec![entry(6, "00:30:00", OTHER_NONCE)];
    let waits = with("00:32:59", open());
    assert_eq!(waits_for(&waits), &WaitFor::OlderClaim);
    let closed = Action::Record {
        entry: EntryId(6),
        outcome: LedgerOutcome::NeverStarted,
    };
    assert_eq!(with("00:33:00", open()), Next::Do(closed));
    let mut withdrawn = open();
    withdrawn[0].outcome = Some(LedgerOutcome::Withdrawn);
    let claims = Next::Do(Action::Claim);
    assert_eq!(with("00:30:20", withdrawn), claims);
    let our_own = vec![entry(6, "00:30:00", NONCE)];
    assert_eq!(with("00:30:20", our_own), claims);
}

#[test]
fn the_post_step_waits_for_what_a_run_may_have_sent_just_after_its_claim() {
    let clean = Goal::Clean(CleanUp {
        keys: Some([key()].into()),
        ..CleanUp::default()
    });
    let world = |now, claimed: &str, mode| {
        let mut world = in_mode(quiet(now), mode);
        let mut closed = entry(5, "00:29:00", OTHER_NONCE);
        closed.outcome = Some(LedgerOutcome::Withdrawn);
        world.ledger = LedgerView::Entries(vec![closed, entry(7, claimed, NONCE)]);
        next(&clean, &world)
    };
    let waits = world("00:31:30", "00:30:20", Mode::Post);
    assert_eq!(
        wait_of(&waits),
        &Wait {
            what: WaitFor::OlderClaim,
            poll: Duration::from_secs(7),
            until: time("00:33:20")
        }
    );
    let closed = Action::Record {
        entry: EntryId(7),
        outcome: LedgerOutcome::NeverStarted,
    };
    let settled = world("00:33:20", "00:30:20", Mode::Post);
    assert_eq!(settled, Next::Do(closed));
    // It ends with the post step's own four minutes, and a sweep has no reason to wait.
    let waits = world("00:33:59", "00:31:30", Mode::Post);
    assert_eq!(wait_of(&waits).until, time("00:34:00"));
    for (now, mode) in [("00:34:00", Mode::Post), ("00:31:31", Mode::Sweep)] {
        let ended = verdict(world(now, "00:31:30", mode));
        assert_eq!(ended.reason, Reason::Cleaned);
    }
}

#[test]
fn only_an_older_open_claim_of_another_run_is_waited_for() {
    let with = |other: LedgerEntry| {
        let entries = vec![other, entry(7, "00:31:00", NONCE)];
        next(&goal(), &claimed(quiet("00:31:00"), entries, 7))
    };
    let insert = Next::Do(Action::Insert);
    let mut ended = entry(6, "00:30:50", OTHER_NONCE);
    ended.outcome = Some(LedgerOutcome::Withdrawn);
    assert_eq!(with(ended), insert);
    assert_eq!(with(entry(8, "00:31:00", OTHER_NONCE)), insert, "younger");
    assert_eq!(with(entry(6, "00:30:50", NONCE)), insert, "our own");
    let mut foreign = entry(6, "00:30:50", OTHER_NONCE);
    foreign.claim.key = Key::of(&AppId::new(APP), &MigrationId::parse("ter-231").unwrap());
    assert_eq!(with(foreign), insert, "of another migration");
    let waits = with(entry(6, "00:30:50", OTHER_NONCE));
    assert_eq!(waits_for(&waits), &WaitFor::OlderClaim);
}

#[test]
fn what_another_claim_came_to_is_planned_anew() {
    let with = |outcome| {
        let mut older = entry(6, "00:30:50", OTHER_NONCE);
        older.claim.authority = Authority::Cli("another".to_owned());
        older.outcome = Some(outcome);
        let entries = vec![older, entry(7, "00:31:00", NONCE)];
        next(&goal(), &claimed(quiet("00:31:00"), entries, 7))
    };
    let insert = Next::Do(Action::Insert);
    assert_eq!(with(LedgerOutcome::NeverStarted), insert);
    assert_eq!(with(LedgerOutcome::Unproven { done: 0 }), Next::Replan);
    assert_eq!(with(LedgerOutcome::Done), Next::Replan);
    // The same steps, in the epoch after the one that failed.
    let failed = LedgerOutcome::Failed {
        step: StepName::parse("columns").unwrap(),
        code: 1,
        check: false,
    };
    assert_eq!(with(failed), Next::Replan);
}

#[test]
fn a_claim_is_given_a_minute_to_be_used() {
    let entries = vec![entry(7, "00:31:00", NONCE)];
    let world = claimed(quiet("00:31:00"), entries, 7);
    let insert = Next::Do(Action::Insert);
    assert_eq!(next(&goal(), &at(world.clone(), "00:32:00")), insert);
    let withdrawn = Next::Do(Action::Record {
        entry: EntryId(7),
        outcome: LedgerOutcome::Withdrawn,
    });
    assert_eq!(next(&goal(), &at(world, "00:32:01")), withdrawn);
}

#[test]
fn a_ledger_that_does_not_list_a_claim_while_there_is_time_to_use_it_ends_the_run() {
    let world = claimed(quiet("00:31:00"), Vec::new(), 7);
    let waits = next(&goal(), &at(world.clone(), "00:31:44"));
    assert_eq!(waits_for(&waits), &WaitFor::ClaimVisible);
    // Closing the claim first would leave none, and the next one would be made, and so on to the deadline.
    let ended = verdict(next(&goal(), &at(world, "00:31:45")));
    assert_eq!(ended.reason, Reason::LedgerUnreachable);
}

#[test]
fn late_in_a_run_its_own_claim_is_looked_for_as_often_as_early() {
    let mut world = claimed(quiet("00:41:00"), Vec::new(), 7);
    world.since = "2026-02-18T00:31:00Z".parse().unwrap();
    if let Some(made) = &mut world.doings.claim {
        made.at = world.now;
    }
    match next(&goal(), &world) {
        Next::Wait(wait) => assert_eq!(wait.poll, bounds::POLL_MIN),
        other @ (Next::Do(_) | Next::Replan | Next::Done(_)) => panic!("not waiting: {other:?}"),
    }
}

#[test]
fn a_silent_ledger_is_asked_for_two_minutes_before_there_is_a_claim() {
    let mut world = quiet("00:31:59");
    world.ledger = LedgerView::Unreachable;
    let waits = next(&goal(), &world);
    assert_eq!(waits_for(&waits), &WaitFor::Ledger);
    let ended = verdict(next(&goal(), &at(world.clone(), "00:32:00")));
    assert_eq!(ended.reason, Reason::LedgerUnreachable);
    let mut claimed = claimed(world, Vec::new(), 7);
    claimed.ledger = LedgerView::Unreachable;
    let ended = verdict(next(&goal(), &claimed));
    assert_eq!(ended.reason, Reason::LedgerUnreachable);
}

#[test]
fn a_claim_that_can_not_be_closed_is_tried_three_times() {
    let mut world = claimed(quiet("00:31:00"), vec![entry(7, "00:31:00", NONCE)], 7);
    if let AppView::Present(app) = &mut world.app {
        app.pinned = app.active.clone();
    }
    let closed = Next::Do(Action::Record {
        entry: EntryId(7),
        outcome: LedgerOutcome::Withdrawn,
    });
    world.doings.record_failures = bounds::RECORD_TRIES - 1;
    assert_eq!(next(&goal(), &world), closed);
    world.doings.record_failures = bounds::RECORD_TRIES;
    assert_eq!(verdict(next(&goal(), &world)).reason, Reason::Pinned);
}

#[test]
fn a_silent_platform_is_asked_for_two_minutes_before_the_insert_and_to_the_deadline_after_it() {
    let silent = |mut world: Observed, now| {
        world.app = AppView::Unreachable(time("00:31:00"));
        at(world, now)
    };
    for goal in [goal(), sweep()] {
        let waits = next(&goal, &silent(quiet("00:31:00"), "00:32:59"));
        assert_eq!(waits_for(&waits), &WaitFor::Platform);
        let ended = verdict(next(&goal, &silent(quiet("00:31:00"), "00:33:00")));
        assert_eq!(ended.reason, Reason::PlatformUnreachable);
    }
    let sent = || inserted(quiet("00:31:00"), "00:31:00", ours());
    let waits = next(&goal(), &silent(sent(), "02:19:59"));
    assert_eq!(waits_for(&waits), &WaitFor::Platform);
    let ended = verdict(next(&goal(), &silent(sent(), "02:20:00")));
    assert_eq!(ended.reason, Reason::CleanUpNotProven);
}
