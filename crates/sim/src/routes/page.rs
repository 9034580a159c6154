//! Pages of a list: `page` and `per_page` in, `links` and `meta` out.

use crate::error::ApiError;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::num::ParseIntError;

/// The query of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    page: Option<String>,
    per_page: Option<String>,
}

/// Returns one page of a list under its name, with links that lead to the others.
///
/// # Errors
/// 400 for numbers that are none, or a page size outside of 1 to 200.
pub(crate) fn page(
    items: Vec<Value>,
    name: &str,
    query: &Page,
    url: &str,
) -> Result<Value, ApiError> {
    let number = |text: &Option<String>, default: usize| match text {
        None => Ok(default),
        Some(text) => text.parse().map_err(|error: ParseIntError| {
            ApiError::bad_request(format!("invalid page number {text:?}: {error}"))
        }),
    };
    let (page, size) = (number(&query.page, 1)?.max(1), number(&query.per_page, 20)?);
    if !(1..=200).contains(&size) {
        return Err(ApiError::bad_request("per_page must be between 1 and 200"));
    }
    let total = items.len();
    let last = total.div_ceil(size).max(1);
    let link = |to: usize| json!(format!("{url}?page={to}&per_page={size}"));
    let mut pages = Map::new();
    if page > 1 {
        pages.insert("first".to_owned(), link(1));
        pages.insert("prev".to_owned(), link(page - 1));
    }
    if page < last {
        pages.insert("next".to_owned(), link(page + 1));
        pages.insert("last".to_owned(), link(last));
    }
    let shown: Vec<Value> = items
        .into_iter()
        .skip((page - 1).saturating_mul(size))
        .take(size)
        .collect();
    Ok(json!({name: shown, "links": {"pages": pages}, "meta": {"total": total}}))
}
