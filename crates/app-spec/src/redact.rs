//! What counts as a secret inside a spec, and how a text is shown without it.
//!
//! This guards debug texts and spec diffs. Free text such as job output is guarded elsewhere.

use serde_json::{Map, Value};

/// What the platform writes in place of an encrypted value.
pub(crate) const ENCRYPTED_PREFIX: &str = "EV[";

/// Fields of a spec that hold credentials: the image source's, and those of the log destinations.
const CREDENTIAL_FIELDS: [&str; 7] = [
    "registry_credentials",
    "api_key",
    "token",
    "password",
    "secret",
    "access_token",
    "basic_auth",
];

/// Parts of variable names whose value is taken for a secret even where its type says otherwise: people
/// do put passwords into plain variables.
const TELLING_KEY_PARTS: [&str; 9] = [
    "SECRET",
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "CREDENTIAL",
    "PRIVATE_KEY",
    "API_KEY",
    "APIKEY",
    "DSN",
];

/// Tells whether a field of a spec holds a credential by its very name.
pub(crate) fn is_credential_field(field: &str) -> bool {
    CREDENTIAL_FIELDS.contains(&field)
}

/// Tells whether the value of an entry of a `key`, `value` list must not be shown: its type is anything
/// but plain, or the key says what it is and the value is not merely a binding.
pub(crate) fn hides_value(entry: &Map<String, Value>) -> bool {
    let plain = match entry.get("type") {
        None | Some(Value::Null) => true,
        Some(Value::String(kind)) => kind.is_empty() || kind == "GENERAL",
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => false,
    };
    if !plain {
        return true;
    }
    let key = entry
        .get("key")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_ascii_uppercase();
    let value = entry
        .get("value")
        .and_then(Value::as_str)
        .unwrap_or_default();
    TELLING_KEY_PARTS.iter().any(|part| key.contains(part)) && !is_binding(value)
}

/// Tells whether a text is one of the platform's bindings and nothing else, such as `${db.DATABASE_URL}`.
fn is_binding(text: &str) -> bool {
    text.strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|name| !name.contains(['$', '{', '}']))
}

/// Tells whether a text holds something secret by its own form.
pub(crate) fn is_secret_text(text: &str) -> bool {
    text.contains(ENCRYPTED_PREFIX)
}

/// Returns the text with the user and password of every URL in it replaced, or `None` where it has none.
///
/// Everything between `://` and the last `@` before a space counts: a password may hold a raw `/` or `#`,
/// and hiding a path too many is cheaper than showing a password.
pub(crate) fn mask_userinfo(text: &str, placeholder: &str) -> Option<String> {
    let mut shown = String::new();
    let mut found = false;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after
            .find(|c: char| c.is_whitespace())
            .unwrap_or(after.len());
        let (address, tail) = after.split_at(end);
        match address.rsplit_once('@') {
            Some((_, host)) => {
                found = true;
                shown.push_str(placeholder);
                shown.push('@');
                shown.push_str(host);
                rest = tail;
            }
            None => rest = after,
        }
    }
    shown.push_str(rest);
    found.then_some(shown)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn userinfo_is_masked_in_every_url_of_a_text() {
        let masked = |text: &str| mask_userinfo(text, "***");
        assert_eq!(
            masked("https://u:p@git.example.com/a.git").unwrap(),
            "https://***@git.example.com/a.git"
        );
        assert_eq!(
            masked("a://u:p/#@h b://v@i").unwrap(),
            "a://***@h b://***@i"
        );
        assert_eq!(masked("x://y a://u@h").unwrap(), "x://y a://***@h");
        assert_eq!(masked("https://git.example.com/a.git me@example.com"), None);
    }

    #[test]
    fn a_value_is_hidden_by_type_or_by_a_telling_key() {
        let hidden = |value: Value| hides_value(value.as_object().unwrap());
        assert!(hidden(json!({"key": "A", "type": "SECRET", "value": "x"})));
        assert!(hidden(
            json!({"key": "A", "type": "NEW_KIND", "value": "x"})
        ));
        assert!(hidden(json!({"key": "stripe_api_key", "value": "x"})));
        assert!(hidden(
            json!({"key": "DB_PASSWORD", "value": "${db.PASSWORD}x"})
        ));
        assert!(!hidden(
            json!({"key": "DB_PASSWORD", "value": "${db.PASSWORD}"})
        ));
        assert!(!hidden(
            json!({"key": "NODE_ENV", "type": "GENERAL", "value": "production"})
        ));
    }
}
