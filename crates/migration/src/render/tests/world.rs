//! The TER-235 story as events, told step by step: `story().planned().inserted("d1").log(..).ended(..)`.

use crate::*;
use app_spec::{AppId, CommitSha, ComponentName, DeploymentId, Fingerprint, Phase};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

pub(super) const APP: &str = "1fd40be5-b9af-4e71-ab1d-3af0864a7da4";
pub(super) const OURS: &str = "aaaaaaaa-0000-4000-8000-000000000002";
pub(super) const ROLLBACK: &str = "bbbbbbbb-0000-4000-8000-000000000003";
pub(super) const CLEAN_UP: &str = "cccccccc-0000-4000-8000-000000000004";
pub(super) const PUSHED: &str = "dddddddd-0000-4000-8000-000000000005";
const MERGED: &str = "0b2c4d6e8f0a1b2c3d4e5f60718293a4b5c6d7e8";
const LIVE: &str = "9f8e7d6c5b4a39281706f5e4d3c2b1a098765432";

pub(super) fn step(name: &str) -> StepName {
    StepName::parse(name).unwrap()
}

fn key() -> Key {
    Key::parse("k3f9q2x7").unwrap()
}

pub(super) fn deployment(id: &str) -> DeploymentId {
    DeploymentId::new(id)
}

pub(super) fn sha(text: &str) -> CommitSha {
    CommitSha::parse(text).unwrap()
}

fn manifest() -> Manifest {
    Manifest {
        id: MigrationId::parse("ter-235").unwrap(),
        steps: vec![
            Step {
                name: step("columns"),
                run: "npx tsx scripts/apply-ter235-column-migrations.ts --confirm-production"
                    .to_owned(),
                check: Some(
                    "npx tsx scripts/apply-ter235-column-migrations.ts --dry-run".to_owned(),
                ),
            },
            Step {
                name: step("backfill"),
                run: "npx tsx scripts/backfill-ter235-supplier-client-ids.ts --confirm-production"
                    .to_owned(),
                check: None,
            },
        ],
        app: None,
        kind: None,
        env: Vec::new(),
        job_timeout: None,
        instance_size: None,
        on_failure: None,
        strategy: None,
    }
}

pub(super) fn ter235() -> Plan {
    let manifest = manifest();
    Plan {
        steps: manifest.steps.clone(),
        request: Request {
            manifest,
            reviewed: Reviewed::At {
                path: ".harbor-pilot/ter-235.yml".to_owned(),
                commit: MERGED.to_owned(),
            },
            intent: Intent::Run,
            authority: Authority::Merge(MERGED.to_owned()),
            nonce: Nonce::from_bytes([7; 16]),
            origin: Origin {
                repository: Some("acme/terp".to_owned()),
                pull_request: Some(428),
                run_url: None,
                actor: None,
            },
            commit: Some(sha(MERGED)),
            settings: Settings {
                reference: ComponentName::from_platform("web"),
                database: "terp-mysql-db".to_owned(),
                kind: Kind::PostDeploy,
                instance_size: None,
                job_timeout: Duration::from_secs(1800),
                deadline: Duration::from_secs(6600),
                strategy: Strategy::SingleJob,
                on_failure: OnFailure::Fail,
                wait_for_deploy: WaitForDeploy::Live,
                health: HealthCheck::OfReference,
                firewall: FirewallPolicy::Check,
                cluster: None,
                keep_rules: Vec::new(),
                also_stale: Vec::new(),
                accept_jobs: Vec::new(),
                env: Vec::new(),
                secret_env: Vec::new(),
                shell: Shell::Sh,
                log: LogPolicy::Tail,
            },
        },
        app: AppId::new(APP),
        app_name: "terp-app".to_owned(),
        key: key(),
        epoch: Epoch(0),
        nonce: Nonce::from_bytes([7; 16]),
        entry: Entry::Fresh,
        authority: Authority::Merge(MERGED.to_owned()),
        already_done: Vec::new(),
        left: Vec::new(),
        commit: Some(sha(MERGED)),
        image_digest: None,
        cluster: None,
        health_url: Some("https://terp-app-b9s35.ondigitalocean.app/api/health".to_owned()),
        baseline: serde_json::from_str(&format!("\"{}\"", "3fa2b1c0".repeat(8)))
            .map(|it: Fingerprint| it)
            .unwrap(),
        estimate: Estimate {
            to_start: Duration::from_secs(520),
            job: Duration::from_secs(90),
            clean_up: Duration::from_secs(230),
            measured: true,
        },
        findings: Vec::new(),
    }
}

pub(super) fn claim() -> Claim {
    let plan = ter235();
    Claim {
        version: RECORD_VERSION,
        key: plan.key.clone(),
        epoch: plan.epoch,
        nonce: plan.nonce.clone(),
        migration: plan.request.manifest.id.clone(),
        app: plan.app.clone(),
        mode: RunMode::Steps,
        steps: plan.step_refs(),
        authority: plan.authority,
        pull_request: Some(428),
        sha: None,
        repository: None,
        reason: None,
    }
}

/// The plan after the fix: `columns` is done, only `backfill` runs.
pub(super) fn fix_plan() -> Plan {
    let mut plan = ter235();
    let done = plan.steps.remove(0);
    plan.epoch = Epoch(1);
    plan.already_done = vec![DoneStep {
        step: done.reference(),
        epoch: Epoch(0),
        authority: Authority::Merge(MERGED.to_owned()),
        pull_request: Some(428),
        repository: Some("acme/terp".to_owned()),
    }];
    plan.request.origin.pull_request = Some(431);
    plan
}

pub(super) fn ran(name: &str, seconds: i64, code: Option<i32>) -> Ran {
    Ran {
        step: step(name),
        started_at: Some(1_000),
        code,
        ended_at: code.map(|_| 1_000 + seconds),
    }
}

pub(super) fn evidence(steps: Vec<Ran>) -> Evidence {
    Evidence {
        begins: 1,
        steps,
        ..Evidence::default()
    }
}

pub(super) const LOG: &[&str] = &[
    "columns: purchaseOrderItems.supplier_client_id exists",
    "backfill: reading supplier_profiles.legacy_vendor_id",
    "Error: Unknown column 'poi.deletedAt' in 'where clause'",
    "    at PromisePool.query (/app/node_modules/mysql2/promise.js:356:22)",
];

pub(super) fn verdict(reason: Reason) -> Verdict {
    Verdict {
        job: JobAxis::Done,
        deployment: DeploymentAxis::Active,
        clean_up: CleanUpAxis::Verified,
        health: HealthAxis::Ok,
        firewall: FirewallAxis::AsAsked,
        reason,
        facts: VerdictFacts {
            job: Some(ter235().job()),
            deployment: Some(deployment(OURS)),
            clean_up: Some(deployment(CLEAN_UP)),
            live: Some((deployment(CLEAN_UP), Some(sha(LIVE)))),
            executions: 1,
            healthy_before: Some(true),
            recorded: true,
            removed: vec![ter235().job().to_string()],
            ..VerdictFacts::default()
        },
    }
}

/// The verdict of the night: `backfill` failed, the platform rolled back.
pub(super) fn rolled_back() -> Verdict {
    let mut verdict = verdict(Reason::RolledBack);
    verdict.job = JobAxis::Failed {
        step: step("backfill"),
        code: 1,
        check: false,
    };
    verdict.deployment = DeploymentAxis::RolledBack;
    verdict.facts.rollback = Some(deployment(ROLLBACK));
    verdict
}

pub(super) fn links() -> Links {
    Links {
        run: Some("https://github.com/acme/terp/actions/runs/77".to_owned()),
        log: None,
        dashboard: Some(format!("https://cloud.digitalocean.com/apps/{APP}")),
        pull_request: Some("https://github.com/acme/terp/pull/428".to_owned()),
        retry_command: Some(
            "gh workflow run migrate.yml -f mode=retry -f migration=ter-235".to_owned(),
        ),
        reap_command: Some("harbor-pilot reap --app terp-app".to_owned()),
        label: None,
    }
}

pub(super) struct Story {
    pub(super) report: Report,
    at: Timestamp,
}

pub(super) fn story() -> Story {
    Story {
        report: Report::new(Redactor::default(), subject()),
        at: "2026-02-18T00:35:00Z".parse().unwrap(),
    }
}

pub(super) fn subject() -> Subject {
    Subject {
        migration: Some(MigrationId::parse("ter-235").unwrap()),
        key: Some(key()),
        app: Some(Redactor::default().clean("terp-app")),
        origin: Origin::default(),
    }
}

impl Story {
    /// Tells what happened, so many seconds after what was told before.
    pub(super) fn then(mut self, seconds: i64, what: Happening) -> Self {
        self.at += SignedDuration::from_secs(seconds);
        self.report.absorb(&Event { at: self.at, what });
        self
    }

    pub(super) fn planned(self, plan: Plan) -> Self {
        self.then(0, Happening::Planned(Box::new(plan)))
    }

    pub(super) fn inserted(self) -> Self {
        let job = self.report.job.clone().unwrap();
        self.then(2, Happening::Claimed).then(
            3,
            Happening::Inserted {
                job,
                deployment: Some(deployment(OURS)),
            },
        )
    }

    pub(super) fn phase(self, seconds: i64, id: &str, role: Role, phase: Phase) -> Self {
        self.then(
            seconds,
            Happening::Phase {
                deployment: deployment(id),
                role,
                phase,
            },
        )
    }

    pub(super) fn deployed(self) -> Self {
        let started = Happening::JobRunning {
            deployment: deployment(OURS),
        };
        self.phase(5, OURS, Role::Ours, Phase::Building)
            .phase(270, OURS, Role::Ours, Phase::Deploying)
            .then(240, started)
    }

    pub(super) fn log(self, evidence: Evidence, lines: &[&str]) -> Self {
        let redactor = Redactor::default();
        let log = Happening::Log {
            job: self.report.job.clone().unwrap(),
            deployment: deployment(OURS),
            evidence,
            tail: lines.iter().map(|line| redactor.clean(line)).collect(),
            lines: 212,
            path: Some("harbor-pilot-logs/migrate-k3f9q2x7-e0.log".to_owned()),
        };
        self.then(90, log)
    }

    pub(super) fn removed(self) -> Self {
        let job = self.report.job.clone().unwrap().to_string();
        self.then(
            20,
            Happening::Removed {
                jobs: vec![job],
                deployment: Some(deployment(CLEAN_UP)),
            },
        )
        .phase(200, CLEAN_UP, Role::CleanUp, Phase::Active)
        .then(
            5,
            Happening::Restored {
                changed_by_others: Vec::new(),
            },
        )
    }

    pub(super) fn ended(self, verdict: Verdict) -> Self {
        self.then(10, Happening::Ended(Box::new(verdict)))
    }

    pub(super) fn comment(&self) -> String {
        super::comment::render(&self.report, &links(), super::comment::BUDGET)
    }
}

/// The night of the failed backfill, from the plan to the end.
pub(super) fn failed_backfill() -> Story {
    story()
        .planned(ter235())
        .inserted()
        .deployed()
        .log(
            evidence(vec![
                ran("columns", 12, Some(0)),
                ran("backfill", 3, Some(1)),
            ]),
            LOG,
        )
        .phase(10, OURS, Role::Ours, Phase::Error)
        .phase(40, ROLLBACK, Role::Rollback, Phase::Active)
        .removed()
        .then(8, Happening::Health { ok: true })
        .ended(rolled_back())
}
