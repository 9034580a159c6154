//! A small app and its past, for the tests of the planner and of the edit.

use crate::{
    AppView, Authority, Claim, EntryId, Epoch, FirewallPolicy, FirewallView, HealthCheck,
    HealthSample, Intent, JobName, Key, Kind, LedgerEntry, LedgerOutcome, LedgerView, LogPolicy,
    Manifest, MigrationId, Mode, Nonce, Observed, OnFailure, Origin, Plan, Planned, RECORD_VERSION,
    Refusal, Request, Reviewed, RunMode, RunRecord, Settings, Shell, StepName, StepRef, Strategy,
    WaitForDeploy, plan,
};
use app_spec::{App, AppId, ClusterId, CommitSha, ComponentName, Deployment, FirewallRules};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const APP: &str = "1fd40be5-b9af-4e71-ab1d-3af0864a7da4";
pub(crate) const LIVE_COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const NOW: &str = "2026-02-18T00:35:00Z";

/// The manifest that the tests ask for unless they say otherwise.
pub(crate) const MANIFEST: &str = "
steps:
  - name: columns
    run: npx tsx scripts/columns.ts
  - name: backfill
    run: npx tsx scripts/backfill.ts
    check: npx tsx scripts/backfill.ts --dry-run
";

pub(crate) fn manifest(text: &str) -> Manifest {
    Manifest::parse(MigrationId::parse("ter-235").unwrap(), "m.yml", text).unwrap()
}

pub(crate) fn key() -> Key {
    Key::of(&AppId::new(APP), &MigrationId::parse("ter-235").unwrap())
}

pub(crate) fn nonce(of: u8) -> Nonce {
    Nonce::from_bytes([of; 16])
}

pub(crate) fn component(name: &str) -> ComponentName {
    ComponentName::parse(name).unwrap()
}

pub(crate) fn request() -> Request {
    Request {
        manifest: manifest(MANIFEST),
        reviewed: Reviewed::At {
            path: ".harbor-pilot/ter-235.yml".to_owned(),
            commit: LIVE_COMMIT.to_owned(),
        },
        intent: Intent::Run,
        authority: Authority::Merge("fix".to_owned()),
        nonce: nonce(0xaa),
        origin: Origin {
            repository: Some("acme/terp".to_owned()),
            pull_request: Some(428),
            run_url: None,
            actor: None,
        },
        commit: Some(CommitSha::parse(LIVE_COMMIT).unwrap()),
        settings: Settings {
            reference: component("web"),
            database: "terp-mysql-db".to_owned(),
            kind: Kind::PostDeploy,
            instance_size: None,
            job_timeout: Duration::from_secs(30 * 60),
            deadline: Duration::from_secs(110 * 60),
            strategy: Strategy::SingleJob,
            on_failure: OnFailure::Fail,
            wait_for_deploy: WaitForDeploy::Live,
            health: HealthCheck::OfReference,
            firewall: FirewallPolicy::Check,
            cluster: Some(ClusterId::new("03cd0216-a4df-42c6-9bff-d9dc7dadec83")),
            keep_rules: Vec::new(),
            also_stale: Vec::new(),
            accept_jobs: Vec::new(),
            env: Vec::new(),
            secret_env: Vec::new(),
            shell: Shell::Sh,
            log: LogPolicy::Tail,
        },
    }
}

pub(crate) fn spec() -> Value {
    json!({
        "name": "terp",
        "region": "nyc",
        "services": [{
            "name": "web",
            "github": {"repo": "acme/terp", "branch": "main", "deploy_on_push": true},
            "dockerfile_path": "Dockerfile",
            "http_port": 3000,
            "instance_size_slug": "apps-s-1vcpu-1gb",
            "instance_count": 1,
            "health_check": {"http_path": "/api/health", "initial_delay_seconds": 120},
            "envs": [
                {"key": "DATABASE_URL", "scope": "RUN_TIME", "value": "${terp-mysql-db.DATABASE_URL}"},
                {"key": "NODE_ENV", "value": "production"},
                {"key": "JWT_SECRET", "scope": "RUN_TIME", "type": "SECRET", "value": "EV[1:bm9uY2U=:Y2lwaGVy]"}
            ]
        }],
        "databases": [{"name": "terp-mysql-db", "engine": "MYSQL", "production": true, "cluster_name": "terp-mysql"}],
        "ingress": {"rules": [{"match": {"path": {"prefix": "/"}}, "component": {"name": "web"}}]},
        "features": ["buildpack-stack=ubuntu-22"]
    })
}

/// The app and what happened to it, as the test tells it.
pub(crate) struct World {
    pub(crate) spec: Value,
    pub(crate) app: Value,
    /// Newest first.
    pub(crate) deployments: Vec<Value>,
    pub(crate) ledger: Vec<LedgerEntry>,
    pub(crate) firewall: FirewallView,
    pub(crate) health_before: Option<HealthSample>,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self {
            spec: spec(),
            app: json!({
                "id": APP,
                "default_ingress": "https://terp-app-b9s35.ondigitalocean.app",
                "live_url": "https://terp.example.com",
                "live_domain": "terp.example.com",
            }),
            deployments: Vec::new(),
            ledger: Vec::new(),
            firewall: rules(&json!([{"type": "app", "value": APP}])),
            health_before: None,
        };
        let live = deployment("d-live", "ACTIVE", &world.spec);
        world.app["active_deployment"] = live.clone();
        world.deployments.push(live);
        world
    }

    pub(crate) fn job(mut self, job: Value) -> Self {
        if self.spec.get("jobs").is_none() {
            self.spec["jobs"] = json!([]);
        }
        self.spec["jobs"].as_array_mut().unwrap().push(job);
        self
    }

    /// A claim with how it ended, seen in the ledger alone.
    pub(crate) fn claim(mut self, past: &Past, outcome: Option<LedgerOutcome>) -> Self {
        let id = EntryId(self.ledger.len() as u64 + 1);
        self.ledger.push(LedgerEntry {
            id,
            at: time("2026-02-18T00:20:00Z"),
            claim: Claim {
                version: RECORD_VERSION,
                key: past.key.clone(),
                epoch: Epoch(past.epoch),
                nonce: nonce(past.nonce),
                migration: MigrationId::parse("ter-235").unwrap(),
                app: AppId::new(APP),
                steps: past.steps.clone(),
                mode: past.mode,
                authority: past.authority.clone(),
                pull_request: Some(428),
                sha: None,
                repository: Some("acme/terp".to_owned()),
                reason: None,
            },
            outcome,
        });
        self
    }

    /// A deployment that carries the epoch's job.
    pub(crate) fn carried(mut self, past: &Past, phase: &str) -> Self {
        let mut spec = self.spec.clone();
        spec["jobs"] = json!([past.job()]);
        self.deployments
            .insert(0, deployment(&format!("d-{}", past.epoch), phase, &spec));
        self
    }

    /// An epoch that was claimed, inserted, and ended.
    pub(crate) fn ended(self, past: &Past, outcome: LedgerOutcome) -> Self {
        self.carried(past, "CANCELED").claim(past, Some(outcome))
    }

    pub(crate) fn seen(&self) -> Observed {
        let mut app = self.app.clone();
        app["spec"] = self.spec.clone();
        Observed {
            app: AppView::Present(Box::new(App::from_value(&app).unwrap())),
            deployments: self
                .deployments
                .iter()
                .map(|one| Deployment::from_value(one).unwrap())
                .collect(),
            ledger: LedgerView::Entries(self.ledger.clone()),
            health_before: self.health_before,
            firewall: self.firewall.clone(),
            ..Observed::nothing(time(NOW), Mode::Main)
        }
    }
}

/// An epoch of the past.
#[derive(Clone)]
pub(crate) struct Past {
    pub(crate) key: Key,
    pub(crate) epoch: u32,
    pub(crate) nonce: u8,
    pub(crate) authority: Authority,
    pub(crate) steps: Vec<StepRef>,
    pub(crate) mode: RunMode,
}

impl Past {
    /// An epoch of the manifest's steps under the authority `merge:first`.
    pub(crate) fn epoch(epoch: u32) -> Self {
        Self {
            key: key(),
            epoch,
            nonce: 0xbb,
            authority: Authority::Merge("first".to_owned()),
            steps: manifest(MANIFEST)
                .steps
                .iter()
                .map(crate::Step::reference)
                .collect(),
            mode: RunMode::Steps,
        }
    }

    pub(crate) fn by(mut self, authority: &str) -> Self {
        self.authority = Authority::parse(authority).unwrap();
        self
    }

    pub(crate) fn steps(mut self, names: &[&str]) -> Self {
        self.steps
            .retain(|step| names.contains(&step.name.as_str()));
        self
    }

    pub(crate) fn job(&self) -> Value {
        let record = RunRecord {
            version: RECORD_VERSION,
            key: self.key.clone(),
            epoch: Epoch(self.epoch),
            nonce: nonce(self.nonce),
            migration: MigrationId::parse("ter-235").unwrap(),
            steps: self.steps.clone(),
            mode: self.mode,
            authority: self.authority.clone(),
            pr: Some(428),
            sha: None,
            repository: Some("acme/terp".to_owned()),
            not_after: 0,
        };
        let name = JobName {
            key: self.key.clone(),
            epoch: Epoch(self.epoch),
        };
        json!({
            "name": name.to_string(),
            "kind": "POST_DEPLOY",
            "github": {"repo": "acme/terp", "branch": "main"},
            "envs": [{"key": RunRecord::VARIABLE, "value": serde_json::to_string(&record).unwrap()}],
        })
    }
}

pub(crate) fn failed(step: &str) -> LedgerOutcome {
    LedgerOutcome::Failed {
        step: StepName::parse(step).unwrap(),
        code: 1,
        check: false,
    }
}

pub(crate) fn deployment(id: &str, phase: &str, spec: &Value) -> Value {
    json!({
        "id": id,
        "phase": phase,
        "cause": "app spec updated",
        "services": [{"name": "web", "source_commit_hash": LIVE_COMMIT}],
        "spec": spec,
        "created_at": "2026-02-18T00:10:00Z",
        "updated_at": "2026-02-18T00:18:00Z",
    })
}

pub(crate) fn rules(rules: &Value) -> FirewallView {
    FirewallView::Rules(FirewallRules::from_value(rules).unwrap())
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The plan, where there is one.
pub(crate) fn planned(request: &Request, world: &World) -> Plan {
    match plan(request, &world.seen()) {
        Ok(Planned::Run(plan)) => *plan,
        other => panic!("no plan: {other:?}"),
    }
}

/// What a user sees of a refusal.
pub(crate) fn told(refusal: &Refusal) -> String {
    let hint = refusal.hint.as_deref().unwrap_or("-");
    format!(
        "{} ({})\n{refusal}\n{hint}",
        refusal.reason.code(),
        refusal.reason.exit().code()
    )
}

pub(crate) fn refused(request: &Request, world: &World) -> String {
    told(&plan(request, &world.seen()).unwrap_err())
}
