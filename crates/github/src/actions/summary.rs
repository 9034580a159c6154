//! The step's summary: Markdown appended to the file behind `GITHUB_STEP_SUMMARY`.
//!
//! The runner uploads nothing at all of a summary above one mebibyte, so a budget below that is
//! never exceeded here. Rendering within the budget is the caller's task; the cut made here is
//! the last resort that keeps the beginning, where the verdict stands.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::output::appending;
use crate::markdown::Fences;

/// The most that a step's summary may hold, in bytes: 900 KiB of the runner's 1 MiB, which
/// leaves room for masks that make a text longer.
pub const SUMMARY_BYTES: usize = 900 * 1024;

/// The line that follows a cut.
const CUT: &str = "\n\n_The rest was left out: a summary above 1 MiB would not be shown at all._\n";

/// Kept free for the line above and for the end of a code block.
const RESERVE: usize = 1024;

/// What became of an appended text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is in the summary.
    Whole,
    /// Its beginning is in the summary, with a note.
    Cut,
    /// No room was left; nothing was written.
    Nothing,
}

/// The summary of this step.
pub struct Summary<W> {
    file: W,
    left_bytes: usize,
}

impl Summary<File> {
    /// Opens the file for appending; what it holds already counts against the budget.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = appending(path)?;
        let held_bytes = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        Ok(Self::new(file, held_bytes))
    }
}

impl<W: Write> Summary<W> {
    /// Writes to `file`, which holds `held_bytes` already.
    pub fn new(file: W, held_bytes: usize) -> Self {
        Self {
            file,
            left_bytes: SUMMARY_BYTES.saturating_sub(held_bytes),
        }
    }

    /// Appends Markdown, cut after a line with a note when the budget demands it.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn append(&mut self, markdown: &str) -> io::Result<Appended> {
        let text = if markdown.ends_with('\n') {
            markdown.to_owned()
        } else {
            format!("{markdown}\n")
        };
        if text.len().saturating_add(RESERVE) <= self.left_bytes {
            self.write(&text)?;
            return Ok(Appended::Whole);
        }
        let beginning = beginning(&text, self.left_bytes.saturating_sub(RESERVE));
        if beginning.is_empty() {
            self.left_bytes = 0;
            return Ok(Appended::Nothing);
        }
        self.write(&beginning)?;
        self.left_bytes = 0;
        Ok(Appended::Cut)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.file.flush()?;
        self.left_bytes = self.left_bytes.saturating_sub(text.len());
        Ok(())
    }
}

/// Returns the whole lines that fit, with an open code block closed and the note; empty when
/// not even one line fits.
fn beginning(text: &str, most_bytes: usize) -> String {
    let mut kept = String::new();
    let mut fences = Fences::default();
    for line in text.split_inclusive('\n') {
        if kept.len() + line.len() > most_bytes {
            break;
        }
        fences.place(line.trim_end_matches(['\r', '\n']));
        kept.push_str(line);
    }
    if kept.is_empty() {
        return kept;
    }
    // A fence may be any length; one that does not fit the reserve stays open.
    if let Some(closing) = fences.closing().filter(|fence| fence.len() < RESERVE / 2) {
        kept.push_str(&closing);
    }
    kept.push_str(CUT);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_never_exceeds_its_budget_and_keeps_its_beginning() {
        let mut file = Vec::new();
        let mut summary = Summary::new(&mut file, 10);
        assert_eq!(summary.append("# Verdict\n").unwrap(), Appended::Whole);
        let log = format!("````\n{}", "a line of the log\n".repeat(100_000));
        assert_eq!(summary.append(&log).unwrap(), Appended::Cut);
        assert_eq!(summary.append("more").unwrap(), Appended::Nothing);
        assert!(file.len() + 10 <= SUMMARY_BYTES, "{}", file.len());
        let text = String::from_utf8(file).unwrap();
        assert!(text.starts_with("# Verdict\n````\na line"));
        assert!(text.ends_with(&format!("a line of the log\n````{CUT}")));
    }

    #[test]
    fn one_endless_line_is_left_out_as_a_whole() {
        let mut file = Vec::new();
        let mut summary = Summary::new(&mut file, 0);
        let line = "ü".repeat(SUMMARY_BYTES);
        assert_eq!(summary.append(&line).unwrap(), Appended::Nothing);
        assert!(file.is_empty());
    }

    #[test]
    fn what_the_file_holds_already_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary");
        std::fs::write(&path, "x".repeat(SUMMARY_BYTES)).unwrap();
        let mut summary = Summary::open(&path).unwrap();
        assert_eq!(summary.append("late").unwrap(), Appended::Nothing);
    }
}
