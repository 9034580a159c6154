//! Known secrets, in every form they travel in.

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeSet;
use std::ops::Range;

/// The fewest characters that a looked-for value has: below it, ordinary words would be blanked.
const MIN_CHARS: usize = 6;

/// The known values. What is looked for stays in memory in the clear as long as this lives; there is no searching
/// without it.
#[derive(Clone, Default)]
pub(super) enum Needles {
    /// Nothing is known.
    #[default]
    None,
    /// These are looked for; the longest has so many bytes.
    Some(AhoCorasick, usize),
    /// The values are too many or too large to be looked for, so that nothing may be shown.
    Everything,
}

impl Needles {
    pub(super) fn new(secrets: impl IntoIterator<Item = SecretString>) -> Self {
        let mut forms = BTreeSet::new();
        for secret in secrets {
            let secret = secret.expose_secret();
            add_forms(secret, &mut forms);
            // A multi-line value is met line by line in a log.
            for line in secret.lines() {
                add_forms(line.trim(), &mut forms);
            }
        }
        let Some(longest) = forms.iter().map(String::len).max() else {
            return Self::None;
        };
        // `Standard` is the one kind that reports overlapping matches, and all of them are wanted: with two secrets
        // that overlap in a text, a leftmost match of the one would leave the rest of the other in sight.
        match AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&forms)
        {
            Ok(automaton) => Self::Some(automaton, longest),
            Err(_too_large) => Self::Everything,
        }
    }

    /// Returns where known values stand in `text`, in no order and overlapping.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        match self {
            Self::None => Vec::new(),
            Self::Some(automaton, _) => automaton
                .find_overlapping_iter(text)
                .map(|found| found.range())
                .collect(),
            Self::Everything => std::iter::once(0..text.len()).collect(),
        }
    }

    pub(super) fn longest(&self) -> usize {
        match self {
            Self::None | Self::Everything => 0,
            Self::Some(_, longest) => *longest,
        }
    }
}

fn add_forms(secret: &str, forms: &mut BTreeSet<String>) {
    if secret.chars().count() < MIN_CHARS {
        return;
    }
    let json = json_inner(secret);
    let ascii = ascii_json(secret);
    let plain = [
        secret.to_owned(),
        // As it looks once control characters are gone.
        super::strip::strip(secret),
        // As Go's encoder writes it, as PHP's two ways do, and as pure ASCII.
        json.replace('&', "\\u0026")
            .replace('<', "\\u003c")
            .replace('>', "\\u003e"),
        json.replace('/', "\\/"),
        ascii.replace('/', "\\/"),
        ascii,
        json,
        // As `encodeURIComponent`, `encodeURI`, RFC 3986 and HTML forms write it, and as who takes no chances does.
        percent(secret, b""),
        percent(secret, b"-_.~"),
        percent(secret, b"-_.!~*'()"),
        percent(secret, b"-_.!~*'();/?:@&=+$,#"),
        percent(secret, b"-_.~ ").replace(' ', "+"),
        secret
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&#39;"),
    ];
    for form in plain {
        forms.insert(lower_percent(&form));
        forms.insert(form);
    }
    forms.extend(base64_forms(secret.as_bytes()));
    forms.retain(|form| form.chars().count() >= MIN_CHARS);
}

fn json_inner(secret: &str) -> String {
    let quoted = serde_json::Value::from(secret).to_string();
    quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(&quoted)
        .to_owned()
}

fn ascii_json(secret: &str) -> String {
    let mut text = String::new();
    for c in json_inner(secret).chars() {
        if c.is_ascii() {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

/// Percent-encodes every byte but ASCII letters, digits and `kept`.
fn percent(secret: &str, kept: &[u8]) -> String {
    let mut text = String::new();
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// Writes the digits of percent-encoded bytes in lower case.
fn lower_percent(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut digits = 0;
    for c in text.chars() {
        shown.push(if digits > 0 {
            c.to_ascii_lowercase()
        } else {
            c
        });
        digits = if c == '%' {
            2
        } else {
            usize::saturating_sub(digits, 1)
        };
    }
    shown
}

/// Returns what stays the same of `secret` in the base64 of any text that holds it: three alignments, two alphabets.
///
/// The characters at both ends that mix in bits of the neighbours are left out; alone, none of them tells a byte.
fn base64_forms(secret: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for shift in 0..3 {
        let mut bytes = vec![0; shift];
        bytes.extend_from_slice(secret);
        // The characters that hold bits of the bytes before: ceil(8 * shift / 6).
        let first = [0, 2, 3].get(shift).copied().unwrap_or_default();
        let mixed_end = usize::from(bytes.len() % 3 != 0);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&bytes);
            let last = text.len().saturating_sub(mixed_end);
            forms.extend(text.get(first..last).map(str::to_owned));
            if shift == 0 {
                // Alone, and so to its last character.
                forms.push(text);
            }
        }
    }
    forms
}
