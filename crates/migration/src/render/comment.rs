//! The sticky comment: one for each pull request and migration, edited in place.
//!
//! It is a view. It is found again by its marker and its author, and never read to decide anything.

use super::document;
use crate::{Key, Links, Report};

/// The budget that leaves a margin below GitHub's limit of 65,536 characters. Counted in bytes, of which there are
/// never fewer than characters.
pub const BUDGET: usize = 60_000;

/// Returns the hidden first line of the comment on the migration with this key; `none` stands for a key that could
/// not be made, because the app was not found.
#[must_use]
pub fn marker(key: Option<&Key>) -> String {
    format!(
        "<!-- harbor-pilot v1 key={} -->",
        key.map_or("none", Key::as_str)
    )
}

/// Returns the comment's text: the marker, then the report in at most `budget` bytes with it (usually [`BUDGET`]).
#[must_use]
pub fn render(report: &Report, links: &Links, budget: usize) -> String {
    let marker = marker(report.key());
    let page = document::page(report, links, budget.saturating_sub(marker.len() + 1));
    format!("{marker}\n{page}")
}
