//! Managed database clusters, their trusted sources, and who gets through.

use crate::ids::uuid;
use crate::knobs::{EmptyFirewall, Knobs};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A cluster.
pub(crate) struct Cluster {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The engine's slug, such as `mysql`.
    pub(crate) engine: String,
    pub(crate) version: String,
    pub(crate) created_at: Timestamp,
    /// The URL that jobs are given; it leads to a real database.
    pub(crate) database_url: String,
    pub(crate) rules: Vec<Value>,
    /// What the rules were, oldest first, each with the time from which it took effect.
    pub(crate) effective: Vec<(Timestamp, Vec<Value>)>,
}

impl Cluster {
    /// Tells whether an app's processes get a connection at a time.
    pub(crate) fn admits(&self, app_id: &str, at: Timestamp, knobs: &Knobs) -> bool {
        let rules = self.effective.iter().rev().find(|(since, _)| *since <= at);
        let Some((_, rules)) = rules else {
            return false;
        };
        if rules.is_empty() {
            return knobs.empty_firewall == EmptyFirewall::Open;
        }
        rules.iter().any(|rule| {
            rule.get("type").is_some_and(|kind| kind == "app")
                && rule.get("value").is_some_and(|value| value == app_id)
        })
    }

    /// Turns a submitted list into the stored one: an id that is known keeps its rule's age, the rest is new.
    ///
    /// # Errors
    /// The message for the first rule that cannot be.
    pub(crate) fn accept(
        &self,
        submitted: &[Value],
        now: &str,
        numbers: &mut usize,
    ) -> Result<Vec<Value>, String> {
        if submitted.len() > 100 {
            return Err("too many firewall rules: at most 100 are allowed".to_owned());
        }
        let mut rules = Vec::with_capacity(submitted.len());
        for rule in submitted {
            let text = |name: &str| {
                rule.get(name)
                    .and_then(Value::as_str)
                    .filter(|text| !text.is_empty())
            };
            let kind = text("type").unwrap_or_default();
            if !["droplet", "k8s", "ip_addr", "tag", "app"].contains(&kind) {
                return Err(format!("invalid rule type: {kind:?}"));
            }
            let Some(value) = text("value") else {
                return Err("a rule's value is required".to_owned());
            };
            if kind == "ip_addr" && value.contains(':') {
                return Err(format!("invalid IPv4 address: {value:?}"));
            }
            let known = self.rules.iter().find(|old| {
                let same_id =
                    text("uuid").is_some_and(|id| old.get("uuid").is_some_and(|known| known == id));
                let same_rule = text("uuid").is_none()
                    && old.get("type").is_some_and(|known| known == kind)
                    && old.get("value").is_some_and(|known| known == value);
                same_id || same_rule
            });
            let of_known = |name: &str| {
                known
                    .and_then(|old| old.get(name))
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            };
            let id = of_known("uuid").unwrap_or_else(|| {
                *numbers += 1;
                uuid("rule", *numbers)
            });
            let mut stored = json!({
                "uuid": id, "cluster_uuid": self.id, "type": kind, "value": value,
                "created_at": of_known("created_at").unwrap_or_else(|| now.to_owned()),
            });
            if let Some(description) = text("description") {
                stored["description"] = json!(description);
            }
            rules.push(stored);
        }
        Ok(rules)
    }
}

/// The parts of a connection URL, as the `${db.…}` bindings give them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Address<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) host: &'a str,
    pub(crate) port: &'a str,
    pub(crate) database: &'a str,
}

impl<'a> Address<'a> {
    /// Reads `scheme://user:password@host:port/database?options`; a part that is missing is empty.
    pub(crate) fn read(url: &'a str) -> Self {
        let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
        let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
        let Some(rest) = rest
            .strip_prefix("//")
            .filter(|rest| !rest.starts_with('/'))
        else {
            return Self {
                scheme,
                database: rest.trim_start_matches("//"),
                ..Self::default()
            };
        };
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let (host, port) = place.split_once(':').unwrap_or((place, ""));
        Self {
            scheme,
            user,
            password,
            host,
            port,
            database,
        }
    }
}

/// Returns the URL as somebody finds it who is not let in: the same, but nothing listens there.
///
/// A network address leads to port 1 of the loopback interface, which refuses; a file leads into a directory that
/// does not exist. The real platform drops the packets instead, so that a driver waits for its own timeout; refusing
/// spares the tests that wait.
pub(crate) fn unreachable(url: &str) -> String {
    let address = Address::read(url);
    if address.host.is_empty() {
        return format!(
            "{}:/nonexistent/refused-by-trusted-sources/db",
            address.scheme
        );
    }
    let place = if address.port.is_empty() {
        address.host.to_owned()
    } else {
        format!("{}:{}", address.host, address.port)
    };
    url.replacen(&place, "127.0.0.1:1", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let address = Address::read("mysql://u:p@db.example.com:25060/shop?ssl-mode=REQUIRED");
        assert_eq!(
            (address.user, address.password, address.host),
            ("u", "p", "db.example.com")
        );
        assert_eq!((address.port, address.database), ("25060", "shop"));
        assert_eq!(Address::read("sqlite:///tmp/x.db").database, "/tmp/x.db");
    }

    #[test]
    fn who_is_not_let_in_finds_nothing() {
        assert_eq!(
            unreachable("mysql://u:p@db.example.com:25060/shop"),
            "mysql://u:p@127.0.0.1:1/shop"
        );
        assert_eq!(
            unreachable("sqlite:/tmp/x.db"),
            "sqlite:/nonexistent/refused-by-trusted-sources/db"
        );
    }
}
