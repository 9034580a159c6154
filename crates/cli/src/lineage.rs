//! The history of commits, as GitHub's compare tells it: the port [`runner::Lineage`] over GitHub.
//!
//! What can't be told is [`Contains::Unknown`], never a guess: a commit that GitHub does not know may be one that it
//! does not know yet.

use futures_util::future::BoxFuture;
use github::{GitHub, Sha};
use migration::Contains;
use runner::Lineage;

/// The history of the repository that a client is for.
#[derive(Debug, Clone)]
pub struct GitHubLineage(GitHub);

impl GitHubLineage {
    /// Returns the history of the client's repository.
    #[must_use]
    pub fn new(github: GitHub) -> Self {
        Self(github)
    }
}

impl Lineage for GitHubLineage {
    fn contains<'a>(&'a self, commit: &'a str, ancestor: &'a str) -> BoxFuture<'a, Contains> {
        Box::pin(async move {
            let (Ok(commit), Ok(ancestor)) = (Sha::parse(commit), Sha::parse(ancestor)) else {
                return Contains::Unknown;
            };
            match self.0.contains(&commit, &ancestor).await {
                Ok(true) => Contains::Yes,
                Ok(false) => Contains::No,
                Err(error) => {
                    tracing::debug!(%error, "cannot compare two commits");
                    Contains::Unknown
                }
            }
        })
    }
}
