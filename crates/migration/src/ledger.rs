//! The append-only record of claims and verdicts, and what follows from it together with the deployments.

use crate::stage::Stage;
use crate::{
    AppView, Authority, Conclusion, Disarmed, DisarmedCopy, DoneStep, Epoch, Evidence, JobName,
    Key, LogRead, MigrationId, Nonce, Observed, StepName, StepRef,
};
use app_spec::{AppId, AppSpec, Component, Deployment, DeploymentId, StepStatus};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of [`Claim`] and [`RunRecord`] as they are written. Readers accept any version whose known fields parse.
pub const RECORD_VERSION: u32 = 1;

/// What an epoch's job is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunMode {
    /// All checks, then the steps.
    #[default]
    Steps,
    /// Only the checks; no step is ever done by it.
    ChecksOnly,
}

/// The ledger entry made before an insert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// [`RECORD_VERSION`] of the writer.
    pub version: u32,
    /// The migration's key.
    pub key: Key,
    /// The epoch it wants to insert.
    pub epoch: Epoch,
    /// The claimer's nonce.
    pub nonce: Nonce,
    /// The migration's id, for people.
    pub migration: MigrationId,
    /// The app.
    pub app: AppId,
    /// The steps the epoch would run.
    pub steps: Vec<StepRef>,
    /// Whether it runs them, or only their checks.
    #[serde(default)]
    pub mode: RunMode,
    /// What allows it.
    pub authority: Authority,
    /// The pull request that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<u64>,
    /// The commit that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
    /// The repository that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Why, for `again`. Foreign text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What the job's environment says of itself (`HARBOR_PILOT_RUN`): written by the same PUT as the effect, kept in the
/// deployment history. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`RECORD_VERSION`] of the writer.
    pub version: u32,
    /// The migration's key.
    pub key: Key,
    /// The epoch.
    pub epoch: Epoch,
    /// The nonce that the epoch's marks carry.
    pub nonce: Nonce,
    /// The migration's id, for people.
    pub migration: MigrationId,
    /// The steps it runs.
    pub steps: Vec<StepRef>,
    /// Whether it runs them, or only their checks.
    #[serde(default)]
    pub mode: RunMode,
    /// What allowed it.
    pub authority: Authority,
    /// The pull request that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pr: Option<u64>,
    /// The commit that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
    /// The repository that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Unix seconds after which the job does not start (`HARBOR_PILOT_NOT_AFTER` beside it is what the job obeys).
    #[serde(default)]
    pub not_after: i64,
}

impl Claim {
    /// Returns the name of the job that it is a claim on.
    #[must_use]
    pub fn job(&self) -> JobName {
        JobName {
            key: self.key.clone(),
            epoch: self.epoch,
        }
    }
}

impl RunRecord {
    /// Name of the environment variable that holds it.
    pub const VARIABLE: &'static str = "HARBOR_PILOT_RUN";

    /// Returns the record of `job` when the job is ours: its name has the strict form **and** its record agrees with
    /// it. Anything else is foreign and is never touched, whatever it is called.
    #[must_use]
    pub fn of(job: &Component<'_>) -> Option<Self> {
        let name = JobName::parse(job.name())?;
        let record: Self = serde_json::from_str(job.env_value(Self::VARIABLE)?).ok()?;
        (record.job() == name).then_some(record)
    }

    /// Returns the records of all jobs of ours in `spec`, in the spec's order.
    #[must_use]
    pub fn all(spec: &AppSpec) -> Vec<Self> {
        spec.jobs().filter_map(|job| Self::of(&job)).collect()
    }

    /// Returns the name of the job it belongs in.
    #[must_use]
    pub fn job(&self) -> JobName {
        JobName {
            key: self.key.clone(),
            epoch: self.epoch,
        }
    }

    /// Returns the claim on its job by whoever takes it out of `app`. It is about no commit of the taker's own.
    #[must_use]
    pub fn claim(&self, app: AppId) -> Claim {
        Claim {
            version: RECORD_VERSION,
            key: self.key.clone(),
            epoch: self.epoch,
            nonce: self.nonce.clone(),
            migration: self.migration.clone(),
            app,
            steps: self.steps.clone(),
            mode: self.mode,
            authority: self.authority.clone(),
            pull_request: self.pr,
            sha: None,
            repository: self.repository.clone(),
            reason: None,
        }
    }
}

/// Orders ledger entries: a later entry has the greater id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryId(pub u64);

/// One claim with the strongest outcome recorded for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Its place in the ledger.
    pub id: EntryId,
    /// When the ledger took it in, by the ledger's own clock.
    pub at: Timestamp,
    /// The claim.
    pub claim: Claim,
    /// How it ended; nothing while it is open.
    pub outcome: Option<LedgerOutcome>,
}

impl LedgerEntry {
    /// Takes in an outcome that was recorded after those before it.
    ///
    /// The strongest counts (done > unproven > failed > never started > withdrawn), of two as strong the later one: who
    /// could not read a log says less than who could, and may say it later.
    pub fn take(&mut self, recorded: LedgerOutcome) {
        let known = self.outcome.as_ref().map(strength);
        if known.is_none_or(|known| known <= strength(&recorded)) {
            self.outcome = Some(recorded);
        }
    }
}

impl LedgerOutcome {
    /// Whether it says that nothing ran.
    pub(crate) fn ran_nothing(&self) -> bool {
        match self {
            Self::NeverStarted | Self::Withdrawn => true,
            Self::Done | Self::Failed { .. } | Self::Unproven { .. } => false,
        }
    }
}

/// How a claim ended, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum LedgerOutcome {
    /// All its steps ended with 0, proven.
    Done,
    /// A step or check failed, proven; every step before it is done.
    Failed {
        /// The step that failed (or whose check failed).
        step: StepName,
        /// Its exit code.
        code: i32,
        /// Whether it was the step's check, so that no step ran.
        check: bool,
    },
    /// It may have run; the truth can't be known.
    Unproven {
        /// How many of its steps, from the first on, are proven done all the same.
        done: u32,
    },
    /// Proven not to have run anything.
    NeverStarted,
    /// Gave way to an older open claim without inserting.
    Withdrawn,
}

/// What is known of one migration on one app: its epochs, folded from ledger, deployments, live spec and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The migration and the app.
    pub key: Key,
    /// The epochs that were claimed or inserted, oldest first.
    pub epochs: Vec<PastEpoch>,
}

/// One epoch, as far as the outside world remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastEpoch {
    /// The epoch.
    pub epoch: Epoch,
    /// Its claims, oldest first.
    pub claims: Vec<LedgerEntry>,
    /// What its job says of itself, where the job was seen in the spec or in a deployment.
    pub record: Option<RunRecord>,
    /// Whether its job is in the live spec.
    pub in_spec: bool,
    /// Deployments that carried its job, oldest first.
    pub carriers: Vec<DeploymentId>,
    /// Whether one of them is still in flight.
    pub in_flight: bool,
    /// How it ended, by the strongest evidence, the ledger's included.
    pub state: EpochState,
    /// How it ended, by what deployments and logs show now, the ledger left out.
    pub state_by_evidence: EpochState,
    /// Begin marks over all its logs.
    pub executions: u32,
    /// Copies of its job that ran nothing.
    pub disarmed: Vec<DisarmedCopy>,
}

/// How an epoch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EpochState {
    /// Claimed or inserted; its end is not known yet.
    Open,
    /// Ended, by the strongest evidence.
    Ended(LedgerOutcome),
}

impl PastEpoch {
    /// Returns the steps it was to run.
    #[must_use]
    pub fn steps(&self) -> &[StepRef] {
        match (&self.record, self.claims.first()) {
            (Some(record), _) => &record.steps,
            (None, Some(entry)) => &entry.claim.steps,
            (None, None) => &[],
        }
    }

    /// Returns what allowed it.
    #[must_use]
    pub fn authority(&self) -> Option<&Authority> {
        match (&self.record, self.claims.first()) {
            (Some(record), _) => Some(&record.authority),
            (None, entry) => entry.map(|entry| &entry.claim.authority),
        }
    }

    /// Returns whether it runs its steps, or only their checks.
    #[must_use]
    pub fn mode(&self) -> RunMode {
        match (&self.record, self.claims.first()) {
            (Some(record), _) => record.mode,
            (None, entry) => entry.map_or(RunMode::Steps, |entry| entry.claim.mode),
        }
    }

    /// Returns whether the ledger knows how it ended, whoever recorded that.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        let mut outcomes = self
            .claims
            .iter()
            .filter_map(|entry| entry.outcome.as_ref());
        outcomes.any(|outcome| *outcome != LedgerOutcome::Withdrawn)
    }

    /// Returns the steps that are proven done by it.
    #[must_use]
    pub fn done(&self) -> &[StepRef] {
        let steps = self.steps();
        let count = match &self.state {
            _ if self.mode() == RunMode::ChecksOnly => 0,
            EpochState::Open
            | EpochState::Ended(LedgerOutcome::NeverStarted | LedgerOutcome::Withdrawn)
            | EpochState::Ended(LedgerOutcome::Failed { check: true, .. }) => 0,
            EpochState::Ended(LedgerOutcome::Done) => steps.len(),
            EpochState::Ended(LedgerOutcome::Unproven { done }) => {
                usize::try_from(*done).unwrap_or(usize::MAX)
            }
            EpochState::Ended(LedgerOutcome::Failed { step, .. }) => steps
                .iter()
                .position(|known| known.name == *step)
                .unwrap_or_default(),
        };
        steps.get(..count).unwrap_or(steps)
    }
}

impl History {
    /// Folds everything observed about `key`.
    ///
    /// The strongest evidence wins: done, then unproven, then failed, then never started. An epoch without an end
    /// stays open.
    #[must_use]
    pub fn of(key: &Key, observed: &Observed) -> Self {
        let mut epochs: Vec<PastEpoch> = Vec::new();
        for entry in observed
            .ledger
            .entries()
            .iter()
            .filter(|entry| entry.claim.key == *key)
        {
            epoch_mut(&mut epochs, entry.claim.epoch)
                .claims
                .push(entry.clone());
        }
        if let AppView::Present(app) = &observed.app {
            for record in RunRecord::all(&app.spec)
                .into_iter()
                .filter(|record| record.key == *key)
            {
                let epoch = epoch_mut(&mut epochs, record.epoch);
                epoch.in_spec = true;
                epoch.record = Some(record);
            }
        }
        for deployment in observed.deployments.iter().rev() {
            for name in carried(deployment)
                .into_iter()
                .filter(|name| name.key == *key)
            {
                let epoch = epoch_mut(&mut epochs, name.epoch);
                epoch.carriers.push(deployment.id.clone());
                epoch.in_flight |= is_live(deployment, &name, observed.now);
                if epoch.record.is_none() {
                    epoch.record = record_in(deployment, &name);
                }
            }
        }
        for epoch in &mut epochs {
            let name = JobName {
                key: key.clone(),
                epoch: epoch.epoch,
            };
            settle(epoch, &name, observed);
        }
        epochs.sort_by_key(|epoch| epoch.epoch);
        let key = key.clone();
        Self { key, epochs }
    }

    /// Returns the logs that may still change how an epoch ended: of one whose end is not known, and of one that
    /// ran nothing by what the ledger says. Whoever puts the spec of an hour ago back starts the job once more.
    #[must_use]
    pub fn unread_logs(&self, observed: &Observed) -> Vec<(JobName, DeploymentId)> {
        let may_change = |epoch: &&PastEpoch| match &epoch.state {
            EpochState::Open => !epoch.in_flight,
            EpochState::Ended(outcome) => !epoch.in_flight && outcome.ran_nothing(),
        };
        let mut unread = Vec::new();
        for epoch in self.epochs.iter().filter(may_change) {
            let job = JobName {
                key: self.key.clone(),
                epoch: epoch.epoch,
            };
            for deployment in observed.deployments.iter().rev() {
                let of_epoch = epoch.carriers.contains(&deployment.id);
                let proof = || proof(deployment, &job, epoch.steps(), epoch.mode(), observed);
                if of_epoch && proof() == Proof::Pending {
                    unread.push((job.clone(), deployment.id.clone()));
                }
            }
        }
        unread
    }

    /// Returns the newest epoch that was not withdrawn unstarted.
    #[must_use]
    pub fn newest(&self) -> Option<&PastEpoch> {
        self.epochs
            .iter()
            .rev()
            .find(|epoch| epoch.state != EpochState::Ended(LedgerOutcome::Withdrawn))
    }

    /// Returns the epoch that a new insertion would get.
    #[must_use]
    pub fn next_epoch(&self) -> Epoch {
        match self.newest() {
            // An epoch that nobody inserted keeps its number for whoever comes next.
            Some(last)
                if !last.inserted()
                    && matches!(last.state, EpochState::Ended(LedgerOutcome::NeverStarted)) =>
            {
                last.epoch
            }
            Some(last) => last.epoch.next(),
            None => self.epochs.last().map_or(Epoch(0), |last| last.epoch),
        }
    }

    /// Returns the steps that are done, each by the newest epoch that did it.
    #[must_use]
    pub fn done_steps(&self) -> Vec<DoneStep> {
        let mut done: Vec<DoneStep> = Vec::new();
        for epoch in self.epochs.iter().rev() {
            for step in epoch.done() {
                if done.iter().all(|known| known.step.name != step.name) {
                    done.push(DoneStep {
                        step: step.clone(),
                        epoch: epoch.epoch,
                        authority: epoch
                            .authority()
                            .cloned()
                            .unwrap_or_else(|| Authority::Cli("unknown".to_owned())),
                        pull_request: epoch.pull_request(),
                        repository: epoch.repository(),
                    });
                }
            }
        }
        done
    }

    /// Returns how many epochs of `authority` are proven never to have started.
    #[must_use]
    pub fn never_started(&self, authority: &Authority) -> usize {
        self.epochs
            .iter()
            .filter(|epoch| {
                epoch.inserted()
                    && epoch.authority() == Some(authority)
                    && epoch.state == EpochState::Ended(LedgerOutcome::NeverStarted)
            })
            .count()
    }

    /// Returns `epoch`, where it is known.
    #[must_use]
    pub fn epoch(&self, epoch: Epoch) -> Option<&PastEpoch> {
        self.epochs.iter().find(|past| past.epoch == epoch)
    }
}

impl PastEpoch {
    fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            claims: Vec::new(),
            record: None,
            in_spec: false,
            carriers: Vec::new(),
            in_flight: false,
            state: EpochState::Open,
            state_by_evidence: EpochState::Open,
            executions: 0,
            disarmed: Vec::new(),
        }
    }

    /// Returns whether its job was ever seen in the spec or in a deployment.
    #[must_use]
    pub fn inserted(&self) -> bool {
        self.in_spec || !self.carriers.is_empty()
    }

    /// Returns the pull request that asked for it.
    #[must_use]
    pub fn pull_request(&self) -> Option<u64> {
        match (&self.record, self.claims.first()) {
            (Some(record), _) => record.pr,
            (None, entry) => entry.and_then(|entry| entry.claim.pull_request),
        }
    }

    /// Returns the repository that asked for it.
    #[must_use]
    pub fn repository(&self) -> Option<String> {
        match (&self.record, self.claims.first()) {
            (Some(record), _) => record.repository.clone(),
            (None, entry) => entry.and_then(|entry| entry.claim.repository.clone()),
        }
    }
}

fn epoch_mut(epochs: &mut Vec<PastEpoch>, epoch: Epoch) -> &mut PastEpoch {
    let place = epochs
        .iter()
        .position(|known| known.epoch == epoch)
        .unwrap_or_else(|| {
            epochs.push(PastEpoch::new(epoch));
            epochs.len() - 1
        });
    #[expect(
        clippy::indexing_slicing,
        reason = "the place was found or pushed just above"
    )]
    &mut epochs[place]
}

/// Returns the temporary jobs that `deployment` carries. A row without its spec is believed by name alone: names of
/// this form are ours or a collision, and a collision stops the run before anything is inserted.
#[must_use]
pub fn carried(deployment: &Deployment) -> Vec<JobName> {
    match &deployment.spec {
        Some(spec) => RunRecord::all(spec).iter().map(RunRecord::job).collect(),
        None => deployment
            .job_names()
            .iter()
            .filter_map(|name| JobName::parse(name))
            .collect(),
    }
}

/// Returns whether `job` may still be running, or still start, in `deployment`.
///
/// Nobody has documented whether a deployment is `ACTIVE` already while its `POST_DEPLOY` job runs, so the job's own
/// step is asked there, for as long as the job may run: the step of one that was cut short stays open for ever.
#[must_use]
pub fn is_live(deployment: &Deployment, job: &JobName, now: Timestamp) -> bool {
    if deployment.phase.is_in_flight() {
        return true;
    }
    let progress = deployment.progress.as_ref();
    let status = progress.map(|progress| progress.job_status(&job.to_string()).deploy);
    deployment.phase == app_spec::Phase::Active
        && matches!(status, Some(StepStatus::Pending | StepStatus::Running))
        && Stage::of(deployment, job).is_some_and(|stage| now <= stage.given_up())
}

fn record_in(deployment: &Deployment, name: &JobName) -> Option<RunRecord> {
    let spec = deployment.spec.as_ref()?;
    RunRecord::all(spec)
        .into_iter()
        .find(|record| record.job() == *name)
}

/// What one carrier of a job proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// It is still in flight, or its log is still to be read.
    Pending,
    /// It ran nothing, proven (and why, where the job said so itself).
    Nothing(Option<Disarmed>),
    /// Every step ended with 0.
    Done,
    /// A step or check failed.
    Failed {
        step: StepName,
        code: i32,
        check: bool,
    },
    /// A needed variable was empty; nothing ran.
    Refused { variable: String },
    /// It may have run; how far is not known beyond this many steps.
    Unproven { during: Option<StepName>, done: u32 },
}

/// Returns what `deployment` proves about `job`, which was to run `steps`.
pub(crate) fn proof(
    deployment: &Deployment,
    job: &JobName,
    steps: &[StepRef],
    mode: RunMode,
    observed: &Observed,
) -> Proof {
    let log = observed.logs.get(&(job.clone(), deployment.id.clone()));
    let conclusion = log.map(|log| log.evidence.conclusion(steps, mode));
    match conclusion {
        Some(Conclusion::Done) => return Proof::Done,
        Some(Conclusion::Failed { step, code, check }) => {
            return Proof::Failed { step, code, check };
        }
        Some(Conclusion::Disarmed(why)) => return Proof::Nothing(Some(why)),
        Some(Conclusion::Refused { variable }) => return Proof::Refused { variable },
        Some(Conclusion::Cut { .. } | Conclusion::Silent) | None => {}
    }
    // A log that was read while the job ran shows only a part of it.
    if is_live(deployment, job, observed.now) {
        return Proof::Pending;
    }
    if never_reached(deployment, job) && conclusion_is_silent(conclusion.as_ref()) {
        return Proof::Nothing(None);
    }
    let given_up = log.is_some_and(|log| match log.read {
        LogRead::Whole | LogRead::Cut => true,
        LogRead::Absent | LogRead::Failed => log.tries >= crate::next::LOG_TRIES,
    });
    match conclusion {
        _ if !given_up => Proof::Pending,
        Some(Conclusion::Cut { during }) => Proof::Unproven {
            during,
            done: log.map_or(0, |log| leading_done(&log.evidence, steps)),
        },
        _ => Proof::Unproven {
            during: None,
            done: 0,
        },
    }
}

fn conclusion_is_silent(conclusion: Option<&Conclusion>) -> bool {
    matches!(conclusion, None | Some(Conclusion::Silent))
}

/// Whether the platform's own progress shows that the job's process never started: its deploy step is still pending
/// in a deployment that has ended, or its build failed. Absent progress proves nothing.
fn never_reached(deployment: &Deployment, job: &JobName) -> bool {
    let Some(progress) = &deployment.progress else {
        return false;
    };
    let status = progress.job_status(&job.to_string());
    let built = match status.build {
        StepStatus::Success | StepStatus::Unknown | StepStatus::Other(_) => true,
        StepStatus::Pending | StepStatus::Running | StepStatus::Error => false,
    };
    !built || (status.deploy == StepStatus::Pending && deployment.phase != app_spec::Phase::Active)
}

fn leading_done(evidence: &Evidence, steps: &[StepRef]) -> u32 {
    // Marks that contradict each other prove nothing about any step.
    if evidence.contradictory {
        return 0;
    }
    let ended = |step: &StepRef| {
        evidence
            .steps
            .iter()
            .any(|ran| ran.step == step.name && ran.code == Some(0))
    };
    u32::try_from(steps.iter().take_while(|step| ended(step)).count()).unwrap_or(u32::MAX)
}

/// Folds what the ledger says and what each carrier proves into the epoch's state.
fn settle(epoch: &mut PastEpoch, name: &JobName, observed: &Observed) {
    let steps = epoch.steps().to_vec();
    let mode = epoch.mode();
    let mut shown: Vec<LedgerOutcome> = Vec::new();
    let mut pending = epoch.carriers.is_empty();
    for deployment in observed
        .deployments
        .iter()
        .filter(|one| epoch.carriers.contains(&one.id))
    {
        if let Some(log) = observed.logs.get(&(name.clone(), deployment.id.clone())) {
            epoch.executions = epoch.executions.saturating_add(log.evidence.begins);
            if let Some(why) = &log.evidence.disarmed {
                epoch.disarmed.push(DisarmedCopy {
                    deployment: deployment.id.clone(),
                    why: why.clone(),
                });
            }
        }
        match proof(deployment, name, &steps, mode, observed) {
            Proof::Pending => pending = true,
            Proof::Nothing(_) => shown.push(LedgerOutcome::NeverStarted),
            Proof::Done => shown.push(LedgerOutcome::Done),
            Proof::Failed { step, code, check } => {
                shown.push(LedgerOutcome::Failed { step, code, check })
            }
            Proof::Refused { .. } => shown.extend(refused(&steps)),
            Proof::Unproven { done, .. } => shown.push(LedgerOutcome::Unproven { done }),
        }
    }
    let evidence = shown.into_iter().max_by_key(strength);
    // A proof of done can't be undone by what is still to come; anything weaker waits for it.
    epoch.state_by_evidence = match &evidence {
        Some(outcome) if !pending || *outcome == LedgerOutcome::Done => {
            EpochState::Ended(outcome.clone())
        }
        Some(_) | None => EpochState::Open,
    };
    let recorded = epoch
        .claims
        .iter()
        .filter_map(|entry| entry.outcome.clone());
    let strongest = recorded
        .chain(evidence.filter(|_| !pending))
        .max_by_key(strength);
    let open_claim = epoch.claims.iter().any(|entry| entry.outcome.is_none());
    // The ledger remembers what a log past its retention no longer shows. That another claim put nothing in says nothing
    // of an open one: its insert may be on its way, or in the app with its end still to be read.
    let is_anothers = |outcome: &LedgerOutcome| match outcome {
        LedgerOutcome::Withdrawn => open_claim,
        LedgerOutcome::NeverStarted => open_claim && pending,
        LedgerOutcome::Done | LedgerOutcome::Unproven { .. } | LedgerOutcome::Failed { .. } => {
            false
        }
    };
    epoch.state = match (&epoch.state_by_evidence, strongest) {
        (EpochState::Ended(LedgerOutcome::Done), _) => EpochState::Ended(LedgerOutcome::Done),
        (_, Some(outcome)) if !epoch.in_flight && !is_anothers(&outcome) => {
            EpochState::Ended(outcome)
        }
        (EpochState::Ended(_) | EpochState::Open, _) => EpochState::Open,
    };
}

/// What a job exits with that refuses to run for want of a variable (`EX_CONFIG` of BSD's sysexits).
pub const REFUSED_EXIT_CODE: i32 = 78;

/// What a refused variable comes to in the ledger: the first step, stopped before it ran.
pub(crate) fn refused(steps: &[StepRef]) -> Option<LedgerOutcome> {
    steps.first().map(|step| LedgerOutcome::Failed {
        step: step.name.clone(),
        code: REFUSED_EXIT_CODE,
        check: true,
    })
}

/// Orders outcomes by what they may claim: done > unproven > failed > never started > withdrawn.
fn strength(outcome: &LedgerOutcome) -> u8 {
    match outcome {
        LedgerOutcome::Done => 4,
        LedgerOutcome::Unproven { .. } => 3,
        LedgerOutcome::Failed { .. } => 2,
        LedgerOutcome::NeverStarted => 1,
        LedgerOutcome::Withdrawn => 0,
    }
}

#[cfg(test)]
mod tests;
