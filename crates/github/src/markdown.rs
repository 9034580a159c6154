//! The one thing about Markdown that this crate must know: which lines lie in a fenced code
//! block.
//!
//! Follows CommonMark 0.31, section "Fenced code blocks", at the top level of a document. Fences
//! within lists and quotations are not followed; Harbor Pilot writes none.

/// Follows a document line by line.
#[derive(Debug, Default)]
pub(crate) struct Fences {
    open: Option<Fence>,
}

#[derive(Debug, Clone, Copy)]
struct Fence {
    mark: char,
    length: usize,
}

/// Where a line lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Text,
    /// Within a code block, or one of its fences.
    Code,
}

impl Fences {
    /// Takes the next line and tells where it lies.
    pub(crate) fn place(&mut self, line: &str) -> Place {
        let fence = fence(line);
        match (self.open, fence) {
            (None, None) => Place::Text,
            (None, Some((fence, rest))) => {
                // An info string after backticks may hold none, or it is inline code.
                if fence.mark == '`' && rest.contains('`') {
                    return Place::Text;
                }
                self.open = Some(fence);
                Place::Code
            }
            (Some(open), found) => {
                let closes = found.is_some_and(|(fence, rest)| {
                    fence.mark == open.mark && fence.length >= open.length && rest.trim().is_empty()
                });
                if closes {
                    self.open = None;
                }
                Place::Code
            }
        }
    }

    /// Returns the line that would close the open code block, if one is open.
    pub(crate) fn closing(&self) -> Option<String> {
        self.open
            .map(|fence| String::from(fence.mark).repeat(fence.length))
    }
}

fn fence(line: &str) -> Option<(Fence, &str)> {
    let indent = line.len() - line.trim_start_matches(' ').len();
    if indent > 3 {
        return None;
    }
    let text = line.trim_start_matches(' ');
    let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let rest = text.trim_start_matches(mark);
    let length = text.len() - rest.len();
    (length >= 3).then_some((Fence { mark, length }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(document: &str) -> String {
        let mut fences = Fences::default();
        document
            .lines()
            .map(|line| match fences.place(line) {
                Place::Text => 't',
                Place::Code => 'c',
            })
            .collect()
    }

    #[test]
    fn a_block_ends_only_with_a_fence_that_is_long_enough() {
        assert_eq!(places("a\n````text\n```\nb\n````\nc"), "tcccct");
        assert_eq!(places("~~~\n```\n~~~\nx"), "ccct");
        assert_eq!(places("``` `x\ny"), "tt");
        assert_eq!(places("    ```\ny"), "tt");
        assert_eq!(places("```\n``` no\nz"), "ccc");
    }
}
