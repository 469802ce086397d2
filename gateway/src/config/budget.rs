//! `budgets = [{ … }]`: how much money a team may spend per day and month.

use super::{
    reader::{Located, Reader},
    suggest,
    text::shown,
};
use crate::calendar::Span;
use chrono_tz::Tz;
use tollgate_core::Money;

/// A money bound per calendar window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How long a window is.
    pub per: Span,
    /// The bound per window.
    pub amount: Money,
    /// Whether calls are refused at the bound.
    pub hard: bool,
    /// Where the windows begin and end.
    pub zone: Tz,
}

/// The words for [`Span`].
pub(super) const SPANS: [(&str, Span); 2] = [("day", Span::Day), ("month", Span::Month)];

/// Reads `budgets` of the table: at most one per span.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<Budget> {
    let all = reader.tables("budgets", |reader| {
        let per = reader.word("per", &SPANS);
        reader.require("per", "\"day\"");
        let amount = reader.text("amount", amount);
        reader.require("amount", "\"25.00\"");
        let hard = reader.flag("hard").unwrap_or(true);
        let zone = reader.text("zone", zone).unwrap_or(Tz::UTC);
        Some(Budget {
            per: per?,
            amount: amount?,
            hard,
            zone,
        })
    });
    let mut budgets: Vec<Budget> = Vec::new();
    for Located { place, value } in all {
        if budgets.iter().any(|budget| budget.per == value.per) {
            let name = value.per.name();
            reader.report_at(
                place,
                format!("there is a budget per {name} already; keep one"),
            );
        } else {
            budgets.push(value);
        }
    }
    budgets
}

/// Reads an amount of money that a budget may have.
pub(super) fn amount(text: &str) -> Result<Money, String> {
    let amount: Money = text
        .parse()
        .map_err(|error| format!("{} {error}; an amount is in dollars", shown(text)))?;
    if amount > Money::LARGEST_BUDGET {
        return Err(format!(
            "{} is more than the largest budget, \"{}\"",
            shown(text),
            Money::LARGEST_BUDGET
        ));
    }
    Ok(amount)
}

fn zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| {
        let near = suggest::nearest(text, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
        format!(
            "{} is not an IANA zone such as \"Europe/Berlin\" or \"UTC\"{hint}",
            shown(text)
        )
    })
}
