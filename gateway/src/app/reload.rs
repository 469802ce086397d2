//! Taking a changed configuration file into force.

use super::{Parts, background, build};
use crate::{
    config::{self, Config, ProcessEnvironment},
    operators::{Reload, Reloaded},
};
use std::{
    mem,
    sync::{Arc, PoisonError},
};

impl Parts {
    /// Takes a configuration into force, or leaves the old one and says why.
    pub(super) fn take(&self, config: &Config) -> Result<Reloaded, String> {
        background::renew_identity(self);
        let adapters = match build::adapters(config, &self.clock) {
            Ok(adapters) => adapters,
            Err(error) => return Err(self.refused(&error)),
        };
        // One after the other, so that the last to come is whole.
        let mut in_force = self.hash.lock().unwrap_or_else(PoisonError::into_inner);
        let catalog = Arc::new(config.catalog(&adapters));
        let hash = config.hash();
        self.observer.configured(&catalog, &hash);
        self.operators.configure(build::configured(config));
        let office = Arc::new(build::office_keyring(config));
        self.office_keyring.store(office);
        self.catalog.store(catalog);
        let before = mem::replace(&mut *in_force, hash.clone());
        Ok(Reloaded {
            changed: before != hash,
            hash,
        })
    }

    /// A new configuration can't be used: the old one stays in force.
    fn refused(&self, problem: &dyn std::fmt::Display) -> String {
        self.observer.config_rejected(problem);
        problem.to_string()
    }
}

impl Reload for Parts {
    fn reload(&self) -> Result<Reloaded, String> {
        let Some(file) = self.source.get() else {
            return Err("the configuration did not come from a file".to_owned());
        };
        match config::load(file, &ProcessEnvironment) {
            Ok(config) => self.take(&config),
            Err(problems) => Err(self.refused(&problems)),
        }
    }
}
