//! What the Actions runner makes of its input, written from the description of its parser, never from our writer: lines
//! end at CR, LF or CRLF; `::name props::message` is a command at the beginning of a line after white space;
//! `##[name props]message` is one anywhere in a line.
//!
//! Judges our writer in this crate's tests and, by path, in the test hall's; it is part of no library. It obeys more
//! than the runner does (any name is a command), so that what passes here is harmless there.

pub(crate) fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                lines.push(std::mem::take(&mut line));
            }
            '\n' => lines.push(std::mem::take(&mut line)),
            other => line.push(other),
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

pub(crate) fn command(line: &str) -> Option<String> {
    // Comparisons by the language's rules pass over characters that take no room.
    let seen: String = line.chars().filter(|c| !ignorable(*c)).collect();
    v2(&seen).or_else(|| v1(&seen))
}

fn v2(line: &str) -> Option<String> {
    let rest = line.trim_start().strip_prefix("::")?;
    let (head, _message) = rest.split_once("::")?;
    Some(head.split(' ').next().unwrap_or_default().to_owned())
}

fn v1(line: &str) -> Option<String> {
    let (_before, rest) = line.split_once("##[")?;
    let (head, _message) = rest.split_once(']')?;
    Some(head.split(' ').next().unwrap_or_default().to_owned())
}

fn ignorable(c: char) -> bool {
    c == '\0'
        || matches!(u32::from(c),
            0xad | 0x34f | 0x61c | 0x180b..=0x180e | 0x200b..=0x200f | 0x202a..=0x202e
            | 0x2060..=0x206f | 0xfe00..=0xfe0f | 0xfeff | 0xe0000..=0xe007f)
        || (c.is_control() && !c.is_whitespace())
}

/// The names of the commands that the runner obeys, `stop-commands` honoured.
pub(crate) fn obeyed(text: &str) -> Vec<String> {
    let mut obeyed = Vec::new();
    let mut stopped: Option<String> = None;
    for line in lines(text) {
        match (&stopped, command(&line)) {
            (Some(token), Some(name)) if name == *token => stopped = None,
            (Some(_), _) | (None, None) => {}
            (None, Some(name)) => {
                if name == "stop-commands" {
                    stopped = line.rsplit("::").next().map(str::to_owned);
                }
                obeyed.push(name);
            }
        }
    }
    obeyed
}
