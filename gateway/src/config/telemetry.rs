//! `[telemetry]`: how the gateway logs.

use super::reader::Reader;
use tracing::Level;

/// How the gateway logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// The form of a log line.
    pub log_format: LogFormat,
    /// The least level that is logged.
    pub log_level: Level,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one object per line.
    Json,
}

/// The words for [`LogFormat`].
pub(super) const FORMATS: [(&str, LogFormat); 2] =
    [("text", LogFormat::Text), ("json", LogFormat::Json)];

/// The words for levels.
pub(super) const LEVELS: [(&str, Level); 5] = [
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

pub(super) fn read(reader: &mut Reader<'_>) -> Telemetry {
    Telemetry {
        log_format: reader
            .word("log_format", &FORMATS)
            .unwrap_or(LogFormat::Text),
        log_level: reader.word("log_level", &LEVELS).unwrap_or(Level::INFO),
    }
}
