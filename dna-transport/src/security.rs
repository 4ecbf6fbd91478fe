//! What keeps strangers out.

use std::fmt;

use crate::{Socket, handshake::HandshakeError, limits::SECRET_BYTES_MIN};

/// A secret that all nodes of a cluster have and nobody else. It is never sent, and `Debug` does not show it.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// A secret that is too short to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a shared secret of {bytes} bytes: take at least {SECRET_BYTES_MIN}, from a random source")]
pub struct SecretTooShort {
    /// How long it is.
    pub bytes: usize,
}

impl Secret {
    /// From its bytes. Who can guess it is a member: take 32 random bytes, not a password.
    ///
    /// # Errors
    /// If it is shorter than [`SECRET_BYTES_MIN`].
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, SecretTooShort> {
        let bytes = bytes.into();
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(SecretTooShort { bytes: bytes.len() });
        }
        Ok(Secret(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Secret> for Security {
    fn from(secret: Secret) -> Self {
        Security::secret(secret)
    }
}

#[cfg(feature = "tls")]
impl From<crate::Tls> for Security {
    fn from(tls: crate::Tls) -> Self {
        Security::tls(tls)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What keeps strangers out: a shared secret, mutual TLS, both, or nothing. A node with nothing listens on loopback only.
///
/// The secret proves at the start of a connection, to both sides, that the other one knows it. It neither hides nor
/// protects what follows: who can read or change packets between the nodes is kept out by TLS alone.
#[derive(Debug, Clone, Default)]
pub struct Security {
    pub(crate) secret: Option<Secret>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::Tls>,
}

impl Security {
    /// Nothing. For loopback.
    pub fn none() -> Self {
        Security::default()
    }

    /// A shared secret.
    pub fn secret(secret: Secret) -> Self {
        Security {
            secret: Some(secret),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Mutual TLS.
    #[cfg(feature = "tls")]
    pub fn tls(tls: crate::Tls) -> Self {
        Security { tls: Some(tls), ..Security::default() }
    }

    /// Mutual TLS beside what is there.
    #[cfg(feature = "tls")]
    pub fn with_tls(self, tls: crate::Tls) -> Self {
        Security { tls: Some(tls), ..self }
    }

    /// Whether there is nothing.
    pub fn is_none(&self) -> bool {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return false;
        }
        self.secret.is_none()
    }

    /// The socket of a connection that this node has made, inside of TLS if there is TLS.
    pub(crate) async fn wrap_dialed(&self, socket: Box<dyn Socket>) -> Result<Box<dyn Socket>, HandshakeError> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.connect(socket).await;
        }
        Ok(socket)
    }

    /// The socket of a connection that this node has accepted, inside of TLS if there is TLS.
    pub(crate) async fn wrap_accepted(&self, socket: Box<dyn Socket>) -> Result<Box<dyn Socket>, HandshakeError> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.accept(socket).await;
        }
        Ok(socket)
    }

    /// What a failure behind TLS means: a certificate of the dialer is refused only when the dialer takes TLS to stand.
    pub(crate) fn explain(&self, error: HandshakeError) -> HandshakeError {
        match error {
            #[cfg(feature = "tls")]
            HandshakeError::Io(error) if self.tls.is_some() => crate::tls::refusal(error),
            error => error,
        }
    }
}
