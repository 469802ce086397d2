//! Budgets and usage of all teams.

use super::{
    super::{to_proto, usage},
    AdminEndpoint,
};
use crate::{
    clock::utc,
    error::{Error, Violation},
    operators::Refusal,
    store::{TopUp, ToppedUp},
};
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};
use tollgate_core::{Money, tally::UsageSum};
use tollgate_proto::admin::v1 as admin;
use tonic::Request;

impl AdminEndpoint {
    pub(super) async fn budgets(
        &self,
        request: Request<admin::ListBudgetsRequest>,
    ) -> Result<admin::ListBudgetsResponse, Refusal> {
        self.operator(request.metadata())?;
        let mut budgets = Vec::new();
        for team in self.teams(&request.into_inner().team)? {
            let balances = self.office.store.balances(&team.limits).await?;
            budgets.extend(balances.iter().map(|balance| admin::TeamBudget {
                team: team.name.to_string(),
                balance: Some(to_proto::balance(balance)),
            }));
        }
        Ok(admin::ListBudgetsResponse { budgets })
    }

    pub(super) async fn top_up(
        &self,
        request: Request<admin::TopUpBudgetRequest>,
    ) -> Result<admin::TopUpBudgetResponse, Refusal> {
        let by = self.operator(request.metadata())?;
        let message = request.into_inner();
        let top_up = checked(&message)?;
        let team = self.team(&message.team)?;
        let limits = &team.limits;
        let raised = self.office.store.top_up(limits, top_up.clone()).await?;
        match raised {
            ToppedUp::Done => {}
            ToppedUp::Reused(amount) => {
                let request = message.request_id;
                return Err(Refusal::RequestReused { request, amount });
            }
            ToppedUp::Unbounded => {
                let (team, budget) = (message.team, message.budget);
                return Err(Refusal::Unbounded { team, budget });
            }
            ToppedUp::TooLarge => {
                return Err(Refusal::invalid(
                    "amount_nano_usd",
                    "would raise the bound above nine million dollars",
                ));
            }
        }
        tracing::info!(
            event = "budget_topped_up",
            %by,
            team = %team.name,
            budget = %top_up.budget,
            amount_nano_usd = top_up.amount.nanos(),
            request = %top_up.request,
        );
        let balances = self.office.store.balances(limits).await?;
        let balance = balances.iter().find(|b| b.name == top_up.budget);
        Ok(admin::TopUpBudgetResponse {
            budget: balance.map(|balance| admin::TeamBudget {
                team: team.name.to_string(),
                balance: Some(to_proto::balance(balance)),
            }),
        })
    }

    pub(super) async fn usage(
        &self,
        request: Request<admin::QueryUsageRequest>,
    ) -> Result<admin::QueryUsageResponse, Refusal> {
        self.operator(request.metadata())?;
        let query = request.into_inner();
        let today = utc(self.office.clock.now()).date_naive();
        let days = [query.from_day.as_str(), query.to_day.as_str()];
        let (first, last) = usage::days(days, today).map_err(wrong)?;
        let dimensions = usage::dimensions(&query.group_by).map_err(wrong)?;
        let mut groups: BTreeMap<(Arc<str>, [Arc<str>; 5]), UsageSum> = BTreeMap::new();
        let mut total = UsageSum::default();
        for team in self.teams(&query.team)? {
            let scope = &team.limits.scope;
            let name = if query.by_team {
                Arc::clone(&team.name)
            } else {
                "".into()
            };
            for row in self.office.store.usage(scope, &first, &last).await? {
                let key = (Arc::clone(&name), usage::group(&row, &dimensions));
                groups.entry(key).or_default().add(&row.sum);
                total.add(&row.sum);
            }
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, sum)| Reverse(sum.cost));
        let rows = groups.iter().map(|((team, key), sum)| admin::TeamUsage {
            team: team.to_string(),
            usage: Some(usage::usage_row(key, sum)),
        });
        Ok(admin::QueryUsageResponse {
            rows: rows.collect(),
            total: Some(usage::usage_row(&Default::default(), &total)),
        })
    }
}

/// The longest request id.
const REQUEST_BYTES: usize = 128;

/// What is asked for, if all of it is well.
fn checked(message: &admin::TopUpBudgetRequest) -> Result<TopUp, Refusal> {
    let mut violations = Vec::new();
    let mut wrong = |field: &str, description: &str| {
        violations.push(Violation::new(field, description));
    };
    if message.budget != "day" && message.budget != "month" {
        wrong("budget", "must be day or month");
    }
    if message.amount_nano_usd <= 0 {
        wrong("amount_nano_usd", "must be above 0");
    }
    let id = &message.request_id;
    let plain = id.bytes().all(|byte| byte.is_ascii_graphic());
    if !(1..=REQUEST_BYTES).contains(&id.len()) || !plain {
        wrong(
            "request_id",
            "must be 1 to 128 letters, digits and signs, and another one for each top-up",
        );
    }
    if !violations.is_empty() {
        return Err(Refusal::Invalid(violations));
    }
    Ok(TopUp {
        budget: message.budget.as_str().into(),
        amount: Money::from_nanos(message.amount_nano_usd),
        request: id.as_str().into(),
    })
}

/// What is wrong with a query.
fn wrong(error: Error) -> Refusal {
    match error {
        Error::InvalidRequest(violations) => Refusal::Invalid(violations),
        other => Refusal::invalid("request", other.reason()),
    }
}
