//! The GitHub token: checked once for shape, kept secret from then on.
//!
//! Nothing here asks GitHub about the token; a wrong one shows as
//! [`ErrorKind::Unauthorized`](crate::ErrorKind::Unauthorized) on the first call.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

/// Why a text cannot be a GitHub token. Never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing but white space.
    #[error("the GitHub token is empty")]
    Empty,
    /// White space or a control character inside, as after pasting two lines.
    #[error("the GitHub token holds a space, a line break or a character that is not ASCII")]
    BadCharacter,
}

/// What the token was issued for, as far as its published prefix tells.
///
/// Source: <https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// `ghs_`: an App's installation, among them the `GITHUB_TOKEN` of a workflow.
    Installation,
    /// `ghp_`, `github_pat_`, `gho_`, `ghu_`: acts as a person.
    User,
    /// Anything else, such as an old token or a test's.
    Unknown,
}

/// A token that can be sent in a header. Its `Debug` shows the kind only.
#[derive(Clone)]
pub(crate) struct Token {
    secret: SecretString,
    kind: TokenKind,
}

impl Token {
    /// Checks the shape; surrounding white space (a trailing line break, mostly) is dropped.
    pub(crate) fn new(secret: &SecretString) -> Result<Self, TokenError> {
        let text = secret.expose_secret().trim();
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(TokenError::BadCharacter);
        }
        let kind = if text.starts_with("ghs_") {
            TokenKind::Installation
        } else if ["ghp_", "github_pat_", "gho_", "ghu_"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            TokenKind::User
        } else {
            TokenKind::Unknown
        };
        Ok(Self {
            secret: SecretString::from(text.to_owned()),
            kind,
        })
    }

    pub(crate) fn secret(&self) -> SecretString {
        self.secret.clone()
    }

    pub(crate) fn kind(&self) -> TokenKind {
        self.kind
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:?})", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Result<Token, TokenError> {
        Token::new(&SecretString::from(text.to_owned()))
    }

    #[test]
    fn a_trailing_line_break_is_forgiven_and_an_inner_one_is_not() {
        assert_eq!(
            token("ghs_abc\n").unwrap().secret().expose_secret(),
            "ghs_abc"
        );
        assert_eq!(token(" \n").unwrap_err(), TokenError::Empty);
        assert_eq!(token("ghs_a\nb").unwrap_err(), TokenError::BadCharacter);
    }

    #[test]
    fn the_prefix_tells_a_person_from_an_app() {
        assert_eq!(token("ghs_x").unwrap().kind(), TokenKind::Installation);
        assert_eq!(token("github_pat_x").unwrap().kind(), TokenKind::User);
        assert_eq!(token("x").unwrap().kind(), TokenKind::Unknown);
    }
}
