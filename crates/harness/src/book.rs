//! The ledger that all processes of one run share: append-only, ordered, and as unreliable as its choices say.

use crate::choice::{FaultName, Position};
use crate::wire::{Hall, Process};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use migration::{Claim, EntryId, Key, LedgerEntry, LedgerOutcome};
use runner::{Ledger, LedgerError, Lineage};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a GitHub call may take before its client gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// What stands in it, in the order of its ids.
pub(crate) type Entries = Arc<Mutex<Vec<Kept>>>;

/// One claim, as it was written.
pub(crate) struct Kept {
    /// Without its outcomes.
    entry: LedgerEntry,
    at: Timestamp,
    outcomes: Vec<(Timestamp, LedgerOutcome)>,
}

impl Kept {
    /// Returns the claim as it stood at a time; nothing where it did not stand there yet.
    fn by(&self, time: Timestamp) -> Option<LedgerEntry> {
        let mut entry = self.entry.clone();
        let recorded = self.outcomes.iter().filter(|(at, _)| *at <= time);
        for (_, outcome) in recorded {
            entry.take(outcome.clone());
        }
        (self.at <= time).then_some(entry)
    }
}

/// Returns everything that was ever written, at the time when it really was.
pub(crate) fn all(entries: &Entries) -> Vec<LedgerEntry> {
    let entries = entries.lock().unwrap();
    let written = |kept: &Kept| {
        let entry = kept.by(Timestamp::MAX)?;
        Some(LedgerEntry {
            at: kept.at,
            ..entry
        })
    };
    entries.iter().filter_map(written).collect()
}

/// One process's way to it.
pub(crate) struct Book {
    pub(crate) entries: Entries,
    pub(crate) process: Arc<Process>,
}

#[derive(Debug)]
struct Gone(&'static str);

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Gone {}

fn unreachable(why: &'static str) -> LedgerError {
    LedgerError::Unreachable(Box::new(Gone(why)))
}

impl Book {
    /// Makes one call, which travels like a request.
    async fn call<T>(
        &self,
        call: &'static str,
        effect: impl Fn() -> T,
        stale: impl FnOnce() -> T,
    ) -> Result<T, LedgerError> {
        let arrived = self.arrive(call, effect, stale);
        self.process.travelling(call, arrived).await
    }

    /// Lets one call have its effect as often, and tell its answer as well, as was chosen.
    async fn arrive<T>(
        &self,
        call: &'static str,
        effect: impl Fn() -> T,
        stale: impl FnOnce() -> T,
    ) -> Result<T, LedgerError> {
        let fate = self.process.begin(call, "", Bytes::new()).await;
        let down = *self.process.hall.ledger_down_until.lock().unwrap();
        if down.is_some_and(|until| self.process.hall.world.now() < until) {
            return Err(unreachable("the ledger is down"));
        }
        match fate.kill {
            Some(Position::InFlight | Position::AppliedBeforeReply) => {
                effect();
                return self.process.die().await;
            }
            Some(Position::AfterReply) => self.process.doom(),
            Some(Position::BeforeSend) | None => {}
        }
        let answer = match fate.fault {
            None | Some(FaultName::WrongType) => effect(),
            Some(FaultName::Refuse | FaultName::Reset | FaultName::Http500) => {
                return Err(unreachable("the connection broke"));
            }
            Some(FaultName::Timeout) => {
                tokio::time::sleep(PATIENCE).await;
                return Err(unreachable("no answer"));
            }
            Some(FaultName::ReplyLost) => {
                effect();
                tokio::time::sleep(PATIENCE).await;
                return Err(unreachable("no answer"));
            }
            Some(FaultName::AppliedLate) => {
                tokio::time::sleep(PATIENCE).await;
                effect();
                return Err(unreachable("no answer"));
            }
            Some(FaultName::Http502Applied | FaultName::Truncated) => {
                effect();
                return Err(unreachable("an answer that can't be read"));
            }
            Some(FaultName::AppliedTwice) => {
                effect();
                effect()
            }
            Some(FaultName::Http429 | FaultName::Http429Bare) => {
                return Err(unreachable("too many requests"));
            }
            Some(FaultName::Http401 | FaultName::Http403 | FaultName::Http404) => {
                return Err(LedgerError::Refused(Box::new(Gone("refused"))));
            }
            Some(FaultName::Stale) => stale(),
            Some(FaultName::Slow) => {
                tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
                effect()
            }
        };
        self.process.replied(fate.place, 200);
        Ok(answer)
    }

    fn push(&self, claim: &Claim) -> EntryId {
        let (hall, mut entries) = (&self.process.hall, self.entries.lock().unwrap());
        let id = EntryId(entries.len() as u64 + 1);
        let at = hall.world.now();
        entries.push(Kept {
            entry: LedgerEntry {
                id,
                at: at + hall.ledger_ahead,
                claim: claim.clone(),
                outcome: None,
            },
            at,
            outcomes: Vec::new(),
        });
        id
    }

    fn of(&self, key: &Key) -> Vec<LedgerEntry> {
        let (hall, entries) = (&self.process.hall, self.entries.lock().unwrap());
        let shown = hall.world.now() - hall.ledger_lags;
        let of_key = entries.iter().filter(|kept| kept.entry.claim.key == *key);
        of_key.filter_map(|kept| kept.by(shown)).collect()
    }
}

impl Ledger for Book {
    fn append<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<EntryId, LedgerError>> {
        Box::pin(self.call("ledger.append", || self.push(claim), || self.push(claim)))
    }

    fn entries<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Vec<LedgerEntry>, LedgerError>> {
        // A list that lags lacks what came in last.
        let lagging = || {
            let mut entries = self.of(key);
            entries.pop();
            entries
        };
        Box::pin(self.call("ledger.entries", || self.of(key), lagging))
    }

    fn record<'a>(
        &'a self,
        entry: EntryId,
        outcome: &'a LedgerOutcome,
    ) -> BoxFuture<'a, Result<(), LedgerError>> {
        let write = move || {
            let (now, mut entries) = (self.process.hall.world.now(), self.entries.lock().unwrap());
            if let Some(kept) = entries.iter_mut().find(|kept| kept.entry.id == entry) {
                kept.outcomes.push((now, outcome.clone()));
            }
        };
        Box::pin(self.call("ledger.record", write, write))
    }
}

/// The simulator's own history of commits.
pub(crate) struct Commits(pub(crate) Arc<Hall>);

impl Lineage for Commits {
    fn contains<'a>(
        &'a self,
        commit: &'a str,
        ancestor: &'a str,
    ) -> BoxFuture<'a, migration::Contains> {
        let answer = self
            .0
            .world
            .github(|github, _| github.contains(crate::scene::REPO, commit, ancestor));
        Box::pin(async move {
            if answer {
                migration::Contains::Yes
            } else {
                migration::Contains::No
            }
        })
    }
}
