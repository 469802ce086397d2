//! Whose trace a call is in: `traceparent` of W3C Trace Context
//! (<https://www.w3.org/TR/trace-context/#traceparent-header>).
//!
//! Tollgate makes no spans of its own. It passes on what the caller sent, so that a provider, or a
//! proxy in front of it, and our log lines are found under the caller's trace.

use std::{fmt, str};

/// Version, trace id, parent id, flags: `00-<32 hex>-<16 hex>-<2 hex>`.
const LENGTH: usize = 55;

/// A `traceparent` that is well-formed: lower-case hex and dashes, and no id of zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceParent([u8; LENGTH]);

impl TraceParent {
    /// Reads a header; what is not well-formed is as if it had not been sent, as W3C says. So is
    /// what a later version may add behind.
    #[must_use]
    pub fn parse(header: &[u8]) -> Option<Self> {
        let parent = Self(header.try_into().ok()?);
        let parts: Vec<&str> = str::from_utf8(header).ok()?.split('-').collect();
        let [version, trace, span, flags] = parts[..] else {
            return None;
        };
        let hex = |part: &str| {
            let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            part.bytes().all(digit)
        };
        let lengths = [version, trace, span, flags].map(str::len) == [2, 32, 16, 2];
        let all_hex = [version, trace, span, flags].into_iter().all(hex);
        let zeros = |part: &str| part.bytes().all(|byte| byte == b'0');
        let valid = lengths && all_hex && version != "ff" && !zeros(trace) && !zeros(span);
        valid.then_some(parent)
    }

    /// As it was sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("hex and dashes")
    }

    /// The trace's id, 32 hex digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.as_str()[3..35]
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_good_one_is_kept_as_it_is() {
        let parent = TraceParent::parse(GOOD.as_bytes()).expect("the example of W3C");
        assert_eq!(parent.as_str(), GOOD);
        assert_eq!(parent.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        let later = GOOD.replacen("00", "01", 1);
        assert!(TraceParent::parse(later.as_bytes()).is_some());
    }

    #[test]
    fn all_others_were_never_sent() {
        for bad in [
            "",
            "00",
            &GOOD.to_uppercase(),
            &GOOD.replacen("00", "ff", 1),
            &GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &GOOD.replace("b7ad6b7169203331", &"0".repeat(16)),
            &GOOD.replace('7', "g"),
            &GOOD.replace('-', "_"),
            &format!("{GOOD}-more"),
            &GOOD.replacen("0af", "0a-", 1),
        ] {
            assert_eq!(TraceParent::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(TraceParent::parse(&[0xff; LENGTH]), None);
    }
}
