//! Where the story plays: a world, a database, the `sql` command, and a record of what the jobs did.

use super::database::Database;
use super::world;
use crate::host::{Host, Stream, Wire};
use anyhow::{Context as _, Result};
use jiff::Timestamp;
use migration::{Evidence, EvidenceReader, RunRecord};
use runner::stop_switch;
use serde_json::Value;
use sim::{Clock, Execute as _, JobStart, Processes, World};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What a stage is made of.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The harbor-pilot binary, which the jobs' `sql` command calls.
    pub program: PathBuf,
    /// An empty MariaDB database; a SQLite file without it.
    pub database_url: Option<String>,
    /// How many times as fast as `tokio::time` the simulated clock runs.
    pub pace: f64,
}

/// Where the story plays.
pub struct Stage {
    pub(super) world: World,
    pub(super) database: Database,
    pace: f64,
    wire: Wire,
    jobs: Arc<Mutex<Vec<JobRan>>>,
    runs: AtomicU64,
    folder: TempDir,
    /// Ends with the stage.
    _server: JoinSet<io::Result<()>>,
}

/// A process that a job ran as.
#[derive(Debug, Clone)]
pub(super) struct JobRan {
    /// The component.
    pub(super) component: String,
    /// What its log proves; nothing for a job that is not ours.
    pub(super) evidence: Option<Evidence>,
}

impl Stage {
    /// Returns a stage behind real sockets on this machine's loopback interface.
    ///
    /// # Errors
    /// No temporary folder, no socket, or a database that can't be set up.
    pub async fn over_http(setting: &Setting) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("cannot listen on 127.0.0.1")?;
        let base = format!("http://{}", listener.local_addr()?);
        let mut stage = Self::over(setting, |_| Wire::Network)?;
        stage.world.set_public_base(&base);
        let serving = sim::serve(stage.world.clone(), listener);
        stage._server.spawn(serving);
        Ok(stage)
    }

    /// Returns a stage whose world is reached by `wire`, which may be one in this process.
    ///
    /// # Errors
    /// No temporary folder, or a database that can't be set up.
    pub fn over(setting: &Setting, wire: impl FnOnce(&World) -> Wire) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let database = Database::prepare(setting.database_url.as_deref(), folder.path())?;
        let tools = folder.path().join("tools");
        write_tool(&tools, &setting.program)?;
        let mut config = world::config()?;
        config.tools = vec![tools];
        for cluster in &mut config.databases {
            cluster.database_url.clone_from(&database.url);
        }
        let start = config.start.unwrap_or(Timestamp::UNIX_EPOCH);
        let world = World::new(config, Clock::starting_at(start).at_pace(setting.pace))?;
        world.set_public_base("http://127.0.0.1:9");
        let jobs = Arc::new(Mutex::new(Vec::new()));
        let seen = jobs.clone();
        world.set_executor(move |job: &JobStart| {
            let end = Processes::default().execute(job);
            let ran = JobRan {
                component: job.component.clone(),
                evidence: evidence(job, &end.output),
            };
            seen.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(ran);
            end
        });
        let wire = wire(&world);
        Ok(Self {
            world,
            database,
            pace: setting.pace,
            wire,
            jobs,
            runs: AtomicU64::new(0),
            folder,
            _server: JoinSet::new(),
        })
    }

    /// Waits for a span of simulated time.
    pub(super) async fn pass(&self, span: Duration) {
        tokio::time::sleep(span.div_f64(self.pace)).await;
    }

    /// Waits until `holds`, looking every ten simulated seconds; says so where it never does.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Result<()> {
        let patience = Duration::from_secs(2 * 60 * 60);
        let wait = async {
            while !holds(&self.app()) {
                self.pass(Duration::from_secs(10)).await;
            }
        };
        let late = || format!("waited for two simulated hours until {what}");
        tokio::time::timeout(patience.div_f64(self.pace), wait)
            .await
            .with_context(late)
    }

    /// Returns the app as it is now, with its deployments, the newest first.
    pub(super) fn app(&self) -> Value {
        self.world.state()["apps"][0].take()
    }

    /// Returns every process that a job ran as.
    pub(super) fn jobs(&self) -> Vec<JobRan> {
        self.jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns a number for the next workflow run.
    pub(super) fn next_run(&self) -> u64 {
        7_000_001 + self.runs.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns a folder that belongs to one workflow run.
    pub(super) fn run_folder(&self, run: u64) -> Result<PathBuf> {
        let folder = self.folder.path().join(format!("run-{run}"));
        std::fs::create_dir_all(&folder).context("cannot make a folder for a workflow run")?;
        Ok(folder)
    }

    /// Returns the surroundings of a process without variables.
    pub(super) fn host(&self, out: Stream, err: Stream, folder: PathBuf) -> Host {
        let (_switch, stop) = stop_switch();
        Host::new(out, err, folder, self.wire.clone(), stop)
    }

    /// Returns text without the path of the temporary folder in front of every file.
    pub(super) fn shown(&self, text: &str) -> String {
        let folder = format!("{}/", self.folder.path().display());
        text.replace(&folder, "")
    }

    /// Returns the pace as an input writes it.
    pub(super) fn pace(&self) -> String {
        self.pace.to_string()
    }
}

/// Writes the `sql` command of the jobs.
fn write_tool(folder: &Path, program: &Path) -> Result<()> {
    let program = program
        .to_str()
        .context("the path of this program is not UTF-8")?;
    let program = shlex::try_quote(program).context("the path of this program cannot be quoted")?;
    let path = folder.join("sql");
    let write = || {
        std::fs::create_dir_all(folder)?;
        std::fs::write(&path, format!("#!/bin/sh\nexec {program} sim sql \"$@\"\n"))?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755))
    };
    write().context("cannot write the jobs' `sql` command")
}

/// Returns what the output of a job of ours proves.
fn evidence(job: &JobStart, output: &str) -> Option<Evidence> {
    let record: RunRecord = serde_json::from_str(job.env.get("HARBOR_PILOT_RUN")?).ok()?;
    let mut reader = EvidenceReader::new(&record.nonce);
    output.lines().for_each(|line| reader.line(line));
    Some(reader.finish())
}
