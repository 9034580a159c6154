//! The DigitalOcean endpoints that Harbor Pilot uses, over an exchangeable transport.
//!
//! URLs, headers, status codes, pages, deadlines and the question whether a failed call may have changed
//! something: those are answered here and nowhere else. [`Client`] has one method per call; reads are repeated
//! where that can help, writes are sent exactly once and end in a [`PutOutcome`] or a [`WriteOutcome`].
//!
//! Deliberately absent: any notion of a migration or of waiting for one, live logs over websockets, and the
//! endpoints that we must not use (creating, deleting, restarting and rolling back apps). What the documents
//! mean is `app-spec`'s to say.
//!
//! Follows the platform's published API description; where the platform was observed to differ from it, the
//! place says so. Endpoint and error facts were compiled in February 2026.

pub mod address;
mod apps;
mod attempt;
mod client;
mod databases;
mod deployments;
mod document;
mod error;
mod firewall;
mod invocations;
mod logs;
mod outcome;
mod page;
mod reply;
mod retry;
pub mod token;
pub mod transport;

pub use apps::{MonthlyCost, Proposal, PutOutcome};
pub use attempt::{Attempt, Effect, PlatformText, Scope};
pub use client::{Client, ConfigError, Deadlines};
pub use databases::{ClusterStatus, DatabaseCluster};
pub use deployments::{DeploymentsBack, LOOK_BACK_PAGES, LookBack, RollbackCheck};
pub use document::Document;
pub use error::Error;
pub use logs::{FetchedLog, LogGuard, LogKind, LogLimits, LogUrls, PresignedUrl};
pub use outcome::WriteOutcome;
pub use page::{MAX_PER_PAGE, Page, Rows};
pub use reply::{RateLimit, Stamped};
pub use retry::Retry;
pub use token::TokenError;
pub use transport::{Body, BoxError, NotSent, PublicHostsOnly, Refusal, Transport, TransportError};
