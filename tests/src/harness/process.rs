//! A gateway in a process of its own, to be killed.

use super::{Caller, Credentials, gateway::connect};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread::JoinHandle,
    time::Duration,
};

/// How long a program may take to say that it listens.
const START: Duration = Duration::from_secs(30);

/// A gateway process. Killed when dropped.
pub struct GatewayProcess {
    child: Child,
    /// Reads its log.
    reader: Option<JoinHandle<()>>,
    /// Where it serves gRPC.
    pub grpc: SocketAddr,
    /// Where it serves metrics.
    pub metrics: SocketAddr,
    /// Where it serves operators, if it does.
    pub admin: Option<SocketAddr>,
}

/// The path of one of the workspace's programs, built beside this test.
///
/// # Panics
/// If it was not built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let here = std::env::current_exe().expect("a path");
    let beside = here.ancestors().skip(1).map(|dir| dir.join(name));
    let found = beside.take(3).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not built: run `cargo build --workspace` first"))
}

impl GatewayProcess {
    /// Starts `tollgate serve` with this configuration file, which must log as JSON.
    #[must_use]
    pub fn start(config: &Path, credentials: &Credentials) -> Self {
        let variables: Vec<_> = credentials.variables().clone().into_iter().collect();
        Self::start_with(config, &variables).expect("it says where it listens")
    }

    /// The same with these variables in its environment.
    ///
    /// # Errors
    /// If it does not say where it listens.
    pub fn start_with(config: &Path, variables: &[(String, String)]) -> anyhow::Result<Self> {
        let mut command = Command::new(program("tollgate"));
        command.args(["serve", "--config"]).arg(config);
        Self::spawn(command, variables)
    }

    /// Any program that serves as a gateway does, and says so in the same line.
    ///
    /// # Errors
    /// If it does not say where it listens.
    pub fn spawn(command: Command, variables: &[(String, String)]) -> anyhow::Result<Self> {
        Self::spawn_logging(command, variables, io::sink())
    }

    /// The same with its log written to `log`: all of it is there after [`Self::terminate`].
    ///
    /// # Errors
    /// If it does not say where it listens.
    pub fn spawn_logging(
        mut command: Command,
        variables: &[(String, String)],
        mut log: impl Write + Send + 'static,
    ) -> anyhow::Result<Self> {
        let mut child = command
            .envs(variables.iter().cloned())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let stdout = child.stdout.take().expect("piped");
        let (tell, told) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            let lines = stdout.by_ref().lines().map_while(Result::ok);
            for line in lines {
                writeln!(log, "{line}").expect("a log is kept");
                if let Some(found) = listening(&line) {
                    let _ = tell.send(found);
                    break;
                }
            }
            // Read on after the address, so that the process never blocks on its log.
            let _ = io::copy(&mut stdout, &mut log);
        });
        let Ok(Addresses {
            grpc,
            metrics,
            admin,
        }) = told.recv_timeout(START)
        else {
            let _ = child.kill();
            let ended = child.wait()?;
            anyhow::bail!("the gateway does not say where it listens; it ended with {ended}");
        };
        Ok(Self {
            child,
            reader: Some(reader),
            grpc,
            metrics,
            admin,
        })
    }

    /// A caller of a team.
    pub async fn caller(&self, credentials: &Credentials, team: &str) -> Caller {
        Caller::new(connect(self.grpc).await, credentials.key(team))
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(mut self) -> ExitStatus {
        signal(self.child.id(), Signal::TERM);
        let ended = self.child.wait().expect("it ends");
        let reader = self.reader.take().expect("it is read until here");
        reader.join().expect("its log is read to its end");
        ended
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
///
/// # Panics
/// If the process is gone.
pub fn signal(process: u32, signal: Signal) {
    let id = i32::try_from(process).ok().and_then(Pid::from_raw);
    let sent = kill_process(id.expect("an id of a process"), signal);
    sent.expect("the process is there");
}

/// Where a gateway serves.
struct Addresses {
    grpc: SocketAddr,
    metrics: SocketAddr,
    admin: Option<SocketAddr>,
}

/// The addresses in the log line that says `listening`.
fn listening(line: &str) -> Option<Addresses> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    if fields.get("event")? != "listening" {
        return None;
    }
    let address = |name: &str| fields.get(name)?.as_str()?.parse().ok();
    Some(Addresses {
        grpc: address("grpc")?,
        metrics: address("metrics")?,
        admin: address("admin"),
    })
}
