//! The one place that asks what time it is, and the ids that are made from it.

use chrono::{DateTime, SecondsFormat, Utc};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The wall clock.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that the others ask"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A time as the reports write it: UTC with milliseconds.
pub(crate) fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A run id that sorts by time: ten base-32 digits of milliseconds, eight random ones.
pub(crate) fn run_id(started: DateTime<Utc>) -> String {
    let ms = u64::try_from(started.timestamp_millis()).unwrap_or(0);
    format!("{}{}", base32::<10>(ms), base32::<8>(fastrand::u64(..)))
}

fn base32<const DIGITS: usize>(mut number: u64) -> String {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[usize::try_from(number % 32).expect("below 32")];
        number /= 32;
    }
    digits.iter().map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_time() {
        let at = |ms| DateTime::from_timestamp_millis(ms).expect("a valid time");
        assert!(run_id(at(1_764_000_000_000)) < run_id(at(1_764_000_000_001)));
        assert_eq!(run_id(at(0)).len(), 18);
    }
}
