//! Opening pull requests, from the same repository or a fork.

use super::commit::NewCommit;
use super::control::{Act, ControlError, Edits};
use super::{GitHubState, Issue, IssueState, PullRequest, Repository, Sha, Tree};

/// A pull request to open.
#[derive(Debug, Clone, Default)]
pub struct NewPullRequest {
    /// The next free number unless given.
    pub number: Option<u64>,
    /// The title, also the message of the commit that `edits` make.
    pub title: String,
    /// The description.
    pub body: Option<String>,
    /// A branch, or `owner:branch` of a fork; made from the base branch where it does not exist.
    pub head: String,
    /// The default branch unless given.
    pub base: Option<String>,
    /// A commit on the head branch; none where empty.
    pub edits: Edits,
    /// The name of that commit, 40 hex digits; it follows from the content unless given.
    pub head_sha: Option<String>,
    /// Labels that it is opened with.
    pub labels: Vec<String>,
    /// Whether it is a draft, which cannot be merged.
    pub draft: bool,
}

impl GitHubState {
    /// Opens a pull request and returns its number.
    ///
    /// # Errors
    ///
    /// `NoRepository` (of the fork, too), `NoBranch` for the base, `NumberTaken`, and `NoCommit`
    /// for a `head_sha` that is not one.
    pub fn open_pull_request(
        &mut self,
        repo: &str,
        new: &NewPullRequest,
        act: Act<'_>,
    ) -> Result<u64, ControlError> {
        let target = self.repo(repo)?;
        let name = target.full_name();
        let base_branch = new
            .base
            .clone()
            .unwrap_or_else(|| target.default_branch.clone());
        let base = self.head(repo, &base_branch)?;
        let number = new.number.unwrap_or_else(|| target.next_number());
        if target.issues.contains_key(&number) {
            return Err(ControlError::NumberTaken { repo: name, number });
        }
        let (head_repo, head_branch) = match new.head.split_once(':') {
            None => (name.clone(), new.head.clone()),
            Some((owner, branch)) => (self.fork_of(target, owner)?, branch.to_owned()),
        };
        let head = self.prepare_head((&head_repo, &head_branch), &base, new, act)?;
        let id = self.ids.next();
        let issue = Issue {
            id,
            number,
            title: new.title.clone(),
            body: new.body.clone(),
            user: act.login.to_owned(),
            state: IssueState::Open,
            labels: Vec::new(),
            locked: false,
            deleted: false,
            created_at: act.at,
            updated_at: act.at,
            closed_at: None,
            pull: Some(PullRequest {
                head_repo,
                head_branch,
                head,
                base_branch,
                base,
                draft: new.draft,
                merged: None,
            }),
        };
        self.repo_mut(repo)?.issues.insert(number, issue);
        for label in &new.labels {
            self.add_label(repo, number, label, act)?;
        }
        Ok(number)
    }

    /// Returns the repository in the same network that somebody owns.
    fn fork_of(&self, target: &Repository, owner: &str) -> Result<String, ControlError> {
        self.repositories
            .values()
            .find(|fork| fork.network == target.network && fork.owner.eq_ignore_ascii_case(owner))
            .map(Repository::full_name)
            .ok_or_else(|| ControlError::NoRepository(format!("{owner}/{}", target.name)))
    }

    /// Makes sure that the head branch exists and has the commit that the pull request is about.
    fn prepare_head(
        &mut self,
        (repo, branch): (&str, &str),
        base: &Sha,
        new: &NewPullRequest,
        act: Act<'_>,
    ) -> Result<Sha, ControlError> {
        let tip = self
            .repo(repo)?
            .branches
            .get(branch)
            .cloned()
            .unwrap_or_else(|| base.clone());
        if new.edits.is_empty() {
            self.move_branch(repo, branch, tip.clone(), act)?;
            return Ok(tip);
        }
        let sha = match &new.head_sha {
            None => None,
            Some(text) => Some(Sha::parse(text).ok_or_else(|| ControlError::NoCommit {
                repo: repo.to_owned(),
                reference: text.clone(),
            })?),
        };
        self.know_user(act.login);
        let parent = self
            .commits
            .get(&tip)
            .map(|commit| Tree::clone(&commit.tree));
        let mut tree = parent.unwrap_or_default();
        new.edits.apply(&mut tree);
        let network = self.repo(repo)?.network.clone();
        let head = self.commits.add(NewCommit {
            network: &network,
            sha,
            parents: vec![tip],
            message: &new.title,
            author: act.login,
            date: act.at,
            tree,
        });
        self.move_branch(repo, branch, head.clone(), act)?;
        Ok(head)
    }
}
