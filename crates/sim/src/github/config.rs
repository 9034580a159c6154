//! Reads the state from a JSON document; the format is described at [`GitHubState::from_config`].

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::commit::NewCommit;
use super::control::{Act, Edits};
use super::label::DEFAULT_COLOR;
use super::repository::{Role, Visibility};
use super::token::TokenConfig;
use super::user::UserKind;
use super::{GitHubState, Issue, IssueState, Knobs, Label, NewPullRequest, Repository, Sha, Tree};

/// When things were made that a configuration gives no time for.
const BEGINNING: Timestamp = Timestamp::constant(1_767_225_600, 0); // 2026-01-01T00:00:00Z

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    html_url: Option<String>,
    /// Each a [`UserConfig`] or its login.
    users: Vec<Value>,
    tokens: BTreeMap<String, TokenConfig>,
    repositories: Vec<RepositoryConfig>,
    knobs: KnobsConfig,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserConfig {
    login: String,
    #[serde(rename = "type")]
    kind: Option<UserKind>,
}

/// Reads a list whose entries may be given by a key's value alone: `"mona"` for `{"login": "mona"}`.
fn short<T: DeserializeOwned>(list: Vec<Value>, key: &str) -> Result<Vec<T>, String> {
    let whole = |entry: Value| match entry {
        Value::String(text) => json!({key: text}),
        other => other,
    };
    let read = |entry| serde_json::from_value(whole(entry)).map_err(|error| error.to_string());
    list.into_iter().map(read).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct KnobsConfig {
    commit_pull_index_lag_seconds: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RepositoryConfig {
    name: String,
    #[serde(default)]
    visibility: Visibility,
    #[serde(default = "main")]
    default_branch: String,
    description: Option<String>,
    fork_of: Option<String>,
    #[serde(default = "yes")]
    has_issues: bool,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    commits: Vec<CommitConfig>,
    #[serde(default)]
    collaborators: BTreeMap<String, Role>,
    #[serde(default)]
    /// Each a [`LabelConfig`] or its name.
    labels: Vec<Value>,
    #[serde(default)]
    pull_requests: Vec<PullConfig>,
    #[serde(default)]
    issues: Vec<IssueConfig>,
}

fn main() -> String {
    "main".to_owned()
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitConfig {
    branch: Option<String>,
    message: String,
    author: Option<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    delete: Vec<String>,
    sha: Option<String>,
    date: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelConfig {
    name: String,
    color: Option<String>,
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PullConfig {
    number: Option<u64>,
    title: String,
    body: Option<String>,
    user: String,
    head: String,
    base: Option<String>,
    head_sha: Option<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    delete: Vec<String>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    draft: bool,
    created_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueConfig {
    number: Option<u64>,
    title: String,
    body: Option<String>,
    user: String,
}

pub(super) fn build(config: &Value) -> Result<GitHubState, String> {
    let config: Config =
        serde_json::from_value(config.clone()).map_err(|error| error.to_string())?;
    let mut state = GitHubState {
        knobs: Knobs {
            commit_pull_index_lag: Duration::from_secs(config.knobs.commit_pull_index_lag_seconds),
        },
        ..GitHubState::default()
    };
    if let Some(url) = config.html_url {
        state.urls.html = url.trim_end_matches('/').to_owned();
    }
    let users: Vec<UserConfig> =
        short(config.users, "login").map_err(|why| format!("users: {why}"))?;
    for user in users {
        state.users.add(&mut state.ids, &user.login, user.kind);
    }
    for (token, config) in config.tokens {
        state.know_user(&config.login);
        state.tokens.add(&token, config);
    }
    // All repositories first: a pull request can come from a fork further down.
    for config in &config.repositories {
        add_repository(&mut state, config)
            .map_err(|why| format!("repository `{}`: {why}", config.name))?;
    }
    for config in &config.repositories {
        add_issues(&mut state, config)
            .map_err(|why| format!("repository `{}`: {why}", config.name))?;
    }
    Ok(state)
}

fn add_repository(state: &mut GitHubState, config: &RepositoryConfig) -> Result<(), String> {
    let (owner, name) = config
        .name
        .split_once('/')
        .ok_or("the name is not `owner/name`")?;
    let key = config.name.to_lowercase();
    if state.repositories.contains_key(&key) {
        return Err("it is listed twice".to_owned());
    }
    state.know_user(owner);
    let origin = match &config.fork_of {
        None => None,
        Some(of) => {
            let origin = state
                .repository(of)
                .ok_or_else(|| format!("`{of}` must be listed before it"))?;
            Some((origin.network.clone(), origin.branches.clone()))
        }
    };
    let is_fork = origin.is_some();
    let (network, branches) = origin.unwrap_or_else(|| (key.clone(), BTreeMap::new()));
    for login in config.collaborators.keys() {
        state.know_user(login);
    }
    let collaborators = config
        .collaborators
        .iter()
        .map(|(login, role)| (login.to_lowercase(), *role));
    let labels: Vec<LabelConfig> =
        short(config.labels.clone(), "name").map_err(|why| format!("labels: {why}"))?;
    let labels = labels.into_iter().map(|label| Label {
        id: state.ids.next(),
        name: label.name,
        color: label.color.unwrap_or_else(|| DEFAULT_COLOR.to_owned()),
        description: label.description,
    });
    let labels = labels.collect();
    let repository = Repository {
        id: state.ids.next(),
        owner: owner.to_owned(),
        name: name.to_owned(),
        description: config.description.clone(),
        visibility: config.visibility,
        default_branch: config.default_branch.clone(),
        network,
        is_fork,
        has_issues: config.has_issues,
        created_at: BEGINNING,
        pushed_at: BEGINNING,
        collaborators: collaborators.collect(),
        branches,
        labels,
        issues: BTreeMap::new(),
        comments: BTreeMap::new(),
        deployments: BTreeMap::new(),
        dispatches: Vec::new(),
        runs: BTreeMap::new(),
    };
    state.repositories.insert(key, repository);
    add_history(state, config)
}

fn add_history(state: &mut GitHubState, config: &RepositoryConfig) -> Result<(), String> {
    if !config.files.is_empty() || (config.commits.is_empty() && config.fork_of.is_none()) {
        let edits = edits(&config.files, &[]);
        let first = CommitConfig {
            branch: None,
            message: "Initial commit".to_owned(),
            author: None,
            files: BTreeMap::new(),
            delete: Vec::new(),
            sha: None,
            date: None,
        };
        add_commit(state, config, &first, &edits)?;
    }
    for commit in &config.commits {
        add_commit(state, config, commit, &edits(&commit.files, &commit.delete))?;
    }
    Ok(())
}

fn add_commit(
    state: &mut GitHubState,
    config: &RepositoryConfig,
    commit: &CommitConfig,
    edits: &Edits,
) -> Result<(), String> {
    let repository = state.repository(&config.name).ok_or("it is missing")?;
    let branch = commit
        .branch
        .clone()
        .unwrap_or_else(|| repository.default_branch.clone());
    let network = repository.network.clone();
    let author = commit
        .author
        .clone()
        .unwrap_or_else(|| repository.owner.clone());
    let branches = &repository.branches;
    // A branch that is named for the first time starts from the default branch.
    let parent = branches
        .get(&branch)
        .or_else(|| branches.get(&repository.default_branch))
        .cloned();
    let sha = match &commit.sha {
        None => None,
        Some(text) => Some(
            Sha::parse(text).ok_or_else(|| format!("`{text}` is not a commit's 40 hex digits"))?,
        ),
    };
    let before = parent.as_ref().and_then(|sha| state.commits.get(sha));
    let mut tree = before
        .map(|commit| Tree::clone(&commit.tree))
        .unwrap_or_default();
    edits.apply(&mut tree);
    state.know_user(&author);
    let date = commit.date.unwrap_or(BEGINNING);
    let message = &commit.message;
    let parents = parent.into_iter().collect();
    let new = NewCommit {
        network: &network,
        sha,
        parents,
        message,
        author: &author,
        date,
        tree,
    };
    let after = state.commits.add(new);
    let act = Act {
        login: &author,
        at: date,
    };
    let moved = state.move_branch(&config.name, &branch, after, act);
    moved.map(|_| ()).map_err(|error| error.to_string())
}

fn add_issues(state: &mut GitHubState, config: &RepositoryConfig) -> Result<(), String> {
    for pull in &config.pull_requests {
        let new = NewPullRequest {
            number: pull.number,
            title: pull.title.clone(),
            body: pull.body.clone(),
            head: pull.head.clone(),
            base: pull.base.clone(),
            edits: edits(&pull.files, &pull.delete),
            head_sha: pull.head_sha.clone(),
            labels: pull.labels.clone(),
            draft: pull.draft,
        };
        let act = Act {
            login: &pull.user,
            at: pull.created_at.unwrap_or(BEGINNING),
        };
        state
            .open_pull_request(&config.name, &new, act)
            .map_err(|error| error.to_string())?;
    }
    for issue in &config.issues {
        state.know_user(&issue.user);
        let id = state.ids.next();
        let repository = state.repository_mut(&config.name).ok_or("it is missing")?;
        let number = issue.number.unwrap_or_else(|| repository.next_number());
        if repository.issues.contains_key(&number) {
            return Err(format!("number {number} is given twice"));
        }
        let issue = Issue {
            id,
            number,
            title: issue.title.clone(),
            body: issue.body.clone(),
            user: issue.user.clone(),
            state: IssueState::Open,
            labels: Vec::new(),
            locked: false,
            deleted: false,
            created_at: BEGINNING,
            updated_at: BEGINNING,
            closed_at: None,
            pull: None,
        };
        repository.issues.insert(number, issue);
    }
    Ok(())
}

fn edits(files: &BTreeMap<String, String>, delete: &[String]) -> Edits {
    let edits = files.iter().fold(Edits::new(), |edits, (path, text)| {
        edits.write(path, text.as_str())
    });
    delete.iter().fold(edits, |edits, path| edits.delete(path))
}
