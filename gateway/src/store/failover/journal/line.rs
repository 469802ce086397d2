//! The lines of the journal.

use crate::ledger::CallRecord;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tollgate_core::{
    Money,
    hold::{HoldRequest, Need, RunTake},
};

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Line {
    /// The first line.
    Journal {
        /// The version of the format.
        format: u32,
    },
    /// Granted here.
    Held {
        hold: String,
        team: Arc<str>,
        need: Amounts,
        amount_nano_usd: i64,
        lease_ms: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<Run>,
    },
    /// It has so much now.
    Extended { hold: String, amount_nano_usd: i64 },
    /// It ended here.
    Ended {
        hold: String,
        used: Amounts,
        cost_nano_usd: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<Arc<CallRecord>>,
    },
    /// The shared store refuses the number before.
    Renumbered { hold: String, number: u8 },
    /// The shared store has it, or needs not have it.
    Landed { hold: String },
}

/// What is taken from rate limits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Amounts {
    requests: u64,
    input_tokens: u64,
    output_tokens: u64,
}

/// A run's own budget.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    run: Arc<str>,
    limit_nano_usd: i64,
}

/// The version of the format.
pub(super) const FORMAT: u32 = 1;

impl Line {
    /// The first line, with its end.
    pub(super) const fn first() -> &'static [u8] {
        b"{\"kind\":\"journal\",\"format\":1}\n"
    }

    pub(super) fn held(team: &Arc<str>, request: &HoldRequest) -> Self {
        Self::Held {
            hold: request.id.to_string(),
            team: Arc::clone(team),
            need: request.need.into(),
            amount_nano_usd: request.amount.nanos(),
            lease_ms: request.lease_ms,
            run: request.run.as_ref().map(|run| Run {
                run: Arc::clone(&run.run),
                limit_nano_usd: run.limit.nanos(),
            }),
        }
    }

    /// The line, with its end.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("texts and numbers are JSON");
        bytes.push(b'\n');
        bytes
    }
}

impl From<Need> for Amounts {
    fn from(need: Need) -> Self {
        Self {
            requests: need.requests,
            input_tokens: need.input_tokens,
            output_tokens: need.output_tokens,
        }
    }
}

impl From<Amounts> for Need {
    fn from(amounts: Amounts) -> Self {
        Self {
            requests: amounts.requests,
            input_tokens: amounts.input_tokens,
            output_tokens: amounts.output_tokens,
        }
    }
}

impl From<Run> for RunTake {
    fn from(run: Run) -> Self {
        Self {
            run: run.run,
            limit: Money::from_nanos(run.limit_nano_usd),
        }
    }
}
