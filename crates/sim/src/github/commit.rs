//! Commits: whole trees with parents, and the questions a graph of them answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::diff::changes;
use super::{GitHubState, Repository, node_id, stamp};

/// The name of a commit: forty lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Sha(String);

impl Sha {
    /// What a push event calls the commit before a branch began.
    pub(crate) const NONE: &'static str = "0000000000000000000000000000000000000000";

    /// Reads a full name; `None` unless it is forty hex digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_name = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_name.then(|| Self(text.to_ascii_lowercase()))
    }

    /// Returns the hex digits.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut digits = hex::encode(hash.finalize());
        digits.truncate(40);
        Self(digits)
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The files of a commit, by path.
pub(crate) type Tree = BTreeMap<String, Vec<u8>>;

/// A commit with its whole tree.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    /// The commit's name.
    pub(crate) sha: Sha,
    /// The commits it was made on; the first is the branch it went to.
    pub(crate) parents: Vec<Sha>,
    /// The whole message.
    pub(crate) message: String,
    /// The login of its author.
    pub(crate) author: String,
    /// When it was made.
    pub(crate) date: Timestamp,
    /// Its files.
    pub(crate) tree: Arc<Tree>,
    /// The repository and its forks share their commits, as on GitHub.
    network: String,
    /// Counts up: a commit always comes after its parents.
    order: u64,
}

/// What a commit is made of.
pub(crate) struct NewCommit<'a> {
    pub(crate) network: &'a str,
    /// `None` lets the name follow from the content.
    pub(crate) sha: Option<Sha>,
    pub(crate) parents: Vec<Sha>,
    pub(crate) message: &'a str,
    pub(crate) author: &'a str,
    pub(crate) date: Timestamp,
    pub(crate) tree: Tree,
}

/// All commits of all repositories.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commits {
    by_sha: BTreeMap<Sha, Commit>,
    order: u64,
}

impl Commits {
    pub(crate) fn add(&mut self, new: NewCommit<'_>) -> Sha {
        self.order += 1;
        let sha = new.sha.unwrap_or_else(|| {
            // The counter tells two commits with the same content apart.
            let counter = self.order.to_be_bytes();
            let tree = tree_sha(&new.tree);
            Sha::of(&[
                b"commit",
                &counter,
                tree.as_str().as_bytes(),
                new.message.as_bytes(),
            ])
        });
        let commit = Commit {
            sha: sha.clone(),
            parents: new.parents,
            message: new.message.to_owned(),
            author: new.author.to_owned(),
            date: new.date,
            tree: Arc::new(new.tree),
            network: new.network.to_owned(),
            order: self.order,
        };
        self.by_sha.insert(sha.clone(), commit);
        sha
    }

    pub(crate) fn get(&self, sha: &Sha) -> Option<&Commit> {
        self.by_sha.get(sha)
    }

    /// Returns the commit that a full or abbreviated name means in a network of forks.
    pub(crate) fn find(&self, network: &str, prefix: &str) -> Option<&Commit> {
        // Git refuses names shorter than four digits.
        if prefix.len() < 4 || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let prefix = prefix.to_ascii_lowercase();
        let mut hits = self
            .by_sha
            .range(Sha(prefix.clone())..)
            .map(|(_, commit)| commit)
            .take_while(|commit| commit.sha.0.starts_with(&prefix))
            .filter(|commit| commit.network == network);
        let first = hits.next()?;
        hits.next().is_none().then_some(first)
    }

    /// Returns a commit and all it was made on.
    fn ancestors(&self, sha: &Sha) -> BTreeSet<Sha> {
        let mut seen = BTreeSet::new();
        let mut open = vec![sha.clone()];
        while let Some(next) = open.pop() {
            if seen.insert(next.clone())
                && let Some(commit) = self.get(&next)
            {
                open.extend(commit.parents.iter().cloned());
            }
        }
        seen
    }

    /// Returns whether a commit is, or was made on, another.
    pub(crate) fn contains(&self, commit: &Sha, ancestor: &Sha) -> bool {
        self.ancestors(commit).contains(ancestor)
    }

    /// Returns the newest commit that both were made on.
    pub(crate) fn merge_base(&self, one: &Sha, other: &Sha) -> Option<&Commit> {
        let ours = self.ancestors(one);
        self.ancestors(other)
            .iter()
            .filter(|sha| ours.contains(sha))
            .filter_map(|sha| self.get(sha))
            .max_by_key(|commit| commit.order)
    }

    /// Returns the commits that `head` has and `base` has not, oldest first.
    pub(crate) fn between(&self, base: &Sha, head: &Sha) -> Vec<&Commit> {
        let known = self.ancestors(base);
        let mut commits: Vec<&Commit> = self
            .ancestors(head)
            .iter()
            .filter(|sha| !known.contains(sha))
            .filter_map(|sha| self.get(sha))
            .collect();
        commits.sort_by_key(|commit| commit.order);
        commits
    }
}

/// Returns the name of a file's content.
pub(crate) fn blob_sha(content: &[u8]) -> Sha {
    Sha::of(&[b"blob", content])
}

/// Returns the name of a tree.
pub(crate) fn tree_sha(tree: &Tree) -> Sha {
    let mut parts: Vec<&[u8]> = vec![b"tree"];
    for (path, content) in tree {
        parts.push(path.as_bytes());
        parts.push(content);
    }
    Sha::of(&parts)
}

/// How much of a commit an answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitDetail {
    /// As in a list.
    Short,
    /// With `stats` and `files`.
    Full,
}

impl GitHubState {
    /// Returns the commit that a branch, a full reference or a (short) name means.
    pub(crate) fn resolve(&self, repository: &Repository, reference: &str) -> Option<&Commit> {
        let branch = reference
            .strip_prefix("refs/heads/")
            .or_else(|| reference.strip_prefix("heads/"))
            .unwrap_or(reference);
        match repository.branches.get(branch) {
            Some(head) => self.commits.get(head),
            None => self.commits.find(&repository.network, reference),
        }
    }

    /// Returns `commit`.
    pub(crate) fn commit_json(
        &self,
        repository: &Repository,
        commit: &Commit,
        detail: CommitDetail,
    ) -> Value {
        let url = format!(
            "{}/commits/{}",
            self.urls.repo(&repository.full_name()),
            commit.sha
        );
        let page = self.urls.page(&repository.full_name());
        let git = self.git_commit_json(repository, commit);
        let user = self.user_json(&commit.author);
        let parents: Vec<Value> = commit
            .parents
            .iter()
            .map(|sha| {
                let url = format!("{}/commits/{sha}", self.urls.repo(&repository.full_name()));
                json!({"sha": sha.as_str(), "url": url, "html_url": format!("{page}/commit/{sha}")})
            })
            .collect();
        let mut json = json!({
            "sha": commit.sha.as_str(),
            "node_id": node_id("C", commit.order),
            "commit": git,
            "url": url,
            "html_url": format!("{page}/commit/{}", commit.sha),
            "comments_url": format!("{url}/comments"),
            "author": user,
            "committer": user,
            "parents": parents,
        });
        if detail == CommitDetail::Full {
            let files = self.changed_files(commit);
            let additions: usize = files.iter().map(|file| file.additions).sum();
            let deletions: usize = files.iter().map(|file| file.deletions).sum();
            json["stats"] = json!({"total": additions + deletions, "additions": additions, "deletions": deletions});
            json["files"] = files
                .iter()
                .map(|file| file.json(&self.urls, &repository.full_name(), &commit.sha))
                .collect();
        }
        json
    }

    /// Returns what a commit changed against its first parent.
    pub(crate) fn changed_files(&self, commit: &Commit) -> Vec<super::FileChange> {
        let parent = commit.parents.first().and_then(|sha| self.commits.get(sha));
        let empty = Tree::new();
        changes(parent.map_or(&empty, |parent| &parent.tree), &commit.tree)
    }

    fn git_commit_json(&self, repository: &Repository, commit: &Commit) -> Value {
        let git = format!("{}/git", self.urls.repo(&repository.full_name()));
        let tree = tree_sha(&commit.tree);
        let email = self.users.get(&commit.author).map(super::user::User::email);
        let author = json!({
            "name": commit.author,
            "email": email.unwrap_or_default(),
            "date": stamp(commit.date),
        });
        json!({
            "author": author,
            "committer": author,
            "message": commit.message,
            "tree": {"sha": tree.as_str(), "url": format!("{git}/trees/{tree}")},
            "url": format!("{git}/commits/{}", commit.sha),
            "comment_count": 0,
            "verification": {
                "verified": false, "reason": "unsigned",
                "signature": null, "payload": null, "verified_at": null,
            },
        })
    }
}
