//! What a sandbox is to be like.

use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Config {
    /// 0 is any free one.
    pub port: u16,
    pub tls: bool,
    /// What the server shows with TLS.
    pub certificate: Certificate,
    /// TLS 1.2 and nothing newer.
    pub tls12_only: bool,
    pub access_lifetime: Duration,
    pub refresh_lifetime: Duration,
    /// `exp` and `iat` with decimals. Otherwise they are whole seconds, and `exp` is rounded up.
    pub fractional_claims: bool,
    /// A refresh gives a new refresh token too and blacklists the old one.
    pub rotate: bool,
    /// How long a rotation takes between looking at the blacklist and writing to it: more than one may pass.
    pub rotation_gap: Duration,
    /// Closes a connection that has been idle for so long.
    pub keep_alive: Option<Duration>,
    /// The later generation: no token endpoints, and only the static API token is good.
    pub opaque_only: bool,
    /// So many token calls a minute, all three in one bucket.
    pub throttle: Option<u32>,
    /// How long a submitted research stays pending.
    pub pending: Duration,
    /// One line a request on stderr.
    pub log: bool,
    /// Signs the tokens. The same one after a restart makes the old tokens good again.
    pub key: Vec<u8>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            port: 0,
            tls: false,
            certificate: Certificate::Good,
            tls12_only: false,
            access_lifetime: Duration::from_secs(300),
            refresh_lifetime: Duration::from_secs(24 * 60 * 60),
            fractional_claims: false,
            rotate: false,
            rotation_gap: Duration::ZERO,
            keep_alive: None,
            opaque_only: false,
            throttle: None,
            pending: Duration::from_secs(2),
            log: false,
            key: b"the sandbox signs its tokens with this".to_vec(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// For 127.0.0.1, ::1 and localhost, from the CA of the CA file.
    Good,
    /// Ran out years ago.
    Expired,
    /// For another host.
    WrongName,
    /// From nobody; the CA file does not vouch for it.
    Untrusted,
}
