//! Certificates for tests: made anew each time, and their own authority.

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use tonic::transport::{self, Channel, ClientTlsConfig, Endpoint};

/// A certificate for `localhost` and 127.0.0.1, and its key.
pub struct Certificate {
    certificate: String,
    key: String,
}

impl Certificate {
    /// A new one.
    ///
    /// # Panics
    /// If the system gives no randomness.
    #[must_use]
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// A new one that ends when 2040 begins.
    ///
    /// # Panics
    /// If the system gives no randomness.
    #[must_use]
    pub fn ending_in_2040() -> Self {
        Self::with(|params| params.not_after = date_time_ymd(2040, 1, 1))
    }

    fn with(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).expect("they are names");
        change(&mut params);
        let key = KeyPair::generate().expect("randomness");
        let certificate = params.self_signed(&key).expect("it signs itself");
        Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// Writes both files, in place of those that are there. Returns the file that callers trust.
    ///
    /// # Panics
    /// If the directory can't be written.
    pub fn write(&self, dir: &Path) -> PathBuf {
        let certificate = dir.join("cert.pem");
        fs::write(dir.join("key.pem"), &self.key).expect("it is written");
        fs::write(&certificate, &self.certificate).expect("it is written");
        certificate
    }

    /// The line of the configuration that names the files in this directory, in `[server]`.
    #[must_use]
    pub fn line(dir: &Path) -> String {
        let dir = dir.display();
        format!("tls = {{ cert_file = \"{dir}/cert.pem\", key_file = \"{dir}/key.pem\" }}")
    }

    /// A connection to who shows this certificate.
    ///
    /// # Errors
    /// If it shows another, or none.
    pub async fn connect(&self, address: SocketAddr) -> Result<Channel, transport::Error> {
        let trusted = transport::Certificate::from_pem(&self.certificate);
        let tls = ClientTlsConfig::new()
            .ca_certificate(trusted)
            .domain_name("localhost");
        let endpoint = Endpoint::from_shared(format!("https://{address}"))?;
        endpoint.tls_config(tls)?.connect().await
    }
}

impl Default for Certificate {
    fn default() -> Self {
        Self::new()
    }
}
