//! The shipped rules and the shipped routing on a clock that runs a hundred times as fast, so that a
//! test sees in seconds what takes minutes.
//!
//! The transformation: in rules, every window in brackets and every `for`; in alertmanager.yml, every
//! `group_wait`, `group_interval` and `repeat_interval`. Thresholds, labels, routes and everything else
//! are as shipped. Ages that are compared with seconds (`time() - ...`) are not shortened.

use super::files;
use std::{
    fs,
    path::{Path, PathBuf},
};

const FASTER: u64 = 100;

/// Copies the rules, shortened.
pub(super) fn rules(into: &Path) -> Vec<PathBuf> {
    let shipped = files("deploy/prometheus/rules", ".yml").into_iter();
    let copies = shipped.map(|path| {
        let text = fs::read_to_string(&path).expect("text");
        let copy = into.join(path.file_name().expect("a name"));
        fs::write(&copy, of_rules(&text)).expect("it is written");
        copy
    });
    copies.collect()
}

fn of_rules(text: &str) -> String {
    let lines = text.lines().map(|line| {
        if let Some(wait) = line.trim_start().strip_prefix("for: ") {
            return line.replace(wait, &shorter(wait));
        }
        let mut parts = line.split('[');
        let mut shortened = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (window, rest) = part.split_once(']').unwrap_or((part, ""));
            let kept = milliseconds(window).map_or_else(|| window.to_owned(), |_| shorter(window));
            shortened.push_str(&format!("[{kept}]{rest}"));
        }
        shortened
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// The text of alertmanager.yml, shortened.
pub(super) fn routing(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(": ") {
        Some((key, value))
            if ["group_wait", "group_interval", "repeat_interval"].contains(&key.trim()) =>
        {
            format!("{key}: {}", shorter(value))
        }
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn shorter(duration: &str) -> String {
    let whole = milliseconds(duration).unwrap_or_else(|| panic!("{duration} is a duration"));
    format!("{}ms", whole / FASTER)
}

/// `90s`, `5m`, `1h`, `7d`, in milliseconds.
fn milliseconds(duration: &str) -> Option<u64> {
    let (number, unit) = duration.split_at_checked(duration.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    Some(number.parse::<u64>().ok()? * seconds * 1_000)
}

#[test]
fn windows_and_waits_are_shortened_and_nothing_else() {
    let text = "expr: rate(a{b=~\"[x]\"}[5m]) / rate(a[1h]) > 0.5\nfor: 2m\nwindow: 1h\n";
    let short =
        "expr: rate(a{b=~\"[x]\"}[3000ms]) / rate(a[36000ms]) > 0.5\nfor: 1200ms\nwindow: 1h\n";
    assert_eq!(of_rules(text), short);
    let text = "  group_by: [team]\n  group_wait: 30s\n  resolve_timeout: 5m\n";
    let short = "  group_by: [team]\n  group_wait: 300ms\n  resolve_timeout: 5m\n";
    assert_eq!(routing(text), short);
}
