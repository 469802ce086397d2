//! What is known of keys and deployments: from the board and from the configuration.

use super::{DRAINED, Issued, KEY, Notes, TARGET};
use crate::catalog::Key;
use secrecy::SecretString;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What is known, as of the last look at the board.
#[derive(Default)]
pub(super) struct Known {
    pub(super) notes: Notes,
    pub(super) issued: BTreeMap<Arc<str>, Issued>,
    pub(super) drained: BTreeSet<Arc<str>>,
    pub(super) configured: Configured,
    /// Counts what was written here.
    pub(super) written: u64,
    /// The board could not be read.
    pub(super) blind: bool,
}

/// What the configuration says of keys.
#[derive(Clone, Default)]
pub struct Configured {
    /// The keys of teams.
    pub keys: BTreeMap<Arc<str>, Key>,
    /// The ids of operators' own keys, which no other key may have.
    pub operators: BTreeSet<Arc<str>>,
    /// What keys are hashed with.
    pub pepper: SecretString,
}

/// A key as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// One that was made while a gateway ran.
    Issued(Issued),
    /// One of the configuration.
    Configured {
        /// Its id.
        id: Arc<str>,
        /// Its team.
        team: Arc<str>,
    },
}

impl Known {
    /// Reads what is written.
    pub(super) fn take(&mut self, notes: Notes) {
        self.issued.clear();
        self.drained.clear();
        for (name, note) in &notes {
            if let Some(id) = name.strip_prefix(KEY) {
                match Issued::read(id, note) {
                    Some(issued) => drop(self.issued.insert(Arc::clone(&issued.id), issued)),
                    None => tracing::error!(
                        event = "operators_garbled",
                        name = name.as_str(),
                        "this key does not work: what is kept of it can't be read; make another"
                    ),
                }
            } else if let (Some(deployment), DRAINED) = (name.strip_prefix(TARGET), note.as_str()) {
                self.drained.insert(deployment.into());
            }
        }
        self.notes = notes;
    }
}

impl Configured {
    pub(super) fn has(&self, id: &str) -> bool {
        self.keys.contains_key(id) || self.operators.contains(id)
    }
}

impl Listed {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &Arc<str> {
        match self {
            Self::Issued(Issued { id, .. }) | Self::Configured { id, .. } => id,
        }
    }

    /// Its team.
    #[must_use]
    pub const fn team(&self) -> &Arc<str> {
        match self {
            Self::Issued(Issued { team, .. }) | Self::Configured { team, .. } => team,
        }
    }
}
