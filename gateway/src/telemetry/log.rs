//! Logs: lines on standard output, as text or JSON, written by a thread of their own.
//!
//! A line is a line, whatever is in it: control characters, line separators and marks that reverse
//! the direction of text are escaped, so that no value can forge a line or a colour. When lines
//! come faster than they can be written they are dropped and counted: logging holds up no call.

mod bugs;
mod json;
mod queue;

use crate::config::telemetry::LogFormat;
use json::Json;
use queue::Queue;
use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write},
    sync::Arc,
};
use tracing::{Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer as _,
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    registry,
};

/// Logging as long as this lives. Dropped, it writes what waits.
#[must_use = "lines that wait are written when this is dropped"]
pub struct Logs(Arc<Queue>);

impl Logs {
    /// How many lines were dropped.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        Dropped(Arc::clone(&self.0))
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Counts the lines that were dropped.
#[derive(Clone, Debug)]
pub struct Dropped(Arc<Queue>);

impl Dropped {
    /// How many so far.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.0.dropped()
    }
}

/// Logging can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum NoLog {
    /// It was set up before.
    #[error("logging is set up already")]
    AlreadyLogging,
    /// There is no thread for it.
    #[error("the log's thread can't be started: {0}")]
    Thread(#[source] io::Error),
}

/// Logs to standard output from now on, for the whole process, its panics included.
///
/// # Errors
/// If the process logs already, or can't start a thread.
pub fn init(format: LogFormat, level: Level) -> Result<Logs, NoLog> {
    let queue = queue::start(io::stdout()).map_err(NoLog::Thread)?;
    let subscriber = subscriber(format, level, Arc::clone(&queue));
    let logs = Logs(queue);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| NoLog::AlreadyLogging)?;
    bugs::to_log();
    Ok(logs)
}

/// What formats lines and writes them to `writer`.
pub fn subscriber<W>(
    format: LogFormat,
    level: Level,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = filter(level);
    match format {
        LogFormat::Text => {
            let lines = Lines(writer, Escape::Text);
            let layer = fmt::layer().with_ansi(false).with_writer(lines);
            Box::new(registry().with(layer.with_filter(filter)))
        }
        LogFormat::Json => {
            let lines = Lines(writer, Escape::Json);
            let layer = fmt::layer().event_format(Json).with_writer(lines);
            Box::new(registry().with(layer.with_filter(filter)))
        }
    }
}

/// Libraries log warnings at most: below that some of them write headers, with keys in them.
fn filter(level: Level) -> Targets {
    let ours = LevelFilter::from_level(level);
    Targets::new()
        .with_default(ours.min(LevelFilter::WARN))
        .with_target("tollgate", ours)
}

/// How a character is escaped.
#[derive(Clone, Copy, Debug)]
enum Escape {
    Text,
    Json,
}

/// Makes writers that take whole lines.
struct Lines<W>(W, Escape);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Lines<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self.0.make_writer(), self.1)
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        Line(self.0.make_writer_for(meta), self.1)
    }
}

/// Writes one line. The formatter gives it whole, with its end.
struct Line<W>(W, Escape);

impl<W: Write> Write for Line<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(&sanitized(line, self.1))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The line with everything escaped that is not what it looks like.
fn sanitized(line: &[u8], escape: Escape) -> Cow<'_, [u8]> {
    let (body, end) = match line.strip_suffix(b"\n") {
        Some(body) => (body, "\n"),
        None => (line, ""),
    };
    // Printable ASCII, which nearly all lines are, is what it looks like.
    if body.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        return Cow::Borrowed(line);
    }
    let text = String::from_utf8_lossy(body);
    let mut clean = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if !is_treacherous(c) {
            clean.push(c);
            continue;
        }
        let code = u32::from(c);
        // None of them is beyond the first plane, so JSON needs no pairs.
        let _ = match escape {
            Escape::Text => write!(clean, "\\u{{{code:x}}}"),
            Escape::Json => write!(clean, "\\u{code:04x}"),
        };
    }
    clean.push_str(end);
    Cow::Owned(clean.into_bytes())
}

/// Whether a character ends lines, moves cursors, or reverses or hides text.
fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::super::testing::Captured;
    use super::*;
    use serde_json::Value;

    const HOSTILE: &str = "a\n{\"level\":\"ERROR\"}\r\u{1b}[31mred\u{9b}0m\0\t\u{7f}\u{2028}\u{2029}\u{202e}txt\u{2066}\u{200b}\"\\ü";

    fn log(format: LogFormat) -> String {
        let captured = Captured::default();
        let subscriber = subscriber(format, Level::INFO, captured.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "tollgate", event = "one", run = HOSTILE, step = %HOSTILE);
            tracing::warn!(target: "tollgate", shown = ?HOSTILE, "{HOSTILE}");
            tracing::info!(target: "h2", header = "authorization: Bearer tg_secret");
            tracing::debug!(target: "tollgate", "not at this level");
        });
        captured.text()
    }

    #[test]
    fn no_value_breaks_a_line_of_text() {
        let text = log(LogFormat::Text);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            !text.replace('\n', "").chars().any(is_treacherous),
            "{text:?}"
        );
        assert!(text.contains('ü'), "what is harmless stays: {text}");
        assert!(!text.contains("tg_secret"), "{text}");
    }

    #[test]
    fn no_value_breaks_a_line_of_json() {
        let text = log(LogFormat::Json);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        for line in lines {
            assert!(!line.chars().any(is_treacherous), "{line:?}");
            let parsed: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(line.matches("\"timestamp\":").count(), 1);
            assert!(parsed["level"] == "INFO" || parsed["level"] == "WARN");
            if parsed["event"] == "one" {
                assert_eq!(parsed["run"], HOSTILE, "and it says what was said");
                assert_eq!(parsed["step"], HOSTILE);
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let line = sanitized(b"a\xffb\n", Escape::Text);
        assert_eq!(&*line, "a\u{fffd}b\n".as_bytes());
    }
}
