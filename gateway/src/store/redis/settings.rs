//! How Redis is reached.

use secrecy::SecretString;
use std::{fmt, time::Duration};
use tollgate_core::account::Memory;

/// How Redis is reached, and how long things may take.
#[derive(Clone)]
pub struct Settings {
    /// `redis://` or `rediss://`: the master, some nodes of a cluster, or the sentinels.
    pub urls: Vec<SecretString>,
    /// What the URLs lead to.
    pub topology: Topology,
    /// How long one command may take.
    pub command_timeout: Duration,
    /// How long ended holds are remembered. Endings that found no Redis are repeated within the
    /// first figure only: later a missing hold may have been forgotten rather than lost.
    pub memory: Memory,
    /// How long a hold waits while the balances of its team are rebuilt.
    pub rebuild_wait: Duration,
}

/// What the URLs lead to.
#[derive(Clone, Debug)]
pub enum Topology {
    /// One master.
    Single,
    /// A cluster.
    Cluster,
    /// Sentinels that know the master.
    Sentinel {
        /// The name of the master.
        master: String,
        /// A URL whose user, password and database are those of the master.
        node: Option<SecretString>,
    },
}

impl Settings {
    /// The usual settings for one master.
    #[must_use]
    pub fn new(url: SecretString) -> Self {
        Self {
            urls: vec![url],
            topology: Topology::Single,
            command_timeout: Duration::from_millis(50),
            memory: Memory {
                ended_ms: 15 * 60_000,
                expired_ms: 24 * 3_600_000,
            },
            rebuild_wait: Duration::from_millis(500),
        }
    }
}

/// Checks the form of a URL, without asking whoever is there. The message does not show it.
///
/// # Errors
/// With what is wrong with it.
pub fn check_url(url: &str) -> Result<(), String> {
    let known = url.starts_with("redis://") || url.starts_with("rediss://");
    if known && redis::IntoConnectionInfo::into_connection_info(url).is_ok() {
        return Ok(());
    }
    Err(
        "does not hold a Redis URL; write redis://[user:password@]host:port[/database], or \
         rediss:// for TLS"
            .to_owned(),
    )
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("topology", &self.topology)
            .field("command_timeout", &self.command_timeout)
            .finish_non_exhaustive()
    }
}
