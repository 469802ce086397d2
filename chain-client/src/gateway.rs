//! The connection to the gateway: its address, its key, and when it last answered.

use secrecy::{ExposeSecret as _, SecretString};
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tollgate_proto::v1::{
    CompleteRequest, CompleteResponse, CompletionSpec, EstimateCostRequest, EstimateCostResponse,
    ListModelsRequest, ListModelsResponse, QueryUsageRequest, UsageRow,
    completion_service_client::CompletionServiceClient, usage_service_client::UsageServiceClient,
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For the calls that cost nothing.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);
/// An answer is far smaller; this only bounds memory.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// A handle on the gateway. Connects when it is first used.
#[derive(Clone)]
pub(crate) struct Gateway {
    completions: CompletionServiceClient<Channel>,
    usage: UsageServiceClient<Channel>,
    channel: Channel,
    bearer: MetadataValue<Ascii>,
    last_reached: Arc<Mutex<Instant>>,
}

impl Gateway {
    /// A handle on the gateway at this address. `ca_file` names the certificate authorities to trust.
    pub(crate) fn new(
        url: &str,
        key: &SecretString,
        ca_file: Option<&Path>,
    ) -> Result<Self, String> {
        let wrong = |error: tonic::transport::Error| format!("gateway {url:?}: {error}");
        let mut endpoint = Endpoint::from_shared(url.to_owned())
            .map_err(wrong)?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        if let Some(path) = ca_file {
            let pem =
                std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
            endpoint = endpoint.tls_config(tls).map_err(wrong)?;
        }
        let channel = endpoint.connect_lazy();
        let mut bearer: MetadataValue<Ascii> = format!("Bearer {}", key.expose_secret())
            .parse()
            .map_err(|_| "the API key holds characters that no key has".to_owned())?;
        bearer.set_sensitive(true);
        Ok(Self {
            completions: CompletionServiceClient::new(channel.clone())
                .max_decoding_message_size(MAX_ANSWER_BYTES),
            usage: UsageServiceClient::new(channel.clone()),
            channel,
            bearer,
            last_reached: Arc::new(Mutex::new(Instant::now())),
        })
    }

    /// The bare connection, for the health check.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    fn request<T>(&self, message: T, timeout: Duration) -> Request<T> {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", self.bearer.clone());
        request.set_timeout(timeout);
        request
    }

    pub(crate) async fn complete(
        &self,
        spec: CompletionSpec,
        timeout: Duration,
    ) -> Result<CompleteResponse, Status> {
        let request = self.request(CompleteRequest { spec: Some(spec) }, timeout);
        Ok(self
            .completions
            .clone()
            .complete(request)
            .await?
            .into_inner())
    }

    pub(crate) async fn estimate_cost(
        &self,
        spec: CompletionSpec,
    ) -> Result<EstimateCostResponse, Status> {
        let request = self.request(EstimateCostRequest { spec: Some(spec) }, ASK_TIMEOUT);
        Ok(self
            .completions
            .clone()
            .estimate_cost(request)
            .await?
            .into_inner())
    }

    pub(crate) async fn list_models(&self) -> Result<ListModelsResponse, Status> {
        let request = self.request(ListModelsRequest {}, ASK_TIMEOUT);
        Ok(self.usage.clone().list_models(request).await?.into_inner())
    }

    /// What the gateway's ledger says about a run, over these UTC days.
    pub(crate) async fn usage_of(
        &self,
        run: &str,
        days: (String, String),
    ) -> Result<UsageRow, Status> {
        let ask = QueryUsageRequest {
            from_day: days.0,
            to_day: days.1,
            run: run.to_owned(),
            ..QueryUsageRequest::default()
        };
        let request = self.request(ask, ASK_TIMEOUT);
        let answer = self.usage.clone().query_usage(request).await?.into_inner();
        Ok(answer.total.unwrap_or_default())
    }

    /// Notes that the gateway answered.
    pub(crate) fn reached(&self) {
        *self
            .last_reached
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long the gateway has not answered.
    pub(crate) fn unreached_for(&self) -> Duration {
        self.last_reached
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }
}
