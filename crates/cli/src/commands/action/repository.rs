//! What the repository says at a commit: the config, the manifests, and which of them a pull request means.
//!
//! Read through the API at a named commit, never from a checkout: what runs is what was reviewed and merged.

use github::{ChangedFile, Error, ErrorKind, FileStatus, GitHub, PullRequest, Sha};
use migration::{CONFIG_PATH, Config, Manifest, MigrationId, Reason, Refusal};

use crate::publish::PERMISSIONS;
use crate::settings::quoted;
use crate::wiring::chain;

/// A manifest in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) id: MigrationId,
    pub(crate) path: String,
}

/// Returns what a failed call to GitHub comes to before anything was inserted.
pub(crate) fn refusal(error: &Error) -> Refusal {
    let told = chain(error);
    if let Some(permission) = error.missing_permission() {
        return Refusal::new(
            Reason::MissingPermission,
            format!("the workflow's token lacks the permission `{permission}`: {error}"),
            format!("Give the job these permissions:\n\n{PERMISSIONS}"),
        );
    }
    match error.kind() {
        ErrorKind::Unauthorized => Refusal::new(
            Reason::MissingPermission,
            format!("GitHub does not accept the token: {told}"),
            "Leave `github-token` out, so that the workflow's own token is used; or make a new one.",
        ),
        ErrorKind::NotFound => Refusal::new(
            Reason::MissingPermission,
            told,
            format!(
                "GitHub answers so too when the token may not read the repository. Give the job these permissions:\n\n{PERMISSIONS}"
            ),
        ),
        ErrorKind::TooLarge { .. } => Refusal::new(
            Reason::Ambiguous,
            told,
            "It can't be told which migrations are meant. Start the workflow by hand with `mode: run` and `migration`.",
        ),
        _ => Refusal::new(
            Reason::LedgerUnreachable,
            format!("{told}; nothing was inserted"),
            "Re-run this job later; www.githubstatus.com tells about outages.",
        ),
    }
}

/// Returns the config as it is at `git_ref`; one that settles nothing where there is no file at the usual place.
///
/// # Errors
/// A [`Refusal`] for a file that is not exactly a config, or was named and is not there.
pub(crate) async fn config(
    github: &GitHub,
    chosen: Option<&str>,
    git_ref: &str,
) -> Result<Config, Refusal> {
    let path = chosen.unwrap_or(CONFIG_PATH);
    match text(github, path, git_ref, Reason::BadConfig).await? {
        Some(text) => Config::parse(path, &text).map_err(Refusal::from),
        None if chosen.is_none() => Ok(Config::default()),
        None => Err(Refusal::new(
            Reason::BadConfig,
            format!("there is no config `{path}` at `{git_ref}`"),
            format!("Check the input `config`; without it, {CONFIG_PATH} is read."),
        )),
    }
}

/// Returns a manifest as it is at `sha`.
///
/// # Errors
/// A [`Refusal`] for a file that is not there (lists what is) or is not exactly a manifest.
pub(crate) async fn manifest(
    github: &GitHub,
    located: &Located,
    folder: &str,
    sha: &str,
) -> Result<Manifest, Refusal> {
    let Located { id, path } = located;
    match text(github, path, sha, Reason::BadManifest).await? {
        Some(text) => Manifest::parse(id.clone(), path, &text).map_err(Refusal::from),
        None => {
            let known = manifests(github, folder, sha).await.unwrap_or_default();
            let known: Vec<&str> = known.iter().map(|one| one.id.as_str()).collect();
            let hint = match known.as_slice() {
                [] => format!(
                    "The folder `{folder}` holds no manifest; its name is `manifests` in {CONFIG_PATH}."
                ),
                known => format!("There are {}.", quoted(known)),
            };
            Err(Refusal::new(
                Reason::BadManifest,
                format!("there is no manifest `{path}` at `{sha}`"),
                hint,
            ))
        }
    }
}

async fn text(
    github: &GitHub,
    path: &str,
    git_ref: &str,
    bad: Reason,
) -> Result<Option<String>, Refusal> {
    let bytes = match github.file(path, git_ref).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(error) => {
            return Err(match error.kind() {
                ErrorKind::BadPath { .. } | ErrorKind::TooLarge { .. } => {
                    Refusal::new(bad, chain(&error), "")
                }
                _ => refusal(&error),
            });
        }
    };
    let text = String::from_utf8(bytes)
        .map_err(|_not_text| Refusal::new(bad, format!("`{path}` is not UTF-8 text"), ""))?;
    Ok(Some(text))
}

/// Returns the manifests of the folder as it is at `git_ref`; a file whose name can't be an id is left out.
///
/// # Errors
/// A [`Refusal`] when GitHub does not tell.
pub(crate) async fn manifests(
    github: &GitHub,
    folder: &str,
    git_ref: &str,
) -> Result<Vec<Located>, Refusal> {
    let entries = github
        .directory(folder, git_ref)
        .await
        .map_err(|error| refusal(&error))?;
    let found = entries.unwrap_or_default();
    Ok(found
        .iter()
        .filter_map(|entry| located(folder, &entry.path)?.ok())
        .collect())
}

/// Returns the manifest at `path`; nothing for a file that is none, a refusal for one whose name can't be an id.
pub(crate) fn located(folder: &str, path: &str) -> Option<Result<Located, Refusal>> {
    let name = path
        .strip_prefix(folder.trim_end_matches('/'))?
        .strip_prefix('/')?
        .strip_suffix(".yml")?;
    if name.contains('/') {
        return None;
    }
    Some(match MigrationId::parse(name) {
        Ok(id) => Ok(Located {
            id,
            path: path.to_owned(),
        }),
        Err(error) => Err(Refusal::new(
            Reason::BadManifest,
            format!("the file name of the manifest `{path}` is no migration id: {error}"),
            "Rename the file: its name without `.yml` is the migration's id.",
        )),
    })
}

/// Returns the manifests that a pull request adds or changes, in the order of their paths.
///
/// # Errors
/// A [`Refusal`] when GitHub does not tell, or a name can't be an id.
pub(crate) async fn touched(
    github: &GitHub,
    pull: &PullRequest,
    folder: &str,
) -> Result<Vec<Located>, Refusal> {
    let mut files = github
        .pull_files(pull.number)
        .await
        .map_err(|error| refusal(&error))?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
        .iter()
        .filter(|file| holds(file))
        .filter_map(|file| located(folder, &file.path))
        .collect()
}

/// Whether the file is there after the change, with a content that may be new.
fn holds(file: &ChangedFile) -> bool {
    match &file.status {
        FileStatus::Added
        | FileStatus::Modified
        | FileStatus::Renamed
        | FileStatus::Copied
        | FileStatus::Other(_) => true,
        FileStatus::Removed | FileStatus::Changed | FileStatus::Unchanged => false,
    }
}

/// Returns the manifests that came or changed their size between two commits; a look that costs two calls. A change
/// that keeps the size goes unseen, which only matters for a notice.
///
/// # Errors
/// A [`Refusal`] when GitHub does not tell.
pub(crate) async fn arrived(
    github: &GitHub,
    folder: &str,
    before: &Sha,
    after: &Sha,
) -> Result<Vec<Located>, Refusal> {
    let list = async |sha: &Sha| {
        github
            .directory(folder, sha.as_str())
            .await
            .map_err(|error| refusal(&error))
    };
    let now = list(after).await?.unwrap_or_default();
    if now.is_empty() {
        return Ok(Vec::new());
    }
    let then = list(before).await?.unwrap_or_default();
    let is_new = |path: &str, size| {
        then.iter()
            .all(|entry| entry.path != path || entry.size_bytes != size)
    };
    let fresh = now
        .iter()
        .filter(|entry| is_new(&entry.path, entry.size_bytes));
    Ok(fresh
        .filter_map(|entry| located(folder, &entry.path)?.ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_right_in_the_folder_are_manifests() {
        let id = |path: &str| {
            located(".harbor-pilot", path).map(|found| found.map(|found| found.id.to_string()).ok())
        };
        assert_eq!(
            id(".harbor-pilot/ter-235.yml"),
            Some(Some("ter-235".to_owned()))
        );
        assert_eq!(id(".harbor-pilot/old/ter-1.yml"), None);
        assert_eq!(id(".harbor-pilot/README.md"), None);
        assert_eq!(id(".harbor-pilots/x.yml"), None);
        assert_eq!(id("x.yml"), None);
        assert_eq!(id(".harbor-pilot/Bad Name.yml"), Some(None));
    }
}
