//! A real Prometheus on loopback, to ask it what an operator's Prometheus would say.

use anyhow::{Context as _, bail};
use reqwest::Url;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead as _, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// How long Prometheus may take to serve.
const START: Duration = Duration::from_secs(30);

/// How often a wait asks again.
const POLL: Duration = Duration::from_millis(100);

/// What a Prometheus scrapes and evaluates.
pub struct Setup {
    /// The job and address of each process to scrape. One that is not there yet is down until it is.
    pub scrape: Vec<(String, SocketAddr)>,
    /// Files of recording and alert rules.
    pub rules: Vec<PathBuf>,
    /// Where alerts go.
    pub alertmanager: Option<SocketAddr>,
    /// How often it scrapes.
    pub interval: Duration,
    /// How often it evaluates rules.
    pub evaluation: Duration,
}

/// A running Prometheus. Killed when dropped.
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

/// The labels of a series; the metric's name, if it still has one, is `__name__`.
pub type Labels = BTreeMap<String, String>;

/// A value of a series at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What the series is of.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// The values of a series over a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the series is of.
    pub labels: Labels,
    /// Seconds since the epoch, and the value then.
    pub points: Vec<(f64, f64)>,
}

/// An alert that is pending or firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The alert's name.
    pub name: String,
    /// Whether it fires; it is pending if not.
    pub firing: bool,
    /// Its labels, the name among them.
    pub labels: Labels,
    /// Its annotations, expanded.
    pub annotations: Labels,
}

impl Prometheus {
    /// Starts the installed `prometheus` on a free port with a directory of its own, and waits
    /// until it answers.
    ///
    /// # Errors
    /// If it is not installed, or takes its configuration or rules amiss; says what it said.
    pub async fn start(setup: Setup) -> anyhow::Result<Self> {
        tollgate::provider::http::install_tls();
        let dir = TempDir::new()?;
        let config = dir.path().join("prometheus.yml");
        fs::write(&config, configuration(&setup))?;
        let spawned = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.path().join("data").display()
            ))
            .args(["--web.listen-address=127.0.0.1:0", "--log.format=json"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                "prometheus is not installed: run tests/prerequisites.sh, or install your \
                 system's prometheus package"
            ),
            Err(error) => return Err(error).context("prometheus does not start"),
        };
        let log = child.stderr.take().context("its log is piped")?;
        let (tell, told) = mpsc::channel();
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            // Read on to its end, so that the process never blocks on its log.
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                if let Some(address) = listening(&line) {
                    let _ = tell.send(address);
                }
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        let said = || said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let address = tokio::task::spawn_blocking(move || told.recv_timeout(START)).await?;
        let Ok(address) = address else {
            let _ = child.kill();
            let ended = child.wait()?;
            bail!(
                "prometheus says nowhere that it listens, and ended with {ended}:\n{}",
                said()
            );
        };
        let mut started = Self {
            child,
            address,
            _dir: dir,
        };
        let begin = Instant::now();
        while !started.ready().await {
            if let Some(ended) = started.child.try_wait()? {
                bail!("prometheus ended with {ended}:\n{}", said());
            }
            if begin.elapsed() > START {
                bail!("prometheus is not ready after {START:?}:\n{}", said());
            }
            sleep(POLL).await;
        }
        Ok(started)
    }

    /// Where it serves its API.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The value of an expression now.
    ///
    /// # Errors
    /// If Prometheus refuses the expression; says why.
    pub async fn query(&self, expression: &str) -> anyhow::Result<Vec<Sample>> {
        let data = self.get("query", &[("query", expression)]).await?;
        let result = &data["result"];
        if data["resultType"] == "scalar" {
            let value = number(&result[1])?;
            let labels = Labels::new();
            return Ok(vec![Sample { labels, value }]);
        }
        let found = result.as_array().context("a list of series")?;
        let samples = found.iter().map(|series| {
            Ok(Sample {
                labels: labels(&series["metric"]),
                value: number(&series["value"][1])?,
            })
        });
        samples.collect()
    }

    /// The values of an expression from `start` to `end`, in seconds since the epoch.
    ///
    /// # Errors
    /// If Prometheus refuses the expression; says why.
    pub async fn range(
        &self,
        expression: &str,
        start: f64,
        end: f64,
        step: Duration,
    ) -> anyhow::Result<Vec<Series>> {
        let parameters = [
            ("query", expression),
            ("start", &format!("{start:.3}")),
            ("end", &format!("{end:.3}")),
            ("step", &format!("{:.3}", step.as_secs_f64())),
        ];
        let data = self.get("query_range", &parameters).await?;
        let found = data["result"].as_array().context("a list of series")?;
        let series = found.iter().map(|series| {
            let values = series["values"].as_array().context("values")?;
            let points = values
                .iter()
                .map(|point| Ok((point[0].as_f64().context("a time")?, number(&point[1])?)));
            Ok(Series {
                labels: labels(&series["metric"]),
                points: points.collect::<anyhow::Result<_>>()?,
            })
        });
        series.collect()
    }

    /// The alerts that are pending or firing.
    ///
    /// # Errors
    /// If Prometheus does not answer.
    pub async fn alerts(&self) -> anyhow::Result<Vec<Alert>> {
        let data = self.get("alerts", &[]).await?;
        let found = data["alerts"].as_array().context("a list of alerts")?;
        let alerts = found.iter().map(|alert| {
            let labels = labels(&alert["labels"]);
            Alert {
                name: labels.get("alertname").cloned().unwrap_or_default(),
                firing: alert["state"] == "firing",
                labels,
                annotations: self::labels(&alert["annotations"]),
            }
        });
        Ok(alerts.collect())
    }

    /// The rules that it evaluates: names and expressions, as Prometheus writes them.
    ///
    /// # Errors
    /// If Prometheus does not answer.
    pub async fn rules(&self) -> anyhow::Result<Vec<(String, String)>> {
        let data = self.get("rules", &[]).await?;
        let groups = data["groups"].as_array().into_iter().flatten();
        let rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
        let named = rules.map(|rule| {
            let text = |key: &str| rule[key].as_str().context("a rule").map(str::to_owned);
            Ok((text("name")?, text("query")?))
        });
        named.collect()
    }

    /// Asks for an expression until its answer is as wanted, for at most `within`.
    ///
    /// # Errors
    /// If it never is; says what the last answer was.
    pub async fn wait_for(
        &self,
        expression: &str,
        within: Duration,
        wanted: impl Fn(&[Sample]) -> bool,
    ) -> anyhow::Result<Vec<Sample>> {
        let begin = Instant::now();
        loop {
            let answer = self.query(expression).await?;
            if wanted(&answer) {
                return Ok(answer);
            }
            if begin.elapsed() > within {
                let targets = self.get("targets", &[("state", "active")]).await?;
                let errors: Vec<_> = targets["activeTargets"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|target| {
                        (
                            &target["scrapeUrl"],
                            &target["health"],
                            &target["lastError"],
                        )
                    })
                    .collect();
                bail!(
                    "after {within:?} `{expression}` is still {answer:?}; its targets are {errors:?}"
                );
            }
            sleep(POLL).await;
        }
    }

    /// Asks for the alerts until they are as wanted, for at most `within`.
    ///
    /// # Errors
    /// If they never are; says what the last ones were.
    pub async fn wait_for_alerts(
        &self,
        within: Duration,
        wanted: impl Fn(&[Alert]) -> bool,
    ) -> anyhow::Result<Vec<Alert>> {
        let begin = Instant::now();
        loop {
            let alerts = self.alerts().await?;
            if wanted(&alerts) {
                return Ok(alerts);
            }
            if begin.elapsed() > within {
                bail!("after {within:?} the alerts are still {alerts:?}");
            }
            sleep(POLL).await;
        }
    }

    async fn ready(&self) -> bool {
        let answer = reqwest::get(format!("http://{}/-/ready", self.address)).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Value> {
        let url = format!("http://{}/api/v1/{path}", self.address);
        let url = Url::parse_with_params(&url, parameters)?;
        let body = reqwest::get(url).await?.bytes().await?;
        let mut answer: Value = serde_json::from_slice(&body)
            .with_context(|| String::from_utf8_lossy(&body).into_owned())?;
        if answer["status"] != "success" {
            bail!("Prometheus refuses {parameters:?}: {}", answer["error"]);
        }
        Ok(answer["data"].take())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The configuration file. JSON is YAML, so nothing needs quoting rules of its own.
fn configuration(setup: &Setup) -> String {
    let millis = |duration: Duration| format!("{}ms", duration.as_millis());
    let targets: Vec<_> = setup
        .scrape
        .iter()
        .map(|(job, address)| serde_json::json!({ "targets": [address], "labels": { "job": job } }))
        .collect();
    let mut config = serde_json::json!({
        "global": {
            "scrape_interval": millis(setup.interval),
            "scrape_timeout": millis(setup.interval),
            "evaluation_interval": millis(setup.evaluation),
        },
        "rule_files": setup.rules,
        // Each target's own job is among its labels.
        "scrape_configs": [{ "job_name": "tests", "static_configs": targets }],
    });
    if let Some(address) = setup.alertmanager {
        config["alerting"] = serde_json::json!({
            "alertmanagers": [{ "static_configs": [{ "targets": [address] }] }],
        });
    }
    config.to_string()
}

/// The address in the log line that says where it listens.
fn listening(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    if line["msg"] != "Listening on" {
        return None;
    }
    line["address"].as_str()?.parse().ok()
}

fn labels(value: &Value) -> Labels {
    let entries = value.as_object().into_iter().flatten();
    let text = entries.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    text.collect()
}

/// Prometheus writes numbers as texts, for NaN and infinity.
fn number(value: &Value) -> anyhow::Result<f64> {
    let text = value.as_str().context("a number as text")?;
    text.parse().with_context(|| format!("{text} is no number"))
}

#[cfg(test)]
mod tests;
