//! TLS on the API's listener: the node's own certificate, and clients known by theirs.

use anyhow::{Context, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tenor_wire::hexadecimal::hex;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Whose certificate a connection was opened with: its SHA-256 fingerprint, 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer(pub String);

/// Speaks TLS with whoever connects.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

/// The certificates of a file.
///
/// # Errors
/// When it cannot be read, or holds none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let reading = || format!("reading certificates from {}", path.display());
    let found = CertificateDer::pem_file_iter(path).with_context(reading)?;
    let found = found.collect::<Result<Vec<_>, _>>().with_context(reading)?;
    if found.is_empty() {
        anyhow::bail!("{} has no certificate", path.display());
    }
    Ok(found)
}

/// The fingerprint of a certificate.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> Peer {
    Peer(hex(&Sha256::digest(certificate.as_ref())))
}

impl Tls {
    /// TLS with a certificate and its key. Clients may show a certificate that was signed under one of a file, where
    /// one is named, and need not.
    ///
    /// # Errors
    /// When a file cannot be read, or certificate and key do not belong together.
    pub fn server(certificate: &Path, key: &Path, clients: Option<&Path>) -> Result<Tls> {
        let chain = certificates(certificate)?;
        let reading = || format!("reading a key from {}", key.display());
        let key = PrivateKeyDer::from_pem_file(key).with_context(reading)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(path)? {
                    roots.add(root).with_context(|| format!("a certificate in {}", path.display()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .allow_unauthenticated()
                    .build()?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls(TlsAcceptor::from(Arc::new(config))))
    }

    /// Begins TLS on a connection within a time; none when the other side does not, or shows what is not accepted.
    pub async fn accept(
        &self,
        stream: TcpStream,
        within: Duration,
    ) -> Option<(TlsStream<TcpStream>, Option<Peer>)> {
        let stream = tokio::time::timeout(within, self.0.accept(stream)).await.ok()?.ok()?;
        let shown = stream.get_ref().1.peer_certificates();
        let peer = shown.and_then(|chain| chain.first()).map(fingerprint);
        Some((stream, peer))
    }
}
