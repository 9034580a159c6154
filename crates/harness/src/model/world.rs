//! The platform, small: a spec register, a deployment for each write, people, pushes, and requests under way.
//!
//! A spec is two sets of bits: which of the others' edits are in it, and the jobs of which epochs. Each edit has a place
//! of its own, so that two of them never overlap.

use super::rules::{Overlap, Rules};
use std::hash::{Hash, Hasher};

/// Epochs that a variant may use.
pub(super) const EPOCHS: u8 = 2;
/// Deployments that fit; reaching the limit stops the checker.
const ROWS: usize = 14;
/// Claims that fit in the ledger.
pub(super) const CLAIMS: usize = 5;
/// Requests that may be under way at once.
const PUTS: usize = 4;
/// The actor whose requests nobody waits for any more.
pub(super) const NOBODY: u8 = 3;
/// The place of the services' commit among the bits of commits; below it stand the epochs' jobs.
const SERVICES: u8 = 7;
/// Stands for no claim.
pub(super) const NONE: u8 = u8::MAX;

/// A small set, or one bit of it.
pub(super) type Bits = u8;

/// The bit of an epoch or an edit.
pub(super) const fn bit(place: u8) -> Bits {
    1 << place
}

/// An app spec.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Spec {
    /// The others' edits in it.
    pub(super) edits: Bits,
    /// The epochs whose job is in it.
    pub(super) jobs: Bits,
}

/// Why a deployment was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Cause {
    /// It stood at the beginning, or beyond what there is.
    #[default]
    First,
    /// An update of ours that brings the job in.
    Insert,
    /// An update of ours that takes it out.
    Remove,
    /// An update of ours that puts an edit back.
    Repair,
    /// Somebody's update.
    Person,
    /// A push.
    Push,
    /// The platform's answer to a failure.
    AutoRollback,
    /// Somebody's rollback.
    Rollback,
}

/// How far a deployment is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Phase {
    /// Its job has not been started.
    #[default]
    Waiting,
    /// Its job runs.
    Running,
    /// It is what is live.
    Active,
    /// It was live.
    Superseded,
    /// It was ended by a newer one before it was live.
    Canceled,
    /// It failed.
    Error,
}

/// A deployment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) spec: Spec,
    /// For each job, and for the services: whether it is built from the newer commit.
    pub(super) commits: Bits,
    /// The epochs whose commands it ran.
    pub(super) ran: Bits,
    pub(super) cause: Cause,
    pub(super) phase: Phase,
    /// Its log does not prove how the job ended.
    pub(super) cut: bool,
    /// Of a repair, the edits that were in the app which it was made from.
    pub(super) read: Bits,
}

/// As one number: most of the time goes into hashing.
impl Hash for Row {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let Self {
            spec,
            commits,
            ran,
            cause,
            phase,
            cut,
            read,
        } = *self;
        let bytes = [
            spec.edits,
            spec.jobs,
            commits,
            ran,
            cause as u8,
            phase as u8,
            cut.into(),
            read,
        ];
        hasher.write_u64(u64::from_le_bytes(bytes));
    }
}

impl Row {
    pub(super) fn in_flight(&self) -> bool {
        matches!(self.phase, Phase::Waiting | Phase::Running)
    }

    pub(super) fn was_good(&self) -> bool {
        matches!(self.phase, Phase::Active | Phase::Superseded)
    }

    /// What its job's log and progress prove about an epoch.
    pub(super) fn proof(&self, epoch: u8) -> Outcome {
        match (self.ran & bit(epoch) != 0, self.cut, self.phase) {
            (false, _, _) => Outcome::NeverStarted,
            (true, true, _) => Outcome::Unproven,
            (true, false, Phase::Error) => Outcome::Failed,
            (true, false, _) => Outcome::Done,
        }
    }
}

/// How an epoch, or a claim on it, ended; in the order of what it may claim.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Outcome {
    /// It has not.
    #[default]
    Open,
    /// It gave way.
    Withdrawn,
    NeverStarted,
    Failed,
    Unproven,
    Done,
}

/// An entry of the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Claim {
    pub(super) epoch: u8,
    /// Somebody else closed it, for its settle time had passed.
    pub(super) old: bool,
    /// It was made by whoever takes the job out.
    pub(super) of_removal: bool,
    pub(super) outcome: Outcome,
}

/// One of our updates under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Put {
    /// Who waits for the answer.
    pub(super) by: u8,
    /// The deployment that it made, once it has; 0 before.
    pub(super) row: u8,
    pub(super) cause: Cause,
    pub(super) edits: Bits,
    pub(super) jobs: Bits,
    /// The claim that it stands on.
    pub(super) claim: u8,
    /// How many deployments there were when it was sent.
    pub(super) sent: u8,
    /// The commit that its job is planned for.
    pub(super) commit: Bits,
    /// An insert that was sent although the deployments show that the commands ran.
    pub(super) again: bool,
    /// The edits that were in the app which it was made from.
    pub(super) read: Bits,
    /// Its reply is no longer waited for, but whoever sent it would know its deployment by what is in it.
    pub(super) given_up: bool,
}

impl Hash for Put {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let Self {
            by,
            row,
            cause,
            edits,
            jobs,
            claim,
            sent,
            commit,
            again,
            read,
            given_up,
        } = *self;
        let flags = cause as u8 | u8::from(again) << 7 | u8::from(given_up) << 6;
        let bytes = [by, row, flags, edits | commit << 7, jobs, claim, sent, read];
        hasher.write_u64(u64::from_le_bytes(bytes));
    }
}

/// What may still happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Bounds {
    /// Pushes; at most one.
    pub(super) pushes: u8,
    /// Edits by people, each from any state that the spec was in.
    pub(super) edits: u8,
    /// Rollbacks by a person.
    pub(super) rollbacks: u8,
    /// Deaths of a process of ours.
    pub(super) crashes: u8,
    /// Replies to an update that get lost, applied or not.
    pub(super) lost: u8,
    /// Runs begun again.
    pub(super) reruns: u8,
    /// Jobs that fail, or whose log is lost.
    pub(super) failures: u8,
    /// Deployments that fail for the services' sake.
    pub(super) breaks: u8,
    /// Steps of a sweep while a run is alive.
    pub(super) sweeps: u8,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// The live spec.
    pub(super) spec: Spec,
    /// As [`Row::commits`], of the live spec.
    commits: Bits,
    /// Whether the newer commit was pushed.
    head: Bits,
    /// The epochs whose job is planned for the newer commit.
    planned: Bits,
    /// The epochs whose lease is over.
    pub(super) lapsed: Bits,
    rows: [Row; ROWS],
    len: u8,
    claims: [Claim; CLAIMS],
    claimed: u8,
    /// The claims on which the epochs' jobs went in.
    pub(super) holders: [u8; EPOCHS as usize],
    pub(super) puts: [Option<Put>; PUTS],
    pub(super) runners: [super::pilot::Runner; 2],
    pub(super) sweeper: super::pilot::Sweeper,
    pub(super) left: Bounds,
    /// A report named a place where somebody's edit may be lost.
    pub(super) reported: bool,
    /// A rollback of a person's stands uncommitted.
    pub(super) pinned: bool,
    /// An insert took effect that was sent although the deployments showed that the commands ran.
    pub(super) again: bool,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        // Rows and claims beyond what there is are all alike.
        self.rows().hash(hasher);
        self.claims().hash(hasher);
        self.puts.hash(hasher);
        self.runners.hash(hasher);
        self.sweeper.hash(hasher);
        self.left.hash(hasher);
        let flags = [
            self.spec.edits,
            self.spec.jobs,
            self.commits,
            self.head,
            self.planned,
            self.lapsed,
        ];
        hasher.write(&flags);
        hasher.write(&self.holders);
        hasher.write(&[self.reported.into(), self.pinned.into(), self.again.into()]);
    }
}

impl State {
    pub(super) fn new(left: Bounds) -> Self {
        let mut rows = [Row::default(); ROWS];
        rows[0].phase = Phase::Active;
        Self {
            spec: Spec::default(),
            commits: 0,
            head: 0,
            planned: 0,
            lapsed: 0,
            rows,
            len: 1,
            claims: [Claim::default(); CLAIMS],
            claimed: 0,
            holders: [NONE; EPOCHS as usize],
            puts: [None; PUTS],
            runners: super::pilot::Runner::first(),
            sweeper: super::pilot::Sweeper::default(),
            left,
            reported: false,
            pinned: false,
            again: false,
        }
    }

    /// The deployments, oldest first.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows[..usize::from(self.len)]
    }

    pub(super) fn newest(&self) -> &Row {
        &self.rows[usize::from(self.len) - 1]
    }

    /// The newest good deployment.
    pub(super) fn live(&self) -> &Row {
        let active = |row: &&Row| row.phase == Phase::Active;
        self.rows()
            .iter()
            .rev()
            .find(active)
            .unwrap_or(&self.rows[0])
    }

    pub(super) fn in_flight(&self) -> bool {
        self.rows().iter().any(Row::in_flight)
    }

    /// Whether a deployment in flight carries one of these jobs.
    pub(super) fn may_run(&self, jobs: Bits) -> bool {
        let carries = |row: &Row| row.in_flight() && row.spec.jobs & jobs != 0;
        self.rows().iter().any(carries)
    }

    /// The commit that the services run in the newest good deployment.
    pub(super) fn live_commit(&self) -> Bits {
        self.live().commits >> SERVICES
    }

    pub(super) fn claims(&self) -> &[Claim] {
        &self.claims[..usize::from(self.claimed)]
    }

    pub(super) fn claim_mut(&mut self, place: u8) -> Option<&mut Claim> {
        self.claims.get_mut(usize::from(place))
    }

    /// Appends a claim and returns its place; none when the ledger is full.
    pub(super) fn append(&mut self, epoch: u8) -> Option<u8> {
        let place = self.claimed;
        *self.claim_mut(place)? = Claim {
            epoch,
            ..Claim::default()
        };
        self.claimed += 1;
        Some(place)
    }

    /// Every spec that was live at some time, oldest first, the present one last.
    pub(super) fn specs(&self, rules: &Rules) -> impl Iterator<Item = Spec> {
        let reverts = rules.rollback_reverts;
        let wrote = move |row: &&Row| row.cause != Cause::AutoRollback || reverts;
        self.rows().iter().filter(wrote).map(|row| row.spec)
    }

    /// Replaces the live spec, as an update does.
    pub(super) fn update(&mut self, spec: Spec, cause: Cause, rules: &Rules) {
        // A job that is new in the spec is built at the branch's head; one that was there keeps its commit.
        let new = spec.jobs & !self.spec.jobs;
        self.commits = (self.commits & !new) | if self.head == 1 { new } else { 0 };
        self.spec = spec;
        self.deploy(spec, self.commits, cause, rules);
    }

    pub(super) fn push(&mut self, rules: &Rules) {
        self.head = 1;
        self.commits |= bit(SERVICES);
        if rules.push_rebuilds_all {
            self.commits |= self.spec.jobs;
        }
        self.deploy(self.spec, self.commits, Cause::Push, rules);
    }

    /// Deploys what `target` deployed once more.
    pub(super) fn roll_back(&mut self, target: usize, cause: Cause, rules: &Rules) {
        let Row { spec, commits, .. } = self.rows[target];
        self.deploy(spec, commits, cause, rules);
        if rules.rollback_reverts || cause == Cause::Rollback {
            self.spec = spec;
            self.commits = commits;
        }
    }

    fn deploy(&mut self, spec: Spec, commits: Bits, cause: Cause, rules: &Rules) {
        if rules.overlap == Overlap::Supersede {
            for row in self.rows.iter_mut().filter(|row| row.cause != Cause::First) {
                match row.phase {
                    Phase::Waiting => row.phase = Phase::Canceled,
                    // Whether the job's process is killed with it is not known; its log proves nothing then.
                    Phase::Running => (row.phase, row.cut) = (Phase::Canceled, true),
                    Phase::Active | Phase::Superseded | Phase::Canceled | Phase::Error => {}
                }
            }
        }
        self.rows[usize::from(self.len)] = Row {
            spec,
            commits,
            cause,
            ..Row::default()
        };
        self.len += 1;
    }

    /// The deployment that the platform works at.
    pub(super) fn at_work(&self) -> Option<usize> {
        self.rows().iter().position(Row::in_flight)
    }

    /// Whether a deployment may be over now: not before an update that was sent earlier took effect and was answered, nor
    /// before a runner that is about to insert has looked once more.
    pub(super) fn may_be_over(&self, place: usize, rules: &Rules) -> bool {
        let before = |put: &Put| usize::from(put.sent) <= place;
        let looks =
            |me| self.runners[usize::from(me)].is_inserting() && self.next(me, rules).is_some();
        !(rules.prompt && (self.puts.iter().flatten().any(before) || (0..2).any(looks)))
    }

    /// Starts the jobs of a deployment, each of which looks at its lease and its commit first. `lapsed` are those whose
    /// lease ended meanwhile.
    pub(super) fn begin(&mut self, place: usize, lapsed: Bits, rules: &Rules) {
        self.lapsed |= lapsed;
        let row = self.rows[place];
        let mut armed = row.spec.jobs;
        if rules.lease {
            armed &= !self.lapsed;
        }
        if rules.commit_check {
            armed &= !(row.commits ^ self.planned);
        }
        if rules.script_guard && self.rows().iter().any(|row| row.ran != 0) {
            armed = 0;
        }
        self.rows[place].ran = armed;
        if armed == 0 {
            self.go_live(place);
        } else {
            self.rows[place].phase = Phase::Running;
        }
    }

    pub(super) fn go_live(&mut self, place: usize) {
        for row in &mut self.rows {
            if row.phase == Phase::Active {
                row.phase = Phase::Superseded;
            }
        }
        self.rows[place].phase = Phase::Active;
    }

    pub(super) fn fail(&mut self, place: usize) {
        self.rows[place].phase = Phase::Error;
    }

    /// The log of a job that ended gets lost.
    pub(super) fn lose_log(&mut self, place: usize) {
        self.rows[place].cut = true;
        self.go_live(place);
    }

    /// The newest good deployment, when the newest of all has failed: where the platform goes back to.
    pub(super) fn rollback_target(&self) -> Option<usize> {
        (self.newest().phase == Phase::Error)
            .then(|| {
                self.rows()
                    .iter()
                    .rposition(|row| row.phase == Phase::Active)
            })
            .flatten()
    }

    /// Sends an update of ours.
    pub(super) fn send(&mut self, put: Put) {
        debug_assert!(put.row == 0);
        let free = self.puts.iter_mut().find(|slot| slot.is_none());
        *free.expect("fewer requests under way than there are places") = Some(put);
        self.puts.sort_unstable();
    }

    /// An update of ours takes effect.
    pub(super) fn land(&mut self, slot: usize, rules: &Rules) {
        let Some(put) = self.puts[slot] else { return };
        let spec = Spec {
            edits: put.edits,
            jobs: put.jobs,
        };
        if put.cause == Cause::Insert {
            self.planned = (self.planned & !put.jobs) | if put.commit == 1 { put.jobs } else { 0 };
            self.holders[put.jobs.trailing_zeros() as usize] = put.claim;
            self.again |= put.again;
        }
        self.update(spec, put.cause, rules);
        let row = self.len - 1;
        if put.cause == Cause::Repair {
            self.rows[usize::from(row)].read = put.read;
        }
        if put.given_up {
            self.know(put.by, row);
        }
        let awaited = put.by != NOBODY && !put.given_up;
        self.puts[slot] = awaited.then_some(Put { row, ..put });
        self.puts.sort_unstable();
    }

    /// Takes a request out of what is under way.
    pub(super) fn take(&mut self, slot: usize) -> Option<Put> {
        let put = self.puts[slot].take();
        self.puts.sort_unstable();
        put
    }
}
