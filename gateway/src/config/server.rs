//! `[server]`: listeners, and how much the gateway takes on.

use super::{
    reader::Reader,
    secret::{self, Secret, Wanted},
    text, tls,
};
use crate::{call::LONGEST_DEADLINE, tls::Files};
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// Listeners, and how much the gateway takes on.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where callers connect, gRPC.
    pub listen: SocketAddr,
    /// Where Prometheus and health checks connect, HTTP.
    pub metrics_listen: SocketAddr,
    /// Whether callers may connect from other machines without TLS.
    pub plaintext: bool,
    /// The certificate that callers are shown; without it there is no TLS.
    pub tls: Option<Files>,
    /// Calls at a time; more are refused as `OVERLOADED`.
    pub max_in_flight: usize,
    /// How long running calls may take after a signal to stop.
    pub shutdown_grace: Duration,
    /// The largest message that is taken in, in bytes.
    pub max_message_bytes: usize,
    /// Whether gRPC server reflection is served.
    pub reflection: bool,
    /// What API keys are hashed with; there whenever a team has a key.
    pub key_pepper: Option<Secret>,
    /// How long an idempotency key replays its answer.
    pub idempotency_window: Duration,
    /// How long the gateway reads on after a caller hung up, to learn the usage.
    pub hangup_grace: Duration,
    /// How long a call waits for its limits at most.
    pub max_wait: Duration,
}

/// The variable that holds the pepper unless the file names another.
pub const PEPPER_VARIABLE: &str = "TOLLGATE_KEY_PEPPER";

/// A pepper shorter than this could be guessed.
const SHORTEST_PEPPER: usize = 32;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// Whether any team has a key, so that the pepper is needed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    Some,
    None,
}

pub(super) fn read(reader: &mut Reader<'_>, keys: Keys) -> Server {
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listen = reader
        .text("listen", address)
        .unwrap_or_else(|| loopback(50_051));
    let metrics_listen = reader
        .text("metrics_listen", address)
        .unwrap_or_else(|| loopback(9_464));
    let plaintext = reader.flag("plaintext").unwrap_or(false);
    check_listeners(reader, [listen, metrics_listen]);
    let tls = reader.optional_table("tls", tls::read);
    check_exposure(reader, listen, plaintext);
    reader.refuse(
        "admin_listen",
        "is `listen` in the table [admin], beside the keys of operators",
    );
    Server {
        listen,
        metrics_listen,
        plaintext,
        tls,
        max_in_flight: count(reader.number("max_in_flight", 1..=1_000_000), 1_000),
        shutdown_grace: reader
            .duration("shutdown_grace", Duration::ZERO..=Duration::from_hours(1))
            .unwrap_or(30 * SECOND),
        max_message_bytes: count(
            reader.size("max_message_bytes", 1 << 10..=64 << 20),
            4 << 20,
        ),
        reflection: reader.flag("reflection").unwrap_or(true),
        key_pepper: pepper(reader, keys),
        idempotency_window: reader
            .duration("idempotency_window", SECOND..=7 * DAY)
            .unwrap_or(DAY),
        hangup_grace: reader
            .duration("hangup_grace", Duration::ZERO..=LONGEST_DEADLINE)
            .unwrap_or(10 * SECOND),
        max_wait: reader
            .duration("max_wait", Duration::ZERO..=LONGEST_DEADLINE)
            .unwrap_or(5 * SECOND),
    }
}

fn count(found: Option<u64>, default: usize) -> usize {
    found
        .and_then(|found| usize::try_from(found).ok())
        .unwrap_or(default)
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "{} is not an IP address and a port, such as \"127.0.0.1:50051\" or \"[::1]:50051\"",
            text::shown(text)
        )
    })
}

/// Keys and prompts cross a network in the clear only where the file says so.
fn check_exposure(reader: &Reader<'_>, listen: SocketAddr, plaintext: bool) {
    let encrypted = reader.has("tls");
    if encrypted && plaintext {
        reader.report(
            "plaintext",
            "is true, and [server.tls] names a certificate; remove one of them",
        );
    }
    if !listen.ip().is_loopback() && !plaintext && !encrypted {
        reader.report(
            "listen",
            format!(
                "{listen} can be reached from other machines, and keys and prompts would cross the \
                 network in the clear; name a certificate in [server.tls], or, if TLS ends before \
                 the gateway, say plaintext = true, or listen on 127.0.0.1"
            ),
        );
    }
}

fn check_listeners(reader: &Reader<'_>, [listen, metrics]: [SocketAddr; 2]) {
    // Port 0 means any free port.
    if listen == metrics && listen.port() != 0 {
        reader.report(
            "metrics_listen",
            format!("{metrics} is taken by listen; choose another port"),
        );
    }
}

fn pepper(reader: &mut Reader<'_>, keys: Keys) -> Option<Secret> {
    let wanted = Wanted {
        stem: "key_pepper",
        default_variable: (keys == Keys::Some).then_some(PEPPER_VARIABLE),
    };
    let long_enough = |pepper: &str| match pepper.len() {
        SHORTEST_PEPPER.. => Ok(()),
        length => Err(format!(
            "the pepper has {length} characters and needs {SHORTEST_PEPPER}; `tollgate keys new` \
             makes one"
        )),
    };
    secret::read(reader, wanted, long_enough).map(|(pepper, ())| pepper)
}
