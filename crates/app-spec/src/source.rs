//! Where the code of a component comes from: a repository or an image.
//!
//! Read only. A job that shares a component's source copies it raw, because it may carry more than is
//! named here, such as registry credentials.

use std::fmt;

use serde_json::{Map, Value};

use crate::read;
use crate::redact;

/// Where the code of a component comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// A repository on GitHub.
    GitHub {
        /// `owner/name`.
        repo: String,
        /// The tracked branch.
        branch: Option<String>,
        /// Whether a push to the branch deploys the app.
        deploy_on_push: bool,
    },
    /// A repository on GitLab.
    GitLab {
        /// The path of the repository, groups included.
        repo: String,
        /// The tracked branch.
        branch: Option<String>,
        /// Whether a push to the branch deploys the app.
        deploy_on_push: bool,
    },
    /// A repository on Bitbucket.
    Bitbucket {
        /// `workspace/name`.
        repo: String,
        /// The tracked branch.
        branch: Option<String>,
        /// Whether a push to the branch deploys the app.
        deploy_on_push: bool,
    },
    /// Any repository that can be cloned; it may name a user and a password, so handle it as a secret.
    Git {
        /// The clone URL.
        repo_clone_url: String,
        /// The tracked branch.
        branch: Option<String>,
    },
    /// A container image.
    Image {
        /// `DOCR`, `DOCKER_HUB` or `GHCR`.
        registry_type: Option<String>,
        /// The registry's name; empty for `DOCR`.
        registry: Option<String>,
        /// The repository in the registry.
        repository: String,
        /// The tag; absent together with the digest is `latest`.
        tag: Option<String>,
        /// The digest, which excludes a tag.
        digest: Option<String>,
        /// Whether a new image under the tag deploys the app.
        deploy_on_push: bool,
    },
    /// A source under a key that we know, in a form that we do not.
    Other,
}

impl Source {
    /// The keys of a component under which a source can stand.
    pub(crate) const KEYS: [&'static str; 5] = ["github", "gitlab", "bitbucket", "git", "image"];

    /// Returns the tracked branch of a repository source.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        match self {
            Self::GitHub { branch, .. }
            | Self::GitLab { branch, .. }
            | Self::Bitbucket { branch, .. }
            | Self::Git { branch, .. } => branch.as_deref(),
            Self::Image { .. } | Self::Other => None,
        }
    }

    /// Tells whether a push (of code or of an image) deploys the app.
    #[must_use]
    pub fn deploys_on_push(&self) -> bool {
        match self {
            Self::GitHub { deploy_on_push, .. }
            | Self::GitLab { deploy_on_push, .. }
            | Self::Bitbucket { deploy_on_push, .. }
            | Self::Image { deploy_on_push, .. } => *deploy_on_push,
            Self::Git { .. } | Self::Other => false,
        }
    }

    pub(crate) fn read(key: &str, raw: &Value) -> Self {
        let Some(raw) = raw.as_object() else {
            return Self::Other;
        };
        let branch = read::owned_text(raw, "branch");
        let deploy_on_push = read::flag(raw, "deploy_on_push");
        let repo = read::owned_text(raw, "repo");
        match (key, repo) {
            ("github", Some(repo)) => Self::GitHub {
                repo,
                branch,
                deploy_on_push,
            },
            ("gitlab", Some(repo)) => Self::GitLab {
                repo,
                branch,
                deploy_on_push,
            },
            ("bitbucket", Some(repo)) => Self::Bitbucket {
                repo,
                branch,
                deploy_on_push,
            },
            ("git", _) => {
                read::owned_text(raw, "repo_clone_url").map_or(Self::Other, |repo_clone_url| {
                    Self::Git {
                        repo_clone_url,
                        branch,
                    }
                })
            }
            ("image", _) => Self::read_image(raw),
            (_, _) => Self::Other,
        }
    }

    fn read_image(raw: &Map<String, Value>) -> Self {
        let Some(repository) = read::owned_text(raw, "repository") else {
            return Self::Other;
        };
        Self::Image {
            registry_type: read::owned_text(raw, "registry_type"),
            registry: read::owned_text(raw, "registry"),
            repository,
            tag: read::owned_text(raw, "tag"),
            digest: read::owned_text(raw, "digest"),
            deploy_on_push: read::child(raw, "deploy_on_push")
                .is_some_and(|settings| read::flag(settings, "enabled")),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GitHub {
                repo,
                branch,
                deploy_on_push,
            } => debug_repository(f, "GitHub", repo, branch.as_deref(), *deploy_on_push),
            Self::GitLab {
                repo,
                branch,
                deploy_on_push,
            } => debug_repository(f, "GitLab", repo, branch.as_deref(), *deploy_on_push),
            Self::Bitbucket {
                repo,
                branch,
                deploy_on_push,
            } => debug_repository(f, "Bitbucket", repo, branch.as_deref(), *deploy_on_push),
            Self::Git {
                repo_clone_url,
                branch,
            } => {
                let masked = redact::mask_userinfo(repo_clone_url, "<secret>");
                f.debug_struct("Git")
                    .field("repo_clone_url", masked.as_ref().unwrap_or(repo_clone_url))
                    .field("branch", branch)
                    .finish()
            }
            Self::Image {
                registry_type,
                registry,
                repository,
                tag,
                digest,
                deploy_on_push,
            } => f
                .debug_struct("Image")
                .field("registry_type", registry_type)
                .field("registry", registry)
                .field("repository", repository)
                .field("tag", tag)
                .field("digest", digest)
                .field("deploy_on_push", deploy_on_push)
                .finish(),
            Self::Other => f.write_str("Other"),
        }
    }
}

fn debug_repository(
    f: &mut fmt::Formatter<'_>,
    host: &str,
    repo: &str,
    branch: Option<&str>,
    deploy_on_push: bool,
) -> fmt::Result {
    f.debug_struct(host)
        .field("repo", &repo)
        .field("branch", &branch)
        .field("deploy_on_push", &deploy_on_push)
        .finish()
}
