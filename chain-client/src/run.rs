//! A run from start to report: read, admit, collect, stop in good order, account for everything.

mod close;
mod collect;

use crate::{
    args::{MetricsAt, ProgressMode},
    call::Caller,
    chain::{self, Chain},
    clock,
    config::Settings,
    exit::Exit,
    gateway::Gateway,
    input::{self, Item, Plan},
    metrics::{Metrics, Server},
    observer::Observer,
    output::Output,
    preflight,
    progress::{self, Bounds},
    report::{self, Spill},
    row::ArticleRow,
    signals,
    stop::{Reason, Stop},
};
use chrono::{DateTime, Utc};
use collect::Collector;
use std::{path::PathBuf, sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

/// How the run shows itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Show {
    pub(crate) progress: ProgressMode,
    pub(crate) json: bool,
}

/// A failure before the first article, with its exit.
type Refused = (Exit, Vec<String>);

/// Runs, reports, and answers how it ended.
pub(crate) async fn run(settings: Settings, show: Show, output: Output, stop: Stop) -> Exit {
    match Box::pin(started(settings, show, &output, stop)).await {
        Ok(exit) => exit,
        Err((exit, problems)) => {
            for problem in problems {
                output.note(&format!("error: {problem}"));
            }
            exit
        }
    }
}

/// What a run needs besides its chain.
struct Frame {
    plan: Plan,
    input: input::Options,
    concurrency: usize,
    started_at: DateTime<Utc>,
    time_budget: Option<Duration>,
    drain: Duration,
    dir: PathBuf,
    price_version: Option<String>,
    metrics: crate::config::MetricsSettings,
    max_failures: crate::config::Tolerance,
}

async fn started(
    settings: Settings,
    show: Show,
    output: &Output,
    stop: Stop,
) -> Result<Exit, Refused> {
    let usage = |problem: String| (Exit::Usage, vec![problem]);
    let plan = Plan::new(&settings.inputs, &settings.input).map_err(|all| (Exit::Usage, all))?;
    let base = settings.base;
    let gateway = Gateway::new(&base.url, &base.key, base.ca_file.as_deref()).map_err(usage)?;
    let metrics = Arc::new(Metrics::new());
    let server = serve(&settings.metrics, &metrics, output)
        .await
        .map_err(usage)?;
    let started_at = clock::now();
    let started = Instant::now();
    let run_id = clock::run_id(started_at);
    let dir = settings
        .out
        .unwrap_or_else(|| PathBuf::from("runs").join(&run_id));
    let spill = Spill::create(&dir)
        .map_err(|error| usage(format!("output directory {}: {error}", dir.display())))?;
    output.note(&opening(&run_id, &base.url, settings.concurrency));
    let facts = report::facts(&base.library, &base.recipes);
    let chain = Arc::new(Chain {
        caller: Caller {
            gateway,
            stop,
            observer: Arc::new(Observer::new(Arc::clone(&metrics))),
            started,
            deadline: settings.time_budget.map(|budget| started + budget),
            run_id,
            own_keys: Arc::default(),
        },
        library: base.library,
        recipes: base.recipes,
        run_budget: settings.max_cost,
    });
    let mut frame = Frame {
        plan,
        input: settings.input,
        concurrency: settings.concurrency,
        started_at,
        time_budget: settings.time_budget,
        drain: settings.drain,
        dir,
        price_version: None,
        metrics: settings.metrics,
        max_failures: settings.max_failures,
    };
    let mut background = watch(&chain, &frame, show, output);
    frame.price_version = preflight(&chain).await;
    let collector = work(&chain, &frame, Collector::new(spill)).await;
    background.shutdown().await;
    let closing = close::Closing {
        chain: &chain,
        frame: &frame,
        facts,
        url: base.url,
    };
    let exit = closing.report(collector, show, output).await;
    close::write_textfile(&frame, &metrics, output);
    close::linger(exit, &frame, server, output).await;
    Ok(exit)
}

/// What goes on beside the work: signals, progress, the time budget.
fn watch(chain: &Arc<Chain>, frame: &Frame, show: Show, output: &Output) -> JoinSet<()> {
    let caller = &chain.caller;
    let mut background = JoinSet::new();
    background.spawn(signals::listen(
        caller.stop.clone(),
        frame.drain,
        output.clone(),
    ));
    let bounds = Bounds {
        started: caller.started,
        time_budget: frame.time_budget,
        max_cost: chain.run_budget,
    };
    let observer = Arc::clone(&caller.observer);
    background.spawn(progress::show(
        show.progress,
        observer,
        bounds,
        output.clone(),
    ));
    watch_time(&mut background, chain);
    background
}

/// A gateway that takes no call of ours ends the run before it begins.
async fn preflight(chain: &Chain) -> Option<String> {
    let caller = &chain.caller;
    match preflight::check(&caller.gateway, &caller.stop).await {
        Ok(price_version) => price_version,
        Err(cause) => {
            caller.stop.everything(Reason::Systemic(cause));
            None
        }
    }
}

fn opening(run_id: &str, url: &str, concurrency: usize) -> String {
    format!(
        "run {run_id}: {} through {url}, {concurrency} articles at a time",
        crate::step::CHAIN
    )
}

/// Serves the metrics. Not getting the default address is no reason not to run.
async fn serve(
    settings: &crate::config::MetricsSettings,
    metrics: &Arc<Metrics>,
    output: &Output,
) -> Result<Option<Server>, String> {
    let MetricsAt::Address(address) = settings.at else {
        return Ok(None);
    };
    match Server::start(address, Arc::clone(metrics)).await {
        Ok(server) => Ok(Some(server)),
        Err(error) if settings.asked_for => Err(format!("metrics address {address}: {error}")),
        Err(error) => {
            output.note(&format!("note: no metrics at {address}: {error}"));
            Ok(None)
        }
    }
}

/// Cancels everything when the time budget ends, and keeps its gauge.
fn watch_time(background: &mut JoinSet<()>, chain: &Chain) {
    let Some(deadline) = chain.caller.deadline else {
        return;
    };
    let (stop, metrics) = (
        chain.caller.stop.clone(),
        Arc::clone(&chain.caller.observer.metrics),
    );
    background.spawn(async move {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            metrics.time_left(left);
            if left.is_zero() {
                stop.everything(Reason::TimeBudget);
                return;
            }
            tokio::time::sleep(left.min(Duration::from_secs(1))).await;
        }
    });
}

/// Admits articles as there is room, and collects them as they end.
async fn work(chain: &Arc<Chain>, frame: &Frame, mut collector: Collector) -> Collector {
    let caller = &chain.caller;
    let observer = &caller.observer;
    observer
        .metrics
        .concurrency(u32::try_from(frame.concurrency).unwrap_or(u32::MAX));
    let mut items = input::stream(frame.plan.clone(), frame.input.clone());
    let mut counting = JoinSet::new();
    let plan = frame.plan.clone();
    counting.spawn_blocking(move || input::count(&plan));
    let mut tasks: JoinSet<ArticleRow> = JoinSet::new();
    let mut ended = false;
    while caller.stop.is_admitting() && !(ended && tasks.is_empty()) {
        tokio::select! {
            biased;
            () = caller.stop.admission_ended() => break,
            Some(done) = tasks.join_next() => collector.article(done, observer),
            Some(Ok(Some(count))) = counting.join_next() => observer.expected.store(count, Relaxed),
            item = items.recv(), if !ended && tasks.len() < frame.concurrency => match item {
                Some(Item::Article(article)) if collector.fits(caller.deadline) => {
                    let chain = Arc::clone(chain);
                    tasks.spawn(async move { chain.article(article).await });
                }
                Some(Item::Article(article)) => {
                    caller.stop.admission(Reason::TimeBudget);
                    collector.passed_over(&chain::not_started(&article), observer);
                }
                Some(Item::Unfit(unfit)) => {
                    collector.passed_over(&chain::unfit(&unfit), observer);
                }
                None => ended = true,
            },
        }
    }
    while let Some(done) = tasks.join_next().await {
        collector.article(done, observer);
    }
    if !ended {
        collector.input_complete = list_the_rest(&mut items, &mut collector, frame, observer).await;
    }
    collector
}

/// After a stop, names the articles that were not reached, as far as that is quick.
async fn list_the_rest(
    items: &mut mpsc::Receiver<Item>,
    collector: &mut Collector,
    frame: &Frame,
    observer: &Observer,
) -> bool {
    const LONGEST: Duration = Duration::from_millis(700);
    // Whoever writes to standard input may never end.
    if frame.plan.reads_stdin() {
        items.close();
        return false;
    }
    let until = Instant::now() + LONGEST;
    loop {
        match tokio::time::timeout_at(until, items.recv()).await {
            Ok(Some(Item::Article(article))) => {
                collector.passed_over(&chain::not_started(&article), observer);
            }
            Ok(Some(Item::Unfit(unfit))) => collector.passed_over(&chain::unfit(&unfit), observer),
            Ok(None) => return true,
            Err(_) => {
                items.close();
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests;
