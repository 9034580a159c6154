//! Cutting a list of choices down to those without which the run would be in order.

use crate::choice::{Choice, When};
use crate::invariants;
use crate::scene;

/// How many runs a shrink may take.
const RUNS: usize = 1_500;

/// Returns a list that still breaks `rule`, from which nothing can be left out and in which few numbers can be lowered.
pub(crate) fn shrink(choices: &[Choice], rule: &str) -> Vec<Choice> {
    shrink_by(choices, |list| broken(list, rule))
}

/// The same for anything that a run can show.
pub(crate) fn shrink_by(choices: &[Choice], shows: impl Fn(&[Choice]) -> bool) -> Vec<Choice> {
    let mut runs = 0;
    let mut breaks = |list: &[Choice]| {
        runs += 1;
        runs <= RUNS && shows(list)
    };
    let mut list = choices.to_vec();
    let mut chunk = list.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let before = list.len();
        while at < list.len() {
            let mut shorter = list.clone();
            shorter.drain(at..(at + chunk).min(list.len()));
            if breaks(&shorter) {
                list = shorter;
            } else {
                at += chunk;
            }
        }
        if chunk == 1 && list.len() == before {
            break;
        }
        chunk = (chunk / 2).max(1);
    }
    for place in 0..list.len() {
        for lower in lower(&list[place]) {
            let mut other = list.clone();
            other[place] = lower;
            if breaks(&other) {
                list = other;
                break;
            }
        }
    }
    list
}

/// Whether a list breaks a rule.
pub(crate) fn broken(list: &[Choice], rule: &str) -> bool {
    invariants::check(&scene::play(list))
        .iter()
        .any(|violation| violation.rule == rule)
}

/// The same choice with a lower number, lowest first.
fn lower(choice: &Choice) -> Vec<Choice> {
    let below = |number: u64| -> Vec<u64> {
        let mut steps = vec![0, 1, 2, 5, 10, 30, 60, 300, 600, number / 2];
        steps.retain(|step| *step < number);
        steps
    };
    match choice.clone() {
        Choice::Fault {
            of,
            call,
            nth,
            times,
            fault,
        } => {
            let mut all: Vec<Choice> = below(nth.into())
                .into_iter()
                .filter(|number| *number > 0)
                .filter_map(|number| u32::try_from(number).ok())
                .map(|nth| Choice::Fault {
                    of,
                    call: call.clone(),
                    nth,
                    times,
                    fault,
                })
                .collect();
            if times > 1 {
                all.push(Choice::Fault {
                    of,
                    call,
                    nth,
                    times: 1,
                    fault,
                });
            }
            all
        }
        Choice::Act {
            when: When::At(at),
            act,
        } => below(at)
            .into_iter()
            .map(|at| Choice::Act {
                when: When::At(at),
                act,
            })
            .collect(),
        Choice::Act {
            when: When::After(call, nth, seconds),
            act,
        } => below(seconds)
            .into_iter()
            .map(|seconds| Choice::Act {
                when: When::After(call.clone(), nth, seconds),
                act,
            })
            .collect(),
        Choice::Stall {
            of,
            call,
            nth,
            seconds,
        } => below(seconds)
            .into_iter()
            .map(|seconds| Choice::Stall {
                of,
                call: call.clone(),
                nth,
                seconds,
            })
            .collect(),
        Choice::Second { after, wants } => below(after)
            .into_iter()
            .map(|after| Choice::Second { after, wants })
            .collect(),
        Choice::Recover { by, after } => below(after)
            .into_iter()
            .map(|after| Choice::Recover { by, after })
            .collect(),
        Choice::Knob(..)
        | Choice::Steps(_)
        | Choice::Setting(_)
        | Choice::Kill { .. }
        | Choice::Act {
            when: When::Before(..),
            ..
        }
        | Choice::Changed(_)
        | Choice::Reconfigured(_)
        | Choice::LateRollback
        | Choice::Rarely(_)
        | Choice::Travel(_)
        | Choice::Spread(_)
        | Choice::LedgerLags(_)
        | Choice::LedgerAhead(_)
        | Choice::DateAhead(_) => Vec::new(),
    }
}
