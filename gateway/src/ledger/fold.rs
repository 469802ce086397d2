//! Balances as the sum of entries.
//!
//! Upheld after every entry: a counter's `spent` is the sum of the charges that counted, and its
//! `held` is the sum of the open holds. A repeated entry changes nothing.

mod age;
mod endings;
mod restored;

use super::{CounterRef, Entry, Kind, usage_of};
use crate::clock::Days;
pub use age::{RUN_KEPT_MS, WINDOW_KEPT_MS};
pub(in crate::ledger) use endings::Endings;
pub(in crate::ledger) use endings::Id;
use endings::Seen;
pub use restored::{Found, Restored};
use std::{collections::BTreeMap, sync::Arc};
use tollgate_core::{
    Money, Timestamp,
    account::{Counter, CounterKey},
    tally::Tally,
};

/// The sum of the entries of a ledger.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    teams: BTreeMap<Arc<str>, Book>,
    open: BTreeMap<Arc<str>, OpenEntry>,
    endings: Endings,
    entries: u64,
    latest: Timestamp,
    days: Days,
}

/// What a ledger knows of one team.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Money by budget and window.
    pub counters: BTreeMap<CounterKey, Counter>,
    /// The bounds of runs.
    pub runs: BTreeMap<Arc<str>, RunLimit>,
    /// The usage of the last days.
    pub tally: Tally,
    /// Top-ups by their requests, kept as long as their counters.
    pub top_ups: BTreeMap<Arc<str>, TopUpMade>,
}

/// A top-up that counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUpMade {
    /// The counter whose bound it raised.
    pub counter: CounterKey,
    /// By how much.
    pub amount: Money,
}

/// The bound of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimit {
    /// The bound.
    pub limit: Money,
    /// When the run held last.
    pub last_used: Timestamp,
}

/// A hold without an ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenEntry {
    /// Whose it is.
    pub team: Arc<str>,
    /// When it was granted.
    pub at: Timestamp,
    /// What it took from each counter, extensions included.
    pub amount: Money,
    /// The counters.
    pub counters: Vec<CounterRef>,
}

/// What an entry did to the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It counted.
    Counted,
    /// It was there before: nothing changed.
    Repeated,
    /// Its hold had ended otherwise: nothing changed. No store writes that.
    Conflicting,
}

impl Fold {
    /// Adds an entry.
    pub fn apply(&mut self, entry: &Entry) -> Effect {
        self.entries += 1;
        self.latest = self.latest.max(at(entry));
        match entry.kind {
            Kind::Held => self.held(entry),
            Kind::Extended => self.extended(entry),
            Kind::Settled | Kind::Cancelled | Kind::Expired | Kind::Corrected => self.ended(entry),
            Kind::ToppedUp => self.topped_up(entry),
            Kind::Crossed => self.crossed(entry),
        }
    }

    /// The teams.
    pub fn teams(&self) -> impl Iterator<Item = (&Arc<str>, &Book)> {
        self.teams.iter()
    }

    /// The teams, to take over what is known of them.
    #[must_use]
    pub fn into_teams(self) -> BTreeMap<Arc<str>, Book> {
        self.teams
    }

    /// What is known of a team.
    #[must_use]
    pub fn team(&self, name: &str) -> Option<&Book> {
        self.teams.get(name)
    }

    /// The holds without an ending, by id.
    pub fn open(&self) -> impl Iterator<Item = (&Arc<str>, &OpenEntry)> {
        self.open.iter()
    }

    /// What was spent in one window.
    #[must_use]
    pub fn spent(&self, team: &str, key: &CounterKey) -> Money {
        self.teams
            .get(team)
            .and_then(|book| book.counters.get(key))
            .map_or(Money::ZERO, |counter| counter.spent)
    }

    /// How many entries were added, repeated ones included.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The time of the latest entry.
    #[must_use]
    pub fn latest(&self) -> Timestamp {
        self.latest
    }

    /// Starts a segment: endings are remembered in this one and the one before.
    pub(super) fn turn(&mut self) {
        self.endings.turn();
    }

    /// Remembers no endings from now on: whoever writes repeats none.
    pub(super) fn trust_writer(&mut self) {
        self.endings = Endings::trusting();
    }

    /// Remembers an ending that is counted already, so that it is known when it is repeated.
    pub(super) fn remember(&mut self, entry: &Entry) {
        match entry.kind {
            Kind::Held | Kind::Extended | Kind::Crossed => {}
            _ => {
                self.endings.note(entry);
            }
        }
    }

    pub(super) fn from_parts(
        teams: BTreeMap<Arc<str>, Book>,
        open: BTreeMap<Arc<str>, OpenEntry>,
        (entries, latest): (u64, Timestamp),
    ) -> Self {
        let mut fold = Self {
            teams,
            entries,
            latest,
            ..Self::default()
        };
        for (id, hold) in open {
            for counter in &hold.counters {
                let counter = fold.counter(&hold.team, counter);
                counter.held = counter.held.plus(hold.amount);
            }
            fold.open.insert(id, hold);
        }
        fold
    }

    /// The same without the memory of endings, which only the ledger itself needs.
    pub(super) fn without_endings(&self) -> Self {
        Self {
            teams: self.teams.clone(),
            open: self.open.clone(),
            endings: Endings::default(),
            entries: self.entries,
            latest: self.latest,
            days: Days::default(),
        }
    }

    fn held(&mut self, entry: &Entry) -> Effect {
        if self.open.contains_key(&entry.hold) {
            return Effect::Repeated;
        }
        if self.endings.have(entry) {
            return Effect::Repeated;
        }
        let amount = Money::from_nanos(entry.held_nano_usd);
        self.touch_runs(entry);
        for counter in &entry.counters {
            let counter = self.counter(&entry.team, counter);
            counter.held = counter.held.plus(amount);
        }
        let hold = OpenEntry {
            team: Arc::clone(&entry.team),
            at: at(entry),
            amount,
            counters: entry.counters.clone(),
        };
        self.open.insert(Arc::clone(&entry.hold), hold);
        Effect::Counted
    }

    /// The entry has the whole amount, so that repeating it adds nothing.
    fn extended(&mut self, entry: &Entry) -> Effect {
        let amount = Money::from_nanos(entry.held_nano_usd);
        let Some(hold) = self.open.get_mut(&entry.hold) else {
            return Effect::Repeated;
        };
        if amount <= hold.amount {
            return Effect::Repeated;
        }
        let extra = amount.minus(hold.amount);
        hold.amount = amount;
        let counters = hold.counters.clone();
        for counter in &counters {
            let counter = self.counter(&entry.team, counter);
            counter.held = counter.held.plus(extra);
        }
        Effect::Counted
    }

    /// An ending of a hold that is open, or that was held elsewhere: a Redis store keeps open
    /// holds itself and writes endings only.
    fn ended(&mut self, entry: &Entry) -> Effect {
        match self.endings.note(entry) {
            Seen::Never => {}
            Seen::Same => return Effect::Repeated,
            Seen::Other => return Effect::Conflicting,
        }
        if !self.release(&entry.hold) && entry.kind != Kind::Corrected {
            self.touch_runs(entry);
        }
        self.charge(entry);
        Effect::Counted
    }

    fn topped_up(&mut self, entry: &Entry) -> Effect {
        let book = self.book(&entry.team);
        let is_known = book.top_ups.contains_key(&entry.hold);
        // Checkpoints of older builds do not have them.
        if self.endings.note(entry) != Seen::Never || is_known {
            return Effect::Repeated;
        }
        let amount = Money::from_nanos(entry.top_up_nano_usd.unwrap_or(0));
        for counter in &entry.counters {
            let made = TopUpMade {
                counter: CounterKey {
                    budget: Arc::clone(&counter.budget),
                    window: Arc::clone(&counter.window),
                },
                amount,
            };
            let book = self.book(&entry.team);
            book.top_ups.insert(Arc::clone(&entry.hold), made);
            let counter = self.counter(&entry.team, counter);
            counter.topped_up = counter.topped_up.plus(amount);
            // As in the account: a higher bound can be approached again.
            counter.crossed_permille = 0;
        }
        Effect::Counted
    }

    fn crossed(&mut self, entry: &Entry) -> Effect {
        let permille = entry.permille.unwrap_or(0);
        let mut effect = Effect::Repeated;
        for counter in &entry.counters {
            let counter = self.counter(&entry.team, counter);
            if permille > counter.crossed_permille {
                counter.crossed_permille = permille;
                effect = Effect::Counted;
            }
        }
        effect
    }

    /// Gives back what an open hold took. Tells whether it was open.
    fn release(&mut self, id: &Arc<str>) -> bool {
        let Some(hold) = self.open.remove(id) else {
            return false;
        };
        for counter in &hold.counters {
            let counter = self.counter(&hold.team, counter);
            counter.held = counter.held.minus(hold.amount);
        }
        true
    }

    fn charge(&mut self, entry: &Entry) {
        let charge = Money::from_nanos(entry.charge_nano_usd);
        for counter in &entry.counters {
            let counter = self.counter(&entry.team, counter);
            counter.spent = counter.spent.plus(charge);
        }
        let rows = usage_of(entry);
        if rows.is_empty() {
            return;
        }
        let day = self.days.of(at(entry));
        let tally = &mut self.book(&entry.team).tally;
        for (key, sum) in rows {
            tally.add(&day, key, &sum);
        }
    }

    fn counter(&mut self, team: &Arc<str>, counter: &CounterRef) -> &mut Counter {
        let key = CounterKey {
            budget: Arc::clone(&counter.budget),
            window: Arc::clone(&counter.window),
        };
        let ends_at = counter.ends_at_ms.map(Timestamp::from_millis);
        let counter = self.book(team).counters.entry(key).or_default();
        counter.ends_at = counter.ends_at.or(ends_at);
        counter
    }

    fn book(&mut self, team: &Arc<str>) -> &mut Book {
        // Looked up twice so that a team that is known costs no clone of its name.
        if !self.teams.contains_key(team) {
            self.teams.insert(Arc::clone(team), Book::default());
        }
        self.teams.get_mut(team).expect("just inserted")
    }
}

fn at(entry: &Entry) -> Timestamp {
    Timestamp::from_millis(entry.at_ms)
}

#[cfg(test)]
pub(in crate::ledger) mod tests;
