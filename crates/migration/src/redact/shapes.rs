//! Tokens that are secrets by their shape, whoever they belong to.
//!
//! Hiding a word too many is cheaper than showing a password; what is hidden is the value, so that a reader still
//! sees that there was one.

use aho_corasick::AhoCorasick;
use regex_lite::Regex;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

/// A kind of token: words of which at least one is in every such token (in any case), and its pattern, whose first
/// group is hidden, or its whole match where it has none. `\s` stands in brackets only; it means [`WHITE`].
type Shape = (&'static [&'static str], &'static str);

/// Sources: DigitalOcean's and GitHub's token formats as documented; `EV[1:…]` is how App Platform shows an encrypted
/// value; `AVNS_` begins the passwords of DigitalOcean's managed databases; presigned queries are AWS Signature
/// Version 4 and 2, Google's and Azure's.
const SHAPES: &[Shape] = &[
    // User and password of a URL, up to the last `@` before a space or quote: a password may hold a raw `/` or `@`.
    (&["://"], r#"[A-Za-z][A-Za-z0-9+.\-]*://([^\s"'<>`]+)@"#),
    // The same, percent-encoded inside another URL.
    (&["%2f%2f"], r#"%3[Aa]%2[Ff]%2[Ff]([^\s"'<>&`]+)%40"#),
    (
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        r"do[opr]_v1_[A-Za-z0-9_\-]+",
    ),
    (
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        r"gh[pousr]_[A-Za-z0-9_.\-]{10,}",
    ),
    (&["github_pat_"], r"github_pat_[A-Za-z0-9_]+"),
    (&["ev["], r"EV\[[0-9]+:[^\]\s]*\]?"),
    (&["avns_"], r"AVNS_[A-Za-z0-9_\-]{8,}"),
    (
        &["eyj"],
        r"eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]*)*",
    ),
    (
        &["akia", "asia", "do00", "do80"],
        r"(?:AKIA|ASIA|DO00|DO80)[A-Z0-9]{16}",
    ),
    (&["_live_"], r"(?:sk|rk)_live_[A-Za-z0-9]+"),
    (&["xox"], r"xox[abeoprs]-[A-Za-z0-9\-]+"),
    // A presigned address: its whole query.
    (
        &["x-amz-", "x-goog-", "signature=", "sig=", "awsaccesskeyid="],
        r#"://[^\s?"'<>`]*\?([^\s"'<>`]*(?i:x-amz-|x-goog-|signature=|sig=|awsaccesskeyid=)[^\s"'<>`]*)"#,
    ),
    // Its parts, away from an address.
    (
        &["x-amz-", "x-goog-"],
        r#"(?i:x-(?:amz|goog)-[a-z\-]+)(?:=|%3[Dd])([^\s&"'<>`]+)"#,
    ),
    (
        &["signature"],
        r#"(?i:\bsignature)(?:=|%3[Dd])([^\s&"'<>`]+)"#,
    ),
    // Named values, in queries and in printed environments.
    (
        TELLING,
        r#"(?i:token|password|passwd|secret|api[_\-]?key|access[_\-]?key|private[_\-]?key|mysql_pwd)(?:=|%3[Dd])["']?([^\s&"'<>`]+)"#,
    ),
    (
        TELLING,
        r#"(?i:token|password|passwd|secret|api_?key|private_?key)\\?["'][\s]*:[\s]*\\?["']([^"'\\]+)"#,
    ),
    (
        &["authorization"],
        r#"(?i:authorization)\\?["']?[\s]*[:=][\s]*\\?["']?(?:[A-Za-z]+[\s]+)?([^\s"',\\]+)"#,
    ),
];

/// White space in all scripts, inside brackets. The small regex engine's own `\s` ends at ASCII.
const WHITE: &str =
    r"\s\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}";

/// Words in the names of secret values.
const TELLING: &[&str] = &["token", "passw", "secret", "key", "mysql_pwd"];

/// The patterns, and what tells which of them are worth a try: almost no line needs any.
struct Compiled {
    words: AhoCorasick,
    /// The shape of each word.
    shapes: Vec<usize>,
    patterns: Vec<Regex>,
}

#[expect(
    clippy::expect_used,
    reason = "words and patterns are literals of this file, and every test of this module compiles all of them"
)]
static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let words = || {
        SHAPES
            .iter()
            .enumerate()
            .flat_map(|(shape, (words, _))| words.iter().map(move |word| (shape, word)))
    };
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(words().map(|(_, word)| word));
    let compiled = |(_, pattern): &Shape| {
        Regex::new(&pattern.replace(r"\s", WHITE)).expect("every shape is a valid pattern")
    };
    Compiled {
        words: automaton.expect("a few dozen words are not too many"),
        shapes: words().map(|(shape, _)| shape).collect(),
        patterns: SHAPES.iter().map(compiled).collect(),
    }
});

/// Returns where secret-shaped tokens stand in `text`, in no order and overlapping.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let Compiled {
        words,
        shapes,
        patterns,
    } = &*COMPILED;
    let met: BTreeSet<usize> = words
        .find_overlapping_iter(text)
        .filter_map(|word| shapes.get(word.pattern().as_usize()).copied())
        .collect();
    let mut found = Vec::new();
    for pattern in met.into_iter().filter_map(|shape| patterns.get(shape)) {
        for groups in pattern.captures_iter(text) {
            found.extend(
                groups
                    .get(1)
                    .or_else(|| groups.get(0))
                    .map(|group| group.range()),
            );
        }
    }
    found
}

/// How many lines of a PEM block are hidden where its end never comes. The longest keys in use have about a hundred
/// and fifty; more than this and a stray begin line would take the rest of a log with it.
const PEM_LINES: usize = 400;

const PEM_BEGIN: &str = "-----BEGIN ";
const PEM_END: &str = "-----END ";

/// Whether the lines are inside a PEM block.
#[derive(Debug, Clone, Default)]
pub(super) struct Pem {
    /// How many more lines are hidden; none outside a block.
    left: usize,
}

impl Pem {
    /// Returns what may be shown of the next line; nothing when the line is inside a block.
    pub(super) fn line<'a>(&mut self, line: &'a str) -> Option<Cow<'a, str>> {
        if self.left == 0 && !line.contains(PEM_BEGIN) {
            return Some(Cow::Borrowed(line));
        }
        let mut shown = String::new();
        let mut rest = line;
        loop {
            if self.left > 0 {
                let Some((_, after)) = rest.split_once(PEM_END) else {
                    self.left -= 1;
                    break;
                };
                self.left = 0;
                // Behind the label's own closing dashes, where they stand.
                rest = after.split_once("-----").map_or("", |(_, after)| after);
            }
            let Some((before, after)) = rest.split_once(PEM_BEGIN) else {
                shown.push_str(rest);
                break;
            };
            shown.push_str(before);
            shown.push_str("[PEM block]");
            self.left = PEM_LINES;
            rest = after;
        }
        (!shown.trim().is_empty()).then_some(Cow::Owned(shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the larger engine finds with the same patterns, and its own white space.
    fn found_by_the_larger_engine(text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        for (words, pattern) in SHAPES {
            let met = words
                .iter()
                .any(|word| text.to_ascii_lowercase().contains(word));
            let pattern = regex::Regex::new(&pattern.replace("(?i:", "(?i-u:")).unwrap();
            for groups in pattern.captures_iter(text).filter(|_| met) {
                let group = groups.get(1).or_else(|| groups.get(0)).unwrap();
                found.push(group.range());
            }
        }
        found
    }

    fn piece() -> impl Strategy<Value = String> {
        let words = SHAPES.iter().flat_map(|(words, _)| words.iter().copied());
        let known: Vec<String> = words
            .chain([
                "A",
                "Signature",
                "TOKEN=",
                "api_key",
                "dop_v1_",
                "EV[1:",
                "AKIA",
                "%3D",
                "%3d",
                "%40",
                "@",
                "?",
                "&",
                "=",
                ":",
                ": ",
                "\"",
                "'",
                "\\\"",
                " ",
                "\t",
                "\u{a0}",
                "\u{85}",
                "\u{2003}",
                "\u{3000}",
                ".",
                "]",
                "https://h/p?",
                "Bearer ",
                "\u{17f}",
                "\u{212a}",
                "\u{130}",
                "ß",
            ])
            .map(str::to_owned)
            .collect();
        prop_oneof![
            3 => proptest::sample::select(known),
            2 => "[A-Za-z0-9_.-]{0,24}",
            1 => "\\PC{0,3}",
        ]
    }

    proptest! {
        #[test]
        fn the_small_engine_finds_what_the_larger_one_finds(pieces in proptest::collection::vec(piece(), 0..24)) {
            let text = pieces.concat();
            prop_assert_eq!(find(&text), found_by_the_larger_engine(&text));
        }
    }
}
