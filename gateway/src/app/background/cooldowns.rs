//! Cooldowns that other gateways were told by a provider.
//!
//! A deployment with limits is asked for a hold before every call, and that tells. One without is
//! asked here, once in a while.

use super::super::Parts;
use std::sync::Arc;
use tollgate_core::{
    HoldId, Money,
    account::Refusal,
    hold::{HoldRequest, Need},
};

/// Learns the cooldowns of deployments without limits from the store.
pub(super) async fn learn(parts: Arc<Parts>) {
    let catalog = parts.catalog.load_full();
    let deployments = catalog.models.values().flat_map(|model| &model.deployments);
    for deployment in deployments.filter(|deployment| deployment.limits.is_empty()) {
        let now = parts.clock.now();
        let store = &parts.keeping.store;
        // Without an answer the provider's own 429 tells.
        let refusals = store.probe(&deployment.limits, nothing(now)).await;
        for refusal in refusals.unwrap_or_default() {
            if let Refusal::Cooldown { wait_ms } = refusal {
                parts.health.cool_down(&deployment.id, wait_ms, now);
            }
        }
    }
}

/// A request for nothing: only a cooldown can refuse it.
fn nothing(now: tollgate_core::Timestamp) -> HoldRequest {
    HoldRequest {
        id: HoldId::new(now, fastrand::u128(..)),
        need: Need::default(),
        amount: Money::ZERO,
        lease_ms: 0,
        max_wait_ms: None,
        floor_permille: 0,
        run: None,
        force: false,
    }
}
