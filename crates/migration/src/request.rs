//! What was asked for, with every input settled: the pure half of a command line or an Actions event.

use crate::{Authority, Kind, Manifest, Nonce, OnFailure, Strategy};
use app_spec::{ClusterId, CommitSha, ComponentName};
use secrecy::SecretString;
use std::time::Duration;

/// One request to run (or plan) one migration on one app.
#[derive(Debug, Clone)]
pub struct Request {
    /// The reviewed steps.
    pub manifest: Manifest,
    /// Where the manifest was read.
    pub reviewed: Reviewed,
    /// What is wanted of it.
    pub intent: Intent,
    /// What allows an insertion.
    pub authority: Authority,
    /// Drawn fresh by the caller for this process.
    pub nonce: Nonce,
    /// Who asked, from where.
    pub origin: Origin,
    /// The merged commit that must be live (or contained in what is live) before the job is inserted.
    pub commit: Option<CommitSha>,
    /// Every choice: inputs over manifest over config over defaults.
    pub settings: Settings,
}

/// What is wanted of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Run the steps that are not done.
    Run,
    /// Run the checks only, contained.
    Check,
    /// Run failed steps again, and unproven ones, which this request names.
    Retry,
    /// Run a done migration once more.
    Again {
        /// Why, as the person who asked wrote it. Foreign text.
        reason: String,
    },
}

/// Whether the commands were reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reviewed {
    /// A manifest at a commit of the branch.
    At {
        /// The manifest's path in the repository.
        path: String,
        /// The commit it was read at.
        commit: String,
    },
    /// A file or an inline command of the command line; reports call it unreviewed.
    Unreviewed,
}

/// Who asked, from where. Used in records and reports, never to decide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// `owner/name` of the repository.
    pub repository: Option<String>,
    /// The pull request.
    pub pull_request: Option<u64>,
    /// Address of the workflow run.
    pub run_url: Option<String>,
    /// Who started the run.
    pub actor: Option<String>,
}

/// Every choice, settled.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The service whose source, build and environment the job copies.
    pub reference: ComponentName,
    /// The database component that `DATABASE_URL` is bound to.
    pub database: String,
    /// When the platform starts the job.
    pub kind: Kind,
    /// Instance size slug of the job; nothing means the reference component's.
    pub instance_size: Option<String>,
    /// How long the platform lets the job run. Default 30 minutes, the platform's own.
    pub job_timeout: Duration,
    /// How long the whole run may take. Default 110 minutes.
    pub deadline: Duration,
    /// One job for all steps, or one after another.
    pub strategy: Strategy,
    /// What a failing step does to the app.
    pub on_failure: OnFailure,
    /// Whether the merge's own deployment must have settled first.
    pub wait_for_deploy: WaitForDeploy,
    /// Where the app's health is probed.
    pub health: HealthCheck,
    /// What is done about the database's firewall.
    pub firewall: FirewallPolicy,
    /// The database cluster whose firewall is meant; nothing means found by the component's cluster name.
    pub cluster: Option<ClusterId>,
    /// Rules that stay beside the app's own when the firewall is restored.
    pub keep_rules: Vec<app_spec::RuleMatch>,
    /// Hand-left jobs that are removed with ours.
    pub also_stale: Vec<ComponentName>,
    /// Other deploy-time jobs that belong in the spec and will run again with every deployment.
    pub accept_jobs: Vec<ComponentName>,
    /// Further variables of the reference component to copy, by name.
    pub env: Vec<String>,
    /// Further variables with values of their own, sent as secrets.
    pub secret_env: Vec<(String, SecretString)>,
    /// Whether the commands run in a shell.
    pub shell: Shell,
    /// How much of the job's log is shown.
    pub log: LogPolicy,
}

/// Whether the merge's own deployment must have settled before the insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WaitForDeploy {
    /// Wait until the merged commit is live; refuse when its deployment failed.
    #[default]
    Live,
    /// Go on with whatever is live.
    Off,
}

/// Where the app's health is probed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HealthCheck {
    /// The reference component's own `http_path` on the app's live address.
    #[default]
    OfReference,
    /// An address on one of the app's own hosts.
    Url(String),
    /// Not probed.
    Off,
}

/// What is done about the database's firewall after the job is out of the spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirewallPolicy {
    /// Read it and report rules beside the app's own.
    #[default]
    Check,
    /// Put it back to the app's own rule and the kept rules.
    Restore,
    /// Not read.
    Off,
}

/// Whether the commands run in a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shell {
    /// `sh`, with marks and exit codes for each step.
    #[default]
    Sh,
    /// One bare command, for images without a shell; completeness is not proven.
    None,
}

/// How much of the job's log is shown in comments and summaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogPolicy {
    /// The last lines.
    #[default]
    Tail,
    /// All that fits.
    Full,
    /// None, in the live log neither.
    Off,
}
