//! One run of the harness, from its list of choices to everything that can be judged about it.
//!
//! A runtime of its own with a paused clock, a world of its own, the real driver. The story: a first runner (and
//! perhaps a second) works, dies or ends; those chosen for recovery come; then nothing goes wrong any more, and up to
//! three sweeps must put everything right. At the end two questions are asked once more: does another look write
//! anything, and does a re-run run anything?

use crate::actor;
use crate::book::{self, Book, Commits, Entries};
use crate::choice::{Change, Choice, Recovery, Setting, Steps, Wants, When, Who};
use crate::job::{self, Ran};
use crate::shown::{Row, Shown};
use crate::wire::{Hall, Journal, Process, TOKEN, Way};
use app_spec::{AppId, CommitSha, ComponentName};
use digitalocean::{Client, Retry};
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, join_all};
use jiff::Timestamp;
use migration::{
    Authority, CleanUp, Event, FirewallPolicy, Happening, HealthCheck, Intent, Kind, Links,
    LogPolicy, Manifest, MigrationId, Mode, Nonce, OnFailure, Origin, Plan, Redactor, Request,
    Reviewed, Running, Settings, Shell, Strategy, Verdict, WaitForDeploy, render,
};
use runner::{Ended, Harbor, Pace, stop_switch, stream};
use secrecy::SecretString;
use serde_json::{Value, json};
use sim::{Breakage, Clock, Edits, World, WorldConfig};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

pub(crate) const APP: &str = "11111111-1111-4111-8111-111111111111";
pub(crate) const APP_NAME: &str = "shop";
/// The component that the job is like.
pub(crate) const REFERENCE: &str = "web";
pub(crate) const CLUSTER: &str = "shop-mysql";
pub(crate) const REPO: &str = "acme/shop";
/// The job that somebody left by hand.
pub(crate) const BY_HAND: &str = "migration-job";
/// The app's own deploy-time job. Its name begins like ours, and is none of ours.
const NIGHTLY: &str = "migrate-nightly";

/// How many sweeps after the last fault may be needed.
pub(crate) const SWEEPS: usize = 3;
/// How long the platform may take to come to rest: the longest hanging job and what follows it.
const REST: Duration = Duration::from_secs(14 * 3600);

/// How one process of ours went.
pub(crate) struct Gone {
    pub(crate) number: usize,
    pub(crate) who: Who,
    pub(crate) role: &'static str,
    pub(crate) started: Timestamp,
    pub(crate) at: Timestamp,
    pub(crate) took: Duration,
    pub(crate) ran_away: bool,
    /// How it ended; nothing where it died.
    pub(crate) ended: Option<Ended>,
    /// The migration it wanted, where it wanted one.
    pub(crate) wanted: Option<MigrationId>,
    /// The jobs of ours in the spec and in what is live when it ended.
    pub(crate) left: Vec<String>,
    pub(crate) events: Vec<Event>,
    /// The page that it left; empty where it died.
    pub(crate) page: String,
    /// Secrets that it let out, as (sink, secret).
    pub(crate) leaks: Vec<(String, &'static str)>,
}

impl Gone {
    /// What it said at its end, where it attempted anything.
    pub(crate) fn verdict(&self) -> Option<&Verdict> {
        self.ended.as_ref()?.report.verdict.as_ref()
    }

    /// Its plans, the newest first, each with when it was made by its own clock.
    pub(crate) fn plans(&self) -> impl Iterator<Item = (Timestamp, &Plan)> {
        self.events
            .iter()
            .rev()
            .filter_map(|event| match &event.what {
                Happening::Planned(plan) => Some((event.at, plan.as_ref())),
                _ => None,
            })
    }
}

/// Everything about one run.
pub(crate) struct Played {
    pub(crate) choices: Vec<Choice>,
    pub(crate) gone: Vec<Gone>,
    pub(crate) journal: Journal,
    pub(crate) ran: Vec<Ran>,
    pub(crate) ledger: Vec<migration::LedgerEntry>,
    pub(crate) at_start: Value,
    /// The world when nothing more came.
    pub(crate) state: Shown,
    /// The world after the late rollback and its sweeps, where there was one; and when it was made.
    pub(crate) late: Option<(Timestamp, Shown)>,
    /// The process that only looks whether anything is left to write, and the one that asks for the migration again.
    pub(crate) fixpoint: usize,
    pub(crate) again: Option<usize>,
    pub(crate) at_rest: bool,
    pub(crate) reverted: bool,
    pub(crate) interrupted: Option<Timestamp>,
}

impl Played {
    pub(crate) fn has(&self, setting: Setting) -> bool {
        self.choices.contains(&Choice::Setting(setting))
    }

    /// The answer that was chosen to a question about the platform, where one was.
    pub(crate) fn knob(&self, name: &str) -> Option<&str> {
        self.choices.iter().find_map(|choice| match choice {
            Choice::Knob(known, answer) if known == name => Some(answer.as_str()),
            _ => None,
        })
    }
}

/// Plays one list of choices.
pub(crate) fn play(choices: &[Choice]) -> Played {
    play_by(choices, Way::Direct)
}

/// Plays one list of choices, its plain reads answered in that way.
pub(crate) fn play_by(choices: &[Choice], way: Way) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing from the system");
    runtime.block_on(Box::pin(story(choices.to_vec(), way)))
}

struct Scene {
    hall: Arc<Hall>,
    entries: Entries,
    choices: Vec<Choice>,
    commit: Option<CommitSha>,
    gone: Vec<Gone>,
    processes: usize,
}

async fn story(choices: Vec<Choice>, way: Way) -> Played {
    let (world, ran, commit) = set_up(&choices).await;
    let at_start = Shown::now(&world).spec.as_ref().clone();
    let hall = Hall::new(world, at_start.clone(), choices.clone(), way);
    let mut scene = Scene {
        hall: Arc::clone(&hall),
        entries: Entries::default(),
        choices,
        commit,
        gone: Vec::new(),
        processes: 0,
    };
    scene.timed_acts();
    scene.first().await;
    scene.recoveries().await;
    let at_rest_before = scene.rest().await;
    hall.calm_down();
    scene.unpin();
    let at_rest = scene.sweep_up().await && at_rest_before;
    let fixpoint = scene.gone.len();
    scene.clean("fixpoint", Who::Last, Mode::Sweep).await;
    let done = scene.gone.iter().rfind(|gone| {
        gone.wanted.as_ref().is_some_and(|id| id.as_str() == MAIN)
            && gone
                .ended
                .as_ref()
                .is_some_and(|ended| ended.reason == migration::Reason::Done)
    });
    let again = if let Some(done) = done {
        // By the manifest that is done.
        let request = match done.who {
            Who::Main | Who::Second | Who::Last => scene.request(MAIN, scene.authority()),
            Who::Later => scene.later_request(scene.authority()),
        };
        let at = scene.gone.len();
        scene.migrate("again", Who::Last, request).await;
        Some(at)
    } else {
        None
    };
    scene.rest().await;
    let state = Shown::now(&hall.world);
    let late = scene.late_rollback().await;
    let journal = std::mem::take(&mut *hall.journal.lock().unwrap());
    let interrupted = journal
        .acts
        .iter()
        .find(|(_, what)| what == "interrupt")
        .map(|(at, _)| *at);
    Played {
        gone: scene.gone,
        ran: ran.lock().unwrap().clone(),
        ledger: book::all(&scene.entries),
        journal,
        at_start,
        state,
        late,
        fixpoint,
        again,
        at_rest,
        reverted: hall.world.knobs().spec_after_rollback == sim::SpecAfterRollback::Reverted,
        interrupted,
        choices: scene.choices,
    }
}

/// The id of the migration that the first runner carries out.
pub(crate) const MAIN: &str = "ter-235";
const OTHER: &str = "ter-900";

/// What a person asks for, with the authority that this call gives.
fn by_a_person(intent: Intent, number: usize) -> (&'static str, Authority, Intent) {
    let call = format!("call-{number}");
    let authority = match intent {
        Intent::Run | Intent::Check => Authority::Cli(call),
        Intent::Retry => Authority::Retry(call),
        Intent::Again { .. } => Authority::Again(call),
    };
    (MAIN, authority, intent)
}

/// Changes the steps of a manifest.
fn changed(change: Change, steps: &mut Vec<(&str, String)>) {
    let third = ("indexes", "echo adding indexes".to_owned());
    match change {
        Change::Appended => steps.push(third),
        Change::Between => steps.insert(1, third),
        Change::SecondStep => "echo filling in otherwise".clone_into(&mut steps[1].1),
        Change::FirstStep => "echo adding other columns".clone_into(&mut steps[0].1),
        Change::Dropped => steps.truncate(1),
        Change::Reused => *steps = vec![third],
    }
}

fn again() -> Intent {
    Intent::Again {
        reason: "the data came in late".to_owned(),
    }
}

async fn set_up(choices: &[Choice]) -> (World, Arc<Mutex<Vec<Ran>>>, Option<CommitSha>) {
    let start = "2026-02-18T00:30:00Z".parse().expect("a constant");
    let config = WorldConfig::read(include_str!("world.json")).expect("a constant");
    let world = World::new(config, Clock::starting_at(start)).expect("a constant");
    world.set_public_base("http://127.0.0.1:9");
    let ran = Arc::new(Mutex::new(Vec::new()));
    world.set_executor(job::player(Arc::clone(&ran)));
    turn(&world, choices);
    if !choices.contains(&Choice::Setting(Setting::RunbookTimes)) {
        // The driver looks every few seconds: a quarter of the time is a quarter of the looks, and as many decisions.
        world
            .set_timing(APP_NAME, |timing| {
                timing.build_seconds = 40;
                timing.deploy_seconds = 40;
                timing.rollback_deploy_seconds = 25;
                timing.job_seconds = 30;
            })
            .expect("the app is there");
    }
    let has = |setting| choices.contains(&Choice::Setting(setting));
    let job = |name: &str| {
        json!({"name": name, "kind": "POST_DEPLOY", "run_command": "echo by hand",
            "github": {"repo": REPO, "branch": "main"}, "dockerfile_path": "Dockerfile"})
    };
    let by_hand: Vec<Value> = [(Setting::AlsoStale, BY_HAND), (Setting::AcceptJob, NIGHTLY)]
        .into_iter()
        .filter(|(setting, _)| has(*setting))
        .map(|(_, name)| job(name))
        .collect();
    if !by_hand.is_empty() {
        world
            .edit_spec(APP_NAME, actor::HUMAN, |spec| {
                spec["jobs"] = Value::Array(by_hand)
            })
            .expect("a job is a valid edit");
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    if has(Setting::Restore) {
        let rules = [
            json!({"type": "app", "value": APP}),
            json!({"type": "ip_addr", "value": "198.51.100.4"}),
        ];
        world
            .edit_firewall(CLUSTER, &rules)
            .expect("two valid rules");
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    let mut commit = None;
    if has(Setting::Merged) || has(Setting::MergedInVain) {
        if has(Setting::MergedInVain) {
            let broken = Breakage::BuildFails {
                component: "web".to_owned(),
            };
            world
                .break_next(APP_NAME, broken)
                .expect("the app is there");
        }
        let edits = Edits::new().write("migrate.sh", "a reviewed script\n");
        let pushed = world
            .push(REPO, "main", (&edits, "merge"), "mona")
            .expect("a push to the branch");
        commit = CommitSha::parse(&pushed.after).ok();
    }
    (world, ran, commit)
}

fn turn(world: &World, choices: &[Choice]) {
    let mut knobs = serde_json::to_value(world.knobs()).expect("knobs are plain data");
    for choice in choices {
        if let Choice::Knob(name, value) = choice {
            knobs[name.as_str()] = serde_json::from_str(value).unwrap_or(Value::Null);
        }
    }
    let knobs: sim::Knobs = serde_json::from_value(knobs).expect("a knob and one of its answers");
    world.turn(|old| *old = knobs);
}

impl Scene {
    fn has(&self, setting: Setting) -> bool {
        self.choices.contains(&Choice::Setting(setting))
    }

    fn timed_acts(&self) {
        for choice in &self.choices {
            if let Choice::Act {
                when: When::At(seconds),
                act,
            } = choice
            {
                self.hall.later(Duration::from_secs(*seconds), *act);
            }
        }
    }

    fn authority(&self) -> Authority {
        match &self.commit {
            Some(commit) => Authority::Merge(commit.to_string()),
            None => Authority::Cli("1".to_owned()),
        }
    }

    /// The first runner, and those beside it that were chosen.
    async fn first(&mut self) {
        let others: Vec<(u64, Wants)> = self
            .choices
            .iter()
            .filter_map(|choice| match choice {
                Choice::Second { after, wants } => Some((*after, *wants)),
                _ => None,
            })
            .collect();
        let first = self.process(Who::Main);
        let request = self.request(MAIN, self.authority());
        let others = others
            .into_iter()
            .map(|(after, wants)| (self.process(Who::Second), after, wants))
            .collect::<Vec<_>>();
        let entries = &self.entries;
        let first = run_migration(first, entries, "main", request).boxed_local();
        let others = others.into_iter().map(|(process, after, wants)| {
            let work = self.beside(process, wants);
            async move {
                tokio::time::sleep(Duration::from_secs(after)).await;
                work.await
            }
            .boxed_local()
        });
        let gone = join_all(std::iter::once(first).chain(others)).await;
        self.gone.extend(gone);
    }

    /// What runs beside the first runner.
    fn beside(&self, process: Arc<Process>, wants: Wants) -> LocalBoxFuture<'_, Gone> {
        let number = process.number;
        let (id, authority, intent) = match wants {
            Wants::Stop => {
                let goal = CleanUp {
                    running: Running::Cancel,
                    ..self.sweep()
                };
                let stop =
                    async move |harbor: &Harbor| runner::clean(harbor, goal, Mode::Sweep).await;
                return run(process, &self.entries, "stop", None, stop).boxed_local();
            }
            Wants::Same => (MAIN, self.authority(), Intent::Run),
            Wants::SameAgain => (MAIN, Authority::Cli(format!("again-{number}")), Intent::Run),
            Wants::Other => (
                OTHER,
                Authority::Cli(format!("other-{number}")),
                Intent::Run,
            ),
            Wants::Retry => by_a_person(Intent::Retry, number),
            Wants::Check => by_a_person(Intent::Check, number),
            Wants::Again => by_a_person(again(), number),
        };
        let request = Request {
            intent,
            nonce: nonce(number),
            ..self.request(id, authority)
        };
        run_migration(process, &self.entries, "second", request).boxed_local()
    }

    async fn recoveries(&mut self) {
        let all: Vec<(Recovery, u64)> = self
            .choices
            .iter()
            .filter_map(|choice| match choice {
                Choice::Recover { by, after } => Some((*by, *after)),
                _ => None,
            })
            .collect();
        for (place, (by, after)) in all.into_iter().enumerate() {
            tokio::time::sleep(Duration::from_secs(after)).await;
            match by {
                Recovery::Post => self.clean("post", Who::Later, Mode::Post).await,
                Recovery::Sweep => self.clean("sweep", Who::Later, Mode::Sweep).await,
                Recovery::Rerun => {
                    let request = self.later_request(self.authority());
                    self.migrate("rerun", Who::Later, request).await;
                }
                Recovery::Fresh => {
                    let request = self.later_request(Authority::Cli(format!("fresh-{place}")));
                    self.migrate("fresh", Who::Later, request).await;
                }
                Recovery::Retry => self.asked("retry", Intent::Retry).await,
                Recovery::Check => self.asked("check", Intent::Check).await,
                Recovery::Again => self.asked("once more", again()).await,
            }
        }
    }

    /// Somebody asks for it by name.
    async fn asked(&mut self, role: &'static str, intent: Intent) {
        let (_, authority, intent) = by_a_person(intent, self.processes);
        let request = Request {
            intent,
            ..self.later_request(authority)
        };
        self.migrate(role, Who::Later, request).await;
    }

    /// Waits until the platform is at rest, and says whether it came to that.
    async fn rest(&self) -> bool {
        let from = Instant::now();
        while from.elapsed() < REST {
            // Longer than any pause between two things that follow each other by themselves.
            tokio::time::sleep(Duration::from_secs(600)).await;
            self.hall.let_in().await;
            let flying = Shown::now(&self.hall.world).is_in_flight();
            if !flying && self.hall.to_come.load(Ordering::SeqCst) == 0 {
                return true;
            }
        }
        false
    }

    /// A person keeps the rollback that pinned the app: until then nobody can take anything out.
    fn unpin(&self) {
        if Shown::now(&self.hall.world).pinned {
            let kept = self.hall.world.commit_rollback(APP_NAME);
            kept.expect("the app is pinned");
        }
    }

    /// Sweeps until the app is clean, once at least and three times at most, not counting those that find a job running,
    /// for that is left alone until it ends or is given up.
    async fn sweep_up(&mut self) -> bool {
        let mut at_rest = true;
        let mut sweeps = 0;
        let from = Instant::now();
        // At least one, for a sweep also puts back what an update of ours overwrote.
        while sweeps == 0 || (sweeps < SWEEPS && !Shown::now(&self.hall.world).is_clean()) {
            let runs = Shown::now(&self.hall.world).runs_a_job() && from.elapsed() < REST;
            self.clean("last sweep", Who::Last, Mode::Sweep).await;
            at_rest = self.rest().await;
            sweeps += usize::from(!runs);
        }
        at_rest
    }

    /// Forty days later: a click, and a sweep for what it brought back.
    async fn late_rollback(&mut self) -> Option<(Timestamp, Shown)> {
        if !self.choices.contains(&Choice::LateRollback) {
            return None;
        }
        tokio::time::sleep(Duration::from_secs(40 * 86_400)).await;
        let app = Shown::now(&self.hall.world);
        let carried = |one: &&Row| !actor::ours(&one.spec).is_empty() && one.was_good();
        let target = app.deployments.iter().find(carried)?.id.as_str();
        let at = self.hall.world.now();
        self.hall
            .world
            .rollback(APP_NAME, target, sim::Pin::Unpinned, actor::HUMAN)
            .ok()?;
        self.rest().await;
        self.sweep_up().await;
        Some((at, Shown::now(&self.hall.world)))
    }

    fn process(&mut self, who: Who) -> Arc<Process> {
        let number = self.processes;
        self.processes += 1;
        Process::new(&self.hall, who, number)
    }

    async fn migrate(&mut self, role: &'static str, who: Who, mut request: Request) {
        let process = self.process(who);
        request.nonce = nonce(process.number);
        let gone = Box::pin(run_migration(process, &self.entries, role, request)).await;
        self.gone.push(gone);
    }

    async fn clean(&mut self, role: &'static str, who: Who, mode: Mode) {
        let process = self.process(who);
        let goal = match mode {
            Mode::Post => CleanUp {
                keys: Some(BTreeSet::from([migration::Key::of(
                    &AppId::new(APP),
                    &MigrationId::parse(MAIN).expect("a constant"),
                )])),
                running: Running::Await,
                ..CleanUp::default()
            },
            Mode::Main | Mode::Sweep => self.sweep(),
        };
        let gone = run(
            process,
            &self.entries,
            role,
            None,
            async move |harbor: &Harbor| runner::clean(harbor, goal, mode).await,
        );
        let gone = Box::pin(gone).await;
        self.gone.push(gone);
    }

    /// What a sweeper goes for that knows the config.
    fn sweep(&self) -> CleanUp {
        CleanUp {
            also_stale: self.settings().also_stale,
            ..CleanUp::default()
        }
    }

    /// What the first runner and those beside it ask for.
    fn request(&self, id: &str, authority: Authority) -> Request {
        self.request_for(id, authority, &[], self.settings())
    }

    /// What whoever comes later asks for, by the manifest as it is then.
    fn later_request(&self, authority: Authority) -> Request {
        let changes = self.choices.iter().filter_map(|choice| match choice {
            Choice::Changed(change) => Some(*change),
            _ => None,
        });
        let changes: Vec<Change> = changes.collect();
        let settings = self.settings_where(|setting| {
            self.has(setting) != self.choices.contains(&Choice::Reconfigured(setting))
        });
        self.request_for(MAIN, authority, &changes, settings)
    }

    fn request_for(
        &self,
        id: &str,
        authority: Authority,
        changes: &[Change],
        settings: Settings,
    ) -> Request {
        let id = MigrationId::parse(id).expect("a constant");
        let mut steps = vec![
            ("columns", "echo adding columns".to_owned()),
            ("backfill", "echo filling in".to_owned()),
        ];
        let mut check = None;
        for choice in &self.choices {
            if let Choice::Steps(what) = choice {
                match what {
                    Steps::FirstFails => "echo no column; exit 3".clone_into(&mut steps[0].1),
                    Steps::SecondFails => "echo no column; exit 3".clone_into(&mut steps[1].1),
                    Steps::CheckFails => check = Some("exit 4".to_owned()),
                    Steps::Checked => check = Some("true".to_owned()),
                    Steps::Killed => "echo begun; kill -KILL $PPID".clone_into(&mut steps[1].1),
                    Steps::Hostile => {
                        // The second time the password stands where a shown line is cut.
                        steps[0].1 = format!(
                            "printenv DATABASE_URL; printf %016308d 0; printenv DATABASE_URL; {HOSTILE}"
                        );
                    }
                }
            }
        }
        for change in changes {
            changed(*change, &mut steps);
        }
        let steps = steps.into_iter().map(|(name, run)| (name.to_owned(), run));
        let mut manifest = Manifest::from_steps(id, steps).expect("plain steps");
        if let Some(second) = manifest.steps.get_mut(1) {
            second.check = check;
        }
        Request {
            manifest,
            reviewed: Reviewed::Unreviewed,
            intent: Intent::Run,
            authority,
            nonce: nonce(self.processes),
            origin: Origin::default(),
            commit: self.commit.clone(),
            settings,
        }
    }

    fn settings(&self) -> Settings {
        self.settings_where(|setting| self.has(setting))
    }

    fn settings_where(&self, has: impl Fn(Setting) -> bool) -> Settings {
        let chosen = |setting, yes: &str| {
            has(setting)
                .then(|| ComponentName::from_platform(yes))
                .into_iter()
                .collect()
        };
        Settings {
            reference: ComponentName::from_platform(REFERENCE),
            database: "db".to_owned(),
            kind: if has(Setting::PreDeploy) {
                Kind::PreDeploy
            } else {
                Kind::PostDeploy
            },
            instance_size: None,
            job_timeout: Duration::from_secs(30 * 60),
            deadline: Duration::from_secs(110 * 60),
            strategy: if has(Setting::PerStep) {
                Strategy::OneJobPerStep
            } else {
                Strategy::SingleJob
            },
            on_failure: if has(Setting::Contain) {
                OnFailure::Contain
            } else {
                OnFailure::Fail
            },
            wait_for_deploy: WaitForDeploy::Live,
            health: if has(Setting::NoHealth) {
                HealthCheck::Off
            } else {
                HealthCheck::OfReference
            },
            firewall: if has(Setting::Restore) {
                FirewallPolicy::Restore
            } else {
                FirewallPolicy::Check
            },
            cluster: None,
            keep_rules: Vec::new(),
            also_stale: chosen(Setting::AlsoStale, BY_HAND),
            accept_jobs: chosen(Setting::AcceptJob, NIGHTLY),
            env: vec!["JWT_SECRET".to_owned()],
            secret_env: Vec::new(),
            shell: Shell::Sh,
            log: LogPolicy::Tail,
        }
    }
}

/// What a hostile step prints: commands to the runner, Markdown, and a mark with a guessed nonce.
const HOSTILE: &str = "echo ::error::stop; echo @everyone; echo harbor-pilot/1 00000000000000000000000000000000 done code=0 ran=2/2 checks=0/0 at=1";

fn nonce(number: usize) -> Nonce {
    Nonce::parse(&format!("{:032x}", 0xa1_0000 + number)).expect("32 hex digits")
}

async fn run_migration(
    process: Arc<Process>,
    entries: &Entries,
    role: &'static str,
    mut request: Request,
) -> Gone {
    request.nonce = nonce(process.number);
    let id = request.manifest.id.clone();
    run(
        process,
        entries,
        role,
        Some(id),
        async move |harbor: &Harbor| runner::migrate(harbor, request).await,
    )
    .await
}

/// Runs one process of ours to its end, or to its death.
async fn run(
    process: Arc<Process>,
    entries: &Entries,
    role: &'static str,
    wanted: Option<MigrationId>,
    work: impl AsyncFnOnce(&Harbor) -> Ended,
) -> Gone {
    let hall = Arc::clone(&process.hall);
    let (switch, signal) = stop_switch();
    if process.who == Who::Main {
        *hall.stop.lock().unwrap() = Some(switch.clone());
    }
    let (sender, mut receiver) = stream();
    let transport = process.transport();
    let base = "http://127.0.0.1:9".parse().expect("a constant");
    let retry = Retry {
        seed: Some(7),
        ..Retry::default()
    };
    let harbor = Harbor {
        client: Client::new(transport.clone(), &base, SecretString::from(TOKEN))
            .expect("a loopback address and a plain token")
            .with_retry(retry),
        app: AppId::new(APP),
        transport,
        ledger: Some(Arc::new(Book {
            entries: Arc::clone(entries),
            process: Arc::clone(&process),
        })),
        lineage: Arc::new(Commits(Arc::clone(&hall))),
        redactor: redactor(),
        pace: Pace::REAL.looking_more_rarely(hall.rarely),
        log_folder: None,
        events: sender,
        stop: signal,
    };
    let (started, from) = (hall.world.now(), Instant::now());
    let ended = {
        let work = work(&harbor);
        tokio::select! {
            biased;
            () = process.dead() => None,
            ended = process.working(Box::pin(work)) => Some(ended),
        }
    };
    drop(switch);
    if process.who == Who::Main {
        *hall.stop.lock().unwrap() = None;
    }
    let mut events = Vec::new();
    while let Ok(event) = receiver.try_recv() {
        events.push(event);
    }
    let page = ended
        .as_ref()
        .map(|ended| render::comment::render(&ended.report, &Links::default(), 60_000));
    let page = page.unwrap_or_default();
    let leaks = leaks((ended.as_ref(), &page), &events, &harbor.redactor);
    Gone {
        number: process.number,
        who: process.who,
        role,
        started,
        at: hall.world.now(),
        took: from.elapsed(),
        ran_away: process.ran_away(),
        ended,
        wanted,
        left: Shown::now(&hall.world).left(),
        events,
        page,
        leaks,
    }
}

/// Returns what cleans every text of a run; made once, for making it is dear.
fn redactor() -> Redactor {
    static REDACTOR: OnceLock<Redactor> = OnceLock::new();
    REDACTOR
        .get_or_init(|| Redactor::new([SecretString::from(TOKEN)]))
        .clone()
}

/// What must never be seen: the token, plain secrets, encrypted secrets, and what makes an address presigned. Of the long
/// ones the beginning: a part is as bad as the whole.
const SECRETS: &[&str] = &["dop_v1_b7f2c9d1", "real-pa", "EV[1:", "Signature="];

fn leaks(
    (ended, page): (Option<&Ended>, &str),
    events: &[Event],
    redactor: &Redactor,
) -> Vec<(String, &'static str)> {
    let mut sinks: Vec<(String, String)> = events
        .iter()
        .filter_map(|event| render::terminal::line(event, redactor))
        .map(|line| ("terminal line".to_owned(), line))
        .collect();
    if let Some(ended) = ended {
        let (report, links) = (&ended.report, Links::default());
        sinks.extend([
            ("comment".to_owned(), page.to_owned()),
            (
                "summary".to_owned(),
                render::summary::render(report, &links, 60_000),
            ),
            (
                "closing text".to_owned(),
                render::terminal::render_final(report, &links),
            ),
            (
                "result".to_owned(),
                render::result::json(report).to_string(),
            ),
        ]);
    }
    let mut found = Vec::new();
    for (sink, text) in sinks {
        for secret in SECRETS.iter().filter(|secret| text.contains(**secret)) {
            found.push((sink.clone(), *secret));
        }
    }
    found
}
