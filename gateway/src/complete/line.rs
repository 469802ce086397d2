//! A line of waiting calls: only its head asks the store, so ten thousand waiters cost no more than
//! one.
//!
//! Who is next: the more important priority first; within one, teams take turns by their shares;
//! within a team, who came first. A batch call that waited for [`BATCH_AGES`] counts as
//! interactive, so that it is not passed over for ever.

mod queues;

use crate::call::Priority;
use queues::Queues;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

/// The most calls that wait in one line; more are refused at once.
const MOST_WAITERS: usize = 10_000;
/// After so long a batch call waits as an interactive one.
const BATCH_AGES: Duration = Duration::from_secs(30);

/// Who waits.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    /// The team.
    pub(crate) team: Arc<str>,
    /// Its turns, of all teams' turns.
    pub(crate) share: u32,
    /// How important the call is.
    pub(crate) priority: Priority,
    /// Since when.
    pub(crate) since: Instant,
}

/// Why a wait ended without a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoTurn {
    /// The line is too long.
    Full,
    /// It took too long.
    Late,
}

/// One line.
#[derive(Debug, Default)]
pub(crate) struct Line {
    state: Mutex<State>,
    /// Something that the head waits for may have happened.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    head: Option<Priority>,
    queues: Queues,
}

impl Line {
    /// Whether somebody waits who is as important, so that a newcomer must wait too.
    pub(crate) fn is_busy(&self, priority: Priority) -> bool {
        let state = self.state();
        state.head.is_some_and(|head| head <= priority) || state.queues.has_from(priority)
    }

    /// Something ended: there may be room for the head.
    pub(crate) fn released(&self) {
        self.changed.notify_one();
    }

    /// Waits for a turn at the head.
    ///
    /// # Errors
    /// If the line is too long, or `until` comes first.
    pub(crate) async fn turn(self: &Arc<Self>, who: Who, until: Instant) -> Result<Turn, NoTurn> {
        let called = {
            let mut state = self.state();
            let Some(head) = state.head else {
                state.head = Some(who.priority);
                return Ok(self.turn_of(who));
            };
            if state.queues.len() >= MOST_WAITERS && !state.queues.forget_gone() {
                return Err(NoTurn::Full);
            }
            let (call, called) = oneshot::channel();
            state.queues.join(&who, call);
            if who.priority < head {
                self.changed.notify_one();
            }
            called
        };
        self.called(who, called, until).await
    }

    async fn called(
        self: &Arc<Self>,
        who: Who,
        called: oneshot::Receiver<()>,
        until: Instant,
    ) -> Result<Turn, NoTurn> {
        let mut waiting = Waiting { line: self, called };
        match tokio::time::timeout_at(until, &mut waiting.called).await {
            Ok(_) => Ok(self.turn_of(who)),
            Err(_) => Err(NoTurn::Late),
        }
    }

    fn turn_of(self: &Arc<Self>, who: Who) -> Turn {
        let line = Some(Arc::clone(self));
        Turn { line, who }
    }

    /// Calls the next one, or leaves the line empty.
    fn call_next(state: &mut State) {
        state.head = state.queues.call_next(BATCH_AGES);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits to be called. Called at the moment when it gave up, it passes the call on.
struct Waiting<'a> {
    line: &'a Line,
    called: oneshot::Receiver<()>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // Under the lock nobody calls it meanwhile. A call that was taken is not there any more.
        let mut state = self.line.state();
        self.called.close();
        if self.called.try_recv().is_ok() {
            Line::call_next(&mut state);
        }
    }
}

/// The head of a line, until dropped: then the next one is.
#[derive(Debug)]
pub(crate) struct Turn {
    /// `None` once it is given up.
    line: Option<Arc<Line>>,
    who: Who,
}

impl Turn {
    /// Whether it is the head of this line.
    pub(crate) fn is_of(&self, line: &Arc<Line>) -> bool {
        self.line
            .as_ref()
            .is_some_and(|ours| Arc::ptr_eq(ours, line))
    }

    /// Waits until `wake`, or until something ended. Lets somebody more important go first.
    ///
    /// # Errors
    /// If `until` comes before it is the head again.
    pub(crate) async fn pause(mut self, wake: Instant, until: Instant) -> Result<Self, NoTurn> {
        let Some(line) = self.line.clone() else {
            return Err(NoTurn::Late);
        };
        let _ = tokio::time::timeout_at(wake, line.changed.notified()).await;
        let called = {
            let mut state = line.state();
            if !state.queues.has_before(self.who.priority) {
                return Ok(self);
            }
            let (call, called) = oneshot::channel();
            state.queues.step_back(&self.who, call);
            self.line = None;
            Line::call_next(&mut state);
            called
        };
        line.called(self.who.clone(), called, until).await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            Line::call_next(&mut line.state());
        }
    }
}

#[cfg(test)]
mod tests;
