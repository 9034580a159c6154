//! A harbour in a box: the simulator in process, virtual time, the real driver.

use app_spec::{AppId, ComponentName};
use digitalocean::{Client, Transport};
use futures_util::future::BoxFuture;
use http_body_util::BodyExt as _;
use migration::{
    Authority, Claim, EntryId, Epoch, Event, FirewallPolicy, HealthCheck, Intent, Key, Kind,
    LedgerEntry, LedgerOutcome, LogPolicy, Manifest, MigrationId, Nonce, OnFailure, Origin,
    Redactor, Request, Reviewed, Settings, Shell, Strategy, WaitForDeploy,
};
use runner::{Harbor, Ledger, LedgerError, Lineage, Pace, StopSwitch, stop_switch, stream};
use secrecy::SecretString;
use serde_json::Value;
use sim::{Clock, World};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tower::{Service as _, ServiceExt as _};

pub(crate) const APP: &str = "11111111-1111-4111-8111-111111111111";
pub(crate) const REPO: &str = "acme/shop";

/// A ledger in memory: what the port promises and nothing else.
#[derive(Clone, Default)]
pub(crate) struct MemoryLedger {
    entries: Arc<Mutex<Vec<LedgerEntry>>>,
    world: Option<World>,
}

impl MemoryLedger {
    pub(crate) fn all(&self) -> Vec<LedgerEntry> {
        self.entries.lock().unwrap().clone()
    }

    /// Each claim's epoch, and how it ended.
    pub(crate) fn told(&self) -> Vec<(Epoch, Option<LedgerOutcome>)> {
        let entries = self.all().into_iter();
        entries
            .map(|entry| (entry.claim.epoch, entry.outcome))
            .collect()
    }

    /// Has every claim end like that, whatever was recorded.
    pub(crate) fn rewrite(&self, outcome: &LedgerOutcome) {
        for entry in self.entries.lock().unwrap().iter_mut() {
            entry.outcome = Some(outcome.clone());
        }
    }
}

impl Ledger for MemoryLedger {
    fn append<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<EntryId, LedgerError>> {
        Box::pin(async move {
            let mut entries = self.entries.lock().unwrap();
            let id = EntryId(entries.len() as u64 + 1);
            entries.push(LedgerEntry {
                id,
                at: self.world.as_ref().unwrap().now(),
                claim: claim.clone(),
                outcome: None,
            });
            Ok(id)
        })
    }

    fn entries<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Vec<LedgerEntry>, LedgerError>> {
        let entries = self
            .all()
            .into_iter()
            .filter(|entry| entry.claim.key == *key)
            .collect();
        Box::pin(async move { Ok(entries) })
    }

    fn record<'a>(
        &'a self,
        entry: EntryId,
        outcome: &'a LedgerOutcome,
    ) -> BoxFuture<'a, Result<(), LedgerError>> {
        Box::pin(async move {
            let mut entries = self.entries.lock().unwrap();
            let found = entries.iter_mut().find(|known| known.id == entry).unwrap();
            found.take(outcome.clone());
            Ok(())
        })
    }
}

/// Where a process stands still, like a laptop that is closed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StandsStill {
    /// When the ledger has shown it its own claim.
    BeforeItsInsert,
    /// When its claim is written, and before it learns that the reply is lost.
    BeforeItsClaimIsKnown,
}

/// A ledger whose answers find their process asleep once.
struct SleepersLedger {
    inner: MemoryLedger,
    stands_still: Mutex<Option<StandsStill>>,
    seconds: u64,
}

impl SleepersLedger {
    async fn sleep(&self) {
        *self.stands_still.lock().unwrap() = None;
        tokio::time::sleep(Duration::from_secs(self.seconds)).await;
    }

    fn stands_still(&self) -> Option<StandsStill> {
        *self.stands_still.lock().unwrap()
    }
}

impl Ledger for SleepersLedger {
    fn append<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<EntryId, LedgerError>> {
        Box::pin(async move {
            let id = self.inner.append(claim).await;
            if let Some(StandsStill::BeforeItsClaimIsKnown) = self.stands_still() {
                self.sleep().await;
                return Err(LedgerError::Unreachable("the connection is gone".into()));
            }
            id
        })
    }

    fn entries<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Vec<LedgerEntry>, LedgerError>> {
        Box::pin(async move {
            let entries = self.inner.entries(key).await?;
            if let Some(StandsStill::BeforeItsInsert) = self.stands_still()
                && !entries.is_empty()
            {
                self.sleep().await;
            }
            Ok(entries)
        })
    }

    fn record<'a>(
        &'a self,
        entry: EntryId,
        outcome: &'a LedgerOutcome,
    ) -> BoxFuture<'a, Result<(), LedgerError>> {
        self.inner.record(entry, outcome)
    }
}

/// A harbour whose process stands still once, for so many seconds.
pub(crate) fn harbour_that_stands_still(stands_still: StandsStill, seconds: u64) -> Box_ {
    let mut harbour = harbour();
    let ledger = SleepersLedger {
        inner: harbour.ledger.clone(),
        stands_still: Mutex::new(Some(stands_still)),
        seconds,
    };
    harbour.harbor.ledger = Some(Arc::new(ledger));
    harbour
}

/// The simulator's own history of commits.
struct History(World);

impl Lineage for History {
    fn contains<'a>(
        &'a self,
        commit: &'a str,
        ancestor: &'a str,
    ) -> BoxFuture<'a, migration::Contains> {
        let answer = self
            .0
            .github(|github, _| github.contains(REPO, commit, ancestor));
        Box::pin(async move {
            if answer {
                migration::Contains::Yes
            } else {
                migration::Contains::No
            }
        })
    }
}

/// One world with what a run in it needs.
pub(crate) struct Box_ {
    pub(crate) world: World,
    pub(crate) ledger: MemoryLedger,
    pub(crate) ran: PathBuf,
    _logs: tempfile::TempDir,
    pub(crate) stop: StopSwitch,
    pub(crate) harbor: Harbor,
    _events: mpsc::Receiver<Event>,
}

pub(crate) fn harbour() -> Box_ {
    let start = "2026-02-18T00:30:00Z".parse().unwrap();
    open(
        World::minimal(Clock::starting_at(start)).unwrap(),
        MemoryLedger::default(),
    )
}

/// Another process in the same world, on the same ledger.
pub(crate) fn open(world: World, ledger: MemoryLedger) -> Box_ {
    world.set_public_base("http://127.0.0.1:9");
    let ledger = MemoryLedger {
        world: Some(world.clone()),
        ..ledger
    };
    let logs = tempfile::tempdir().unwrap();
    let (stop, signal) = stop_switch();
    let (sender, events) = stream();
    let transport = transport(&world);
    let base = "http://127.0.0.1:9".parse().unwrap();
    let harbor = Harbor {
        client: Client::new(transport.clone(), &base, SecretString::from("do-token")).unwrap(),
        app: AppId::new(APP),
        transport,
        ledger: Some(Arc::new(ledger.clone())),
        lineage: Arc::new(History(world.clone())),
        redactor: Redactor::default(),
        pace: Pace::REAL,
        log_folder: Some(PathBuf::from(logs.path())),
        events: sender,
        stop: signal,
    };
    Box_ {
        world,
        ledger,
        ran: logs.path().join("ran"),
        _logs: logs,
        stop,
        harbor,
        _events: events,
    }
}

/// A client that lets something else happen in the world just before each request of its own arrives.
pub(crate) fn client_that(
    world: &World,
    just_before: impl Fn(&World, &http::Request<bytes::Bytes>) + Send + Sync + 'static,
) -> Client {
    let inner = transport(world);
    let world = world.clone();
    let just_before = Arc::new(just_before);
    let transport = Transport::new(tower::service_fn(
        move |request: http::Request<bytes::Bytes>| {
            just_before(&world, &request);
            inner.clone().oneshot(request)
        },
    ));
    let base = "http://127.0.0.1:9".parse().unwrap();
    Client::new(transport, &base, SecretString::from("do-token")).unwrap()
}

/// A client whose updates of an app do not arrive before somebody else's has.
pub(crate) fn client_whose_updates_come_second(world: &World) -> Client {
    let inner = transport(world);
    let world = world.clone();
    let transport = Transport::new(tower::service_fn(
        move |request: http::Request<bytes::Bytes>| {
            let (inner, world) = (inner.clone(), world.clone());
            async move {
                let updated = || {
                    let mut requests = world.requests().into_iter();
                    requests.any(|one| one.call == Some("apps.update"))
                };
                while request.method() == http::Method::PUT && !updated() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                inner.oneshot(request).await
            }
        },
    ));
    let base = "http://127.0.0.1:9".parse().unwrap();
    Client::new(transport, &base, SecretString::from("do-token")).unwrap()
}

pub(crate) fn transport(world: &World) -> Transport {
    let inner = world.in_process();
    Transport::new(tower::service_fn(move |request| {
        let mut inner = inner.clone();
        async move {
            let answer = inner.ready().await?.call(request).await?;
            Ok::<_, digitalocean::BoxError>(
                answer.map(|body| body.map_err(Into::into).boxed_unsync()),
            )
        }
    }))
}

fn request(steps: &[(&str, &str)]) -> Request {
    let steps = steps
        .iter()
        .map(|(name, run)| ((*name).to_owned(), (*run).to_owned()));
    let manifest = Manifest::from_steps(MigrationId::parse("ter-235").unwrap(), steps).unwrap();
    Request {
        manifest,
        reviewed: Reviewed::Unreviewed,
        intent: Intent::Run,
        authority: Authority::Cli("1".to_owned()),
        nonce: Nonce::parse("000000000000000000000000000000a1").unwrap(),
        origin: Origin::default(),
        commit: None,
        settings: Settings {
            reference: ComponentName::from_platform("web"),
            database: "db".to_owned(),
            kind: Kind::PostDeploy,
            instance_size: None,
            job_timeout: Duration::from_secs(30 * 60),
            deadline: Duration::from_secs(110 * 60),
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
    }
}

impl Box_ {
    /// A request whose first step leaves a line outside the simulator each time it runs.
    pub(crate) fn request(&self, steps: &[(&str, &str)]) -> Request {
        let mut request = request(steps);
        let first = &mut request.manifest.steps[0];
        first.run = format!("echo ran >> {}; {}", self.ran.display(), first.run);
        request
    }

    pub(crate) fn spec(&self) -> Value {
        let state = self.world.state();
        state["apps"][0]["spec"].clone()
    }

    /// Every update of the app that we sent, as (number of jobs in the body, status).
    pub(crate) fn puts(&self) -> Vec<(usize, Option<u16>)> {
        let updates = self
            .world
            .requests()
            .into_iter()
            .filter(|request| request.call == Some("apps.update"));
        updates
            .map(|request| {
                let jobs = request.body["spec"]["jobs"].as_array().map_or(0, Vec::len);
                (jobs, request.status)
            })
            .collect()
    }
}
