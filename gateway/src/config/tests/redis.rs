//! `[store]` with Redis.

use super::{super::store::*, *};
use std::time::Duration;

const URLS: &str = "redis://:hush@one:6379\nredis://two";

fn environment() -> Variables {
    Variables::from([
        ("ONE", "rediss://user:hush@redis:6379/2"),
        ("SEVERAL", URLS),
        ("NO_URL", "http://:hush@redis"),
        ("NO_PORT", "redis://:hush@redis:none"),
    ])
}

fn store(lines: &str) -> Result<Store, Vec<String>> {
    let text = format!("[store]\n{lines}\n");
    match parse("f", &text, &environment()) {
        Ok(config) => {
            let again = parse("f", &config.redacted(), &environment());
            let again = again
                .expect("what is printed is a configuration")
                .redacted();
            assert_eq!(config.redacted(), again);
            assert!(!again.contains("hush"), "shows a secret");
            Ok(config.store)
        }
        Err(problems) => {
            assert!(!problems.to_string().contains("hush"), "shows a secret");
            let lines = problems.to_string();
            let lines = lines.lines().map(|line| line.trim_start_matches("f:"));
            Err(lines.map(str::to_owned).collect())
        }
    }
}

fn redis(lines: &str) -> Redis {
    let text = format!("kind = \"redis\"\n{lines}");
    match store(&text).map(|store| store.kind) {
        Ok(Kind::Redis(redis)) => redis,
        other => panic!("{other:?}"),
    }
}

fn wrong(lines: &str) -> Vec<String> {
    store(&format!("kind = \"redis\"\n{lines}")).expect_err("a problem")
}

#[test]
fn one_server_needs_a_url_only() {
    let redis = redis("url_env = \"ONE\"");
    assert!(matches!(redis.topology, Topology::Single));
    assert_eq!(redis.urls().len(), 1);
    assert_eq!(redis.command_timeout, Duration::from_millis(50));
    assert!(redis.drain);
}

#[test]
fn a_cluster_and_sentinels_may_have_several() {
    let cluster = redis("url_env = \"SEVERAL\"\ntopology = \"cluster\"\ndrain = false");
    assert!(matches!(cluster.topology, Topology::Cluster));
    assert_eq!(cluster.urls().len(), 2);
    assert!(!cluster.drain);
    let sentinels = redis(
        "url_env = \"SEVERAL\"\ntopology = \"sentinel\"\nmaster = \"mymaster\"\nmaster_url_env = \"ONE\"",
    );
    let Topology::Sentinel { master, master_url } = sentinels.topology else {
        panic!("{:?}", sentinels.topology);
    };
    assert_eq!((&*master, master_url.is_some()), ("mymaster", true));
    assert!(wrong("url_env = \"SEVERAL\"")[0].contains("holds several URLs"));
}

#[test]
fn what_is_no_url_is_told_without_it() {
    for variable in ["NO_URL", "NO_PORT"] {
        let told = wrong(&format!("url_env = \"{variable}\""));
        assert_eq!(
            told,
            ["3: store.url_env: does not hold a Redis URL; write \
                 redis://[user:password@]host:port[/database], or rediss:// for TLS"]
        );
    }
}

#[test]
fn keys_that_do_nothing_are_refused() {
    let told = wrong("url_env = \"ONE\"\nmaster = \"mymaster\"");
    assert_eq!(
        told,
        ["4: store.master: belongs to topology = \"sentinel\"; remove it or change that"]
    );
    let told = wrong("url_env = \"SEVERAL\"\ntopology = \"sentinel\"");
    assert_eq!(
        told,
        ["1: store.master: is missing; write, for example, master = \"mymaster\""]
    );
    let told = store("drain = true\ntopology = \"single\"").expect_err("it is in memory");
    assert_eq!(told.len(), 2, "{told:?}");
    let told = store("on_failure = { grace = { amount = \"1\", lasts = \"1m\" } }");
    let told = told.expect_err("there is no grace");
    assert!(
        told[0].contains("belongs to budgets = \"grace\""),
        "{told:?}"
    );
}

#[test]
fn a_grace_has_an_amount_and_an_end() {
    let text = "on_failure = { budgets = \"grace\", grace = { amount = \"1.50\", lasts = \"2m\" }, journal = \"j\" }";
    let store = store(text).expect("it is good");
    let grace = Grace {
        amount: Money::from_nanos(1_500_000_000),
        lasts: Duration::from_secs(120),
    };
    assert_eq!(store.on_failure.budgets, BudgetsOnFailure::Grace(grace));
    assert_eq!(store.on_failure.journal.as_deref(), Some("j".as_ref()));
    let told = super::wrong("[store]\non_failure = { budgets = \"grace\" }\n");
    assert!(
        told[0].contains("grace is missing") || told[0].contains("grace: is missing"),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|one| one.contains("journal") && one.contains("missing")),
        "{told:?}"
    );
}

/// A script can't compute more than this exactly, so it is refused here.
#[test]
fn what_redis_could_not_compute_exactly_is_told_with_the_largest_value() {
    let text = "[teams.news]\nmodels = []\n\
                limits = { tokens_per_minute = 150_119_987_580 }\n\
                budgets = [{ per = \"day\", amount = \"4503599.627370497\" }]\n";
    let told = super::wrong(text);
    assert!(
        told[0].contains("is not from 1 to 150119987579"),
        "{told:?}"
    );
    assert!(
        told[1].contains("largest budget, \"4503599.627370496\""),
        "{told:?}"
    );
    let text = text
        .replace("150_119_987_580", "150_119_987_579")
        .replace("0497", "0496");
    let config = super::good(&text);
    let limits = &config.teams["news"].limits;
    let bucket = &limits.buckets[0];
    assert!(bucket.capacity * bucket.period_ms <= tollgate_core::limit::LARGEST_EXACT);
}
