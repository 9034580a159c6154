//! How the story is told to a person: chapters, the simulated clock, comments as they look.

use super::stage::Stage;
use super::world::REPO;
use crate::host::Stream;
use sim::World;
use std::io::Write as _;
use std::time::Duration;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Everything.
    Full,
    /// Only the end.
    Quiet,
}

/// What a frame shows of the parts that GitHub folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Details {
    /// Their titles, as a reader sees them at first.
    Folded,
    /// All of them.
    Open,
}

/// Tells the story to a stream.
pub struct Teller {
    out: Stream,
    detail: Detail,
}

/// How wide a line becomes.
const WIDTH: usize = 110;

/// How often a comment is looked at, in simulated time: twice as often as it changes.
const LOOK: Duration = Duration::from_secs(5);

impl Teller {
    /// Returns a teller.
    #[must_use]
    pub fn new(out: Stream, detail: Detail) -> Self {
        Self { out, detail }
    }

    /// Opens a chapter.
    pub(super) fn chapter(&self, title: &str) {
        self.put(&format!("\n━━ {title}\n"));
    }

    /// Tells what somebody does, with the simulated time.
    pub(super) fn act(&self, world: &World, text: &str) {
        let time = world.now().strftime("%H:%M:%S");
        let mut lines = wrapped(text, WIDTH - 10).into_iter();
        self.put(&format!("{time}  {}\n", lines.next().unwrap_or_default()));
        lines.for_each(|line| self.put(&format!("          {line}\n")));
    }

    /// Shows a comment or a summary in a frame.
    pub(super) fn frame(&self, title: &str, markdown: &str, details: Details) {
        self.put(&format!("          ┌ {title}\n"));
        for line in readable(markdown, details) {
            let room = WIDTH - 12;
            let lines = if line.starts_with("    ") {
                vec![cut(&line, room)]
            } else {
                wrapped(&line, room)
            };
            for line in lines {
                let line = format!("          │ {line}");
                self.put(&format!("{}\n", line.trim_end()));
            }
        }
        self.put("          └\n");
    }

    /// Tells something in any case.
    pub(super) fn say(&self, text: &str) {
        let mut out = self.out.clone();
        if out
            .write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            tracing::debug!("nobody listens any more");
        }
    }

    /// Follows the comment on a pull request for ever and tells each change in one line.
    pub(super) async fn follow(&self, stage: &Stage, number: u64) {
        let mut last = String::new();
        loop {
            stage.pass(LOOK).await;
            let Some(body) = comment(&stage.world, number) else {
                continue;
            };
            let news = gist(&body);
            if news != last && !last.is_empty() {
                self.act(
                    &stage.world,
                    &format!("  #{number}: {}", stage.shown(&news)),
                );
            }
            last = news;
        }
    }

    fn put(&self, text: &str) {
        if self.detail == Detail::Full {
            self.say(text);
        }
    }
}

/// Returns Harbor Pilot's newest comment on a pull request.
pub(super) fn comment(world: &World, number: u64) -> Option<String> {
    world.github(|github, _| {
        let comments = github.comments(REPO, number);
        comments
            .iter()
            .rev()
            .find(|comment| comment.user.ends_with("[bot]"))
            .map(|comment| comment.body.clone())
    })
}

/// Returns what goes on now by a comment, or its headline once it is over.
fn gist(body: &str) -> String {
    let lines = readable(body, Details::Folded);
    let starting = |start: &str| lines.iter().find_map(|line| line.strip_prefix(start));
    starting("Now: ")
        .or_else(|| starting("### "))
        .unwrap_or_default()
        .to_owned()
}

/// Returns Markdown as lines that a terminal can show: links by their text, no escapes, no tags, no markers. Lines of
/// code begin with four spaces.
fn readable(markdown: &str, details: Details) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let (mut code, mut folded) = (false, false);
    for line in markdown.lines() {
        if line == "</details>" {
            folded = false;
            continue;
        }
        if folded {
            continue;
        }
        if line.starts_with("```") {
            code = !code;
            continue;
        }
        let is_rule =
            line.starts_with('|') && line.chars().all(|letter| matches!(letter, '|' | '-' | ' '));
        let line = match line.strip_prefix("<details><summary>") {
            Some(title) => {
                folded = details == Details::Folded;
                let (mark, end) = if folded {
                    ("▸", "  (folded)")
                } else {
                    ("▾", "")
                };
                format!(
                    "{mark} {}{end}",
                    plain(title.trim_end_matches("</summary>"))
                )
            }
            None if code => format!("    {}", log_line(line)),
            None if is_rule || line.starts_with("<!--") => continue,
            None => plain(line),
        };
        let repeated = line.is_empty() && lines.last().is_none_or(String::is_empty);
        if !repeated {
            lines.push(line);
        }
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// Returns a line of a job's log with only the time of day in front of it; any other line as it is.
fn log_line(line: &str) -> String {
    let mut parts = line.splitn(3, ' ');
    let found = (parts.next(), parts.next(), parts.next().unwrap_or_default());
    match found {
        (Some(job), Some(at), text) if job.starts_with("migrate-") && at.ends_with('Z') => {
            let time = at.get(11..19).unwrap_or(at);
            format!("{time} {text}")
        }
        (Some(_) | None, Some(_) | None, _) => line.to_owned(),
    }
}

/// Returns a line of Markdown without escapes, stress and addresses. Code between backticks stays as it is.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    let mut code = false;
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        let escaped = after
            .chars()
            .next()
            .filter(|next| first == '\\' && next.is_ascii_punctuation());
        let (shown, next) = match (code, escaped) {
            (_, _) if first == '`' => {
                code = !code;
                (Some('`'), after)
            }
            (false, Some(escaped)) => (Some(escaped), after.get(1..).unwrap_or_default()),
            (false, None) if rest.starts_with("**") => (None, after.get(1..).unwrap_or_default()),
            (false, None) if rest.starts_with("](<") => (
                None,
                after.split_once(">)").map_or("", |(_, behind)| behind),
            ),
            (false, None) if first == '[' && rest.contains("](<") => (None, after),
            (true | false, _) => (Some(first), after),
        };
        text.extend(shown);
        rest = next;
    }
    text
}

/// Returns a line of code, shortened to `width` characters.
fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let kept = line.chars().take(width.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// Breaks a line at spaces; what follows is indented like it.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let indent = if line.starts_with("- ") { "  " } else { "" };
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let Some(last) = lines.last_mut() else {
            continue;
        };
        let empty = last.trim().is_empty();
        if !empty && last.chars().count() + 1 + word.chars().count() > width {
            lines.push(format!("{indent}{word}"));
        } else {
            let space = if last.is_empty() { "" } else { " " };
            last.push_str(space);
            last.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_shown_as_it_reads() {
        let markdown = "<!-- harbor-pilot v1 key=k3f9q2x7 -->\n### ❌ Migration `ter-235` failed\n\n\nNow: all good\\, \\(really\\)\\.\n\n\
                        | Step | State |\n|---|---|\n| `a_b` | **done** |\n\n```\nraw \\( text\n```\n\n\
                        [Run](<https://x.example/1>) · [`aa`](<https://x.example/2>)\n<details><summary>Timeline (UTC)</summary>\n\n- x\n\n</details>\n";
        insta::assert_snapshot!(readable(markdown, Details::Folded).join("\n"), @r"
        ### ❌ Migration `ter-235` failed

        Now: all good, (really).

        | Step | State |
        | `a_b` | done |

            raw \( text

        Run · `aa`
        ▸ Timeline (UTC)  (folded)
        ");
        assert!(
            readable(markdown, Details::Open)
                .ends_with(&["▾ Timeline (UTC)", "", "- x"].map(str::to_owned))
        );
        assert_eq!(gist(markdown), "all good, (really).");
    }

    #[test]
    fn a_long_line_is_broken_and_indented() {
        assert_eq!(
            wrapped("- one two three four", 10),
            ["- one two", "  three", "  four"]
        );
        assert_eq!(wrapped("", 10), [""]);
        assert_eq!(cut("SELECT 1;", 8), "SELECT …");
    }

    #[test]
    fn a_line_of_a_log_keeps_the_time_of_day() {
        let line =
            "migrate-517m8cxk-e0 2026-02-18T01:01:43.423530445Z sql: no such column: poi.deletedAt";
        assert_eq!(
            log_line(line),
            "01:01:43 sql: no such column: poi.deletedAt"
        );
        assert_eq!(log_line("+  kind: POST_DEPLOY"), "+  kind: POST_DEPLOY");
    }
}
