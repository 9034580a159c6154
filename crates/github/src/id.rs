//! Names and numbers of GitHub's things, as types that cannot be mixed up.
//!
//! Every parser here is strict, because the values end up in request paths: a repository named
//! `a/../b` must never reach a URL.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not the name or id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is not `owner/name` in GitHub's alphabet.
    #[error("`{0}` is not a repository name of the form `owner/name`")]
    RepoName(String),
    /// The text is not forty hexadecimal digits.
    #[error("`{0}` is not a full commit id of forty hexadecimal digits")]
    Sha(String),
    /// The text is not a positive number.
    #[error("`{0}` is not a pull request number")]
    PullNumber(String),
}

/// Longest piece of a refused text that an error repeats, in characters.
const QUOTED_CHARS: usize = 80;

fn quoted(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(QUOTED_CHARS)
        .collect()
}

/// A repository as `owner/name`.
///
/// Compared without regard to case, as GitHub does; printed as it was given.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoName {
    owner: String,
    name: String,
}

impl RepoName {
    /// Parses `owner/name`.
    ///
    /// # Errors
    ///
    /// [`IdError::RepoName`] unless both halves consist of ASCII letters, digits, `-`, `_` and
    /// (in the name) `.`, within GitHub's lengths of 39 and 100; an owner may be longer by a
    /// short code that managed users carry, so 64 are accepted.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let refused = || IdError::RepoName(quoted(text));
        let (owner, name) = text.split_once('/').ok_or_else(refused)?;
        let owner_is_good = (1..=64).contains(&owner.len())
            && owner
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        let name_is_good = (1..=100).contains(&name.len())
            && name != "."
            && name != ".."
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !owner_is_good || !name_is_good {
            return Err(refused());
        }
        Ok(Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Returns the part before the slash.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Returns the part after the slash.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl PartialEq for RepoName {
    fn eq(&self, other: &Self) -> bool {
        self.owner.eq_ignore_ascii_case(&other.owner) && self.name.eq_ignore_ascii_case(&other.name)
    }
}

impl Eq for RepoName {}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl FromStr for RepoName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for RepoName {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<RepoName> for String {
    fn from(name: RepoName) -> Self {
        name.to_string()
    }
}

/// A full commit id: forty lower-case hexadecimal digits, never all zero.
///
/// GitHub writes forty zeros for "no commit" (a branch created or deleted by a push); that is
/// the absence of a `Sha`, not a value of one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha(String);

impl Sha {
    /// Parses forty hexadecimal digits of either case.
    ///
    /// # Errors
    ///
    /// [`IdError::Sha`] for any other text, and for forty zeros.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let is_hex = text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_hex || text.bytes().all(|b| b == b'0') {
            return Err(IdError::Sha(quoted(text)));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// Returns the forty digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first seven digits, as people quote commits.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Sha {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Sha {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<Sha> for String {
    fn from(sha: Sha) -> Self {
        sha.0
    }
}

/// The number of a pull request within its repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PullNumber(pub u64);

impl fmt::Display for PullNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for PullNumber {
    type Err = IdError;

    /// Parses `123` or `#123`.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        match digits.parse::<u64>() {
            Ok(number) if number > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Self(number))
            }
            Ok(_) | Err(_) => Err(IdError::PullNumber(quoted(text))),
        }
    }
}

macro_rules! numeric_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

numeric_id! {
    /// The id of an issue or pull request comment.
    CommentId
}
numeric_id! {
    /// The id of a GitHub Deployment. GitHub assigns them in ascending order, so their order is
    /// the order of creation.
    GitHubDeploymentId
}
numeric_id! {
    /// The id of one status of a GitHub Deployment; ascending like deployment ids.
    StatusId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_name_must_be_safe_in_a_path() {
        for good in ["acme/shop", "a/.github", "octo_corp/a.b-c_d", "Acme/Shop"] {
            assert_eq!(RepoName::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "", "acme", "acme/", "/shop", "acme/..", "acme/.", "acme/a/b", "ac me/x", "acme/x?y",
            "acme/x#y", "acme/%2e", "acme/x\n", "é/x",
        ] {
            assert!(RepoName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn repository_names_compare_without_case() {
        assert_eq!(
            RepoName::parse("Acme/Shop").unwrap(),
            RepoName::parse("acme/shop").unwrap()
        );
    }

    #[test]
    fn a_sha_is_forty_hex_digits_and_not_the_null_commit() {
        let sha = Sha::parse("ABCDEF0123456789abcdef0123456789abcdef01").unwrap();
        assert_eq!(sha.as_str(), "abcdef0123456789abcdef0123456789abcdef01");
        assert_eq!(sha.short(), "abcdef0");
        let zeros = "0".repeat(40);
        for bad in [
            "",
            "main",
            "abcdef0",
            zeros.as_str(),
            &"g".repeat(40),
            &"a".repeat(41),
        ] {
            assert!(Sha::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_pull_number_is_positive_with_or_without_a_hash() {
        assert_eq!("#428".parse(), Ok(PullNumber(428)));
        assert_eq!("428".parse(), Ok(PullNumber(428)));
        for bad in ["0", "", "#", "-1", "+1", "4 2", "x"] {
            assert!(bad.parse::<PullNumber>().is_err(), "{bad:?}");
        }
    }
}
