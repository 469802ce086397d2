//! A gateway in this process, on ports of its own.

use super::{Caller, Credentials, RawCall, Settings};
use std::{net::SocketAddr, path::Path};
use tempfile::TempDir;
use tollgate::{app::App, config};
use tonic::transport::{Channel, Endpoint};

/// A gateway that serves until it is stopped.
pub struct Gateway {
    app: App,
    channel: Channel,
    credentials: Credentials,
    dir: TempDir,
}

impl Gateway {
    /// Starts a gateway in front of a simulator, with these teams and their bounds.
    pub async fn start(simulator: &str, teams: &[(&str, &str)]) -> Self {
        Self::start_with(simulator, teams, |settings| settings).await
    }

    /// The same, with the configuration changed before.
    pub async fn start_with(
        simulator: &str,
        teams: &[(&str, &str)],
        change: impl FnOnce(Settings) -> Settings,
    ) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let names: Vec<&str> = teams.iter().map(|(name, _)| *name).collect();
        let credentials = Credentials::new(&names);
        let mut settings = change(Settings::new(simulator, dir.path()));
        for (name, lines) in teams {
            settings = settings.team(name, lines);
        }
        let config = config::parse("test.toml", &settings.text(), &credentials.environment());
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        let app = App::start(config, None).await.expect("it starts");
        let channel = connect(app.grpc).await;
        Self {
            app,
            channel,
            credentials,
            dir,
        }
    }

    /// A caller of this team.
    #[must_use]
    pub fn caller(&self, team: &str) -> Caller {
        Caller::new(self.channel.clone(), self.credentials.key(team))
    }

    /// A call by this team of the method with this path, without a gRPC library.
    #[must_use]
    pub fn raw(&self, path: &str, team: &str) -> RawCall {
        RawCall::new(&self.url(), path, self.credentials.key(team))
    }

    /// A connection without credentials.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Where it serves gRPC.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.app.grpc)
    }

    /// Where it serves metrics.
    #[must_use]
    pub fn metrics_url(&self) -> String {
        format!("http://{}/metrics", self.app.metrics)
    }

    /// The key of a team, for programs of their own.
    #[must_use]
    pub fn key(&self, team: &str) -> &str {
        self.credentials.key(team)
    }

    /// Where its ledger and interactions are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Stops it as SIGTERM does, and gives back the directory with its ledger.
    pub async fn stop(self) -> TempDir {
        self.app.shutdown().await;
        self.dir
    }
}

/// A connection that is up.
pub(super) async fn connect(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    endpoint.connect().await.expect("it listens")
}
