//! Turns the gateway's receipt into what the report keeps of a call.

use crate::{
    money::Money,
    row::{CallRow, ModelShare, Role, Tokens},
    span,
};
use std::time::Duration;
use tollgate_proto::v1::{Receipt, Usage};

/// The name under which cost is kept that no model can be named for.
pub(crate) const UNKNOWN_MODEL: &str = "(unknown)";

/// When a call ran, from the start of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) at: Duration,
    pub(crate) took: Duration,
}

/// What earlier tries of the same call, under the same key, did to the books.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Earlier {
    /// What they were already charged in this run.
    pub(crate) charged: Money,
    /// One of them was lost on the way: a replayed answer may be the one that it paid for.
    pub(crate) lost: bool,
}

/// The row of a call that was answered.
pub(crate) fn answered(receipt: &Receipt, role: Role, times: Times, earlier: Earlier) -> CallRow {
    let total = Money::from_nano_usd(receipt.cost_nano_usd);
    // A replayed answer was paid by the first call of its key. That is another run's money, unless
    // the first call was ours and its answer was lost.
    let foreign = receipt.replayed && !earlier.lost;
    let cost = match (receipt.replayed, earlier.lost) {
        (false, _) => total,
        (true, true) => (total - earlier.charged).max(Money::ZERO),
        (true, false) => Money::ZERO,
    };
    let shares = if foreign {
        Vec::new()
    } else {
        shares(receipt, cost)
    };
    let mut tokens = Tokens::default();
    for share in &shares {
        tokens.add(&share.tokens);
    }
    let attempts = &receipt.attempts;
    let retries = attempts
        .windows(2)
        .filter(|pair| pair[0].model == pair[1].model)
        .count();
    let fallback = attempts
        .first()
        .is_some_and(|first| first.model != receipt.model);
    let count = |number: usize| {
        if foreign {
            0
        } else {
            u32::try_from(number).unwrap_or(u32::MAX)
        }
    };
    CallRow {
        role,
        outcome: if receipt.replayed { "replay" } else { "ok" }.to_owned(),
        call_id: receipt.call_id.clone(),
        model: receipt.model.clone(),
        route: receipt.route.clone(),
        tokens,
        cost_nano_usd: cost.nano_usd(),
        avoided_nano_usd: if foreign { total.nano_usd() } else { 0 },
        replayed: receipt.replayed,
        cost_unknown: false,
        gateway_attempts: count(attempts.len()),
        gateway_retries: count(retries),
        fallback: fallback && !foreign,
        waited_ms: receipt.waited.as_ref().map_or(0, duration_ms),
        at_ms: span::ms(times.at),
        ms: span::ms(times.took),
        shares,
    }
}

/// The row of a call that was refused.
pub(crate) fn refused(outcome: &str, role: Role, times: Times, cost: Option<Money>) -> CallRow {
    let cost = cost.unwrap_or(Money::ZERO);
    let shares = if cost == Money::ZERO {
        Vec::new()
    } else {
        let tokens = Tokens::default();
        vec![ModelShare {
            model: UNKNOWN_MODEL.into(),
            tokens,
            cost_nano_usd: cost.nano_usd(),
        }]
    };
    CallRow {
        role,
        outcome: outcome.to_owned(),
        call_id: String::new(),
        model: String::new(),
        route: String::new(),
        tokens: Tokens::default(),
        cost_nano_usd: cost.nano_usd(),
        avoided_nano_usd: 0,
        replayed: false,
        cost_unknown: false,
        gateway_attempts: 0,
        gateway_retries: 0,
        fallback: false,
        waited_ms: 0,
        at_ms: span::ms(times.at),
        ms: span::ms(times.took),
        shares,
    }
}

/// Cost and tokens by model, adding up to `cost`: what the attempts do not explain goes to the
/// model that answered.
fn shares(receipt: &Receipt, cost: Money) -> Vec<ModelShare> {
    let mut shares: Vec<ModelShare> = Vec::new();
    let mut give = |model: &str, tokens: &Tokens, cost_nano_usd: i64| {
        if let Some(share) = shares.iter_mut().find(|share| share.model == model) {
            share.tokens.add(tokens);
            share.cost_nano_usd = share.cost_nano_usd.saturating_add(cost_nano_usd);
        } else {
            shares.push(ModelShare {
                model: model.to_owned(),
                tokens: *tokens,
                cost_nano_usd,
            });
        }
    };
    let mut explained = Money::ZERO;
    for attempt in &receipt.attempts {
        let used = attempt.usage.as_ref().map(tokens_of).unwrap_or_default();
        give(&attempt.model, &used, attempt.cost_nano_usd);
        explained += Money::from_nano_usd(attempt.cost_nano_usd);
    }
    if receipt.attempts.is_empty() {
        let used = receipt.usage.as_ref().map(tokens_of).unwrap_or_default();
        give(&receipt.model, &used, 0);
    }
    if explained != cost {
        give(
            &receipt.model,
            &Tokens::default(),
            (cost - explained).nano_usd(),
        );
    }
    shares.retain(|share| share.cost_nano_usd != 0 || share.tokens != Tokens::default());
    shares
}

fn tokens_of(usage: &Usage) -> Tokens {
    Tokens {
        input: usage.input_tokens,
        cache_read: usage.cache_read_tokens,
        cache_write: usage.cache_write_tokens,
        output: usage.output_tokens,
        reasoning: usage.reasoning_tokens,
    }
}

fn duration_ms(duration: &prost_types::Duration) -> u64 {
    let nanos = u64::try_from(duration.nanos).unwrap_or(0) / 1_000_000;
    u64::try_from(duration.seconds)
        .unwrap_or(0)
        .saturating_mul(1000)
        .saturating_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_proto::v1::{Attempt, AttemptOutcome};

    const TIMES: Times = Times {
        at: Duration::ZERO,
        took: Duration::from_millis(5),
    };

    fn attempt(model: &str, cost: i64, outcome: AttemptOutcome) -> Attempt {
        let usage = Some(Usage {
            input_tokens: 10,
            output_tokens: 2,
            ..Usage::default()
        });
        let model = model.to_owned();
        Attempt {
            model,
            cost_nano_usd: cost,
            outcome: outcome.into(),
            usage,
            ..Attempt::default()
        }
    }

    fn receipt() -> Receipt {
        Receipt {
            model: "small".into(),
            attempts: vec![
                attempt("large", 0, AttemptOutcome::Unavailable),
                attempt("large", 30, AttemptOutcome::Unknown),
                attempt("small", 12, AttemptOutcome::Ok),
            ],
            cost_nano_usd: 42,
            ..Receipt::default()
        }
    }

    #[test]
    fn retries_fallbacks_and_shares_are_read_from_the_attempts() {
        let row = answered(&receipt(), Role::Primary, TIMES, Earlier::default());
        assert_eq!(
            (row.gateway_attempts, row.gateway_retries, row.fallback),
            (3, 1, true)
        );
        let shares: i64 = row.shares.iter().map(|share| share.cost_nano_usd).sum();
        assert_eq!((row.cost_nano_usd, shares), (42, 42));
    }

    #[test]
    fn a_replay_costs_nothing_and_is_told_as_avoided() {
        let replay = Receipt {
            replayed: true,
            ..receipt()
        };
        let row = answered(&replay, Role::Primary, TIMES, Earlier::default());
        assert_eq!(
            (
                row.cost_nano_usd,
                row.avoided_nano_usd,
                row.gateway_attempts
            ),
            (0, 42, 0)
        );
        assert_eq!(row.tokens, Tokens::default());
    }

    #[test]
    fn a_replay_of_our_own_lost_call_is_paid_once() {
        let replay = Receipt {
            replayed: true,
            ..receipt()
        };
        let lost = Earlier {
            charged: Money::ZERO,
            lost: true,
        };
        assert_eq!(
            answered(&replay, Role::Retry, TIMES, lost).cost_nano_usd,
            42
        );
        let part = Earlier {
            charged: Money::from_nano_usd(30),
            lost: true,
        };
        let row = answered(&replay, Role::Retry, TIMES, part);
        let shares: i64 = row.shares.iter().map(|share| share.cost_nano_usd).sum();
        assert_eq!((row.cost_nano_usd, shares), (12, 12));
    }
}
