//! What an update of ours overwrote, found as `migration::repair` finds it, on sets of bits; and what it should find.

use super::rules::{Repair, Rules};
use super::world::{Bits, Cause, Phase, Row, State};

/// What is to be put back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// The edits as they should be; nothing when nothing can be put back.
    pub(super) edits: Option<Bits>,
    /// Somebody must decide.
    pub(super) conflict: bool,
}

/// Returns what updates of ours, those that put in or took out any of `jobs`, overwrote. `known` are the deployments
/// that this process knows to be its own.
pub(super) fn lost(state: &State, jobs: Bits, known: u16, rules: &Rules) -> Lost {
    match rules.repair {
        Repair::Off => Lost::default(),
        Repair::Predecessor => predecessor(state, jobs),
        Repair::Replay => Replay::of(state, jobs, known, rules)
            .map_or_else(Lost::default, |replay| replay.against(state)),
    }
}

/// As many deployments as there may be.
const ROWS: usize = 16;

/// One way that the deployments can be read.
#[derive(Debug, Clone)]
struct Branch {
    wanted: Bits,
    register: Bits,
    /// What the register was before, oldest first.
    held: Vec<Bits>,
    /// How many deployments that no person asked for show something else than the register says.
    apart: u8,
}

impl Branch {
    fn new(edits: Bits) -> Self {
        Self {
            wanted: edits,
            register: edits,
            held: Vec::new(),
            apart: 0,
        }
    }

    fn holds(&mut self, edits: Bits) {
        self.held.push(std::mem::replace(&mut self.register, edits));
    }

    /// How many writes ago the register was that.
    fn ago(&self, edits: Bits) -> usize {
        let mut back = std::iter::once(&self.register).chain(self.held.iter().rev());
        back.position(|held| *held == edits).unwrap_or(usize::MAX)
    }
}

/// Whether a person rolled the app back, and what became of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WentBack {
    No,
    Since,
    AndWeWrote,
}

struct Replay {
    branches: Vec<Branch>,
    went_back: WentBack,
}

/// What an update was for, where it was ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Job,
    /// And the edits that it was made from.
    Repair(Bits),
}

impl Replay {
    fn of(state: &State, jobs: Bits, known: u16, rules: &Rules) -> Option<Self> {
        let rows = state.rows();
        let is_known = |place: usize| known & 1 << place != 0;
        let ours = |place: &usize| {
            let row = &rows[*place];
            row.spec.jobs & jobs != 0 || (is_known(*place) && row.cause != Cause::Repair)
        };
        let first = (0..rows.len()).find(ours)?;
        let based_on = rows[first].spec.edits;
        let start = rows[..first]
            .iter()
            .rposition(|row| row.spec.edits == based_on)?;
        let mut replay = Self {
            branches: vec![Branch::new(based_on)],
            went_back: WentBack::No,
        };
        let mut past = Past {
            states: rows[..=start]
                .iter()
                .map(|row| Held {
                    edits: row.spec.edits,
                    user: user(row, rules),
                    ours: false,
                })
                .collect(),
            read_at: start,
            jobs: rows[..=start]
                .iter()
                .fold(0, |all, row| all | row.spec.jobs),
            last: rows[start].spec.jobs,
            wanted: [0; ROWS],
            ours: 0,
        };
        for (place, row) in rows.iter().enumerate().skip(start + 1) {
            let written = if is_known(place) {
                Some(if row.cause == Cause::Repair {
                    Written::Repair(row.read)
                } else {
                    Written::Job
                })
            } else {
                past.written(row, rules).then_some(Written::Job)
            };
            let edits = row.spec.edits;
            match (row.cause, written) {
                (Cause::AutoRollback, _) => {
                    let failed = &rows[place - 1];
                    let ours = past.ours & 1 << (place - 1) != 0 || failed.ran != 0;
                    let target = rows[..place].iter().rposition(Row::was_good);
                    let then = target
                        .filter(|target| *target > start)
                        .map(|target| past.wanted[target]);
                    replay.rolled_back(edits, ours, then.unwrap_or(edits));
                }
                (Cause::Rollback, _) => replay.goes_back(edits),
                (_, Some(Written::Job)) => replay.overwritten(edits),
                (_, Some(Written::Repair(read))) => replay.repaired(edits, read),
                (_, None) => replay.edited(edits, user(row, rules) != User::None),
            }
            past.note(place, row, written.is_some(), &replay, rules);
        }
        Some(replay)
    }

    /// Keeps the readings that the least speaks against.
    fn keep<T: Ord>(&mut self, against: impl Fn(&Branch) -> T) {
        let least = self.branches.iter().map(&against).min();
        self.branches
            .retain(|branch| Some(against(branch)) == least);
    }

    /// What an update of ours had read tells what the register was.
    fn overwritten(&mut self, edits: Bits) {
        self.keep(|branch| branch.ago(edits));
        if self.went_back == WentBack::Since {
            let read_after = self.branches.iter().any(|branch| branch.register == edits);
            self.went_back = if read_after {
                WentBack::No
            } else {
                WentBack::AndWeWrote
            };
        }
        for branch in &mut self.branches {
            branch.holds(edits);
        }
    }

    fn repaired(&mut self, edits: Bits, read: Bits) {
        if self.went_back == WentBack::Since {
            self.went_back = WentBack::AndWeWrote;
        }
        for branch in &mut self.branches {
            if self.went_back == WentBack::No {
                branch.wanted = merge(read, branch.wanted, edits);
            }
            branch.holds(edits);
        }
    }

    fn edited(&mut self, edits: Bits, by_a_person: bool) {
        if self.went_back == WentBack::Since {
            self.went_back = WentBack::No;
        }
        for branch in &mut self.branches {
            if branch.register != edits {
                branch.wanted = merge(branch.register, edits, branch.wanted);
                branch.apart += u8::from(!by_a_person);
            }
            branch.holds(edits);
        }
    }

    fn rolled_back(&mut self, edits: Bits, ours: bool, wanted_then: Bits) {
        for mut reverted in self.branches.clone() {
            if !ours {
                reverted.wanted = wanted_then;
            }
            reverted.holds(edits);
            self.branches.push(reverted);
        }
        self.branches.sort_by_key(|branch| branch.apart);
        let mut known = Vec::new();
        self.branches.retain(|branch| {
            let reading = (branch.wanted, branch.register);
            let new = !known.contains(&reading);
            known.push(reading);
            new
        });
    }

    fn goes_back(&mut self, edits: Bits) {
        self.went_back = WentBack::Since;
        self.branches.truncate(1);
        for branch in &mut self.branches {
            branch.holds(edits);
            (branch.wanted, branch.apart) = (edits, 0);
        }
    }

    fn against(mut self, state: &State) -> Lost {
        let live = state.spec.edits;
        if self.went_back == WentBack::Since {
            return Lost::default();
        }
        self.keep(|branch| (branch.register ^ live).count_ones());
        self.keep(|branch| branch.apart);
        let first = &self.branches[0];
        if self.branches.iter().any(|branch| branch.wanted == live) {
            return Lost::default();
        }
        let agree = self
            .branches
            .iter()
            .all(|branch| branch.wanted == first.wanted);
        if self.went_back != WentBack::No || !agree || state.pinned {
            return Lost {
                edits: None,
                conflict: true,
            };
        }
        let merged = merge(first.register, live, first.wanted);
        Lost {
            edits: (merged != live).then_some(merged),
            conflict: false,
        }
    }
}

/// Who the platform says made a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum User {
    None,
    /// The user whose token is ours.
    Pilot,
    Other,
}

/// What the register held once, since before the first row of ours was read.
struct Held {
    edits: Bits,
    user: User,
    ours: bool,
}

/// What the rows before the one at hand showed.
struct Past {
    states: Vec<Held>,
    /// The place among them of what the first row of ours was made from.
    read_at: usize,
    jobs: Bits,
    last: Bits,
    wanted: [Bits; ROWS],
    ours: u16,
}

impl Past {
    /// Whether an update of ours made a row that this process does not know.
    fn written(&self, row: &Row, rules: &Rules) -> bool {
        match row.cause {
            Cause::Insert | Cause::Remove | Cause::Repair | Cause::Person => {}
            Cause::First | Cause::Push | Cause::AutoRollback | Cause::Rollback => return false,
        }
        let now = row.spec.jobs;
        let brings = now & !self.jobs != 0;
        let takes = now & !self.last == 0 && now != self.last;
        let held = |held: &Held| held.edits == row.spec.edits;
        let held_since_read = self.states.iter().skip(self.read_at).any(held);
        user(row, rules) == User::Pilot
            && (((brings || takes) && held_since_read) || self.undoes_others(row.spec.edits, rules))
    }

    /// Whether these edits are those that the app had until others wrote.
    fn undoes_others(&self, edits: Bits, rules: &Rules) -> bool {
        let other = |held: &Held| held.user == User::Other;
        let republishes = |held: &Held| rules.sees_through && held.user == User::None;
        let mut others_wrote = false;
        for held in self.states.iter().rev() {
            if others_wrote && held.edits == edits {
                return true;
            }
            if !held.ours && !other(held) && !republishes(held) {
                return false;
            }
            others_wrote |= other(held);
        }
        false
    }

    fn note(&mut self, place: usize, row: &Row, ours: bool, replay: &Replay, rules: &Rules) {
        self.jobs |= row.spec.jobs;
        if row.cause != Cause::AutoRollback {
            self.last = 0;
        }
        self.last |= row.spec.jobs;
        self.wanted[place] = replay.branches[0].wanted;
        self.ours |= u16::from(ours) << place;
        self.states.push(Held {
            edits: row.spec.edits,
            user: user(row, rules),
            ours,
        });
    }
}

fn user(row: &Row, rules: &Rules) -> User {
    match row.cause {
        Cause::Insert | Cause::Remove | Cause::Repair => User::Pilot,
        Cause::Person | Cause::Rollback if rules.own_user => User::Other,
        Cause::Person | Cause::Rollback => User::Pilot,
        Cause::First | Cause::Push | Cause::AutoRollback => User::None,
    }
}

/// Carries what leads from `base` to `lost` over into `present`.
fn merge(base: Bits, present: Bits, lost: Bits) -> Bits {
    let changed = base ^ lost;
    (present & !changed) | (lost & changed)
}

/// The first rule that was tried: what the deployment just before ours showed is put back.
fn predecessor(state: &State, jobs: Bits) -> Lost {
    let rows = state.rows();
    let first = rows.iter().position(|row| row.spec.jobs & jobs != 0);
    let before = first.and_then(|first| rows.get(first.checked_sub(1)?));
    let edits = before
        .map(|row| row.spec.edits)
        .filter(|edits| *edits != state.spec.edits);
    let repaired = rows.iter().any(|row| row.cause == Cause::Repair);
    Lost {
        edits: edits.filter(|_| !repaired),
        conflict: false,
    }
}

/// Whose deployment it is, where a person's stale copy of the spec puts a job of ours in again, and that job fails. Both
/// can be argued, and so either is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anew {
    Ours,
    Theirs,
}

/// Returns the edits as they should be: a replay that knows who wrote what, and what a rollback does.
pub(super) fn right(state: &State, anew: Anew, rules: &Rules) -> Bits {
    let rows = state.rows();
    let mut register = 0;
    let mut wanted = 0;
    let mut past = [0; ROWS];
    for (place, row) in rows.iter().enumerate() {
        let edits = row.spec.edits;
        match row.cause {
            Cause::Insert | Cause::Remove | Cause::Repair => register = edits,
            Cause::Person => {
                wanted = merge(register, wanted, edits);
                register = edits;
            }
            Cause::First | Cause::Push => {}
            // A person chose that deployment as it really was.
            Cause::Rollback => (register, wanted) = (edits, edits),
            Cause::AutoRollback if rules.rollback_reverts => {
                register = edits;
                if !failed_by_us(&rows[..place], anew) {
                    let target = rows[..place].iter().rposition(Row::was_good);
                    wanted = target.map_or(edits, |target| past[target]);
                }
            }
            Cause::AutoRollback => {}
        }
        past[place] = wanted;
    }
    wanted
}

/// Whether the newest of `rows` failed because of us: then the rollback is ours and takes nobody's edit back.
fn failed_by_us(rows: &[Row], anew: Anew) -> bool {
    let Some((failed, before)) = rows.split_last() else {
        return false;
    };
    debug_assert!(failed.phase == Phase::Error);
    let again = before.last().is_some_and(|before| before.spec.jobs == 0) && failed.spec.jobs != 0;
    match failed.cause {
        Cause::Insert | Cause::Remove | Cause::Repair => true,
        Cause::Person if again && anew == Anew::Theirs => false,
        Cause::First | Cause::Person | Cause::Push | Cause::AutoRollback | Cause::Rollback => {
            failed.ran != 0
        }
    }
}
