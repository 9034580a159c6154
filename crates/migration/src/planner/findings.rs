//! What a reader of a plan should know before it runs, beside what is about its commands.

use super::state::{is_stale, runs_in_a_good_deployment};
use crate::check::command_findings;
use crate::document::{in_backticks, in_words};
use crate::stage::PLATFORM_JOB_TIMEOUT;
use crate::{
    Entry, Finding, FirewallPolicy, FirewallView, HealthCheck, Kind, Observed, Plan, Reviewed,
    RunMode, RunRecord, Severity, Shell, extra_rules,
};
use app_spec::{App, Component, EnvKind, JobKind};
use std::time::Duration;

/// How much of a deadline is kept beside the insert, the job and the clean-up.
pub(super) const RESERVE: Duration = Duration::from_secs(10 * 60);

/// Returns the findings of `plan`, the gravest first.
pub(super) fn of(
    plan: &Plan,
    app: &App,
    reference: &Component<'_>,
    seen: &Observed,
) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    if plan.entry == Entry::Fresh {
        findings
            .0
            .extend(command_findings(&plan.steps, plan.request.settings.shell));
    }
    findings.of_request(plan);
    findings.of_source(plan, reference);
    findings.of_variables(plan, reference);
    findings.of_jobs(plan, app, seen);
    findings.of_health(plan, seen);
    findings.of_firewall(plan, app, seen);
    findings
        .0
        .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, severity: Severity, code: &'static str, message: String, hint: &str) {
        self.0.push(Finding {
            severity,
            code,
            message,
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
        });
    }

    fn of_request(&mut self, plan: &Plan) {
        let settings = &plan.request.settings;
        if plan.request.reviewed == Reviewed::Unreviewed {
            self.add(
                Severity::Warning,
                "unreviewed",
                "the commands come from the command line or a local file, and nobody has reviewed them".to_owned(),
                "",
            );
        }
        if settings.shell == Shell::None {
            self.add(
                Severity::Warning,
                "no-shell",
                "with `shell: none` the job leaves no marks: that it ran to its end is not proven, and no lease stops a copy that is left behind"
                    .to_owned(),
                "",
            );
            if plan.mode() == RunMode::Steps && plan.steps.iter().any(|step| step.check.is_some()) {
                self.add(
                    Severity::Warning,
                    "check-not-run",
                    "with `shell: none` a step's check does not run before it".to_owned(),
                    "",
                );
            }
        }
        if plan.request.manifest.job_timeout.is_none()
            && settings.job_timeout == PLATFORM_JOB_TIMEOUT
        {
            self.add(
                Severity::Note,
                "job-timeout-default",
                "no `job-timeout` is set, so the platform ends the job after 30 min".to_owned(),
                "",
            );
        }
        let longest = [
            plan.estimate.to_start,
            settings.job_timeout,
            plan.estimate.clean_up,
            RESERVE,
        ]
        .into_iter()
        .fold(Duration::ZERO, Duration::saturating_add);
        if settings.deadline < longest {
            self.add(
                Severity::Warning,
                "deadline-short",
                format!(
                    "the deadline of {} is shorter than what the run may take: {} with a job that uses its whole {}",
                    in_words(settings.deadline),
                    in_words(longest),
                    in_words(settings.job_timeout)
                ),
                "raise `deadline`, or lower `job-timeout`",
            );
        }
    }

    fn of_source(&mut self, plan: &Plan, reference: &Component<'_>) {
        let Some(source) = reference.source() else {
            return;
        };
        match (source.branch(), &plan.commit) {
            (Some(branch), Some(commit)) => self.add(
                Severity::Note,
                "built-at-head",
                format!(
                    "the job is built from the head of `{branch}`; when that is not {}, it runs nothing and says so",
                    commit.short()
                ),
                "",
            ),
            (Some(branch), None) => self.add(
                Severity::Warning,
                "commit-unknown",
                format!("the job is built from the head of `{branch}`, and no commit is known to hold it to"),
                "",
            ),
            (None, _) if plan.image_digest.is_none() => self.add(
                Severity::Warning,
                "image-not-pinned",
                format!(
                    "the digest of the live image of `{}` is not known, so the job runs whatever its tag names",
                    reference.name()
                ),
                "",
            ),
            (None, _) => {}
        }
    }

    fn of_variables(&mut self, plan: &Plan, reference: &Component<'_>) {
        let settings = &plan.request.settings;
        let copied = |key: &str| settings.env.iter().any(|name| name == key);
        let given = |key: &str| {
            key == "DATABASE_URL" || settings.secret_env.iter().any(|(name, _)| name == key)
        };
        let secrets: Vec<_> = reference
            .envs()
            .filter(|env| env.kind() == EnvKind::Secret)
            .collect();
        let left: Vec<&str> = secrets
            .iter()
            .map(|env| env.key())
            .filter(|key| !copied(key) && !given(key))
            .collect();
        if !left.is_empty() {
            self.add(
                Severity::Note,
                "secret-not-copied",
                format!(
                    "the job does not get {} of `{}`",
                    in_backticks(left),
                    reference.name()
                ),
                "name what it needs in `env`",
            );
        }
        let encrypted: Vec<&str> = secrets
            .iter()
            .filter(|env| env.is_encrypted())
            .map(|env| env.key())
            .filter(|key| copied(key))
            .collect();
        if !encrypted.is_empty() {
            self.add(
                Severity::Note,
                "secret-copied",
                format!(
                    "{} is copied in its encrypted form, which is not known to work in another component; where it does not, the job stops before any step",
                    in_backticks(encrypted)
                ),
                "if it stops, give the value with `secret-env`",
            );
        }
    }

    fn of_jobs(&mut self, plan: &Plan, app: &App, seen: &Observed) {
        let settings = &plan.request.settings;
        for record in RunRecord::all(&app.spec) {
            if record.job() != plan.job() && is_stale(&record, seen) {
                self.add(
                    Severity::Warning,
                    "stale-job",
                    format!(
                        "job `{}` of migration `{}` was left in the app and is removed first",
                        record.job(),
                        record.migration
                    ),
                    "",
                );
            }
        }
        let is_stale = |name: &str| {
            settings
                .also_stale
                .iter()
                .any(|stale| stale.as_str() == name)
        };
        for job in app.spec.jobs().filter(|job| RunRecord::of(job).is_none()) {
            let name = job.name();
            if is_stale(name) {
                let message = format!(
                    "job `{name}` is declared stale and is removed together with the temporary job"
                );
                self.add(Severity::Note, "also-stale", message, "");
            } else if job.job_kind() == JobKind::FailedDeploy {
                let message = format!(
                    "should a step fail, the platform also runs the job `{name}`, which is for failed deployments"
                );
                self.add(Severity::Note, "failed-deploy-job", message, "");
            } else if runs_in_a_good_deployment(&job) {
                let message = format!("job `{name}` runs again with both deployments of this run");
                self.add(Severity::Note, "accepted-job", message, "");
            }
        }
    }

    fn of_health(&mut self, plan: &Plan, seen: &Observed) {
        let settings = &plan.request.settings;
        if plan.health_url.is_none() && settings.health != HealthCheck::Off {
            self.add(
                Severity::Note,
                "health-not-checked",
                format!(
                    "component `{}` has no health path, so the app's health is not checked",
                    settings.reference
                ),
                "give an address with `health-url`",
            );
        }
        if seen.health_before.is_none_or(|sample| sample.ok()) {
            return;
        }
        match settings.kind {
            Kind::PostDeploy => self.add(
                Severity::Warning,
                "pre-deploy-needed",
                "the app is unhealthy now, and a POST_DEPLOY job starts only once it is healthy: it may never start".to_owned(),
                "set `kind: PRE_DEPLOY`, which runs before the services roll out and is the only one that can work then",
            ),
            Kind::PreDeploy => self.add(
                Severity::Warning,
                "unhealthy-before",
                "the app is unhealthy already, before anything was changed".to_owned(),
                "",
            ),
        }
    }

    fn of_firewall(&mut self, plan: &Plan, app: &App, seen: &Observed) {
        let settings = &plan.request.settings;
        if settings.firewall == FirewallPolicy::Off {
            return;
        }
        let rules = match &seen.firewall {
            FirewallView::Rules(rules) => rules,
            FirewallView::Failed => {
                let message = format!(
                    "the firewall of database `{}` can't be read",
                    settings.database
                );
                return self.add(
                    Severity::Warning,
                    "firewall-unread",
                    message,
                    "the token needs the scope `database:read`",
                );
            }
            FirewallView::Unread => return,
        };
        if rules.rules().next().is_none() {
            let message = format!(
                "the firewall of database `{}` has no rules, so that it admits everybody",
                settings.database
            );
            return self.add(
                Severity::Warning,
                "firewall-open",
                message,
                "add the app as its only trusted source",
            );
        }
        let extra = extra_rules(rules, &app.id, &settings.keep_rules);
        if extra.is_empty() {
            return;
        }
        let extra = in_backticks(extra.iter().map(String::as_str));
        let (message, hint) = match settings.firewall {
            FirewallPolicy::Restore => (
                format!("the firewall also admits {extra}; that is taken away at the end"),
                "",
            ),
            FirewallPolicy::Check | FirewallPolicy::Off => (
                format!("the firewall also admits {extra}"),
                "take it away with `firewall: restore`, or keep it with `keep-rules`",
            ),
        };
        self.add(Severity::Warning, "firewall-drift", message, hint);
    }
}
