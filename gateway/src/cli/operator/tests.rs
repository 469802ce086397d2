use super::*;
use crate::{
    cli::{Cli, Command},
    config::Variables,
};
use clap::Parser as _;

fn ask(args: &[&str], variables: &[(&str, &str)]) -> (Verdict, String) {
    let line = [&["tollgate"], args].concat();
    let Command::Offline(command) = Cli::try_parse_from(line).expect("arguments").command else {
        panic!("it serves nothing");
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let output = Output {
        out: &mut out,
        err: &mut err,
    };
    let variables = variables.iter();
    let environment: Variables = variables
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let verdict = command.run(&environment, output).expect("written");
    out.append(&mut err);
    (verdict, String::from_utf8(out).expect("text"))
}

const KEY: (&str, &str) = ("TOLLGATE_ADMIN_KEY", "tg_ops_x");

#[test]
fn without_a_key_or_a_gateway_it_says_what_to_do() {
    let (verdict, said) = ask(&["keys", "list"], &[]);
    assert_eq!(verdict, Verdict::Bad);
    assert!(said.contains("tollgate keys new"), "{said}");
    // A port that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", free.local_addr().expect("its address"));
    drop(free);
    let (verdict, said) = ask(&["targets", "list", "--admin", &url], &[KEY]);
    assert_eq!(verdict, Verdict::Unhealthy);
    assert!(said.contains("can't connect"), "{said}");
    assert!(said.contains("[admin]"), "{said}");
    let (verdict, said) = ask(&["reload", "--admin", "https://localhost:1"], &[KEY]);
    assert_eq!(verdict, Verdict::Bad);
    assert!(said.contains("--ca-file"), "{said}");
}

#[test]
fn an_amount_is_checked_before_anybody_is_asked() {
    let top_up = ["budgets", "top-up", "--team", "news", "--budget", "day"];
    let (verdict, said) = ask(&[&top_up[..], &["--amount", "much"]].concat(), &[KEY]);
    assert_eq!(verdict, Verdict::Bad);
    assert!(said.contains("such as 25.00"), "{said}");
}

#[test]
fn since_is_days_or_a_day() {
    use super::usage::since;
    assert!(since("7d").is_ok() && since("2026-11-24").is_ok());
    for wrong in ["32d", "d", "7", "yesterday", "2026-13-01"] {
        assert!(since(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn tables_have_columns() {
    use super::table::{
        Side::{Left, Right},
        table,
    };
    let rows = [["a", "10.00"], ["long", "1"]].map(|row| row.map(str::to_owned).to_vec());
    let text = table(&[("NAME", Left), ("COST", Right)], &rows);
    assert_eq!(text, "NAME   COST\na     10.00\nlong      1\n");
}
