//! Fingerprints: whether two specs mean the same to the platform.
//!
//! The hash is over the canonical form (see the module of that name), so a body that was sent and the spec
//! that is read back have one fingerprint. It is for comparing, not for restoring: equal fingerprints do
//! not make two specs the same text.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::canonical::canonical;
use crate::redact;
use crate::spec::AppSpec;

/// What is hashed before the spec. A change of the canonical form changes this text, so that old
/// fingerprints never match new ones by accident.
const DOMAIN: &[u8] = b"harbor-pilot app spec v1\n";

/// How many digits the short form has: enough to tell the specs of one app apart by eye.
const SHORT_DIGITS: usize = 12;

/// The SHA-256 of what a spec means to the platform, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Returns the fingerprint of a spec. Secret values count by their encrypted text.
    #[must_use]
    pub fn of_spec(spec: &AppSpec) -> Self {
        Self::of_canonical(canonical(spec.raw()))
    }

    /// Returns the fingerprint of a spec in which a secret value counts only as present or absent.
    ///
    /// Plain text that is sent comes back encrypted, and whether the platform encrypts a value anew at each
    /// reading is not promised either way. Use this where such a difference must not count, and know that
    /// a changed secret does not count either.
    #[must_use]
    pub fn without_secrets(spec: &AppSpec) -> Self {
        spec.fingerprint_without_secrets(|raw| {
            let mut map = canonical(raw);
            for value in map.values_mut() {
                blank_secrets(value);
            }
            Self::of_canonical(map)
        })
    }

    /// Returns the 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first twelve digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..SHORT_DIGITS).unwrap_or(&self.0)
    }

    fn of_canonical(map: Map<String, Value>) -> Self {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(Value::Object(map).to_string().as_bytes());
        Self(hex::encode(hash.finalize()))
    }
}

fn blank_secrets(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let secret = map.get("type").and_then(Value::as_str) == Some("SECRET");
            for (key, value) in map.iter_mut() {
                if (secret && key == "value") || key == "registry_credentials" {
                    *value = json!("<secret>");
                } else {
                    blank_secrets(value);
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(blank_secrets),
        Value::String(text) => {
            if redact::is_secret_text(text) {
                *value = json!("<secret>");
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
