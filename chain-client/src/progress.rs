//! How the run is going, for whoever watches: live on a terminal, a plain line now and then in a
//! pipe, JSON for programs.

use crate::{
    args::ProgressMode, money::Money, observer::Observer, output::Output, span, step::Step,
};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::Instant;

const LIVE_TICK: Duration = Duration::from_millis(120);
const PLAIN_TICK: Duration = Duration::from_secs(10);
const BAR_WIDTH: &str = "24";

/// What the display says about the bounds of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) started: Instant,
    pub(crate) time_budget: Option<Duration>,
    pub(crate) max_cost: Option<Money>,
}

/// Shows progress until dropped or aborted.
pub(crate) async fn show(
    mode: ProgressMode,
    observer: Arc<Observer>,
    bounds: Bounds,
    output: Output,
) {
    let mode = match mode {
        ProgressMode::Auto if output.about().err_is_terminal => ProgressMode::Tty,
        ProgressMode::Auto => ProgressMode::Plain,
        mode => mode,
    };
    match mode {
        ProgressMode::Tty => live(&observer, bounds, &output).await,
        ProgressMode::Plain => {
            lines(&output, || plain(&observer, bounds)).await;
        }
        ProgressMode::Json => {
            lines(&output, || as_json(&observer, bounds)).await;
        }
        ProgressMode::None | ProgressMode::Auto => {}
    }
}

async fn lines(output: &Output, line: impl Fn() -> String) {
    let mut tick = tokio::time::interval(PLAIN_TICK);
    tick.tick().await;
    loop {
        tick.tick().await;
        output.note(&line());
    }
}

fn plain(observer: &Observer, bounds: Bounds) -> String {
    format!("progress: {}", status(observer, bounds))
}

fn status(observer: &Observer, bounds: Bounds) -> String {
    let expected = observer.expected.load(Relaxed);
    let (ok, failed) = (observer.ok.load(Relaxed), observer.failed.load(Relaxed));
    let unfit = observer.unfit.load(Relaxed);
    let cost = Money::from_nano_usd(observer.cost_nano_usd.load(Relaxed));
    let mut text = format!("{ok} ok, {failed} failed, {unfit} not sent");
    if expected > 0 {
        text.push_str(&format!(" of {expected}"));
    }
    text.push_str(&format!(
        ", {} in flight | {}",
        observer.in_flight.load(Relaxed),
        cost.short()
    ));
    if let Some(bound) = bounds.max_cost {
        text.push_str(&format!(" of {bound}"));
    }
    text.push_str(&format!(" | {}", span::show(bounds.started.elapsed())));
    if let Some(budget) = bounds.time_budget {
        text.push_str(&format!(" of {}", span::show(budget)));
    }
    text
}

fn as_json(observer: &Observer, bounds: Bounds) -> String {
    json!({
        "event": "progress",
        "ok": observer.ok.load(Relaxed),
        "failed": observer.failed.load(Relaxed),
        "not_sent": observer.unfit.load(Relaxed),
        "in_flight": observer.in_flight.load(Relaxed),
        "expected": observer.expected.load(Relaxed),
        "cost_nano_usd": observer.cost_nano_usd.load(Relaxed),
        "elapsed_ms": span::ms(bounds.started.elapsed()),
    })
    .to_string()
}

/// Takes the bars away when the display ends, however it ends.
struct Shown<'a>(&'a Output, MultiProgress);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.0.show_bars(None);
        // A terminal that is gone needs no clearing.
        let _ = self.1.clear();
    }
}

async fn live(observer: &Observer, bounds: Bounds, output: &Output) {
    let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    let color = if output.about().colors {
        ".cyan/blue"
    } else {
        ""
    };
    let bar = ProgressStyle::with_template(&format!(
        "{{prefix:16}} {{bar:{BAR_WIDTH}{color}}} {{pos:>5}}/{{len:<5}} {{msg}}"
    ));
    let open = ProgressStyle::with_template("{prefix:16} {spinner} {pos:>5} {msg}");
    let (Ok(bar), Ok(open)) = (bar, open) else {
        return;
    };
    let bar = bar.progress_chars("##-");
    let steps = Step::ALL.map(|step| {
        let one = all.add(ProgressBar::new(0).with_style(open.clone()));
        one.set_prefix(step.name());
        one
    });
    let last = all.add(ProgressBar::new_spinner());
    output.show_bars(Some(all.clone()));
    let _shown = Shown(output, all);
    let mut tick = tokio::time::interval(LIVE_TICK);
    loop {
        tick.tick().await;
        let expected = observer.expected.load(Relaxed);
        for (step, shown) in Step::ALL.into_iter().zip(&steps) {
            let counts = &observer.steps[step.index()];
            if expected > 0 && shown.length() != Some(expected) {
                shown.set_style(bar.clone());
                shown.set_length(expected);
            }
            shown.set_position(counts.ok.load(Relaxed));
            shown.set_message(step_message(counts));
            shown.tick();
        }
        last.set_message(status(observer, bounds));
        last.tick();
    }
}

fn step_message(counts: &crate::observer::StepCounts) -> String {
    let mut parts = Vec::new();
    for (count, word) in [
        (u64::from(counts.running.load(Relaxed)), "running"),
        (counts.failed.load(Relaxed), "failed"),
        (counts.retries.load(Relaxed), "retried"),
        (counts.repairs.load(Relaxed), "repaired"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metrics::Metrics, output::About, testing::Page};

    /// What a display tells within 25 seconds on this kind of standard error.
    async fn told(mode: ProgressMode) -> String {
        let observer = Arc::new(Observer::new(Arc::new(Metrics::new())));
        observer.expected.store(8, Relaxed);
        observer.ok.store(3, Relaxed);
        observer.unfit.store(1, Relaxed);
        let page = Page::default();
        let about = About::default();
        let output = Output::new(Box::new(Page::default()), Box::new(page.clone()), about);
        let bounds = Bounds {
            started: Instant::now(),
            time_budget: Some(Duration::from_secs(60)),
            max_cost: None,
        };
        let shown = show(mode, observer, bounds, output);
        let ended = tokio::time::timeout(Duration::from_secs(25), shown).await;
        assert_eq!(ended.is_ok(), mode == ProgressMode::None);
        page.text()
    }

    #[tokio::test(start_paused = true)]
    async fn a_pipe_gets_a_plain_line_now_and_then() {
        let lines = told(ProgressMode::Auto).await;
        assert_eq!(
            lines,
            "progress: 3 ok, 0 failed, 1 not sent of 8, 0 in flight | $0.000000 | 10.0s of 1m00s\n\
             progress: 3 ok, 0 failed, 1 not sent of 8, 0 in flight | $0.000000 | 20.0s of 1m00s\n"
        );
        assert_eq!(told(ProgressMode::None).await, "");
    }

    #[tokio::test(start_paused = true)]
    async fn programs_get_json() {
        let lines = told(ProgressMode::Json).await;
        let last = lines.lines().last().expect("a line");
        let last: serde_json::Value = serde_json::from_str(last).expect("JSON");
        assert_eq!((&last["ok"], &last["expected"]), (&json!(3), &json!(8)));
        assert_eq!(last["elapsed_ms"], 20_000);
    }
}
