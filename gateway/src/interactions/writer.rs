//! The files of the interaction log.

use super::{Interaction, line::Line};
use crate::config;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// So much is written at once.
const MOST_BUFFERED_BYTES: usize = 256 << 10;

/// Writes lines to `interactions-<number>.jsonl`, and keeps the newest files only.
#[derive(Debug)]
pub(super) struct Writer {
    dir: PathBuf,
    most_body_bytes: usize,
    segment_bytes: u64,
    keep_segments: u64,
    number: u64,
    file: File,
    written: u64,
    /// The next line begins another file: this one is full, or a write failed and it may end
    /// within a line.
    ends: bool,
    buffer: Vec<u8>,
    /// The lines in the buffer.
    lines: u64,
    /// The lines that could not be written.
    lost: u64,
}

impl Writer {
    pub(super) fn open(settings: &config::interactions::Interactions) -> io::Result<Self> {
        let dir = settings.dir.clone();
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let number = numbers(&dir)?.last().copied().unwrap_or(0) + 1;
        let writer = Self {
            file: create(&dir, number)?,
            most_body_bytes: usize::try_from(settings.max_body_bytes).unwrap_or(usize::MAX),
            segment_bytes: settings.segment_bytes,
            keep_segments: settings.keep_segments,
            dir,
            number,
            written: 0,
            ends: false,
            buffer: Vec::new(),
            lines: 0,
            lost: 0,
        };
        // Each start begins a file, so starts alone must not pile files up.
        writer.remove_old();
        Ok(writer)
    }

    /// Adds a line to those that the next [`flush`](Self::flush) writes.
    pub(super) fn add(&mut self, interaction: &Interaction) {
        let line = Line::new(interaction, self.most_body_bytes);
        let start = self.buffer.len();
        if serde_json::to_writer(&mut self.buffer, &line).is_err() {
            self.buffer.truncate(start);
            self.lost += 1;
            return;
        }
        self.buffer.push(b'\n');
        let written = if self.ends { 0 } else { self.written };
        let is_first = written == 0 && start == 0;
        if !is_first && written.saturating_add(length(&self.buffer)) > self.segment_bytes {
            let last = self.buffer.split_off(start);
            self.drain();
            self.ends = true;
            self.buffer = last;
        }
        self.lines += 1;
        if self.buffer.len() >= MOST_BUFFERED_BYTES {
            self.drain();
        }
    }

    /// Writes what was added. Tells how many lines were lost since the last time.
    pub(super) fn flush(&mut self) -> u64 {
        self.drain();
        std::mem::take(&mut self.lost)
    }

    fn drain(&mut self) {
        if self.lines > 0 && self.append().is_err() {
            self.lost += self.lines;
        }
        self.lines = 0;
        self.buffer.clear();
    }

    fn append(&mut self) -> io::Result<()> {
        if self.ends {
            self.rotate()?;
        }
        self.ends = true;
        self.file.write_all(&self.buffer)?;
        self.ends = false;
        self.written = self.written.saturating_add(length(&self.buffer));
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn fail_as_if_half_written(&mut self) {
        self.ends = true;
    }

    fn rotate(&mut self) -> io::Result<()> {
        let number = self.number + 1;
        self.file = create(&self.dir, number)?;
        self.number = number;
        self.written = 0;
        self.remove_old();
        Ok(())
    }

    /// What can't be removed now is removed when the next file begins: no line is lost for it.
    fn remove_old(&self) {
        let kept = usize::try_from(self.keep_segments.max(1)).unwrap_or(usize::MAX);
        let removed = numbers(&self.dir).and_then(|numbers| {
            let old = numbers.iter().rev().skip(kept);
            old.copied()
                .try_for_each(|old| fs::remove_file(path(&self.dir, old)))
        });
        if let Err(error) = removed {
            tracing::warn!(%error, "can't remove an old file of the interaction log");
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn create(dir: &Path, number: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    options.open(path(dir, number))
}

fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("interactions-{number:010}.jsonl"))
}

/// The numbers of the files that are there, in order.
fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number: Option<u64> = name
            .to_str()
            .and_then(|name| name.strip_prefix("interactions-"))
            .and_then(|name| name.strip_suffix(".jsonl"))
            .and_then(|digits| digits.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}
