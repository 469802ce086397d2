//! Keys of teams.

use super::{super::to_proto, AdminEndpoint};
use crate::operators::{Issued, Listed, Refusal};
use secrecy::ExposeSecret as _;
use tollgate_proto::admin::v1 as admin;
use tonic::Request;

impl AdminEndpoint {
    pub(super) async fn create(
        &self,
        request: Request<admin::CreateKeyRequest>,
    ) -> Result<admin::CreateKeyResponse, Refusal> {
        let by = self.operator(request.metadata())?;
        let admin::CreateKeyRequest { team, key_id } = request.into_inner();
        let team = self.team(&team)?;
        let (issued, key) = self
            .office
            .operators
            .create_key(&team.name, &key_id)
            .await?;
        tracing::info!(event = "key_created", %by, key = %issued.id, team = %issued.team);
        Ok(admin::CreateKeyResponse {
            key: Some(issued_key(&issued)),
            secret: key.text().expose_secret().to_owned(),
        })
    }

    pub(super) async fn keys(
        &self,
        request: Request<admin::ListKeysRequest>,
    ) -> Result<admin::ListKeysResponse, Refusal> {
        self.operator(request.metadata())?;
        let team = request.into_inner().team;
        let operators = &self.office.operators;
        operators.refresh().await?;
        let listed = operators.keys((!team.is_empty()).then_some(team.as_str()));
        let keys = listed.iter().map(|listed| match listed {
            Listed::Issued(issued) => issued_key(issued),
            Listed::Configured { id, team } => admin::ApiKey {
                key_id: id.to_string(),
                team: team.to_string(),
                created_at: None,
                revoked_at: None,
                configured: true,
            },
        });
        Ok(admin::ListKeysResponse {
            keys: keys.collect(),
        })
    }

    pub(super) async fn revoke(
        &self,
        request: Request<admin::RevokeKeyRequest>,
    ) -> Result<admin::RevokeKeyResponse, Refusal> {
        let by = self.operator(request.metadata())?;
        let id = request.into_inner().key_id;
        let issued = self.office.operators.revoke_key(&id).await?;
        tracing::info!(event = "key_revoked", %by, key = %issued.id, team = %issued.team);
        Ok(admin::RevokeKeyResponse {
            key: Some(issued_key(&issued)),
        })
    }
}

fn issued_key(issued: &Issued) -> admin::ApiKey {
    admin::ApiKey {
        key_id: issued.id.to_string(),
        team: issued.team.to_string(),
        created_at: Some(to_proto::timestamp(issued.created_at)),
        revoked_at: issued.revoked_at.map(to_proto::timestamp),
        configured: false,
    }
}
