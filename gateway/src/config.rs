//! The configuration: one TOML file, checked as a whole before anything of it is used.
//!
//! Every section is read into a type that can't be wrong. A bad file is refused with everything
//! that is wrong with it, so the old configuration stays in force. Secrets are named in the file
//! and never written in it.

pub mod admin;
pub mod alerts;
mod breaker;
pub mod budget;
mod build;
mod catalogue;
mod document;
pub mod environment;
pub mod interactions;
pub mod ledger;
mod limits;
pub mod model;
mod price;
mod printed;
pub mod problem;
pub mod provider;
mod reader;
pub mod route;
pub mod secret;
pub mod server;
pub mod store;
mod suggest;
pub mod team;
pub mod telemetry;
#[cfg(test)]
mod tests;
mod text;
mod tls;
mod upstream_url;

pub use environment::{Environment, ProcessEnvironment, Variables};
pub use problem::{Place, Problem, Problems};

use crate::call::Complexity;
use reader::Reader;
use std::{collections::BTreeMap, fs, path::Path, sync::Arc};
use tollgate_core::breaker::Policy;

/// A configuration without problems.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[server]`.
    pub server: server::Server,
    /// `[admin]`.
    pub admin: admin::Admin,
    /// `[store]`.
    pub store: store::Store,
    /// `[ledger]`.
    pub ledger: ledger::Ledger,
    /// `[interactions]`.
    pub interactions: interactions::Interactions,
    /// `[providers]` by name.
    pub providers: BTreeMap<Arc<str>, provider::Provider>,
    /// `[models]` by name.
    pub models: BTreeMap<Arc<str>, model::Model>,
    /// `[routes]` by name.
    pub routes: BTreeMap<Arc<str>, route::Route>,
    /// `[complexity]`: the route of each that is mapped.
    pub complexity: BTreeMap<Complexity, Arc<str>>,
    /// `[teams]` by name.
    pub teams: BTreeMap<Arc<str>, team::Team>,
    /// `[alerts]`.
    pub alerts: alerts::Alerts,
    /// `[breaker]`.
    pub breaker: Policy,
    /// `[telemetry]`.
    pub telemetry: telemetry::Telemetry,
}

/// Reads a file.
///
/// # Errors
/// If the file can't be read, or with everything that is wrong with it.
pub fn load(path: &Path, environment: &dyn Environment) -> Result<Config, Problems> {
    let file = path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|error| Problems::whole_file(&file, format!("can't be read: {error}")))?;
    parse(&file, &text, environment)
}

/// Reads the text of a file that is called `file` in messages.
///
/// # Errors
/// With everything that is wrong with it.
pub fn parse(file: &str, text: &str, environment: &dyn Environment) -> Result<Config, Problems> {
    document::read(text, environment, read).map_err(|problems| Problems::new(file, problems))
}

/// Checks the name of a team, route, provider or pipeline.
///
/// # Errors
/// With what is wrong with it.
pub fn check_name(name: &str) -> Result<(), String> {
    text::name(name)
}

/// Reads the sections, those first that others refer to.
fn read(root: &mut Reader<'_>) -> Option<Config> {
    let store = root.table("store", store::read);
    let ledger = root.table("ledger", ledger::read);
    let interactions = root.table("interactions", interactions::read);
    let alerts = root.table("alerts", alerts::read);
    let breaker = root.table("breaker", breaker::read);
    let telemetry = root.table("telemetry", telemetry::read);
    let providers = root.named("providers", text::name, |_, reader| provider::read(reader));
    let mut quotas = BTreeMap::new();
    let models = root.named("models", text::model_name, |name, reader| {
        model::read(name, reader, &providers.names, &mut quotas)
    });
    let routes = root.named("routes", text::name, |_, reader| {
        route::read(reader, &models.names)
    });
    let complexity = root.table("complexity", |reader| {
        route::read_complexity(reader, &routes.names)
    });
    let known = team::Known {
        routes: &routes.names,
        models: &models.names,
    };
    let mut key_ids = BTreeMap::new();
    let teams = root.named("teams", text::name, |name, reader| {
        team::read(name, reader, known, &mut key_ids)
    });
    // Keys that operators make need the pepper too.
    let keys = if key_ids.is_empty() && !root.has("admin") {
        server::Keys::None
    } else {
        server::Keys::Some
    };
    let server = root.table("server", |reader| server::read(reader, keys));
    let admin = root.table("admin", |reader| admin::read(reader, &mut key_ids, &server));
    Some(Config {
        server,
        admin,
        store: store?,
        ledger,
        interactions,
        providers: providers.read,
        models: models.read,
        routes: routes.read,
        complexity,
        teams: teams.read,
        alerts,
        breaker,
        telemetry,
    })
}
