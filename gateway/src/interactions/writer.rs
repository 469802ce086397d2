//! The files of the interaction log.

use super::{Interaction, line::Line};
use crate::config;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

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
    /// A write failed: the file may end within a line, so the next line begins another file.
    broken: bool,
    buffer: Vec<u8>,
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
            broken: false,
            buffer: Vec::new(),
        };
        // Each start begins a file, so starts alone must not pile files up.
        writer.remove_old();
        Ok(writer)
    }

    pub(super) fn write(&mut self, interaction: &Interaction) -> io::Result<()> {
        self.buffer.clear();
        serde_json::to_writer(
            &mut self.buffer,
            &Line::new(interaction, self.most_body_bytes),
        )?;
        self.buffer.push(b'\n');
        let length = u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
        let is_full = self.written > 0 && self.written.saturating_add(length) > self.segment_bytes;
        if is_full || self.broken {
            self.rotate()?;
        }
        self.broken = true;
        self.file.write_all(&self.buffer)?;
        self.broken = false;
        self.written = self.written.saturating_add(length);
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn fail_as_if_half_written(&mut self) {
        self.broken = true;
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
