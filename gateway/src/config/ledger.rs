//! `[ledger]`: the durable list of holds' endings.

use super::{reader::Reader, text};
use std::{path::PathBuf, time::Duration};

/// Where the ledger is written, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// The directory, relative to where the gateway is started.
    pub dir: PathBuf,
    /// How often it is forced to disk. A power cut may lose the last interval.
    pub fsync_interval: Duration,
    /// The size at which a new segment is begun, in bytes.
    pub segment_bytes: u64,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Ledger {
    Ledger {
        dir: reader
            .text("dir", directory)
            .unwrap_or_else(|| PathBuf::from("data/ledger")),
        fsync_interval: reader
            .duration(
                "fsync_interval",
                Duration::from_millis(1)..=Duration::from_secs(60),
            )
            .unwrap_or(Duration::from_millis(100)),
        segment_bytes: reader
            .size("segment_bytes", 64 << 10..=4 << 30)
            .unwrap_or(64 << 20),
    }
}

/// Checks the name of a directory.
pub(super) fn directory(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.contains('\0') {
        return Err(format!(
            "{} is not the name of a directory",
            text::shown(text)
        ));
    }
    Ok(PathBuf::from(text))
}
