//! The edge: the only place that knows protobuf and gRPC.

mod admin;
mod completion;
mod deadline;
mod edge;
mod from_proto;
mod listener;
pub mod reflection;
mod status;
mod to_proto;
mod usage;

pub use admin::{AdminEndpoint, Office};
pub use completion::CompletionEndpoint;
pub use edge::{Edge, EdgePolicy};
pub use listener::{Bounds, Front, serve};
pub use status::{DOMAIN, ROWS, Row, status};
pub use usage::UsageEndpoint;

use crate::{
    catalog::{Catalog, Team},
    error::{Error, Result},
    keys::Keyring,
    telemetry::Observer,
};
use arc_swap::ArcSwap;
use std::sync::Arc;
use tonic::metadata::MetadataMap;

/// Who may call: keys and teams, as they are configured now.
#[derive(Clone)]
pub struct Callers {
    catalog: Arc<ArcSwap<Catalog>>,
    keyring: Arc<ArcSwap<Keyring>>,
    observer: Arc<Observer>,
}

impl Callers {
    /// Callers of this catalog and keyring.
    #[must_use]
    pub const fn new(
        catalog: Arc<ArcSwap<Catalog>>,
        keyring: Arc<ArcSwap<Keyring>>,
        observer: Arc<Observer>,
    ) -> Self {
        Self {
            catalog,
            keyring,
            observer,
        }
    }

    /// The team of the key in the metadata.
    fn team(&self, metadata: &MetadataMap) -> Result<Arc<Team>> {
        let header = metadata.get("authorization");
        let header = header.and_then(|value| value.to_str().ok());
        let keyring = self.keyring.load();
        let name = keyring.authenticate(header);
        self.observer.authenticated(name.is_ok());
        let catalog = self.catalog.load();
        let team = name.ok().and_then(|name| catalog.teams.get(name));
        team.map(Arc::clone).ok_or(Error::InvalidCredential)
    }
}
