//! One variant as a model for stateright: its steps, and what must hold.

use super::pilot::{Do, Runner, SWEEPER, Step};
use super::repair::{self, Anew};
use super::rules::Rules;
use super::world::{Bits, Bounds, Cause, EPOCHS, NOBODY, Phase, Spec, State, bit};
use stateright::{Model, Property};

/// C1: no epoch goes in twice, and none after one that ran or may yet run.
pub(super) const ONCE: &str = "C1 once";
/// C2: in the end no job of ours is in the spec or in what is live.
pub(super) const GONE: &str = "C2 gone";
/// C3: in the end the others' edits are as they would be without us, or a report names them.
pub(super) const KEPT: &str = "C3 kept";
/// The commands run once at most.
pub(super) const RAN: &str = "ran once";

/// All of them.
pub(super) const ALL: [&str; 4] = [ONCE, GONE, KEPT, RAN];

/// One variant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variant {
    pub(super) rules: Rules,
    pub(super) bounds: Bounds,
}

/// One step of anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// One of us does what is next.
    Ours(u8, Do),
    /// An update of ours takes effect.
    Land(u8),
    /// It is refused.
    Refuse(u8),
    /// Its reply arrives.
    Reply(u8),
    /// A request that nobody waits for never arrives.
    Vanish(u8),
    /// A deployment starts its jobs; these have a lease that ended meanwhile.
    Begin(u8, Bits),
    /// A deployment's jobs are over, and it is live.
    GoLive(u8),
    /// The platform goes back to the deployment before the failed one.
    RollBack(u8),
    /// A person commits a rollback.
    Commit,
    // What may happen and need not.
    /// A second runner begins.
    Start,
    Rerun(u8),
    Crash(u8),
    /// A reply is given up.
    Lose(u8),
    /// The job fails.
    Fail(u8),
    /// The job's log is lost.
    LoseLog(u8),
    /// The services fail.
    Break(u8),
    Push,
    /// Somebody adds an edit to this spec, which was live at some time.
    Edit(Spec),
    /// Somebody rolls back to a deployment.
    RollBackByHand(u8),
    /// A sweep comes by while a run is alive.
    Sweep(Do),
}

impl Variant {
    /// What goes on by itself.
    fn by_itself(&self, state: &State, found: &mut Vec<Action>) {
        let rules = &self.rules;
        for me in 0..SWEEPER {
            found.extend(state.next(me, rules).map(|what| Action::Ours(me, what)));
        }
        if !state.is_run_alive() || state.is_run_sweeping() {
            found.extend(state.sweep(rules).map(|what| Action::Ours(SWEEPER, what)));
        }
        for (slot, put) in (0..).zip(&state.puts) {
            match put {
                Some(put) if put.row != 0 => found.push(Action::Reply(slot)),
                Some(put) => {
                    found.push(if state.pinned {
                        Action::Refuse(slot)
                    } else {
                        Action::Land(slot)
                    });
                    if put.by == NOBODY || put.given_up {
                        found.push(Action::Vanish(slot));
                    }
                }
                None => {}
            }
        }
        if state.pinned && !state.in_flight() {
            found.push(Action::Commit);
        }
        if let Some(place) = state.at_work()
            && state.may_be_over(place, rules)
        {
            let row = &state.rows()[place];
            let at = place as u8;
            if row.phase == Phase::Running {
                found.push(Action::GoLive(at));
            } else {
                found.push(Action::Begin(at, 0));
                let may_lapse = row.spec.jobs & !state.lapsed;
                if rules.lease && may_lapse != 0 {
                    found.push(Action::Begin(at, may_lapse));
                }
            }
        }
        if state.may_be_over(state.rows().len() - 1, rules) {
            found.extend(
                state
                    .rollback_target()
                    .map(|place| Action::RollBack(place as u8)),
            );
        }
    }

    /// What others do, and what goes wrong.
    fn by_others(&self, state: &State, found: &mut Vec<Action>) {
        let left = &state.left;
        for (me, runner) in (0..).zip(&state.runners) {
            match runner.step {
                Step::Absent if me < self.rules.runners => found.push(Action::Start),
                Step::Ended | Step::Dead if left.reruns > 0 => found.push(Action::Rerun(me)),
                Step::Absent | Step::Ended | Step::Dead => {}
                _ if left.crashes > 0 => found.push(Action::Crash(me)),
                _ => {}
            }
        }
        if left.crashes > 0 && state.sweeper.waits {
            found.push(Action::Crash(SWEEPER));
        }
        for (slot, put) in (0..).zip(&state.puts) {
            if left.lost > 0 && put.is_some_and(|put| put.by != NOBODY && !put.given_up) {
                found.push(Action::Lose(slot));
            }
        }
        if let Some(place) = state.at_work()
            && state.may_be_over(place, &self.rules)
        {
            let at = place as u8;
            let row = &state.rows()[place];
            if left.failures > 0 && row.phase == Phase::Running {
                found.extend([Action::Fail(at), Action::LoseLog(at)]);
            }
            if left.breaks > 0 && row.phase == Phase::Waiting && row.cause != Cause::AutoRollback {
                found.push(Action::Break(at));
            }
        }
        if state.pinned {
            return;
        }
        if left.pushes > 0 {
            found.push(Action::Push);
        }
        if left.edits > 0 {
            let specs: Vec<Spec> = state.specs(&self.rules).collect();
            let new = specs
                .iter()
                .enumerate()
                .filter(|(at, spec)| !specs[..*at].contains(spec));
            found.extend(new.map(|(_, spec)| Action::Edit(*spec)));
        }
        if left.rollbacks > 0 {
            let good = (0..)
                .zip(state.rows())
                .filter(|(_, row)| row.phase == Phase::Superseded);
            found.extend(good.map(|(place, _)| Action::RollBackByHand(place)));
        }
        if left.sweeps > 0 && state.is_run_alive() {
            found.extend(state.sweep(&self.rules).map(Action::Sweep));
        }
    }

    /// Whether nothing goes on by itself.
    fn at_rest(&self, state: &State) -> bool {
        !state.runners.iter().any(Runner::is_at_work)
            && !state.puts.iter().any(Option::is_some)
            && !state.in_flight()
            && state.rollback_target().is_none()
            && !state.pinned
            && state.sweep(&self.rules).is_none()
    }

    fn once(&self, state: &State) -> bool {
        let inserts = || state.rows().iter().filter(|row| row.cause == Cause::Insert);
        let twice = |epoch| {
            inserts()
                .filter(|row| row.spec.jobs & bit(epoch) != 0)
                .count()
                > 1
        };
        !state.again && !(0..EPOCHS).any(twice)
    }

    fn kept(&self, state: &State) -> bool {
        let right = |anew| state.spec.edits == repair::right(state, anew, &self.rules);
        state.reported || !self.at_rest(state) || right(Anew::Ours) || right(Anew::Theirs)
    }

    fn gone(&self, state: &State) -> bool {
        state.shown() == 0 || !self.at_rest(state)
    }
}

fn executions(state: &State) -> u32 {
    state.rows().iter().map(|row| row.ran.count_ones()).sum()
}

impl Model for Variant {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self.bounds)]
    }

    fn actions(&self, state: &State, found: &mut Vec<Action>) {
        self.by_itself(state, found);
        assert_eq!(
            found.is_empty(),
            self.at_rest(state),
            "a run that can't go on: {state:#?}"
        );
        self.by_others(state, found);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let rules = &self.rules;
        let left = &mut state.left;
        match action {
            Action::Ours(me, what) => state.act(me, what, rules),
            Action::Land(slot) => state.land(usize::from(slot), rules),
            Action::Refuse(slot) => state.refuse(usize::from(slot)),
            Action::Commit => state.pinned = false,
            Action::Reply(slot) => state.reply(usize::from(slot)),
            Action::Vanish(slot) => drop(state.take(usize::from(slot))),
            Action::Begin(place, lapsed) => state.begin(usize::from(place), lapsed, rules),
            Action::GoLive(place) => state.go_live(usize::from(place)),
            Action::RollBack(target) => {
                state.roll_back(usize::from(target), Cause::AutoRollback, rules);
            }
            Action::Start => state.begin_run(1),
            Action::Rerun(me) => {
                left.reruns -= 1;
                state.begin_run(me);
            }
            Action::Crash(me) => {
                left.crashes -= 1;
                state.crash(me);
            }
            Action::Lose(slot) => {
                left.lost -= 1;
                state.lose(usize::from(slot), rules);
            }
            Action::Fail(place) => {
                left.failures -= 1;
                state.fail(usize::from(place));
            }
            Action::LoseLog(place) => {
                left.failures -= 1;
                state.lose_log(usize::from(place));
            }
            Action::Break(place) => {
                left.breaks -= 1;
                state.fail(usize::from(place));
            }
            Action::Push => {
                left.pushes -= 1;
                state.push(rules);
            }
            Action::Edit(base) => {
                let edit: Bits = bit(self.bounds.edits - left.edits);
                left.edits -= 1;
                let edited = Spec {
                    edits: base.edits | edit,
                    ..base
                };
                state.update(edited, Cause::Person, rules);
            }
            Action::RollBackByHand(target) => {
                left.rollbacks -= 1;
                state.pinned = rules.rollback_pins;
                if rules.rollback_late {
                    state.lapsed = Bits::MAX;
                }
                state.roll_back(usize::from(target), Cause::Rollback, rules);
            }
            Action::Sweep(what) => {
                left.sweeps -= 1;
                state.act(SWEEPER, what, rules);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONCE, Self::once),
            Property::always(GONE, Self::gone),
            Property::always(KEPT, Self::kept),
            Property::always(RAN, |_, state| executions(state) <= 1),
        ]
    }
}
