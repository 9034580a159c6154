//! The command line: its commands, flags and what may stand together.
//!
//! Raw flags only; `settings` gives them a meaning. Secrets are never arguments.

use crate::choices::Choices;
#[cfg(feature = "demo")]
use crate::commands::{demo::DemoArgs, sql::SqlArgs};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
#[cfg(feature = "demo")]
use std::net::SocketAddr;
use std::path::PathBuf;

/// Runs one-off production migrations on a DigitalOcean App Platform app, and proves what happened.
#[derive(Debug, Parser)]
#[command(name = "harbor-pilot", version, after_help = AFTER, max_term_width = 110)]
pub struct Cli {
    /// What applies to every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER: &str = "\
The DigitalOcean token comes from DIGITALOCEAN_ACCESS_TOKEN. A run needs the scopes app:read, app:update, regions:read, \
sizes:read and actions:read, and database:read for the firewall (database:update to restore it).

Every flag under `Choices` can be an environment variable too: HARBOR_PILOT_ and its name, such as \
HARBOR_PILOT_HEALTH_URL; for --api-url it is DIGITALOCEAN_API_URL. A flag outranks the variable, which outranks the \
manifest, which outranks the config.

Exit codes:
  0  done, skipped, planned or already ran
  1  the migration failed
  2  usage or config
  3  authentication or scope
  4  timed out
  5  failed, and the platform rolled the app back
  6  superseded or cancelled from outside
  7  clean-up not proven: a person must act
  8  another migration owns the app
  9  migration done, app unhealthy
  10 unproven: it may have run
  11 refused by the app's state
  12 platform or ledger unreachable, nothing inserted
  13 firewall not as asked
  130, 143 ended by SIGINT, SIGTERM";

/// What applies to every command.
#[derive(Debug, Clone, Copy, Args)]
pub struct Global {
    /// How the result is written to standard output; progress goes to standard error.
    #[arg(long, global = true, value_enum, default_value_t = Output::Text, value_name = "FORM")]
    pub output: Output,
    /// Log more to standard error (twice: every request); HARBOR_PILOT_LOG_LEVEL does the same in words.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what a run would do; nothing is written.
    Plan(PlanArgs),
    /// Run only the checks of the steps, contained: a failed check does not roll the app back.
    Check(CheckArgs),
    /// Run a migration: put its job into the app, see it through, take it out, prove it.
    Run(RunArgs),
    /// Stop a migration: cancel its deployment, take its job out.
    Stop(StopArgs),
    /// Show temporary jobs, past migrations, deployments in flight and whatever would refuse a run.
    Status(StatusArgs),
    /// Take out temporary jobs that an ended run left behind; live runs are left alone.
    Reap(ReapArgs),
    /// Print the log of a migration's job from the platform, secrets replaced.
    Logs(LogsArgs),
    /// Look at the database's firewall, or put it back to the app alone.
    Firewall(FirewallArgs),
    /// Print the JSON Schema of a manifest or of the config.
    Schema(SchemaArgs),
    /// Run as the GitHub Action: by the event and the inputs of the workflow.
    Action,
    /// Serve the built-in simulator of App Platform and GitHub.
    #[cfg(feature = "demo")]
    Sim(SimArgs),
    /// Replay the TER-235 incident on the built-in simulator.
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
}

impl Command {
    /// Returns the names of the variables whose values must not be shown, as far as flags name them.
    #[must_use]
    pub fn secret_env(&self) -> &[String] {
        match self {
            Self::Plan(args) => &args.choices.secret_env,
            Self::Check(args) => &args.choices.secret_env,
            Self::Run(args) => &args.choices.secret_env,
            Self::Logs(args) => &args.secret_env,
            Self::Stop(_)
            | Self::Status(_)
            | Self::Reap(_)
            | Self::Firewall(_)
            | Self::Schema(_)
            | Self::Action => &[],
            #[cfg(feature = "demo")]
            Self::Sim(_) | Self::Demo(_) => &[],
        }
    }
}

/// Which migration, from where.
#[derive(Debug, Clone, Default, Args)]
pub struct SubjectArgs {
    /// The migration's id; without it the manifest's file name.
    #[arg(long, value_name = "ID")]
    pub migration_id: Option<String>,
    /// The manifest; without it and --step, ID.yml in the config's folder (.harbor-pilot).
    #[arg(long, value_name = "FILE", conflicts_with = "step")]
    pub manifest: Option<PathBuf>,
    /// A step in place of a manifest (repeatable, in order); reports call it unreviewed.
    #[arg(long, value_name = "NAME=COMMAND", requires = "migration_id", value_parser = step)]
    pub step: Vec<(String, String)>,
    /// The commit that must be live, or contained in what is live, before the job goes in.
    #[arg(long, value_name = "SHA")]
    pub sha: Option<String>,
    /// The repository that asks, as owner/name; told in records and reports.
    #[arg(long, value_name = "OWNER/NAME")]
    pub repository: Option<String>,
    /// The pull request that asks; told in records and reports.
    #[arg(long, value_name = "NUMBER")]
    pub pr: Option<u64>,
    /// Folder of the record of claims and verdicts [default: $XDG_STATE_HOME/harbor-pilot or ~/.local/state/harbor-pilot].
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
    /// Write the JSON result to this file too.
    #[arg(long, value_name = "FILE")]
    pub result_file: Option<PathBuf>,
}

/// Whether what failed, or is done, runs again.
#[derive(Debug, Clone, Default, Args)]
pub struct AgainArgs {
    /// Run failed steps again, and unproven ones, which you have looked at.
    #[arg(long, conflicts_with = "again")]
    pub retry: bool,
    /// Run a migration once more that is done.
    #[arg(long, requires = "reason")]
    pub again: bool,
    /// Why it runs again; goes into the record.
    #[arg(long, value_name = "TEXT", requires = "again")]
    pub reason: Option<String>,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Which migration.
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// Whether again.
    #[command(flatten)]
    pub again: AgainArgs,
    /// The inputs.
    #[command(flatten)]
    pub choices: Choices,
}

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Which migration.
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// Go on without asking.
    #[arg(short, long)]
    pub yes: bool,
    /// The inputs.
    #[command(flatten)]
    pub choices: Choices,
}

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Which migration.
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// Whether again.
    #[command(flatten)]
    pub again: AgainArgs,
    /// Show the plan and end; nothing is written.
    #[arg(long)]
    pub dry_run: bool,
    /// Go on without asking.
    #[arg(short, long)]
    pub yes: bool,
    /// The inputs.
    #[command(flatten)]
    pub choices: Choices,
}

/// Which app, for commands that are not about one manifest.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Choices")]
pub struct PlaceArgs {
    /// The app, by id or name.
    #[arg(long, value_name = "ID|NAME")]
    pub app: Option<String>,
    /// The config file [default: .github/harbor-pilot.yml].
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
    /// Address of the DigitalOcean API [default: the public one].
    #[arg(long, value_name = "URL")]
    pub api_url: Option<String>,
    /// Divides waits and deadlines, for a simulator on this machine only.
    #[arg(long, value_name = "N", hide = true)]
    pub pace: Option<f64>,
}

impl PlaceArgs {
    /// Returns the same as choices, with nothing else chosen.
    #[must_use]
    pub fn choices(&self) -> Choices {
        Choices {
            app: self.app.clone(),
            config: self.config.clone(),
            api_url: self.api_url.clone(),
            pace: self.pace,
            ..Choices::default()
        }
    }
}

/// `stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Only this migration; without it every temporary job of the app.
    #[arg(long, value_name = "ID")]
    pub migration_id: Option<String>,
    /// Folder of the record of claims and verdicts.
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
    /// Write the JSON result to this file too.
    #[arg(long, value_name = "FILE")]
    pub result_file: Option<PathBuf>,
    /// Which app.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Folder of the record of claims and verdicts.
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
    /// Which app.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `reap`.
#[derive(Debug, Args)]
pub struct ReapArgs {
    /// Only this migration; without it every temporary job of the app.
    #[arg(long, value_name = "ID")]
    pub migration_id: Option<String>,
    /// Show what would be taken out; nothing is written.
    #[arg(long)]
    pub dry_run: bool,
    /// A job left in the spec by hand, taken out too (repeatable; commas separate several).
    #[arg(long, value_name = "JOB", value_delimiter = ',')]
    pub also_stale: Vec<String>,
    /// Folder of the record of claims and verdicts.
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
    /// Write the JSON result to this file too.
    #[arg(long, value_name = "FILE")]
    pub result_file: Option<PathBuf>,
    /// Which app.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The migration.
    #[arg(long, value_name = "ID")]
    pub migration_id: String,
    /// Which insertion of its job [default: the newest].
    #[arg(long, value_name = "N")]
    pub epoch: Option<u32>,
    /// The name of an environment variable whose value is replaced in the log (repeatable; commas separate several).
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub secret_env: Vec<String>,
    /// Which app.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `firewall`.
#[derive(Debug, Args)]
pub struct FirewallArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: FirewallCommand,
}

/// What `firewall` does.
#[derive(Debug, Subcommand)]
pub enum FirewallCommand {
    /// Tell which rules stand beside the app's own and the kept ones; exit code 13 where there are any.
    Check(FirewallWhich),
    /// Put the firewall back to the app's own rule and the kept ones.
    Restore(FirewallRestore),
}

/// Whose firewall.
#[derive(Debug, Args)]
pub struct FirewallWhich {
    /// The database component whose cluster is meant [default: the app's only database].
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// The database cluster's id [default: found by the component's cluster name].
    #[arg(long, value_name = "ID")]
    pub database_cluster: Option<String>,
    /// A rule that stays, as TYPE:VALUE (repeatable; commas separate several).
    #[arg(long, value_name = "TYPE:VALUE", value_delimiter = ',')]
    pub keep_rule: Vec<String>,
    /// Which app.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `firewall restore`.
#[derive(Debug, Args)]
pub struct FirewallRestore {
    /// Go on without asking.
    #[arg(short, long)]
    pub yes: bool,
    /// Whose firewall.
    #[command(flatten)]
    pub which: FirewallWhich,
}

/// `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Of which file.
    #[arg(value_enum)]
    pub of: SchemaOf,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// `.harbor-pilot/<id>.yml`.
    Manifest,
    /// `.github/harbor-pilot.yml`.
    Config,
}

/// `sim`.
#[cfg(feature = "demo")]
#[derive(Debug, Args)]
pub struct SimArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// How many times as fast as real time its clock runs.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub pace: f64,
    /// The world it begins with [default: the TER-235 incident].
    #[arg(long, value_name = "FILE")]
    pub world: Option<PathBuf>,
    /// Something else than serving.
    #[command(subcommand)]
    pub what: Option<SimCommand>,
}

/// What `sim` does besides serving.
#[cfg(feature = "demo")]
#[derive(Debug, Subcommand)]
pub enum SimCommand {
    /// Run the statements of a file on the database of DATABASE_URL: the `sql` command of the demo's jobs.
    #[command(hide = true)]
    Sql(SqlArgs),
}

fn step(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, command)) if !name.trim().is_empty() && !command.trim().is_empty() => {
            Ok((name.trim().to_owned(), command.trim().to_owned()))
        }
        Some(_) | None => {
            Err("it must be NAME=COMMAND, such as backfill='node scripts/backfill.js'".to_owned())
        }
    }
}
