//! A Redis that can't keep balances: the start says why, and what to do.

use super::Site;
use std::process::Command;
use tollgate_tests::harness::{Redis, program};

/// What `serve` says on standard error, having ended with 2.
fn refused(site: &Site, url: &str) -> String {
    let mut variables = site.variables();
    variables.push(("TEST_REDIS_URL".to_owned(), url.to_owned()));
    let ended = Command::new(program("tollgate"))
        .args(["serve", "--config"])
        .arg(site.config("a"))
        .envs(variables)
        .output()
        .expect("it runs");
    let told = String::from_utf8(ended.stderr).expect("text");
    assert_eq!(ended.status.code(), Some(2), "{told}");
    told
}

#[tokio::test]
async fn what_is_wrong_with_redis_is_told_with_its_remedy() {
    let site = Site::new(0, &[("news", "")]).await;
    let told = refused(&site, "http://127.0.0.1:6379");
    assert!(told.contains("store.url_env"), "{told}");
    assert!(told.contains("redis://[user:password@]host:port"), "{told}");

    let mut gone = Redis::start();
    gone.kill();
    let told = refused(&site, &gone.url());
    assert!(told.contains("can't be reached"), "{told}");

    let locked = Redis::start_with(&["--requirepass", "open-sesame"]);
    let told = refused(&site, &locked.url());
    assert!(
        told.contains("put user and password into the URL"),
        "{told}"
    );
    let wrong = locked.url().replace("redis://", "redis://:hush@");
    let told = refused(&site, &wrong);
    assert!(told.contains("refuses the credentials"), "{told}");
    assert!(!told.contains("hush"), "{told}");

    let evicting = Redis::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let told = refused(&site, &evicting.url());
    assert!(told.contains("set maxmemory-policy noeviction"), "{told}");

    let other = Redis::start();
    other.command::<String>(&["SET", "tollgate:schema", "99"]);
    let told = refused(&site, &other.url());
    assert!(told.contains("layout 99"), "{told}");

    // The last word on this one: it serves.
    assert!(site.start("a").terminate().success());
}
