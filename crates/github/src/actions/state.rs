//! What the main step leaves for the post step: `GITHUB_STATE` out, `STATE_*` in.
//!
//! The runner reads the file also when the step was cancelled, so it is written before the
//! effect that it announces. It is a hint; what must survive a crash is derived elsewhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::FreshToken;
use super::output::{FileCommandError, appending, write_entry};

/// The file behind `GITHUB_STATE`.
pub struct StateFile<W> {
    file: W,
    tokens: FreshToken,
}

impl StateFile<File> {
    /// Opens the file for appending.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn open(path: &Path, tokens: FreshToken) -> io::Result<Self> {
        Ok(Self::new(appending(path)?, tokens))
    }
}

impl<W: Write> StateFile<W> {
    /// Writes to `file`.
    pub fn new(file: W, tokens: FreshToken) -> Self {
        Self { file, tokens }
    }

    /// Saves a value. Saved twice, the last one counts.
    ///
    /// # Errors
    ///
    /// [`FileCommandError::BadName`] for a name other than letters, digits, `-` and `_`;
    /// [`FileCommandError::Io`].
    pub fn save(&mut self, name: &str, value: &str) -> Result<(), FileCommandError> {
        write_entry(&mut self.file, &mut self.tokens, name, value)
    }
}

/// What the main step saved, in the post step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedState(BTreeMap<String, String>);

impl SavedState {
    /// Picks the saved values out of all environment variables.
    pub fn from_vars<V>(vars: V) -> Self
    where
        V: IntoIterator<Item = (String, String)>,
    {
        Self(
            vars.into_iter()
                .filter_map(|(name, value)| Some((name.strip_prefix("STATE_")?.to_owned(), value)))
                .collect(),
        )
    }

    /// Returns a value under the name that it was saved with; `None` when it is empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Returns whether the main step saved nothing, as when it ended before its first save.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_post_step_reads_what_the_main_step_saved() {
        let mut file = Vec::new();
        StateFile::new(&mut file, Box::new(|| Ok([7; 16])))
            .save("put_sent_at", "2026-01-02T03:04:05Z")
            .unwrap();
        let text = String::from_utf8(file).unwrap();
        assert!(text.starts_with("put_sent_at<<hp_0707"), "{text}");

        let state = SavedState::from_vars([
            ("STATE_put_sent_at".to_owned(), "2026".to_owned()),
            ("STATE_empty".to_owned(), String::new()),
            ("OTHER".to_owned(), "x".to_owned()),
        ]);
        assert_eq!(state.get("put_sent_at"), Some("2026"));
        assert_eq!(state.get("empty"), None);
        assert_eq!(state.get("OTHER"), None);
        assert!(SavedState::from_vars([]).is_empty());
    }
}
