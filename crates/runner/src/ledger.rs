//! The ports: what the driver needs to know from outside the platform, whoever provides it.
//!
//! **Architecture invariant:** nothing here names GitHub or a file. Both are the command line's business, which
//! implements these over them.

use futures_util::future::BoxFuture;
use migration::{Claim, Contains, EntryId, Key, LedgerEntry, LedgerOutcome};

/// Why a ledger gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It can't be reached, or it fails; it may work later.
    #[error("the ledger could not be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It refuses for good: a permission is missing, or it is not there.
    #[error("the ledger refuses")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The append-only record of claims and verdicts.
///
/// It must order claims: of two that were appended, both readers see the same one first. At most one insertion per
/// epoch holds among all runners that share one ledger.
pub trait Ledger: Send + Sync {
    /// Appends a claim and returns its place.
    ///
    /// A reply that was lost may leave the claim appended: the caller reads again and finds it by its epoch and nonce.
    fn append<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<EntryId, LedgerError>>;

    /// Returns all entries of `key`, oldest first, each with the strongest outcome recorded for it ([`LedgerEntry::take`]):
    /// whoever read less records less, and may do so last.
    fn entries<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Vec<LedgerEntry>, LedgerError>>;

    /// Records how a claim ended. Recording it again is harmless.
    fn record<'a>(
        &'a self,
        entry: EntryId,
        outcome: &'a LedgerOutcome,
    ) -> BoxFuture<'a, Result<(), LedgerError>>;
}

/// Whether one commit contains another.
pub trait Lineage: Send + Sync {
    /// Returns whether `commit` is `ancestor` or has it among its ancestors; unknown where the history is not to be had.
    fn contains<'a>(&'a self, commit: &'a str, ancestor: &'a str) -> BoxFuture<'a, Contains>;
}

/// No history at all: two commits are only known to be the same or not.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLineage;

impl Lineage for NoLineage {
    fn contains<'a>(&'a self, commit: &'a str, ancestor: &'a str) -> BoxFuture<'a, Contains> {
        let same = commit == ancestor;
        Box::pin(async move {
            if same {
                Contains::Yes
            } else {
                Contains::Unknown
            }
        })
    }
}
