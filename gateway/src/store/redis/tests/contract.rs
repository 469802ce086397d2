//! The contract suite on one real server.

use super::*;
use crate::store::contract::{Subject, check};
use futures_util::future::BoxFuture;

/// A store on real Redis, where time passes by itself.
pub(super) struct OnRedis(pub(super) Arc<RedisStore>);

impl Subject for OnRedis {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.0) as _
    }

    fn pass(&self, ms: u64) -> BoxFuture<'_, ()> {
        tokio::time::sleep(Duration::from_millis(ms)).boxed()
    }
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let server = Server::start();
    let bench = Bench::new(&settings(&server.url())).await;
    check(Arc::new(OnRedis(Arc::clone(&bench.store)))).await;
    bench.stop().await;
}

#[tokio::test]
async fn the_ledger_adds_up_to_the_balances() {
    let server = Server::start();
    let bench = Bench::new(&settings(&server.url())).await;
    let limits = team_limits("news", 1_000_000);
    for number in 0..200 {
        let id = new_id();
        bench
            .store
            .hold(&limits, ask(id, 1_000))
            .await
            .expect("an answer");
        let end = match number % 3 {
            0 => Ending::Cancelled,
            _ => settled(i64::from(number) * 7),
        };
        let end = ending(&limits, id, end);
        bench.store.settle(end).await.expect("an answer");
    }
    let fold = bench.drained(limits.scope.name()).await;
    let (spent, held) = money(&*bench.store, &limits).await;
    assert_eq!(fold.spent("news", &day()).nanos(), spent);
    assert_eq!(held, 0);
    assert_eq!(bench.lines.all().len(), 200);
    bench.stop().await;
}
