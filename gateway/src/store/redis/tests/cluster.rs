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
