//! `docs/soak.md`.

use super::report::Report;

/// The document, as of `date`.
#[must_use]
pub fn markdown(report: &Report, date: &str) -> String {
    let memory: String = report
        .memory()
        .iter()
        .map(|memory| {
            format!(
                "| a gateway's memory, from 30 % of the calls to their end | {:.1} MB to {:.1} MB, \
                 {:+.1} %{} | flat within 10 % |\n",
                memory.early_mib,
                memory.late_mib,
                memory.growth() * 100.0,
                if report.is_memory_judged() {
                    ""
                } else {
                    " (too short a run to judge)"
                },
            )
        })
        .collect();
    format!(
        r"# Soak

Written by `make soak ARGS=--write-docs`; don't edit it by hand.

Two gateways share a Redis and a ledger. 64 calls are in flight until all are made; the provider
simulator answers each at once with one fixed body. The team has limits on requests, tokens (in, out
and both) and concurrency, and a hard day budget; all are checked on every call and none is reached.
A run fails if a call fails or if anything below is not as it should be. Gateways remember for a
minute what has ended, and Redis for 15 minutes, so both fill at first; 30 % of the calls have to take
longer than that minute, or the memory of the gateways is not judged.

Measured {date} on {cores} cores with {machine:.0} GB of memory, which gateways, Redis, simulator and
callers shared with other programs; the load average was {load:.2} before the start.

| {calls} calls in {took:.0} s, {rate:.0} a second | measured | must be |
|---|---|---|
| spent minus ledger | {ledger} nano-dollars | 0 |
| spent minus the provider's bill | {bill} nano-dollars | 0 |
| a hold open after its lease had ended, in {looks} looks | {overdue:.1} s at most | 5 s at most |
{memory}| Redis' memory | {redis:.0} MB at most | below {bound:.0} MB: 320 bytes a call of the last 15 minutes, and 64 MB |
| keys in Redis that don't expire | {lasting} | 24 at most |
| entries that waited for the ledger | {outbox} at most | |
",
        cores = report.machine.cores,
        machine = report.machine.memory_gib,
        load = report.machine.load_before,
        calls = report.calls,
        took = report.took_s,
        rate = report.calls as f64 / report.took_s,
        ledger = report.ends.spent - report.ends.ledger,
        bill = report.ends.spent - report.ends.bill,
        looks = report.watched.looks,
        overdue = report.watched.most_overdue_ms.max(0) as f64 / 1_000.0,
        redis = report.most_redis_mib(),
        bound = report.redis_bound_mib(),
        lasting = report.ends.lasting_keys,
        outbox = report.watched.most_outbox,
    )
}
