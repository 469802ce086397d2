//! `make demo`: the example articles through the four steps, by a real gateway.
//!
//! Starts the provider simulator and a gateway on free loopback ports, runs chain-client over
//! `examples/articles/`, checks from report.json that the run showed a retry, a fallback, a strong
//! and a cheap model, compares the report's cost with the ledger, and stops what it started. Needs
//! no network, no key, and no Redis.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};
use tollgate_tests::harness::{Credentials, GatewayProcess, program};

/// What goes wrong on purpose: one model is throttled once, another is down for one article.
const FAULTS: [&str; 2] = [
    "model=gpt-3.5-turbo,first=1,action=429,retry-after=1",
    "model=gpt-4,contains=Floorball,action=503",
];
/// How long the simulator may take to listen.
const START: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    match demo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<()> {
    let home = env::current_dir().context("where are we?")?.join(".demo");
    if home.exists() {
        fs::remove_dir_all(&home).context("the last demo's files can't be removed")?;
    }
    fs::create_dir_all(&home)?;
    say("starting a provider simulator and a gateway on free ports ...")?;
    let simulator = Simulator::start(&home)?;
    let credentials = Credentials::new(&["k1"]);
    let config = write_config(&home, &simulator.url)?;
    let environment = DemoKeys(&credentials);
    let gateway = GatewayProcess::start_with(&config, &environment.variables())?;
    let url = format!("http://{}", gateway.grpc);
    say(&format!(
        "gateway at {url}, metrics at http://{}/metrics\n",
        gateway.metrics
    ))?;
    let out = home.join("run");
    let ran = Command::new(program("chain-client"))
        .args([
            "run",
            "examples/articles",
            "--gateway",
            &url,
            "--metrics-addr",
            "none",
        ])
        .args(["--time-budget", "5m", "--max-cost", "2.00", "--out"])
        .arg(&out)
        .env("TOLLGATE_API_KEY", credentials.key("k1"))
        .status()
        .context("chain-client can't be started")?;
    let report = read_report(&out)?;
    ensure!(ran.success(), "chain-client ended with {ran}");
    // The ledger is flushed when the gateway ends.
    let ended = gateway.terminate();
    ensure!(ended.success(), "the gateway ended with {ended}");
    drop(simulator);
    check(&report)?;
    let ledger = home.join("ledger");
    let charged = charged(&ledger)?;
    let cost = number(&report, "/totals/cost_nano_usd")?;
    ensure!(
        cost == charged,
        "the report says {cost} nano-dollars, the ledger {charged}"
    );
    say(&format!("\nshown: {}", shown(&report)?))?;
    say(&format!(
        "the report and the ledger agree: {cost} nano-dollars"
    ))?;
    say(&format!("report:  {}", out.join("report.html").display()))?;
    say(&format!("ledger:  {}", ledger.display()))
}

fn say(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("standard output is closed")
}

/// The simulator as a process of its own. Killed when dropped.
struct Simulator {
    child: Child,
    url: String,
}

impl Simulator {
    fn start(home: &Path) -> Result<Self> {
        let port_file = home.join("simulator.port");
        let mut command = Command::new(program("provider-simulator"));
        command.args(["--latency-ms", "20", "--jitter-ms", "60", "--port-file"]);
        command.arg(&port_file).stdout(Stdio::null());
        for fault in FAULTS {
            command.args(["--fault", fault]);
        }
        let mut child = command.spawn().context("the simulator can't be started")?;
        let started = Instant::now();
        loop {
            let port = fs::read_to_string(&port_file).unwrap_or_default();
            if let Ok(port) = port.trim().parse::<u16>() {
                let url = format!("http://127.0.0.1:{port}");
                return Ok(Self { child, url });
            }
            if let Some(ended) = child.try_wait()? {
                bail!("the simulator ended with {ended}");
            }
            ensure!(started.elapsed() < START, "the simulator does not listen");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The variables that examples/demo.toml names.
struct DemoKeys<'a>(&'a Credentials);

impl DemoKeys<'_> {
    fn variables(&self) -> Vec<(String, String)> {
        let made = self.0.variables();
        let take = |from: &str, to: &str| (to.to_owned(), made[from].clone());
        vec![
            take("TOLLGATE_KEY_PEPPER", "TOLLGATE_KEY_PEPPER"),
            take(&Credentials::variable("k1"), "TOLLGATE_NEWS_KEY"),
            take("SIMULATED_PROVIDER_KEY", "OPENAI_API_KEY"),
            take("SIMULATED_PROVIDER_KEY", "LOCAL_API_KEY"),
        ]
    }
}

fn write_config(home: &Path, simulator: &str) -> Result<PathBuf> {
    let template =
        fs::read_to_string("examples/demo.toml").context("run this in the repository")?;
    let home_text = home.to_str().context("a path that is text")?;
    let text = template
        .replace("SIMULATOR_URL", simulator)
        .replace("DATA_DIR", home_text);
    let path = home.join("gateway.toml");
    fs::write(&path, text)?;
    Ok(path)
}

fn read_report(out: &Path) -> Result<Value> {
    let text = fs::read_to_string(out.join("report.json")).context("there is no report.json")?;
    serde_json::from_str(&text).context("report.json is no JSON")
}

fn number(report: &Value, pointer: &str) -> Result<i64> {
    let found = report.pointer(pointer).and_then(Value::as_i64);
    found.with_context(|| format!("report.json has no {pointer}"))
}

/// The demo has shown what it is there to show.
fn check(report: &Value) -> Result<()> {
    ensure!(
        number(report, "/totals/articles/ok")? >= 6,
        "fewer than six articles were analysed"
    );
    ensure!(
        number(report, "/totals/gateway/retries")? >= 1,
        "no retry was shown"
    );
    ensure!(
        number(report, "/totals/gateway/fallbacks")? >= 1,
        "no fallback was shown"
    );
    for model in ["gpt-4", "gpt-3.5-turbo"] {
        ensure!(calls(report, model) >= 1, "{model} answered no call");
    }
    Ok(())
}

fn calls(report: &Value, model: &str) -> i64 {
    let models = report["models"].as_array();
    let of = |row: &&Value| row["model"] == model;
    let row = models.and_then(|models| models.iter().find(of));
    row.and_then(|row| row["calls"].as_i64()).unwrap_or(0)
}

fn shown(report: &Value) -> Result<String> {
    Ok(format!(
        "{} retries, {} fallbacks, {} calls by gpt-4 (strong), {} by gpt-3.5-turbo (cheap)",
        number(report, "/totals/gateway/retries")?,
        number(report, "/totals/gateway/fallbacks")?,
        calls(report, "gpt-4"),
        calls(report, "gpt-3.5-turbo"),
    ))
}

/// The sum of what the ledger charged the day's counter.
fn charged(ledger: &Path) -> Result<i64> {
    let report = tollgate::ledger::verify(ledger).context("the ledger does not verify")?;
    ensure!(report.is_sound(), "the ledger is not sound");
    let day = report
        .totals
        .iter()
        .filter(|total| (&*total.team, &*total.budget) == ("news", "day"));
    Ok(day.map(|total| total.spent_nano_usd).sum())
}
