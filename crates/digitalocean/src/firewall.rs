//! The firewall of a database cluster: the whole list out, the whole list in.
//!
//! A PUT removes whatever it leaves out and there is no version to compare, so two writers race. Which rules
//! to write is decided elsewhere.

use app_spec::{ClusterId, FirewallRules};
use http::Method;
use serde_json::Value;

use crate::attempt::{Attempt, Effect, PlatformText, Scope};
use crate::client::{Call, Client};
use crate::error::Error;
use crate::outcome::WriteOutcome;

impl Client {
    /// Reads the rules of a cluster (`GET /v2/databases/{id}/firewall`).
    ///
    /// # Errors
    ///
    /// Any [`Error`] of a read. A rule that makes no sense is an [`Error::Decode`]: left out silently, the next
    /// write would remove it.
    pub async fn firewall(&self, cluster: &ClusterId) -> Result<FirewallRules, Error> {
        let subject = format!("database cluster `{cluster}`");
        let action = format!("read the firewall of {subject}");
        let attempt = Attempt::new(Effect::Read, Scope::DatabaseRead, action, subject);
        let call = Call::get(&["databases", cluster.as_str(), "firewall"], attempt);
        let value: Value = self.read(&call).await?.decode(&call.attempt())?;
        FirewallRules::from_value(&value).map_err(|_document| Error::Decode {
            attempt: call.attempt(),
            path: PlatformText::new("rules"),
        })
    }

    /// Replaces the rules of a cluster (`PUT /v2/databases/{id}/firewall`, 204). Sent once.
    ///
    /// It takes minutes until the cluster acts on them, and no call shows how far it is (observed).
    pub async fn put_firewall(&self, cluster: &ClusterId, rules: &FirewallRules) -> WriteOutcome {
        let subject = format!("database cluster `{cluster}`");
        let action = format!("replace the firewall of {subject}");
        let attempt = Attempt::new(Effect::Write, Scope::DatabaseUpdate, action, subject);
        let path = ["databases", cluster.as_str(), "firewall"];
        let result = async {
            let call = Call::new(Method::PUT, &path, attempt).json(&rules.put_body())?;
            self.write(&call).await.map(drop)
        };
        WriteOutcome::from_result(result.await)
    }
}
