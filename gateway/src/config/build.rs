//! From the configuration to the catalog that calls refer to.

use super::{Config, model, route, team::Team};
use crate::{
    calendar::{Span, ZonedCalendar},
    catalog::{self, Catalog},
    provider::Provider,
};
use chrono_tz::Tz;
use ring::digest;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};
use tollgate_core::{
    budget::{BudgetSpec, Calendar},
    limit::Limits,
    price::{Price, Rates},
};

type Models = BTreeMap<Arc<str>, Arc<catalog::Model>>;

impl Config {
    /// The catalog, with the adapter of each configured provider.
    ///
    /// # Panics
    /// If a configured provider has no adapter.
    #[must_use]
    pub fn catalog(&self, adapters: &BTreeMap<Arc<str>, Arc<dyn Provider>>) -> Catalog {
        let models = self.build_models(adapters);
        let routes: BTreeMap<_, _> = self
            .routes
            .iter()
            .map(|(name, route)| (name.clone(), Arc::new(build_route(name, route, &models))))
            .collect();
        let complexity = self
            .complexity
            .iter()
            .map(|(complexity, route)| (*complexity, routes[route].clone()));
        Catalog {
            complexity: complexity.collect(),
            teams: self.build_teams(),
            price_version: self.price_version().into(),
            models,
            routes,
        }
    }

    fn build_models(&self, adapters: &BTreeMap<Arc<str>, Arc<dyn Provider>>) -> Models {
        // Models that share a deployment share one quota.
        let mut deployments = BTreeMap::new();
        let mut deployment = |deployment: &model::Deployment| {
            let adapter = adapters
                .get(&deployment.provider)
                .expect("every configured provider has an adapter");
            deployments
                .entry(deployment.id().clone())
                .or_insert_with(|| {
                    Arc::new(catalog::Deployment {
                        id: deployment.id().clone(),
                        provider: deployment.provider.clone(),
                        upstream_model: deployment.name.clone(),
                        limits: Arc::new(deployment.limits.clone()),
                        adapter: adapter.clone(),
                    })
                })
                .clone()
        };
        let mut models = Models::new();
        for (name, model) in &self.models {
            let built = catalog::Model {
                name: name.clone(),
                context_tokens: model.context_tokens,
                max_output_tokens: model.max_output_tokens,
                default_output_tokens: model.default_output_tokens,
                price: model.price,
                price_as_of: model.price_as_of.clone(),
                tokenizer: model.tokenizer,
                token_factor: model.token_factor,
                deployments: model.deployments.iter().map(&mut deployment).collect(),
            };
            models.insert(name.clone(), Arc::new(built));
        }
        models
    }

    fn build_teams(&self) -> BTreeMap<Arc<str>, Arc<catalog::Team>> {
        let mut calendars = Calendars::default();
        let mut teams = BTreeMap::new();
        for (name, team) in &self.teams {
            let built = catalog::Team {
                name: name.clone(),
                routes: team.routes.clone(),
                models: self.models_of(team),
                limits: Arc::new(self.limits_of(team, &mut calendars)),
                pipelines: team.pipelines.clone(),
                log_bodies: team.log_bodies,
                share: team.share,
            };
            teams.insert(name.clone(), Arc::new(built));
        }
        teams
    }

    /// The models that a team may name: those configured, else those of its routes.
    fn models_of(&self, team: &Team) -> BTreeSet<Arc<str>> {
        let of_routes = || {
            let routes = team.routes.iter().map(|route| &self.routes[route]);
            let targets = routes.flat_map(|route| {
                let pressure = route.under_pressure.iter();
                let cheaper = pressure.flat_map(|pressure| &pressure.targets);
                route.targets.iter().chain(cheaper)
            });
            targets.cloned().collect()
        };
        team.models.clone().unwrap_or_else(of_routes)
    }

    /// A team's limits, with a budget or a mere counter for the day and the month.
    fn limits_of(&self, team: &Team, calendars: &mut Calendars) -> Limits {
        let budgets = [Span::Day, Span::Month].map(|span| {
            let budget = team.budgets.iter().find(|budget| budget.per == span);
            BudgetSpec {
                name: span.name().into(),
                limit: budget.map(|budget| budget.amount),
                hard: budget.is_some_and(|budget| budget.hard),
                calendar: calendars.get(span, budget.map_or(Tz::UTC, |budget| budget.zone)),
                marks: self.alerts.marks.clone(),
            }
        });
        Limits {
            budgets: budgets.into(),
            ..team.limits.clone()
        }
    }

    /// The keys of all teams by their ids.
    #[must_use]
    pub fn keys(&self) -> BTreeMap<Arc<str>, catalog::Key> {
        let teams = self.teams.iter();
        let keys = teams.flat_map(|(team, settings)| {
            settings.keys.iter().map(|key| {
                let kept = catalog::Key {
                    team: team.clone(),
                    hmac: key.hmac,
                };
                (key.id.clone(), kept)
            })
        });
        keys.collect()
    }

    /// The newest date of all prices, and a hash of the prices themselves: equal on all replicas
    /// that charge alike, and different whenever a price is.
    #[must_use]
    pub fn price_version(&self) -> String {
        let mut list = String::new();
        for (name, model) in &self.models {
            let _ = writeln!(list, "{name} {}", price_line(&model.price));
        }
        let hash = short_hash(&list, 6);
        let newest = self.models.values().map(|model| &*model.price_as_of).max();
        match newest {
            Some(date) if !date.is_empty() => format!("{date}+{hash}"),
            _ => hash,
        }
    }

    /// The first 12 hexadecimal digits of a hash of what is in force: the file with its defaults,
    /// and the HMACs of the keys. Equal on replicas that are configured alike.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut text = self.redacted();
        for key in self.teams.values().flat_map(|team| &team.keys) {
            let _ = writeln!(text, "{} {:?}", key.id, key.hmac);
        }
        short_hash(&text, 12)
    }
}

fn build_route(name: &Arc<str>, route: &route::Route, models: &Models) -> catalog::Route {
    let resolve = |names: &[Arc<str>]| names.iter().map(|name| models[name].clone()).collect();
    catalog::Route {
        name: name.clone(),
        targets: resolve(&route.targets),
        attempt_timeout: route.attempt_timeout,
        retries: route.retries,
        under_pressure: route
            .under_pressure
            .as_ref()
            .map(|pressure| catalog::Pressure {
                from_permille: pressure.from_permille.into(),
                targets: resolve(&pressure.targets),
            }),
    }
}

/// One calendar for all teams with the same windows: it keeps the current one.
#[derive(Default)]
struct Calendars(BTreeMap<(Span, &'static str), Arc<dyn Calendar>>);

impl Calendars {
    fn get(&mut self, span: Span, zone: Tz) -> Arc<dyn Calendar> {
        let calendar = self.0.entry((span, zone.name()));
        calendar
            .or_insert_with(|| Arc::new(ZonedCalendar::new(span, zone)))
            .clone()
    }
}

fn price_line(price: &Price) -> String {
    let rates = |rates: &Rates| {
        [
            rates.input,
            rates.output,
            rates.cache_read,
            rates.cache_write,
        ]
        .map(|rate| rate.picos().to_string())
        .join(" ")
    };
    match &price.long_context {
        None => rates(&price.base),
        Some(long) => format!(
            "{} above {} {}",
            rates(&price.base),
            long.above_input_tokens,
            rates(&long.rates)
        ),
    }
}

/// The first hexadecimal digits of SHA-256.
fn short_hash(text: &str, digits: usize) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    hex[..digits].to_owned()
}
