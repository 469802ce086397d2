//! The run: start everything, load it, stop everything.

use super::{
    child::Listening,
    gateway,
    load::{Answers, Load},
    machine,
    report::{Conditions, Memory, Report, Round, Side},
};
use crate::harness::{Redis, program};
use anyhow::{Result, ensure};
use std::{env, fs, path::Path, process::Command, time::Duration};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The rounds of each side.
    pub rounds: usize,
    /// How long one is measured.
    pub measured: Duration,
    /// For how long it is loaded before that.
    pub warm_up: Duration,
    /// After how many calls the memory is read; before that, after half of them.
    pub memory_calls: u64,
}

/// The longest time for one half of `memory_calls`.
const MOST_FOR_HALF: Duration = Duration::from_secs(25);
/// After load, what is under way may still need memory: endings, and lines to be written.
const SETTLES: Duration = Duration::from_millis(500);

/// One of the two that are compared.
pub(super) struct Subject {
    name: &'static str,
    process: u32,
    load: Load,
    rounds: Vec<Round>,
    pub(super) answered: u64,
}

/// Measures both sides.
///
/// # Errors
/// If something can't be started or read, or a call failed.
pub async fn run(plan: Plan, say: impl Fn(&str) -> Result<()>) -> Result<Report> {
    let conditions = Conditions::of(plan)?;
    let dir = tempfile::tempdir()?;
    let simulator = simulator(&dir.path().join("simulator.port"))?;
    let floor = pass_through(
        &simulator.url(),
        &dir.path().join("pass-through.port"),
        None,
    )?;
    let home = dir.path().join("gateway");
    fs::create_dir(&home)?;
    say("starting simulator, pass-through and gateway on loopback")?;
    let started = gateway::start(&simulator.url(), &home, None).await?;
    let first_answer = started.first_answer;
    let mut ours = Subject::new("gateway", started.process.id(), &started.load);
    ours.answered += 1;
    let theirs = Load::connect(&[floor.url()], "none").await?;
    let mut theirs = Subject::new("pass-through", floor.id(), &theirs);
    say(&format!("memory: {} calls", plan.memory_calls))?;
    let memory = memory(plan, &mut ours).await?;
    for number in 1..=plan.rounds {
        say(&format!("round {number} of {}", plan.rounds))?;
        let both = [&mut theirs, &mut ours];
        in_turn(number, both, plan, &simulator).await?;
    }
    let report = Report {
        conditions,
        first_answer,
        memory,
        pass_through: theirs.side()?,
        gateway: ours.side()?,
    };
    started.stop(&home, ours.answered)?;
    Ok(report)
}

/// A round of each. Who goes first changes, so that a machine that slows down slows both.
pub(super) async fn in_turn(
    number: usize,
    mut both: [&mut Subject; 2],
    plan: Plan,
    simulator: &Listening,
) -> Result<()> {
    if number.is_multiple_of(2) {
        both.reverse();
    }
    for subject in both {
        subject.round(plan, simulator.id()).await?;
    }
    Ok(())
}

pub(crate) fn simulator(port_file: &Path) -> Result<Listening> {
    let mut command = Command::new(program("provider-simulator"));
    command.arg("--canned");
    Listening::start(command, port_file)
}

pub(super) fn pass_through(
    upstream: &str,
    port_file: &Path,
    scripts: Option<(&Redis, &Path)>,
) -> Result<Listening> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["pass-through", "--upstream", upstream]);
    if let Some((redis, frames)) = scripts {
        command
            .args(["--redis", &redis.url(), "--frames"])
            .arg(frames);
    }
    Listening::start(command, port_file)
}

/// The memory of the gateway after many calls, and half of them.
async fn memory(plan: Plan, subject: &mut Subject) -> Result<Memory> {
    let idle_mib = machine::rss_mib(subject.process)?;
    let half = subject.many(plan.memory_calls / 2).await?;
    let calls = subject.answered;
    let all = subject.many(plan.memory_calls / 2).await?;
    Ok(Memory {
        idle_mib,
        half_calls: calls,
        half_mib: half,
        calls: subject.answered,
        mib: all,
    })
}

impl Subject {
    pub(super) fn new(name: &'static str, process: u32, load: &Load) -> Self {
        Self {
            name,
            process,
            load: load.clone(),
            rounds: Vec::new(),
            answered: 0,
        }
    }

    async fn many(&mut self, calls: u64) -> Result<f64> {
        let answers = self.load.calls(calls, MOST_FOR_HALF).await?;
        self.note(&answers)?;
        tokio::time::sleep(SETTLES).await;
        machine::rss_mib(self.process)
    }

    pub(super) async fn round(&mut self, plan: Plan, simulator: u32) -> Result<()> {
        let read = || {
            let server = machine::cpu_us(self.process)?;
            let load = machine::cpu_us(std::process::id())?;
            let simulator = machine::cpu_us(simulator)?;
            Ok([server, load, simulator, machine::busy_us()?])
        };
        let loaded = self.load.time(plan.warm_up, plan.measured, read);
        let (answers, before, after) = loaded.await?;
        self.note(&answers)?;
        let mut used = [0.0; 4];
        for (used, (before, after)) in used.iter_mut().zip(before.iter().zip(&after)) {
            *used = after.saturating_sub(*before) as f64;
        }
        let [server, load, simulator, busy] = used;
        let calls = answers.times.len().max(1) as f64;
        let elsewhere = (busy - server - load - simulator).max(0.0);
        self.rounds.push(Round {
            calls_per_second: answers.rate(),
            p50_ms: answers.times.value_at_quantile(0.5) as f64 / 1_000.0,
            p99_ms: answers.times.value_at_quantile(0.99) as f64 / 1_000.0,
            cpu_us_per_call: server / calls,
            load_us_per_call: load / calls,
            simulator_us_per_call: simulator / calls,
            cores_elsewhere: elsewhere / 1e6 / answers.took.as_secs_f64(),
        });
        Ok(())
    }

    fn note(&mut self, answers: &Answers) -> Result<()> {
        self.answered += answers.answered;
        let (name, errors) = (self.name, answers.errors);
        let first = answers.first_error.as_deref().unwrap_or_default();
        ensure!(errors == 0, "{name}: {errors} calls failed: {first}");
        ensure!(answers.answered > 0, "{name}: no call was answered");
        Ok(())
    }

    pub(super) fn side(&self) -> Result<Side> {
        Ok(Side {
            calls: self.answered,
            rss_mib: machine::rss_mib(self.process)?,
            median: Round::median(&self.rounds),
            rounds: self.rounds.clone(),
        })
    }
}
