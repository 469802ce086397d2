//! Showing the lines of a ledger.

use super::{
    Entry, LedgerError,
    segment::{self, Next, Reader},
};
use crate::clock;
use std::{io::Write, path::Path, sync::Arc};
use tollgate_core::{Money, Timestamp, account::RUN};

/// Which entries are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this team only.
    pub team: Option<Arc<str>>,
    /// Of this run only.
    pub run: Option<Arc<str>>,
}

/// How entries are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are in the files.
    Json,
    /// One readable line each.
    Text,
}

/// Writes the entries that pass the filter to `out`. Returns how many.
///
/// # Errors
/// If a file can't be read or is damaged, or if `out` fails.
pub fn list(
    dir: &Path,
    filter: &Filter,
    form: Form,
    out: &mut dyn Write,
) -> Result<u64, LedgerError> {
    let mut shown = 0;
    for number in segment::numbers(dir)?.0 {
        let mut reader = Reader::open(dir, number)?;
        while let Next::Entry(entry) = reader.next()? {
            if filter.passes(&entry) {
                let written = match form {
                    Form::Json => json(&entry, out),
                    Form::Text => text(&entry, out),
                };
                written.map_err(|source| LedgerError::io("show", dir, source))?;
                shown += 1;
            }
        }
    }
    Ok(shown)
}

impl Filter {
    fn passes(&self, entry: &Entry) -> bool {
        let is_of_run = |run: &Arc<str>| {
            entry.call.as_ref().is_some_and(|call| call.run == *run)
                || entry
                    .counters
                    .iter()
                    .any(|counter| &*counter.budget == RUN && counter.window == *run)
        };
        self.team.as_ref().is_none_or(|team| *team == entry.team)
            && self.run.as_ref().is_none_or(is_of_run)
    }
}

fn json(entry: &Entry, out: &mut dyn Write) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, entry)?;
    writeln!(out)
}

fn text(entry: &Entry, out: &mut dyn Write) -> std::io::Result<()> {
    let at = clock::rfc3339(Timestamp::from_millis(entry.at_ms));
    let kind = format!("{:?}", entry.kind).to_lowercase();
    let (held, charge) = (entry.held_nano_usd, entry.charge_nano_usd);
    let (held, charge) = (Money::from_nanos(held), Money::from_nanos(charge));
    write!(
        out,
        "{at}  {kind:9}  {}  {}  held {held}  charged {charge}",
        entry.team, entry.hold
    )?;
    if let Some(call) = &entry.call {
        let models = call.attempts.iter().map(|attempt| &*attempt.model);
        let models = models.collect::<Vec<_>>().join(" > ");
        let (pipeline, run, step) = (&call.pipeline, &call.run, &call.step);
        write!(out, "  {pipeline}/{run}/{step}  {}  {models}", call.outcome)?;
    }
    writeln!(out)
}
