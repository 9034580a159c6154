//! Foreign text made harmless in Markdown.
//!
//! Follows CommonMark 0.31 and what GitHub adds to it: a backslash before ASCII punctuation is CommonMark's own
//! escape, but GitHub looks for `@user`, `#12`, commit ids and bare addresses after that, in the text that results.
//! Only code is left alone, so words that could become such a link are shown as code. Secrets are not this module's
//! work: what comes here is redacted already.

/// The shortest fence of a code block.
const MIN_FENCE: usize = 3;

/// The fewest hexadecimal digits that GitHub may take for a commit.
const MIN_COMMIT_DIGITS: usize = 7;

/// Returns `text` as Markdown that shows just that text, on one line.
pub fn text(text: &str) -> String {
    let mut out = String::new();
    push_text(&mut out, text);
    out.trim().to_owned()
}

/// Returns a sentence as Markdown, with what stands between single backticks as code.
///
/// Sentences of this program name things in backticks; whatever else a sentence holds is shown as it is.
pub fn prose(sentence: &str) -> String {
    let mut out = String::new();
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('`') {
        let Some((code, behind)) = after.split_once('`').filter(|(code, _)| !code.is_empty())
        else {
            break;
        };
        push_text(&mut out, before);
        push(&mut out, &code_span(code));
        rest = behind;
    }
    push_text(&mut out, rest);
    out.trim().to_owned()
}

/// Returns `text` as a code span, on one line.
pub fn code_span(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.trim().is_empty() {
        return "(empty)".to_owned();
    }
    let fence = "`".repeat(longest_run(&line) + 1);
    // CommonMark takes one space off both ends, so a backtick or a space at an end needs one beside it.
    let pad = if line.starts_with(['`', ' ']) || line.ends_with(['`', ' ']) {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{line}{pad}{fence}")
}

/// Returns `text` as a fenced code block in `language` (an info string of ours, may be empty), without a line end.
pub fn fence(language: &'static str, text: &str) -> String {
    let fence = "`".repeat((longest_run(text) + 1).max(MIN_FENCE));
    let text = text.trim_end_matches('\n');
    format!("{fence}{language}\n{text}\n{fence}")
}

/// Appends Markdown to Markdown, so that a code span at the seam stays one.
pub fn push(out: &mut String, markdown: &str) {
    if out.ends_with('`') && markdown.starts_with('`') {
        out.push(' ');
    }
    out.push_str(markdown);
}

fn push_text(out: &mut String, text: &str) {
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        // Brackets and stops around a word stay outside its code.
        let inner = word
            .trim_start_matches('(')
            .trim_end_matches([')', ',', '.', ';', ':', '!', '?']);
        match word.split_once(inner).filter(|_| links_by_itself(inner)) {
            Some((before, after)) => {
                push(out, &escaped(before));
                push(out, &code_span(inner));
                push(out, &escaped(after));
            }
            None => push(out, &escaped(word)),
        }
        if word.len() < piece.len() && !out.ends_with(' ') {
            out.push(' ');
        }
    }
}

/// Puts a backslash before punctuation that means, or may come to mean, something. Sentences stay readable in mail:
/// stops, commas and quotes mean nothing in the middle of a word and of a line.
fn escaped(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut before = "";
    let mut chars = word.char_indices();
    while let Some((at, c)) = chars.next() {
        let harmless = match c {
            ',' | ';' | '?' | '"' | '\'' | '%' | '/' | '(' => true,
            // `1.` and `1)` begin a list.
            '.' | ')' => !before.bytes().all(|byte| byte.is_ascii_digit()) || before.is_empty(),
            // `:name:` is an emoji.
            ':' => chars.as_str().is_empty() && !before.contains(':'),
            '-' => {
                before.ends_with(char::is_alphanumeric)
                    && chars.as_str().starts_with(char::is_alphanumeric)
            }
            _ => !c.is_ascii_punctuation(),
        };
        if !harmless {
            out.push('\\');
        }
        if !c.is_control() {
            out.push(c);
        }
        before = word.get(..at + c.len_utf8()).unwrap_or_default();
    }
    out
}

/// Returns whether GitHub may make a link, a mention or a formula of this word although its punctuation is escaped.
fn links_by_itself(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let marks = ["@", "#", "$", "://", "www.", "mailto:", "xmpp:", "gh-"];
    marks.iter().any(|mark| lower.contains(mark)) || has_commit(&lower)
}

fn has_commit(lower: &str) -> bool {
    lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|part| {
            part.len() >= MIN_COMMIT_DIGITS && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_is_shown_as_it_is() {
        insta::assert_snapshot!(text("Unknown column 'poi.deletedAt' <in> *x* [y](z)"), @r#"Unknown column 'poi.deletedAt' \<in\> \*x\* \[y\](z)"#);
        insta::assert_snapshot!(text("  two\n lines & | pipe"), @r#"two lines \& \| pipe"#);
    }

    #[test]
    fn what_github_would_link_becomes_code() {
        insta::assert_snapshot!(text("ask @octocat about #12, org/x#3, GH-7, https://x.example and www.y.example at 3fa2b1c"), @"ask `@octocat` about `#12`, `org/x#3`, `GH-7`, `https://x.example` and `www.y.example` at `3fa2b1c`");
    }

    #[test]
    fn names_in_backticks_become_code_and_nothing_breaks_out() {
        insta::assert_snapshot!(prose("cannot read app `terp-app`: `` odd ` ticks"), @r#"cannot read app `terp-app`: \`\` odd \` ticks"#);
        insta::assert_snapshot!(prose("`a`@b"), @"`a` `@b`");
        insta::assert_snapshot!(prose("see (`a`)"), @"see (`a`)");
    }

    #[test]
    fn what_means_nothing_where_it_stands_is_left_as_it_is() {
        for plain in ["a well-known fix, at v1.5 (or so)", "so: it ran; it ended."] {
            assert_eq!(prose(plain), plain);
        }
        assert_eq!(prose("1. first"), r"1\. first");
        assert_eq!(prose("- first a- -b"), r"\- first a\- \-b");
        assert_eq!(prose(":tada: a:b"), r"\:tada\: a\:b");
    }

    #[test]
    fn code_spans_and_fences_outlast_their_backticks() {
        insta::assert_snapshot!(code_span("a``b"), @"```a``b```");
        insta::assert_snapshot!(code_span("`"), @"`` ` ``");
        insta::assert_snapshot!(code_span("`a"), @"`` `a ``");
        insta::assert_snapshot!(code_span("a`"), @"`` a` ``");
        insta::assert_snapshot!(code_span(" x "), @"`  x  `");
        insta::assert_snapshot!(code_span(""), @"(empty)");
        insta::assert_snapshot!(fence("sh", "echo\n````\n"), @r#"
    `````sh
    echo
    ````
    `````
    "#);
    }
}
