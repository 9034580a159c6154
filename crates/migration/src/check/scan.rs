//! The scanner: what stands in a command beside plain words.

use super::Syntax;
use std::collections::BTreeSet;

/// Returns what stands in `command` beside plain words, as a POSIX shell would read it.
#[must_use]
pub fn syntax(command: &str) -> BTreeSet<Syntax> {
    let mut scan = Scan {
        chars: command.trim().chars().collect(),
        at: 0,
        found: BTreeSet::new(),
        inside: Vec::new(),
        here_documents: Vec::new(),
    };
    scan.run();
    scan.found
}

/// What the scanner is inside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// `"…"`
    Quotes,
    /// `$(…)`
    Substitution,
    /// `` `…` ``
    Backticks,
    /// `(…)`
    Subshell,
    /// `${…}`
    Braces,
    /// `$((…))`
    Arithmetic,
}

struct Scan {
    chars: Vec<char>,
    at: usize,
    found: BTreeSet<Syntax>,
    inside: Vec<Inside>,
    /// Here-documents whose text begins after the next line break: the word that ends each, and whether tabs before
    /// it are dropped.
    here_documents: Vec<(String, bool)>,
}

impl Scan {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn before(&self) -> Option<char> {
        self.at
            .checked_sub(1)
            .and_then(|at| self.chars.get(at).copied())
    }

    fn run(&mut self) {
        if self.begins_with_assignment() {
            self.found.insert(Syntax::Assignment);
        }
        while let Some(c) = self.peek(0) {
            match self.inside.last() {
                Some(Inside::Quotes) => self.quoted(c),
                Some(Inside::Braces) => self.braced(c),
                Some(Inside::Arithmetic) => self.arithmetic(c),
                Some(Inside::Substitution | Inside::Backticks | Inside::Subshell) | None => {
                    self.plain(c)
                }
            }
        }
        if !self.inside.is_empty() || !self.here_documents.is_empty() {
            self.found.insert(Syntax::Unterminated);
        }
    }

    fn begins_with_assignment(&self) -> bool {
        let name: String = self
            .chars
            .iter()
            .take_while(|c| c.is_ascii_alphanumeric() || **c == '_')
            .collect();
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && self.chars.get(name.len()) == Some(&'=')
    }

    /// A character where commands stand.
    fn plain(&mut self, c: char) {
        let next = self.peek(1);
        match c {
            '\\' => self.at += 2,
            '\'' => self.single_quotes(),
            '"' => self.enter(Inside::Quotes, 1),
            '`' => self.backtick(),
            '$' => self.dollar(),
            '#' if self
                .before()
                .is_none_or(|before| before.is_whitespace() || ";&|(".contains(before)) =>
            {
                self.comment()
            }
            '(' => {
                self.found.insert(Syntax::Subshell);
                self.enter(Inside::Subshell, 1);
            }
            ')' => self.close_bracket(),
            '<' if next == Some('<') => self.here_document(),
            // After `>` and `<` a `&` copies a descriptor and a `|` overwrites a file.
            '<' | '>' => {
                self.found.insert(Syntax::Redirection);
                self.at += if matches!(next, Some('&' | '|' | '>')) {
                    2
                } else {
                    1
                };
            }
            '&' if next == Some('&') => self.operator(Syntax::And, 2),
            '|' if next == Some('|') => self.operator(Syntax::Or, 2),
            '&' => self.operator(Syntax::Background, 1),
            '|' => self.operator(Syntax::Pipe, 1),
            ';' => self.operator(Syntax::Semicolon, 1),
            '\n' => self.line_break(),
            '*' | '?' => self.operator(Syntax::Pattern, 1),
            '~' if self.before().is_none_or(char::is_whitespace) => {
                self.operator(Syntax::Pattern, 1)
            }
            _ => self.at += 1,
        }
    }

    fn quoted(&mut self, c: char) {
        match c {
            '\\' => self.at += 2,
            '"' => self.leave(1),
            '`' => self.backtick(),
            '$' => self.dollar(),
            _ => self.at += 1,
        }
    }

    fn braced(&mut self, c: char) {
        match c {
            '\\' => self.at += 2,
            '}' => self.leave(1),
            '\'' => self.single_quotes(),
            '"' => self.enter(Inside::Quotes, 1),
            '`' => self.backtick(),
            '$' => self.dollar(),
            _ => self.at += 1,
        }
    }

    fn arithmetic(&mut self, c: char) {
        match c {
            ')' if self.peek(1) == Some(')') => self.leave(2),
            '$' => self.dollar(),
            _ => self.at += 1,
        }
    }

    fn operator(&mut self, syntax: Syntax, length: usize) {
        self.found.insert(syntax);
        self.at += length;
    }

    fn enter(&mut self, inside: Inside, length: usize) {
        self.inside.push(inside);
        self.at += length;
    }

    fn leave(&mut self, length: usize) {
        self.inside.pop();
        self.at += length;
    }

    fn dollar(&mut self) {
        match (self.peek(1), self.peek(2)) {
            (Some('('), Some('(')) => self.enter(Inside::Arithmetic, 3),
            (Some('('), _) => self.enter(Inside::Substitution, 2),
            (Some('{'), _) => self.enter(Inside::Braces, 2),
            (Some(c), _) if c.is_ascii_alphanumeric() || "_@*#?$!-".contains(c) => self.at += 2,
            (_, _) => {
                // A lone dollar is text.
                self.at += 1;
                return;
            }
        }
        self.found.insert(Syntax::Expansion);
    }

    fn backtick(&mut self) {
        self.found.insert(Syntax::Expansion);
        if self.inside.contains(&Inside::Backticks) {
            // What is still open inside them ends with them, and is open for good.
            while let Some(inside) = self.inside.pop() {
                match inside {
                    Inside::Backticks => break,
                    Inside::Quotes
                    | Inside::Substitution
                    | Inside::Subshell
                    | Inside::Braces
                    | Inside::Arithmetic => {
                        self.found.insert(Syntax::Unterminated);
                    }
                }
            }
            self.at += 1;
        } else {
            self.enter(Inside::Backticks, 1);
        }
    }

    fn close_bracket(&mut self) {
        match self.inside.last() {
            Some(Inside::Substitution | Inside::Subshell) => self.leave(1),
            // The bracket after a pattern of a `case`.
            Some(Inside::Quotes | Inside::Backticks | Inside::Braces | Inside::Arithmetic)
            | None => self.at += 1,
        }
    }

    fn single_quotes(&mut self) {
        self.at += 1;
        while let Some(c) = self.peek(0) {
            self.at += 1;
            if c == '\'' {
                return;
            }
        }
        self.found.insert(Syntax::Unterminated);
    }

    fn comment(&mut self) {
        self.found.insert(Syntax::Comment);
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.at += 1;
        }
    }

    fn line_break(&mut self) {
        self.at += 1;
        for (end, tabs) in std::mem::take(&mut self.here_documents) {
            if !self.skip_here_document(&end, tabs) {
                self.found.insert(Syntax::Unterminated);
            }
        }
        let rest = self.chars.get(self.at..).unwrap_or_default();
        if rest.iter().any(|c| !c.is_whitespace()) {
            self.found.insert(Syntax::Newline);
        }
    }

    fn here_document(&mut self) {
        self.found.insert(Syntax::Redirection);
        self.at += 2;
        if self.peek(0) == Some('<') {
            // A here-string, which is bash's; what follows is a word, as behind any `<`.
            return;
        }
        let tabs = self.peek(0) == Some('-');
        self.at += usize::from(tabs);
        while self.peek(0).is_some_and(|c| c == ' ' || c == '\t') {
            self.at += 1;
        }
        let mut end = String::new();
        let mut quote = None;
        while let Some(c) = self.peek(0) {
            match quote {
                Some(open) if c == open => quote = None,
                Some(_) => end.push(c),
                None if c == '\'' || c == '"' => quote = Some(c),
                None if c.is_whitespace() || ";&|()<>".contains(c) => break,
                None if c == '\\' => {}
                None => end.push(c),
            }
            self.at += 1;
        }
        self.here_documents.push((end, tabs));
    }

    /// Skips lines until the one that ends the document; false when there is none.
    fn skip_here_document(&mut self, end: &str, tabs: bool) -> bool {
        while self.at < self.chars.len() {
            let line: String = self
                .chars
                .iter()
                .skip(self.at)
                .take_while(|c| **c != '\n')
                .collect();
            self.at += line.chars().count() + 1;
            let text = if tabs {
                line.trim_start_matches('\t')
            } else {
                &line
            };
            if text == end {
                return true;
            }
        }
        false
    }
}
