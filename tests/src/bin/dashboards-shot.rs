//! The run that docs/img/ shows: a stage with load and faults, and what draws it. `make
//! dashboards-shot` calls it.

use anyhow::{Context as _, Result, ensure};
use std::{
    io::{self, Write as _},
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tollgate_tests::{
    harness::spec,
    simulator::{Action, Fault, Refused, RetryAfter, Schedule, Scope},
    stage::{Pace, Stage},
};

const PACE: Pace = Pace {
    scrape: Duration::from_secs(1),
    latency: Duration::from_millis(60),
    chain_per_minute: 100,
};
/// How much the pictures show.
const SHOWN: Duration = Duration::from_secs(240);

#[tokio::main]
async fn main() -> ExitCode {
    match shoot().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "dashboards-shot: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn shoot() -> Result<()> {
    let stage = Stage::set(&PACE).await;
    let load = stage.load().await;
    let begin = Instant::now();
    tokio::join!(story(&stage, begin), chains(&stage, begin));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut draw = Command::new("node");
    draw.arg(folder.join("dashboards/shot.mjs"))
        .arg(format!("http://{}", stage.prometheus.addr()))
        .args([&SHOWN.as_secs().to_string(), "2", "10s"])
        .arg(folder.join("../docs/img"));
    let drawn = tokio::task::spawn_blocking(move || draw.status()).await;
    load.stop().await;
    let drawn = drawn?.context("node is not installed")?;
    ensure!(drawn.success(), "a panel is empty, or was not drawn");
    Ok(())
}

/// Everything that dashboards are for, one after the other.
async fn story(stage: &Stage, begin: Instant) {
    let at = |second| sleep(Duration::from_secs(second).saturating_sub(begin.elapsed()));
    // gpt-4 fails more often than not, and then always.
    at(60).await;
    let down = Action::Refuse(Refused::Unavailable, RetryAfter::Absent);
    let mut flaky = Fault::always(down.clone()).for_model("gpt-4");
    flaky.schedule = Schedule::Probability {
        share: 0.6,
        seed: 1,
    };
    stage.simulator.push_fault(flaky);
    at(90).await;
    stage.simulator.clear_faults();
    stage
        .simulator
        .push_fault(Fault::always(down).for_model("gpt-4"));
    at(115).await;
    stage.simulator.clear_faults();
    // gpt-3.5-turbo asks to be left alone.
    at(135).await;
    let throttle = Action::Refuse(Refused::TooManyRequests, RetryAfter::Seconds(3));
    stage
        .simulator
        .push_fault(Fault::first(12, throttle).for_model("gpt-3.5-turbo"));
    at(150).await;
    stage.simulator.clear_faults();
    // A model that does not keep to the schema.
    let mut prose = Fault::first(12, Action::Prose);
    prose.scope = Scope {
        contains: Some("Ullapool".to_owned()),
        ..Scope::default()
    };
    stage.simulator.push_fault(prose);
    at(165).await;
    stage.redis.freeze();
    at(170).await;
    stage.redis.thaw();
    // A team calls on after its budget is used up.
    let caller = stage.caller("web").await;
    while begin.elapsed() < SHOWN {
        let _ = caller
            .complete(spec("strong", "What is new in town?"))
            .await;
        sleep(Duration::from_millis(20)).await;
    }
}

/// One run of the chain after the other.
async fn chains(stage: &Stage, begin: Instant) {
    for edition in 1.. {
        if begin.elapsed() + Duration::from_secs(30) > SHOWN {
            break;
        }
        sleep(Duration::from_secs(5)).await;
        stage.chain_run(edition).await;
    }
}
