//! The repository itself: who may see it, and where its branches stand.

use serde::Deserialize;

use crate::client::{Call, GitHub};
use crate::error::{Error, ErrorKind, Permission};
use crate::id::Sha;
use crate::wire::segment;

/// Who may read a repository, and with it the comments and logs that we write there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visibility {
    /// Everybody.
    Public,
    /// Those who were given access.
    Private,
    /// Every member of the enterprise.
    Internal,
    /// Something that GitHub invented since, or a reply that did not tell; not to be taken for
    /// private.
    Other(String),
}

/// What is asked about a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoInfo {
    /// Who may read it.
    pub visibility: Visibility,
    /// Its default branch.
    pub default_branch: String,
    /// Its number, which survives a renaming.
    pub id: Option<u64>,
}

#[derive(Deserialize)]
struct WireRepo {
    id: Option<u64>,
    private: Option<bool>,
    visibility: Option<String>,
    default_branch: String,
}

#[derive(Deserialize)]
struct WireBranch {
    commit: WireTip,
}

#[derive(Deserialize)]
struct WireTip {
    sha: Sha,
}

impl GitHub {
    /// Reads visibility and default branch (`GET /repos/{owner}/{repo}`).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when the token cannot see the repository.
    pub async fn repo(&self) -> Result<RepoInfo, Error> {
        let call = Call::get(
            self.path(""),
            Permission::MetadataRead,
            format!("read the repository `{}`", self.repo_name()),
        );
        let wire: WireRepo = self.json(&call).await?;
        let visibility = match (wire.visibility.as_deref(), wire.private) {
            (Some("public"), _) | (None, Some(false)) => Visibility::Public,
            (Some("private"), _) | (None, Some(true)) => Visibility::Private,
            (Some("internal"), _) => Visibility::Internal,
            (Some(other), _) => Visibility::Other(other.to_owned()),
            (None, None) => Visibility::Other(String::new()),
        };
        Ok(RepoInfo {
            visibility,
            default_branch: wire.default_branch,
            id: wire.id,
        })
    }

    /// Returns the newest commit of a branch, `None` when there is no such branch.
    ///
    /// # Errors
    ///
    /// Those of a read.
    pub async fn branch_head(&self, branch: &str) -> Result<Option<Sha>, Error> {
        let call = Call::get(
            self.path(&format!("/branches/{}", segment(branch))),
            Permission::ContentsRead,
            format!("read the branch `{branch}` of `{}`", self.repo_name()),
        );
        match self.json::<WireBranch>(&call).await {
            Ok(branch) => Ok(Some(branch.commit.sha)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
