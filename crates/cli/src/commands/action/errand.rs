//! One migration for one event: everything settled, carried out or planned, and told.
//!
//! Whatever goes wrong becomes a report too, and a report always goes out: to the pull request where one is known, to
//! the summary in any case.

use super::conduct::{finish, preview, run};
use super::repository::{self, Located};
use super::work::Work;
use crate::ledger::github::GitHubLedger;
use crate::publish::{Labels, PERMISSIONS, Stage};
use crate::settings::{self, Sources};
use crate::wiring::{self, Access, Found, chain};
use app_spec::{CommitSha, Source};
use github::{PullNumber, Visibility};
use migration::{
    Authority, Config, Exit, Intent, Key, LedgerEntry, LogPolicy, Nonce, Origin, Purpose, Reason,
    Refusal, Report, Request, Reviewed, Subject,
};
use runner::Ledger as _;

/// One migration for one event.
#[derive(Debug, Clone)]
pub(crate) struct Errand {
    /// The manifest.
    pub(crate) located: Located,
    /// The commit that config and manifest are read at.
    pub(crate) at: String,
    /// The config at that commit.
    pub(crate) config: Config,
    /// The branch that the request comes from or goes into.
    pub(crate) branch: String,
    /// The pull request that asks.
    pub(crate) pull: Option<PullNumber>,
    /// What is wanted.
    pub(crate) intent: Intent,
    /// What allows an insertion.
    pub(crate) authority: Authority,
    /// Whether anything is carried out.
    pub(crate) purpose: Purpose,
}

/// An errand with everything that it takes.
pub(super) struct Ready {
    pub(super) access: Access,
    pub(super) found: Found,
    pub(super) request: Request,
    pub(super) ledger: GitHubLedger,
    pub(super) epochs: Vec<LedgerEntry>,
}

/// Carries an errand out, or plans it, and returns how it ended.
///
/// # Cancel safety
/// As [`runner::migrate`].
pub(crate) async fn carry_out(work: &Work<'_>, errand: Errand) -> Exit {
    let labels = Labels::of(&errand.config, work.asked.label.as_deref());
    let mut subject = Subject {
        migration: Some(errand.located.id.clone()),
        origin: Origin {
            repository: Some(work.repo().to_string()),
            pull_request: errand.pull.map(|pull| pull.0),
            run_url: work.run_url.clone(),
            actor: work.environment.actor().map(str::to_owned),
        },
        ..Subject::default()
    };
    let mut pull = errand.pull;
    let mut links = work.links(&errand.branch, Some(&errand.located.id), pull);
    links.label = Some(labels.request.clone());
    let ready = match prepare(work, &errand, &mut subject, &mut pull).await {
        Ok(ready) => ready,
        Err(refusal) => {
            links.pull_request = pull.map(|pull| work.pull_url(pull));
            let mut report = Report::new(work.redactor.clone(), subject);
            report.purpose = errand.purpose;
            report.refusal = Some(refusal);
            let stage = (errand.purpose == Purpose::Run).then_some(Stage::Failed);
            return finish(work, report, &links, (pull, &labels, stage)).await;
        }
    };
    links.pull_request = pull.map(|pull| work.pull_url(pull));
    links.dashboard = Some(format!(
        "https://cloud.digitalocean.com/apps/{}",
        ready.found.app.id
    ));
    match errand.purpose {
        Purpose::Preview => Box::pin(preview(work, ready, subject, &links, (pull, &labels))).await,
        Purpose::Run => Box::pin(run(work, ready, subject, &links, (pull, &labels))).await,
    }
}

/// Reads and settles everything; reads of both platforms only.
async fn prepare(
    work: &Work<'_>,
    errand: &Errand,
    subject: &mut Subject,
    pull: &mut Option<PullNumber>,
) -> Result<Ready, Refusal> {
    let Errand {
        located,
        at,
        config,
        ..
    } = errand;
    let choices = &work.asked.choices;
    let github = work.github();
    let manifest = repository::manifest(github, located, &config.manifests, at).await?;
    let wanted = wiring::wanted_app(choices, manifest.app.as_deref(), config)?;
    subject.app = Some(work.redactor.clean_line(&wanted));
    let access = wiring::access(work.host, choices)?;
    let found = wiring::resolve_app(&access, &wanted).await?;
    let app = &found.app;
    subject.app = Some(work.redactor.clean_line(app.spec.name()));
    let key = Key::of(&app.id, &manifest.id);
    subject.key = Some(key.clone());
    let sources = Sources {
        choices,
        manifest: &manifest,
        config,
        app,
        host: work.host,
    };
    let mut settings = settings::settle(&sources)?;
    let asked_for_log = choices.log.is_some() || config.defaults.log.is_some();
    if !asked_for_log && is_open(&work.info.visibility) {
        // Everybody reads the comments and logs of a public repository.
        settings.log = LogPolicy::Off;
    }
    let component = app.spec.component(settings.reference.as_str());
    let source = component.as_ref().and_then(app_spec::Component::source);
    let tracked = Tracked::of(source.as_ref(), work);
    if tracked.branch != errand.branch {
        return Err(Refusal::new(
            Reason::EventRefused,
            format!(
                "component `{}` of app `{}` is built from the branch `{}`, and this came from `{}`",
                settings.reference,
                app.spec.name(),
                tracked.branch,
                errand.branch
            ),
            format!(
                "Merge it into `{0}`, or start the workflow by hand on `{0}`.",
                tracked.branch
            ),
        ));
    }
    let ledger = GitHubLedger::new(
        github.clone(),
        app.spec.name(),
        &errand.branch,
        work.run_url.clone(),
    );
    let epochs = ledger
        .entries(&key)
        .await
        .map_err(|error| no_ledger(&ledger, &error))?;
    if pull.is_none() && errand.purpose == Purpose::Run {
        // A start by hand is told where the migration was asked for; its plan would take the report's place there.
        let here = |entry: &&LedgerEntry| {
            entry.claim.repository.as_deref() == Some(work.repo().to_string().as_str())
        };
        let asker = epochs
            .iter()
            .rev()
            .filter(here)
            .find_map(|entry| entry.claim.pull_request);
        *pull = asker.map(PullNumber);
        subject.origin.pull_request = asker;
    }
    // What has to be live is known of this repository's commits only, and of a plan's not yet.
    let commit = match errand.purpose {
        Purpose::Run if tracked.is_here => CommitSha::parse(at).ok(),
        Purpose::Run | Purpose::Preview => None,
    };
    let nonce = (work.host.random)()
        .map(Nonce::from_bytes)
        .map_err(|error| {
            Refusal::new(
                Reason::Usage,
                format!("this machine gives no random numbers: {error}"),
                "",
            )
        })?;
    let request = Request {
        manifest,
        reviewed: Reviewed::At {
            path: located.path.clone(),
            commit: at.clone(),
        },
        intent: errand.intent.clone(),
        authority: errand.authority.clone(),
        nonce,
        origin: subject.origin.clone(),
        commit,
        settings,
    };
    Ok(Ready {
        access,
        found,
        request,
        ledger,
        epochs,
    })
}

/// Whether what we write there is for everybody to read. What GitHub does not call private is taken for public.
fn is_open(visibility: &Visibility) -> bool {
    match visibility {
        Visibility::Private | Visibility::Internal => false,
        Visibility::Public | Visibility::Other(_) => true,
    }
}

/// The branch that the reference component is built from.
struct Tracked {
    branch: String,
    /// Whether it is a branch of this repository.
    is_here: bool,
}

impl Tracked {
    /// A component that is not built from this repository (an image, another one) says nothing about its branches:
    /// the default branch stands in, where what is merged counts as reviewed.
    fn of(source: Option<&Source>, work: &Work<'_>) -> Self {
        let here = work.repo().to_string().to_lowercase();
        match source {
            Some(Source::GitHub { repo, branch, .. }) if repo.to_lowercase() == here => Self {
                branch: branch
                    .clone()
                    .unwrap_or_else(|| work.info.default_branch.clone()),
                is_here: true,
            },
            Some(
                Source::GitHub { .. }
                | Source::GitLab { .. }
                | Source::Bitbucket { .. }
                | Source::Git { .. }
                | Source::Image { .. }
                | Source::Other,
            )
            | None => Self {
                branch: work.info.default_branch.clone(),
                is_here: false,
            },
        }
    }
}

/// Returns why nothing can be claimed.
pub(super) fn no_ledger(ledger: &GitHubLedger, error: &runner::LedgerError) -> Refusal {
    match ledger.lacking() {
        Some(permission) => lacking(permission),
        None => Refusal::new(
            Reason::LedgerUnreachable,
            format!(
                "cannot read the record of claims, so nothing is inserted: {}",
                chain(error)
            ),
            "Re-run this job later; www.githubstatus.com tells about outages.",
        ),
    }
}

pub(super) fn lacking(permission: github::Permission) -> Refusal {
    Refusal::new(
        Reason::MissingPermission,
        format!(
            "the workflow's token lacks the permission `{permission}`, so nothing can be claimed, and without a claim \
             nothing is inserted"
        ),
        format!("Give the job these permissions:\n\n{PERMISSIONS}"),
    )
}
