//! What the system says about processes and about itself.

use anyhow::{Context as _, Result};
use serde::Serialize;
use std::{fmt, fs, thread};

/// The machine, and how busy it was before anything was measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Machine {
    /// The cores that all of it shared.
    pub cores: usize,
    /// The machine's memory.
    pub memory_gib: f64,
    /// The load average of the last minute before the start.
    pub load_before: f64,
}

impl Machine {
    /// As it is now.
    pub(crate) fn look() -> Result<Self> {
        let memory = fs::read_to_string("/proc/meminfo")?;
        Ok(Self {
            cores: thread::available_parallelism()?.get(),
            memory_gib: kibibytes(&memory, "MemTotal:")? / 1024.0 / 1024.0,
            load_before: load_average()?,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "machine: {} cores, {:.0} GB; load average before {:.2}",
            self.cores, self.memory_gib, self.load_before
        )
    }
}

/// A tick of `/proc/*/stat` in microseconds: the unit is fixed for user space.
const TICK_US: u64 = 10_000;

/// The processor time that a process used so far, in microseconds, ended threads included.
pub(crate) fn cpu_us(process: u32) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
    // utime and stime are fields 14 and 15; the state, field 3, is first here.
    let times = fields.split_whitespace().skip(11).take(2);
    let ticks: Result<Vec<u64>, _> = times.map(str::parse).collect();
    Ok(ticks?.into_iter().sum::<u64>() * TICK_US)
}

/// The memory of a process that is in use, in MiB.
pub(crate) fn rss_mib(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    Ok(kibibytes(&status, "VmRSS:")? / 1024.0)
}

/// The processor time that all processes used so far, in microseconds.
pub(crate) fn busy_us() -> Result<u64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let all = stat.lines().next().context("an empty stat")?;
    // user, nice, system, idle, iowait, irq, softirq, steal.
    let ticks: Result<Vec<u64>, _> = all.split_whitespace().skip(1).map(str::parse).collect();
    let idle = |place: &usize| *place == 3 || *place == 4;
    let busy = ticks?.into_iter().take(8).enumerate();
    let busy = busy.filter(|(place, _)| !idle(place));
    Ok(busy.map(|(_, ticks)| ticks).sum::<u64>() * TICK_US)
}

/// How many processes wanted a core over the last minute.
pub(crate) fn load_average() -> Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    let first = text.split(' ').next().context("an empty load average")?;
    Ok(first.parse()?)
}

fn kibibytes(text: &str, name: &str) -> Result<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.with_context(|| format!("no line {name}"))?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_time_and_memory() {
        let me = std::process::id();
        let before = cpu_us(me).expect("there is a /proc");
        let mut sum = 0_u64;
        while cpu_us(me).expect("there is a /proc") == before {
            sum = (0..100_000).fold(sum, u64::wrapping_add);
        }
        assert!(rss_mib(me).expect("there is a /proc") > 1.0);
        assert!(busy_us().expect("there is a /proc") > 0);
    }
}
