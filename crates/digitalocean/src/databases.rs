//! Database clusters: which there are, and whether they are up.
//!
//! The platform's reply holds connection strings and passwords when the token may see them. Nothing of that is
//! read here, and the raw reply is not kept.

use app_spec::ClusterId;
use serde::Deserialize;

use crate::attempt::{Attempt, Effect, Scope};
use crate::client::{Call, Client};
use crate::error::Error;

/// A managed database cluster, without its credentials.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DatabaseCluster {
    /// The cluster's id.
    pub id: ClusterId,
    /// Its name, by which an app spec refers to it (`cluster_name`).
    pub name: String,
    /// `mysql`, `pg`, `valkey` and so on.
    #[serde(default)]
    pub engine: String,
    /// The engine's major version.
    #[serde(default)]
    pub version: Option<String>,
    /// Whether it is up.
    #[serde(default)]
    pub status: ClusterStatus,
}

/// The state of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "String")]
pub enum ClusterStatus {
    /// Being made.
    Creating,
    /// Up.
    Online,
    /// Being resized.
    Resizing,
    /// Being moved to another region.
    Migrating,
    /// Being copied from another one.
    Forking,
    /// Not told.
    #[default]
    Unknown,
    /// A state that we do not know.
    Other(String),
}

impl From<String> for ClusterStatus {
    fn from(word: String) -> Self {
        match word.as_str() {
            "creating" => Self::Creating,
            "online" => Self::Online,
            "resizing" => Self::Resizing,
            "migrating" => Self::Migrating,
            "forking" => Self::Forking,
            "" => Self::Unknown,
            _ => Self::Other(word),
        }
    }
}

#[derive(Deserialize)]
struct ClusterReply {
    database: DatabaseCluster,
}

#[derive(Deserialize)]
struct ClustersReply {
    #[serde(default)]
    databases: Option<Vec<DatabaseCluster>>,
}

impl Client {
    /// Lists the database clusters (`GET /v2/databases`; the API description gives this list no pages).
    ///
    /// # Errors
    ///
    /// Any [`Error`] of a read.
    pub async fn databases(&self) -> Result<Vec<DatabaseCluster>, Error> {
        let attempt = Attempt::new(
            Effect::Read,
            Scope::DatabaseRead,
            "list the database clusters",
            "the list of database clusters",
        );
        let call = Call::get(&["databases"], attempt);
        let reply: ClustersReply = self.read(&call).await?.decode(&call.attempt())?;
        Ok(reply.databases.unwrap_or_default())
    }

    /// Reads one cluster (`GET /v2/databases/{id}`).
    ///
    /// # Errors
    ///
    /// Any [`Error`] of a read.
    pub async fn database(&self, cluster: &ClusterId) -> Result<DatabaseCluster, Error> {
        let subject = format!("database cluster `{cluster}`");
        let action = format!("read {subject}");
        let attempt = Attempt::new(Effect::Read, Scope::DatabaseRead, action, subject);
        let call = Call::get(&["databases", cluster.as_str()], attempt);
        let ClusterReply { database } = self.read(&call).await?.decode(&call.attempt())?;
        Ok(database)
    }
}
