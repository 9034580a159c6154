//! What the runs came through, counted and printed.

use super::call;
use super::cells;
use super::judge;
use super::play::{At, Effect, End, Played};
use super::stage::{Role, Way};
use crate::invariants::Violation;
use crate::scene::SWEEPS;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is kept of a run.
pub(crate) struct Outcome {
    pub(crate) way: Way,
    end: End,
    effect: Effect,
    by: Role,
    calm: bool,
    /// The call at which it happened.
    pub(crate) struck: Option<String>,
    pub(crate) broken: Vec<Violation>,
    told: String,
    /// What the processes said, where something broke.
    said: String,
    /// The calls of the first process, in their order.
    pub(crate) calls: Vec<String>,
    requests: usize,
    processes: usize,
    /// What the first that came later ended with.
    later: Option<String>,
    sweeps: usize,
    after_signal: Option<Duration>,
}

impl Outcome {
    pub(crate) fn of(played: &Played) -> Self {
        let broken = judge::check(played);
        let cell = &played.cell;
        let main = played
            .gone
            .first()
            .map(|gone| gone.requests.clone())
            .unwrap_or_default();
        let later = played.gone.get(1).map(|gone| {
            let result = judge::result(cell.way, gone);
            let reason = result.as_ref().and_then(judge::reason);
            reason
                .map_or("nothing to do", |reason| reason.code())
                .to_owned()
        });
        let last = played.gone.iter().skip(2);
        Self {
            way: cell.way,
            end: cell.end,
            effect: cell.effect,
            by: cell.by,
            calm: cell.at == At::Never,
            struck: played.struck.as_ref().map(call::name),
            said: if broken.is_empty() {
                String::new()
            } else {
                said(played)
            },
            broken,
            told: judge::told(cell),
            calls: played
                .requests
                .get(main)
                .unwrap_or_default()
                .iter()
                .map(call::name)
                .collect(),
            requests: played.requests.len(),
            processes: played.gone.len(),
            later,
            sweeps: last.count(),
            after_signal: played.gone.first().and_then(|gone| gone.after_signal),
        }
    }
}

fn said(played: &Played) -> String {
    let mut text = String::new();
    for gone in &played.gone {
        let status = gone
            .ended
            .status
            .map_or("ended by us".to_owned(), |status| status.to_string());
        let seconds = gone.ended.took.as_secs_f64();
        text.push_str(&format!("--- {:?}, {status}, {seconds:.2} s\n", gone.role));
        for said in [&gone.ended.err, &gone.ended.out, &gone.written.summary] {
            text.push_str(said);
        }
        for request in played
            .requests
            .get(gone.requests.clone())
            .unwrap_or_default()
        {
            let name = call::name(request);
            text.push_str(&format!(
                "{} {} {name} {:?}\n",
                request.sequence, request.at, request.status
            ));
        }
    }
    text
}

/// Everything that was played.
pub(crate) struct Table {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) took: Duration,
}

/// How often a call came and what happened at it.
#[derive(Default)]
struct Row {
    calm: usize,
    before: usize,
    after: usize,
    signalled: usize,
    suspended: usize,
}

/// How those ended that came later, and how many runs needed so many sweeps after them.
#[derive(Default)]
struct Later<'a> {
    reasons: BTreeMap<&'a str, usize>,
    sweeps: [usize; SWEEPS + 1],
}

impl Table {
    fn rows(&self, way: Way) -> BTreeMap<&str, Row> {
        let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
        let all = || self.outcomes.iter().filter(|one| one.way == way);
        for call in all()
            .find(|one| one.calm)
            .into_iter()
            .flat_map(|one| &one.calls)
        {
            rows.entry(call).or_default().calm += 1;
        }
        for one in all() {
            let Some(call) = &one.struck else { continue };
            let row = rows.entry(call).or_default();
            match (one.end, one.effect) {
                (End::Killed, Effect::Before) => row.before += 1,
                (End::Killed, Effect::After) => row.after += 1,
                (End::Interrupted | End::Terminated, _) => row.signalled += 1,
                (End::Suspended, _) => row.suspended += 1,
            }
        }
        rows
    }

    /// Returns the calls at which nobody was killed as often as one in `every` runs must see.
    pub(crate) fn holes(&self, every: usize) -> Vec<String> {
        let mut holes = Vec::new();
        for way in [Way::CommandLine, Way::Action] {
            for (call, row) in self.rows(way) {
                let whole = if cells::both(call, every) {
                    row.before > 0 && row.after > 0
                } else {
                    row.before + row.after > 0
                };
                if !whole {
                    holes.push(format!("{way:?}: {call}"));
                }
            }
        }
        holes
    }

    pub(crate) fn violations(&self) -> usize {
        self.outcomes.iter().map(|one| one.broken.len()).sum()
    }

    /// Returns the table as it is printed.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (way, words) in [(Way::CommandLine, "command line"), (Way::Action, "Action")] {
            let rows = self.rows(way);
            let requests: usize = rows.values().map(|row| row.calm).sum();
            text.push_str(&format!(
                "{words}: a calm run makes {requests} requests by {} calls\n\n",
                rows.len()
            ));
            text.push_str("| call | in a calm run | killed before | killed after | signalled | suspended |\n|---|---|---|---|---|---|\n");
            for (call, row) in rows {
                let Row {
                    calm,
                    before,
                    after,
                    signalled,
                    suspended,
                } = row;
                text.push_str(&format!(
                    "| `{call}` | {calm} | {before} | {after} | {signalled} | {suspended} |\n"
                ));
            }
            text.push('\n');
            text.push_str(&self.recoveries(way));
            text.push('\n');
        }
        text.push_str(&self.sum());
        text
    }

    /// What came after a death or a signal, and how it ended.
    fn recoveries(&self, way: Way) -> String {
        let mut rows: BTreeMap<(&str, Role), Later<'_>> = BTreeMap::new();
        for one in self.outcomes.iter().filter(|one| one.way == way) {
            let Some(later) = &one.later else { continue };
            let what = match one.end {
                End::Killed => "killed",
                End::Interrupted | End::Terminated => "signalled",
                End::Suspended => "suspended",
            };
            let row = rows.entry((what, one.by)).or_default();
            *row.reasons.entry(later).or_default() += 1;
            row.sweeps[one.sweeps.min(SWEEPS)] += 1;
        }
        let mut text = "| then came | runs | which ended with | sweeps after that: 0, 1, 2, 3 |\n|---|---|---|---|\n".to_owned();
        for ((what, by), Later { reasons, sweeps }) in rows {
            let runs: usize = reasons.values().sum();
            let reasons: Vec<String> = reasons
                .iter()
                .map(|(reason, times)| format!("{reason} {times}"))
                .collect();
            let sweeps = sweeps.map(|times| times.to_string()).join(", ");
            text.push_str(&format!(
                "| {what}, {by:?} | {runs} | {} | {sweeps} |\n",
                reasons.join(" · ")
            ));
        }
        text
    }

    fn sum(&self) -> String {
        let sum = |of: fn(&Outcome) -> usize| self.outcomes.iter().map(of).sum::<usize>();
        let kinds = |end: fn(End) -> bool| {
            let all = self.outcomes.iter();
            all.filter(|one| one.struck.is_some() && end(one.end))
                .count()
        };
        let killed = kinds(|end| end == End::Killed);
        let signalled = kinds(|end| matches!(end, End::Interrupted | End::Terminated));
        let suspended = kinds(|end| end == End::Suspended);
        let calm = self.outcomes.iter().filter(|one| one.calm).count();
        let unstruck = self
            .outcomes
            .iter()
            .filter(|one| !one.calm && one.struck.is_none())
            .count();
        let slowest = self
            .outcomes
            .iter()
            .filter(|one| one.end != End::Killed)
            .filter_map(|one| one.after_signal)
            .max();
        let runs = self.outcomes.len();
        let seconds = self.took.as_secs_f64();
        let rate = runs as f64 / seconds.max(0.001);
        format!(
            "{runs} runs: {killed} killed, {signalled} signalled (the slowest gone after {:.2} s), {suspended} suspended, {calm} calm, {unstruck} ended before their request\n\
             {} processes, {} requests, {} violations\n\
             {seconds:.1} s, {rate:.1} runs a second\n",
            slowest.unwrap_or_default().as_secs_f64(),
            sum(|one| one.processes),
            sum(|one| one.requests),
            self.violations(),
        )
    }

    /// Returns what broke: each rule with its first few runs, and the first run of all as its processes told it.
    pub(crate) fn broken(&self) -> String {
        let mut rules: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for one in &self.outcomes {
            for violation in &one.broken {
                let line = format!("{}: {}", one.told, violation.what);
                rules.entry(violation.rule).or_default().push(line);
            }
        }
        let mut text = String::new();
        for (rule, all) in &rules {
            text.push_str(&format!("{rule}: {} times\n", all.len()));
            for one in all.iter().take(6) {
                text.push_str(&format!("    {one}\n"));
            }
        }
        if let Some(first) = self.outcomes.iter().find(|one| !one.broken.is_empty()) {
            text.push_str(&format!("{}\n{}", first.told, first.said));
        }
        text
    }
}
