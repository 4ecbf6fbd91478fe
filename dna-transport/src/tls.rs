//! Mutual TLS 1.3 by rustls with ring. What it proves can be replaced at any time.

use std::{fmt, io, sync::Arc};

use parking_lot::Mutex;
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        self, ClientConfig, RootCertStore, ServerConfig,
        client::Resumption,
        crypto::{CryptoProvider, ring},
        pki_types::{
            CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName,
            pem::{self, PemObject},
        },
        server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier},
    },
};

use crate::{
    Socket,
    handshake::{HandshakeError, Refusal, TlsFailure},
};

/// What one node proves itself with, and whom it believes.
#[derive(Debug)]
pub struct TlsMaterial {
    /// The certificate of this node, which must be valid for clients and for servers, and those between it and the root.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
    /// The roots that the certificates of peers must come from. While they are being replaced: the old and the new ones.
    pub roots: Vec<CertificateDer<'static>>,
}

impl TlsMaterial {
    /// From what stands in PEM files: the certificate of this node with those between it and the root, its private key
    /// (PKCS #8, PKCS #1 or SEC 1), and the roots.
    ///
    /// # Errors
    /// [`TlsError::Pem`] says which of the three cannot be read, or has nothing in it.
    pub fn from_pem(chain: &[u8], key: &[u8], roots: &[u8]) -> Result<Self, TlsError> {
        Ok(TlsMaterial {
            chain: certificates("certificate chain", chain)?,
            key: PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Pem { what: "private key", error })?,
            roots: certificates("roots", roots)?,
        })
    }
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(none) if none.is_empty() => Err(TlsError::Pem { what, error: pem::Error::NoItemsFound }),
        found => found.map_err(|error| TlsError::Pem { what, error }),
    }
}

/// Why material cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The server name is none.
    #[error("`{name}` is no DNS name: {error}; take the one that is in the certificates of all nodes")]
    ServerName {
        /// The name.
        name: String,
        /// What is wrong.
        error: InvalidDnsNameError,
    },
    /// What should be PEM is none, or has nothing of that kind in it.
    #[error(
        "the {what} cannot be read: {error}; it is to be in PEM, between `-----BEGIN …-----` and `-----END …-----`"
    )]
    Pem {
        /// Which of the three.
        what: &'static str,
        /// What is wrong.
        error: pem::Error,
    },
    /// rustls does not take it: a key that is not that of the certificate, a root that is no certificate, and the like.
    #[error("the certificates cannot be used: {0}")]
    Material(#[from] rustls::Error),
    /// There is no root that peers could be checked with.
    #[error("peers cannot be checked with these roots: {0}")]
    Roots(#[from] VerifierBuilderError),
}

/// Mutual TLS: each side shows a certificate that the other one's roots vouch for. Clones share what is replaced.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    server_name: ServerName<'static>,
    current: Mutex<Current>,
}

#[derive(Clone)]
struct Current {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl Tls {
    /// With the DNS name that the certificates of all nodes carry, and this node's material.
    ///
    /// # Errors
    /// If the name or the material cannot be used.
    pub fn new(server_name: &str, material: TlsMaterial) -> Result<Self, TlsError> {
        let invalid = |error| TlsError::ServerName { name: server_name.to_owned(), error };
        let server_name = ServerName::try_from(server_name.to_owned()).map_err(invalid)?;
        let current = Mutex::new(Current::new(material)?);
        Ok(Tls(Arc::new(Inner { server_name, current })))
    }

    /// Uses this material for every connection from here on. Those that stand are not touched.
    ///
    /// # Errors
    /// If it cannot be used; then the old one stays.
    pub fn replace(&self, material: TlsMaterial) -> Result<(), TlsError> {
        let current = Current::new(material)?;
        *self.0.current.lock() = current;
        Ok(())
    }

    pub(crate) async fn connect(&self, socket: Box<dyn Socket>) -> Result<Box<dyn Socket>, HandshakeError> {
        let connector = self.0.current.lock().connector.clone();
        let socket = connector.connect(self.0.server_name.clone(), socket).await.map_err(refusal)?;
        Ok(Box::new(socket))
    }

    pub(crate) async fn accept(&self, socket: Box<dyn Socket>) -> Result<Box<dyn Socket>, HandshakeError> {
        let acceptor = self.0.current.lock().acceptor.clone();
        let socket = acceptor.accept(socket).await.map_err(refusal)?;
        Ok(Box::new(socket))
    }
}

impl Current {
    fn new(material: TlsMaterial) -> Result<Self, TlsError> {
        let TlsMaterial { chain, key, roots: certificates } = material;
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate)?;
        }
        let roots = Arc::new(roots);
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider)).build()?;
        let versions = &[&rustls::version::TLS13];
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())?;
        // A resumed session would go on with certificates that have been replaced.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        client.resumption = Resumption::disabled();
        Ok(Current { acceptor: Arc::new(server).into(), connector: Arc::new(client).into() })
    }
}

/// A failure of TLS as a refusal; one of the socket stays one.
pub(crate) fn refusal(error: io::Error) -> HandshakeError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let failure = match tls {
        None => return HandshakeError::Io(error),
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            TlsFailure::CertificateRefusedHere
        }
        Some(rustls::Error::AlertReceived(_)) => return HandshakeError::There(Refusal::Tls(TlsFailure::RefusedThere)),
        Some(_) => TlsFailure::Protocol,
    };
    HandshakeError::Here(Refusal::Tls(failure))
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.0.server_name).finish_non_exhaustive()
    }
}
