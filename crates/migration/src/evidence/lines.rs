//! Cutting a stream of bytes into lines, in bounded memory.

/// The most that is kept of one line, in bytes. Marks are shorter than 300; the rest is for people, who read no more.
const LINE_MAX_BYTES: usize = 64 * 1024;

/// Cuts a log that comes in pieces into lines: without their ends, not UTF-8 replaced, and each cut at 64 KiB.
///
/// Holds at most one such line, whatever comes in.
#[derive(Debug, Default)]
pub struct LogLines {
    line: Vec<u8>,
}

impl LogLines {
    /// Returns a splitter that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next piece of the log and calls `each` for every line that it ends.
    pub fn push(&mut self, piece: &[u8], mut each: impl FnMut(&str)) {
        let mut parts = piece.split(|byte| *byte == b'\n');
        if let Some(rest) = parts.next() {
            self.keep(rest);
        }
        for start in parts {
            self.end(&mut each);
            self.keep(start);
        }
    }

    /// Calls `each` for the last line where it has no end.
    pub fn finish(mut self, mut each: impl FnMut(&str)) {
        if !self.line.is_empty() {
            self.end(&mut each);
        }
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LINE_MAX_BYTES.saturating_sub(self.line.len());
        self.line
            .extend_from_slice(part.get(..room).unwrap_or(part));
    }

    fn end(&mut self, each: &mut impl FnMut(&str)) {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        each(&String::from_utf8_lossy(line));
        self.line.clear();
    }
}

/// Returns `line` without what is more than 64 KiB of it.
pub(super) fn cut(line: &str) -> &str {
    line.get(..line.floor_char_boundary(LINE_MAX_BYTES))
        .unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut log = LogLines::new();
        for piece in pieces {
            log.push(piece, |line| lines.push(line.to_owned()));
        }
        log.finish(|line| lines.push(line.to_owned()));
        lines
    }

    #[test]
    fn line_over_several_pieces_is_one() {
        assert_eq!(
            lines(&[b"on", b"e\r\ntw", b"o\n", b"\nthree"]),
            ["one", "two", "", "three"]
        );
    }

    #[test]
    fn long_line_is_cut_and_the_next_is_whole() {
        let long = vec![b'x'; 3 * LINE_MAX_BYTES];
        let lines = lines(&[&long, &long, b"\nnext\n"]);
        assert_eq!(
            lines.iter().map(String::len).collect::<Vec<_>>(),
            [LINE_MAX_BYTES, 4]
        );
    }

    #[test]
    fn cut_never_splits_a_character() {
        let line = format!("{}é", "x".repeat(LINE_MAX_BYTES - 1));
        assert_eq!(cut(&line).len(), LINE_MAX_BYTES - 1);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "[a-c\n\r]{0,40}", at in 0usize..40) {
            let (head, tail) = text.as_bytes().split_at(at.min(text.len()));
            prop_assert_eq!(lines(&[head, tail]), lines(&[text.as_bytes()]));
        }
    }
}
