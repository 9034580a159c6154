//! The rules that admit things to a database cluster.
//!
//! A `PUT` replaces the whole list and there is no version to compare, so rules are kept raw and only what
//! must change changes: `uuid` and `description` of a kept rule survive. Who may be removed is not decided
//! here.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::id::AppId;
use crate::read::{self, DocumentError};
use crate::wire::wire_enum;

wire_enum! {
    /// What a rule admits.
    RuleKind {
        /// An app, by the address that it reaches the internet from.
        App = "app",
        /// An address or a range of addresses.
        IpAddr = "ip_addr",
        /// A droplet.
        Droplet = "droplet",
        /// A Kubernetes cluster.
        K8s = "k8s",
        /// Every droplet with a tag.
        Tag = "tag",
    }
}

/// Names rules by what they admit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleMatch {
    /// What is admitted.
    pub kind: RuleKind,
    /// Its id, tag or address.
    pub value: String,
}

impl RuleMatch {
    /// Names the rules that admit one thing.
    pub fn new(kind: RuleKind, value: impl Into<String>) -> Self {
        Self {
            kind,
            value: value.into(),
        }
    }

    fn admits(&self, rule: &FirewallRule<'_>) -> bool {
        rule.kind() == self.kind
            && plain(&self.kind, rule.value()) == plain(&self.kind, &self.value)
    }
}

/// One rule of a cluster's firewall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirewallRule<'a> {
    raw: &'a Map<String, Value>,
}

impl<'a> FirewallRule<'a> {
    /// Returns what kind of thing the rule admits.
    #[must_use]
    pub fn kind(&self) -> RuleKind {
        RuleKind::from_word(read::text(self.raw, "type").unwrap_or_default())
    }

    /// Returns the id, tag or address that the rule admits.
    #[must_use]
    pub fn value(&self) -> &'a str {
        read::text(self.raw, "value").unwrap_or_default()
    }

    /// Returns what somebody wrote about the rule.
    #[must_use]
    pub fn description(&self) -> Option<&'a str> {
        read::text(self.raw, "description")
    }

    /// Returns the rule as the platform sent it.
    #[must_use]
    pub fn raw(&self) -> &'a Map<String, Value> {
        self.raw
    }

    /// Returns what two lists are compared by.
    fn meaning(&self) -> (RuleKind, String, Option<&'a str>) {
        (
            self.kind(),
            plain(&self.kind(), self.value()),
            self.description(),
        )
    }
}

/// Returns a rule's value in one spelling: ids are compared without case, and a single address may be
/// written as a range of one.
fn plain(kind: &RuleKind, value: &str) -> String {
    match kind {
        RuleKind::IpAddr => value.strip_suffix("/32").unwrap_or(value).to_owned(),
        RuleKind::App | RuleKind::Droplet | RuleKind::K8s => value.to_ascii_lowercase(),
        RuleKind::Tag | RuleKind::Other(_) => value.to_owned(),
    }
}

/// The whole firewall of a cluster, as the platform sent it.
///
/// Two firewalls are equal when they admit the same things under the same descriptions, whatever the
/// order, ids and times of their rules: a rule that is written again gets a new id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FirewallRules(Vec<Map<String, Value>>);

impl FirewallRules {
    /// Reads the platform's reply, `{"rules": […]}`, or a bare list of rules. An absent or null list is a
    /// cluster without rules.
    ///
    /// # Errors
    /// [`DocumentError`] when the list or one of its rules is something else. A rule that cannot be read
    /// is never passed over: the next write would delete it.
    pub fn from_value(value: &Value) -> Result<Self, DocumentError> {
        let list = match value {
            Value::Object(reply) => reply.get("rules").unwrap_or(&Value::Null),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => value,
        };
        if list.is_null() {
            return Ok(Self::default());
        }
        let rules = list.as_array().ok_or(DocumentError::NotAList {
            what: "the firewall rules",
            found: read::type_of(list),
        })?;
        let rules: Result<_, _> = rules
            .iter()
            .map(|rule| read::object("a firewall rule", rule).cloned())
            .collect();
        Ok(Self(rules?))
    }

    /// Returns the rules in order.
    pub fn rules(&self) -> impl Iterator<Item = FirewallRule<'_>> {
        self.0.iter().map(|raw| FirewallRule { raw })
    }

    /// Tells whether the cluster admits an app by a rule of its own.
    #[must_use]
    pub fn admits_app(&self, app: &AppId) -> bool {
        let own = own_rule(app);
        self.rules().any(|rule| own.admits(&rule))
    }

    /// Returns the rules that admit anything but the app: the drift from app-only access.
    #[must_use]
    pub fn others(&self, app: &AppId) -> Vec<FirewallRule<'_>> {
        let own = own_rule(app);
        self.rules().filter(|rule| !own.admits(rule)).collect()
    }

    /// Returns the firewall that admits only the app and what `keep` names. Kept rules stay as they are; a
    /// missing rule of the app is added.
    #[must_use]
    pub fn app_only(&self, app: &AppId, keep: &[RuleMatch]) -> Self {
        let own = own_rule(app);
        let mut rules: Vec<Map<String, Value>> = self
            .rules()
            .filter(|rule| own.admits(rule) || keep.iter().any(|kept| kept.admits(rule)))
            .map(|rule| rule.raw().clone())
            .collect();
        if !self.admits_app(app) {
            let mut rule = Map::new();
            rule.insert("type".to_owned(), json!(own.kind.as_str()));
            rule.insert("value".to_owned(), json!(own.value));
            rules.push(rule);
        }
        Self(rules)
    }

    /// Returns the body that writes this firewall: every rule with its id and description, without what
    /// the API description marks as read-only.
    #[must_use]
    pub fn put_body(&self) -> Value {
        let rules: Vec<Value> = self
            .0
            .iter()
            .map(|rule| {
                let written = WRITTEN_FIELDS
                    .into_iter()
                    .filter_map(|field| Some((field.to_owned(), rule.get(field)?.clone())));
                Value::Object(written.collect())
            })
            .collect();
        json!({ "rules": rules })
    }
}

/// The fields of a rule that a write carries, in order.
const WRITTEN_FIELDS: [&str; 4] = ["uuid", "type", "value", "description"];

fn own_rule(app: &AppId) -> RuleMatch {
    RuleMatch::new(RuleKind::App, app.as_str())
}

impl PartialEq for FirewallRules {
    fn eq(&self, other: &Self) -> bool {
        let sorted = |rules: &Self| {
            let mut meanings: Vec<_> = rules
                .rules()
                .map(|rule| {
                    let (kind, value, description) = rule.meaning();
                    (kind, value, description.map(str::to_owned))
                })
                .collect();
            meanings.sort();
            meanings
        };
        sorted(self) == sorted(other)
    }
}

impl Eq for FirewallRules {}
