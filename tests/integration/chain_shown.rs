//! What people and programs see of chain-client: what it reads from a pipe, its exit codes, its
//! progress, its page.

use crate::chain::{examples, report};
use serde_json::{Value, json};
use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;
use tollgate_tests::{
    harness::{Gateway, program, simulator},
    simulator::{Action, Fault, Refused, RetryAfter},
};

const ARTICLE: &str =
    "The Larks won the final in Leeds on 12 March 2024. Mara Vell scored twice. The crowd sang.";

/// A run through the gateway at `url`, which is not started yet.
fn run(url: &str, key: &str, out: &Path) -> Command {
    let mut command = Command::new(program("chain-client"));
    command
        .args(["run", "--gateway", url, "--metrics-addr", "none", "--out"])
        .arg(out)
        .env("TOLLGATE_API_KEY", key)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    command
}

/// How a command ends that reads `text` from its standard input.
async fn piped(mut command: Command, text: String) -> Output {
    let running = move || {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut stdin = child.stdin.take().expect("piped");
        // It may end without reading all of it.
        let _ = stdin.write_all(text.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("it ends")
    };
    let ended = tokio::task::spawn_blocking(running).await;
    ended.expect("no panic")
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_is_one_text_or_lines_of_json() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let lines: String = ["one", "two", ""]
        .map(|id| {
            let text = if id.is_empty() { "" } else { ARTICLE };
            json!({"id": id, "text": text}).to_string() + "\n"
        })
        .concat();
    for (text, ids, code) in [
        (ARTICLE.to_owned(), vec![("stdin", "ok")], 0),
        // The last has no text, which is its own fault alone.
        (
            lines,
            vec![("one", "ok"), ("stdin:3", "rejected"), ("two", "ok")],
            1,
        ),
    ] {
        let out = TempDir::new().expect("a directory");
        let mut command = run(&gateway.url(), gateway.key("news"), out.path());
        command.arg("-");
        let ran = piped(command, text).await;
        assert_eq!(ran.status.code(), Some(code), "{}", told(&ran));
        let report = report(out.path());
        let articles = report["articles"].as_array().expect("articles");
        let found = articles.iter().map(|one| (&one["id"], &one["status"]));
        let mut found: Vec<_> = found
            .map(|(id, status)| (id.as_str().expect("an id"), status.as_str().expect("one")))
            .collect();
        found.sort_unstable();
        assert_eq!(found, ids);
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_sends_nothing_and_has_its_own_code() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    for (more, word) in [
        (&["--colour", "blue", "-"][..], "--colour"),
        (&["no/such/place"][..], "no/such/place"),
        (&["--time-budget", "soon", "-"][..], "soon"),
    ] {
        let out = TempDir::new().expect("a directory");
        let place = out.path().join("run");
        let mut command = run(&gateway.url(), gateway.key("news"), &place);
        command.args(more);
        let ran = piped(command, ARTICLE.to_owned()).await;
        assert_eq!(ran.status.code(), Some(2), "{}", told(&ran));
        assert!(told(&ran).contains(word), "it names it: {}", told(&ran));
        assert!(!place.exists(), "nothing was run");
    }
    assert_eq!(simulator.requests().len(), 0);
    gateway.stop().await;
}

/// Takes as long as chain-client waits for a gateway that is just starting.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_not_there_ends_the_run_with_its_own_code_and_a_report() {
    let out = TempDir::new().expect("a directory");
    let mut command = run("http://127.0.0.1:9", "tg_any", out.path());
    command.arg(examples());
    let ran = piped(command, String::new()).await;
    assert_eq!(ran.status.code(), Some(5), "{}", told(&ran));
    assert!(told(&ran).contains("out of reach"), "{}", told(&ran));
    let report = report(out.path());
    let articles = report["articles"].as_array().expect("articles");
    assert_eq!(articles.len(), 8);
    assert!(articles.iter().all(|one| one["status"] == "not_started"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_sees_the_run_live_and_a_pipe_plain_lines() {
    let simulator = simulator(100).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    for (variable, terminal, colours) in [("", true, true), ("1", true, false), ("", false, false)]
    {
        let out = TempDir::new().expect("a directory");
        let mut command = run(&gateway.url(), gateway.key("news"), out.path());
        command.arg(examples());
        if terminal {
            command = in_a_terminal(&command);
            command.env("TOLLGATE_API_KEY", gateway.key("news"));
        }
        command.env("NO_COLOR", variable).env("TERM", "xterm");
        let ran = piped(command, String::new()).await;
        let told = told(&ran);
        assert_eq!(ran.status.code(), Some(0), "{told}");
        // Taking lines away is what a live display does, and colours are what NO_COLOR forbids.
        assert_eq!(told.contains("\u{1b}[2K"), terminal, "{told:?}");
        assert_eq!(has_colours(&told), colours, "{told:?}");
        assert_eq!(told.contains("in flight |"), terminal, "{told:?}");
        assert!(told.contains("extract_entities"), "the summary: {told:?}");
    }
    gateway.stop().await;
}

/// Whether there is a sequence that ends in `m`, as those for colours do.
fn has_colours(told: &str) -> bool {
    let sequences = told.split("\u{1b}[").skip(1);
    let ends = sequences.filter_map(|rest| rest.chars().find(char::is_ascii_alphabetic));
    ends.into_iter().any(|end| end == 'm')
}

/// The same command with a terminal for all of its streams, by util-linux' `script`.
fn in_a_terminal(command: &Command) -> Command {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    let words = words.map(|word| format!("'{}'", word.to_str().expect("text")));
    let line = words.collect::<Vec<_>>().join(" ");
    let mut script = Command::new("script");
    script.args([
        "-qec",
        &format!("stty cols 150 rows 40; exec {line}"),
        "/dev/null",
    ]);
    script
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_has_plots_models_failures_and_a_section_for_each_article() {
    let simulator = simulator(0).await;
    let mut broken = Fault::always(Action::Refuse(Refused::BadRequest, RetryAfter::Absent));
    broken.scope.contains = Some("Floorball".to_owned());
    simulator.push_fault(broken);
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let out = TempDir::new().expect("a directory");
    let mut command = run(&gateway.url(), gateway.key("news"), out.path());
    command.arg(examples());
    let ran = piped(command, String::new()).await;
    assert_eq!(ran.status.code(), Some(1), "{}", told(&ran));
    let page = fs::read_to_string(out.path().join("report.html")).expect("it is written");
    for plot in [
        "Time by step",
        "Time in all by step",
        "Tokens by step",
        "Cost by step",
        "Calls by model",
        "Cost by model",
    ] {
        let svg = plot_of(&page, plot);
        let rows: &[&str] = if plot.ends_with("step") {
            &[
                "extract_entities",
                "generate_summary",
                "classify_content",
                "score_quality",
            ]
        } else {
            &["gpt-4", "gpt-3.5-turbo"]
        };
        for row in rows {
            assert!(svg.contains(row), "{row} is in {plot}: {svg}");
        }
        assert!(svg.contains("<rect"), "{plot} has bars: {svg}");
    }
    let report = report(out.path());
    let articles = report["articles"].as_array().expect("articles");
    assert_eq!(page.matches("<details").count(), articles.len());
    for article in articles {
        let id = article["id"].as_str().expect("an id");
        let heading = format!("<p class=\"mono\" dir=\"auto\">{id} ");
        assert_eq!(page.matches(&heading).count(), 1, "{id} has a section");
    }
    let failed: Vec<&Value> = articles
        .iter()
        .filter(|one| one["status"] == "failed")
        .collect();
    assert_eq!(failed.len(), 1, "one was made to fail");
    let list = page.split("<h2>What failed</h2>").nth(1).expect("a list");
    let list = list.split("</table>").next().expect("a table");
    assert!(
        list.contains(failed[0]["id"].as_str().expect("an id")),
        "{list}"
    );
    assert!(page.contains("some articles failed"), "the verdict");
    assert!(page.contains("books agree"), "and the gateway's sum");
    for loader in [
        "<script", "<link", "<iframe", "url(", "@import", " src=", " href=",
    ] {
        assert!(
            !page.contains(loader),
            "nothing is run or fetched: {loader}"
        );
    }
    gateway.stop().await;
}

/// The plot of this name.
fn plot_of<'a>(page: &'a str, name: &str) -> &'a str {
    let label = format!("aria-label=\"{name}\"");
    let after = page.split(&label).nth(1);
    let after = after.unwrap_or_else(|| panic!("there is a plot {name}"));
    after.split("</svg>").next().expect("it ends")
}
