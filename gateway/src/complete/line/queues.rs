//! Who waits in a line, and who is next.

use super::Who;
use crate::call::Priority;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{sync::oneshot::Sender, time::Instant};

/// The queues of one line, by priority.
#[derive(Debug, Default)]
pub(super) struct Queues {
    critical: Teams,
    interactive: Teams,
    batch: Teams,
    len: usize,
}

/// The teams that wait with one priority, in the order of their turns.
#[derive(Debug, Default)]
struct Teams(VecDeque<Team>);

#[derive(Debug)]
struct Team {
    name: Arc<str>,
    share: u32,
    /// How many of its calls may go before the next team's.
    left: u32,
    calls: VecDeque<Waiter>,
}

/// A waiting call. It is gone if its channel is closed.
#[derive(Debug)]
struct Waiter {
    since: Instant,
    call: Sender<()>,
}

impl Queues {
    /// How many wait, and some that are gone.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Takes a place at the end.
    pub(super) fn join(&mut self, who: &Who, call: Sender<()>) {
        let since = who.since;
        let calls = self.teams(who.priority).calls_of(who);
        calls.push_back(Waiter { since, call });
        self.len += 1;
    }

    /// Takes the place before all others of the team.
    pub(super) fn step_back(&mut self, who: &Who, call: Sender<()>) {
        let since = who.since;
        let calls = self.teams(who.priority).calls_of(who);
        calls.push_front(Waiter { since, call });
        self.len += 1;
    }

    /// Whether somebody waits who is more important than that.
    pub(super) fn has_before(&self, priority: Priority) -> bool {
        match priority {
            Priority::Critical => false,
            Priority::Interactive => self.critical.is_live(),
            Priority::Batch => self.critical.is_live() || self.interactive.is_live(),
        }
    }

    /// Whether somebody waits who is as important as that, or was and is gone.
    pub(super) fn has_from(&self, priority: Priority) -> bool {
        let all = [&self.critical, &self.interactive, &self.batch];
        let from = match priority {
            Priority::Critical => 1,
            Priority::Interactive => 2,
            Priority::Batch => 3,
        };
        all[..from].iter().any(|teams| teams.front().is_some())
    }

    /// Calls whoever is next, and tells how important they are.
    pub(super) fn call_next(&mut self, batch_ages: Duration) -> Option<Priority> {
        loop {
            let priority = self.next_priority(batch_ages)?;
            let waiter = self.teams(priority).take()?;
            self.len -= 1;
            if waiter.call.send(()).is_ok() {
                return Some(priority);
            }
        }
    }

    /// Drops those who are gone. Tells whether there were any.
    pub(super) fn forget_gone(&mut self) -> bool {
        let before = self.len;
        let all = [&mut self.critical, &mut self.interactive, &mut self.batch];
        self.len = all.map(Teams::forget_gone).iter().sum();
        self.len < before
    }

    fn next_priority(&self, batch_ages: Duration) -> Option<Priority> {
        if self.critical.front().is_some() {
            return Some(Priority::Critical);
        }
        match (self.interactive.front(), self.batch.front()) {
            (Some(interactive), Some(batch)) => {
                let aged = batch.since.elapsed() >= batch_ages;
                let first = aged && batch.since <= interactive.since;
                Some(if first {
                    Priority::Batch
                } else {
                    Priority::Interactive
                })
            }
            (Some(_), None) => Some(Priority::Interactive),
            (None, Some(_)) => Some(Priority::Batch),
            (None, None) => None,
        }
    }

    fn teams(&mut self, priority: Priority) -> &mut Teams {
        match priority {
            Priority::Critical => &mut self.critical,
            Priority::Interactive => &mut self.interactive,
            Priority::Batch => &mut self.batch,
        }
    }
}

impl Teams {
    fn calls_of(&mut self, who: &Who) -> &mut VecDeque<Waiter> {
        let found = self.0.iter().position(|team| team.name == who.team);
        let place = found.unwrap_or_else(|| {
            self.0.push_back(Team {
                name: Arc::clone(&who.team),
                share: who.share.max(1),
                left: who.share.max(1),
                calls: VecDeque::new(),
            });
            self.0.len() - 1
        });
        &mut self.0[place].calls
    }

    /// The call whose turn it is.
    fn front(&self) -> Option<&Waiter> {
        self.0.front().and_then(|team| team.calls.front())
    }

    /// Takes it. A team without calls leaves; one whose turns are used goes to the end.
    fn take(&mut self) -> Option<Waiter> {
        let team = self.0.front_mut()?;
        let waiter = team.calls.pop_front()?;
        team.left -= 1;
        if team.calls.is_empty() {
            self.0.pop_front();
        } else if team.left == 0 {
            team.left = team.share;
            self.0.rotate_left(1);
        }
        Some(waiter)
    }

    fn is_live(&self) -> bool {
        let mut waiters = self.0.iter().flat_map(|team| &team.calls);
        waiters.any(|waiter| !waiter.call.is_closed())
    }

    /// Drops those who are gone; how many are left.
    fn forget_gone(&mut self) -> usize {
        for team in &mut self.0 {
            team.calls.retain(|waiter| !waiter.call.is_closed());
        }
        self.0.retain(|team| !team.calls.is_empty());
        self.0.iter().map(|team| team.calls.len()).sum()
    }
}
