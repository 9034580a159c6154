//! Secrets: plain text in, `EV[1:…:…]` out, and back again for the processes.

use crate::ids::hex_of;
use crate::knobs::EvInNewComponent;
use crate::spec::each_env_list;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What every encrypted value begins with.
const PREFIX: &str = "EV[";

/// Every encrypted value that was ever handed out, with the app it belongs to and its plain text.
#[derive(Default)]
pub(crate) struct Vault {
    sealed: BTreeMap<String, Sealed>,
    /// Encrypted values and the components that cannot decrypt them.
    unreadable: BTreeSet<(String, Option<String>)>,
    count: usize,
}

#[derive(Clone)]
struct Sealed {
    app: String,
    plain: String,
}

impl Vault {
    /// Encrypts a value for an app. The text differs each time and does not hold the plain text.
    fn seal(&mut self, app: &str, plain: &str) -> String {
        self.count += 1;
        let nonce = hex_of(&format!("nonce/{app}/{}", self.count), 24);
        let mut cipher = Vec::with_capacity(plain.len() + 16);
        for (block, bytes) in plain.as_bytes().chunks(32).enumerate() {
            let stream = Sha256::digest(format!("{nonce}/{block}"));
            cipher.extend(bytes.iter().zip(stream).map(|(byte, key)| byte ^ key));
        }
        cipher.extend(Sha256::digest(format!("{nonce}/tag")).iter().take(16));
        let text = format!(
            "EV[1:{}:{}]",
            STANDARD.encode(nonce),
            STANDARD.encode(cipher)
        );
        self.accept(app, &text, plain);
        text
    }

    /// Makes a given encrypted text known, as a world file may hold one.
    pub(crate) fn accept(&mut self, app: &str, text: &str, plain: &str) {
        let sealed = Sealed {
            app: app.to_owned(),
            plain: plain.to_owned(),
        };
        self.sealed.insert(text.to_owned(), sealed);
    }

    /// Returns what the process of a component sees for a stored value; no component stands for the app's own list.
    pub(crate) fn open<'a>(&'a self, component: Option<&str>, value: &'a str) -> &'a str {
        let place = (value.to_owned(), component.map(str::to_owned));
        match self.sealed.get(value) {
            Some(sealed) if !self.unreadable.contains(&place) => &sealed.plain,
            _ => value,
        }
    }

    /// Encrypts the new secrets of a submitted spec, checks the ones sent back, wipes the empty ones.
    ///
    /// # Errors
    /// The platform's message when an encrypted value is not this app's, or stands in a component it did not come from
    /// while the knob forbids that.
    pub(crate) fn seal_spec(
        &mut self,
        app: &str,
        spec: &mut Value,
        before: Option<&Value>,
        elsewhere: EvInNewComponent,
    ) -> Result<(), String> {
        let known_places = before.map(places).unwrap_or_default();
        each_env_list(spec, |component, envs| {
            for (at, env) in envs.iter_mut().enumerate() {
                if env.get("type").and_then(Value::as_str) != Some("SECRET") {
                    continue;
                }
                let value = env
                    .get("value")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                let Some(fields) = env.as_object_mut() else {
                    continue;
                };
                if value.is_empty() {
                    fields.shift_remove("value");
                    continue;
                }
                if !value.starts_with(PREFIX) {
                    fields.insert("value".to_owned(), json!(self.seal(app, &value)));
                    continue;
                }
                let refusal = |what: &str| {
                    Err(format!(
                        "error validating app spec field \"envs.{at}.value\": {what}"
                    ))
                };
                if self
                    .sealed
                    .get(&value)
                    .is_none_or(|sealed| sealed.app != app)
                {
                    return refusal("secret env value could not be decrypted");
                }
                // A text that this app was given but that its last spec did not hold can come from a re-encrypting
                // read; it is at home everywhere.
                let moved = known_places.iter().any(|(_, text)| *text == value)
                    && !known_places.contains(&(component.map(str::to_owned), value.clone()));
                match elsewhere {
                    EvInNewComponent::Accepted => {}
                    EvInNewComponent::Rejected if moved => {
                        return refusal("secret env value belongs to another component");
                    }
                    EvInNewComponent::Undecryptable if moved => {
                        self.unreadable
                            .insert((value, component.map(str::to_owned)));
                    }
                    EvInNewComponent::Rejected | EvInNewComponent::Undecryptable => {}
                }
            }
            Ok(())
        })
    }

    /// Returns the spec with every secret encrypted anew.
    pub(crate) fn reseal(&mut self, app: &str, spec: &Value) -> Value {
        let mut spec = spec.clone();
        let outcome = each_env_list(&mut spec, |_, envs| {
            for env in envs {
                let value = env.get("value").and_then(Value::as_str).unwrap_or_default();
                if let Some(sealed) = self.sealed.get(value).cloned() {
                    env["value"] = json!(self.seal(app, &sealed.plain));
                }
            }
            Ok::<(), std::convert::Infallible>(())
        });
        let Ok(()) = outcome;
        spec
    }
}

/// Returns where each encrypted value of a spec stands.
fn places(spec: &Value) -> Vec<(Option<String>, String)> {
    let mut found = Vec::new();
    let outcome = each_env_list(&mut spec.clone(), |component, envs| {
        let values = envs
            .iter()
            .filter_map(|env| env.get("value").and_then(Value::as_str));
        found.extend(
            values
                .filter(|value| value.starts_with(PREFIX))
                .map(|value| (component.map(str::to_owned), value.to_owned())),
        );
        Ok::<(), std::convert::Infallible>(())
    });
    let Ok(()) = outcome;
    found
}

/// Returns the path of the first encrypted value, as `propose` without an app names it.
pub(crate) fn first_encrypted(spec: &Value) -> Option<String> {
    each_env_list(&mut spec.clone(), |_, envs| {
        let encrypted = |env: &Value| {
            env.get("value")
                .and_then(Value::as_str)
                .is_some_and(|v| v.starts_with(PREFIX))
        };
        match envs.iter().position(encrypted) {
            Some(at) => Err(format!("envs.{at}.value")),
            None => Ok(()),
        }
    })
    .err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(component: &str, value: &str) -> Value {
        json!({"services": [{"name": component, "envs": [{"key": "K", "type": "SECRET", "value": value}]}]})
    }

    fn value(spec: &Value) -> Option<&str> {
        spec.pointer("/services/0/envs/0/value")
            .and_then(Value::as_str)
    }

    #[test]
    fn a_secret_is_encrypted_once_and_kept_when_sent_back() {
        let mut vault = Vault::default();
        let mut first = spec("web", "planted");
        vault
            .seal_spec("app", &mut first, None, EvInNewComponent::Accepted)
            .unwrap();
        let text = value(&first).unwrap().to_owned();
        assert!(text.starts_with("EV[1:") && !text.contains("planted"));
        let mut again = first.clone();
        vault
            .seal_spec("app", &mut again, Some(&first), EvInNewComponent::Rejected)
            .unwrap();
        assert_eq!(again, first);
        assert_eq!(vault.open(Some("web"), &text), "planted");
        let other = vault.seal_spec(
            "other",
            &mut first.clone(),
            None,
            EvInNewComponent::Accepted,
        );
        assert!(other.unwrap_err().contains("could not be decrypted"));
    }

    #[test]
    fn an_empty_secret_is_wiped() {
        let mut wiped = spec("web", "");
        Vault::default()
            .seal_spec("app", &mut wiped, None, EvInNewComponent::Accepted)
            .unwrap();
        assert_eq!(value(&wiped), None);
    }

    #[test]
    fn a_copy_into_another_component_follows_the_knob() {
        let mut vault = Vault::default();
        let mut first = spec("web", "planted");
        vault
            .seal_spec("app", &mut first, None, EvInNewComponent::Accepted)
            .unwrap();
        let text = value(&first).unwrap().to_owned();
        for knob in [
            EvInNewComponent::Accepted,
            EvInNewComponent::Rejected,
            EvInNewComponent::Undecryptable,
        ] {
            let mut copy = spec("job", &text);
            let outcome = vault.seal_spec("app", &mut copy, Some(&first), knob);
            let seen = outcome.map(|()| vault.open(Some("job"), value(&copy).unwrap()).to_owned());
            match knob {
                EvInNewComponent::Accepted => assert_eq!(seen.as_deref(), Ok("planted")),
                EvInNewComponent::Rejected => assert!(seen.is_err()),
                EvInNewComponent::Undecryptable => assert!(seen.unwrap().starts_with("EV[")),
            }
        }
    }
}
