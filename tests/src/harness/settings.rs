//! The configuration of a gateway under test, as the text that an operator would write.

use super::Credentials;
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// A configuration in the making.
///
/// Starts with three models at the simulator: `gpt-4`,
/// `gpt-3.5-turbo`, and a free `local`; and the routes `strong` (gpt-4, then gpt-3.5-turbo, then
/// local) and `cheap` (gpt-3.5-turbo, then local).
#[derive(Clone, Debug)]
pub struct Settings {
    server: String,
    ledger: PathBuf,
    sections: String,
    teams: String,
    routes: String,
    models: String,
}

impl Settings {
    /// A configuration whose providers are simulated at this address, with ledger and
    /// interactions under `dir`.
    #[must_use]
    pub fn new(simulator: &str, dir: &Path) -> Self {
        let interactions = dir.join("interactions");
        let sections = format!(
            r#"
[interactions]
dir = "{}"

[providers.openai]
kind = "openai"
base_url = "{simulator}/v1"
api_key_env = "SIMULATED_PROVIDER_KEY"

[providers.anthropic]
kind = "anthropic"
base_url = "{simulator}/v1"
api_key_env = "SIMULATED_PROVIDER_KEY"

[providers.local]
kind = "openai_compatible"
base_url = "{simulator}/v1"
api_key_env = "SIMULATED_PROVIDER_KEY"

[telemetry]
log_format = "json"

[complexity]
simple = "cheap"
moderate = "cheap"
complex = "strong"
critical = "strong"
"#,
            interactions.display()
        );
        Self {
            server: SERVER.to_owned(),
            ledger: dir.join("ledger"),
            sections,
            teams: String::new(),
            routes: ROUTES.to_owned(),
            models: MODELS.to_owned(),
        }
    }

    /// Sets a key of `[server]`, given as its line.
    #[must_use]
    pub fn server(mut self, line: &str) -> Self {
        let key = line.split('=').next().unwrap_or(line);
        let kept = self.server.lines().filter(|old| !old.starts_with(key));
        let mut server: String = kept.map(|old| format!("{old}\n")).collect();
        writeln!(server, "{line}").expect("a string takes all");
        self.server = server;
        self
    }

    /// Keeps the ledger in this directory.
    #[must_use]
    pub fn ledger(mut self, dir: &Path) -> Self {
        self.ledger = dir.to_owned();
        self
    }

    /// Adds whole sections.
    #[must_use]
    pub fn section(mut self, text: &str) -> Self {
        writeln!(self.sections, "{text}").expect("a string takes all");
        self
    }

    /// Logs all that there is to log.
    ///
    /// # Panics
    /// If the level is set already.
    #[must_use]
    pub fn loud(mut self) -> Self {
        let table = "[telemetry]\n";
        assert!(!self.sections.contains("log_level"), "it is set once");
        let loud = format!("{table}log_level = \"trace\"\n");
        self.sections = self.sections.replace(table, &loud);
        self
    }

    /// Serves operators on a free port.
    #[must_use]
    pub fn operators(self) -> Self {
        self.section(
            "[admin]\nlisten = \"127.0.0.1:0\"\n\
             keys = [{ id = \"ops\", hmac_env = \"TEST_OPERATOR_HMAC\" }]",
        )
    }

    /// Replaces all routes.
    #[must_use]
    pub fn routes(mut self, text: &str) -> Self {
        self.routes = text.to_owned();
        self
    }

    /// Replaces all models.
    #[must_use]
    pub fn models(mut self, text: &str) -> Self {
        self.models = text.to_owned();
        self
    }

    /// Gives the deployment of this name limits, as the lines of its table.
    ///
    /// # Panics
    /// If the models have no such deployment, or it has limits already.
    #[must_use]
    pub fn quota(mut self, deployment: &str, limits: &str) -> Self {
        let bare = format!("name = \"{deployment}\" }}");
        assert!(self.models.contains(&bare), "{deployment} is there");
        let bounded = format!("name = \"{deployment}\", limits = {{ {limits} }} }}");
        self.models = self.models.replace(&bare, &bounded);
        self
    }

    /// Adds a team with a key and the routes `cheap` and `strong`; `lines` bound it.
    #[must_use]
    pub fn team(mut self, name: &str, lines: &str) -> Self {
        let variable = Credentials::variable(name);
        let text = format!(
            r#"
[teams.{name}]
keys = [{{ id = "{name}", hmac_env = "{variable}" }}]
routes = ["cheap", "strong"]
pipelines = ["content-analysis"]
{lines}
"#
        );
        self.teams.push_str(&text);
        self
    }

    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> String {
        let ledger = format!(
            "[ledger]\ndir = \"{}\"\nfsync_interval = \"10ms\"\n",
            self.ledger.display()
        );
        [
            &self.server,
            &ledger,
            &self.sections,
            &self.models,
            &self.routes,
            &self.teams,
        ]
        .map(String::as_str)
        .concat()
    }
}

const SERVER: &str = r#"
[server]
listen = "127.0.0.1:0"
metrics_listen = "127.0.0.1:0"
hangup_grace = "2s"
shutdown_grace = "5s"
"#;

const ROUTES: &str = r#"
[routes.cheap]
targets = ["gpt-3.5-turbo", "local"]
attempt_timeout = "5s"

[routes.strong]
targets = ["gpt-4", "gpt-3.5-turbo", "local"]
attempt_timeout = "5s"
"#;

const MODELS: &str = r#"
[models.gpt-4]
context_tokens = 8192
max_output_tokens = 4096
price = { input = "30", output = "60" }
deployments = [{ provider = "openai", name = "gpt-4" }]

[models."gpt-3.5-turbo"]
context_tokens = 16385
max_output_tokens = 4096
price = { input = "0.5", output = "1.5" }
deployments = [{ provider = "openai", name = "gpt-3.5-turbo" }]

[models.local]
context_tokens = 32768
max_output_tokens = 4096
price = { input = "0", output = "0" }
deployments = [{ provider = "local", name = "llama-3.1-8b" }]
"#;
