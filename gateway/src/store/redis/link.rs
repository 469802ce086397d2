//! The way to Redis: multiplexed connections to the master, or one per shard.
//!
//! Each core has a connection of its own, which its thread drives, so that no other thread is woken
//! for a call; all other threads share one. A connection batches the system calls of all its callers
//! by itself. It never reconnects on its own, so that is done here: the first caller who finds it
//! broken dials, the others wait as long as their own deadlines allow.

use super::{
    checks::Facts,
    fault::Fault,
    gate::Gate,
    settings::{Settings, Topology},
};
use crate::cores;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, RedisResult, Value,
    aio::{ConnectionLike as _, MultiplexedConnection},
    cluster_async::ClusterConnection,
    cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo},
    sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType},
};
use secrecy::ExposeSecret as _;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long dialing may take; a caller's own deadline is shorter.
const DIAL_TIMEOUT: Duration = Duration::from_secs(1);

/// How many commands may wait for the connection's writer before callers wait too.
const PIPELINE_BUFFER: usize = 1_024;

/// How long sent data may stay unacknowledged: a host that died says nothing.
const DEAD_AFTER: Duration = Duration::from_secs(5);

/// A way to Redis.
pub(super) enum Link {
    /// One master.
    Direct(Box<Direct>),
    /// The masters of a cluster.
    Cluster(Cluster),
}

/// One master, found by its address or by sentinels.
pub(super) struct Direct {
    dial: Dial,
    /// One for each core, and the last for all other threads.
    lanes: Box<[Lane]>,
    /// Which Redis was connected to last.
    identity: Mutex<Option<String>>,
    /// Is shut when another Redis answers, until what may have been lost is repeated.
    gate: Option<Arc<Gate>>,
}

enum Dial {
    Address(Box<Client>),
    Sentinels(Box<tokio::sync::Mutex<SentinelClient>>),
}

/// The connection of those who run on one thread.
#[derive(Default)]
struct Lane {
    current: Mutex<Option<Line>>,
    dialing: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Line {
    connection: MultiplexedConnection,
    number: u64,
}

/// The masters of a cluster.
pub(super) struct Cluster {
    connection: ClusterConnection,
}

impl Link {
    /// Prepares a link. A cluster is connected to at once, a master when it is first asked.
    pub(super) async fn new(settings: &Settings, gate: Option<Arc<Gate>>) -> RedisResult<Self> {
        let urls: Vec<&str> = settings.urls.iter().map(|u| u.expose_secret()).collect();
        let first = urls.first().copied().ok_or_else(|| {
            RedisError::from((ErrorKind::InvalidClientConfig, "no Redis URL was given"))
        })?;
        let dial = match &settings.topology {
            Topology::Single => {
                let info = redis::IntoConnectionInfo::into_connection_info(first)?;
                let tcp = tcp(info.tcp_settings().clone());
                Dial::Address(Box::new(Client::open(info.set_tcp_settings(tcp))?))
            }
            Topology::Sentinel { master, node } => {
                let node = node
                    .as_ref()
                    .map(|url| url.expose_secret())
                    .unwrap_or(first);
                let info = redis::IntoConnectionInfo::into_connection_info(node)?;
                let node = SentinelNodeConnectionInfo::default()
                    .set_tcp_settings(tcp(info.tcp_settings().clone()))
                    .set_redis_connection_info(info.redis_settings().clone());
                let master_role = SentinelServerType::Master;
                let client = SentinelClient::build(urls, master, Some(node), master_role)?;
                Dial::Sentinels(Box::new(tokio::sync::Mutex::new(client)))
            }
            Topology::Cluster => {
                let client = redis::cluster::ClusterClient::builder(urls)
                    // Retries are ours; one is needed to follow a slot that has moved.
                    .retries(1)
                    .connection_timeout(DIAL_TIMEOUT)
                    .response_timeout(DIAL_TIMEOUT)
                    .build()?;
                let connection = client.get_async_connection().await?;
                return Ok(Self::Cluster(Cluster { connection }));
            }
        };
        Ok(Self::Direct(Box::new(Direct {
            dial,
            lanes: (0..=cores::count().get())
                .map(|_| Lane::default())
                .collect(),
            identity: Mutex::default(),
            gate,
        })))
    }

    /// Sends a command and waits for its answer.
    pub(super) async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Direct(direct) => direct.send(command).await,
            Self::Cluster(cluster) => {
                let mut connection = cluster.connection.clone();
                connection
                    .req_packed_command(command)
                    .await?
                    .extract_error()
            }
        }
    }

    /// Waits for a connection.
    pub(super) async fn ready(&self) -> RedisResult<()> {
        match self {
            Self::Direct(direct) if direct.lane().current().is_none() => {
                direct.line().await.map(drop)
            }
            Self::Direct(_) | Self::Cluster(_) => Ok(()),
        }
    }

    /// What the master says of itself, or all masters of a cluster.
    pub(super) async fn facts(&self) -> Result<Vec<Facts>, Fault> {
        match self {
            Self::Direct(direct) => {
                let value = direct.send(&redis::cmd("INFO").take()).await?;
                Ok(vec![Facts::read(&text(&value))])
            }
            Self::Cluster(cluster) => {
                let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
                let mut connection = cluster.connection.clone();
                let info = redis::cmd("INFO").take();
                let mut nodes = match connection.route_command(info, masters).await? {
                    Value::Map(nodes) => nodes,
                    other => vec![(Value::Nil, other)],
                };
                nodes.sort_by_key(|(address, _)| text(address));
                Ok(nodes
                    .iter()
                    .map(|(_, info)| Facts::read(&text(info)))
                    .collect())
            }
        }
    }

    /// Drops the connections, so that the next commands dial anew.
    pub(super) fn reset(&self) {
        if let Self::Direct(direct) = self {
            direct.hang_up();
        }
    }
}

impl Lane {
    fn current(&self) -> MutexGuard<'_, Option<Line>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Direct {
    async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        let Line {
            mut connection,
            number,
        } = self.line().await?;
        let result = connection.send_packed_command(command).await;
        let result = result.and_then(Value::extract_error);
        if let Err(error) = &result
            && (error.is_unrecoverable_error() || is_demoted(error))
        {
            let mut current = self.lane().current();
            // Another caller may have dialed already.
            if current.as_ref().is_some_and(|line| line.number == number) {
                *current = None;
            }
        }
        result
    }

    /// The lane of this thread.
    fn lane(&self) -> &Lane {
        let others = self.lanes.len() - 1;
        &self.lanes[cores::here().unwrap_or(others)]
    }

    fn hang_up(&self) {
        for lane in &self.lanes {
            *lane.current() = None;
        }
    }

    async fn line(&self) -> RedisResult<Line> {
        let lane = self.lane();
        if let Some(line) = lane.current().clone() {
            return Ok(line);
        }
        let _one = lane.dialing.lock().await;
        if let Some(line) = lane.current().clone() {
            return Ok(line);
        }
        let mut connection = tokio::time::timeout(DIAL_TIMEOUT, self.dial())
            .await
            .unwrap_or_else(|_| Err(late()))?;
        let info = redis::cmd("INFO").take();
        let info = connection
            .send_packed_command(&info)
            .await?
            .extract_error()?;
        self.recognize(&Facts::read(&text(&info)));
        let line = Line {
            connection,
            number: fastrand::u64(..),
        };
        *lane.current() = Some(line.clone());
        Ok(line)
    }

    /// Nobody is admitted by a Redis that may have lost what this replica was granted.
    fn recognize(&self, facts: &Facts) {
        let identity = Some(facts.identity.clone());
        let mut known = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = *known != identity;
        let is_first = known.is_none();
        *known = identity;
        drop(known);
        if !is_new || is_first {
            return;
        }
        // The other connections may be to the one before.
        self.hang_up();
        if let Some(gate) = &self.gate {
            gate.shut("another Redis answers, or the same after a restart or without its data");
        }
    }

    async fn dial(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(DIAL_TIMEOUT))
            // Every call has a deadline of its own.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(PIPELINE_BUFFER);
        match &self.dial {
            Dial::Address(client) => {
                client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await
            }
            Dial::Sentinels(client) => {
                let mut client = client.lock().await;
                client.get_async_connection_with_config(&config).await
            }
        }
    }
}

fn tcp(settings: redis::io::tcp::TcpSettings) -> redis::io::tcp::TcpSettings {
    let settings = settings.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(DEAD_AFTER);
    settings
}

fn is_demoted(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(redis::ServerErrorKind::ReadOnly)
}

fn late() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        _ => String::new(),
    }
}
