//! The invariants of an account under random histories.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Hold {
        number: u64,
        tokens: u64,
        amount: i64,
        run: bool,
    },
    Settle {
        number: u64,
        tokens: u64,
        cost: i64,
    },
    Cancel {
        number: u64,
    },
    Extend {
        number: u64,
        extra: i64,
    },
    Sweep,
    Pass {
        ms: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..60u64, 0..200u64, 0..400i64, any::<bool>())
            .prop_map(|(number, tokens, amount, run)| Step::Hold { number, tokens, amount, run }),
        3 => (0..60u64, 0..300u64, 0..600i64)
            .prop_map(|(number, tokens, cost)| Step::Settle { number, tokens, cost }),
        1 => (0..60u64).prop_map(|number| Step::Cancel { number }),
        1 => (0..60u64, 0..200i64).prop_map(|(number, extra)| Step::Extend { number, extra }),
        1 => Just(Step::Sweep),
        2 => (0..20_000u64).prop_map(|ms| Step::Pass { ms }),
    ]
}

/// The truth, kept beside the account in the simplest way.
#[derive(Default)]
struct Book {
    spent: i64,
    above_hold: i64,
    ended: BTreeMap<u64, u32>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// I2, I3, I4, I6, I7: money and gauges add up after every step of any history.
    #[test]
    fn the_books_balance_under_any_history(steps in prop::collection::vec(step(), 1..150)) {
        let limits = limits(500, 8, 2_000);
        let mut account = Account::default();
        let mut book = Book::default();
        let mut now = Timestamp::from_millis(DAY_MS * 150 + 1);
        for step in steps {
            run(&mut account, &limits, &mut book, &mut now, step);
            check(&account, &limits, &book, now)?;
        }
    }
}

fn run(account: &mut Account, limits: &Limits, book: &mut Book, now: &mut Timestamp, step: Step) {
    let mut note = |number: Option<u64>, applied: &Applied| {
        let before = if applied.corrected {
            applied.held.nanos()
        } else {
            0
        };
        book.spent += applied.charged.nanos() - before;
        book.above_hold += applied.overrun.nanos();
        if let Some(number) = number {
            *book.ended.entry(number).or_default() += 1;
        }
    };
    match step {
        Step::Hold {
            number,
            tokens,
            amount,
            run,
        } => {
            let run = run.then(|| RunTake {
                run: "r".into(),
                limit: Money::from_nanos(1_200),
            });
            let _ = account.hold(
                limits,
                &HoldRequest {
                    run,
                    ..request(number, tokens, amount)
                },
                *now,
            );
        }
        Step::Settle {
            number,
            tokens,
            cost,
        } => {
            let reply = account.end(limits, id(number), settled(tokens, cost), *now, MEMORY);
            if let SettleReply::Applied(applied) = reply {
                note(Some(number), &applied);
            }
        }
        Step::Cancel { number } => {
            let reply = account.end(limits, id(number), Ending::Cancelled, *now, MEMORY);
            if let SettleReply::Applied(applied) = reply {
                note(Some(number), &applied);
            }
        }
        Step::Extend { number, extra } => {
            let _ = account.extend(limits, id(number), Money::from_nanos(extra), *now);
        }
        Step::Sweep => {
            for (_, applied) in account.expire_due(limits, *now, 100, MEMORY) {
                note(None, &applied);
            }
        }
        Step::Pass { ms } => *now = *now + ms,
    }
}

fn check(
    account: &Account,
    limits: &Limits,
    book: &Book,
    now: Timestamp,
) -> Result<(), TestCaseError> {
    let days = account.counters().filter(|(key, _)| &*key.budget == "day");
    let mut total = 0;
    for (key, counter) in days {
        prop_assert_eq!(
            counter.held,
            account.held_by_open(key),
            "held is the sum of open holds"
        );
        prop_assert!(counter.spent.nanos() >= 0 && counter.held.nanos() >= 0);
        total += counter.spent.nanos();
    }
    prop_assert_eq!(total, book.spent, "spent is the sum of endings");
    let open = u64::try_from(account.open_holds()).expect("few");
    prop_assert_eq!(account.gauge("concurrency"), open);
    prop_assert!(open <= limits.gauges[0].limit);
    let balance = &account.balances(limits, now)[0];
    let limit = balance.limit.expect("it has one").nanos();
    prop_assert!(
        balance.spent.nanos() + balance.held.nanos() <= limit + book.above_hold,
        "never above the limit by more than calls cost above their holds"
    );
    Ok(())
}
