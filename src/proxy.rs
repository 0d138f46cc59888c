//! The way to the server: direct, or through a proxy.

use std::fmt;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, Url};

use crate::error::{Error, Result, Status};
use crate::secret::Secret;

#[derive(Clone, Default, PartialEq, Eq)]
pub enum Proxy {
    /// What HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say, in capitals or not.
    #[default]
    Environment,
    Direct,
    /// May hold a user name and a password.
    Url(Secret),
}

impl Proxy {
    pub fn parse(text: &str) -> Result<Proxy> {
        let refuse = |why: &str| {
            Err(Error::new(
                Status::InvalidUrl,
                format!("the proxy's URL is not valid: {why}"),
            ))
        };
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(why) => return refuse(&why.to_string()),
        };
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return refuse("it must be like http://host:port or https://host:port");
        }
        Ok(Proxy::Url(Secret::new(text)))
    }

    /// The environment's proxy is for other machines: what goes to this one stays here, above all
    /// plain http.
    pub fn for_server(&self, server: &Url, is_loopback: bool) -> Proxy {
        let is_named = || {
            let server = Uri::try_from(server.as_str());
            server.is_ok_and(|server| Matcher::from_env().intercept(&server).is_some())
        };
        match self {
            Proxy::Environment if is_loopback || !is_named() => Proxy::Direct,
            other => other.clone(),
        }
    }

    pub fn apply(&self, builder: ClientBuilder) -> Result<ClientBuilder> {
        match self {
            Proxy::Environment => Ok(builder),
            Proxy::Direct => Ok(builder.no_proxy()),
            Proxy::Url(url) => match reqwest::Proxy::all(url.expose()) {
                Ok(proxy) => Ok(builder.no_proxy().proxy(proxy)),
                Err(_) => Err(Error::new(
                    Status::InvalidUrl,
                    "the proxy's URL can't be used",
                )),
            },
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Proxy::Environment => "Environment",
            Proxy::Direct => "Direct",
            Proxy::Url(_) => "Url(…)",
        })
    }
}
