//! What scripts answer, as the decisions that the port speaks of.

use super::{
    args::{self, Windows},
    fault::Fault,
    pack::{Garbled, Unpacker},
};
use crate::ledger::CounterRef;
use std::sync::Arc;
use tollgate_core::{
    HoldId, Money, Timestamp,
    account::{Applied, CounterKey, Held, HoldReply, RUN, Refusal, Refused, SettleReply},
    budget::{Balance, Crossing, Window},
    hold::{Ending, HoldRequest, RunTake, State},
    limit::Limits,
    tally::{UsageKey, UsageSum},
};

/// An answer, opened: its kind and the time that the script used.
pub(super) struct Opened<'a> {
    /// One letter.
    pub(super) kind: u8,
    /// Redis' time.
    pub(super) now: Timestamp,
    /// The rest.
    pub(super) rest: Unpacker<'a>,
}

/// Opens an answer. What every script may say instead of an answer is a fault.
pub(super) fn open(bytes: &[u8]) -> Result<Opened<'_>, Fault> {
    let mut rest = Unpacker::new(bytes)?;
    let kind = *rest.bytes()?.first().ok_or(Garbled)?;
    let now = Timestamp::from_millis(rest.int()?);
    match kind {
        b'N' => Err(Fault::Unseeded),
        b'X' => {
            let what = format!("the sum of the budget {}", rest.text()?);
            Err(Fault::OutOfRange(what))
        }
        _ => Ok(Opened { kind, now, rest }),
    }
}

fn state(letter: u8) -> Result<State, Garbled> {
    Ok(match letter {
        b'O' => State::Open,
        b'S' => State::Settled,
        b'C' => State::Cancelled,
        b'X' => State::Expired,
        _ => return Err(Garbled),
    })
}

/// A balance that a script read, before the hold that it may have granted.
fn balance(
    limits: &Limits,
    windows: &Windows,
    place: usize,
    rest: &mut Unpacker<'_>,
) -> Result<Balance, Garbled> {
    let spec = &limits.budgets[place];
    let window = match rest.int()? {
        0 => &windows.pairs[place][0],
        _ => &windows.pairs[place][1],
    };
    let spent = Money::from_nanos(rest.number()?);
    let held = Money::from_nanos(rest.number()?);
    let topped_up = Money::from_nanos(rest.int()?);
    Ok(Balance {
        name: Arc::clone(&spec.name),
        window: window.clone(),
        limit: spec.limit.map(|limit| limit.plus(topped_up)),
        hard: spec.hard,
        spent,
        held,
    })
}

fn run_balance(run: &RunTake, spent: i64, held: i64) -> Balance {
    Balance {
        name: RUN.into(),
        window: Window {
            id: Arc::clone(&run.run),
            ends_at: None,
        },
        limit: Some(run.limit),
        hard: true,
        spent: Money::from_nanos(spent),
        held: Money::from_nanos(held),
    }
}

/// The answer of `hold.lua`; `None` if the windows are not those of Redis' time.
pub(super) fn hold(
    opened: Opened<'_>,
    limits: &Limits,
    request: &HoldRequest,
    windows: &Windows,
) -> Result<Option<HoldReply>, Fault> {
    let Opened {
        kind,
        now,
        mut rest,
    } = opened;
    match kind {
        b'C' => return Ok(None),
        b'D' => {
            let letter = *rest.bytes()?.first().ok_or(Garbled)?;
            return Ok(Some(HoldReply::Duplicate(state(letter)?)));
        }
        b'L' => {
            let limit = Money::from_nanos(rest.number()?);
            return Ok(Some(HoldReply::RunBudgetConflict { limit }));
        }
        b'H' | b'R' => {}
        _ => return Err(Garbled.into()),
    }
    let mut budgets = Vec::with_capacity(limits.budgets.len() + 1);
    for place in 0..limits.budgets.len() {
        budgets.push(balance(limits, windows, place, &mut rest)?);
    }
    if let Some(run) = &request.run {
        budgets.push(run_balance(run, rest.number()?, rest.number()?));
    }
    if kind == b'R' {
        let (refusals, crossings) = refusals(&mut rest, limits, request, &budgets)?;
        return Ok(Some(HoldReply::Refused(Refused {
            now,
            refusals,
            crossings,
        })));
    }
    for balance in &mut budgets {
        balance.held = balance.held.plus(request.amount);
    }
    let mut remaining = Vec::with_capacity(limits.buckets.len());
    for _ in &limits.buckets {
        remaining.push(rest.count()?);
    }
    Ok(Some(HoldReply::Held(Held {
        now,
        budgets,
        remaining,
    })))
}

fn refusals(
    rest: &mut Unpacker<'_>,
    limits: &Limits,
    request: &HoldRequest,
    budgets: &[Balance],
) -> Result<(Vec<Refusal>, Vec<Crossing>), Garbled> {
    let (mut refusals, mut crossings) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        let kind = rest.int()?;
        let number = usize::try_from(rest.int()?).map_err(|_| Garbled)?;
        let wait_ms = rest.count()?;
        let place = number.checked_sub(1);
        let bucket = || place.and_then(|p| limits.buckets.get(p)).ok_or(Garbled);
        refusals.push(match kind {
            1 => Refusal::Cooldown { wait_ms },
            2 => Refusal::Rate {
                limit: Arc::clone(&bucket()?.name),
                wait_ms,
            },
            3 => Refusal::Unsatisfiable {
                limit: Arc::clone(&bucket()?.name),
                need: bucket()?.unit.of(&request.need),
                capacity: bucket()?.capacity,
            },
            4 => {
                let gauge = place.and_then(|p| limits.gauges.get(p)).ok_or(Garbled)?;
                Refusal::Concurrency {
                    limit: Arc::clone(&gauge.name),
                    bound: gauge.limit,
                }
            }
            5 => {
                let balance = match place {
                    Some(place) => budgets.get(place),
                    None => budgets.last(),
                };
                let balance = balance.ok_or(Garbled)?.clone();
                if wait_ms == 1 {
                    crossings.push(Crossing {
                        balance: balance.clone(),
                        permille: 1_000,
                    });
                }
                Refusal::Budget {
                    balance,
                    need: request.amount,
                }
            }
            _ => return Err(Garbled),
        });
    }
    Ok((refusals, crossings))
}

/// What a record says of a hold.
pub(super) struct Body {
    /// What it took from budgets.
    pub(super) amount: Money,
    /// From which; a run's last.
    pub(super) counters: Vec<CounterRef>,
}

/// Reads what `hold.lua` wrote into a record.
pub(super) fn body(bytes: &[u8]) -> Result<Body, Garbled> {
    let mut rest = Unpacker::new(bytes)?;
    let amount = Money::from_nanos(rest.number()?);
    for _ in 0..3 {
        rest.int()?;
    }
    let run: Arc<str> = rest.text()?.into();
    let run_limit = rest.text()?.parse().ok();
    let has_run = !rest.text()?.is_empty();
    let (gauges, budgets) = (rest.int()?, rest.int()?);
    for _ in 0..gauges {
        rest.bytes()?;
    }
    let mut counters = Vec::new();
    for _ in 0..budgets {
        counters.push(CounterRef {
            budget: rest.text()?.into(),
            window: rest.text()?.into(),
            ends_at_ms: args::end(rest.int()?).map(Timestamp::millis),
            limit_nano_usd: None,
        });
    }
    if has_run {
        counters.push(CounterRef {
            budget: RUN.into(),
            window: run,
            ends_at_ms: None,
            limit_nano_usd: run_limit,
        });
    }
    Ok(Body { amount, counters })
}

/// The answer of `settle.lua`.
pub(super) fn settle(
    opened: Opened<'_>,
    limits: &Limits,
    ending: &Ending,
) -> Result<SettleReply, Fault> {
    let Opened {
        kind,
        now,
        mut rest,
    } = opened;
    match kind {
        b'U' => return Ok(SettleReply::Unknown),
        b'A' => return Ok(SettleReply::Alive),
        b'D' => {
            let letter = *rest.bytes()?.first().ok_or(Garbled)?;
            return Ok(SettleReply::Duplicate(state(letter)?));
        }
        b'E' => {}
        _ => return Err(Garbled.into()),
    }
    let corrected = rest.int()? == 1;
    let charged = Money::from_nanos(rest.number()?);
    let body = body(rest.bytes()?)?;
    let mut crossings = Vec::new();
    for _ in 0..rest.int()? {
        crossings.extend(crossing(&mut rest, limits, &body)?);
    }
    let counters = body.counters.iter().map(|counter| CounterKey {
        budget: Arc::clone(&counter.budget),
        window: Arc::clone(&counter.window),
    });
    Ok(SettleReply::Applied(Applied {
        now,
        state: match ending {
            Ending::Settled { .. } => State::Settled,
            Ending::Cancelled => State::Cancelled,
            Ending::Expired => State::Expired,
        },
        corrected,
        held: body.amount,
        charged,
        counters: counters.collect(),
        crossings,
        overrun: charged.minus(body.amount).max(Money::ZERO),
    }))
}

fn crossing(
    rest: &mut Unpacker<'_>,
    limits: &Limits,
    body: &Body,
) -> Result<Option<Crossing>, Garbled> {
    let number = usize::try_from(rest.int()?).map_err(|_| Garbled)?;
    let permille = u16::try_from(rest.int()?).map_err(|_| Garbled)?;
    let spent = Money::from_nanos(rest.number()?);
    let held = Money::from_nanos(rest.number()?);
    let topped_up = Money::from_nanos(rest.int()?);
    let counter = number.checked_sub(1).and_then(|p| body.counters.get(p));
    let counter = counter.ok_or(Garbled)?;
    let spec = limits.budgets.iter().find(|b| b.name == counter.budget);
    Ok(spec.map(|spec| Crossing {
        balance: Balance {
            name: Arc::clone(&spec.name),
            window: Window {
                id: Arc::clone(&counter.window),
                ends_at: counter.ends_at_ms.map(Timestamp::from_millis),
            },
            limit: spec.limit.map(|limit| limit.plus(topped_up)),
            hard: spec.hard,
            spent,
            held,
        },
        permille,
    }))
}

/// The answer of `renew.lua`.
pub(super) fn renew(opened: Opened<'_>, ids: &[HoldId]) -> Result<Vec<HoldId>, Fault> {
    let mut rest = opened.rest;
    let mut gone = Vec::new();
    while !rest.is_empty() {
        let place = usize::try_from(rest.int()?).map_err(|_| Garbled)?;
        gone.push(*ids.get(place).ok_or(Garbled)?);
    }
    Ok(gone)
}

/// The answer of `due.lua`. What is not an id of ours is left alone.
pub(super) fn due(opened: Opened<'_>) -> Result<Vec<HoldId>, Fault> {
    let mut rest = opened.rest;
    let mut ids = Vec::new();
    while !rest.is_empty() {
        ids.extend(rest.text()?.parse::<HoldId>());
    }
    Ok(ids)
}

/// The balances of all budgets, and that of a run if it has one.
pub(super) type Balances = (Vec<Balance>, Option<Balance>);

/// The answer of `balances.lua`; `None` if the windows are not those of Redis' time.
pub(super) fn balances(
    opened: Opened<'_>,
    limits: &Limits,
    windows: &Windows,
    run: Option<&Arc<str>>,
) -> Result<Option<Balances>, Fault> {
    let mut rest = opened.rest;
    match opened.kind {
        b'C' => return Ok(None),
        b'B' => {}
        _ => return Err(Garbled.into()),
    }
    let mut all = Vec::with_capacity(limits.budgets.len());
    for place in 0..limits.budgets.len() {
        all.push(balance(limits, windows, place, &mut rest)?);
    }
    let mut its = None;
    if let Some(run) = run
        && let Ok(limit) = rest.text()?.parse()
    {
        let run = RunTake {
            run: Arc::clone(run),
            limit: Money::from_nanos(limit),
        };
        its = Some(run_balance(&run, rest.number()?, rest.number()?));
    }
    Ok(Some((all, its)))
}

/// One row of usage; `None` for the field that only keeps the day.
pub(super) fn row(field: &[u8], value: &[u8]) -> Result<Option<(UsageKey, UsageSum)>, Garbled> {
    if field.is_empty() {
        return Ok(None);
    }
    let mut names = Unpacker::new(field)?;
    let key = UsageKey {
        pipeline: names.text()?.into(),
        run: names.text()?.into(),
        step: names.text()?.into(),
        model: names.text()?.into(),
    };
    let mut numbers = Unpacker::new(value)?;
    let mut sum = UsageSum {
        calls: numbers.count()?,
        ..UsageSum::default()
    };
    sum.usage.input = numbers.count()?;
    sum.usage.cache_read = numbers.count()?;
    sum.usage.cache_write = numbers.count()?;
    sum.usage.output = numbers.count()?;
    sum.usage.reasoning = numbers.count()?;
    sum.cost = Money::from_nanos(numbers.int()?);
    Ok(Some((key, sum)))
}
