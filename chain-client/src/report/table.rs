//! The summary that a run prints when it ends.

use super::Run;
use crate::{
    exit::Exit,
    money::Money,
    row::ArticleStatus,
    span,
    step::{CHAIN, Step},
    tally::Tally,
};
use comfy_table::{CellAlignment, Table, presets};
use std::{fmt::Write as _, time::Duration};

const MAX_FAILURES_SHOWN: usize = 10;

/// The summary as text. Colours only if asked for.
pub(crate) fn summary(run: &Run, colors: bool) -> String {
    let mut text = verdict(run, colors);
    text.push_str("\n\n");
    text.push_str(&steps(run));
    text.push_str("\n\n");
    text.push_str(&models(&run.tally));
    for line in notes(run) {
        let _ = write!(text, "\n{line}");
    }
    text
}

fn verdict(run: &Run, colors: bool) -> String {
    let tally = &run.tally;
    let (word, color) = match run.exit {
        Exit::Ok => ("OK", "32"),
        Exit::Partial => ("PARTIAL", "33"),
        Exit::TimeBudget => ("OUT OF TIME", "33"),
        Exit::CostBudget => ("OUT OF MONEY", "33"),
        Exit::Usage | Exit::Systemic => ("GIVEN UP", "31"),
        Exit::Interrupted | Exit::Terminated => ("INTERRUPTED", "33"),
    };
    let word = if colors {
        format!("\u{1b}[1;{color}m{word}\u{1b}[0m")
    } else {
        word.to_owned()
    };
    let mut counts = Vec::new();
    for status in ArticleStatus::ALL {
        let count = tally.articles_with(status);
        if count > 0 || status == ArticleStatus::Ok {
            counts.push(format!("{count} {}", status.name().replace('_', " ")));
        }
    }
    let budget = |used: String, bound: Option<String>| match bound {
        Some(bound) => format!("{used} of {bound}"),
        None => used,
    };
    let time = budget(span::show(run.elapsed), run.time_budget.map(span::show));
    let cost = budget(
        tally.cost().short(),
        run.max_cost.map(|cost| cost.to_string()),
    );
    format!(
        "{CHAIN}  run {}  {word}: {}   {time}   {cost}",
        run.id,
        counts.join(", ")
    )
}

fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(headings.iter().copied());
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn steps(run: &Run) -> String {
    let tally = &run.tally;
    let mut table = table(&[
        "STEP", "OK", "FAIL", "SKIP", "OK %", "1ST TRY", "P50", "P95", "BUSY", "TOK IN", "TOK OUT",
        "COST", "SHARE",
    ]);
    let total = tally.cost();
    for step in Step::ALL {
        let one = &tally.steps[step.index()];
        let ended = one.ok + one.failed;
        let ms = |ms| span::show(Duration::from_millis(ms));
        table.add_row(vec![
            step.name().to_owned(),
            one.ok.to_string(),
            one.failed.to_string(),
            (one.skipped + one.cancelled + one.not_started).to_string(),
            percent(one.ok, ended),
            percent(one.first_try, ended),
            ms(one.times.at(0.5)),
            ms(one.times.at(0.95)),
            ms(one.busy_ms),
            count(one.tokens.all_input()),
            count(one.tokens.all_output()),
            one.cost.short(),
            share(one.cost, total),
        ]);
    }
    let sum = |of: fn(&crate::tally::StepTally) -> u64| tally.steps.iter().map(of).sum::<u64>();
    let ended = sum(|one| one.ok + one.failed);
    table.add_row(vec![
        "total".to_owned(),
        sum(|one| one.ok).to_string(),
        sum(|one| one.failed).to_string(),
        sum(|one| one.skipped + one.cancelled + one.not_started).to_string(),
        percent(sum(|one| one.ok), ended),
        percent(sum(|one| one.first_try), ended),
        String::new(),
        String::new(),
        span::show(Duration::from_millis(sum(|one| one.busy_ms))),
        count(tally.tokens().all_input()),
        count(tally.tokens().all_output()),
        total.short(),
        share(total, total),
    ]);
    trim(&table)
}

fn models(tally: &Tally) -> String {
    let mut table = table(&[
        "MODEL", "CALLS", "SHARE", "FALLBACK", "REPAIR", "TOK IN", "TOK OUT", "COST",
    ]);
    let all: u64 = tally.models.values().map(|model| model.calls).sum();
    for (name, model) in &tally.models {
        table.add_row(vec![
            printable(name),
            model.calls.to_string(),
            percent(model.calls, all),
            model.via_fallback.to_string(),
            model.via.repair.to_string(),
            count(model.tokens.all_input()),
            count(model.tokens.all_output()),
            model.cost.short(),
        ]);
    }
    trim(&table)
}

fn trim(table: &Table) -> String {
    let text = table.to_string();
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

fn notes(run: &Run) -> Vec<String> {
    let tally = &run.tally;
    let attempts = tally.attempts();
    let success = percent(tally.articles_with(ArticleStatus::Ok), tally.planned());
    let bad =
        tally.articles_with(ArticleStatus::Failed) + tally.articles_with(ArticleStatus::Rejected);
    let mut lines = vec![
        String::new(),
        format!(
            "ARTICLES  {success} succeeded, {} failed or rejected; p50 {}, p95 {}",
            percent(bad, tally.planned()),
            span::show(Duration::from_millis(tally.article_times.at(0.5))),
            span::show(Duration::from_millis(tally.article_times.at(0.95))),
        ),
        format!(
            "CALLS     {} primary, {} retries, {} repairs; in the gateway {} attempts, {} retries, {} fallbacks",
            attempts.primary,
            attempts.retry,
            attempts.repair,
            tally.gateway.attempts,
            tally.gateway.retries,
            tally.gateway.fallbacks
        ),
        format!(
            "WASTE     {} ({} of cost)   AVOIDED {} by {} replayed answers",
            tally.wasted().short(),
            share(tally.wasted(), tally.cost()),
            tally.avoided().short(),
            tally.replays
        ),
    ];
    if let Some(ledger) = run.ledger {
        let verdict = if ledger.cost == tally.cost() {
            "agrees"
        } else {
            "DIFFERS"
        };
        lines.push(format!(
            "LEDGER    {} by the gateway's books: {verdict}",
            ledger.cost
        ));
    }
    if tally.unknown_cost_calls > 0 {
        lines.push(format!(
            "NOTE      {} calls ended without telling their cost; the gateway's ledger has it",
            tally.unknown_cost_calls
        ));
    }
    if let Some(stopped) = &run.stopped {
        lines.push(format!("STOPPED   {}", printable(stopped)));
    }
    lines.extend(failures(tally));
    lines.push(format!(
        "report: {}   results: {}   exit {}",
        run.dir.join("report.html").display(),
        run.dir.join("results.jsonl").display(),
        run.exit.code()
    ));
    lines
}

fn failures(tally: &Tally) -> Vec<String> {
    let mut lines = Vec::new();
    let all: u64 = tally.failures.values().map(|failures| failures.count).sum();
    for (class, failures) in &tally.failures {
        for example in &failures.examples {
            if lines.len() == MAX_FAILURES_SHOWN {
                lines.push(format!("          and more: {all} in all, see the report"));
                return lines;
            }
            let step = example.step.map_or("-", Step::name);
            lines.push(format!(
                "FAILED    {}  {step}  {class}: {}",
                printable(&example.article),
                printable(&example.message)
            ));
        }
    }
    lines
}

/// Text from outside must not steer the terminal.
fn printable(text: &str) -> String {
    let one_line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect();
    one_line
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let tenths = (part * 1000 + whole / 2) / whole;
    if tenths.is_multiple_of(10) {
        format!("{}%", tenths / 10)
    } else {
        format!("{}.{}%", tenths / 10, tenths % 10)
    }
}

fn share(part: Money, whole: Money) -> String {
    percent(part.counter_nano_usd() / 10, whole.counter_nano_usd() / 10)
}

/// A count as people read it: 950, 12.3k, 4.5M.
pub(super) fn count(number: i64) -> String {
    match number {
        ..10_000 => number.to_string(),
        10_000..1_000_000 => format!("{}.{}k", number / 1_000, number % 1_000 / 100),
        _ => format!("{}.{}M", number / 1_000_000, number % 1_000_000 / 100_000),
    }
}
