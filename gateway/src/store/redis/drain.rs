//! Draining the outboxes into the ledger, and rebuilding from it: one replica at a time.
//!
//! The role has a volume and is taken over by lease. Entries are removed from Redis only after
//! they are safe on disk; after a crash they are read again, and the ledger counts each once.

mod archive;
mod compare;
mod outbox;
mod role;

use super::{
    checks::ConnectError,
    fault::Fault,
    keys::{self, Keys},
    link::Link,
    pack::Packer,
    reply,
    script::{Script, Scripts},
    seed,
    settings::Settings,
    wire::Wire,
};
use crate::{
    clock::Clock,
    store::event::{StoreEvent, StoreObserver},
};
pub use archive::{Archive, LedgerArchive};
use redis::Value;
use std::{
    collections::{BTreeSet, HashMap},
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tollgate_core::{account::Memory, limit::Scope};

/// How long the role is ours without being renewed.
const LEASE: Duration = Duration::from_secs(10);
/// How often it is renewed.
const KEEP_EVERY: Duration = Duration::from_secs(3);
/// How often the role is asked for by those who do not have it.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How often outboxes are looked at: what a host that dies with its Redis takes with it.
const DRAIN_EVERY: Duration = Duration::from_millis(100);
/// How many entries are read at once.
const BATCH: usize = 500;
/// How long one command may take: others wait for nothing here.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The teams of the configuration in force.
pub type Teams = Arc<dyn Fn() -> Vec<Arc<str>> + Send + Sync>;

/// Moves entries from Redis to the ledger while it has the role.
pub struct Drain {
    wire: Wire,
    scripts: Scripts,
    archive: Arc<dyn Archive>,
    teams: Teams,
    clock: Arc<dyn Clock>,
    memory: Memory,
    owner: String,
    /// Whether Redis was found to know another ledger.
    refused: AtomicBool,
}

/// What is known while the role is ours.
struct Tenure {
    term: i64,
    kept: Instant,
    /// When Redis and the ledger were compared last.
    compared: Option<Instant>,
    /// Where reading goes on, by team. Claimed when first read.
    after: HashMap<Arc<str>, String>,
    /// Teams that have an epoch.
    seeded: BTreeSet<Arc<str>>,
}

/// What was told last, so that each change is told once.
#[derive(Default)]
struct Told {
    draining: bool,
    failing: bool,
}

impl Drain {
    /// A drain with a connection of its own, so that no hold waits behind it.
    ///
    /// # Errors
    /// If Redis can't be reached.
    pub async fn connect(
        settings: &Settings,
        archive: Arc<dyn Archive>,
        teams: Teams,
        (clock, observer): (Arc<dyn Clock>, Arc<dyn StoreObserver>),
    ) -> Result<Self, ConnectError> {
        let wire = Wire {
            link: Arc::new(Link::new(settings, None).await?),
            gate: None,
            observer,
            timeout: TIMEOUT,
        };
        Ok(Self {
            wire,
            scripts: Scripts::default(),
            archive,
            teams,
            clock,
            memory: settings.memory,
            owner: format!("{:032x}", fastrand::u128(..)),
            refused: AtomicBool::new(false),
        })
    }

    /// Drains until told to stop, then gives the role back.
    pub async fn run(self, stop: CancellationToken) {
        let mut told = Told::default();
        while !stop.is_cancelled() {
            let result = self.serve(&stop, &mut told).await;
            if told.draining {
                told.draining = false;
                self.tell(&StoreEvent::Draining { now: false });
            }
            match result {
                Ok(()) => self.tell_recovered(&mut told),
                Err(why) if !told.failing => {
                    told.failing = true;
                    self.tell(&StoreEvent::DrainFailed { why });
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(ASK_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Drains every team once and gives those their balances that have none. Returns how many
    /// teams have balances now, or `None` if another drain has the role.
    ///
    /// # Errors
    /// If Redis or the ledger can't be used.
    pub async fn once(&self) -> Result<Option<usize>, String> {
        let Some(mut tenure) = self.take_role().await? else {
            return Ok(None);
        };
        let drained = self.drain_all(&mut tenure).await;
        self.leave_role().await;
        drained.map(|()| Some(tenure.seeded.len()))
    }

    /// Takes the role if it is free, and drains while it is ours.
    async fn serve(&self, stop: &CancellationToken, told: &mut Told) -> Result<(), String> {
        let Some(mut tenure) = self.take_role().await? else {
            return Ok(());
        };
        let result = self.drain_while_ours(&mut tenure, stop, told).await;
        self.leave_role().await;
        result
    }

    async fn drain_while_ours(
        &self,
        tenure: &mut Tenure,
        stop: &CancellationToken,
        told: &mut Told,
    ) -> Result<(), String> {
        loop {
            if tenure.kept.elapsed() >= KEEP_EVERY && !self.keep_role(tenure).await? {
                return Ok(());
            }
            self.drain_all(tenure).await?;
            // Not before it worked once, or a broken disk would be told of every second.
            self.tell_recovered(told);
            if !told.draining {
                told.draining = true;
                self.tell(&StoreEvent::Draining { now: true });
            }
            let is_recent = |at: Instant| at.elapsed() < compare::COMPARE_EVERY;
            if !tenure.compared.is_some_and(is_recent) {
                tenure.compared = Some(Instant::now());
                self.compare(tenure).await?;
            }
            if stop.is_cancelled() {
                // What was written last is drained.
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(DRAIN_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Drains every team once, and rebuilds those whose accounts are gone.
    async fn drain_all(&self, tenure: &mut Tenure) -> Result<(), String> {
        let mut teams: BTreeSet<Arc<str>> = (self.teams)().into_iter().collect();
        let configured = teams.clone();
        teams.extend(self.members(keys::TEAMS).await.map_err(text)?);
        // The list may be lost alone, with the shard of a cluster that had it.
        teams.extend(tenure.seeded.iter().cloned());
        for team in &teams {
            self.drain_team(tenure, team).await?;
        }
        let lost = self.members(keys::UNSEEDED).await.map_err(text)?;
        for team in &lost {
            tenure.seeded.remove(team);
        }
        for team in configured.iter().chain(&lost) {
            if !tenure.seeded.contains(team) {
                self.seed_team(tenure, team).await?;
            }
        }
        Ok(())
    }

    async fn members(&self, key: &str) -> Result<Vec<Arc<str>>, Fault> {
        let members = redis::cmd("SMEMBERS").arg(key).take();
        let members: Vec<String> = read(self.wire.send("drain", &members).await?)?;
        Ok(members.into_iter().map(Arc::from).collect())
    }

    async fn drain_team(&self, tenure: &mut Tenure, team: &Arc<str>) -> Result<(), String> {
        let keys = Keys::of(&Scope::Team(Arc::clone(team)));
        loop {
            let after = match tenure.after.get(team) {
                Some(after) => format!("({after}"),
                None => "-".to_owned(),
            };
            let mut range = redis::cmd("XRANGE");
            range.arg(keys.outbox()).arg(after).arg("+");
            let value = self
                .wire
                .send("drain", range.arg("COUNT").arg(BATCH))
                .await
                .map_err(text)?;
            let read = outbox::read(team, value)?;
            let Some(last) = read.last.clone() else {
                return Ok(());
            };
            if !tenure.after.contains_key(team) && !self.claim(tenure.term, &keys).await? {
                return Err("a later drain has taken over".to_owned());
            }
            for garbled in &read.garbled {
                // It stays in Redis, for somebody to look at.
                let why = format!("entry {garbled} of team {team} can't be read");
                self.tell(&StoreEvent::DrainFailed { why });
            }
            let entries = read.entries;
            self.blocking(move |archive| archive.keep(entries)).await?;
            if !self.trim(tenure.term, &keys, &read.ids).await? {
                return Err("a later drain has taken over".to_owned());
            }
            tenure.after.insert(Arc::clone(team), last);
            if read.ids.len() + read.garbled.len() < BATCH {
                return Ok(());
            }
            if tenure.kept.elapsed() >= KEEP_EVERY && !self.keep_role(tenure).await? {
                return Err("the role was lost".to_owned());
            }
        }
    }

    async fn claim(&self, term: i64, keys: &Keys) -> Result<bool, String> {
        let mut args = Packer::new();
        args.int(term);
        let (names, args) = ([keys.drain()], args.finish());
        let claimed = self.number(&self.scripts.claim, &names, &args).await;
        Ok(claimed.map_err(text)? == 1)
    }

    async fn trim(&self, term: i64, keys: &Keys, ids: &[String]) -> Result<bool, String> {
        let mut args = Packer::new();
        args.int(term);
        for id in ids {
            args.text(id);
        }
        let (names, args) = ([keys.drain(), keys.outbox()], args.finish());
        let trimmed = self.number(&self.scripts.trim, &names, &args).await;
        Ok(trimmed.map_err(text)? == 1)
    }

    /// Gives a team its balances, if it has none.
    async fn seed_team(&self, tenure: &mut Tenure, team: &Arc<str>) -> Result<(), String> {
        let keys = Keys::of(&Scope::Team(Arc::clone(team)));
        let mut epoch = redis::cmd("HEXISTS");
        epoch.arg(keys.account()).arg("ep");
        let known = self.wire.send("drain", &epoch).await.map_err(text)?;
        if known != Value::Int(1) {
            // What is still in the outbox belongs to the balances too.
            self.drain_team(tenure, team).await?;
            let now = self.clock.now();
            let since = now - self.memory.ended_ms;
            let of = Arc::clone(team);
            let seed = self.blocking(move |archive| archive.seed(&of, since));
            let seed = seed.await?;
            seed::sow(&self.wire, &self.scripts, (team, self.memory), (&seed, now))
                .await
                .map_err(text)?;
            let team = Arc::clone(team);
            self.tell(&StoreEvent::Seeded { team });
        }
        let add = redis::cmd("SADD").arg(keys::TEAMS).arg(&**team).take();
        self.wire.send("drain", &add).await.map_err(text)?;
        let done = redis::cmd("SREM").arg(keys::UNSEEDED).arg(&**team).take();
        self.wire.send("drain", &done).await.map_err(text)?;
        tenure.seeded.insert(Arc::clone(team));
        Ok(())
    }

    async fn number(&self, script: &Script, names: &[String], args: &[u8]) -> Result<i64, Fault> {
        let answer = self.wire.run("drain", script, names, &[args]).await?;
        Ok(reply::open(&answer)?.rest.int()?)
    }

    /// Does something with the ledger, on a thread that may wait for a disk.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Archive) -> io::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let archive = Arc::clone(&self.archive);
        let done = tokio::task::spawn_blocking(move || work(&*archive));
        let done = done.await.map_err(text)?.map_err(text);
        if let Err(why) = &done {
            let why = why.clone();
            self.tell(&StoreEvent::LedgerFailed { why });
        }
        done
    }

    fn tell_recovered(&self, told: &mut Told) {
        if told.failing {
            told.failing = false;
            self.tell(&StoreEvent::DrainRecovered);
        }
    }

    fn tell(&self, event: &StoreEvent) {
        self.wire.observer.happened(event);
    }
}

fn read<T: redis::FromRedisValue>(value: Value) -> Result<T, Fault> {
    T::from_redis_value(value).map_err(|error| Fault::Wrong(error.to_string()))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("seconds")
}
