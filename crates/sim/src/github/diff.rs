//! What differs between two trees, and what two sides make of one.

use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::commit::{Sha, Tree, blob_sha};
use super::{Urls, encode_path};

/// What happened to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileStatus {
    Added,
    Removed,
    Modified,
    /// Moved without a change of its content, from this path.
    Renamed(String),
}

/// One changed file.
#[derive(Debug, Clone)]
pub(crate) struct FileChange {
    pub(crate) path: String,
    pub(crate) status: FileStatus,
    /// Lines.
    pub(crate) additions: usize,
    /// Lines.
    pub(crate) deletions: usize,
    blob: Sha,
    /// `None` for binary files and for moves.
    patch: Option<String>,
}

impl FileChange {
    /// Returns `diff-entry`, with links into the tree of a commit.
    pub(crate) fn json(&self, urls: &Urls, full_name: &str, head: &Sha) -> Value {
        let path = encode_path(&self.path);
        let page = urls.page(full_name);
        let status = match self.status {
            FileStatus::Added => "added",
            FileStatus::Removed => "removed",
            FileStatus::Modified => "modified",
            FileStatus::Renamed(_) => "renamed",
        };
        let mut json = json!({
            "sha": self.blob.as_str(),
            "filename": self.path,
            "status": status,
            "additions": self.additions,
            "deletions": self.deletions,
            "changes": self.additions + self.deletions,
            "blob_url": format!("{page}/blob/{head}/{path}"),
            "raw_url": format!("{page}/raw/{head}/{path}"),
            "contents_url": format!("{}/contents/{path}?ref={head}", urls.repo(full_name)),
        });
        if let Some(patch) = &self.patch {
            json["patch"] = json!(patch);
        }
        if let FileStatus::Renamed(from) = &self.status {
            json["previous_filename"] = json!(from);
        }
        json
    }
}

/// Returns what changed between two trees, by path.
pub(crate) fn changes(before: &Tree, after: &Tree) -> Vec<FileChange> {
    let mut gone: Vec<(&String, &Vec<u8>)> = before
        .iter()
        .filter(|(path, _)| !after.contains_key(*path))
        .collect();
    let mut list = Vec::new();
    for (path, content) in after {
        match before.get(path) {
            Some(old) if old == content => {}
            Some(old) => list.push(change(path, FileStatus::Modified, old, content)),
            None => match gone.iter().position(|(_, old)| *old == content) {
                Some(at) => {
                    let (from, _) = gone.remove(at);
                    list.push(change(
                        path,
                        FileStatus::Renamed(from.clone()),
                        content,
                        content,
                    ));
                }
                None => list.push(change(path, FileStatus::Added, b"", content)),
            },
        }
    }
    list.extend(
        gone.into_iter()
            .map(|(path, old)| change(path, FileStatus::Removed, old, b"")),
    );
    list.sort_by(|one, other| one.path.cmp(&other.path));
    list
}

fn change(path: &str, status: FileStatus, before: &[u8], after: &[u8]) -> FileChange {
    // GitHub names the old content of a file that is gone.
    let blob = blob_sha(if status == FileStatus::Removed {
        before
    } else {
        after
    });
    let mut change = FileChange {
        path: path.to_owned(),
        status,
        additions: 0,
        deletions: 0,
        blob,
        patch: None,
    };
    let (Ok(before), Ok(after)) = (std::str::from_utf8(before), std::str::from_utf8(after)) else {
        return change;
    };
    if before == after {
        return change;
    }
    let diff = TextDiff::from_lines(before, after);
    for line in diff.iter_all_changes() {
        match line.tag() {
            ChangeTag::Insert => change.additions += 1,
            ChangeTag::Delete => change.deletions += 1,
            ChangeTag::Equal => {}
        }
    }
    let patch = diff.unified_diff().context_radius(3).to_string();
    change.patch = Some(patch.trim_end_matches('\n').to_owned());
    change
}

/// Returns the tree with what both sides changed, or the paths that they changed differently.
pub(crate) fn merge(base: &Tree, ours: &Tree, theirs: &Tree) -> Result<Tree, Vec<String>> {
    let mut merged = ours.clone();
    let mut conflicts = Vec::new();
    let paths = base
        .keys()
        .chain(theirs.keys().filter(|path| !base.contains_key(*path)));
    for path in paths {
        let (was, our, their) = (base.get(path), ours.get(path), theirs.get(path));
        if their == was || their == our {
            continue;
        }
        if our != was {
            conflicts.push(path.clone());
            continue;
        }
        match their {
            Some(content) => merged.insert(path.clone(), content.clone()),
            None => merged.remove(path),
        };
    }
    if conflicts.is_empty() {
        Ok(merged)
    } else {
        Err(conflicts)
    }
}
