//! One comment per subject on a pull request, edited in place.
//!
//! A comment is found by a marker *and* by its author. The marker alone proves nothing: anybody
//! can write it. The author must be the login set with
//! [`GitHub::with_own_login`] (for a workflow's `GITHUB_TOKEN` that is `github-actions[bot]`, the
//! default) or the one that GitHub named when this very client made a comment. GitHub has no call
//! that tells an App's token its own name, hence the setting; for a person's token,
//! [`GitHub::login_of_token`] asks.
//!
//! A comment is a view. Nothing is ever decided by what one says.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::client::{Call, GitHub};
use crate::error::{Effect, Error, ErrorKind, Permission};
use crate::id::{CommentId, PullNumber};
use crate::markdown::{Fences, Place};
use crate::wire::Account;

/// The longest comment that GitHub takes, in characters. Observed as a 422 "Body is too long
/// (maximum is 65536 characters)"; not in the API description.
pub const COMMENT_CHARS: usize = 65_536;

/// How many pages of a hundred comments are searched for ours. Ours is made early in a pull
/// request's life, and GitHub lists the oldest first.
const COMMENT_PAGES: u32 = 10;

/// A comment of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentRef {
    /// Its id.
    pub id: CommentId,
    /// Its place on the page of the pull request.
    pub html_url: String,
}

/// A comment of ours that was found by its marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The oldest one.
    pub comment: CommentRef,
    /// What it says.
    pub body: String,
    /// Younger comments of ours with the same marker, left by a creation that was carried out
    /// twice.
    pub duplicates: Vec<CommentId>,
}

#[derive(Deserialize)]
struct WireComment {
    id: CommentId,
    #[serde(default)]
    html_url: String,
    body: Option<String>,
    user: Option<Account>,
}

impl WireComment {
    fn author(&self) -> Option<&str> {
        self.user.as_ref()?.login.as_deref()
    }

    fn says(&self, body: &str) -> bool {
        self.body
            .as_deref()
            .is_some_and(|own| normal(own) == normal(body))
    }

    fn into_ref(self) -> CommentRef {
        CommentRef {
            id: self.id,
            html_url: self.html_url,
        }
    }
}

/// Returns a body as GitHub may give it back: with other line ends, without trailing space.
fn normal(body: &str) -> String {
    body.replace("\r\n", "\n").trim().to_owned()
}

/// Returns whether a body carries the marker as a line of its own, outside code blocks, where
/// the job's log could have put it.
fn carries(body: &str, marker: &str) -> bool {
    let mut fences = Fences::default();
    body.lines()
        .any(|line| fences.place(line) == Place::Text && line.trim() == marker.trim())
}

impl GitHub {
    /// Finds our comment with this marker, which must be one line of its body.
    ///
    /// Searches the thousand oldest comments.
    ///
    /// # Errors
    ///
    /// Those of a read; [`ErrorKind::Gone`] when the conversation was deleted.
    pub async fn find(&self, issue: PullNumber, marker: &str) -> Result<Option<Found>, Error> {
        let mut own: Vec<WireComment> = self
            .comments(issue)
            .await?
            .into_iter()
            .filter(|comment| {
                comment
                    .author()
                    .is_some_and(|login| self.is_own_login(login))
                    && comment
                        .body
                        .as_deref()
                        .is_some_and(|body| carries(body, marker))
            })
            .collect();
        own.sort_by_key(|comment| comment.id);
        let mut own = own.into_iter();
        let Some(oldest) = own.next() else {
            return Ok(None);
        };
        Ok(Some(Found {
            duplicates: own.map(|comment| comment.id).collect(),
            body: oldest.body.clone().unwrap_or_default(),
            comment: oldest.into_ref(),
        }))
    }

    /// Makes our comment say `body`: edits it where it exists, creates it where it does not,
    /// sends nothing when it says so already, and deletes our own duplicates.
    ///
    /// `body` must hold `marker` as a line of its own, or it will not be found again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLong`] beyond [`COMMENT_CHARS`], before anything is sent;
    /// [`ErrorKind::MissingPermission`] without `pull-requests: write`; [`ErrorKind::Locked`],
    /// [`ErrorKind::Gone`] and [`ErrorKind::NotFound`] for the conversation.
    ///
    /// # Cancel safety
    ///
    /// Dropped halfway, it may leave a comment behind that the next call finds.
    pub async fn upsert(
        &self,
        issue: PullNumber,
        marker: &str,
        body: &str,
    ) -> Result<CommentRef, Error> {
        if body.chars().count() > COMMENT_CHARS {
            return Err(Error::new(
                self.on_issue("comment on", issue),
                Effect::Create,
                ErrorKind::TooLong {
                    limit_chars: COMMENT_CHARS,
                },
            ));
        }
        let Some(found) = self.find(issue, marker).await? else {
            return self.create_comment(issue, body).await;
        };
        for duplicate in &found.duplicates {
            self.delete_duplicate(*duplicate).await;
        }
        if normal(&found.body) == normal(body) {
            return Ok(found.comment);
        }
        match self.edit_comment(issue, found.comment.id, body).await {
            // Deleted by somebody since we looked.
            Err(error) if error.is_absence() => self.create_comment(issue, body).await,
            settled => settled,
        }
    }

    async fn comments(&self, issue: PullNumber) -> Result<Vec<WireComment>, Error> {
        let call = Call::get(
            self.path(&format!("/issues/{issue}/comments")),
            Permission::PullRequestsRead,
            self.on_issue("read the comments of", issue),
        );
        Ok(self.pages(call, COMMENT_PAGES).await?.items)
    }

    async fn create_comment(&self, issue: PullNumber, body: &str) -> Result<CommentRef, Error> {
        let call = self.comment_limits(Call::create(
            self.path(&format!("/issues/{issue}/comments")),
            json!({ "body": body }),
            Permission::PullRequestsWrite,
            self.on_issue("comment on", issue),
        ));
        let made = self
            .create_once(
                || self.json::<WireComment>(&call),
                // By its text, not by its author: the author may not be known yet.
                || async {
                    let comments = self.comments(issue).await?;
                    Ok(comments
                        .into_iter()
                        .rev()
                        .find(|comment| comment.says(body)))
                },
            )
            .await?;
        if let Some(login) = made.author() {
            self.learn_login(login);
        }
        Ok(made.into_ref())
    }

    async fn edit_comment(
        &self,
        issue: PullNumber,
        id: CommentId,
        body: &str,
    ) -> Result<CommentRef, Error> {
        let call = self.comment_limits(Call::set(
            Method::PATCH,
            self.path(&format!("/issues/comments/{id}")),
            Some(json!({ "body": body })),
            Permission::PullRequestsWrite,
            self.on_issue("edit our comment on", issue),
        ));
        Ok(self.json::<WireComment>(&call).await?.into_ref())
    }

    /// A duplicate that stays does no harm, so its failure is told and passed over.
    async fn delete_duplicate(&self, id: CommentId) {
        let call = Call::set(
            Method::DELETE,
            self.path(&format!("/issues/comments/{id}")),
            None,
            Permission::PullRequestsWrite,
            format!(
                "delete the duplicate comment {id} in `{}`",
                self.repo_name()
            ),
        );
        match self.send(&call).await {
            Ok(_) => {}
            Err(error) if error.is_absence() => {}
            Err(error) => tracing::warn!(kind = %error.kind(), "{error}"),
        }
    }

    fn comment_limits(&self, call: Call) -> Call {
        Call {
            limit_chars: COMMENT_CHARS,
            ..call
        }
    }

    fn on_issue(&self, doing: &str, issue: PullNumber) -> String {
        format!("{doing} #{issue} of `{}`", self.repo_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: &str = "<!-- harbor-pilot v1 key=k3f9q2x7 -->";

    #[test]
    fn a_marker_counts_only_as_a_line_outside_code() {
        assert!(carries(&format!("{MARKER}\nhello"), MARKER));
        assert!(carries(&format!("hello\r\n{MARKER}\r\n"), MARKER));
        assert!(!carries(&format!("hello {MARKER}"), MARKER));
        assert!(!carries(&format!("````\n```\n{MARKER}\n````\n"), MARKER));
        assert!(!carries(&format!("> {MARKER}"), MARKER));
    }
}
