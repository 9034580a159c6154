//! The documentation that lists what the code lists.
#![cfg(test)]

use migration::Reason;
use regex::Regex;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// `docs/reason-codes.md` as it must read.
fn reason_codes() -> String {
    let mut page = "# Reason codes\n\n\
        `reason-code` (output), `reason_code` (result JSON): why a run ended as it did. The codes are stable. The exit code \
        follows from the reason.\n\n\
        | code | exit | meaning |\n|---|---|---|\n"
        .to_owned();
    for reason in Reason::ALL {
        writeln!(
            page,
            "| `{}` | {} | {} |",
            reason.code(),
            reason.exit().code(),
            reason.meaning()
        )
        .unwrap();
    }
    page
}

#[test]
fn the_page_of_reason_codes_lists_every_reason() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reason-codes.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        page,
        reason_codes(),
        "docs/reason-codes.md must read:\n{}",
        reason_codes()
    );
}

/// The checkout's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of a page's tables whose first cell is a number, or a letter and a number, as (first cell, last cell).
fn numbered_rows(page: &str) -> Vec<(String, String)> {
    let row = Regex::new(r"^\| ([BI]?[0-9]+) \|.* \| (.+) \|$").unwrap();
    page.lines()
        .filter_map(|line| row.captures(line))
        .map(|found| (found[1].to_owned(), found[2].to_owned()))
        .collect()
}

/// Everything under `folder` that is Rust, with its text.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

/// The names of the tests of a crate, each behind the parts of its file's path: `tests/it/faults/the_name`.
fn tests_of_crate(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    sources(&folder.join("src"), &mut files);
    sources(&folder.join("tests"), &mut files);
    let function = Regex::new(r"^\s*(?:async )?fn ([a-z0-9_]+)\(").unwrap();
    let mut names = Vec::new();
    for (path, text) in files {
        let place = path.strip_prefix(folder).unwrap().with_extension("");
        let mut is_test = false;
        for line in text.lines() {
            if let Some(found) = function.captures(line) {
                if std::mem::take(&mut is_test) {
                    names.push(format!("{}/{}", place.display(), &found[1]));
                }
            } else if ["#[test]", "#[tokio::test", "#[rstest"]
                .iter()
                .any(|mark| line.contains(mark))
            {
                is_test = true;
            }
        }
    }
    names
}

/// The names of all tests, by the word that stands before them on a page.
fn all_tests() -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        all.insert(name, tests_of_crate(&folder));
    }
    let lists = std::fs::read_dir(root().join("crates/harness/regressions")).unwrap();
    let lists = lists.map(|entry| {
        let path = entry.unwrap().path().with_extension("");
        format!(
            "regressions/{}",
            path.file_name().unwrap().to_string_lossy()
        )
    });
    all.get_mut("harness").unwrap().extend(lists);
    // The phases of a cancelled step are written `…` on the page.
    let story = std::fs::read_to_string(root().join("scripts/container-story")).unwrap();
    let function = Regex::new(r#"(?m)^def ([a-z0-9_]+)\(|__name__ = f"([^"]+)""#).unwrap();
    let phase = Regex::new(r"\{[a-z]+\}").unwrap();
    let names = function.captures_iter(&story).map(|found| {
        let name = found.get(1).or_else(|| found.get(2)).unwrap().as_str();
        phase.replace_all(name, "…").into_owned()
    });
    all.insert("container-story".to_owned(), names.collect());
    all
}

/// Whether `test`, found as `tests/it/faults/the_name`, is what a page calls `faults::the_name`.
fn is_called(test: &str, name: &str) -> bool {
    let mut parts = test.split('/').rev();
    let mut wanted = name.split("::").collect::<Vec<_>>().into_iter().rev();
    let last = wanted.next().unwrap_or_default();
    (parts.next() == Some(last) || last == "*")
        && wanted.all(|module| parts.any(|part| part == module))
}

/// What a cell names and nobody has, and how many tests it names that there are.
fn missing(cell: &str, all: &BTreeMap<String, Vec<String>>) -> (Vec<String>, usize) {
    let name = Regex::new(r"^[a-z0-9_:…*-]*[_:-][a-z0-9_:…*-]*[a-z0-9_*]$").unwrap();
    let (mut of, mut missing, mut found) = (None, Vec::new(), 0);
    for (place, piece) in cell.split('`').enumerate() {
        if place % 2 == 0 {
            let word = piece.trim_end().rsplit([' ', '(']).next();
            of = word.and_then(|word| all.get_key_value(word)).or(of);
        } else if piece.contains('/') {
            if !root().join(piece).exists() {
                missing.push(piece.to_owned());
            }
        } else if name.is_match(piece) {
            match of.filter(|(_, tests)| tests.iter().any(|test| is_called(test, piece))) {
                Some(_) => found += 1,
                None => missing.push(format!("{} {piece}", of.map_or("?", |(of, _)| of))),
            }
        }
    }
    (missing, found)
}

/// Reads a page with a table of tests; every row must name some, and only such as there are.
fn checked(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
    let all = all_tests();
    let rows = numbered_rows(&text);
    for (row, cell) in &rows {
        let (missing, found) = missing(cell, &all);
        assert_eq!(missing, [""; 0], "docs/{page}, row {row}");
        assert!(
            found > 0 || cell.contains("scripts/"),
            "docs/{page}, row {row} names no test"
        );
    }
    rows.into_iter().map(|(row, _)| row).collect()
}

#[test]
fn the_page_of_rows_holds_all_of_them_and_names_tests_that_there_are() {
    let rows = (1..=58).map(|row| row.to_string());
    let bounds = (1..=13).map(|row| format!("B{row}"));
    assert_eq!(checked("rows.md"), rows.chain(bounds).collect::<Vec<_>>());
}

#[test]
fn the_threat_model_names_tests_that_there_are() {
    let rows = (1..=18).map(|row| row.to_string());
    assert_eq!(checked("threat-model.md"), rows.collect::<Vec<_>>());
}

#[test]
fn every_invariant_names_tests_that_there_are() {
    let invariants = (1..=10).map(|row| format!("I{row}"));
    assert_eq!(
        checked("reliability.md")[..10],
        invariants.collect::<Vec<_>>()
    );
}

#[test]
fn a_test_that_is_not_there_is_missed() {
    let all = all_tests();
    let (gone, found) = missing(
        "migration `docs::a_test_that_is_not_there_is_missed`, `docs::numbered_rows`, \
         `key::a_test_that_is_not_there_is_missed`; runner `a_test_that_is_not_there_is_missed`, `docs/gone.md`",
        &all,
    );
    let wanted = [
        "migration docs::numbered_rows",
        "migration key::a_test_that_is_not_there_is_missed",
        "runner a_test_that_is_not_there_is_missed",
        "docs/gone.md",
    ];
    assert_eq!((gone, found), (wanted.map(str::to_owned).to_vec(), 1));
}
