//! `tollgate budgets show` and `top-up`.

use super::{
    Shown,
    args::{Budget, Budgets},
    connection::{Connection, Failure},
    table::{
        Side::{Left, Right},
        table,
    },
    time,
};
use crate::cli::Verdict;
use serde_json::{Value, json};
use tollgate_core::Money;
use tollgate_proto::admin::v1 as admin;

pub(super) async fn ask(budgets: &Budgets, mut connection: Connection) -> Result<Shown, Failure> {
    match budgets {
        Budgets::Show { team, .. } => {
            let request = connection.request(admin::ListBudgetsRequest {
                team: team.clone().unwrap_or_default(),
            });
            let listed = connection.office.list_budgets(request).await?.into_inner();
            Ok(Shown {
                text: shown(&listed.budgets),
                json: listed.budgets.iter().map(json).collect(),
            })
        }
        Budgets::TopUp {
            team,
            budget,
            amount,
            request_id,
            ..
        } => {
            let amount: Money = amount.parse().map_err(|_| {
                Failure::usage(format!(
                    "--amount: {amount:?} is not an amount of dollars, such as 25.00"
                ))
            })?;
            let id = request_id
                .clone()
                .unwrap_or_else(|| format!("{:032x}", fastrand::u128(..)));
            let request = connection.request(admin::TopUpBudgetRequest {
                team: team.clone(),
                budget: match budget {
                    Budget::Day => "day".to_owned(),
                    Budget::Month => "month".to_owned(),
                },
                amount_nano_usd: amount.nanos(),
                request_id: id.clone(),
            });
            let answer = connection.office.top_up_budget(request).await;
            let answer = answer.map_err(|status| {
                let failure = Failure::from(status);
                match failure.verdict {
                    Verdict::Unhealthy => Failure {
                        message: format!(
                            "{}\nrepeat it with --request-id {id}, which adds once",
                            failure.message
                        ),
                        ..failure
                    },
                    Verdict::Good | Verdict::Bad => failure,
                }
            })?;
            let after = answer.into_inner().budget.unwrap_or_default();
            let mut json = json(&after);
            json["request_id"] = id.as_str().into();
            Ok(Shown {
                text: format!("{}request id {id}\n", shown(&[after])),
                json,
            })
        }
    }
}

fn shown(budgets: &[admin::TeamBudget]) -> String {
    let rows: Vec<Vec<String>> = budgets.iter().map(row).collect();
    let heads = [
        ("TEAM", Left),
        ("BUDGET", Left),
        ("WINDOW", Left),
        ("LIMIT", Right),
        ("SPENT", Right),
        ("HELD", Right),
        ("LEFT", Right),
        ("HARD", Left),
        ("ENDS", Left),
    ];
    table(&heads, &rows)
}

fn dollars(nanos: i64) -> String {
    Money::from_nanos(nanos).to_string()
}

fn row(budget: &admin::TeamBudget) -> Vec<String> {
    let balance = budget.balance.clone().unwrap_or_default();
    let none = || "-".to_owned();
    let left = balance
        .limit_nano_usd
        .map(|limit| limit - balance.spent_nano_usd - balance.held_nano_usd);
    vec![
        budget.team.clone(),
        balance.name,
        balance.window,
        balance.limit_nano_usd.map_or_else(none, dollars),
        dollars(balance.spent_nano_usd),
        dollars(balance.held_nano_usd),
        left.map_or_else(none, dollars),
        if balance.hard { "yes" } else { "no" }.to_owned(),
        time(balance.resets_at.as_ref()).unwrap_or_else(none),
    ]
}

fn json(budget: &admin::TeamBudget) -> Value {
    let balance = budget.balance.clone().unwrap_or_default();
    json!({
        "team": budget.team,
        "budget": balance.name,
        "window": balance.window,
        "limit_nano_usd": balance.limit_nano_usd,
        "spent_nano_usd": balance.spent_nano_usd,
        "held_nano_usd": balance.held_nano_usd,
        "hard": balance.hard,
        "resets_at": time(balance.resets_at.as_ref()),
    })
}
