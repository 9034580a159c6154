use super::*;
use proptest::prelude::*;

fn knowing(secrets: &[&str]) -> Redactor {
    Redactor::new(secrets.iter().map(|secret| SecretString::from(*secret)))
}

fn clean(text: &str) -> String {
    Redactor::default().clean(text).to_string()
}

fn log(redactor: &Redactor, bytes: &[u8], chunk: usize) -> Vec<String> {
    let mut cleaner = LogCleaner::new(redactor.clone());
    let mut lines: Vec<Clean> = bytes
        .chunks(chunk.max(1))
        .flat_map(|chunk| cleaner.push(chunk))
        .collect();
    lines.extend(cleaner.finish());
    lines.iter().map(ToString::to_string).collect()
}

#[test]
fn tokens_are_known_by_their_shape() {
    let planted = [
        "mysql://doadmin:AVNS_x9/y@db-1.example:25060/defaultdb?ssl-mode=REQUIRED",
        "https://x-access-token:abc@github.com/o/r.git",
        "token dop_v1_0123456789abcdef0123456789abcdef or doo_v1_aa11bb22 or dor_v1_aa11bb22",
        "ghp_0123456789abcdefghij ghs_0123456789abcdefghij github_pat_11AA_bbccdd",
        "EV[1:abcDEF:gh+/=]",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r",
        "GET https://logs.example/a/b.log?X-Amz-Algorithm=AWS4&X-Amz-Signature=0a1b2c 200",
        "https://s.example/x?AWSAccessKeyId=AK&Expires=1&Signature=q%2Fw",
        "https://api.example/hook?token=hunter22&b=1 DB_PASSWORD=hunter22 apikey=hunter22",
        r#"{"password": "hunter22", "user": "me"}"#,
        "authorization: Bearer hunter22",
    ];
    insta::assert_snapshot!(clean(&planted.join("\n")), @r#"
    mysql://***@db-1.example:25060/defaultdb?ssl-mode=REQUIRED
    https://***@github.com/o/r.git
    token *** or *** or ***
    *** *** ***
    ***
    ***
    GET https://logs.example/a/b.log?*** 200
    https://s.example/x?***
    https://api.example/hook?token=***&b=1 DB_PASSWORD=*** apikey=***
    {"password": "***", "user": "me"}
    authorization: Bearer ***
    "#);
}

#[test]
fn ordinary_lines_stay_as_they_are() {
    let ordinary = "Error: Unknown column 'poi.deletedAt' in 'where clause'\n\tat backfill (scripts/x.ts:12:5)\nsee https://example.com/a?b=c, mail me@example.com, 50% done, tokens: 3";
    assert_eq!(clean(ordinary), ordinary);
}

#[test]
fn pem_blocks_go_whole() {
    let text = "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY-----\nb\nkey: -----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY----- tail";
    insta::assert_snapshot!(clean(text), @r#"
    a
    [PEM block]
    b
    key: [PEM block] tail
    "#);
    // One that never ends does not take the rest of the log with it.
    let endless = format!("-----BEGIN PRIVATE KEY-----\n{}last", "x\n".repeat(500));
    assert!(clean(&endless).ends_with("last"));
}

#[test]
fn control_characters_and_tricks_of_direction_go() {
    let text = "\u{1b}[31mred\u{1b}[0m \u{1b}]8;;https://evil.example\u{7}link\u{1b}]8;;\u{1b}\\ a\u{202e}b\u{200b}c\u{feff}\u{0}d\re\r\nf\u{9b}1mg";
    insta::assert_snapshot!(clean(text), @r#"
    red link abcd
    e
    fg
    "#);
    assert_eq!(clean("open \u{1b}]0;never closed\nnext"), "open \nnext");
    for opens in ['\u{90}', '\u{98}', '\u{9d}', '\u{9e}', '\u{9f}'] {
        assert_eq!(clean(&format!("a{opens}hidden\u{9c}b")), "ab", "{opens:?}");
    }
    assert_eq!(
        clean("a\u{85}b\u{2028}c\u{2029}d"),
        "a\nb\nc\nd",
        "whatever somebody takes for the end of a line is one"
    );
}

#[test]
fn lines_become_one_line() {
    assert_eq!(
        knowing(&[]).clean_line("  a\n\n b\tc \r\n").as_str(),
        "a b\tc"
    );
}

/// What Python, Go, PHP, browsers, forms and web pages make of one value; not a letter of any of them is shown.
#[test]
fn a_secret_is_found_in_each_form_that_programs_print_it_in() {
    let redactor = knowing(&[r#"aB/c"d&e<f>é g'h"#]);
    for printed in [
        r#"aB/c"d&e<f>é g'h"#,
        r#"aB/c\"d&e<f>é g'h"#,
        r#"aB/c\"d\u0026e\u003cf\u003eé g'h"#,
        r#"aB\/c\"d&e<f>é g'h"#,
        r#"aB/c\"d&e<f>\u00e9 g'h"#,
        r#"aB\/c\"d&e<f>\u00e9 g'h"#,
        "aB%2Fc%22d%26e%3Cf%3E%C3%A9%20g'h",
        "aB%2fc%22d%26e%3cf%3e%c3%a9%20g'h",
        "aB%2Fc%22d%26e%3Cf%3E%C3%A9%20g%27h",
        "aB%2fc%22d%26e%3cf%3e%c3%a9%20g%27h",
        "aB/c%22d&e%3Cf%3E%C3%A9%20g'h",
        "aB/c%22d&e%3cf%3e%c3%a9%20g'h",
        "aB%2Fc%22d%26e%3Cf%3E%C3%A9+g%27h",
        "aB%2fc%22d%26e%3cf%3e%c3%a9+g%27h",
        "aB/c&quot;d&amp;e&lt;f&gt;é g&#39;h",
        "YUIvYyJkJmU8Zj7DqSBnJ2g",
    ] {
        let shown = redactor.clean(&format!("[{printed}]"));
        assert_eq!(shown.as_str(), "[***]", "{printed}");
    }
}

/// The characters at its ends that hold bits of its neighbours, too, stay; none of those between does.
#[test]
fn a_secret_within_other_text_is_found_in_its_base64() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    let shown = |text: &str| {
        let printed = STANDARD_NO_PAD.encode(text);
        let shown = knowing(&["hunter2-hun"]).clean(&printed).to_string();
        (printed, shown)
    };
    let (printed, ends_with_it) = shown("xhunter2-hun");
    assert_eq!(ends_with_it, format!("{}***", &printed[..2]));
    let (printed, ends_elsewhere) = shown("xyhunter2-hun?!");
    assert_eq!(
        ends_elsewhere,
        format!("{}***{}", &printed[..3], &printed[17..])
    );
}

#[test]
fn secrets_that_overlap_leave_nothing() {
    let redactor = knowing(&["abcdefgh", "efghijkl", "abcdefghijklmnop"]);
    assert_eq!(redactor.clean("<abcdefghijkl>").as_str(), "<***>");
    assert_eq!(redactor.clean("<abcdefghijklmnop>").as_str(), "<***>");
}

#[test]
fn short_values_are_not_looked_for() {
    assert_eq!(knowing(&["prod", ""]).clean("in prod").as_str(), "in prod");
    let five = knowing(&["hello"]);
    assert_eq!(five.clean("say hello").as_str(), "say hello");
    let six = knowing(&["hunter"]);
    assert!(!six.clean("say hunter").as_str().contains("hunter"));
}

#[test]
fn a_secret_hidden_by_invisible_characters_is_found() {
    let redactor = knowing(&["hunter22secret"]);
    for hidden in [
        "hunter\u{200b}22secret",
        "hunter22\u{1b}[0msecret",
        "\u{1b}hunter22secret",
        "\u{1b}[hunter22secret",
        "\u{1b}]hunter22secret\u{7}",
        "hun\u{0}ter22secret",
    ] {
        let shown = redactor.clean(hidden);
        assert!(
            !shown.as_str().contains("ter22") && !shown.as_str().contains("secret"),
            "{hidden:?}: {shown}"
        );
    }
}

#[test]
fn multi_line_secrets_are_found_line_by_line() {
    let redactor = knowing(&["first-line-of-it\n{\nsecond-line-of-it"]);
    let lines = log(
        &redactor,
        b"x first-line-of-it y\n{ stays\nsecond-line-of-it\n",
        7,
    );
    assert_eq!(lines, ["x *** y", "{ stays", "***"]);
}

#[test]
fn a_log_is_cut_after_redaction_only() {
    let redactor = knowing(&["hunter22secret"]);
    // The secret lies across what is shown of a line, and across what is looked at of it, with and without padding
    // that vanishes.
    for (pad, at) in [
        ("x", 16 * 1024_usize),
        ("x", 64 * 1024),
        ("\u{200b}", 64 * 1024 / 3),
        ("\u{200b}", 72 * 1024 / 3),
    ] {
        for back in 0..16 {
            let mut line = pad.repeat(at.saturating_sub(back));
            line.push_str("hunter22secret");
            line.push_str(&"y".repeat(100_000));
            for shown in log(&redactor, line.as_bytes(), 4096) {
                assert!(
                    !shown.contains("hunter") && shown.len() <= 16 * 1024 + 32,
                    "{at} - {back}"
                );
            }
        }
    }
}

/// The longest value that is known decides how much is looked at beyond a cut.
#[test]
fn a_long_secret_across_the_cut_is_not_shown() {
    let secret: String = (0..1500).map(|n| format!("hunter{n:07}")).collect();
    let redactor = knowing(&[&secret]);
    // It begins far before the place at which a log's lines are cut, and ends far behind it.
    let mut line = "\u{200b}".repeat((64 * 1024 - secret.len() / 2) / 3);
    line.push_str(&secret);
    line.push_str(&"y".repeat(100_000));
    let shown = log(&redactor, line.as_bytes(), 4096).join("\n");
    assert!(!shown.contains("hunter"), "{} bytes", shown.len());
}

#[test]
fn a_secret_that_is_cut_off_where_a_line_ends_to_be_looked_at_is_not_shown() {
    let redactor = knowing(&["hunter22-hunter22-hunter22"]);
    let mut line = "\u{200b}".repeat(72 * 1024 / 3 - 4);
    line.push_str("hunter22-hunter22-hunter22");
    line.push_str(&"y".repeat(100));
    let shown = log(&redactor, line.as_bytes(), 4096).join("\n");
    assert!(!shown.contains("hunter"), "{shown}");
}

/// All that is looked at of a line is 72 KiB, so that a log without line ends can't fill the memory.
#[test]
fn what_stands_far_behind_in_a_line_is_not_looked_at() {
    let whole = "\u{200b}".repeat(72 * 1024 / 3);
    let shown = |line: &str| log(&Redactor::default(), line.as_bytes(), 4096);
    assert_eq!(shown(&whole), [""]);
    assert_eq!(shown(&format!("{whole}x")), ["… [line cut]"]);
    assert_eq!(
        shown(&format!("{whole}{}", "x".repeat(200_000))),
        ["… [line cut]"]
    );
}

#[test]
fn a_cut_never_splits_a_character() {
    let line = format!("x{}", "é".repeat(10_000));
    let whole = format!("x{}… [line cut]", "é".repeat(8191));
    assert_eq!(log(&Redactor::default(), line.as_bytes(), 4096), [whole]);
}

#[test]
fn log_lines_end_as_the_runner_reads_them() {
    let redactor = Redactor::default();
    for chunk in 1..10 {
        let lines = log(&redactor, b"one\r\ntwo\rthree\n\n\xff\xe2\x82last", chunk);
        assert_eq!(
            lines,
            ["one", "two", "three", "", "\u{fffd}\u{fffd}last"],
            "{chunk}"
        );
    }
}

#[test]
fn names_of_checked_form_need_no_cleaning() {
    let step = StepName::parse("backfill").unwrap();
    let sentence = Clean::join([Clean::own("step "), Clean::from(&step)]);
    assert_eq!(sentence.as_str(), "step backfill");
    let redactor = knowing(&["hunter22"]);
    assert_eq!(
        redactor
            .text(format_args!(
                "deployment `{}` (\u{1b}[1m{})",
                "d-1", "hunter22"
            ))
            .as_str(),
        "deployment `d-1` (***)"
    );
}

#[test]
fn debug_text_holds_no_secret() {
    let redactor = knowing(&["hunter22secret"]);
    let cleaner = LogCleaner::new(redactor.clone());
    assert!(!format!("{redactor:?} {cleaner:?}").contains("hunter"));
    assert_eq!(format!("{redactor:?}"), "Redactor { .. }");
}

/// What a secret may look like once some program has printed it.
fn printed(secret: &str, form: u8, before: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    match form {
        0 => secret.to_owned(),
        1 => STANDARD.encode(format!("{before}{secret}tail")),
        2 => URL_SAFE.encode(format!("{before}{secret}")),
        3 => secret
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02x}")
                }
            })
            .collect(),
        4 => serde_json::to_string(secret).unwrap(),
        _ => format!("\u{1b}[1m{secret}\u{1b}[0m"),
    }
}

/// A piece of the secret in this form, long enough to be worth something.
fn pieces(secret: &str, form: u8, before: &str) -> Vec<String> {
    let printed = printed(secret, form, before);
    match form {
        // The middle of the encoded text, which holds bits of the secret only.
        1 | 2 => {
            let start = before.len() * 4 / 3 + 4;
            let end = (before.len() + secret.len()) * 4 / 3 - 4;
            vec![printed.get(start..end).unwrap().to_owned()]
        }
        // Without the quotes, which tell nothing.
        4 => vec![printed.trim_matches('"').to_owned()],
        3 => vec![printed],
        _ => vec![secret.to_owned()],
    }
}

proptest! {
    #[test]
    fn planted_secrets_never_survive(
        secret in r#"[A-Za-z0-9/+&"\\%é<-]{12,40}"#,
        before in "[a-z]{0,7}",
        form in 0u8..6,
        chunk in 1usize..40,
        noise in "[a-z \r\n]{0,30}",
    ) {
        let redactor = knowing(&[&secret]);
        let text = format!("{noise}{}{noise}", printed(&secret, form, &before));
        for piece in pieces(&secret, form, &before) {
            let whole = redactor.clean(&text);
            prop_assert!(!whole.as_str().contains(&piece), "{whole}");
            let lines = log(&redactor, text.as_bytes(), chunk).join("\n");
            prop_assert!(!lines.contains(&piece), "{lines}");
        }
    }

    #[test]
    fn every_chunk_border_gives_the_same_lines(text in "\\PC{0,40}[\r\n]{0,3}\\PC{0,40}[\r\n]{0,3}secret-hunter22", chunk in 1usize..20) {
        let redactor = knowing(&["secret-hunter22"]);
        prop_assert_eq!(log(&redactor, text.as_bytes(), chunk), log(&redactor, text.as_bytes(), usize::MAX));
    }

    #[test]
    fn clean_text_is_clean(text in any::<String>()) {
        let once = clean(&text);
        prop_assert!(once.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
        prop_assert_eq!(clean(&once), once);
    }
}
