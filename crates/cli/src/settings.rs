//! From raw inputs to settled choices: inputs over manifest over config over defaults.
//!
//! What a value may be is told by name, in the words that the flag and the Action's input share. Nothing here asks the
//! platform: whether a component exists is the planner's to judge, with the app before it.

use crate::choices::Choices;
use crate::host::Host;
use app_spec::{App, ClusterId, ComponentName, RuleKind, RuleMatch};
use migration::{
    Config, FirewallPolicy, HealthCheck, Kind, LogPolicy, Manifest, OnFailure, Reason, Refusal,
    Settings, Shell, Strategy, WaitForDeploy,
};
use secrecy::SecretString;
use std::ops::RangeInclusive;
use std::time::Duration;
use url::Url;

/// What `job-timeout` may be; the manifest's own bounds.
const JOB_TIMEOUT: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(24 * 60 * 60);
/// The platform's own default.
const JOB_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30 * 60);
/// What `deadline` may be; the config's own bounds.
const DEADLINE: RangeInclusive<Duration> =
    Duration::from_secs(10 * 60)..=Duration::from_secs(48 * 60 * 60);
/// Two deployments of fifteen minutes, the longest default job, health, and as much again for waits.
const DEADLINE_DEFAULT: Duration = Duration::from_secs(110 * 60);

/// Variables that the job has anyway, from where the platform keeps them.
const BOUND: [&str; 1] = ["DATABASE_URL"];
/// What the names of the job's own variables begin with.
const OWN_VARIABLES: &str = "HARBOR_PILOT_";

/// Where choices come from, first to last.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The inputs.
    pub choices: &'a Choices,
    /// The manifest.
    pub manifest: &'a Manifest,
    /// The config.
    pub config: &'a Config,
    /// The app, for what follows from it.
    pub app: &'a App,
    /// Holds the values of `secret-env`.
    pub host: &'a Host,
}

/// Returns every choice, settled.
///
/// # Errors
/// A [`Refusal`] that names the input, what it holds and what it may hold; or that lists what there is to choose from
/// where the app leaves a choice open.
pub fn settle(from: &Sources<'_>) -> Result<Settings, Refusal> {
    let Sources {
        choices,
        manifest,
        config,
        app,
        host,
    } = *from;
    let defaults = &config.defaults;
    Ok(Settings {
        reference: reference(choices, config, app)?,
        database: database(choices.database.as_deref(), config, app)?,
        kind: word("kind", choices.kind.as_deref(), KINDS)?
            .or(manifest.kind)
            .or(defaults.kind)
            .unwrap_or_default(),
        instance_size: given(
            choices.instance_size.as_ref(),
            manifest.instance_size.as_ref(),
            defaults.instance_size.as_ref(),
        ),
        job_timeout: span("job-timeout", choices.job_timeout.as_deref(), JOB_TIMEOUT)?
            .or(manifest.job_timeout)
            .or(defaults.job_timeout)
            .unwrap_or(JOB_TIMEOUT_DEFAULT),
        deadline: span("deadline", choices.deadline.as_deref(), DEADLINE)?
            .or(defaults.deadline)
            .unwrap_or(DEADLINE_DEFAULT),
        strategy: word("strategy", choices.strategy.as_deref(), STRATEGIES)?
            .or(manifest.strategy)
            .or(defaults.strategy)
            .unwrap_or_default(),
        on_failure: word("on-failure", choices.on_failure.as_deref(), ON_FAILURE)?
            .or(manifest.on_failure)
            .or(defaults.on_failure)
            .unwrap_or_default(),
        wait_for_deploy: word("wait-for-deploy", choices.wait_for_deploy.as_deref(), WAITS)?
            .or(defaults.wait_for_deploy)
            .unwrap_or_default(),
        health: health(choices.health_url.as_deref())?
            .or_else(|| config.health.clone())
            .unwrap_or_default(),
        firewall: word("firewall", choices.firewall.as_deref(), FIREWALL)?
            .or(config.firewall)
            .unwrap_or_default(),
        cluster: cluster(choices.database_cluster.as_deref(), config),
        keep_rules: keep_rules(&choices.keep_rule, config)?,
        also_stale: also_stale(&choices.also_stale, config)?,
        accept_jobs: names("accept-jobs", &choices.accept_jobs, &config.accept_jobs)?,
        env: if manifest.env.is_empty() {
            defaults.env.clone()
        } else {
            manifest.env.clone()
        },
        secret_env: secret_env(&choices.secret_env, host)?,
        shell: word("shell", choices.shell.as_deref(), SHELLS)?
            .or(defaults.shell)
            .unwrap_or_default(),
        log: word("log", choices.log.as_deref(), LOGS)?
            .or(defaults.log)
            .unwrap_or_default(),
    })
}

const KINDS: &[(&str, Kind)] = &[
    ("POST_DEPLOY", Kind::PostDeploy),
    ("PRE_DEPLOY", Kind::PreDeploy),
    ("post-deploy", Kind::PostDeploy),
    ("pre-deploy", Kind::PreDeploy),
];
const STRATEGIES: &[(&str, Strategy)] = &[
    ("single-job", Strategy::SingleJob),
    ("one-job-per-step", Strategy::OneJobPerStep),
];
const ON_FAILURE: &[(&str, OnFailure)] =
    &[("fail", OnFailure::Fail), ("contain", OnFailure::Contain)];
const WAITS: &[(&str, WaitForDeploy)] =
    &[("live", WaitForDeploy::Live), ("off", WaitForDeploy::Off)];
const FIREWALL: &[(&str, FirewallPolicy)] = &[
    ("check", FirewallPolicy::Check),
    ("restore", FirewallPolicy::Restore),
    ("off", FirewallPolicy::Off),
];
const SHELLS: &[(&str, Shell)] = &[("sh", Shell::Sh), ("none", Shell::None)];
const LOGS: &[(&str, LogPolicy)] = &[
    ("tail", LogPolicy::Tail),
    ("full", LogPolicy::Full),
    ("off", LogPolicy::Off),
];
const RULES: &[&str] = &["app", "ip_addr", "droplet", "k8s", "tag"];

/// Returns how long the whole run may take by inputs and config.
///
/// # Errors
/// A [`Refusal`] for a span that is none, or out of bounds.
pub fn deadline(choices: &Choices, config: &Config) -> Result<Duration, Refusal> {
    Ok(span("deadline", choices.deadline.as_deref(), DEADLINE)?
        .or(config.defaults.deadline)
        .unwrap_or(DEADLINE_DEFAULT))
}

/// Returns the hand-left jobs that are removed with ours.
///
/// # Errors
/// A [`Refusal`] for a name that no component can have.
pub fn also_stale(given: &[String], config: &Config) -> Result<Vec<ComponentName>, Refusal> {
    names("also-stale", given, &config.also_stale)
}

/// Returns the rules that stay beside the app's own when the firewall is restored.
///
/// # Errors
/// A [`Refusal`] for a rule that is not `TYPE:VALUE`.
pub fn keep_rules(given: &[String], config: &Config) -> Result<Vec<RuleMatch>, Refusal> {
    let rules: Vec<RuleMatch> = trimmed(given).map(rule).collect::<Result<_, _>>()?;
    Ok(if rules.is_empty() {
        config.keep_rules.clone()
    } else {
        rules
    })
}

/// Returns the database cluster's id, where one was given.
#[must_use]
pub fn cluster(given: Option<&str>, config: &Config) -> Option<ClusterId> {
    given
        .map(ClusterId::new)
        .or_else(|| config.database_cluster.clone())
}

/// Returns the database component: given, or the app's only one.
///
/// # Errors
/// A [`Refusal`] that lists the app's databases where several could be meant, or says that there is none.
pub fn database(given: Option<&str>, config: &Config, app: &App) -> Result<String, Refusal> {
    if let Some(name) = given.map(str::to_owned).or_else(|| config.database.clone()) {
        return Ok(name);
    }
    let known: Vec<&str> = app
        .spec
        .databases()
        .map(|database| database.name())
        .collect();
    match known.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => Err(Refusal::new(
            Reason::DatabaseNotFound,
            format!(
                "app `{}` has no database that the job could be bound to",
                app.spec.name()
            ),
            "attach the database to the app in the control panel, so that the job gets its address",
        )),
        several => Err(Refusal::new(
            Reason::DatabaseNotFound,
            format!(
                "app `{}` has {} databases, and none was chosen",
                app.spec.name(),
                several.len()
            ),
            format!("choose one with `database`: {}", quoted(several)),
        )),
    }
}

fn reference(choices: &Choices, config: &Config, app: &App) -> Result<ComponentName, Refusal> {
    if let Some(given) = &choices.component {
        return component("component", given);
    }
    if let Some(configured) = &config.component {
        return Ok(configured.clone());
    }
    let known: Vec<&str> = app.spec.services().map(|service| service.name()).collect();
    match known.as_slice() {
        [only] => Ok(ComponentName::from_platform(*only)),
        [] => Err(Refusal::new(
            Reason::ComponentNotFound,
            format!(
                "app `{}` has no service that the job could be copied from",
                app.spec.name()
            ),
            "a worker will do as well: name it with `component`",
        )),
        several => Err(Refusal::new(
            Reason::ComponentNotFound,
            format!(
                "app `{}` has {} services, and none was chosen",
                app.spec.name(),
                several.len()
            ),
            format!(
                "choose the one whose code and settings the migration needs, with `component`: {}",
                quoted(several)
            ),
        )),
    }
}

fn given(
    input: Option<&String>,
    manifest: Option<&String>,
    config: Option<&String>,
) -> Option<String> {
    input.or(manifest).or(config).cloned()
}

fn word<T: Copy>(
    input: &str,
    found: Option<&str>,
    words: &[(&str, T)],
) -> Result<Option<T>, Refusal> {
    let Some(found) = found else { return Ok(None) };
    match words.iter().find(|(word, _)| *word == found) {
        Some((_, meaning)) => Ok(Some(*meaning)),
        None => {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Err(bad(input, found, &format!("it may be {}", quoted(&known))))
        }
    }
}

fn span(
    input: &str,
    found: Option<&str>,
    range: RangeInclusive<Duration>,
) -> Result<Option<Duration>, Refusal> {
    let Some(found) = found else { return Ok(None) };
    let parsed = found
        .parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|span| Duration::try_from(span).ok());
    match parsed {
        Some(span) if range.contains(&span) => Ok(Some(span)),
        Some(_) => {
            let (least, most) = (in_words(*range.start()), in_words(*range.end()));
            Err(bad(
                input,
                found,
                &format!("it may be from {least} to {most}"),
            ))
        }
        None => Err(bad(
            input,
            found,
            "it must be a span of time, such as `45m` or `1h 30m`",
        )),
    }
}

fn in_words(span: Duration) -> String {
    match span.as_secs() / 60 {
        minutes if minutes >= 60 && minutes % 60 == 0 => format!("{}h", minutes / 60),
        minutes => format!("{minutes}m"),
    }
}

fn health(found: Option<&str>) -> Result<Option<HealthCheck>, Refusal> {
    match found {
        None => Ok(None),
        Some("off") => Ok(Some(HealthCheck::Off)),
        Some(text) if Url::parse(text).is_ok_and(|url| url.has_host()) => {
            Ok(Some(HealthCheck::Url(text.to_owned())))
        }
        Some(text) => Err(bad(
            "health-url",
            text,
            "it must be an address on one of the app's own hosts, or `off`",
        )),
    }
}

fn rule(text: &str) -> Result<RuleMatch, Refusal> {
    let allowed = format!(
        "a rule is TYPE:VALUE, such as `ip_addr:203.0.113.7`; the types are {}",
        quoted(RULES)
    );
    match text.split_once(':') {
        Some((kind, value)) if RULES.contains(&kind) && !value.is_empty() => {
            Ok(RuleMatch::new(RuleKind::from_word(kind), value))
        }
        Some(_) | None => Err(bad("keep-rule", text, &allowed)),
    }
}

fn names(
    input: &str,
    given: &[String],
    configured: &[ComponentName],
) -> Result<Vec<ComponentName>, Refusal> {
    let names: Vec<ComponentName> = trimmed(given)
        .map(|name| component(input, name))
        .collect::<Result<_, _>>()?;
    Ok(if names.is_empty() {
        configured.to_vec()
    } else {
        names
    })
}

fn component(input: &str, name: &str) -> Result<ComponentName, Refusal> {
    ComponentName::parse(name).map_err(|_form| {
        bad(
            input,
            name,
            "a component's name is 2 to 32 of `a-z`, `0-9` and `-`, and begins with a letter",
        )
    })
}

fn secret_env(names: &[String], host: &Host) -> Result<Vec<(String, SecretString)>, Refusal> {
    let mut secrets: Vec<(String, SecretString)> = Vec::new();
    for name in trimmed(names) {
        let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        if !name.starts_with(letter) || !name.chars().all(|c| letter(c) || c.is_ascii_digit()) {
            // Not repeated: it may be `NAME=value`, with the secret in it.
            return Err(Refusal::new(
                Reason::Usage,
                "`secret-env` holds something that is not the name of a variable",
                "it lists names, such as `STRIPE_KEY`; their values are taken from the environment and never stand here",
            ));
        }
        if BOUND.contains(&name) || name.starts_with(OWN_VARIABLES) {
            return Err(bad(
                "secret-env",
                name,
                "the job has a variable of that name already; give yours another",
            ));
        }
        let Some(value) = host.var(name) else {
            return Err(Refusal::new(
                Reason::Usage,
                format!("`secret-env` names the variable `{name}`, which is not set here"),
                format!(
                    "set `{name}` in the environment of this command; in a workflow, under `env:` of the step"
                ),
            ));
        };
        if secrets.iter().all(|(known, _)| known != name) {
            secrets.push((name.to_owned(), SecretString::from(value)));
        }
    }
    Ok(secrets)
}

fn trimmed(items: &[String]) -> impl Iterator<Item = &str> {
    items
        .iter()
        .map(|item| item.trim())
        .filter(|item| !item.is_empty())
}

/// Returns the refusal of an input's value.
#[must_use]
pub fn bad(input: &str, found: &str, allowed: &str) -> Refusal {
    Refusal::new(
        Reason::Usage,
        format!("`{input}` holds `{found}`, which it can't be"),
        allowed,
    )
}

/// Returns names as a list for people.
#[must_use]
pub fn quoted<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Stream, Wire};
    use migration::MigrationId;
    use serde_json::json;

    fn app(spec: serde_json::Value) -> App {
        App::from_value(&json!({ "id": "11111111-1111-4111-8111-111111111111", "spec": spec }))
            .unwrap()
    }

    fn shop() -> App {
        app(
            json!({ "name": "shop", "services": [{ "name": "web" }], "databases": [{ "name": "db" }] }),
        )
    }

    fn host() -> Host {
        let (_, stop) = runner::stop_switch();
        Host::new(
            Stream::new(std::io::sink()),
            Stream::new(std::io::sink()),
            "/nowhere".into(),
            Wire::Network,
            stop,
        )
    }

    fn manifest(more: &str) -> Manifest {
        let text = format!("steps:\n  - name: columns\n    run: node columns.js\n{more}");
        Manifest::parse(MigrationId::parse("ter-235").unwrap(), "m.yml", &text).unwrap()
    }

    fn settled(
        choices: &Choices,
        manifest: &Manifest,
        config: &str,
        app: &App,
    ) -> Result<Settings, Refusal> {
        let config = Config::parse("c.yml", config).unwrap();
        settle(&Sources {
            choices,
            manifest,
            config: &config,
            app,
            host: &host(),
        })
    }

    fn refused(choices: Choices) -> String {
        let refusal = settled(&choices, &manifest(""), "", &shop()).unwrap_err();
        assert_eq!(refusal.reason.exit().code(), 2);
        format!("{refusal}; {}", refusal.hint.as_deref().unwrap_or_default())
    }

    fn one(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn inputs_outrank_the_manifest_which_outranks_the_config() {
        let config = "defaults: { kind: PRE_DEPLOY, job-timeout: 10m, instance-size: from-config }";
        let manifest = manifest("kind: POST_DEPLOY\njob-timeout: 20m\n");
        let choices = Choices {
            job_timeout: one("40m"),
            ..Choices::default()
        };
        let settings = settled(&choices, &manifest, config, &shop()).unwrap();
        assert_eq!(settings.kind, Kind::PostDeploy);
        assert_eq!(settings.job_timeout, Duration::from_secs(40 * 60));
        assert_eq!(settings.instance_size.as_deref(), Some("from-config"));
    }

    #[test]
    fn what_nobody_chose_is_the_documented_default() {
        let settings = settled(&Choices::default(), &manifest(""), "", &shop()).unwrap();
        assert_eq!(
            (settings.reference.as_str(), settings.database.as_str()),
            ("web", "db")
        );
        assert_eq!(
            (settings.kind, settings.firewall),
            (Kind::PostDeploy, FirewallPolicy::Check)
        );
        assert_eq!(
            (settings.strategy, settings.on_failure),
            (Strategy::SingleJob, OnFailure::Fail)
        );
        assert_eq!(
            (settings.job_timeout, settings.deadline),
            (JOB_TIMEOUT_DEFAULT, DEADLINE_DEFAULT)
        );
        assert_eq!(
            (settings.health, settings.log, settings.shell),
            (HealthCheck::OfReference, LogPolicy::Tail, Shell::Sh)
        );
    }

    #[test]
    fn a_bad_value_is_refused_with_what_it_may_be() {
        let none = Choices::default;
        insta::assert_snapshot!(refused(Choices { kind: one("deploy"), ..none() }), @"`kind` holds `deploy`, which it can't be; it may be `POST_DEPLOY`, `PRE_DEPLOY`, `post-deploy`, `pre-deploy`");
        insta::assert_snapshot!(refused(Choices { job_timeout: one("soon"), ..none() }), @"`job-timeout` holds `soon`, which it can't be; it must be a span of time, such as `45m` or `1h 30m`");
        insta::assert_snapshot!(refused(Choices { job_timeout: one("30s"), ..none() }), @"`job-timeout` holds `30s`, which it can't be; it may be from 1m to 24h");
        insta::assert_snapshot!(refused(Choices { deadline: one("-1h"), ..none() }), @"`deadline` holds `-1h`, which it can't be; it must be a span of time, such as `45m` or `1h 30m`");
        insta::assert_snapshot!(refused(Choices { firewall: one("open"), ..none() }), @"`firewall` holds `open`, which it can't be; it may be `check`, `restore`, `off`");
        insta::assert_snapshot!(refused(Choices { health_url: one("/health"), ..none() }), @"`health-url` holds `/health`, which it can't be; it must be an address on one of the app's own hosts, or `off`");
        insta::assert_snapshot!(refused(Choices { component: one("Web!"), ..none() }), @"`component` holds `Web!`, which it can't be; a component's name is 2 to 32 of `a-z`, `0-9` and `-`, and begins with a letter");
        insta::assert_snapshot!(refused(Choices { keep_rule: vec!["203.0.113.7".to_owned()], ..none() }), @"`keep-rule` holds `203.0.113.7`, which it can't be; a rule is TYPE:VALUE, such as `ip_addr:203.0.113.7`; the types are `app`, `ip_addr`, `droplet`, `k8s`, `tag`");
        let leaky = refused(Choices {
            secret_env: vec!["STRIPE_KEY=canary".to_owned()],
            ..none()
        });
        insta::assert_snapshot!(leaky, @"`secret-env` holds something that is not the name of a variable; it lists names, such as `STRIPE_KEY`; their values are taken from the environment and never stand here");
        insta::assert_snapshot!(refused(Choices { secret_env: vec!["DATABASE_URL".to_owned()], ..none() }), @"`secret-env` holds `DATABASE_URL`, which it can't be; the job has a variable of that name already; give yours another");
        insta::assert_snapshot!(refused(Choices { secret_env: vec!["STRIPE_KEY".to_owned()], ..none() }), @"`secret-env` names the variable `STRIPE_KEY`, which is not set here; set `STRIPE_KEY` in the environment of this command; in a workflow, under `env:` of the step");
    }

    #[test]
    fn an_open_choice_is_refused_with_what_there_is() {
        let two = app(json!({
            "name": "shop",
            "services": [{ "name": "web" }, { "name": "api" }],
            "databases": [{ "name": "db" }, { "name": "cache" }],
        }));
        let of = |choices: Choices| {
            let refusal = settled(&choices, &manifest(""), "", &two).unwrap_err();
            format!("{refusal}; {}", refusal.hint.as_deref().unwrap_or_default())
        };
        insta::assert_snapshot!(of(Choices::default()), @"app `shop` has 2 services, and none was chosen; choose the one whose code and settings the migration needs, with `component`: `web`, `api`");
        insta::assert_snapshot!(of(Choices { component: one("web"), ..Choices::default() }), @"app `shop` has 2 databases, and none was chosen; choose one with `database`: `db`, `cache`");
        let none = app(json!({ "name": "site", "static_sites": [{ "name": "web" }] }));
        let refusal = settled(&Choices::default(), &manifest(""), "", &none).unwrap_err();
        assert_eq!(refusal.reason, Reason::ComponentNotFound);
    }

    #[test]
    fn rules_keep_the_colons_of_their_addresses() {
        let choices = Choices {
            keep_rule: vec!["ip_addr:2001:db8::/32".to_owned()],
            ..Choices::default()
        };
        let settings = settled(&choices, &manifest(""), "", &shop()).unwrap();
        assert_eq!(
            settings.keep_rules,
            [RuleMatch::new(RuleKind::IpAddr, "2001:db8::/32")]
        );
    }

    /// The bounds stand in `migration` too, for files; a span must not be good in one place and bad in the other.
    #[test]
    fn inputs_and_files_take_the_same_spans() {
        for text in ["59s", "1m", "9m", "10m", "24h", "25h", "48h", "49h"] {
            let in_file = |key: &str| {
                Config::parse("c.yml", &format!("defaults: {{ {key}: {text} }}")).is_ok()
            };
            let choices = Choices {
                job_timeout: one(text),
                ..Choices::default()
            };
            assert_eq!(
                settled(&choices, &manifest(""), "", &shop()).is_ok(),
                in_file("job-timeout"),
                "{text}"
            );
            let choices = Choices {
                deadline: one(text),
                ..Choices::default()
            };
            assert_eq!(
                settled(&choices, &manifest(""), "", &shop()).is_ok(),
                in_file("deadline"),
                "{text}"
            );
        }
    }
}
