//! What the kernel knows of this process, read when it is asked for. Other systems than Linux say
//! nothing.

use super::catalogue::{
    Metric, PROCESS_CPU, PROCESS_FDS, PROCESS_MAX_FDS, PROCESS_RSS, PROCESS_START, PROCESS_THREADS,
    PROCESS_VIRTUAL,
};
use std::{fmt::Write as _, fs};

/// The kernel tells times in hundredths of a second, on every platform that we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Adds the metrics of this process in the text format.
pub(super) fn render(text: &mut String) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kibibytes = |name| field(&status, name).map(|size: f64| size * 1024.0);
    let stat = Stat::read();
    let fds = fs::read_dir("/proc/self/fd").map(|fds| fds.count());
    let fds = fds.ok().and_then(|count| u32::try_from(count).ok());
    let values = [
        (&PROCESS_CPU, stat.as_ref().map(|stat| stat.cpu_seconds)),
        (&PROCESS_RSS, kibibytes("VmRSS:")),
        (&PROCESS_VIRTUAL, kibibytes("VmSize:")),
        (&PROCESS_FDS, fds.map(f64::from)),
        (&PROCESS_MAX_FDS, max_fds()),
        (&PROCESS_THREADS, field(&status, "Threads:")),
        (&PROCESS_START, stat.as_ref().and_then(Stat::start_time)),
    ];
    for (metric, value) in values {
        if let Some(value) = value {
            line(text, metric, value);
        }
    }
}

fn line(text: &mut String, metric: &Metric, value: f64) {
    let (name, help, kind) = (metric.name, metric.help, metric.kind.name());
    let _ = write!(
        text,
        "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n\n"
    );
}

/// The number after a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn max_fds() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    field(&limits, "Max open files")
}

/// What is used of `/proc/self/stat`.
struct Stat {
    cpu_seconds: f64,
    /// After the machine began.
    started_seconds: f64,
}

impl Stat {
    fn read() -> Option<Self> {
        let text = fs::read_to_string("/proc/self/stat").ok()?;
        // The name of the program is in parentheses and may have anything in it.
        let (_, after) = text.rsplit_once(')')?;
        let fields: Vec<&str> = after.split_whitespace().collect();
        // The first of these is field 3 of proc(5).
        let ticks = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self {
            cpu_seconds: (ticks(14)? + ticks(15)?) / TICKS_PER_SECOND,
            started_seconds: ticks(22)? / TICKS_PER_SECOND,
        })
    }

    fn start_time(&self) -> Option<f64> {
        let machine = fs::read_to_string("/proc/stat").ok()?;
        Some(field(&machine, "btime ")? + self.started_seconds)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_all_of_it() {
        let mut text = String::new();
        render(&mut text);
        assert_eq!(text.matches("# TYPE").count(), 7, "{text}");
        let value = |name: &str| field(&text, name).expect(name);
        assert!(value("process_resident_memory_bytes ") > 1e6);
        assert!(value("process_start_time_seconds ") > 1.7e9);
        assert!(value("process_open_fds ") <= value("process_max_fds "));
    }
}
