//! Dry runs: what a call would hold and what would refuse it, without taking anything.

use super::{
    Completer,
    admit::hold_request,
    plan::{output_cap, resolve},
};
use crate::{
    call::Call,
    catalog::{Model, Team},
    error::Result,
};
use std::{sync::Arc, time::Duration};
use tollgate_core::{HoldId, Money, account::Refusal, budget::Balance};

/// What a call would take.
#[derive(Debug)]
pub struct Estimate {
    /// Every target, also those that can't hold the prompt.
    pub targets: Vec<TargetEstimate>,
    /// What would be held.
    pub hold: Money,
    /// What would refuse it now.
    pub refusals: Vec<Refusal>,
    /// The budgets now.
    pub budgets: Vec<Balance>,
}

/// What a call would take at one target.
#[derive(Debug)]
pub struct TargetEstimate {
    /// The model.
    pub model: Arc<Model>,
    /// The estimate of the input.
    pub input_tokens: u64,
    /// The output cap that would be set; 0 if skipped.
    pub max_output_tokens: u64,
    /// The cost of an empty answer.
    pub least: Money,
    /// The cost of the longest answer.
    pub most: Money,
    /// Whether the prompt does not fit.
    pub skipped: bool,
}

/// The input tokens of a call for one model.
#[derive(Debug)]
pub struct TokenCount {
    /// The model.
    pub model: Arc<Model>,
    /// The tokens.
    pub input_tokens: u64,
}

impl Completer {
    /// What the call would hold, and what would refuse it now.
    ///
    /// # Errors
    /// As `complete` for what is wrong with the call itself; never for limits and budgets.
    pub async fn estimate(&self, team: &Arc<Team>, call: &Arc<Call>) -> Result<Estimate> {
        let shared = &self.shared;
        let plan = shared.plan(team, call).await?;
        let id = HoldId::new(shared.clock.now(), fastrand::u128(..)).call();
        let request = hold_request(id, call, &plan, Duration::ZERO);
        let hold = request.amount;
        let refusals = shared.store.probe(&team.limits, request).await?;
        let mut targets = Vec::new();
        for count in self.count_tokens(team, call).await? {
            targets.push(target_estimate(count, call.max_output_tokens));
        }
        Ok(Estimate {
            targets,
            hold,
            refusals,
            budgets: shared.store.balances(&team.limits).await?,
        })
    }

    /// The input tokens of a call for each target that it may reach.
    ///
    /// # Errors
    /// If there is no such target, or the team may not use it.
    pub async fn count_tokens(&self, team: &Team, call: &Arc<Call>) -> Result<Vec<TokenCount>> {
        let shared = &self.shared;
        let resolved = resolve(&shared.catalog.load(), team, call)?;
        let mut counts = Vec::new();
        for model in resolved.targets() {
            let counted = shared.tokenizers.count(model.tokenizer, call).await;
            counts.push(TokenCount {
                model: Arc::clone(model),
                input_tokens: model.token_factor.apply(counted),
            });
        }
        Ok(counts)
    }
}

fn target_estimate(count: TokenCount, asked: Option<u64>) -> TargetEstimate {
    let TokenCount {
        model,
        input_tokens,
    } = count;
    let cap = output_cap(&model, input_tokens, asked);
    let price = &model.price;
    TargetEstimate {
        input_tokens,
        max_output_tokens: cap.unwrap_or(0),
        least: price.worst_case(input_tokens, 0),
        most: price.worst_case(input_tokens, cap.unwrap_or(0)),
        skipped: cap.is_none(),
        model,
    }
}
