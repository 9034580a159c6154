//! Pages of a listing: how to ask for one, and how to know that it was the last.
//!
//! The links of a reply are only looked at, never followed: a URL in a reply is text from outside, and our own
//! page numbers say the same.

use serde::Deserialize;

/// The most rows that the platform puts on a page.
pub const MAX_PER_PAGE: u16 = 200;

/// A page to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Which one, from 1.
    pub number: u32,
    /// Rows on it, 1 to [`MAX_PER_PAGE`].
    pub per_page: u16,
}

impl Page {
    /// Returns the first page, as large as pages get.
    #[must_use]
    pub fn first() -> Self {
        Self {
            number: 1,
            per_page: MAX_PER_PAGE,
        }
    }

    /// Returns the page after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self {
            number: self.number.saturating_add(1),
            ..self
        }
    }

    pub(crate) fn query(self) -> [(&'static str, String); 2] {
        [
            ("page", self.number.to_string()),
            ("per_page", self.per_page.to_string()),
        ]
    }
}

/// The rows of one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows<T> {
    /// In the platform's order.
    pub items: Vec<T>,
    /// Whether there is a page after this one.
    pub more: bool,
    /// How many rows there are on all pages, where the platform says it.
    pub total: Option<u64>,
}

/// The part of a listing's reply that is about pages; each part may be left out.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct PageInfo {
    #[serde(default)]
    links: Option<Links>,
    #[serde(default)]
    meta: Option<Meta>,
}

#[derive(Debug, Default, Deserialize)]
struct Links {
    #[serde(default)]
    pages: Option<Pages>,
}

#[derive(Debug, Default, Deserialize)]
struct Pages {
    #[serde(default)]
    next: Option<String>,
    #[serde(default)]
    prev: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Meta {
    #[serde(default)]
    total: Option<u64>,
}

impl PageInfo {
    /// Joins the rows with what the reply says about further pages.
    ///
    /// A single page comes without links, so their absence proves nothing where there is no total either: a
    /// full page then counts as one that has a next.
    pub(crate) fn rows<T>(self, page: Page, items: Vec<T>) -> Rows<T> {
        let pages = self.links.unwrap_or_default().pages.unwrap_or_default();
        let total = self.meta.unwrap_or_default().total;
        let more = if items.is_empty() {
            false
        } else if pages.next.is_some() {
            true
        } else if pages.prev.is_some() {
            false
        } else {
            match total {
                Some(total) => u64::from(page.number) * u64::from(page.per_page) < total,
                None => items.len() >= usize::from(page.per_page),
            }
        };
        Rows { items, more, total }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn more(page_number: u32, rows: usize, info: serde_json::Value) -> bool {
        let page = Page {
            number: page_number,
            per_page: 2,
        };
        let info: PageInfo = serde_json::from_value(info).unwrap();
        info.rows(page, vec![(); rows]).more
    }

    #[test]
    fn a_next_link_means_more() {
        let info = json!({"links": {"pages": {"next": "https://x/?page=2"}}, "meta": {"total": 3}});
        assert!(more(1, 2, info));
    }

    #[test]
    fn the_last_page_has_only_a_link_back() {
        let info = json!({"links": {"pages": {"prev": "https://x/?page=1"}}});
        assert!(!more(2, 2, info));
    }

    #[test]
    fn a_single_page_has_no_links() {
        assert!(!more(
            1,
            2,
            json!({"links": {"pages": {}}, "meta": {"total": 2}})
        ));
        assert!(!more(1, 2, json!({"links": {}, "meta": {"total": 2}})));
        assert!(!more(1, 1, json!({})));
    }

    #[test]
    fn without_links_the_total_or_else_a_full_page_tells() {
        assert!(more(1, 2, json!({"meta": {"total": 3}})));
        assert!(!more(2, 2, json!({"meta": {"total": 4}})));
        assert!(more(1, 2, json!({"links": null, "meta": null})));
    }

    #[test]
    fn an_empty_page_ends_a_list_whatever_its_links_say() {
        assert!(!more(
            3,
            0,
            json!({"links": {"pages": {"next": "https://x/"}}})
        ));
    }
}
