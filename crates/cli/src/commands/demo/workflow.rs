//! One run of the workflow: the Action and its post step, as the Actions runner would start them.
//!
//! Both are called in this process; only the surroundings are made up.

use super::stage::Stage;
use super::world::{DEVELOPER, REPO};
use crate::commands::action;
use crate::host::{Host, Kept, Stream};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What starts a workflow.
#[derive(Debug, Clone)]
pub(super) struct Trigger {
    /// The event's name.
    pub(super) event: &'static str,
    /// Its payload.
    pub(super) payload: Value,
    /// The commit that it is about.
    pub(super) sha: String,
    /// The inputs that the workflow passes on.
    pub(super) inputs: Vec<(&'static str, &'static str)>,
}

/// A workflow run that ended.
#[derive(Debug, Clone)]
pub(super) struct Ran {
    /// The exit code of the Action.
    pub(super) exit: u8,
    /// The exit code of its post step.
    pub(super) post: u8,
    /// The outputs.
    pub(super) outputs: BTreeMap<String, String>,
    /// The summary, as Markdown.
    pub(super) summary: String,
    /// Everything that both wrote into the run's log.
    pub(super) log: String,
}

impl Trigger {
    /// A start by hand, of one migration on `main`.
    pub(super) fn by_hand(
        stage: &Stage,
        mode: &'static str,
        migration: &'static str,
    ) -> Result<Self> {
        let inputs = BTreeMap::from(
            [("mode", mode), ("migration", migration)]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let (payload, sha) = stage.world.github(|github, _| {
            let payload =
                github.workflow_dispatch_event(REPO, ("migrate.yml", "main"), &inputs, DEVELOPER);
            (payload, github.branch_head(REPO, "main"))
        });
        Ok(Self {
            event: "workflow_dispatch",
            payload: payload.context("there is no repository to start a workflow in")?,
            sha: sha.context("there is no branch to start a workflow on")?,
            inputs: vec![("mode", mode), ("migration", migration)],
        })
    }

    /// The label was put on a pull request.
    pub(super) fn labelled(stage: &Stage, number: u64, label: &str) -> Result<Self> {
        let payload = stage.world.github(|github, _| {
            github.pull_request_event((REPO, number), "labeled", Some(label), DEVELOPER)
        });
        let payload = payload.context("there is no such pull request")?;
        let sha = payload["pull_request"]["head"]["sha"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        Ok(Self {
            event: "pull_request",
            payload,
            sha,
            inputs: Vec::new(),
        })
    }

    /// Something was pushed to `main`.
    pub(super) fn pushed(stage: &Stage, pushed: &sim::Pushed) -> Result<Self> {
        let payload = stage
            .world
            .github(|github, _| github.push_event(pushed))
            .context("the push is not known")?;
        Ok(Self {
            event: "push",
            payload,
            sha: pushed.after.clone(),
            inputs: Vec::new(),
        })
    }
}

/// A workflow run under way. Dropping [`Run::main`]'s future is the death of the machine it runs on.
pub(super) struct Run<'a> {
    stage: &'a Stage,
    vars: BTreeMap<String, String>,
    folder: PathBuf,
}

impl<'a> Run<'a> {
    /// Prepares the files and variables of a run.
    pub(super) fn prepare(stage: &'a Stage, trigger: &Trigger) -> Result<Self> {
        let number = stage.next_run();
        let folder = stage.run_folder(number)?;
        let file = |name: &str| folder.join(name).display().to_string();
        std::fs::write(folder.join("event.json"), trigger.payload.to_string())
            .context("cannot write the event")?;
        let base = stage.world.public_base();
        let vars = [
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_ACTOR", DEVELOPER.to_owned()),
            ("GITHUB_API_URL", base.clone()),
            ("GITHUB_EVENT_NAME", trigger.event.to_owned()),
            ("GITHUB_EVENT_PATH", file("event.json")),
            ("GITHUB_JOB", "migrate".to_owned()),
            ("GITHUB_OUTPUT", file("output")),
            ("GITHUB_REF", "refs/heads/main".to_owned()),
            ("GITHUB_REPOSITORY", REPO.to_owned()),
            ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
            ("GITHUB_RUN_ID", number.to_string()),
            ("GITHUB_SERVER_URL", "https://github.com".to_owned()),
            ("GITHUB_SHA", trigger.sha.clone()),
            ("GITHUB_STATE", file("state")),
            ("GITHUB_STEP_SUMMARY", file("summary")),
            ("GITHUB_WORKFLOW", "migrate".to_owned()),
            ("HARBOR_PILOT_PACE", stage.pace()),
            ("INPUT_API-URL", base),
            ("INPUT_GITHUB-TOKEN", "demo-github-token".to_owned()),
            ("INPUT_TOKEN", "demo-do-token".to_owned()),
            ("RUNNER_TEMP", file("temp")),
        ];
        let inputs = trigger.inputs.iter().map(|(name, value)| {
            (
                format!("INPUT_{}", name.to_uppercase()),
                (*value).to_owned(),
            )
        });
        let vars = vars
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain(inputs)
            .collect();
        std::fs::create_dir_all(folder.join("temp"))
            .context("cannot make the runner's temporary folder")?;
        for name in ["output", "state", "summary"] {
            std::fs::write(folder.join(name), "").context("cannot make the runner's files")?;
        }
        Ok(Self {
            stage,
            vars,
            folder,
        })
    }

    /// Runs the Action and returns its exit code and log.
    pub(super) async fn main(&self) -> (u8, String) {
        let (host, log) = self.host(self.vars.clone());
        (action::main(&host).await, log.text())
    }

    /// Runs the Action, then its post step, which always runs.
    pub(super) async fn finished(self) -> Result<Ran> {
        let (exit, log) = self.main().await;
        let mut vars = self.vars.clone();
        // What the Action saved comes back under names of its own.
        let saved = pairs(&self.read("state")?)
            .into_iter()
            .map(|(name, value)| (format!("STATE_{name}"), value));
        vars.extend(saved);
        let (host, more) = self.host(vars);
        let post = action::post(&host).await;
        Ok(Ran {
            exit,
            post,
            outputs: pairs(&self.read("output")?),
            summary: self.read("summary")?,
            log: log + &more.text(),
        })
    }

    fn host(&self, vars: BTreeMap<String, String>) -> (Host, Kept) {
        let (stream, kept) = Stream::kept();
        let host = self.stage.host(stream.clone(), stream, self.folder.clone());
        (Host { vars, ..host }, kept)
    }

    fn read(&self, name: &str) -> Result<String> {
        read(&self.folder, name)
    }
}

fn read(folder: &Path, name: &str) -> Result<String> {
    std::fs::read_to_string(folder.join(name))
        .with_context(|| format!("cannot read the runner's file `{name}`"))
}

/// Reads the runner's file format: `name=value` in a line, or `name<<END`, lines, `END`
/// (GitHub's documentation of workflow commands, "Multiline strings").
fn pairs(text: &str) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (simple, long) = (line.split_once('='), line.split_once("<<"));
        match (simple, long) {
            (simple, Some((name, end)))
                if simple.is_none_or(|(before, _)| before.len() > name.len()) =>
            {
                let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
                pairs.insert(name.to_owned(), value.join("\n"));
            }
            (Some((name, value)), _) => {
                pairs.insert(name.to_owned(), value.to_owned());
            }
            (None, _) => {}
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_runners_files_are_read() {
        let found = pairs("one=1\ntwo<<END_x\nfirst\n\nthird=3\nEND_x\nthree=a<<b\n");
        let wanted = [("one", "1"), ("three", "a<<b"), ("two", "first\n\nthird=3")];
        assert_eq!(
            found,
            wanted
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into()
        );
    }
}
