//! What happens to Redis and to gateways, and when it is over.

use super::site::Site;
use crate::harness::Redis;
use anyhow::{Result, ensure};
use std::time::Duration;
use tokio::time::Instant;

/// How long an outage lasts.
const OUTAGE: Duration = Duration::from_millis(2_500);

/// How long a sentinel and a replica may take to do their part.
const PATIENCE: Duration = Duration::from_secs(15);

/// The name that the sentinel knows the master by.
pub(super) const MASTER: &str = "tollgate";

/// What happens in the middle of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// kill -9 of a gateway.
    Killed,
    /// SIGSTOP of Redis, and SIGCONT after a while.
    Frozen,
    /// kill -9 of Redis, which has an append-only file, and a restart after a while.
    Restarted,
    /// FLUSHALL.
    Flushed,
    /// kill -9 of the master; a sentinel promotes its replica.
    FailedOver,
}

/// The Redis that gateways share: one, or a master with a replica and a sentinel.
pub(super) struct Servers {
    master: Redis,
    replica: Option<Redis>,
    sentinel: Option<Redis>,
}

impl Servers {
    pub(super) async fn start(trouble: Option<Trouble>) -> Result<Self> {
        match trouble {
            Some(Trouble::FailedOver) => Self::watched().await,
            Some(Trouble::Restarted) => Ok(Self::single(&["--appendonly", "yes"])),
            _ => Ok(Self::single(&[])),
        }
    }

    fn single(arguments: &[&str]) -> Self {
        Self {
            master: Redis::start_with(arguments),
            replica: None,
            sentinel: None,
        }
    }

    async fn watched() -> Result<Self> {
        let master = Redis::start();
        let url = master.url();
        let (_, port) = url.rsplit_once(':').unwrap_or_default();
        let replica = Redis::start_with(&["--replicaof", &format!("127.0.0.1 {port}")]);
        so("the replica is in step", || {
            info(&replica, "master_link_status") == "up"
        })
        .await?;
        let sentinel = Redis::sentinel_of(&master, MASTER);
        for (key, value) in [
            ("down-after-milliseconds", "500"),
            ("failover-timeout", "2000"),
        ] {
            sentinel.command::<String>(&["SENTINEL", "SET", MASTER, key, value]);
        }
        so("the sentinel knows the replica", || {
            let told: redis::Value = sentinel.command(&["SENTINEL", "REPLICAS", MASTER]);
            matches!(told, redis::Value::Array(replicas) if !replicas.is_empty())
        })
        .await?;
        Ok(Self {
            master,
            replica: Some(replica),
            sentinel: Some(sentinel),
        })
    }

    /// What gateways are told to connect to.
    pub(super) fn entrance(&self) -> &Redis {
        self.sentinel.as_ref().unwrap_or(&self.master)
    }

    /// Where the balances are now.
    pub(super) fn store(&self, trouble: Option<Trouble>) -> &Redis {
        match (&self.replica, trouble) {
            (Some(replica), Some(Trouble::FailedOver)) => replica,
            _ => &self.master,
        }
    }

    /// Makes trouble. Returns when Redis was well again (or, for a gateway that is killed, when
    /// it was).
    pub(super) async fn make(&mut self, trouble: Trouble, site: &mut Site) -> Result<Instant> {
        match trouble {
            Trouble::Killed => site.kill(0),
            Trouble::Frozen => {
                self.master.freeze();
                tokio::time::sleep(OUTAGE).await;
                self.master.thaw();
            }
            Trouble::Restarted => {
                self.master.kill();
                tokio::time::sleep(OUTAGE).await;
                self.master.restart();
                so("it has read its file", || {
                    info(&self.master, "loading") == "0"
                })
                .await?;
            }
            Trouble::Flushed => {
                self.master.command::<String>(&["FLUSHALL"]);
            }
            Trouble::FailedOver => {
                self.master.kill();
                let replica = self.store(Some(trouble));
                so("the replica is promoted", || {
                    info(replica, "role") == "master"
                })
                .await?;
            }
        }
        Ok(Instant::now())
    }
}

/// A figure of INFO.
fn info(redis: &Redis, key: &str) -> String {
    let all: String = redis.command(&["INFO"]);
    let mut lines = all.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(name, _)| *name == key);
    found.map_or_else(String::new, |(_, value)| value.to_owned())
}

async fn so(what: &str, is_so: impl Fn() -> bool) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        ensure!(Instant::now() < until, "it never came about that {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
