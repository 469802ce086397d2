//! Building the parts of a gateway from its configuration.

use super::Parts;
use crate::{
    alerts::{Alerts, Webhook},
    catalog::Catalog,
    clock::{Clock, SystemClock},
    complete::{Completer, Gates, Policy, Settler, SettlerTask},
    config::{self, Config},
    grpc::{Callers, CompletionEndpoint, Edge, EdgePolicy, UsageEndpoint},
    health::Health,
    idempotency::Idempotency,
    interactions::Interactions,
    keys::Keyring,
    ledger::{Ledger, LedgerError, Options},
    provider::{
        Provider,
        anthropic::Anthropic,
        http::{Transport, install_tls},
        openai::{Flavour, OpenAi},
    },
    store::{Store, memory::MemoryStore},
    telemetry::{Build, Observer, log::Dropped},
};
use arc_swap::ArcSwap;
use secrecy::SecretString;
use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc};
use tokio_util::task::TaskTracker;
use tollgate_proto::v1::{
    completion_service_server::CompletionServiceServer, usage_service_server::UsageServiceServer,
};
use tonic::service::Routes;
use tonic_health::server::{HealthReporter, health_reporter};

/// Adapters by the name of their provider.
pub(super) type Adapters = BTreeMap<Arc<str>, Arc<dyn Provider>>;

/// What was built. The revision is set by whoever builds a release.
const BUILD: Build = Build {
    version: env!("CARGO_PKG_VERSION"),
    revision: match option_env!("TOLLGATE_REVISION") {
        Some(revision) => revision,
        None => "unknown",
    },
};

/// The longest message that is sent.
const MOST_RESPONSE_BYTES: usize = 16 << 20;

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address can't be listened on.
    #[error("can't listen on {address}: {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// A provider's address or key can't be used.
    #[error("providers.{provider}: {reason}")]
    Provider {
        /// The provider.
        provider: Arc<str>,
        /// Why.
        reason: String,
    },
    /// The ledger can't be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Something of the system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The store can't be used.
    #[error("store: {0}")]
    Store(String),
}

/// Everything but listeners.
pub(super) async fn parts(
    config: Config,
    log_lines: Option<Dropped>,
) -> Result<(Parts, SettlerTask, Option<Alerts>), StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let adapters = adapters(&config, &clock)?;
    let catalog = Arc::new(config.catalog(&adapters));
    let keyring = keyring(&config, &catalog);
    let observer = Arc::new(Observer::new(&catalog, BUILD, Arc::clone(&clock)));
    observer.configured(&catalog, &config.hash());
    observer.bounded(u64::try_from(config.server.max_in_flight).unwrap_or(u64::MAX));
    let alerts = alerts(&config, &observer)?;
    let (ledger, store) = store(&config, &clock)?;
    let interactions = Arc::new(Interactions::open(&config.interactions)?);
    let gates = Arc::new(Gates::default());
    let (settler, task) = Settler::new(
        Arc::clone(&store),
        Arc::clone(&gates),
        Arc::clone(&observer),
    );
    let parts = Parts {
        catalog: Arc::new(ArcSwap::new(catalog)),
        keyring: Arc::new(ArcSwap::from_pointee(keyring)),
        store,
        clock,
        settler,
        gates,
        health: Arc::new(Health::new(config.breaker)),
        observer,
        interactions,
        ledger,
        calls: TaskTracker::new(),
        log_lines,
        config,
    };
    Ok((parts, task, alerts))
}

/// What delivers alerts, if a webhook is configured.
fn alerts(config: &Config, observer: &Arc<Observer>) -> io::Result<Option<Alerts>> {
    let Some(url) = &config.alerts.webhook else {
        return Ok(None);
    };
    let webhook = Webhook::new(url.value().clone())?;
    let (alerts, sink) = Alerts::new(Arc::new(webhook), Arc::clone(observer));
    observer.alert_through(sink);
    Ok(Some(alerts))
}

/// One adapter for each configured provider.
pub(super) fn adapters(config: &Config, clock: &Arc<dyn Clock>) -> Result<Adapters, StartError> {
    install_tls();
    let transport = Transport::new(Arc::clone(clock)).map_err(io::Error::other)?;
    let mut adapters = Adapters::new();
    for (name, provider) in &config.providers {
        let adapter = adapter(provider, transport.clone());
        let adapter = adapter.map_err(|reason| StartError::Provider {
            provider: Arc::clone(name),
            reason,
        })?;
        adapters.insert(Arc::clone(name), adapter);
    }
    Ok(adapters)
}

fn adapter(
    provider: &config::provider::Provider,
    transport: Transport,
) -> Result<Arc<dyn Provider>, String> {
    use config::provider::Kind;
    let key = provider.api_key.as_ref().map(|key| key.value().clone());
    let url = &provider.base_url;
    let openai = |flavour| -> Result<Arc<dyn Provider>, String> {
        let made = OpenAi::new(url, key.clone(), flavour, transport.clone());
        Ok(Arc::new(made.map_err(|error| error.to_string())?))
    };
    match provider.kind {
        Kind::Openai => openai(Flavour::OpenAi),
        Kind::OpenaiCompatible => openai(Flavour::Compatible),
        Kind::Anthropic => {
            let key = key.ok_or_else(|| "needs a key".to_owned())?;
            let made = Anthropic::new(url, &key, transport);
            Ok(Arc::new(made.map_err(|error| error.to_string())?))
        }
    }
}

/// The keys of the catalog. Without any, nobody can call, and the pepper does not matter.
pub(super) fn keyring(config: &Config, catalog: &Catalog) -> Keyring {
    let none = SecretString::from("");
    let pepper = config.server.key_pepper.as_ref();
    Keyring::new(&catalog.keys, pepper.map_or(&none, |pepper| pepper.value()))
}

/// The ledger, and a store that has what the ledger remembers.
fn store(
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<Ledger>, Arc<dyn Store>), StartError> {
    if let config::store::Kind::Redis(_) = &config.store.kind {
        return Err(StartError::Store("redis is not served yet".to_owned()));
    }
    let options = Options {
        dir: config.ledger.dir.clone(),
        fsync_interval: config.ledger.fsync_interval,
        segment_bytes: config.ledger.segment_bytes,
    };
    let now = clock.now();
    let (ledger, mut restored) = Ledger::open(options, now)?;
    let found = restored.found;
    let expired = restored.expire_unclosed(now);
    for entry in &expired {
        use crate::ledger::Journal as _;
        ledger.queue(entry);
    }
    let store = MemoryStore::new(Arc::clone(clock), Arc::clone(&ledger) as _);
    for (team, book) in restored.fold.into_teams() {
        for (key, counter) in book.counters {
            store.restore_counter(&team, key, counter);
        }
        for (run, bound) in book.runs {
            store.restore_run(&team, run, bound.limit, bound.last_used);
        }
        store.restore_tally(&team, book.tally);
    }
    tracing::info!(
        event = "ledger_opened",
        segment = found.segment,
        entries_read = found.entries_read,
        torn_bytes = found.torn_bytes,
        unclosed_holds_charged = expired.len(),
        "the ledger is open and the balances are restored"
    );
    Ok((ledger, Arc::new(store)))
}

/// The services behind the edge.
pub(super) async fn edge(parts: &Parts) -> Result<(Edge, HealthReporter), StartError> {
    let server = &parts.config.server;
    let completer = Completer::new(crate::complete::Parts {
        catalog: Arc::clone(&parts.catalog),
        store: Arc::clone(&parts.store),
        clock: Arc::clone(&parts.clock),
        settler: parts.settler.clone(),
        health: Arc::clone(&parts.health),
        gates: Arc::clone(&parts.gates),
        observer: Arc::clone(&parts.observer),
        interactions: Arc::clone(&parts.interactions),
        idempotency: Idempotency::new(server.idempotency_window),
        tasks: parts.calls.clone(),
        policy: Policy {
            max_wait: server.max_wait,
            hangup_grace: server.hangup_grace,
            ..Policy::default()
        },
    });
    let callers = Callers::new(
        Arc::clone(&parts.catalog),
        Arc::clone(&parts.keyring),
        Arc::clone(&parts.observer),
    );
    let usage = UsageEndpoint::new(
        Arc::clone(&parts.store),
        Arc::clone(&parts.clock),
        callers.clone(),
    );
    let completion = CompletionServiceServer::new(CompletionEndpoint::new(completer, callers))
        .max_decoding_message_size(server.max_message_bytes)
        .max_encoding_message_size(MOST_RESPONSE_BYTES);
    let usage = UsageServiceServer::new(usage).max_encoding_message_size(MOST_RESPONSE_BYTES);
    let (reporter, health) = health_reporter();
    reporter
        .set_serving::<CompletionServiceServer<CompletionEndpoint>>()
        .await;
    reporter
        .set_serving::<UsageServiceServer<UsageEndpoint>>()
        .await;
    let mut routes = Routes::new(completion)
        .add_service(usage)
        .add_service(health);
    if server.reflection {
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(tollgate_proto::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let v1 = reflection().build_v1().map_err(io::Error::other)?;
        let v1alpha = reflection().build_v1alpha().map_err(io::Error::other)?;
        routes = routes.add_service(v1).add_service(v1alpha);
    }
    let policy = EdgePolicy {
        max_in_flight: u64::try_from(server.max_in_flight).unwrap_or(u64::MAX),
    };
    let edge = Edge::new(routes, Arc::clone(&parts.observer), policy);
    Ok((edge, reporter))
}

/// Tells load balancers to go elsewhere.
pub(super) async fn not_serving(reporter: &HealthReporter) {
    reporter
        .set_not_serving::<CompletionServiceServer<CompletionEndpoint>>()
        .await;
    reporter
        .set_not_serving::<UsageServiceServer<UsageEndpoint>>()
        .await;
    reporter
        .set_service_status("", tonic_health::ServingStatus::NotServing)
        .await;
}
