//! What a wrong Redis is told at start.

use super::*;

async fn refused(settings: &Settings) -> ConnectError {
    let tasks = TaskTracker::new();
    let observer = Arc::new(Events::default());
    let store = RedisStore::connect(settings, Arc::new(SystemClock), observer, &tasks);
    match store.await {
        Ok(_) => panic!("it must be refused"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_wrong_redis_is_refused_with_the_remedy() {
    let error = refused(&settings("http://127.0.0.1:1")).await;
    assert!(matches!(error, ConnectError::BadUrl(_)), "{error:?}");
    let free = server::free_port();
    let error = refused(&settings(&format!("redis://127.0.0.1:{free}"))).await;
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
    assert!(error.to_string().contains("host and port"));
}

#[tokio::test]
async fn a_password_is_asked_for_and_never_shown() {
    let server = Server::with(&["--requirepass", "s3cret"]);
    let error = refused(&settings(&server.url())).await;
    assert!(
        matches!(error, ConnectError::Unauthenticated(_)),
        "{error:?}"
    );
    let wrong = format!("redis://:hunter2@127.0.0.1:{}", server.port);
    let error = refused(&settings(&wrong)).await;
    assert!(
        matches!(error, ConnectError::Unauthenticated(_)),
        "{error:?}"
    );
    assert!(!format!("{error} {error:?} {:?}", settings(&wrong)).contains("hunter2"));
    let right = format!("redis://:s3cret@127.0.0.1:{}", server.port);
    let bench = Bench::new(&settings(&right)).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_redis_that_evicts_is_refused() {
    let server = Server::with(&["--maxmemory-policy", "allkeys-lru"]);
    let error = refused(&settings(&server.url())).await;
    assert_eq!(error, ConnectError::Evicts("allkeys-lru".into()));
}

#[tokio::test]
async fn a_replica_is_refused() {
    let master = Server::start();
    let replica = Server::with(&["--replicaof", &format!("127.0.0.1 {}", master.port)]);
    for _ in 0..200 {
        if replica
            .command("INFO replication")
            .contains("master_link_status:up")
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let error = refused(&settings(&replica.url())).await;
    assert_eq!(error, ConnectError::ReadOnly);
}

#[tokio::test]
async fn keys_of_another_version_are_left_alone() {
    let server = Server::start();
    server.command("SET tollgate:schema 2");
    let error = refused(&settings(&server.url())).await;
    assert_eq!(error, ConnectError::OtherVersion("2".into()));
}

#[tokio::test]
async fn amounts_that_scripts_could_not_add_exactly_are_refused() {
    let server = Server::start();
    let bench = Bench::new(&settings(&server.url())).await;
    let limits = team_limits("rich", 1 << 52);
    let too_much = ask(new_id(), (1 << 53) + 1);
    let error = bench.store.hold(&limits, too_much).await;
    assert!(error.expect_err("too large").detail.contains("2^53"));
    // Forced, because it is far above the bound: the sum leaves the exact range.
    let forced = HoldRequest {
        force: true,
        ..ask(new_id(), (1 << 53) - 1)
    };
    bench.store.hold(&limits, forced).await.expect("an answer");
    let error = bench.store.hold(&limits, ask(new_id(), 1)).await;
    assert!(error.expect_err("too large").detail.contains("budget day"));
    let mut limits = (*limits).clone();
    limits.buckets[0].capacity = 1 << 45;
    let error = bench.store.hold(&Arc::new(limits), ask(new_id(), 1)).await;
    assert!(
        error
            .expect_err("too large")
            .detail
            .contains("requests_per_minute")
    );
    bench.stop().await;
}
