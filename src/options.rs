//! What a caller can choose. Each setter checks its value; what is stored is good.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use crate::callback::{Level, LogCallback, TokenCallback};
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Result, Status};
use crate::header;
use crate::proxy::Proxy;
use crate::tls::{self, Identity, TlsOptions};

pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
pub const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);
pub const TIMEOUT: Duration = Duration::from_secs(60);
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(120);
pub const RETRIES: u32 = 2;
pub const MOST_RETRIES: u32 = 10;
pub const MAX_BODY: u64 = 64 << 20;
pub const MAX_TOKEN_BODY: u64 = 1 << 20;

const PRODUCT: &str = concat!("libevrim/", env!("CARGO_PKG_VERSION"));

#[derive(Clone)]
pub struct Options {
    pub(crate) connect_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(crate) total_timeout: Duration,
    pub(crate) tls: TlsOptions,
    pub(crate) allow_insecure_http: bool,
    pub(crate) validate_on_start: bool,
    pub(crate) auto_renew: bool,
    pub(crate) user_agent: HeaderValue,
    pub(crate) headers: HeaderMap,
    pub(crate) proxy: Proxy,
    pub(crate) retries: u32,
    pub(crate) max_body: u64,
    pub(crate) log: Option<(Level, LogCallback)>,
    pub(crate) on_tokens: Option<TokenCallback>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            connect_timeout: CONNECT_TIMEOUT,
            timeout: TIMEOUT,
            total_timeout: TOTAL_TIMEOUT,
            tls: TlsOptions::default(),
            allow_insecure_http: false,
            validate_on_start: true,
            auto_renew: true,
            user_agent: HeaderValue::from_static(PRODUCT),
            headers: HeaderMap::new(),
            proxy: Proxy::default(),
            retries: RETRIES,
            max_body: MAX_BODY,
            log: None,
            on_tokens: None,
            clock: Arc::new(SystemClock),
        }
    }
}

impl Options {
    /// The longest time for setting up a connection, name and TLS included.
    pub fn set_connect_timeout(&mut self, timeout: Duration) -> Result<()> {
        self.connect_timeout = not_zero(timeout)?;
        Ok(())
    }

    /// The longest time for one attempt. A token call takes at most 30 seconds of it.
    pub fn set_timeout(&mut self, timeout: Duration) -> Result<()> {
        self.timeout = not_zero(timeout)?;
        Ok(())
    }

    /// The longest time for one call in all, waiting and retries included.
    pub fn set_total_timeout(&mut self, timeout: Duration) -> Result<()> {
        self.total_timeout = not_zero(timeout)?;
        Ok(())
    }

    /// Adds the certificates of a PEM file to those that are trusted.
    pub fn set_ca_file(&mut self, path: &Path) -> Result<()> {
        let pem = read(path, "CA file")?;
        self.set_ca_pem(&pem)
    }

    /// The same from memory.
    pub fn set_ca_pem(&mut self, pem: &[u8]) -> Result<()> {
        self.tls.extra_roots = Some(tls::certificates(pem)?);
        Ok(())
    }

    /// Whether the system's certificate authorities are trusted.
    pub fn set_system_ca(&mut self, trust: bool) {
        self.tls.no_system_roots = !trust;
    }

    /// Refuses certificates that the lists in a PEM file say were revoked, and those of whose authority it
    /// holds no list.
    pub fn set_crl_file(&mut self, path: &Path) -> Result<()> {
        let pem = read(path, "CRL file")?;
        self.tls.revoked = Some(tls::revocation_lists(&pem)?);
        Ok(())
    }

    /// Shows a certificate to servers that ask for one.
    pub fn set_client_certificate(&mut self, certificate: &Path, key: &Path) -> Result<()> {
        let certificate = Zeroizing::new(read(certificate, "client certificate")?);
        let key = Zeroizing::new(read(key, "client key")?);
        self.tls.identity = Some(Identity::parse(&certificate, &key)?);
        Ok(())
    }

    /// Refuses TLS 1.2.
    pub fn set_tls13_only(&mut self, only: bool) {
        self.tls.tls13_only = only;
    }

    /// A proxy for all requests; `None` for none. By default the environment decides.
    pub fn set_proxy(&mut self, url: Option<&str>) -> Result<()> {
        self.proxy = match url {
            Some(url) => Proxy::parse(url)?,
            None => Proxy::Direct,
        };
        Ok(())
    }

    /// How often a request is tried again, where that is safe.
    pub fn set_retries(&mut self, retries: u32) -> Result<()> {
        if retries > MOST_RETRIES {
            return Err(Error::invalid_argument(format!(
                "{retries} retries are too many: at most {MOST_RETRIES}"
            )));
        }
        self.retries = retries;
        Ok(())
    }

    /// The largest body of an answer, in bytes, unpacked.
    pub fn set_max_body(&mut self, bytes: u64) -> Result<()> {
        if bytes == 0 {
            return Err(Error::invalid_argument(
                "a limit of zero would refuse every answer",
            ));
        }
        self.max_body = bytes;
        Ok(())
    }

    /// A header for every request; `None` takes it out again.
    pub fn set_header(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        header::set(&mut self.headers, name, value)
    }

    /// Told what happens, up to this level.
    pub fn set_log(&mut self, log: Option<(Level, LogCallback)>) {
        self.log = log;
    }

    /// Told whenever the tokens were replaced.
    pub fn set_on_tokens(&mut self, callback: Option<TokenCallback>) {
        self.on_tokens = callback;
    }

    /// A clone with options of its own still tells whom the first handle told, unless they say otherwise.
    pub(crate) fn or_callbacks_of(mut self, other: &Options) -> Options {
        self.log = self.log.or_else(|| other.log.clone());
        self.on_tokens = self.on_tokens.or_else(|| other.on_tokens.clone());
        self
    }

    pub fn set_allow_insecure_http(&mut self, allow: bool) {
        self.allow_insecure_http = allow;
    }

    pub fn set_validate_on_start(&mut self, validate: bool) {
        self.validate_on_start = validate;
    }

    pub fn set_auto_renew(&mut self, renew: bool) {
        self.auto_renew = renew;
    }

    /// The program's own name and version, put before the library's.
    pub fn set_user_agent(&mut self, name: &str) -> Result<()> {
        let is_plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        if name.trim().is_empty() || !name.bytes().all(is_plain) {
            return Err(Error::invalid_argument(
                "the user agent must be printable ASCII, such as \"my-program/1.0\"",
            ));
        }
        self.user_agent = HeaderValue::from_str(&format!("{} {PRODUCT}", name.trim()))
            .map_err(|_| Error::invalid_argument("the user agent does not fit into a header"))?;
        Ok(())
    }

    /// For tests: deadlines of tokens are kept on this clock.
    #[doc(hidden)]
    pub fn set_clock(&mut self, clock: Arc<dyn Clock>) {
        self.clock = clock;
    }

    pub(crate) fn token_timeout(&self) -> Duration {
        self.timeout.min(TOKEN_TIMEOUT)
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience {
            connect: self.connect_timeout,
            answer: self.token_timeout(),
        }
    }
}

/// How long a client waits for an answer to a token call.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    connect: Duration,
    answer: Duration,
}

impl Patience {
    /// Whether `other` would have given up no later.
    pub fn covers(self, other: Patience) -> bool {
        other.connect <= self.connect && other.answer <= self.answer
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("total_timeout", &self.total_timeout)
            .finish_non_exhaustive()
    }
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|why| {
        Error::new(
            Status::Io,
            format!("the {what} {} can't be read: {why}", path.display()),
        )
    })
}

fn not_zero(timeout: Duration) -> Result<Duration> {
    if timeout.is_zero() {
        return Err(Error::invalid_argument(
            "a timeout of zero would end every call at once: give at least 1 ms",
        ));
    }
    Ok(timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let options = Options::default();
        assert_eq!(options.connect_timeout, seconds(5));
        assert_eq!(options.token_timeout(), seconds(30));
        assert_eq!(options.timeout, seconds(60));
        assert_eq!(options.total_timeout, seconds(120));
        assert_eq!(options.retries, 2);
        assert_eq!(options.max_body, 64 * 1024 * 1024);
        assert_eq!(MAX_TOKEN_BODY, 1024 * 1024);
        assert!(options.validate_on_start);
        assert!(options.auto_renew);
        assert!(!options.allow_insecure_http);
        assert!(!options.tls.no_system_roots && !options.tls.tls13_only);
    }

    #[test]
    fn a_token_call_has_half_a_minute_or_the_time_of_an_attempt_if_that_is_shorter() {
        let mut options = Options::default();
        for (timeout, of_token_calls) in [(1, 1), (29, 29), (31, 30), (3600, 30)] {
            options
                .set_timeout(seconds(timeout))
                .expect("a good timeout");
            assert_eq!(options.token_timeout(), seconds(of_token_calls));
            assert_eq!(options.patience().answer, seconds(of_token_calls));
        }
    }
}
