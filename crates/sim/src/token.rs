//! Who may ask: the tokens of a world, whose they are and what they allow.

use http::{HeaderMap, header};
use serde::Deserialize;

/// One of the two outside worlds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// App Platform and the managed databases.
    #[default]
    DigitalOcean,
    /// GitHub's REST API.
    GitHub,
}

/// A token as the world file lists it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The text after `Bearer`.
    pub token: String,
    /// Who it belongs to: an e-mail address on DigitalOcean, a login on GitHub.
    pub user: String,
    /// Where it is good.
    #[serde(default)]
    pub side: Side,
    /// What it allows: `app:read` and the like on DigitalOcean, `deployments:write` and the like on GitHub. `*` allows all.
    #[serde(default)]
    pub scopes: Vec<String>,
}

impl Token {
    /// Tells whether the token carries `scope`, by name or by `*`.
    #[must_use]
    pub fn allows(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope || held == "*")
    }
}

/// Returns the token text of an `Authorization` header (`Bearer x`, or GitHub's older `token x`).
pub(crate) fn presented(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    known.then_some(token.trim())
}
