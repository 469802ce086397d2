//! A real Alertmanager with the shipped configuration, shortened.

use super::{repository, shortened};
use serde_json::Value;
use std::{
    fs,
    io::{self, BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};
use tempfile::TempDir;

/// How long it may take to listen.
const START: Duration = Duration::from_secs(30);

/// A running Alertmanager. Killed when dropped.
pub(super) struct Alertmanager {
    child: Child,
    pub(super) address: SocketAddr,
    _dir: TempDir,
}

impl Alertmanager {
    /// Starts one that posts to `webhook`, at a place for each of its receivers.
    pub(super) fn start(webhook: SocketAddr) -> Self {
        tollgate::provider::http::install_tls();
        let dir = TempDir::new().expect("a directory");
        let shipped = repository().join("deploy/alertmanager");
        let text = fs::read_to_string(shipped.join("alertmanager.yml")).expect("text");
        let urls = dir.path().join("urls");
        fs::create_dir(&urls).expect("a directory");
        for line in text.lines() {
            if let Some((_, place)) = line.split_once("api_url_file: /etc/alertmanager/urls/") {
                let url = format!("http://{webhook}/{place}");
                fs::write(urls.join(place), url).expect("it is written");
            }
        }
        let here = dir.path().display().to_string();
        let text = shortened::routing(&text).replace("/etc/alertmanager", &here);
        let config = dir.path().join("alertmanager.yml");
        fs::write(&config, text).expect("it is written");
        let template = "tollgate.tmpl";
        fs::copy(shipped.join(template), dir.path().join(template)).expect("it is copied");
        // Debian's name, and everybody else's.
        let names = ["prometheus-alertmanager", "alertmanager"];
        let started = names.iter().find_map(|name| {
            let started = Command::new(name)
                .arg(format!("--config.file={}", config.display()))
                .arg(format!(
                    "--storage.path={}",
                    dir.path().join("data").display()
                ))
                .args([
                    "--web.listen-address=127.0.0.1:0",
                    "--cluster.listen-address=",
                ])
                .arg("--log.format=json")
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn();
            match started {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                started => Some(started.expect("it starts")),
            }
        });
        let mut child = started.unwrap_or_else(|| {
            panic!(
                "alertmanager is not installed: `make prerequisites` installs it (Debian's package \
                 prometheus-alertmanager)"
            )
        });
        let log = BufReader::new(child.stderr.take().expect("piped"));
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            // Read on to its end, so that the process never blocks on its log.
            for line in log.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    continue;
                }
            }
        });
        let mut said = Vec::new();
        let address = loop {
            let Ok(line) = told.recv_timeout(START) else {
                panic!("it does not say where it listens: {said:#?}");
            };
            if let Some(address) = listening(&line) {
                break address;
            }
            said.push(line);
        };
        Self {
            child,
            address,
            _dir: dir,
        }
    }

    /// Tells it about alerts, given as their labels.
    pub(super) async fn raise(&self, alerts: &[Value]) {
        let body: Vec<_> = alerts
            .iter()
            .map(|labels| serde_json::json!({ "labels": labels }))
            .collect();
        let posted = reqwest::Client::new()
            .post(format!("http://{}/api/v2/alerts", self.address))
            .header("content-type", "application/json")
            .body(serde_json::to_vec(&body).expect("JSON"))
            .send()
            .await;
        let posted = posted.expect("it answers");
        assert!(posted.status().is_success(), "{:?}", posted.text().await);
    }

    /// The alerts that it keeps to itself because of others, as name and team.
    pub(super) async fn inhibited(&self) -> Vec<String> {
        let url = format!("http://{}/api/v2/alerts", self.address);
        let answer = reqwest::get(url).await.expect("it answers");
        let answer = answer.bytes().await.expect("whole");
        let alerts: Vec<Value> = serde_json::from_slice(&answer).expect("a list");
        let kept = alerts.iter().filter(|alert| {
            let by = alert["status"]["inhibitedBy"].as_array();
            by.is_some_and(|by| !by.is_empty())
        });
        let names = kept.map(|alert| {
            let label = |name: &str| {
                alert["labels"][name]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            };
            [label("alertname"), label("severity"), label("team")].join(" ")
        });
        let mut names: Vec<_> = names.map(|name| name.trim_end().to_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in the log line that says where it listens.
fn listening(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    let message = line["msg"].as_str()?;
    if !message.starts_with("Listening") {
        return None;
    }
    line["address"].as_str()?.parse().ok()
}
