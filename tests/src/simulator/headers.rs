//! The headers that real providers put on every answer: request id, rate limits, `retry-after`.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Api;
use super::clock;
use super::faults::RetryAfter;

/// The limits that the simulator says it has. It does not enforce them: a `429` is a fault rule.
const REQUESTS: u64 = 10_000;
const TOKENS: u64 = 2_000_000;

/// Headers of one answer. `wait` is not zero if the answer is a refusal for now.
pub(crate) fn headers(
    api: Api,
    request_id: &str,
    retry_after: RetryAfter,
    throttled: Throttled,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: String| {
        let value = HeaderValue::from_str(&value).expect("our values are plain ASCII");
        headers.insert(HeaderName::from_static(name), value);
    };
    put("x-simulated", "true".to_owned());
    let now = clock::now();
    let wait = match retry_after {
        RetryAfter::Absent => 1,
        RetryAfter::Seconds(seconds) | RetryAfter::Date(seconds) => seconds,
    };
    match retry_after {
        RetryAfter::Absent => {}
        RetryAfter::Seconds(seconds) => put("retry-after", seconds.to_string()),
        RetryAfter::Date(seconds) => put("retry-after", http_date(later(now, seconds))),
    }
    let left = |limit: u64| {
        if throttled == Throttled::Yes {
            0
        } else {
            limit - 1
        }
    };
    let wait = if throttled == Throttled::Yes { wait } else { 0 };
    match api {
        Api::OpenAi => {
            put("x-request-id", request_id.to_owned());
            put("openai-organization", "org-simulated".to_owned());
            put("openai-processing-ms", "1".to_owned());
            put("openai-version", "2020-10-01".to_owned());
            put("x-ratelimit-limit-requests", REQUESTS.to_string());
            put("x-ratelimit-remaining-requests", left(REQUESTS).to_string());
            put("x-ratelimit-reset-requests", go_duration(wait * 1000 + 6));
            put("x-ratelimit-limit-tokens", TOKENS.to_string());
            put("x-ratelimit-remaining-tokens", left(TOKENS).to_string());
            put("x-ratelimit-reset-tokens", go_duration(wait * 1000));
        }
        Api::Anthropic => {
            put("request-id", request_id.to_owned());
            put("anthropic-organization-id", "org-simulated".to_owned());
            let reset = later(now, wait).to_rfc3339_opts(SecondsFormat::Secs, true);
            put("anthropic-ratelimit-requests-limit", REQUESTS.to_string());
            put(
                "anthropic-ratelimit-requests-remaining",
                left(REQUESTS).to_string(),
            );
            put("anthropic-ratelimit-requests-reset", reset.clone());
            put("anthropic-ratelimit-input-tokens-limit", TOKENS.to_string());
            put(
                "anthropic-ratelimit-input-tokens-remaining",
                left(TOKENS).to_string(),
            );
            put("anthropic-ratelimit-input-tokens-reset", reset.clone());
            put(
                "anthropic-ratelimit-output-tokens-limit",
                TOKENS.to_string(),
            );
            put(
                "anthropic-ratelimit-output-tokens-remaining",
                left(TOKENS).to_string(),
            );
            put("anthropic-ratelimit-output-tokens-reset", reset);
        }
    }
    headers
}

/// Whether the answer says that a rate limit is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Throttled {
    Yes,
    No,
}

fn later(now: DateTime<Utc>, seconds: u64) -> DateTime<Utc> {
    let seconds = i64::try_from(seconds)
        .unwrap_or(i64::MAX)
        .min(1_000_000_000);
    now + TimeDelta::seconds(seconds)
}

/// An IMF-fixdate (RFC 9110, 5.6.7).
fn http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A duration as Go prints it, which is how OpenAI writes resets: `6m0s`, `1s`, `120ms`.
fn go_duration(milliseconds: u64) -> String {
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    if seconds == 0 {
        return if rest == 0 {
            "0s".to_owned()
        } else {
            format!("{rest}ms")
        };
    }
    let fraction = match rest {
        0 => String::new(),
        rest => format!(".{rest:03}").trim_end_matches('0').to_owned(),
    };
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}{fraction}s"),
        (0, minutes) => format!("{minutes}m{seconds}{fraction}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}{fraction}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_are_written_as_go_writes_durations() {
        let cases = [
            (0, "0s"),
            (120, "120ms"),
            (1000, "1s"),
            (1006, "1.006s"),
            (360_000, "6m0s"),
            (90_500, "1m30.5s"),
            (3_600_000, "1h0m0s"),
        ];
        for (milliseconds, expected) in cases {
            assert_eq!(go_duration(milliseconds), expected);
        }
    }

    #[test]
    fn a_date_is_in_the_one_form_that_http_allows() {
        let time = DateTime::parse_from_rfc3339("1994-11-06T08:49:37Z")
            .expect("a date")
            .to_utc();
        assert_eq!(http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
