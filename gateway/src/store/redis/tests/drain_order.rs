//! Nothing leaves the outbox before it is safe.

use super::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

/// A ledger that is written but, as long as the disk refuses, never durable.
#[derive(Default)]
struct Refusing {
    lines: Lines,
    refuses: AtomicBool,
    refused: AtomicUsize,
}

impl Archive for Refusing {
    fn identity(&self) -> io::Result<Option<String>> {
        self.lines.identity()
    }

    fn open(&self) -> io::Result<String> {
        self.lines.open()
    }

    fn close(&self) -> io::Result<()> {
        self.lines.close()
    }

    fn keep(&self, entries: Vec<Entry>) -> io::Result<()> {
        self.lines.keep(entries)?;
        if self.refuses.load(SeqCst) {
            self.refused.fetch_add(1, SeqCst);
            return Err(io::Error::other("fsync failed"));
        }
        Ok(())
    }

    fn books(&self) -> io::Result<Fold> {
        self.lines.books()
    }

    fn seed(&self, team: &Arc<str>, since: Timestamp) -> io::Result<Seed> {
        self.lines.seed(team, since)
    }
}

async fn in_outbox(server: &Server, limits: &Limits) -> String {
    server.command(&format!("XLEN {}", Keys::of(&limits.scope).outbox()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_outbox_keeps_what_is_not_durable_and_it_counts_once() {
    let server = Server::start();
    let archive = Arc::new(Refusing::default());
    let bench = Bench::with_archive(
        &settings(&server.url()),
        vec!["kept".into()],
        Arc::clone(&archive) as _,
    )
    .await;
    let limits = team_limits("kept", 10_000);
    assert_eq!(money(&*bench.store, &limits).await, (0, 0), "it is seeded");
    archive.refuses.store(true, SeqCst);
    for cost in [100, 200, 300] {
        let id = new_id();
        let held = bench.store.hold(&limits, ask(id, 400)).await;
        held.expect("an answer");
        let end = ending(&limits, id, settled(cost));
        bench.store.settle(end).await.expect("an answer");
    }
    // The second try finds all that the first one did.
    while archive.refused.load(SeqCst) < 3 {
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(in_outbox(&server, &limits).await.trim(), ":3");
    archive.refuses.store(false, SeqCst);
    bench.drained(limits.scope.name()).await;
    let told = archive.lines.all().len();
    assert!(told > 3, "it was told of some more than once: {told}");
    assert_eq!(archive.lines.fold().spent("kept", &day()).nanos(), 600);
    bench.stop().await;
}
