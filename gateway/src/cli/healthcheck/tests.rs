use super::*;
use crate::cli::{Cli, Command};
use clap::Parser as _;
use std::path::PathBuf;
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_stream::wrappers::TcpListenerStream;
use tonic_health::{ServingStatus as State, server::health_reporter};

/// A real health service on a free port, as long as it is kept.
struct Server {
    _runtime: Runtime,
    address: SocketAddr,
}

impl Server {
    fn start(state: State) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (reporter, service) = health_reporter();
        runtime.block_on(reporter.set_service_status("", state));
        let server = tonic::transport::Server::builder().add_service(service);
        runtime.spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self {
            _runtime: runtime,
            address,
        }
    }
}

fn check(args: &[&str]) -> (Verdict, String) {
    let line = [&["tollgate", "healthcheck"], args].concat();
    let Command::Offline(command) = Cli::try_parse_from(line).expect("arguments").command else {
        panic!("offline");
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let output = Output {
        out: &mut out,
        err: &mut err,
    };
    let none = crate::config::Variables::default();
    let verdict = command.run(&none, output).expect("written");
    out.append(&mut err);
    (verdict, String::from_utf8(out).expect("text"))
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("tollgate.toml");
    fs::write(&path, text).expect("written");
    (dir, path)
}

#[test]
fn a_gateway_that_serves_is_healthy() {
    let server = Server::start(State::Serving);
    let address = server.address.to_string();
    let (verdict, said) = check(&["--address", &address]);
    assert_eq!(verdict, Verdict::Good, "{said}");
    assert_eq!(said, format!("{address}: serving\n"));
}

#[test]
fn a_gateway_that_stops_is_not() {
    let server = Server::start(State::NotServing);
    let (verdict, said) = check(&["--address", &server.address.to_string()]);
    assert_eq!(verdict, Verdict::Unhealthy);
    assert!(said.contains("NOT_SERVING"), "{said}");
}

#[test]
fn nobody_is_not_healthy() {
    let server = Server::start(State::Serving);
    let address = server.address.to_string();
    drop(server);
    let (verdict, said) = check(&["--address", &address]);
    assert_eq!(verdict, Verdict::Unhealthy);
    assert!(said.contains("can't connect"), "{said}");
    // What supervisors take for ill; 2 is for a check that can't be made.
    assert_eq!(
        std::process::ExitCode::from(verdict),
        std::process::ExitCode::from(1)
    );
}

#[test]
fn a_service_that_it_does_not_have_is_named() {
    let server = Server::start(State::Serving);
    let (verdict, said) = check(&["--address", &server.address.to_string(), "--service", "x.Y"]);
    assert_eq!(verdict, Verdict::Unhealthy);
    assert!(said.contains("no service \"x.Y\""), "{said}");
}

#[test]
fn the_address_is_the_files_even_if_the_rest_of_it_is_wrong() {
    let server = Server::start(State::Serving);
    let port = server.address.port();
    let (_dir, path) = file(&format!(
        "[server]\nlisten = \"0.0.0.0:{port}\"\n[teams.x]\nnonsense = 1\n"
    ));
    let (verdict, said) = check(&["--config", &path.display().to_string()]);
    assert_eq!(verdict, Verdict::Good, "{said}");
}

#[test]
fn a_file_that_does_not_say_means_the_usual_address() {
    let (_dir, path) = file("[telemetry]\n");
    assert_eq!(configured(&path), Ok(Target::Health(USUAL)));
    let (_dir, path) = file("[server.tls]\ncert_file = \"c\"\n");
    assert_eq!(configured(&path), Ok(Target::Probes(USUAL_PROBES)));
}

#[test]
fn an_address_that_can_not_be_known_is_told() {
    for (text, told) in [
        ("[server]\nlisten = \"127.0.0.1:0\"\n", "any free port"),
        ("[server]\nlisten = 5\n", "not an IP address and a port"),
        ("[server\n", "--address"),
    ] {
        let (_dir, path) = file(text);
        let (verdict, said) = check(&["--config", &path.display().to_string()]);
        assert_eq!(verdict, Verdict::Bad, "{text}");
        assert!(said.contains(told), "{text}: {said}");
    }
    let (verdict, said) = check(&["--config", "/nowhere/tollgate.toml"]);
    assert_eq!(verdict, Verdict::Bad);
    assert!(said.contains("can't be read"), "{said}");
}

#[test]
fn a_gateway_with_a_certificate_is_asked_at_its_probes() {
    let runtime = Runtime::new().expect("a runtime");
    let data = tempfile::tempdir().expect("a directory");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\n[ledger]\n\
         dir = {:?}\n[interactions]\ndir = {:?}\n[providers.o]\nkind = \"openai_compatible\"\n\
         base_url = \"http://[::1]\"\n",
        data.path().join("ledger"),
        data.path().join("interactions"),
    );
    let config = crate::config::parse("f", &text, &crate::config::Variables::default());
    let app = runtime
        .block_on(crate::app::App::start(config.expect("good"), None))
        .expect("started");
    // Of the file only this is looked at, and nothing is at the other address.
    let (_dir, path) = file(&format!(
        "[server]\nlisten = \"127.0.0.1:1\"\nmetrics_listen = \"{}\"\n[server.tls]\n",
        app.metrics
    ));
    let (verdict, said) = check(&["--config", &path.display().to_string()]);
    assert_eq!(verdict, Verdict::Good, "{said}");
    runtime.block_on(app.shutdown());
    let (verdict, said) = check(&["--config", &path.display().to_string()]);
    assert_eq!(verdict, Verdict::Unhealthy, "{said}");
}

#[test]
fn who_listens_everywhere_is_asked_on_loopback() {
    let at = |text: &str| reachable(text.parse().expect("an address")).to_string();
    assert_eq!(at("0.0.0.0:1"), "127.0.0.1:1");
    assert_eq!(at("[::]:1"), "[::1]:1");
    assert_eq!(at("10.0.0.1:1"), "10.0.0.1:1");
}
