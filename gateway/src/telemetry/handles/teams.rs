//! Handles of teams.

use super::{Fixed, OTHER, UNKNOWN};
use crate::{
    catalog::Team,
    telemetry::{
        catalogue as all,
        labels::{Closed as _, Each, Folded, HoldEnding, Limiter, Outcome, Period, TokenClass},
        registry::Registry,
    },
};
use metrics::{Counter, Gauge};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use tollgate_core::{Money, Usage, budget::Balance};

/// Handles of one team.
pub(in crate::telemetry) struct TeamHandles {
    /// The team, or `other`.
    pub(in crate::telemetry) name: Arc<str>,
    pub(in crate::telemetry) requests: Each<Outcome, Counter>,
    pub(in crate::telemetry) denied: Each<Limiter, Counter>,
    pub(in crate::telemetry) budget_denied: Each<Period, Counter>,
    pub(in crate::telemetry) endings: Each<HoldEnding, Counter>,
    pub(in crate::telemetry) corrected: Counter,
    pub(in crate::telemetry) overrun: Counter,
    /// The limiters that decide on every hold of the team.
    pub(in crate::telemetry) limiters: Vec<Limiter>,
    /// Its buckets in the order of its limits: what they hold, and what is left.
    buckets: Vec<(u64, Gauge)>,
    budgets: Vec<BudgetHandles>,
    crossings: HashMap<(Period, u16), Counter>,
    other_crossing: Counter,
    costs: HashMap<Arc<str>, CostHandles>,
    other_cost: CostHandles,
    unknown_cost: CostHandles,
    pipelines: HashMap<Arc<str>, PipelineHandles>,
    other_pipeline: PipelineHandles,
}

/// Handles of what a team spends on a model.
pub(in crate::telemetry) struct CostHandles {
    cost: Counter,
    tokens: Each<TokenClass, Counter>,
}

/// Handles of one pipeline of a team.
pub(in crate::telemetry) struct PipelineHandles {
    pub(in crate::telemetry) requests: Counter,
    pub(in crate::telemetry) cost: Counter,
}

/// Handles of one budget.
struct BudgetHandles {
    name: &'static str,
    limit: Option<Gauge>,
    spent: Gauge,
    held: Gauge,
    reset: Gauge,
}

/// What every team has, with a bound or without.
const CALENDAR: [Period; 2] = [Period::Day, Period::Month];

impl TeamHandles {
    /// The handles of a team that can reach these models.
    pub(super) fn new(registry: &Registry, team: &Team, models: &BTreeSet<Arc<str>>) -> Self {
        let name = &team.name;
        let mut handles = Self::bare(registry, name);
        let limits = &team.limits;
        let buckets = limits.buckets.iter().map(|bucket| {
            let labels = [&**name, Limiter::of_limit(&bucket.name).name()];
            let gauge = registry.gauge(&all::LIMIT_REMAINING, &labels);
            gauge.set(1.0);
            (bucket.capacity, gauge)
        });
        handles.buckets = buckets.collect();
        let named = limits
            .buckets
            .iter()
            .map(|bucket| Limiter::of_limit(&bucket.name));
        let gauges = limits
            .gauges
            .iter()
            .map(|gauge| Limiter::of_limit(&gauge.name));
        let budgets = limits
            .budgets
            .iter()
            .any(|budget| budget.hard && budget.limit.is_some());
        let budgets = budgets.then_some(Limiter::Budget);
        handles.limiters = named.chain(gauges).chain(budgets).collect();
        for budget in &limits.budgets {
            let Some(period) = Period::named(&budget.name) else {
                continue;
            };
            let labels = [&**name, period.name()];
            let shown = handles
                .budgets
                .iter_mut()
                .find(|known| known.name == period.name());
            let (Some(shown), Some(limit)) = (shown, budget.limit) else {
                continue;
            };
            let gauge = registry.gauge(&all::BUDGET_LIMIT, &labels);
            gauge.set(money(limit));
            shown.limit = Some(gauge);
            for mark in budget.marks.iter() {
                let threshold = mark.permille.to_string();
                let labels = [&**name, period.name(), &threshold];
                let counter = registry.counter(&all::BUDGET_CROSSINGS, &labels);
                handles.crossings.insert((period, mark.permille), counter);
            }
        }
        let costs = models.iter().map(|model| {
            let cost = CostHandles::new(registry, name, model);
            (Arc::clone(model), cost)
        });
        handles.costs = costs.collect();
        let pipelines = team.pipelines.iter().map(|pipeline| {
            let handles = PipelineHandles::new(registry, name, pipeline);
            (Arc::clone(pipeline), handles)
        });
        handles.pipelines = pipelines.collect();
        handles
    }

    /// The handles of whatever is no configured team.
    pub(super) fn other(registry: &Registry) -> Self {
        Self::bare(registry, OTHER)
    }

    fn bare(registry: &Registry, team: &str) -> Self {
        let counter = |metric| registry.counter(metric, &[team]);
        Self {
            name: team.into(),
            requests: Each::new(|outcome| registry.counter(&all::TEAM_REQUESTS, &[team, outcome])),
            denied: Each::new(|limiter| registry.counter(&all::LIMIT_DENIED, &[team, limiter])),
            budget_denied: Each::new(|period| {
                registry.counter(&all::BUDGET_DENIED, &[team, period])
            }),
            endings: Each::new(|ending| registry.counter(&all::HOLDS_ENDED, &[team, ending])),
            corrected: counter(&all::COST_CORRECTED),
            overrun: counter(&all::OVERRUN),
            limiters: Vec::new(),
            buckets: Vec::new(),
            budgets: CALENDAR
                .map(|period| BudgetHandles::new(registry, team, period))
                .into(),
            crossings: HashMap::new(),
            other_crossing: registry.counter(&all::BUDGET_CROSSINGS, &[team, "day", OTHER]),
            costs: HashMap::new(),
            other_cost: CostHandles::new(registry, team, OTHER),
            unknown_cost: CostHandles::new(registry, team, UNKNOWN),
            pipelines: HashMap::new(),
            other_pipeline: PipelineHandles::new(registry, team, OTHER),
        }
    }

    /// What the team spends on a model.
    pub(in crate::telemetry) fn cost(&self, model: &str, fixed: &Fixed) -> &CostHandles {
        self.costs.get(model).unwrap_or_else(|| {
            fixed.folded(Folded::Model);
            &self.other_cost
        })
    }

    /// What the team was charged without anybody knowing for which model.
    pub(in crate::telemetry) const fn unknown_cost(&self) -> &CostHandles {
        &self.unknown_cost
    }

    /// One pipeline of the team. A call that names none counts as `other`, without an overflow.
    pub(in crate::telemetry) fn pipeline(&self, name: &str, fixed: &Fixed) -> &PipelineHandles {
        self.pipelines.get(name).unwrap_or_else(|| {
            if !name.is_empty() {
                fixed.folded(Folded::Pipeline);
            }
            &self.other_pipeline
        })
    }

    /// A threshold of one of its budgets.
    pub(in crate::telemetry) fn crossing(&self, budget: &str, permille: u16) -> &Counter {
        let period = Period::named(budget);
        let known = period.and_then(|period| self.crossings.get(&(period, permille)));
        known.unwrap_or(&self.other_crossing)
    }

    /// Shows what a hold left in the buckets, in the order of the limits.
    pub(in crate::telemetry) fn show_remaining(&self, remaining: &[u64]) {
        for ((capacity, gauge), left) in self.buckets.iter().zip(remaining) {
            gauge.set(*left as f64 / (*capacity).max(1) as f64);
        }
    }

    /// Shows balances. A run's budget is nobody else's business and has no series.
    pub(in crate::telemetry) fn show_balances(&self, balances: &[Balance]) {
        for balance in balances {
            let budget = self
                .budgets
                .iter()
                .find(|budget| *budget.name == *balance.name);
            let Some(budget) = budget else { continue };
            budget.spent.set(money(balance.spent));
            budget.held.set(money(balance.held));
            if let (Some(gauge), Some(limit)) = (&budget.limit, balance.limit) {
                gauge.set(money(limit));
            }
            if let Some(end) = balance.window.ends_at {
                budget.reset.set(end.millis() as f64 / 1_000.0);
            }
        }
    }

    /// The team is no more configured: its budgets must alarm nobody.
    pub(super) fn forget_budgets(&self) {
        for budget in &self.budgets {
            budget.spent.set(0.0);
            budget.held.set(0.0);
            if let Some(limit) = &budget.limit {
                limit.set(f64::NAN);
            }
        }
    }

    /// Takes back the bounds that the team's next configuration does not have.
    pub(super) fn replaced_by(&self, next: &Self) {
        for (old, new) in self.budgets.iter().zip(&next.budgets) {
            if let (Some(limit), None) = (&old.limit, &new.limit) {
                limit.set(f64::NAN);
            }
        }
    }
}

impl CostHandles {
    fn new(registry: &Registry, team: &str, model: &str) -> Self {
        Self {
            cost: registry.counter(&all::COST, &[team, model]),
            tokens: Each::new(|class| registry.counter(&all::TOKENS, &[team, model, class])),
        }
    }

    /// Adds what was charged.
    pub(in crate::telemetry) fn charge(&self, amount: Money) {
        self.cost.increment(nanos(amount));
    }

    /// Adds tokens.
    pub(in crate::telemetry) fn count(&self, usage: &Usage) {
        let classes = [
            (TokenClass::Input, usage.input),
            (TokenClass::CacheRead, usage.cache_read),
            (TokenClass::CacheWrite, usage.cache_write),
            (TokenClass::Output, usage.output),
            (TokenClass::Reasoning, usage.reasoning),
        ];
        for (class, tokens) in classes {
            if tokens > 0 {
                self.tokens.at(class).increment(tokens);
            }
        }
    }
}

impl PipelineHandles {
    fn new(registry: &Registry, team: &str, pipeline: &str) -> Self {
        Self {
            requests: registry.counter(&all::PIPELINE_REQUESTS, &[team, pipeline]),
            cost: registry.counter(&all::PIPELINE_COST, &[team, pipeline]),
        }
    }
}

impl BudgetHandles {
    fn new(registry: &Registry, team: &str, period: Period) -> Self {
        let labels = [team, period.name()];
        Self {
            name: period.name(),
            limit: None,
            spent: registry.gauge(&all::BUDGET_SPENT, &labels),
            held: registry.gauge(&all::BUDGET_HELD, &labels),
            reset: registry.gauge(&all::BUDGET_RESET, &labels),
        }
    }
}

/// An amount for a counter, which can't go down.
pub(in crate::telemetry) fn nanos(amount: Money) -> u64 {
    u64::try_from(amount.nanos()).unwrap_or(0)
}

/// An amount for a gauge. Exact up to 2^53, twice the largest budget.
pub(in crate::telemetry) const fn money(amount: Money) -> f64 {
    amount.nanos() as f64
}
