//! Files and folders of a commit.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::{Value, json};

use super::call::Call;
use super::reply::{Refusal, Reply};
use crate::github::{
    Access, Permission, Sha, Tree, Visibility, blob_sha, encode_path, encode_segment, tree_sha,
};

/// Above this a file comes without its content unless asked for raw (published limit).
const INLINE_LIMIT_BYTES: usize = 1024 * 1024;
/// GitHub breaks the lines of a file's base64 here.
const BASE64_LINE: usize = 60;

/// Answers `GET contents/{path}`.
pub(super) fn get(call: &mut Call<'_>, path: &str) -> Result<Reply, Refusal> {
    call.require(&[Permission::Contents], Access::Read)?;
    let repository = call.repository()?;
    let reference = call.query.get("ref").unwrap_or(&repository.default_branch);
    let commit = call.state.resolve(repository, reference).ok_or_else(|| {
        let message = format!("No commit found for the ref {reference}");
        Refusal::new(http::StatusCode::NOT_FOUND, message)
    })?;
    let place = Place {
        call,
        reference,
        private: repository.visibility != Visibility::Public,
    };
    if let Some(content) = commit.tree.get(path) {
        if call.wants("raw") {
            return Ok(Reply::bytes(
                "application/vnd.github.raw+json",
                content.clone(),
            ));
        }
        return Ok(Reply::ok(&place.file(path, content)));
    }
    let entries = place.folder(path, &commit.tree);
    if entries.is_empty() && !path.is_empty() {
        return Err(Refusal::not_found());
    }
    if call.wants("object") {
        let mut json = place.entry("dir", path, 0, &tree_sha(&commit.tree));
        json["entries"] = json!(entries);
        return Ok(Reply::ok(&json));
    }
    Ok(Reply::ok(&json!(entries)))
}

/// Where entries are looked at from.
struct Place<'a, 'c> {
    call: &'a Call<'c>,
    reference: &'a str,
    private: bool,
}

impl Place<'_, '_> {
    fn file(&self, path: &str, content: &[u8]) -> Value {
        let mut json = self.entry("file", path, content.len(), &blob_sha(content));
        let inline = content.len() <= INLINE_LIMIT_BYTES;
        json["content"] = json!(if inline {
            base64_lines(content)
        } else {
            String::new()
        });
        json["encoding"] = json!(if inline { "base64" } else { "none" });
        json
    }

    /// Returns what lies directly in a folder, by name.
    fn folder(&self, path: &str, tree: &Tree) -> Vec<Value> {
        let prefix = if path.is_empty() {
            String::new()
        } else {
            format!("{path}/")
        };
        let mut folders: BTreeMap<String, Tree> = BTreeMap::new();
        let mut entries = BTreeMap::new();
        for (full, content) in tree {
            let Some(rest) = full.strip_prefix(&prefix) else {
                continue;
            };
            match rest.split_once('/') {
                None => {
                    entries.insert(
                        full.clone(),
                        self.entry("file", full, content.len(), &blob_sha(content)),
                    );
                }
                Some((folder, inner)) => {
                    let files = folders.entry(format!("{prefix}{folder}")).or_default();
                    files.insert(inner.to_owned(), content.clone());
                }
            }
        }
        for (full, files) in &folders {
            entries.insert(full.clone(), self.entry("dir", full, 0, &tree_sha(files)));
        }
        entries.into_values().collect()
    }

    /// Returns what files and folders have in common.
    fn entry(&self, kind: &str, path: &str, size_bytes: usize, sha: &Sha) -> Value {
        let (urls, repo) = (&self.call.state.urls, &self.call.repo);
        let is_file = kind == "file";
        let (encoded, reference) = (encode_path(path), encode_path(self.reference));
        let query = encode_segment(self.reference);
        let url = format!("{}/contents/{encoded}?ref={query}", urls.repo(repo));
        let objects = if is_file { "blobs" } else { "trees" };
        let git = format!("{}/git/{objects}/{sha}", urls.repo(repo));
        let view = if is_file { "blob" } else { "tree" };
        let html = format!("{}/{view}/{reference}/{encoded}", urls.page(repo));
        // The address of a private file carries a token of its own: whoever has it may read the file.
        let token = if self.private {
            format!("?token={}", sha.as_str().to_uppercase())
        } else {
            String::new()
        };
        let raw = format!("https://raw.githubusercontent.com/{repo}/{reference}/{encoded}{token}");
        json!({
            "type": kind,
            "size": size_bytes,
            "name": path.rsplit('/').next().unwrap_or_default(),
            "path": path,
            "sha": sha.as_str(),
            "url": url,
            "git_url": git,
            "html_url": html,
            "download_url": is_file.then_some(raw),
            "_links": {"self": url, "git": git, "html": html},
        })
    }
}

fn base64_lines(content: &[u8]) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(content);
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / BASE64_LINE + 1);
    for (at, digit) in encoded.chars().enumerate() {
        lines.push(digit);
        if (at + 1) % BASE64_LINE == 0 {
            lines.push('\n');
        }
    }
    if !lines.is_empty() && !lines.ends_with('\n') {
        lines.push('\n');
    }
    lines
}
