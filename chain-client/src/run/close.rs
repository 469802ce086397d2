//! The end of a run: its exit, its report, and the last look at its metrics.

use super::{Frame, Show, collect::Collector};
use crate::{
    chain::Chain,
    clock,
    exit::Exit,
    metrics::{Metrics, Server},
    money::Money,
    output::Output,
    report::{self, Ledger, Run, StepFacts},
    row::ArticleStatus,
    signals, span,
    stop::Reason,
    tally::Tally,
};
use std::{io, time::Duration};

/// Two scrapes at the usual interval of 15 s.
const LINGER: Duration = Duration::from_secs(30);
const LINGER_SCRAPES: u64 = 2;

pub(super) struct Closing<'a> {
    pub(super) chain: &'a Chain,
    pub(super) frame: &'a Frame,
    pub(super) facts: Vec<StepFacts>,
    pub(super) url: String,
}

impl Closing<'_> {
    /// Writes the reports and prints the summary; answers how the run ended.
    pub(super) async fn report(self, collector: Collector, show: Show, output: &Output) -> Exit {
        let exit = self.exit(&collector);
        let ledger = self.ask_ledger().await;
        let caller = &self.chain.caller;
        let elapsed = caller.started.elapsed();
        let run = Run {
            id: caller.run_id.clone(),
            gateway: self.url,
            started: self.frame.started_at,
            finished: clock::now(),
            elapsed,
            exit,
            stopped: caller
                .stop
                .reason()
                .filter(|_| stopped_early(exit))
                .map(explain),
            time_budget: self.frame.time_budget,
            max_cost: self.chain.run_budget,
            concurrency: self.frame.concurrency,
            input_complete: collector.input_complete,
            steps: self.facts,
            tally: collector.tally,
            ledger,
            price_version: self.frame.price_version.clone(),
            dir: self.frame.dir.clone(),
        };
        let metrics = &caller.observer.metrics;
        metrics.run_ended(exit.name(), elapsed);
        if exit == Exit::Ok {
            let ms = f64::from(u32::try_from(run.finished.timestamp()).unwrap_or(u32::MAX));
            metrics.succeeded_at(ms);
        }
        tracing::info!(run = %run.id, status = exit.name(), ms = span::ms(elapsed),
            cost = %run.tally.cost(), "run_finished");
        let written = write(&run, collector.spill);
        let text = report::summary(
            &run,
            output.about().colors && output.about().out_is_terminal,
        );
        if show.json {
            output.note(&text);
            output.data(&report::line(&run));
        } else {
            output.data(&text);
        }
        if let Some(error) = collector.write_error.or(written.err()) {
            output.note(&format!("error: writing to {}: {error}", run.dir.display()));
            return if exit == Exit::Ok {
                Exit::Partial
            } else {
                exit
            };
        }
        exit
    }

    /// A stop counts only if it left something undone.
    fn exit(&self, collector: &Collector) -> Exit {
        let tally: &Tally = &collector.tally;
        let undone = tally.articles_with(ArticleStatus::Cancelled)
            + tally.articles_with(ArticleStatus::NotStarted);
        if let Some(reason) = self.chain.caller.stop.reason() {
            let certain = matches!(reason, Reason::Systemic(_));
            if certain || undone > 0 || !collector.input_complete {
                return Exit::of(reason);
            }
        }
        let bad = tally.articles_with(ArticleStatus::Failed)
            + tally.articles_with(ArticleStatus::Rejected)
            + collector.lost;
        if self.frame.max_failures.exceeded_by(bad, tally.planned()) {
            Exit::Partial
        } else {
            Exit::Ok
        }
    }

    /// What the gateway's books say. Not every gateway keeps them for its callers.
    async fn ask_ledger(&self) -> Option<Ledger> {
        let caller = &self.chain.caller;
        if matches!(caller.stop.reason(), Some(Reason::Systemic(_))) {
            return None;
        }
        let day = |time: chrono::DateTime<chrono::Utc>| time.format("%Y-%m-%d").to_string();
        let days = (day(self.frame.started_at), day(clock::now()));
        let asked = caller.gateway.usage_of(&caller.run_id, days);
        let row = tokio::time::timeout(Duration::from_secs(2), asked)
            .await
            .ok()?
            .ok()?;
        Some(Ledger {
            calls: row.calls,
            cost: Money::from_nano_usd(row.cost_nano_usd),
        })
    }
}

const fn stopped_early(exit: Exit) -> bool {
    !matches!(exit, Exit::Ok | Exit::Partial | Exit::Usage)
}

fn explain(reason: &Reason) -> String {
    match reason {
        Reason::TimeBudget => {
            "the time budget is used up, or too short for one more article".to_owned()
        }
        Reason::CostBudget => "the gateway refuses for lack of money".to_owned(),
        Reason::Systemic(cause) => cause.clone(),
        Reason::Interrupted => "interrupted".to_owned(),
        Reason::Terminated => "terminated".to_owned(),
    }
}

fn write(run: &Run, spill: report::Spill) -> io::Result<()> {
    let rows = spill.finish()?;
    report::write_whole(&run.dir.join("report.json"), |out| {
        report::write_json(run, &rows, out)
    })?;
    report::write_whole(&run.dir.join("report.html"), |out| {
        report::page(run, &rows, out)
    })
}

/// Leaves the metrics in a file for node_exporter, if asked to.
pub(super) fn write_textfile(frame: &Frame, metrics: &Metrics, output: &Output) {
    if let Some(path) = &frame.metrics.textfile {
        let text = metrics.render();
        let written = report::write_whole(path, |out| out.write_all(text.as_bytes()));
        if let Err(error) = written {
            output.note(&format!("error: metrics file {}: {error}", path.display()));
        }
    }
}

/// Lets Prometheus see how a run ended. Only if somebody looks: whoever named the address, or
/// scraped while the run lasted; everybody else gets their prompt back at once.
pub(super) async fn linger(exit: Exit, frame: &Frame, server: Option<Server>, output: &Output) {
    let Some(mut server) = server else { return };
    // Whoever stopped the run wants it to end.
    if matches!(exit, Exit::Interrupted | Exit::Terminated) {
        return;
    }
    let watched = frame.metrics.asked_for || server.scrapes.count() > 0;
    let default = if watched { LINGER } else { Duration::ZERO };
    let longest = frame.metrics.linger.unwrap_or(default);
    if longest.is_zero() {
        return;
    }
    let interrupted = signals::next();
    output.note(&format!(
        "serving metrics at {} for two more scrapes, {} at most (Ctrl-C to end)",
        server.address,
        span::show(longest)
    ));
    tokio::select! {
        () = server.scrapes.more(LINGER_SCRAPES, longest) => {}
        _ = interrupted => {}
    }
}
