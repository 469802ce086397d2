//! Answers as protobuf.

use crate::{
    complete::{Attempt, AttemptOutcome, Completion, Receipt},
    provider::{FailureKind, Finish},
};
use std::time::Duration;
use tollgate_core::{Timestamp, Usage, budget::Balance};
use tollgate_proto::v1;

pub(super) fn response(completion: &Completion) -> v1::CompleteResponse {
    v1::CompleteResponse {
        message: Some(v1::Message {
            role: v1::Role::Assistant.into(),
            parts: vec![v1::Part {
                content: Some(v1::part::Content::Text(completion.text.clone())),
            }],
        }),
        finish_reason: finish(completion.finish).into(),
        receipt: Some(receipt(&completion.receipt)),
    }
}

fn finish(finish: Finish) -> v1::FinishReason {
    match finish {
        Finish::Stop => v1::FinishReason::Stop,
        Finish::Length => v1::FinishReason::Length,
        Finish::ContentFilter => v1::FinishReason::ContentFilter,
        Finish::Other => v1::FinishReason::Unspecified,
    }
}

fn receipt(receipt: &Receipt) -> v1::Receipt {
    let last = receipt.attempts.last();
    v1::Receipt {
        call_id: receipt.id.to_string(),
        model: last
            .map(|attempt| attempt.model.to_string())
            .unwrap_or_default(),
        deployment: last
            .map(|attempt| attempt.deployment.to_string())
            .unwrap_or_default(),
        attempts: receipt.attempts.iter().map(attempt).collect(),
        usage: Some(usage(&receipt.usage())),
        cost_nano_usd: receipt.cost().nanos(),
        held_nano_usd: receipt.held.nanos(),
        price_version: receipt.price_version.to_string(),
        waited: Some(duration(receipt.waited)),
        budgets: receipt.budgets.iter().map(balance).collect(),
        replayed: receipt.replayed,
        route: receipt.route.to_string(),
        under_pressure: receipt.under_pressure,
    }
}

fn attempt(attempt: &Attempt) -> v1::Attempt {
    v1::Attempt {
        model: attempt.model.to_string(),
        deployment: attempt.deployment.to_string(),
        outcome: outcome(attempt.outcome).into(),
        usage: Some(usage(&attempt.usage)),
        cost_nano_usd: attempt.cost.nanos(),
        duration: Some(duration(attempt.duration)),
        http_status: attempt.http_status.map_or(0, i32::from),
        estimated: attempt.estimated,
    }
}

fn outcome(outcome: AttemptOutcome) -> v1::AttemptOutcome {
    match outcome {
        AttemptOutcome::Ok => v1::AttemptOutcome::Ok,
        AttemptOutcome::Failed(kind) => match kind {
            FailureKind::Throttled => v1::AttemptOutcome::Throttled,
            FailureKind::Unavailable => v1::AttemptOutcome::Unavailable,
            FailureKind::Unreachable => v1::AttemptOutcome::Unreachable,
            FailureKind::Misconfigured => v1::AttemptOutcome::Misconfigured,
            FailureKind::ContextOverflow => v1::AttemptOutcome::ContextOverflow,
            FailureKind::Rejected => v1::AttemptOutcome::Rejected,
            FailureKind::Unknown => v1::AttemptOutcome::Unknown,
            FailureKind::Garbled => v1::AttemptOutcome::Garbled,
        },
    }
}

pub(super) fn usage(usage: &Usage) -> v1::Usage {
    v1::Usage {
        input_tokens: count(usage.input),
        cache_read_tokens: count(usage.cache_read),
        cache_write_tokens: count(usage.cache_write),
        output_tokens: count(usage.output),
        reasoning_tokens: count(usage.reasoning),
    }
}

pub(super) fn balance(balance: &Balance) -> v1::BudgetBalance {
    v1::BudgetBalance {
        name: balance.name.to_string(),
        limit_nano_usd: balance.limit.map(tollgate_core::Money::nanos),
        spent_nano_usd: balance.spent.nanos(),
        held_nano_usd: balance.held.nanos(),
        window: balance.window.id.to_string(),
        resets_at: balance.window.ends_at.map(timestamp),
        hard: balance.hard,
    }
}

pub(super) fn count(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

pub(super) fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

pub(super) fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let millis = at.millis();
    prost_types::Timestamp {
        seconds: millis.div_euclid(1_000),
        nanos: i32::try_from(millis.rem_euclid(1_000) * 1_000_000).unwrap_or(0),
    }
}
