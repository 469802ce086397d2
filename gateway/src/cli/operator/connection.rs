//! A connection to a gateway's operators' API, and what to do when it refuses.

use super::args::Office;
use crate::{cli::Verdict, config::Environment};
use std::{fs, time::Duration};
use tollgate_proto::admin::v1::admin_service_client::AdminServiceClient;
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

/// The variable that holds an operator's key.
pub(super) const KEY_VARIABLE: &str = "TOLLGATE_ADMIN_KEY";

/// How long connecting may take, and each answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(20);

/// A connection with an operator's key.
pub(super) struct Connection {
    pub(super) office: AdminServiceClient<Channel>,
    bearer: MetadataValue<Ascii>,
}

/// Why there is no answer, and what to do.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) message: String,
    pub(super) verdict: Verdict,
}

impl Failure {
    /// The command is wrong as it was given.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            verdict: Verdict::Bad,
        }
    }
}

impl Connection {
    /// Prepares a connection. It is made when it is first used.
    pub(super) fn open(office: &Office, environment: &dyn Environment) -> Result<Self, Failure> {
        let key = environment.variable(KEY_VARIABLE);
        let key = key.filter(|key| !key.trim().is_empty()).ok_or_else(|| {
            Failure::usage(format!(
                "{KEY_VARIABLE} is not set: export an operator's key, which `tollgate keys new --id \
                 ops` makes and [admin] of the gateway's configuration names"
            ))
        })?;
        let bearer = format!("Bearer {}", key.trim()).parse();
        let mut bearer: MetadataValue<Ascii> = bearer.map_err(|_| {
            Failure::usage(format!("{KEY_VARIABLE} holds characters that no key has"))
        })?;
        bearer.set_sensitive(true);
        let url = &office.url;
        let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("{url}: {error}"));
        let mut endpoint = Endpoint::from_shared(url.clone())
            .map_err(|error| wrong(&error))?
            .connect_timeout(CONNECT)
            .timeout(ANSWER);
        match (&office.ca_file, url.starts_with("https://")) {
            (Some(file), true) => {
                let pem = fs::read(file)
                    .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
                let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
                endpoint = endpoint.tls_config(tls).map_err(|error| wrong(&error))?;
            }
            (None, true) => {
                return Err(wrong(
                    &"say --ca-file with the PEM of who signed its certificate",
                ));
            }
            (_, false) => {}
        }
        Ok(Self {
            office: AdminServiceClient::new(endpoint.connect_lazy()),
            bearer,
        })
    }

    /// A request with the key.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", self.bearer.clone());
        request
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let message = status.message();
        let (message, verdict) = match status.code() {
            Code::Unauthenticated => (
                format!(
                    "the key in {KEY_VARIABLE} is no operator's key here: [admin] of the gateway's \
                     configuration names those that are"
                ),
                Verdict::Bad,
            ),
            Code::InvalidArgument => (message.to_owned(), Verdict::Bad),
            Code::Unimplemented => (
                "no operators' API is served there: --admin is admin.listen of the gateway's \
                 configuration, not server.listen"
                    .to_owned(),
                Verdict::Unhealthy,
            ),
            // The gateway's own answers have no cause here.
            Code::Unavailable if std::error::Error::source(&status).is_some() => (
                format!(
                    "can't connect: {}; is [admin] in the gateway's configuration, and is --admin \
                     its address?",
                    root(&status)
                ),
                Verdict::Unhealthy,
            ),
            _ => (message.to_owned(), Verdict::Unhealthy),
        };
        Self { message, verdict }
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
