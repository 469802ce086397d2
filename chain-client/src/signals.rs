//! Ctrl-C and SIGTERM: the first lets what is in flight finish, the second cancels it.

use crate::{
    output::Output,
    span,
    stop::{Reason, Stop},
};
use std::time::Duration;

/// Listens until dropped.
pub(crate) async fn listen(stop: Stop, drain: Duration, output: Output) {
    let Some(reason) = next().await else { return };
    stop.admission(reason.clone());
    output.note(&format!(
        "stopping: letting articles finish for up to {} (Ctrl-C again to cancel)",
        span::show(drain)
    ));
    tokio::select! {
        () = tokio::time::sleep(drain) => {}
        _ = next() => {}
    }
    stop.everything(reason);
}

/// The next Ctrl-C or SIGTERM.
#[cfg(unix)]
pub(crate) async fn next() -> Option<Reason> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).ok()?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.ok().map(|()| Reason::Interrupted),
        _ = terminate.recv() => Some(Reason::Terminated),
    }
}

/// The next Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn next() -> Option<Reason> {
    tokio::signal::ctrl_c()
        .await
        .ok()
        .map(|()| Reason::Interrupted)
}
