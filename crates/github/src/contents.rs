//! Files and folders of a commit (`GET /repos/{owner}/{repo}/contents/{path}`).
//!
//! Only reading: nothing of ours ever writes to a repository's files.

use serde::Deserialize;

use crate::client::{Call, GitHub};
use crate::error::{Effect, Error, ErrorKind, Permission};
use crate::wire::segment;

/// Largest file that is read, in bytes. Config and manifests are a few kilobytes; beyond a
/// megabyte GitHub itself offers only the raw form.
const FILE_BYTES: usize = 1024 * 1024;

/// What an entry of a folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Another repository at a fixed commit.
    Submodule,
    /// Something else, as GitHub names it.
    Other(String),
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name within the folder.
    pub name: String,
    /// Its path from the root of the repository.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its size in bytes, where GitHub tells.
    pub size_bytes: Option<u64>,
}

#[derive(Deserialize)]
struct WireEntry {
    name: String,
    path: String,
    #[serde(rename = "type")]
    kind: String,
    size: Option<u64>,
}

impl From<WireEntry> for Entry {
    fn from(wire: WireEntry) -> Self {
        let kind = match wire.kind.as_str() {
            "file" => EntryKind::File,
            "dir" => EntryKind::Directory,
            "symlink" => EntryKind::Symlink,
            "submodule" => EntryKind::Submodule,
            other => EntryKind::Other(other.to_owned()),
        };
        Self {
            name: wire.name,
            path: wire.path,
            kind,
            size_bytes: wire.size,
        }
    }
}

impl GitHub {
    /// Reads a file as it is at `git_ref` (a commit id or a branch); `None` when there is none.
    ///
    /// GitHub also answers "not found" when the token lacks `contents: read` on a private
    /// repository; [`GitHub::repo`] tells the two apart.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] above one mebibyte, [`ErrorKind::BadPath`] for a path that
    /// leaves the repository or names a folder.
    pub async fn file(&self, path: &str, git_ref: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut call = self.contents_call(path, git_ref, "read the file")?;
        call.accept = Some("application/vnd.github.raw+json");
        call.body_limit = FILE_BYTES;
        let reply = match self.send(&call).await {
            Ok(reply) => reply,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        // A folder has no raw form: GitHub answers with the listing, typed as plain JSON.
        let is_plain_json = reply
            .headers
            .get(http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/json"));
        if is_plain_json && reply.json::<Vec<WireEntry>>(&call).is_ok() {
            return Err(call.failed(ErrorKind::BadPath {
                path: path.to_owned(),
                expected: "a file",
            }));
        }
        Ok(Some(reply.body.to_vec()))
    }

    /// Lists a folder as it is at `git_ref`; `None` when there is none.
    ///
    /// GitHub lists at most a thousand entries of a folder.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadPath`] for a path that leaves the repository or names a file.
    pub async fn directory(&self, path: &str, git_ref: &str) -> Result<Option<Vec<Entry>>, Error> {
        let call = self.contents_call(path, git_ref, "list the folder")?;
        let reply = match self.send(&call).await {
            Ok(reply) => reply,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        if reply.body.trim_ascii_start().starts_with(b"{") {
            return Err(call.failed(ErrorKind::BadPath {
                path: path.to_owned(),
                expected: "a folder",
            }));
        }
        let entries: Vec<WireEntry> = reply.json(&call)?;
        Ok(Some(entries.into_iter().map(Entry::from).collect()))
    }

    fn contents_call(&self, path: &str, git_ref: &str, doing: &str) -> Result<Call, Error> {
        let attempted = format!("{doing} `{path}` of `{}`", self.repo_name());
        let trimmed = path.trim_end_matches('/');
        // A `..` would be resolved by the HTTP client and ask for another part of the API.
        let stays_inside = trimmed.is_empty()
            || trimmed.split('/').all(|part| {
                !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control)
            });
        if !stays_inside {
            return Err(Error::new(
                attempted,
                Effect::Read,
                ErrorKind::BadPath {
                    path: path.to_owned(),
                    expected: "a path within the repository",
                },
            ));
        }
        let encoded: Vec<String> = trimmed.split('/').map(segment).collect();
        Ok(Call::get(
            self.path(&format!("/contents/{}", encoded.join("/"))),
            Permission::ContentsRead,
            attempted,
        )
        .query("ref", git_ref))
    }
}
