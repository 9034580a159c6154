//! `demo`: replays the TER-235 incident on the built-in simulator, with a real database and real job processes.
//!
//! The Action runs in this process, as the workflow would run it, against a simulator on a loopback port; nothing
//! outside this machine is asked. Whatever has to hold is checked, and the exit code is 0 only when all of it does.
//! `examples/ter235/README.md` tells what happened that night.

mod checks;
mod database;
mod look;
mod stage;
mod story;
mod tell;
mod workflow;
pub(crate) mod world;

pub use checks::{Check, Checks};
pub use database::Database;
pub use stage::{Setting, Stage};
pub use tell::{Detail, Teller};

use crate::args::Output;
use crate::desk::{self, Desk};
use crate::host::Stream;
use anyhow::{Context as _, Result};
use clap::Args;
use futures_util::future::{Either, select};
use migration::{Reason, Refusal};
use serde_json::json;
use std::pin::pin;
use std::time::Duration;
use story::Times;
use tokio::time::Instant;

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// An empty MariaDB database, as mysql://USER:PASSWORD@HOST:PORT/NAME; needs the `mariadb` client [default: SQLite].
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// How many times as fast as real time the story goes.
    #[arg(long, value_name = "N", default_value_t = PACE)]
    pub pace: f64,
    /// Tell only how it ended.
    #[arg(long)]
    pub quiet: bool,
}

/// How fast the story goes: its simulated hours pass in about half a minute, and the processes of the jobs, which
/// take as long as they take, still fit into their simulated minutes.
const PACE: f64 = 200.0;

/// What was done by hand that night, from the merge at 00:00 to the last look at 01:22.
const BY_HAND: Duration = Duration::from_secs(82 * 60);

const INTRO: &str = "\
One night in February a migration went into production by hand: 82 minutes, three attempts, a script that seemed to have
run and had not, one that failed on a column that was not there, and a database firewall opened and closed by hand.
Here is that night again with Harbor Pilot. App Platform and GitHub are simulated on this machine; the Action, the
database and the processes of the jobs are real.
";

/// Plays the story and tells how it went.
pub(crate) async fn demo(desk: Desk<'_>, args: DemoArgs) -> u8 {
    let refuse =
        |reason, message: String, hint: &str| desk.refuse(Refusal::new(reason, message, hint));
    if !(args.pace.is_finite() && args.pace >= 1.0) {
        return refuse(
            Reason::Usage,
            format!("`pace` holds `{}`, which it can't be", args.pace),
            "it must be a number from 1 on",
        );
    }
    let mut stop = desk.host.stop.clone();
    let played = match select(pin!(told(&desk, &args)), pin!(stop.asked())).await {
        Either::Left((played, _)) => played,
        Either::Right(_) => return refuse(Reason::Interrupted, "interrupted".to_owned(), ""),
    };
    match played {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(error) => refuse(
            Reason::Usage,
            format!("the demo could not be played: {error:#}"),
            "",
        ),
    }
}

async fn told(desk: &Desk<'_>, args: &DemoArgs) -> Result<bool> {
    let setting = Setting {
        program: std::env::current_exe().context("cannot tell where this program is")?,
        database_url: args.database_url.clone(),
        pace: args.pace,
    };
    let stage = Stage::over_http(&setting).await?;
    let detail = if args.quiet {
        Detail::Quiet
    } else {
        Detail::Full
    };
    // One document on standard output, where one is asked for; the story goes where progress goes.
    let stream = match desk.global.output {
        Output::Text => desk.host.out.clone(),
        Output::Json => desk.host.err.clone(),
    };
    let teller = Teller::new(stream, detail);
    if detail == Detail::Full {
        let pace = args.pace;
        teller.say(&format!("{INTRO}The clock is the simulated one, {pace} times as fast as yours; the database is {}.\n", stage.database.kind()));
    }
    let began = Instant::now();
    let (checks, times) = story::play(&stage, &teller).await?;
    let end = End {
        checks,
        times,
        took: began.elapsed(),
    };
    let text = end.text(&stage);
    desk.result(&text, &end.json(&stage));
    Ok(end.checks.failed().next().is_none())
}

/// A story that was played.
#[derive(Debug, Clone)]
pub struct Played {
    /// Everything that was looked at.
    pub checks: Checks,
    /// Simulated time from the merge of pull request 428 to the last check.
    pub took: Duration,
}

/// Plays the story on a stage.
///
/// # Errors
/// Only when the stage itself fails: a file, a process, an event that never comes.
pub async fn play(stage: &Stage, out: Stream, detail: Detail) -> Result<Played> {
    let (checks, times) = story::play(stage, &Teller::new(out, detail)).await?;
    let took = times.took();
    Ok(Played { checks, took })
}

/// How the story ended.
struct End {
    checks: Checks,
    times: Times,
    took: Duration,
}

/// How many requests went where.
struct Requests {
    reads: usize,
    writes: usize,
    updates: usize,
    github: usize,
}

impl Requests {
    fn of(stage: &Stage) -> Self {
        let requests = stage.world.requests();
        let platform = || {
            requests
                .iter()
                .filter(|request| request.to == sim::Face::DigitalOcean)
        };
        let writes = platform()
            .filter(|request| request.method != "GET" && request.call != Some("apps.propose"))
            .count();
        Self {
            reads: platform().count() - writes,
            writes,
            updates: platform()
                .filter(|request| request.call == Some("apps.update"))
                .count(),
            github: requests
                .iter()
                .filter(|request| request.to == sim::Face::GitHub)
                .count(),
        }
    }
}

impl End {
    fn text(&self, stage: &Stage) -> String {
        let mut text = String::new();
        let failed: Vec<&Check> = self.checks.failed().collect();
        for check in &failed {
            let found = check.found.as_deref().unwrap_or_default();
            text.push_str(&format!(
                "\nDOES NOT HOLD: {}\nfound: {found}\n",
                check.what
            ));
        }
        // Each line on the right is one of the checks; a table of what does not hold would be a lie.
        if failed.is_empty() {
            text.push_str(&self.table(stage));
            let pace = stage.pace();
            text.push_str(&format!(
                "  This machine's own delays count {pace}-fold in these minutes.\n"
            ));
        }
        let all = self.checks.0.len();
        let held = all - failed.len();
        text.push_str(&format!(
            "\n{held} of {all} checks hold; played in {:.1} s.\n",
            self.took.as_secs_f64()
        ));
        text
    }

    fn table(&self, stage: &Stage) -> String {
        let requests = Requests::of(stage);
        let minutes = |span: Duration| format!("{} min", span.as_secs().div_ceil(60));
        let rows = [
            ("", "by hand, that night", "here"),
            (
                "merge of #428 to the last check",
                &minutes(BY_HAND),
                &format!(
                    "{} (10 of them to write the fix)",
                    minutes(self.times.took())
                ),
            ),
            (
                "what people did besides the fix",
                "3 edits of the app spec, 1 of the firewall",
                "labelled and merged",
            ),
            (
                "deployments meanwhile",
                "6 (1 rollback)",
                &format!(
                    "{} (1 rollback, 1 of the other push)",
                    self.times.deployments
                ),
            ),
            (
                "runs of the job for ter-235",
                "3 attempts",
                "2 insertions: epoch 0 failed, epoch 1 done",
            ),
            (
                "the backfill took effect",
                "once, on empty tables",
                "once, by its marks and by its row",
            ),
            (
                "a push while the job was in the spec",
                "ran the job: the third attempt",
                "its copy of the job ran nothing",
            ),
            (
                "the app spec afterwards",
                "job taken out by hand",
                "what it was before, every field",
            ),
            (
                "the firewall afterwards",
                "restored by hand",
                "app-only; the extra rule was named",
            ),
            (
                "requests to DigitalOcean, all chapters",
                "not counted",
                &format!("{} reads, {} writes", requests.reads, requests.writes),
            ),
            (
                "requests to GitHub, all chapters",
                "not counted",
                &requests.github.to_string(),
            ),
        ];
        let lines = rows
            .iter()
            .map(|(what, by_hand, here)| format!("  {what:<38}  {by_hand:<42}  {here}\n"));
        format!("\n{}", lines.collect::<String>())
    }

    fn json(&self, stage: &Stage) -> serde_json::Value {
        let checks = self.checks.0.iter().map(|check| json!({ "what": check.what, "holds": check.found.is_none(), "found": check.found }));
        let requests = Requests::of(stage);
        json!({
            "schema_version": desk::SCHEMA_VERSION,
            "simulated_seconds": self.times.took().as_secs(),
            "seconds": self.took.as_secs_f64(),
            "requests": {
                "digitalocean_reads": requests.reads, "digitalocean_writes": requests.writes,
                "spec_updates": requests.updates, "github": requests.github,
            },
            "checks": checks.collect::<Vec<_>>(),
        })
    }
}
