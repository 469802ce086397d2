//! `docs/accuracy.md`.

use super::report::{Report, Row};

/// The document, as of `date`.
#[must_use]
pub fn markdown(report: &Report, date: &str) -> String {
    let rows: String = report.rows.iter().map(row).collect();
    format!(
        r#"# Accuracy

Written by `make accuracy ARGS=--write-docs`; don't edit it by hand.

How exactly do several gateways hold one budget, when calls come all at once, cost other than they
hold, or lose their caller, and when a gateway or Redis dies?

## Method

Each row starts its own Redis, its own gateways (`tollgate serve` with `kind = "redis"`, one ledger
that all share) and a provider simulator that answers after 100 ms; all over loopback. Callers call
every gateway at once, again and again, until the one hard budget is used up. In the lower rows
something is killed, frozen or flushed when a third of it is spent, and callers go on meanwhile.

At the end, when nothing is in flight, three books that don't know of each other must agree to the
nano-dollar: what `GetBudget` says on every gateway, the sum of the ledger (`tollgate ledger
verify`), and the provider's bill, which is its token counts times the price. Only calls of a
gateway that was killed are charged more than billed: in full, because nobody knows what they cost.

- **admitted**: calls that got to the provider.
- **spent / limit**: what was spent of the budget, by the balances or by the provider's bill, whichever
  is more. The **bound** is 1 wherever a call can't cost more
  than it holds and Redis lost nothing that it acknowledged. Else it is 1 and what calls in flight
  may cost above their holds (hold below cost), or what only Redis knew (flushed, failed over), over
  the limit.
  At no admission may more than the limit be spent and held, as receipts tell it; that holds for all
  rows.
- **falsely refused**: calls that fit by their holds, by what the refusal says was spent and held, or
  by what was left when nothing was in flight.
- **no store**: calls refused because Redis did not answer; nothing was charged for them.
- **recovery**: from the moment when Redis is well again (answers, has read its file, is promoted)
  until *every* gateway has answered a new call, 100 ms of which are the provider's; below 2 s, but
  for a rebuild.

The run fails, and says which row, if anything is beyond its bound.

## Result

Measured {date} on {cores} cores with {memory:.0} GB of memory, which gateways, Redis, simulator and
callers shared with other programs: the load average was {before:.2} before the start and {after:.2}
at the end.

| | what happens | gateways, callers | admitted | spent / limit | bound | falsely refused | no store | recovery |
|---|---|---|---|---|---|---|---|---|
{rows}"#,
        cores = report.machine.cores,
        memory = report.machine.memory_gib,
        before = report.machine.load_before,
        after = report.load_after,
    )
}

fn row(row: &Row) -> String {
    let problems = if row.problems.is_empty() {
        String::new()
    } else {
        format!(" **beyond its bound: {}**", row.problems.join("; "))
    };
    format!(
        "| {} | {}{problems} | {}, {} | {} | {:.4} | {:.4} | {} | {} | {} |\n",
        row.name,
        row.what,
        row.replicas,
        row.callers,
        row.admitted,
        row.spent_share,
        row.bound,
        row.falsely_refused,
        row.unavailable,
        row.recovered(),
    )
}
