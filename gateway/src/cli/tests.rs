use super::*;
use crate::{
    config::{Variables, parse},
    keys::{Keyring, parse_hmac},
};
use clap::CommandFactory as _;
use secrecy::SecretString;
use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

const PEPPER: &str = "a pepper for tests, long enough to be one";

fn run(args: &[&str], environment: &Variables) -> (Verdict, String, String) {
    let cli = Cli::try_parse_from([&["tollgate"], args].concat()).expect("arguments");
    let Command::Offline(command) = cli.command else {
        panic!("offline");
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let output = Output {
        out: &mut out,
        err: &mut err,
    };
    let verdict = command.run(environment, output).expect("written");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (verdict, text(out), text(err))
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("tollgate.toml");
    fs::write(&path, text).expect("written");
    let path = path.display().to_string();
    (dir, path)
}

/// The values of the lines `export NAME=value`.
fn exports(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
        .map(|(name, value)| {
            let value = value.split_whitespace().next().unwrap_or_default();
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
    insta::assert_snapshot!(Cli::command().render_long_help());
}

#[test]
fn serve_has_a_usual_file() {
    let cli = Cli::try_parse_from(["tollgate", "serve"]).expect("arguments");
    let Command::Serve(serve) = cli.command else {
        panic!("serve");
    };
    assert_eq!(serve.config, Path::new("tollgate.toml"));
}

#[test]
fn check_says_what_it_found() {
    let (_dir, path) =
        file("[providers.o]\nkind = \"openai_compatible\"\nbase_url = \"http://[::1]\"\n");
    let (verdict, out, err) = run(&["check", &path], &Variables::default());
    assert_eq!((verdict, err.as_str()), (Verdict::Good, ""));
    assert!(
        out.contains("good: 1 provider, 0 models, 0 routes, 0 teams"),
        "{out}"
    );
}

#[test]
fn check_lists_what_is_wrong() {
    let (_dir, path) = file("a = 1\nb = 2\n");
    let (verdict, out, err) = run(&["check", &path], &Variables::default());
    assert_eq!((verdict, out.as_str()), (Verdict::Bad, ""));
    assert!(err.contains(&format!("{path}:1: a: unknown key")), "{err}");
    assert!(err.contains(&format!("{path}:2: b: unknown key")), "{err}");
    assert!(err.ends_with("2 problems\n"), "{err}");
    assert_eq!(ExitCode::from(verdict), ExitCode::from(2));
}

#[test]
fn print_config_prints_a_configuration() {
    let (_dir, path) = file("[server]\nmax_in_flight = 7\n");
    let (verdict, out, _) = run(&["print-config", &path], &Variables::default());
    assert_eq!(verdict, Verdict::Good);
    assert!(out.contains("max_in_flight = 7"));
    assert!(parse("printed", &out, &Variables::default()).is_ok());
}

#[test]
fn a_new_key_works_with_the_lines_printed_with_it() {
    let (verdict, out, _) = run(
        &["keys", "new", "--id", "k1", "--team", "news"],
        &Variables::default(),
    );
    assert_eq!(verdict, Verdict::Good);
    let key = out.lines().nth(1).expect("the key");
    let exports = exports(&out);
    let variables = [
        (
            "TOLLGATE_KEY_PEPPER",
            exports["TOLLGATE_KEY_PEPPER"].as_str(),
        ),
        ("TOLLGATE_NEWS_KEY", exports["TOLLGATE_NEWS_KEY"].as_str()),
        ("K", "x"),
    ];
    let keys = out.lines().last().expect("the line for the file");
    let text = format!(
        "[providers.o]\nkind = \"openai\"\napi_key_env = \"K\"\n[models.gpt-4]\n\
         deployments = [{{ provider = \"o\", name = \"gpt-4\" }}]\n[teams.news]\n\
         models = [\"gpt-4\"]\n{keys}\n"
    );
    let config = match parse("f", &text, &Variables::from(variables)) {
        Ok(config) => config,
        Err(problems) => panic!("{problems}"),
    };
    let pepper = config.server.key_pepper.as_ref().expect("a pepper");
    let kept = crate::catalog::Key {
        team: "news".into(),
        hmac: config.teams["news"].keys[0].hmac,
    };
    let ring = Keyring::new(&BTreeMap::from([(Arc::from("k1"), kept)]), pepper.value());
    assert!(ring.authenticate(Some(&format!("Bearer {key}"))).is_ok());
}

#[test]
fn the_pepper_that_is_set_is_used_and_not_shown() {
    let environment = Variables::from([("TOLLGATE_KEY_PEPPER", PEPPER)]);
    let (_, out, _) = run(&["keys", "new", "--id", "ci-1"], &environment);
    assert!(!out.contains("PEPPER"), "{out}");
    assert!(exports(&out).contains_key("TOLLGATE_CI_1_KEY"), "{out}");
}

#[test]
fn json_has_all_of_it() {
    let environment = Variables::from([("TOLLGATE_KEY_PEPPER", PEPPER)]);
    let (_, out, _) = run(&["keys", "new", "--id", "k1", "--json"], &environment);
    let object: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let text = |key: &str| object[key].as_str().expect("text").to_owned();
    let kept = crate::catalog::Key {
        team: "t".into(),
        hmac: parse_hmac(&text("hmac")).expect("an HMAC"),
    };
    let keys = BTreeMap::from([(Arc::from("k1"), kept)]);
    let ring = Keyring::new(&keys, &SecretString::from(PEPPER));
    let bearer = format!("Bearer {}", text("key"));
    assert!(ring.authenticate(Some(&bearer)).is_ok());
}

#[test]
fn a_bad_id_is_refused_before_anything_is_made() {
    for args in [["--id", "K1"], ["--id", ""], ["--id", "a_b"]] {
        let args = [&["tollgate", "keys", "new"][..], &args].concat();
        let error = Cli::try_parse_from(args).expect_err("a bad id").to_string();
        assert!(error.contains("is not the id of a key"), "{error}");
    }
}
