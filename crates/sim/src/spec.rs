//! Lenses on a raw app spec, and what the platform makes of one when it is read back.

use serde_json::{Map, Value, json};

/// The sections that hold components with a source.
pub(crate) const SECTIONS: [&str; 5] = ["services", "static_sites", "workers", "jobs", "functions"];

/// The instance size that a component without one gets (observed).
const DEFAULT_SIZE: &str = "apps-s-1vcpu-0.5gb";

/// One component of a spec.
#[derive(Clone, Copy)]
pub(crate) struct Component<'a> {
    pub(crate) section: &'static str,
    pub(crate) name: &'a str,
    pub(crate) fields: &'a Map<String, Value>,
}

impl<'a> Component<'a> {
    /// Returns a text field, empty where it is missing.
    pub(crate) fn text(&self, field: &str) -> &'a str {
        self.fields
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Returns where the component's code comes from.
    pub(crate) fn source(&self) -> Option<Source> {
        let part = |of: &Value, name: &str| {
            of.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        if let Some(image) = self.fields.get("image") {
            let tag = part(image, "tag");
            return Some(Source::Image {
                repository: part(image, "repository"),
                tag: if tag.is_empty() {
                    "latest".to_owned()
                } else {
                    tag
                },
                digest: Some(part(image, "digest")).filter(|digest| !digest.is_empty()),
            });
        }
        for host in ["github", "gitlab", "bitbucket"] {
            if let Some(git) = self.fields.get(host) {
                return Some(Source::Repository {
                    host,
                    repo: part(git, "repo"),
                    branch: part(git, "branch"),
                    deploy_on_push: git
                        .get("deploy_on_push")
                        .and_then(Value::as_bool)
                        .unwrap_or(false),
                });
            }
        }
        let git = self.fields.get("git")?;
        Some(Source::Clone {
            url: part(git, "repo_clone_url"),
            branch: part(git, "branch"),
        })
    }

    /// Returns what a build depends on; two equal texts share one build.
    pub(crate) fn build_key(&self, origin: &str) -> String {
        let field = |name: &str| self.fields.get(name).cloned().unwrap_or(Value::Null);
        let envs: Vec<Value> = envs(self.fields)
            .filter(|env| !matches!(env.get("scope").and_then(Value::as_str), Some("RUN_TIME")))
            .map(|env| json!([env.get("key"), env.get("value")]))
            .collect();
        json!([
            self.name,
            origin,
            field("dockerfile_path"),
            field("build_command"),
            field("source_dir"),
            field("environment_slug"),
            envs
        ])
        .to_string()
    }
}

/// Where a component's code comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A repository on a host that tells the platform about pushes.
    Repository {
        host: &'static str,
        repo: String,
        branch: String,
        deploy_on_push: bool,
    },
    /// A plain clone URL.
    Clone { url: String, branch: String },
    /// A ready image.
    Image {
        repository: String,
        tag: String,
        digest: Option<String>,
    },
}

impl Source {
    /// Returns the place without its present content: as long as it stays the same, an update keeps the commit.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Repository {
                host,
                repo,
                branch,
                deploy_on_push: _,
            } => format!("{host}:{repo}:{branch}"),
            Self::Clone { url, branch } => format!("git:{url}:{branch}"),
            Self::Image {
                repository,
                tag,
                digest,
            } => {
                format!(
                    "image:{repository}:{tag}@{}",
                    digest.as_deref().unwrap_or_default()
                )
            }
        }
    }
}

/// Returns every component with a source, section by section.
pub(crate) fn components(spec: &Value) -> impl Iterator<Item = Component<'_>> {
    SECTIONS.into_iter().flat_map(move |section| {
        list(spec, section).filter_map(move |item| {
            let fields = item.as_object()?;
            let name = fields.get("name")?.as_str()?;
            Some(Component {
                section,
                name,
                fields,
            })
        })
    })
}

/// Returns the component of that name.
pub(crate) fn component<'a>(spec: &'a Value, name: &str) -> Option<Component<'a>> {
    components(spec).find(|component| component.name == name)
}

/// Returns the database components.
pub(crate) fn databases(spec: &Value) -> impl Iterator<Item = &Map<String, Value>> {
    list(spec, "databases").filter_map(Value::as_object)
}

/// Returns the variables of a component, or of the spec itself.
pub(crate) fn envs(fields: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    fields
        .get("envs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

/// Returns the app's name.
pub(crate) fn app_name(spec: &Value) -> &str {
    spec.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// Returns the items of a section.
pub(crate) fn list<'a>(spec: &'a Value, section: &str) -> impl Iterator<Item = &'a Value> {
    spec.get(section)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Runs `edit` on every list of variables: the app's own with no name, then each component's.
///
/// # Errors
/// The first error of `edit`.
pub(crate) fn each_env_list<E>(
    spec: &mut Value,
    mut edit: impl FnMut(Option<&str>, &mut Vec<Value>) -> Result<(), E>,
) -> Result<(), E> {
    if let Some(envs) = spec.get_mut("envs").and_then(Value::as_array_mut) {
        edit(None, envs)?;
    }
    for section in SECTIONS {
        for item in spec
            .get_mut(section)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let name = item
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            if let Some(envs) = item.get_mut("envs").and_then(Value::as_array_mut) {
                edit(Some(&name), envs)?;
            }
        }
    }
    Ok(())
}

/// Turns a submitted spec into what the platform reads back: zero, false and empty values and the type `GENERAL` are
/// gone, defaults are filled in (observed; the full list is not published).
pub(crate) fn normalise(spec: &Value) -> Value {
    let mut spec = without_empty(spec);
    for (section, counted) in [("services", true), ("workers", true), ("jobs", true)] {
        for item in spec
            .get_mut(section)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let Some(fields) = item.as_object_mut() else {
                continue;
            };
            fields
                .entry("instance_size_slug")
                .or_insert_with(|| json!(DEFAULT_SIZE));
            if counted && !fields.contains_key("autoscaling") {
                fields.entry("instance_count").or_insert_with(|| json!(1));
            }
            let kind = fields.get("kind").and_then(Value::as_str);
            if section == "jobs" && matches!(kind, None | Some("UNSPECIFIED")) {
                fields.insert("kind".to_owned(), json!("POST_DEPLOY"));
            }
        }
    }
    spec
}

fn without_empty(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter_map(|(name, field)| {
                let field = without_empty(field);
                let general = name == "type" && field == "GENERAL";
                (!general && !is_empty(&field)).then(|| (name.clone(), field))
            });
            Value::Object(kept.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_empty).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_back_drops_what_says_nothing_and_fills_defaults_in() {
        let submitted = json!({
            "name": "shop", "features": [],
            "services": [{"name": "web", "github": {"repo": "acme/shop", "branch": "main", "deploy_on_push": false},
                "health_check": {"initial_delay_seconds": 0}, "envs": [{"key": "A", "value": "", "type": "GENERAL"}]}],
            "jobs": [{"name": "j", "kind": "UNSPECIFIED", "instance_count": 2}],
        });
        assert_eq!(
            normalise(&submitted),
            json!({
                "name": "shop",
                "services": [{"name": "web", "github": {"repo": "acme/shop", "branch": "main"},
                    "envs": [{"key": "A"}], "instance_size_slug": DEFAULT_SIZE, "instance_count": 1}],
                "jobs": [{"name": "j", "kind": "POST_DEPLOY", "instance_count": 2, "instance_size_slug": DEFAULT_SIZE}],
            })
        );
        assert_eq!(normalise(&normalise(&submitted)), normalise(&submitted));
    }

    #[test]
    fn a_run_time_variable_does_not_change_the_build() {
        let with = |scope: &str, value: &str| {
            let spec = json!({"services": [{"name": "web", "envs": [{"key": "A", "value": value, "scope": scope}]}]});
            components(&spec)
                .next()
                .map(|web| web.build_key("c1"))
                .unwrap()
        };
        assert_eq!(with("RUN_TIME", "1"), with("RUN_TIME", "2"));
        assert_ne!(with("BUILD_TIME", "1"), with("BUILD_TIME", "2"));
    }
}
