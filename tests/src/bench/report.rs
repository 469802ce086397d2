//! What was measured.

use super::{cost::Costs, machine::Machine, run::Plan};
use anyhow::Result;
use serde::Serialize;
use std::{fmt, time::Duration};

/// Under what it was measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Conditions {
    /// Where.
    #[serde(flatten)]
    pub machine: Machine,
    /// The rounds of each side.
    pub rounds: usize,
    /// How long one was measured.
    #[serde(serialize_with = "seconds")]
    pub measured: Duration,
}

impl Conditions {
    /// As they are now.
    pub(super) fn of(plan: Plan) -> Result<Self> {
        Ok(Self {
            machine: Machine::look()?,
            rounds: plan.rounds,
            measured: plan.measured,
        })
    }
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Under what.
    #[serde(flatten)]
    pub conditions: Conditions,
    /// From the start of the process to its first answer.
    #[serde(serialize_with = "seconds")]
    pub first_answer: Duration,
    /// The gateway's memory.
    pub memory: Memory,
    /// The floor.
    pub pass_through: Side,
    /// The gateway.
    pub gateway: Side,
}

/// What was measured over Redis.
#[derive(Clone, Debug, Serialize)]
pub struct OverRedis {
    /// Under what.
    #[serde(flatten)]
    pub conditions: Conditions,
    /// The floor, which runs as many scripts.
    pub pass_through: Side,
    /// The gateway.
    pub gateway: Side,
    /// What scripts cost Redis that do all that they can.
    pub costs: Costs,
    /// Which Redis.
    pub redis_version: String,
}

/// The gateway's memory in use.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// After its first call.
    pub idle_mib: f64,
    /// The calls when it was read for the first time under load.
    pub half_calls: u64,
    /// What it was then.
    pub half_mib: f64,
    /// The calls when it was read last.
    pub calls: u64,
    /// What it was then.
    pub mib: f64,
}

/// One of the two.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// All calls that it answered.
    pub calls: u64,
    /// Its memory in use after them.
    pub rss_mib: f64,
    /// The median of the rounds, each figure on its own.
    pub median: Round,
    /// The rounds.
    pub rounds: Vec<Round>,
}

/// One round.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Round {
    /// Calls answered per second.
    pub calls_per_second: f64,
    /// Half of the calls took at most this.
    pub p50_ms: f64,
    /// All calls but one in a hundred took at most this.
    pub p99_ms: f64,
    /// Processor time of the server.
    pub cpu_us_per_call: f64,
    /// Processor time of the load generator, which also reads the gateway's log.
    pub load_us_per_call: f64,
    /// Processor time of the provider simulator.
    pub simulator_us_per_call: f64,
    /// Cores that other programs used meanwhile.
    pub cores_elsewhere: f64,
}

impl Side {
    /// Its calls per second over another's.
    pub(super) fn rate_ratio(&self, other: &Self) -> f64 {
        self.median.calls_per_second / other.median.calls_per_second
    }

    /// Its processor time per call over another's.
    pub(super) fn cpu_ratio(&self, other: &Self) -> f64 {
        self.median.cpu_us_per_call / other.median.cpu_us_per_call
    }

    /// The most cores that other programs used, as the median of each side's rounds.
    pub(super) fn cores_elsewhere(&self, other: &Self) -> f64 {
        let (here, there) = (&self.median, &other.median);
        here.cores_elsewhere.max(there.cores_elsewhere)
    }
}

impl Report {
    /// The gateway's calls per second over the pass-through's.
    #[must_use]
    pub fn rate_ratio(&self) -> f64 {
        self.gateway.rate_ratio(&self.pass_through)
    }

    /// The gateway's processor time per call over the pass-through's.
    #[must_use]
    pub fn cpu_ratio(&self) -> f64 {
        self.gateway.cpu_ratio(&self.pass_through)
    }

    /// How much the memory grew over the second half.
    #[must_use]
    pub fn growth_mib(&self) -> f64 {
        self.memory.mib - self.memory.half_mib
    }
}

impl Round {
    /// The median of each figure.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure).collect());
        Self {
            calls_per_second: of(|round| round.calls_per_second),
            p50_ms: of(|round| round.p50_ms),
            p99_ms: of(|round| round.p99_ms),
            cpu_us_per_call: of(|round| round.cpu_us_per_call),
            load_us_per_call: of(|round| round.load_us_per_call),
            simulator_us_per_call: of(|round| round.simulator_us_per_call),
            cores_elsewhere: of(|round| round.cores_elsewhere),
        }
    }
}

/// The middle one, or the mean of the middle two; 0 of none.
pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let last = figures.len().saturating_sub(1);
    match (figures.get(last / 2), figures.get(last.div_ceil(2))) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => 0.0,
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sides = [
            ("pass-through", &self.pass_through),
            ("gateway", &self.gateway),
        ];
        table(f, sides)?;
        writeln!(
            f,
            "gateway / pass-through: {:.2} of the calls/s (target 0.80), {:.2} times the CPU",
            self.rate_ratio(),
            self.cpu_ratio()
        )?;
        let memory = &self.memory;
        writeln!(
            f,
            "memory: {:.1} MB idle, {:.1} MB after {} calls, {:.1} MB after {} ({:+.1} MB; \
             target below 50 MB, flat)",
            memory.idle_mib,
            memory.half_mib,
            memory.half_calls,
            memory.mib,
            memory.calls,
            self.growth_mib()
        )?;
        writeln!(
            f,
            "start to first answer: {:.3} s (target below 0.5 s)",
            self.first_answer.as_secs_f64()
        )?;
        write!(
            f,
            "{}; other programs used {:.2} cores meanwhile",
            self.conditions.machine,
            self.gateway.cores_elsewhere(&self.pass_through)
        )
    }
}

impl fmt::Display for OverRedis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sides = [
            ("pass-through", &self.pass_through),
            ("gateway", &self.gateway),
        ];
        table(f, sides)?;
        writeln!(
            f,
            "gateway / pass-through: {:.2} of the calls/s (target 0.80), {:.2} times the CPU",
            self.gateway.rate_ratio(&self.pass_through),
            self.gateway.cpu_ratio(&self.pass_through)
        )?;
        for (name, cost) in [("hold", self.costs.hold), ("settle", self.costs.settle)] {
            writeln!(
                f,
                "{name:6} {:.1} us of Redis' CPU (target 60 us); {:.1} us in the script, by the clock",
                cost.cpu_us, cost.script_us
            )?;
        }
        write!(
            f,
            "{}; Redis {}",
            self.conditions.machine, self.redis_version
        )
    }
}

/// The table of both sides.
pub(super) fn table(f: &mut fmt::Formatter<'_>, sides: [(&str, &Side); 2]) -> fmt::Result {
    writeln!(
        f,
        "{:14} {:>8} {:>9} {:>9} {:>12} {:>9}",
        "", "CALLS/S", "P50", "P99", "CPU/CALL", "RSS"
    )?;
    for (name, side) in sides {
        let Round {
            calls_per_second,
            p50_ms,
            p99_ms,
            cpu_us_per_call,
            ..
        } = side.median;
        writeln!(
            f,
            "{name:14} {calls_per_second:>8.0} {p50_ms:>6.2} ms {p99_ms:>6.2} ms \
             {cpu_us_per_call:>9.1} us {:>5.1} MB",
            side.rss_mib
        )?;
    }
    Ok(())
}

fn seconds<S: serde::Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_in_the_middle() {
        for (figures, expected) in [
            (vec![], 0.0),
            (vec![3.0], 3.0),
            (vec![9.0, 1.0], 5.0),
            (vec![9.0, 1.0, 2.0], 2.0),
        ] {
            assert!((median(figures) - expected).abs() < f64::EPSILON);
        }
    }
}
