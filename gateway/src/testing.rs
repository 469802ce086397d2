//! What unit tests share.

use crate::{
    clock::Clock,
    ledger::{Entry, Journal, Place},
};
use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
};
use tollgate_core::{
    Timestamp,
    account::CounterKey,
    budget::{Calendar, Window},
};

/// One window for ever, so that a test does not depend on the time of day.
#[derive(Debug)]
pub(crate) struct OneWindow;

/// The name of it.
const WINDOW: &str = "2026-11-24";

impl Calendar for OneWindow {
    fn window_at(&self, _: Timestamp) -> Window {
        Window {
            id: WINDOW.into(),
            ends_at: Some(Timestamp::from_millis(4_000_000_000_000)),
        }
    }
}

/// What a budget named `day` has in it.
pub(crate) fn day() -> CounterKey {
    CounterKey {
        budget: "day".into(),
        window: WINDOW.into(),
    }
}

/// A clock that a test sets.
#[derive(Debug)]
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `millis`.
    pub(crate) const fn at(millis: i64) -> Self {
        Self(AtomicI64::new(millis))
    }

    /// Moves the clock, backwards if negative.
    pub(crate) fn step(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A journal in memory that can be told to fail.
#[derive(Debug, Default)]
pub(crate) struct VecJournal {
    /// What was written and queued, in order.
    pub(crate) entries: Mutex<Vec<Entry>>,
    /// Whether writing fails.
    pub(crate) failing: std::sync::atomic::AtomicBool,
}

impl Journal for VecJournal {
    fn write(&self, entry: Entry) -> io::Result<()> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is full"));
        }
        self.queue(entry);
        Ok(())
    }

    fn queue(&self, entry: Entry) {
        self.entries.lock().expect("no panic").push(entry);
    }

    fn enter(&self, entry: Entry) -> io::Result<Place> {
        self.queue(entry);
        Ok(Place(0))
    }

    fn write_out(&self, _: Place) -> io::Result<()> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is full"));
        }
        Ok(())
    }
}
