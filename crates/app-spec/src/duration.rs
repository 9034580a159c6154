//! The platform's duration text, such as `30m` or `1h30m` (the form of the Go client's `timeout` field).

use std::time::Duration;

const SECONDS_PER_MINUTE: u64 = 60;
const SECONDS_PER_HOUR: u64 = 3600;

/// Writes a duration in whole seconds, rounded up: a limit must never come out shorter than asked.
pub(crate) fn to_text(duration: Duration) -> String {
    let partial = u64::from(duration.subsec_nanos() > 0);
    let seconds = duration.as_secs().saturating_add(partial);
    let parts = [
        (seconds / SECONDS_PER_HOUR, 'h'),
        (seconds % SECONDS_PER_HOUR / SECONDS_PER_MINUTE, 'm'),
        (seconds % SECONDS_PER_MINUTE, 's'),
    ];
    let text: String = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

/// Reads whole hours, minutes and seconds in any order; anything else is `None`.
pub(crate) fn from_text(text: &str) -> Option<Duration> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (count, tail) = rest.split_at(digits);
        let mut tail_chars = tail.chars();
        let unit = match tail_chars.next()? {
            'h' => SECONDS_PER_HOUR,
            'm' => SECONDS_PER_MINUTE,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(count.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = tail_chars.as_str();
    }
    (!text.is_empty()).then(|| Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_short_and_reads_back() {
        for (seconds, text) in [
            (0, "0s"),
            (45, "45s"),
            (1800, "30m"),
            (5400, "1h30m"),
            (3661, "1h1m1s"),
            (90, "1m30s"),
        ] {
            assert_eq!(to_text(Duration::from_secs(seconds)), text);
            assert_eq!(from_text(text), Some(Duration::from_secs(seconds)));
        }
        assert_eq!(to_text(Duration::from_millis(1001)), "2s");
    }

    #[test]
    fn equal_spellings_read_as_one_duration_and_nonsense_as_none() {
        assert_eq!(from_text("30m0s"), from_text("1800s"));
        for bad in [
            "",
            "30",
            "m",
            "1.5h",
            "30 m",
            "-1s",
            "99999999999999999999s",
        ] {
            assert_eq!(from_text(bad), None, "{bad}");
        }
    }
}
