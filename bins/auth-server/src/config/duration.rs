//! Durations in the form that people write: `250ms`, `90s`, `15m`, `2h`, `1d`, also joined: `1h30m`.

use std::time::Duration;

/// Parses a duration. A number without a unit is refused, because its unit could only be guessed.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let milliseconds = match rest[..unit_end].trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            _ => return None,
        };
        rest = &rest[unit_end..];
        total = total.checked_add(Duration::from_millis(number.checked_mul(milliseconds)?))?;
    }
    Some(total)
}

/// Parses the duration that a flag of the command line gives.
///
/// # Errors
///
/// A phrase that says what a duration looks like.
pub(crate) fn of_flag(text: &str) -> Result<Duration, &'static str> {
    parse(text).ok_or("must be a duration such as 24h or 90d")
}

/// Writes a duration of whole milliseconds in the largest units, so that [`parse`] reads it back.
pub(super) fn format(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    let mut text = String::new();
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(unit);
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [("1d", 86_400), ("2h", 7_200), ("1h30m", 5_400), (" 90 s ", 90), ("1w", 604_800)] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        for wrong in ["", "90", "1.5h", "-1s", "1y", "h", "99999999999999999999s", "9999999999999999999d"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_written_duration_is_read_back(milliseconds in 0_u64..10_000_000_000) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&format(duration)), Some(duration));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = parse(&text);
        }
    }
}
