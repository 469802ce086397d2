//! One section an article: what was found, what it took.

use super::{
    super::{spill::Rows, svg::escape},
    ms, shorten,
};
use crate::{
    row::{ArticleRow, ArticleStatus, StepRow, StepStatus},
    step::Step,
};
use serde_json::Value;
use std::{
    fmt::Write as _,
    io::{self, Write},
};

/// Up to so many articles are shown unfolded.
const OPEN: usize = 3;
/// Names of a kind that are shown.
const MAX_NAMES: usize = 30;

pub(super) fn write(rows: &Rows, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"<h2>Articles</h2>\n")?;
    let mut none = true;
    for (at, row) in rows.read()?.enumerate() {
        out.write_all(section(&row?, at < OPEN).as_bytes())?;
        none = false;
    }
    if none {
        out.write_all(b"<p>There were none.</p>\n")?;
    }
    Ok(())
}

fn section(row: &ArticleRow, open: bool) -> String {
    let class = match row.status {
        ArticleStatus::Ok => "good",
        ArticleStatus::Failed | ArticleStatus::Rejected => "bad",
        ArticleStatus::Cancelled => "warn",
        ArticleStatus::Skipped | ArticleStatus::NotStarted => "mute",
    };
    let mut text = format!(
        "<details{}><summary><span class=\"badge {class}\">{}</span><b dir=\"auto\">{}</b><small>{}</small></summary>\
         <div class=\"body\">",
        if open { " open" } else { "" },
        row.status.name().replace('_', " "),
        escape(&row.title),
        facts(row)
    );
    let _ = write!(
        text,
        "<p class=\"mono\" dir=\"auto\">{} &middot; {}</p>",
        escape(&row.id),
        escape(&row.source)
    );
    if let Some(reason) = &row.reason {
        let _ = write!(text, "<p class=\"fault\">{}</p>", escape(&shorten(reason)));
    }
    if let Some((step, fault)) = row.fault() {
        let _ = write!(
            text,
            "<p class=\"fault\">{}: {} &middot; {}</p>",
            step.name(),
            fault.class.name().replace('_', " "),
            escape(&shorten(&fault.message))
        );
    }
    text.push_str(&found(row));
    if row.reason.is_none() && row.status != ArticleStatus::NotStarted {
        text.push_str(&took(row));
    }
    text.push_str("</div></details>\n");
    text
}

fn facts(row: &ArticleRow) -> String {
    if row.ms == 0 && row.cost().nano_usd() == 0 {
        return format!("{} bytes", row.bytes);
    }
    format!("{} &middot; {}", ms(row.ms), row.cost().short())
}

fn found(row: &ArticleRow) -> String {
    let mut text = String::new();
    if let Some(summary) = text_at(row, Step::GenerateSummary, "summary") {
        let _ = write!(text, "<p dir=\"auto\">{}</p>", escape(summary));
    }
    if let Some(output) = &row.step(Step::ClassifyContent).output {
        let labels = output
            .get("labels")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let chips: String = labels
            .map(|label| {
                let name = label
                    .get("label")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let sure = label
                    .get("confidence")
                    .and_then(Value::as_f64)
                    .unwrap_or_default();
                format!(
                    "<span class=\"chip\">{} {:.0}%</span>",
                    escape(name),
                    sure * 100.0
                )
            })
            .collect();
        let _ = write!(
            text,
            "<div class=\"label\">Topics</div><div class=\"chips\">{chips}</div>"
        );
    }
    if let Some(output) = &row.step(Step::ScoreQuality).output {
        let score = |name: &str| output.get(name).and_then(Value::as_i64).unwrap_or_default();
        let reason = output
            .get("reason")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let _ = write!(
            text,
            "<div class=\"label\">Relevance {} of 10, quality {} of 10</div><p dir=\"auto\" style=\"margin-top:2px\">{}</p>",
            score("relevance"),
            score("quality"),
            escape(reason)
        );
    }
    text.push_str(&entities(row));
    text
}

fn entities(row: &ArticleRow) -> String {
    let Some(output) = &row.step(Step::ExtractEntities).output else {
        return String::new();
    };
    let mut text = String::new();
    for (list, title) in [
        ("people", "People"),
        ("places", "Places"),
        ("organizations", "Organizations"),
        ("dates", "Dates"),
    ] {
        let Some(entries) = output.get(list).and_then(Value::as_array) else {
            continue;
        };
        if entries.is_empty() {
            continue;
        }
        let chips: String = entries.iter().take(MAX_NAMES).map(chip).collect();
        let more = entries.len().saturating_sub(MAX_NAMES);
        let more = if more > 0 {
            format!("<span class=\"chip\">and {more} more</span>")
        } else {
            String::new()
        };
        let _ = write!(
            text,
            "<div class=\"label\">{title}</div><div class=\"chips\">{chips}{more}</div>"
        );
    }
    text
}

fn chip(entry: &Value) -> String {
    let of = |name: &str| entry.get(name).and_then(Value::as_str);
    let name = of("name")
        .or_else(|| of("text"))
        .or_else(|| entry.as_str())
        .unwrap_or_default();
    let iso = of("iso").filter(|iso| *iso != name);
    let extra = iso
        .map(|iso| format!(" ({})", escape(iso)))
        .unwrap_or_default();
    format!(
        "<span class=\"chip\" dir=\"auto\">{}{extra}</span>",
        escape(name)
    )
}

fn text_at<'a>(row: &'a ArticleRow, step: Step, name: &str) -> Option<&'a str> {
    row.step(step).output.as_ref()?.get(name)?.as_str()
}

fn took(row: &ArticleRow) -> String {
    let mut text = String::from(
        "<div class=\"label\">What it took</div><div class=\"wide\"><table><thead><tr><th>Step</th><th>Status</th><th>Model</th>\
         <th>Calls</th><th>Time</th><th>Tokens in</th><th>Tokens out</th><th>Cost</th></tr></thead><tbody>",
    );
    for step in Step::ALL {
        let one = row.step(step);
        let tokens = one.tokens();
        let _ = write!(
            text,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            step.name(),
            status(one),
            escape(one.model().unwrap_or("-")),
            calls(one),
            ms(one.ms),
            tokens.all_input(),
            tokens.all_output(),
            one.cost().short()
        );
    }
    text.push_str("</tbody></table></div>");
    text
}

fn status(row: &StepRow) -> &'static str {
    match row.status {
        StepStatus::Ok if row.repaired => "ok, repaired",
        StepStatus::Ok if row.repaired_locally => "ok, mended",
        StepStatus::Ok => "ok",
        StepStatus::Failed => "failed",
        StepStatus::SkippedUpstream => "skipped",
        StepStatus::Cancelled => "cancelled",
        StepStatus::NotStarted => "not started",
    }
}

/// The calls in the order in which they were made, in short.
fn calls(row: &StepRow) -> String {
    let all: Vec<String> = row
        .calls
        .iter()
        .map(|call| {
            let mut word = call.role.name().to_owned();
            if call.fallback {
                word.push_str(" (fallback)");
            }
            if call.replayed {
                word.push_str(" (replay)");
            }
            if call.model.is_empty() {
                let _ = write!(word, " ({})", call.outcome.replace('_', " "));
            }
            word
        })
        .collect();
    if all.is_empty() {
        "-".to_owned()
    } else {
        escape(&all.join(", "))
    }
}
