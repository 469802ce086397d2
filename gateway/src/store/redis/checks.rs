//! What a Redis must be to keep balances, checked at start with the remedy in the message.

use super::{
    fault::Fault,
    keys::{LIFE, SCHEMA, SCHEMA_KEY},
    link::Link,
    settings::Topology,
};
use redis::{ErrorKind, FromRedisValue as _, RedisError, RedisResult};
use std::fmt;

/// The oldest version that runs `#!lua` scripts.
const OLDEST: u32 = 7;

/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    version: String,
    role: String,
    policy: String,
    clustered: bool,
    loading: bool,
    /// Changes when another server answers, or the same after a restart.
    pub(super) identity: String,
}

impl Facts {
    /// Reads the answer to `INFO`.
    pub(super) fn read(info: &str) -> Self {
        let value = |name: &str| {
            let line = info
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_default().trim().to_owned()
        };
        Self {
            version: value("redis_version"),
            role: value("role"),
            policy: value("maxmemory_policy"),
            clustered: value("cluster_enabled") == "1",
            loading: value("loading") == "1",
            identity: format!("{}/{}", value("run_id"), value("master_replid")),
        }
    }

    /// Why it can't serve now, if so.
    pub(super) fn unfit(&self) -> Option<&'static str> {
        if self.loading {
            return Some("it is loading its data");
        }
        let is_replica = !self.role.is_empty() && self.role != "master";
        is_replica.then_some("it is a replica")
    }

    fn check(&self, topology: &Topology) -> Result<(), ConnectError> {
        let major = self.version.split('.').next().and_then(|v| v.parse().ok());
        if major.is_some_and(|major: u32| major < OLDEST) {
            return Err(ConnectError::TooOld(self.version.clone()));
        }
        if self.loading {
            return Err(ConnectError::Unreachable("it is loading its data".into()));
        }
        if !self.role.is_empty() && self.role != "master" {
            return Err(ConnectError::ReadOnly);
        }
        if !self.policy.is_empty() && self.policy != "noeviction" {
            return Err(ConnectError::Evicts(self.policy.clone()));
        }
        match (topology, self.clustered) {
            (Topology::Cluster, false) => Err(ConnectError::NotClustered),
            (Topology::Single | Topology::Sentinel { .. }, true) => Err(ConnectError::Clustered),
            _ => Ok(()),
        }
    }
}

/// Why a Redis can't keep balances, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// The URL is not one.
    BadUrl(String),
    /// Nothing answers.
    Unreachable(String),
    /// It wants a password, or another one.
    Unauthenticated(String),
    /// The user may not do what is needed.
    Forbidden(String),
    /// It is a replica.
    ReadOnly,
    /// It can't run the scripts.
    TooOld(String),
    /// It drops keys when memory is short.
    Evicts(String),
    /// It is a node of a cluster, and the settings say it is not.
    Clustered,
    /// It is no node of a cluster, and the settings say it is.
    NotClustered,
    /// It holds keys of another version of Tollgate.
    OtherVersion(String),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadUrl(why) => write!(
                f,
                "the Redis URL is wrong ({why}); write redis://[user:password@]host:port/[database], \
                 or rediss:// for TLS"
            ),
            Self::Unreachable(why) => write!(
                f,
                "Redis can't be reached ({why}); start it, or correct host and port in the URL"
            ),
            Self::Unauthenticated(why) => write!(
                f,
                "Redis refuses the credentials ({why}); put user and password into the URL: \
                 redis://user:password@host:port"
            ),
            Self::Forbidden(why) => write!(
                f,
                "the Redis user may not do what is needed ({why}); allow it the keys tollgate:* \
                 and the commands of scripting, strings, hashes, sorted sets and streams, and INFO"
            ),
            Self::ReadOnly => f.write_str(
                "this Redis is a read-only replica; give the URL of its master, or use sentinels",
            ),
            Self::TooOld(version) => {
                write!(f, "Redis {version} is too old; Tollgate needs 7.0 or later")
            }
            Self::Evicts(policy) => write!(
                f,
                "this Redis drops keys when memory is short (maxmemory-policy {policy}), which \
                 would forget what was spent; set maxmemory-policy noeviction"
            ),
            Self::Clustered => f.write_str(
                "this Redis is a node of a cluster; say so in the settings of the store",
            ),
            Self::NotClustered => f.write_str(
                "this Redis is no node of a cluster; give the URLs of a cluster's nodes, or say \
                 that it is a single server",
            ),
            Self::OtherVersion(found) => write!(
                f,
                "this Redis holds keys of layout {found}, and this build writes layout {SCHEMA}; \
                 use the build that wrote them, or another database, and `tollgate ledger rebuild`"
            ),
        }
    }
}

impl std::error::Error for ConnectError {}

impl From<RedisError> for ConnectError {
    fn from(error: RedisError) -> Self {
        let text = error.to_string();
        match (error.kind(), error.code()) {
            (ErrorKind::InvalidClientConfig, _) => Self::BadUrl(text),
            (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
                Self::Unauthenticated(text)
            }
            (ErrorKind::Server(redis::ServerErrorKind::NoPerm), _) => Self::Forbidden(text),
            (ErrorKind::Server(redis::ServerErrorKind::ReadOnly), _) => Self::ReadOnly,
            (
                ErrorKind::Server(
                    redis::ServerErrorKind::Moved | redis::ServerErrorKind::ClusterDown,
                ),
                _,
            ) => Self::Clustered,
            _ => Self::Unreachable(text),
        }
    }
}

/// Checks everything that can be known before the first hold. Returns who answers.
pub(super) async fn check(link: &Link, topology: &Topology) -> Result<String, ConnectError> {
    // A plain command first, because its errors say most.
    link.send(redis::cmd("GET").arg(SCHEMA_KEY)).await?;
    let facts = link.facts().await.map_err(|fault| match fault {
        Fault::Wrong(why) => ConnectError::Forbidden(why),
        other => ConnectError::Unreachable(other.to_string()),
    })?;
    for facts in &facts {
        facts.check(topology)?;
    }
    let mut mark = redis::cmd("SET");
    link.send(mark.arg(SCHEMA_KEY).arg(SCHEMA).arg("NX"))
        .await?;
    let found = link.send(redis::cmd("GET").arg(SCHEMA_KEY)).await?;
    let found = String::from_redis_value(found).unwrap_or_default();
    if found != SCHEMA {
        return Err(ConnectError::OtherVersion(found));
    }
    Ok(identity(&facts, &life(link).await?))
}

/// A mark that lives as long as the data. Whoever finds none makes one: so each gateway notices
/// that all was flushed, also one that asked for nothing meanwhile. A Redis that is full refuses
/// to write, but endings free what their holds took, so a mark that is there is only read.
pub(super) async fn life(link: &Link) -> RedisResult<String> {
    let read = redis::cmd("GET").arg(LIFE).take();
    if let Some(mark) = Option::from_redis_value(link.send(&read).await?)? {
        return Ok(mark);
    }
    let mark = format!("{:032x}", fastrand::u128(..));
    link.send(redis::cmd("SET").arg(LIFE).arg(mark).arg("NX"))
        .await?;
    Ok(String::from_redis_value(link.send(&read).await?)?)
}

/// Who answers, and with which data.
pub(super) fn identity(facts: &[Facts], life: &str) -> String {
    let mut all: Vec<&str> = facts.iter().map(|facts| &*facts.identity).collect();
    all.push(life);
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(changes: &[(&str, &str)]) -> Facts {
        let mut info = String::new();
        let usual = [
            ("redis_version", "7.0.15"),
            ("role", "master"),
            ("maxmemory_policy", "noeviction"),
            ("cluster_enabled", "0"),
            ("run_id", "a"),
        ];
        for (name, value) in usual {
            let changed = changes.iter().find(|(changed, _)| *changed == name);
            let value = changed.map_or(value, |(_, value)| value);
            info.push_str(&format!("# Part\r\n{name}:{value}\r\n"));
        }
        Facts::read(&info)
    }

    #[test]
    fn each_unfit_server_is_told_what_to_change() {
        let single = Topology::Single;
        assert_eq!(facts(&[]).check(&single), Ok(()));
        let remedy = |changes: &[(&str, &str)]| {
            let error = facts(changes).check(&single).expect_err("it is unfit");
            error.to_string()
        };
        assert!(remedy(&[("redis_version", "6.2.14")]).contains("needs 7.0"));
        assert!(remedy(&[("role", "slave")]).contains("URL of its master"));
        assert!(remedy(&[("maxmemory_policy", "allkeys-lru")]).contains("set maxmemory-policy"));
        assert!(remedy(&[("cluster_enabled", "1")]).contains("node of a cluster"));
        assert_eq!(
            facts(&[]).check(&Topology::Cluster),
            Err(ConnectError::NotClustered)
        );
    }
}
