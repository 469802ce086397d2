//! This replica's part of the limits.

use super::{BudgetsWithout, Granted, LimitsWithout, Policy, Shared};
use crate::{
    error::StoreError,
    store::{Settlement, Store as _},
};
use std::{sync::Arc, time::Duration};
use tollgate_core::{
    Money,
    account::{Held, HoldReply, Refusal},
    budget::BudgetSpec,
    hold::{Ending, HoldRequest},
    limit::{BucketSpec, GaugeSpec, Limits},
};

/// The share of its part that a replica uses: replicas may be more than were expected, and each
/// begins with a full bucket.
const PERMILLE: u64 = 800;

impl Shared {
    /// Decides without the shared store, as far as the policy allows.
    pub(super) async fn without(
        &self,
        limits: &Arc<Limits>,
        request: HoldRequest,
        error: StoreError,
    ) -> Result<HoldReply, StoreError> {
        let missing = self.missed(&limits.scope);
        let reply = match self.part_of(limits, &request, missing) {
            Some(part) => self.hold_here(limits, part, request).await,
            None => None,
        };
        let decision = match &reply {
            Some(HoldReply::Held(_)) => "held",
            Some(_) => "refused",
            None => "unavailable",
        };
        self.observer.decided_locally(&limits.scope, decision);
        reply.ok_or(error)
    }

    async fn hold_here(
        &self,
        limits: &Arc<Limits>,
        part: Arc<Limits>,
        request: HoldRequest,
    ) -> Option<HoldReply> {
        let here = HoldRequest {
            run: None,
            ..request.clone()
        };
        match self.local.hold(&part, here).await.ok()? {
            HoldReply::Held(held) => {
                let limits = Arc::clone(limits);
                let granted = Granted {
                    limits,
                    part,
                    request,
                };
                if !self.journalled(&granted) {
                    let nothing_sent = Settlement {
                        limits: Arc::clone(&granted.part),
                        id: granted.request.id,
                        ending: Ending::Cancelled,
                        record: None,
                    };
                    let _ = self.local.settle(nothing_sent).await;
                    return None;
                }
                self.granted().insert(granted.request.id, granted);
                // Nobody knows the balances.
                let budgets = Vec::new();
                Some(HoldReply::Held(Held { budgets, ..held }))
            }
            HoldReply::Refused(refused) => {
                let budget = |refusal: &Refusal| matches!(refusal, Refusal::Budget { .. });
                // The grace is used up, which says nothing about the budget.
                if refused.refusals.iter().any(budget) {
                    return None;
                }
                Some(HoldReply::Refused(refused))
            }
            other => Some(other),
        }
    }

    /// The limits that hold here, or `None` if the call must be refused.
    pub(super) fn part_of(
        &self,
        limits: &Limits,
        request: &HoldRequest,
        missing: Duration,
    ) -> Option<Arc<Limits>> {
        let policy = &self.policy;
        let hard = |spec: &BudgetSpec| spec.hard && spec.limit.is_some();
        // A hold that is put back was decided by the shared store, and belongs there.
        if request.force {
            return None;
        }
        if limits.budgets.iter().any(hard) || request.run.is_some() {
            match policy.budgets {
                BudgetsWithout::Deny => return None,
                BudgetsWithout::Grace { longest, .. } if missing >= longest => return None,
                BudgetsWithout::Grace { .. } | BudgetsWithout::Open => {}
            }
        }
        let bounded = !limits.buckets.is_empty() || !limits.gauges.is_empty();
        if bounded && policy.limits == LimitsWithout::Deny {
            return None;
        }
        let keep = policy.limits == LimitsWithout::LocalFraction;
        Some(Arc::new(Limits {
            scope: limits.scope.clone(),
            buckets: limits
                .buckets
                .iter()
                .filter(|_| keep)
                .map(|spec| BucketSpec {
                    limit: policy.part(spec.limit),
                    capacity: policy.part(spec.capacity),
                    ..spec.clone()
                })
                .collect(),
            gauges: limits
                .gauges
                .iter()
                .filter(|_| keep)
                .map(|spec| GaugeSpec {
                    limit: policy.part(spec.limit),
                    ..spec.clone()
                })
                .collect(),
            budgets: limits.budgets.iter().map(|s| policy.budget(s)).collect(),
        }))
    }
}

impl Policy {
    /// A part of a limit, never nothing of something.
    fn part(&self, limit: u64) -> u64 {
        let part = limit / 1_000 * PERMILLE + limit % 1_000 * PERMILLE / 1_000;
        (part / u64::from(self.replicas.get())).max(limit.min(1))
    }

    fn budget(&self, spec: &BudgetSpec) -> BudgetSpec {
        let limit = match self.budgets {
            BudgetsWithout::Grace { most, .. } if spec.hard => spec.limit.map(|limit| {
                let part = most.min(limit).nanos() / i64::from(self.replicas.get());
                Money::from_nanos(part)
            }),
            _ => None,
        };
        BudgetSpec {
            limit,
            hard: limit.is_some(),
            // The marks are those of the shared balances.
            marks: Arc::new([]),
            ..spec.clone()
        }
    }
}
