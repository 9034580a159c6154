//! A process that dies at one moment or another, and whoever comes after it.

use crate::harbor::{Box_, MemoryLedger, harbour, open};
use crate::races::brought_back;
use crate::{STEPS, again, ran_steps, verdict};
use futures_util::future::BoxFuture;
use migration::{
    Claim, CleanUp, EntryId, Epoch, JobAxis, Key, LedgerEntry, LedgerOutcome, Mode, Reason,
    Running, elapsed,
};
use runner::{Ledger, LedgerError};
use sim::{Applied, Fault, FaultKind};
use std::sync::Arc;
use std::time::Duration;

/// Runs the migration in `harbour` until `until` holds, looked at every simulated second, and drops it as a kill would.
async fn killed_when(harbour: &Box_, until: impl Fn(&Box_) -> bool) {
    let dead = async {
        while !until(harbour) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        ended = runner::migrate(&harbour.harbor, harbour.request(STEPS)) => panic!("it ended: {:?}", ended.reason),
        () = dead => {}
    }
}

/// The sweeper, an hour later.
pub(crate) async fn swept(harbour: &Box_) -> runner::Ended {
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let sweeper = open(harbour.world.clone(), harbour.ledger.clone());
    runner::clean(&sweeper.harbor, CleanUp::default(), Mode::Sweep).await
}

fn inserts(harbour: &Box_) -> usize {
    harbour.puts().iter().filter(|(jobs, _)| *jobs > 0).count()
}

#[tokio::test(start_paused = true)]
async fn a_run_killed_before_its_claim_leaves_nothing_behind() {
    let harbour = harbour();
    let silence = FaultKind::Timeout {
        applied: Applied::No,
    };
    harbour
        .world
        .arm(Fault::next("apps.propose", silence.clone()));
    let run = runner::migrate(&harbour.harbor, harbour.request(STEPS));
    let ten = tokio::time::timeout(Duration::from_secs(10), run).await;
    assert!(ten.is_err(), "it was to be killed");
    assert_eq!((harbour.ledger.all(), harbour.puts()), (vec![], vec![]));
    let ended = again(&harbour, "cli:1").await;
    assert_eq!(ended.reason, Reason::Done, "{:#?}", ended.report.refusal);
    assert_eq!(harbour.ledger.all().len(), 1);
    assert_eq!(harbour.ledger.all()[0].claim.epoch, Epoch(0));
    assert_eq!(ran_steps(&harbour), 1);
}

/// What a ledger does with a claim.
enum Appends {
    /// It takes it in, and its caller dies.
    AndIsTheLast,
    /// It fails.
    Nothing,
}

/// A ledger that can be read, and takes in no claim as it should.
struct OddLedger(MemoryLedger, Appends);

impl Ledger for OddLedger {
    fn append<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<EntryId, LedgerError>> {
        Box::pin(async move {
            match self.1 {
                Appends::AndIsTheLast => {
                    self.0.append(claim).await?;
                    std::future::pending().await
                }
                Appends::Nothing => Err(LedgerError::Unreachable("it is full".into())),
            }
        })
    }

    fn entries<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Vec<LedgerEntry>, LedgerError>> {
        self.0.entries(key)
    }

    fn record<'a>(
        &'a self,
        entry: EntryId,
        outcome: &'a LedgerOutcome,
    ) -> BoxFuture<'a, Result<(), LedgerError>> {
        self.0.record(entry, outcome)
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_without_an_insert_is_waited_for_and_its_epoch_goes_in() {
    let mut harbour = harbour();
    let ledger = OddLedger(harbour.ledger.clone(), Appends::AndIsTheLast);
    let whole = harbour.harbor.ledger.replace(Arc::new(ledger));
    let run = runner::migrate(&harbour.harbor, harbour.request(STEPS));
    let killed = tokio::time::timeout(Duration::from_secs(20), run).await;
    assert!(killed.is_err(), "it was to be killed");
    harbour.harbor.ledger = whole;
    let claims = harbour.ledger.all();
    assert_eq!((claims.len(), harbour.puts().len()), (1, 0));
    let ended = again(&harbour, "cli:1").await;
    assert_eq!(ended.reason, Reason::Done, "{:#?}", ended.report.refusal);
    let requests = harbour.world.requests();
    let insert = requests
        .iter()
        .find(|one| one.call == Some("apps.update"))
        .unwrap();
    let waited = elapsed(claims[0].at, insert.at);
    assert!(waited >= migration::bounds::SETTLE, "{waited:?}");
    // Its own claim grows old meanwhile, and is made anew.
    let claims = harbour.ledger.all();
    assert!(claims.iter().all(|entry| entry.claim.epoch == Epoch(0)));
    assert_eq!(claims[0].outcome, Some(LedgerOutcome::NeverStarted));
    let last = claims.last().unwrap();
    assert_eq!(last.outcome, Some(LedgerOutcome::Done));
    assert_eq!((inserts(&harbour), ran_steps(&harbour)), (1, 1));
}

/// Killed as soon as its insert is on its way, which arrives 100 s later.
async fn killed_with_its_insert_under_way() -> Box_ {
    let harbour = harbour();
    let late = FaultKind::AppliedLate { seconds: 100 };
    harbour.world.arm(Fault::next("apps.update", late));
    killed_when(&harbour, |harbour| !harbour.puts().is_empty()).await;
    harbour
}

#[tokio::test(start_paused = true)]
async fn an_insert_that_arrives_after_its_runner_died_is_found_and_followed() {
    let harbour = killed_with_its_insert_under_way().await;
    let ended = again(&harbour, "cli:1").await;
    assert_eq!(ended.reason, Reason::Done, "{:#?}", ended.report.refusal);
    assert_eq!((inserts(&harbour), ran_steps(&harbour)), (1, 1));
    assert!(harbour.spec().get("jobs").is_none());
}

/// The post step of a run that was killed.
async fn post(harbour: &Box_) -> runner::Ended {
    let post = open(harbour.world.clone(), harbour.ledger.clone());
    let keys = harbour.ledger.all().into_iter();
    let goal = CleanUp {
        keys: Some(keys.map(|entry| entry.claim.key).collect()),
        running: Running::Await,
        ..CleanUp::default()
    };
    runner::clean(&post.harbor, goal, Mode::Post).await
}

#[tokio::test(start_paused = true)]
async fn an_insert_that_arrives_after_its_runner_died_is_waited_for_by_the_post_step() {
    let harbour = killed_with_its_insert_under_way().await;
    let before = harbour.world.now();
    harbour
        .world
        .set_timing("shop", |timing| {
            timing.build_seconds = 20;
            timing.deploy_seconds = 20;
            timing.job_seconds = 5;
        })
        .unwrap();
    post(&harbour).await;
    let took = elapsed(before, harbour.world.now());
    assert!(took <= migration::bounds::POST, "{took:?}");
    // The job went in under its eyes, and it took it out again.
    assert_eq!((inserts(&harbour), ran_steps(&harbour)), (1, 1));
    assert!(harbour.spec().get("jobs").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_post_step_closes_the_claim_of_an_insert_that_never_came() {
    let harbour = harbour();
    let lost = FaultKind::Timeout {
        applied: Applied::No,
    };
    harbour.world.arm(Fault::next("apps.update", lost));
    killed_when(&harbour, |harbour| !harbour.puts().is_empty()).await;
    post(&harbour).await;
    let claim = &harbour.ledger.all()[0];
    assert_eq!(claim.outcome, Some(LedgerOutcome::NeverStarted));
    let waited = elapsed(claim.at, harbour.world.now());
    assert!(waited >= migration::bounds::SETTLE, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn an_insert_that_arrives_after_its_runner_died_is_swept_up() {
    let harbour = killed_with_its_insert_under_way().await;
    let ended = swept(&harbour).await;
    assert_eq!(ended.reason, Reason::Cleaned, "{:#?}", ended.report.verdict);
    assert!(harbour.spec().get("jobs").is_none());
    assert_eq!((inserts(&harbour), ran_steps(&harbour)), (1, 1));
    assert_eq!(harbour.ledger.all()[0].outcome, Some(LedgerOutcome::Done));
}

#[tokio::test(start_paused = true)]
async fn a_run_killed_during_its_clean_up_is_finished_by_the_sweeper() {
    for (applied, arrives) in [(Applied::Yes, "arrived"), (Applied::No, "did not arrive")] {
        let harbour = harbour();
        let before = harbour.spec();
        let lost = FaultKind::Timeout { applied };
        harbour.world.arm(Fault::next("apps.update", lost).nth(2));
        killed_when(&harbour, |harbour| harbour.puts().len() == 2).await;
        assert_eq!(harbour.spec() == before, applied == Applied::Yes);
        let ended = swept(&harbour).await;
        let verdict = verdict(&ended);
        assert_eq!(ended.reason, Reason::Cleaned, "{arrives}: {verdict:#?}");
        assert_eq!(harbour.spec(), before, "{arrives}");
        let outcome = harbour.ledger.all()[0].outcome.clone();
        assert_eq!(outcome, Some(LedgerOutcome::Done), "{arrives}");
        assert_eq!(ran_steps(&harbour), 1, "{arrives}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_removal_of_a_sweeper_that_died_overwrote_is_put_back_by_the_next_one() {
    let (harbour, _) = brought_back().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let sent = harbour.puts().len();
    let late = FaultKind::AppliedLate { seconds: 100 };
    harbour.world.arm(Fault::next("apps.update", late));
    let sweeper = open(harbour.world.clone(), harbour.ledger.clone());
    let under_way = async {
        while harbour.puts().len() == sent {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        ended = runner::clean(&sweeper.harbor, CleanUp::default(), Mode::Sweep) => panic!("it ended: {:?}", ended.reason),
        () = under_way => {}
    }
    let outcomes = |harbour: &Box_| -> Vec<Option<LedgerOutcome>> {
        harbour
            .ledger
            .all()
            .into_iter()
            .map(|entry| entry.outcome)
            .collect()
    };
    assert_eq!(
        outcomes(&harbour),
        [Some(LedgerOutcome::Done), None],
        "an open claim speaks of the removal"
    );
    harbour
        .world
        .edit_spec("shop", "mona@example.com", |spec| {
            spec["services"][0]["instance_count"] = serde_json::json!(2);
        })
        .unwrap();
    tokio::time::sleep(Duration::from_secs(200)).await;
    let ended = swept(&harbour).await;
    assert_eq!(ended.reason, Reason::Cleaned, "{:#?}", ended.report.verdict);
    let spec = harbour.spec();
    assert!(spec.get("jobs").is_none(), "{spec:#}");
    assert_eq!(spec["services"][0]["instance_count"], 2, "{spec:#}");
    assert_eq!(outcomes(&harbour), vec![Some(LedgerOutcome::Done); 2]);
    assert_eq!(ran_steps(&harbour), 1);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_fails_holds_no_removal_back() {
    let (mut harbour, _) = brought_back().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let ledger = OddLedger(harbour.ledger.clone(), Appends::Nothing);
    harbour.harbor.ledger = Some(Arc::new(ledger));
    let ended = runner::clean(&harbour.harbor, CleanUp::default(), Mode::Sweep).await;
    assert_eq!(ended.reason, Reason::Cleaned, "{:#?}", ended.report.verdict);
    assert!(harbour.spec().get("jobs").is_none());
    assert_eq!(harbour.ledger.all().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_migrations_job_left_by_a_killed_run_is_cleared_first() {
    let harbour = harbour();
    let before = harbour.spec();
    killed_when(&harbour, |harbour| !harbour.world.executions().is_empty()).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let next = open(harbour.world.clone(), harbour.ledger.clone());
    let mut request = next.request(STEPS);
    request.manifest.id = migration::MigrationId::parse("ter-300").unwrap();
    let ended = runner::migrate(&next.harbor, request).await;
    assert_eq!(verdict(&ended).job, JobAxis::Done);
    assert_eq!(harbour.spec(), before);
    let jobs: Vec<usize> = harbour.puts().iter().map(|(jobs, _)| *jobs).collect();
    assert_eq!(jobs, [1, 0, 1, 0], "never two jobs at a time");
    assert_eq!((ran_steps(&harbour), ran_steps(&next)), (1, 1));
}

/// Stopped when `until` holds, then the post step; how both ended and how long it took after the stop.
async fn stopped_when(
    harbour: &Box_,
    until: impl Fn(&Box_) -> bool,
) -> (runner::Ended, runner::Ended, Duration) {
    let stop = async {
        while !until(harbour) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        harbour.stop.stop();
        tokio::time::Instant::now()
    };
    let run = runner::migrate(&harbour.harbor, harbour.request(STEPS));
    let (ended, asked) = tokio::join!(run, stop);
    assert!(asked.elapsed() < Duration::from_secs(5));
    let post = open(harbour.world.clone(), harbour.ledger.clone());
    let goal = CleanUp {
        running: Running::Await,
        ..CleanUp::default()
    };
    let cleaned = runner::clean(&post.harbor, goal, Mode::Post).await;
    (ended, cleaned, asked.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_first_look_is_told_as_that() {
    for mode in [None, Some(Mode::Sweep), Some(Mode::Post)] {
        let harbour = harbour();
        let silence = FaultKind::Timeout {
            applied: Applied::No,
        };
        harbour.world.arm(Fault::next("apps.get", silence));
        let run = async {
            match mode {
                None => runner::migrate(&harbour.harbor, harbour.request(STEPS)).await,
                Some(mode) => runner::clean(&harbour.harbor, CleanUp::default(), mode).await,
            }
        };
        let stop = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            harbour.stop.stop();
            tokio::time::Instant::now()
        };
        let (ended, asked) = tokio::join!(run, stop);
        assert_eq!(ended.reason, Reason::Interrupted, "{mode:?}");
        assert!(asked.elapsed() < Duration::from_secs(5), "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_the_job_is_built_has_its_deployment_cancelled_and_the_job_taken_out() {
    let harbour = harbour();
    let before = harbour.spec();
    let building = |harbour: &Box_| crate::newest_phase(&harbour.world.state()) == "BUILDING";
    let (ended, cleaned, took) = stopped_when(&harbour, building).await;
    assert_eq!(ended.reason, Reason::Interrupted);
    assert_eq!(
        cleaned.reason,
        Reason::Cleaned,
        "{:#?}",
        cleaned.report.verdict
    );
    assert!(took < Duration::from_secs(245), "{took:?}");
    let cancels = harbour.world.requests().into_iter();
    let cancels = cancels.filter(|one| one.call == Some("deployments.cancel"));
    assert_eq!(cancels.count(), 1);
    assert_eq!(harbour.spec(), before);
    assert_eq!(ran_steps(&harbour), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_the_job_runs_leaves_a_long_one_alone_until_the_sweeper_comes() {
    let harbour = harbour();
    let before = harbour.spec();
    harbour
        .world
        .set_job_seconds("shop", "migrate-*", 1200)
        .unwrap();
    let running = |harbour: &Box_| !harbour.world.executions().is_empty();
    let (ended, cleaned, took) = stopped_when(&harbour, running).await;
    assert_eq!(ended.reason, Reason::Interrupted);
    assert_eq!(
        cleaned.reason,
        Reason::Detached,
        "{:#?}",
        cleaned.report.verdict
    );
    assert!(took > Duration::from_secs(200), "{took:?}");
    assert!(took < Duration::from_secs(285), "{took:?}");
    assert_ne!(harbour.spec(), before);
    assert_eq!(harbour.puts().len(), 1);
    let ended = swept(&harbour).await;
    assert_eq!(ended.reason, Reason::Cleaned, "{:#?}", ended.report.verdict);
    assert_eq!(harbour.spec(), before);
    assert_eq!(harbour.ledger.all()[0].outcome, Some(LedgerOutcome::Done));
    assert_eq!(ran_steps(&harbour), 1);
}

#[tokio::test(start_paused = true)]
async fn a_post_step_beside_a_run_that_lives_on_does_no_harm() {
    for after in [5, 300, 560, 640] {
        let harbour = harbour();
        let before = harbour.spec();
        let post = async {
            tokio::time::sleep(Duration::from_secs(after)).await;
            let post = open(harbour.world.clone(), harbour.ledger.clone());
            let goal = CleanUp {
                running: Running::Await,
                ..CleanUp::default()
            };
            runner::clean(&post.harbor, goal, Mode::Post).await
        };
        let run = runner::migrate(&harbour.harbor, harbour.request(STEPS));
        let (ended, _) = tokio::join!(run, post);
        let verdict = verdict(&ended);
        assert_eq!(harbour.spec(), before, "{after} s: {verdict:#?}");
        assert!(ran_steps(&harbour) <= 1, "{after} s");
        let done = usize::from(verdict.job == JobAxis::Done);
        assert_eq!(ran_steps(&harbour), done, "{after} s: {verdict:#?}");
    }
}

/// A `stop` had closed the claim before somebody brought the job back: it ran, and the ledger says that it did not.
#[tokio::test(start_paused = true)]
async fn a_record_that_nothing_ran_is_not_believed_where_the_log_cannot_be_read() {
    let harbour = harbour();
    runner::migrate(&harbour.harbor, harbour.request(STEPS)).await;
    harbour.ledger.rewrite(&LedgerOutcome::NeverStarted);
    let asked = || {
        let requests = harbour.world.requests().into_iter();
        requests.filter(|one| one.call == Some("logs.get")).count()
    };
    harbour
        .world
        .turn(|knobs| knobs.log_answer = sim::LogAnswer::BadRequest);
    let before = asked();
    let previewer = open(harbour.world.clone(), harbour.ledger.clone());
    let mut request = harbour.request(STEPS);
    request.authority = migration::Authority::Cli("1".to_owned());
    runner::plan(&previewer.harbor, request).await;
    assert_eq!(asked() - before, 1, "a preview does not wait");
    let ended = again(&harbour, "cli:1").await;
    assert_eq!(ended.reason, Reason::EarlierUnproven);
    assert_eq!(asked() - before, 1 + 8);
    assert_eq!((inserts(&harbour), ran_steps(&harbour)), (1, 1));
    // Once it can be read, it tells.
    harbour
        .world
        .turn(|knobs| knobs.log_answer = sim::LogAnswer::Normal);
    assert_eq!(again(&harbour, "cli:2").await.reason, Reason::AlreadyDone);
    assert_eq!(ran_steps(&harbour), 1);
}
