//! Checking a ledger: every balance is added up again from the lines and compared with what the
//! checkpoints say.
//!
//! Reads every segment, remembers every ending (some 60 bytes of memory each), takes no lock, and
//! changes nothing; so it can be run beside a gateway.

mod compare;
mod text;

use super::{
    Entry, Fold, Kind, LedgerError, checkpoint,
    fold::{Effect, Id},
    segment::{self, Next, Reader},
};
use compare::differences;
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    sync::Arc,
};
use tollgate_core::{
    Money,
    account::{CounterKey, RUN},
};

/// How many problems are described; the rest is counted.
const MOST_PROBLEMS: usize = 100;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The first segment that is there.
    pub first_segment: u64,
    /// The last one.
    pub last_segment: u64,
    /// Entries that were read.
    pub entries: u64,
    /// They by kind.
    pub by_kind: BTreeMap<Kind, u64>,
    /// Entries that repeat another one and did not count.
    pub repeated: u64,
    /// Checkpoints that were compared with the sum of the lines before them.
    pub checkpoints: Vec<u64>,
    /// Bytes of a line that a crash tore; the next start cuts them off.
    pub torn_bytes: u64,
    /// Holds without an ending, oldest first.
    pub unclosed: Vec<Unclosed>,
    /// What was spent by team, budget and window.
    pub totals: Vec<Total>,
    /// What is wrong.
    pub problems: Vec<String>,
    /// How many problems are not listed.
    pub more_problems: u64,
}

/// A hold without an ending: of a call that still runs, or one that the next start expires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unclosed {
    /// The hold.
    pub hold: Arc<str>,
    /// Whose it is.
    pub team: Arc<str>,
    /// When it was granted, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// What it took.
    pub held_nano_usd: i64,
}

/// The money of one window, over the whole ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Total {
    /// The team.
    pub team: Arc<str>,
    /// The budget.
    pub budget: Arc<str>,
    /// The window; for `run`, the run.
    pub window: Arc<str>,
    /// The sum of its charges.
    pub spent_nano_usd: i64,
    /// The sum of its open holds.
    pub held_nano_usd: i64,
    /// The sum of its top-ups.
    pub topped_up_nano_usd: i64,
}

/// Reads a whole ledger and checks it.
///
/// # Errors
/// If a file can't be read, or has a line that is no entry where no crash can have torn it.
pub fn verify(dir: &Path) -> Result<Report, LedgerError> {
    let (segments, checkpoints) = segment::numbers(dir)?;
    let (Some(first), Some(last)) = (segments.first().copied(), segments.last().copied()) else {
        let file = segment::path(dir, 1);
        return Err(LedgerError::Missing { file });
    };
    let mut check = Check::default();
    check.report.first_segment = first;
    check.report.last_segment = last;
    if first > 1 {
        let start = checkpoint::read(dir, first);
        let (fold, _) = start.map_err(|_| LedgerError::Missing {
            file: segment::path(dir, first - 1),
        })?;
        check.start_at(fold);
    }
    for number in segments {
        if number > first {
            check.fold.turn();
            if checkpoints.binary_search(&number).is_ok() {
                check.compare(dir, number)?;
            }
        }
        let covered = checkpoints.iter().any(|checkpoint| *checkpoint > number);
        check.read(dir, number, covered)?;
    }
    Ok(check.finish())
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

#[derive(Default)]
struct Check {
    fold: Fold,
    /// Everything that may count once, over the whole ledger.
    once: HashSet<(Id, Kind)>,
    /// The charges, added up without the fold.
    spent: BTreeMap<(Arc<str>, CounterKey), Money>,
    report: Report,
}

impl Check {
    fn start_at(&mut self, fold: Fold) {
        for (team, book) in fold.teams() {
            for (key, counter) in &book.counters {
                self.spent
                    .insert((Arc::clone(team), key.clone()), counter.spent);
            }
        }
        self.fold = fold;
    }

    fn read(&mut self, dir: &Path, number: u64, covered: bool) -> Result<(), LedgerError> {
        let mut reader = Reader::open(dir, number)?;
        loop {
            match reader.next()? {
                Next::Entry(entry) => self.add(&entry),
                Next::Torn { torn, .. } => {
                    self.report.torn_bytes += torn;
                    if covered {
                        let file = segment::path(dir, number);
                        self.problem(format!(
                            "{} ends within a line, though a checkpoint covers it",
                            file.display()
                        ));
                    }
                    return Ok(());
                }
                Next::End => return Ok(()),
            }
        }
    }

    fn add(&mut self, entry: &Entry) {
        self.report.entries += 1;
        *self.report.by_kind.entry(entry.kind).or_default() += 1;
        let once = match entry.kind {
            Kind::Extended | Kind::Crossed => true,
            kind => self.once.insert((Id::of(entry), kind)),
        };
        let effect = self.fold.apply(entry);
        let name = || format!("{:?} of {} (team {})", entry.kind, entry.hold, entry.team);
        match (once, effect) {
            (false, Effect::Counted) => {
                self.problem(format!("{} was counted twice", name()));
            }
            (_, Effect::Conflicting) => {
                self.problem(format!("{} comes after another ending", name()));
            }
            (false, Effect::Repeated) => self.report.repeated += 1,
            (true, _) => {}
        }
        if !once || effect == Effect::Conflicting {
            return;
        }
        for counter in &entry.counters {
            let key = CounterKey {
                budget: Arc::clone(&counter.budget),
                window: Arc::clone(&counter.window),
            };
            let spent = self
                .spent
                .entry((Arc::clone(&entry.team), key))
                .or_default();
            *spent = spent.plus(Money::from_nanos(entry.charge_nano_usd));
        }
    }

    /// Compares a checkpoint with the sum of what came before it.
    fn compare(&mut self, dir: &Path, number: u64) -> Result<(), LedgerError> {
        let (noted, previous) = match checkpoint::read(dir, number) {
            Ok(read) => read,
            Err(why) => {
                let file = segment::checkpoint_path(dir, number);
                self.problem(format!("{} can't be used: {why}", file.display()));
                return Ok(());
            }
        };
        self.report.checkpoints.push(number);
        let file = segment::path(dir, number - 1);
        if checkpoint::fingerprint(&file)? != previous {
            self.problem(format!(
                "{} was changed after it was closed",
                file.display()
            ));
        }
        for difference in differences(&self.fold, &noted) {
            self.problem(format!("checkpoint {number}: {difference}"));
        }
        Ok(())
    }

    fn finish(mut self) -> Report {
        let spent = std::mem::take(&mut self.spent);
        for ((team, key), sum) in spent {
            let counter = self
                .fold
                .team(&team)
                .and_then(|book| book.counters.get(&key));
            let counter = counter.cloned().unwrap_or_default();
            // A run that was idle for long begins anew: its total is that of all its lives.
            if &*key.budget != RUN && counter.spent != sum {
                let (window, fold) = (&key.window, counter.spent);
                self.problem(format!(
                    "team {team}, {} {window}: its lines sum to {sum}, its balance is {fold}",
                    key.budget
                ));
            }
            self.report.totals.push(Total {
                team,
                budget: key.budget,
                window: key.window,
                spent_nano_usd: sum.nanos(),
                held_nano_usd: counter.held.nanos(),
                topped_up_nano_usd: counter.topped_up.nanos(),
            });
        }
        let unclosed = self.fold.open().map(|(hold, open)| Unclosed {
            hold: Arc::clone(hold),
            team: Arc::clone(&open.team),
            at_ms: open.at.millis(),
            held_nano_usd: open.amount.nanos(),
        });
        self.report.unclosed = unclosed.collect();
        self.report
    }

    fn problem(&mut self, problem: String) {
        if self.report.problems.len() < MOST_PROBLEMS {
            self.report.problems.push(problem);
        } else {
            self.report.more_problems += 1;
        }
    }
}

#[cfg(test)]
mod tests;
