//! Retries that do not bill twice: a key's answer is kept and replayed.
//!
//! Within the window, the same team and key get the stored answer; a duplicate that arrives while
//! the first still runs waits for it. Only answers are kept: a call that failed may be tried again.
//! Kept in this process; replicas do not share it.

use crate::{
    call::Call,
    complete::Completion,
    error::{Error, Result},
};
use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;
use tollgate_core::{Money, Timestamp};

/// The most bytes of answers that are kept; beyond it the oldest go first.
const MOST_BYTES: usize = 64 << 20;
/// What an entry costs beside its answer, roughly.
const ENTRY_BYTES: usize = 512;

/// The answers of keys that were used. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Idempotency {
    window_ms: u64,
    most_bytes: usize,
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<Key, Entry>,
    /// Stored answers in the order in which they are forgotten.
    forget: VecDeque<(Timestamp, Key, usize)>,
    bytes: usize,
}

type Key = (Arc<str>, Arc<str>);

#[derive(Debug)]
struct Entry {
    fingerprint: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Running(watch::Receiver<Option<Result<Arc<Completion>>>>),
    Stored(Arc<Completion>),
}

/// What a key stands for now.
pub(crate) enum Slot {
    /// Nobody used it: run the call and say how it ended.
    First(First),
    /// Somebody runs it: wait.
    Running(Running),
    /// It was answered.
    Stored(Arc<Completion>),
    /// It was used for another request.
    Conflict,
}

/// The right and duty to run a key's call. Dropped without an end, the key is free again.
pub(crate) struct First {
    table: Idempotency,
    key: Key,
    tell: Option<watch::Sender<Option<Result<Arc<Completion>>>>>,
}

/// A call that somebody else runs.
pub(crate) struct Running(watch::Receiver<Option<Result<Arc<Completion>>>>);

impl Idempotency {
    /// Keeps answers for `window`.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self {
            window_ms: u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
            most_bytes: MOST_BYTES,
            table: Arc::default(),
        }
    }

    /// Looks a key up, and takes it if it is free.
    pub(crate) fn enter(
        &self,
        team: &Arc<str>,
        key: &Arc<str>,
        call: &Call,
        now: Timestamp,
    ) -> Slot {
        let key = (Arc::clone(team), Arc::clone(key));
        let fingerprint = fingerprint(call);
        let mut table = self.lock();
        table.forget_old(now, self.most_bytes);
        if let Some(entry) = table.entries.get(&key) {
            if entry.fingerprint != fingerprint {
                return Slot::Conflict;
            }
            return match &entry.state {
                State::Running(running) => Slot::Running(Running(running.clone())),
                State::Stored(stored) => Slot::Stored(Arc::clone(stored)),
            };
        }
        let (tell, running) = watch::channel(None);
        let state = State::Running(running);
        table
            .entries
            .insert(key.clone(), Entry { fingerprint, state });
        Slot::First(First {
            table: self.clone(),
            key,
            tell: Some(tell),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn forget_old(&mut self, now: Timestamp, most_bytes: usize) {
        while let Some((until, _, _)) = self.forget.front()
            && (*until <= now || self.bytes > most_bytes)
        {
            if let Some((_, key, bytes)) = self.forget.pop_front() {
                self.bytes = self.bytes.saturating_sub(bytes);
                self.entries.remove(&key);
            }
        }
    }
}

impl First {
    /// The call has ended: keep its answer, and tell those who wait.
    pub(crate) fn finish(mut self, outcome: &Result<Arc<Completion>>, now: Timestamp) {
        let window_ms = self.table.window_ms;
        {
            let mut table = self.table.lock();
            match outcome {
                Ok(completion) => {
                    let bytes = ENTRY_BYTES + completion.text.len() + self.key.1.len();
                    if let Some(entry) = table.entries.get_mut(&self.key) {
                        entry.state = State::Stored(Arc::clone(completion));
                    }
                    table.bytes += bytes;
                    table
                        .forget
                        .push_back((now + window_ms, self.key.clone(), bytes));
                }
                Err(_) => {
                    table.entries.remove(&self.key);
                }
            }
        }
        if let Some(tell) = self.tell.take() {
            tell.send_replace(Some(outcome.clone()));
        }
    }
}

impl Drop for First {
    fn drop(&mut self) {
        if self.tell.take().is_some() {
            self.table.lock().entries.remove(&self.key);
        }
    }
}

impl Running {
    /// How the call ended.
    pub(crate) async fn outcome(mut self) -> Result<Arc<Completion>> {
        let lost = Error::Internal { cost: Money::ZERO };
        match self.0.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Err(lost)),
            // Whoever ran it is gone without a word: a panic.
            Err(_) => Err(lost),
        }
    }
}

/// Tells whether two calls ask for the same. Whose work it is, is no part of that: a later run may
/// use what an earlier one paid for. Not for security: a team only fools itself.
fn fingerprint(call: &Call) -> u64 {
    let mut hasher = DefaultHasher::new();
    let Call {
        target,
        messages,
        max_output_tokens,
        sampling,
        schema,
        attribution: _,
        idempotency_key: _,
        run_budget: _,
        priority: _,
        trace: _,
    } = call;
    // The debug form has every field in order.
    format!("{target:?}{messages:?}{max_output_tokens:?}{sampling:?}{schema:?}").hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
