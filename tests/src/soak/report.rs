//! What a soak came to.

use super::watch::Watched;
use crate::bench::machine::Machine;
use serde::Serialize;
use std::{fmt, ops::RangeInclusive};

/// How long a hold may outlive its lease.
const MOST_OVERDUE_MS: i64 = 5_000;

/// How much memory may change between a third and the end.
const MOST_GROWTH: f64 = 0.10;

/// For how long gateways remember what ended, to tell another Redis of it. Before that is over
/// their memory is still filling.
const FILLS_S: f64 = 65.0;

/// What Redis may keep of a call that ended, for 15 minutes.
const MOST_BYTES_PER_CALL: f64 = 320.0;

/// For how long.
const REMEMBERED_S: f64 = 15.0 * 60.0;

/// What Redis may need besides: balances, scripts, buffers of connections, what waits for the ledger.
const MOST_BESIDES_MIB: f64 = 64.0;

/// Keys that stay: balances, leases, outbox, the drain's.
const MOST_LASTING_KEYS: u64 = 24;

/// What was seen.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where.
    #[serde(flatten)]
    pub machine: Machine,
    /// The calls, all of which were answered.
    pub calls: u64,
    /// How long they took.
    pub took_s: f64,
    /// What was there at the end.
    pub ends: Ends,
    /// The worst that was seen meanwhile.
    pub watched: Watched,
    /// Figures after each hundredth.
    pub samples: Vec<Sample>,
}

/// What was there at the end, in nano-dollars.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ends {
    /// What the gateways say was spent.
    pub spent: i64,
    /// What the ledger says.
    pub ledger: i64,
    /// What the provider bills.
    pub bill: i64,
    /// Keys in Redis that don't expire.
    pub lasting_keys: u64,
}

/// Figures at one time.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// The calls so far.
    pub calls: u64,
    /// The seconds so far.
    pub after_s: f64,
    /// The memory in use of each gateway.
    pub gateways_mib: Vec<f64>,
    /// The memory that Redis uses.
    pub redis_mib: f64,
}

/// How a gateway's memory changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// Between 30 % and 40 % of the calls, on average.
    pub early_mib: f64,
    /// In the last tenth.
    pub late_mib: f64,
}

impl Memory {
    /// The growth as a share.
    #[must_use]
    pub fn growth(self) -> f64 {
        self.late_mib / self.early_mib - 1.0
    }
}

impl Report {
    /// The memory of each gateway.
    #[must_use]
    pub fn memory(&self) -> Vec<Memory> {
        let gateways = self
            .samples
            .first()
            .map_or(0, |first| first.gateways_mib.len());
        let of = |gateway| Memory {
            early_mib: self.mean(gateway, 30..=40),
            late_mib: self.mean(gateway, 90..=100),
        };
        (0..gateways).map(of).collect()
    }

    /// Whether the run was long enough to judge the memory: what gateways remember for a minute
    /// must have filled before the first figure.
    #[must_use]
    pub fn is_memory_judged(&self) -> bool {
        let early = self.samples.get(30);
        early.is_some_and(|early| early.after_s >= FILLS_S)
    }

    fn mean(&self, gateway: usize, part: RangeInclusive<usize>) -> f64 {
        let samples = self.samples.get(part).unwrap_or_default();
        let sum: f64 = samples
            .iter()
            .map(|sample| sample.gateways_mib[gateway])
            .sum();
        sum / samples.len().max(1) as f64
    }

    /// The most that Redis used.
    #[must_use]
    pub fn most_redis_mib(&self) -> f64 {
        let used = self.samples.iter().map(|sample| sample.redis_mib);
        used.fold(0.0, f64::max)
    }

    /// The most that Redis may use: what it remembers of calls that ended, and a fixed rest.
    #[must_use]
    pub fn redis_bound_mib(&self) -> f64 {
        let remembered = self.calls as f64 * (REMEMBERED_S / self.took_s).min(1.0);
        MOST_BESIDES_MIB + remembered * MOST_BYTES_PER_CALL / f64::from(1 << 20)
    }

    /// What is not as it should be.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        let Ends {
            spent,
            ledger,
            bill,
            lasting_keys,
        } = self.ends;
        if spent != ledger {
            found.push(format!(
                "spent is {spent} nano-dollars, the ledger has {ledger}"
            ));
        }
        if spent != bill || bill == 0 {
            found.push(format!(
                "spent is {spent} nano-dollars, the provider bills {bill}"
            ));
        }
        let overdue = self.watched.most_overdue_ms;
        if overdue > MOST_OVERDUE_MS {
            found.push(format!(
                "a hold was open {overdue} ms after its lease had ended"
            ));
        }
        for memory in self
            .memory()
            .into_iter()
            .filter(|_| self.is_memory_judged())
        {
            if memory.growth().abs() > MOST_GROWTH {
                found.push(format!(
                    "a gateway's memory went from {:.1} to {:.1} MB",
                    memory.early_mib, memory.late_mib
                ));
            }
        }
        let (most, bound) = (self.most_redis_mib(), self.redis_bound_mib());
        if most > bound {
            found.push(format!("Redis used {most:.0} MB, above {bound:.0} MB"));
        }
        if lasting_keys > MOST_LASTING_KEYS {
            found.push(format!("{lasting_keys} keys in Redis never expire"));
        }
        found
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = self.calls as f64 / self.took_s;
        writeln!(
            f,
            "{} calls in {:.0} s, {per_second:.0} a second, none failed",
            self.calls, self.took_s
        )?;
        let Ends {
            spent,
            ledger,
            bill,
            ..
        } = self.ends;
        writeln!(
            f,
            "spent - ledger: {}; spent - bill: {} nano-dollars of {spent}",
            spent - ledger,
            spent - bill
        )?;
        let Watched {
            looks,
            most_overdue_ms,
            most_outbox,
            most_open,
        } = self.watched;
        writeln!(
            f,
            "{looks} looks: a lease overdue by {most_overdue_ms} ms at most; {most_open} holds \
             open; {most_outbox} entries waited for the ledger"
        )?;
        for memory in self.memory() {
            let judged = if self.is_memory_judged() {
                ""
            } else {
                " (not judged: too short a run, it is still filling)"
            };
            writeln!(
                f,
                "a gateway: {:.1} MB at 30 %, {:.1} MB at the end, {:+.1} %{judged}",
                memory.early_mib,
                memory.late_mib,
                memory.growth() * 100.0
            )?;
        }
        write!(
            f,
            "Redis: {:.1} MB at most (bound {:.0} MB), {} keys that don't expire",
            self.most_redis_mib(),
            self.redis_bound_mib(),
            self.ends.lasting_keys
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(mib: impl Fn(u32) -> f64) -> Report {
        let sample = |part: u32| Sample {
            calls: u64::from(part),
            after_s: f64::from(part) * 3.0,
            gateways_mib: vec![mib(part)],
            redis_mib: 10.0,
        };
        Report {
            machine: Machine {
                cores: 2,
                memory_gib: 8.0,
                load_before: 0.0,
            },
            calls: 100,
            took_s: 300.0,
            ends: Ends {
                spent: 5,
                ledger: 5,
                bill: 5,
                lasting_keys: 9,
            },
            watched: Watched::default(),
            samples: (0..=100).map(sample).collect(),
        }
    }

    #[test]
    fn memory_may_fill_and_must_not_grow() {
        let filling = report(|part| f64::from(part.min(25)) + 50.0);
        assert!(filling.is_memory_judged());
        assert_eq!(filling.problems(), [""; 0]);
        let leaking = report(|part| f64::from(part) + 50.0);
        assert_eq!(leaking.problems().len(), 1, "{:?}", leaking.problems());
    }

    #[test]
    fn what_is_left_over_is_a_problem() {
        let mut report = report(|_| 50.0);
        report.ends.ledger = 4;
        report.ends.lasting_keys = 100;
        report.watched.most_overdue_ms = 5_001;
        report.samples[50].redis_mib = 1_000.0;
        assert_eq!(report.problems().len(), 4, "{:?}", report.problems());
    }
}
