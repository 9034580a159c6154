//! What a call was about: what it tried on which object, what it needs, and what the platform said about it.
//!
//! Every error carries an [`Attempt`]. Text from outside becomes a [`PlatformText`] here before anything else is
//! done with it.

use std::fmt;

/// The longest text of the platform that is kept, in characters. Validation messages of the platform are a
/// sentence or two; what is longer is not written for a person.
const TEXT_CAP: usize = 500;

/// What a call tried to do, on which object; displayed as the words after "cannot".
#[derive(Debug, Clone)]
pub struct Attempt {
    action: PlatformText,
    subject: PlatformText,
    scope: Scope,
    effect: Effect,
    request_id: Option<PlatformText>,
}

impl Attempt {
    /// `action` reads on from "cannot"; `subject` is what a 404 says is not there. Both name ids, and an id is
    /// whatever a reply or a user said it is, so they are stripped like other text from outside.
    pub(crate) fn new(
        effect: Effect,
        scope: Scope,
        action: impl AsRef<str>,
        subject: impl AsRef<str>,
    ) -> Self {
        Self {
            action: PlatformText::new(action.as_ref()),
            subject: PlatformText::new(subject.as_ref()),
            scope,
            effect,
            request_id: None,
        }
    }

    pub(crate) fn answered(mut self, request_id: Option<PlatformText>) -> Self {
        self.request_id = request_id;
        self
    }

    pub(crate) fn subject(&self) -> &str {
        self.subject.as_str()
    }

    /// Returns the scope that the call needs by its documentation.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Returns whether the call was meant to change something.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Returns the platform's id of the request, for a support ticket.
    #[must_use]
    pub fn request_id(&self) -> Option<&PlatformText> {
        self.request_id.as_ref()
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.action.as_str())
    }
}

/// Whether a call changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It does not, whatever its method.
    Read,
    /// It may.
    Write,
}

/// The token scopes that our calls need, by the `security` blocks of the published API description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `app:read`.
    AppRead,
    /// `app:update`.
    AppUpdate,
    /// `database:read`.
    DatabaseRead,
    /// `database:update`.
    DatabaseUpdate,
}

impl Scope {
    /// Returns the scope as the platform writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AppRead => "app:read",
            Self::AppUpdate => "app:update",
            Self::DatabaseRead => "database:read",
            Self::DatabaseUpdate => "database:update",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that the platform sent: at most 500 characters, on one line, without control or direction characters.
///
/// It is still hostile: it may quote a value of the spec, and must be redacted and escaped before it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlatformText(Box<str>);

impl PlatformText {
    pub(crate) fn new(raw: &str) -> Self {
        let one_line = raw
            .chars()
            .map(|c| if c.is_whitespace() { ' ' } else { c })
            .filter(|c| !c.is_control() && !is_invisible(*c));
        Self(one_line.take(TEXT_CAP).collect::<String>().into())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlatformText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Characters that change how the text around them is shown: direction marks, joiners, byte order mark, tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_text_is_short_and_on_one_line() {
        let hostile = format!("a\u{1b}[31m\nb\u{202e}c\u{0}{}", "x".repeat(900));
        let text = PlatformText::new(&hostile);
        assert!(text.as_str().starts_with("a[31m bcx"), "{text}");
        assert_eq!(text.as_str().chars().count(), TEXT_CAP);
    }
}
