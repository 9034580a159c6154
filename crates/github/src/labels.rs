//! Labels of the repository and of its pull requests.
//!
//! Labels are a display and a request, never a record: anybody with triage rights changes them.

use http::Method;
use serde_json::json;

use crate::client::{Call, GitHub};
use crate::error::{Error, ErrorKind, Permission};
use crate::id::PullNumber;
use crate::wire::segment;

/// A label as it should exist in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its name, at most 50 characters.
    pub name: String,
    /// Its colour: six hexadecimal digits without `#`.
    pub color: String,
    /// What it says, at most 100 characters.
    pub description: String,
}

impl GitHub {
    /// Makes the label unless one of that name exists; an existing one keeps its looks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingPermission`] without `pull-requests: write`.
    pub async fn ensure_label(&self, label: &Label) -> Result<(), Error> {
        let look = Call::get(
            self.path(&format!("/labels/{}", segment(&label.name))),
            Permission::PullRequestsRead,
            format!("read the label `{}` of `{}`", label.name, self.repo_name()),
        );
        match self.send(&look).await {
            Ok(_) => return Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
        // A label's name is unique, so that a repeated creation is refused and changes nothing.
        let make = Call::set(
            Method::POST,
            self.path("/labels"),
            Some(json!({
                "name": label.name,
                "color": label.color,
                "description": label.description,
            })),
            Permission::PullRequestsWrite,
            format!(
                "create the label `{}` in `{}`",
                label.name,
                self.repo_name()
            ),
        );
        match self.send(&make).await {
            Ok(_) => Ok(()),
            Err(error) if is_already_there(error.kind()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Puts labels on a pull request; those it has already stay.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingPermission`] without `pull-requests: write`.
    pub async fn add_labels(&self, pull: PullNumber, names: &[&str]) -> Result<(), Error> {
        if names.is_empty() {
            return Ok(());
        }
        let call = Call::set(
            Method::POST,
            self.path(&format!("/issues/{pull}/labels")),
            Some(json!({ "labels": names })),
            Permission::PullRequestsWrite,
            format!("label #{pull} of `{}`", self.repo_name()),
        );
        self.send(&call).await.map(drop)
    }

    /// Takes a label off a pull request; one that is not on it is fine.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingPermission`] without `pull-requests: write`.
    pub async fn remove_label(&self, pull: PullNumber, name: &str) -> Result<(), Error> {
        let call = Call::set(
            Method::DELETE,
            self.path(&format!("/issues/{pull}/labels/{}", segment(name))),
            None,
            Permission::PullRequestsWrite,
            format!(
                "take the label `{name}` off #{pull} of `{}`",
                self.repo_name()
            ),
        );
        match self.send(&call).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_absence() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn is_already_there(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Refused { status: 422, message } if message.contains("already_exists"))
}
