//! A team's hold and its deployment's, in one question: the same as one after the other.

use super::{cluster::Shards, model::world::World, *};
use tollgate_core::hold::RunTake;

fn deployment(name: &str, concurrency: u64) -> Arc<Limits> {
    let mut limits = Limits::none(Scope::Deployment(name.into()));
    limits
        .buckets
        .push(BucketSpec::per_minute(Unit::Requests, 30));
    limits.gauges.push(GaugeSpec {
        name: "concurrency".into(),
        limit: concurrency,
    });
    Arc::new(limits)
}

fn with_run(id: HoldId, amount: i64) -> HoldRequest {
    let run = RunTake {
        run: "r".into(),
        limit: Money::from_nanos(500),
    };
    HoldRequest {
        run: Some(run),
        ..ask(id, amount)
    }
}

fn is_held(reply: &HoldReply) -> bool {
    matches!(reply, HoldReply::Held(_))
}

/// How many scripts a Redis has run by their hash.
fn by_hash(server: &Server) -> u64 {
    let info = server.command("INFO commandstats");
    let calls = info.split("cmdstat_evalsha:calls=").nth(1);
    calls.map_or(0, |rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    })
}

#[tokio::test]
async fn both_are_taken_by_one_script_and_either_may_refuse() {
    let server = Server::start();
    let bench = Bench::new(&settings(&server.url())).await;
    let (team, slow) = (team_limits("news", 1_000), deployment("openai/gpt-4", 1));
    let store = &bench.store;
    let both = async |request: HoldRequest| {
        let own = ask(request.id.attempt(1), 0);
        let replies = store.hold_both((&team, request), (&slow, own)).await;
        replies.expect("an answer")
    };
    // The first call also makes the script known.
    let warm = new_id();
    both(ask(warm, 10)).await;
    for (limits, id) in [(&team, warm), (&slow, warm.attempt(1))] {
        let end = ending(limits, id, Ending::Cancelled);
        store.settle(end).await.expect("an answer");
    }
    let first = new_id();
    let (taken, own) = both(with_run(first, 400)).await;
    assert!(is_held(&taken) && own.as_ref().is_some_and(is_held));
    let again = both(with_run(first, 400)).await;
    assert_eq!(again, (HoldReply::Duplicate(State::Open), None), "once");
    let second = new_id();
    let (taken, own) = both(ask(second, 300)).await;
    assert!(is_held(&taken), "whatever the deployment says");
    assert!(matches!(own, Some(HoldReply::Refused(_))), "{own:?}");
    assert_eq!(money(&**store, &team).await, (0, 700));
    let third = new_id();
    let (refused, own) = both(ask(third, 400)).await;
    assert!(matches!(refused, HoldReply::Refused(_)), "{refused:?}");
    assert_eq!(own, None, "the deployment was not asked");
    let end = ending(&slow, first.attempt(1), settled(0));
    store.settle(end).await.expect("an answer");
    let later = store.hold(&slow, ask(third.attempt(1), 0)).await;
    assert!(is_held(&later.expect("an answer")), "and has no tombstone");
    bench.stop().await;
}

#[tokio::test]
async fn a_deployment_whose_keys_are_broken_takes_no_teams_hold_with_it() {
    let server = Server::start();
    let bench = Bench::new(&settings(&server.url())).await;
    let (team, broken) = (team_limits("news", 1_000), deployment("openai/gpt-4", 1));
    let account = Keys::of(&broken.scope).account();
    server.command(&format!("SET {account} nonsense"));
    let id = new_id();
    let replies = bench
        .store
        .hold_both((&team, ask(id, 400)), (&broken, ask(id.attempt(1), 0)));
    let (taken, own) = replies.await.expect("an answer");
    assert!(is_held(&taken));
    assert_eq!(own, None, "as if it had not been asked");
    assert_eq!(money(&*bench.store, &team).await, (0, 400));
    bench.stop().await;
}

#[tokio::test]
async fn in_a_cluster_the_deployment_is_asked_later() {
    let shards = Shards::start().await;
    let bench = Bench::new(&shards.settings()).await;
    let (team, other) = (team_limits("news", 1_000), deployment("openai/gpt-4", 1));
    let id = new_id();
    let replies = bench
        .store
        .hold_both((&team, ask(id, 400)), (&other, ask(id.attempt(1), 0)));
    let (taken, own) = replies.await.expect("an answer");
    assert!(is_held(&taken));
    assert_eq!(own, None);
    let own = bench.store.hold(&other, ask(id.attempt(1), 0)).await;
    assert!(is_held(&own.expect("an answer")));
    bench.stop().await;
}

/// Two pairs of scopes get the same questions at the same times, one pair in one script, the other
/// one after the other.
#[test]
fn one_script_answers_what_two_would() {
    let seed = super::model::given_seed().unwrap_or_else(|| fastrand::u64(..));
    println!("TOLLGATE_MODEL_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let server = Server::start();
    let world = World::new(&server, &|body| body.to_owned());
    let accounts = world.accounts();
    let pairs = ["together", "apart"].map(|name| (team_limits(name, 3_000), deployment(name, 3)));
    for (team, _) in &pairs {
        let account = Keys::of(&team.scope).account();
        world.command(redis::cmd("HSET").arg(account).arg("ep").arg("1"));
    }
    let [(team, slow), (its_team, its_slow)] = &pairs;
    let (mut now, mut open, mut kinds) = (1_700_000_000_000, Vec::new(), [0; 3]);
    for number in 1..=2_000_u128 {
        now += random.i64(-200..2_000);
        world.set_time(now);
        let id = HoldId::new(Timestamp::from_millis(1), number << 8);
        let amount = random.i64(0..400);
        let request = if random.bool() {
            with_run(id, amount)
        } else {
            ask(id, amount)
        };
        let own = HoldRequest {
            max_wait_ms: random.bool().then_some(5_000),
            ..ask(id.attempt(1), 0)
        };
        let evals = by_hash(&server);
        let (taken, told) = world
            .wait(accounts.hold_both((team, &request), (slow, &own)))
            .expect("an answer");
        if number > 1 {
            assert_eq!(by_hash(&server), evals + 1, "one script for both");
        }
        let its = world.wait(accounts.hold(its_team, &request));
        assert_eq!(taken, its.expect("an answer"), "step {number}");
        if let Some(told) = told {
            let its = world.wait(accounts.hold(its_slow, &own));
            assert_eq!(told, its.expect("an answer"), "step {number}");
            kinds[usize::from(is_held(&told))] += 1;
            if is_held(&told) {
                open.push((slow, its_slow, own.id, 0));
            }
        } else {
            assert!(!is_held(&taken), "step {number}");
            kinds[2] += 1;
        }
        if is_held(&taken) {
            open.push((team, its_team, id, random.i64(0..=amount / 8)));
        }
        while open.len() > random.usize(0..12) {
            let (here, there, id, cost) = open.swap_remove(random.usize(..open.len()));
            let ending = settled(cost);
            for limits in [here, there] {
                let end = accounts.end(limits, id, &ending, None);
                world.wait(end).expect("an answer");
            }
        }
    }
    assert!(kinds.iter().all(|many| *many > 20), "{kinds:?}");
}
