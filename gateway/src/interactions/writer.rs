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
    buffer: Vec<u8>,
}

impl Writer {
    pub(super) fn open(settings: &config::interactions::Interactions) -> io::Result<Self> {
        let dir = settings.dir.clone();
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let number = numbers(&dir)?.last().copied().unwrap_or(0) + 1;
        Ok(Self {
            file: create(&dir, number)?,
            most_body_bytes: usize::try_from(settings.max_body_bytes).unwrap_or(usize::MAX),
            segment_bytes: settings.segment_bytes,
            keep_segments: settings.keep_segments,
            dir,
            number,
            written: 0,
            buffer: Vec::new(),
        })
    }

    pub(super) fn write(&mut self, interaction: &Interaction) -> io::Result<()> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, &Line::new(interaction, self.most_body_bytes))?;
        self.buffer.push(b'\n');
        let length = u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
        if self.written > 0 && self.written.saturating_add(length) > self.segment_bytes {
            self.rotate()?;
        }
        self.file.write_all(&self.buffer)?;
        self.written = self.written.saturating_add(length);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.number += 1;
        self.file = create(&self.dir, self.number)?;
        self.written = 0;
        let numbers = numbers(&self.dir)?;
        let kept = usize::try_from(self.keep_segments.max(1)).unwrap_or(usize::MAX);
        for old in numbers.iter().rev().skip(kept) {
            fs::remove_file(path(&self.dir, *old))?;
        }
        Ok(())
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
