//! Pieces of GitHub's JSON that several replies and events share, and the building of paths.
//!
//! All of it is forgiving: a field that Harbor Pilot can do without is an `Option`, and unknown
//! fields are passed over, because GitHub adds and trims fields without notice.

use std::fmt::Write as _;

use serde::{Deserialize, Deserializer};

use crate::id::{RepoName, Sha};

/// A user, bot or organization.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Account {
    pub(crate) login: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
}

impl Account {
    pub(crate) fn is_bot(&self) -> bool {
        self.kind.as_deref() == Some("Bot")
            || self
                .login
                .as_deref()
                .is_some_and(|login| login.ends_with("[bot]"))
    }
}

/// A repository, reduced to what tells it from another.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Repository {
    pub(crate) full_name: Option<String>,
}

impl Repository {
    pub(crate) fn name(&self) -> Option<RepoName> {
        RepoName::parse(self.full_name.as_deref()?).ok()
    }
}

/// A label on an issue; GitHub's older replies give bare strings, never these routes.
#[derive(Debug, Deserialize)]
pub(crate) struct Label {
    pub(crate) name: Option<String>,
}

/// Reads a commit id, taking forty zeros, an empty text and a foreign shape for none.
pub(crate) fn sha_or_none<'de, D>(deserializer: D) -> Result<Option<Sha>, D::Error>
where
    D: Deserializer<'de>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| Sha::parse(&text).ok()))
}

/// Reads a time stamp, taking one that cannot be understood for none.
pub(crate) fn time_or_none<'de, D>(deserializer: D) -> Result<Option<jiff::Timestamp>, D::Error>
where
    D: Deserializer<'de>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// Encodes one path segment: everything but RFC 3986's unreserved characters.
///
/// A slash becomes `%2F`, so that a branch named `a/b` stays one segment.
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _infallible = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_cannot_leave_its_place_in_the_path() {
        assert_eq!(segment("a/b c?d#e%f"), "a%2Fb%20c%3Fd%23e%25f");
        assert_eq!(segment("ü"), "%C3%BC");
        assert_eq!(segment("needs-migration_1.0~"), "needs-migration_1.0~");
    }

    #[test]
    fn an_account_is_a_bot_by_its_type_or_by_its_login() {
        let account = |json| serde_json::from_str::<Account>(json).unwrap().is_bot();
        assert!(account(r#"{"login":"x","type":"Bot"}"#));
        assert!(account(r#"{"login":"github-actions[bot]"}"#));
        assert!(!account(r#"{"login":"robot","type":"User"}"#));
    }
}
