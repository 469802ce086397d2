//! Comparing a checkpoint with the sum of all lines before it.

use crate::ledger::{
    Book, Fold,
    checkpoint::all_rows,
    fold::{RUN_KEPT_MS, WINDOW_KEPT_MS},
};
use std::{collections::BTreeMap, sync::Arc};
use tollgate_core::{
    Money, Timestamp,
    account::{Counter, CounterKey, RUN},
};

/// What differs. `summed` may know more: a checkpoint leaves out what is long over.
pub(super) fn differences(summed: &Fold, noted: &Fold) -> Vec<String> {
    let mut differences = Vec::new();
    let now = noted.latest();
    if (summed.entries(), summed.latest()) != (noted.entries(), now) {
        differences.push(format!(
            "it counts {} entries, there are {}",
            noted.entries(),
            summed.entries()
        ));
    }
    let open: BTreeMap<_, _> = summed.open().collect();
    let noted_open: BTreeMap<_, _> = noted.open().collect();
    if open != noted_open {
        differences.push(format!(
            "it has {} open holds, there are {}, or their amounts differ",
            noted_open.len(),
            open.len()
        ));
    }
    let nothing = Book::default();
    for (team, book) in summed.teams() {
        let noted = noted.team(team).unwrap_or(&nothing);
        books(team, (book, noted), now, &mut differences);
    }
    for (team, book) in noted.teams() {
        if summed.team(team).is_none() {
            books(team, (&nothing, book), now, &mut differences);
        }
    }
    differences
}

fn books(
    team: &Arc<str>,
    (summed, noted): (&Book, &Book),
    now: Timestamp,
    differences: &mut Vec<String>,
) {
    for (key, counter) in &noted.counters {
        let sum = summed.counters.get(key).cloned().unwrap_or_default();
        if sum != *counter {
            differences.push(format!(
                "team {team}, {} {}: it says {}, the lines sum to {}",
                key.budget,
                key.window,
                money(counter),
                money(&sum)
            ));
        }
    }
    for (key, counter) in &summed.counters {
        if !noted.counters.contains_key(key) && !is_over(summed, key, counter, now) {
            differences.push(format!(
                "team {team}, {} {}: it is missing, the lines sum to {}",
                key.budget,
                key.window,
                money(counter)
            ));
        }
    }
    if noted
        .runs
        .iter()
        .any(|(run, limit)| summed.runs.get(run) != Some(limit))
    {
        differences.push(format!("team {team}: the bounds of its runs differ"));
    }
    if noted
        .top_ups
        .iter()
        .any(|(request, made)| summed.top_ups.get(request) != Some(made))
    {
        differences.push(format!("team {team}: its top-ups differ"));
    }
    if !all_rows(&summed.tally).eq(all_rows(&noted.tally)) {
        differences.push(format!("team {team}: its usage differs"));
    }
}

fn is_over(book: &Book, key: &CounterKey, counter: &Counter, now: Timestamp) -> bool {
    if counter.held != Money::ZERO {
        return false;
    }
    if &*key.budget == RUN {
        let run = book.runs.get(&key.window);
        return run.is_none_or(|run| run.last_used + RUN_KEPT_MS < now);
    }
    counter
        .ends_at
        .is_some_and(|end| end + WINDOW_KEPT_MS < now)
}

fn money(counter: &Counter) -> String {
    let Counter {
        spent,
        held,
        topped_up,
        crossed_permille,
        ..
    } = counter;
    format!("spent {spent}, held {held}, topped up {topped_up}, crossed {crossed_permille}")
}
