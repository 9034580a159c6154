//! One environment variable of a component or of the whole app.
//!
//! A variable is kept as the raw object, so that copying one keeps it byte for byte, its `EV[…]` text
//! included. The debug form shows no value, secret or not.

use std::fmt;

use serde_json::{Map, Value};

use crate::read;
use crate::redact::ENCRYPTED_PREFIX;
use crate::wire::wire_enum;

wire_enum! {
    /// When a variable is set (the API description's `scope`).
    EnvScope {
        /// Only while the component runs.
        RunTime = "RUN_TIME",
        /// Only while the component is built.
        BuildTime = "BUILD_TIME",
        /// Both; the platform's default.
        RunAndBuildTime = "RUN_AND_BUILD_TIME",
    }
}

wire_enum! {
    /// Whether the platform encrypts a variable's value (the API description's `type`).
    EnvKind {
        /// Plain text; the platform's default, and omitted when a spec is read back.
        General = "GENERAL",
        /// Encrypted on first submission and read back as `EV[…]` ever after.
        Secret = "SECRET",
    }
}

/// One environment variable.
#[derive(Clone, PartialEq, Eq)]
pub struct Env {
    raw: Map<String, Value>,
}

impl Env {
    /// Makes a plain variable.
    pub fn general(key: impl Into<String>, value: impl Into<String>, scope: &EnvScope) -> Self {
        let mut raw = Map::new();
        raw.insert("key".to_owned(), Value::String(key.into()));
        raw.insert("scope".to_owned(), Value::String(scope.as_str().to_owned()));
        raw.insert("value".to_owned(), Value::String(value.into()));
        Self { raw }
    }

    /// Makes a secret variable; the platform encrypts the value when it receives it.
    pub fn secret(key: impl Into<String>, value: impl Into<String>, scope: &EnvScope) -> Self {
        let mut env = Self::general(key, value, scope);
        env.raw.insert(
            "type".to_owned(),
            Value::String(EnvKind::Secret.as_str().to_owned()),
        );
        env
    }

    /// Wraps a variable as it stands in a spec; `None` when it has no key.
    #[must_use]
    pub fn from_raw(raw: Map<String, Value>) -> Option<Self> {
        read::text(&raw, "key").is_some().then_some(Self { raw })
    }

    /// Returns the variable's name.
    #[must_use]
    pub fn key(&self) -> &str {
        read::text(&self.raw, "key").unwrap_or_default()
    }

    /// Returns the value; `None` when it is absent or not a text. Handle it as a secret.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.raw.get("value").and_then(Value::as_str)
    }

    /// Returns when the variable is set; absent or `UNSET` is the platform's default.
    #[must_use]
    pub fn scope(&self) -> EnvScope {
        match read::text(&self.raw, "scope") {
            None | Some("UNSET") => EnvScope::RunAndBuildTime,
            Some(word) => EnvScope::from_word(word),
        }
    }

    /// Returns whether the platform encrypts the value; absent is plain.
    #[must_use]
    pub fn kind(&self) -> EnvKind {
        read::text(&self.raw, "type").map_or(EnvKind::General, EnvKind::from_word)
    }

    /// Tells whether the value is text that the platform encrypted (`EV[…]`).
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.value()
            .is_some_and(|value| value.starts_with(ENCRYPTED_PREFIX))
    }

    /// Tells whether sending this variable back would wipe the secret it stands for: the platform takes
    /// a missing or empty value of a secret as a new, empty value (observed by several users).
    #[must_use]
    pub fn wipes_its_secret(&self) -> bool {
        self.kind() == EnvKind::Secret && self.value().unwrap_or_default().is_empty()
    }

    /// Returns the variable as it stands in the spec.
    #[must_use]
    pub fn raw(&self) -> &Map<String, Value> {
        &self.raw
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env")
            .field("key", &self.key())
            .field("scope", &self.scope())
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}
