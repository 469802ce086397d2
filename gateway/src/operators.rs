//! What operators decide while the gateway runs: keys that are made and revoked, and deployments
//! that are drained. It is written on a board that all replicas share and look at.
//!
//! Nothing is ever taken off the board, so what is missing there was lost, and every replica puts
//! back what it knows. While the board can't be read, what was read last stays in force.

mod error;
pub mod file;
mod issued;
mod known;

pub use error::Refusal;
pub use issued::Issued;
pub use known::{Configured, Listed};

use crate::{
    catalog::Key,
    clock::Clock,
    health::Health,
    keys::{ApiKey, Keyring, NoKey, check_id},
    store::Reply,
};
use arc_swap::ArcSwap;
use issued::id_of_its_own;
use known::Known;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What is written on a board, by name.
pub type Notes = BTreeMap<String, String>;

/// Where decisions are written. All replicas that share a store share one.
pub trait Board: Send + Sync {
    /// All that is written.
    fn read(&self) -> Reply<'_, Notes>;

    /// Adds a note. `false`: there is one of that name, which stays as it is.
    fn add<'a>(&'a self, name: &'a str, note: &'a str) -> Reply<'a, bool>;

    /// Writes a note in place of what was there.
    fn replace<'a>(&'a self, name: &'a str, note: &'a str) -> Reply<'a, ()>;
}

/// Takes the configuration file into force again.
pub trait Reload: Send + Sync {
    /// Reads the file again.
    ///
    /// # Errors
    /// With everything that is wrong with it. Then the old one stays in force.
    fn reload(&self) -> Result<Reloaded, String>;
}

/// What is in force after a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// The hash of the configuration.
    pub hash: String,
    /// Whether it is another one than before.
    pub changed: bool,
}

/// The most notes. Each replica reads all of them every two seconds.
const MOST_NOTES: usize = 10_000;

/// Names of keys begin with this.
const KEY: &str = "key:";
/// Names of deployments begin with this.
const TARGET: &str = "target:";
/// The note of a deployment that is drained, and of one that is not any more.
const DRAINED: &str = "drained";
const RESTORED: &str = "restored";

/// What operators decided, in force.
pub struct Operators {
    board: Arc<dyn Board>,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    /// Whom callers are checked against.
    keyring: Arc<ArcSwap<Keyring>>,
    known: Mutex<Known>,
}

impl Operators {
    /// Decisions on this board, over what the configuration says.
    #[must_use]
    pub fn new(
        board: Arc<dyn Board>,
        clock: Arc<dyn Clock>,
        health: Arc<Health>,
        configured: Configured,
    ) -> Self {
        let keyring = Keyring::new(&configured.keys, &configured.pepper);
        Self {
            board,
            clock,
            health,
            keyring: Arc::new(ArcSwap::from_pointee(keyring)),
            known: Mutex::new(Known {
                configured,
                ..Known::default()
            }),
        }
    }

    /// Whom callers are checked against.
    #[must_use]
    pub fn keyring(&self) -> Arc<ArcSwap<Keyring>> {
        Arc::clone(&self.keyring)
    }

    /// The configuration has changed.
    pub fn configure(&self, configured: Configured) {
        let mut known = self.known();
        let twice = configured.keys.keys();
        for id in twice.filter(|id| known.issued.contains_key(*id)) {
            tracing::warn!(
                event = "key_twice",
                key = %id,
                "the configuration has a key with the id of one that an operator made; its own \
                 counts"
            );
        }
        known.configured = configured;
        self.put_in_force(&mut known);
    }

    /// Looks at the board, and puts back what is missing there.
    ///
    /// # Errors
    /// If it can't be read. Then what was read last stays in force.
    pub async fn refresh(&self) -> Result<(), Refusal> {
        let (was_blind, mut written) = {
            let known = self.known();
            (known.blind, known.written)
        };
        let notes = loop {
            match self.board.read().await {
                // What was written here meanwhile may not be in it.
                Ok(notes) if self.known().written == written => break notes,
                Ok(_) => written = self.known().written,
                Err(error) => {
                    self.known().blind = true;
                    if !was_blind {
                        tracing::warn!(
                            event = "operators_unread",
                            %error,
                            "what operators decided can't be read; what was read last stays in force"
                        );
                    }
                    return Err(error.into());
                }
            }
        };
        if was_blind {
            self.known().blind = false;
            tracing::info!(
                event = "operators_read",
                "what operators decided is read again"
            );
        }
        let lost: Vec<(String, String)> = {
            let known = self.known();
            let missing = known.notes.iter();
            let missing = missing.filter(|(name, _)| !notes.contains_key(*name));
            missing
                .map(|(name, note)| (name.clone(), note.clone()))
                .collect()
        };
        for (name, note) in &lost {
            self.board.add(name, note).await?;
            tracing::warn!(
                event = "operators_put_back",
                name = name.as_str(),
                "the store had lost what operators decided"
            );
        }
        let mut known = self.known();
        if known.written != written {
            // It is in force already; the next look finds the rest.
            return Ok(());
        }
        let mut notes = notes;
        notes.extend(lost);
        if known.notes != notes {
            known.take(notes);
            self.put_in_force(&mut known);
        }
        Ok(())
    }

    /// Makes a key of a team. Its text is shown this once.
    ///
    /// # Errors
    /// If the id is taken or is none, or the board can't be written.
    pub async fn create_key(&self, team: &Arc<str>, id: &str) -> Result<(Issued, ApiKey), Refusal> {
        let id = match id {
            "" => id_of_its_own(team),
            id => id.to_owned(),
        };
        check_id(&id).map_err(|wrong| Refusal::invalid("key_id", format!("{id:?} {wrong}")))?;
        let pepper = {
            let known = self.known();
            if known.configured.has(&id) {
                return Err(Refusal::KeyExists(id));
            }
            if known.notes.len() >= MOST_NOTES {
                return Err(Refusal::TooMany(MOST_NOTES));
            }
            known.configured.pepper.clone()
        };
        let key = ApiKey::generate(&id).map_err(|error| match error {
            NoKey::Id(wrong) => Refusal::invalid("key_id", wrong.to_string()),
            NoKey::Randomness => Refusal::Randomness,
        })?;
        let issued = Issued {
            id: id.as_str().into(),
            team: Arc::clone(team),
            hmac: key.hmac(&pepper),
            created_at: self.clock.now(),
            revoked_at: None,
        };
        let (name, note) = (format!("{KEY}{id}"), issued.note());
        if !self.board.add(&name, &note).await? {
            return Err(Refusal::KeyExists(id));
        }
        self.noted(name, note);
        Ok((issued, key))
    }

    /// The keys of a team, or of all, by team and id.
    #[must_use]
    pub fn keys(&self, team: Option<&str>) -> Vec<Listed> {
        let known = self.known();
        let configured = known.configured.keys.iter();
        let configured = configured.map(|(id, key)| Listed::Configured {
            id: Arc::clone(id),
            team: Arc::clone(&key.team),
        });
        let issued = known.issued.values().cloned().map(Listed::Issued);
        let wanted = |listed: &Listed| team.is_none_or(|team| &**listed.team() == team);
        let mut all: Vec<Listed> = configured.chain(issued).filter(wanted).collect();
        all.sort_by(|a, b| (a.team(), a.id()).cmp(&(b.team(), b.id())));
        all
    }

    /// Ends a key. Ending it again changes nothing.
    ///
    /// # Errors
    /// If there is no such key, or the configuration has it, or the board can't be written.
    pub async fn revoke_key(&self, id: &str) -> Result<Issued, Refusal> {
        // Another replica may have made it a moment ago.
        self.refresh().await?;
        let mut issued = {
            let known = self.known();
            if known.configured.operators.contains(id) || known.configured.keys.contains_key(id) {
                return Err(Refusal::KeyConfigured(id.to_owned()));
            }
            let found = known.issued.get(id).cloned();
            found.ok_or_else(|| Refusal::UnknownKey(id.to_owned()))?
        };
        if issued.revoked_at.is_some() {
            return Ok(issued);
        }
        issued.revoked_at = Some(self.clock.now());
        let (name, note) = (format!("{KEY}{id}"), issued.note());
        self.board.replace(&name, &note).await?;
        self.noted(name, note);
        Ok(issued)
    }

    /// Sends no further attempts to a deployment, on all replicas, or sends them again.
    ///
    /// # Errors
    /// If the board can't be written.
    pub async fn set_drained(&self, deployment: &Arc<str>, drained: bool) -> Result<(), Refusal> {
        let note = if drained { DRAINED } else { RESTORED };
        let name = format!("{TARGET}{deployment}");
        self.board.replace(&name, note).await?;
        self.noted(name, note.to_owned());
        Ok(())
    }

    /// Something was written by us, which is in force here at once.
    fn noted(&self, name: String, note: String) {
        let mut known = self.known();
        known.written += 1;
        let mut notes = known.notes.clone();
        notes.insert(name, note);
        known.take(notes);
        self.put_in_force(&mut known);
    }

    fn put_in_force(&self, known: &mut Known) {
        let Configured { keys, pepper, .. } = &known.configured;
        let working = known.issued.values().filter(|key| key.revoked_at.is_none());
        let mut all: BTreeMap<Arc<str>, Key> = working.map(Issued::entry).collect();
        all.extend(keys.iter().map(|(id, key)| (Arc::clone(id), key.clone())));
        self.keyring.store(Arc::new(Keyring::new(&all, pepper)));
        for name in known.notes.keys() {
            if let Some(deployment) = name.strip_prefix(TARGET) {
                let deployment = deployment.into();
                let drained = known.drained.contains(&deployment);
                self.health.set_drained(&deployment, drained);
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
