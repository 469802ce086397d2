//! What this replica was granted and what it ended lately: enough to tell another Redis of it.
//!
//! A failover may lose the last writes of the old master. Repeating them is harmless, because
//! everything is idempotent by hold id.

use crate::store::Settlement;
use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tollgate_core::{
    HoldId, Money, Timestamp,
    hold::HoldRequest,
    limit::{Limits, Scope},
};

/// How long endings are remembered: longer than any lag of replication that is not an outage.
const REPLAYED: Duration = Duration::from_secs(60);

/// The most endings that are remembered: a minute of 3,000 a second.
const MOST_ENDED: usize = 200_000;

/// How long a hold may be open without being renewed or ended before it is forgotten here. Its
/// lease has long ended then.
const MOST_OPEN: Duration = Duration::from_secs(3_600);

/// A hold that was granted to this replica.
#[derive(Clone, Debug)]
pub(super) struct Granted {
    pub(super) limits: Arc<Limits>,
    pub(super) request: HoldRequest,
    /// Redis' time when it was granted.
    pub(super) at: Timestamp,
}

/// An ending that Redis has acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    pub(super) settlement: Settlement,
    pub(super) granted: Option<Granted>,
}

/// Open holds and recent endings of this replica.
#[derive(Debug, Default)]
pub(super) struct Roll(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: HashMap<HoldId, (Granted, Instant)>,
    ended: HashMap<HoldId, Finished>,
    /// Their ids in the order in which they are forgotten.
    forget: VecDeque<(Instant, HoldId)>,
    teams: HashMap<Scope, Team>,
    /// When forgotten holds are looked for next.
    sweep_at: Option<Instant>,
}

/// When something was granted to a team first, by Redis' time, and when something was last granted
/// or ended. Kept apart so that nobody has to look through all that ended.
#[derive(Debug)]
struct Team {
    first: Timestamp,
    last: Instant,
}

impl Roll {
    /// A hold was granted.
    pub(super) fn granted(&self, granted: Granted) {
        let now = Instant::now();
        let mut state = self.state();
        match state.teams.get_mut(&granted.limits.scope) {
            Some(team) => team.last = now,
            None => {
                let scope = granted.limits.scope.clone();
                // A deployment has no balances.
                if matches!(scope, Scope::Team(_)) {
                    let (first, last) = (granted.at, now);
                    state.teams.insert(scope, Team { first, last });
                }
            }
        }
        state.open.insert(granted.request.id, (granted, now));
        if state.sweep_at.is_none_or(|at| at <= now) {
            state.sweep_at = Some(now + REPLAYED);
            state
                .open
                .retain(|_, (_, seen)| now.duration_since(*seen) < MOST_OPEN);
        }
    }

    /// More was added to a hold.
    pub(super) fn extended(&self, id: HoldId, extra: Money) {
        if let Some((granted, _)) = self.state().open.get_mut(&id) {
            granted.request.amount = granted.request.amount.plus(extra);
        }
    }

    /// Holds were prolonged.
    pub(super) fn renewed(&self, ids: &[HoldId]) {
        let now = Instant::now();
        let mut state = self.state();
        for id in ids {
            if let Some((_, seen)) = state.open.get_mut(id) {
                *seen = now;
            }
        }
    }

    /// What was granted under this id, open or ended lately.
    pub(super) fn find(&self, id: HoldId) -> Option<Granted> {
        let state = self.state();
        if let Some((granted, _)) = state.open.get(&id) {
            return Some(granted.clone());
        }
        let ended = state.ended.get(&id);
        ended.and_then(|finished| finished.granted.clone())
    }

    /// Whether a hold is open here.
    pub(super) fn is_open(&self, id: HoldId) -> bool {
        self.state().open.contains_key(&id)
    }

    /// A hold has ended.
    pub(super) fn ended(&self, settlement: &Settlement) {
        let now = Instant::now();
        let mut state = self.state();
        let granted = state.open.remove(&settlement.id);
        if let Some(team) = state.teams.get_mut(&settlement.limits.scope) {
            team.last = now;
        }
        // A repetition has nothing to add.
        if let Entry::Vacant(place) = state.ended.entry(settlement.id) {
            place.insert(Finished {
                settlement: settlement.clone(),
                granted: granted.map(|(granted, _)| granted),
            });
            state.forget.push_back((now, settlement.id));
        }
        while let Some((at, id)) = state.forget.front().copied()
            && (state.forget.len() > MOST_ENDED || now.duration_since(at) > REPLAYED)
        {
            state.forget.pop_front();
            state.ended.remove(&id);
        }
    }

    /// All that another Redis must be told.
    pub(super) fn all(&self) -> (Vec<Granted>, Vec<Finished>) {
        let state = self.state();
        let open = state.open.values().map(|(granted, _)| granted.clone());
        let ended = state.ended.values().cloned();
        (open.collect(), ended.collect())
    }

    /// The teams for which something was granted or ended lately, each with Redis' time of the
    /// first grant.
    pub(super) fn teams(&self) -> HashMap<Scope, Timestamp> {
        let now = Instant::now();
        let mut state = self.state();
        let teams = &mut state.teams;
        teams.retain(|_, team| now.duration_since(team.last) <= REPLAYED);
        let first = |(scope, team): (&Scope, &Team)| (scope.clone(), team.first);
        teams.iter().map(first).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
