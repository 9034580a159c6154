//! Text that is fit to be shown: secrets replaced, control characters gone.
//!
//! [`Clean`] is the only text that events and reporters accept for anything that came from outside. Escaping for a
//! sink (Markdown, HTML, the runner's commands, a terminal) is the sink's own work and comes after.

use std::fmt;

/// Text from outside with every known secret and every secret-shaped token replaced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Clean(String);

impl Clean {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
