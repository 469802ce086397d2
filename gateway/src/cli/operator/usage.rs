//! `tollgate usage`.

use super::{
    Shown,
    args::{Dimension, Usage},
    connection::{Connection, Failure},
    table::{
        Side::{Left, Right},
        table,
    },
};
use crate::clock::{Clock as _, SystemClock, utc};
use chrono::{Days, NaiveDate};
use clap::ValueEnum as _;
use serde_json::{Value, json};
use tollgate_core::Money;
use tollgate_proto::{
    admin::v1 as admin,
    v1::{UsageDimension, UsageRow},
};

/// From when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So many UTC days before today.
    Days(u64),
    /// This UTC day.
    Day(NaiveDate),
}

/// The most days that a gateway sums.
const MOST_DAYS: u64 = 31;

/// Parses `--since`.
pub(super) fn since(text: &str) -> Result<Since, String> {
    if let Some(days) = text.strip_suffix('d').and_then(|days| days.parse().ok()) {
        return if days <= MOST_DAYS {
            Ok(Since::Days(days))
        } else {
            Err(format!("at most {MOST_DAYS}d are summed"))
        };
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    day.map(Since::Day)
        .map_err(|_| "must be days such as 7d, or a day such as 2026-11-24".to_owned())
}

impl Since {
    fn day(self, today: NaiveDate) -> NaiveDate {
        match self {
            Self::Days(days) => today.checked_sub_days(Days::new(days)).unwrap_or(today),
            Self::Day(day) => day,
        }
    }
}

pub(super) async fn ask(usage: &Usage, mut connection: Connection) -> Result<Shown, Failure> {
    let today = utc(SystemClock.now()).date_naive();
    let groups = usage.by.iter().filter_map(|by| dimension(*by));
    let request = connection.request(admin::QueryUsageRequest {
        team: usage.team.clone().unwrap_or_default(),
        from_day: usage.since.day(today).to_string(),
        to_day: today.to_string(),
        by_team: usage.by.contains(&Dimension::Team),
        group_by: groups.map(i32::from).collect(),
    });
    let answer = connection.office.query_usage(request).await?.into_inner();
    let total = admin::TeamUsage {
        team: String::new(),
        usage: answer.total,
    };
    let json_row = |row: &admin::TeamUsage| json(row, &usage.by);
    let json = json!({
        "from_day": usage.since.day(today).to_string(),
        "to_day": today.to_string(),
        "rows": answer.rows.iter().map(json_row).collect::<Vec<_>>(),
        "total": json_row(&total),
    });
    let mut heads: Vec<(String, _)> = usage
        .by
        .iter()
        .map(|by| (name(*by).to_uppercase(), Left))
        .collect();
    heads.extend(["CALLS", "TOK IN", "TOK OUT", "COST"].map(|head| (head.to_owned(), Right)));
    let heads: Vec<_> = heads
        .iter()
        .map(|(head, side)| (head.as_str(), *side))
        .collect();
    let mut rows: Vec<Vec<String>> = answer.rows.iter().map(|r| row(r, &usage.by)).collect();
    let mut last = row(&total, &usage.by);
    if let Some(first) = last.first_mut() {
        *first = "total".to_owned();
    }
    rows.push(last);
    let text = table(&heads, &rows);
    Ok(Shown { text, json })
}

/// What the gateway calls it; teams are grouped apart.
const fn dimension(by: Dimension) -> Option<UsageDimension> {
    match by {
        Dimension::Team => None,
        Dimension::Pipeline => Some(UsageDimension::Pipeline),
        Dimension::Run => Some(UsageDimension::Run),
        Dimension::Step => Some(UsageDimension::Step),
        Dimension::Model => Some(UsageDimension::Model),
        Dimension::Day => Some(UsageDimension::Day),
    }
}

fn name(by: Dimension) -> String {
    let value = by.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

fn group<'a>(of: &'a admin::TeamUsage, row: &'a UsageRow, by: Dimension) -> &'a str {
    match by {
        Dimension::Team => &of.team,
        Dimension::Pipeline => &row.pipeline,
        Dimension::Run => &row.run,
        Dimension::Step => &row.step,
        Dimension::Model => &row.model,
        Dimension::Day => &row.day,
    }
}

/// Input tokens of all classes, and output tokens.
fn tokens(row: &UsageRow) -> (i64, i64) {
    let usage = row.usage.unwrap_or_default();
    let input = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
    (input, usage.output_tokens)
}

fn row(of: &admin::TeamUsage, by: &[Dimension]) -> Vec<String> {
    let row = of.usage.clone().unwrap_or_default();
    let (input, output) = tokens(&row);
    let groups = by.iter().map(|by| match group(of, &row, *by) {
        "" => "-".to_owned(),
        value => value.to_owned(),
    });
    let sums = [
        row.calls.to_string(),
        input.to_string(),
        output.to_string(),
        Money::from_nanos(row.cost_nano_usd).to_string(),
    ];
    groups.chain(sums).collect()
}

fn json(of: &admin::TeamUsage, by: &[Dimension]) -> Value {
    let row = of.usage.clone().unwrap_or_default();
    let (input, output) = tokens(&row);
    let mut object = json!({
        "calls": row.calls,
        "input_tokens": input,
        "output_tokens": output,
        "cost_nano_usd": row.cost_nano_usd,
    });
    for by in by {
        object[name(*by)] = group(of, &row, *by).into();
    }
    object
}
