//! One call that has passed the door: who, what, where, and what it may do.

use bytes::Bytes;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::reply::{Refusal, Reply};
use crate::github::{
    Access, Caller, GitHubState, Issue, Permission, Repository, Visibility, encode_segment,
};

/// A call to a repository that the caller may know of.
pub(super) struct Call<'a> {
    pub(super) state: &'a mut GitHubState,
    pub(super) now: Timestamp,
    pub(super) caller: Caller,
    /// `owner/name`.
    pub(super) repo: String,
    /// What comes after the repository in the path, as it was written.
    pub(super) tail: String,
    pub(super) query: Query,
    pub(super) accept: String,
    pub(super) body: Bytes,
}

/// The header that leads to the other pages; `None` where there are none.
type Link = Option<(&'static str, String)>;

/// Entries on a page unless asked for (published default).
const PER_PAGE: usize = 30;
/// Most entries on a page (published limit).
const PER_PAGE_LIMIT: usize = 100;

impl Call<'_> {
    pub(super) fn repository(&self) -> Result<&Repository, Refusal> {
        self.state
            .repository(&self.repo)
            .ok_or_else(Refusal::not_found)
    }

    /// Returns the login of the caller, who has been found to have one.
    pub(super) fn login(&self) -> String {
        self.caller.login.clone().unwrap_or_default()
    }

    /// Lets the call go on only with one of these permissions.
    ///
    /// What is public may be read by everyone, with any token or none.
    pub(super) fn require(&self, any_of: &[Permission], access: Access) -> Result<(), Refusal> {
        let repository = self.repository()?;
        if access == Access::Read && repository.visibility == Visibility::Public {
            return Ok(());
        }
        if self.caller.login.is_none() {
            return Err(Refusal::requires_authentication());
        }
        let reaches = self.caller.reaches(&self.repo);
        if reaches
            && any_of
                .iter()
                .any(|permission| self.caller.access(*permission) >= access)
        {
            return Ok(());
        }
        let by = if self.caller.is_app() {
            "integration"
        } else {
            "personal access token"
        };
        let accepted: Vec<String> = any_of
            .iter()
            .map(|permission| format!("{}={}", permission.name(), access.name()))
            .collect();
        Err(Refusal::not_accessible(by, accepted.join("; ")))
    }

    /// Lets the call to an issue go on; a pull request may be reached with either permission.
    pub(super) fn issue(&self, number: u64, access: Access) -> Result<&Issue, Refusal> {
        let issue = self
            .repository()?
            .issue(number)
            .ok_or_else(Refusal::not_found)?;
        if issue.pull.is_some() {
            self.require(&[Permission::Issues, Permission::PullRequests], access)?;
        } else {
            self.require(&[Permission::Issues], access)?;
            if !self.repository()?.has_issues {
                return Err(Refusal::gone(
                    "Issues has been disabled in this repository.",
                ));
            }
        }
        if issue.deleted {
            return Err(Refusal::gone("This issue was deleted"));
        }
        Ok(issue)
    }

    /// Reads the body.
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.body).map_err(|_unreadable| {
            Refusal::new(http::StatusCode::BAD_REQUEST, "Problems parsing JSON")
        })
    }

    /// Reads the body as a request.
    pub(super) fn request<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_value(self.json()?)
            .map_err(|error| Refusal::unprocessable(format!("Invalid request.\n\n{error}")))
    }

    /// Returns whether the caller asks for a media type of GitHub's, such as `raw`.
    pub(super) fn wants(&self, kind: &str) -> bool {
        self.accept.split(',').any(|media| {
            let media = media.split(';').next().unwrap_or_default().trim();
            let media = media.trim_end_matches("+json");
            media
                .strip_prefix("application/vnd.github.")
                .is_some_and(|rest| rest.split('.').next_back() == Some(kind))
        })
    }

    /// Returns one page of a list, with links to the others.
    pub(super) fn page<T>(
        &self,
        items: &[T],
        render: impl Fn(&T) -> Value,
    ) -> Result<Reply, Refusal> {
        let (page, links) = self.slice(items, PER_PAGE)?;
        Ok(Reply::ok(&page.iter().map(render).collect()).with(links))
    }

    /// Cuts the page that the query asks for, and writes the `Link` header.
    pub(super) fn slice<'i, T>(
        &self,
        items: &'i [T],
        default: usize,
    ) -> Result<(&'i [T], Link), Refusal> {
        let asked = self.query.number("per_page").filter(|size| *size > 0);
        let size = asked.map_or(default, |size| size.min(PER_PAGE_LIMIT));
        let number = self.query.number("page").unwrap_or(1).max(1);
        let last = items.len().div_ceil(size).max(1);
        let start = (number - 1).saturating_mul(size).min(items.len());
        let end = start.saturating_add(size).min(items.len());
        let page = items.get(start..end).unwrap_or_default();
        let mut links = Vec::new();
        if number > 1 {
            links.push(("prev", (number - 1).min(last)));
        }
        if number < last {
            links.extend([("next", number + 1), ("last", last)]);
        }
        if number > 1 {
            links.push(("first", 1));
        }
        let id = self.repository()?.id;
        let base = format!("{}/repositories/{id}/{}", self.state.urls.api, self.tail);
        let links: Vec<String> = links
            .into_iter()
            .map(|(rel, number)| {
                format!("<{base}?{}>; rel=\"{rel}\"", self.query.with_page(number))
            })
            .collect();
        let header = (!links.is_empty()).then(|| ("link", links.join(", ")));
        Ok((page, header))
    }
}

/// The query of a call.
#[derive(Debug, Default)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (
                decode(&name.replace('+', " ")),
                decode(&value.replace('+', " ")),
            )
        });
        Self {
            pairs: pairs.collect(),
        }
    }

    /// Returns a value; an empty one counts as not given.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self
            .pairs
            .iter()
            .find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.get(name)?.parse().ok()
    }

    fn with_page(&self, page: usize) -> String {
        let others = self.pairs.iter().filter(|(name, _)| name != "page");
        let mut pairs: Vec<String> = others
            .map(|(name, value)| format!("{}={}", encode_segment(name), encode_segment(value)))
            .collect();
        pairs.push(format!("page={page}"));
        pairs.join("&")
    }
}

/// Takes a path apart at its slashes, then decodes each part.
pub(super) fn segments(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|part| !part.is_empty())
        .map(decode)
        .collect()
}

/// Undoes percent-encoding; what is not one stays.
fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) if *first == b'%' => {
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            Some(_) | None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
