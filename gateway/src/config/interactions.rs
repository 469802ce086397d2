//! `[interactions]`: the log of prompts and answers, for teams that asked for it.

use super::{ledger::directory, reader::Reader};
use std::path::PathBuf;

/// Where the interaction log is written, and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interactions {
    /// The directory, relative to where the gateway is started.
    pub dir: PathBuf,
    /// How much of one prompt or answer is kept, in bytes.
    pub max_body_bytes: u64,
    /// The size at which a new segment is begun, in bytes.
    pub segment_bytes: u64,
    /// How many segments are kept; the oldest are removed.
    pub keep_segments: u64,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Interactions {
    Interactions {
        dir: reader
            .text("dir", directory)
            .unwrap_or_else(|| PathBuf::from("data/interactions")),
        max_body_bytes: reader
            .size("max_body_bytes", 1..=64 << 20)
            .unwrap_or(64 << 10),
        segment_bytes: reader
            .size("segment_bytes", 64 << 10..=4 << 30)
            .unwrap_or(64 << 20),
        keep_segments: reader.number("keep_segments", 1..=100_000).unwrap_or(16),
    }
}
