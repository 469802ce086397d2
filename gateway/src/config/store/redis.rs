//! The keys of `[store]` with `kind = "redis"`.

use crate::{
    config::{
        reader::Reader,
        secret::{self, Secret, Wanted},
        text::shown,
    },
    store::redis::check_url,
};
use secrecy::{ExposeSecret as _, SecretString};
use std::time::Duration;

/// How Redis is reached, and what this replica does for all.
#[derive(Clone, Debug)]
pub struct Redis {
    /// `redis://` or `rediss://`; may hold a password. For a cluster and for sentinels several,
    /// with blanks between them.
    pub url: Secret,
    /// What the URL leads to.
    pub topology: Topology,
    /// How long one command may take.
    pub command_timeout: Duration,
    /// Whether this replica may move the outbox from Redis to the ledger.
    pub drain: bool,
}

/// What the URL leads to.
#[derive(Clone, Debug)]
pub enum Topology {
    /// One master.
    Single,
    /// Some nodes of a cluster.
    Cluster,
    /// Sentinels that know the master.
    Sentinel {
        /// The name that they know it by.
        master: String,
        /// A URL whose user, password and database are those of the master.
        master_url: Option<Secret>,
    },
}

/// What stands for [`Topology`] in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum TopologyWord {
    Single,
    Cluster,
    Sentinel,
}

/// The words for [`Topology`].
pub(in crate::config) const TOPOLOGIES: [(&str, TopologyWord); 3] = [
    ("single", TopologyWord::Single),
    ("cluster", TopologyWord::Cluster),
    ("sentinel", TopologyWord::Sentinel),
];

impl Topology {
    pub(in crate::config) const fn word(&self) -> TopologyWord {
        match self {
            Self::Single => TopologyWord::Single,
            Self::Cluster => TopologyWord::Cluster,
            Self::Sentinel { .. } => TopologyWord::Sentinel,
        }
    }
}

impl Redis {
    /// The URLs, one by one.
    #[must_use]
    pub fn urls(&self) -> Vec<SecretString> {
        let urls = self.url.value().expose_secret().split_whitespace();
        urls.map(SecretString::from).collect()
    }
}

/// The keys of sentinels.
const OF_SENTINELS: [&str; 3] = ["master", "master_url_env", "master_url_file"];

/// Refuses the keys of Redis where there is none.
pub(super) fn refuse(reader: &mut Reader<'_>) {
    let keys = [
        "url_env",
        "url_file",
        "topology",
        "command_timeout",
        "drain",
    ];
    for key in keys.into_iter().chain(OF_SENTINELS) {
        reader.refuse(
            key,
            "belongs to kind = \"redis\"; remove it or change the kind",
        );
    }
    reader.refuse("url", "belongs to kind = \"redis\", as url_env or url_file");
}

/// `None` if there is a problem.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Redis> {
    let command_timeout = reader.duration(
        "command_timeout",
        Duration::from_millis(1)..=Duration::from_secs(10),
    );
    let drain = reader.flag("drain");
    let has_topology = reader.has("topology");
    let word = reader.word("topology", &TOPOLOGIES);
    // Of a topology that is misspelt nothing more is said.
    let known = word.or((!has_topology).then_some(TopologyWord::Single));
    let url = url(reader, "url", known);
    if !reader.has("url_file") {
        reader.require("url_env", "\"REDIS_URL\"");
    }
    let topology = match known {
        Some(TopologyWord::Sentinel) | None => sentinel(reader),
        Some(single_or_cluster) => {
            for key in OF_SENTINELS {
                reader.refuse(
                    key,
                    "belongs to topology = \"sentinel\"; remove it or change that",
                );
            }
            Some(match single_or_cluster {
                TopologyWord::Cluster => Topology::Cluster,
                TopologyWord::Single | TopologyWord::Sentinel => Topology::Single,
            })
        }
    };
    known?;
    Some(Redis {
        url: url?,
        topology: topology?,
        command_timeout: command_timeout.unwrap_or(Duration::from_millis(50)),
        drain: drain.unwrap_or(true),
    })
}

fn sentinel(reader: &mut Reader<'_>) -> Option<Topology> {
    let master = reader.text("master", |name| {
        let fits = !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control());
        fits.then(|| name.to_owned())
            .ok_or_else(|| format!("{} is not the name of a master", shown(name)))
    });
    let given = ["master_url_env", "master_url_file"].map(|key| reader.has(key));
    let master_url = url(reader, "master_url", Some(TopologyWord::Single));
    if reader.has("topology") && !reader.has("master") {
        reader.require("master", "\"mymaster\"");
    }
    if given.contains(&true) && master_url.is_none() {
        return None;
    }
    Some(Topology::Sentinel {
        master: master?,
        master_url,
    })
}

/// A secret that holds a URL, or several where the topology has several.
fn url(reader: &mut Reader<'_>, stem: &str, topology: Option<TopologyWord>) -> Option<Secret> {
    let wanted = Wanted {
        stem,
        default_variable: None,
    };
    let several = topology != Some(TopologyWord::Single);
    let checked = secret::read(reader, wanted, |urls| {
        if !several && urls.split_whitespace().count() > 1 {
            return Err(
                "holds several URLs; one is wanted, or say topology = \"cluster\" or \"sentinel\""
                    .to_owned(),
            );
        }
        urls.split_whitespace().try_for_each(check_url)
    });
    checked.map(|(url, ())| url)
}
