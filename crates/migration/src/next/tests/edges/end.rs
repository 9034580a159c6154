//! What is done once the job is out: the ledger's last word, the firewall, and what our updates overwrote.

use super::*;

/// After the removal, with this in the ledger.
fn in_ledger(entries: Vec<LedgerEntry>) -> Observed {
    let mut world = put_back(all_done());
    world.ledger = LedgerView::Entries(entries);
    world
}

#[test]
fn the_end_is_recorded_on_the_claim_of_this_epoch_once() {
    let recorded = |world: &Observed| next(&goal(), world);
    let done = Next::Do(Action::Record {
        entry: EntryId(7),
        outcome: LedgerOutcome::Done,
    });
    let ours = || entry(7, "00:31:00", NONCE);
    assert_eq!(recorded(&in_ledger(vec![ours()])), done);

    let ended = |world: &Observed| verdict(recorded(world)).reason;
    let mut other_epoch = ours();
    other_epoch.claim.epoch = Epoch(1);
    let mut other_key = ours();
    other_key.claim.key = Key::of(&AppId::new(APP), &MigrationId::parse("ter-231").unwrap());
    let mut closed = ours();
    closed.outcome = Some(LedgerOutcome::Done);
    let other_claim = entry(7, "00:31:00", OTHER_NONCE);
    for entry in [other_epoch, other_key, closed, other_claim] {
        assert_eq!(
            ended(&in_ledger(vec![entry.clone()])),
            Reason::Done,
            "{entry:?}"
        );
    }
    let mut told = in_ledger(vec![ours()]);
    told.doings.recorded.push(EntryId(7));
    let last = verdict(recorded(&told));
    assert!(last.facts.recorded);
    let mut failing = in_ledger(vec![ours()]);
    failing.doings.record_failures = bounds::RECORD_TRIES - 1;
    assert_eq!(recorded(&failing), done);
    failing.doings.record_failures = bounds::RECORD_TRIES;
    assert_eq!(ended(&failing), Reason::Done);
}

/// A `stop` took the job out before it began and closed its claims; somebody brought it back, and it ran.
#[test]
fn what_ran_after_it_was_recorded_as_never_started_is_recorded_anew() {
    let closed = |id, outcome| {
        let mut entry = entry(id, "00:31:00", NONCE);
        entry.outcome = Some(outcome);
        entry
    };
    let nothing = |id| closed(id, LedgerOutcome::NeverStarted);
    let told = |entries: Vec<LedgerEntry>, evidence| {
        let mut world = put_back(evidence);
        world.ledger = LedgerView::Entries(entries);
        match next(&goal(), &world) {
            Next::Do(Action::Record { entry, outcome }) => Some((entry.0, outcome)),
            Next::Done(_) => None,
            other @ (Next::Do(_) | Next::Wait(_) | Next::Replan) => panic!("{other:?}"),
        }
    };
    let done = Some((7, LedgerOutcome::Done));
    assert_eq!(told(vec![nothing(7)], all_done()), done);
    let withdrawn = closed(6, LedgerOutcome::Withdrawn);
    assert_eq!(told(vec![withdrawn.clone(), nothing(7)], all_done()), done);
    assert_eq!(told(vec![nothing(7)], disarmed()), None, "nothing ran");
    // What another run could read is not taken back by who could not.
    let cut = || Evidence {
        done: None,
        ..all_done()
    };
    let failed = closed(6, LedgerOutcome::Unproven { done: 2 });
    assert_eq!(told(vec![failed, nothing(7)], cut()), None);
    // An open claim comes first.
    let open = entry(8, "00:32:00", NONCE);
    let on_it = told(vec![nothing(7), open], all_done());
    assert_eq!(on_it, Some((8, LedgerOutcome::Done)));
}

#[test]
fn the_sweeper_closes_what_has_ended_and_nothing_else() {
    let goal = sweep();
    let swept = |entries: Vec<LedgerEntry>| sweeping(in_ledger(entries));
    let closes = |world: &Observed| match next(&goal, world) {
        Next::Do(Action::Record { entry, outcome }) => Some((entry.0, outcome)),
        Next::Done(_) => None,
        other @ (Next::Do(_) | Next::Wait(_) | Next::Replan) => panic!("{other:?}"),
    };
    let ours = || entry(7, "00:31:00", NONCE);
    let done = Some((7, LedgerOutcome::Done));
    assert_eq!(closes(&swept(vec![ours()])), done);
    // Its claim is as old, but another claimer's job went in: it gave way.
    assert_eq!(
        closes(&swept(vec![entry(6, "00:31:00", OTHER_NONCE)])),
        Some((6, LedgerOutcome::Withdrawn))
    );
    let mut later_epoch = entry(8, "00:49:00", NONCE);
    later_epoch.claim.epoch = Epoch(1);
    assert_eq!(closes(&swept(vec![later_epoch.clone(), ours()])), done);
    assert_eq!(closes(&swept(vec![later_epoch])), None, "it is fresh");
    let mut other_key = entry(8, "00:49:00", NONCE);
    other_key.claim.key = Key::of(&AppId::new(APP), &MigrationId::parse("ter-231").unwrap());
    assert_eq!(closes(&swept(vec![other_key, ours()])), done);
    let mut told = swept(vec![ours()]);
    told.doings.recorded.push(EntryId(7));
    assert_eq!(closes(&told), None);
    let mut failing = swept(vec![ours()]);
    failing.doings.record_failures = bounds::RECORD_TRIES - 1;
    assert_eq!(closes(&failing), done);
    failing.doings.record_failures = bounds::RECORD_TRIES;
    assert_eq!(closes(&failing), None);
}

#[test]
fn a_claim_that_gave_way_is_withdrawn_also_where_the_end_is_open() {
    let mut world = sweeping(put_back(Evidence::default()));
    world.logs.clear();
    for log in 0..2 {
        let entries = vec![entry(6, "00:31:00", OTHER_NONCE)];
        world.ledger = LedgerView::Entries(entries);
        if log == 1 {
            world = with_log(world, "d2", Evidence::default());
            for log in world.logs.values_mut() {
                log.read = LogRead::Failed;
                log.tries = 1;
            }
        }
        assert_eq!(
            crate::next::clean::ending(&entry(6, "00:31:00", OTHER_NONCE), &world),
            Some(LedgerOutcome::Withdrawn)
        );
        assert_eq!(
            crate::next::clean::ending(&entry(7, "00:31:00", NONCE), &world),
            None,
            "what went in and has no end yet stays open"
        );
    }
}

#[test]
fn the_firewall_is_put_back_where_that_was_asked_and_is_needed() {
    let mut plan = plan();
    plan.cluster = Some(app_spec::ClusterId::new("c"));
    let goal = |policy| {
        let mut plan = plan.clone();
        plan.request.settings.firewall = policy;
        Goal::Migrate(Box::new(plan))
    };
    let own = json!({"type": "app", "value": APP});
    let debug = json!({"type": "ip_addr", "value": "203.0.113.7"});
    let with = |rules: &Value, writes| {
        let mut world = put_back(all_done());
        world.firewall = FirewallView::Rules(FirewallRules::from_value(rules).unwrap());
        world.doings.firewall_writes = writes;
        world
    };
    let restore = Next::Do(Action::RestoreFirewall);
    for wide in [json!([own, debug]), json!([debug]), json!([])] {
        for writes in [0, 1] {
            let world = with(&wide, writes);
            assert_eq!(
                next(&goal(FirewallPolicy::Restore), &world),
                restore,
                "{wide}"
            );
        }
        let failed = verdict(next(&goal(FirewallPolicy::Restore), &with(&wide, 2)));
        assert_eq!(
            (failed.firewall, failed.reason),
            (FirewallAxis::Failed, Reason::Firewall)
        );
        let told = verdict(next(&goal(FirewallPolicy::Check), &with(&wide, 0)));
        assert_eq!(
            (told.firewall, told.reason),
            (FirewallAxis::Drifted, Reason::Done)
        );
    }
    let only = json!([own]);
    for (writes, axis) in [(0, FirewallAxis::AsAsked), (1, FirewallAxis::Restored)] {
        let told = verdict(next(&goal(FirewallPolicy::Restore), &with(&only, writes)));
        assert_eq!((told.firewall, told.reason), (axis, Reason::Done));
    }
    let post = in_mode(with(&json!([debug]), 0), Mode::Post);
    assert_eq!(
        verdict(next(&goal(FirewallPolicy::Restore), &post)).firewall,
        FirewallAxis::Failed,
        "the post step has no time for it, and says so"
    );
}

/// As after a removal, but somebody's edit was overwritten by the insert.
fn edit_lost() -> Observed {
    let jobs = [job(NONCE)];
    let mut edit = deployment("d1b", "SUPERSEDED", "00:30:30", &[]);
    edit["spec"]["region"] = json!("ams");
    let rows = [
        deployment("d3", "ACTIVE", "00:42:00", &[]),
        deployment("d2", "SUPERSEDED", "00:31:00", &jobs),
        edit,
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let mut world = inserted(seen("00:50:00", &[], "d3", &rows), "00:31:00", ours());
    world.doings.removals = vec![removal("00:42:00", PutResult::Applied(Some(d("d3"))))];
    with_log(world, "d2", all_done())
}

#[test]
fn an_overwritten_edit_is_put_back_twice_at_most_and_before_the_claim_is_closed() {
    let repair = Next::Do(Action::Repair(vec![job_name()]));
    let mut world = edit_lost();
    world.ledger = LedgerView::Entries(vec![entry(7, "00:31:00", NONCE)]);
    let put = || removal("00:45:00", PutResult::Ambiguous);
    for repairs in 0..2 {
        world.doings.repairs = vec![put(); repairs];
        assert_eq!(next(&goal(), &world), repair);
        let mut swept = sweeping(world.clone());
        swept.doings.removals.clear();
        assert_eq!(next(&sweep(), &swept), repair);
    }
    world.doings.repairs = vec![put(); 2];
    let recorded = Next::Do(Action::Record {
        entry: EntryId(7),
        outcome: LedgerOutcome::Done,
    });
    world.doings.repaired = vec!["name".to_owned(), "region".to_owned()];
    for (goal, mut world) in [(goal(), world.clone()), (sweep(), sweeping(world))] {
        assert_eq!(next(&goal, &world), recorded);
        assert_eq!(left_to_a_person(&goal, &world), ["region"]);
        world.doings.recorded.push(EntryId(7));
        let told = verdict(next(&goal, &world));
        assert_eq!(told.reason, Reason::EditOverwritten);
        assert_eq!(told.facts.conflicts, ["region"]);
        assert_eq!(told.facts.repaired, ["name"], "the other was only tried");
    }
}

#[test]
fn an_update_of_ours_that_may_still_arrive_is_waited_for_before_the_run_ends() {
    let doubtful = Wrote {
        put: removal("00:49:00", PutResult::Ambiguous),
        what_for: WrittenFor::Job,
    };
    let world = |now| {
        let mut world = at(in_ledger(vec![entry(7, "00:31:00", NONCE)]), now);
        world.wrote = vec![doubtful.clone()];
        world
    };
    let recorded = Next::Do(Action::Record {
        entry: EntryId(7),
        outcome: LedgerOutcome::Done,
    });
    for (goal, mode) in [(goal(), Mode::Main), (sweep(), Mode::Sweep)] {
        let waits = next(&goal, &in_mode(world("00:51:30"), mode));
        assert_eq!(
            wait_of(&waits),
            &Wait {
                what: WaitFor::DoubtfulPut,
                poll: Duration::from_secs(30),
                until: time("00:52:00")
            }
        );
        assert_eq!(next(&goal, &in_mode(world("00:52:00"), mode)), recorded);
    }
    // The post step has no time for that: it leaves the claim open for whoever comes next.
    let post = in_mode(world("00:51:30"), Mode::Post);
    assert_eq!(verdict(next(&goal(), &post)).reason, Reason::Done);
}

#[test]
fn an_overwritten_edit_is_not_put_back_where_a_write_could_do_harm() {
    let mut post = in_mode(edit_lost(), Mode::Post);
    post.ledger = LedgerView::Entries(vec![entry(7, "00:31:00", NONCE)]);
    let ended = verdict(next(&goal(), &post));
    assert_eq!(
        ended.reason,
        Reason::EditOverwritten,
        "the post step tells it, and the claim stays open for whoever comes next"
    );
    let mut flying = edit_lost();
    let mut row = flying.deployments[0].clone();
    row.id = d("d4");
    row.phase = Phase::Building;
    row.created_at = Some(time("00:49:00"));
    flying.deployments.insert(0, row);
    assert_ne!(
        next(&goal(), &flying),
        Next::Do(Action::Repair(vec![job_name()]))
    );
    // Nor once it is waited for no longer.
    let ended = verdict(next(&goal(), &at(flying, "01:30:00")));
    assert_eq!(ended.reason, Reason::CleanUpNotProven);
    // Nor while the live deployment still has the job.
    let mut carried = edit_lost();
    carried.deployments[0].phase = Phase::Error;
    carried.deployments[1].phase = Phase::Active;
    carried.doings.removals = vec![removal("00:42:00", PutResult::Applied(None)); 3];
    for (goal, world) in [(goal(), carried.clone()), (sweep(), sweeping(carried))] {
        let ended = verdict(next(&goal, &world));
        assert_eq!(ended.reason, Reason::CleanUpNotProven);
    }
}

#[test]
fn an_edit_whose_return_is_refused_is_tried_again_for_ten_minutes_and_then_told() {
    let mut world = edit_lost();
    world.doings.repairs = vec![removal("00:45:00", PutResult::NotApplied)];
    let repair = Next::Do(Action::Repair(vec![job_name()]));
    assert_eq!(next(&goal(), &at(world.clone(), "00:54:59")), repair);
    let told = verdict(next(&goal(), &at(world, "00:55:00")));
    assert_eq!(told.reason, Reason::EditOverwritten);
}

/// Its run may have died with the same removal under way.
#[test]
fn a_post_step_that_took_the_job_out_leaves_the_claim_to_whoever_proves_that() {
    let world = in_ledger(vec![entry(7, "00:31:00", NONCE)]);
    let recorded = Next::Do(Action::Record {
        entry: EntryId(7),
        outcome: LedgerOutcome::Done,
    });
    let mut post = in_mode(world.clone(), Mode::Post);
    assert_eq!(verdict(next(&sweep(), &post)).reason, Reason::Cleaned);
    post.doings.removals.clear();
    assert_eq!(
        next(&sweep(), &post),
        recorded,
        "it found the job taken out"
    );
    assert_eq!(next(&sweep(), &in_mode(world, Mode::Sweep)), recorded);
}
