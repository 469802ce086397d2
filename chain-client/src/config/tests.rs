use super::*;

fn args(config: &str, dir: &Path) -> RunArgs {
    let path = dir.join("chain.toml");
    fs::write(&path, config).unwrap();
    let key = dir.join("key");
    fs::write(&key, "tg_test\n").unwrap();
    let gateway = GatewayArgs {
        config: Some(path),
        key_file: Some(key),
        ..GatewayArgs::default()
    };
    RunArgs {
        gateway,
        ..RunArgs::default()
    }
}

#[test]
fn flags_go_before_the_file_and_the_file_before_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let config = "[gateway]\nurl = \"http://gw:1\"\n[run]\nconcurrency = 3\ntime_budget = \"1m\"\n\
        max_cost = \"0.0375\"\n[steps.score_quality]\nmodel = \"gpt-4\"\nretries = 7\n";
    let mut args = args(config, dir.path());
    args.concurrency = Some(5);
    let settings = for_run(args).unwrap();
    assert_eq!(settings.base.url, "http://gw:1");
    assert_eq!(settings.concurrency, 5);
    assert_eq!(settings.time_budget, Some(Duration::from_secs(60)));
    assert_eq!(settings.max_cost, Some(Money::from_nano_usd(37_500_000)));
    assert_eq!(settings.drain, DEFAULT_DRAIN);
    let recipe = &settings.base.recipes[Step::ScoreQuality.index()];
    assert_eq!(
        (&recipe.target, recipe.retries),
        (&Target::Model("gpt-4".into()), 7)
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let config = "[run]\nconcurrency = 0\ntime_budget = \"soon\"\nmax_cost = \"cheap\"\n\
        max_failures = \"some\"\n[steps.dance]\n[steps.score_quality]\nmodel = \"a\"\nroute = \"b\"\n\
        timeout = \"x\"\n[metrics]\naddr = \"here\"\n";
    let problems = for_run(args(config, dir.path())).unwrap_err();
    for path in [
        "concurrency:",
        "run.time_budget:",
        "run.max_cost:",
        "max_failures:",
        "steps.dance:",
        "steps.score_quality: name only one",
        "steps.score_quality.timeout:",
        "metrics.addr:",
    ] {
        assert!(
            problems.iter().any(|problem| problem.starts_with(path)),
            "{path}: {problems:#?}"
        );
    }
}

#[test]
fn an_unknown_key_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let problems = for_run(args("[run]\nconcurency = 3\n", dir.path())).unwrap_err();
    assert!(
        problems[0].contains("unknown field `concurency`"),
        "{problems:?}"
    );
}

#[test]
fn tolerances_are_numbers_or_shares() {
    assert_eq!(Tolerance::parse("3"), Ok(Tolerance::Articles(3)));
    assert_eq!(Tolerance::parse("2.5%"), Ok(Tolerance::Share(250)));
    assert!(Tolerance::parse("101%").is_err() && Tolerance::parse("-1").is_err());
    assert!(!Tolerance::Share(200).exceeded_by(2, 100));
    assert!(Tolerance::Share(200).exceeded_by(3, 100));
}

#[test]
fn the_key_is_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let settings = for_run(args("", dir.path())).unwrap();
    assert!(!format!("{settings:?}").contains("tg_test"));
}
