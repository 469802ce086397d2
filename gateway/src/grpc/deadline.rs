//! The caller's deadline, from `grpc-timeout`.

use crate::call::{DEFAULT_DEADLINE, LONGEST_DEADLINE};
use http::HeaderMap;
use std::time::Duration;
use tokio::time::Instant;

/// When the caller stops waiting. Put into each request's extensions by the edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(pub(super) Instant);

/// Takes `grpc-timeout` out of the headers, so that tonic does not enforce it too, and says how
/// long the call may take: 120 s if the caller does not say, at most 300 s.
///
/// A value that is not well-formed counts as not said, as gRPC servers do.
pub(super) fn take(headers: &mut HeaderMap) -> Duration {
    let said = headers.remove("grpc-timeout");
    let said = said.as_ref().and_then(|value| value.to_str().ok());
    said.and_then(parse)
        .unwrap_or(DEFAULT_DEADLINE)
        .min(LONGEST_DEADLINE)
}

/// At most eight digits and a unit (gRPC over HTTP/2, "Timeout").
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3_600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> Duration {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", text.parse().expect("a header"));
        let taken = take(&mut headers);
        assert!(headers.is_empty());
        taken
    }

    #[test]
    fn every_unit_is_understood() {
        assert_eq!(taken("2S"), Duration::from_secs(2));
        assert_eq!(taken("1500m"), Duration::from_millis(1_500));
        assert_eq!(taken("250u"), Duration::from_micros(250));
        assert_eq!(taken("99n"), Duration::from_nanos(99));
        assert_eq!(taken("1M"), Duration::from_secs(60));
    }

    #[test]
    fn long_deadlines_are_cut_and_odd_ones_ignored() {
        assert_eq!(taken("1H"), LONGEST_DEADLINE);
        assert_eq!(taken("99999999H"), LONGEST_DEADLINE);
        for odd in ["", "S", "-1S", "1", "123456789S", "1X", "1.5S", "+1S"] {
            assert_eq!(taken(odd), DEFAULT_DEADLINE, "{odd}");
        }
        assert_eq!(take(&mut HeaderMap::new()), DEFAULT_DEADLINE);
    }
}
