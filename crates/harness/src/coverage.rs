//! What the runs came through: counted, so that a cell that nothing reached is seen.

use crate::choice::word;
use crate::scene::Played;
use migration::{Happening, Reason, Verdict};
use std::collections::BTreeMap;

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
            if let Some(fault) = sent.fault {
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

    /// The reasons that no run ended with.
    pub(crate) fn reasons_missing(&self) -> Vec<&'static str> {
        let all = Reason::ALL.iter().map(|reason| reason.code());
        all.filter(|code| self.of("reason", code) == 0).collect()
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
