//! Merging pull requests, one at a time or several in one push as a merge queue does.

use super::control::{Act, ControlError, MergeMethod, Pushed};
use super::pull::Merged;
use super::{GitHubState, Issue, IssueState, PullRequest, Sha, Tree, diff};

/// A merge that is worked out but not yet written down.
struct Planned {
    number: u64,
    base: Sha,
    merged: Merged,
}

impl GitHubState {
    /// Merges a pull request into its base branch.
    ///
    /// # Errors
    ///
    /// `NoRepository`, `NoIssue`, `NotMergeable` and `Conflict`; nothing has changed then.
    pub fn merge(
        &mut self,
        repo: &str,
        number: u64,
        method: MergeMethod,
        act: Act<'_>,
    ) -> Result<Pushed, ControlError> {
        self.merge_queue(repo, &[number], method, act)
    }

    /// Merges several pull requests into the same branch, in order, with a single push.
    ///
    /// # Errors
    ///
    /// As [`GitHubState::merge`], and `NothingToMerge`.
    pub fn merge_queue(
        &mut self,
        repo: &str,
        numbers: &[u64],
        method: MergeMethod,
        act: Act<'_>,
    ) -> Result<Pushed, ControlError> {
        self.know_user(act.login);
        let mut tip: Option<(String, Sha)> = None;
        let mut planned = Vec::new();
        for number in numbers.iter().copied() {
            let (issue, pull) = self.mergeable(repo, number)?;
            let (branch, onto) = match tip {
                None => (
                    pull.base_branch.clone(),
                    self.head(repo, &pull.base_branch)?,
                ),
                Some(tip) => tip,
            };
            if branch != pull.base_branch {
                return Err(ControlError::NotMergeable {
                    number,
                    why: "it is for another branch",
                });
            }
            let commit = self.land(repo, (&issue, &pull), &onto, (method, act))?;
            let landed = self
                .commits
                .between(&onto, &commit)
                .into_iter()
                .map(|one| one.sha.clone())
                .collect();
            let merged = Merged {
                at: act.at,
                by: act.login.to_owned(),
                commit: commit.clone(),
                landed,
            };
            planned.push(Planned {
                number,
                base: onto,
                merged,
            });
            tip = Some((branch, commit));
        }
        let Some((branch, after)) = tip else {
            return Err(ControlError::NothingToMerge);
        };
        for Planned {
            number,
            base,
            merged,
        } in planned
        {
            let issue = self.issue_mut(repo, number)?;
            issue.state = IssueState::Closed;
            issue.closed_at = Some(act.at);
            issue.updated_at = act.at;
            if let Some(pull) = &mut issue.pull {
                pull.base = base;
                pull.merged = Some(merged);
            }
        }
        self.move_branch(repo, &branch, after, act)
    }

    fn mergeable(&self, repo: &str, number: u64) -> Result<(Issue, PullRequest), ControlError> {
        let missing = ControlError::NoIssue {
            repo: repo.to_owned(),
            number,
        };
        let issue = self.repo(repo)?.issue(number).ok_or(missing)?;
        let refuse = |why| Err(ControlError::NotMergeable { number, why });
        match &issue.pull {
            None => refuse("it is not a pull request"),
            Some(pull) if pull.merged.is_some() => refuse("it is merged already"),
            Some(_) if issue.state == IssueState::Closed => refuse("it is closed"),
            Some(pull) if pull.draft => refuse("it is a draft"),
            Some(pull) => Ok((issue.clone(), pull.clone())),
        }
    }

    /// Makes the commits that merging adds and returns the last.
    fn land(
        &mut self,
        repo: &str,
        (issue, pull): (&Issue, &PullRequest),
        onto: &Sha,
        (method, act): (MergeMethod, Act<'_>),
    ) -> Result<Sha, ControlError> {
        let number = issue.number;
        let conflict = |paths| ControlError::Conflict { number, paths };
        let tree = self.merged_tree(onto, &pull.head).map_err(conflict)?;
        let messages: Vec<String> = self
            .commits
            .between(onto, &pull.head)
            .into_iter()
            .map(|commit| commit.message.clone())
            .collect();
        match method {
            MergeMethod::Merge => {
                let (owner, _) = pull.head_repo.split_once('/').unwrap_or_default();
                let branch = &pull.head_branch;
                let message = format!(
                    "Merge pull request #{number} from {owner}/{branch}\n\n{}",
                    issue.title
                );
                self.add_commit(
                    repo,
                    vec![onto.clone(), pull.head.clone()],
                    (tree, &message),
                    act,
                )
            }
            MergeMethod::Squash => {
                let mut message = format!("{} (#{number})", issue.title);
                if messages.len() > 1 {
                    let list: Vec<String> = messages.iter().map(|one| format!("* {one}")).collect();
                    message = format!("{message}\n\n{}", list.join("\n\n"));
                }
                let act = Act {
                    login: &issue.user,
                    ..act
                };
                self.add_commit(repo, vec![onto.clone()], (tree, &message), act)
            }
            MergeMethod::Rebase => self.replay(repo, (number, &pull.head), onto, act),
        }
    }

    fn replay(
        &mut self,
        repo: &str,
        (number, head): (u64, &Sha),
        onto: &Sha,
        act: Act<'_>,
    ) -> Result<Sha, ControlError> {
        let commits: Vec<_> = self
            .commits
            .between(onto, head)
            .into_iter()
            .cloned()
            .collect();
        let empty = Tree::new();
        let mut tip = onto.clone();
        // A rebase leaves merge commits out: what they brought is on the base branch.
        for commit in commits.iter().filter(|commit| commit.parents.len() < 2) {
            let parent = commit.parents.first().and_then(|sha| self.commits.get(sha));
            let before = parent.map_or(&empty, |parent| &parent.tree);
            let current = self
                .commits
                .get(&tip)
                .map_or(&empty, |current| &current.tree);
            let tree = diff::merge(before, current, &commit.tree)
                .map_err(|paths| ControlError::Conflict { number, paths })?;
            let act = Act {
                login: &commit.author,
                ..act
            };
            tip = self.add_commit(repo, vec![tip], (tree, &commit.message), act)?;
        }
        Ok(tip)
    }
}
