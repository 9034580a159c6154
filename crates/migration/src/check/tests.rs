use super::*;
use Syntax as S;
use rstest::rstest;

fn found(command: &str) -> Vec<Syntax> {
    syntax(command).into_iter().collect()
}

#[rstest]
#[case::plain("npx tsx scripts/backfill.ts --confirm-production", &[])]
#[case::and("a && b", &[S::And])]
#[case::or("a || true", &[S::Or])]
#[case::semicolon("a; b", &[S::Semicolon])]
#[case::newline("a\nb", &[S::Newline])]
#[case::trailing_newline("a\n\n", &[])]
#[case::continued("a \\\n  --flag", &[])]
#[case::pipe("a | b", &[S::Pipe])]
#[case::tight_pipe("a|b", &[S::Pipe])]
#[case::pipe_in_single_quotes("echo 'a | b && c'", &[])]
#[case::pipe_in_double_quotes(r#"echo "a | b; c""#, &[])]
#[case::escaped_pipe(r"echo a \| b", &[])]
#[case::escaped_quote(r#"echo \" | b"#, &[S::Pipe])]
#[case::escaped_quote_in_quotes(r#"echo "a \" | b""#, &[])]
#[case::pipe_in_substitution("x=$(a | b)", &[S::Pipe, S::Expansion, S::Assignment])]
#[case::pipe_in_quoted_substitution(r#"echo "$(a | b)""#, &[S::Pipe, S::Expansion])]
#[case::text_in_quotes_in_substitution(r#"echo "$(a "x | y")""#, &[S::Expansion])]
#[case::pipe_in_backticks("echo `a | b`", &[S::Pipe, S::Expansion])]
#[case::pipe_in_subshell("(a | b)", &[S::Pipe, S::Subshell])]
#[case::pipe_in_braces("echo ${A:-x|y}", &[S::Expansion])]
#[case::arithmetic("echo $((1 | 2 && 3))", &[S::Expansion])]
#[case::pipefail("bash -o pipefail -c 'a | b'", &[])]
#[case::background("a &", &[S::Background])]
#[case::background_in_the_middle("a & b", &[S::Background])]
#[case::both_streams("a > log 2>&1", &[S::Redirection])]
#[case::both_streams_in_bash("a &> log", &[S::Background, S::Redirection])]
#[case::clobber("a >| log", &[S::Redirection])]
#[case::to_stderr("echo x >&2", &[S::Redirection])]
#[case::comment("a # b | c", &[S::Comment])]
#[case::no_comment("echo a#b", &[])]
#[case::here_document("cat <<EOF\na | b && c\n'\nEOF", &[S::Redirection])]
#[case::here_document_after_blanks("cat << \tEOF\na | b && c\nEOF", &[S::Redirection])]
#[case::here_document_then_more("cat <<'E O'\nx | y\nE O\nb", &[S::Newline, S::Redirection])]
#[case::here_document_with_tabs("cat <<-EOF\n\tx | y\n\tEOF\nb", &[S::Newline, S::Redirection])]
#[case::here_document_after_a_backslash("cat <<\\EOF\n$x\nEOF", &[S::Redirection])]
#[case::here_document_up_to_an_empty_line("cat <<''\nx | y\n\nb", &[S::Newline, S::Redirection])]
#[case::here_document_in_double_quotes("cat <<\"E O\"\nx | y\nE O", &[S::Redirection])]
#[case::here_string("cat <<< word", &[S::Redirection])]
#[case::pipe_after_a_here_string("cat <<< word | b", &[S::Pipe, S::Redirection])]
#[case::variable("echo $HOME", &[S::Expansion])]
#[case::pipe_after_a_variable("echo $A | b", &[S::Pipe, S::Expansion])]
#[case::pipe_after_an_escape(r"echo \\a | b", &[S::Pipe])]
#[case::pipe_after_appending("a >> log | b", &[S::Pipe, S::Redirection])]
#[case::lone_dollar("echo 5$ and $", &[])]
#[case::quoted_variable("echo '$HOME'", &[])]
#[case::pattern("rm *.log", &[S::Pattern])]
#[case::quoted_pattern("find . -name '*.log'", &[])]
#[case::home("ls ~/x", &[S::Pattern])]
#[case::assignment("NODE_ENV=test node x.js", &[S::Assignment])]
#[case::no_assignment("node x.js --a=b", &[])]
#[case::assignment_to_no_name("1A=x node x.js", &[])]
#[case::equals_sign_alone("=x", &[])]
#[case::from_a_file("mysql < dump.sql", &[S::Redirection])]
#[case::tilde_in_a_word("node a~b.js", &[])]
#[case::backticks_in_quotes(r#"echo "`a | b`""#, &[S::Pipe, S::Expansion])]
#[case::escape_in_braces(r"echo ${A:-\}|y}", &[S::Expansion])]
#[case::single_quotes_in_braces("echo ${A:-'}|'}", &[S::Expansion])]
#[case::double_quotes_in_braces(r#"echo ${A:-"}|"}"#, &[S::Expansion])]
#[case::backticks_in_braces("echo ${A:-`b | c`}", &[S::Pipe, S::Expansion])]
#[case::braces_in_braces("echo ${A:-${B:-x}|y}", &[S::Expansion])]
#[case::substitution_in_arithmetic("echo $(( $(a | b) + 1 ))", &[S::Pipe, S::Expansion])]
#[case::brackets_in_arithmetic("echo $(( (1) | 2 ))", &[S::Expansion])]
#[case::open_single("echo 'a", &[S::Unterminated])]
#[case::open_double("echo \"a | b", &[S::Unterminated])]
#[case::open_bracket("echo $(a", &[S::Expansion, S::Unterminated])]
#[case::open_here_document("cat <<EOF\nx", &[S::Redirection, S::Unterminated])]
#[case::open_here_document_up_to_an_empty_line("cat <<''\nx", &[S::Redirection, S::Unterminated])]
#[case::case_pattern("case $x in a) b;; esac", &[S::Semicolon, S::Expansion])]
fn operators_are_found_where_the_shell_finds_them(
    #[case] command: &str,
    #[case] expected: &[Syntax],
) {
    assert_eq!(found(command), expected, "{command}");
}

fn told(run: &str, check: Option<&str>, shell: Shell) -> String {
    let step = Step {
        name: StepName::parse("backfill").unwrap(),
        run: run.to_owned(),
        check: check.map(str::to_owned),
    };
    let findings = command_findings(&[step], shell);
    let lines = findings.iter().map(|finding| {
        let Finding {
            severity,
            code,
            message,
            hint,
        } = finding;
        format!(
            "{severity:?} {code}: {message}\n{}",
            hint.as_deref().unwrap_or("-")
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn findings_say_what_and_what_to_do() {
    insta::assert_snapshot!(told("node a.js && node b.js; node c.js", None, Shell::Sh), @r#"
    Note operator-joined: the command of step `backfill` is several commands joined by `&&`, `;`; there is one result for all of them
    make them steps of their own to see the result of each
    "#);
    insta::assert_snapshot!(told("node a.js || true", None, Shell::Sh), @r#"
    Note operator-joined: the command of step `backfill` is several commands joined by `||`; there is one result for all of them
    what stands after `||` decides: `command || true` never fails
    "#);
    insta::assert_snapshot!(told("node dump.js | grep 'it''s'", None, Shell::Sh), @r#"
    Error operator-pipe: the command of step `backfill` has a pipe: `sh` forgets the exit code of the command before `|`, so that its failure would look like success
    let a shell that knows `pipefail` run it, where the image has one:
      bash -o pipefail -c 'node dump.js | grep '\''it'\'''\''s'\'''
    or put it into a script of the repository
    "#);
    insta::assert_snapshot!(told("node a.js &", None, Shell::Sh), @r#"
    Error operator-background: the command of step `backfill` sends a command into the background with `&`, and nobody would wait for its end
    take the `&` away; `> file 2>&1` in place of `&> file`, which `sh` reads as a background command
    "#);
    insta::assert_snapshot!(told("node a.js", Some("node a.js --dry-run | tail"), Shell::Sh), @r#"
    Error operator-pipe: the check of step `backfill` has a pipe: `sh` forgets the exit code of the command before `|`, so that its failure would look like success
    let a shell that knows `pipefail` run it, where the image has one:
      bash -o pipefail -c 'node a.js --dry-run | tail'
    or put it into a script of the repository
    "#);
    insta::assert_snapshot!(told("echo 'a", None, Shell::Sh), @r#"
    Error unterminated: the command of step `backfill` has a quote, bracket or here-document that does not end
    close it, or put the command into a script of the repository
    "#);
    insta::assert_snapshot!(told("node a.js \"$TOKEN\" && rm *.tmp", None, Shell::None), @r#"
    Error shell-needed: the command of step `backfill` needs a shell for `&&`, `$`, a file name pattern, and `shell: none` has none
    put the command into a script or program of the image and call that, or use `shell: sh`
    "#);
    assert_eq!(told("node a.js > log 2>&1", None, Shell::Sh), "");
    assert_eq!(told("node a.js --name 'two words'", None, Shell::None), "");
}

/// The hint is a command: pasted into a shell, bash is given exactly the command that was refused.
#[test]
fn the_pipefail_hint_quotes_the_command_whole() {
    for command in ["a | b", "echo 'x y' | grep \"$A\"", "a '\\'' | b"] {
        let words = shlex::split(&in_bash(command)).unwrap();
        assert_eq!(words, ["bash", "-o", "pipefail", "-c", command]);
    }
}

proptest::proptest! {
    /// Commands are other people's text.
    #[test]
    fn any_text_is_scanned_to_its_end(command in "[a &|;<>$(){}`'\"\\\\\n#~*=EOF-]{0,60}") {
        let _found = syntax(&command);
    }

    /// What stands in single quotes is one word, whatever it is.
    #[test]
    fn single_quotes_hide_everything(text in "[^'\0]{0,40}") {
        proptest::prop_assert_eq!(found(&format!("echo '{text}'")), Vec::new());
    }
}
