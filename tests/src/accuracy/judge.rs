//! What a scenario came to, and whether that is within its bound.

use super::{
    crowd::{Event, Told},
    report::{Recovery, Row},
    scenario::{HOLD, LEASE, Scenario},
    trouble::Trouble,
};
use std::time::Duration;
use tokio::time::Instant;

/// How soon the first call is answered after Redis is well again.
const MOST_RECOVERY: Duration = Duration::from_secs(2);

/// What was spent a moment before Redis lost everything may not be in the ledger yet.
const UNWRITTEN: Duration = Duration::from_millis(250);

/// All that is known of a scenario that was played.
pub(super) struct Book {
    pub(super) events: Vec<Event>,
    /// When Redis was well again.
    pub(super) well_again: Option<Instant>,
    /// How long after that nothing was held any more.
    pub(super) charged_after: Option<Duration>,
    /// What gateways say was spent.
    pub(super) spent: i64,
    /// One more call on each gateway, when nothing was in flight.
    pub(super) last: Vec<Event>,
    /// What gateways say was spent after those.
    pub(super) spent_last: i64,
    /// What the ledger says was spent.
    pub(super) ledger: i64,
    /// What the provider would bill.
    pub(super) bill: i64,
    /// The calls that got to the provider, but for the last ones.
    pub(super) dispatched: u64,
}

pub(super) fn judge(scenario: &Scenario, book: &Book) -> Row {
    let limit = scenario.limit();
    let mut row = Row::failed(scenario, String::new());
    row.problems.clear();
    row.admitted = book.dispatched;
    // Whichever is more, so that a charge that was lost hides nothing.
    row.spent_share = share(book.spent.max(book.bill), limit);
    row.most_taken_share = share(book.most_taken(), limit);
    row.bound = bound(scenario, book);
    row.billed_share = share(book.bill, book.ledger);
    row.refused = book.count(|told| matches!(told, Told::Refused { .. }));
    row.unavailable = book.count(|told| matches!(told, Told::NoStore));
    row.falsely_refused = book.falsely_refused(scenario);
    row.recovery = recovery(scenario, book);
    row.charged_after_s = match scenario.trouble {
        Some(Trouble::Killed) => book.charged_after.map(|after| after.as_secs_f64()),
        _ => None,
    };
    row.problems = problems(scenario, book, &row);
    row
}

fn share(part: i64, whole: i64) -> f64 {
    part as f64 / whole as f64
}

/// The most that may be spent, as a share of the limit.
fn bound(scenario: &Scenario, book: &Book) -> f64 {
    let limit = scenario.limit();
    let in_flight = i64::try_from(scenario.replicas * scenario.callers).unwrap_or(i64::MAX);
    let over = match scenario.trouble {
        // What calls in flight cost above their holds.
        None => in_flight * book.most_above_hold(),
        // What Redis knew and nobody else: the holds of calls in flight, and what is not in the
        // ledger yet. Gateways tell Redis of both again, but somebody may be admitted before.
        Some(Trouble::Flushed) => {
            let at = book.well_again;
            let recent = book.events.iter().filter(|event| {
                at.is_some_and(|at| event.ended <= at && at - event.ended <= UNWRITTEN)
            });
            let recent = i64::try_from(recent.count()).unwrap_or(i64::MAX);
            (in_flight + recent) * book.most_held()
        }
        // What a replica may not have been sent: at most what was in flight.
        Some(Trouble::FailedOver) => in_flight * book.most_held(),
        Some(Trouble::Killed | Trouble::Frozen | Trouble::Restarted) => 0,
    };
    share(limit + over, limit)
}

/// How long after Redis was well again each gateway answered a call that came then; the slowest
/// counts.
fn recovery(scenario: &Scenario, book: &Book) -> Option<Recovery> {
    let at = book.well_again?;
    let lives = |replica: &usize| scenario.trouble != Some(Trouble::Killed) || *replica != 0;
    let mut slowest = Duration::ZERO;
    for replica in (0..scenario.replicas).filter(lives) {
        let first = book.events.iter().find(|event| {
            event.replica == replica
                && event.started >= at
                && matches!(event.told, Told::Answered { .. })
        })?;
        slowest = slowest.max(first.ended - at);
    }
    Some(Recovery {
        seconds: slowest.as_secs_f64(),
        is_rebuild: scenario.trouble == Some(Trouble::Flushed),
    })
}

fn problems(scenario: &Scenario, book: &Book, row: &Row) -> Vec<String> {
    let mut found = Vec::new();
    let mut must = |is_so: bool, what: String| {
        if !is_so {
            found.push(what);
        }
    };
    must(row.admitted > 0, "no call was admitted".to_owned());
    must(
        row.spent_share <= row.bound,
        format!(
            "{:.4} of the limit is spent, above {:.4}",
            row.spent_share, row.bound
        ),
    );
    must(
        row.most_taken_share <= 1.0,
        format!(
            "a call was admitted with {:.4} of the limit spent and held",
            row.most_taken_share
        ),
    );
    let is_killed = scenario.trouble == Some(Trouble::Killed);
    let (bill, ledger) = (book.bill, book.ledger);
    must(
        ledger == book.spent_last,
        format!("the ledger says {ledger}, GetBudget {}", book.spent_last),
    );
    // Nobody knows what calls of a killed gateway cost, so they are charged in full.
    must(
        bill == ledger || is_killed && bill < ledger,
        format!("the provider bills {bill}, the ledger says {ledger}"),
    );
    must(
        row.falsely_refused == 0,
        format!("{} calls were refused that fit", row.falsely_refused),
    );
    must(
        book.last
            .iter()
            .all(|event| matches!(event.told, Told::Refused { .. })),
        "a call was admitted when the budget was used up".to_owned(),
    );
    if let Some(told) = book.unexpected(is_killed) {
        must(false, format!("a caller was told {told}"));
    }
    found.extend(late(scenario, row));
    found
}

/// What took too long, or was not there although Redis was well.
fn late(scenario: &Scenario, row: &Row) -> Vec<String> {
    let mut found = Vec::new();
    match (scenario.trouble, row.recovery) {
        (None, _) if row.unavailable > 0 => {
            found.push(format!("{} calls found no store", row.unavailable));
        }
        (Some(_), None) => found.push("a gateway admitted nothing afterwards".to_owned()),
        (Some(_), Some(recovery)) => {
            let Recovery {
                seconds,
                is_rebuild,
            } = recovery;
            if !is_rebuild && seconds >= MOST_RECOVERY.as_secs_f64() {
                found.push(format!("it took {seconds:.2} s to recover"));
            }
        }
        (None, _) => {}
    }
    if let Some(after) = row.charged_after_s
        && after > LEASE.as_secs_f64()
    {
        found.push(format!(
            "holds of the dead were charged after {after:.1} s only"
        ));
    }
    found
}

impl Book {
    fn count(&self, is_such: impl Fn(&Told) -> bool) -> u64 {
        let all = self.events.iter().chain(&self.last);
        all.filter(|event| is_such(&event.told)).count() as u64
    }

    /// The most that was spent and held at any admission.
    fn most_taken(&self) -> i64 {
        let taken = self.events.iter().filter_map(|event| match event.told {
            Told::Answered { taken, .. } => Some(taken),
            _ => None,
        });
        taken.max().unwrap_or(0)
    }

    fn most_held(&self) -> i64 {
        let held = self.events.iter().filter_map(|event| match event.told {
            Told::Answered { held, .. } => Some(held),
            Told::Refused { need, .. } => Some(need),
            _ => None,
        });
        held.max().unwrap_or(HOLD)
    }

    /// The most that a call cost above what it held.
    fn most_above_hold(&self) -> i64 {
        let above = self.events.iter().filter_map(|event| match event.told {
            Told::Answered { cost, held, .. } => Some(cost - held),
            _ => None,
        });
        above.max().unwrap_or(0).max(0)
    }

    /// Calls that were refused although there was room: by what the refusal itself says, and, of
    /// the last ones, by what is spent when nothing is held.
    fn falsely_refused(&self, scenario: &Scenario) -> u64 {
        let fits = |told: &Told| matches!(told, Told::Refused { fits: true, .. });
        let left = scenario.limit() - self.spent;
        let at_rest = self.last.iter().filter(|event| match event.told {
            Told::Refused { need, fits } => !fits && need <= left,
            _ => false,
        });
        self.count(fits) + at_rest.count() as u64
    }

    /// What no caller should be told.
    fn unexpected(&self, is_killed: bool) -> Option<&str> {
        let mut all = self.events.iter().chain(&self.last);
        all.find_map(|event| match &event.told {
            Told::Other(what) => Some(what.as_str()),
            Told::Gone if !is_killed => Some("nothing: its connection was cut"),
            _ => None,
        })
    }
}
