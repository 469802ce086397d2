//! report.json: the accounting of a run, for programs. Changes only add to it.

use super::{Ledger, Run, spill::Rows};
use crate::{
    clock,
    money::Money,
    row::{ArticleRow, ArticleStatus, StepRow},
    span,
    step::{CHAIN, Step},
    tally::{ModelTally, Roles, StepTally},
};
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// The name and version of the form.
const SCHEMA: &str = "chain-client/report/v1";

/// Writes the report; the articles are copied over one by one.
pub(crate) fn write(run: &Run, rows: &Rows, out: &mut dyn Write) -> io::Result<()> {
    let Value::Object(head) = head(run) else {
        unreachable!("the head is an object")
    };
    out.write_all(b"{\n")?;
    for (name, value) in head {
        writeln!(out, "{}: {},", Value::from(name), pretty(&value)?)?;
    }
    out.write_all(b"\"articles\": [")?;
    for (index, row) in rows.read()?.enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &article(&row?))?;
    }
    out.write_all(b"\n]\n}\n")
}

fn pretty(value: &Value) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(value)?)
}

/// The one line that `--json` prints: the report without its long lists.
pub(crate) fn line(run: &Run) -> String {
    let mut value = head(run);
    if let Some(object) = value.as_object_mut() {
        object.remove("failures");
        object.insert("report".into(), json!(run.dir.join("report.json")));
        object.insert("results".into(), json!(run.dir.join("results.jsonl")));
    }
    value.to_string()
}

fn head(run: &Run) -> Value {
    let tally = &run.tally;
    let steps: Vec<Value> = Step::ALL
        .iter()
        .map(|&step| step_value(run, step))
        .collect();
    let models: Vec<Value> = tally
        .models
        .iter()
        .map(|(name, model)| model_value(name, model))
        .collect();
    json!({
        "schema": SCHEMA,
        "run": run_value(run),
        "totals": totals(run),
        "steps": steps,
        "models": models,
        "failures": failures(run),
        "findings": {
            "topics": tally.topics,
            "relevance": tally.scores[0],
            "quality": tally.scores[1],
        },
        "ledger": ledger(run),
    })
}

fn run_value(run: &Run) -> Value {
    json!({
        "id": run.id,
        "chain": CHAIN,
        "client_version": env!("CARGO_PKG_VERSION"),
        "gateway": run.gateway,
        "price_version": run.price_version,
        "status": run.exit.name(),
        "exit_code": run.exit.code(),
        "stopped": run.stopped,
        "input_complete": run.input_complete,
        "started_at": clock::stamp(run.started),
        "finished_at": clock::stamp(run.finished),
        "elapsed_ms": span::ms(run.elapsed),
        "time_budget_ms": run.time_budget.map(span::ms),
        "max_cost_nano_usd": run.max_cost.map(Money::nano_usd),
        "concurrency": run.concurrency,
    })
}

fn totals(run: &Run) -> Value {
    let tally = &run.tally;
    let mut articles = Map::new();
    articles.insert("planned".into(), json!(tally.planned()));
    for status in ArticleStatus::ALL {
        articles.insert(status.name().into(), json!(tally.articles_with(status)));
    }
    json!({
        "articles": articles,
        "success_rate": rate(tally.articles_with(ArticleStatus::Ok), tally.planned()),
        "failure_rate": rate(
            tally.articles_with(ArticleStatus::Failed) + tally.articles_with(ArticleStatus::Rejected),
            tally.planned(),
        ),
        "article_ms": {
            "p50": tally.article_times.at(0.5),
            "p95": tally.article_times.at(0.95),
            "max": tally.article_times.max(),
        },
        "calls": tally.attempts().sum(),
        "attempts": roles(&tally.attempts()),
        "gateway": {
            "attempts": tally.gateway.attempts,
            "retries": tally.gateway.retries,
            "fallbacks": tally.gateway.fallbacks,
        },
        "replays": tally.replays,
        "unknown_cost_calls": tally.unknown_cost_calls,
        "tokens": tally.tokens(),
        "cost_nano_usd": tally.cost().nano_usd(),
        "cost_usd": tally.cost().usd_text(),
        "wasted_nano_usd": tally.wasted().nano_usd(),
        "wasted_usd": tally.wasted().usd_text(),
        "avoided_nano_usd": tally.avoided().nano_usd(),
        "avoided_usd": tally.avoided().usd_text(),
    })
}

fn roles(roles: &Roles) -> Value {
    json!({ "primary": roles.primary, "retry": roles.retry, "repair": roles.repair })
}

/// A share from 0 to 1, or null of nothing.
#[expect(clippy::cast_precision_loss, reason = "a share of counts, not money")]
fn rate(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0)
}

fn step_value(run: &Run, step: Step) -> Value {
    let tally: &StepTally = &run.tally.steps[step.index()];
    let facts = &run.steps[step.index()];
    json!({
        "step": step,
        "target": facts.target,
        "prompt": {
            "name": step,
            "version": facts.prompt_version,
            "sha256": facts.prompt_sha256,
            "schema_sha256": facts.schema_sha256,
        },
        "ok": tally.ok,
        "failed": tally.failed,
        "skipped_upstream": tally.skipped,
        "cancelled": tally.cancelled,
        "not_started": tally.not_started,
        "success_rate": rate(tally.ok, tally.ok + tally.failed),
        "first_try_rate": rate(tally.first_try, tally.ok + tally.failed),
        "repaired_locally": tally.repaired_locally,
        "repaired": tally.repaired,
        "ungrounded_dropped": tally.ungrounded_dropped,
        "attempts": roles(&tally.attempts),
        "latency_ms": {
            "p50": tally.times.at(0.5),
            "p95": tally.times.at(0.95),
            "max": tally.times.max(),
        },
        "busy_ms": tally.busy_ms,
        "backoff_ms": tally.backoff_ms,
        "admission_wait_ms": tally.admission_wait_ms,
        "tokens": tally.tokens,
        "cost_nano_usd": tally.cost.nano_usd(),
        "cost_usd": tally.cost.usd_text(),
        "wasted_nano_usd": tally.wasted.nano_usd(),
        "avoided_nano_usd": tally.avoided.nano_usd(),
        "models": tally.models,
    })
}

fn model_value(name: &str, model: &ModelTally) -> Value {
    json!({
        "model": name,
        "calls": model.calls,
        "via": {
            "primary": model.via.primary,
            "retry": model.via.retry,
            "repair": model.via.repair,
            "fallback": model.via_fallback,
        },
        "tokens": model.tokens,
        "cost_nano_usd": model.cost.nano_usd(),
        "cost_usd": model.cost.usd_text(),
    })
}

fn failures(run: &Run) -> Value {
    let one = |(class, failures): (&String, &crate::tally::FailureTally)| {
        let examples: Vec<Value> = failures
            .examples
            .iter()
            .map(|example| {
                json!({
                    "article": example.article,
                    "step": example.step,
                    "message": example.message,
                })
            })
            .collect();
        json!({ "class": class, "count": failures.count, "examples": examples })
    };
    run.tally.failures.iter().map(one).collect()
}

/// Our sum beside the gateway's, if it could be asked.
fn ledger(run: &Run) -> Value {
    let Some(Ledger { calls, cost }) = run.ledger else {
        return json!({ "checked": false });
    };
    json!({
        "checked": true,
        "calls": calls,
        "cost_nano_usd": cost.nano_usd(),
        "cost_usd": cost.usd_text(),
        "difference_nano_usd": (cost - run.tally.cost()).nano_usd(),
        "agrees": cost == run.tally.cost(),
    })
}

fn article(row: &ArticleRow) -> Value {
    let mut steps = Map::new();
    for step in Step::ALL {
        steps.insert(step.name().into(), article_step(row.step(step)));
    }
    json!({
        "n": row.n,
        "id": row.id,
        "source": row.source,
        "title": row.title,
        "bytes": row.bytes,
        "sha256": row.sha256,
        "status": row.status,
        "reason": row.reason,
        "at_ms": row.at_ms,
        "ms": row.ms,
        "cost_nano_usd": row.cost().nano_usd(),
        "cost_usd": row.cost().usd_text(),
        "steps": if row.reason.is_some() { json!({}) } else { Value::Object(steps) },
    })
}

fn article_step(row: &StepRow) -> Value {
    json!({
        "status": row.status,
        "error": row.error,
        "at_ms": row.at_ms,
        "ms": row.ms,
        "backoff_ms": row.backoff_ms,
        "model": row.model(),
        "repaired_locally": row.repaired_locally,
        "repaired": row.repaired,
        "ungrounded_dropped": row.ungrounded_dropped,
        "tokens": row.tokens(),
        "cost_nano_usd": row.cost().nano_usd(),
        "avoided_nano_usd": row.avoided().nano_usd(),
        "calls": row.calls,
    })
}
