//! Reading a log's marks, line by line, into evidence.

use super::mark::{self, Kind, Mark, Place};
use super::{DoneMark, Evidence, Ran, lines};
use crate::Nonce;

/// The platform's own line after a component ended with another code than 0 (observed on App Platform, 2026-01; the
/// only place where it shows the code).
const PLATFORM_EXIT: &str = "ERROR component terminated with non-zero exit code: ";

/// The most checks and steps that are kept, far above what any manifest has, so that no log can fill the memory.
const RAN_MAX: usize = 4096;

/// Reads one log, line by line, for one epoch of one job on one deployment.
///
/// Its memory is bounded, whatever the log is. Marks with another nonce, and text that is almost a mark, are nothing.
#[derive(Debug, Clone)]
pub struct EvidenceReader {
    opening: String,
    evidence: Evidence,
    announced: Option<Announced>,
    running: Option<Place>,
    last: Option<Place>,
    over: bool,
}

/// What the begin mark says is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Announced {
    steps: u32,
    checks: u32,
}

impl EvidenceReader {
    /// Returns a reader for the marks that carry `nonce`.
    #[must_use]
    pub fn new(nonce: &Nonce) -> Self {
        Self {
            opening: mark::opening(nonce),
            evidence: Evidence::default(),
            announced: None,
            running: None,
            last: None,
            over: false,
        }
    }

    /// Takes in the next line, without its end; what is more than 64 KiB of it is not looked at.
    pub fn line(&mut self, line: &str) {
        let line = lines::cut(line);
        if let Some(mark) = mark::find(line, &self.opening) {
            self.evidence.platform_exit = None;
            self.mark(mark);
        } else if let Some(code) = platform_exit(line) {
            self.evidence.platform_exit = Some(code);
        }
    }

    /// Returns what the lines so far prove.
    #[must_use]
    pub fn finish(self) -> Evidence {
        self.evidence
    }

    fn mark(&mut self, mark: Mark) {
        let within = self.evidence.begins > 0 && !self.over;
        self.require(within || matches!(mark, Mark::Begin { .. }));
        match mark {
            Mark::Begin {
                steps,
                checks,
                commit,
            } => self.begin(Announced { steps, checks }, commit),
            Mark::Disarmed(why) => {
                self.require(self.last.is_none());
                self.evidence.disarmed = Some(why);
                self.over = true;
            }
            Mark::Refused(variable) => {
                self.require(self.last.is_none());
                self.evidence.refused = Some(variable);
                self.over = true;
            }
            Mark::Started(place, step, at) => {
                self.require(self.may_start(place));
                self.running = Some(place);
                self.last = Some(place);
                let list = self.list(place.kind);
                let fits = list.len() < RAN_MAX;
                if fits {
                    list.push(Ran {
                        step,
                        started_at: at,
                        code: None,
                        ended_at: None,
                    });
                }
                self.require(fits);
            }
            Mark::Ended(place, step, code, at) => {
                self.require(self.running == Some(place));
                self.running = None;
                let last = self.list(place.kind).last_mut();
                let ran = last.filter(|ran| ran.step == step && ran.code.is_none());
                let matches = ran.is_some();
                if let Some(ran) = ran {
                    ran.code = Some(code);
                    ran.ended_at = at;
                }
                self.require(matches);
            }
            Mark::Term => self.evidence.terminated = true,
            Mark::Done {
                done,
                passed,
                checks,
            } => {
                self.require(self.agrees(done, passed, checks));
                self.evidence.done = Some(done);
                self.over = true;
            }
        }
    }

    fn begin(&mut self, announced: Announced, commit: Option<String>) {
        let first = self.evidence == Evidence::default();
        self.require(first);
        self.evidence.begins = self.evidence.begins.saturating_add(1);
        if first {
            self.evidence.commit = commit;
        }
        self.announced = Some(announced);
        self.running = None;
        self.last = None;
        self.over = false;
    }

    /// Records a contradiction where something that always holds does not.
    fn require(&mut self, holds: bool) {
        self.evidence.contradictory |= !holds;
    }

    fn list(&mut self, kind: Kind) -> &mut Vec<Ran> {
        match kind {
            Kind::Check => &mut self.evidence.checks,
            Kind::Step => &mut self.evidence.steps,
        }
    }

    /// Returns whether the script may start this command now: one at a time, checks before steps, steps without a gap,
    /// none after a failure. After a TERM one may, where it came between the last look and the mark.
    fn may_start(&self, place: Place) -> bool {
        let follows = match (place.kind, self.last) {
            (Kind::Check, None) => place.index > 0,
            (Kind::Check, Some(last)) => last.kind == Kind::Check && place.index > last.index,
            (Kind::Step, Some(last)) if last.kind == Kind::Step => {
                Some(place.index) == last.index.checked_add(1)
            }
            (Kind::Step, _) => {
                place.index == 1 && self.announced.is_some_and(|of| self.passed() == of.checks)
            }
        };
        let within = self
            .announced
            .is_some_and(|of| place.kind == Kind::Check || place.index <= of.steps);
        let mut before = self.evidence.checks.iter().chain(&self.evidence.steps);
        let unhurt = before.all(|ran| ran.code == Some(0));
        follows && within && unhurt && self.running.is_none()
    }

    fn passed(&self) -> u32 {
        good(&self.evidence.checks)
    }

    fn agrees(&self, done: DoneMark, passed: u32, checks: u32) -> bool {
        let of = Announced {
            steps: done.of,
            checks,
        };
        let counted = done.ran == good(&self.evidence.steps) && passed == self.passed();
        let complete = done.code != 0 || (done.ran == done.of && passed == checks);
        self.announced == Some(of) && counted && complete && self.running.is_none()
    }
}

fn good(list: &[Ran]) -> u32 {
    u32::try_from(list.iter().filter(|ran| ran.code == Some(0)).count()).unwrap_or(u32::MAX)
}

fn platform_exit(line: &str) -> Option<i32> {
    let (_, code) = line.split_once(PLATFORM_EXIT)?;
    code.trim_end().parse().ok()
}

/// Returns whether `line` is a mark with this nonce, so that a reporter leaves it out of what it shows.
#[must_use]
pub fn is_mark(line: &str, nonce: &Nonce) -> bool {
    mark::find(lines::cut(line), &mark::opening(nonce)).is_some()
}
