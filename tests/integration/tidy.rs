//! The layering of ARCHITECTURE.md, read off the source tree.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

/// The Rust files below a folder, with their text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let root = repository();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(&root)
                    .expect("below")
                    .display()
                    .to_string();
                found.push((name, fs::read_to_string(&path).expect("text")));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has sources");
    found
}

/// No file below `folder` may say `word`, except below `allowed`.
fn only_under(folder: &str, word: &str, allowed: &[&str]) {
    for (name, text) in sources(folder) {
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let says = code.into_iter().any(|line| line.contains(word));
        let fine = allowed.iter().any(|prefix| name.starts_with(prefix));
        assert!(
            !says || fine,
            "{name} says {word}, which belongs under {allowed:?}"
        );
    }
}

#[test]
fn each_layer_knows_only_what_it_may() {
    let src = "gateway/src";
    only_under(
        src,
        "tollgate_proto",
        &[
            "gateway/src/grpc",
            "gateway/src/app/build.rs",
            // It calls the gateway whose adapter it breaks.
            "gateway/src/app/tests.rs",
            // The operators' commands are callers of the API, as any other program.
            "gateway/src/cli/operator",
        ],
    );
    only_under(src, "tonic::Status", &["gateway/src/grpc"]);
    // The crate; app builds the store of that name, and config checks its URLs.
    let redis = [
        "gateway/src/store/redis",
        "gateway/src/app/",
        "gateway/src/config/store",
    ];
    only_under(src, "redis::", &redis);
    only_under(
        src,
        "reqwest",
        &["gateway/src/provider/", "gateway/src/alerts/webhook.rs"],
    );
    let environment = [
        "gateway/src/config/environment.rs",
        "gateway/src/grpc/status/tests.rs",
        "gateway/src/telemetry/testing.rs",
    ];
    only_under(src, "env::var", &environment);
    only_under(src, "SystemTime::now", &["gateway/src/clock.rs"]);
    for word in [
        "tokio",
        "serde",
        "std::time",
        "std::fs",
        "std::net",
        "f64",
        "f32",
    ] {
        only_under("gateway/core/src", word, &[]);
    }
    only_under("chain-client/src", "tollgate::", &[]);
}

#[test]
fn no_file_has_more_than_one_subjects_worth_of_lines() {
    for folder in ["gateway", "chain-client/src", "proto/src", "tests/src"] {
        for (name, text) in sources(folder) {
            let lines = text.lines().count();
            let most = if long_with_a_reason(&name) { 700 } else { 400 };
            assert!(lines <= most, "{name} has {lines} lines");
        }
    }
}

/// Files that may be longer, because their one subject is.
fn long_with_a_reason(name: &str) -> bool {
    [
        // One table, or one list of closed sets.
        "gateway/src/telemetry/catalogue.rs",
        "gateway/src/telemetry/labels.rs",
        // One rule book with its public types.
        "gateway/core/src/account.rs",
        "gateway/core/src/account/tests.rs",
        // One suite that every store goes through.
        "gateway/src/store/contract.rs",
        // Parsing one message, field by field.
        "gateway/src/grpc/from_proto.rs",
        // One closed table of errors.
        "gateway/src/grpc/status.rs",
    ]
    .contains(&name)
}

/// The RPCs of some .proto files.
fn rpcs(files: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(repository().join("proto/tollgate").join(file));
        let text = text.expect("text");
        let names = text.lines().filter_map(|line| {
            let (name, _) = line.trim().strip_prefix("rpc ")?.split_once('(')?;
            Some(name.to_owned())
        });
        found.extend(names);
    }
    assert!(!found.is_empty(), "{files:?} have RPCs");
    found
}

#[test]
fn every_rpc_of_callers_has_an_integration_test() {
    let folders = ["tests/integration", "tests/src/harness"];
    let tests = folders.into_iter().flat_map(sources);
    let tests: String = tests.map(|(_, text)| text).collect();
    for rpc in rpcs(&["v1/completion.proto", "v1/usage.proto"]) {
        let mut call = String::from(".");
        for letter in rpc.chars() {
            if letter.is_uppercase() && call.len() > 1 {
                call.push('_');
            }
            call.push(letter.to_ascii_lowercase());
        }
        assert!(tests.contains(&format!("{call}(")), "{rpc} has no test");
    }
}

/// The commands that ask operators' RPCs, which tests give as operators do.
const COMMANDS: [(&str, &str); 10] = [
    ("CreateKey", "keys create"),
    ("ListKeys", "keys list"),
    ("RevokeKey", "keys revoke"),
    ("ListTargets", "targets list"),
    ("DrainTarget", "targets drain"),
    ("RestoreTarget", "targets restore"),
    ("ListBudgets", "budgets show"),
    ("TopUpBudget", "budgets top-up"),
    ("QueryUsage", "usage"),
    ("ReloadConfig", "reload"),
];

#[test]
fn every_rpc_of_operators_has_a_command_with_an_integration_test() {
    let with_command = COMMANDS.map(|(rpc, _)| rpc.to_owned());
    assert_eq!(rpcs(&["admin/v1/admin.proto"]), with_command);
    let tests = sources("tests/integration/admin");
    let tests: String = tests.into_iter().map(|(_, text)| text).collect();
    let tests = tests + include_str!("admin.rs");
    for (rpc, command) in COMMANDS {
        let given = [' ', '"'].map(|end| format!("\"{command}{end}"));
        assert!(
            given.iter().any(|given| tests.contains(given)),
            "{rpc}: no test runs `tollgate {command}`"
        );
    }
}

#[test]
fn the_shipped_examples_are_valid() {
    use tollgate::config::{self, Variables};
    let key = "0".repeat(64);
    let pepper = "p".repeat(40);
    let variables = Variables::from([
        ("TOLLGATE_NEWS_KEY", key.as_str()),
        ("TOLLGATE_KEY_PEPPER", pepper.as_str()),
        ("OPENAI_API_KEY", "sk-test"),
        ("ANTHROPIC_API_KEY", "sk-test"),
        ("LOCAL_API_KEY", "sk-test"),
        ("REDIS_URL", "redis://127.0.0.1:6379"),
        ("TOLLGATE_RESEARCH_KEY", key.as_str()),
        ("TOLLGATE_ALERT_WEBHOOK", "https://hooks.example.com/T0"),
    ]);
    // Those for containers have their secrets in files.
    let secrets = tempfile::TempDir::new().expect("a directory");
    for (name, secret) in [
        ("key_pepper", pepper.as_str()),
        ("redis_url", "redis://redis:6379"),
        ("openai_api_key", "sk-test"),
        ("anthropic_api_key", "sk-test"),
        ("news_key_hmac", key.as_str()),
        ("research_key_hmac", key.as_str()),
    ] {
        fs::write(secrets.path().join(name), secret).expect("it is written");
    }
    let secrets_at = secrets.path().display().to_string();
    let folders = ["examples", "deploy"].map(|folder| repository().join(folder));
    let entries = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    let mut checked = 0;
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("text");
        let text = text
            .replace("SIMULATOR_URL", "http://127.0.0.1:1")
            .replace("DATA_DIR", "data")
            .replace("/run/secrets/tollgate", &secrets_at);
        let name = path.display().to_string();
        if let Err(problems) = config::parse(&name, &text, &variables) {
            panic!("{problems}");
        }
        checked += 1;
    }
    assert!(checked >= 5);
}
