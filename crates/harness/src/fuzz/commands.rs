//! Text of others on standard output, where the Actions runner takes lines for commands.

use github::actions::{Annotation, Commands, Level, neutralise};
use migration::Redactor;
use std::io;

/// The runner's parser, the same that judges the `github` crate's own tests.
#[path = "../../../github/src/actions/command_oracle.rs"]
mod runner;

/// No line of foreign text is obeyed, a block of it is left again, and what we say around it is said once.
pub fn commands(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for line in neutralise(&text) {
        assert!(line.starts_with("| "), "{line:?}");
        assert_eq!(runner::lines(&line), [line.as_str()]);
        assert_eq!(runner::command(&line), None, "{line:?}");
    }

    let block = written(|commands| {
        commands.untrusted([&*text])?;
        commands.group("after")
    });
    assert_eq!(
        runner::obeyed(&block),
        ["stop-commands", "group"],
        "{block:?}"
    );

    let said = written(|commands| commands.say(&text));
    assert!(runner::obeyed(&said).is_empty(), "{said:?}");

    let message = written(|commands| {
        let annotation = Annotation {
            title: Some(text.to_string()),
            file: Some(text.to_string()),
            ..Annotation::default()
        };
        commands.annotate(Level::Error, &annotation, &text)?;
        commands.group(&text)?;
        commands.debug(&text)
    });
    assert_eq!(
        runner::obeyed(&message),
        ["error", "group", "debug"],
        "{message:?}"
    );

    // As a job's log gets there: cleaned first.
    let cleaned = Redactor::default().clean(&text);
    let shown = written(|commands| commands.untrusted([cleaned.as_str()]));
    assert_eq!(runner::obeyed(&shown), ["stop-commands"], "{shown:?}");
}

fn written(act: impl FnOnce(&mut Commands<&mut Vec<u8>>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    let mut commands = Commands::new(&mut out, Box::new(|| Ok([0x5a; 16])));
    act(&mut commands).unwrap();
    drop(commands);
    String::from_utf8(out).unwrap()
}
