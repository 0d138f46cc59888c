//! The TLS set-up: rustls with ring, and the system's certificate authorities.

use std::fmt;
use std::sync::Arc;

use once_cell::sync::OnceCell;
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, Der, PrivateKeyDer, TrustAnchor,
};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{AlertDescription, ClientConfig, RootCertStore};
use rustls_native_certs::{CertificateResult, ErrorKind};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{self, Error, Result, Status};
use crate::process::{PerProcess, Process};

/// What to do about a handshake that failed.
pub fn advice(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => {
                "the server needs a new one, unless this machine's clock is wrong"
            }
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "check this machine's clock, or have the server's certificate made anew"
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                "check the host in the URL: this certificate is another's"
            }
            // The second is an authority of the same name.
            Bad::UnknownIssuer | Bad::BadSignature => {
                "no authority that is trusted here has signed it: check the host in the URL, or \
                 name the authority with evrim_options_set_ca_file"
            }
            Bad::Revoked => "its authority has taken it back: the server needs a new one",
            Bad::UnknownRevocationStatus => {
                "the file of evrim_options_set_crl_file needs the list of its authority as well"
            }
            Bad::ExpiredRevocationList | Bad::ExpiredRevocationListContext { .. } => {
                "a list of evrim_options_set_crl_file is out of date: get the authority's newest"
            }
            _ => "the server needs another certificate",
        },
        rustls::Error::InvalidCertRevocationList(_) => {
            "a list of evrim_options_set_crl_file is not what its authority has signed"
        }
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::ProtocolVersion => "the server must speak TLS 1.2 or later",
            AlertDescription::HandshakeFailure => {
                "it may want a certificate of yours: evrim_options_set_client_certificate; or it \
                 speaks nothing that is safe"
            }
            AlertDescription::CertificateRequired
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied => {
                "the server wants a certificate that it knows: evrim_options_set_client_certificate"
            }
            _ => "the server broke it off",
        },
        _ => "check that the port speaks https, TLS 1.2 or later",
    }
}

/// What two clients must have in common to share connections.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Trusted besides the system's.
    pub extra_roots: Option<Certificates>,
    pub no_system_roots: bool,
    /// Without lists no certificate counts as revoked.
    pub revoked: Option<RevocationLists>,
    pub identity: Option<Identity>,
    pub tls13_only: bool,
}

/// A client's own certificate and its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity(Arc<(Certificates, Zeroizing<Vec<u8>>)>);

impl Identity {
    pub fn parse(certificate: &[u8], key: &[u8]) -> Result<Identity> {
        let refuse = |why: &str| {
            Err(Error::new(
                Status::Tls,
                format!("the client certificate can't be used: {why}"),
            ))
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let Ok(chain) = chain else {
            return refuse("its file is not valid PEM");
        };
        if chain.is_empty() {
            return refuse("its file holds no certificate");
        }
        let identity = Identity(Arc::new((
            Certificates(Arc::new(chain)),
            Zeroizing::new(key.to_vec()),
        )));
        match identity.certified_key() {
            Some(certified) if certified.keys_match().is_ok() => Ok(identity),
            Some(_) => refuse("the key is not the certificate's"),
            None => refuse("its key must be PEM, unencrypted, RSA, ECDSA or Ed25519"),
        }
    }

    fn certified_key(&self) -> Option<CertifiedKey> {
        let mut key = PrivateKeyDer::from_pem_slice(&self.0.1).ok()?;
        let signer = rustls::crypto::ring::sign::any_supported_type(&key);
        key.zeroize();
        let chain = self.0.0.0.iter().cloned().collect();
        Some(CertifiedKey::new(chain, signer.ok()?))
    }
}

#[derive(Clone, PartialEq, Eq)]
pub struct Certificates(Arc<Vec<CertificateDer<'static>>>);

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

#[derive(Clone, PartialEq, Eq)]
pub struct RevocationLists(Arc<Vec<CertificateRevocationListDer<'static>>>);

/// Reads every list of a PEM text; there must be at least one.
pub fn revocation_lists(pem: &[u8]) -> Result<RevocationLists> {
    let refuse = |why: &str| Err(Error::new(Status::Tls, format!("the CRL file {why}")));
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
    let lists = match lists {
        Ok(lists) if lists.is_empty() => {
            return refuse("holds no list: it must be PEM, with -----BEGIN X509 CRL-----");
        }
        Ok(lists) => RevocationLists(Arc::new(lists)),
        Err(why) => return refuse(&format!("is not valid PEM: {why}")),
    };
    // The lists are looked at when a verifier is made, for which there has to be any authority.
    let nobody = TrustAnchor {
        subject: Der::from_slice(&[]),
        subject_public_key_info: Der::from_slice(&[]),
        name_constraints: None,
    };
    let roots = RootCertStore {
        roots: vec![nobody],
    };
    match lists.verifier(Arc::new(roots)) {
        Ok(_) => Ok(lists),
        Err(why) => refuse(&format!("holds a list that can't be used: {why}")),
    }
}

impl RevocationLists {
    fn verifier(
        &self,
        roots: Arc<RootCertStore>,
    ) -> Result<Arc<WebPkiServerVerifier>, VerifierBuilderError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        WebPkiServerVerifier::builder_with_provider(roots, provider)
            .with_crls(self.0.iter().cloned())
            .enforce_revocation_expiration()
            .build()
    }
}

/// The trusted authorities of one set of options: read when first needed, since that is what costs.
pub struct Trust {
    options: TlsOptions,
    shared: PerProcess<Shared>,
}

#[derive(Default)]
struct Shared {
    roots: OnceCell<Arc<RootCertStore>>,
    config: OnceCell<Arc<ClientConfig>>,
}

impl Trust {
    pub fn new(options: TlsOptions) -> Trust {
        Trust {
            options,
            shared: PerProcess::new(),
        }
    }

    /// Clones share the authorities and the cache of TLS sessions.
    pub fn config(&self, process: Process) -> Result<Arc<ClientConfig>> {
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
            let roots = shared
                .roots
                .get_or_try_init(|| self.read_roots().map(Arc::new))?;
            self.make_config(roots.clone()).map(Arc::new)
        })?;
        Ok(config.clone())
    }

    fn make_config(&self, roots: Arc<RootCertStore>) -> Result<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: &[_] = if self.options.tls13_only {
            &[&rustls::version::TLS13]
        } else {
            &[&rustls::version::TLS13, &rustls::version::TLS12]
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|why| Error::new(Status::Internal, format!("TLS can't be set up: {why}")))?;
        let builder = match &self.options.revoked {
            None => builder.with_root_certificates(roots),
            Some(lists) => {
                let verifier = lists.verifier(roots).map_err(|why| {
                    Error::new(Status::Tls, format!("no certificate can be trusted: {why}"))
                })?;
                builder.with_webpki_verifier(verifier)
            }
        };
        let certified = self
            .options
            .identity
            .as_ref()
            .and_then(Identity::certified_key);
        let mut config = match certified {
            Some(key) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn read_roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        if !self.options.no_system_roots {
            // A broken certificate in the system's store is the system's affair; the others count.
            roots.add_parsable_certificates(system_roots()?);
        }
        if let Some(extra) = &self.options.extra_roots {
            roots.add_parsable_certificates(extra.0.iter().cloned());
        }
        Ok(roots)
    }
}

/// Where a system has one file with all its authorities, the folder beside it holds the same ones again,
/// a file each: reading both is half of what a program's first call costs. A place that the environment
/// names is read as it says.
#[cfg(all(unix, not(target_vendor = "apple")))]
fn system_roots() -> Result<Vec<CertificateDer<'static>>> {
    let is_named = |variable| std::env::var_os(variable).is_some();
    if !is_named("SSL_CERT_FILE") && !is_named("SSL_CERT_DIR") {
        let bundle = openssl_probe::probe().cert_file;
        let found = rustls_native_certs::load_certs_from_paths(bundle.as_deref(), None);
        if !found.certs.is_empty() {
            return all_of(found);
        }
    }
    all_of(rustls_native_certs::load_native_certs())
}

#[cfg(not(all(unix, not(target_vendor = "apple"))))]
fn system_roots() -> Result<Vec<CertificateDer<'static>>> {
    all_of(rustls_native_certs::load_native_certs())
}

/// A file that can't be read is the system's affair too, unless it is for want of something that there may
/// be again: a part of the authorities must not be kept for the whole.
fn all_of(found: CertificateResult) -> Result<Vec<CertificateDer<'static>>> {
    let wanting = found.errors.iter().find_map(|found| match &found.kind {
        ErrorKind::Io { inner, .. } if error::is_shortage(inner) => Some(inner),
        _ => None,
    });
    match wanting {
        None => Ok(found.certs),
        Some(why) => Err(Error::new(
            Status::Io,
            format!("the system's certificate authorities can't be read: {why}"),
        )),
    }
}
