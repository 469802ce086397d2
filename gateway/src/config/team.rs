//! `[teams.<name>]`: tenants, their keys, and what they may use.

use super::{
    budget::{self, Budget},
    limits,
    model::one_of,
    reader::{Located, Reader},
    secret::{self, Secret, Wanted},
    text,
};
use crate::{catalog::Bodies, keys};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tollgate_core::limit::{Limits, Scope};

/// A tenant.
#[derive(Clone, Debug)]
pub struct Team {
    /// Its API keys.
    pub keys: Vec<Key>,
    /// The routes that it may use.
    pub routes: BTreeSet<Arc<str>>,
    /// The models that it may name; `None`: those of its routes.
    pub models: Option<BTreeSet<Arc<str>>>,
    /// Its rate and concurrency limits. Its budgets are in `budgets`.
    pub limits: Limits,
    /// Its budgets, at most one per day and one per month.
    pub budgets: Vec<Budget>,
    /// Pipelines that show up in metrics by name.
    pub pipelines: BTreeSet<Arc<str>>,
    /// What of its calls goes to the interaction log.
    pub log_bodies: Bodies,
    /// Its turns, of all teams' turns, where teams wait for a provider's quota.
    pub share: u32,
}

/// The most turns of one team. With more, others would wait for seconds.
const MOST_SHARE: u64 = 100;

/// An API key, as far as the gateway knows it.
#[derive(Clone, Debug)]
pub struct Key {
    /// The id, which is part of the key.
    pub id: Arc<str>,
    /// HMAC-SHA-256 of the whole key under the pepper.
    pub hmac: [u8; 32],
    /// Where that came from.
    pub secret: Secret,
}

/// What a team may refer to.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) routes: &'a BTreeSet<Arc<str>>,
    pub(super) models: &'a BTreeSet<Arc<str>>,
}

/// The words for [`Bodies`].
pub(super) const BODIES: [(&str, Bodies); 3] = [
    ("full", Bodies::Full),
    ("hash", Bodies::Hash),
    ("off", Bodies::Off),
];

/// Reads a team. Adds the ids of its keys to `ids`, where they must be unique.
pub(super) fn read(
    name: &Arc<str>,
    reader: &mut Reader<'_>,
    known: Known<'_>,
    ids: &mut BTreeMap<Arc<str>, String>,
) -> Option<Team> {
    let keys = keys(reader, ids);
    let routes = listed(reader, "routes", |route| {
        one_of(route, "route", known.routes)
    });
    let models = listed(reader, "models", |model| {
        one_of(model, "model", known.models)
    });
    if !reader.has("routes") && !reader.has("models") {
        reader.report(
            "routes",
            "is missing, so that the team may use nothing; name its routes, or models",
        );
    }
    let limits = limits::read(reader, Scope::Team(name.clone()));
    let pipelines = listed(reader, "pipelines", |pipeline| {
        text::name(pipeline)?;
        Ok(pipeline.into())
    });
    Some(Team {
        keys,
        routes: routes.unwrap_or_default(),
        models,
        limits,
        budgets: budget::read(reader),
        pipelines: pipelines.unwrap_or_default(),
        log_bodies: reader.word("log_bodies", &BODIES).unwrap_or_default(),
        share: reader
            .number("share", 1..=MOST_SHARE)
            .and_then(|share| u32::try_from(share).ok())
            .unwrap_or(1),
    })
}

fn listed(
    reader: &mut Reader<'_>,
    key: &str,
    parse: impl Fn(&str) -> Result<Arc<str>, String>,
) -> Option<BTreeSet<Arc<str>>> {
    let names = reader.texts(key, parse)?;
    Some(names.into_iter().map(|name| name.value).collect())
}

pub(super) fn keys(reader: &mut Reader<'_>, ids: &mut BTreeMap<Arc<str>, String>) -> Vec<Key> {
    let keys = reader.tables("keys", |reader| {
        let id = reader.text("id", |id| {
            keys::check_id(id).map_err(|wrong| format!("{} {wrong}", text::shown(id)))?;
            Ok(Arc::<str>::from(id))
        });
        reader.require("id", "\"k1\"");
        if let Some(id) = &id {
            let place = reader.place_of("id");
            if let Some(first) = ids.get(id) {
                let message = format!("\"{id}\" is the id of {first} too; ids are unique");
                reader.report_at(place, message);
            } else {
                ids.insert(id.clone(), reader.place().path);
            }
        }
        let wanted = Wanted {
            stem: "hmac",
            default_variable: None,
        };
        let hmac = secret::read(reader, wanted, hmac);
        let named = reader.has("hmac_env") || reader.has("hmac_file") || reader.has("hmac");
        if !named {
            reader.require("hmac_env", "\"TOLLGATE_NEWS_KEY\"");
        }
        let (secret, hmac) = hmac?;
        Some(Key {
            id: id?,
            hmac,
            secret,
        })
    });
    keys.into_iter()
        .map(|Located { value, .. }| value)
        .collect()
}

/// Reads an HMAC. The message does not show the text: it may be the key itself.
fn hmac(text: &str) -> Result<[u8; 32], String> {
    if text.starts_with(keys::PREFIX) {
        return Err(
            "holds an API key, which the gateway must not know; it must hold the key's HMAC, which \
             `tollgate keys new` printed"
                .to_owned(),
        );
    }
    keys::parse_hmac(text).ok_or_else(|| {
        "does not hold an HMAC: 64 hexadecimal digits, as `tollgate keys new` prints them"
            .to_owned()
    })
}
