//! TLS for the server, with a certificate from an authority of its own that is this process's only one.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

/// How the first record of a client begins.
const HANDSHAKE: u8 = 22;

/// Names the authority in the environment: for the start of the process, before there is another thread.
pub fn prepare() -> Arc<ServerConfig> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&authority_key).expect("an authority");
    let file = std::env::temp_dir().join(format!("evrim-fuzz-ca-{}", std::process::id()));
    std::fs::write(&file, authority.pem()).expect("a file");
    // SAFETY: the caller's promise.
    unsafe { std::env::set_var("SSL_CERT_FILE", file) };

    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &authority, &authority_key);
    let certificate = certificate.expect("a certificate").der().clone();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    Arc::new(config.expect("a certificate and its key"))
}

/// Writes without `writev`, which would raise SIGPIPE: here it is not ignored, so that the library raising it
/// would be noticed.
pub struct Socket(TcpStream);

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A connection from a client, which speaks TLS or doesn't.
pub enum Line {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, Socket>>),
}

impl Line {
    /// None if nothing comes on it.
    pub fn accept(stream: TcpStream, config: &Arc<ServerConfig>) -> Option<Line> {
        let mut first = [0];
        if stream.peek(&mut first).ok()? == 0 {
            return None;
        }
        if first[0] != HANDSHAKE {
            return Some(Line::Plain(stream));
        }
        let session = ServerConnection::new(config.clone()).ok()?;
        Some(Line::Tls(Box::new(StreamOwned::new(
            session,
            Socket(stream),
        ))))
    }

    /// What is below TLS.
    pub fn socket(&mut self) -> &mut TcpStream {
        match self {
            Line::Plain(stream) => stream,
            Line::Tls(stream) => &mut stream.sock.0,
        }
    }

    /// Its end, which TLS announces.
    pub fn close(mut self) {
        if let Line::Tls(stream) = &mut self {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        self.cut();
    }

    pub fn cut(mut self) {
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    pub fn reset(mut self) {
        let _ = SockRef::from(&*self.socket()).set_linger(Some(Duration::ZERO));
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Line::Plain(stream) => stream.read(buffer),
            Line::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Line::Plain(stream) => stream.write(bytes),
            Line::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Line::Plain(stream) => stream.flush(),
            Line::Tls(stream) => stream.flush(),
        }
    }
}
