//! A certificate authority of our own, and the server's certificate from it.

use super::config::{Certificate, Config};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use std::io::{Error, Result};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};

pub const SERVER_NAMES: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// The CA's certificate in a folder of its own, which goes when this is dropped.
pub struct CaFile {
    pub path: PathBuf,
    folder: PathBuf,
}

impl Drop for CaFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub fn prepare(config: &Config) -> Result<(TlsAcceptor, CaFile)> {
    let (ca, ca_key) = authority()?;
    let file = write(&ca.pem())?;

    let names = match config.certificate {
        Certificate::WrongName => vec!["elsewhere.example".to_owned()],
        _ => SERVER_NAMES.map(str::to_owned).to_vec(),
    };
    let mut params = CertificateParams::new(names).map_err(Error::other)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "evrim sandbox");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    if config.certificate == Certificate::Expired {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    }
    let key = KeyPair::generate().map_err(Error::other)?;
    let certificate = match config.certificate {
        Certificate::Untrusted => {
            let (other, other_key) = authority()?;
            params.signed_by(&key, &other, &other_key)
        }
        _ => params.signed_by(&key, &ca, &ca_key),
    }
    .map_err(Error::other)?;

    let pem = key.serialize_pem();
    let key = rustls_pemfile::private_key(&mut pem.as_bytes())?
        .ok_or_else(|| Error::other("no private key in its own PEM"))?;
    let versions: &[&rustls::SupportedProtocolVersion] = match config.tls12_only {
        true => &[&rustls::version::TLS12],
        false => rustls::ALL_VERSIONS,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .map_err(Error::other)?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(server)), file))
}

fn authority() -> Result<(rcgen::Certificate, KeyPair)> {
    let mut params = CertificateParams::new(Vec::new()).map_err(Error::other)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "evrim sandbox CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(Error::other)?;
    let certificate = params.self_signed(&key).map_err(Error::other)?;
    Ok((certificate, key))
}

fn write(pem: &str) -> Result<CaFile> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("evrim-sandbox-{}-{count}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("ca.pem");
    std::fs::write(&path, pem)?;
    Ok(CaFile { path, folder })
}
