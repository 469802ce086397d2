//! report.html: the run for people, in one file. No script, nothing from the network, and every
//! text from outside is escaped.

mod articles;
mod charts;

use super::{Run, spill::Rows, style::STYLE, svg::escape, svg::gauge, table::count};
use crate::{
    clock,
    exit::Exit,
    money::Money,
    row::ArticleStatus,
    span,
    step::{CHAIN, Step},
};
use std::{
    io::{self, Write},
    time::Duration,
};

/// Writes the page; the articles are copied over one by one.
pub(crate) fn page(run: &Run, rows: &Rows, out: &mut dyn Write) -> io::Result<()> {
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{CHAIN} {}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escape(&run.id)
    )?;
    out.write_all(verdict(run).as_bytes())?;
    out.write_all(tiles(run).as_bytes())?;
    out.write_all(charts::steps(run).as_bytes())?;
    out.write_all(charts::models(run).as_bytes())?;
    out.write_all(charts::findings(run).as_bytes())?;
    out.write_all(failures(run).as_bytes())?;
    articles::write(rows, out)?;
    out.write_all(origin(run).as_bytes())?;
    out.write_all(b"</main>\n</body>\n</html>\n")
}

fn verdict(run: &Run) -> String {
    let (word, class) = match run.exit {
        Exit::Ok => ("all well", "good"),
        Exit::Partial => ("some articles failed", "warn"),
        Exit::TimeBudget => ("out of time", "warn"),
        Exit::CostBudget => ("out of money", "warn"),
        Exit::Interrupted | Exit::Terminated => ("interrupted", "warn"),
        Exit::Systemic | Exit::Usage => ("given up", "bad"),
    };
    let mut text = format!(
        "<header><h1>{CHAIN}</h1><span class=\"badge {class}\">{word}</span>\
         <span class=\"run\">run {} &middot; {} &middot; exit {}</span></header>\n",
        escape(&run.id),
        clock::stamp(run.started),
        run.exit.code()
    );
    if let Some(why) = &run.stopped {
        text.push_str(&format!(
            "<p class=\"why\">Stopped early: {}.</p>\n",
            escape(why)
        ));
    }
    text
}

fn tiles(run: &Run) -> String {
    let tally = &run.tally;
    let ok = tally.articles_with(ArticleStatus::Ok);
    let attempts = tally.attempts();
    let others: Vec<String> = ArticleStatus::ALL
        .into_iter()
        .filter(|status| *status != ArticleStatus::Ok && tally.articles_with(*status) > 0)
        .map(|status| {
            format!(
                "{} {}",
                tally.articles_with(status),
                status.name().replace('_', " ")
            )
        })
        .collect();
    let note = if others.is_empty() {
        "articles succeeded".to_owned()
    } else {
        others.join(", ")
    };
    let mut text = String::from("<section class=\"tiles\">\n");
    text.push_str(&tile(&format!("{ok} of {}", tally.planned()), &note, ""));
    let time_gauge = run
        .time_budget
        .map(|budget| gauge(span::ms(run.elapsed), span::ms(budget)));
    let time_note = match run.time_budget {
        Some(budget) => format!("of a budget of {}", span::show(budget)),
        None => "in all".to_owned(),
    };
    text.push_str(&tile(
        &span::show(run.elapsed),
        &time_note,
        &time_gauge.unwrap_or_default(),
    ));
    let cost = tally.cost();
    let cost_gauge = run
        .max_cost
        .map(|bound| gauge(cost.counter_nano_usd(), bound.counter_nano_usd()));
    let cost_note = match (run.max_cost, ok) {
        (Some(bound), _) => format!("of a budget of {bound}"),
        (None, 0) => "cost".to_owned(),
        (None, ok) => {
            let each = cost.nano_usd() / i64::try_from(ok).unwrap_or(i64::MAX);
            format!("{} an article", Money::from_nano_usd(each).short())
        }
    };
    text.push_str(&tile(
        &cost.short(),
        &cost_note,
        &cost_gauge.unwrap_or_default(),
    ));
    let tokens = tally.tokens();
    text.push_str(&tile(
        &count(tokens.all_input().saturating_add(tokens.all_output())),
        &format!(
            "tokens: {} in, {} out",
            count(tokens.all_input()),
            count(tokens.all_output())
        ),
        "",
    ));
    text.push_str(&tile(
        &attempts.sum().to_string(),
        &format!(
            "calls, {} of them retries, {} repairs",
            attempts.retry, attempts.repair
        ),
        "",
    ));
    text.push_str("</section>\n");
    text
}

fn tile(value: &str, note: &str, extra: &str) -> String {
    format!(
        "<div class=\"card tile\"><b>{}</b><span>{}</span>{extra}</div>\n",
        escape(value),
        escape(note)
    )
}

fn failures(run: &Run) -> String {
    if run.tally.failures.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "<h2>What failed</h2>\n<div class=\"card wide\"><table><thead><tr><th>Class</th><th>Count</th>\
         <th class=\"text\">Article</th><th class=\"text\">Step</th><th class=\"text\">What happened</th></tr></thead><tbody>\n",
    );
    for (class, failures) in &run.tally.failures {
        for (at, example) in failures.examples.iter().take(8).enumerate() {
            let (class, number) = if at == 0 {
                (class.as_str(), failures.count.to_string())
            } else {
                ("", String::new())
            };
            text.push_str(&format!(
                "<tr><td>{}</td><td>{number}</td><td class=\"text\" dir=\"auto\">{}</td><td class=\"text\">{}</td>\
                 <td class=\"text\">{}</td></tr>\n",
                escape(&class.replace('_', " ")),
                escape(&example.article),
                example.step.map_or("-", Step::name),
                escape(&shorten(&example.message))
            ));
        }
    }
    text.push_str("</tbody></table></div>\n");
    text
}

fn shorten(text: &str) -> String {
    const MOST: usize = 400;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push('\u{2026}');
    }
    short
}

/// What a second run needs to be the same.
fn origin(run: &Run) -> String {
    let mut text = String::from(
        "<h2>How it was made</h2>\n<div class=\"card wide\"><table><thead><tr><th>Step</th>\
         <th>Asked of</th><th>Prompt</th><th>Prompt digest</th><th>Schema digest</th></tr></thead><tbody>\n",
    );
    for facts in &run.steps {
        text.push_str(&format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"mono\">{}</td><td class=\"mono\">{}</td></tr>\n",
            facts.step.name(),
            escape(&facts.target),
            escape(&facts.prompt_version),
            facts.prompt_sha256.get(..12).unwrap_or_default(),
            facts.schema_sha256.get(..12).unwrap_or_default()
        ));
    }
    text.push_str("</tbody></table></div>\n");
    let ledger = match run.ledger {
        Some(ledger) if ledger.cost == run.tally.cost() => {
            format!("The gateway's books agree: {}.", ledger.cost)
        }
        Some(ledger) => format!("The gateway's books say {}.", ledger.cost),
        None => String::new(),
    };
    let prices = run.price_version.as_deref().unwrap_or("not told");
    text.push_str(&format!(
        "<footer>chain-client {} through {}. {} articles at a time. Price list: {}. Cost {} exactly. {}</footer>\n",
        env!("CARGO_PKG_VERSION"),
        escape(&run.gateway),
        run.concurrency,
        escape(prices),
        run.tally.cost(),
        escape(&ledger)
    ));
    text
}

fn ms(ms: u64) -> String {
    span::show(Duration::from_millis(ms))
}
