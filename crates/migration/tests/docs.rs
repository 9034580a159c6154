//! The documentation that lists what the code lists.
#![cfg(test)]

use migration::Reason;
use std::fmt::Write as _;
use std::path::Path;

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
