//! Why Redis gave no answer, as far as it matters for what to do next.

use crate::error::StoreError;
use redis::{ErrorKind, RedisError, ServerErrorKind};
use std::fmt;

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing came in time: it may have been done or not.
    Timeout,
    /// The connection broke: it may have been done or not.
    Broken(String),
    /// The server can't serve now, and did nothing.
    Unfit(String),
    /// Its memory is full: it takes no new holds, though it lets old ones end.
    Full(String),
    /// Nothing was sent, because Redis failed too often.
    Open,
    /// The account of the team is gone and must be rebuilt from the ledger first.
    Unseeded,
    /// An amount is too large to be computed exactly.
    OutOfRange(String),
    /// A bug of ours, or another program's keys.
    Wrong(String),
}

impl Fault {
    /// Whether it may have been done all the same.
    pub(super) const fn is_unknown(&self) -> bool {
        matches!(self, Self::Timeout | Self::Broken(_))
    }

    /// Whether it says something about the health of Redis.
    pub(super) const fn is_outage(&self) -> bool {
        matches!(self, Self::Timeout | Self::Broken(_) | Self::Unfit(_))
    }

    /// Whether it may work later as it is.
    pub(super) const fn is_passing(&self) -> bool {
        self.is_outage() || matches!(self, Self::Full(_) | Self::Open | Self::Unseeded)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("Redis did not answer in time"),
            Self::Broken(why) => write!(f, "the connection to Redis broke: {why}"),
            Self::Unfit(why) => write!(f, "Redis can't serve now: {why}"),
            Self::Full(why) => write!(f, "the memory of Redis is full: {why}"),
            Self::Open => f.write_str("Redis failed too often and is being probed"),
            Self::Unseeded => f.write_str(
                "Redis has lost this team's balances; they are rebuilt from the ledger first",
            ),
            Self::OutOfRange(what) => {
                write!(f, "{what} is too large to be computed exactly (2^53 - 1)")
            }
            Self::Wrong(what) => write!(f, "Redis answered what can't be: {what}"),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self {
            detail: fault.to_string(),
        }
    }
}

impl From<super::pack::Garbled> for Fault {
    fn from(garbled: super::pack::Garbled) -> Self {
        Self::Wrong(garbled.to_string())
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        let text = error.to_string();
        match error.kind() {
            ErrorKind::Io | ErrorKind::Parse | ErrorKind::ClusterConnectionNotFound => {
                Self::Broken(text)
            }
            ErrorKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::TryAgain
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::NoPerm,
            )
            | ErrorKind::AuthenticationFailed
            | ErrorKind::MasterNameNotFoundBySentinel => Self::Unfit(text),
            _ => match error.code() {
                Some("OOM") => Self::Full(text),
                Some("NOAUTH" | "WRONGPASS" | "BUSY" | "MISCONF" | "NOREPLICAS") => {
                    Self::Unfit(text)
                }
                _ => Self::Wrong(text),
            },
        }
    }
}
