//! TLS on the gateway's own port.

use std::{fs, path::PathBuf, process::Command, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tollgate_tests::{
    harness::{
        Caller, Certificate, Credentials, GatewayProcess, Settings, Signal, program, signal, spec,
    },
    simulator::{Options, Simulator},
};
use tonic::transport::Endpoint;

/// A gateway with a certificate, and the provider that it calls.
struct Site {
    simulator: Simulator,
    credentials: Credentials,
    dir: TempDir,
    certificate: Certificate,
    gateway: GatewayProcess,
}

impl Site {
    /// A site whose provider takes so long.
    async fn start(latency: Duration) -> Self {
        let options = Options {
            latency,
            ..Options::default()
        };
        let simulator = Simulator::start(options).await.expect("it starts");
        let dir = TempDir::new().expect("a directory");
        let certificate = Certificate::new();
        certificate.write(dir.path());
        let settings = Settings::new(&simulator.base_url(), dir.path())
            .server(&Certificate::line(dir.path()))
            .operators()
            .team("news", "");
        let config = dir.path().join("tollgate.toml");
        fs::write(&config, settings.text()).expect("it is written");
        let credentials = Credentials::new(&["news"]);
        let gateway = GatewayProcess::start(&config, &credentials);
        Self {
            simulator,
            credentials,
            dir,
            certificate,
            gateway,
        }
    }

    /// A caller that trusts this certificate only.
    async fn caller(&self, certificate: &Certificate) -> Option<Caller> {
        let channel = certificate.connect(self.gateway.grpc).await.ok()?;
        Some(Caller::new(channel, self.credentials.key("news")))
    }

    /// Waits until new connections are shown this certificate.
    async fn shows(&self, certificate: &Certificate) -> Caller {
        // Far longer than it takes; a test fails that waits so long.
        for _ in 0..400 {
            if let Some(caller) = self.caller(certificate).await {
                return caller;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the certificate is never shown");
    }

    fn ca_file(&self) -> PathBuf {
        self.dir.path().join("cert.pem")
    }
}

#[tokio::test]
async fn a_caller_that_trusts_the_certificate_is_served_and_nobody_else() {
    let site = Site::start(Duration::ZERO).await;
    let caller = site.caller(&site.certificate).await.expect("it is trusted");
    caller.complete(spec("cheap", "hello")).await.expect("ok");
    let other = Certificate::new();
    assert!(site.caller(&other).await.is_none(), "another is trusted");
    let plain = Endpoint::from_shared(format!("http://{}", site.gateway.grpc)).expect("a URL");
    let plain = Caller::new(plain.connect_lazy(), site.credentials.key("news"));
    let refused = plain.complete(spec("cheap", "in the clear")).await;
    assert_eq!(refused.expect_err("no plaintext").reason, "");
    assert_eq!(site.simulator.requests().len(), 1);
    assert!(site.gateway.terminate().success());
}

#[tokio::test]
async fn both_versions_of_tls_speak_http_2() {
    let site = Site::start(Duration::ZERO).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (spoken, protocol) = handshake(&site, version, b"h2").await.expect("a handshake");
        assert_eq!(spoken, version.version);
        assert_eq!(protocol, b"h2");
    }
    let http1 = handshake(&site, &rustls::version::TLS13, b"http/1.1").await;
    assert!(http1.is_err(), "there is no HTTP/1 here");
    drop(site);
}

async fn handshake(
    site: &Site,
    version: &'static rustls::SupportedProtocolVersion,
    protocol: &[u8],
) -> std::io::Result<(rustls::ProtocolVersion, Vec<u8>)> {
    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
    let mut roots = rustls::RootCertStore::empty();
    let trusted = CertificateDer::from_pem_file(site.ca_file()).expect("a certificate");
    roots.add(trusted).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("it is known")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(site.gateway.grpc).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream).await?;
    let (_, session) = stream.get_ref();
    let spoken = session.protocol_version().expect("it is agreed");
    Ok((spoken, session.alpn_protocol().unwrap_or_default().to_vec()))
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_dropping_a_call() {
    let in_2040 = 2_208_988_800.0;
    let site = Site::start(Duration::from_millis(1_500)).await;
    let caller = site.caller(&site.certificate).await.expect("it is trusted");
    let running = tokio::spawn({
        let caller = caller.clone();
        async move { caller.complete(spec("cheap", "a long call")).await }
    });
    while site.simulator.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let end = async || {
        let metrics = format!("http://{}/metrics", site.gateway.metrics);
        let scrape = tollgate_tests::harness::scrape::Scrape::of(&metrics).await;
        scrape.sum("tollgate_tls_certificate_not_after_timestamp_seconds", &[])
    };
    assert!(end().await > in_2040, "of the one that is shown");
    let new = Certificate::ending_in_2040();
    new.write(site.dir.path());
    signal(site.gateway.id(), Signal::HUP);
    let newcomer = site.shows(&new).await;
    assert!(site.caller(&site.certificate).await.is_none());
    // It is shown first, and told a moment later.
    let told = async {
        while (end().await - in_2040).abs() > 1.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(20), told).await;
    told.expect("the metric is of the new one");
    running.await.expect("no panic").expect("the call goes on");
    // The old connection is good for more.
    caller.complete(spec("cheap", "again")).await.expect("ok");
    newcomer.complete(spec("cheap", "hello")).await.expect("ok");
    assert!(site.gateway.terminate().success());
}

#[tokio::test]
async fn changed_files_are_found_without_a_signal_and_bad_ones_change_nothing() {
    let site = Site::start(Duration::ZERO).await;
    let key = site.dir.path().join("key.pem");
    let good = fs::read(&key).expect("it is there");
    fs::write(&key, "no key").expect("it is written");
    signal(site.gateway.id(), Signal::HUP);
    let metrics = format!("http://{}/metrics", site.gateway.metrics);
    let reloads = async || {
        let scrape = tollgate_tests::harness::scrape::Scrape::of(&metrics).await;
        scrape.sum("tollgate_config_last_reload_successful", &[])
    };
    while reloads().await > 0.5 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        site.caller(&site.certificate).await.is_some(),
        "the old one"
    );
    fs::write(&key, good).expect("it is written");
    let new = Certificate::new();
    new.write(site.dir.path());
    site.shows(&new).await;
    assert!(site.gateway.terminate().success());
}

#[tokio::test]
async fn who_says_nothing_is_cut_and_keeps_nobody_out() {
    let site = Site::start(Duration::ZERO).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(
            TcpStream::connect(site.gateway.grpc)
                .await
                .expect("it listens"),
        );
    }
    let caller = site.caller(&site.certificate).await.expect("it is trusted");
    caller.complete(spec("cheap", "hello")).await.expect("ok");
    for mut stream in silent {
        // Its end comes, not an answer.
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
    }
    assert!(site.gateway.terminate().success());
}

#[tokio::test]
async fn chain_client_and_the_health_check_speak_tls() {
    let site = Site::start(Duration::ZERO).await;
    let url = format!("https://localhost:{}", site.gateway.grpc.port());
    let doctor = |ca: &std::path::Path| {
        Command::new(program("chain-client"))
            .args(["doctor", "--gateway", &url, "--ca-file"])
            .arg(ca)
            .env("TOLLGATE_API_KEY", site.credentials.key("news"))
            .output()
            .expect("it runs")
    };
    let output = doctor(&site.ca_file());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    let elsewhere = TempDir::new().expect("a directory");
    let output = doctor(&Certificate::new().write(elsewhere.path()));
    assert!(!output.status.success(), "another certificate is trusted");
    // The health check asks the probes where there is TLS.
    let file = site.dir.path().join("health.toml");
    let (listen, probes) = (site.gateway.grpc, site.gateway.metrics);
    let text = format!(
        "[server]\nlisten = \"{listen}\"\nmetrics_listen = \"{probes}\"\n\
         tls = {{ cert_file = \"gone\" }}\n"
    );
    fs::write(&file, text).expect("it is written");
    let mut check = Command::new(program("tollgate"));
    let check = check.arg("healthcheck").arg("--config").arg(&file).output();
    let check = check.expect("it runs");
    let said = String::from_utf8_lossy(&check.stderr).into_owned();
    assert!(check.status.success(), "{said}");
}

#[tokio::test]
async fn operators_are_shown_the_same_certificate() {
    let site = Site::start(Duration::ZERO).await;
    let address = site.gateway.admin.expect("operators are served");
    let list = |url: String, ca: &std::path::Path| {
        let mut command = Command::new(program("tollgate"));
        command
            .args(["targets", "list", "--admin", &url, "--ca-file"])
            .arg(ca)
            .env("TOLLGATE_ADMIN_KEY", site.credentials.operator());
        command.output().expect("it runs")
    };
    let port = address.port();
    let served = list(format!("https://localhost:{port}"), &site.ca_file());
    let said = String::from_utf8_lossy(&served.stderr).into_owned();
    assert!(served.status.success(), "{said}");
    let elsewhere = TempDir::new().expect("a directory");
    let other = Certificate::new().write(elsewhere.path());
    let refused = list(format!("https://localhost:{port}"), &other);
    assert_eq!(
        refused.status.code(),
        Some(1),
        "another certificate is trusted"
    );
    let plain = list(format!("http://localhost:{port}"), &site.ca_file());
    assert_eq!(plain.status.code(), Some(1), "there is no plaintext");
    assert!(site.gateway.terminate().success());
}

#[test]
fn plaintext_beyond_loopback_is_refused_with_the_remedies() {
    let dir = TempDir::new().expect("a directory");
    let settings = Settings::new("http://127.0.0.1:9", dir.path())
        .server("listen = \"0.0.0.0:0\"")
        .team("news", "");
    let config = dir.path().join("tollgate.toml");
    fs::write(&config, settings.text()).expect("it is written");
    let credentials = Credentials::new(&["news"]);
    let serve = Command::new(program("tollgate"))
        .args(["serve", "--config"])
        .arg(&config)
        .envs(credentials.variables())
        .output()
        .expect("it runs");
    assert_eq!(serve.status.code(), Some(2));
    let said = String::from_utf8_lossy(&serve.stderr);
    for remedy in ["[server.tls]", "plaintext = true", "127.0.0.1"] {
        assert!(said.contains(remedy), "{said}");
    }
}
