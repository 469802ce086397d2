//! `limits = { … }`: rate and concurrency limits of a team or a deployment.

use super::reader::Reader;
use tollgate_core::limit::{BucketSpec, GaugeSpec, LARGEST_EXACT, Limits, Scope, Unit};

/// The name of the limit on what runs at once.
pub(super) const CONCURRENCY: &str = "concurrency";

const UNITS: [Unit; 4] = [
    Unit::Requests,
    Unit::Tokens,
    Unit::InputTokens,
    Unit::OutputTokens,
];

/// Reads `limits` of the table. A limit of 0 would refuse every call and is refused; one that is
/// left out is none.
pub(super) fn read(reader: &mut Reader<'_>, scope: Scope) -> Limits {
    reader.table("limits", |reader| {
        let mut limits = Limits::none(scope);
        for unit in UNITS {
            let limit = reader.number(unit.per_minute(), 1..=BucketSpec::LARGEST_PER_MINUTE);
            limits
                .buckets
                .extend(limit.map(|limit| BucketSpec::per_minute(unit, limit)));
        }
        let concurrency = reader.number(CONCURRENCY, 1..=LARGEST_EXACT);
        limits.gauges.extend(concurrency.map(|limit| GaugeSpec {
            name: CONCURRENCY.into(),
            limit,
        }));
        limits
    })
}
