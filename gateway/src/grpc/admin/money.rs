//! Budgets and usage of all teams.

use super::{
    super::{to_proto, usage},
    AdminEndpoint,
};
use crate::{clock::utc, error::Error, operators::Refusal};
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};
use tollgate_core::tally::UsageSum;
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
        self.operator(request.metadata())?;
        Err(Refusal::invalid("budget", "is not served yet"))
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

/// What is wrong with a query.
fn wrong(error: Error) -> Refusal {
    match error {
        Error::InvalidRequest(violations) => Refusal::Invalid(violations),
        other => Refusal::invalid("request", other.reason()),
    }
}
