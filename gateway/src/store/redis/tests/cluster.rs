//! The contract suite on a cluster of three shards.

use super::{contract::OnRedis, *};
use crate::store::contract::check;

/// Three masters that share the slots.
pub(super) struct Shards(Vec<Server>);

impl Shards {
    pub(super) async fn start() -> Self {
        let args = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
        let shards: Vec<Server> = (0..3).map(|_| Server::with(&args)).collect();
        let ranges = ["0 5460", "5461 10922", "10923 16383"];
        for (shard, range) in shards.iter().zip(ranges) {
            shard.command(&format!("CLUSTER ADDSLOTSRANGE {range}"));
        }
        for shard in &shards[1..] {
            shards[0].command(&format!("CLUSTER MEET 127.0.0.1 {}", shard.port));
        }
        for shard in &shards {
            for _ in 0..400 {
                let info = shard.command("CLUSTER INFO");
                if info.contains("cluster_state:ok") && info.contains("cluster_size:3") {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        }
        Self(shards)
    }

    /// The master that has a key.
    fn of(&self, key: &str) -> usize {
        let slot = self.0[0].command(&format!("CLUSTER KEYSLOT {key}"));
        let slot: u16 = slot.trim_start_matches(':').trim().parse().expect("a slot");
        match slot {
            0..=5_460 => 0,
            5_461..=10_922 => 1,
            _ => 2,
        }
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            urls: self.0.iter().map(|shard| shard.url().into()).collect(),
            topology: Topology::Cluster,
            ..settings("")
        }
    }
}

#[tokio::test]
async fn a_cluster_keeps_the_contract() {
    let shards = Shards::start().await;
    let bench = Bench::new(&shards.settings()).await;
    check(Arc::new(OnRedis(Arc::clone(&bench.store)))).await;
    let used = |shard: &&Server| !shard.command("DBSIZE").contains(":0");
    let used = shards.0.iter().filter(used).count();
    assert!(used >= 2, "teams are spread over shards: {used}");
    bench.stop().await;
}

#[tokio::test]
async fn a_cluster_and_a_single_server_are_told_apart() {
    let shards = Shards::start().await;
    let single = settings(&shards.0[0].url());
    let tasks = TaskTracker::new();
    let observer: Arc<dyn StoreObserver> = Arc::new(Events::default());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = RedisStore::connect(&single, clock, observer, &tasks).await;
    assert_eq!(store.err(), Some(ConnectError::Clustered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_repeats_what_was_lost_with_one_shard_alone() {
    let shards = Shards::start().await;
    let settings = shards.settings();
    let account = |team: &str| Keys::of(&Scope::Team(team.into())).account();
    // The mark stays, for it is elsewhere.
    let mark = shards.of(keys::LIFE);
    let mut names = (0..).map(|number| format!("flushed-{number}"));
    let team = names.find(|team| shards.of(&account(team)) != mark);
    let team: Arc<str> = team.expect("one of them").into();
    let limits = team_limits(&team, 10_000);
    let (lines, events) = (Arc::new(Lines::default()), Arc::new(Events::default()));
    let (clock, tasks) = (Arc::new(SystemClock), TaskTracker::new());
    let teams = vec![Arc::clone(&team)];
    let drain = Drain::connect(
        &settings,
        Arc::clone(&lines) as _,
        Arc::new(move || teams.clone()),
        (Arc::clone(&clock) as _, Arc::clone(&events) as _),
    );
    let drain = drain.await.expect("Redis runs");
    assert_eq!(drain.once().await, Ok(Some(1)));
    let store = RedisStore::connect(&settings, clock, Arc::clone(&events) as _, &tasks);
    let store = store.await.expect("Redis runs");
    let (done, open) = (new_id(), new_id());
    for (id, amount) in [(done, 900), (open, 50)] {
        store.hold(&limits, ask(id, amount)).await.expect("held");
    }
    let end = ending(&limits, done, settled(800));
    store.settle(end).await.expect("an answer");
    // Nobody drained that.
    shards.0[shards.of(&account(&team))].command("FLUSHALL");
    assert_eq!(drain.once().await, Ok(Some(1)), "its balances are rebuilt");
    let known = async {
        while money(&*store, &limits).await != (800, 50) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let known = tokio::time::timeout(Duration::from_secs(20), known).await;
    known.expect("it is repeated");
    assert_eq!(drain.once().await, Ok(Some(1)));
    assert_eq!(lines.fold().spent(&team, &day()).nanos(), 800);
}
