//! The usage service: a team's own money and models.

use super::{Callers, status::status, to_proto};
use crate::{
    call::Complexity,
    catalog::{Catalog, Team},
    clock::{Clock, utc},
    error::{Error, Result, Violation},
    store::{Store, UsageRow},
};
use chrono::NaiveDate;
use std::{cmp::Reverse, collections::BTreeMap, collections::BTreeSet, sync::Arc};
use tollgate_core::tally::UsageSum;
use tollgate_proto::v1::{self, UsageDimension, usage_service_server::UsageService};
use tonic::{Request, Response, Status};

/// The most days of one query.
const MOST_DAYS: i64 = 31;

/// Serves `tollgate.v1.UsageService`.
#[derive(Clone)]
pub struct UsageEndpoint {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    callers: Callers,
}

impl UsageEndpoint {
    /// An endpoint in front of this store.
    #[must_use]
    pub const fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, callers: Callers) -> Self {
        Self {
            store,
            clock,
            callers,
        }
    }

    async fn query(
        &self,
        request: Request<v1::QueryUsageRequest>,
    ) -> Result<v1::QueryUsageResponse> {
        let team = self.callers.team(request.metadata())?;
        let query = request.into_inner();
        let today = utc(self.clock.now()).date_naive();
        let (first, last) = days([&query.from_day, &query.to_day], today)?;
        let dimensions = dimensions(&query.group_by)?;
        let scope = &team.limits.scope;
        let rows = self.store.usage(scope, &first, &last).await?;
        let wanted = |row: &&UsageRow| {
            (query.pipeline.is_empty() || *row.key.pipeline == *query.pipeline)
                && (query.run.is_empty() || *row.key.run == *query.run)
        };
        let mut groups: BTreeMap<[Arc<str>; 5], UsageSum> = BTreeMap::new();
        let mut total = UsageSum::default();
        for row in rows.iter().filter(wanted) {
            groups
                .entry(group(row, &dimensions))
                .or_default()
                .add(&row.sum);
            total.add(&row.sum);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, sum)| Reverse(sum.cost));
        let rows = groups
            .iter()
            .map(|(key, sum)| usage_row(key, sum))
            .collect();
        let total = usage_row(&Default::default(), &total);
        Ok(v1::QueryUsageResponse {
            rows,
            total: Some(total),
        })
    }

    async fn budget(
        &self,
        request: Request<v1::GetBudgetRequest>,
    ) -> Result<v1::GetBudgetResponse> {
        let team = self.callers.team(request.metadata())?;
        let query = request.into_inner();
        if query.name == tollgate_core::account::RUN {
            let run = query.run.as_str().into();
            let balance = self.store.run_balance(&team.limits.scope, &run).await?;
            let balance = balance.ok_or_else(|| invalid("run", "no such run has a budget"))?;
            let budget = Some(to_proto::balance(&balance));
            return Ok(v1::GetBudgetResponse { budget });
        }
        let balances = self.store.balances(&team.limits).await?;
        let found = balances.iter().find(|balance| *balance.name == *query.name);
        let found = found.ok_or_else(|| invalid("name", "must be day, month or run"))?;
        let budget = Some(to_proto::balance(found));
        Ok(v1::GetBudgetResponse { budget })
    }

    async fn budgets(
        &self,
        request: Request<v1::ListBudgetsRequest>,
    ) -> Result<v1::ListBudgetsResponse> {
        let team = self.callers.team(request.metadata())?;
        let balances = self.store.balances(&team.limits).await?;
        let budgets = balances.iter().map(to_proto::balance).collect();
        Ok(v1::ListBudgetsResponse { budgets })
    }

    fn models(&self, request: &Request<v1::ListModelsRequest>) -> Result<v1::ListModelsResponse> {
        let team = self.callers.team(request.metadata())?;
        Ok(models(&self.callers.catalog.load(), &team))
    }
}

fn invalid(field: &str, description: &str) -> Error {
    Error::InvalidRequest(vec![Violation::new(field, description)])
}

/// The first and last day of a query.
pub(super) fn days([from_day, to_day]: [&str; 2], today: NaiveDate) -> Result<(String, String)> {
    let parse = |text: &str, field: &str| {
        if text.is_empty() {
            return Ok(today);
        }
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .map_err(|_| invalid(field, "must be a day such as 2026-11-24"))
    };
    let first = parse(from_day, "from_day")?;
    let last = parse(to_day, "to_day")?;
    if !(0..=MOST_DAYS).contains(&(last - first).num_days()) {
        let text = format!("must be at most {MOST_DAYS} days after from_day, and not before it");
        return Err(invalid("to_day", &text));
    }
    Ok((first.to_string(), last.to_string()))
}

pub(super) fn dimensions(asked: &[i32]) -> Result<BTreeSet<UsageDimension>> {
    let known = |value: &i32| match UsageDimension::try_from(*value) {
        Ok(UsageDimension::Unspecified) | Err(_) => {
            Err(invalid("group_by", "has an unknown dimension"))
        }
        Ok(dimension) => Ok(dimension),
    };
    asked.iter().map(known).collect()
}

/// What a row is grouped by; empty where it was not asked for.
pub(super) fn group(row: &UsageRow, dimensions: &BTreeSet<UsageDimension>) -> [Arc<str>; 5] {
    let by = |dimension, value: &Arc<str>| {
        if dimensions.contains(&dimension) {
            Arc::clone(value)
        } else {
            "".into()
        }
    };
    [
        by(UsageDimension::Pipeline, &row.key.pipeline),
        by(UsageDimension::Run, &row.key.run),
        by(UsageDimension::Step, &row.key.step),
        by(UsageDimension::Model, &row.key.model),
        by(UsageDimension::Day, &row.day),
    ]
}

pub(super) fn usage_row(key: &[Arc<str>; 5], sum: &UsageSum) -> v1::UsageRow {
    let [pipeline, run, step, model, day] = key;
    v1::UsageRow {
        pipeline: pipeline.to_string(),
        run: run.to_string(),
        step: step.to_string(),
        model: model.to_string(),
        day: day.to_string(),
        calls: to_proto::count(sum.calls),
        usage: Some(to_proto::usage(&sum.usage)),
        cost_nano_usd: sum.cost.nanos(),
    }
}

/// The models and routes that a team may use.
fn models(catalog: &Catalog, team: &Team) -> v1::ListModelsResponse {
    let routes: Vec<_> = team
        .routes
        .iter()
        .filter_map(|name| catalog.routes.get(name))
        .collect();
    let mut names: BTreeSet<&Arc<str>> = team.models.iter().collect();
    for route in &routes {
        names.extend(route.targets.iter().map(|model| &model.name));
    }
    let models = names
        .into_iter()
        .filter_map(|name| catalog.models.get(name));
    let models = models.map(|model| v1::Model {
        name: model.name.to_string(),
        context_tokens: to_proto::count(model.context_tokens),
        max_output_tokens: to_proto::count(model.max_output_tokens),
        price: Some(v1::Price {
            input_pico_usd_per_token: model.price.base.input.picos(),
            output_pico_usd_per_token: model.price.base.output.picos(),
            cache_read_pico_usd_per_token: model.price.base.cache_read.picos(),
            cache_write_pico_usd_per_token: model.price.base.cache_write.picos(),
            as_of: model.price_as_of.to_string(),
        }),
    });
    let routes = routes.iter().map(|route| v1::Route {
        name: route.name.to_string(),
        targets: route
            .targets
            .iter()
            .map(|model| model.name.to_string())
            .collect(),
        complexities: catalog
            .complexity
            .iter()
            .filter(|(_, mapped)| mapped.name == route.name)
            .map(|(complexity, _)| complexity_of(*complexity).into())
            .collect(),
    });
    v1::ListModelsResponse {
        models: models.collect(),
        routes: routes.collect(),
        price_version: catalog.price_version.to_string(),
    }
}

fn complexity_of(complexity: Complexity) -> v1::Complexity {
    match complexity {
        Complexity::Simple => v1::Complexity::Simple,
        Complexity::Moderate => v1::Complexity::Moderate,
        Complexity::Complex => v1::Complexity::Complex,
        Complexity::Critical => v1::Complexity::Critical,
    }
}

#[tonic::async_trait]
impl UsageService for UsageEndpoint {
    async fn query_usage(
        &self,
        request: Request<v1::QueryUsageRequest>,
    ) -> std::result::Result<Response<v1::QueryUsageResponse>, Status> {
        let answered = self.query(request).await;
        answered.map(Response::new).map_err(|error| status(&error))
    }

    async fn get_budget(
        &self,
        request: Request<v1::GetBudgetRequest>,
    ) -> std::result::Result<Response<v1::GetBudgetResponse>, Status> {
        let answered = self.budget(request).await;
        answered.map(Response::new).map_err(|error| status(&error))
    }

    async fn list_budgets(
        &self,
        request: Request<v1::ListBudgetsRequest>,
    ) -> std::result::Result<Response<v1::ListBudgetsResponse>, Status> {
        let answered = self.budgets(request).await;
        answered.map(Response::new).map_err(|error| status(&error))
    }

    async fn list_models(
        &self,
        request: Request<v1::ListModelsRequest>,
    ) -> std::result::Result<Response<v1::ListModelsResponse>, Status> {
        let answered = self.models(&request);
        answered.map(Response::new).map_err(|error| status(&error))
    }
}
