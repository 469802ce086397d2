//! Building the parts of a gateway from its configuration.

use super::{
    Parts,
    keeping::{Ground, Keeping},
};
use crate::{
    alerts::{Alerts, Webhook},
    catalog::Key,
    clock::{Clock, SystemClock},
    complete::{Completer, Gates, Policy, Settler, SettlerTask},
    config::{self, Config},
    grpc::{
        AdminEndpoint, Callers, CompletionEndpoint, Edge, EdgePolicy, Office, UsageEndpoint,
        reflection,
    },
    health::Health,
    idempotency::Idempotency,
    interactions::Interactions,
    keys::Keyring,
    ledger::LedgerError,
    operators::{Configured, Operators, Refusal},
    provider::{
        Provider,
        anthropic::Anthropic,
        http::{Transport, install_tls},
        openai::{Flavour, OpenAi},
    },
    store::redis::ConnectError,
    telemetry::{self, Build, Observer, log::Dropped},
    tls::{Identity, Problem},
};
use arc_swap::ArcSwap;
use secrecy::SecretString;
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock},
};
use tokio_util::task::TaskTracker;
use tollgate_proto::{
    admin::v1::admin_service_server::AdminServiceServer,
    v1::{
        completion_service_server::CompletionServiceServer,
        usage_service_server::UsageServiceServer,
    },
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

/// What operators may ask for at once; more is OVERLOADED.
const MOST_OPERATIONS: u64 = 100;

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
    /// The certificate can't be used.
    #[error("{0}")]
    Certificate(String),
    /// The ledger can't be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Something of the system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The store can't be used.
    #[error("store: {0}")]
    Store(String),
    /// Redis can't be used.
    #[error("store: {0}")]
    Redis(#[from] ConnectError),
}

/// Everything but listeners.
pub(super) async fn parts(
    config: Config,
    log_lines: Option<Dropped>,
) -> Result<(Parts, Vec<SettlerTask>, Option<Alerts>), StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let adapters = adapters(&config, &clock)?;
    let catalog = Arc::new(config.catalog(&adapters));
    let observer = Arc::new(Observer::new(&catalog, BUILD, Arc::clone(&clock)));
    observer.configured(&catalog, &config.hash());
    observer.bounded(u64::try_from(config.server.max_in_flight).unwrap_or(u64::MAX));
    let alerts = alerts(&config, &observer)?;
    let catalog = Arc::new(ArcSwap::new(catalog));
    let ground = Ground {
        clock: Arc::clone(&clock),
        observer: Arc::clone(&observer),
        catalog: Arc::clone(&catalog),
    };
    let keeping = Keeping::start(&config, ground).await?;
    let interactions = Arc::new(Interactions::open(&config.interactions)?);
    if telemetry::is_left_out() {
        interactions.close();
    }
    let identity = identity(&config)?;
    if let Some(identity) = &identity {
        observer.certificate_shown(identity.ends_at());
    }
    let health = Arc::new(Health::new(config.breaker));
    let operators = Operators::new(
        Arc::clone(&keeping.board),
        Arc::clone(&clock),
        Arc::clone(&health),
        configured(&config),
    );
    let read = operators.refresh().await;
    read.map_err(unread)?;
    let gates = Arc::new(Gates::default());
    let (settler, tasks) = Settler::new(
        Arc::clone(&keeping.store),
        Arc::clone(&gates),
        Arc::clone(&observer),
    );
    let parts = Parts {
        catalog,
        keyring: operators.keyring(),
        operators: Arc::new(operators),
        office_keyring: ArcSwap::from_pointee(office_keyring(&config)).into(),
        source: OnceLock::new(),
        hash: Mutex::new(config.hash()),
        keeping,
        clock,
        settler,
        gates,
        health,
        observer,
        identity,
        interactions,
        calls: TaskTracker::new(),
        log_lines,
        config,
    };
    Ok((parts, tasks, alerts))
}

/// Without what operators decided, keys that were revoked might work.
fn unread(refusal: Refusal) -> StartError {
    let why = match refusal {
        Refusal::Unavailable(error) => error.detail,
        other => other.to_string(),
    };
    StartError::Store(format!(
        "can't read which keys operators made and revoked: {why}; start again when Redis answers"
    ))
}

/// The certificate that callers are shown, if one is named.
fn identity(config: &Config) -> Result<Option<Arc<Identity>>, StartError> {
    let loaded = config.server.tls.clone().map(Identity::load).transpose();
    loaded.map_err(|problems| {
        let told = problems
            .iter()
            .map(|Problem { key, message }| format!("server.tls.{key}: {message}"));
        StartError::Certificate(told.collect::<Vec<_>>().join("\n"))
    })
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

/// What the configuration says of keys. Without any, nobody can call, and the pepper does not
/// matter.
pub(super) fn configured(config: &Config) -> Configured {
    let ids = config.admin.keys.iter().map(|key| Arc::clone(&key.id));
    Configured {
        keys: config.keys(),
        operators: ids.collect(),
        pepper: pepper(config),
    }
}

/// The keys of operators; the team of each is its id.
pub(super) fn office_keyring(config: &Config) -> Keyring {
    let keys = config.admin.keys.iter().map(|key| {
        let (team, hmac) = (Arc::clone(&key.id), key.hmac);
        (Arc::clone(&key.id), Key { team, hmac })
    });
    Keyring::new(&keys.collect(), &pepper(config))
}

fn pepper(config: &Config) -> SecretString {
    let pepper = config.server.key_pepper.as_ref();
    pepper.map_or_else(SecretString::default, |pepper| pepper.value().clone())
}

/// The services behind the edge.
pub(super) async fn edge(parts: &Parts) -> Result<(Edge, HealthReporter), StartError> {
    let server = &parts.config.server;
    let completer = Completer::new(crate::complete::Parts {
        catalog: Arc::clone(&parts.catalog),
        store: Arc::clone(&parts.keeping.store),
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
        Arc::clone(&parts.keeping.store),
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
    let mut routes = Routes::new(usage).add_service(health);
    if server.reflection {
        routes = reflection::of_callers(routes)?;
    }
    let policy = EdgePolicy {
        max_in_flight: u64::try_from(server.max_in_flight).unwrap_or(u64::MAX),
    };
    let edge = Edge::new(routes, Arc::clone(&parts.observer), policy).with_completions(completion);
    Ok((edge, reporter))
}

/// The operators' service behind an edge of its own.
pub(super) fn office(parts: &Arc<Parts>) -> io::Result<Edge> {
    let endpoint = AdminEndpoint::new(Office {
        keyring: Arc::clone(&parts.office_keyring),
        operators: Arc::clone(&parts.operators),
        catalog: Arc::clone(&parts.catalog),
        store: Arc::clone(&parts.keeping.store),
        health: Arc::clone(&parts.health),
        clock: Arc::clone(&parts.clock),
        reload: Arc::clone(parts) as _,
    });
    let service = AdminServiceServer::new(endpoint).max_encoding_message_size(MOST_RESPONSE_BYTES);
    let mut routes = Routes::new(service);
    if parts.config.server.reflection {
        routes = reflection::of_operators(routes)?;
    }
    let policy = EdgePolicy {
        max_in_flight: MOST_OPERATIONS,
    };
    Ok(Edge::new(routes, Arc::clone(&parts.observer), policy))
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
