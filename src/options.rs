//! What a caller can choose. Each setter checks its value; what is stored is good.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Result, Status};
use crate::tls::{self, TlsOptions};

pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
pub const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);
pub const TIMEOUT: Duration = Duration::from_secs(60);
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(120);
pub const RETRIES: u32 = 2;
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
        let pem = std::fs::read(path).map_err(|why| {
            Error::new(
                Status::Io,
                format!("the CA file {} can't be read: {why}", path.display()),
            )
        })?;
        self.tls.extra_roots = Some(tls::certificates(&pem)?);
        Ok(())
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

fn not_zero(timeout: Duration) -> Result<Duration> {
    if timeout.is_zero() {
        return Err(Error::invalid_argument(
            "a timeout of zero would end every call at once: give at least 1 ms",
        ));
    }
    Ok(timeout)
}
