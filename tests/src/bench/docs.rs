//! `docs/benchmarks.md`: three parts, each written by a run of its own.

use super::{
    load::{CONNECTIONS, IN_FLIGHT},
    report::{OverRedis, Report, Side},
    telemetry::Telemetry,
};

/// Where the later parts begin.
const OVER_REDIS: &str = "\n## Over Redis\n";
const TELEMETRY: &str = "\n## Telemetry\n";

/// The parts of the document; the first one has no title of its own.
struct Parts<'a> {
    first: &'a str,
    over_redis: &'a str,
    telemetry: &'a str,
}

impl<'a> Parts<'a> {
    fn of(document: &'a str) -> Self {
        let (rest, telemetry) = cut(document, TELEMETRY);
        let (first, over_redis) = cut(rest, OVER_REDIS);
        Self {
            first,
            over_redis,
            telemetry,
        }
    }

    fn join(&self) -> String {
        [self.first, self.over_redis, self.telemetry].concat()
    }
}

/// What is before a title, and what begins with it.
fn cut<'a>(document: &'a str, title: &str) -> (&'a str, &'a str) {
    document.split_at(document.find(title).unwrap_or(document.len()))
}

/// The document with its first part, as of `date`; the others stay.
#[must_use]
pub fn with_memory(document: &str, report: &Report, date: &str) -> String {
    let first = &markdown(report, date);
    let parts = Parts::of(document);
    Parts { first, ..parts }.join()
}

/// The document with its part about Redis, as of `date`; the others stay.
#[must_use]
pub fn with_redis(document: &str, report: &OverRedis, date: &str) -> String {
    let over_redis = &format!("{OVER_REDIS}{}", over_redis(report, date));
    let parts = Parts::of(document);
    Parts {
        over_redis,
        ..parts
    }
    .join()
}

/// The document with its part about telemetry, as of `date`; the others stay.
#[must_use]
pub fn with_telemetry(document: &str, report: &Telemetry, date: &str) -> String {
    let telemetry = &format!("{TELEMETRY}{}", telemetry(report, date));
    let parts = Parts::of(document);
    Parts { telemetry, ..parts }.join()
}

fn markdown(report: &Report, date: &str) -> String {
    let memory = &report.memory;
    format!(
        r#"# Benchmarks

Written by `make bench ARGS=--write-docs`; its part about Redis by `make bench ARGS="--store redis
--write-docs"`, and its part about telemetry by `make bench ARGS="--telemetry --write-docs"`. Don't edit
it by hand.

## Method

Everything runs on one machine, over loopback: the load generator, a provider simulator that answers
at once with one fixed body, and two servers that are measured in turn.

- **pass-through**: gRPC in, the provider's JSON out, and back. No key, no limit, no money, no log. It
  has the gateway's HTTP client and settings, so it is the least that a gateway can cost.
- **gateway**: `tollgate serve` with all that governs a call: the team's key, limits on requests,
  tokens and concurrency, a day and a month budget, the ledger (a `held` line before dispatch, a
  `settled` line after), metrics, a JSON log line per call (read through a pipe), and the interaction
  log with hashes. The store is in the process. The bounds are checked on every call and never reached.

The load is a closed loop: {in_flight} calls in flight on {connections} connections, two messages of
about 140 bytes each. {rounds} rounds of {measured:.0} s for each side, interleaved, each after a warm-up;
the table has the median of each figure over the rounds. A run fails if any call fails, or if the
ledger does not add up to the calls that were answered. Nothing passes or fails by its time.

The two servers share the cores with the load generator and the simulator, so compare the sides with
each other and don't read calls/s as the most that a gateway can do.

## Result

Measured {date} on {cores} cores with {machine:.0} GB of memory. The load average was {load:.2} before the
start; other programs used {elsewhere:.2} cores meanwhile.

| | calls/s | p50 | p99 | CPU per call | memory |
|---|---|---|---|---|---|
| pass-through | {floor} |
| gateway | {ours} |
| gateway / pass-through | {rate:.2} | | | {cpu:.2} | |

| figure | measured | target |
|---|---|---|
| calls/s of the pass-through's | {rate:.2} | at least 0.80 |
| memory after {calls} calls | {mib:.1} MB | below 50 MB |
| growth from {half_calls} to {calls} calls | {growth:+.1} MB | flat |
| start to first answer | {first:.3} s | below 0.5 s |
"#,
        in_flight = IN_FLIGHT,
        connections = CONNECTIONS,
        rounds = report.conditions.rounds,
        measured = report.conditions.measured.as_secs_f64(),
        cores = report.conditions.machine.cores,
        machine = report.conditions.machine.memory_gib,
        load = report.conditions.machine.load_before,
        elsewhere = report.gateway.cores_elsewhere(&report.pass_through),
        floor = row(&report.pass_through),
        ours = row(&report.gateway),
        rate = report.rate_ratio(),
        cpu = report.cpu_ratio(),
        calls = memory.calls,
        mib = memory.mib,
        half_calls = memory.half_calls,
        growth = report.growth_mib(),
        first = report.first_answer.as_secs_f64(),
    )
}

fn over_redis(report: &OverRedis, date: &str) -> String {
    let (hold, settle) = (report.costs.hold, report.costs.settle);
    format!(
        r#"
The same with `kind = "redis"`, and with all five limits that a team can have: requests, tokens
(both, in, out) and concurrency, and a day and a month budget. The gateway holds before the upstream
call and settles after it, each with one script in Redis. So does the pass-through here: it runs the
same two scripts with as many keys and as large arguments, on keys of its own, and does nothing else
with them. Redis {version} keeps nothing on disk and shares the cores with everything else.

What a script costs Redis is measured apart, between the rounds: 10,000 holds and then their
settlements, each with 4 buckets, 2 gauges and 4 budgets (more than a team can have today), sent 100
at a time. CPU is what Redis' main thread used for all of it (`INFO cpu`). The time in the script is
by `INFO commandstats`, which goes by the clock: on full cores it may be the larger of the two.

Measured {date} on {cores} cores with {machine:.0} GB of memory; {rounds} interleaved rounds of
{measured:.0} s, medians. The load average was {load:.2} before the start; other programs and Redis
used {elsewhere:.2} cores meanwhile.

| | calls/s | p50 | p99 | CPU per call | memory |
|---|---|---|---|---|---|
| pass-through with two scripts | {floor} |
| gateway over Redis | {ours} |
| gateway / pass-through | {rate:.2} | | | {cpu:.2} | |

| figure | measured | target |
|---|---|---|
| calls/s of the pass-through's | {rate:.2} | at least 0.80 |
| a hold, CPU of Redis | {hold_cpu:.1} us ({hold_script:.1} us in the script, by the clock) | at most 60 us |
| a settlement, CPU of Redis | {settle_cpu:.1} us ({settle_script:.1} us in the script, by the clock) | at most 60 us |
"#,
        version = report.redis_version,
        cores = report.conditions.machine.cores,
        machine = report.conditions.machine.memory_gib,
        rounds = report.conditions.rounds,
        measured = report.conditions.measured.as_secs_f64(),
        load = report.conditions.machine.load_before,
        elsewhere = report.gateway.cores_elsewhere(&report.pass_through),
        floor = row(&report.pass_through),
        ours = row(&report.gateway),
        rate = report.gateway.rate_ratio(&report.pass_through),
        cpu = report.gateway.cpu_ratio(&report.pass_through),
        hold_cpu = hold.cpu_us,
        hold_script = hold.script_us,
        settle_cpu = settle.cpu_us,
        settle_script = settle.script_us,
    )
}

fn telemetry(report: &Telemetry, date: &str) -> String {
    let scrapes = &report.scrapes;
    format!(
        r#"
The gateway as above, with its store in the process, beside the same without anything that tells what
it does: no metrics, no log, no interaction log. There is no such option in `tollgate`; that side is
`bench silent-gateway`, the same library with the same allocator and runtime. Both keep keys, limits,
budgets and the ledger. The load generator also reads the log, which takes time from all cores: that
is counted as a cost.

Then a gateway with {teams} teams, {models} models and {deployments} deployments is scraped {times} times over
loopback, each time on a new connection. Each team has two pipelines, three limits and two budgets.
All series are there from the start, at 0.

Measured {date} on {cores} cores with {machine:.0} GB of memory; {rounds} interleaved rounds of
{measured:.0} s, medians. The load average was {load:.2} before the start; other programs used
{elsewhere:.2} cores meanwhile.

| | calls/s | p50 | p99 | CPU per call | memory |
|---|---|---|---|---|---|
| telemetry off | {off} |
| telemetry on | {on} |
| on / off | {rate:.2} | | | {cpu:.2} | |

| figure | measured | target |
|---|---|---|
| calls/s that telemetry costs | {cost:.1} % | below 10 % |
| a scrape, median | {median:.1} ms | below 20 ms |
| a scrape, slowest | {slowest:.1} ms | below 20 ms |
| a scrape, CPU of the gateway | {scrape_cpu:.1} ms | |
| samples of a scrape | {series} | |
| length of a scrape | {bytes} bytes | |
"#,
        teams = scrapes.teams,
        models = scrapes.models,
        deployments = scrapes.deployments,
        times = scrapes.scrapes,
        cores = report.conditions.machine.cores,
        machine = report.conditions.machine.memory_gib,
        rounds = report.conditions.rounds,
        measured = report.conditions.measured.as_secs_f64(),
        load = report.conditions.machine.load_before,
        elsewhere = report.on.cores_elsewhere(&report.off),
        off = row(&report.off),
        on = row(&report.on),
        rate = report.on.rate_ratio(&report.off),
        cpu = report.on.cpu_ratio(&report.off),
        cost = report.cost() * 100.0,
        median = scrapes.median_ms,
        slowest = scrapes.max_ms,
        scrape_cpu = scrapes.cpu_ms,
        series = scrapes.series,
        bytes = scrapes.bytes,
    )
}

fn row(side: &Side) -> String {
    let median = &side.median;
    format!(
        "{:.0} | {:.2} ms | {:.2} ms | {:.1} us | {:.1} MB",
        median.calls_per_second, median.p50_ms, median.p99_ms, median.cpu_us_per_call, side.rss_mib
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_found_and_kept() {
        let (first, redis, told) = (
            "# B\n\n## Result\n",
            "\n## Over Redis\na\n",
            "\n## Telemetry\nb\n",
        );
        for (document, expected) in [
            ([first, redis, told].concat(), [first, redis, told]),
            ([first, told].concat(), [first, "", told]),
            ([first, redis].concat(), [first, redis, ""]),
            (first.to_owned(), [first, "", ""]),
        ] {
            let parts = Parts::of(&document);
            assert_eq!([parts.first, parts.over_redis, parts.telemetry], expected);
            assert_eq!(parts.join(), document);
        }
    }
}
