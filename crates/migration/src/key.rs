//! What names one migration, one insertion of its job, and one permission to insert.
//!
//! Every name here is derived from facts that the command line, the Action and any second pull request share, so
//! that all of them name the same migration alike. Nothing here knows how a name is looked up.

use app_spec::{AppId, ComponentName};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Lower-case Crockford base32: no `i`, `l`, `o`, `u`, so that a key read aloud is typed back right.
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// How many base32 characters a key keeps: 40 bits, so that the job's name stays within the platform's 32
/// characters and two migrations of one app collide once in about a million apps with a thousand migrations each.
const KEY_CHARS: usize = 8;

/// What every temporary job's name starts with.
const JOB_PREFIX: &str = "migrate-";

/// A name that is not of the form it must have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct NameError {
    text: String,
    wanted: &'static str,
}

impl NameError {
    fn new(text: &str, wanted: &'static str) -> Self {
        Self {
            text: text.chars().take(80).collect(),
            wanted,
        }
    }
}

/// The id of a migration, as its manifest's file name gives it (`ter-235`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MigrationId(String);

impl MigrationId {
    /// Returns the id in `text`: 1 to 64 lower-case letters, digits, `.`, `_` or `-`, starting with a letter or digit.
    ///
    /// # Errors
    /// [`NameError`] when `text` is of another form.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if is_plain_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::new(
                text,
                "a migration id (1 to 64 lower-case letters, digits, `.`, `_`, `-`; first a letter or digit)",
            ))
        }
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a step, unique in its manifest (`backfill`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StepName(String);

impl StepName {
    /// Returns the step name in `text`: the same form as a [`MigrationId`].
    ///
    /// # Errors
    /// [`NameError`] when `text` is of another form.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if is_plain_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::new(
                text,
                "a step name (1 to 64 lower-case letters, digits, `.`, `_`, `-`; first a letter or digit)",
            ))
        }
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_plain_name(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars
        .next()
        .is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    first
        && text.len() <= 64
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
}

/// Eight characters that name one migration of one app, whoever asks for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

impl Key {
    /// Returns the key of migration `migration` on app `app`.
    ///
    /// SHA-256 over `v1`, the app's UUID and the migration's id, each preceded by its length in bytes as eight
    /// big-endian bytes; the first 40 bits in lower-case Crockford base32. No repository, pull request, run,
    /// attempt, commit or time is in it.
    #[must_use]
    pub fn of(app: &AppId, migration: &MigrationId) -> Self {
        let mut hash = Sha256::new();
        for part in ["v1", app.as_str(), migration.as_str()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let bits = hash
            .finalize()
            .iter()
            .take(5)
            .fold(0u64, |bits, byte| (bits << 8) | u64::from(*byte));
        let text = (0..KEY_CHARS)
            .rev()
            .map(|place| {
                let index = usize::try_from((bits >> (5 * place)) & 31).unwrap_or_default();
                char::from(CROCKFORD.get(index).copied().unwrap_or(b'0'))
            })
            .collect();
        Self(text)
    }

    /// Returns the key in `text`.
    ///
    /// # Errors
    /// [`NameError`] when `text` is not eight characters of lower-case Crockford base32.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.len() == KEY_CHARS && text.bytes().all(|byte| CROCKFORD.contains(&byte)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::new(
                text,
                "a key (eight characters of lower-case Crockford base32)",
            ))
        }
    }

    /// Returns the key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One insertion of one job, counted from 0 per key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl Epoch {
    /// Returns the epoch after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// 32 hexadecimal characters drawn fresh for each claim; marks in a log count only with the epoch's own nonce.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nonce(String);

impl Nonce {
    /// Returns the nonce made of 16 random bytes, drawn by the caller.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Returns the nonce in `text`.
    ///
    /// # Errors
    /// [`NameError`] when `text` is not 32 lower-case hexadecimal characters.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.len() == 32
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::new(
                text,
                "a nonce (32 lower-case hexadecimal characters)",
            ))
        }
    }

    /// Returns the nonce as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a temporary job: `migrate-<key>-e<epoch>`. Nothing else has this form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobName {
    /// The migration's key.
    pub key: Key,
    /// The insertion.
    pub epoch: Epoch,
}

impl JobName {
    /// Returns the name in `text` when it has the strict form of a temporary job's name, else nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (key, epoch) = text.strip_prefix(JOB_PREFIX)?.split_once("-e")?;
        let number: u32 = epoch.parse().ok()?;
        // `e00`, `e+1` and the like would name one epoch in two ways.
        (number.to_string() == epoch).then_some(())?;
        Some(Self {
            key: Key::parse(key).ok()?,
            epoch: Epoch(number),
        })
    }

    /// Returns the name as the platform's component name.
    #[must_use]
    pub fn component(&self) -> ComponentName {
        ComponentName::from_platform(self.to_string())
    }
}

/// What allowed an epoch. Each is good once for each step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Authority {
    /// A labelled pull request was merged; the merged commit.
    Merge(String),
    /// A person asked to run a failed or unproven step again; the workflow run or command that asked.
    Retry(String),
    /// A person asked to run a done migration once more; the workflow run or command that asked.
    Again(String),
    /// A person ran it from the command line; a nonce of that call.
    Cli(String),
}

impl Authority {
    /// Returns the authority in `text` (`merge:…`, `retry:…`, `again:…`, `cli:…`).
    ///
    /// # Errors
    /// [`NameError`] when `text` names none of the four kinds or nothing after the colon.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let wanted = "an authority (`merge:<sha>`, `retry:<run>`, `again:<run>` or `cli:<nonce>`)";
        let Some((kind, of)) = text.split_once(':').filter(|(_, of)| !of.is_empty()) else {
            return Err(NameError::new(text, wanted));
        };
        let of = of.to_owned();
        match kind {
            "merge" => Ok(Self::Merge(of)),
            "retry" => Ok(Self::Retry(of)),
            "again" => Ok(Self::Again(of)),
            "cli" => Ok(Self::Cli(of)),
            _ => Err(NameError::new(text, wanted)),
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Merge(of) => write!(f, "merge:{of}"),
            Self::Retry(of) => write!(f, "retry:{of}"),
            Self::Again(of) => write!(f, "again:{of}"),
            Self::Cli(of) => write!(f, "cli:{of}"),
        }
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{JOB_PREFIX}{}-e{}", self.key, self.epoch)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! text_name {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }
    )*};
}

text_name!(MigrationId, StepName, Key, Nonce);

impl From<Authority> for String {
    fn from(authority: Authority) -> Self {
        authority.to_string()
    }
}

impl TryFrom<String> for Authority {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> MigrationId {
        MigrationId::parse(text).unwrap()
    }

    /// The key is written into job names, deployments and ledgers that outlive the binary: it may never change.
    #[test]
    fn key_is_pinned_for_ever() {
        let app = AppId::new("1fd40be5-b9af-4e71-ab1d-3af0864a7da4");
        insta::assert_snapshot!(Key::of(&app, &id("ter-235")), @"0vs7gf4w");
    }

    #[test]
    fn key_tells_apart_what_joining_would_blur() {
        assert_ne!(
            Key::of(&AppId::new("ab"), &id("c")),
            Key::of(&AppId::new("a"), &id("bc"))
        );
    }

    #[test]
    fn job_name_has_one_spelling() {
        let name = JobName::parse("migrate-k3f9q2x7-e12").unwrap();
        assert_eq!(name.to_string(), "migrate-k3f9q2x7-e12");
        assert_eq!(name.epoch, Epoch(12));
        for foreign in [
            "migration-job",
            "migrate-k3f9q2x7",
            "migrate-k3f9q2x7-e",
            "migrate-k3f9q2x7-e01",
            "migrate-k3f9q2x7-e+1",
            "migrate-k3f9q2x-e0",
            "migrate-K3F9Q2X7-e0",
            "migrate-k3f9q2xl-e0",
            "xmigrate-k3f9q2x7-e0",
            "migrate-k3f9q2x7-e0-",
            "migrate-k3f9q2x7-e99999999999",
        ] {
            assert_eq!(JobName::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn nonces_are_thirty_two_lower_case_hex_digits() {
        let good = "0123456789abcdef0123456789abcdef";
        assert_eq!(Nonce::parse(good).unwrap().as_str(), good);
        for bad in [
            "",
            "0123456789abcdef",
            &good.to_uppercase(),
            &good.replace('f', "g"),
            &good.repeat(2),
        ] {
            assert!(Nonce::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn longest_job_name_fits_the_platform() {
        let name = JobName {
            key: Key::parse("k3f9q2x7").unwrap(),
            epoch: Epoch(u32::MAX),
        };
        assert!(name.to_string().len() <= 32);
    }

    #[test]
    fn authority_round_trips() {
        for text in ["merge:abc", "retry:1:2", "again:9", "cli:ff"] {
            assert_eq!(Authority::parse(text).unwrap().to_string(), text);
        }
        assert!(Authority::parse("merge:").is_err());
        assert!(Authority::parse("push:abc").is_err());
    }
}
