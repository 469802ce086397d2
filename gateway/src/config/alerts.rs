//! `[alerts]`: when a budget raises an alert, and who is told.

use super::{
    reader::Reader,
    secret::{self, Secret, Wanted},
    upstream_url::{self, Private},
};
use std::sync::Arc;
use tollgate_core::budget::Mark;

/// When a budget raises an alert, and who is told.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// The shares of a budget at which an alert is raised, ascending.
    pub marks: Arc<[Mark]>,
    /// The URL that is told of each.
    pub webhook: Option<Secret>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Alerts {
    let marks = marks(reader);
    let wanted = Wanted {
        stem: "webhook",
        default_variable: None,
    };
    // The text often holds a token, so the message must not show it.
    let webhook = secret::read(reader, wanted, |url| {
        let before_query = url.split('?').next().unwrap_or_default();
        upstream_url::check(before_query, Private::Allowed)
            .map_err(|_| "does not hold an https:// URL".to_owned())
    });
    Alerts {
        marks,
        webhook: webhook.map(|(url, _)| url),
    }
}

fn marks(reader: &mut Reader<'_>) -> Arc<[Mark]> {
    let Some(shares) = reader.shares("thresholds") else {
        return [500, 800, 1_000].map(|permille| Mark { permille }).into();
    };
    for pair in shares.windows(2) {
        if pair[0].value >= pair[1].value {
            let message = "is not above the one before it; thresholds ascend";
            reader.report_at(pair[1].place.clone(), message);
        }
    }
    shares
        .iter()
        .map(|share| Mark {
            permille: share.value,
        })
        .collect()
}
