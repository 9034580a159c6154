//! What people do around the code: labels, comments, locking, closing.

use super::control::{Act, ControlError};
use super::{Comment, GitHubState, IssueState};

impl GitHubState {
    /// Puts a label on an issue or pull request; one that the repository lacks is made.
    ///
    /// # Errors
    ///
    /// `NoRepository` and `NoIssue`.
    pub fn add_label(
        &mut self,
        repo: &str,
        number: u64,
        label: &str,
        act: Act<'_>,
    ) -> Result<(), ControlError> {
        self.know_user(act.login);
        self.issue_mut(repo, number)?.updated_at = act.at;
        let missing = || ControlError::NoRepository(repo.to_owned());
        let repository = self
            .repositories
            .get_mut(&repo.to_lowercase())
            .ok_or_else(missing)?;
        let name = repository.know_label(&mut self.ids, label);
        let issue = self.issue_mut(repo, number)?;
        if !issue.labels.contains(&name) {
            issue.labels.push(name);
        }
        Ok(())
    }

    /// Takes a label off an issue or pull request; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// `NoRepository` and `NoIssue`.
    pub fn remove_label(
        &mut self,
        repo: &str,
        number: u64,
        label: &str,
        act: Act<'_>,
    ) -> Result<(), ControlError> {
        self.know_user(act.login);
        let issue = self.issue_mut(repo, number)?;
        issue
            .labels
            .retain(|name| name.to_lowercase() != label.to_lowercase());
        issue.updated_at = act.at;
        Ok(())
    }

    /// Returns the labels of an issue or pull request, in the order they were put on.
    #[must_use]
    pub fn labels(&self, repo: &str, number: u64) -> Vec<&str> {
        let issue = self
            .repository(repo)
            .and_then(|repository| repository.issue(number));
        issue
            .map(|issue| issue.labels.iter().map(String::as_str).collect())
            .unwrap_or_default()
    }

    /// Comments on an issue or pull request as a person and returns the comment's id.
    ///
    /// # Errors
    ///
    /// `NoRepository` and `NoIssue`.
    pub fn comment(
        &mut self,
        repo: &str,
        number: u64,
        body: &str,
        act: Act<'_>,
    ) -> Result<u64, ControlError> {
        self.issue_mut(repo, number)?;
        let comment = self.add_comment(repo, number, (act.login, body), act.at);
        comment
            .map(|comment| comment.id)
            .ok_or_else(|| ControlError::NoIssue {
                repo: repo.to_owned(),
                number,
            })
    }

    /// Changes what a comment says; its author stays.
    ///
    /// # Errors
    ///
    /// `NoRepository` and `NoComment`.
    pub fn edit_comment(
        &mut self,
        repo: &str,
        id: u64,
        body: &str,
        act: Act<'_>,
    ) -> Result<(), ControlError> {
        let comment = self.comment_mut(repo, id)?;
        body.clone_into(&mut comment.body);
        comment.updated_at = act.at;
        Ok(())
    }

    /// Takes a comment away.
    ///
    /// # Errors
    ///
    /// `NoRepository` and `NoComment`.
    pub fn delete_comment(&mut self, repo: &str, id: u64) -> Result<(), ControlError> {
        self.comment_mut(repo, id)?;
        self.repo_mut(repo)?.comments.remove(&id);
        Ok(())
    }

    fn comment_mut(&mut self, repo: &str, id: u64) -> Result<&mut Comment, ControlError> {
        let missing = ControlError::NoComment {
            repo: repo.to_owned(),
            id,
        };
        self.repo_mut(repo)?.comments.get_mut(&id).ok_or(missing)
    }

    /// Locks a conversation: comments on it are refused from now on.
    ///
    /// # Errors
    ///
    /// `NoRepository` and `NoIssue`.
    pub fn lock(&mut self, repo: &str, number: u64) -> Result<(), ControlError> {
        self.issue_mut(repo, number)?.locked = true;
        Ok(())
    }

    /// Deletes an issue: calls for it answer 410 from now on.
    ///
    /// # Errors
    ///
    /// `NoRepository` and `NoIssue`.
    pub fn delete_issue(&mut self, repo: &str, number: u64) -> Result<(), ControlError> {
        self.issue_mut(repo, number)?.deleted = true;
        Ok(())
    }

    /// Closes an issue or pull request without merging it.
    ///
    /// # Errors
    ///
    /// `NoRepository` and `NoIssue`.
    pub fn close(&mut self, repo: &str, number: u64, act: Act<'_>) -> Result<(), ControlError> {
        self.know_user(act.login);
        let issue = self.issue_mut(repo, number)?;
        issue.state = IssueState::Closed;
        issue.closed_at = Some(act.at);
        issue.updated_at = act.at;
        Ok(())
    }
}
