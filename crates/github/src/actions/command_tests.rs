use proptest::prelude::*;

use super::*;

#[path = "command_oracle.rs"]
mod runner;

fn written(act: impl FnOnce(&mut Commands<&mut Vec<u8>>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    let mut count = 0_u8;
    let mut commands = Commands::new(
        &mut out,
        Box::new(move || {
            count += 1;
            Ok([count; 16])
        }),
    );
    act(&mut commands).unwrap();
    drop(commands);
    String::from_utf8(out).unwrap()
}

/// Text made of the pieces that commands are made of, and of everything else.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(vec![
            "::", ":", "#", "##", "[", "##[", "]", "##[error]", "::error::", "::add-mask::x",
            "::stop-commands::t", "::01010101010101010101010101010101::", "::set-output name=a::b",
            "\r", "\n", "\r\n", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", " ", "\t", "\0",
            "\u{1b}[31m", "\u{1b}[", "\u{1b}", "\u{1b}]0;t\u{7}", "\u{9b}", "\u{9b}1m", "\u{90}",
            "\u{200b}", "\u{feff}", "\u{ad}", "\u{202e}", "\u{2060}", "\u{fe0f}", "%0A", "| ",
            "##\u{200b}[", "#\u{1b}[m#[", "ok\r::add-mask::x",
        ])
        .prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_line_of_neutralised_text_is_a_command(text in hostile()) {
        for line in neutralise(&text) {
            prop_assert!(line.starts_with("| "));
            prop_assert_eq!(runner::lines(&line).len(), 1);
            prop_assert_eq!(runner::command(&line), None, "{:?}", line);
        }
    }

    #[test]
    fn the_runner_obeys_nothing_of_a_block_and_everything_after_it(text in hostile()) {
        let out = written(|commands| {
            commands.untrusted([text.as_str()])?;
            commands.group("after")
        });
        prop_assert_eq!(runner::obeyed(&out), ["stop-commands", "group"], "{:?}", out);
    }

    #[test]
    fn a_message_comes_out_as_one_command_whatever_it_says(text in hostile()) {
        let out = written(|commands| {
            let annotation = Annotation { title: Some(text.clone()), ..Annotation::default() };
            commands.annotate(Level::Error, &annotation, &text)?;
            commands.group(&text)?;
            commands.debug(&text)
        });
        prop_assert_eq!(runner::obeyed(&out), ["error", "group", "debug"], "{:?}", out);
    }

    #[test]
    fn nothing_we_say_is_a_command(text in hostile()) {
        let out = written(|commands| commands.say(&text));
        prop_assert!(runner::obeyed(&out).is_empty(), "{:?}", out);
    }

    #[test]
    fn plain_text_survives_except_for_its_prefix(text in "[a-zA-Z0-9 .,:/()äöü-]{0,80}") {
        let expected = if text.is_empty() { vec![] } else { vec![format!("| {text}")] };
        prop_assert_eq!(neutralise(&text), expected);
    }
}

#[test]
fn commands_are_spelt_as_the_runner_reads_them() {
    let out = written(|commands| {
        commands.group("Build, 50%")?;
        commands.end_group()?;
        commands.annotate(
            Level::Error,
            &Annotation {
                title: Some("step: backfill, 2".to_owned()),
                file: Some(".harbor-pilot/ter-235.yml".to_owned()),
                line: Some(7),
                column: Some(3),
            },
            "unknown column\n`poi.deletedAt`: 100%",
        )?;
        commands.annotate(Level::Notice, &Annotation::default(), "done")?;
        commands.annotate(Level::Warning, &Annotation::default(), "drift")
    });
    insta::assert_snapshot!(out, @r"
    ::group::Build, 50%25
    ::endgroup::
    ::error title=step%3A backfill%2C 2,file=.harbor-pilot/ter-235.yml,line=7,col=3::unknown column%0A`poi.deletedAt`: 100%25
    ::notice::done
    ::warning::drift
    ");
}

#[test]
fn a_log_is_shown_between_stop_and_resume() {
    let out = written(|commands| {
        commands.untrusted([
            "\u{1b}[32mok\u{1b}[0m\r::add-mask::x",
            ">>> ##[error]forged",
            "\u{1b}]8;;https://evil.test\u{1b}\\link\u{1b}]8;;\u{1b}\\",
        ])
    });
    insta::assert_snapshot!(out, @r"
    ::stop-commands::01010101010101010101010101010101
    | ok
    | ::add-mask::x
    | >>> ##\[error]forged
    | link
    ::01010101010101010101010101010101::
    ");
}

#[test]
fn each_block_has_its_own_token() {
    let out = written(|commands| {
        commands.untrusted(["a"])?;
        commands.untrusted(["b"])
    });
    let tokens: Vec<&str> = out
        .lines()
        .filter_map(|line| line.strip_prefix("::stop-commands::"))
        .collect();
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0], tokens[1]);
}

/// Keeps each write apart.
#[derive(Default)]
struct Writes(Vec<String>);

impl Write for &mut Writes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_runner_is_resumed_by_the_write_that_stopped_it() {
    let mut out = Writes::default();
    Commands::new(&mut out, Box::new(|| Ok([9; 16])))
        .untrusted(["a", "b\rc"])
        .unwrap();
    let token = "09".repeat(16);
    let whole = format!("::stop-commands::{token}\n| a\n| b\n| c\n::{token}::\n");
    assert_eq!(out.0, [whole]);
}

#[test]
fn a_block_that_could_not_be_made_stops_nothing() {
    let mut out = Writes::default();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let lines = ["half"]
            .into_iter()
            .chain(std::iter::from_fn(|| panic!("on purpose")));
        Commands::new(&mut out, Box::new(|| Ok([9; 16]))).untrusted(lines)
    }));
    assert!(caught.is_err());
    assert!(out.0.is_empty(), "{:?}", out.0);
}

#[test]
fn without_randomness_nothing_untrusted_is_written() {
    let mut out = Vec::new();
    let mut commands = Commands::new(&mut out, Box::new(|| Err(io::Error::other("none"))));
    assert!(commands.untrusted(["a"]).is_err());
    drop(commands);
    assert!(out.is_empty());
}

#[test]
fn a_key_of_many_lines_is_masked_by_its_long_lines_only() {
    let out = written(|commands| commands.mask("{\n  \"key\": \"s%cret\"\r\n}\nabcde\nabcdef\n"));
    insta::assert_snapshot!(out, @r#"
    ::add-mask::"key": "s%25cret"
    ::add-mask::abcdef
    "#);
    assert_eq!(written(|commands| commands.mask("short")), "");
}

#[test]
fn a_long_message_is_cut_below_the_runners_limit() {
    let out = written(|commands| {
        commands.annotate(Level::Error, &Annotation::default(), &"ü".repeat(5000))
    });
    let message = out.trim_end().strip_prefix("::error::").unwrap();
    assert_eq!(message.chars().count(), ANNOTATION_CHARS);
    assert!(message.ends_with('…'));
}
