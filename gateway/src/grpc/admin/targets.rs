//! Deployments, and whether attempts go to them.

use super::{super::to_proto, AdminEndpoint};
use crate::{
    catalog::{Deployment, Model},
    operators::Refusal,
};
use std::{sync::Arc, time::Duration};
use tollgate_core::breaker::Breaker;
use tollgate_proto::admin::v1 as admin;
use tonic::{Request, metadata::MetadataMap};

impl AdminEndpoint {
    pub(super) fn targets(
        &self,
        request: &Request<admin::ListTargetsRequest>,
    ) -> Result<admin::ListTargetsResponse, Refusal> {
        self.operator(request.metadata())?;
        let catalog = self.office.catalog.load();
        let targets = catalog.models.values().flat_map(|model| {
            let deployments = model.deployments.iter();
            deployments.map(|deployment| self.target(model, deployment))
        });
        Ok(admin::ListTargetsResponse {
            targets: targets.collect(),
        })
    }

    pub(super) async fn set_drained(
        &self,
        metadata: &MetadataMap,
        deployment: &str,
        drained: bool,
    ) -> Result<admin::Target, Refusal> {
        let by = self.operator(metadata)?;
        let (model, found) = self.find(deployment)?;
        let operators = &self.office.operators;
        operators.set_drained(&found.id, drained).await?;
        let event = if drained {
            "target_drained"
        } else {
            "target_restored"
        };
        tracing::info!(event, %by, deployment);
        Ok(self.target(&model, &found))
    }

    /// A deployment, and the first model that it serves.
    fn find(&self, name: &str) -> Result<(Arc<Model>, Arc<Deployment>), Refusal> {
        let catalog = self.office.catalog.load();
        for model in catalog.models.values() {
            let found = model.deployments.iter().find(|found| *found.id == *name);
            if let Some(found) = found {
                return Ok((Arc::clone(model), Arc::clone(found)));
            }
        }
        Err(Refusal::UnknownTarget(name.to_owned()))
    }

    fn target(&self, model: &Arc<Model>, deployment: &Arc<Deployment>) -> admin::Target {
        let now = self.office.clock.now();
        let condition = self.office.health.condition(&deployment.id, now);
        let cooldown = condition.cooldown_ms.map(Duration::from_millis);
        let breaker = match condition.breaker {
            Breaker::Closed | Breaker::Failing { .. } => admin::BreakerState::Closed,
            Breaker::HalfOpen { .. } => admin::BreakerState::HalfOpen,
            Breaker::Open { .. } => admin::BreakerState::Open,
        };
        admin::Target {
            model: model.name.to_string(),
            deployment: deployment.id.to_string(),
            breaker: breaker.into(),
            drained: condition.drained,
            cooldown: cooldown.map(to_proto::duration),
        }
    }
}
