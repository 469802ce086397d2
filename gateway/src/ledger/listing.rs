//! Showing the lines of a ledger.

use super::{
    Entry, LedgerError,
    segment::{self, Next, Reader},
};
use crate::clock;
use std::{
    fs,
    io::Write,
    path::Path,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};
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

/// How far the clocks may differ that entries and files have their times from.
const CLOCKS_DIFFER: Duration = Duration::from_hours(1);

/// A team's entries since a time, oldest line first. Segments that were finished long before are
/// not read.
///
/// # Errors
/// If a file can't be read or is damaged.
pub fn recent(dir: &Path, team: &Arc<str>, since: Timestamp) -> Result<Vec<Entry>, LedgerError> {
    let since_epoch = Duration::from_millis(u64::try_from(since.millis()).unwrap_or(0));
    let finished = UNIX_EPOCH + since_epoch.saturating_sub(CLOCKS_DIFFER);
    let mut found = Vec::new();
    for number in segment::numbers(dir)?.0 {
        let path = segment::path(dir, number);
        let changed = fs::metadata(&path).and_then(|about| about.modified());
        if changed.map_err(|source| LedgerError::io("read", &path, source))? < finished {
            continue;
        }
        let mut reader = Reader::open(dir, number)?;
        while let Next::Entry(entry) = reader.next()? {
            if entry.team == *team && entry.at_ms >= since.millis() {
                found.push(entry);
            }
        }
    }
    Ok(found)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Journal as _, Kind, Ledger, Options};

    #[test]
    fn what_is_recent_is_read_and_what_was_finished_long_ago_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let now = 1_764_000_000_000;
        let entry = |team: &str, at_ms| Entry {
            at_ms,
            kind: Kind::Settled,
            team: team.into(),
            hold: at_ms.to_string().into(),
            counters: Vec::new(),
            held_nano_usd: 0,
            charge_nano_usd: 0,
            top_up_nano_usd: None,
            permille: None,
            call: None,
        };
        let options = Options::new(dir.path());
        let (ledger, _) = Ledger::open(options, Timestamp::from_millis(now)).expect("it opens");
        for entry in [
            entry("news", now),
            entry("news", now - 900_001),
            entry("arts", now),
        ] {
            ledger.write(entry.clone()).expect("it is written");
        }
        ledger.close().expect("it is safe");
        let news: Arc<str> = "news".into();
        let since = Timestamp::from_millis(now - 900_000);
        let times = || -> Vec<i64> {
            let found = recent(dir.path(), &news, since).expect("it is read");
            found.iter().map(|entry| entry.at_ms).collect()
        };
        assert_eq!(times(), [now]);
        let segment = fs::File::open(segment::path(dir.path(), 1)).expect("it is there");
        let long_ago = UNIX_EPOCH + Duration::from_secs(1_763_990_000);
        segment.set_modified(long_ago).expect("it is ours");
        assert!(times().is_empty());
    }
}
