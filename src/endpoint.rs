//! The base URL of the service: which are refused, and how paths are put on it.

use reqwest::Url;

use crate::error::{Error, Result, Status};

#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The caller's URL without a final slash.
    base: Url,
    pub token: Url,
    pub refresh: Url,
    pub verify: Url,
}

impl Endpoint {
    pub fn parse(text: &str, allow_insecure_http: bool) -> Result<Endpoint> {
        let mut base = parse_base(text)?;
        // The parser would drop these silently; a pasted line break must not pass unnoticed.
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(invalid(text, "it holds a control character"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(Error::new(
                Status::InvalidUrl,
                "the URL holds a user name or password before '@': pass them as arguments instead",
            ));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(invalid(text, "a base URL has no '?' or '#'"));
        }
        check_scheme(&base, allow_insecure_http)?;
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        Ok(Endpoint {
            token: append(&base, "token/")?,
            refresh: append(&base, "token/refresh/")?,
            verify: append(&base, "token/verify/")?,
            base,
        })
    }

    /// Whether other options still allow this URL.
    pub fn check(&self, allow_insecure_http: bool) -> Result<()> {
        check_scheme(&self.base, allow_insecure_http)
    }

    /// Scheme, host and port alone.
    pub fn server(&self) -> Url {
        let mut server = self.base.clone();
        server.set_path("/");
        server
    }

    /// Whether the service is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.base)
    }

    /// The URL of a path below the base URL, such as `reports/7/` or `/runs/?page=2`.
    pub fn join(&self, path: &str) -> Result<Url> {
        if path.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(Error::invalid_argument(
                "path holds a control character: percent-encode it",
            ));
        }
        if path.contains('#') {
            return Err(Error::invalid_argument(
                "path holds a '#': percent-encode it as %23",
            ));
        }
        if path.contains(':') && Url::parse(path).is_ok_and(|url| url.has_host()) {
            return Err(Error::invalid_argument(
                "path is a whole URL: give only what follows the base URL, such as \"reports/\"",
            ));
        }
        let below = self.base.path().trim_end_matches('/');
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        // Not parsed as a whole: the host stays as it is, and looking at it is what takes time.
        let mut url = self.base.clone();
        url.set_path(&format!("{below}/{}", path.trim_start_matches('/')));
        url.set_query(query);
        if !url
            .path()
            .strip_prefix(below)
            .is_some_and(|rest| rest.starts_with('/'))
        {
            return Err(Error::invalid_argument(
                "path leads out of the base URL: it may not climb with \"..\"",
            ));
        }
        Ok(url)
    }

    /// A whole URL that the server named, if it leads to the same server.
    pub fn follow(&self, text: &str) -> Result<Url> {
        let mut url = Url::parse(text).map_err(|why| {
            Error::new(
                Status::Protocol,
                format!("the server named a next page whose URL is not valid: {why}"),
            )
        })?;
        let is_plain = url.username().is_empty() && url.password().is_none();
        if url.origin() != self.base.origin() || !is_plain {
            return Err(Error::new(
                Status::Redirect,
                format!(
                    "the next page is on another server, {}: the token is not sent there",
                    display(&url)
                ),
            ));
        }
        url.set_fragment(None);
        Ok(url)
    }
}

fn check_scheme(base: &Url, allow_insecure_http: bool) -> Result<()> {
    if base.scheme() != "http" || allow_insecure_http || is_loopback(base) {
        return Ok(());
    }
    Err(Error::new(
        Status::InsecureUrl,
        format!(
            "plain http to {} would show the password and the tokens to the network: use https, or \
             allow it with evrim_options_set_allow_insecure_http",
            base.host_str().unwrap_or_default()
        ),
    ))
}

fn append(base: &Url, path: &str) -> Result<Url> {
    let base_text = base.as_str().trim_end_matches('/');
    Url::parse(&format!("{base_text}/{path}"))
        .map_err(|why| Error::invalid_argument(format!("path does not make a URL: {why}")))
}

fn parse_base(text: &str) -> Result<Url> {
    if text.is_empty() {
        return Err(Error::new(
            Status::InvalidUrl,
            "the URL is empty: give the service's base URL, such as https://api.example.com/prod",
        ));
    }
    let url = Url::parse(text).map_err(|why| invalid(text, &why.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid(text, "it must begin with https:// (or http://)"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(invalid(text, "it has no host"));
    }
    Ok(url)
}

/// Says what is wrong with a URL; quotes it only where no password can be in it.
fn invalid(text: &str, why: &str) -> Error {
    let message = if text.contains('@') {
        format!("the URL is not valid: {why}")
    } else {
        format!("the URL \"{}\" is not valid: {why}", text.escape_debug())
    };
    Error::new(Status::InvalidUrl, message)
}

fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    if host == "localhost" {
        return true;
    }
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.to_canonical().is_loopback())
}

/// A URL as it may stand in a message: without its query, user name and password, which are private.
pub fn display(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // A redirect may name any URL; failing means that there is nothing of the kind in it.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> Option<Status> {
        Endpoint::parse(url, false)
            .err()
            .map(|error| error.status())
    }

    #[test]
    fn paths_are_appended_to_the_base_url() {
        for base in [
            "https://api.example.com/prod",
            "https://api.example.com/prod/",
        ] {
            let endpoint = Endpoint::parse(base, false).expect("a good URL");
            assert_eq!(
                endpoint.refresh.as_str(),
                "https://api.example.com/prod/token/refresh/"
            );
            for path in ["reports/", "/reports/"] {
                let url = endpoint.join(path).expect("a good path");
                assert_eq!(url.as_str(), "https://api.example.com/prod/reports/");
            }
            let url = endpoint
                .join("a b/é/?q=ü&next=https://x/")
                .expect("a good path");
            assert_eq!(
                url.as_str(),
                "https://api.example.com/prod/a%20b/%C3%A9/?q=%C3%BC&next=https://x/"
            );
        }
        let root = Endpoint::parse("https://api.example.com", false).expect("a good URL");
        assert_eq!(root.token.as_str(), "https://api.example.com/token/");
    }

    #[test]
    fn a_path_stays_below_the_base_url() {
        let endpoint = Endpoint::parse("https://api.example.com/prod", false).expect("good");
        for path in [
            "../admin/",
            "/a/../../admin/",
            "%2e%2e/admin/",
            "..",
            "\\..\\..\\admin",
            "https://evil.example/",
            "a#b",
            "a\r\nb",
        ] {
            let error = endpoint.join(path).expect_err(path);
            assert_eq!(error.status(), Status::InvalidArgument, "{path}");
        }
        assert!(
            endpoint
                .join("//evil.example/x")
                .is_ok_and(|url| { url.as_str() == "https://api.example.com/prod/evil.example/x" })
        );
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for url in [
            "http://localhost:8000/prod",
            "http://LOCALHOST",
            "http://127.0.0.1:8000",
            "http://127.1",
            "http://[::1]:8000/",
            "http://[::ffff:127.0.0.1]/",
        ] {
            assert_eq!(refused(url), None, "{url}");
        }
        for url in [
            "http://example.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://[::2]",
        ] {
            assert_eq!(refused(url), Some(Status::InsecureUrl), "{url}");
            assert!(Endpoint::parse(url, true).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_bad_url_is_refused() {
        for url in [
            "",
            "api.example.com",
            "/prod",
            "ftp://example.com",
            "https://",
            "https://user:secret@example.com",
            "https://example.com/?a=b",
            "https://example.com/#top",
            "https://exa\nmple.com/",
            "https://example.com:99999/",
        ] {
            assert_eq!(refused(url), Some(Status::InvalidUrl), "{url}");
        }
        let error = Endpoint::parse("https://user:secret@exa mple.com", false).expect_err("bad");
        assert!(!error.message().contains("secret"));
    }
}
