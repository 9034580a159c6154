//! Text that is fit to be shown: secrets replaced, control characters gone.
//!
//! [`Clean`] is the only text that events and reporters accept for anything that came from outside. It is made by a
//! [`Redactor`], from our own literals, or from names whose form is checked; there is no other way, so foreign text
//! can't slip in. Escaping for a sink (Markdown, the runner's commands, a terminal) is the sink's own work and comes
//! after. What a [`Redactor`] deliberately does not do: guess at secrets that are neither known nor of a known shape.
//!
//! Redaction comes before any cut, and works on whole lines: a secret that a cut or a chunk border splits in two
//! would match nothing and be shown in two halves.

mod log;
mod needles;
mod shapes;
mod strip;

pub use log::LogCleaner;

use crate::{Epoch, JobName, Key, MigrationId, StepName};
use needles::Needles;
use secrecy::SecretString;
use shapes::Pem;
use std::fmt;
use std::ops::Range;

/// What stands where a secret was.
pub(crate) const REDACTED: &str = "***";

/// Text from outside with every known secret and every secret-shaped token replaced.
///
/// Holds no control characters but newline and tab, no terminal escape sequences, and no characters that are
/// invisible or change the direction of what follows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Clean(String);

impl Clean {
    /// Returns our own words: a literal of this program, which holds nothing foreign.
    #[must_use]
    pub fn own(words: &'static str) -> Self {
        Self(words.to_owned())
    }

    /// Returns parts that are clean each, put together with nothing between them.
    #[must_use]
    pub fn join(parts: impl IntoIterator<Item = Self>) -> Self {
        Self(parts.into_iter().map(|part| part.0).collect())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first `max_chars` characters, with `…` where something was cut off.
    #[must_use]
    pub fn shortened(&self, max_chars: usize) -> Self {
        match self.0.char_indices().nth(max_chars) {
            Some((end, _)) => Self(format!("{}…", self.0.get(..end).unwrap_or_default())),
            None => self.clone(),
        }
    }

    /// Wraps text that this crate composed of clean parts only.
    pub(crate) fn composed(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! clean_by_form {
    ($($name:ident),*) => {$(
        impl From<&$name> for Clean {
            /// The name's form is checked, so it holds nothing that would have to be cleaned.
            fn from(name: &$name) -> Self {
                Self(name.to_string())
            }
        }
    )*};
}

clean_by_form!(JobName, StepName, MigrationId, Key, Epoch);

/// Replaces secrets: every known value in the forms it travels in, and every token of a known shape.
///
/// Cheap to clone. Without known values ([`Redactor::default`]) it still replaces what has the shape of a secret:
/// passwords in URLs, tokens of DigitalOcean and GitHub, the platform's encrypted values, JWTs, PEM blocks, presigned
/// queries and the like.
#[derive(Clone, Default)]
pub struct Redactor {
    needles: Needles,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

impl Redactor {
    /// Returns a redactor that knows `secrets`.
    ///
    /// A value of fewer than six characters is not looked for: it would blank ordinary words, and GitHub drops every
    /// output that contains a masked value (the Actions runner, `JobExtension.cs`). Of a value with several
    /// lines each line of six characters or more is looked for too.
    #[must_use]
    pub fn new(secrets: impl IntoIterator<Item = SecretString>) -> Self {
        Self {
            needles: Needles::new(secrets),
        }
    }

    /// Returns `text` fit to be shown; lines stay lines.
    #[must_use]
    pub fn clean(&self, text: &str) -> Clean {
        // Once before the control characters go (a secret after a stray ESC would lose its first letters to the
        // sequence) and once after (a secret with colour codes in it becomes whole only then).
        let stripped = strip::strip(&self.redact(text, text.len()));
        let mut pem = Pem::default();
        let mut lines = Vec::new();
        for line in stripped.split('\n') {
            if let Some(shown) = pem.line(line) {
                lines.push(self.redact(&shown, shown.len()));
            }
        }
        Clean(lines.join("\n"))
    }

    /// Returns `text` as one line fit to be shown: line breaks become spaces, spaces at both ends go.
    #[must_use]
    pub fn clean_line(&self, text: &str) -> Clean {
        let clean = self.clean(text);
        let words: Vec<&str> = clean
            .0
            .split('\n')
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        Clean(words.join(" "))
    }

    /// Returns a sentence of our own words and anyone's names, all of it cleaned:
    /// `redactor.text(format_args!("waiting for deployment `{id}` ({phase})"))`.
    ///
    /// Names in backticks are shown as code by the reporters. The whole sentence goes through [`Redactor::clean_line`],
    /// so nothing has to be thought of at the call.
    #[must_use]
    pub fn text(&self, sentence: fmt::Arguments<'_>) -> Clean {
        self.clean_line(&sentence.to_string())
    }

    /// Replaces every secret that starts before byte `end` of `text` and drops what follows `end`.
    fn redact(&self, text: &str, end: usize) -> String {
        let mut found = self.needles.find(text);
        found.extend(shapes::find(text));
        replace(text, found, end)
    }

    /// The same, up to `tail` bytes before the end of `text`.
    fn redact_before(&self, text: &str, tail: usize) -> String {
        let mut end = text.len().saturating_sub(tail);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.redact(text, end)
    }

    /// How many bytes the longest known form has.
    fn longest(&self) -> usize {
        self.needles.longest()
    }
}

/// Replaces the ranges of `text` that start before `end`, overlapping ones by one mark, and drops what follows `end`.
fn replace(text: &str, mut found: Vec<Range<usize>>, end: usize) -> String {
    found.sort_by_key(|range| range.start);
    let mut shown = String::with_capacity(end.min(text.len()));
    let mut at = 0;
    for range in found {
        if range.start >= end {
            break;
        }
        if range.start >= at {
            shown.push_str(text.get(at..range.start).unwrap_or_default());
            shown.push_str(REDACTED);
        }
        at = at.max(range.end);
    }
    shown.push_str(text.get(at..end).unwrap_or_default());
    shown
}

#[cfg(test)]
mod tests;
