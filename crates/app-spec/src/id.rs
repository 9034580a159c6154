//! Names and identifiers of the platform's things, each its own type so that none passes for another.
//!
//! Identifiers are opaque: the platform documents them as UUIDs and answers 400 to anything else, so they
//! are not checked here. Component names and commits are checked, because we make them.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! opaque_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps an identifier as the platform wrote it.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// Returns the identifier's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

opaque_id! {
    /// The id of an app.
    AppId
}
opaque_id! {
    /// The id of one deployment of an app.
    DeploymentId
}
opaque_id! {
    /// The id of a managed database cluster.
    ClusterId
}
opaque_id! {
    /// The id of one run of a job, where the platform lists such runs.
    InvocationId
}

/// The shortest component name that the platform accepts, in characters.
const NAME_MIN: usize = 2;
/// The longest component name that the platform accepts, in characters.
const NAME_MAX: usize = 32;
/// The length of a full commit hash in hexadecimal digits.
const SHA_DIGITS: usize = 40;

/// The name of a component, unique in its app across every kind of component, databases included.
///
/// The platform accepts `^[a-z][a-z0-9-]{0,30}[a-z0-9]$` (its API description).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ComponentName(String);

impl ComponentName {
    /// Reads a name that we or a user chose.
    ///
    /// # Errors
    /// [`NameError`] when the platform would refuse the name.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let bytes = name.as_bytes();
        let fits = (NAME_MIN..=NAME_MAX).contains(&bytes.len());
        let starts = bytes.first().is_some_and(u8::is_ascii_lowercase);
        let ends = bytes.last().is_some_and(|byte| *byte != b'-');
        let letters = bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-');
        if fits && starts && ends && letters {
            Ok(Self(name.to_owned()))
        } else {
            Err(NameError {
                name: name.to_owned(),
            })
        }
    }

    /// Wraps a name that the platform itself wrote, whatever it looks like: reading must not fail where
    /// the platform is more generous than it says. Reading a name through serde does the same.
    pub fn from_platform(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Returns the name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ComponentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A component name that the platform would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "component name {name:?} must be 2 to 32 of `a-z`, `0-9` and `-`, begin with a letter and not end with `-`"
)]
pub struct NameError {
    /// The name as it was given.
    pub name: String,
}

/// A full commit hash: forty lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitSha(String);

impl CommitSha {
    /// Reads a full commit hash.
    ///
    /// # Errors
    /// [`CommitShaError`] when the text is not forty lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, CommitShaError> {
        let hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        if text.len() == SHA_DIGITS && text.as_bytes().iter().all(hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CommitShaError {
                text: text.to_owned(),
            })
        }
    }

    /// Returns the forty digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first seven digits, as people write commits.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }
}

impl fmt::Display for CommitSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CommitSha {
    type Error = CommitShaError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<CommitSha> for String {
    fn from(sha: CommitSha) -> Self {
        sha.0
    }
}

/// A text that is not a full commit hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("commit {text:?} must be forty lower-case hexadecimal digits")]
pub struct CommitShaError {
    /// The text as it was given.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn component_names_follow_the_platforms_pattern() {
        for good in [
            "ab",
            "web",
            "migrate-k3f9q2x7-e0",
            "a1",
            "a--b",
            &"a".repeat(32),
        ] {
            assert!(ComponentName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "1a",
            "-a",
            "a-",
            "Web",
            "we_b",
            "wéb",
            "a b",
            "web\n",
            &"a".repeat(33),
        ] {
            assert!(ComponentName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_the_platform_wrote_is_read_whatever_it_looks_like() {
        let name: ComponentName = serde_json::from_str("\"Old_Name\"").unwrap();
        assert_eq!(name, ComponentName::from_platform("Old_Name"));
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"Old_Name\"");
        assert_eq!(name.to_string(), "Old_Name");
    }

    #[test]
    fn commits_are_forty_lower_case_hex_digits() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        let sha = CommitSha::parse(text).unwrap();
        assert_eq!((sha.as_str(), sha.short()), (text, "0123456"));
        assert_eq!(sha.to_string(), text);
        assert_eq!(serde_json::to_string(&sha).unwrap(), format!("\"{text}\""));
        assert!(CommitSha::parse(&text.to_uppercase()).is_err());
        assert!(CommitSha::parse(text.get(..39).unwrap()).is_err());
        assert!(serde_json::from_str::<CommitSha>("\"main\"").is_err());
        insta::assert_snapshot!(
            CommitSha::parse("main").unwrap_err(),
            @r#"commit "main" must be forty lower-case hexadecimal digits"#
        );
    }
}
