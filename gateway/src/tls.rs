//! The certificate that the gateway shows to callers, with its key: from files, which may change.

use arc_swap::ArcSwap;
use ring::digest;
use rustls::{
    ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use std::{
    fmt::Display,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Far more than a chain of certificates, and little enough to be read by mistake.
const LONGEST: u64 = 1 << 20;

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The certificate and those that signed it, as PEM, its own first.
    pub cert_file: PathBuf,
    /// Its key, as PEM without a password.
    pub key_file: PathBuf,
}

/// What is wrong with one of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `cert_file` or `key_file`.
    pub key: &'static str,
    /// What is wrong, and what to do.
    pub message: String,
}

/// A certificate that is shown, until its files have another.
pub struct Identity {
    files: Files,
    shown: ArcSwap<Shown>,
    /// What the files were when they were read last, so that what is wrong is said once.
    seen: Mutex<Seen>,
}

/// What connections are shown.
struct Shown {
    config: Arc<ServerConfig>,
    /// When the first certificate of the chain ends that does, in seconds since the epoch.
    ends_at: i64,
}

/// A digest of both files, or why there is none.
type Seen = Result<digest::Digest, Vec<Problem>>;

/// What reading the files again found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Nothing new.
    None,
    /// A good pair, which new connections are shown from now on.
    New,
    /// Something that can't be used. What was shown before is shown still.
    Bad(Vec<Problem>),
}

impl Files {
    /// Checks that both can be used.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        let (certificates, key) = self.read()?;
        Shown::new(&certificates, &key).map(drop)
    }

    /// Both texts.
    fn read(&self) -> Result<(Vec<u8>, Vec<u8>), Vec<Problem>> {
        let certificates = read("cert_file", &self.cert_file);
        let key = read("key_file", &self.key_file);
        match (certificates, key) {
            (Ok(certificates), Ok(key)) => Ok((certificates, key)),
            (certificates, key) => Err(certificates.err().into_iter().chain(key.err()).collect()),
        }
    }
}

impl Identity {
    /// The certificate in these files.
    ///
    /// # Errors
    /// With everything that is wrong with them.
    pub fn load(files: Files) -> Result<Arc<Self>, Vec<Problem>> {
        let (certificates, key) = files.read()?;
        let shown = Shown::new(&certificates, &key)?;
        Ok(Arc::new(Self {
            files,
            shown: ArcSwap::from_pointee(shown),
            seen: Mutex::new(Ok(digest_of(&certificates, &key))),
        }))
    }

    /// What a connection that begins now is shown.
    #[must_use]
    pub fn shown(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.shown.load().config)
    }

    /// When what is shown ends, in seconds since the epoch.
    #[must_use]
    pub fn ends_at(&self) -> i64 {
        self.shown.load().ends_at
    }

    /// Reads the files again if they changed. Waits for the disk.
    pub fn renew(&self) -> Renewal {
        let read = self.files.read();
        let found = match &read {
            Ok((certificates, key)) => Ok(digest_of(certificates, key)),
            Err(problems) => Err(problems.clone()),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if alike(&seen, &found) {
            return Renewal::None;
        }
        *seen = found;
        let made = read.and_then(|(certificates, key)| Shown::new(&certificates, &key));
        match made {
            Ok(shown) => {
                self.shown.store(Arc::new(shown));
                Renewal::New
            }
            Err(problems) => Renewal::Bad(problems),
        }
    }
}

fn alike(one: &Seen, other: &Seen) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one.as_ref() == other.as_ref(),
        (Err(one), Err(other)) => one == other,
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    }
}

fn digest_of(certificates: &[u8], key: &[u8]) -> digest::Digest {
    let mut both = digest::Context::new(&digest::SHA256);
    both.update(digest::digest(&digest::SHA256, certificates).as_ref());
    both.update(key);
    both.finish()
}

fn problem(key: &'static str, message: impl Display) -> Problem {
    let message = message.to_string();
    Problem { key, message }
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_end(&mut bytes))
        .map_err(|error| problem(key, format!("{} can't be read: {error}", path.display())))?;
    Ok(bytes)
}

impl Shown {
    /// What is to be shown of both texts: TLS 1.2 and 1.3, and HTTP/2 only.
    fn new(certificates: &[u8], key: &[u8]) -> Result<Self, Vec<Problem>> {
        let chain = chain(certificates).and_then(|chain| Ok((ends_at(&chain)?, chain)));
        // The parser's words could hold a part of the file, and that is a secret here.
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
            problem(
                "key_file",
                "holds no private key in PEM that has no password; it begins with a line such as \
                 \"-----BEGIN PRIVATE KEY-----\"",
            )
        });
        let ((ends_at, chain), key) = match (chain, key) {
            (Ok(chain), Ok(key)) => (chain, key),
            (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
        };
        let made = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map(|builder| builder.with_no_client_auth())
            .and_then(|builder| builder.with_single_cert(chain, key));
        let mut config = made.map_err(|error| {
            vec![problem(
                "key_file",
                format!("does not go with the certificate in cert_file: {error}"),
            )]
        })?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            ends_at,
        })
    }
}

/// When the first certificate of a chain ends that does: without it the rest is worth nothing.
fn ends_at(chain: &[CertificateDer<'_>]) -> Result<i64, Problem> {
    let mut first = i64::MAX;
    for certificate in chain {
        let (_, read) = x509_parser::parse_x509_certificate(certificate).map_err(|error| {
            let message = format!("holds something that is no X.509 certificate: {error}");
            problem("cert_file", message)
        })?;
        first = first.min(read.validity().not_after.timestamp());
    }
    Ok(first)
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = read.map_err(|error| problem("cert_file", format!("is not PEM: {error}")))?;
    if chain.is_empty() {
        return Err(problem(
            "cert_file",
            "holds no certificate in PEM; it begins with the line \"-----BEGIN CERTIFICATE-----\"",
        ));
    }
    Ok(chain)
}

#[cfg(test)]
mod tests;
