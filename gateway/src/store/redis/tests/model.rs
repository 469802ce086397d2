//! The real scripts in a real Redis against the core's `Account`: the same random histories, the
//! same answers, call by call, and the same balances.
//!
//! The scripts take the time from a key instead of `TIME`; nothing else about them is changed.

mod clock;
pub(super) mod steps;
mod windows;
pub(super) mod world;

use super::Server;
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};
use steps::{Step, history};
use world::World;

/// Histories in each run of the tests.
const HISTORIES: u32 = 2_000;

/// The seed that this was built with, to run a failed history again.
pub(super) fn given_seed() -> Option<u64> {
    option_env!("TOLLGATE_MODEL_SEED")?.parse().ok()
}

pub(super) fn runner(seed: u64, cases: u32) -> TestRunner {
    let config = Config {
        cases,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(config, rng)
}

#[test]
fn scripts_do_what_the_account_does() {
    let seed = given_seed().unwrap_or_else(|| fastrand::u64(..));
    println!("TOLLGATE_MODEL_SEED={seed}");
    let server = Server::start();
    let world = World::new(&server, &|body| body.to_owned());
    let result = runner(seed, HISTORIES).run(&history(), |steps| {
        world
            .run(&steps)
            .map_err(proptest::test_runner::TestCaseError::fail)
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, steps)) => {
            panic!("TOLLGATE_MODEL_SEED={seed}\n{why}\nafter {steps:#?}")
        }
        Err(TestError::Abort(why)) => panic!("TOLLGATE_MODEL_SEED={seed}: {why}"),
    }
    let seen = world.seen();
    println!("{seen:?}");
    assert!(
        seen.all_kinds(),
        "the histories reach every kind of answer: {seen:?}"
    );
}

/// The first history that tells these scripts from the account, if one does.
pub(super) fn tells_apart(world: &World, seed: u64, most: u32) -> Option<(u32, String)> {
    let mut runner = runner(seed, most);
    for number in 0..most {
        let steps: Vec<Step> = history()
            .new_tree(&mut runner)
            .expect("a history")
            .current();
        if let Err(why) = world.run(&steps) {
            return Some((number, why));
        }
    }
    None
}
