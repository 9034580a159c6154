//! The inputs that the command line and the Action share: one list, one spelling, one parser.
//!
//! The Action turns its `INPUT_*` variables into arguments for this parser, so that an input and a flag of the same
//! name can't mean different things. Secrets (`token`, `github-token`, the values of `secret-env`) come by environment
//! variable only: arguments are visible to every process of the machine.

use clap::Args;

/// What a user may choose. Nothing here has a default: defaults come after manifest and config.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Choices")]
pub struct Choices {
    /// The app, by id or name.
    #[arg(long, value_name = "ID|NAME", env = "HARBOR_PILOT_APP")]
    pub app: Option<String>,
    /// The service whose source, build and environment the job copies [default: the app's only service].
    #[arg(long, value_name = "NAME", env = "HARBOR_PILOT_COMPONENT")]
    pub component: Option<String>,
    /// The database component that DATABASE_URL is bound to [default: the app's only database].
    #[arg(long, value_name = "NAME", env = "HARBOR_PILOT_DATABASE")]
    pub database: Option<String>,
    /// The config file [default: .github/harbor-pilot.yml].
    #[arg(long, value_name = "FILE", env = "HARBOR_PILOT_CONFIG")]
    pub config: Option<String>,
    /// When the platform starts the job: POST_DEPLOY or PRE_DEPLOY.
    #[arg(long, value_name = "KIND", env = "HARBOR_PILOT_KIND")]
    pub kind: Option<String>,
    /// Instance size slug of the job [default: the component's].
    #[arg(long, value_name = "SLUG", env = "HARBOR_PILOT_INSTANCE_SIZE")]
    pub instance_size: Option<String>,
    /// How long the platform lets the job run (30m, 1h30m).
    #[arg(long, value_name = "SPAN", env = "HARBOR_PILOT_JOB_TIMEOUT")]
    pub job_timeout: Option<String>,
    /// How long the whole run may take (110m).
    #[arg(long, value_name = "SPAN", env = "HARBOR_PILOT_DEADLINE")]
    pub deadline: Option<String>,
    /// One job for all steps (single-job) or a job for each (one-job-per-step).
    #[arg(long, value_name = "STRATEGY", env = "HARBOR_PILOT_STRATEGY")]
    pub strategy: Option<String>,
    /// What a failing step does to the app: fail (the platform may roll back) or contain (the app stays).
    #[arg(long, value_name = "WHAT", env = "HARBOR_PILOT_ON_FAILURE")]
    pub on_failure: Option<String>,
    /// Whether the merge's own deployment must be live first: live or off.
    #[arg(long, value_name = "WHAT", env = "HARBOR_PILOT_WAIT_FOR_DEPLOY")]
    pub wait_for_deploy: Option<String>,
    /// Where the app's health is probed: an address on one of the app's own hosts, or off [default: the component's own health check].
    #[arg(long, value_name = "URL|off", env = "HARBOR_PILOT_HEALTH_URL")]
    pub health_url: Option<String>,
    /// What is done about the database's firewall: check, restore or off.
    #[arg(long, value_name = "WHAT", env = "HARBOR_PILOT_FIREWALL")]
    pub firewall: Option<String>,
    /// The database cluster's id [default: found by the component's cluster name].
    #[arg(long, value_name = "ID", env = "HARBOR_PILOT_DATABASE_CLUSTER")]
    pub database_cluster: Option<String>,
    /// A rule that stays when the firewall is restored, as TYPE:VALUE (repeatable; commas separate several).
    #[arg(long, value_name = "TYPE:VALUE", value_delimiter = ',', env = "HARBOR_PILOT_KEEP_RULE")]
    pub keep_rule: Vec<String>,
    /// A job left in the spec by hand, removed with ours (repeatable; commas separate several).
    #[arg(long, value_name = "JOB", value_delimiter = ',', env = "HARBOR_PILOT_ALSO_STALE")]
    pub also_stale: Vec<String>,
    /// Another deploy-time job that belongs in the spec (repeatable; commas separate several).
    #[arg(long, value_name = "JOB", value_delimiter = ',', env = "HARBOR_PILOT_ACCEPT_JOBS")]
    pub accept_jobs: Vec<String>,
    /// The name of an environment variable that is passed to the job as a secret (repeatable; commas separate several).
    #[arg(long, value_name = "NAME", value_delimiter = ',', env = "HARBOR_PILOT_SECRET_ENV")]
    pub secret_env: Vec<String>,
    /// Whether the commands run in a shell: sh or none.
    #[arg(long, value_name = "SHELL", env = "HARBOR_PILOT_SHELL")]
    pub shell: Option<String>,
    /// How much of the job's log is shown: tail, full or off.
    #[arg(long, value_name = "HOW", env = "HARBOR_PILOT_LOG")]
    pub log: Option<String>,
    /// Folder for whole job logs.
    #[arg(long, value_name = "FOLDER", env = "HARBOR_PILOT_LOG_DIR")]
    pub log_dir: Option<String>,
    /// Address of the DigitalOcean API [default: https://api.digitalocean.com].
    #[arg(long, value_name = "URL", env = "DIGITALOCEAN_API_URL")]
    pub api_url: Option<String>,
    /// Divides waits and deadlines, for a simulator on this machine only.
    #[arg(long, value_name = "N", env = "HARBOR_PILOT_PACE", hide = true)]
    pub pace: Option<f64>,
}
