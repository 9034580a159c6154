//! The words: pure functions from a [`Report`](crate::Report) to what a person or a workflow reads.
//!
//! | module | for |
//! |---|---|
//! | [`comment`] | the sticky comment on the pull request |
//! | [`summary`] | the summary of the workflow's step |
//! | [`notices`] | at most one error and one notice beside the run |
//! | [`terminal`] | a line for each event, and the closing text |
//! | [`result`] | what a workflow's later steps compare |
//! | [`escape`] | foreign text made harmless in Markdown |
//!
//! Nothing here sends, and nothing here redacts: what comes in is clean, or is cleaned with the report's own redactor
//! before it becomes a sentence (`words`). Sentences are written once (`story`, `stands`, `timeline`) and laid out by
//! each reporter.

pub mod comment;
mod document;
pub mod escape;
mod fold;
pub(crate) mod headline;
pub mod notices;
mod outlook;
pub mod result;
mod stands;
pub(crate) mod story;
pub mod summary;
pub mod terminal;
pub(crate) mod timeline;
mod todo;
pub(crate) mod words;

#[cfg(test)]
mod tests;
