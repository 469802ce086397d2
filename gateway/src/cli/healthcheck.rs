//! `tollgate healthcheck`: asks a gateway whether it serves, for images without a shell.
//!
//! It asks the gRPC health service. A gateway with a certificate is asked at its probes instead: the
//! certificate's names are those that callers use, and not loopback.

use super::{HealthcheckArgs, Output, Verdict};
use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Code, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// Where a gateway listens whose file does not say.
const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 50_051);
/// Where its probes are then.
const USUAL_PROBES: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9_464);
/// How long connecting and the answer may take together: less than what supervisors allow.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whom to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// gRPC health, without TLS.
    Health(SocketAddr),
    /// `/readyz`.
    Probes(SocketAddr),
}

pub(super) fn run(args: &HealthcheckArgs, output: Output<'_>) -> io::Result<Verdict> {
    let given = args.address.map(Target::Health);
    let target = match given.map_or_else(|| configured(&args.config), Ok) {
        Ok(target) => target,
        Err(problem) => {
            writeln!(output.err, "{problem}")?;
            return Ok(Verdict::Bad);
        }
    };
    let (Target::Health(address) | Target::Probes(address)) = target;
    let address = reachable(address);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(async {
        let asked = async {
            match target {
                Target::Health(_) => ask(address, &args.service).await,
                Target::Probes(_) => probe(address).await,
            }
        };
        let asked = tokio::time::timeout(PATIENCE, asked).await;
        asked.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
    });
    match answer {
        Ok(()) => {
            writeln!(output.out, "{address}: serving")?;
            Ok(Verdict::Good)
        }
        Err(problem) => {
            writeln!(output.err, "{address}: {problem}")?;
            Ok(Verdict::Unhealthy)
        }
    }
}

/// What the file says about where it listens. Nothing else of the file matters: a mistake that was
/// saved into it does not make the gateway ill that runs with what was there before.
fn configured(file: &Path) -> Result<Target, String> {
    let wrong = |what: String| {
        let file = file.display();
        format!("{file}: {what}; correct it, or say --address 127.0.0.1:50051")
    };
    let text =
        fs::read_to_string(file).map_err(|error| wrong(format!("can't be read: {error}")))?;
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
    let server = table.get("server").and_then(toml::Value::as_table);
    let address = |key: &str, usual: SocketAddr| {
        let Some(listen) = server.and_then(|server| server.get(key)) else {
            return Ok(usual);
        };
        let read = listen.as_str().and_then(|text| text.parse().ok());
        let address: SocketAddr =
            read.ok_or_else(|| wrong(format!("server.{key} is not an IP address and a port")))?;
        if address.port() == 0 {
            return Err(wrong(format!(
                "server.{key} takes any free port, so where it listens is not known"
            )));
        }
        Ok(address)
    };
    if server.is_some_and(|server| server.contains_key("tls")) {
        return address("metrics_listen", USUAL_PROBES).map(Target::Probes);
    }
    address("listen", USUAL).map(Target::Health)
}

/// Who listens everywhere is asked on loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

async fn ask(address: SocketAddr, service: &str) -> Result<(), String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    let channel = endpoint
        .map_err(|error| error.to_string())?
        .connect()
        .await
        .map_err(|error| format!("can't connect: {}", root(&error)))?;
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = HealthClient::new(channel).check(request).await;
    match answer.map(|answer| answer.into_inner().status()) {
        Ok(ServingStatus::Serving) => Ok(()),
        Ok(other) => Err(format!("{}: it is stopping", other.as_str_name())),
        Err(status) if status.code() == Code::NotFound => Err(format!(
            "it has no service {service:?}; leave --service out to ask for the gateway as a whole"
        )),
        Err(status) => Err(format!("no health: {}", status.message())),
    }
}

async fn probe(address: SocketAddr) -> Result<(), String> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        // It answers once and closes. More than this is not what is asked for.
        let mut answer = Vec::new();
        stream.take(4096).read_to_end(&mut answer).await?;
        io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = asked.await.map_err(|error| format!("can't ask: {error}"))?;
    let line = answer.lines().next().unwrap_or_default();
    match line.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(format!("/readyz says {line:?}")),
    }
}

/// The innermost cause, which says what happened.
fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests;
