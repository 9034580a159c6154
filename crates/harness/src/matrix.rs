//! Every place where a request is made, times everything that can happen to a request, in every situation.
//!
//! A place is found by watching a run of the situation in which nothing goes wrong with a request: one for each call
//! and each number of writes before it (a read before the claim and the same read after the insert are two places), the
//! first of them and, where there are many, the last. Those of the first runner; and of the others, the calls that it
//! does not make.

use crate::choice::{
    Act, Change, Choice, Edit, FaultName, Position, Recovery, Setting, Steps, Wants, When, Who,
    word,
};
use crate::coverage::Coverage;
use crate::invariants::{self, Violation};
use crate::scene;
use crate::trace;
use crate::wire::Way;
use std::collections::{BTreeMap, BTreeSet};

/// What happens to one request.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Fault(FaultName),
    Kill(Position),
}

fn outcomes() -> Vec<Outcome> {
    let faults = FaultName::ALL.into_iter().map(Outcome::Fault);
    faults
        .chain(Position::ALL.into_iter().map(Outcome::Kill))
        .collect()
}

/// A situation: its name and its choices.
pub(crate) type Script = (&'static str, Vec<Choice>);

/// The situations.
pub(crate) fn scripts() -> Vec<Script> {
    let after_put = |seconds, act| Choice::Act {
        when: When::After("apps.update".to_owned(), 1, seconds),
        act,
    };
    let before = |call: &str, nth, act| Choice::Act {
        when: When::Before(call.to_owned(), nth),
        act,
    };
    let knob = |name: &str, value: &str| Choice::Knob(name.to_owned(), value.to_owned());
    vec![
        ("calm", vec![]),
        ("second step fails", vec![Choice::Steps(Steps::SecondFails)]),
        (
            "first step fails, before the services",
            vec![
                Choice::Steps(Steps::FirstFails),
                Choice::Setting(Setting::PreDeploy),
            ],
        ),
        ("the job is killed", vec![Choice::Steps(Steps::Killed)]),
        (
            "a check fails, contained",
            vec![
                Choice::Steps(Steps::CheckFails),
                Choice::Setting(Setting::Contain),
            ],
        ),
        ("one job per step", vec![Choice::Setting(Setting::PerStep)]),
        (
            "the firewall is restored",
            vec![Choice::Setting(Setting::Restore)],
        ),
        ("after a merge", vec![Choice::Setting(Setting::Merged)]),
        (
            "after a merge that does not build",
            vec![Choice::Setting(Setting::MergedInVain)],
        ),
        (
            "a job left by hand",
            vec![Choice::Setting(Setting::AlsoStale)],
        ),
        ("a push while it builds", vec![after_put(20, Act::Push)]),
        (
            "a push while it deploys, queued",
            vec![after_put(60, Act::Push), knob("overlap", "\"queue\"")],
        ),
        (
            "a push while the job runs",
            vec![after_put(105, Act::Push), knob("overlap", "\"supersede\"")],
        ),
        (
            "a fresh edit while it builds",
            vec![after_put(20, Act::Edit(Edit::Count(3)))],
        ),
        (
            "an edit between read and insert",
            vec![before("apps.update", 1, Act::Edit(Edit::Variable))],
        ),
        (
            "an edit between read and removal",
            vec![before("apps.update", 2, Act::Edit(Edit::Count(4)))],
        ),
        (
            "a stale tab drops the job",
            vec![after_put(70, Act::StaleEdit(Edit::Domain))],
        ),
        (
            "a stale tab brings the job back",
            vec![Choice::Act {
                when: When::After("apps.update".to_owned(), 2, 300),
                act: Act::ReAdd(Edit::Count(2)),
            }],
        ),
        (
            "a second runner at once",
            vec![Choice::Second {
                after: 1,
                wants: Wants::SameAgain,
            }],
        ),
        (
            "a re-run beside it",
            vec![Choice::Second {
                after: 130,
                wants: Wants::Same,
            }],
        ),
        (
            "another migration at once",
            vec![Choice::Second {
                after: 2,
                wants: Wants::Other,
            }],
        ),
        (
            "a retry beside it",
            vec![
                Choice::Steps(Steps::SecondFails),
                Choice::Second {
                    after: 100,
                    wants: Wants::Retry,
                },
            ],
        ),
        (
            "a second runner at once, on a ledger that lists late",
            vec![
                Choice::Second {
                    after: 1,
                    wants: Wants::SameAgain,
                },
                Choice::LedgerLags(8000),
            ],
        ),
        (
            "requests that travel, each its own way",
            vec![Choice::Travel(1037), Choice::Spread(713)],
        ),
        (
            "a rollback click brings the job of an earlier step back",
            vec![
                Choice::Setting(Setting::PerStep),
                Choice::Act {
                    when: When::After("apps.update".to_owned(), 3, 20),
                    act: Act::Rollback,
                },
            ],
        ),
        (
            "a rollback click while the job runs",
            vec![after_put(105, Act::RollbackPinned)],
        ),
        (
            "a rollback click that is taken back",
            vec![
                after_put(105, Act::RollbackPinned),
                after_put(400, Act::RevertRollback),
            ],
        ),
        (
            "somebody takes the job out while it runs",
            vec![after_put(105, Act::TakeOut)],
        ),
        (
            "somebody cancels the deployment",
            vec![after_put(60, Act::Cancel)],
        ),
        (
            "the platform's API is down after the insert",
            vec![after_put(5, Act::ApiDown(600))],
        ),
        (
            "a platform that tells causes in a sentence only",
            vec![
                knob("cause_details", "\"omitted\""),
                before("apps.update", 1, Act::Edit(Edit::Worker)),
            ],
        ),
        (
            "the machine is suspended while the job runs, past the run's deadline",
            vec![after_put(70, Act::Suspend(15_000))],
        ),
        (
            "whoever comes later has another config",
            vec![
                Choice::Setting(Setting::PerStep),
                Choice::Reconfigured(Setting::PerStep),
                Choice::Reconfigured(Setting::PreDeploy),
            ],
        ),
        (
            "whoever comes later has a longer manifest",
            vec![
                Choice::Steps(Steps::SecondFails),
                Choice::Changed(Change::Appended),
            ],
        ),
        (
            "somebody edits the firewall",
            vec![after_put(30, Act::FirewallRule)],
        ),
        (
            "the ledger goes down after the insert",
            vec![after_put(5, Act::LedgerDown(7200))],
        ),
        (
            "the job hangs",
            vec![Choice::Act {
                when: When::At(0),
                act: Act::JobHangs,
            }],
        ),
        (
            "interrupted while it builds",
            vec![after_put(30, Act::Interrupt)],
        ),
        (
            "asked to stop while it builds",
            vec![Choice::Second {
                after: 30,
                wants: Wants::Stop,
            }],
        ),
        (
            "lists that lag, bare replies",
            vec![
                knob("list_lag_seconds", "30"),
                knob("put_reply", "\"bare\""),
                knob("list_spec", "\"omitted\""),
            ],
        ),
        (
            "a rollback that reverts the spec and runs jobs",
            vec![
                Choice::Steps(Steps::SecondFails),
                knob("spec_after_rollback", "\"reverted\""),
                knob("rollback_jobs", "\"rerun\""),
            ],
        ),
        ("a late rollback", vec![Choice::LateRollback]),
    ]
}

/// Who comes after.
fn recoveries() -> [Vec<Choice>; 4] {
    let by = |by, after| Choice::Recover { by, after };
    [
        Vec::new(),
        vec![by(Recovery::Post, 3)],
        vec![by(Recovery::Sweep, 1200)],
        vec![by(Recovery::Rerun, 240)],
    ]
}

/// One cell.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) name: String,
    pub(crate) choices: Vec<Choice>,
}

/// A place where a process makes a request: which one, the call, and how often it has made that by then.
type Site = (Who, &'static str, u32);

/// Returns the places of a situation, those of `who`.
fn sites(script: &[Choice], who: impl Fn(Who, &'static str) -> bool) -> Vec<Site> {
    let played = scene::play(script);
    let mut found: BTreeMap<(Who, &'static str, u32), Vec<u32>> = BTreeMap::new();
    for sent in &played.journal.sent {
        if who(sent.who, sent.call) {
            found
                .entry((sent.who, sent.call, sent.writes_before))
                .or_default()
                .push(sent.nth);
        }
    }
    let mut sites = BTreeSet::new();
    for ((who, call, _), all) in found {
        sites.extend(all.first().map(|nth| (who, call, *nth)));
        if all.len() > 3 {
            sites.extend(all.last().map(|nth| (who, call, *nth)));
        }
    }
    sites.into_iter().collect()
}

/// Returns the places of a situation, each with those who may come after it, by their number.
fn places(script: &[Choice]) -> Vec<(Site, Vec<usize>)> {
    let ours = sites(script, |who, _| who == Who::Main);
    let made: BTreeSet<&str> = ours.iter().map(|(_, call, _)| *call).collect();
    let mut places: BTreeMap<Site, Vec<usize>> = BTreeMap::new();
    for (number, recovery) in recoveries().into_iter().enumerate() {
        let script: Vec<Choice> = script.iter().cloned().chain(recovery).collect();
        let others = |who, call| matches!(who, Who::Second | Who::Later) && !made.contains(call);
        for site in ours.iter().copied().chain(sites(&script, others)) {
            places.entry(site).or_default().push(number);
        }
    }
    places.into_iter().collect()
}

/// Returns every cell, or one of each `stride` of them: evenly spread, with every call and outcome in it.
pub(crate) fn cells(stride: usize) -> Vec<Cell> {
    let (mut cells, mut number) = (Vec::new(), 0_usize);
    let (outcomes, recoveries) = (outcomes(), recoveries());
    let mut covered: BTreeSet<(&str, String)> = BTreeSet::new();
    for (name, script) in scripts() {
        for ((of, site, nth), after) in places(&script) {
            for outcome in &outcomes {
                let call = site.to_owned();
                let (word, choice) = match outcome {
                    Outcome::Fault(fault) => (
                        word(fault),
                        Choice::Fault {
                            of,
                            call,
                            nth,
                            times: 1,
                            fault: *fault,
                        },
                    ),
                    Outcome::Kill(at) => (
                        format!("killed {}", word(at)),
                        Choice::Kill {
                            of,
                            call,
                            nth,
                            at: *at,
                        },
                    ),
                };
                for place in &after {
                    number += 1;
                    // A stride that shares no factor with 4 or 21 walks through all outcomes and recoveries.
                    let first_of_its_kind = *place == after[covered.len() % after.len()]
                        && covered.insert((site, word.clone()));
                    if !number.is_multiple_of(stride) && !first_of_its_kind {
                        continue;
                    }
                    let mut choices = script.clone();
                    choices.push(choice.clone());
                    choices.extend(recoveries[*place].clone());
                    cells.push(Cell {
                        name: format!(
                            "{name} | {}{site} {nth} | {word} | {}",
                            if of == Who::Main {
                                String::new()
                            } else {
                                format!("{}'s ", self::word(&of))
                            },
                            ["nobody", "post", "sweep", "re-run"][*place]
                        ),
                        choices,
                    });
                }
            }
        }
    }
    cells
}

/// What came of many runs.
#[derive(Debug, Default)]
pub(crate) struct Result {
    pub(crate) runs: usize,
    /// How many of them were played a second time with JSON for every answer, and how many of those went otherwise.
    pub(crate) compared: usize,
    pub(crate) coverage: Coverage,
    pub(crate) broken: Vec<(Cell, Violation)>,
}

/// One run in so many is played a second time with JSON for every answer, and must go the same way.
const COMPARED_ONE_IN: usize = 100;

/// What one core found: by the place of the cell, and what it came through.
type Part = (Vec<(usize, Vec<Violation>)>, Coverage);

/// Plays all cells, on all cores; the order of the results is that of the cells.
pub(crate) fn play_all(cells: Vec<Cell>) -> Result {
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let parts: Vec<Part> = std::thread::scope(|scope| {
        let worker = || {
            let (mut broken, mut coverage) = (Vec::new(), Coverage::default());
            loop {
                let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some(cell) = cells.get(at) else {
                    return (broken, coverage);
                };
                let played = scene::play(&cell.choices);
                coverage.count(&played);
                let mut found = invariants::check(&played);
                if at.is_multiple_of(COMPARED_ONE_IN) {
                    let over_the_wire = scene::play_by(&cell.choices, Way::Wire);
                    if trace::hash(&played) != trace::hash(&over_the_wire) {
                        found.push(Violation {
                            rule: "hall wire",
                            what: "documents and JSON give different traces".to_owned(),
                        });
                    }
                }
                if !found.is_empty() {
                    broken.push((at, found));
                }
            }
        };
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a run does not panic"))
            .collect()
    });
    let mut result = Result {
        runs: cells.len(),
        compared: cells.len().div_ceil(COMPARED_ONE_IN),
        ..Result::default()
    };
    let mut all = Vec::new();
    for (broken, coverage) in parts {
        all.extend(broken);
        result.coverage.merge(coverage);
    }
    all.sort_by_key(|(at, _)| *at);
    for (at, found) in all {
        for violation in found {
            result.broken.push((cells[at].clone(), violation));
        }
    }
    result
}

/// Returns the table of calls by what happened to them.
pub(crate) fn table(coverage: &Coverage) -> String {
    let calls: BTreeSet<&str> = coverage
        .seen
        .keys()
        .filter(|(kind, _)| matches!(*kind, "fault" | "kill"))
        .filter_map(|(_, name)| name.split(' ').next())
        .collect();
    let mut text = format!("{:<24}", "call");
    let columns = outcome_names();
    for (place, _) in columns.iter().enumerate() {
        text.push_str(&format!("{:>6}", place + 1));
    }
    text.push('\n');
    for call in calls {
        text.push_str(&format!("{call:<24}"));
        for (kind, name) in &columns {
            text.push_str(&format!(
                "{:>6}",
                coverage.of(kind, &format!("{call} {name}"))
            ));
        }
        text.push('\n');
    }
    for (place, (kind, name)) in columns.iter().enumerate() {
        text.push_str(&format!("{:>6} {kind} {name}\n", place + 1));
    }
    text
}

/// What can happen to a request, as it is counted.
fn outcome_names() -> Vec<(&'static str, String)> {
    let named = |outcome: Outcome| match outcome {
        Outcome::Fault(fault) => ("fault", word(&fault)),
        Outcome::Kill(at) => ("kill", word(&at)),
    };
    outcomes().into_iter().map(named).collect()
}

/// The cells of the table that nothing reached, among the calls that any run makes.
pub(crate) fn holes(coverage: &Coverage) -> Vec<String> {
    let mut calls: BTreeSet<&'static str> = BTreeSet::new();
    for (_, script) in scripts() {
        calls.extend(places(&script).into_iter().map(|((_, call, _), _)| call));
    }
    let mut holes = Vec::new();
    for call in calls {
        for (kind, name) in outcome_names() {
            let name = format!("{call} {name}");
            if coverage.of(kind, &name) == 0 {
                holes.push(format!("{kind} {name}"));
            }
        }
    }
    holes
}
