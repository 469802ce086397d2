//! Two replicas whose clocks differ, a Redis whose clock steps, and days that clocks are changed on.

use super::{
    super::{Server, ask, settled},
    world::World,
};
use crate::{
    calendar::{Span, ZonedCalendar},
    store::redis::keys::Keys,
};
use chrono::TimeZone as _;
use redis::FromRedisValue as _;
use std::sync::Arc;
use tollgate_core::{
    HoldId, Money, Timestamp,
    account::{HoldReply, Refusal, Refused},
    budget::BudgetSpec,
    hold::HoldRequest,
    limit::{BucketSpec, Limits, Scope, Unit},
};

fn id(number: u128) -> HoldId {
    HoldId::new(Timestamp::from_millis(1), number << 8)
}

/// Two gateways and their Redis.
struct Pair {
    replicas: [World; 2],
    limits: Arc<Limits>,
    _server: Server,
}

impl Pair {
    fn new(limits: Limits) -> Self {
        let server = Server::start();
        let replicas = [(); 2].map(|()| World::new(&server, &|body| body.to_owned()));
        let account = Keys::of(&limits.scope).account();
        replicas[0].command(redis::cmd("HSET").arg(account).arg("ep").arg("1"));
        Self {
            replicas,
            limits: Arc::new(limits),
            _server: server,
        }
    }

    /// It is so late for Redis, and the gateways are off by so much.
    fn set_time(&self, now: i64, off: [i64; 2]) {
        for (world, off) in self.replicas.iter().zip(off) {
            world.set_time(now);
            world.be_off_by(off);
        }
    }

    fn hold(&self, replica: usize, request: &HoldRequest) -> HoldReply {
        let world = &self.replicas[replica];
        let reply = world.accounts().hold(&self.limits, request);
        world.wait(reply).expect("an answer")
    }

    fn takes(&self, replica: usize, number: u128, amount: i64) {
        let reply = self.hold(replica, &ask(id(number), amount));
        assert!(matches!(reply, HoldReply::Held(_)), "{reply:?}");
    }

    /// The window whose budget refuses, what it has spent and holds, and when it ends.
    fn refused(&self, replica: usize, amount: i64) -> (String, i64, i64, Option<i64>) {
        let request = ask(id(u128::from(fastrand::u64(1 << 32..))), amount);
        let reply = self.hold(replica, &request);
        let HoldReply::Refused(Refused { refusals, .. }) = reply else {
            panic!("{reply:?}");
        };
        let [Refusal::Budget { balance, .. }] = &refusals[..] else {
            panic!("{refusals:?}");
        };
        (
            balance.window.id.to_string(),
            balance.spent.nanos(),
            balance.held.nanos(),
            balance.window.ends_at.map(Timestamp::millis),
        )
    }

    /// Spent and held of a day.
    fn day(&self, day: &str) -> (i64, i64) {
        let mut get = redis::cmd("HMGET");
        get.arg(Keys::of(&self.limits.scope).account());
        get.arg(format!("s:day:{day}")).arg(format!("h:day:{day}"));
        let value = self.replicas[0].command(&get);
        let money = <(Option<i64>, Option<i64>)>::from_redis_value(value).expect("numbers");
        (money.0.unwrap_or(0), money.1.unwrap_or(0))
    }
}

#[test]
fn a_clock_that_steps_grants_no_more_than_the_limit_and_its_waits_are_right() {
    const CAPACITY: i64 = 30;
    const START: i64 = 1_700_000_000_000;
    let seed = super::given_seed().unwrap_or_else(|| fastrand::u64(..));
    println!("TOLLGATE_MODEL_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut limits = Limits::none(Scope::Team("steps".into()));
    // One every two seconds.
    limits
        .buckets
        .push(BucketSpec::per_minute(Unit::Requests, 30));
    let pair = Pair::new(limits);
    let (mut now, mut latest, mut granted, mut waited) = (START, i64::MIN, 0, 0);
    // The bucket begins full when it is first asked.
    let mut began = None;
    for number in 1..=3_000_u128 {
        // Back and forth, on the whole at the pace of the limit.
        now += random.i64(-20_000..21_000);
        let off = [random.i64(-9_000..9_000), random.i64(-9_000..9_000)];
        latest = latest.max(now);
        let began = *began.get_or_insert(now);
        pair.set_time(now, off);
        let replica = random.usize(0..2);
        match pair.hold(replica, &ask(id(number), 0)) {
            HoldReply::Held(_) => granted += 1,
            HoldReply::Refused(Refused { refusals, .. }) => {
                let [Refusal::Rate { wait_ms, .. }] = refusals[..] else {
                    panic!("{refusals:?}");
                };
                let wait = i64::try_from(wait_ms).expect("small");
                let most = 2_000 + (latest - now);
                assert!((1..=most).contains(&wait), "{wait} of {most} ms");
                pair.set_time(now + wait - 1, off);
                let early = pair.hold(1 - replica, &ask(id(number), 0));
                assert!(matches!(early, HoldReply::Refused(_)), "not a ms sooner");
                now += wait;
                latest = latest.max(now);
                pair.set_time(now, off);
                let then = pair.hold(1 - replica, &ask(id(number), 0));
                assert!(matches!(then, HoldReply::Held(_)), "{then:?}");
                (granted, waited) = (granted + 1, waited + 1);
            }
            other => panic!("{other:?}"),
        }
        let most = CAPACITY + (latest - began) / 2_000;
        assert!(granted <= most, "{granted} of {most} at {now}");
    }
    assert!(waited > 100, "{waited}");
}

/// A day that clocks are changed on, with the next one, its length, and how far the gateways' own
/// clocks are off.
fn a_day_of(zone: chrono_tz::Tz, (month, day): (u32, u32), hours: i64, off: [i64; 2]) {
    const HOUR: i64 = 3_600_000;
    let date = |day| chrono::NaiveDate::from_ymd_opt(2026, month, day).expect("a date");
    let midnight = |day| {
        let local = date(day).and_hms_opt(0, 0, 0).expect("a time");
        let there = zone.from_local_datetime(&local).single();
        there.expect("clocks change later").timestamp_millis()
    };
    let (today, tomorrow) = (date(day).to_string(), date(day + 1).to_string());
    let (begin, end) = (midnight(day), midnight(day + 1));
    assert_eq!(end - begin, hours * HOUR);
    let mut limits = Limits::none(Scope::Team("night".into()));
    limits.budgets.push(BudgetSpec {
        name: "day".into(),
        limit: Some(Money::from_nanos(1_000)),
        hard: true,
        calendar: Arc::new(ZonedCalendar::new(Span::Day, zone)),
        marks: Arc::new([]),
    });
    let pair = Pair::new(limits);
    pair.set_time(begin, off);
    pair.takes(0, 1, 400);
    pair.takes(1, 2, 500);
    let full = (today.clone(), 0, 900, Some(end));
    let hourly = (0..hours).map(|hour| begin + hour * HOUR + HOUR / 2);
    for now in hourly.chain([end - 1]) {
        pair.set_time(now, off);
        for replica in [0, 1] {
            assert_eq!(pair.refused(replica, 200), full, "at {now}");
        }
    }
    // Midnight, for Redis, and so for all.
    pair.set_time(end, off);
    pair.takes(0, 3, 900);
    for replica in [0, 1] {
        let (window, spent, held, _) = pair.refused(replica, 200);
        assert_eq!((window, spent, held), (tomorrow.clone(), 0, 900));
    }
    assert_eq!(pair.day(&today), (0, 900), "held money stays where it is");
    for (replica, number, cost) in [(1, 1, 300), (0, 2, 450), (1, 3, 50)] {
        let world = &pair.replicas[replica];
        let ending = settled(cost);
        let end = world
            .accounts()
            .end(&pair.limits, id(number), &ending, None);
        world.wait(end).expect("an answer");
    }
    assert_eq!((pair.day(&today), pair.day(&tomorrow)), ((750, 0), (50, 0)));
    // A clock that steps back over midnight finds the old day as it was left.
    pair.set_time(end - 1, off);
    assert_eq!(pair.refused(1, 300), (today, 750, 0, Some(end)));
}

#[test]
fn a_budget_rolls_over_at_local_midnight_once_when_clocks_change() {
    use chrono_tz::{America::New_York, Asia::Kolkata, Europe::Berlin};
    // Seconds; and more than any gateway computes windows ahead for.
    for off in [[7_000, -7_000], [-400_000, 400_000]] {
        a_day_of(Berlin, (3, 29), 23, off);
        a_day_of(Berlin, (10, 25), 25, off);
        a_day_of(New_York, (3, 8), 23, off);
        a_day_of(New_York, (11, 1), 25, off);
        a_day_of(Kolkata, (3, 29), 24, off);
    }
}
