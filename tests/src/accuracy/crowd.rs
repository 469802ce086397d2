//! Callers of all gateways at once, who note what they were told.

use crate::harness::{Caller, Refused};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};
use tollgate_proto::v1;

/// The pause of a caller who was refused.
const PAUSE: Duration = Duration::from_millis(10);

/// How long nobody was admitted, or heard of an outage, when a budget counts as used up.
const QUIET: Duration = Duration::from_millis(1_200);

/// What a caller was told.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// The answer, and the money of the day as of admission, spent and held.
    Answered { cost: i64, held: i64, taken: i64 },
    /// Nothing: the caller hung up.
    HungUp,
    /// The budget refuses. `fits`: although by what it says there was room.
    Refused { need: i64, fits: bool },
    /// Redis does not answer, and nothing was charged.
    NoStore,
    /// The gateway is gone.
    Gone,
    /// What should not happen.
    Other(String),
}

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) replica: usize,
    pub(super) started: Instant,
    pub(super) ended: Instant,
    pub(super) told: Told,
}

/// What callers ask for.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) spec: v1::CompletionSpec,
    /// Callers hang up at a random time within this.
    pub(super) patience: Option<Duration>,
}

/// Callers that go on until they are stopped.
pub(super) struct Crowd {
    callers: JoinSet<Vec<Event>>,
    progress: Arc<Progress>,
}

#[derive(Debug)]
struct Progress(Mutex<State>);

#[derive(Debug)]
struct State {
    admitted: usize,
    is_refused: bool,
    last_news: Instant,
    is_stopped: bool,
}

impl Crowd {
    /// So many callers on each gateway.
    pub(super) fn start(gateways: &[Caller], each: usize, ask: &Ask) -> Self {
        let progress = Arc::new(Progress(Mutex::new(State {
            admitted: 0,
            is_refused: false,
            last_news: Instant::now(),
            is_stopped: false,
        })));
        let mut callers = JoinSet::new();
        for (replica, caller) in gateways.iter().enumerate() {
            for _ in 0..each {
                let (caller, ask) = (caller.clone(), ask.clone());
                let progress = Arc::clone(&progress);
                callers.spawn(go_on(replica, caller, ask, progress));
            }
        }
        Self { callers, progress }
    }

    /// How many were answered so far.
    pub(super) fn admitted(&self) -> usize {
        self.progress.state().admitted
    }

    /// Whether the budget refuses and nothing else has happened for a while.
    pub(super) fn is_exhausted(&self) -> bool {
        let state = self.progress.state();
        state.is_refused && state.last_news.elapsed() > QUIET
    }

    /// Stops all callers, and returns all that they were told, by time.
    pub(super) async fn stop(mut self) -> Vec<Event> {
        self.progress.state().is_stopped = true;
        let mut all = Vec::new();
        while let Some(events) = self.callers.join_next().await {
            all.extend(events.expect("a caller does not panic"));
        }
        all.sort_by_key(|event| event.started);
        all
    }
}

impl Progress {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, told: &Told) {
        let mut state = self.state();
        match told {
            Told::Answered { .. } => {
                state.admitted += 1;
                state.is_refused = false;
                state.last_news = Instant::now();
            }
            // Nobody knows whether it was admitted, and it does not run for much longer.
            Told::HungUp => {}
            Told::Refused { .. } => state.is_refused = true,
            Told::NoStore | Told::Gone | Told::Other(_) => state.last_news = Instant::now(),
        }
    }
}

async fn go_on(replica: usize, caller: Caller, ask: Ask, progress: Arc<Progress>) -> Vec<Event> {
    let mut events = Vec::new();
    while !progress.state().is_stopped {
        let event = once(replica, &caller, &ask).await;
        progress.note(&event.told);
        let told = event.told.clone();
        events.push(event);
        match told {
            Told::Answered { .. } | Told::HungUp => {}
            Told::Gone => break,
            Told::Refused { .. } | Told::NoStore | Told::Other(_) => {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    events
}

/// One call.
pub(super) async fn once(replica: usize, caller: &Caller, ask: &Ask) -> Event {
    let started = Instant::now();
    let call = caller.complete(ask.spec.clone());
    let told = match ask.patience {
        Some(patience) => {
            let most = u64::try_from(patience.as_micros()).unwrap_or(u64::MAX);
            let patience = Duration::from_micros(fastrand::u64(0..=most));
            // Dropping the call is how a client hangs up.
            match tokio::time::timeout(patience, call).await {
                Ok(answer) => told(answer),
                Err(_) => Told::HungUp,
            }
        }
        None => told(call.await),
    };
    Event {
        replica,
        started,
        ended: Instant::now(),
        told,
    }
}

fn told(answer: Result<v1::CompleteResponse, Box<Refused>>) -> Told {
    let refused = match answer {
        Ok(answer) => return answered(answer.receipt.unwrap_or_default()),
        Err(refused) => refused,
    };
    match refused.reason.as_str() {
        "BUDGET_EXHAUSTED" => {
            let figure = |key| refused.metadata(key)?.parse::<i64>().ok();
            let [need, spent, held, limit] = [
                "neededNanoUsd",
                "spentNanoUsd",
                "heldNanoUsd",
                "limitNanoUsd",
            ]
            .map(figure);
            match (need, spent, held, limit) {
                (Some(need), Some(spent), Some(held), Some(limit)) => Told::Refused {
                    need,
                    fits: spent + held + need <= limit,
                },
                _ => Told::Other(format!("no figures in {refused:?}")),
            }
        }
        "STORE_UNAVAILABLE" => Told::NoStore,
        "" => Told::Gone,
        _ => Told::Other(format!("{}: {}", refused.reason, refused.status.message())),
    }
}

fn answered(receipt: v1::Receipt) -> Told {
    let day = receipt.budgets.iter().find(|budget| budget.name == "day");
    match day {
        Some(day) => Told::Answered {
            cost: receipt.cost_nano_usd,
            held: receipt.held_nano_usd,
            taken: day.spent_nano_usd + day.held_nano_usd,
        },
        None => Told::Other("a receipt without the day's budget".to_owned()),
    }
}
