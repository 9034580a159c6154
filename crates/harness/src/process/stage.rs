//! Where one run plays: a world behind a socket of this machine, what its jobs left behind, and the surroundings in
//! which the program is started.

use super::child::{Name, Start};
use crate::scene::{APP_NAME, REPO};
use crate::wire::TOKEN;
use serde_json::{Value, json};
use sim::{Act, Clock, Edits, MergeMethod, NewPullRequest, World, WorldConfig};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// How the program is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// By a person, with the record of claims in a file.
    CommandLine,
    /// By a workflow, with the record of claims in GitHub's deployments.
    Action,
}

/// What a process is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Main,
    Post,
    Sweep,
    Rerun,
}

/// The steps of the migration.
pub(crate) const STEPS: [&str; 2] = ["columns", "backfill"];

/// The token of the workflow.
pub(crate) const GITHUB_TOKEN: &str = "ghs_Zk3vQ8wTn5LrXy2BdJ7cHs9MfPa4GeRu6Wt1";
/// What else must never be seen: the database's password, the plain text of the app's secret.
pub(crate) const SECRETS: [&str; 4] = [TOKEN, GITHUB_TOKEN, "real-password", "plain-jwt-secret"];

/// The pull request that asks for the migration.
pub(crate) const PULL: u64 = 428;
/// The label by which it asks.
pub(crate) const REQUEST: &str = "needs-migration";
const WORKFLOW_RUN: u64 = 9001;
const MANIFEST: &str = ".harbor-pilot/ter-235.yml";
const CONFIG: &str = ".github/harbor-pilot.yml";

/// One world, and everything around it.
pub(crate) struct Stage {
    pub(crate) world: World,
    way: Way,
    pace: f64,
    base: String,
    folder: TempDir,
    /// The payload of the merge's event and its commit.
    merge: Option<(Value, String)>,
    steps: Cell<u32>,
    /// Ends with the stage.
    _serving: JoinSet<io::Result<()>>,
}

impl Stage {
    pub(crate) async fn new(way: Way, pace: f64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tools = folder.path().join("tools");
        write_tool(&tools, &folder.path().join(EFFECTS));
        let mut config = world(way);
        config.tools = vec![tools];
        let start = "2026-02-18T00:30:00Z".parse().expect("a constant");
        let world =
            World::new(config, Clock::starting_at(start).at_pace(pace)).expect("a constant");
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port of this machine");
        let address = listener.local_addr().expect("it is bound");
        let mut serving = JoinSet::new();
        serving.spawn(sim::serve(world.clone(), listener));
        let mut stage = Self {
            world,
            way,
            pace,
            base: format!("http://{address}"),
            folder,
            merge: None,
            steps: Cell::new(0),
            _serving: serving,
        };
        // The server names it so too, as soon as it is polled.
        stage.world.set_public_base(&stage.base);
        match way {
            Way::CommandLine => stage.write_files(),
            Way::Action => stage.merge = Some(stage.merge_pull_request()),
        }
        stage
    }

    fn write_files(&self) {
        for (path, text) in [(MANIFEST, manifest()), (CONFIG, "app: shop\n".to_owned())] {
            let path = self.folder.path().join(path);
            fs::create_dir_all(path.parent().expect("it is in a folder")).expect("ours");
            fs::write(path, text).expect("ours");
        }
    }

    /// Opens the labelled pull request, merges it, and returns what the workflow is told.
    fn merge_pull_request(&self) -> (Value, String) {
        let new = NewPullRequest {
            number: Some(PULL),
            title: "columns".to_owned(),
            head: "columns".to_owned(),
            edits: Edits::new().write(MANIFEST, manifest()),
            ..NewPullRequest::default()
        };
        let act = |at| Act { login: "mona", at };
        let opened = self.world.github(|github, at| {
            github.open_pull_request(REPO, &new, act(at))?;
            github.add_label(REPO, PULL, REQUEST, act(at))
        });
        opened.expect("a repository without pull requests");
        let pushed = self
            .world
            .merge(REPO, PULL, MergeMethod::Squash, "mona")
            .expect("an open pull request");
        let event = self.world.github(|github, _| github.push_event(&pushed));
        (event.expect("a push that was just made"), pushed.after)
    }

    /// Returns what a process of that role is started with; the post step is told what the main step saved.
    pub(crate) fn start(&self, role: Role, saved: &BTreeMap<String, String>) -> Start {
        let step = self.steps.replace(self.steps.get() + 1);
        let folder = self.folder.path().join(format!("step-{step}"));
        fs::create_dir(&folder).expect("a new number");
        let mut variables =
            BTreeMap::from([("HARBOR_PILOT_PACE".to_owned(), self.pace.to_string())]);
        let (name, arguments) = match self.way {
            Way::CommandLine => {
                variables.extend(self.of_a_shell());
                (Name::Pilot, self.typed(role))
            }
            Way::Action => {
                variables.extend(self.of_a_workflow(role, &folder));
                let saved = saved.iter();
                variables
                    .extend(saved.map(|(name, value)| (format!("STATE_{name}"), value.clone())));
                let name = if role == Role::Post {
                    Name::Post
                } else {
                    Name::Pilot
                };
                (name, vec!["action".to_owned()])
            }
        };
        Start {
            name,
            arguments,
            variables,
            folder,
        }
    }

    fn typed(&self, role: Role) -> Vec<String> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let state = ["--state-dir".to_owned(), path("state")];
        let words: &[&str] = match role {
            Role::Main | Role::Rerun => &["run", "--yes", "--manifest", &path(MANIFEST)],
            Role::Sweep | Role::Post => &["reap"],
        };
        let all = ["--config", &path(CONFIG), "--output", "json"];
        let words = words.iter().chain(&all).map(|word| (*word).to_owned());
        words.chain(state).collect()
    }

    fn of_a_shell(&self) -> Vec<(String, String)> {
        let home = self.folder.path().join("home").display().to_string();
        let pairs = [
            ("DIGITALOCEAN_ACCESS_TOKEN", TOKEN),
            ("DIGITALOCEAN_API_URL", &self.base),
            ("HOME", &home),
        ];
        owned(&pairs)
    }

    fn of_a_workflow(&self, role: Role, folder: &Path) -> Vec<(String, String)> {
        let file = |name: &str| folder.join(name).display().to_string();
        let (event, sha) = self
            .merge
            .as_ref()
            .expect("the stage of an Action has a merge");
        let (name, payload, run, attempt) = match role {
            Role::Main | Role::Post => ("push", event.clone(), WORKFLOW_RUN, 1),
            Role::Rerun => ("push", event.clone(), WORKFLOW_RUN, 2),
            Role::Sweep => {
                let step = u64::from(self.steps.get());
                (
                    "schedule",
                    json!({"schedule": "23 * * * *"}),
                    WORKFLOW_RUN + step,
                    1,
                )
            }
        };
        fs::write(folder.join("event.json"), payload.to_string()).expect("ours");
        for name in [OUTPUT, STATE, SUMMARY] {
            fs::write(folder.join(name), "").expect("ours");
        }
        let (run, attempt) = (run.to_string(), attempt.to_string());
        owned(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_ACTOR", "mona"),
            ("GITHUB_API_URL", &self.base),
            ("GITHUB_EVENT_NAME", name),
            ("GITHUB_EVENT_PATH", &file("event.json")),
            ("GITHUB_JOB", "migrate"),
            ("GITHUB_OUTPUT", &file(OUTPUT)),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_REPOSITORY", REPO),
            ("GITHUB_RUN_ATTEMPT", &attempt),
            ("GITHUB_RUN_ID", &run),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_SHA", sha),
            ("GITHUB_STATE", &file(STATE)),
            ("GITHUB_STEP_SUMMARY", &file(SUMMARY)),
            (
                "GITHUB_WORKFLOW_REF",
                "acme/shop/.github/workflows/migrate.yml@refs/heads/main",
            ),
            ("INPUT_API-URL", &self.base),
            ("INPUT_GITHUB-TOKEN", GITHUB_TOKEN),
            ("INPUT_MODE", "auto"),
            ("INPUT_TOKEN", TOKEN),
            ("RUNNER_TEMP", &file("temp")),
        ])
    }

    /// Returns the steps that took effect, one entry for each time.
    pub(crate) fn effects(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join(EFFECTS)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Returns all files of the run with what is in them.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        gather(self.folder.path(), &mut found);
        found
    }

    /// Returns how long `span` of the platform's clock takes here.
    pub(crate) fn local(&self, span: Duration) -> Duration {
        span.div_f64(self.pace)
    }
}

/// What a step of a workflow wrote into the runner's files.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) saved: BTreeMap<String, String>,
    pub(crate) summary: String,
}

impl Written {
    pub(crate) fn read(folder: &Path) -> Self {
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        Self {
            outputs: entries(&text(OUTPUT)),
            saved: entries(&text(STATE)),
            summary: text(SUMMARY),
        }
    }
}

const EFFECTS: &str = "effects";
const OUTPUT: &str = "output";
const STATE: &str = "state";
const SUMMARY: &str = "summary";

/// Reads the runner's files: `name<<delimiter`, lines, the delimiter.
fn entries(text: &str) -> BTreeMap<String, String> {
    let mut lines = text.lines();
    let mut found = BTreeMap::new();
    while let Some((name, end)) = lines.next().and_then(|line| line.split_once("<<")) {
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
        found.insert(name.to_owned(), value.join("\n"));
    }
    found
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn gather(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("ours") {
        let path = entry.expect("ours").path();
        // A link leads to the program.
        if path.is_dir() {
            gather(&path, found);
        } else if !path.is_symlink() {
            let text = String::from_utf8_lossy(&fs::read(&path).expect("ours")).into_owned();
            found.push((path.display().to_string(), text));
        }
    }
}

/// The steps' command, which leaves a line for each time that it runs.
fn write_tool(folder: &Path, effects: &Path) {
    let effects = effects.display().to_string();
    let effects = shlex::try_quote(&effects).expect("a path of ours");
    let tool: PathBuf = folder.join("take-effect");
    fs::create_dir(folder).expect("a new folder");
    fs::write(&tool, format!("#!/bin/sh\necho \"$1\" >> {effects}\n")).expect("ours");
    fs::set_permissions(&tool, Permissions::from_mode(0o755)).expect("ours");
}

fn manifest() -> String {
    let steps: Vec<Value> = STEPS
        .iter()
        .map(|step| json!({"name": step, "run": format!("take-effect {step}")}))
        .collect();
    json!({"env": ["JWT_SECRET"], "steps": steps}).to_string()
}

/// The hall's world, with times that make a run of some minutes, and GitHub's half for a workflow.
fn world(way: Way) -> WorldConfig {
    let mut world: Value = serde_json::from_str(include_str!("../world.json")).expect("a constant");
    world["apps"][0]["timing"] = json!({
        "build_seconds": 13, "deploy_seconds": 12, "job_seconds": 10,
    });
    if way == Way::Action {
        let github = &mut world["github"];
        github["tokens"] = json!({ GITHUB_TOKEN: {
            "login": "github-actions[bot]",
            "permissions": {"contents": "read", "pull-requests": "write", "deployments": "write"},
            "repositories": [REPO],
        }});
        let repository = &mut github["repositories"][0];
        repository["visibility"] = json!("private");
        repository["labels"] = json!([REQUEST]);
        repository["files"][CONFIG] = json!(format!("app: {APP_NAME}\n"));
    }
    WorldConfig::read(&world.to_string()).expect("a constant")
}
