//! Comments on issues and pull requests.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{GitHubState, Issue, Repository, node_id, stamp};

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Ascending with age.
    pub id: u64,
    /// The issue or pull request it stands on.
    pub number: u64,
    /// The login of its author.
    pub user: String,
    /// The text, as sent.
    pub body: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last edited.
    pub updated_at: Timestamp,
}

/// The longest body of a comment, in characters (published limit).
pub(crate) const BODY_LIMIT: usize = 65_536;

impl GitHubState {
    /// Adds a comment; `None` where there is no such issue.
    pub(crate) fn add_comment(
        &mut self,
        repo: &str,
        number: u64,
        (user, body): (&str, &str),
        now: Timestamp,
    ) -> Option<&Comment> {
        self.know_user(user);
        let id = self.ids.next();
        let repository = self.repository_mut(repo)?;
        repository.issues.get_mut(&number)?.updated_at = now;
        let comment = Comment {
            id,
            number,
            user: user.to_owned(),
            body: body.to_owned(),
            created_at: now,
            updated_at: now,
        };
        Some(repository.comments.entry(id).or_insert(comment))
    }

    /// Returns the comments on an issue or pull request, oldest first.
    #[must_use]
    pub fn comments(&self, repo: &str, number: u64) -> Vec<&Comment> {
        let all = self
            .repository(repo)
            .into_iter()
            .flat_map(|repository| repository.comments.values());
        all.filter(|comment| comment.number == number).collect()
    }

    /// Returns `issue-comment`.
    ///
    /// The API names the app in `performed_via_github_app` for some tokens and `null` for others,
    /// so nobody may rely on it; here it is always `null`.
    pub(crate) fn comment_json(&self, repository: &Repository, comment: &Comment) -> Value {
        let name = repository.full_name();
        let url = format!("{}/issues/comments/{}", self.urls.repo(&name), comment.id);
        let page = repository
            .issue(comment.number)
            .map(|issue| self.issue_page(repository, issue));
        json!({
            "id": comment.id,
            "node_id": node_id("IC", comment.id),
            "url": url,
            "html_url": format!("{}#issuecomment-{}", page.unwrap_or_default(), comment.id),
            "body": comment.body,
            "user": self.user_json(&comment.user),
            "created_at": stamp(comment.created_at),
            "updated_at": stamp(comment.updated_at),
            "issue_url": format!("{}/issues/{}", self.urls.repo(&name), comment.number),
            "author_association": self.association(repository, &comment.user),
            "performed_via_github_app": null,
            "reactions": reactions(&url),
        })
    }

    /// Returns the web address of an issue or pull request.
    pub(crate) fn issue_page(&self, repository: &Repository, issue: &Issue) -> String {
        let kind = if issue.pull.is_some() {
            "pull"
        } else {
            "issues"
        };
        format!(
            "{}/{kind}/{}",
            self.urls.page(&repository.full_name()),
            issue.number
        )
    }

    /// Returns what somebody is to a repository, as `author_association`.
    pub(crate) fn association(&self, repository: &Repository, login: &str) -> &'static str {
        if login.eq_ignore_ascii_case(&repository.owner) {
            return "OWNER";
        }
        if repository.role(login).is_some() {
            let owner = self.users.get(&repository.owner).map(|owner| owner.kind);
            let organization = owner == Some(super::user::UserKind::Organization);
            return if organization {
                "MEMBER"
            } else {
                "COLLABORATOR"
            };
        }
        "NONE"
    }
}

/// Returns the reactions to something that nobody reacted to.
pub(crate) fn reactions(url: &str) -> Value {
    json!({
        "url": format!("{url}/reactions"),
        "total_count": 0, "+1": 0, "-1": 0, "laugh": 0, "hooray": 0,
        "confused": 0, "heart": 0, "rocket": 0, "eyes": 0,
    })
}
