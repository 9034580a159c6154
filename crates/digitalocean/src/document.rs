//! Documents that need no JSON, because whoever answers is in the same process.
//!
//! A transport that leads to no socket may put the document itself into the extensions of its response. Everything
//! else about the call stays as it is: the request, its deadline, the status, the headers. A peer behind a socket can't
//! do this, for extensions don't travel.

use std::sync::Arc;

use app_spec::{App, Deployment};

/// A document as it is, in the place of a body that says the same.
#[derive(Debug, Clone)]
pub enum Document {
    /// The answer to `GET /v2/apps/{id}`.
    App(Arc<App>),
    /// The answer to `GET /v2/apps/{id}/deployments/{id}`.
    Deployment(Arc<Deployment>),
    /// The answer to `GET /v2/apps/{id}/deployments`: all that there are, on one page.
    Deployments(Arc<[Arc<Deployment>]>),
}
