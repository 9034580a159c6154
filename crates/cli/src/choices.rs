//! The inputs that the command line and the Action share: one list, one spelling, one parser.
//!
//! The Action turns its `INPUT_*` variables into arguments for this parser, so that an input and a flag of the same
//! name can't mean different things. Secrets (`token`, `github-token`, the values of `secret-env`) come by environment
//! variable only: arguments are visible to every process of the machine.
//!
//! Each input can also be given as an environment variable: `HARBOR_PILOT_` and the flag's name in capitals
//! (`HARBOR_PILOT_HEALTH_URL`). They are read from [`Host`] and not by clap, which takes an empty variable for a given
//! one and repeats values in its messages; the Actions runner passes every absent input as an empty variable.

use crate::host::Host;
use clap::Args;
use migration::{Reason, Refusal};

/// What a user may choose. Nothing here has a default: defaults come after manifest and config.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Choices")]
pub struct Choices {
    /// The app, by id or name.
    #[arg(long, value_name = "ID|NAME")]
    pub app: Option<String>,
    /// The service whose source, build and environment the job copies [default: the app's only service].
    #[arg(long, value_name = "NAME")]
    pub component: Option<String>,
    /// The database component that DATABASE_URL is bound to [default: the app's only database].
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// The config file [default: .github/harbor-pilot.yml].
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
    /// When the platform starts the job: POST_DEPLOY or PRE_DEPLOY.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// Instance size slug of the job [default: the component's].
    #[arg(long, value_name = "SLUG")]
    pub instance_size: Option<String>,
    /// How long the platform lets the job run (30m, 1h30m).
    #[arg(long, value_name = "SPAN")]
    pub job_timeout: Option<String>,
    /// How long the whole run may take (110m).
    #[arg(long, value_name = "SPAN")]
    pub deadline: Option<String>,
    /// One job for all steps (single-job) or a job for each (one-job-per-step).
    #[arg(long, value_name = "STRATEGY")]
    pub strategy: Option<String>,
    /// What a failing step does to the app: fail (the platform may roll back) or contain (the app stays).
    #[arg(long, value_name = "WHAT")]
    pub on_failure: Option<String>,
    /// Whether the merge's own deployment must be live first: live or off.
    #[arg(long, value_name = "WHAT")]
    pub wait_for_deploy: Option<String>,
    /// Where the app's health is probed: an address on one of the app's own hosts, or off [default: the component's own health check].
    #[arg(long, value_name = "URL|off")]
    pub health_url: Option<String>,
    /// What is done about the database's firewall: check, restore or off.
    #[arg(long, value_name = "WHAT")]
    pub firewall: Option<String>,
    /// The database cluster's id [default: found by the component's cluster name].
    #[arg(long, value_name = "ID")]
    pub database_cluster: Option<String>,
    /// A rule that stays when the firewall is restored, as TYPE:VALUE (repeatable; commas separate several).
    #[arg(long, value_name = "TYPE:VALUE", value_delimiter = ',')]
    pub keep_rule: Vec<String>,
    /// A job left in the spec by hand, removed with ours (repeatable; commas separate several).
    #[arg(long, value_name = "JOB", value_delimiter = ',')]
    pub also_stale: Vec<String>,
    /// Another deploy-time job that belongs in the spec (repeatable; commas separate several).
    #[arg(long, value_name = "JOB", value_delimiter = ',')]
    pub accept_jobs: Vec<String>,
    /// The name of an environment variable that is passed to the job as a secret (repeatable; commas separate several).
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub secret_env: Vec<String>,
    /// Whether the commands run in a shell: sh or none.
    #[arg(long, value_name = "SHELL")]
    pub shell: Option<String>,
    /// How much of the job's log is shown: tail, full or off.
    #[arg(long, value_name = "HOW")]
    pub log: Option<String>,
    /// Folder for whole job logs.
    #[arg(long, value_name = "FOLDER")]
    pub log_dir: Option<String>,
    /// Address of the DigitalOcean API [default: the public one].
    #[arg(long, value_name = "URL")]
    pub api_url: Option<String>,
    /// Divides waits and deadlines, for a simulator on this machine only.
    #[arg(long, value_name = "N", hide = true)]
    pub pace: Option<f64>,
}

/// What the variables of the inputs begin with.
const PREFIX: &str = "HARBOR_PILOT_";

impl Choices {
    /// Returns the choices with the gaps filled from the host's variables.
    ///
    /// # Errors
    /// [`Refusal`] when `HARBOR_PILOT_PACE` is not a number; the values of all others are judged with the rest.
    pub fn or_from(mut self, host: &Host) -> Result<Self, Refusal> {
        let var = |name: &str| host.var(&format!("{PREFIX}{name}")).map(str::to_owned);
        let texts = [
            (&mut self.app, "APP"),
            (&mut self.component, "COMPONENT"),
            (&mut self.database, "DATABASE"),
            (&mut self.config, "CONFIG"),
            (&mut self.kind, "KIND"),
            (&mut self.instance_size, "INSTANCE_SIZE"),
            (&mut self.job_timeout, "JOB_TIMEOUT"),
            (&mut self.deadline, "DEADLINE"),
            (&mut self.strategy, "STRATEGY"),
            (&mut self.on_failure, "ON_FAILURE"),
            (&mut self.wait_for_deploy, "WAIT_FOR_DEPLOY"),
            (&mut self.health_url, "HEALTH_URL"),
            (&mut self.firewall, "FIREWALL"),
            (&mut self.database_cluster, "DATABASE_CLUSTER"),
            (&mut self.shell, "SHELL"),
            (&mut self.log, "LOG"),
            (&mut self.log_dir, "LOG_DIR"),
        ];
        for (choice, name) in texts {
            *choice = choice.take().or_else(|| var(name));
        }
        let lists = [
            (&mut self.keep_rule, "KEEP_RULE"),
            (&mut self.also_stale, "ALSO_STALE"),
            (&mut self.accept_jobs, "ACCEPT_JOBS"),
            (&mut self.secret_env, "SECRET_ENV"),
        ];
        for (choice, name) in lists {
            if choice.is_empty() {
                *choice = listed(var(name).as_deref().unwrap_or_default());
            }
        }
        self.api_url = self
            .api_url
            .or_else(|| host.var("DIGITALOCEAN_API_URL").map(str::to_owned));
        if self.pace.is_none()
            && let Some(pace) = var("PACE")
        {
            let number = pace.parse().map_err(|_not_a_number| {
                let message = format!("`HARBOR_PILOT_PACE` holds `{pace}`, which is not a number");
                Refusal::new(
                    Reason::Usage,
                    message,
                    "give a number from 1 on, or leave the variable out",
                )
            })?;
            self.pace = Some(number);
        }
        Ok(self)
    }
}

/// Returns the items of a list as an input writes it: separated by commas or line breaks.
#[must_use]
pub fn listed(text: &str) -> Vec<String> {
    text.split([',', '\n'])
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Stream, Wire};

    fn host(vars: &[(&str, &str)]) -> Host {
        let (_, stop) = runner::stop_switch();
        let nowhere = || Stream::new(std::io::sink());
        let host = Host::new(nowhere(), nowhere(), "/nowhere".into(), Wire::Network, stop);
        let vars = vars
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Host { vars, ..host }
    }

    #[test]
    fn a_variable_fills_what_no_flag_says() {
        let host = host(&[
            ("HARBOR_PILOT_APP", "shop"),
            ("HARBOR_PILOT_KIND", "PRE_DEPLOY"),
            ("DIGITALOCEAN_API_URL", "http://here"),
        ]);
        let given = Choices {
            kind: Some("POST_DEPLOY".to_owned()),
            ..Choices::default()
        };
        let choices = given.or_from(&host).unwrap();
        assert_eq!(choices.app.as_deref(), Some("shop"));
        assert_eq!(choices.kind.as_deref(), Some("POST_DEPLOY"));
        assert_eq!(choices.api_url.as_deref(), Some("http://here"));
    }

    /// The Actions runner passes every absent input as an empty variable.
    #[test]
    fn an_empty_variable_says_nothing() {
        let host = host(&[
            ("HARBOR_PILOT_APP", ""),
            ("HARBOR_PILOT_PACE", ""),
            ("HARBOR_PILOT_ALSO_STALE", ""),
        ]);
        let choices = Choices::default().or_from(&host).unwrap();
        assert_eq!(
            (choices.app, choices.pace, choices.also_stale),
            (None, None, Vec::new())
        );
    }

    #[test]
    fn a_list_is_parted_by_commas_and_lines() {
        assert_eq!(listed(" a, b\nc\n\n"), ["a", "b", "c"]);
        let choices = Choices::default()
            .or_from(&host(&[("HARBOR_PILOT_SECRET_ENV", "A,B\nC")]))
            .unwrap();
        assert_eq!(choices.secret_env, ["A", "B", "C"]);
    }

    #[test]
    fn a_pace_that_is_no_number_is_refused() {
        let refusal = Choices::default()
            .or_from(&host(&[("HARBOR_PILOT_PACE", "fast")]))
            .unwrap_err();
        insta::assert_snapshot!(refusal, @"`HARBOR_PILOT_PACE` holds `fast`, which is not a number");
    }
}
