//! Before the first article: is the gateway there, and does it take our key?

use crate::{
    failure::{Class, Refusal},
    gateway::Gateway,
    stop::Stop,
};
use std::time::Duration;
use tokio::time::Instant;
use tonic::Code;

/// How long to wait for a gateway that is just starting.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(300);

/// The version of the price list, if the gateway tells; or why no call can work.
pub(crate) async fn check(gateway: &Gateway, stop: &Stop) -> Result<Option<String>, String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let asked = tokio::select! {
            () = stop.cancelled() => return Ok(None),
            asked = gateway.list_models() => asked,
        };
        let status = match asked {
            Ok(models) => return Ok(Some(models.price_version)),
            // A gateway that does not list its models may serve completions all the same.
            Err(status) if status.code() == Code::Unimplemented => return Ok(None),
            Err(status) => status,
        };
        let refusal = Refusal::read(&status);
        match refusal.class {
            Class::Unauthenticated => return Err(refusal.message),
            Class::Unavailable if !refusal.from_gateway => {
                if Instant::now() >= until || !stop.is_admitting() {
                    return Err(format!("the gateway is out of reach: {}", refusal.message));
                }
                tokio::time::sleep(PAUSE).await;
            }
            _ => {
                tracing::warn!(error = %refusal.message, "preflight_unclear");
                return Ok(None);
            }
        }
    }
}
