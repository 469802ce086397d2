//! Random ledgers, as a store would write them.

use crate::ledger::{AttemptRecord, CallRecord, CounterRef, Entry, Kind};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};
use tollgate_core::{
    HoldId, Timestamp,
    account::{CounterKey, RUN},
};

pub(in crate::ledger) const START_MS: i64 = 1_795_000_000_000;

/// One thing that a store may decide.
#[derive(Clone, Debug)]
pub(in crate::ledger) enum Step {
    Hold {
        team: u8,
        run: Option<u8>,
        amount: i64,
    },
    Extend {
        which: usize,
        extra: i64,
    },
    End {
        which: usize,
        kind: Kind,
        cost: i64,
    },
    Correct {
        which: usize,
        cost: i64,
    },
    TopUp {
        team: u8,
        amount: i64,
    },
    Cross {
        team: u8,
        permille: u16,
    },
    /// A writer that is not sure repeats itself.
    Repeat {
        back: usize,
    },
    Wait {
        ms: i64,
    },
}

pub(in crate::ledger) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let run = proptest::option::of(0..3u8);
    let ending = prop_oneof![
        Just(Kind::Settled),
        Just(Kind::Cancelled),
        Just(Kind::Expired)
    ];
    let step = prop_oneof![
        6 => (0..3u8, run, 1..1_000i64)
            .prop_map(|(team, run, amount)| Step::Hold { team, run, amount }),
        1 => (any::<usize>(), 1..1_000i64)
            .prop_map(|(which, extra)| Step::Extend { which, extra }),
        5 => (any::<usize>(), ending, 0..2_000i64)
            .prop_map(|(which, kind, cost)| Step::End { which, kind, cost }),
        1 => (any::<usize>(), 0..2_000i64)
            .prop_map(|(which, cost)| Step::Correct { which, cost }),
        1 => (0..3u8, 1..1_000i64).prop_map(|(team, amount)| Step::TopUp { team, amount }),
        1 => (0..3u8, 1..1_000u16).prop_map(|(team, permille)| Step::Cross { team, permille }),
        2 => (0..20usize).prop_map(|back| Step::Repeat { back }),
        2 => (0..90_000_000i64).prop_map(|ms| Step::Wait { ms }),
    ];
    proptest::collection::vec(step, 0..most)
}

/// Turns steps into the entries that a store writes, and adds them up in the plainest way.
#[derive(Default)]
pub(in crate::ledger) struct Script {
    pub(in crate::ledger) entries: Vec<Entry>,
    pub(in crate::ledger) spent: BTreeMap<(Arc<str>, CounterKey), i64>,
    pub(in crate::ledger) now_ms: i64,
    pub(in crate::ledger) minted: u128,
    pub(in crate::ledger) open: Vec<Entry>,
    pub(in crate::ledger) expired: Vec<Entry>,
}

impl Script {
    pub(in crate::ledger) fn of(steps: &[Step]) -> Self {
        let mut script = Self {
            now_ms: START_MS,
            ..Self::default()
        };
        for step in steps {
            script.now_ms += 1;
            script.step(step);
        }
        script
    }

    pub(in crate::ledger) fn step(&mut self, step: &Step) {
        match step {
            Step::Hold { team, run, amount } => self.hold(*team, *run, *amount),
            Step::Extend { which, extra } => {
                let Some(place) = which.checked_rem(self.open.len()) else {
                    return;
                };
                self.open[place].held_nano_usd += extra;
                let kind = Kind::Extended;
                self.write(Entry {
                    kind,
                    ..self.open[place].clone()
                });
            }
            Step::End { which, kind, cost } => {
                let Some(place) = which.checked_rem(self.open.len()) else {
                    return;
                };
                let hold = self.open.swap_remove(place);
                let (charge, call) = match kind {
                    Kind::Settled => (*cost, Some(call(*cost))),
                    Kind::Expired => (hold.held_nano_usd, None),
                    _ => (0, None),
                };
                if *kind == Kind::Expired {
                    self.expired.push(hold.clone());
                }
                self.end(hold, *kind, charge, call);
            }
            Step::Correct { which, cost } => {
                let Some(place) = which.checked_rem(self.expired.len()) else {
                    return;
                };
                let hold = self.expired.swap_remove(place);
                let charge = cost - hold.held_nano_usd;
                self.end(hold, Kind::Corrected, charge, Some(call(*cost)));
            }
            Step::TopUp { team, amount } => {
                let hold = format!("request-{}", self.now_ms).into();
                let entry = self.about(*team, None, hold, Kind::ToppedUp);
                self.write(Entry {
                    top_up_nano_usd: Some(*amount),
                    ..entry
                });
            }
            Step::Cross { team, permille } => {
                let hold = format!("day:{permille}").into();
                let entry = self.about(*team, None, hold, Kind::Crossed);
                self.write(Entry {
                    permille: Some(*permille),
                    ..entry
                });
            }
            Step::Repeat { back } => {
                let place = self.entries.len().checked_sub(back + 1);
                let entry = place.map(|place| self.entries[place].clone());
                // A mark after a top-up is a new one, and a hold is repeated with its ending.
                let is_other = |kind| matches!(kind, Kind::Crossed | Kind::Held);
                if let Some(entry) = entry.filter(|entry| !is_other(entry.kind)) {
                    self.entries.push(entry);
                }
            }
            Step::Wait { ms } => self.now_ms += ms,
        }
    }

    fn hold(&mut self, team: u8, run: Option<u8>, amount: i64) {
        self.minted += 1;
        let id = HoldId::new(Timestamp::from_millis(self.now_ms), self.minted << 8);
        let entry = self.about(team, run, id.to_string().into(), Kind::Held);
        let entry = Entry {
            held_nano_usd: amount,
            ..entry
        };
        self.open.push(entry.clone());
        self.write(entry);
    }

    fn end(&mut self, hold: Entry, kind: Kind, charge: i64, call: Option<Arc<CallRecord>>) {
        for counter in &hold.counters {
            let key = CounterKey {
                budget: counter.budget.clone(),
                window: counter.window.clone(),
            };
            *self.spent.entry((hold.team.clone(), key)).or_default() += charge;
        }
        self.write(Entry {
            kind,
            charge_nano_usd: charge,
            call,
            ..hold
        });
    }

    fn write(&mut self, entry: Entry) {
        self.entries.push(Entry {
            at_ms: self.now_ms,
            ..entry
        });
    }

    pub(in crate::ledger) fn about(
        &self,
        team: u8,
        run: Option<u8>,
        hold: Arc<str>,
        kind: Kind,
    ) -> Entry {
        let day = self.now_ms / 86_400_000;
        let window = |budget: &str, length: i64| CounterRef {
            budget: budget.into(),
            window: format!("{budget}-{}", day / length).into(),
            ends_at_ms: Some((day / length + 1) * length * 86_400_000),
            limit_nano_usd: None,
        };
        let mut counters = vec![window("day", 1), window("month", 30)];
        counters.extend(run.map(|run| CounterRef {
            budget: RUN.into(),
            // Runs are named anew each week, so that no name is used again when it is stale.
            window: format!("run-{run}-{}", day / 7).into(),
            ends_at_ms: None,
            limit_nano_usd: Some(1_000_000),
        }));
        Entry {
            at_ms: self.now_ms,
            kind,
            team: format!("team-{team}").into(),
            hold,
            counters,
            held_nano_usd: 0,
            charge_nano_usd: 0,
            top_up_nano_usd: None,
            permille: None,
            call: None,
        }
    }
}

fn call(cost: i64) -> Arc<CallRecord> {
    let attempt = AttemptRecord {
        model: format!("model-{}", cost % 3).into(),
        outcome: "ok".into(),
        input_tokens: 11,
        output_tokens: 3,
        cost_nano_usd: cost,
        ..AttemptRecord::default()
    };
    Arc::new(CallRecord {
        pipeline: "analysis \"quoted\" \u{2603}".into(),
        step: "score".into(),
        outcome: "ok".into(),
        attempts: vec![attempt],
        ..CallRecord::default()
    })
}
