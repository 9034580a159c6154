//! A log cleaned line by line as it arrives, in chunks of any size.

use super::{Clean, Pem, Redactor, strip};

/// The most bytes of one line that are shown. Longer lines are data, not something a person reads.
const LINE_BYTES: usize = 16 * 1024;

/// The most bytes of one line that are looked at, escape sequences and all.
const RAW_BYTES: usize = 64 * 1024;

/// The least that is kept beyond a cut, so that a token that begins before it is seen whole enough to be recognised.
const OVERLAP_BYTES: usize = 8 * 1024;

/// Cleans a log as it arrives. Lines come out whole: the last one is held back until its end is seen, so that neither
/// a chunk border nor a cut ever splits a secret.
///
/// Bytes that are not UTF-8 are shown as `�`. A line is cut after 16 KiB, with a note that it was.
#[derive(Debug)]
pub struct LogCleaner {
    redactor: Redactor,
    pem: Pem,
    /// The line so far, at most [`RAW_BYTES`] and the overlap.
    line: Vec<u8>,
    /// Bytes of the line that were not kept.
    dropped: u64,
    /// Whether the last byte was a CR, which may be one half of a line end.
    after_cr: bool,
}

impl LogCleaner {
    /// Returns a cleaner at the beginning of a log.
    #[must_use]
    pub fn new(redactor: Redactor) -> Self {
        Self {
            redactor,
            pem: Pem::default(),
            line: Vec::new(),
            dropped: 0,
            after_cr: false,
        }
    }

    /// Takes in the next bytes and returns the lines that are complete with them, oldest first.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<Clean> {
        let mut lines = Vec::new();
        for &byte in chunk {
            let was_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if was_cr => {}
                b'\n' | b'\r' => self.end_line(&mut lines),
                _ if self.line.len() < RAW_BYTES + self.overlap() => self.line.push(byte),
                _ => self.dropped += 1,
            }
        }
        lines
    }

    /// Returns the last line, where the log did not end with a line end.
    #[must_use]
    pub fn finish(mut self) -> Vec<Clean> {
        let mut lines = Vec::new();
        if !self.line.is_empty() {
            self.end_line(&mut lines);
        }
        lines
    }

    fn overlap(&self) -> usize {
        self.redactor.longest().max(OVERLAP_BYTES)
    }

    fn end_line(&mut self, lines: &mut Vec<Clean>) {
        let raw = std::mem::take(&mut self.line);
        let dropped = std::mem::take(&mut self.dropped);
        let raw = String::from_utf8_lossy(&raw);
        let overlap = if dropped > 0 { self.overlap() } else { 0 };
        // The same two passes as for any text. Each pass shows nothing that begins in the overlap behind the cut: a
        // token there may be cut off, and then it would not be recognised.
        let stripped = strip::strip(&self.redactor.redact_before(&raw, overlap));
        // Separators inside a line, which `strip` made line ends, may be many.
        for line in stripped.split('\n') {
            let Some(line) = self.pem.line(line) else {
                continue;
            };
            let clean = self.redactor.redact_before(&line, overlap);
            lines.push(cut(clean, dropped));
        }
    }
}

/// Cuts what is already redacted, and says so.
fn cut(line: String, dropped: u64) -> Clean {
    if line.len() <= LINE_BYTES && dropped == 0 {
        return Clean(line);
    }
    let mut end = LINE_BYTES.min(line.len());
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    Clean(format!(
        "{}… [line cut]",
        line.get(..end).unwrap_or_default()
    ))
}
