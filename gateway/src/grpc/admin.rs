//! The operators' service: keys, targets, budgets, usage, configuration.

mod keys;
mod money;
mod status;
mod targets;

use crate::{
    catalog::{Catalog, Team},
    clock::Clock,
    health::Health,
    keys::Keyring,
    operators::{Operators, Refusal, Reload},
    store::Store,
};
use arc_swap::ArcSwap;
use status::status;
use std::sync::Arc;
use tollgate_proto::admin::v1::{self as admin, admin_service_server::AdminService};
use tonic::{Request, Response, Status, metadata::MetadataMap};

/// What operators look at and change.
#[derive(Clone)]
pub struct Office {
    /// Their own keys; the team of each is its id.
    pub keyring: Arc<ArcSwap<Keyring>>,
    /// What they decided.
    pub operators: Arc<Operators>,
    /// What is configured.
    pub catalog: Arc<ArcSwap<Catalog>>,
    /// Balances.
    pub store: Arc<dyn Store>,
    /// Deployments.
    pub health: Arc<Health>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The configuration file.
    pub reload: Arc<dyn Reload>,
}

/// Serves `tollgate.admin.v1.AdminService`.
#[derive(Clone)]
pub struct AdminEndpoint {
    office: Office,
}

type Answer<T> = Result<Response<T>, Status>;

impl AdminEndpoint {
    /// An endpoint of this office.
    #[must_use]
    pub const fn new(office: Office) -> Self {
        Self { office }
    }

    /// Who asks, by the id of the key.
    fn operator(&self, metadata: &MetadataMap) -> Result<Arc<str>, Refusal> {
        let header = metadata.get("authorization");
        let header = header.and_then(|value| value.to_str().ok());
        let keyring = self.office.keyring.load();
        let operator = keyring.authenticate(header).map(Arc::clone);
        operator.map_err(|_| Refusal::Nobody)
    }

    /// The team that is named.
    fn team(&self, name: &str) -> Result<Arc<Team>, Refusal> {
        if name.is_empty() {
            return Err(Refusal::invalid("team", "is missing"));
        }
        let catalog = self.office.catalog.load();
        let team = catalog.teams.get(name).map(Arc::clone);
        team.ok_or_else(|| Refusal::UnknownTeam(name.to_owned()))
    }

    /// The team that is named, or all.
    fn teams(&self, name: &str) -> Result<Vec<Arc<Team>>, Refusal> {
        if name.is_empty() {
            let catalog = self.office.catalog.load();
            return Ok(catalog.teams.values().map(Arc::clone).collect());
        }
        Ok(vec![self.team(name)?])
    }

    fn reload(&self, metadata: &MetadataMap) -> Result<admin::ReloadConfigResponse, Refusal> {
        let by = self.operator(metadata)?;
        let reloaded = self.office.reload.reload().map_err(Refusal::Unusable)?;
        tracing::info!(event = "config_reload_asked", %by, changed = reloaded.changed);
        Ok(admin::ReloadConfigResponse {
            config_hash: reloaded.hash,
            changed: reloaded.changed,
        })
    }
}

fn answer<T>(result: Result<T, Refusal>) -> Answer<T> {
    result
        .map(Response::new)
        .map_err(|refusal| status(&refusal))
}

#[tonic::async_trait]
impl AdminService for AdminEndpoint {
    async fn create_key(
        &self,
        request: Request<admin::CreateKeyRequest>,
    ) -> Answer<admin::CreateKeyResponse> {
        answer(self.create(request).await)
    }

    async fn list_keys(
        &self,
        request: Request<admin::ListKeysRequest>,
    ) -> Answer<admin::ListKeysResponse> {
        answer(self.keys(request).await)
    }

    async fn revoke_key(
        &self,
        request: Request<admin::RevokeKeyRequest>,
    ) -> Answer<admin::RevokeKeyResponse> {
        answer(self.revoke(request).await)
    }

    async fn list_targets(
        &self,
        request: Request<admin::ListTargetsRequest>,
    ) -> Answer<admin::ListTargetsResponse> {
        answer(self.targets(&request))
    }

    async fn drain_target(
        &self,
        request: Request<admin::DrainTargetRequest>,
    ) -> Answer<admin::DrainTargetResponse> {
        let (metadata, _, message) = request.into_parts();
        let target = self.set_drained(&metadata, &message.deployment, true).await;
        answer(target.map(|target| admin::DrainTargetResponse {
            target: Some(target),
        }))
    }

    async fn restore_target(
        &self,
        request: Request<admin::RestoreTargetRequest>,
    ) -> Answer<admin::RestoreTargetResponse> {
        let (metadata, _, message) = request.into_parts();
        let target = self
            .set_drained(&metadata, &message.deployment, false)
            .await;
        answer(target.map(|target| admin::RestoreTargetResponse {
            target: Some(target),
        }))
    }

    async fn list_budgets(
        &self,
        request: Request<admin::ListBudgetsRequest>,
    ) -> Answer<admin::ListBudgetsResponse> {
        answer(self.budgets(request).await)
    }

    async fn top_up_budget(
        &self,
        request: Request<admin::TopUpBudgetRequest>,
    ) -> Answer<admin::TopUpBudgetResponse> {
        answer(self.top_up(request).await)
    }

    async fn query_usage(
        &self,
        request: Request<admin::QueryUsageRequest>,
    ) -> Answer<admin::QueryUsageResponse> {
        answer(self.usage(request).await)
    }

    async fn reload_config(
        &self,
        request: Request<admin::ReloadConfigRequest>,
    ) -> Answer<admin::ReloadConfigResponse> {
        let endpoint = self.clone();
        // It reads files.
        let reloading = move || endpoint.reload(request.metadata());
        let reloaded = tokio::task::spawn_blocking(reloading).await;
        answer(reloaded.unwrap_or_else(|error| Err(Refusal::Unusable(error.to_string()))))
    }
}
