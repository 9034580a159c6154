//! The summary of a workflow's step: the comment's page with more room, and without its marker.

use super::document;
use crate::{Links, Report};

/// The budget in bytes. Above 1 MiB the runner uploads nothing at all (`FileCommandManager.cs`).
pub const BUDGET: usize = 900 * 1024;

/// Returns the summary's Markdown in at most `budget` bytes (usually [`BUDGET`]).
#[must_use]
pub fn render(report: &Report, links: &Links, budget: usize) -> String {
    document::page(report, links, budget)
}
