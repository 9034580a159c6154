//! What all of an Action's errands share: the surroundings, the inputs, the repository.

use super::inputs::Asked;
use super::repository;
use crate::host::Host;
use crate::publish::Publisher;
use crate::publish::console::Console;
use crate::wiring::{self, chain};
use github::actions::RunnerEnvironment;
use github::{GitHub, PullNumber, RepoInfo, RepoName, Timing, Visibility};
use migration::{Links, MigrationId, Reason, Redactor, Refusal};
use std::time::Duration;

/// How long GitHub is waited for in the post step, of whose four minutes the app gets what is left.
const GITHUB_IN_POST: Duration = Duration::from_secs(5);

/// What a step was given.
pub(crate) struct Given {
    pub(crate) asked: Asked,
    pub(crate) environment: RunnerEnvironment,
    pub(crate) redactor: Redactor,
}

/// One run of the Action.
pub(crate) struct Work<'h> {
    pub(crate) host: &'h Host,
    pub(crate) asked: Asked,
    pub(crate) environment: RunnerEnvironment,
    pub(crate) publisher: Publisher,
    pub(crate) redactor: Redactor,
    pub(crate) info: RepoInfo,
    pub(crate) run_url: Option<String>,
}

impl<'h> Work<'h> {
    /// Returns a run that knows its repository.
    ///
    /// # Errors
    /// A [`Refusal`] when the runner's variables or the token are not usable, or GitHub does not show the repository.
    pub(crate) async fn open(
        host: &'h Host,
        given: Given,
        console: Console,
    ) -> Result<Self, Refusal> {
        let mut github = client(host, &given)?;
        // A person's token writes comments under a name of its own, by which they are found again.
        if let Ok(Some(login)) = github.login_of_token().await {
            github = github.with_own_login(login);
        }
        let info = github
            .repo()
            .await
            .map_err(|error| repository::refusal(&error))?;
        Ok(Self::new(host, given, console, github, info))
    }

    /// Returns a run that puts the app back whether GitHub answers or not.
    ///
    /// # Errors
    /// A [`Refusal`] when the runner's variables or the token are not usable.
    pub(crate) async fn open_for_post(
        host: &'h Host,
        given: Given,
        console: Console,
    ) -> Result<Self, Refusal> {
        let once = Timing {
            attempts: 1,
            read_deadline: GITHUB_IN_POST,
            write_deadline: GITHUB_IN_POST,
            ..Timing::default()
        };
        let mut github = client(host, &given)?.with_timing(once);
        if let Ok(Some(login)) = github.login_of_token().await {
            github = github.with_own_login(login);
        }
        let info = github.repo().await.unwrap_or_else(|_| RepoInfo {
            visibility: Visibility::Other(String::new()),
            default_branch: given
                .environment
                .git_ref()
                .and_then(|of| of.strip_prefix("refs/heads/"))
                .unwrap_or("main")
                .to_owned(),
            id: None,
        });
        Ok(Self::new(host, given, console, github, info))
    }

    fn new(host: &'h Host, given: Given, console: Console, github: GitHub, info: RepoInfo) -> Self {
        let Given {
            asked,
            environment,
            redactor,
        } = given;
        let run_url = environment.run_url().ok();
        let publisher = Publisher::new(
            console,
            github,
            environment.clone(),
            host.random,
            redactor.clone(),
        );
        Self {
            host,
            asked,
            environment,
            publisher,
            redactor,
            info,
            run_url,
        }
    }

    pub(crate) fn github(&self) -> &GitHub {
        &self.publisher.github
    }

    pub(crate) fn repo(&self) -> &RepoName {
        self.github().repo_name()
    }

    pub(crate) fn console(&self) -> &Console {
        &self.publisher.console
    }

    /// Returns the page of a pull request, made of its number and nothing else.
    pub(crate) fn pull_url(&self, pull: PullNumber) -> String {
        let server = self.environment.server_url();
        let server = server.as_ref().map_or("https://github.com", |url| {
            url.as_str().trim_end_matches('/')
        });
        format!("{server}/{}/pull/{pull}", self.repo())
    }

    /// Returns the addresses and commands of a report about `migration` on `branch`.
    pub(crate) fn links(
        &self,
        branch: &str,
        migration: Option<&MigrationId>,
        pull: Option<PullNumber>,
    ) -> Links {
        Links {
            run: self.run_url.clone(),
            log: self.run_url.clone(),
            pull_request: pull.map(|pull| self.pull_url(pull)),
            retry_command: migration.map(|id| self.dispatch(branch, "retry", Some(id))),
            reap_command: Some(self.dispatch(branch, "reap", None)),
            ..Links::default()
        }
    }

    /// Returns the command that starts this workflow by hand.
    pub(crate) fn dispatch(
        &self,
        branch: &str,
        mode: &str,
        migration: Option<&MigrationId>,
    ) -> String {
        let (repo, workflow) = (self.repo(), self.workflow());
        let migration = migration
            .map(|id| format!(" -f migration={id}"))
            .unwrap_or_default();
        // All else is of a checked form; a branch's name may hold what a shell obeys.
        let branch = shlex::try_quote(branch).unwrap_or_default();
        format!("gh workflow run {workflow} --repo {repo} --ref {branch} -f mode={mode}{migration}")
    }

    /// Returns the file name of the workflow that runs, from `owner/name/.github/workflows/FILE@REF`.
    fn workflow(&self) -> String {
        let path = self
            .host
            .var("GITHUB_WORKFLOW_REF")
            .and_then(|of| of.split('@').next());
        let file = path
            .and_then(|path| path.rsplit('/').next())
            .unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !file.is_empty() && file.bytes().all(plain) {
            file.to_owned()
        } else {
            "migrate.yml".to_owned()
        }
    }
}

/// Returns the way to GitHub. Nothing is sent.
///
/// # Errors
/// A [`Refusal`] that names the variable at fault.
fn client(host: &Host, given: &Given) -> Result<GitHub, Refusal> {
    let repo = given
        .environment
        .repository()
        .map_err(|error| Refusal::new(Reason::Usage, chain(&error), ""))?;
    wiring::github(host, repo, given.asked.choices.pace)?.ok_or_else(|| {
        Refusal::new(
            Reason::MissingPermission,
            "there is no GitHub token: the input `github-token` is empty",
            "Leave the input out, so that the workflow's own token is used, or pass `${{ github.token }}`.",
        )
    })
}
