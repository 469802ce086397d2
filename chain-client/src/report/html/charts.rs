//! The plots and tables of the page: steps, models, findings.

use super::{
    super::{
        Run,
        svg::{Bar, Part, bars, columns, escape},
        table::count,
    },
    ms,
};
use crate::{step::Step, tally::StepTally};

fn tokens(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn card(title: &str, plot: &str, key: &[(&str, &str)]) -> String {
    let mut text = format!("<div class=\"card\"><h3>{}</h3>{plot}", escape(title));
    if !key.is_empty() {
        text.push_str("<div class=\"key\">");
        for (color, meaning) in key {
            text.push_str(&format!(
                "<span><i style=\"background:var(--{color})\"></i>{meaning}</span>"
            ));
        }
        text.push_str("</div>");
    }
    text.push_str("</div>\n");
    text
}

fn each_step(run: &Run, bar: impl Fn(Step, &StepTally) -> Bar) -> Vec<Bar> {
    Step::ALL
        .iter()
        .map(|&step| bar(step, &run.tally.steps[step.index()]))
        .collect()
}

/// A bar of two parts.
fn split(label: &str, parts: [(u64, &'static str); 2], value: String) -> Bar {
    Bar {
        label: label.to_owned(),
        parts: parts.map(|(size, class)| Part { size, class }).into(),
        value,
        tick: None,
        whisker: None,
    }
}

/// Time, tokens and cost by step.
pub(super) fn steps(run: &Run) -> String {
    let time = each_step(run, |step, tally| {
        let (p50, p95) = (tally.times.at(0.5), tally.times.at(0.95));
        let mut bar = Bar::plain(step.name(), p50, format!("{} / {}", ms(p50), ms(p95)), "fa");
        bar.tick = Some(p95);
        bar.whisker = Some(tally.times.max());
        bar
    });
    let busy = each_step(run, |step, tally| {
        let waited = tally.backoff_ms.min(tally.busy_ms);
        let parts = [(tally.busy_ms - waited, "fa"), (waited, "fb")];
        split(step.name(), parts, ms(tally.busy_ms))
    });
    let spent = each_step(run, |step, tally| {
        let (input, output) = (tally.tokens.all_input(), tally.tokens.all_output());
        let parts = [(tokens(input), "fa"), (tokens(output), "fb")];
        split(
            step.name(),
            parts,
            format!("{} / {}", count(input), count(output)),
        )
    });
    let cost = each_step(run, |step, tally| {
        let (all, wasted) = (
            tally.cost.counter_nano_usd(),
            tally.wasted.counter_nano_usd(),
        );
        let parts = [(all.saturating_sub(wasted), "fc"), (wasted, "fbad")];
        split(step.name(), parts, tally.cost.short())
    });
    let title = "Time of a step: p50 as bar, p95 as mark, longest as line";
    let waits = [("a", "at work"), ("b", "waiting to try again")];
    let ways = [("a", "in"), ("b", "out")];
    let uses = [
        ("c", "of answers that were kept"),
        ("bad", "of retries, repairs and failures"),
    ];
    let mut text = String::from("<h2>Steps</h2>\n<div class=\"charts\">\n");
    text.push_str(&card(title, &bars("Time by step", &time), &[]));
    text.push_str(&card(
        "Time in all",
        &bars("Time in all by step", &busy),
        &waits,
    ));
    text.push_str(&card("Tokens", &bars("Tokens by step", &spent), &ways));
    text.push_str(&card("Cost", &bars("Cost by step", &cost), &uses));
    text.push_str("</div>\n");
    text.push_str(&step_table(run));
    text
}

fn step_table(run: &Run) -> String {
    let mut text = String::from(
        "<div class=\"card wide\" style=\"margin-top:12px\"><table><thead><tr><th>Step</th><th>Ok</th>\
         <th>Failed</th><th>Not done</th><th>First try</th><th>Mended</th><th>Repaired</th>\
         <th>Names dropped</th><th>Retries</th><th>Tokens in</th><th>Tokens out</th><th>Cost</th></tr></thead><tbody>\n",
    );
    for step in Step::ALL {
        let tally = &run.tally.steps[step.index()];
        text.push_str(&format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            step.name(),
            tally.ok,
            tally.failed,
            tally.skipped + tally.cancelled + tally.not_started,
            tally.first_try,
            tally.repaired_locally,
            tally.repaired,
            tally.ungrounded_dropped,
            tally.attempts.retry,
            count(tally.tokens.all_input()),
            count(tally.tokens.all_output()),
            tally.cost.short()
        ));
    }
    text.push_str("</tbody></table></div>\n");
    text
}

/// Who answered, and why.
pub(super) fn models(run: &Run) -> String {
    let models = &run.tally.models;
    if models.is_empty() {
        return String::new();
    }
    let calls: Vec<Bar> = models
        .iter()
        .map(|(name, model)| {
            let first = model.calls - model.via_fallback.min(model.calls);
            let parts = [(first, "fd"), (model.via_fallback, "fb")];
            split(name, parts, model.calls.to_string())
        })
        .collect();
    let cost: Vec<Bar> = models
        .iter()
        .map(|(name, model)| {
            Bar::plain(
                name,
                model.cost.counter_nano_usd(),
                model.cost.short(),
                "fc",
            )
        })
        .collect();
    let inside = &run.tally.gateway;
    let mut text = String::from("<h2>Models</h2>\n<div class=\"charts\">\n");
    text.push_str(&card(
        "Calls answered",
        &bars("Calls by model", &calls),
        &[("d", "first choice"), ("b", "by fallback")],
    ));
    text.push_str(&card("Cost", &bars("Cost by model", &cost), &[]));
    text.push_str("</div>\n");
    text.push_str(&format!(
        "<p class=\"run\">In the gateway: {} attempts, {} retries, {} fallbacks.</p>\n",
        inside.attempts, inside.retries, inside.fallbacks
    ));
    text
}

/// What was found, over all articles.
pub(super) fn findings(run: &Run) -> String {
    let tally = &run.tally;
    if tally.topics.is_empty() {
        return String::new();
    }
    let mut topics: Vec<(&String, &u64)> = tally.topics.iter().collect();
    topics.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let topics: Vec<Bar> = topics
        .into_iter()
        .map(|(name, &count)| Bar::plain(name, count, count.to_string(), "fa"))
        .collect();
    let mut text = String::from("<h2>Findings</h2>\n<div class=\"charts small\">\n");
    text.push_str(&card(
        "Main topic",
        &bars("Articles by topic", &topics),
        &[],
    ));
    for (name, counts, class) in [
        ("Relevance", &tally.scores[0], "fb"),
        ("Quality", &tally.scores[1], "fc"),
    ] {
        text.push_str(&card(
            &format!("{name}, 1 to 10"),
            &columns(
                &format!("Articles by {}", name.to_lowercase()),
                counts,
                class,
            ),
            &[],
        ));
    }
    text.push_str("</div>\n");
    text
}
