//! Workflow commands: lines on standard output that the runner obeys.
//!
//! One writer owns standard output ([`Commands`]), because the runner obeys commands in *every*
//! line, also in lines that a migration's job printed. Text of others goes through
//! [`Commands::untrusted`], which has two independent defences:
//!
//! - the text itself is made harmless ([`neutralise`]): split the way the runner splits lines,
//!   freed of control, bidirectional and invisible characters, `##[` broken, each line prefixed;
//! - the runner stops obeying for the length of the block (`::stop-commands::` with a token that
//!   nobody can know beforehand), and is resumed by the same write that stopped it.
//!
//! Not here: secrets are removed from texts before they come here; masks are the second net.
//!
//! Facts of the runner's source: `::name::` is obeyed at the beginning of a line after white
//! space, the older `##[name]` anywhere in a line; a lone carriage return ends a line; some
//! comparisons follow the language's rules, which skip invisible characters.

use std::borrow::Cow;
use std::io::{self, Write};

use super::{FreshToken, fresh};

/// The longest message of an annotation, in characters; the runner cuts what is longer.
pub const ANNOTATION_CHARS: usize = 4096;

/// The shortest line that is masked, in characters. A mask of a shorter one, such as the brace
/// on a line of its own in a JSON key, would blank out that text everywhere.
pub const MASK_CHARS: usize = 6;

/// How an annotation is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Worth knowing.
    Notice,
    /// Something is off and was dealt with.
    Warning,
    /// Somebody must act.
    Error,
}

impl Level {
    fn command(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Where an annotation belongs. All empty, it belongs to the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotation {
    /// Its heading.
    pub title: Option<String>,
    /// A file of the repository.
    pub file: Option<String>,
    /// A line of that file, counted from 1.
    pub line: Option<u64>,
    /// A column of that line, counted from 1.
    pub column: Option<u64>,
}

/// The owner of standard output.
pub struct Commands<W: Write> {
    out: W,
    tokens: FreshToken,
}

impl<W: Write> Commands<W> {
    /// Writes to `out`, which must be the process's only way to its standard output.
    pub fn new(out: W, tokens: FreshToken) -> Self {
        Self { out, tokens }
    }

    /// Asks the runner to mask a value wherever it shows from now on, with its usual encodings.
    ///
    /// A value of several lines is masked line by line, leaving out lines shorter than
    /// [`MASK_CHARS`].
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn mask(&mut self, value: &str) -> io::Result<()> {
        for line in value.split(['\r', '\n']).map(str::trim) {
            if line.chars().count() >= MASK_CHARS {
                self.command("add-mask", &[], line)?;
            }
        }
        self.out.flush()
    }

    /// Begins a foldable group of lines.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn group(&mut self, title: &str) -> io::Result<()> {
        self.command("group", &[], title)
    }

    /// Ends the group.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn end_group(&mut self) -> io::Result<()> {
        self.command("endgroup", &[], "")
    }

    /// Shows an annotation. GitHub keeps ten of each level per step; a message beyond
    /// [`ANNOTATION_CHARS`] is cut.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn annotate(
        &mut self,
        level: Level,
        annotation: &Annotation,
        message: &str,
    ) -> io::Result<()> {
        let Annotation {
            title,
            file,
            line,
            column,
        } = annotation;
        let properties = [
            ("title", title.clone()),
            ("file", file.clone()),
            ("line", line.map(|line| line.to_string())),
            ("col", column.map(|column| column.to_string())),
        ];
        let given: Vec<(&str, &str)> = properties
            .iter()
            .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
            .collect();
        self.command(level.command(), &given, &shortened(message))?;
        self.out.flush()
    }

    /// Writes a line that is only shown when the run was started with debug logging.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn debug(&mut self, message: &str) -> io::Result<()> {
        self.command("debug", &[], message)
    }

    /// Writes lines of our own. They are made harmless as well, since names of others occur in
    /// them, but not prefixed and not fenced off.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        for line in harmless_lines(text) {
            // Without a prefix, a line of commands must not begin with its two colons.
            let guard = if line.trim_start().starts_with("::") {
                "| "
            } else {
                ""
            };
            writeln!(self.out, "{guard}{line}")?;
        }
        self.out.flush()
    }

    /// Writes text of others, harmless and fenced off.
    ///
    /// The block is made before any of it is written, and written at once: whatever goes wrong while it is made, the
    /// runner is never left told to obey nothing.
    ///
    /// # Errors
    ///
    /// Those of the writer and of the source of tokens; without a token nothing is written.
    pub fn untrusted<'a, L>(&mut self, lines: L) -> io::Result<()>
    where
        L: IntoIterator<Item = &'a str>,
    {
        let token = fresh(&mut self.tokens)?;
        let mut block = format!("::stop-commands::{token}\n");
        for line in lines.into_iter().flat_map(neutralise) {
            block.push_str(&line);
            block.push('\n');
        }
        block.push_str(&format!("::{token}::\n"));
        self.out.write_all(block.as_bytes())?;
        self.out.flush()
    }

    fn command(
        &mut self,
        name: &str,
        properties: &[(&str, &str)],
        message: &str,
    ) -> io::Result<()> {
        let mut line = format!("::{name}");
        for (index, (property, value)) in properties.iter().enumerate() {
            line.push(if index == 0 { ' ' } else { ',' });
            line.push_str(property);
            line.push('=');
            line.push_str(&escaped_property(value));
        }
        line.push_str("::");
        line.push_str(&escaped(message));
        writeln!(self.out, "{line}")
    }
}

/// Escapes the message of a command, as the runner undoes it.
fn escaped(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escapes the value of a property, as the runner undoes it.
fn escaped_property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}

fn shortened(message: &str) -> Cow<'_, str> {
    if message.chars().count() <= ANNOTATION_CHARS {
        return Cow::Borrowed(message);
    }
    let mut short: String = message.chars().take(ANNOTATION_CHARS - 1).collect();
    short.push('…');
    Cow::Owned(short)
}

/// The mark of text that is not ours.
const PREFIX: &str = "| ";

/// Makes text of others harmless for the runner and for a terminal, line by line.
///
/// The result never holds a line that the runner obeys, whatever the text; every line begins
/// with `| `.
#[must_use]
pub fn neutralise(text: &str) -> Vec<String> {
    harmless_lines(text)
        .map(|line| format!("{PREFIX}{line}"))
        .collect()
}

/// Splits as the runner does, at CR, LF and CRLF, and cleans each line.
fn harmless_lines(text: &str) -> impl Iterator<Item = String> {
    // `lines` knows LF and CRLF; what is left of the carriage returns stands alone.
    text.lines().flat_map(|line| line.split('\r')).map(|line| {
        let visible: String = without_escapes(line)
            .chars()
            .filter(|c| !is_unwelcome(*c))
            .collect();
        // After the cleaning, which could otherwise put the three characters together.
        visible.replace("##[", "##\\[")
    })
}

/// Drops terminal escape sequences: CSI and its kin up to their final byte, strings (title,
/// link, device control) up to their terminator, and two-character ones.
///
/// Source: ECMA-48, sections 5.3 to 5.6.
fn without_escapes(line: &str) -> Cow<'_, str> {
    if !line.contains([
        '\u{1b}', '\u{9b}', '\u{9d}', '\u{90}', '\u{98}', '\u{9e}', '\u{9f}',
    ]) {
        return Cow::Borrowed(line);
    }
    let mut kept = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        let introducer = match c {
            '\u{1b}' => rest.next(),
            '\u{9b}' => Some('['),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => Some(']'),
            other => {
                kept.push(other);
                continue;
            }
        };
        match introducer {
            Some('[') => {
                // Parameters and intermediates, then one final character. Anything else ends a
                // malformed sequence and is text.
                while rest.next_if(|c| matches!(c, ' '..='?')).is_some() {}
                rest.next_if(|c| matches!(c, '@'..='~'));
            }
            Some(']' | 'P' | 'X' | '^' | '_') => {
                while let Some(c) = rest.next() {
                    match c {
                        '\u{7}' | '\u{9c}' => break,
                        '\u{1b}' => {
                            rest.next_if_eq(&'\\');
                            break;
                        }
                        _ => {}
                    }
                }
            }
            Some(' '..='/') => {
                while rest.next_if(|c| matches!(c, ' '..='/')).is_some() {}
                rest.next();
            }
            Some(_) | None => {}
        }
    }
    Cow::Owned(kept)
}

/// Returns whether a character is dropped: controls (but not the tab), those that turn the
/// direction of text, and those that take no room and are skipped in comparisons.
fn is_unwelcome(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
