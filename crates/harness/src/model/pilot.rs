//! Our side: what a runner and the sweeper do next, as `migration::next` and `runner::act` say it.
//!
//! A look, the decision and the sending of an update are one step here, but for the insert: between the look at the
//! ledger and the read of the app that the insert is made from, others may act. Every update is under way for a while.

use super::repair::lost;
use super::rules::Rules;
use super::world::{Bits, CLAIMS, Cause, EPOCHS, NOBODY, NONE, Outcome, Put, Row, State, bit};

/// The place of the sweeper among the actors.
pub(super) const SWEEPER: u8 = 2;
/// How often a run inserts again by itself after an epoch that never started.
const TRIES_AGAIN: u8 = 1;
/// How often an overwritten edit is put back in one run.
const REPAIRS: u8 = 2;

/// Where a runner is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Step {
    /// It has not begun.
    #[default]
    Absent,
    /// It plans: which epoch, or none.
    Plan,
    /// It looks for the moment to claim.
    Claim,
    /// It may, by what it saw.
    Append,
    /// It looks whether it may insert.
    Look,
    /// It may, by what it saw.
    Insert,
    /// It waits for the answer to an update.
    Wait,
    /// It sees the job through and puts the app back.
    Care,
    /// It ended in good order.
    Ended,
    /// It died.
    Dead,
}

/// What a runner knows of its own insert.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Sent {
    #[default]
    Nothing,
    Doubtful,
    Applied,
}

/// A process that may insert.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Runner {
    pub(super) step: Step,
    pub(super) epoch: u8,
    /// Its open claim.
    pub(super) claim: u8,
    /// The commit that its job is planned for.
    commit: Bits,
    pub(super) sent: Sent,
    repairs: u8,
    again: u8,
    /// Its own first sweep is over.
    swept: bool,
    /// Deployments that it knows to be its own, by the replies or by what it sent.
    known: u16,
    /// Where it goes on after an update, where that is not the care.
    back: Option<Step>,
}

/// Whoever comes later and inserts nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Sweeper {
    pub(super) waits: bool,
    repairs: u8,
    known: u16,
    /// The jobs whose claims it closed.
    cared: Bits,
}

impl Runner {
    fn begun() -> Self {
        Self {
            step: Step::Plan,
            claim: NONE,
            ..Self::default()
        }
    }

    pub(super) fn first() -> [Self; 2] {
        [Self::begun(), Self::default()]
    }

    /// Where it goes on after an update that was no insert.
    fn after_update(&mut self) -> Step {
        self.back.take().unwrap_or(Step::Care)
    }

    /// Whether it looks for the moment to insert.
    pub(super) fn is_inserting(&self) -> bool {
        matches!(
            self.step,
            Step::Claim | Step::Append | Step::Look | Step::Insert
        )
    }

    pub(super) fn is_at_work(&self) -> bool {
        !matches!(self.step, Step::Absent | Step::Ended | Step::Dead)
    }
}

/// What one of us does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Do {
    /// Settles which epoch it is about.
    Plan,
    /// Sees that nobody else's claim is open.
    MayClaim,
    /// Appends a claim.
    Claim,
    /// Closes an older claim whose settle time is over.
    CloseOlder(u8),
    /// Withdraws its own claim and ends, with a verdict that names what an older update of one of these jobs overwrote.
    Refuse(Bits),
    /// Withdraws its own claim, to plan anew or to claim afresh.
    Withdraw(Step),
    /// Sees that its claim is the oldest open one and the app is free.
    MayInsert,
    /// Reads the app and sends the insert, or finds that the app is not free any more.
    Insert,
    /// Gives up a doubtful insert.
    GiveUp,
    /// Appends a claim on the epoch whose job it is about to take out.
    ClaimRemoval(u8),
    /// Sends the update that takes these jobs out.
    Remove(Bits),
    /// Sends the update that puts edits back.
    Repair(Bits),
    /// Records how the epoch ended and ends.
    Close,
    /// The sweeper closes a claim.
    CloseClaim(u8),
    /// The sweep is over.
    EndSweep,
}

/// What is known of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Epoch {
    /// Its job was seen in the app.
    inserted: bool,
    claimed: bool,
    in_flight: bool,
    /// By what deployments and logs show.
    shown: Outcome,
    /// The ledger included.
    state: Outcome,
}

impl State {
    fn epoch(&self, epoch: u8) -> Epoch {
        let carriers = || {
            self.rows()
                .iter()
                .filter(|row| row.spec.jobs & bit(epoch) != 0)
        };
        let in_flight = carriers().any(Row::in_flight);
        let ended = carriers().filter(|row| !row.in_flight());
        let proof = ended.map(|row| row.proof(epoch)).max().unwrap_or_default();
        let shown = if in_flight && proof != Outcome::Done {
            Outcome::Open
        } else {
            proof
        };
        let claims = || self.claims().iter().filter(|claim| claim.epoch == epoch);
        let recorded = claims()
            .map(|claim| claim.outcome)
            .max()
            .unwrap_or_default();
        let open = claims().any(|claim| claim.outcome == Outcome::Open);
        let strongest = recorded.max(shown);
        let state = match strongest {
            Outcome::Done if shown == Outcome::Done => Outcome::Done,
            _ if in_flight => Outcome::Open,
            Outcome::Withdrawn if open => Outcome::Open,
            Outcome::Open | Outcome::Withdrawn | Outcome::NeverStarted => strongest,
            Outcome::Failed | Outcome::Unproven | Outcome::Done => strongest,
        };
        Epoch {
            inserted: self.spec.jobs & bit(epoch) != 0 || carriers().next().is_some(),
            claimed: claims().next().is_some(),
            in_flight,
            shown,
            state,
        }
    }

    /// Whether the app shows the job of this epoch, or showed it.
    fn marked(&self, epoch: u8) -> bool {
        self.epoch(epoch).inserted
    }

    /// Whether the settle time of a claim may have passed: where updates are in time, what was sent on it has taken
    /// effect by then, or never will.
    fn has_settled(&self, claim: u8, rules: &Rules) -> bool {
        !(rules.settle && rules.punctual && self.may_still_land(claim))
    }

    /// Whether an insert on this claim may still take effect, or still be sent.
    fn may_still_land(&self, claim: u8) -> bool {
        let under_way =
            |put: &Put| put.claim == claim && put.row == 0 && put.cause == Cause::Insert;
        let sending = |runner: &Runner| runner.claim == claim && runner.step == Step::Insert;
        self.puts.iter().flatten().any(under_way) || self.runners.iter().any(sending)
    }

    /// What a runner does next; nothing while it waits for others, or when it is over.
    pub(super) fn next(&self, me: u8, rules: &Rules) -> Option<Do> {
        let runner = &self.runners[usize::from(me)];
        match runner.step {
            Step::Absent | Step::Ended | Step::Dead | Step::Wait => None,
            Step::Plan => self.may_plan(runner, rules).then_some(Do::Plan),
            Step::Claim | Step::Look => self.look(runner, rules),
            Step::Append => Some(Do::Claim),
            Step::Insert => Some(Do::Insert),
            Step::Care if runner.sent == Sent::Doubtful && !self.marked(runner.epoch) => {
                self.has_settled(runner.claim, rules).then_some(Do::GiveUp)
            }
            Step::Care => {
                let owed = runner.repairs < REPAIRS;
                self.care(bit(runner.epoch), runner.known, owed, rules)
            }
        }
    }

    /// A run begins with a sweep: what an ended run left in the app is taken out first.
    fn may_plan(&self, runner: &Runner, rules: &Rules) -> bool {
        let swept = runner.swept || (!self.sweeper.waits && self.sweep(rules).is_none());
        let free = self.shown() == 0 && !self.in_flight() && !self.pinned;
        swept && (self.followed().is_some() || free)
    }

    /// Whether a run is at its own first sweep.
    pub(super) fn is_run_sweeping(&self) -> bool {
        let sweeps = |runner: &Runner| runner.step == Step::Plan && !runner.swept;
        self.runners.iter().any(sweeps)
    }

    /// Whether a run is past its own first sweep.
    pub(super) fn is_run_alive(&self) -> bool {
        let alive = |runner: &Runner| runner.is_at_work() && runner.step != Step::Plan;
        self.runners.iter().any(alive)
    }

    /// The jobs in the spec or in what is live.
    pub(super) fn shown(&self) -> Bits {
        self.spec.jobs | self.live().spec.jobs
    }

    /// The epoch whose job is in the app and whose end is not known.
    fn followed(&self) -> Option<u8> {
        let newest = self.newest_epoch()?;
        let epoch = self.epoch(newest);
        let open = epoch.inserted && (epoch.state == Outcome::Open || epoch.in_flight);
        open.then_some(newest)
    }

    fn newest_epoch(&self) -> Option<u8> {
        (0..EPOCHS).rev().find(|epoch| {
            let epoch = self.epoch(*epoch);
            (epoch.claimed || epoch.inserted) && epoch.state != Outcome::Withdrawn
        })
    }

    /// Which epoch a run is about; nothing when there is nothing to run.
    fn planned_epoch(&self, rules: &Rules) -> Option<u8> {
        let past = || (0..EPOCHS).map(|epoch| self.epoch(epoch));
        let ran = |epoch: Epoch| {
            matches!(
                epoch.state,
                Outcome::Failed | Outcome::Unproven | Outcome::Done
            )
        };
        if rules.once && past().any(ran) {
            return None;
        }
        let epoch = match self.newest_epoch() {
            None => 0,
            Some(newest) => {
                let past = self.epoch(newest);
                let to_be_had = past.state == Outcome::Open || !past.inserted;
                if to_be_had { newest } else { newest + 1 }
            }
        };
        (epoch < EPOCHS).then_some(epoch)
    }

    /// The oldest open claim before that place, where it must be waited for.
    fn open_before(&self, place: u8, rules: &Rules) -> Option<u8> {
        let open = |place: &u8| self.claims()[usize::from(*place)].outcome == Outcome::Open;
        (0..place).find(open).filter(|_| rules.oldest_inserts)
    }

    fn look(&self, runner: &Runner, rules: &Rules) -> Option<Do> {
        if rules.free {
            if self.marked(runner.epoch) || self.spec.jobs != 0 {
                return Some(Do::Withdraw(Step::Plan));
            }
            if self.in_flight() || self.pinned || self.rollback_target().is_some() {
                return None;
            }
        }
        let claimed = runner.step == Step::Look;
        if !rules.claims {
            return Some(if claimed { Do::MayInsert } else { Do::MayClaim });
        }
        let place = if claimed {
            runner.claim
        } else {
            self.claims().len() as u8
        };
        if let Some(place) = self.open_before(place, rules) {
            return self
                .has_settled(place, rules)
                .then(|| self.close_older(runner, place, rules));
        }
        if !claimed {
            return Some(Do::MayClaim);
        }
        if rules.fresh && self.claims()[usize::from(runner.claim)].old {
            return Some(Do::Withdraw(Step::Claim));
        }
        Some(Do::MayInsert)
    }

    /// What the update of an older claim overwrote is put back before that claim is closed.
    fn close_older(&self, runner: &Runner, place: u8, rules: &Rules) -> Do {
        let job = bit(self.claims()[usize::from(place)].epoch);
        let lost = lost(self, job, runner.known, rules);
        match lost.edits {
            Some(edits) if runner.repairs < REPAIRS && self.spec.jobs == 0 => Do::Repair(edits),
            Some(_) => Do::Refuse(job),
            None if lost.conflict => Do::Refuse(job),
            None => Do::CloseOlder(place),
        }
    }

    /// What is to be done about these jobs until they are proven out and what they overwrote is put back.
    fn care(&self, jobs: Bits, known: u16, owed: bool, rules: &Rules) -> Option<Do> {
        if self.pinned || self.rollback_target().is_some() || self.in_flight() {
            return None;
        }
        let inside = self.spec.jobs & jobs;
        let live = self.live().spec.jobs & jobs;
        let out = if inside == 0 { live } else { inside };
        if out != 0 {
            let claims = self.unclaimed(out, rules).map(Do::ClaimRemoval);
            return claims.or(Some(Do::Remove(out)));
        }
        match lost(self, jobs, known, rules).edits {
            // Beside another epoch's job nothing is put back; the verdict names it.
            Some(edits) if owed && self.spec.jobs == 0 => Some(Do::Repair(edits)),
            Some(_) | None => Some(Do::Close),
        }
    }

    /// An epoch among these jobs that no open claim speaks of, where the ledger has room.
    fn unclaimed(&self, jobs: Bits, rules: &Rules) -> Option<u8> {
        let is_open = |epoch: u8| {
            let mut claims = self.claims().iter();
            claims.any(|claim| claim.epoch == epoch && claim.outcome == Outcome::Open)
        };
        (0..EPOCHS)
            .filter(|_| rules.claims_removals && self.claims().len() < CLAIMS)
            .find(|epoch| jobs & bit(*epoch) != 0 && !is_open(*epoch))
    }

    /// The jobs that a sweep takes out or closes the claims of. The ledger is read for a migration whose jobs the
    /// deployments show.
    fn swept(&self) -> Bits {
        let shown = self.rows().iter().any(|row| row.spec.jobs != 0);
        let open = self
            .claims()
            .iter()
            .filter(|claim| shown && claim.outcome == Outcome::Open);
        open.fold(self.shown() | self.sweeper.cared, |jobs, claim| {
            jobs | bit(claim.epoch)
        })
    }

    /// What the sweeper does next. A run's own first sweep does the same.
    pub(super) fn sweep(&self, rules: &Rules) -> Option<Do> {
        if self.sweeper.waits
            || !(rules.sweeper || self.is_run_sweeping())
            || self.may_run(Bits::MAX)
        {
            return None;
        }
        let owed = self.sweeper.repairs < REPAIRS;
        match self.care(self.swept(), self.sweeper.known, owed, rules)? {
            Do::Close => {
                let swept = self.swept();
                let mut places = 0..self.claims().len() as u8;
                let ended = places.find(|place| {
                    let epoch = self.claims()[usize::from(*place)].epoch;
                    swept & bit(epoch) != 0 && self.ending(*place, rules).is_some()
                });
                let over = self.sweeper != Sweeper::default();
                ended
                    .map(Do::CloseClaim)
                    .or_else(|| over.then_some(Do::EndSweep))
            }
            turn => Some(turn),
        }
    }

    /// How an open claim ended; nothing while that can still change.
    fn ending(&self, place: u8, rules: &Rules) -> Option<Outcome> {
        let claim = self.claims()[usize::from(place)];
        if claim.outcome != Outcome::Open {
            return None;
        }
        let epoch = self.epoch(claim.epoch);
        // Somebody else's claim on an epoch that another one inserted gave way to it.
        let holds = claim.of_removal || self.holders[usize::from(claim.epoch)] == place;
        let gave_way = epoch.inserted && !holds;
        match epoch.shown {
            Outcome::Open if !self.has_settled(place, rules) => None,
            _ if gave_way => Some(Outcome::Withdrawn),
            Outcome::Open if epoch.inserted => None,
            Outcome::Open => Some(Outcome::NeverStarted),
            shown => Some(shown),
        }
    }

    /// Carries out what [`State::next`] or [`State::sweep`] said.
    pub(super) fn act(&mut self, me: u8, what: Do, rules: &Rules) {
        match what {
            Do::ClaimRemoval(epoch) => {
                let place = self.append(epoch);
                if let Some(claim) = place.and_then(|place| self.claim_mut(place)) {
                    claim.of_removal = true;
                }
            }
            Do::Remove(jobs) => self.remove(me, jobs),
            Do::Repair(edits) => self.repair(me, edits),
            Do::CloseOlder(place) => {
                let outcome = self.ending(place, rules).unwrap_or(Outcome::Unproven);
                self.close_for(place, outcome, rules);
            }
            Do::CloseClaim(place) => {
                if let Some(outcome) = self.ending(place, rules) {
                    self.close_for(place, outcome, rules);
                    self.sweeper.cared |= bit(self.claims()[usize::from(place)].epoch);
                }
            }
            Do::EndSweep => {
                self.report(self.swept(), self.sweeper.known, rules);
                self.sweeper = Sweeper::default();
                self.orphan(SWEEPER);
            }
            Do::Refuse(jobs) => {
                let known = self.runners[usize::from(me)].known;
                self.report(jobs, known, rules);
                self.end(me, Some(Outcome::Withdrawn));
            }
            Do::Plan | Do::MayClaim | Do::Claim | Do::Withdraw(_) | Do::MayInsert => {
                self.prepare(me, what, rules)
            }
            Do::Insert => self.insert(me, rules),
            Do::GiveUp => self.end(me, Some(Outcome::NeverStarted)),
            Do::Close => self.close(me, rules),
        }
    }

    fn prepare(&mut self, me: u8, what: Do, rules: &Rules) {
        let mut runner = self.runners[usize::from(me)];
        match what {
            Do::Plan => {
                runner.swept = true;
                if let Some(epoch) = self.followed() {
                    (runner.step, runner.epoch) = (Step::Care, epoch);
                } else if let Some(epoch) = self.planned_epoch(rules) {
                    (runner.step, runner.epoch) = (Step::Claim, epoch);
                } else {
                    runner.step = Step::Ended;
                }
            }
            Do::MayClaim => runner.step = Step::Append,
            Do::Claim if !rules.claims => runner.step = Step::Look,
            Do::Claim => match self.append(runner.epoch) {
                Some(place) => (runner.step, runner.claim) = (Step::Look, place),
                None => runner.step = Step::Ended,
            },
            Do::Withdraw(step) => {
                self.record(runner.claim, Outcome::Withdrawn);
                (runner.step, runner.claim) = (step, NONE);
            }
            _ => (runner.step, runner.commit) = (Step::Insert, self.live_commit()),
        }
        self.runners[usize::from(me)] = runner;
    }

    fn insert(&mut self, me: u8, rules: &Rules) {
        if rules.free && (self.spec.jobs != 0 || self.in_flight() || self.pinned) {
            self.runners[usize::from(me)].step = Step::Look;
            return;
        }
        let edits = self.spec.edits;
        let again = self.rows().iter().any(|row| row.ran != 0);
        let sent = self.rows().len() as u8;
        let runner = &mut self.runners[usize::from(me)];
        runner.step = Step::Wait;
        let put = Put {
            by: me,
            row: 0,
            cause: Cause::Insert,
            edits,
            jobs: bit(runner.epoch),
            claim: runner.claim,
            sent,
            commit: runner.commit,
            again,
            read: edits,
            given_up: false,
        };
        self.send(put);
    }

    /// The verdict names what may be lost and is not put back.
    fn report(&mut self, jobs: Bits, known: u16, rules: &Rules) {
        let lost = lost(self, jobs, known, rules);
        self.reported |= lost.conflict || lost.edits.is_some();
    }

    fn remove(&mut self, me: u8, jobs: Bits) {
        self.write(me, Cause::Remove, self.spec.edits, self.spec.jobs & !jobs);
    }

    fn repair(&mut self, me: u8, edits: Bits) {
        match self.runners.get_mut(usize::from(me)) {
            Some(runner) => runner.repairs += 1,
            None => self.sweeper.repairs += 1,
        }
        self.write(me, Cause::Repair, edits, self.spec.jobs);
    }

    fn write(&mut self, me: u8, cause: Cause, edits: Bits, jobs: Bits) {
        match self.runners.get_mut(usize::from(me)) {
            Some(runner) => {
                runner.back = runner.is_inserting().then_some(runner.step);
                runner.step = Step::Wait;
            }
            None => self.sweeper.waits = true,
        }
        self.send(Put {
            by: me,
            row: 0,
            cause,
            edits,
            jobs,
            claim: NONE,
            sent: self.rows().len() as u8,
            commit: 0,
            again: false,
            read: self.spec.edits,
            given_up: false,
        });
    }

    /// The job is out: the ledger's last word, and the verdict.
    fn close(&mut self, me: u8, rules: &Rules) {
        let runner = self.runners[usize::from(me)];
        let shown = self.epoch(runner.epoch).shown;
        self.report(bit(runner.epoch), runner.known, rules);
        let holder = self.holders[usize::from(runner.epoch)];
        if shown != Outcome::Open {
            for place in 0..self.claims().len() as u8 {
                let claim = self.claims()[usize::from(place)];
                if place == holder || (claim.of_removal && claim.epoch == runner.epoch) {
                    self.record(place, shown);
                }
            }
        }
        if shown == Outcome::NeverStarted && runner.again < TRIES_AGAIN {
            self.runners[usize::from(me)] = Runner {
                again: runner.again + 1,
                swept: true,
                known: runner.known,
                ..Runner::begun()
            };
        } else {
            self.end(me, None);
        }
    }

    fn record(&mut self, place: u8, outcome: Outcome) {
        if let Some(claim) = self.claim_mut(place)
            && claim.outcome == Outcome::Open
        {
            claim.outcome = outcome;
        }
    }

    /// Closes somebody else's claim, once its settle time is over.
    fn close_for(&mut self, place: u8, outcome: Outcome, rules: &Rules) {
        self.record(place, outcome);
        if let Some(claim) = self.claim_mut(place) {
            claim.old = rules.settle;
        }
    }

    fn end(&mut self, me: u8, outcome: Option<Outcome>) {
        if let Some(outcome) = outcome {
            self.record(self.runners[usize::from(me)].claim, outcome);
        }
        self.runners[usize::from(me)] = Runner {
            step: Step::Ended,
            claim: NONE,
            ..Runner::default()
        };
        self.orphan(me);
    }

    /// Nobody would know any more what this process sent.
    fn orphan(&mut self, me: u8) {
        for put in self.puts.iter_mut().flatten().filter(|put| put.by == me) {
            (put.by, put.given_up) = (NOBODY, false);
        }
        self.puts.sort_unstable();
    }

    /// A process knows a deployment to be its own.
    pub(super) fn know(&mut self, me: u8, row: u8) {
        match self.runners.get_mut(usize::from(me)) {
            Some(runner) => runner.known |= 1 << row,
            None => self.sweeper.known |= 1 << row,
        }
    }

    /// The answer to an update arrives.
    pub(super) fn reply(&mut self, slot: usize) {
        let Some(put) = self.take(slot) else { return };
        self.know(put.by, put.row);
        match self.runners.get_mut(usize::from(put.by)) {
            Some(runner) => {
                if put.cause == Cause::Insert {
                    runner.sent = Sent::Applied;
                }
                runner.step = runner.after_update();
            }
            None => self.sweeper.waits = false,
        }
    }

    /// The platform refuses an update, for the app is pinned.
    pub(super) fn refuse(&mut self, slot: usize) {
        let Some(put) = self.take(slot) else { return };
        match self.runners.get_mut(usize::from(put.by)) {
            Some(_) if put.cause == Cause::Insert => self.end(put.by, Some(Outcome::Withdrawn)),
            Some(runner) => runner.step = runner.after_update(),
            None if put.by == SWEEPER => self.sweeper.waits = false,
            None => {}
        }
    }

    /// The answer to an update is given up.
    pub(super) fn lose(&mut self, slot: usize, rules: &Rules) {
        let Some(put) = self.take(slot) else { return };
        if put.row == 0 {
            self.send(Put {
                given_up: true,
                ..put
            });
        } else {
            self.know(put.by, put.row);
        }
        match self.runners.get_mut(usize::from(put.by)) {
            Some(runner) if put.cause == Cause::Insert => {
                runner.sent = Sent::Doubtful;
                runner.step = if rules.sent_once {
                    Step::Care
                } else {
                    Step::Insert
                };
            }
            Some(runner) => runner.step = runner.after_update(),
            None => self.sweeper.waits = false,
        }
    }

    /// A process dies; what it sent may still take effect.
    pub(super) fn crash(&mut self, me: u8) {
        // What took effect is answered to nobody.
        for put in &mut self.puts {
            if put.is_some_and(|put| put.by == me && put.row != 0) {
                *put = None;
            }
        }
        self.orphan(me);
        match self.runners.get_mut(usize::from(me)) {
            Some(runner) => {
                *runner = Runner {
                    step: Step::Dead,
                    claim: NONE,
                    ..Runner::default()
                }
            }
            None => self.sweeper = Sweeper::default(),
        }
    }

    pub(super) fn begin_run(&mut self, me: u8) {
        self.runners[usize::from(me)] = Runner::begun();
    }
}
