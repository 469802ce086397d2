//! What is configured: models, deployments, routes, teams. Built by `config`, swapped as a whole.

use crate::{call::Complexity, provider::Provider};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};
use tollgate_core::{limit::Limits, price::Price, quote::TokenFactor};

/// Everything that a call can refer to. Immutable; a reload builds a new one.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Models by name.
    pub models: BTreeMap<Arc<str>, Arc<Model>>,
    /// Routes by name.
    pub routes: BTreeMap<Arc<str>, Arc<Route>>,
    /// The route of each complexity that is mapped.
    pub complexity: BTreeMap<Complexity, Arc<Route>>,
    /// Teams by name.
    pub teams: BTreeMap<Arc<str>, Arc<Team>>,
    /// The version of the price list: its date, or a hash of the configured prices.
    pub price_version: Arc<str>,
}

/// A priced model.
#[derive(Debug)]
pub struct Model {
    /// Its name.
    pub name: Arc<str>,
    /// Its context window in tokens.
    pub context_tokens: u64,
    /// Its output cap in tokens, reasoning included.
    pub max_output_tokens: u64,
    /// The output cap that is set when the caller sets none.
    pub default_output_tokens: u64,
    /// What its tokens cost.
    pub price: Price,
    /// The day of the price; may be empty.
    pub price_as_of: Arc<str>,
    /// What counts its tokens.
    pub tokenizer: Tokenizer,
    /// How its tokens relate to that count.
    pub token_factor: TokenFactor,
    /// Where it is served; never empty.
    pub deployments: Vec<Arc<Deployment>>,
}

/// A tokenizer that is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tokenizer {
    /// gpt-4, gpt-3.5.
    Cl100k,
    /// gpt-4o and later; the nearest for all others.
    O200k,
}

/// A model at a provider account, with its own quota.
pub struct Deployment {
    /// `<provider>/<name>`.
    pub id: Arc<str>,
    /// The provider account.
    pub provider: Arc<str>,
    /// The model's name at the provider.
    pub upstream_model: Arc<str>,
    /// Its own limits; the scope is the deployment.
    pub limits: Arc<Limits>,
    /// The adapter that calls it.
    pub adapter: Arc<dyn Provider>,
}

impl fmt::Debug for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deployment")
            .field("id", &self.id)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A named ordered list of targets.
#[derive(Debug)]
pub struct Route {
    /// Its name; empty for the route of a call that names a model.
    pub name: Arc<str>,
    /// The targets, in order; never empty, no model twice.
    pub targets: Vec<Arc<Model>>,
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// How often one target is asked again.
    pub retries: u32,
    /// Cheaper targets to prefer once a budget is mostly used.
    pub under_pressure: Option<Pressure>,
}

/// Cheaper targets to prefer.
#[derive(Debug)]
pub struct Pressure {
    /// From this share of the tightest budget on, in thousandths.
    pub from_permille: u64,
    /// The targets, in order.
    pub targets: Vec<Arc<Model>>,
}

/// A tenant.
#[derive(Debug)]
pub struct Team {
    /// Its name.
    pub name: Arc<str>,
    /// The routes that it may use.
    pub routes: BTreeSet<Arc<str>>,
    /// The models that it may name: those configured, else those of its routes.
    pub models: BTreeSet<Arc<str>>,
    /// Its limits and budgets; the scope is the team. Always has day and month counters.
    pub limits: Arc<Limits>,
    /// Pipelines that show up in metrics by name.
    pub pipelines: BTreeSet<Arc<str>>,
    /// What of its calls goes to the interaction log.
    pub log_bodies: Bodies,
    /// Its turns, of all teams' turns, where teams wait for a provider's quota.
    pub share: u32,
}

/// What the interaction log keeps of prompts and answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bodies {
    /// All of it, up to a size.
    Full,
    /// A hash, so that equal texts can be found.
    #[default]
    Hash,
    /// Nothing.
    Off,
}

/// What is kept of an API key.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its team.
    pub team: Arc<str>,
    /// HMAC-SHA-256 of the whole key under the pepper.
    pub hmac: [u8; 32],
}
