//! The inputs of an action: `INPUT_*` variables.
//!
//! The runner sets every declared input, those without a value as an empty text, so empty means
//! absent. Names keep their hyphens and are upper-cased; spaces become underscores. Which inputs
//! exist and what they mean is the program's business.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;

/// An input that cannot be what it should be. Never holds the value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// A flag that is neither `true` nor `false`.
    #[error("the input `{name}` must be `true` or `false`")]
    NotABoolean {
        /// The input's name, as in `action.yml`.
        name: String,
    },
}

/// The inputs, by name.
#[derive(Clone, Default)]
pub struct Inputs(BTreeMap<String, SecretString>);

const PREFIX: &str = "INPUT_";

impl Inputs {
    /// Picks the inputs out of all environment variables.
    pub fn from_vars<V>(vars: V) -> Self
    where
        V: IntoIterator<Item = (String, String)>,
    {
        Self(
            vars.into_iter()
                .filter_map(|(name, value)| {
                    let name = name.strip_prefix(PREFIX)?.to_owned();
                    let value = value.trim();
                    // Any input may turn out to be the token, so none is kept in the clear.
                    (!value.is_empty()).then(|| (name, SecretString::from(value.to_owned())))
                })
                .collect(),
        )
    }

    /// Returns an input as it is named in `action.yml` (`database-cluster`), without white space
    /// around it; `None` when it is absent or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        use secrecy::ExposeSecret as _;
        Some(self.0.get(&variable(name))?.expose_secret())
    }

    /// Returns an input that is a secret.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.0.get(&variable(name)).cloned()
    }

    /// Returns a flag: exactly `true` or `false`.
    ///
    /// # Errors
    ///
    /// [`InputError::NotABoolean`] for anything else; a misspelt flag must not mean "no".
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, InputError> {
        match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(InputError::NotABoolean {
                name: name.to_owned(),
            }),
        }
    }

    /// Returns the lines of an input that hold something, each without white space around it.
    #[must_use]
    pub fn lines(&self, name: &str) -> Vec<&str> {
        self.get(name)
            .unwrap_or_default()
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect()
    }

    /// Returns the names of the inputs that were given, in lower case as `action.yml` has them.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.0.keys().map(|name| name.to_lowercase())
    }
}

fn variable(name: &str) -> String {
    name.replace(' ', "_").to_uppercase()
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inputs")
            .field(&self.0.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(vars: &[(&str, &str)]) -> Inputs {
        Inputs::from_vars(
            vars.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn hyphens_stay_and_empty_means_absent() {
        let inputs = inputs(&[
            ("INPUT_DATABASE-CLUSTER", " db-1 "),
            ("INPUT_DATABASE_CLUSTER", "wrong"),
            ("INPUT_APP", ""),
            ("INPUT_REASON", " \n"),
            ("APP", "not an input"),
        ]);
        assert_eq!(inputs.get("database-cluster"), Some("db-1"));
        assert_eq!(inputs.get("app"), None);
        assert_eq!(inputs.get("reason"), None);
        assert_eq!(
            inputs.names().collect::<Vec<_>>(),
            ["database-cluster", "database_cluster"]
        );
    }

    #[test]
    fn a_flag_is_spelt_exactly() {
        let inputs = inputs(&[
            ("INPUT_A", "true"),
            ("INPUT_B", "false"),
            ("INPUT_C", "yes"),
        ]);
        assert_eq!(inputs.boolean("a"), Ok(Some(true)));
        assert_eq!(inputs.boolean("b"), Ok(Some(false)));
        assert_eq!(inputs.boolean("d"), Ok(None));
        assert_eq!(
            inputs.boolean("c").unwrap_err().to_string(),
            "the input `c` must be `true` or `false`"
        );
    }

    #[test]
    fn a_list_is_one_item_a_line() {
        let inputs = inputs(&[("INPUT_KEEP-RULE", "\n ip_addr:1.2.3.4 \n\n tag:x\n")]);
        assert_eq!(inputs.lines("keep-rule"), ["ip_addr:1.2.3.4", "tag:x"]);
        assert!(inputs.lines("other").is_empty());
    }

    #[test]
    fn debug_shows_names_and_no_values() {
        let inputs = inputs(&[("INPUT_TOKEN", "dop_v1_canary")]);
        let shown = format!("{inputs:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("canary"));
    }
}
