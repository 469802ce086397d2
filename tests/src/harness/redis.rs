//! Redis servers of their own, on free loopback ports.

use super::{Signal, signal};
use std::{
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(10);

/// A Redis that keeps nothing on disk, unless it is told to. Killed when dropped.
pub struct Redis {
    child: Child,
    port: u16,
    dir: TempDir,
    arguments: Vec<String>,
    /// What a sentinel writes to.
    config: Option<TempDir>,
}

impl Redis {
    /// Starts one.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more arguments.
    ///
    /// # Panics
    /// If `redis-server` is not installed.
    #[must_use]
    pub fn start_with(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
        // Another process may take the free port in between.
        for _ in 0..10 {
            // Below the range that connections take theirs from; so must be a cluster's second
            // port, which is 10,000 above.
            let clustered = arguments.iter().any(|one| one == "--cluster-enabled");
            let port = fastrand::u16(if clustered {
                20_000..22_000
            } else {
                22_000..30_000
            });
            let dir = TempDir::new().expect("a directory");
            let mut redis = Self {
                child: spawn(port, &dir, &arguments),
                port,
                dir,
                arguments: arguments.clone(),
                config: None,
            };
            if redis.listens() {
                return redis;
            }
        }
        panic!("redis-server does not start: `make prerequisites` installs it");
    }

    /// A sentinel that watches a master and decides alone.
    ///
    /// # Panics
    /// If `redis-server` is not installed.
    #[must_use]
    pub fn sentinel_of(master: &Self, name: &str) -> Self {
        let dir = TempDir::new().expect("a directory");
        let file = dir.path().join("sentinel.conf");
        let watched = format!("sentinel monitor {name} 127.0.0.1 {} 1\n", master.port);
        std::fs::write(&file, watched).expect("it is written");
        let path = file.display().to_string();
        let mut sentinel = Self::start_with(&[&path, "--sentinel"]);
        sentinel.config = Some(dir);
        sentinel
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs a command past all gateways, and says what it answered.
    ///
    /// # Panics
    /// If it is not answered.
    pub fn command<T: ::redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = ::redis::Client::open(self.url()).expect("a URL");
        let mut connection = client.get_connection().expect("it listens");
        let (name, arguments) = words.split_first().expect("a command");
        let mut command = ::redis::cmd(name);
        command.arg(arguments);
        command.query(&mut connection).expect("an answer")
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    pub fn freeze(&self) {
        signal(self.child.id(), Signal::STOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        signal(self.child.id(), Signal::CONT);
    }

    /// kill -9.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again after [`Redis::kill`], on the same port, and empty but for what is on disk.
    ///
    /// # Panics
    /// If it does not listen.
    pub fn restart(&mut self) {
        self.child = spawn(self.port, &self.dir, &self.arguments);
        assert!(self.listens(), "it starts again");
    }

    fn listens(&mut self) -> bool {
        let until = Instant::now() + START;
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(port: u16, dir: &TempDir, arguments: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    // A configuration file has to be the first argument.
    command
        .args(arguments)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .arg("--dir")
        .arg(dir.path());
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    if !has("--sentinel") {
        command.args(["--save", "", "--daemonize", "no"]);
        for (option, value) in [("--appendonly", "no"), ("--maxmemory-policy", "noeviction")] {
            if !has(option) {
                command.args([option, value]);
            }
        }
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed: `make prerequisites` does it")
}
