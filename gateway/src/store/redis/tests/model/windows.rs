//! Windows that end: what moves on, what stays, and what is dropped.

use super::{
    super::{Server, ask, settled},
    world::{Days, World},
};
use crate::store::redis::keys::Keys;
use redis::{FromRedisValue as _, Value};
use std::sync::Arc;
use tollgate_core::{
    HoldId, Money, Timestamp,
    account::{HoldReply, SettleReply},
    budget::BudgetSpec,
    limit::{Limits, Scope},
};

const DAY_MS: i64 = 10_000_000;
const NOON: i64 = DAY_MS * 170_000 + DAY_MS / 2;

fn limits() -> Arc<Limits> {
    let mut limits = Limits::none(Scope::Team("night".into()));
    limits.budgets.push(BudgetSpec {
        name: "day".into(),
        limit: Some(Money::from_nanos(1_000)),
        hard: true,
        calendar: Arc::new(Days(1)),
        marks: Arc::new([]),
    });
    Arc::new(limits)
}

fn id(number: u128) -> HoldId {
    HoldId::new(Timestamp::from_millis(NOON), number << 8)
}

struct Case {
    world: World,
    limits: Arc<Limits>,
    _server: Server,
}

impl Case {
    fn new() -> Self {
        let server = Server::start();
        let world = World::new(&server, &|body| body.to_owned());
        let limits = limits();
        world.set_time(NOON);
        let account = Keys::of(&limits.scope).account();
        world.command(redis::cmd("HSET").arg(account).arg("ep").arg("1"));
        Self {
            world,
            limits,
            _server: server,
        }
    }

    fn hold(&self, number: u128, amount: i64) {
        let request = ask(id(number), amount);
        let reply = self.world.accounts().hold(&self.limits, &request);
        let reply = self.world.wait(reply).expect("an answer");
        assert!(matches!(reply, HoldReply::Held(_)), "{reply:?}");
    }

    fn settle(&self, number: u128, cost: i64) {
        let ending = settled(cost);
        let end = self
            .world
            .accounts()
            .end(&self.limits, id(number), &ending, None);
        let reply = self.world.wait(end).expect("an answer");
        assert!(matches!(reply, SettleReply::Applied(_)), "{reply:?}");
    }

    /// Spent and held of a day, counted from the first.
    fn day(&self, day: i64) -> (i64, i64) {
        let day = NOON / DAY_MS + day;
        let mut get = redis::cmd("HMGET");
        get.arg(Keys::of(&self.limits.scope).account());
        get.arg(format!("s:day:1d{day}"))
            .arg(format!("h:day:1d{day}"));
        let value = self.world.command(&get);
        let money = <(Option<i64>, Option<i64>)>::from_redis_value(value).expect("numbers");
        (money.0.unwrap_or(-1), money.1.unwrap_or(-1))
    }
}

#[test]
fn a_hold_stays_in_the_window_that_admitted_it() {
    let case = Case::new();
    case.hold(1, 600);
    case.world.set_time(NOON + DAY_MS);
    case.hold(2, 900);
    case.settle(1, 500);
    assert_eq!(case.day(0), (500, 0));
    assert_eq!(case.day(1), (-1, 900));
}

#[test]
fn a_hold_is_put_back_into_its_own_window() {
    let case = Case::new();
    case.hold(1, 600);
    let keys = Keys::of(&case.limits.scope);
    let forget = redis::cmd("DEL").arg(keys.record(id(1))).take();
    case.world.command(&forget);
    let mut taken = redis::cmd("HINCRBY");
    taken.arg(keys.account()).arg("h:day:1d170000").arg(-600);
    case.world.command(&taken);
    case.world.set_time(NOON + DAY_MS);
    let request = ask(id(1), 600);
    let granted = Timestamp::from_millis(NOON);
    let accounts = case.world.accounts();
    let reply = case
        .world
        .wait(accounts.reassert(&case.limits, &request, granted));
    assert!(matches!(reply, Ok(HoldReply::Held(_))), "{reply:?}");
    assert_eq!(case.day(0), (-1, 600));
    assert_eq!(case.day(1), (-1, -1));
}

#[test]
fn windows_that_are_long_over_are_dropped_unless_they_are_held() {
    let case = Case::new();
    case.hold(1, 100);
    case.settle(1, 70);
    case.world.set_time(NOON + DAY_MS);
    case.hold(2, 200);
    // Two days of the real kind later.
    case.world.set_time(NOON + 30 * DAY_MS);
    case.hold(3, 300);
    assert_eq!(case.day(0), (-1, -1), "dropped");
    assert_eq!(case.day(1), (-1, 200), "held");
    let account = Keys::of(&case.limits.scope).account();
    let length = case.world.command(redis::cmd("HLEN").arg(account));
    assert_eq!(
        length,
        Value::Int(1 + 2 + 2),
        "epoch, and two days of h and m"
    );
    case.settle(2, 150);
    assert_eq!(case.day(1), (150, 0));
}
