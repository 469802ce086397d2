//! Programs that write the port they listen on to a file.

use anyhow::{Context as _, Result, bail, ensure};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a program may take to listen.
const START: Duration = Duration::from_secs(20);

/// A program on loopback. Killed when dropped.
pub(crate) struct Listening {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Listening {
    /// Starts it, with `--port-file`, and waits until it listens.
    pub(crate) fn start(mut command: Command, port_file: &Path) -> Result<Self> {
        command.arg("--port-file").arg(port_file);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let mut starting = Self {
            child: child.context("a program of the benchmark can't be started")?,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        };
        let started = Instant::now();
        loop {
            let port = fs::read_to_string(port_file).unwrap_or_default();
            if let Ok(port) = port.trim().parse() {
                starting.address.set_port(port);
                return Ok(starting);
            }
            if let Some(ended) = starting.child.try_wait()? {
                bail!("a program of the benchmark ended with {ended}");
            }
            ensure!(started.elapsed() < START, "a program does not listen");
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
