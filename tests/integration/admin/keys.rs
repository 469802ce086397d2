//! Keys that are made and revoked while gateways run.

use super::*;
use std::os::unix::fs::PermissionsExt as _;
use tollgate_tests::harness::spec;

async fn works(caller: &Caller) -> bool {
    match caller.complete(spec("cheap", "hello")).await {
        Ok(_) => true,
        Err(refused) => {
            assert_eq!(refused.reason, "INVALID_CREDENTIAL", "{refused:?}");
            false
        }
    }
}

#[tokio::test]
async fn a_key_works_until_it_is_revoked_also_over_a_restart() {
    let site = Site::in_memory(&[("news", "")]).await;
    let gateway = site.start("one");
    let made = site.json(&gateway, "keys create --team news");
    let id = text(&made, "id").to_owned();
    let key = text(&made, "key").to_owned();
    assert!(works(&with_key(&gateway, &key).await).await);
    let file = site.dir.path().join("ledger/operators.jsonl");
    let kept = fs::read_to_string(&file).expect("text");
    assert!(
        kept.contains(&id) && !kept.contains(&key),
        "only an HMAC is kept"
    );
    let mode = fs::metadata(&file)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // It is durable before it is shown.
    gateway.kill();
    let gateway = site.start("one");
    let caller = with_key(&gateway, &key).await;
    assert!(works(&caller).await);
    let listed = site.json(&gateway, "keys list --team news");
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    let revoked = site.json(&gateway, &format!("keys revoke {id}"));
    assert!(revoked["revoked_at"].is_string());
    assert!(!works(&caller).await, "here it ends at once");
    gateway.kill();
    let gateway = site.start("one");
    assert!(!works(&with_key(&gateway, &key).await).await);
    assert!(works(&site.caller(&gateway, "news").await).await);
    assert!(gateway.terminate().success());
}

#[tokio::test]
async fn what_can_not_be_done_says_what_to_do() {
    let site = Site::in_memory(&[("news", "")]).await;
    let gateway = site.start("one");
    for (command, told) in [
        ("keys revoke news", "SIGHUP"),
        ("keys revoke nobody", "keys list"),
        ("keys create --team sports", "[teams.sports]"),
        ("keys create --team news --id news", "is taken"),
        ("keys create --team news --id ops", "is taken"),
    ] {
        let (code, said) = site.refused(&gateway, command);
        assert_eq!(code, Some(1), "{command}");
        assert!(said.contains(told), "{command}: {said}");
    }
    assert!(gateway.terminate().success());
}

#[tokio::test]
async fn a_revoked_key_stops_on_both_replicas_within_five_seconds() {
    let site = Site::shared(&[("news", "")]).await;
    let (one, two) = (site.start("one"), site.start("two"));
    let made = site.json(&one, "keys create --team news --id mine");
    let key = text(&made, "key").to_owned();
    let (here, there) = (with_key(&one, &key).await, with_key(&two, &key).await);
    assert!(works(&here).await);
    within_five_seconds("the other one knows the key", async || works(&there).await).await;
    let (_, said) = site.refused(&two, "keys create --team news --id mine");
    assert!(said.contains("is taken"), "{said}");
    site.json(&two, "keys revoke mine");
    assert!(!works(&there).await);
    within_five_seconds("it stops on the other one", async || !works(&here).await).await;
    let listed = site.json(&one, "keys list");
    let mine = listed.as_array().expect("a list").iter();
    let mine = mine.filter(|key| key["id"] == "mine");
    assert!(mine.clone().all(|key| key["revoked_at"].is_string()));
    assert_eq!(mine.count(), 1);
    assert!(one.terminate().success() && two.terminate().success());
}

#[tokio::test]
async fn keys_outlive_the_data_of_redis_and_the_time_without_it() {
    let mut site = Site::shared(&[("news", "")]).await;
    let gateway = site.start("one");
    let kept = text(&site.json(&gateway, "keys create --team news"), "key").to_owned();
    let ended = site.json(&gateway, "keys create --team news --id ended");
    site.json(&gateway, "keys revoke ended");
    let (caller, revoked) = (
        with_key(&gateway, &kept).await,
        with_key(&gateway, text(&ended, "key")).await,
    );
    let redis = site.redis.as_mut().expect("there is one");
    redis.kill();
    let (_, said) = site.refused(&gateway, "keys create --team news");
    assert!(said.contains("try again"), "{said}");
    assert!(!works(&revoked).await);
    // Without a hard budget calls go on, and with the keys that were known.
    assert!(works(&caller).await);
    site.redis.as_mut().expect("there is one").restart();
    let field = "tollgate:1:operators";
    within_five_seconds("the keys are put back", async || {
        let redis = site.redis.as_ref().expect("there is one");
        redis.command::<u64>(&["HLEN", field]) == 2
    })
    .await;
    let other = site.start("two");
    assert!(!works(&with_key(&other, text(&ended, "key")).await).await);
    within_five_seconds("it is admitted", async || {
        with_key(&other, &kept)
            .await
            .complete(spec("cheap", "hello"))
            .await
            .is_ok()
    })
    .await;
    assert!(gateway.terminate().success() && other.terminate().success());
}
