//! The brain on hand-made worlds. Each test is one fact about what may or must follow from what is seen.

use super::*;
use crate::*;
use app_spec::{App, AppId, ComponentName, Deployment};
use serde_json::{Value, json};

mod edges;

const APP: &str = "1fd40be5-b9af-4e71-ab1d-3af0864a7da4";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const NONCE: &str = "00000000000000000000000000000001";
const OTHER_NONCE: &str = "00000000000000000000000000000002";

fn time(text: &str) -> Timestamp {
    format!("2026-02-18T{text}Z").parse().unwrap()
}

fn key() -> Key {
    Key::of(&AppId::new(APP), &MigrationId::parse("ter-235").unwrap())
}

fn job_name() -> JobName {
    JobName {
        key: key(),
        epoch: Epoch(0),
    }
}

fn step(name: &str) -> Step {
    Step {
        name: StepName::parse(name).unwrap(),
        run: format!("sh scripts/{name}.sh"),
        check: None,
    }
}

fn record(nonce: &str) -> RunRecord {
    RunRecord {
        version: RECORD_VERSION,
        key: key(),
        epoch: Epoch(0),
        nonce: Nonce::parse(nonce).unwrap(),
        migration: MigrationId::parse("ter-235").unwrap(),
        steps: vec![step("columns").reference(), step("backfill").reference()],
        mode: RunMode::Steps,
        authority: Authority::Merge(COMMIT.to_owned()),
        pr: Some(428),
        sha: Some(COMMIT.to_owned()),
        repository: None,
        not_after: 0,
    }
}

fn job(nonce: &str) -> Value {
    let record = serde_json::to_string(&record(nonce)).unwrap();
    json!({"name": job_name().to_string(), "kind": "POST_DEPLOY",
           "envs": [{"key": "HARBOR_PILOT_RUN", "value": record}]})
}

fn spec(jobs: &[Value]) -> Value {
    let mut spec = json!({
        "name": "terp-app",
        "services": [{"name": "web", "github": {"repo": "acme/terp", "branch": "main", "deploy_on_push": true}}],
        "databases": [{"name": "terp-mysql-db", "engine": "MYSQL", "cluster_name": "terp-mysql-db"}]
    });
    if !jobs.is_empty() {
        spec["jobs"] = json!(jobs);
    }
    spec
}

fn deployment(id: &str, phase: &str, created: &str, jobs: &[Value]) -> Value {
    let names: Vec<Value> = jobs
        .iter()
        .map(|job| json!({"name": job["name"]}))
        .collect();
    json!({
        "id": id, "phase": phase, "cause": "app spec updated",
        "cause_details": {"type": "MANUAL"},
        "services": [{"name": "web", "source_commit_hash": COMMIT}], "jobs": names,
        "spec": spec(jobs), "created_at": time(created), "updated_at": time(created),
        "progress": {"steps": [
            {"name": "build", "status": "SUCCESS"},
            {"name": "deploy", "status": "RUNNING", "steps": [
                {"name": job_name().to_string(), "status": "SUCCESS", "component_name": job_name().to_string()}]}]}
    })
}

fn rollback(id: &str, of: &str, phase: &str, created: &str) -> Value {
    let mut row = deployment(id, phase, created, &[]);
    row["cause"] = json!(format!(
        "automated rollback after failed deployment of \"{of}\""
    ));
    row["cause_details"] = json!({"type": "AUTO_ROLLBACK"});
    row
}

/// A world as it is told: the live spec's jobs, the newest good deployment, all deployments (newest first).
fn seen(now: &str, jobs: &[Value], active: &str, deployments: &[Value]) -> Observed {
    let active = deployments.iter().find(|one| one["id"] == active).cloned();
    let app = json!({"id": APP, "spec": spec(jobs), "active_deployment": active,
                     "live_url": "https://terp.example.com"});
    Observed {
        since: time("00:30:00"),
        app: AppView::Present(Box::new(App::from_value(&app).unwrap())),
        deployments: deployments
            .iter()
            .map(|one| Deployment::from_value(one).unwrap())
            .collect(),
        ledger: LedgerView::Entries(Vec::new()),
        // Whoever takes the job out has said so in the ledger; one test is about that.
        doings: Doings {
            claimed_removals: vec![job_name()],
            ..Doings::default()
        },
        ..Observed::nothing(time(now), Mode::Main)
    }
}

fn quiet(now: &str) -> Observed {
    seen(
        now,
        &[],
        "d1",
        &[deployment("d1", "ACTIVE", "00:10:00", &[])],
    )
}

fn plan() -> Plan {
    let manifest = Manifest {
        id: MigrationId::parse("ter-235").unwrap(),
        steps: vec![step("columns"), step("backfill")],
        app: None,
        kind: None,
        env: Vec::new(),
        job_timeout: None,
        instance_size: None,
        on_failure: None,
        strategy: None,
    };
    let settings = Settings {
        reference: ComponentName::from_platform("web"),
        database: "terp-mysql-db".to_owned(),
        kind: Kind::PostDeploy,
        instance_size: None,
        job_timeout: Duration::from_secs(30 * 60),
        deadline: Duration::from_secs(110 * 60),
        strategy: Strategy::SingleJob,
        on_failure: OnFailure::Fail,
        wait_for_deploy: WaitForDeploy::Live,
        health: HealthCheck::Off,
        firewall: FirewallPolicy::Off,
        cluster: None,
        keep_rules: Vec::new(),
        also_stale: Vec::new(),
        accept_jobs: Vec::new(),
        env: Vec::new(),
        secret_env: Vec::new(),
        shell: Shell::Sh,
        log: LogPolicy::Tail,
    };
    let world = quiet("00:31:00");
    let app = app_of(&world).unwrap();
    let steps = manifest.steps.clone();
    Plan {
        baseline: baseline(&app.spec, &[]),
        request: Request {
            manifest,
            reviewed: Reviewed::Unreviewed,
            intent: Intent::Run,
            authority: Authority::Merge(COMMIT.to_owned()),
            nonce: Nonce::parse(NONCE).unwrap(),
            origin: Origin::default(),
            commit: Some(app_spec::CommitSha::parse(COMMIT).unwrap()),
            settings,
        },
        app: AppId::new(APP),
        app_name: "terp-app".to_owned(),
        key: key(),
        epoch: Epoch(0),
        nonce: Nonce::parse(NONCE).unwrap(),
        entry: Entry::Fresh,
        authority: Authority::Merge(COMMIT.to_owned()),
        steps,
        already_done: Vec::new(),
        left: Vec::new(),
        commit: Some(app_spec::CommitSha::parse(COMMIT).unwrap()),
        image_digest: None,
        cluster: None,
        health_url: None,
        estimate: Estimate {
            to_start: Duration::from_secs(600),
            job: Duration::from_secs(120),
            clean_up: Duration::from_secs(600),
            measured: false,
        },
        findings: Vec::new(),
    }
}

fn goal() -> Goal {
    Goal::Migrate(Box::new(plan()))
}

fn entry(id: u64, at: &str, nonce: &str) -> LedgerEntry {
    let record = record(nonce);
    LedgerEntry {
        id: EntryId(id),
        at: time(at),
        claim: Claim {
            version: RECORD_VERSION,
            key: record.key,
            epoch: record.epoch,
            nonce: record.nonce,
            migration: record.migration,
            app: AppId::new(APP),
            steps: record.steps,
            mode: RunMode::Steps,
            authority: record.authority,
            pull_request: None,
            sha: None,
            repository: None,
            reason: None,
        },
        outcome: None,
    }
}

fn claimed(mut world: Observed, entries: Vec<LedgerEntry>, own: u64) -> Observed {
    world.doings.claim = Some(MadeClaim {
        id: EntryId(own),
        at: world.now,
    });
    world.ledger = LedgerView::Entries(entries);
    world
}

fn sent() -> app_spec::Fingerprint {
    app_of(&quiet("00:31:00")).unwrap().spec.fingerprint()
}

fn inserted(mut world: Observed, at: &str, outcome: PutResult) -> Observed {
    world.doings.insert = Some(Put {
        at: time(at),
        outcome,
        sent: sent(),
        retry_after: None,
    });
    world
}

fn ours() -> PutResult {
    PutResult::Applied(Some(DeploymentId::new("d2")))
}

fn ran(name: &str, code: Option<i32>) -> Ran {
    Ran {
        step: StepName::parse(name).unwrap(),
        started_at: Some(1),
        code,
        ended_at: code.map(|_| 2),
    }
}

fn with_log(mut world: Observed, deployment: &str, evidence: Evidence) -> Observed {
    let view = LogView {
        evidence,
        tries: 1,
        first_asked: world.now,
        read: LogRead::Whole,
    };
    world
        .logs
        .insert((job_name(), DeploymentId::new(deployment)), view);
    world
}

fn all_done() -> Evidence {
    Evidence {
        begins: 1,
        steps: vec![ran("columns", Some(0)), ran("backfill", Some(0))],
        done: Some(DoneMark {
            code: 0,
            ran: 2,
            of: 2,
        }),
        ..Evidence::default()
    }
}

fn backfill_failed() -> Evidence {
    Evidence {
        begins: 1,
        steps: vec![ran("columns", Some(0)), ran("backfill", Some(1))],
        done: Some(DoneMark {
            code: 1,
            ran: 1,
            of: 2,
        }),
        ..Evidence::default()
    }
}

fn disarmed() -> Evidence {
    Evidence {
        begins: 1,
        disarmed: Some(Disarmed::Commit {
            built: "f".repeat(40),
        }),
        ..Evidence::default()
    }
}

fn verdict(next: Next) -> Verdict {
    match next {
        Next::Done(verdict) => *verdict,
        other @ (Next::Do(_) | Next::Wait(_) | Next::Replan) => panic!("not ended: {other:?}"),
    }
}

fn waits_for(next: &Next) -> &WaitFor {
    match next {
        Next::Wait(wait) => &wait.what,
        other @ (Next::Do(_) | Next::Replan | Next::Done(_)) => panic!("not waiting: {other:?}"),
    }
}

#[test]
fn nothing_is_inserted_before_a_claim_stands_in_the_ledger() {
    assert_eq!(next(&goal(), &quiet("00:31:00")), Next::Do(Action::Claim));
    let world = claimed(quiet("00:31:00"), vec![entry(7, "00:31:00", NONCE)], 7);
    assert_eq!(next(&goal(), &world), Next::Do(Action::Insert));
    let unlisted = claimed(quiet("00:31:00"), Vec::new(), 7);
    assert_eq!(waits_for(&next(&goal(), &unlisted)), &WaitFor::ClaimVisible);
}

#[test]
fn an_older_open_claim_is_waited_for_until_it_can_no_longer_insert() {
    let entries = vec![
        entry(6, "00:30:00", OTHER_NONCE),
        entry(7, "00:31:00", NONCE),
    ];
    let world = claimed(quiet("00:31:00"), entries.clone(), 7);
    assert_eq!(waits_for(&next(&goal(), &world)), &WaitFor::OlderClaim);
    let later = claimed(quiet("00:33:01"), entries, 7);
    let closed = Action::Record {
        entry: EntryId(6),
        outcome: LedgerOutcome::NeverStarted,
    };
    assert_eq!(next(&goal(), &later), Next::Do(closed));
}

#[test]
fn an_older_open_claim_is_closed_with_what_its_job_is_proven_to_have_done() {
    // The run of epoch 0 was killed before it could record its end; epoch 1 is about to go in.
    let mut plan = plan();
    plan.epoch = Epoch(1);
    let goal = Goal::Migrate(Box::new(plan));
    let jobs = [job(OTHER_NONCE)];
    let rows = [
        deployment("d3", "ACTIVE", "00:32:00", &[]),
        deployment("d2", "SUPERSEDED", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let mut own = entry(7, "00:40:00", NONCE);
    own.claim.epoch = Epoch(1);
    let entries = vec![entry(6, "00:30:00", OTHER_NONCE), own];
    let mut world = claimed(seen("00:40:00", &[], "d3", &rows), entries, 7);
    world.doings.claimed_removals.clear();
    let closed = |outcome| {
        let entry = EntryId(6);
        Next::Do(Action::Record { entry, outcome })
    };
    let failed = LedgerOutcome::Failed {
        step: StepName::parse("backfill").unwrap(),
        code: 1,
        check: false,
    };
    for (evidence, outcome) in [
        (all_done(), LedgerOutcome::Done),
        (backfill_failed(), failed),
        (disarmed(), LedgerOutcome::NeverStarted),
    ] {
        let world = with_log(world.clone(), "d2", evidence);
        assert_eq!(next(&goal, &world), closed(outcome));
    }
    // It may have run, and nobody can read its log.
    assert_eq!(
        next(&goal, &world),
        closed(LedgerOutcome::Unproven { done: 0 })
    );
}

/// Somebody scaled up; the insert of `job` had been made from what was before, and landed on it.
fn edit_overwritten_by(job: Value) -> [Value; 4] {
    let mut edited = deployment("d2", "SUPERSEDED", "00:30:30", &[]);
    edited["spec"]["services"][0]["instance_count"] = json!(3);
    [
        deployment("d4", "ACTIVE", "00:32:00", &[]),
        deployment("d3", "SUPERSEDED", "00:31:00", &[job]),
        edited,
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ]
}

#[test]
fn what_an_older_update_overwrote_is_put_back_before_its_claim_is_closed() {
    let mut plan = plan();
    plan.epoch = Epoch(1);
    let goal = Goal::Migrate(Box::new(plan));
    let mut own = entry(7, "00:40:00", NONCE);
    own.claim.epoch = Epoch(1);
    let rows = edit_overwritten_by(job(OTHER_NONCE));
    let entries = vec![entry(6, "00:30:00", OTHER_NONCE), own];
    let mut world = claimed(seen("00:40:00", &[], "d4", &rows), entries, 7);
    world.doings.claimed_removals.clear();
    let world = with_log(world, "d3", all_done());
    let older = entry(6, "00:30:00", OTHER_NONCE).claim.job();
    assert_eq!(next(&goal, &world), Next::Do(Action::Repair(vec![older])));

    // What can't be put back any more is told before anything goes in, and the claim stays for whoever looks next.
    let mut tried = world;
    tried.doings.repairs = vec![edges::removal("00:35:00", PutResult::Applied(None)); 2];
    let withdrawn = Next::Do(Action::Record {
        entry: EntryId(7),
        outcome: LedgerOutcome::Withdrawn,
    });
    assert_eq!(next(&goal, &tried), withdrawn);
    tried.doings.recorded.push(EntryId(7));
    let verdict = verdict(next(&goal, &tried));
    assert_eq!(verdict.reason, Reason::EditOverwritten);
    assert_eq!(verdict.facts.conflicts, ["services[web].instance_count"]);
}

#[test]
fn a_claim_that_grew_old_is_withdrawn_before_it_may_insert() {
    let mut world = claimed(quiet("00:31:00"), vec![entry(7, "00:31:00", NONCE)], 7);
    world.now = time("00:32:01");
    let withdrawn = Action::Record {
        entry: EntryId(7),
        outcome: LedgerOutcome::Withdrawn,
    };
    assert_eq!(next(&goal(), &world), Next::Do(withdrawn));
    // Decided in time, it may be used a little longer, for the app is read once more.
    let made = world.doings.claim.unwrap();
    assert!(made.is_usable(time("00:32:20")));
    assert!(!made.is_usable(time("00:32:21")));
}

#[test]
fn without_a_ledger_nothing_is_inserted() {
    let mut world = quiet("00:31:00");
    world.ledger = LedgerView::Unreachable;
    assert_eq!(waits_for(&next(&goal(), &world)), &WaitFor::Ledger);
    world.now = time("00:33:00");
    let verdict = verdict(next(&goal(), &world));
    assert_eq!(
        (verdict.reason, verdict.reason.exit()),
        (Reason::LedgerUnreachable, Exit::Unreachable)
    );
}

#[test]
fn a_doubtful_insert_is_never_sent_again() {
    let ledger = vec![entry(7, "00:31:00", NONCE)];
    let world = |now| {
        inserted(
            claimed(quiet(now), ledger.clone(), 7),
            "00:31:00",
            PutResult::Ambiguous,
        )
    };
    assert_eq!(
        waits_for(&next(&goal(), &world("00:31:30"))),
        &WaitFor::DoubtfulPut
    );
    assert_eq!(
        waits_for(&next(&goal(), &world("00:33:59"))),
        &WaitFor::DoubtfulPut
    );
    let mut settled = world("00:34:00");
    let closed = Action::Record {
        entry: EntryId(7),
        outcome: LedgerOutcome::NeverStarted,
    };
    assert_eq!(next(&goal(), &settled), Next::Do(closed));
    settled.doings.recorded.push(EntryId(7));
    let verdict = verdict(next(&goal(), &settled));
    assert_eq!(verdict.job, JobAxis::NeverStarted);
    assert_eq!(verdict.clean_up, CleanUpAxis::NotNeeded);
}

#[test]
fn a_doubtful_insert_that_was_applied_is_followed_by_the_jobs_name() {
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d2", "BUILDING", "00:31:00", &jobs),
        deployment("d1", "ACTIVE", "00:10:00", &[]),
    ];
    let world = inserted(
        seen("00:33:00", &jobs, "d1", &rows),
        "00:31:00",
        PutResult::Ambiguous,
    );
    assert_eq!(
        waits_for(&next(&goal(), &world)),
        &WaitFor::Job(DeploymentId::new("d2"), Phase::Building)
    );
}

#[test]
fn an_epoch_that_somebody_else_inserted_is_planned_again() {
    let jobs = [job(OTHER_NONCE)];
    let rows = [
        deployment("d2", "BUILDING", "00:31:00", &jobs),
        deployment("d1", "ACTIVE", "00:10:00", &[]),
    ];
    assert_eq!(
        next(&goal(), &seen("00:33:00", &jobs, "d1", &rows)),
        Next::Replan
    );
}

#[test]
fn the_merged_commit_must_be_live_first() {
    let mut plan = plan();
    let newer = "a".repeat(40);
    plan.request.commit = Some(app_spec::CommitSha::parse(&newer).unwrap());
    let goal = Goal::Migrate(Box::new(plan));
    assert_eq!(
        waits_for(&next(&goal, &quiet("00:31:00"))),
        &WaitFor::MergeDeployment
    );
    let live = app_spec::CommitSha::parse(COMMIT).unwrap();
    let mut contained = quiet("00:31:00");
    contained.lineage.insert(live, Contains::Yes);
    assert_eq!(next(&goal, &contained), Next::Do(Action::Claim));
    assert_eq!(
        verdict(next(&goal, &quiet("00:50:00"))).reason,
        Reason::DeployNotSeen
    );
}

#[test]
fn the_merges_own_failed_deployment_refuses() {
    let newer = "a".repeat(40);
    let mut failed = deployment("d2", "ERROR", "00:20:00", &[]);
    failed["services"][0]["source_commit_hash"] = json!(newer);
    let mut plan = plan();
    plan.request.commit = Some(app_spec::CommitSha::parse(&newer).unwrap());
    let world = seen(
        "00:31:00",
        &[],
        "d1",
        &[failed, deployment("d1", "ACTIVE", "00:10:00", &[])],
    );
    assert_eq!(
        verdict(next(&Goal::Migrate(Box::new(plan)), &world)).reason,
        Reason::DeployFailed
    );
}

#[test]
fn a_deployment_in_flight_is_waited_for_and_then_refused() {
    let rows = [
        deployment("d2", "BUILDING", "00:30:00", &[]),
        deployment("d1", "ACTIVE", "00:10:00", &[]),
    ];
    let world = |now| seen(now, &[], "d1", &rows);
    let other = WaitFor::OtherDeployment(DeploymentId::new("d2"), Phase::Building);
    assert_eq!(waits_for(&next(&goal(), &world("00:31:00"))), &other);
    assert_eq!(
        verdict(next(&goal(), &world("01:10:00"))).reason,
        Reason::DeploymentInFlight
    );
}

#[test]
fn an_edit_since_the_plan_is_planned_again() {
    let mut plan = plan();
    plan.baseline = app_spec::AppSpec::from_value(json!({"name": "other"}))
        .unwrap()
        .fingerprint();
    assert_eq!(
        next(&Goal::Migrate(Box::new(plan)), &quiet("00:31:00")),
        Next::Replan
    );
}

#[test]
fn the_log_is_read_before_the_job_is_taken_out() {
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d2", "ACTIVE", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let world = inserted(seen("00:41:00", &jobs, "d2", &rows), "00:31:00", ours());
    let fetch = Action::FetchLog {
        job: job_name(),
        deployment: DeploymentId::new("d2"),
    };
    assert_eq!(next(&goal(), &world), Next::Do(fetch));
    let read = with_log(world, "d2", all_done());
    assert_eq!(
        next(&goal(), &read),
        Next::Do(Action::Remove(vec![job_name().component()]))
    );
}

/// After a removal: d2 ran the job, d3 is without it and live.
fn put_back(evidence: Evidence) -> Observed {
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d3", "ACTIVE", "00:42:00", &[]),
        deployment("d2", "SUPERSEDED", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let mut world = inserted(seen("00:50:00", &[], "d3", &rows), "00:31:00", ours());
    world.doings.removals.push(Put {
        at: time("00:42:00"),
        outcome: PutResult::Applied(Some(DeploymentId::new("d3"))),
        sent: sent(),
        retry_after: None,
    });
    with_log(world, "d2", evidence)
}

#[test]
fn done_needs_complete_marks_and_the_app_put_back() {
    let verdict = verdict(next(&goal(), &put_back(all_done())));
    assert_eq!(verdict.job, JobAxis::Done);
    assert_eq!(verdict.deployment, DeploymentAxis::Active);
    assert_eq!(verdict.clean_up, CleanUpAxis::Verified);
    assert_eq!(verdict.reason, Reason::Done);
    assert_eq!(verdict.facts.changed_by_others, Vec::<String>::new());
}

#[test]
fn an_active_deployment_without_marks_proves_nothing() {
    let mut world = put_back(Evidence::default());
    for log in world.logs.values_mut() {
        log.tries = LOG_TRIES;
    }
    let verdict = verdict(next(&goal(), &world));
    assert_eq!(verdict.job, JobAxis::Unproven { during: None });
    assert_eq!(verdict.reason.exit(), Exit::Unproven);
}

#[test]
fn a_rollback_is_active_too_and_is_no_success() {
    let jobs = [job(NONCE)];
    let mut failed = deployment("d2", "ERROR", "00:31:00", &jobs);
    failed["progress"]["steps"][1]["steps"][0]["status"] = json!("ERROR");
    let rows = |phase| {
        [
            rollback("d3", "d2", phase, "00:42:00"),
            failed.clone(),
            deployment("d1", "SUPERSEDED", "00:10:00", &[]),
        ]
    };
    let world = |phase, jobs: &[Value], active| {
        with_log(
            inserted(
                seen("00:50:00", jobs, active, &rows(phase)),
                "00:31:00",
                ours(),
            ),
            "d2",
            backfill_failed(),
        )
    };
    // Followed while it is under way, then the job is taken out, then it is told.
    assert_eq!(
        waits_for(&next(&goal(), &world("DEPLOYING", &jobs, "d1"))),
        &WaitFor::Rollback
    );
    let out = Next::Do(Action::Remove(vec![job_name().component()]));
    assert_eq!(next(&goal(), &world("ACTIVE", &jobs, "d3")), out);
    let verdict = verdict(next(&goal(), &world("ACTIVE", &[], "d3")));
    let failed = JobAxis::Failed {
        step: StepName::parse("backfill").unwrap(),
        code: 1,
        check: false,
    };
    assert_eq!(verdict.job, failed);
    assert_eq!(verdict.deployment, DeploymentAxis::RolledBack);
    assert_eq!(
        (verdict.reason, verdict.reason.exit()),
        (Reason::RolledBack, Exit::RolledBack)
    );
    assert_eq!(verdict.facts.rollback, Some(DeploymentId::new("d3")));
}

#[test]
fn a_failed_deployment_is_given_time_to_be_rolled_back() {
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d2", "ERROR", "00:31:00", &jobs),
        deployment("d1", "ACTIVE", "00:10:00", &[]),
    ];
    let world = |now| {
        with_log(
            inserted(seen(now, &jobs, "d1", &rows), "00:31:00", ours()),
            "d2",
            backfill_failed(),
        )
    };
    assert_eq!(
        waits_for(&next(&goal(), &world("00:33:00"))),
        &WaitFor::Rollback
    );
    assert_eq!(
        next(&goal(), &world("00:36:00")),
        Next::Do(Action::Remove(vec![job_name().component()]))
    );
}

#[test]
fn somebodys_failed_deployment_is_given_time_to_be_rolled_back_too() {
    let rows = [
        deployment("d2", "ERROR", "00:30:00", &[]),
        deployment("d1", "ACTIVE", "00:10:00", &[]),
    ];
    let world = |now| claimed(seen(now, &[], "d1", &rows), vec![entry(7, now, NONCE)], 7);
    let soon = next(&goal(), &world("00:33:00"));
    assert_eq!(
        waits_for(&soon),
        &WaitFor::Rollback,
        "an insert would overtake it"
    );
    assert_eq!(next(&goal(), &world("00:35:00")), Next::Do(Action::Insert));

    // So would a removal; a sweep that finds nothing of ours has nothing to wait for.
    let mut job = job(NONCE);
    let left = |now, jobs: &[Value]| seen(now, jobs, "d1", &rows);
    let sweep = Goal::Clean(CleanUp::default());
    let waits = next(&sweep, &left("00:33:00", std::slice::from_ref(&job)));
    assert_eq!(waits_for(&waits), &WaitFor::Rollback);
    let removes = next(&sweep, &left("00:35:00", std::slice::from_ref(&job)));
    assert_eq!(
        removes,
        Next::Do(Action::Remove(vec![job_name().component()]))
    );
    job["name"] = json!("nightly");
    for jobs in [vec![], vec![job]] {
        let mut nothing = left("00:33:00", &jobs);
        nothing.doings.claimed_removals.clear();
        assert_eq!(verdict(next(&sweep, &nothing)).reason, Reason::Cleaned);
    }
}

/// A ledger that lists late shows no open claim on it any more than its run's, which is closed: what the removal overwrote
/// is put back all the same.
#[test]
fn what_a_sweep_has_taken_out_stays_its_business() {
    let rows = edit_overwritten_by(job(NONCE));
    let mut world = with_log(seen("00:33:00", &[], "d4", &rows), "d3", all_done());
    let sweep = Goal::Clean(CleanUp::default());
    let repair = Next::Do(Action::Repair(vec![job_name()]));
    assert_eq!(next(&sweep, &world), repair);
    world.doings.claimed_removals.clear();
    assert_ne!(next(&sweep, &world), repair, "not by this process");
    world.ledger = LedgerView::Entries(vec![entry(1, "00:30:30", NONCE)]);
    assert_eq!(next(&sweep, &world), repair, "by one that may have died");
}

#[test]
fn a_push_that_carries_the_job_is_followed_and_never_cancelled() {
    let jobs = [job(NONCE)];
    let mut push = deployment("d3", "BUILDING", "00:40:00", &jobs);
    push["cause_details"] = json!({"type": "DEPLOY_ON_PUSH"});
    let rows = [
        push,
        deployment("d2", "ACTIVE", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    for now in ["00:41:00", "01:30:00", "02:15:00"] {
        let world = with_log(
            inserted(seen(now, &jobs, "d2", &rows), "00:31:00", ours()),
            "d2",
            all_done(),
        );
        let next = next(&goal(), &world);
        assert_ne!(
            next,
            Next::Do(Action::Cancel(DeploymentId::new("d3"))),
            "at {now}"
        );
        if now == "00:41:00" {
            assert_eq!(
                waits_for(&next),
                &WaitFor::Job(DeploymentId::new("d3"), Phase::Building)
            );
        }
    }
}

/// A job that is done and out again, of which another deployment carried a copy.
fn done_and_copied() -> Observed {
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d4", "ACTIVE", "00:55:00", &[]),
        deployment("d3", "SUPERSEDED", "00:40:00", &jobs),
        deployment("d2", "SUPERSEDED", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let world = inserted(seen("01:10:00", &[], "d4", &rows), "00:31:00", ours());
    with_log(world, "d2", all_done())
}

#[test]
fn a_copy_that_disarmed_itself_does_not_change_the_verdict() {
    let world = with_log(done_and_copied(), "d3", disarmed());
    let verdict = verdict(next(&goal(), &world));
    assert_eq!(verdict.job, JobAxis::Done);
    assert_eq!(verdict.facts.disarmed.len(), 1);
    assert_eq!(verdict.facts.carried_by, [DeploymentId::new("d3")]);
}

/// It is done, and may have been done twice.
#[test]
fn a_copy_whose_log_tells_nothing_is_named() {
    let known = with_log(done_and_copied(), "d3", disarmed());
    assert_eq!(verdict(next(&goal(), &known)).facts.unproven, []);
    let silent = with_log(done_and_copied(), "d3", Evidence::default());
    let verdict = verdict(next(&goal(), &silent));
    assert_eq!(verdict.job, JobAxis::Done);
    assert_eq!(verdict.facts.unproven, [DeploymentId::new("d3")]);
}

#[test]
fn a_newest_good_deployment_that_carries_the_job_is_replaced() {
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d3", "ERROR", "00:42:00", &[]),
        deployment("d2", "ACTIVE", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let mut world = with_log(
        inserted(seen("00:50:00", &[], "d2", &rows), "00:31:00", ours()),
        "d2",
        all_done(),
    );
    let removal = Put {
        at: time("00:42:00"),
        outcome: PutResult::Applied(Some(DeploymentId::new("d3"))),
        sent: sent(),
        retry_after: None,
    };
    world.doings.removals.push(removal.clone());
    assert_eq!(
        next(&goal(), &world),
        Next::Do(Action::Remove(vec![job_name().component()]))
    );
    world.doings.removals = vec![removal; 3];
    let verdict = verdict(next(&goal(), &world));
    assert_eq!(verdict.clean_up, CleanUpAxis::Blocked);
    // It outranks the migration's own success.
    assert_eq!(verdict.reason.exit(), Exit::CleanUpNotProven);
}

#[test]
fn the_firewall_is_not_touched_while_the_job_is_in() {
    let mut plan = plan();
    plan.cluster = Some(app_spec::ClusterId::new("c"));
    plan.request.settings.firewall = FirewallPolicy::Restore;
    let goal = Goal::Migrate(Box::new(plan));
    assert_eq!(
        next(&goal, &put_back(all_done())),
        Next::Do(Action::ReadFirewall)
    );
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d2", "ACTIVE", "00:31:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:10:00", &[]),
    ];
    let mut stuck = with_log(
        inserted(seen("00:50:00", &jobs, "d2", &rows), "00:31:00", ours()),
        "d2",
        all_done(),
    );
    let refused = Put {
        at: time("00:42:00"),
        outcome: PutResult::Ambiguous,
        sent: sent(),
        retry_after: None,
    };
    stuck.doings.removals = vec![refused; 3];
    let verdict = verdict(next(&goal, &stuck));
    assert_eq!(verdict.firewall, FirewallAxis::NotChecked);
    assert_eq!(verdict.reason, Reason::CleanUpNotProven);
}

#[test]
fn health_is_three_good_answers_in_a_row() {
    let mut plan = plan();
    plan.health_url = Some("https://terp.example.com/api/health".to_owned());
    let goal = Goal::Migrate(Box::new(plan));
    let mut world = put_back(all_done());
    assert_eq!(next(&goal, &world), Next::Do(Action::Probe));
    let sample = |at, status| HealthSample {
        at: time(at),
        status: Some(status),
    };
    world.health = vec![
        sample("00:49:00", 200),
        sample("00:49:05", 503),
        sample("00:49:10", 200),
        sample("00:49:15", 200),
    ];
    assert_eq!(next(&goal, &world), Next::Do(Action::Probe));
    world.health.push(sample("00:49:20", 200));
    assert_eq!(verdict(next(&goal, &world)).health, HealthAxis::Ok);
    world.health = ["00:47:00", "00:48:20", "00:49:40"]
        .map(|at| sample(at, 503))
        .into();
    let verdict = verdict(next(&goal, &world));
    assert_eq!(
        (verdict.health, verdict.reason.exit()),
        (HealthAxis::Bad, Exit::Unhealthy)
    );
}

/// Nobody asks while others deploy, and that is not held against the app.
#[test]
fn the_health_address_is_asked_for_its_whole_time_after_a_pause() {
    let mut plan = plan();
    plan.health_url = Some("https://terp.example.com/api/health".to_owned());
    let goal = Goal::Migrate(Box::new(plan));
    let sample = |at, status| HealthSample {
        at: time(at),
        status: Some(status),
    };
    let mut world = put_back(all_done());
    world.health = vec![sample("00:47:00", 503), sample("00:48:30", 503)];
    let asks = Next::Do(Action::Probe);
    assert_eq!(next(&goal, &world), asks, "a pause of 90 s");
    world.health.push(sample("00:49:58", 503));
    assert_eq!(waits_for(&next(&goal, &world)), &WaitFor::Health);
    let mut world = put_back(all_done());
    world.stop = Some(Stop::OutOfTime);
    world.health = vec![sample("00:49:53", 200), sample("00:49:58", 200)];
    let ended = verdict(next(&goal, &world));
    assert_eq!(ended.health, HealthAxis::NotChecked, "good, but too few");
    world.health.push(sample("00:49:59", 503));
    assert_eq!(verdict(next(&goal, &world)).health, HealthAxis::Bad);
}

#[test]
fn post_and_sweep_never_insert() {
    let worlds = || {
        vec![
            quiet("00:31:00"),
            claimed(quiet("00:31:00"), vec![entry(7, "00:31:00", NONCE)], 7),
            claimed(
                quiet("00:40:00"),
                vec![
                    entry(6, "00:30:00", OTHER_NONCE),
                    entry(7, "00:31:00", NONCE),
                ],
                7,
            ),
        ]
    };
    for mode in [Mode::Post, Mode::Sweep] {
        for mut world in worlds() {
            world.mode = mode;
            let next = next(&goal(), &world);
            assert!(
                !matches!(next, Next::Do(Action::Insert | Action::Claim)),
                "{mode:?}: {next:?}"
            );
        }
    }
}

#[test]
fn a_signal_ends_at_once_without_another_write() {
    let mut world = quiet("00:31:00");
    world.stop = Some(Stop::Signal);
    assert_eq!(verdict(next(&goal(), &world)).reason, Reason::Interrupted);
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d2", "BUILDING", "00:31:00", &jobs),
        deployment("d1", "ACTIVE", "00:10:00", &[]),
    ];
    let mut world = inserted(seen("00:33:00", &jobs, "d1", &rows), "00:31:00", ours());
    world.stop = Some(Stop::Signal);
    let verdict = verdict(next(&goal(), &world));
    assert_eq!(
        (verdict.reason, verdict.clean_up),
        (Reason::Interrupted, CleanUpAxis::Blocked)
    );
}

#[test]
fn a_signal_does_not_wait_for_a_platform_that_gives_no_answer() {
    let unreachable = |mut world: Observed| {
        world.app = AppView::Unreachable(world.now);
        world.stop = Some(Stop::Signal);
        world
    };
    let world = unreachable(inserted(quiet("00:33:00"), "00:31:00", ours()));
    let ended = verdict(next(&goal(), &world));
    assert_eq!(
        (ended.reason, ended.clean_up),
        (Reason::Interrupted, CleanUpAxis::Blocked)
    );
    let ended = verdict(next(&sweep(), &unreachable(quiet("00:33:00"))));
    assert_eq!(ended.reason, Reason::Interrupted);
}

#[test]
fn a_run_that_ends_before_it_sees_its_own_insert_says_nothing_is_proven() {
    // What was read last is from before the insert: the job is in the app, or may still get there.
    for outcome in [ours(), PutResult::Applied(None), PutResult::Ambiguous] {
        let mut world = inserted(quiet("00:31:05"), "00:31:00", outcome.clone());
        world.stop = Some(Stop::Signal);
        let verdict = verdict(next(&goal(), &world));
        assert_eq!(
            verdict.job,
            JobAxis::Unproven { during: None },
            "{outcome:?}"
        );
        assert_eq!(verdict.clean_up, CleanUpAxis::Blocked, "{outcome:?}");
        assert_eq!(verdict.reason, Reason::Interrupted, "{outcome:?}");
    }
    // Access lost while it is not known whether the update was applied.
    let mut world = inserted(quiet("00:31:05"), "00:31:00", PutResult::Ambiguous);
    world.app = AppView::Denied;
    assert_eq!(
        verdict(next(&goal(), &world)).job,
        JobAxis::Unproven { during: None }
    );
    // An update that was certainly refused leaves nothing behind.
    let mut world = inserted(quiet("00:31:05"), "00:31:00", PutResult::NotApplied);
    world.stop = Some(Stop::Signal);
    assert_eq!(
        verdict(next(&goal(), &world)).clean_up,
        CleanUpAxis::NotNeeded
    );
}

fn sweep() -> Goal {
    Goal::Clean(CleanUp::default())
}

fn sweeping(mut world: Observed) -> Observed {
    world.mode = Mode::Sweep;
    world
}

#[test]
fn the_sweeper_takes_out_a_killed_runs_job_after_reading_its_log() {
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d2", "ACTIVE", "00:00:00", &jobs),
        deployment("d1", "SUPERSEDED", "00:00:00", &[]),
    ];
    let world = sweeping(seen("00:31:00", &jobs, "d2", &rows));
    let fetch = Action::FetchLog {
        job: job_name(),
        deployment: DeploymentId::new("d2"),
    };
    assert_eq!(next(&sweep(), &world), Next::Do(fetch));
    let read = with_log(world, "d2", all_done());
    assert_eq!(
        next(&sweep(), &read),
        Next::Do(Action::Remove(vec![job_name().component()]))
    );
}

#[test]
fn the_sweeper_leaves_a_live_run_alone() {
    let jobs = [job(NONCE)];
    let rows = [
        deployment("d2", "DEPLOYING", "00:29:00", &jobs),
        deployment("d1", "ACTIVE", "00:00:00", &[]),
    ];
    let verdict = verdict(next(
        &sweep(),
        &sweeping(seen("00:31:00", &jobs, "d1", &rows)),
    ));
    assert_eq!(
        (verdict.reason, verdict.job),
        (Reason::Skipped, JobAxis::Running)
    );
}

#[test]
fn the_sweeper_touches_only_what_is_ours_or_declared() {
    let foreign = [
        json!({"name": "migration-job", "kind": "POST_DEPLOY"}),
        json!({"name": job_name().to_string(), "kind": "POST_DEPLOY", "envs": []}),
        json!({"name": "migrate-me", "kind": "POST_DEPLOY"}),
    ];
    let rows = [deployment("d1", "ACTIVE", "00:00:00", &foreign)];
    let world = sweeping(seen("00:31:00", &foreign, "d1", &rows));
    assert_eq!(
        verdict(next(&sweep(), &world)).clean_up,
        CleanUpAxis::NotNeeded
    );
    let declared = CleanUp {
        also_stale: vec![ComponentName::from_platform("migration-job")],
        ..CleanUp::default()
    };
    let out = Action::Remove(vec![ComponentName::from_platform("migration-job")]);
    assert_eq!(next(&Goal::Clean(declared), &world), Next::Do(out));
}

#[test]
fn the_sweeper_closes_the_claim_of_a_run_that_died_before_its_insert() {
    let goal = Goal::Clean(CleanUp {
        keys: Some([key()].into()),
        ..CleanUp::default()
    });
    let mut world = sweeping(quiet("00:31:00"));
    world.ledger = LedgerView::Entries(vec![entry(7, "00:30:00", NONCE)]);
    assert_eq!(
        verdict(next(&goal, &world)).clean_up,
        CleanUpAxis::NotNeeded,
        "its insert may still land"
    );
    world.now = time("00:33:00");
    let closed = Action::Record {
        entry: EntryId(7),
        outcome: LedgerOutcome::NeverStarted,
    };
    assert_eq!(next(&goal, &world), Next::Do(closed));
}

#[test]
fn a_sweeper_that_took_nothing_out_says_that_nothing_was_to_be_done() {
    let world = sweeping(put_back(all_done()));
    let ended = |doings: Doings| {
        let mut world = world.clone();
        world.ledger = LedgerView::Entries(vec![entry(7, "00:30:30", NONCE)]);
        world.doings = Doings {
            recorded: vec![EntryId(7)],
            ..doings
        };
        let verdict = verdict(next(&sweep(), &world));
        assert!(verdict.facts.recorded);
        (verdict.clean_up, verdict.reason)
    };
    let nothing = ended(Doings::default());
    assert_eq!(nothing, (CleanUpAxis::NotNeeded, Reason::Cleaned));
    let removals = world.doings.removals.clone();
    let removed = ended(Doings {
        removals,
        ..Doings::default()
    });
    assert_eq!(removed, (CleanUpAxis::Verified, Reason::Cleaned));
}

#[test]
fn a_clean_up_that_went_live_between_two_reads_is_not_sent_again() {
    // The app was read before the list: its slot still names the deployment that ran the job.
    let mut world = put_back(all_done());
    let ran = deployment("d2", "ACTIVE", "00:31:00", &[job(NONCE)]);
    if let AppView::Present(app) = &mut world.app {
        app.active = Some(Deployment::from_value(&ran).unwrap());
    }
    let verdict = verdict(next(&goal(), &world));
    assert_eq!(verdict.clean_up, CleanUpAxis::Verified);
    assert_eq!(
        verdict.facts.live.map(|(id, _)| id),
        Some(DeploymentId::new("d3"))
    );
}
