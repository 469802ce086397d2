//! The table is closed, documented, and kept.

use super::*;
use crate::error::Violation;
use std::sync::Arc;
use tollgate_core::{
    Timestamp,
    budget::{Balance, Window},
};

fn budget(spent: i64, held: i64) -> Refusal {
    Refusal::Budget {
        balance: Balance {
            name: "day".into(),
            window: Window {
                id: "2026-11-24".into(),
                ends_at: Some(Timestamp::from_millis(1_764_028_800_000)),
            },
            limit: Some(Money::from_nanos(1_000)),
            hard: true,
            spent: Money::from_nanos(spent),
            held: Money::from_nanos(held),
        },
        need: Money::from_nanos(500),
    }
}

fn denial(refusal: Refusal, retry_after_ms: Option<u64>) -> Denial {
    Denial {
        refusals: vec![refusal],
        retry_after_ms,
    }
}

/// One of each, in the order of the table.
fn all() -> Vec<Error> {
    let rate = Refusal::Rate {
        limit: "tokens_per_minute".into(),
        wait_ms: 700,
    };
    let concurrency = Refusal::Concurrency {
        limit: "concurrency".into(),
        bound: 8,
    };
    let never = Refusal::Unsatisfiable {
        limit: "tokens_per_minute".into(),
        need: 9,
        capacity: 5,
    };
    let cost = Money::from_nanos(42);
    vec![
        Error::InvalidRequest(vec![Violation::new("spec", "is required")]),
        Error::LimitUnsatisfiable(vec![never]),
        Error::InvalidCredential,
        Error::ModelForbidden("model gpt-4".to_owned()),
        Error::UnknownModel("gpt-\u{1b}5".to_owned()),
        Error::UnknownRoute("fast".to_owned()),
        Error::PromptRejected {
            provider: Arc::from("openai"),
        },
        Error::Limited(denial(rate, Some(700))),
        Error::Limited(denial(concurrency, Some(1_000))),
        Error::BudgetExhausted(denial(budget(900, 0), None)),
        Error::Overloaded {
            retry_after_ms: 500,
        },
        Error::TargetsExhausted {
            retry_after_ms: 1_000,
        },
        Error::OutcomeUnknown { cost },
        Error::DeadlineExceeded { cost },
        Error::Internal { cost },
        Error::StoreUnavailable,
        Error::IdempotencyConflict,
    ]
}

#[test]
fn every_error_has_its_row_and_exactly_one_error_info() {
    let errors = all();
    assert_eq!(errors.len(), ROWS.len());
    for (error, row) in errors.iter().zip(ROWS) {
        let status = status(error);
        let details = status.get_error_details();
        let info = details.error_info().expect("every error has one");
        assert_eq!(
            (status.code(), info.reason.as_str()),
            (row.code, row.reason)
        );
        assert_eq!(info.domain, DOMAIN);
        let promised = row.details.contains("QuotaFailure");
        assert_eq!(
            details.quota_failure().is_some(),
            promised,
            "{}",
            row.reason
        );
        assert_eq!(
            details.bad_request().is_some(),
            row.details.contains("BadRequest")
        );
        assert_eq!(
            details.resource_info().is_some(),
            row.details.contains("ResourceInfo")
        );
        assert_eq!(
            info.metadata.contains_key("costNanoUsd"),
            row.details.contains("costNanoUsd")
        );
        assert!(!status.message().chars().any(char::is_control));
    }
}

#[test]
fn unavailable_means_that_nothing_was_charged() {
    for row in ROWS.iter().filter(|row| row.code == Code::Unavailable) {
        assert_eq!(row.charged, "nothing", "{}", row.reason);
        assert!(row.details.contains("RetryInfo"), "{}", row.reason);
    }
}

#[test]
fn a_budget_that_is_spent_says_when_it_resets_and_not_to_retry() {
    let status = status(&Error::BudgetExhausted(denial(budget(900, 0), None)));
    let details = status.get_error_details();
    assert!(details.retry_info().is_none());
    let metadata = &details.error_info().expect("it has one").metadata;
    assert_eq!(metadata["resetTime"], "2025-11-25T00:00:00.000Z");
    assert_eq!(metadata["heldNanoUsd"], "0");
    assert_eq!(
        status
            .metadata()
            .get("grpc-retry-pushback-ms")
            .expect("told"),
        "-1"
    );
}

#[test]
fn a_budget_that_is_only_held_says_when_to_come_back() {
    let status = status(&Error::BudgetExhausted(denial(budget(0, 900), Some(1_000))));
    let details = status.get_error_details();
    let told = details.retry_info().and_then(|info| info.retry_delay);
    let told = told.expect("waiting helps");
    assert!((1_000..=1_250).contains(&told.as_millis()), "{told:?}");
    assert_eq!(
        details.error_info().expect("it has one").metadata["heldNanoUsd"],
        "900"
    );
}

/// `docs/errors.md` has this table. `UPDATE_DOCS=1` writes it anew.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its caller to write"
)]
fn the_documentation_is_the_table() {
    const HEAD: &str =
        "| code | reason | details | charged | what to do |\n|---|---|---|---|---|\n";
    let rows: Vec<String> = ROWS.iter().map(line).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md");
    let page = std::fs::read_to_string(path).expect("docs/errors.md is there");
    let (before, rest) = page.split_once(HEAD).expect("it has the table");
    let old: String = rest
        .split_inclusive('\n')
        .take_while(|l| l.starts_with('|'))
        .collect();
    let after = &rest[old.len()..];
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let page = format!("{before}{HEAD}{}{after}", rows.concat());
        std::fs::write(path, page).expect("it can be written");
    } else {
        assert_eq!(old, rows.concat(), "run `make docs`");
    }
}

fn line(row: &Row) -> String {
    let code = format!("{:?}", row.code);
    let mut name = String::new();
    for letter in code.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    let Row {
        reason,
        details,
        charged,
        advice,
        ..
    } = row;
    format!("| {name} | {reason} | {details} | {charged} | {advice} |\n")
}
