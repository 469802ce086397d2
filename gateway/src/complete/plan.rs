//! Plans: the targets that one call may reach, with what each may cost.

use super::Shared;
use crate::{
    call::{Call, Target},
    catalog::{Catalog, Model, Pressure, Route, Team, Tokenizer},
    error::{Error, Result, Violation},
};
use std::{sync::Arc, time::Duration};
use tollgate_core::quote::{TargetQuote, hold_for};

/// The targets of a call, in order; never empty, no model twice.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The route's name; empty if the call named a model.
    pub(crate) route: Arc<str>,
    pub(crate) steps: Vec<Step>,
    pub(crate) attempt_timeout: Duration,
    pub(crate) retries: u32,
    /// Whether budget pressure chose the targets.
    pub(crate) under_pressure: bool,
    /// The targets to take instead if a budget refuses these.
    pub(crate) cheaper: Option<Vec<Step>>,
    pub(crate) price_version: Arc<str>,
}

/// One target and what an attempt at it takes at most.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) model: Arc<Model>,
    pub(crate) quote: TargetQuote,
}

impl Plan {
    /// What the hold takes: the dearest single attempt.
    pub(crate) fn quote(&self) -> TargetQuote {
        let quotes: Vec<TargetQuote> = self.steps.iter().map(|step| step.quote).collect();
        hold_for(&quotes)
    }
}

/// One attempt may take this long when the call names a model and not a route.
const MODEL_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);
/// And it is asked again this often.
const MODEL_RETRIES: u32 = 2;
/// The least output that is worth an attempt when the caller set no cap.
const LEAST_OUTPUT_TOKENS: u64 = 256;

impl Shared {
    /// The plan of a call, within what the team may use.
    pub(crate) async fn plan(&self, team: &Team, call: &Arc<Call>) -> Result<Plan> {
        let catalog = self.catalog.load_full();
        let resolved = resolve(&catalog, team, call)?;
        let pressed = resolved.pressure().filter(|pressure| {
            self.gates.of(&team.limits.scope).pressure() >= pressure.from_permille
        });
        let mut counts = Vec::new();
        let steps = self.steps(resolved.targets(), call, &mut counts).await;
        let cheaper = match resolved.pressure() {
            Some(pressure) => self.steps(&pressure.targets, call, &mut counts).await,
            None => Vec::new(),
        };
        let (name, attempt_timeout, retries) = resolved.settings();
        let mut plan = Plan {
            route: name,
            steps,
            attempt_timeout,
            retries,
            under_pressure: false,
            cheaper: (!cheaper.is_empty()).then_some(cheaper),
            price_version: Arc::clone(&catalog.price_version),
        };
        if pressed.is_some() {
            plan.take_cheaper();
        }
        if plan.steps.is_empty() {
            return Err(too_long(&resolved));
        }
        Ok(plan)
    }

    /// The targets that can hold the prompt, each with its quote. Each tokenizer counts once: its
    /// count is kept in `counts`.
    async fn steps(
        &self,
        models: &[Arc<Model>],
        call: &Arc<Call>,
        counts: &mut Vec<(Tokenizer, u64)>,
    ) -> Vec<Step> {
        let mut steps = Vec::with_capacity(models.len());
        for model in models {
            let known = counts.iter().find(|known| known.0 == model.tokenizer);
            let counted = match known {
                Some((_, counted)) => *counted,
                None => {
                    let counted = self.tokenizers.count(model.tokenizer, call).await;
                    counts.push((model.tokenizer, counted));
                    counted
                }
            };
            let input_tokens = model.token_factor.apply(counted);
            if let Some(cap) = output_cap(model, input_tokens, call.max_output_tokens) {
                steps.push(Step {
                    model: Arc::clone(model),
                    quote: TargetQuote::new(input_tokens, cap, &model.price),
                });
            }
        }
        steps
    }
}

impl Plan {
    /// Takes the cheaper targets, if there are any.
    pub(crate) fn take_cheaper(&mut self) -> bool {
        let Some(cheaper) = self.cheaper.take() else {
            return false;
        };
        self.steps = cheaper;
        self.under_pressure = true;
        true
    }
}

/// The output cap for a model, or `None` if the prompt does not fit its context window.
///
/// A cap that the caller set is kept whole; one that we set shrinks to what is left.
pub(crate) fn output_cap(model: &Model, input_tokens: u64, asked: Option<u64>) -> Option<u64> {
    let room = model.context_tokens.checked_sub(input_tokens)?;
    match asked {
        Some(asked) => {
            let cap = asked.min(model.max_output_tokens);
            (cap <= room).then_some(cap)
        }
        None => {
            let cap = model.default_output_tokens.min(model.max_output_tokens);
            (room >= LEAST_OUTPUT_TOKENS.min(cap)).then_some(cap.min(room))
        }
    }
}

/// What the target of a call stands for.
pub(crate) enum Resolved {
    Model([Arc<Model>; 1]),
    Route(Arc<Route>),
}

impl Resolved {
    pub(crate) fn targets(&self) -> &[Arc<Model>] {
        match self {
            Self::Model(model) => model,
            Self::Route(route) => &route.targets,
        }
    }

    fn pressure(&self) -> Option<&Pressure> {
        match self {
            Self::Model(_) => None,
            Self::Route(route) => route.under_pressure.as_ref(),
        }
    }

    fn settings(&self) -> (Arc<str>, Duration, u32) {
        match self {
            Self::Model(_) => ("".into(), MODEL_ATTEMPT_TIMEOUT, MODEL_RETRIES),
            Self::Route(route) => (
                Arc::clone(&route.name),
                route.attempt_timeout,
                route.retries,
            ),
        }
    }
}

/// Looks up the target of a call, within what the team may use.
pub(crate) fn resolve(catalog: &Catalog, team: &Team, call: &Call) -> Result<Resolved> {
    let route = match &call.target {
        Target::Model(name) => {
            let model = catalog.models.get(name.as_str());
            let model = model.ok_or_else(|| Error::UnknownModel(name.clone()))?;
            if !team.models.contains(&model.name) {
                return Err(Error::ModelForbidden(format!("model {name}")));
            }
            return Ok(Resolved::Model([Arc::clone(model)]));
        }
        Target::Route(name) => {
            let route = catalog.routes.get(name.as_str());
            route.ok_or_else(|| Error::UnknownRoute(name.clone()))?
        }
        Target::Complexity(complexity) => {
            let route = catalog.complexity.get(complexity);
            route.ok_or_else(|| Error::UnknownRoute(format!("complexity:{}", complexity.name())))?
        }
    };
    if !team.routes.contains(&route.name) {
        return Err(Error::ModelForbidden(format!("route {}", route.name)));
    }
    Ok(Resolved::Route(Arc::clone(route)))
}

fn too_long(resolved: &Resolved) -> Error {
    let largest = resolved.targets().iter().map(|model| model.context_tokens);
    let largest = largest.max().unwrap_or(0);
    Error::InvalidRequest(vec![Violation::new(
        "spec.messages",
        format!(
            "the prompt and its output cap fit no target of this call; \
             the largest context window is {largest} tokens"
        ),
    )])
}
