//! Redis servers of tests.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A server on a free loopback port, killed on drop.
pub(super) struct Server {
    pub(super) port: u16,
    child: Child,
    dir: tempfile::TempDir,
    args: Vec<String>,
}

impl Server {
    /// A server that keeps nothing on disk.
    pub(super) fn start() -> Self {
        Self::with(&[])
    }

    /// The same with more arguments.
    pub(super) fn with(args: &[&str]) -> Self {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        // Another process may take the free port in between.
        for _ in 0..10 {
            let port = free_port();
            let dir = tempfile::tempdir().expect("a directory");
            let child = spawn(port, dir.path(), &args);
            let mut server = Self {
                port,
                child,
                dir,
                args: args.clone(),
            };
            if server.wait() {
                return server;
            }
        }
        panic!("redis-server does not start; is it installed?");
    }

    /// A sentinel that watches a master and decides alone.
    pub(super) fn sentinel(master: u16) -> Self {
        let port = free_port();
        let dir = tempfile::tempdir().expect("a directory");
        let config = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 {master} 1\n\
             sentinel down-after-milliseconds mymaster 300\n\
             sentinel failover-timeout mymaster 2000\n"
        );
        let path = dir.path().join("sentinel.conf");
        std::fs::write(&path, config).expect("a file");
        let child = Command::new("redis-server")
            .arg(&path)
            .arg("--sentinel")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let mut server = Self {
            port,
            child,
            dir,
            args: Vec::new(),
        };
        assert!(server.wait(), "the sentinel starts");
        server
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Sends a plain command, past all clients.
    pub(super) fn command(&self, words: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let timeout = Some(Duration::from_secs(5));
        stream.set_read_timeout(timeout).expect("a timeout");
        write!(stream, "{words}\r\n").expect("it listens");
        let mut answer = [0; 65_536];
        let read = stream.read(&mut answer).expect("it answers");
        String::from_utf8_lossy(&answer[..read]).into_owned()
    }

    /// `SIGSTOP`: it keeps its connections and answers nothing.
    pub(super) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(super) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// `SIGKILL`.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, empty unless its arguments say otherwise.
    pub(super) fn restart(&mut self) {
        self.child = spawn(self.port, self.dir.path(), &self.args);
        assert!(self.wait(), "it starts again");
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it runs");
    }

    fn wait(&mut self) -> bool {
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if let Ok(Some(_)) = self.child.try_wait() {
                return false;
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(port: u16, dir: &std::path::Path, args: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .args(["--maxmemory-policy", "noeviction", "--daemonize", "no"])
        .arg("--dir")
        .arg(dir)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}

/// A port that nobody listens on. Below the range that connections take theirs from.
pub(super) fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(20_000..22_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
