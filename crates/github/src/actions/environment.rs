//! The runner's default variables, as far as Harbor Pilot reads them.
//!
//! Only the variables named here are kept, so that nothing secret that happens to be in the
//! environment ends up in this value's `Debug`. What the values are used for is the caller's
//! business.

use std::collections::BTreeMap;
use std::path::PathBuf;

use url::Url;

use crate::id::{IdError, RepoName, Sha};

/// A variable that is needed and not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// It is not set, or empty.
    #[error("the variable `{name}` is not set; the runner sets it for every action")]
    Missing {
        /// The variable.
        name: &'static str,
    },
    /// It does not name what it should.
    #[error("the variable `{name}` is not usable")]
    BadId {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        source: IdError,
    },
    /// It is not an address.
    #[error("the variable `{name}` is not an address")]
    BadUrl {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        source: url::ParseError,
    },
    /// It is not a number.
    #[error("the variable `{name}` is not a number")]
    BadNumber {
        /// The variable.
        name: &'static str,
    },
}

/// The variables that are kept.
const KEPT: &[&str] = &[
    "GITHUB_ACTIONS",
    "GITHUB_ACTOR",
    "GITHUB_API_URL",
    "GITHUB_EVENT_NAME",
    "GITHUB_EVENT_PATH",
    "GITHUB_JOB",
    "GITHUB_OUTPUT",
    "GITHUB_REF",
    "GITHUB_REPOSITORY",
    "GITHUB_RUN_ATTEMPT",
    "GITHUB_RUN_ID",
    "GITHUB_SERVER_URL",
    "GITHUB_SHA",
    "GITHUB_STATE",
    "GITHUB_STEP_SUMMARY",
    "GITHUB_WORKFLOW",
    "RUNNER_DEBUG",
    "RUNNER_TEMP",
];

/// What the runner tells about itself and the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunnerEnvironment(BTreeMap<&'static str, String>);

impl RunnerEnvironment {
    /// Picks the runner's variables out of all environment variables.
    pub fn from_vars<V>(vars: V) -> Self
    where
        V: IntoIterator<Item = (String, String)>,
    {
        Self(
            vars.into_iter()
                .filter(|(_, value)| !value.is_empty())
                .filter_map(|(name, value)| {
                    let kept = KEPT.iter().find(|kept| **kept == name)?;
                    Some((*kept, value))
                })
                .collect(),
        )
    }

    fn text(&self, name: &'static str) -> Result<&str, EnvironmentError> {
        self.optional(name)
            .ok_or(EnvironmentError::Missing { name })
    }

    fn optional(&self, name: &'static str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn number(&self, name: &'static str) -> Result<u64, EnvironmentError> {
        self.text(name)?
            .parse()
            .map_err(|_not_a_number: std::num::ParseIntError| EnvironmentError::BadNumber { name })
    }

    fn url(&self, name: &'static str) -> Result<Url, EnvironmentError> {
        Url::parse(self.text(name)?).map_err(|source| EnvironmentError::BadUrl { name, source })
    }

    /// Returns whether a runner started this process (`GITHUB_ACTIONS`).
    #[must_use]
    pub fn is_actions(&self) -> bool {
        self.optional("GITHUB_ACTIONS") == Some("true")
    }

    /// Returns whether the run was started with debug logging (`RUNNER_DEBUG`).
    #[must_use]
    pub fn is_debug(&self) -> bool {
        self.optional("RUNNER_DEBUG") == Some("1")
    }

    /// Returns the name of the event (`GITHUB_EVENT_NAME`).
    ///
    /// # Errors
    ///
    /// [`EnvironmentError::Missing`].
    pub fn event_name(&self) -> Result<&str, EnvironmentError> {
        self.text("GITHUB_EVENT_NAME")
    }

    /// Returns the file with the event's payload (`GITHUB_EVENT_PATH`).
    ///
    /// # Errors
    ///
    /// [`EnvironmentError::Missing`].
    pub fn event_path(&self) -> Result<PathBuf, EnvironmentError> {
        self.text("GITHUB_EVENT_PATH").map(PathBuf::from)
    }

    /// Returns the repository whose workflow runs (`GITHUB_REPOSITORY`).
    ///
    /// # Errors
    ///
    /// [`EnvironmentError::Missing`], [`EnvironmentError::BadId`].
    pub fn repository(&self) -> Result<RepoName, EnvironmentError> {
        let name = "GITHUB_REPOSITORY";
        RepoName::parse(self.text(name)?).map_err(|source| EnvironmentError::BadId { name, source })
    }

    /// Returns the commit that started the run (`GITHUB_SHA`); the same in every attempt.
    ///
    /// # Errors
    ///
    /// [`EnvironmentError::Missing`], [`EnvironmentError::BadId`].
    pub fn sha(&self) -> Result<Sha, EnvironmentError> {
        let name = "GITHUB_SHA";
        Sha::parse(self.text(name)?).map_err(|source| EnvironmentError::BadId { name, source })
    }

    /// Returns the full ref that started the run (`GITHUB_REF`), such as `refs/heads/main`.
    #[must_use]
    pub fn git_ref(&self) -> Option<&str> {
        self.optional("GITHUB_REF")
    }

    /// Returns the number of the run (`GITHUB_RUN_ID`); the same in every attempt.
    ///
    /// # Errors
    ///
    /// [`EnvironmentError::Missing`], [`EnvironmentError::BadNumber`].
    pub fn run_id(&self) -> Result<u64, EnvironmentError> {
        self.number("GITHUB_RUN_ID")
    }

    /// Returns the attempt (`GITHUB_RUN_ATTEMPT`), counted from 1; 1 when it is not told.
    #[must_use]
    pub fn run_attempt(&self) -> u64 {
        self.number("GITHUB_RUN_ATTEMPT").unwrap_or(1)
    }

    /// Returns the address of GitHub's pages (`GITHUB_SERVER_URL`).
    ///
    /// # Errors
    ///
    /// [`EnvironmentError::Missing`], [`EnvironmentError::BadUrl`].
    pub fn server_url(&self) -> Result<Url, EnvironmentError> {
        self.url("GITHUB_SERVER_URL")
    }

    /// Returns the address of GitHub's API (`GITHUB_API_URL`).
    ///
    /// # Errors
    ///
    /// [`EnvironmentError::Missing`], [`EnvironmentError::BadUrl`].
    pub fn api_url(&self) -> Result<Url, EnvironmentError> {
        self.url("GITHUB_API_URL")
    }

    /// Returns who started the run (`GITHUB_ACTOR`).
    #[must_use]
    pub fn actor(&self) -> Option<&str> {
        self.optional("GITHUB_ACTOR")
    }

    /// Returns the workflow's name (`GITHUB_WORKFLOW`).
    #[must_use]
    pub fn workflow(&self) -> Option<&str> {
        self.optional("GITHUB_WORKFLOW")
    }

    /// Returns the job's id within the workflow (`GITHUB_JOB`).
    #[must_use]
    pub fn job(&self) -> Option<&str> {
        self.optional("GITHUB_JOB")
    }

    /// Returns the file that takes outputs (`GITHUB_OUTPUT`).
    #[must_use]
    pub fn output_path(&self) -> Option<PathBuf> {
        self.optional("GITHUB_OUTPUT").map(PathBuf::from)
    }

    /// Returns the file that takes state for the post step (`GITHUB_STATE`).
    #[must_use]
    pub fn state_path(&self) -> Option<PathBuf> {
        self.optional("GITHUB_STATE").map(PathBuf::from)
    }

    /// Returns the file that takes the summary (`GITHUB_STEP_SUMMARY`).
    #[must_use]
    pub fn summary_path(&self) -> Option<PathBuf> {
        self.optional("GITHUB_STEP_SUMMARY").map(PathBuf::from)
    }

    /// Returns a folder that lasts for this job (`RUNNER_TEMP`).
    #[must_use]
    pub fn temp_dir(&self) -> Option<PathBuf> {
        self.optional("RUNNER_TEMP").map(PathBuf::from)
    }

    /// Returns the page of this attempt of the run.
    ///
    /// # Errors
    ///
    /// Those of [`server_url`](Self::server_url), [`repository`](Self::repository) and
    /// [`run_id`](Self::run_id).
    pub fn run_url(&self) -> Result<String, EnvironmentError> {
        Ok(format!(
            "{}/{}/actions/runs/{}/attempts/{}",
            self.server_url()?.as_str().trim_end_matches('/'),
            self.repository()?,
            self.run_id()?,
            self.run_attempt(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(vars: &[(&str, &str)]) -> RunnerEnvironment {
        RunnerEnvironment::from_vars(
            vars.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn the_run_page_names_the_attempt() {
        let environment = environment(&[
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "acme/shop"),
            ("GITHUB_RUN_ID", "9001"),
            ("GITHUB_RUN_ATTEMPT", "2"),
        ]);
        assert_eq!(
            environment.run_url().unwrap(),
            "https://github.com/acme/shop/actions/runs/9001/attempts/2"
        );
    }

    #[test]
    fn an_error_names_the_variable() {
        let environment = environment(&[
            ("GITHUB_SHA", ""),
            ("GITHUB_RUN_ID", "x"),
            ("GITHUB_REPOSITORY", "shop"),
            ("GITHUB_API_URL", "api"),
        ]);
        let error = environment.sha().unwrap_err();
        assert_eq!(error, EnvironmentError::Missing { name: "GITHUB_SHA" });
        assert_eq!(
            error.to_string(),
            "the variable `GITHUB_SHA` is not set; the runner sets it for every action"
        );
        assert!(environment.run_id().is_err());
        assert!(environment.repository().is_err());
        assert!(environment.api_url().is_err());
        assert_eq!(environment.run_attempt(), 1);
    }

    #[test]
    fn variables_that_are_not_the_runners_are_not_kept() {
        let environment = environment(&[
            ("GITHUB_TOKEN", "ghs_canary"),
            ("INPUT_TOKEN", "canary"),
            ("GITHUB_ACTIONS", "true"),
            ("RUNNER_DEBUG", "1"),
        ]);
        assert!(environment.is_actions() && environment.is_debug());
        assert!(!format!("{environment:?}").contains("canary"));
    }
}
