//! The response headers that say how long to wait and what is left.

use http::HeaderMap;
use std::time::{Duration, SystemTime};
use tollgate_core::Timestamp;

/// The longest wait that is believed. Longer ones are cut: no provider's quota has a longer window
/// that a call could wait for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long to wait, in milliseconds, from `retry-after-ms` (OpenAI's own) or `retry-after`
/// (RFC 9110 10.2.3: seconds or a date). What can't be read is as if it were not there.
pub(super) fn retry_after_ms(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let own = text(headers, "retry-after-ms").and_then(|ms| decimal(ms, 0.001));
    let wait = own.or_else(|| {
        let standard = text(headers, "retry-after")?;
        decimal(standard, 1.0).or_else(|| until(standard, now))
    })?;
    u64::try_from(wait.min(LONGEST_WAIT).as_millis()).ok()
}

/// What `name` says is left. What can't be read is as if it were not there.
pub(in crate::provider) fn remaining(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.parse().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A decimal number of `unit` seconds. RFC 9110 has whole seconds only; some servers send
/// fractions.
fn decimal(text: &str, unit: f64) -> Option<Duration> {
    // Rust would also read signs, exponents, "inf" and "nan".
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return None;
    }
    let seconds = text.parse::<f64>().ok()? * unit;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT))
}

fn until(date: &str, now: Timestamp) -> Option<Duration> {
    let at = httpdate::parse_http_date(date).ok()?;
    let since_epoch = at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let at = Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).ok()?);
    Some(Duration::from_millis(at.since(now)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    /// Wed, 21 Oct 2015 07:28:00 GMT.
    const NOW: Timestamp = Timestamp::from_millis(1_445_412_480_000);

    fn wait(headers: &[(&'static str, &str)]) -> Option<u64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                *name,
                HeaderValue::from_str(value).expect("test headers are valid"),
            );
        }
        retry_after_ms(&map, NOW)
    }

    #[test]
    fn both_forms_of_retry_after_are_understood() {
        for (value, expected) in [
            ("0", Some(0)),
            ("7", Some(7_000)),
            (" 7 ", Some(7_000)),
            ("0.25", Some(250)),
            ("1.", Some(1_000)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(30_000)),
            ("Wednesday, 21-Oct-15 07:28:30 GMT", Some(30_000)),
            ("Wed Oct 21 07:28:30 2015", Some(30_000)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
        ] {
            assert_eq!(wait(&[("retry-after", value)]), expected, "{value}");
        }
    }

    #[test]
    fn a_wait_that_makes_no_sense_is_ignored() {
        for value in [
            "",
            ".",
            "1.2.3",
            "-1",
            "+1",
            "1e3",
            "inf",
            "nan",
            "NaN",
            "0x10",
            "1_000",
            "soon",
            "7s",
            "1, 2",
            "Wed, 32 Oct 2015 07:28:30 GMT",
            "Wed, 21 Oct 1915 07:28:30 GMT",
        ] {
            assert_eq!(wait(&[("retry-after", value)]), None, "{value}");
        }
    }

    #[test]
    fn a_wait_is_cut_to_a_day() {
        let day = Some(86_400_000);
        for value in [
            "86401",
            "99999999999999999999999999",
            "Fri, 31 Dec 9999 23:59:59 GMT",
        ] {
            assert_eq!(wait(&[("retry-after", value)]), day, "{value}");
        }
        assert_eq!(wait(&[("retry-after", &"9".repeat(400))]), day);
    }

    #[test]
    fn milliseconds_go_before_seconds_unless_they_are_garbage() {
        assert_eq!(
            wait(&[("retry-after", "1"), ("retry-after-ms", "840")]),
            Some(840)
        );
        assert_eq!(
            wait(&[("retry-after", "1"), ("retry-after-ms", "-840")]),
            Some(1_000)
        );
        assert_eq!(wait(&[("retry-after-ms", "12.5")]), Some(12));
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn what_is_left_is_a_whole_number_or_unknown() {
        for (value, expected) in [
            ("0", Some(0)),
            ("149984", Some(149_984)),
            ("-1", None),
            ("1.5", None),
            ("18446744073709551616", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(
                http::header::HeaderName::from_static("x-left"),
                HeaderValue::from_str(value).expect("test headers are valid"),
            )]);
            assert_eq!(remaining(&headers, "x-left"), expected, "{value}");
        }
        assert_eq!(remaining(&HeaderMap::new(), "x-left"), None);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(value in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let mut headers = HeaderMap::new();
                headers.insert("retry-after", value.clone());
                headers.insert("retry-after-ms", value);
                let wait = retry_after_ms(&headers, NOW);
                prop_assert!(wait.is_none_or(|ms| ms <= 86_400_000));
            }
        }
    }
}
