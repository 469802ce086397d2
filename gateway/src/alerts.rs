//! Budget alerts to a webhook: off the request path, at least once, never with its address in a log.
//!
//! The store finds each crossing once per budget, window and mark, and the ledger remembers it
//! over restarts; the observer logs and counts it. This delivers it where people read.

mod webhook;

use std::{future::Future, sync::Arc, time::Duration};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tollgate_core::{backoff::Backoff, budget::Crossing};

use crate::{
    clock::rfc3339,
    telemetry::{AlertSink, Delivery, Observer},
};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
pub use webhook::Webhook;

/// The most alerts that wait; more are dropped and counted.
const MOST_WAITING: usize = 1_000;
/// How often one alert is tried. With the pauses below this is about ten minutes.
const MOST_TRIES: u32 = 16;
/// The pauses between tries.
const BACKOFF: Backoff = Backoff {
    base_ms: 1_000,
    max_ms: 60_000,
};

/// Posts JSON somewhere.
pub trait Post: Send + Sync {
    /// Posts once.
    fn post<'a>(&'a self, body: &'a Value) -> BoxFuture<'a, Posted>;
}

/// What came of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It was taken.
    Taken,
    /// It was refused for good.
    Refused,
    /// It may be tried again, not before so many milliseconds if the other side said so.
    Later(Option<u64>),
}

/// Delivers alerts. Run it on a task of its own.
pub struct Alerts {
    queue: Receiver<Value>,
    post: Arc<dyn Post>,
    observer: Arc<Observer>,
}

impl Alerts {
    /// What delivers, and what takes crossings.
    #[must_use]
    pub fn new(post: Arc<dyn Post>, observer: Arc<Observer>) -> (Self, AlertSink) {
        let (sender, queue): (Sender<Value>, _) = channel(MOST_WAITING);
        let counts = Arc::downgrade(&observer);
        let sink = move |team: &Arc<str>, crossing: &Crossing| {
            if sender.try_send(message(team, crossing)).is_err()
                && let Some(observer) = counts.upgrade()
            {
                observer.alert_handled(Delivery::Dropped);
            }
        };
        let alerts = Self {
            queue,
            post,
            observer,
        };
        (alerts, Arc::new(sink))
    }

    /// Delivers until `stop`, and then tries each alert that still waits once.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let body = tokio::select! {
                () = &mut stop => break,
                body = self.queue.recv() => body,
            };
            let Some(body) = body else { return };
            let delivery = tokio::select! {
                () = &mut stop => {
                    self.last_try(&body).await;
                    break;
                }
                delivery = self.deliver(&body) => delivery,
            };
            self.observer.alert_handled(delivery);
        }
        while let Ok(body) = self.queue.try_recv() {
            self.last_try(&body).await;
        }
    }

    async fn last_try(&self, body: &Value) {
        let delivery = match self.post.post(body).await {
            Posted::Taken => Delivery::Delivered,
            Posted::Refused | Posted::Later(_) => Delivery::Failed,
        };
        self.observer.alert_handled(delivery);
    }

    async fn deliver(&self, body: &Value) -> Delivery {
        for number in 1..=MOST_TRIES {
            let told = match self.post.post(body).await {
                Posted::Taken => return Delivery::Delivered,
                Posted::Refused => return Delivery::Failed,
                Posted::Later(told) => told,
            };
            let ms = BACKOFF.pause_ms(number, told, fastrand::u64(..));
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        Delivery::Failed
    }
}

/// What Slack shows (`text`), and the same for programs (`tollgate`).
fn message(team: &Arc<str>, crossing: &Crossing) -> Value {
    let balance = &crossing.balance;
    let (percent, tenth) = (crossing.permille / 10, crossing.permille % 10);
    let share = if tenth == 0 {
        format!("{percent} %")
    } else {
        format!("{percent}.{tenth} %")
    };
    let limit = balance.limit.unwrap_or_default();
    let text = format!(
        "Team {team} has reached {share} of its {} budget: ${} of ${limit} spent, ${} held ({}).",
        balance.name, balance.spent, balance.held, balance.window.id
    );
    json!({
        "text": text,
        "tollgate": {
            "team": &**team,
            "budget": &*balance.name,
            "window": &*balance.window.id,
            "permille": crossing.permille,
            "limit_nano_usd": limit.nanos(),
            "spent_nano_usd": balance.spent.nanos(),
            "held_nano_usd": balance.held.nanos(),
            "resets_at": balance.window.ends_at.map(rfc3339),
        }
    })
}

#[cfg(test)]
mod tests;
