//! What the runs came through: counted, so that a cell that nothing reached is seen.

use crate::choice::word;
use crate::invariants::page;
use crate::scene::Played;
use migration::{Happening, Reason, Verdict};
use std::collections::BTreeMap;

/// What no run of the hall can end with, and why. Each has its own tests where it is decided.
const OUT_OF_REACH: &[(&str, &[&str])] = &[
    (
        "the command line or the Action refuses before there is a run (crate cli)",
        &[
            "bad-config",
            "bad-manifest",
            "operator-refused",
            "ambiguous",
            "event-refused",
            "missing-permission",
        ],
    ),
    (
        "the hall always asks for a run, and never for a plan",
        &["planned"],
    ),
    (
        "the hall's app is as its config says: nothing is missing in it, and nothing undeclared",
        &[
            "component-not-found",
            "database-not-found",
            "cluster-not-found",
            "health-url-foreign",
            "undeclared-job",
            "name-taken",
            "app-rule-missing",
            "nothing-live",
        ],
    ),
    (
        "the hall sends the signal of a cancel only; the other one is for real processes (`harness process`)",
        &["terminated"],
    ),
];

/// What few runs end with: one in tens of thousands. A build of the simulator takes no longer than our bounds allow, so that
/// only the end of a run's own time cancels a deployment whose job has not begun.
const RARE: &[&str] = &["start-timed-out", "variable-missing"];

/// Sentences that are as rare: those of a job that wants for a variable, and of a run that planned again and again.
const RARE_SENTENCES: &[&str] = &[
    "Nothing was changed in the database",
    "a variable that it needs is missing",
    "Nothing of ours is in the app",
];

/// What the axes of a verdict can be. A job that refuses to run for want of a variable is as rare as `variable-missing`.
const AXES: &[(&str, &[&str])] = &[
    (
        "job",
        &[
            "NotAttempted",
            "Done",
            "Failed",
            "Unproven",
            "NeverStarted",
            "Running",
        ],
    ),
    (
        "deployment",
        &[
            "None",
            "Active",
            "RolledBack",
            "Failed",
            "Cancelled",
            "InFlight",
            "Unknown",
        ],
    ),
    ("clean-up", &["NotNeeded", "Verified", "Sent", "Blocked"]),
    ("health", &["Ok", "Bad", "NotChecked"]),
    (
        "firewall",
        &["AsAsked", "Drifted", "Restored", "Failed", "NotChecked"],
    ),
];

/// How often each thing was seen, by kind and name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coverage {
    pub(crate) seen: BTreeMap<(&'static str, String), u64>,
}

impl Coverage {
    fn add(&mut self, kind: &'static str, name: impl Into<String>) {
        *self.seen.entry((kind, name.into())).or_default() += 1;
    }

    /// Counts one run.
    pub(crate) fn count(&mut self, played: &Played) {
        for sent in &played.journal.sent {
            if let Some(fault) = sent.fault
                && !sent.for_everybody
            {
                self.add("fault", format!("{} {}", sent.call, word(&fault)));
            }
            if let Some(at) = sent.killed {
                self.add("kill", format!("{} {}", sent.call, word(&at)));
            }
        }
        for (_, act) in &played.journal.acts {
            self.add("act", act.split(" (refused").next().unwrap_or_default());
        }
        for gone in &played.gone {
            for event in &gone.events {
                self.add("told", happening(&event.what));
            }
            for sentence in page::judged(&gone.page) {
                self.add("page", sentence);
            }
            match &gone.ended {
                None => self.add("end", format!("{} dead", gone.role)),
                Some(ended) => {
                    self.add("reason", ended.reason.code());
                    if let Some(verdict) = &ended.report.verdict {
                        self.axes(verdict);
                    }
                }
            }
        }
    }

    fn axes(&mut self, verdict: &Verdict) {
        let first = |text: String| {
            let end = text.find([' ', '{']).unwrap_or(text.len());
            text[..end].to_owned()
        };
        self.add("job", first(format!("{:?}", verdict.job)));
        self.add("deployment", format!("{:?}", verdict.deployment));
        self.add("clean-up", format!("{:?}", verdict.clean_up));
        self.add("health", format!("{:?}", verdict.health));
        self.add("firewall", format!("{:?}", verdict.firewall));
    }

    /// Adds what another count saw.
    pub(crate) fn merge(&mut self, other: Self) {
        for (cell, count) in other.seen {
            *self.seen.entry(cell).or_default() += count;
        }
    }

    pub(crate) fn of(&self, kind: &str, name: &str) -> u64 {
        let found = self
            .seen
            .iter()
            .find(|((of, is), _)| *of == kind && is == name);
        found.map_or(0, |(_, count)| *count)
    }

    /// The reasons that a run can end with and none did.
    pub(crate) fn reasons_missing(&self) -> Vec<&'static str> {
        let out = |code: &&str| OUT_OF_REACH.iter().any(|(_, codes)| codes.contains(code));
        let reached = |code: &&str| !out(code) && !RARE.contains(code);
        let all = Reason::ALL.iter().map(|reason| reason.code());
        all.filter(reached)
            .filter(|code| self.of("reason", code) == 0)
            .collect()
    }

    /// What many runs must have come through and did not: reasons, the values of a verdict's axes, the sentences that are judged. And what is said to
    /// be out of reach and was reached. (Each call with each outcome is for the matrix to reach.)
    pub(crate) fn holes(&self) -> Vec<String> {
        let mut holes: Vec<String> = Vec::new();
        let reasons = self.reasons_missing();
        holes.extend(reasons.into_iter().map(|code| format!("reason {code}")));
        for (axis, values) in AXES {
            let missing = values.iter().filter(|value| self.of(axis, value) == 0);
            holes.extend(missing.map(|value| format!("{axis} {value}")));
        }
        let unsaid = page::sentences().filter(|sentence| {
            self.of("page", sentence) == 0 && !RARE_SENTENCES.contains(sentence)
        });
        holes.extend(unsaid.map(|sentence| format!("page {sentence}")));
        for (_, codes) in OUT_OF_REACH {
            let reached = codes.iter().filter(|code| self.of("reason", code) > 0);
            holes.extend(reached.map(|code| format!("reason {code}, which was out of reach")));
        }
        holes
    }

    /// Returns what is out of reach, one line a cause.
    pub(crate) fn out_of_reach() -> String {
        OUT_OF_REACH
            .iter()
            .map(|(why, codes)| format!("never {}: {why}\n", codes.join(", ")))
            .collect()
    }

    /// Returns everything but the cells of the matrix, one line a kind.
    pub(crate) fn summary(&self) -> String {
        let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for ((kind, name), count) in &self.seen {
            if !matches!(*kind, "fault" | "kill") {
                lines
                    .entry(kind)
                    .or_default()
                    .push(format!("{name} {count}"));
            }
        }
        lines
            .into_iter()
            .map(|(kind, names)| format!("{kind:>10}  {}\n", names.join(" · ")))
            .collect()
    }
}

/// What was told, without what differs from run to run.
fn happening(what: &Happening) -> String {
    match what {
        Happening::Waiting(sentence) => {
            let words = sentence.as_str().split(' ').filter(|word| {
                word.chars()
                    .all(|letter| letter.is_ascii_lowercase() || letter == '-')
            });
            format!("Waiting: {}", words.take(7).collect::<Vec<_>>().join(" "))
        }
        other => {
            let text = format!("{other:?}");
            let end = text.find([' ', '(', '{']).unwrap_or(text.len());
            text[..end].to_owned()
        }
    }
}
