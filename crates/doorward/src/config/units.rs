//! Durations as people write them: `500ms`, `10s`, `15m`, `24h`, `30d`.

use std::time::Duration;

/// Units with their milliseconds, the largest first.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads a whole number with its unit.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*ms).map(Duration::from_millis)
}

/// Writes it in the largest unit that leaves no rest.
pub(super) fn show(duration: Duration) -> String {
    let total = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let whole = UNITS.iter().find(|(_, ms)| total >= *ms && total.is_multiple_of(*ms));
    whole.map_or_else(|| "0s".to_owned(), |(name, ms)| format!("{}{name}", total / ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, seconds) in [
            ("10s", 10),
            ("15m", 900),
            ("24h", 86_400),
            ("30d", 2_592_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        for (ms, text) in [
            (0, "0s"),
            (250, "250ms"),
            (90_000, "90s"),
            (600_000, "10m"),
            (86_400_000, "1d"),
        ] {
            assert_eq!(show(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn refuses_what_could_be_meant_differently() {
        for wrong in [
            "",
            "10",
            "s",
            "1.5h",
            "-1s",
            "10 s",
            "10S",
            "1h30m",
            "99999999999999999999d",
            "9999999999999d",
        ] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}
