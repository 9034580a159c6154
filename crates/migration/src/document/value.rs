//! One value of a file: where it stands, and what it means.

use super::{FileError, Place, Problem, Source, in_words, place_of, shortened};
use crate::NameError;
use app_spec::ComponentName;
use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, Visitor};
use serde_saphyr::Spanned;
use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A value with the place it stands at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) place: Option<Place>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(deserializer)?;
        Ok(Self {
            value: spanned.value,
            place: place_of(spanned.referenced),
        })
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}

/// A value that must be text in YAML too: `true`, `12` and the like must be quoted, so that no reader takes them for
/// something else. What is no text is kept until its place is known, and refused by [`Value`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    Is(String),
    IsNot(NotText),
}

/// What stands where text should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotText {
    /// A number or a truth value, as YAML reads it.
    Scalar(String),
    /// A list.
    List,
    /// Keys with values.
    Map,
    /// Nothing.
    Nothing,
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(value) => write!(
                f,
                "`{value}`, which YAML takes for a number or a truth value"
            ),
            Self::List => f.write_str("a list"),
            Self::Map => f.write_str("keys with values"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl TextVisitor {
    fn scalar<E>(value: impl fmt::Display) -> Result<Text, E> {
        Ok(Text::IsNot(NotText::Scalar(shortened(&value.to_string()))))
    }
}

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text::Is(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Text, E> {
        Self::scalar(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Text, E> {
        Self::scalar(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Text, E> {
        Self::scalar(value)
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Text, E> {
        Self::scalar(value)
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Text, E> {
        Self::scalar(value)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Text, E> {
        Self::scalar(value)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Text, E> {
        Ok(Text::IsNot(NotText::Nothing))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Text, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text::IsNot(NotText::List))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text::IsNot(NotText::Map))
    }
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "minLength": 1 })
    }
}

/// Text with its place.
pub(crate) type LocatedText = Located<Text>;

/// One value that is being understood: where it stands, under which key, and what it is.
pub(crate) struct Value<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) key: &'static str,
    pub(crate) text: &'a LocatedText,
}

impl Value<'_> {
    /// Returns the value as it stands.
    pub(crate) fn str(&self) -> Result<&str, FileError> {
        match &self.text.value {
            Text::Is(text) => Ok(text),
            Text::IsNot(found) => Err(self.source.error(
                self.text.place,
                Problem::NotText {
                    key: self.key,
                    found: found.clone(),
                },
            )),
        }
    }

    /// Returns the error that the value can't be taken.
    pub(crate) fn bad(&self, what: impl Into<String>) -> FileError {
        self.source.error(
            self.text.place,
            Problem::BadValue {
                key: self.key,
                what: what.into(),
            },
        )
    }

    /// Returns the value as text that is not blank.
    pub(crate) fn plain(&self) -> Result<String, FileError> {
        let text = self.str()?;
        if text.trim().is_empty() {
            Err(self.bad("it is empty"))
        } else if text.contains('\0') {
            Err(self.bad("it holds a NUL character"))
        } else {
            Ok(text.to_owned())
        }
    }

    /// Returns the value as one of a list of words.
    pub(crate) fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Result<T, FileError> {
        self.word_like(words, |word, found| word == found)
    }

    /// Returns the value as one of a list of words, whatever its case.
    pub(crate) fn word_in_any_case<T: Copy>(
        &self,
        words: &[(&'static str, T)],
    ) -> Result<T, FileError> {
        self.word_like(words, str::eq_ignore_ascii_case)
    }

    fn word_like<T: Copy>(
        &self,
        words: &[(&'static str, T)],
        same: impl Fn(&str, &str) -> bool,
    ) -> Result<T, FileError> {
        let text = self.str()?;
        words
            .iter()
            .find(|(word, _)| same(word, text))
            .map(|(_, meaning)| *meaning)
            .ok_or_else(|| {
                let found = shortened(text);
                let known = words.iter().map(|(word, _)| *word).collect();
                self.source.error(
                    self.text.place,
                    Problem::UnknownWord {
                        key: self.key,
                        found,
                        known,
                    },
                )
            })
    }

    /// Returns the value as a span of time within `range`.
    pub(crate) fn span(&self, range: RangeInclusive<Duration>) -> Result<Duration, FileError> {
        let text = self.str()?;
        let shown = shortened(text);
        let span = text
            .parse::<SignedDuration>()
            .ok()
            .and_then(|span| Duration::try_from(span).ok())
            .ok_or_else(|| {
                self.bad(format!(
                    "`{shown}` is not a span of time such as `30m` or `1h 30m`"
                ))
            })?;
        if range.contains(&span) {
            Ok(span)
        } else {
            let (least, most) = (in_words(*range.start()), in_words(*range.end()));
            Err(self.bad(format!("`{shown}` is not between {least} and {most}")))
        }
    }

    /// Returns the value as a name that `parse` accepts.
    pub(crate) fn name<T>(
        &self,
        parse: impl Fn(&str) -> Result<T, NameError>,
    ) -> Result<T, FileError> {
        parse(self.str()?).map_err(|error| self.bad(error.to_string()))
    }

    /// Returns the value as the name of a component.
    pub(crate) fn component(&self) -> Result<ComponentName, FileError> {
        ComponentName::parse(self.str()?).map_err(|error| self.bad(error.to_string()))
    }

    /// Returns the value as the name of an environment variable that a user may name.
    pub(crate) fn variable(&self) -> Result<String, FileError> {
        let name = self.str()?;
        let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        if !name.starts_with(letter) || !name.chars().all(|c| letter(c) || c.is_ascii_digit()) {
            Err(self.bad(format!(
                "`{}` is not the name of an environment variable",
                shortened(name)
            )))
        } else if name.starts_with(OWN_VARIABLES) {
            Err(self.bad(format!(
                "names that begin with `{OWN_VARIABLES}` are for the job's own use"
            )))
        } else {
            Ok(name.to_owned())
        }
    }
}

/// What the names of the variables that the job itself needs begin with.
const OWN_VARIABLES: &str = "HARBOR_PILOT_";
