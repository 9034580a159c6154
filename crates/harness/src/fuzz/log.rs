//! A job's log: foreign text throughout, in chunks of any size, with our marks somewhere in it.

use super::unread::{Unread, pieces};
use migration::{
    Conclusion, Disarmed, Evidence, EvidenceReader, LogCleaner, LogLines, Nonce, Redactor, RunMode,
    Step, StepName, StepRef,
};
use secrecy::SecretString;
use std::sync::LazyLock;

const NONCE: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "ffffffffffffffffffffffffffffffff";
const SECRET: &str = "hunter22+secret/word";

/// Knows the secret.
static KNOWING: LazyLock<Redactor> = LazyLock::new(|| Redactor::new([SecretString::from(SECRET)]));

/// The most bytes of one line that are kept, each of which may be shown as the three of `�`.
const LINE_BYTES: usize = 3 * 64 * 1024;
/// The most bytes of one line that are shown, with the note that it was cut.
const SHOWN_BYTES: usize = 16 * 1024 + 32;
/// The most checks, and the most steps, that are kept.
const RAN_MAX: usize = 4096;
/// Longer than what is looked at of one line.
const LONG_BYTES: usize = 96 * 1024;

/// What a whole log proves, with the marks that prove it.
fn endings() -> [(Vec<&'static str>, Conclusion); 4] {
    let begin = "begin key=k3f9q2x7 epoch=0 steps=2 checks=1 commit=unknown at=1771376400";
    let before = [
        begin,
        "check-started index=2 name=backfill at=1771376400",
        "check-ended index=2 name=backfill code=0 at=1771376401",
        "step-started index=1 name=columns at=1771376401",
        "step-ended index=1 name=columns code=0 at=1771376402",
        "step-started index=2 name=backfill at=1771376402",
    ];
    let ended = |ending: [&'static str; 2]| [&before[..], &ending].concat();
    let done = ended([
        "step-ended index=2 name=backfill code=0 at=1771376403",
        "done code=0 ran=2/2 checks=1/1 at=1771376403",
    ]);
    let failed = ended([
        "step-ended index=2 name=backfill code=3 at=1771376403",
        "done code=3 ran=1/2 checks=1/1 at=1771376403",
    ]);
    let step = StepName::parse("backfill").unwrap();
    let variable = "DATABASE_URL".to_owned();
    [
        (done, Conclusion::Done),
        (
            failed,
            Conclusion::Failed {
                step,
                code: 3,
                check: false,
            },
        ),
        (
            vec![begin, "disarmed why=lease"],
            Conclusion::Disarmed(Disarmed::Lease),
        ),
        (
            vec![begin, "refused variable=DATABASE_URL"],
            Conclusion::Refused { variable },
        ),
    ]
}

/// Chunks make no difference, memory is bounded, no secret is shown, and only marks with the nonce prove anything: text
/// without it proves nothing by itself, and changes nothing between the marks of a whole log.
pub fn log(bytes: &[u8]) {
    let mut unread = Unread::new(bytes);
    let seed = unread.byte();
    let (times, plant, gap) = (unread.byte(), unread.byte(), unread.byte());
    // The nonce is 128 random bits, so that nobody but the job itself can print it.
    let foreign = without(&grown(unread.rest(), times), NONCE.as_bytes());

    lines_and_evidence(&foreign, seed);
    shown(&foreign, seed, plant);
    let endings = endings();
    let (marks, ending) = &endings[usize::from(gap) % endings.len()];
    between_marks(&foreign, marks, ending, usize::from(gap) / endings.len());
}

/// A few inputs become longer than what is looked at of one line: their middle third is repeated.
fn grown(text: &[u8], times: u8) -> Vec<u8> {
    let middle = text.len() / 3;
    if times < u8::MAX || middle == 0 {
        return text.to_vec();
    }
    let (head, rest) = text.split_at(middle);
    let (middle, tail) = rest.split_at(middle);
    let middle = middle.repeat(LONG_BYTES / middle.len());
    [head, &middle, tail].concat()
}

/// Puts another nonce wherever `word` stands.
fn without(text: &[u8], word: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    for at in 0..text.len() {
        if text[at..].starts_with(word) {
            text[at..at + word.len()].copy_from_slice(OTHER.as_bytes());
        }
    }
    text
}

fn lines_and_evidence(foreign: &[u8], seed: u8) {
    let whole = lines(&[foreign]);
    assert_eq!(lines(&pieces(foreign, seed)), whole);
    assert!(whole.iter().all(|line| line.len() <= LINE_BYTES));

    let evidence = read(whole.iter().map(String::as_str));
    let unmarked = Evidence {
        platform_exit: evidence.platform_exit,
        ..Evidence::default()
    };
    assert_eq!(evidence, unmarked, "text without the nonce is evidence");
    for mode in [RunMode::Steps, RunMode::ChecksOnly] {
        assert_eq!(evidence.conclusion(&expected(), mode), Conclusion::Silent);
    }
}

fn shown(foreign: &[u8], seed: u8, plant: u8) {
    let (head, tail) = foreign.split_at(foreign.len() * usize::from(plant) / 256);
    let text = [head, SECRET.as_bytes(), tail].concat();
    let whole = cleaned(&[&text]);
    assert_eq!(cleaned(&pieces(&text, seed)), whole);
    for line in &whole {
        assert!(line.len() <= SHOWN_BYTES, "{} bytes", line.len());
        assert!(!line.contains(SECRET), "{line:?}");
        assert!(
            !line.contains(|c: char| c.is_control() && c != '\t'),
            "{line:?}"
        );
    }
    let at_once = KNOWING.clean(&String::from_utf8_lossy(&text));
    assert!(!at_once.as_str().contains(SECRET), "{at_once:?}");
}

fn between_marks(foreign: &[u8], marks: &[&str], ending: &Conclusion, gap: usize) {
    let proves = |gap: usize| {
        let mut log = Vec::new();
        for (place, mark) in marks.iter().enumerate() {
            if place == gap {
                log.extend_from_slice(foreign);
                log.push(b'\n');
            }
            log.extend_from_slice(format!("harbor-pilot/1 {NONCE} {mark}\n").as_bytes());
        }
        if gap >= marks.len() {
            log.extend_from_slice(foreign);
        }
        let lines = lines(&[&log]);
        let evidence = read(lines.iter().map(String::as_str));
        assert!(evidence.checks.len() <= RAN_MAX && evidence.steps.len() <= RAN_MAX);
        evidence.conclusion(&expected(), RunMode::Steps)
    };
    let last = marks.len() - 1;
    assert_eq!(proves(gap % (last + 1)), *ending);
    // Behind the last mark stands what the platform itself says, and it can take a success away.
    let behind = proves(marks.len());
    assert!(
        behind == *ending || matches!(behind, Conclusion::Cut { .. }),
        "{behind:?}"
    );
    // Where the last mark is missing, nothing makes up for it.
    let cut = {
        let lines: Vec<String> = marks[..last]
            .iter()
            .map(|mark| format!("harbor-pilot/1 {NONCE} {mark}"))
            .chain(lines(&[foreign]))
            .collect();
        read(lines.iter().map(String::as_str)).conclusion(&expected(), RunMode::Steps)
    };
    assert!(matches!(cut, Conclusion::Cut { .. }), "{cut:?}");
}

fn lines(chunks: &[&[u8]]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut log = LogLines::new();
    for chunk in chunks {
        log.push(chunk, |line| lines.push(line.to_owned()));
    }
    log.finish(|line| lines.push(line.to_owned()));
    lines
}

fn cleaned(chunks: &[&[u8]]) -> Vec<String> {
    let mut cleaner = LogCleaner::new(KNOWING.clone());
    let mut lines = Vec::new();
    for chunk in chunks {
        lines.extend(cleaner.push(chunk));
    }
    lines.extend(cleaner.finish());
    lines.iter().map(ToString::to_string).collect()
}

fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Evidence {
    let mut reader = EvidenceReader::new(&Nonce::parse(NONCE).unwrap());
    lines.for_each(|line| reader.line(line));
    reader.finish()
}

fn expected() -> Vec<StepRef> {
    ["columns", "backfill"]
        .map(|name| {
            let step = Step {
                name: StepName::parse(name).unwrap(),
                run: String::new(),
                check: None,
            };
            step.reference()
        })
        .to_vec()
}
