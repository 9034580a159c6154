//! What the platform refuses in a submitted spec, and how it says so.
//!
//! Follows the published limits (names, sources, kinds, counts); the texts are those seen in the wild where one was.

use crate::knobs::UnknownField;
use crate::spec::{Component, app_name, component, components, databases, envs, list};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

const TOP_FIELDS: &[&str] = &[
    "name",
    "region",
    "features",
    "services",
    "static_sites",
    "workers",
    "jobs",
    "functions",
    "databases",
    "domains",
    "envs",
    "alerts",
    "ingress",
    "egress",
    "maintenance",
    "vpc",
    "disable_edge_cache",
    "disable_email_obfuscation",
    "enhanced_threat_control_enabled",
    "secure_header",
    "load_balancer",
    "inactivity_sleep",
];
const COMPONENT_FIELDS: &[&str] = &[
    "name",
    "git",
    "github",
    "gitlab",
    "bitbucket",
    "image",
    "dockerfile_path",
    "build_command",
    "run_command",
    "source_dir",
    "envs",
    "environment_slug",
    "log_destinations",
    "instance_size_slug",
    "instance_count",
    "autoscaling",
    "alerts",
    "termination",
    "kind",
    "schedule",
    "timeout",
    "http_port",
    "protocol",
    "internal_ports",
    "health_check",
    "liveness_health_check",
    "cors",
    "routes",
    "index_document",
    "error_document",
    "catchall_document",
    "output_dir",
    "inactivity_sleep",
];
const ENV_FIELDS: &[&str] = &["key", "value", "scope", "type"];
const SOURCES: [&str; 5] = ["git", "github", "gitlab", "bitbucket", "image"];

/// Checks a submitted spec.
///
/// # Errors
/// The platform's message for the first thing wrong.
pub(crate) fn validate(spec: &Value, unknown: UnknownField) -> Result<(), String> {
    let Some(top) = spec.as_object() else {
        return Err("error validating app spec: spec is required".to_owned());
    };
    if !is_name(app_name(spec)) {
        return Err(wrong(
            "name",
            "must be 2 to 32 lower case letters, digits and hyphens",
        ));
    }
    reject_unknown(top, TOP_FIELDS, "", unknown)?;
    names(spec)?;
    for component in components(spec) {
        reject_unknown(
            component.fields,
            COMPONENT_FIELDS,
            component.section,
            unknown,
        )?;
        source(&component)?;
        variables(component.section, component.fields, unknown)?;
        limits(&component)?;
    }
    variables("", top, unknown)?;
    ingress(spec)
}

/// Every component and database shares one space of names.
fn names(spec: &Value) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for section in crate::spec::SECTIONS.into_iter().chain(["databases"]) {
        if spec
            .get(section)
            .is_some_and(|items| !items.is_array() && !items.is_null())
        {
            return Err(wrong(section, "must be a list"));
        }
        for item in list(spec, section) {
            let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
            if !is_name(name) {
                let path = format!("{section}.name");
                return Err(wrong(
                    &path,
                    "must be 2 to 32 lower case letters, digits and hyphens",
                ));
            }
            if !seen.insert(name) {
                return Err(wrong(
                    &format!("{section}.name"),
                    &format!("component name {name:?} is already in use"),
                ));
            }
        }
    }
    Ok(())
}

fn source(component: &Component<'_>) -> Result<(), String> {
    let section = component.section;
    let given: Vec<&str> = SOURCES
        .into_iter()
        .filter(|source| component.fields.contains_key(*source))
        .collect();
    let [source] = given.as_slice() else {
        return Err(wrong(
            section,
            &format!(
                "component {:?} must have exactly one source",
                component.name
            ),
        ));
    };
    let Some(fields) = component.fields.get(*source).and_then(Value::as_object) else {
        return Err(wrong(&format!("{section}.{source}"), "must be an object"));
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    match *source {
        "image" => {
            if text("repository").is_empty() {
                return Err(wrong(&format!("{section}.image.repository"), "is required"));
            }
            if !text("tag").is_empty() && !text("digest").is_empty() {
                return Err(wrong(
                    &format!("{section}.image"),
                    "tag and digest are mutually exclusive",
                ));
            }
        }
        "git" => {
            if text("repo_clone_url").is_empty() {
                return Err(wrong(
                    &format!("{section}.git.repo_clone_url"),
                    "is required",
                ));
            }
        }
        _ => {
            if text("repo")
                .split('/')
                .filter(|part| !part.is_empty())
                .count()
                < 2
            {
                return Err(wrong(
                    &format!("{section}.{source}.repo"),
                    "must be in the form owner/repo",
                ));
            }
        }
    }
    Ok(())
}

fn variables(
    section: &str,
    fields: &Map<String, Value>,
    unknown: UnknownField,
) -> Result<(), String> {
    for (at, env) in envs(fields).enumerate() {
        let prefix = if section.is_empty() {
            String::new()
        } else {
            format!("{section}.")
        };
        let path = |field: &str| format!("{prefix}envs.{at}.{field}");
        let text = |name: &str| env.get(name).and_then(Value::as_str);
        reject_unknown(env, ENV_FIELDS, &format!("{prefix}envs"), unknown)?;
        let key = text("key").unwrap_or_default();
        let begins_well =
            key.starts_with(|first: char| first == '_' || first.is_ascii_alphabetic());
        if !begins_well
            || !key
                .chars()
                .all(|each| each == '_' || each.is_ascii_alphanumeric())
        {
            return Err(wrong(
                &path("key"),
                "is not a valid environment variable name",
            ));
        }
        let scopes = ["UNSET", "RUN_TIME", "BUILD_TIME", "RUN_AND_BUILD_TIME"];
        if text("scope").is_some_and(|scope| !scopes.contains(&scope)) {
            return Err(wrong(&path("scope"), "is not a known scope"));
        }
        if text("type").is_some_and(|kind| !["GENERAL", "SECRET"].contains(&kind)) {
            return Err(wrong(&path("type"), "is not a known type"));
        }
        if env
            .get("value")
            .is_some_and(|value| !value.is_string() && !value.is_null())
        {
            return Err(wrong(&path("value"), "must be a string"));
        }
    }
    Ok(())
}

fn limits(component: &Component<'_>) -> Result<(), String> {
    let section = component.section;
    let kinds = [
        "",
        "UNSPECIFIED",
        "PRE_DEPLOY",
        "POST_DEPLOY",
        "FAILED_DEPLOY",
        "SCHEDULED",
    ];
    if section == "jobs" && !kinds.contains(&component.text("kind")) {
        return Err(wrong("jobs.kind", "is not a known kind"));
    }
    if component
        .fields
        .get("instance_count")
        .and_then(Value::as_u64)
        .is_some_and(|count| count > 250)
    {
        return Err(wrong(
            &format!("{section}.instance_count"),
            "must be at most 250",
        ));
    }
    let grace = component
        .fields
        .get("termination")
        .and_then(|end| end.get("grace_period_seconds"));
    if grace.is_some_and(|grace| {
        !grace
            .as_u64()
            .is_some_and(|seconds| (1..=600).contains(&seconds))
    }) {
        return Err(wrong(
            &format!("{section}.termination.grace_period_seconds"),
            "must be between 1 and 600",
        ));
    }
    let timeout = component.text("timeout");
    if !timeout.is_empty() && duration_seconds(timeout).is_none() {
        return Err(wrong(
            &format!("{section}.timeout"),
            "is not a valid duration",
        ));
    }
    let port = component
        .fields
        .get("health_check")
        .and_then(|check| check.get("port"))
        .and_then(Value::as_u64);
    let known = |port: u64| {
        let internal = component
            .fields
            .get("internal_ports")
            .and_then(Value::as_array);
        let public = component.fields.get("http_port").and_then(Value::as_u64);
        public == Some(port)
            || internal.is_some_and(|ports| ports.iter().any(|each| each.as_u64() == Some(port)))
    };
    if let Some(port) = port.filter(|port| !known(*port)) {
        let what = format!("health check port \"{port}\" not found in internal_ports");
        return Err(wrong("services.health_check.port", &what));
    }
    Ok(())
}

fn ingress(spec: &Value) -> Result<(), String> {
    let rules = spec
        .get("ingress")
        .and_then(|ingress| ingress.get("rules"))
        .and_then(Value::as_array);
    let mut prefixes = BTreeSet::new();
    for rule in rules.into_iter().flatten() {
        let prefix = rule.pointer("/match/path/prefix").and_then(Value::as_str);
        if let Some(prefix) = prefix.filter(|prefix| !prefixes.insert(*prefix)) {
            return Err(wrong(
                "ingress.rules",
                &format!("rule matching path prefix '{prefix}' already in use"),
            ));
        }
        let target = rule.pointer("/component/name").and_then(Value::as_str);
        if let Some(target) = target.filter(|target| component(spec, target).is_none()) {
            return Err(wrong(
                "ingress.rules",
                &format!("component {target:?} was not found"),
            ));
        }
    }
    Ok(())
}

/// Returns the cluster names that the databases of a spec ask for.
pub(crate) fn clusters(spec: &Value) -> impl Iterator<Item = &str> {
    databases(spec).filter_map(|database| database.get("cluster_name").and_then(Value::as_str))
}

fn reject_unknown(
    fields: &Map<String, Value>,
    known: &[&str],
    section: &str,
    unknown: UnknownField,
) -> Result<(), String> {
    if unknown == UnknownField::Keep {
        return Ok(());
    }
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) if section.is_empty() => Err(wrong(name, "unknown field")),
        Some(name) => Err(wrong(&format!("{section}.{name}"), "unknown field")),
        None => Ok(()),
    }
}

/// App and component names: 2 to 32 characters (published pattern).
fn is_name(text: &str) -> bool {
    let inner = |each: char| each.is_ascii_lowercase() || each.is_ascii_digit() || each == '-';
    (2..=32).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(inner)
        && !text.ends_with('-')
}

/// Reads a Go duration such as `1h30m` into whole seconds.
pub(crate) fn duration_seconds(text: &str) -> Option<u64> {
    let mut seconds = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let (digits, after) = rest.split_at(rest.find(|each: char| !each.is_ascii_digit())?);
        let unit = match after.chars().next()? {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(digits.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = after.get(1..)?;
    }
    (!text.is_empty()).then_some(seconds)
}

fn wrong(field: &str, what: &str) -> String {
    format!("error validating app spec field \"{field}\": {what}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(spec: &Value) -> String {
        validate(spec, UnknownField::Reject).expect_err("must be refused")
    }

    fn job(more: &Value) -> Value {
        let mut job = json!({"name": "once", "github": {"repo": "acme/shop", "branch": "main"}});
        for (name, value) in more.as_object().unwrap() {
            job[name] = value.clone();
        }
        json!({"name": "shop", "databases": [{"name": "db"}], "jobs": [job]})
    }

    #[test]
    fn refusals_name_the_field() {
        let spec = |more: Value| refused(&job(&more));
        insta::assert_snapshot!([
            refused(&json!({"name": "Shop"})),
            spec(json!({"name": "db"})),
            spec(json!({"name": "x"})),
            spec(json!({"git": {"repo_clone_url": "u"}})),
            spec(json!({"github": {"repo": "shop"}})),
            spec(json!({"kind": "SOMETIMES"})),
            spec(json!({"timeout": "soon"})),
            spec(json!({"termination": {"grace_period_seconds": 601}})),
            spec(json!({"envs": [{"key": "1A", "value": "x"}]})),
            spec(json!({"colour": "red"})),
            spec(json!({"health_check": {"port": 9090}})),
        ].join("\n"), @r#"
        error validating app spec field "name": must be 2 to 32 lower case letters, digits and hyphens
        error validating app spec field "databases.name": component name "db" is already in use
        error validating app spec field "jobs.name": must be 2 to 32 lower case letters, digits and hyphens
        error validating app spec field "jobs": component "once" must have exactly one source
        error validating app spec field "jobs.github.repo": must be in the form owner/repo
        error validating app spec field "jobs.kind": is not a known kind
        error validating app spec field "jobs.timeout": is not a valid duration
        error validating app spec field "jobs.termination.grace_period_seconds": must be between 1 and 600
        error validating app spec field "jobs.envs.0.key": is not a valid environment variable name
        error validating app spec field "jobs.colour": unknown field
        error validating app spec field "services.health_check.port": health check port "9090" not found in internal_ports
        "#);
    }

    #[test]
    fn an_unknown_field_is_kept_when_the_knob_says_so() {
        assert_eq!(
            validate(&job(&json!({"colour": "red"})), UnknownField::Keep),
            Ok(())
        );
    }

    #[test]
    fn durations_are_read_like_go_reads_them() {
        assert_eq!(duration_seconds("1h30m"), Some(5400));
        assert_eq!(duration_seconds("600s"), Some(600));
        assert_eq!(duration_seconds("30"), None);
        assert_eq!(duration_seconds(""), None);
    }
}
