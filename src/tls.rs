//! The TLS set-up: rustls with ring, and the system's certificate authorities.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use once_cell::sync::OnceCell;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, Result, Status};
use crate::process::{PerProcess, Process};

/// What two clients must have in common to share connections.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct TlsOptions {
    /// Trusted besides the system's.
    pub extra_roots: Option<Certificates>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Certificates(Arc<Vec<CertificateDer<'static>>>);

impl Hash for Certificates {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for certificate in self.0.iter() {
            certificate.as_ref().hash(state);
        }
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificates({})", self.0.len())
    }
}

/// Reads every certificate of a PEM text; there must be at least one.
pub fn certificates(pem: &[u8]) -> Result<Certificates> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|why| Error::new(Status::Tls, format!("the CA file is not valid PEM: {why}")))?;
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|why| {
            Error::new(
                Status::Tls,
                format!("the CA file holds a certificate that can't be used: {why}"),
            )
        })?;
    }
    if roots.is_empty() {
        return Err(Error::new(
            Status::Tls,
            "the CA file holds no certificate: it must be PEM, with -----BEGIN CERTIFICATE-----",
        ));
    }
    Ok(Certificates(Arc::new(certificates)))
}

/// The trusted authorities of one set of options: read when first needed, since that is what costs.
pub struct Trust {
    options: TlsOptions,
    shared: PerProcess<Shared>,
}

#[derive(Default)]
struct Shared {
    roots: OnceCell<Arc<RootCertStore>>,
    config: OnceCell<ClientConfig>,
}

impl Trust {
    pub fn new(options: TlsOptions) -> Trust {
        Trust {
            options,
            shared: PerProcess::new(),
        }
    }

    /// Clones share the authorities and the cache of TLS sessions.
    pub fn config(&self, process: Process) -> Result<ClientConfig> {
        let shared = self.shared.get(process, |parent| {
            let inherited = parent.and_then(|parent| parent.roots.get());
            Shared {
                roots: inherited
                    .cloned()
                    .map(OnceCell::with_value)
                    .unwrap_or_default(),
                config: OnceCell::new(),
            }
        });
        let config = shared.config.get_or_try_init(|| {
            let roots = shared.roots.get_or_init(|| Arc::new(self.read_roots()));
            self.make_config(roots.clone())
        })?;
        Ok(config.clone())
    }

    fn make_config(&self, roots: Arc<RootCertStore>) -> Result<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| Error::new(Status::Internal, format!("TLS can't be set up: {why}")))?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }

    fn read_roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        // A broken certificate in the system's store is the system's affair; the others count.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(extra) = &self.options.extra_roots {
            roots.add_parsable_certificates(extra.0.iter().cloned());
        }
        roots
    }
}
