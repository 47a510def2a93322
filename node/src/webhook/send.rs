//! One request of the node's own: a message to a receiver. No redirect is followed and no body of an answer is read.

use super::{Signed, Target};
use anyhow::{Context, Result};
use axum::body::Body;
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection, or it broke.
    #[error("{0}")]
    Connection(String),
    /// It took too long.
    #[error("no answer within {0} s")]
    Slow(u64),
    /// TLS is asked for and there are no certificates to trust.
    #[error("no certificates are trusted: `webhook_ca` names none")]
    NoTrust,
}

fn broken(error: impl std::fmt::Display) -> SendError {
    SendError::Connection(error.to_string())
}

/// Sends messages.
#[derive(Clone)]
pub struct Sender {
    tls: Option<TlsConnector>,
    time: Duration,
}

impl Sender {
    /// A sender that gives an attempt so much time, and trusts receivers under the certificates in a file.
    ///
    /// # Errors
    /// When the file has no certificates.
    pub fn new(time: Duration, trusted: Option<&Path>) -> Result<Sender> {
        let Some(path) = trusted else { return Ok(Sender { tls: None, time }) };
        let reading = || format!("reading certificates from {}", path.display());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).with_context(reading)? {
            // One that this build cannot use, as public lists have, is no reason to trust none.
            let _ = roots.add(certificate.with_context(reading)?);
        }
        if roots.is_empty() {
            anyhow::bail!("{} has no certificate that can be used", path.display());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Sender { tls: Some(TlsConnector::from(Arc::new(config))), time })
    }

    /// Posts a signed message and gives the status of the answer.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn post(&self, target: &Target, signed: &Signed, body: String) -> Result<u16, SendError> {
        let sent = timeout(self.time, self.exchange(target, signed, body)).await;
        sent.unwrap_or(Err(SendError::Slow(self.time.as_secs())))
    }

    async fn exchange(&self, target: &Target, signed: &Signed, body: String) -> Result<u16, SendError> {
        let origin = &target.origin;
        let bare = origin.host.trim_start_matches('[').trim_end_matches(']');
        let socket = TcpStream::connect((bare, origin.port)).await.map_err(broken)?;
        let request = Request::post(&target.path)
            .header(header::HOST, format!("{}:{}", origin.host, origin.port))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("tenor/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", &signed.id)
            .header("webhook-timestamp", &signed.timestamp)
            .header("webhook-signature", &signed.signature)
            .body(Body::from(body))
            .map_err(broken)?;
        if !origin.tls {
            return answered(socket, request).await;
        }
        let connector = self.tls.as_ref().ok_or(SendError::NoTrust)?;
        let name = ServerName::try_from(bare.to_string()).map_err(broken)?;
        answered(connector.connect(name, socket).await.map_err(broken)?, request).await
    }
}

/// The status of the answer on a connection of its own, which ends with it.
async fn answered<S>(socket: S, request: Request<Body>) -> Result<u16, SendError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(broken)?;
    let answer = sender.send_request(request);
    tokio::pin!(answer);
    let answered = tokio::select! {
        answered = &mut answer => answered,
        // The connection may end with the answer already on its way.
        ended = connection => {
            ended.map_err(broken)?;
            answer.await
        }
    };
    Ok(answered.map_err(broken)?.status().as_u16())
}
