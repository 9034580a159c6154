//! What goes into a new deployment: its order, its sources, and its parts before anything of it has begun.

use crate::app::App;
use crate::clock::later;
use crate::config::ImageConfig;
use crate::deployment::{
    Build, Cause, Content, Deployment, JobKind, JobRun, Leaf, Origin, Phase, Rollout, Stage,
};
use crate::error::ApiError;
use crate::github::{GitHubState, Pushed};
use crate::ids::{hex_of, uuid};
use crate::knobs::seconds;
use crate::spec::{Component, Source, components};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whose content a new deployment fetches anew.
#[derive(Clone, Copy)]
pub(crate) enum Refresh<'a> {
    /// Only that of components that are new or moved.
    NewOnly,
    /// Everything.
    All,
    /// That of the components on a branch that was pushed to.
    Push(&'a Pushed),
}

/// Whether the deploy-time jobs of a spec have their turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jobs {
    Run,
    Skip,
}

/// Everything that sets one new deployment apart.
pub(crate) struct Order {
    pub(crate) cause: Cause,
    pub(crate) spec: Arc<Value>,
    pub(crate) origins: BTreeMap<String, Origin>,
    pub(crate) cloned_from: Option<String>,
    pub(crate) previous: Option<String>,
    pub(crate) jobs: Jobs,
    pub(crate) force_build: bool,
}

/// Where the content of sources is found.
#[derive(Clone, Copy)]
pub(crate) struct Shelves<'a> {
    pub(crate) github: &'a GitHubState,
    pub(crate) images: &'a [ImageConfig],
}

impl Order {
    pub(crate) fn of(cause: Cause, spec: Arc<Value>, origins: BTreeMap<String, Origin>) -> Self {
        Self {
            cause,
            spec,
            origins,
            cloned_from: None,
            previous: None,
            jobs: Jobs::Run,
            force_build: false,
        }
    }
}

/// Lays a deployment out, with nothing of it begun.
pub(crate) fn new_deployment(app: &App, id: &str, order: Order, now: Timestamp) -> Deployment {
    let origin_text = |name: &str| {
        order
            .origins
            .get(name)
            .map_or_else(String::new, |origin| match &origin.content {
                Content::Commit { hash, .. } => format!("{}@{hash}", origin.place),
                Content::Image { digest } => format!("{}@{digest}", origin.place),
            })
    };
    let parts: Vec<Component<'_>> = components(&order.spec).collect();
    let builds = parts.iter().map(|component| Build {
        component: component.name.to_owned(),
        section: component.section,
        key: component.build_key(&origin_text(component.name)),
        leaf: Leaf::default(),
    });
    let rollouts = parts
        .iter()
        .filter(|component| component.section != "jobs")
        .map(|component| Rollout {
            component: component.name.to_owned(),
            section: component.section,
            deploy: Leaf::default(),
            wait: Leaf::default(),
        });
    let jobs = parts
        .iter()
        .filter(|component| component.section == "jobs" && order.jobs == Jobs::Run);
    let jobs = jobs.filter_map(|component| {
        let kind = match component.text("kind") {
            "PRE_DEPLOY" => JobKind::Pre,
            "FAILED_DEPLOY" => JobKind::Failed,
            "SCHEDULED" => return None,
            _ => JobKind::Post,
        };
        let name = component.name.to_owned();
        let invocation = uuid(&format!("invocation/{id}/{name}"), 0);
        let leaf = Leaf::default();
        Some(JobRun {
            name,
            kind,
            invocation,
            leaf,
            process_at: None,
            exit: None,
            lines: Vec::new(),
            cancelled_at: None,
        })
    });
    Deployment {
        id: id.to_owned(),
        builds: builds.collect(),
        rollouts: rollouts.collect(),
        jobs: jobs.collect(),
        cause: order.cause,
        origins: order.origins.clone(),
        previous: order
            .previous
            .or_else(|| app.deployments.last().map(|last| last.id.clone())),
        cloned_from: order.cloned_from,
        created_at: now,
        phase: Phase::PendingBuild,
        phase_at: now,
        stage: Stage::Pending,
        next_at: Some(later(now, seconds(app.timing.pending_seconds))),
        initialize: Leaf::default(),
        deploy_initialize: Leaf::default(),
        finalize: Leaf::default(),
        force_build: order.force_build,
        over_at: None,
        replaced: None,
        failure: None,
        spec: order.spec,
    }
}

/// Finds out what each component is built from: what stays in place keeps its content unless it is to be refreshed.
///
/// # Errors
/// A repository that is not there.
pub(crate) fn origins(
    app: &App,
    spec: &Value,
    refresh: Refresh<'_>,
    shelves: Shelves<'_>,
) -> Result<BTreeMap<String, Origin>, ApiError> {
    let mut found = BTreeMap::new();
    for component in components(spec) {
        let Some(source) = component.source() else {
            continue;
        };
        let place = source.place();
        let kept = app
            .origins
            .get(component.name)
            .filter(|origin| origin.place == place);
        let fresh = match refresh {
            Refresh::NewOnly => false,
            Refresh::All => true,
            Refresh::Push(pushed) => tracks(&component, pushed),
        };
        let origin = match kept {
            Some(kept) if !fresh => kept.clone(),
            _ => Origin {
                content: content(&source, shelves)?,
                place,
            },
        };
        found.insert(component.name.to_owned(), origin);
    }
    Ok(found)
}

fn content(source: &Source, shelves: Shelves<'_>) -> Result<Content, ApiError> {
    Ok(match source {
        Source::Repository {
            host: "github",
            repo,
            branch,
            deploy_on_push: _,
        } => {
            let head = shelves.github.branch_head(repo, branch);
            let hash = head.ok_or_else(|| {
                ApiError::bad_request(format!(
                    "GitHub user does not have access to {repo}, or it has no branch {branch}"
                ))
            })?;
            Content::Commit {
                repo: Some(repo.clone()),
                hash,
            }
        }
        Source::Repository { .. } | Source::Clone { .. } => Content::Commit {
            repo: None,
            hash: hex_of(&source.place(), 40),
        },
        Source::Image {
            digest: Some(digest),
            ..
        } => Content::Image {
            digest: digest.clone(),
        },
        Source::Image {
            repository,
            tag,
            digest: None,
        } => {
            let known = shelves
                .images
                .iter()
                .find(|image| image.repository == *repository && image.tags.contains(tag));
            let invented = || format!("sha256:{}", hex_of(&source.place(), 64));
            Content::Image {
                digest: known.map_or_else(invented, |image| image.digest.clone()),
            }
        }
    })
}

pub(crate) fn tracks(component: &Component<'_>, pushed: &Pushed) -> bool {
    match component.source() {
        Some(Source::Repository {
            host,
            repo,
            branch,
            deploy_on_push,
        }) => host == "github" && deploy_on_push && repo == pushed.repo && branch == pushed.branch,
        Some(Source::Clone { .. } | Source::Image { .. }) | None => false,
    }
}
