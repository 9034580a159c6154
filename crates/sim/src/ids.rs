//! Identifiers and other invented texts, the same in every run of the same story.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Returns a version 4 shaped UUID made from a kind of thing and its number.
pub(crate) fn uuid(kind: &str, number: usize) -> String {
    let mut hex = hex_of(&format!("uuid/{kind}/{number}"), 32).into_bytes();
    for (at, digit) in [(12, b'4'), (16, b'8')] {
        if let Some(place) = hex.get_mut(at) {
            *place = digit;
        }
    }
    let mut text = String::with_capacity(36);
    for (at, digit) in hex.into_iter().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(char::from(digit));
    }
    text
}

/// Returns `length` (at most 64) hex digits made from `seed`.
pub(crate) fn hex_of(seed: &str, length: usize) -> String {
    let digest = Sha256::digest(seed.as_bytes());
    let mut text = String::with_capacity(64);
    for byte in digest {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.truncate(length);
    text
}

/// Tells whether a text has the shape of a UUID.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_stable_and_shaped() {
        let id = uuid("deployment", 7);
        assert_eq!(id, uuid("deployment", 7));
        assert_ne!(id, uuid("deployment", 8));
        assert!(is_uuid(&id), "{id}");
        assert!(!is_uuid("web"));
    }
}
