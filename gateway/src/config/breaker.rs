//! `[breaker]`: when a deployment that fails is left alone.

use super::reader::Reader;
use std::time::Duration;
use tollgate_core::breaker::Policy;

pub(super) fn read(reader: &mut Reader<'_>) -> Policy {
    let default = Policy::default();
    let failures = reader.number("failures", 1..=10_000);
    let open = reader.duration(
        "open",
        Duration::from_millis(1)..=Duration::from_secs(3_600),
    );
    Policy {
        failures: failures
            .and_then(|failures| u32::try_from(failures).ok())
            .unwrap_or(default.failures),
        open_ms: open
            .and_then(|open| u64::try_from(open.as_millis()).ok())
            .unwrap_or(default.open_ms),
        probe_ms: default.probe_ms,
    }
}
