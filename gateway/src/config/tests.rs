mod exposure;
mod redis;

use super::*;
use crate::{catalog::Bodies, provider::Provider};
use proptest::prelude::*;
use tollgate_core::{Money, Timestamp};

/// The sample of the design, verbatim, with the parts that it refers to.
const SAMPLE: &str = include_str!("tests/sample.toml");
/// A configuration with everything wrong that can be wrong at once.
const WRONG: &str = include_str!("tests/wrong.toml");
/// The least that serves a call.
const LEAST: &str = include_str!("tests/least.toml");

const HMAC: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn environment() -> Variables {
    Variables::from([
        ("OPENAI_API_KEY", "sk-hush-openai"),
        ("ANTHROPIC_API_KEY", "sk-ant-hush"),
        ("TOLLGATE_NEWS_KEY", HMAC),
        (
            "TOLLGATE_KEY_PEPPER",
            "hush pepper of more than thirty-two characters",
        ),
        (
            "TOLLGATE_ALERT_WEBHOOK",
            "https://hooks.example.com/a?sig=hush",
        ),
        ("REDIS_URL", "redis://:hush@redis:6379"),
        ("NOT_AN_HMAC", "hush but no hmac"),
        ("A_KEY_ITSELF", "tg_k1_hush"),
        ("SHORT_PEPPER", "hush"),
    ])
}

fn good(text: &str) -> Config {
    match parse("tollgate.toml", text, &environment()) {
        Ok(config) => config,
        Err(problems) => panic!("{problems}"),
    }
}

/// What is wrong, one line per problem, without the name of the file.
fn wrong(text: &str) -> Vec<String> {
    let problems = parse("f", text, &environment()).expect_err("a problem");
    problems
        .to_string()
        .lines()
        .map(|line| line.trim_start_matches("f:").to_owned())
        .collect()
}

/// The sample with one line in place of another.
fn sample_with(old: &str, new: &str) -> String {
    assert!(SAMPLE.contains(old), "{old}");
    SAMPLE.replacen(old, new, 1)
}

#[test]
fn the_sample_of_the_product_loads() {
    let config = good(SAMPLE);
    assert_eq!(config.server.max_in_flight, 1_000);
    assert_eq!(config.models.len(), 3);
    let team = &config.teams["news"];
    assert_eq!(team.log_bodies, Bodies::Full);
    assert_eq!(team.keys[0].hmac[..2], [0x00, 0x11]);
    let pressure = config.routes["analysis-strong"].under_pressure.as_ref();
    assert_eq!(pressure.map(|pressure| pressure.from_permille), Some(800));
}

#[test]
fn little_needs_to_be_said() {
    let config = good(LEAST);
    insta::assert_snapshot!(config.redacted());
}

#[test]
fn an_empty_file_is_a_configuration() {
    assert!(good("").teams.is_empty());
}

#[test]
fn everything_wrong_is_said_at_once() {
    let problems = parse("tollgate.toml", WRONG, &environment()).expect_err("many problems");
    insta::assert_snapshot!(problems);
    assert!(!problems.to_string().contains("hush"), "shows a secret");
    assert!(!problems.to_string().contains("sk-live"), "shows a secret");
}

#[test]
fn an_error_of_syntax_has_its_place_and_stands_alone() {
    assert_eq!(
        wrong("[server]\nlisten = \"127.0.0.1:1\nunknown = 1\n"),
        ["2: not TOML, at column 22: invalid basic string, expected `\"`"]
    );
}

#[test]
fn a_section_given_twice_is_reported_with_all_else() {
    let text = "[teams.news]\nmodels = []\n[teams.news]\nmodels = []\n[server]\nlissten = \"\"\n\
                max_wait = \"1s\"\nmax_wait = \"2s\"\n";
    assert_eq!(
        wrong(text),
        [
            "3: teams.news: is given twice, first in line 1; merge or rename one",
            "4: teams.news.models: is given twice, first in line 2; merge or rename one",
            "6: server.lissten: unknown key; did you mean \"listen\"?",
            "8: server.max_wait: is given twice, first in line 7; merge or rename one",
        ]
    );
}

#[test]
fn the_pepper_is_needed_only_for_keys() {
    let no_pepper = Variables::from([("OPENAI_API_KEY", "x"), ("TOLLGATE_NEWS_KEY", HMAC)]);
    let problems = parse("f", SAMPLE, &no_pepper).expect_err("no pepper");
    let text = problems.to_string();
    assert!(text.contains("server.key_pepper_env"), "{text}");
    assert!(text.contains("TOLLGATE_KEY_PEPPER is not set"), "{text}");
    assert!(parse("f", "", &no_pepper).is_ok());
}

#[test]
fn a_catalogue_name_brings_its_price_and_another_model_can_be_like_it() {
    let text = "[providers.o]\nkind = \"openai\"\napi_key_env = \"OPENAI_API_KEY\"\n\
                [models.gpt-4]\ndeployments = [{ provider = \"o\", name = \"gpt-4\" }]\n\
                [models.mine]\nlike = \"gpt-4\"\nmax_output_tokens = 100\n\
                deployments = [{ provider = \"o\", name = \"gpt-4\" }]\n";
    let config = good(text);
    let (one, other) = (&config.models["gpt-4"], &config.models["mine"]);
    assert_eq!(one.price, other.price);
    assert_eq!(one.max_output_tokens, 4_096);
    assert_eq!(
        (other.max_output_tokens, other.default_output_tokens),
        (100, 100)
    );
}

#[test]
fn secrets_can_stand_in_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("key");
    fs::write(&path, "sk-from-file\n").expect("written");
    let provider = |path: &Path| {
        let path = path.display();
        format!("[providers.o]\nkind = \"openai\"\napi_key_file = \"{path}\"\n")
    };
    let config = good(&provider(&path));
    let key = config.providers["o"].api_key.as_ref().expect("a key");
    let value = secrecy::ExposeSecret::expose_secret(key.value());
    assert_eq!(value, "sk-from-file");
    assert!(!format!("{config:?}").contains("sk-from-file"));
    assert!(!config.redacted().contains("sk-from-file"));
    let missing = wrong(&provider(&dir.path().join("none")));
    assert!(missing[0].contains("api_key_file: can't read this file"));
}

#[test]
fn a_file_that_is_not_there_is_a_problem() {
    let problems = load(Path::new("/nowhere/tollgate.toml"), &environment()).expect_err("none");
    let text = problems.to_string();
    assert!(
        text.starts_with("/nowhere/tollgate.toml: can't be read"),
        "{text}"
    );
}

#[test]
fn what_is_printed_is_the_same_configuration_without_secrets() {
    let config = good(SAMPLE);
    let printed = config.redacted();
    insta::assert_snapshot!(printed);
    let again = good(&printed);
    assert_eq!(again.redacted(), printed);
    assert_eq!(again.hash(), config.hash());
    assert_eq!(again.price_version(), config.price_version());
    for text in [printed, format!("{config:?}")] {
        assert!(!text.contains("hush"), "{text}");
    }
}

#[test]
fn redis_is_kept_for_the_store_that_uses_it() {
    let config = good("[store]\nkind = \"redis\"\nurl_env = \"REDIS_URL\"\n");
    let store::Kind::Redis(redis) = &config.store.kind else {
        panic!("redis");
    };
    assert_eq!(redis.command_timeout.as_millis(), 50);
    assert!(config.redacted().contains("url_env = \"REDIS_URL\""));
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn the_price_version_changes_with_every_price() {
    let before = good(SAMPLE).price_version();
    let after = good(&sample_with("output = \"60\"", "output = \"61\"")).price_version();
    assert_ne!(before, after);
    let (date, hash) = before.split_once('+').expect("a date and a hash");
    assert_eq!((date.len(), hash.len()), (10, 6));
}

#[test]
fn the_hash_changes_with_what_is_in_force_only() {
    let before = good(SAMPLE).hash();
    assert_eq!(before.len(), 12);
    assert_eq!(before, good(&format!("# a comment\n{SAMPLE}")).hash());
    let after = good(&sample_with("concurrency = 32", "concurrency = 33")).hash();
    assert_ne!(before, after);
}

struct Nothing;

impl Provider for Nothing {
    fn complete(
        &self,
        _: crate::provider::Ask,
    ) -> futures_util::future::BoxFuture<
        'static,
        Result<crate::provider::Answer, crate::provider::Failure>,
    > {
        unreachable!("nothing is called")
    }
}

#[test]
fn the_catalog_has_what_calls_refer_to() {
    let config = good(SAMPLE);
    let adapters = config.providers.keys();
    let adapters = adapters.map(|name| (name.clone(), Arc::new(Nothing) as Arc<dyn Provider>));
    let catalog = config.catalog(&adapters.collect());
    let team = &catalog.teams["news"];
    let models: Vec<&str> = team.models.iter().map(AsRef::as_ref).collect();
    assert_eq!(
        models,
        ["gpt-3.5-turbo", "gpt-4", "local"],
        "those of its routes"
    );
    assert_eq!(&*config.keys()["k1"].team, "news");
    let budgets = &team.limits.budgets;
    let named: Vec<_> = budgets
        .iter()
        .map(|b| (&*b.name, b.limit, b.hard))
        .collect();
    let dollars = |text: &str| text.parse::<Money>().ok();
    assert_eq!(
        named,
        [
            ("day", dollars("25"), true),
            ("month", dollars("400"), true)
        ]
    );
    let window = budgets[0].calendar.window_at(Timestamp::from_millis(0));
    assert_eq!(&*window.id, "1970-01-01");
    let marks: Vec<u16> = budgets[0].marks.iter().map(|mark| mark.permille).collect();
    assert_eq!(marks, [500, 800, 1_000]);
    let deployment = &catalog.models["gpt-4"].deployments[0];
    assert_eq!(&*deployment.id, "openai/gpt-4");
    assert_eq!(deployment.limits.buckets.len(), 2);
    let critical = &catalog.complexity[&Complexity::Critical];
    assert_eq!(&*critical.name, "analysis-strong");
}

#[test]
fn a_team_without_budgets_is_counted() {
    let text = format!("{SAMPLE}[teams.sports]\nroutes = [\"cheap\"]\n");
    let config = good(&text);
    let adapters = config.providers.keys();
    let adapters = adapters.map(|name| (name.clone(), Arc::new(Nothing) as Arc<dyn Provider>));
    let catalog = config.catalog(&adapters.collect());
    let [day, month] = &catalog.teams["sports"].limits.budgets[..] else {
        panic!("day and month");
    };
    assert_eq!((day.limit, day.hard), (None, false));
    assert_eq!((month.limit, month.hard), (None, false));
    let news = &catalog.teams["news"].limits.budgets;
    assert!(
        Arc::ptr_eq(&day.calendar, &news[0].calendar),
        "one per zone"
    );
}

#[test]
fn models_that_share_a_deployment_share_its_quota() {
    let text = sample_with(
        "[routes.cheap]",
        "[models.alias]\nlike = \"gpt-4\"\ndeployments = [{ provider = \"openai\", name = \"gpt-4\" }]\n\
         [routes.cheap]",
    );
    let lines = wrong(&text);
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].contains("openai/gpt-4 has other limits at"),
        "{lines:?}"
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = parse("f", &text, &environment());
    }

    /// Any line of the sample replaced by anything: problems or not, but an answer.
    #[test]
    fn no_change_of_the_sample_panics(at in 0..SAMPLE.len(), junk in "[ -~\n]{0,12}", cut in 0..30usize) {
        let at = SAMPLE.floor_char_boundary(at);
        let end = SAMPLE.floor_char_boundary((at + cut).min(SAMPLE.len()));
        let text = format!("{}{junk}{}", &SAMPLE[..at], &SAMPLE[end..]);
        match parse("f", &text, &environment()) {
            Ok(config) => prop_assert!(!config.redacted().contains("hush")),
            Err(problems) => {
                prop_assert!(!problems.all.is_empty());
                prop_assert!(!problems.to_string().contains("hush"));
            }
        }
    }

    /// Whatever loads is printed as something that loads.
    #[test]
    fn values_survive_printing(
        wait in 0..300_000u64, bytes in 1_024..1_000_000u64, from in 1..=1_000u16,
        picos in 0..100_000_000_000i64, budget in 0..1i64 << 52,
    ) {
        let price = format!("{}.{:06}", picos / 1_000_000, picos % 1_000_000);
        let text = sample_with("input = \"30\"", &format!("input = \"{price}\""));
        let text = text.replace("from = 0.8", &format!("from = {}", text::permille_text(from.into())));
        let text = text.replace("\"25.00\"", &format!("\"{}\"", Money::from_nanos(budget)));
        let text = text.replace(
            "[store]",
            &format!("max_wait = \"{wait}ms\"\nmax_message_bytes = \"{bytes}B\"\n[store]"),
        );
        let config = good(&text);
        let again = good(&config.redacted());
        prop_assert_eq!(again.redacted(), config.redacted());
        prop_assert_eq!(again.models["gpt-4"].price, config.models["gpt-4"].price);
        prop_assert_eq!(again.teams["news"].budgets[0], config.teams["news"].budgets[0]);
    }
}
