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
    let again = next();
    stop.admission(reason.clone());
    output.note(&format!(
        "stopping: letting articles finish for up to {} (Ctrl-C again to cancel)",
        span::show(drain)
    ));
    tokio::select! {
        () = tokio::time::sleep(drain) => {}
        _ = again => {}
    }
    stop.everything(reason);
}

/// The next Ctrl-C or SIGTERM. It counts from this call on, not from the first poll: one that comes
/// while somebody is told about it is not lost.
#[cfg(unix)]
pub(crate) fn next() -> impl Future<Output = Option<Reason>> {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = signal(SignalKind::interrupt());
    let terminate = signal(SignalKind::terminate());
    async {
        let (mut interrupt, mut terminate) = (interrupt.ok()?, terminate.ok()?);
        tokio::select! {
            _ = interrupt.recv() => Some(Reason::Interrupted),
            _ = terminate.recv() => Some(Reason::Terminated),
        }
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
