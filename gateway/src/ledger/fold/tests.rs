use super::*;
use crate::ledger::checkpoint;
use age::run_key;
use proptest::prelude::*;

mod script;

pub(in crate::ledger) use script::{START_MS, Script, Step, steps};

/// Everything that a fold says, to compare it.
pub(in crate::ledger) fn said(fold: &Fold) -> String {
    let mut fold = fold.clone();
    fold.prune();
    let usage: Vec<_> = fold
        .teams()
        .map(|(team, book)| (team, checkpoint::all_rows(&book.tally).collect::<Vec<_>>()))
        .collect();
    let money: Vec<_> = fold
        .teams()
        .map(|(team, book)| (team, &book.counters, &book.runs))
        .collect();
    format!(
        "{money:#?} {usage:#?} {:#?} {} {:?}",
        fold.open, fold.entries, fold.latest
    )
}

pub(in crate::ledger) fn fold_of(entries: &[Entry]) -> Fold {
    let mut fold = Fold::default();
    for entry in entries {
        fold.apply(entry);
    }
    fold
}

fn through_a_checkpoint(fold: &Fold) -> Fold {
    let dir = tempfile::tempdir().expect("a directory");
    let previous = checkpoint::Previous {
        bytes: 0,
        sha256: String::new(),
    };
    let path = crate::ledger::segment::checkpoint_path(dir.path(), 2);
    std::fs::write(path, checkpoint::encode(fold, 2, previous)).expect("writes");
    checkpoint::read(dir.path(), 2)
        .expect("what was written is read")
        .0
}

fn entries_of(steps: &[Step]) -> Vec<Entry> {
    Script::of(steps).entries
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_balance_is_the_sum_of_its_charges(steps in steps(120)) {
        let script = Script::of(&steps);
        let fold = fold_of(&script.entries);
        for ((team, key), sum) in &script.spent {
            prop_assert_eq!(fold.spent(team, key), Money::from_nanos(*sum));
        }
        for (team, book) in fold.teams() {
            let day = |key: &CounterKey| &*key.budget == "day";
            let spent: Money = book.counters.iter().filter(|(k, _)| day(k)).map(|(_, c)| c.spent).sum();
            let used: Money = checkpoint::all_rows(&book.tally).map(|(_, _, sum)| sum.cost).sum();
            prop_assert_eq!(spent, used, "usage of {} is its spend", team);
            for (key, counter) in &book.counters {
                let is_its = |open: &&OpenEntry| {
                    open.team == *team
                        && open.counters.iter().any(|c| c.budget == key.budget && c.window == key.window)
                };
                let held: Money = fold.open.values().filter(is_its).map(|open| open.amount).sum();
                prop_assert_eq!(counter.held, held);
            }
        }
    }

    #[test]
    fn it_does_not_matter_where_a_ledger_is_cut(steps in steps(120), cut in any::<usize>()) {
        let entries = entries_of(&steps);
        let cut = cut % (entries.len() + 1);
        let whole = fold_of(&entries);
        let mut first = fold_of(&entries[..cut]);
        first.prune();
        let mut second = through_a_checkpoint(&first);
        prop_assert_eq!(said(&first), said(&second));
        // What a restart remembers of the segment before the checkpoint.
        entries[..cut].iter().for_each(|entry| second.remember(entry));
        second.turn();
        entries[cut..].iter().for_each(|entry| { second.apply(entry); });
        prop_assert_eq!(said(&whole), said(&second));
    }

    #[test]
    fn expiring_what_is_open_leaves_nothing_held(steps in steps(80)) {
        let script = Script::of(&steps);
        let mut restored = Restored { fold: fold_of(&script.entries), found: Found::default() };
        let open = restored.fold.open().count();
        let held: Money = restored.fold.open().map(|(_, open)| open.amount).sum();
        let expired = restored.expire_unclosed(Timestamp::from_millis(script.now_ms + 1));
        prop_assert_eq!(expired.len(), open);
        let charged: i64 = expired.iter().map(|entry| entry.charge_nano_usd).sum();
        prop_assert_eq!(charged, held.nanos());
        prop_assert_eq!(restored.fold.open().count(), 0);
        for (_, book) in restored.fold.teams() {
            prop_assert!(book.counters.values().all(|counter| counter.held == Money::ZERO));
        }
        // Whoever reads the ledger later sees the same.
        let mut entries = script.entries;
        entries.extend(expired);
        prop_assert_eq!(said(&fold_of(&entries)), said(&restored.fold));
    }
}

fn held(hold: &str, amount: i64) -> Entry {
    let script = Script {
        now_ms: START_MS,
        ..Script::default()
    };
    let entry = script.about(0, None, hold.into(), Kind::Held);
    Entry {
        held_nano_usd: amount,
        ..entry
    }
}

fn ended(hold: &str, kind: Kind, charge: i64) -> Entry {
    Entry {
        kind,
        charge_nano_usd: charge,
        ..held(hold, 100)
    }
}

fn day_spent(fold: &Fold) -> i64 {
    let book = fold.team("team-0").expect("known");
    let day = book.counters.iter().find(|(key, _)| &*key.budget == "day");
    day.expect("counted").1.spent.nanos()
}

#[test]
fn an_ending_counts_though_its_hold_was_kept_elsewhere() {
    let mut fold = Fold::default();
    assert_eq!(fold.apply(&ended("a", Kind::Settled, 7)), Effect::Counted);
    assert_eq!(fold.apply(&ended("a", Kind::Settled, 7)), Effect::Repeated);
    assert_eq!(day_spent(&fold), 7);
}

#[test]
fn an_ending_is_known_through_the_next_segment() {
    let mut fold = fold_of(&[held("a", 100), ended("a", Kind::Settled, 7)]);
    fold.turn();
    assert_eq!(fold.apply(&ended("a", Kind::Settled, 7)), Effect::Repeated);
    assert_eq!(day_spent(&fold), 7);
}

#[test]
fn a_hold_ends_once_and_an_expiry_is_corrected_once() {
    let mut fold = fold_of(&[held("a", 100), ended("a", Kind::Expired, 100)]);
    assert_eq!(
        fold.apply(&ended("a", Kind::Settled, 7)),
        Effect::Conflicting
    );
    assert_eq!(
        fold.apply(&ended("a", Kind::Corrected, -93)),
        Effect::Counted
    );
    assert_eq!(
        fold.apply(&ended("a", Kind::Corrected, -93)),
        Effect::Repeated
    );
    assert_eq!(
        fold.apply(&ended("a", Kind::Expired, 100)),
        Effect::Repeated
    );
    assert_eq!(fold.apply(&held("a", 100)), Effect::Repeated);
    assert_eq!(day_spent(&fold), 7);
}

#[test]
fn an_extension_says_the_whole_amount_and_may_be_repeated() {
    let mut fold = fold_of(&[held("a", 100)]);
    let longer = Entry {
        kind: Kind::Extended,
        ..held("a", 130)
    };
    assert_eq!(fold.apply(&longer), Effect::Counted);
    assert_eq!(fold.apply(&longer), Effect::Repeated);
    assert_eq!(fold.open["a"].amount.nanos(), 130);
    let counter = fold.team("team-0").expect("known").counters.values().next();
    assert_eq!(counter.expect("counted").held.nanos(), 130);
}

#[test]
fn a_top_up_counts_once_and_brings_marks_back() {
    let script = Script {
        now_ms: START_MS,
        ..Script::default()
    };
    let crossed = Entry {
        permille: Some(800),
        ..script.about(0, None, "m".into(), Kind::Crossed)
    };
    let topped_up = Entry {
        top_up_nano_usd: Some(50),
        ..script.about(0, None, "r".into(), Kind::ToppedUp)
    };
    let mut fold = fold_of(&[crossed.clone(), topped_up.clone()]);
    assert_eq!(fold.apply(&topped_up), Effect::Repeated);
    let counter = fold
        .team("team-0")
        .expect("known")
        .counters
        .values()
        .next()
        .expect("one")
        .clone();
    assert_eq!(
        (counter.topped_up.nanos(), counter.crossed_permille),
        (50, 0)
    );
    assert_eq!(fold.apply(&crossed), Effect::Counted);
    // However many segments later, as long as the window's sums are kept.
    for _ in 0..3 {
        fold.turn();
        fold.prune();
    }
    assert_eq!(fold.apply(&topped_up), Effect::Repeated);
}

#[test]
fn old_windows_and_idle_runs_are_forgotten() {
    let mut script = Script {
        now_ms: START_MS,
        ..Script::default()
    };
    script.step(&Step::Hold {
        team: 0,
        run: Some(0),
        amount: 5,
    });
    script.step(&Step::End {
        which: 0,
        kind: Kind::Settled,
        cost: 5,
    });
    script.now_ms += 41 * 86_400_000;
    script.step(&Step::Hold {
        team: 1,
        run: None,
        amount: 5,
    });
    let mut fold = fold_of(&script.entries);
    fold.prune();
    let book = fold.team("team-0").expect("known");
    let left: Vec<_> = book.counters.keys().map(|key| &*key.budget).collect();
    assert_eq!(left, ["month"], "its month ended less than 40 days ago");
    assert!(book.runs.is_empty());
}

#[test]
fn a_run_that_was_idle_for_long_begins_anew() {
    let mut script = Script {
        now_ms: START_MS,
        ..Script::default()
    };
    script.step(&Step::Hold {
        team: 0,
        run: Some(0),
        amount: 5,
    });
    script.step(&Step::End {
        which: 0,
        kind: Kind::Settled,
        cost: 5,
    });
    script.step(&Step::Hold {
        team: 0,
        run: Some(0),
        amount: 5,
    });
    let mut again = script.entries[2].clone();
    again.at_ms += i64::try_from(RUN_KEPT_MS).expect("fits") + 10;
    let fold = fold_of(&[script.entries[0].clone(), script.entries[1].clone(), again]);
    let run = script.entries[0].counters[2].window.clone();
    assert_eq!(fold.spent("team-0", &run_key(&run)), Money::ZERO);
}
