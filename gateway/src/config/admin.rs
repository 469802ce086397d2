//! `[admin]`: where operators connect, and who they are.

use super::{
    reader::Reader,
    server::{Server, address},
    team::{self, Key},
};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

/// The operators' API.
#[derive(Clone, Debug, Default)]
pub struct Admin {
    /// Where operators connect; without it there is no operators' API.
    pub listen: Option<SocketAddr>,
    /// Their keys, which no team has.
    pub keys: Vec<Key>,
}

/// Reads the table. Adds the ids of its keys to `ids`, where they must be unique.
pub(super) fn read(
    reader: &mut Reader<'_>,
    ids: &mut BTreeMap<Arc<str>, String>,
    server: &Server,
) -> Admin {
    let listen = reader.text("listen", address);
    let keys = team::keys(reader, ids);
    if reader.has("keys") || reader.has("listen") {
        reader.require("listen", "\"127.0.0.1:50052\"");
        reader.require(
            "keys",
            "[{ id = \"ops\", hmac_env = \"TOLLGATE_OPS_KEY\" }]; `tollgate keys new --id ops` \
             makes one",
        );
    }
    if reader.is_empty_list("keys") {
        reader.report("keys", "is empty, so that nobody could use it; add a key");
    }
    if let Some(listen) = listen {
        check(reader, listen, server);
    }
    Admin { listen, keys }
}

fn check(reader: &Reader<'_>, listen: SocketAddr, server: &Server) {
    let others = [server.listen, server.metrics_listen];
    if listen.port() != 0 && others.contains(&listen) {
        reader.report(
            "listen",
            format!("{listen} is taken by [server]; choose another port"),
        );
    }
    if !listen.ip().is_loopback() && server.tls.is_none() && !server.plaintext {
        reader.report(
            "listen",
            format!(
                "{listen} can be reached from other machines, and operators' keys would cross the \
                 network in the clear; name a certificate in [server.tls], or listen on 127.0.0.1"
            ),
        );
    }
}
