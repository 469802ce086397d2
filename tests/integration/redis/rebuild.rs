//! `tollgate ledger rebuild`: an empty Redis gets back what was spent, before a gateway runs.

use super::{Site, drains};
use std::process::{Command, Output};
use tollgate_tests::harness::{program, spec};

fn run(site: &Site, arguments: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(program("tollgate"))
        .args(arguments)
        .envs(site.variables())
        .output()
        .expect("it runs");
    let told = String::from_utf8([stdout, stderr].concat()).expect("text");
    (status.code(), told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_puts_back_what_was_spent() {
    let budget = "budgets = [{ per = \"day\", amount = \"1.00\" }]";
    let mut site = Site::new(0, &[("news", budget), ("idle", "")]).await;
    let config = site.config("a").display().to_string();
    let rebuild = ["ledger", "rebuild", &config];
    let (code, told) = run(&site, &rebuild);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("there is no ledger in"), "{told}");

    let gateway = site.start("a");
    drains(&gateway).await;
    let caller = site.caller(&gateway, "news").await;
    let answer = caller.complete(spec("strong", "Hello")).await;
    let receipt = answer.expect("an answer").receipt.expect("a receipt");
    let spent = caller.settled_spend().await;
    assert_eq!(spent, receipt.cost_nano_usd);
    let (code, told) = run(&site, &rebuild);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("a gateway drains this Redis now"), "{told}");
    assert!(gateway.terminate().success());

    site.redis.command::<String>(&["FLUSHALL"]);
    let (code, told) = run(&site, &rebuild);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(told, "teams with balances: 2; rebuilt: idle, news\n");
    let (code, told) = run(&site, &rebuild);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(told, "teams with balances: 2; none had to be rebuilt\n");

    // A gateway that has no ledger finds the balances there.
    site.store = "command_timeout = \"500ms\"\ndrain = false".to_owned();
    let gateway = site.start("b");
    let caller = site.caller(&gateway, "news").await;
    assert_eq!(caller.settled_spend().await, spent);
    assert!(gateway.terminate().success());
    let ledger = site.ledger().display().to_string();
    let (code, told) = run(&site, &["ledger", "verify", &ledger]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("sound"), "{told}");
    assert_eq!(site.ledger_spend("news"), spent);
    let without = site.config("b").display().to_string();
    let (code, told) = run(&site, &["ledger", "rebuild", &without]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("where the ledger is"), "{told}");
}
