//! Segment files: their names, their first line, and how they are read.

use super::{Entry, LedgerError};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

/// The version of the format of segments and checkpoints.
pub(super) const FORMAT: u32 = 1;

/// The first line of a segment.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) ledger: Heading,
}

/// What the first line says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Heading {
    pub(super) format: u32,
    pub(super) segment: u64,
}

pub(super) fn path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("ledger-{segment:010}.jsonl"))
}

pub(super) fn checkpoint_path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("checkpoint-{segment:010}.json"))
}

/// The first line of a segment, with its end.
pub(super) fn header(segment: u64) -> Vec<u8> {
    let ledger = Heading {
        format: FORMAT,
        segment,
    };
    let mut line = serde_json::to_vec(&Header { ledger }).expect("numbers are JSON");
    line.push(b'\n');
    line
}

/// The numbers of the segments and of the checkpoints in a directory, in order.
pub(super) fn numbers(dir: &Path) -> Result<(Vec<u64>, Vec<u64>), LedgerError> {
    let failed = |source| LedgerError::io("list", dir, source);
    let (mut segments, mut checkpoints) = (Vec::new(), Vec::new());
    for file in fs::read_dir(dir).map_err(failed)? {
        let name = file.map_err(failed)?.file_name();
        let Some(name) = name.to_str() else { continue };
        segments.extend(number(name, "ledger-", ".jsonl"));
        checkpoints.extend(number(name, "checkpoint-", ".json"));
    }
    segments.sort_unstable();
    checkpoints.sort_unstable();
    if let Some(gap) = segments.windows(2).find(|pair| pair[0] + 1 != pair[1]) {
        let file = path(dir, gap[0] + 1);
        return Err(LedgerError::Missing { file });
    }
    Ok((segments, checkpoints))
}

fn number(name: &str, start: &str, end: &str) -> Option<u64> {
    let digits = name.strip_prefix(start)?.strip_suffix(end)?;
    let is_ours = digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit());
    is_ours.then(|| digits.parse().ok()).flatten()
}

/// Reads a segment, line by line.
pub(super) struct Reader {
    file: PathBuf,
    segment: u64,
    input: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    offset: u64,
}

/// What comes next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// An entry.
    Entry(Entry),
    /// The file ends within a line: a crash tore it. The whole lines end at this offset.
    Torn { whole: u64, torn: u64 },
    /// The file ends after a line.
    End,
}

impl Reader {
    pub(super) fn open(dir: &Path, segment: u64) -> Result<Self, LedgerError> {
        let file = path(dir, segment);
        let input = File::open(&file).map_err(|source| LedgerError::io("read", &file, source))?;
        Ok(Self {
            file,
            segment,
            input: BufReader::with_capacity(1 << 16, input),
            line: Vec::new(),
            number: 0,
            offset: 0,
        })
    }

    /// The next entry, or how the file ends. Checks the first line on the way.
    pub(super) fn next(&mut self) -> Result<Next, LedgerError> {
        loop {
            self.line.clear();
            let read = self
                .input
                .read_until(b'\n', &mut self.line)
                .map_err(|source| LedgerError::io("read", &self.file, source))?;
            let length = u64::try_from(read).expect("fits");
            if read == 0 {
                return Ok(Next::End);
            }
            if self.line.last() != Some(&b'\n') {
                let (whole, torn) = (self.offset, length);
                return Ok(Next::Torn { whole, torn });
            }
            self.offset += length;
            self.number += 1;
            if self.number > 1 {
                let entry = serde_json::from_slice(&self.line);
                return entry
                    .map(Next::Entry)
                    .map_err(|error| self.corrupt(format!("not an entry ({error})")));
            }
            self.check_header()?;
        }
    }

    /// The length of what was read of whole lines.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    fn check_header(&self) -> Result<(), LedgerError> {
        let header: Header = serde_json::from_slice(&self.line)
            .map_err(|error| self.corrupt(format!("not the first line of a segment ({error})")))?;
        let Heading { format, segment } = header.ledger;
        if format != FORMAT {
            let why = format!("format {format} is not known to this build, which reads {FORMAT}");
            return Err(self.corrupt(why));
        }
        if segment != self.segment {
            return Err(self.corrupt(format!("this is segment {segment} under another name")));
        }
        Ok(())
    }

    fn corrupt(&self, why: String) -> LedgerError {
        LedgerError::Corrupt {
            file: self.file.clone(),
            line: self.number,
            why,
        }
    }
}
