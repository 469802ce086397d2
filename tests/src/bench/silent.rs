//! The gateway without anything that tells what it does: no metrics, no log, no interaction log.
//!
//! It is made of the same library as `tollgate serve`, with the same allocator and runtime. There is
//! no such option in the product.

use anyhow::{Result, anyhow};
use std::{
    io::{self, Write as _},
    path::Path,
};
use tollgate::{
    app::{App, shutdown_signal},
    config::{self, ProcessEnvironment},
    telemetry,
};

/// Serves until it is told to stop. Its one line says where, as the product's does.
///
/// # Errors
/// If the configuration or an address can't be used.
pub async fn serve(config: &Path) -> Result<()> {
    telemetry::leave_out();
    let config = config::load(config, &ProcessEnvironment);
    let config = config.map_err(|problems| anyhow!("{problems}"))?;
    let app = App::start(config, None).await?;
    let line = serde_json::json!({
        "event": "listening",
        "grpc": app.grpc.to_string(),
        "metrics": app.metrics.to_string(),
    });
    writeln!(io::stdout(), "{line}")?;
    let waited = shutdown_signal(|| {}).await;
    app.shutdown().await;
    Ok(waited?)
}
