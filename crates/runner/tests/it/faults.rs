//! A platform that answers late, wrongly or not at all, and jobs that do not start or do not end.

use crate::crashes::swept;
use crate::harbor::{Box_, harbour};
use crate::{STEPS, again, ran_steps, verdict};
use migration::{
    CleanUpAxis, FirewallAxis, FirewallPolicy, HealthAxis, JobAxis, LedgerOutcome, Reason, bounds,
    elapsed,
};
use serde_json::{Value, json};
use sim::{Applied, Fault, FaultKind};
use std::time::Duration;

fn answer(status: u16) -> FaultKind {
    FaultKind::Respond {
        status,
        headers: Default::default(),
        body: None,
        applied: Applied::No,
    }
}

async fn run(harbour: &Box_) -> runner::Ended {
    runner::migrate(&harbour.harbor, harbour.request(STEPS)).await
}

fn updates(harbour: &Box_) -> Vec<sim::Request> {
    let requests = harbour.world.requests().into_iter();
    requests
        .filter(|one| one.call == Some("apps.update"))
        .collect()
}

#[test]
fn a_doubtful_update_is_waited_for_three_times_as_long_as_it_may_take() {
    assert_eq!(bounds::SETTLE, 3 * digitalocean::Deadlines::default().write);
}

#[test]
fn a_claim_is_used_early_enough_for_its_update_to_arrive_before_others_give_it_up() {
    let arrives = bounds::CLAIM_USABLE + digitalocean::Deadlines::default().write;
    assert!(arrives < bounds::SETTLE, "{arrives:?}");
}

#[tokio::test(start_paused = true)]
async fn after_an_insert_that_never_arrived_a_re_run_inserts() {
    let harbour = harbour();
    let lost = FaultKind::Timeout {
        applied: Applied::No,
    };
    harbour.world.arm(Fault::next("apps.update", lost));
    let ended = run(&harbour).await;
    assert_eq!(verdict(&ended).job, JobAxis::NeverStarted);
    assert_eq!(ended.reason, Reason::NeverStarted);
    let ended = again(&harbour, "cli:1").await;
    assert_eq!(ended.reason, Reason::Done, "{:?}", ended.report.refusal);
    assert_eq!(ran_steps(&harbour), 1);
    let outcomes: Vec<_> = harbour
        .ledger
        .all()
        .into_iter()
        .map(|entry| entry.outcome)
        .collect();
    let wanted = [Some(LedgerOutcome::NeverStarted), Some(LedgerOutcome::Done)];
    assert_eq!(outcomes, wanted);
}

#[tokio::test(start_paused = true)]
async fn an_insert_that_takes_effect_twice_is_followed_twice_and_counted() {
    let harbour = harbour();
    let before = harbour.spec();
    harbour
        .world
        .turn(|knobs| knobs.overlap = sim::Overlap::Queue);
    harbour
        .world
        .arm(Fault::next("apps.update", FaultKind::AppliedTwice));
    let ended = run(&harbour).await;
    let verdict = verdict(&ended);
    assert_eq!(ran_steps(&harbour), 2);
    assert_eq!(verdict.facts.executions, 2, "{verdict:#?}");
    assert_eq!(verdict.facts.carried_by.len(), 1);
    assert_eq!(verdict.clean_up, CleanUpAxis::Verified);
    assert_eq!(harbour.spec(), before);
}

#[tokio::test(start_paused = true)]
async fn a_busy_platform_is_asked_again_as_the_same_attempt() {
    let harbour = harbour();
    harbour
        .world
        .arm(Fault::next("apps.update", answer(429)).times(2));
    let ended = run(&harbour).await;
    assert_eq!(ended.reason, Reason::Done);
    assert_eq!(ran_steps(&harbour), 1);
    let sent = updates(&harbour);
    assert_eq!(sent.len(), 4);
    for pair in sent[..3].windows(2) {
        let pause = elapsed(pair[0].at, pair[1].at);
        assert!(pause >= bounds::WRITE_AGAIN, "{pause:?}");
    }
    // It is one attempt all the same.
    assert_eq!(harbour.ledger.all().len(), 1);
}

/// A platform that is asked too often, and says how long it wants to be left alone.
fn busy(seconds: &str) -> FaultKind {
    FaultKind::Respond {
        status: 429,
        headers: [("retry-after".to_owned(), seconds.to_owned())].into(),
        body: None,
        applied: Applied::No,
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_platform_is_left_alone_for_as_long_as_it_asks_and_no_longer_than_four_minutes() {
    for (asked, at_least) in [("45", 45), ("3000", 240)] {
        let at_least = Duration::from_secs(at_least);
        for (nth, sent_before) in [(1, 0), (2, 1)] {
            let harbour = harbour();
            let before = harbour.spec();
            let refused = Fault::next("apps.update", busy(asked)).nth(nth);
            harbour.world.arm(refused);
            let ended = run(&harbour).await;
            assert_eq!(ended.reason, Reason::Done, "{asked} {nth}");
            let sent = updates(&harbour);
            let pause = elapsed(sent[sent_before].at, sent[sent_before + 1].at);
            assert!(pause >= at_least, "{asked} {nth}: {pause:?}");
            let at_most = at_least + bounds::POLL_MAX;
            assert!(pause <= at_most, "{asked} {nth}: {pause:?}");
            assert_eq!(harbour.spec(), before, "{asked} {nth}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_insert_ends_with_its_reason_and_a_claim_that_stops_nobody() {
    for (status, reason) in [
        (400, Reason::SpecRefused),
        (401, Reason::MissingScope),
        (403, Reason::MissingScope),
        (422, Reason::SpecRefused),
    ] {
        let harbour = crate::harbor::harbour();
        harbour
            .world
            .arm(Fault::next("apps.update", answer(status)));
        let ended = run(&harbour).await;
        assert_eq!(ended.reason, reason, "{status}");
        assert_eq!(updates(&harbour).len(), 1, "{status}");
        let claim = &harbour.ledger.all()[0];
        assert_eq!(claim.outcome, Some(LedgerOutcome::Withdrawn), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_counted_by_the_platforms_clock() {
    // The simulated year is not this machine's.
    let harbour = harbour();
    let ended = run(&harbour).await;
    let plan = ended.report.plan.as_ref().unwrap();
    let sent = &updates(&harbour)[0];
    let envs = sent.body["spec"]["jobs"][0]["envs"].as_array().unwrap();
    let lease = envs
        .iter()
        .find(|env| env["key"] == "HARBOR_PILOT_NOT_AFTER")
        .unwrap();
    let lease: i64 = lease["value"].as_str().unwrap().parse().unwrap();
    let span = lease - sent.at.as_second();
    let estimate = plan.estimate.to_start.as_secs();
    assert_eq!(span, i64::try_from(2 * estimate + 15 * 60).unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_log_whose_address_has_expired_is_asked_for_anew() {
    let harbour = harbour();
    harbour
        .world
        .arm(Fault::next("/_logs/*", answer(403)).times(4));
    let ended = run(&harbour).await;
    assert_eq!(ended.reason, Reason::Done, "{:#?}", verdict(&ended));
    let requests = harbour.world.requests().into_iter();
    let asked: Vec<_> = requests
        .filter(|one| one.call == Some("logs.get"))
        .collect();
    assert_eq!(asked.len(), 5);
    // In one try: what is not there yet is another matter.
    assert!(elapsed(asked[0].at, asked[4].at) < bounds::LOG_EVERY);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_late_in_parts_or_packed_is_read_whole_and_one_that_never_comes_proves_nothing()
 {
    type Turn = fn(&mut sim::Knobs);
    let turns: [(&str, Turn, JobAxis); 5] = [
        (
            "20 s late",
            |knobs| knobs.log_delay_seconds = 20,
            JobAxis::Done,
        ),
        (
            "90 s late",
            |knobs| knobs.log_delay_seconds = 90,
            JobAxis::Done,
        ),
        ("in parts", |knobs| knobs.log_parts = 3, JobAxis::Done),
        (
            "packed, in parts",
            |knobs| {
                knobs.log_parts = 3;
                knobs.log_encoding = sim::LogEncoding::Gzip;
            },
            JobAxis::Done,
        ),
        (
            "never",
            |knobs| knobs.log_delay_seconds = 86_400,
            JobAxis::Unproven { during: None },
        ),
    ];
    for (name, turn, job) in turns {
        let harbour = harbour();
        let before = harbour.spec();
        harbour.world.turn(turn);
        let ended = run(&harbour).await;
        let verdict = verdict(&ended);
        assert_eq!(verdict.job, job, "{name}: {verdict:#?}");
        assert_eq!(verdict.clean_up, CleanUpAxis::Verified, "{name}");
        assert_eq!(harbour.spec(), before, "{name}");
        assert_eq!(harbour.puts().len(), 2, "{name}: nothing runs again");
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_that_was_ill_before_is_told_apart() {
    let harbour = harbour();
    harbour.world.set_health("shop", sim::Health::Down).unwrap();
    let ended = run(&harbour).await;
    let ill = verdict(&ended);
    assert_eq!(ill.job, JobAxis::Done, "it warns and goes on");
    assert_eq!(
        (ill.facts.healthy_before, &ill.health),
        (Some(false), &HealthAxis::Bad)
    );

    let harbour = crate::harbor::harbour();
    let falls = async {
        while harbour.world.executions().is_empty() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        harbour.world.set_health("shop", sim::Health::Down).unwrap();
    };
    let (ended, ()) = tokio::join!(run(&harbour), falls);
    let fell = verdict(&ended);
    assert_eq!(
        (fell.facts.healthy_before, &fell.health, ended.reason),
        (Some(true), &HealthAxis::Bad, Reason::Unhealthy)
    );
}

fn rules(harbour: &Box_) -> Value {
    harbour.world.state()["databases"][0]["rules"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_somebody_adds_meanwhile_stays_unless_app_only_was_asked() {
    for policy in [FirewallPolicy::Check, FirewallPolicy::Restore] {
        let harbour = harbour();
        let before = rules(&harbour);
        let debug = json!({"type": "ip_addr", "value": "203.0.113.7", "description": "debugging"});
        let add = async {
            while harbour.world.executions().is_empty() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let mut wide = before.as_array().unwrap().clone();
            wide.push(debug);
            harbour.world.edit_firewall("shop-mysql", &wide).unwrap();
            rules(&harbour)
        };
        let mut request = harbour.request(STEPS);
        request.settings.firewall = policy;
        let (ended, wide) = tokio::join!(runner::migrate(&harbour.harbor, request), add);
        let verdict = verdict(&ended);
        let writes = harbour.world.requests().into_iter();
        let writes = writes.filter(|one| one.method == "PUT" && one.path.contains("/firewall"));
        let (axis, left, count) = match policy {
            FirewallPolicy::Restore => (FirewallAxis::Restored, &before, 1),
            FirewallPolicy::Check | FirewallPolicy::Off => (FirewallAxis::Drifted, &wide, 0),
        };
        assert_eq!(verdict.firewall, axis, "{policy:?}");
        assert_eq!(&rules(&harbour), left, "{policy:?}");
        assert_eq!(writes.count(), count, "{policy:?}");
        assert_eq!(ended.reason, Reason::Done, "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_doubtful_removal_is_looked_up_and_repeated_where_it_did_not_arrive() {
    for (applied, sent) in [(Applied::Yes, 2), (Applied::No, 3)] {
        for fault in [FaultKind::Timeout { applied }, FaultKind::Reset { applied }] {
            let harbour = harbour();
            let before = harbour.spec();
            harbour
                .world
                .arm(Fault::next("apps.update", fault.clone()).nth(2));
            let ended = run(&harbour).await;
            let verdict = verdict(&ended);
            assert_eq!(ended.reason, Reason::Done, "{fault:?} {verdict:#?}");
            assert_eq!(verdict.clean_up, CleanUpAxis::Verified, "{fault:?}");
            assert_eq!(harbour.puts().len(), sent, "{fault:?}");
            assert_eq!(harbour.spec(), before, "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_whose_deployment_fails_is_put_again_three_times_at_most() {
    for (failing, wanted) in [
        (1, (Reason::Done, CleanUpAxis::Verified, 2)),
        (3, (Reason::CleanUpNotProven, CleanUpAxis::Blocked, 3)),
    ] {
        let harbour = harbour();
        let broken = async {
            while harbour.world.executions().is_empty() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            for _ in 0..failing {
                let component = "web".to_owned();
                harbour
                    .world
                    .break_next("shop", sim::Breakage::BuildFails { component })
                    .unwrap();
            }
        };
        let (ended, ()) = tokio::join!(run(&harbour), broken);
        let verdict = verdict(&ended);
        let removals = harbour.puts().iter().filter(|(jobs, _)| *jobs == 0).count();
        assert_eq!(verdict.job, JobAxis::Done);
        assert_eq!(
            (ended.reason, verdict.clean_up, removals),
            wanted,
            "{verdict:#?}"
        );
    }
}

/// From the moment the job runs, every call to the platform is answered like this.
async fn from_the_job_on(harbour: &Box_, fault: FaultKind) {
    while harbour.world.executions().is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    harbour
        .world
        .arm(Fault::next("/v2/*", fault).times(u32::MAX));
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_falls_silent_is_asked_to_the_deadline_and_the_sweeper_ends_it() {
    let harbour = harbour();
    let before = harbour.spec();
    let begun = tokio::time::Instant::now();
    let (ended, ()) = tokio::join!(run(&harbour), from_the_job_on(&harbour, answer(503)));
    let (deadline, took) = (Duration::from_secs(110 * 60), begun.elapsed());
    assert!(took >= deadline - Duration::from_secs(60), "{took:?}");
    assert!(took <= deadline + Duration::from_secs(60), "{took:?}");
    // What was seen last is that the job ran.
    assert_eq!(ended.reason, Reason::Detached);
    assert_eq!(verdict(&ended).clean_up, CleanUpAxis::Blocked);
    harbour.world.disarm();
    let ended = swept(&harbour).await;
    assert_eq!(ended.reason, Reason::Cleaned);
    assert_eq!(harbour.spec(), before);
    assert_eq!(harbour.ledger.all()[0].outcome, Some(LedgerOutcome::Done));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_revoked_midway_ends_the_run_at_once_with_what_is_left_to_do() {
    for status in [401, 403] {
        let harbour = harbour();
        let (ended, ()) = tokio::join!(run(&harbour), from_the_job_on(&harbour, answer(status)));
        let verdict = verdict(&ended);
        assert_eq!(ended.reason, Reason::AccessLost, "{status}");
        assert_eq!(verdict.clean_up, CleanUpAxis::Blocked, "{status}");
        assert_eq!(harbour.puts().len(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_never_answers_is_given_up_after_two_minutes() {
    let harbour = harbour();
    let reset = FaultKind::Reset {
        applied: Applied::No,
    };
    harbour
        .world
        .arm(Fault::next("/v2/*", reset).times(u32::MAX));
    let begun = tokio::time::Instant::now();
    let ended = run(&harbour).await;
    let took = begun.elapsed();
    assert_eq!(ended.reason, Reason::PlatformUnreachable);
    assert!(took >= bounds::PLATFORM_BEFORE_INSERT, "{took:?}");
    let patience = bounds::PLATFORM_BEFORE_INSERT + 2 * bounds::POLL_MAX;
    assert!(took <= patience, "{took:?}");
    assert_eq!((harbour.puts(), harbour.ledger.all()), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_gone_is_believed_after_half_a_minute_and_never_written() {
    let harbour = harbour();
    let (ended, ()) = tokio::join!(run(&harbour), from_the_job_on(&harbour, answer(404)));
    assert_eq!(ended.reason, Reason::AppGone);
    assert_eq!(harbour.puts().len(), 1);
    let requests = harbour.world.requests().into_iter();
    let missing: Vec<_> = requests.filter(|one| one.status == Some(404)).collect();
    let asked = elapsed(missing[0].at, missing.last().unwrap().at);
    assert!(asked >= bounds::GONE_AFTER, "{asked:?}");

    let harbour = crate::harbor::harbour();
    let once = async {
        while harbour.world.executions().is_empty() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        harbour
            .world
            .arm(Fault::next("deployments.list", answer(404)));
    };
    let (ended, ()) = tokio::join!(run(&harbour), once);
    assert_eq!(ended.reason, Reason::Done, "one may be a routing fault");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_never_starts_has_its_deployment_cancelled_and_is_taken_out() {
    let harbour = harbour();
    let before = harbour.spec();
    harbour
        .world
        .set_timing("shop", |timing| timing.pending_seconds = 1500)
        .unwrap();
    // What follows the cancelled deployment finds the platform quick again.
    let quick = async {
        let cancelled = || {
            let mut requests = harbour.world.requests().into_iter();
            requests.any(|one| one.call == Some("deployments.cancel"))
        };
        let patience = harbour.world.now() + jiff::SignedDuration::from_hours(1);
        while !cancelled() && harbour.world.now() < patience {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        harbour
            .world
            .set_timing("shop", |timing| timing.pending_seconds = 3)
            .unwrap();
    };
    let mut request = harbour.request(STEPS);
    // Time for one try only.
    request.settings.deadline = Duration::from_secs(70 * 60);
    let run = runner::migrate(&harbour.harbor, request);
    let (ended, ()) = tokio::join!(run, quick);
    let sent = updates(&harbour);
    let cancelled = harbour.world.requests().into_iter();
    let cancelled: Vec<_> = cancelled
        .filter(|one| one.call == Some("deployments.cancel"))
        .collect();
    let waited = elapsed(sent[0].at, cancelled[0].at);
    assert!(waited >= bounds::PENDING_BUILD, "{waited:?}");
    assert!(
        waited <= bounds::PENDING_BUILD + bounds::POLL_MAX,
        "{waited:?}"
    );
    let first = &harbour.ledger.all()[0];
    assert_eq!(first.outcome, Some(LedgerOutcome::NeverStarted));
    assert_eq!(harbour.spec(), before, "{:?}", ended.reason);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_hangs_is_ended_by_its_own_limit_or_by_us() {
    use sim::JobTimeout::{Honoured, Ignored};
    for (timeout, cancels) in [(Honoured, 0), (Ignored, 1)] {
        let harbour = harbour();
        let before = harbour.spec();
        harbour.world.turn(|knobs| knobs.job_timeout = timeout);
        harbour
            .world
            .set_job_seconds("shop", "migrate-*", 5 * 3600)
            .unwrap();
        let ended = run(&harbour).await;
        let verdict = verdict(&ended);
        assert!(
            matches!(verdict.job, JobAxis::Unproven { .. }),
            "{timeout:?} {verdict:#?}"
        );
        let sent = harbour.world.requests().into_iter();
        let sent = sent.filter(|one| one.call == Some("deployments.cancel"));
        assert_eq!(sent.count(), cancels, "{timeout:?}");
        let wanted = match cancels {
            0 => Reason::Unproven,
            _ => Reason::JobTimedOut,
        };
        assert_eq!(ended.reason, wanted, "{timeout:?}");
        assert_eq!(harbour.spec(), before, "{timeout:?}");
    }
}
