//! `[models.<name>]`: priced models and where they are served.

use super::{
    catalogue::{self, Facts, Partial},
    limits,
    reader::{Located, Reader},
    suggest,
    text::shown,
};
use crate::catalog::Tokenizer;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tollgate_core::{
    limit::{Limits, Scope},
    price::Price,
    quote::TokenFactor,
};

/// A priced model and where it is served.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its context window in tokens.
    pub context_tokens: u64,
    /// Its output cap in tokens, reasoning included.
    pub max_output_tokens: u64,
    /// The output cap of calls that name none.
    pub default_output_tokens: u64,
    /// What its tokens cost.
    pub price: Price,
    /// The date of the price, `YYYY-MM-DD`; may be empty.
    pub price_as_of: Arc<str>,
    /// What counts its tokens.
    pub tokenizer: Tokenizer,
    /// How its tokens relate to that count.
    pub token_factor: TokenFactor,
    /// Where it is served; never empty.
    pub deployments: Vec<Deployment>,
}

/// A model at a provider account.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The provider account.
    pub provider: Arc<str>,
    /// The model's name at the provider.
    pub name: Arc<str>,
    /// Its own limits; the scope is `<provider>/<name>`.
    pub limits: Limits,
}

impl Deployment {
    /// `<provider>/<name>`.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        self.limits.scope.name()
    }
}

/// The quota of each deployment that was read, and the path of the deployment.
pub(super) type Quotas = BTreeMap<Arc<str>, (Limits, String)>;

/// Reads a model. Adds its deployments to `quotas`, with which they must agree.
pub(super) fn read(
    name: &str,
    reader: &mut Reader<'_>,
    providers: &BTreeSet<Arc<str>>,
    quotas: &mut Quotas,
) -> Option<Model> {
    let like = reader.text("like", like);
    let base = like.or_else(|| catalogue::shipped().get(name));
    let written = Partial::read(reader);
    let facts = if reader.has("like") && like.is_none() {
        // What it is like is reported already; what that leaves open need not be.
        None
    } else {
        written.complete(base, reader)
    };
    let deployments = deployments(reader, providers, quotas);
    let facts = facts?;
    Some(Model {
        context_tokens: facts.context_tokens,
        max_output_tokens: facts.max_output_tokens,
        default_output_tokens: facts.default_output_tokens,
        price: facts.priced.price,
        price_as_of: facts.priced.as_of,
        tokenizer: facts.tokenizer,
        token_factor: facts.token_factor,
        deployments,
    })
}

fn like(text: &str) -> Result<&'static Facts, String> {
    let shipped = catalogue::shipped();
    shipped.get(text).ok_or_else(|| {
        let names: Vec<&str> = shipped.keys().map(AsRef::as_ref).collect();
        let hint = suggest::hint(text, "models there", &names);
        format!("{} is not in the shipped catalogue; {hint}", shown(text))
    })
}

fn deployments(
    reader: &mut Reader<'_>,
    providers: &BTreeSet<Arc<str>>,
    quotas: &mut Quotas,
) -> Vec<Deployment> {
    let example = "[{ provider = \"openai\", name = \"gpt-4\" }]";
    reader.require("deployments", example);
    if reader.is_empty_list("deployments") {
        reader.report("deployments", "is empty; say where the model is served");
    }
    let mut all: Vec<Deployment> = Vec::new();
    for Located { place, value } in reader.tables("deployments", |r| deployment(r, providers)) {
        if all.iter().any(|other| other.id() == value.id()) {
            let message = format!("{} is listed already; remove one", value.id());
            reader.report_at(place, message);
            continue;
        }
        if let Some((limits, first)) = quotas.get(value.id()) {
            if (&limits.buckets, &limits.gauges) != (&value.limits.buckets, &value.limits.gauges) {
                let message = format!(
                    "{} has other limits at {first}, but its quota is one; give the same limits",
                    value.id()
                );
                reader.report_at(place, message);
            }
        } else {
            let quota = (value.limits.clone(), place.path);
            quotas.insert(value.id().clone(), quota);
        }
        all.push(value);
    }
    all
}

fn deployment(reader: &mut Reader<'_>, providers: &BTreeSet<Arc<str>>) -> Option<Deployment> {
    let provider = reader.text("provider", |name| one_of(name, "provider", providers));
    reader.require("provider", "\"openai\"");
    let name = reader.text("name", upstream_name);
    reader.require("name", "\"gpt-4\", the model's name at the provider");
    let id = match (&provider, &name) {
        (Some(provider), Some(name)) => format!("{provider}/{name}"),
        _ => String::new(),
    };
    let limits = limits::read(reader, Scope::Deployment(id.into()));
    Some(Deployment {
        provider: provider?,
        name: name?,
        limits,
    })
}

/// Checks that a name is one of those that are configured.
pub(super) fn one_of(
    name: &str,
    what: &str,
    known: &BTreeSet<Arc<str>>,
) -> Result<Arc<str>, String> {
    if let Some(name) = known.get(name) {
        return Ok(name.clone());
    }
    let names: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    let hint = suggest::hint(name, &format!("{what}s"), &names);
    Err(format!("there is no {what} {}; {hint}", shown(name)))
}

fn upstream_name(text: &str) -> Result<Arc<str>, String> {
    if !text.is_empty() && text.len() <= 200 && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(text.into());
    }
    Err(format!("{} is not the name of a model", shown(text)))
}
