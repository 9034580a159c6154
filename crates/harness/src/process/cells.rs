//! Which runs are played.

use super::call;
use super::play::{At, Cell, Effect, End};
use super::stage::{Role, Way};
use std::collections::BTreeSet;

/// One request in so many is one at which a signal comes.
const SIGNALS: usize = 2;

/// Returns a run that is left alone.
pub(crate) fn calm(way: Way) -> Cell {
    Cell {
        way,
        at: At::Never,
        effect: Effect::Before,
        end: End::Killed,
        by: Role::Sweep,
    }
}

/// Who may come after a run that was used that way.
fn recoveries(way: Way) -> &'static [Role] {
    match way {
        Way::CommandLine => &[Role::Sweep, Role::Rerun],
        Way::Action => &[Role::Post, Role::Sweep, Role::Rerun],
    }
}

/// Whether a process is killed both before and after the effect of a call. Where not all is played, once is enough for
/// one that has none.
pub(crate) fn both(call: &str, every: usize) -> bool {
    every == 1 || call::writes(call)
}

/// Returns one in `every` of all deaths and signals of a run that makes at most so many requests; and, whatever `every`
/// is, a death and a suspended machine at the first request of each call, and both signals at the insert.
pub(crate) fn of(way: Way, (requests, calls): (u32, &BTreeSet<String>), every: usize) -> Vec<Cell> {
    let cell = |at, effect, end, by| Cell {
        way,
        at,
        effect,
        end,
        by,
    };
    let effects = [Effect::Before, Effect::After];
    let after_signal = match way {
        Way::CommandLine => Role::Sweep,
        Way::Action => Role::Post,
    };
    let signals = [End::Interrupted, End::Terminated];
    let mut cells = Vec::new();
    for (place, call) in calls.iter().enumerate() {
        for (also, effect) in effects.into_iter().enumerate() {
            // In turn, where only one is played.
            if !both(call, every) && also != place % 2 {
                continue;
            }
            let by = recoveries(way)[cells.len() % recoveries(way).len()];
            cells.push(cell(At::First(call.clone()), effect, End::Killed, by));
        }
    }
    for end in signals {
        let insert = At::First("apps.update".to_owned());
        cells.push(cell(insert, Effect::After, end, after_signal));
    }
    for (place, call) in calls.iter().enumerate() {
        let by = recoveries(way)[place % recoveries(way).len()];
        let at = At::First(call.clone());
        cells.push(cell(at, Effect::After, End::Suspended, by));
    }
    let mut deaths = Vec::new();
    for nth in 1..=requests {
        for effect in effects {
            for by in recoveries(way) {
                deaths.push(cell(At::Nth(nth), effect, End::Killed, *by));
            }
        }
    }
    cells.extend(deaths.into_iter().step_by(every));
    let signalled = (1..=requests)
        .step_by(SIGNALS)
        .enumerate()
        .map(|(place, nth)| {
            // Both signals before and after, in turn.
            let (end, effect) = (signals[place % 2], effects[place / 2 % 2]);
            cell(At::Nth(nth), effect, end, after_signal)
        });
    cells.extend(signalled.step_by(every));
    cells
}
