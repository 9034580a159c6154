//! Reading the two YAML files that people write: the manifest and the config.
//!
//! Both are read strictly and with one style of error: file, line, column, what is wrong there, and what was probably
//! meant. Unknown and repeated keys are errors, and so is a value that YAML takes for something else than text where
//! text is wanted (`run: true`). What the keys mean is not known here.

mod value;

pub use value::NotText;
pub(crate) use value::{Located, LocatedText, Text, Value};

use crate::{Reason, Refusal};
use serde::de::DeserializeOwned;
use serde_saphyr::{Error as YamlError, Location};
use std::time::Duration;

/// The largest file that is read: a hundred times a long manifest, and small enough that its script still fits into
/// one environment variable of Linux (128 KiB).
pub const MAX_FILE_BYTES: usize = 64 * 1024;

/// How alike two words must be for one to be offered in place of the other (Jaro-Winkler, 0 to 1). At 0.75 `nmae`
/// finds `name` and `timeout` finds `job-timeout` does not: a wrong offer is worse than none.
const ALIKE: f64 = 0.75;

/// Which of the two files it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// `.harbor-pilot/<id>.yml`.
    Manifest,
    /// `.github/harbor-pilot.yml`.
    Config,
}

/// A place in a file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

/// What is wrong in a manifest or a config, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", self.position())]
pub struct FileError {
    /// Which file it is.
    pub kind: FileKind,
    /// The file, as the caller named it.
    pub file: String,
    /// Where in it; nothing when the file as a whole is meant.
    pub place: Option<Place>,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong in a manifest or a config.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is larger than [`MAX_FILE_BYTES`].
    #[error("the file has {bytes} bytes, and at most {MAX_FILE_BYTES} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It is not YAML, or nested or repeated beyond any sense.
    #[error("cannot read it as YAML: {0}")]
    NotYaml(String),
    /// A key that does not exist.
    #[error("unknown key `{key}`")]
    UnknownKey {
        /// The key.
        key: String,
        /// The keys that exist there.
        known: Vec<&'static str>,
    },
    /// A key that must be there is missing.
    #[error("`{0}` is missing")]
    MissingKey(String),
    /// A key stands twice in one place.
    #[error("the key `{0}` stands here a second time")]
    RepeatedKey(String),
    /// Another type than text.
    #[error("`{key}`: expected text, found {found}")]
    NotText {
        /// The key.
        key: &'static str,
        /// What is there.
        found: NotText,
    },
    /// A value of another type.
    #[error("expected {wanted} here")]
    WrongType {
        /// What is wanted.
        wanted: String,
    },
    /// A word that is none of those allowed.
    #[error("`{found}` is not a value of `{key}`")]
    UnknownWord {
        /// The key.
        key: &'static str,
        /// What is there.
        found: String,
        /// What is allowed.
        known: Vec<&'static str>,
    },
    /// A value of the right type that can't be taken.
    #[error("`{key}`: {what}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// What is wrong with the value.
        what: String,
    },
    /// The manifest has no steps.
    #[error("it has no steps")]
    NoSteps,
    /// The manifest has too many steps.
    #[error("it has {count} steps, and at most {max} are taken")]
    TooManySteps {
        /// How many it has.
        count: usize,
        /// How many are taken.
        max: usize,
    },
    /// Two steps have one name.
    #[error("the step `{name}` stands here a second time")]
    RepeatedStep {
        /// The name.
        name: String,
        /// The line of the first.
        first_line: Option<u64>,
    },
}

impl FileError {
    /// Returns the file and the place, as editors link it: `.harbor-pilot/ter-235.yml:4:5`.
    #[must_use]
    pub fn position(&self) -> String {
        match self.place {
            Some(Place { line, column }) => format!("{}:{line}:{column}", self.file),
            None => self.file.clone(),
        }
    }

    /// Returns what to do about it, where that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match &self.problem {
            Problem::UnknownKey { key, known } => Some(offer(key, known, "the keys here are")),
            Problem::UnknownWord { found, known, .. } => {
                Some(offer(found, known, "the values are"))
            }
            Problem::NotText {
                found: NotText::Scalar(_),
                ..
            } => Some("put the value into quotes".to_owned()),
            Problem::RepeatedStep {
                first_line: Some(line),
                ..
            } => Some(format!(
                "the first one stands in line {line}; give each step a name of its own"
            )),
            Problem::RepeatedStep {
                first_line: None, ..
            } => Some("give each step a name of its own".to_owned()),
            Problem::NoSteps => Some(
                "write at least one:\nsteps:\n  - name: columns\n    run: node scripts/columns.js"
                    .to_owned(),
            ),
            Problem::TooLarge { .. } | Problem::TooManySteps { .. } => Some(
                "put the work into a script of the repository and let a step call it".to_owned(),
            ),
            Problem::NotYaml(_)
            | Problem::MissingKey(_)
            | Problem::RepeatedKey(_)
            | Problem::NotText { .. }
            | Problem::WrongType { .. }
            | Problem::BadValue { .. } => None,
        }
    }
}

impl From<FileError> for Refusal {
    fn from(error: FileError) -> Self {
        let reason = match error.kind {
            FileKind::Manifest => Reason::BadManifest,
            FileKind::Config => Reason::BadConfig,
        };
        Self::new(reason, error.to_string(), error.hint().unwrap_or_default())
    }
}

fn offer(found: &str, known: &[&'static str], list: &str) -> String {
    let all = format!("{list} {}", in_backticks(known.iter().copied()));
    match nearest(found, known) {
        Some(word) => format!("did you mean `{word}`? {all}"),
        None => all,
    }
}

/// Returns the known word that is most like `found`, where one is alike at all.
pub(crate) fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = found.to_lowercase().replace('_', "-");
    let likeness =
        |word: &str| strsim::jaro_winkler(&plain, &word.to_lowercase().replace('_', "-"));
    let best = known
        .iter()
        .copied()
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))?;
    (likeness(best) >= ALIKE).then_some(best)
}

/// Returns names as a list for people: `` `a`, `b` ``.
pub(crate) fn in_backticks<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Returns a span as people say it, in whole minutes from a minute on: `45 s`, `30 min`, `2 h 5 min`.
#[must_use]
pub fn in_words(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min"),
        (_, 0) => format!("{hours} h"),
        (_, _) => format!("{hours} h {minutes} min"),
    }
}

/// One file that is being read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) kind: FileKind,
    pub(crate) file: &'a str,
}

impl Source<'_> {
    /// Returns `text` as a `T`.
    pub(crate) fn read<T: DeserializeOwned>(&self, text: &str) -> Result<T, FileError> {
        if text.len() > MAX_FILE_BYTES {
            return Err(self.error(None, Problem::TooLarge { bytes: text.len() }));
        }
        // These files are flat lists. The budget leaves them ample room and a hostile one none: the commands of a
        // pull request's manifest are read before anybody has reviewed it.
        let options = serde_saphyr::options! {
            strict_booleans: true,
            with_snippet: false,
            budget: serde_saphyr::budget! {
                max_depth: 8,
                max_nodes: 2_000,
                max_events: 8_000,
                max_anchors: 20,
                max_aliases: 20,
                max_documents: 1,
                max_merge_keys: 0,
                max_total_scalar_bytes: 2 * MAX_FILE_BYTES,
            },
        };
        serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| self.yaml_error(error.without_snippet()))
    }

    pub(crate) fn error(&self, place: Option<Place>, problem: Problem) -> FileError {
        FileError {
            kind: self.kind,
            file: self.file.to_owned(),
            place,
            problem,
        }
    }

    fn yaml_error(&self, error: &YamlError) -> FileError {
        let place = error.location().and_then(place_of);
        let problem = if let YamlError::SerdeUnknownField {
            field, expected, ..
        } = error
        {
            Problem::UnknownKey {
                key: shortened(field),
                known: expected.clone(),
            }
        } else if let YamlError::SerdeMissingField { field, .. } = error {
            Problem::MissingKey((*field).to_owned())
        } else if let YamlError::DuplicateMappingKey { key, .. } = error {
            Problem::RepeatedKey(shortened(key.as_deref().unwrap_or("?")))
        } else if let YamlError::Unexpected { expected, .. } = error {
            Problem::WrongType {
                wanted: plain_yaml(expected).to_owned(),
            }
        } else if let YamlError::AliasError { error, .. } = error {
            return self.yaml_error(error);
        } else {
            Problem::NotYaml(without_position(&error.to_string()))
        };
        self.error(place, problem)
    }
}

/// Returns the parser's word for a kind of node in words that people use.
fn plain_yaml(expected: &str) -> &str {
    match expected {
        "sequence start" | "sequence" => "a list",
        "mapping start" | "mapping" => "keys with values",
        other => other,
    }
}

/// Cuts the position off a message of the YAML reader; ours comes first.
fn without_position(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let cut = first.rfind(" at line ").unwrap_or(first.len());
    shortened(first.get(..cut).unwrap_or(first))
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

fn place_of(location: Location) -> Option<Place> {
    let (line, column) = (location.line(), location.column());
    (line > 0).then_some(Place { line, column })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_the_reader_does_not_know_is_none() {
        assert_eq!(place_of(Location::UNKNOWN), None);
    }
}
