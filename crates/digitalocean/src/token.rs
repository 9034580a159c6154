//! The API token: checked once at the edge, and never shown.
//!
//! Nothing here knows where the token comes from; the caller passes the name of the variable or input, so that
//! the message can say what to mend. Whether the platform accepts the token is not known before the first call.

use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

/// What is wrong with a token before it is ever sent. The text of the token is never part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing is left after trimming.
    #[error("`{variable}` is empty: it must hold a DigitalOcean API token")]
    Empty {
        /// Where the token was read from.
        variable: String,
    },
    /// White space, a control character or anything but printable ASCII stands inside it.
    #[error(
        "`{variable}` does not hold a DigitalOcean API token: it has a space, a line break or an unprintable character in it"
    )]
    Malformed {
        /// Where the token was read from.
        variable: String,
    },
}

/// Returns the token without the white space around it, which a pasted secret often carries.
///
/// `variable` names where it was read from (`DIGITALOCEAN_ACCESS_TOKEN`, `token`), for the message.
///
/// # Errors
///
/// [`TokenError::Empty`] and [`TokenError::Malformed`]: nothing that could be a token.
pub fn parse(raw: &SecretString, variable: &str) -> Result<SecretString, TokenError> {
    let token = raw.expose_secret().trim();
    let variable = || variable.to_owned();
    if token.is_empty() {
        return Err(TokenError::Empty {
            variable: variable(),
        });
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::Malformed {
            variable: variable(),
        });
    }
    Ok(SecretString::from(token))
}

/// Returns the value of the `Authorization` header, marked so that no HTTP library prints it.
pub(crate) fn bearer(token: &SecretString) -> Result<HeaderValue, TokenError> {
    let token = parse(token, "token")?;
    let malformed = |_| TokenError::Malformed {
        variable: "token".to_owned(),
    };
    let mut value =
        HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).map_err(malformed)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(raw: &str) -> String {
        parse(&SecretString::from(raw), "DIGITALOCEAN_ACCESS_TOKEN")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn white_space_around_a_token_is_dropped() {
        let token = parse(&SecretString::from(" dop_v1_abc\r\n"), "token").unwrap();
        assert_eq!(token.expose_secret(), "dop_v1_abc");
    }

    #[test]
    fn the_message_names_the_variable_and_never_the_token() {
        insta::assert_snapshot!(error(" \n"), @"`DIGITALOCEAN_ACCESS_TOKEN` is empty: it must hold a DigitalOcean API token");
        insta::assert_snapshot!(error("dop_v1_a\nb"), @"`DIGITALOCEAN_ACCESS_TOKEN` does not hold a DigitalOcean API token: it has a space, a line break or an unprintable character in it");
        for raw in ["dop v1", "dop\u{7f}", "dop\u{0}", "dop_v1_\u{fc}"] {
            assert!(!error(raw).contains("dop"), "{raw:?}");
        }
    }

    #[test]
    fn the_header_does_not_print_the_token() {
        let header = bearer(&SecretString::from("dop_v1_canary")).unwrap();
        assert_eq!(format!("{header:?}"), "Sensitive");
    }
}
