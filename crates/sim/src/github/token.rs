//! Tokens: who calls, what they may do, and how often.
//!
//! A token is kept as its SHA-256, so that no dump of the state shows one.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::GitHubState;
use crate::clock::later;

/// A permission of a token, by the name that a workflow's `permissions:` uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Permission {
    Actions,
    Contents,
    Deployments,
    Issues,
    PullRequests,
}

impl Permission {
    const ALL: [Self; 5] = [
        Self::Actions,
        Self::Contents,
        Self::Deployments,
        Self::Issues,
        Self::PullRequests,
    ];

    /// Returns the name as `x-accepted-github-permissions` spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Actions => "actions",
            Self::Contents => "contents",
            Self::Deployments => "deployments",
            Self::Issues => "issues",
            Self::PullRequests => "pull_requests",
        }
    }
}

/// How much of a permission a token has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Access {
    None,
    Read,
    Write,
}

impl Access {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Who a call comes from.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// `None` without a token.
    pub(crate) login: Option<String>,
    permissions: BTreeMap<Permission, Access>,
    /// Lower-case `owner/name`; `None` means every repository.
    repositories: Option<Vec<String>>,
}

impl Caller {
    /// Returns how much the token may do.
    pub(crate) fn access(&self, permission: Permission) -> Access {
        self.permissions
            .get(&permission)
            .copied()
            .unwrap_or(Access::None)
    }

    /// Returns whether the token was given for a repository.
    pub(crate) fn reaches(&self, full_name: &str) -> bool {
        self.login.is_some()
            && self
                .repositories
                .as_ref()
                .is_none_or(|list| list.contains(&full_name.to_lowercase()))
    }

    /// Returns whether an app's bot calls, and not a person.
    pub(crate) fn is_app(&self) -> bool {
        self.login
            .as_ref()
            .is_some_and(|login| login.ends_with("[bot]"))
    }
}

/// The state of the hourly limit after a call has been counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLimit {
    /// Calls an hour.
    pub(crate) limit: u64,
    /// Calls counted in this window, the refused ones included.
    pub(crate) used: u64,
    /// When the window ends.
    pub(crate) reset: Timestamp,
}

impl RateLimit {
    pub(crate) fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// Returns whether the call that was just counted is one too many.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.used > self.limit
    }
}

/// All tokens, by the hex SHA-256 of the token.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens {
    by_digest: BTreeMap<String, Token>,
    anonymous: Option<Window>,
}

#[derive(Debug, Clone)]
struct Token {
    caller: Caller,
    limit: u64,
    window: Option<Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    reset: Timestamp,
    used: u64,
}

/// What a configured token may do; see [`GitHubState::from_config`].
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenConfig {
    pub(crate) login: String,
    #[serde(default)]
    pub(crate) permissions: BTreeMap<Permission, Access>,
    pub(crate) repositories: Option<Vec<String>>,
    pub(crate) limit_per_hour: Option<u64>,
}

/// How long a limit counts before it starts again.
const WINDOW: Duration = Duration::from_secs(3600);
/// What a user's token may call in an hour (published limit).
const LIMIT_PER_HOUR: u64 = 5000;
/// What an address without a token may call in an hour (published limit).
const ANONYMOUS_LIMIT_PER_HOUR: u64 = 60;

impl Tokens {
    pub(crate) fn add(&mut self, token: &str, config: TokenConfig) {
        let repositories = config
            .repositories
            .map(|list| list.iter().map(|name| name.to_lowercase()).collect());
        let caller = Caller {
            login: Some(config.login),
            permissions: config.permissions,
            repositories,
        };
        let limit = config.limit_per_hour.unwrap_or(LIMIT_PER_HOUR);
        self.by_digest.insert(
            digest(token),
            Token {
                caller,
                limit,
                window: None,
            },
        );
    }
}

impl GitHubState {
    /// Lets a token in that the world's own list names, with scopes such as `deployments:write` or `*`.
    ///
    /// A token that is known already keeps what it has: its limit must go on counting.
    pub(crate) fn know_token(&mut self, token: &str, login: &str, scopes: &[String]) {
        if self.tokens.by_digest.contains_key(&digest(token)) {
            return;
        }
        let access = |permission: Permission| {
            let names = [
                permission.name().to_owned(),
                permission.name().replace('_', "-"),
            ];
            let held = |level: Access| {
                scopes.iter().any(|scope| {
                    scope == "*"
                        || names
                            .iter()
                            .any(|name| *scope == format!("{name}:{}", level.name()))
                })
            };
            [Access::Write, Access::Read]
                .into_iter()
                .find(|level| held(*level))
                .unwrap_or(Access::None)
        };
        let permissions = Permission::ALL
            .into_iter()
            .map(|one| (one, access(one)))
            .collect();
        let login = login.to_owned();
        self.know_user(&login);
        let config = TokenConfig {
            login,
            permissions,
            repositories: None,
            limit_per_hour: None,
        };
        self.tokens.add(token, config);
    }

    /// Counts a call and returns who makes it; `None` for a token that nobody was given.
    pub(crate) fn admit(
        &mut self,
        token: Option<&str>,
        now: Timestamp,
    ) -> Option<(Caller, RateLimit)> {
        match token {
            None => {
                let limit = count(&mut self.tokens.anonymous, ANONYMOUS_LIMIT_PER_HOUR, now);
                let permissions = BTreeMap::new();
                Some((
                    Caller {
                        login: None,
                        permissions,
                        repositories: None,
                    },
                    limit,
                ))
            }
            Some(token) => {
                let token = self.tokens.by_digest.get_mut(&digest(token))?;
                let limit = count(&mut token.window, token.limit, now);
                Some((token.caller.clone(), limit))
            }
        }
    }
}

fn count(window: &mut Option<Window>, limit: u64, now: Timestamp) -> RateLimit {
    let fresh = Window {
        reset: later(now, WINDOW),
        used: 0,
    };
    let current = match *window {
        Some(current) if now < current.reset => current,
        Some(_) | None => fresh,
    };
    let counted = Window {
        used: current.used + 1,
        ..current
    };
    *window = Some(counted);
    RateLimit {
        limit,
        used: counted.used,
        reset: counted.reset,
    }
}

fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}
