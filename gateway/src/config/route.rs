//! `[routes.<name>]` and `[complexity]`: where calls go, in which order.

use super::{
    model::one_of,
    reader::{Located, Reader},
};
use crate::call::{Complexity, LONGEST_DEADLINE};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// A named ordered list of targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Models, in order; never empty, none twice.
    pub targets: Vec<Arc<str>>,
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// How often one target is asked again.
    pub retries: u32,
    /// Cheaper targets to prefer once a budget is mostly used.
    pub under_pressure: Option<Pressure>,
}

/// Cheaper targets to prefer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pressure {
    /// From this share of the tightest budget on, in thousandths.
    pub from_permille: u16,
    /// Models, in order; never empty, none twice.
    pub targets: Vec<Arc<str>>,
}

/// How long one attempt may take unless the route says otherwise.
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a target is asked again unless the route says otherwise.
pub(super) const RETRIES: u32 = 2;

pub(super) fn read(reader: &mut Reader<'_>, models: &BTreeSet<Arc<str>>) -> Option<Route> {
    let targets = targets(reader, models);
    let attempt_timeout = reader
        .duration(
            "attempt_timeout",
            Duration::from_millis(1)..=LONGEST_DEADLINE,
        )
        .unwrap_or(ATTEMPT_TIMEOUT);
    let retries = reader
        .number("retries", 0..=10)
        .and_then(|retries| u32::try_from(retries).ok())
        .unwrap_or(RETRIES);
    let under_pressure = reader.optional_table("under_pressure", |reader| {
        let from_permille = reader.share("from");
        reader.require("from", "0.8");
        let targets = self::targets(reader, models);
        Some(Pressure {
            from_permille: from_permille?,
            targets: targets?,
        })
    });
    Some(Route {
        targets: targets?,
        attempt_timeout,
        retries,
        under_pressure,
    })
}

fn targets(reader: &mut Reader<'_>, models: &BTreeSet<Arc<str>>) -> Option<Vec<Arc<str>>> {
    reader.require("targets", "[\"gpt-4\"], the models to try in order");
    let listed = reader.texts("targets", |name| one_of(name, "model", models))?;
    let mut targets: Vec<Arc<str>> = Vec::new();
    for Located { place, value } in listed {
        if targets.contains(&value) {
            let message = format!("\"{value}\" is a target already; a route tries a model once");
            reader.report_at(place, message);
        } else {
            targets.push(value);
        }
    }
    if reader.is_empty_list("targets") {
        reader.report("targets", "is empty; name at least one model");
    }
    Some(targets)
}

/// Reads `[complexity]`: the route of each complexity that is mapped.
pub(super) fn read_complexity(
    reader: &mut Reader<'_>,
    routes: &BTreeSet<Arc<str>>,
) -> BTreeMap<Complexity, Arc<str>> {
    let mut mapped = BTreeMap::new();
    for complexity in Complexity::ALL {
        let route = reader.text(complexity.name(), |name| one_of(name, "route", routes));
        mapped.extend(route.map(|route| (complexity, route)));
    }
    mapped
}
