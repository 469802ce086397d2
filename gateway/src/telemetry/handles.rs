//! Handles of the metrics, found once per configuration, so that a call costs a few atomic
//! additions. A snapshot for each configuration; what is in none of them is `other`.

mod fixed;
mod routing;
mod teams;

pub(super) use fixed::Fixed;
pub(super) use routing::{DeploymentHandles, ModelHandles};
pub(super) use teams::{TeamHandles, nanos};

use super::{
    labels::{Folded, Limiter},
    registry::Registry,
};
use crate::catalog::{Catalog, Route};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};
use tollgate_core::account::Refusal;

/// What is not configured.
pub(super) const OTHER: &str = "other";
/// A model that nobody knows: the call had no plan yet, or its hold expired.
pub(super) const UNKNOWN: &str = "unknown";

/// The handles of one configuration.
pub(super) struct Handles {
    pub(super) fixed: Arc<Fixed>,
    teams: HashMap<Arc<str>, Arc<TeamHandles>>,
    other_team: Arc<TeamHandles>,
    models: HashMap<Arc<str>, ModelHandles>,
    other_model: ModelHandles,
    /// Of calls that end before they have a plan.
    pub(super) unknown_model: ModelHandles,
    deployments: HashMap<Arc<str>, Arc<DeploymentHandles>>,
    other_deployment: Arc<DeploymentHandles>,
}

impl Handles {
    /// The handles of this catalog; all its series are there from now on.
    pub(super) fn new(registry: &Registry, catalog: &Catalog, old: Option<&Self>) -> Self {
        let fixed = old.map_or_else(
            || Arc::new(Fixed::new(registry)),
            |old| Arc::clone(&old.fixed),
        );
        let edges = edges(catalog);
        let model = |name: &str| ModelHandles::new(registry, name, edges.get(name));
        let deployment = |name: &Arc<str>| {
            let known = old.and_then(|old| old.deployments.get(name));
            let known = known.map(Arc::clone);
            known.unwrap_or_else(|| Arc::new(DeploymentHandles::new(registry, name)))
        };
        let teams = catalog.teams.values().map(|team| {
            let models = reach(catalog, team);
            let handles = TeamHandles::new(registry, team, &models);
            (Arc::clone(&team.name), Arc::new(handles))
        });
        let models = catalog
            .models
            .keys()
            .map(|name| (Arc::clone(name), model(name)));
        let deployments = catalog.models.values().flat_map(|model| &model.deployments);
        let handles = Self {
            fixed,
            teams: teams.collect(),
            other_team: Arc::new(TeamHandles::other(registry)),
            models: models.collect(),
            other_model: model(OTHER),
            unknown_model: model(UNKNOWN),
            deployments: deployments
                .map(|d| (Arc::clone(&d.id), deployment(&d.id)))
                .collect(),
            other_deployment: deployment(&OTHER.into()),
        };
        for (name, team) in old.iter().flat_map(|old| &old.teams) {
            match handles.teams.get(name) {
                Some(next) => team.replaced_by(next),
                None => team.forget_budgets(),
            }
        }
        handles
    }

    /// The handles of a team.
    pub(super) fn team(&self, name: &str) -> &Arc<TeamHandles> {
        self.teams.get(name).unwrap_or_else(|| {
            self.fixed.folded(Folded::Team);
            &self.other_team
        })
    }

    /// The handles of a model.
    pub(super) fn model(&self, name: &str) -> &ModelHandles {
        self.models.get(name).unwrap_or_else(|| {
            self.fixed.folded(Folded::Model);
            &self.other_model
        })
    }

    /// Whether a model is configured.
    pub(super) fn knows_model(&self, name: &str) -> bool {
        self.models.contains_key(name)
    }

    /// The handles of a deployment.
    pub(super) fn deployment(&self, name: &str) -> &Arc<DeploymentHandles> {
        self.deployments.get(name).unwrap_or_else(|| {
            self.fixed.folded(Folded::Deployment);
            &self.other_deployment
        })
    }
}

/// The models that calls of a team can reach.
fn reach(catalog: &Catalog, team: &crate::catalog::Team) -> BTreeSet<Arc<str>> {
    let mut models = team.models.clone();
    let routes = team
        .routes
        .iter()
        .filter_map(|route| catalog.routes.get(route));
    for list in routes.flat_map(|route| lists(route)) {
        models.extend(list.iter().map(|model| Arc::clone(&model.name)));
    }
    models
}

/// The models that a call can go on to when one fails, by the one that fails.
fn edges(catalog: &Catalog) -> BTreeMap<Arc<str>, BTreeSet<Arc<str>>> {
    let mut edges: BTreeMap<Arc<str>, BTreeSet<Arc<str>>> = BTreeMap::new();
    for list in catalog.routes.values().flat_map(|route| lists(route)) {
        for (place, from) in list.iter().enumerate() {
            let later = list[place + 1..]
                .iter()
                .map(|model| Arc::clone(&model.name));
            edges
                .entry(Arc::clone(&from.name))
                .or_default()
                .extend(later);
        }
    }
    edges
}

/// The lists of targets that a route has.
fn lists(route: &Route) -> impl Iterator<Item = &[Arc<crate::catalog::Model>]> {
    let pressure = route
        .under_pressure
        .as_ref()
        .map(|pressure| &*pressure.targets);
    std::iter::once(&*route.targets).chain(pressure)
}

/// What refuses.
pub(super) fn limiter_of(refusal: &Refusal) -> Limiter {
    match refusal {
        Refusal::Rate { limit, .. }
        | Refusal::Unsatisfiable { limit, .. }
        | Refusal::Concurrency { limit, .. } => Limiter::of_limit(limit),
        Refusal::Cooldown { .. } => Limiter::Cooldown,
        Refusal::Budget { .. } => Limiter::Budget,
    }
}
