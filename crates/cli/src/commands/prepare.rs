//! What `plan`, `check` and `run` share: from arguments to a request about an app that is there.

use crate::args::{AgainArgs, SubjectArgs};
use crate::choices::Choices;
use crate::desk::Desk;
use crate::hint::{self, Typed};
use crate::ledger::file::FileLedger;
use crate::ledger::github::GitHubLedger;
use crate::lineage::GitHubLineage;
use crate::progress;
use crate::settings::{self, Sources};
use crate::wiring::{self, Access, Found, chain};
use app_spec::CommitSha;
use github::RepoName;
use migration::{
    Authority, Config, Intent, Key, Manifest, MigrationId, Nonce, Origin, Reason, Refusal, Request,
    Reviewed,
};
use runner::{Ended, Harbor, Ledger, Lineage, NoLineage};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A request with everything that it takes to carry it out.
pub(super) struct Prepared {
    pub(super) access: Access,
    pub(super) found: Found,
    pub(super) request: Request,
    pub(super) record: Record,
    pub(super) log_folder: Option<PathBuf>,
    pub(super) typed: Typed,
}

/// Where claims and verdicts of a call of the command line stand.
pub(super) enum Record {
    /// In a folder of this machine, for those who use it.
    File(FileLedger),
    /// With GitHub, where the Action's stand, too.
    GitHub(Box<(GitHubLedger, GitHubLineage)>),
}

impl Record {
    /// Returns the one that the call can use: GitHub where it names a repository and has a token for it.
    async fn of(
        desk: &Desk<'_>,
        subject: &SubjectArgs,
        found: &Found,
        pace: Option<f64>,
    ) -> Result<Self, Refusal> {
        let host = desk.host;
        if let Some(repository) = &subject.repository {
            let repo = RepoName::parse(repository)
                .map_err(|error| settings::bad("repository", repository, &chain(&error)))?;
            if let Some(github) = wiring::github(host, repo, pace)? {
                let info = desk.unless_stopped(github.repo()).await?.map_err(|error| {
                    Refusal::new(
                        Reason::LedgerUnreachable,
                        chain(&error),
                        "The record of what ran is kept with that repository. Give GITHUB_TOKEN `contents: read` and \
                         `deployments: write`, or leave `--repository` out to keep the record in a folder.",
                    )
                })?;
                let lineage = GitHubLineage::new(github.clone());
                let app = found.app.spec.name();
                let ledger = GitHubLedger::new(github, app, &info.default_branch, None);
                return Ok(Self::GitHub(Box::new((ledger, lineage))));
            }
        }
        let state = wiring::state_folder(host, subject.state_dir.as_deref())?;
        let ledger = FileLedger::new(&state, &found.app.id, found.clock)
            .map_err(|error| Refusal::new(Reason::LedgerUnreachable, chain(&error), ""))?;
        Ok(Self::File(ledger))
    }

    fn ledger(&self) -> Arc<dyn Ledger> {
        match self {
            Self::File(ledger) => Arc::new(ledger.clone()),
            Self::GitHub(both) => Arc::new(both.0.clone()),
        }
    }

    fn lineage(&self) -> Arc<dyn Lineage> {
        match self {
            Self::File(_) => Arc::new(NoLineage),
            Self::GitHub(both) => Arc::new(both.1.clone()),
        }
    }

    /// Returns what a person should know about it before a run.
    pub(super) fn note(&self) -> Option<String> {
        match self {
            Self::File(ledger) => Some(hint::per_folder(ledger.path())),
            Self::GitHub(_) => None,
        }
    }
}

/// What is asked for.
pub(super) struct Asked<'a> {
    pub(super) subject: &'a SubjectArgs,
    pub(super) again: AgainArgs,
    pub(super) checks_only: bool,
    pub(super) choices: Choices,
}

/// Reads files and the app, and settles everything. Reads of the platform only.
pub(super) async fn prepare(desk: &mut Desk<'_>, asked: Asked<'_>) -> Result<Prepared, Refusal> {
    let host = desk.host;
    let Asked {
        subject,
        again,
        checks_only,
        choices,
    } = asked;
    desk.result_file.clone_from(&subject.result_file);
    let typed = typed(subject, &choices);
    let choices = choices.or_from(host)?;
    desk.redactor = wiring::redactor(host, &choices.secret_env);
    let config = wiring::config(host, &choices)?;
    let manifest = manifest(desk, subject, &config)?;
    desk.subject.migration = Some(manifest.id.clone());
    let origin = Origin {
        repository: subject.repository.clone(),
        pull_request: subject.pr,
        ..Origin::default()
    };
    desk.subject.origin.clone_from(&origin);
    let commit = subject.sha.as_deref().map(commit).transpose()?;
    let state = wiring::state_folder(host, subject.state_dir.as_deref())?;
    let wanted = wiring::wanted_app(&choices, manifest.app.as_deref(), &config)?;
    desk.subject.app = Some(desk.redactor.clean_line(&wanted));
    let access = wiring::access(host, &choices)?;
    let found = desk
        .unless_stopped(wiring::resolve_app(&access, &wanted))
        .await??;
    let app = &found.app;
    desk.subject.app = Some(desk.redactor.clean_line(app.spec.name()));
    desk.subject.key = Some(Key::of(&app.id, &manifest.id));
    let sources = Sources {
        choices: &choices,
        manifest: &manifest,
        config: &config,
        app,
        host,
    };
    let settings = settings::settle(&sources)?;
    let nonce = nonce(desk)?;
    let (intent, authority) = intent(again, checks_only, &nonce);
    let record = Box::pin(Record::of(desk, subject, &found, choices.pace)).await?;
    let log_folder = wiring::log_folder(host, &choices, Some(&state));
    let reviewed = Reviewed::Unreviewed;
    let request = Request {
        manifest,
        reviewed,
        intent,
        authority,
        nonce,
        origin,
        commit,
        settings,
    };
    Ok(Prepared {
        access,
        found,
        request,
        record,
        log_folder,
        typed,
    })
}

impl Prepared {
    /// Carries `work` out with a harbour of its own, its events shown as they come, and
    /// `note` with its plan.
    pub(super) async fn told<'d, F, W>(
        &self,
        desk: &Desk<'d>,
        note: Option<String>,
        work: W,
    ) -> Ended
    where
        W: FnOnce(Harbor, Request) -> F,
        F: Future<Output = Ended>,
    {
        let (events, received) = runner::stream();
        let harbor = Harbor {
            client: self.access.client.clone(),
            app: self.found.app.id.clone(),
            transport: self.access.transport.clone(),
            ledger: Some(self.record.ledger()),
            lineage: self.record.lineage(),
            redactor: desk.redactor.clone(),
            pace: self.access.pace,
            log_folder: self.log_folder.clone(),
            events,
            stop: desk.host.stop.clone(),
        };
        let follow = progress::follow(received, desk, self.access.pace, note);
        let (ended, ()) = tokio::join!(Box::pin(work(harbor, self.request.clone())), follow);
        ended
    }

    /// Makes the plan; writes nothing.
    pub(super) async fn plan(&self, desk: &Desk<'_>) -> Result<Ended, Refusal> {
        let planning = self.told(desk, None, |harbor, request| async move {
            runner::plan(&harbor, request).await
        });
        let mut ended = desk.unless_stopped(planning).await?;
        ended.report.purpose = migration::Purpose::Preview;
        if let Some(plan) = &ended.report.plan {
            // A plan that was made can be shown; where it can't, the rest of it still is.
            let diff = migration::plan_diff(plan, &self.found.app.spec).ok();
            ended.report.plan_diff = diff.map(|diff| desk.redactor.clean(&diff));
        }
        Ok(ended)
    }
}

/// Returns what a new insertion would be about, and what allows it.
fn intent(again: AgainArgs, checks_only: bool, nonce: &Nonce) -> (Intent, Authority) {
    let call = format!("cli-{nonce}");
    match (checks_only, again) {
        (true, _) => (Intent::Check, Authority::Cli(nonce.to_string())),
        (
            false,
            AgainArgs {
                again: true,
                reason,
                ..
            },
        ) => (
            Intent::Again {
                reason: reason.unwrap_or_default(),
            },
            Authority::Again(call),
        ),
        (false, AgainArgs { retry: true, .. }) => (Intent::Retry, Authority::Retry(call)),
        (
            false,
            AgainArgs {
                retry: false,
                again: false,
                ..
            },
        ) => (Intent::Run, Authority::Cli(nonce.to_string())),
    }
}

fn nonce(desk: &Desk<'_>) -> Result<Nonce, Refusal> {
    (desk.host.random)()
        .map(Nonce::from_bytes)
        .map_err(|error| {
            Refusal::new(
                Reason::Usage,
                format!("this machine gives no random numbers: {error}"),
                "",
            )
        })
}

fn commit(text: &str) -> Result<CommitSha, Refusal> {
    CommitSha::parse(text).map_err(|_form| {
        settings::bad(
            "sha",
            text,
            "it must be a whole commit: 40 hexadecimal digits (`git rev-parse HEAD`)",
        )
    })
}

fn typed(subject: &SubjectArgs, choices: &Choices) -> Typed {
    let path = |path: &PathBuf| path.display().to_string();
    Typed {
        manifest: subject.manifest.as_ref().map(path),
        steps: subject.step.clone(),
        config: choices.config.clone(),
        state_dir: subject.state_dir.as_ref().map(path),
        api_url: choices.api_url.clone(),
    }
}

/// Returns the manifest: of the steps given, of the file given, or of the file that the id and the config name.
fn manifest(desk: &Desk<'_>, subject: &SubjectArgs, config: &Config) -> Result<Manifest, Refusal> {
    let id = subject
        .migration_id
        .as_deref()
        .map(migration_id)
        .transpose()?;
    if !subject.step.is_empty() {
        let Some(id) = id else { return Err(unnamed()) };
        return Manifest::from_steps(id, subject.step.clone()).map_err(Refusal::from);
    }
    let file = match (&subject.manifest, &id) {
        (Some(file), _) => file.clone(),
        (None, Some(id)) => Path::new(&config.manifests).join(format!("{id}.yml")),
        (None, None) => return Err(unnamed()),
    };
    let name = file.display().to_string();
    let stem = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    let id = match id {
        Some(id) => {
            if stem != id.as_str() {
                // Told and not refused: a file may come from anywhere at 3 a.m.
                desk.warn(&format!(
                    "`{name}` runs as migration `{id}`; a workflow would run it as `{stem}`, and each would not know of the other"
                ));
            }
            id
        }
        None => migration_id(stem)?,
    };
    let text = wiring::read_text(&desk.host.path(&file)).map_err(|error| {
        Refusal::new(
            Reason::BadManifest,
            format!("cannot read the manifest `{name}`: {error}"),
            "Name the file with `--manifest FILE`, or give the steps with `--step NAME=COMMAND`.",
        )
    })?;
    Manifest::parse(id, &name, &text).map_err(Refusal::from)
}

fn migration_id(text: &str) -> Result<MigrationId, Refusal> {
    MigrationId::parse(text).map_err(|error| {
        Refusal::new(
            Reason::Usage,
            error.to_string(),
            "Give one with `--migration-id ID`.",
        )
    })
}

fn unnamed() -> Refusal {
    Refusal::new(
        Reason::Usage,
        "no migration is named",
        "Name it with `--migration-id ID`, which reads .harbor-pilot/<ID>.yml; or name a file with `--manifest FILE`.",
    )
}

/// Whether the plan is something to run.
pub(super) fn is_to_run(ended: &Ended) -> bool {
    ended.reason == Reason::Planned && ended.report.plan.is_some()
}
