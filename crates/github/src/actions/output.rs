//! Files that the runner reads after the step: `name<<delimiter`, the value, the delimiter.
//!
//! Outputs here, state in `state`; both files have the same form. The delimiter is fresh and
//! random for each value and checked not to occur in it, so that no value can end early and set
//! another name.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::{FreshToken, fresh};

/// Why a value was not written.
#[derive(Debug, thiserror::Error)]
pub enum FileCommandError {
    /// The name is not one that the runner takes.
    #[error("`{0}` cannot be the name of an output")]
    BadName(String),
    /// No random token, or the file cannot be written.
    #[error("cannot write the output `{name}`")]
    Io {
        /// The name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

/// The file behind `GITHUB_OUTPUT`.
///
/// An output that holds a masked value is dropped by the runner with a warning, so outputs are
/// codes, ids and numbers. A job's outputs may hold one megabyte in all.
pub struct Outputs<W> {
    file: W,
    tokens: FreshToken,
}

impl Outputs<File> {
    /// Opens the file for appending.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn open(path: &Path, tokens: FreshToken) -> io::Result<Self> {
        Ok(Self::new(appending(path)?, tokens))
    }
}

impl<W: Write> Outputs<W> {
    /// Writes to `file`.
    pub fn new(file: W, tokens: FreshToken) -> Self {
        Self { file, tokens }
    }

    /// Sets an output. Set twice, the last value counts.
    ///
    /// # Errors
    ///
    /// [`FileCommandError::BadName`] for a name other than letters, digits, `-` and `_`;
    /// [`FileCommandError::Io`].
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), FileCommandError> {
        write_entry(&mut self.file, &mut self.tokens, name, value)
    }
}

pub(super) fn appending(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

pub(super) fn write_entry(
    file: &mut impl Write,
    tokens: &mut FreshToken,
    name: &str,
    value: &str,
) -> Result<(), FileCommandError> {
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !is_name {
        return Err(FileCommandError::BadName(name.to_owned()));
    }
    let failed = |source| FileCommandError::Io {
        name: name.to_owned(),
        source,
    };
    let delimiter = delimiter(tokens, value).map_err(failed)?;
    // One write, so that a kill between two never leaves a value without its end.
    let entry = format!("{name}<<{delimiter}\n{value}\n{delimiter}\n");
    file.write_all(entry.as_bytes())
        .and_then(|()| file.flush())
        .map_err(failed)
}

/// How many delimiters are tried; with 128 random bits the first one fits.
const DELIMITERS: usize = 4;

fn delimiter(tokens: &mut FreshToken, value: &str) -> io::Result<String> {
    for _ in 0..DELIMITERS {
        let delimiter = format!("hp_{}", fresh(tokens)?);
        if !value.contains(&delimiter) {
            return Ok(delimiter);
        }
    }
    Err(io::Error::other(
        "every random delimiter occurs in the value: the source of randomness is broken",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(tokens: FreshToken, value: &str) -> Result<String, FileCommandError> {
        let mut file = Vec::new();
        Outputs::new(&mut file, tokens).set("result", value)?;
        Ok(String::from_utf8(file).unwrap())
    }

    #[test]
    fn a_value_cannot_set_another_output() {
        let mut count = 0;
        let tokens: FreshToken = Box::new(move || {
            count += 1;
            Ok([count; 16])
        });
        let first = format!("hp_{}", "01".repeat(16));
        let value = format!("a\n{first}\nstatus=succeeded");
        let second = format!("hp_{}", "02".repeat(16));
        assert_eq!(
            written(tokens, &value).unwrap(),
            format!("result<<{second}\n{value}\n{second}\n")
        );
    }

    #[test]
    fn broken_randomness_is_an_error_and_not_a_hole() {
        let value = format!("hp_{}", "00".repeat(16));
        assert!(written(Box::new(|| Ok([0; 16])), &value).is_err());
        assert!(written(Box::new(|| Err(io::Error::other("no entropy"))), "x").is_err());
    }

    #[test]
    fn a_name_cannot_hold_the_syntax() {
        let mut outputs = Outputs::new(Vec::new(), Box::new(|| Ok([1; 16])));
        for bad in ["", "a b", "a<<b", "a=b", "a\nb"] {
            assert!(matches!(
                outputs.set(bad, "x"),
                Err(FileCommandError::BadName(_))
            ));
        }
    }

    #[test]
    fn values_are_appended_to_what_the_file_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        std::fs::write(&path, "before=1\n").unwrap();
        let mut outputs = Outputs::open(&path, Box::new(|| Ok([1; 16]))).unwrap();
        outputs.set("status", "succeeded").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("before=1\nstatus<<hp_0101"), "{text}");
    }
}
