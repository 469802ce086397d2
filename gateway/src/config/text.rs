//! Durations, sizes, shares and names: text that is parsed once, here.

use std::time::Duration;
use tollgate_core::money::{MoneyError, parse_decimal};

/// A text from the file, fit to be shown in a message: quoted, escaped, not too long.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(LONGEST).collect();
    format!("{:?}", format!("{start}…"))
}

/// Reads a duration: a whole number and a unit, such as `250ms`, `30s`, `5m`, `24h` or `7d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "{} is not a duration such as \"250ms\", \"30s\", \"5m\", \"24h\" or \"7d\"",
            shown(text)
        )
    };
    let (number, unit) = split_unit(text).ok_or_else(wrong)?;
    let unit_millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit_millis))
        .map(Duration::from_millis)
        .ok_or_else(|| format!("{} is too long to be counted in milliseconds", shown(text)))
}

/// A duration as [`duration`] reads it, in the largest unit that keeps it whole.
pub(super) fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, unit_millis) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ] {
        if millis > 0 && millis.is_multiple_of(unit_millis) {
            return format!("{}{unit}", millis / unit_millis);
        }
    }
    format!("{millis}ms")
}

/// Reads a size: a whole number and a unit, such as `512B`, `64KiB`, `4MiB` or `1GiB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "{} is not a size such as \"64KiB\", \"4MiB\" or \"1GiB\"",
            shown(text)
        )
    };
    let (number, unit) = split_unit(text).ok_or_else(wrong)?;
    let unit_bytes: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit_bytes))
        .ok_or_else(|| format!("{} is too large", shown(text)))
}

/// A size as [`size`] reads it, in the largest unit that keeps it whole.
pub(super) fn size_text(bytes: u64) -> String {
    for (unit, unit_bytes) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes > 0 && bytes.is_multiple_of(unit_bytes) {
            return format!("{}{unit}", bytes / unit_bytes);
        }
    }
    format!("{bytes}B")
}

/// Digits, then a unit.
fn split_unit(text: &str) -> Option<(&str, &str)> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    (unit_at > 0).then(|| text.split_at(unit_at))
}

/// Reads a share above 0 and up to 1 as thousandths, by its decimal text: no float is computed.
pub(super) fn share(text: &str) -> Result<u16, String> {
    let permille = parse_decimal(text, 3).map_err(|error| match error {
        MoneyError::TooPrecise => format!("{text} is finer than a thousandth; round it"),
        MoneyError::NotDecimal | MoneyError::TooLarge => not_a_share(text),
    })?;
    match u16::try_from(permille) {
        Ok(permille @ 1..=1_000) => Ok(permille),
        _ => Err(not_a_share(text)),
    }
}

fn not_a_share(text: &str) -> String {
    format!("{text} is not a share above 0 and up to 1, such as 0.8")
}

/// Thousandths as decimal text with at least one decimal place: `0.8`, `1.0`.
pub(super) fn permille_text(permille: u32) -> String {
    let fraction = format!("{:03}", permille % 1_000);
    let kept = fraction.trim_end_matches('0').len().max(1);
    format!("{}.{}", permille / 1_000, &fraction[..kept])
}

/// The longest name of anything.
const LONGEST_NAME: usize = 64;

/// Checks the name of a team, route, provider or pipeline.
pub(super) fn name(text: &str) -> Result<(), String> {
    let first = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let later = |b: u8| first(b) || b"._-".contains(&b);
    if is_name(text, first, later) {
        return reserved(text);
    }
    Err(format!(
        "{} is not a name: 1 to {LONGEST_NAME} lower-case letters, digits, \".\", \"_\" and \"-\", \
         with a letter or digit first",
        shown(text)
    ))
}

/// Checks the name of a model, which may look like the names that providers give.
pub(super) fn model_name(text: &str) -> Result<(), String> {
    let first = |b: u8| b.is_ascii_alphanumeric();
    let later = |b: u8| first(b) || b"._-:/".contains(&b);
    if is_name(text, first, later) {
        return reserved(text);
    }
    Err(format!(
        "{} is not the name of a model: 1 to {LONGEST_NAME} letters, digits, \".\", \"_\", \"-\", \
         \":\" and \"/\", with a letter or digit first",
        shown(text)
    ))
}

fn is_name(text: &str, first: impl Fn(u8) -> bool, later: impl Fn(u8) -> bool) -> bool {
    text.len() <= LONGEST_NAME
        && text.bytes().next().is_some_and(first)
        && text.bytes().skip(1).all(later)
}

/// "other" stands in metrics for all names that are not configured.
fn reserved(text: &str) -> Result<(), String> {
    if text == "other" {
        return Err("\"other\" is reserved: metrics call by it what is not configured".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for text in [
            "5 parsecs",
            "-1s",
            "",
            "s",
            "5",
            "1.5s",
            " 1s",
            "1s ",
            "1S",
            "１s",
            "1m30s",
        ] {
            let message = duration(text).expect_err("not a duration");
            assert!(message.contains("is not a duration such as"), "{message}");
        }
        for text in ["18446744073709551615s", "99999999999999999999ms"] {
            let message = duration(text).expect_err("overflows");
            assert!(message.contains("too long"), "{message}");
        }
    }

    #[test]
    fn sizes_are_a_number_and_a_binary_unit() {
        assert_eq!(size("512B"), Ok(512));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("4MiB"), Ok(4 << 20));
        for text in ["4MB", "4", "MiB", "-1KiB", "4 MiB"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert!(
            size("99999999999GiB")
                .expect_err("huge")
                .contains("too large")
        );
    }

    #[test]
    fn shares_are_read_by_their_digits() {
        assert_eq!(share("0.8"), Ok(800));
        assert_eq!(share("1"), Ok(1_000));
        assert_eq!(share("1.0"), Ok(1_000));
        assert_eq!(share("0.001"), Ok(1));
        for text in ["0", "0.0", "1.001", "-0.5", "nan", "inf", "8e-1", "2"] {
            assert!(share(text).expect_err(text).contains("is not a share"));
        }
        assert!(share("0.8125").expect_err("fine").contains("round it"));
    }

    #[test]
    fn names_are_plain() {
        for good in ["a", "news", "team-1", "a.b_c", "0"] {
            assert_eq!(name(good), Ok(()), "{good}");
        }
        let long = "a".repeat(65);
        for bad in ["", "A", "-a", ".a", "a b", "ä", "a/b", "other", &long] {
            assert!(name(bad).is_err(), "{bad}");
        }
        assert_eq!(model_name("Qwen/Qwen3:8b"), Ok(()));
        assert!(model_name("/etc").is_err());
        assert!(model_name("a\nb").is_err());
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(number in 0..u64::from(u32::MAX), permille in 1..=1_000u16) {
            let time = Duration::from_millis(number);
            prop_assert_eq!(duration(&duration_text(time)), Ok(time));
            prop_assert_eq!(size(&size_text(number)), Ok(number));
            prop_assert_eq!(share(&permille_text(permille.into())), Ok(permille));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = (duration(&text), size(&text), share(&text), name(&text), model_name(&text));
        }
    }
}
