//! What can happen to an account.

use proptest::prelude::*;

/// One step of a history. Holds are numbered, so that steps meet each other's holds.
#[derive(Clone, Debug)]
pub(in crate::store::redis::tests) enum Step {
    Hold(Ask),
    Probe(Ask),
    Settle {
        number: u64,
        input: u64,
        output: u64,
        cost: i64,
    },
    Cancel {
        number: u64,
    },
    Expire {
        number: u64,
    },
    Extend {
        number: u64,
        extra: i64,
    },
    Renew {
        first: u64,
        many: u64,
        lease_ms: u64,
    },
    Sweep,
    Pass {
        ms: u64,
    },
    /// A new master may be behind.
    BackInTime {
        ms: u64,
    },
    /// The gateway's clock is off by so much from now on.
    Skew {
        ms: i64,
    },
    Observe {
        tokens: bool,
        remaining: u64,
    },
    CoolDown {
        ms: u64,
    },
    /// Another configuration is in force.
    Configure {
        which: u8,
    },
    Balances,
    /// The number of a request, whether the month is meant, and by how much.
    TopUp(u8, bool, i64),
    /// Who was refused last asks again with just the patience that it takes, after waiting or not.
    AskAgain {
        waited: bool,
    },
    /// Time passes until the last lease or cooldown ends, to the millisecond.
    ToEdge,
}

/// What a hold asks for.
#[derive(Clone, Debug)]
pub(in crate::store::redis::tests) struct Ask {
    pub(super) number: u64,
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) amount: i64,
    pub(super) run: Option<(u8, i64)>,
    pub(super) wait_ms: Option<u64>,
    pub(super) floor: u16,
    pub(super) lease_ms: u64,
    pub(super) force: bool,
}

const NUMBERS: std::ops::Range<u64> = 0..16;

prop_compose! {
    fn asks()(
        number in NUMBERS,
        input in prop_oneof![4 => 0..120u64, 1 => 120..700u64],
        output in 0..80u64,
        amount in prop_oneof![1 => Just(0), 6 => 0..500i64, 1 => 500..2_500i64],
        run in prop::option::weighted(
            0.3,
            (0..2u8, prop_oneof![4 => Just(1_200), 1 => Just(900)]),
        ),
        wait_ms in prop::option::of(prop_oneof![0..2_000u64, 0..90_000u64]),
        floor in prop_oneof![3 => Just(0), 1 => Just(100), 1 => Just(300)],
        lease_ms in prop_oneof![1..5_000u64, Just(30_000)],
        force in prop::bool::weighted(0.04),
    ) -> Ask {
        Ask { number, input, output, amount, run, wait_ms, floor, lease_ms, force }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let input = prop_oneof![4 => 0..150u64, 1 => 0..2_000u64];
    let cost = prop_oneof![4 => 0..400i64, 1 => 0..3_000i64];
    prop_oneof![
        14 => asks().prop_map(Step::Hold),
        1 => asks().prop_map(Step::Probe),
        8 => (NUMBERS, input, 0..80u64, cost)
            .prop_map(|(number, input, output, cost)| Step::Settle { number, input, output, cost }),
        3 => NUMBERS.prop_map(|number| Step::Cancel { number }),
        1 => NUMBERS.prop_map(|number| Step::Expire { number }),
        2 => (NUMBERS, prop_oneof![Just(0), 0..300i64, 300..2_000i64])
            .prop_map(|(number, extra)| Step::Extend { number, extra }),
        1 => (NUMBERS, 1..6u64, 1..20_000u64)
            .prop_map(|(first, many, lease_ms)| Step::Renew { first, many, lease_ms }),
        2 => Just(Step::Sweep),
        5 => prop_oneof![
            5 => 0..3_000u64, 4 => 0..60_000u64, 1 => 0..20_000_000u64,
        ]
            .prop_map(|ms| Step::Pass { ms }),
        1 => (0..5_000u64).prop_map(|ms| Step::BackInTime { ms }),
        1 => prop_oneof![Just(0), -200_000..200_000i64, -20_000_000..20_000_000i64]
            .prop_map(|ms| Step::Skew { ms }),
        1 => (any::<bool>(), 0..500u64)
            .prop_map(|(tokens, remaining)| Step::Observe { tokens, remaining }),
        1 => (0..3_000u64).prop_map(|ms| Step::CoolDown { ms }),
        1 => (0..3u8).prop_map(|which| Step::Configure { which }),
        1 => Just(Step::Balances),
        1 => (0..6u8, any::<bool>(), prop_oneof![Just(100), 1..900i64])
            .prop_map(|(request, month, amount)| Step::TopUp(request, month, amount)),
        2 => any::<bool>().prop_map(|waited| Step::AskAgain { waited }),
        1 => Just(Step::ToEdge),
    ]
}

/// A history.
pub(in crate::store::redis::tests) fn history() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..80)
}
