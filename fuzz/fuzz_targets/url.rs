//! Base URLs and the paths below them: what is accepted is https or this machine, holds no secret, and
//! is not left. The first line is the URL; the second a path; the third what the server calls the next page.
#![no_main]

use std::net::IpAddr;

use evrim::fuzzing::{Endpoint, display};
use libfuzzer_sys::fuzz_target;
use reqwest::Url;

fuzz_target!(|input: &str| {
    let mut lines = input.splitn(3, '\n');
    let base = lines.next().unwrap_or_default();
    let path = lines.next().unwrap_or_default();
    let next = lines.next().unwrap_or_default();

    let refused = match Endpoint::parse(base, false) {
        Ok(endpoint) => {
            check(&endpoint, base, false);
            use_it(&endpoint, path, next);
            None
        }
        Err(error) => Some(error),
    };
    if let Some(error) = &refused {
        assert!(!error.message().is_empty() && !error.message().contains('\n'));
        // What stands before '@' is a secret: what holds one is not quoted.
        let said = error.message().replace("before '@'", "");
        assert!(!said.contains('@'), "{said}");
    }
    // What is allowed besides is allowed in one way only.
    if let Ok(endpoint) = Endpoint::parse(base, true) {
        check(&endpoint, base, true);
        assert_eq!(endpoint.check(false).is_err(), refused.is_some());
        use_it(&endpoint, path, next);
    } else {
        assert!(refused.is_some());
    }
});

fn check(endpoint: &Endpoint, base: &str, allow: bool) {
    let url = &endpoint.token;
    assert!(url.path().ends_with("/token/"), "{url}");
    assert!(url.username().is_empty() && url.password().is_none());
    assert!(url.query().is_none() && url.fragment().is_none());
    assert!(!base.bytes().any(|byte| byte.is_ascii_control()));
    let host = url.host_str().expect("a host");
    match url.scheme() {
        "https" => {}
        "http" => assert!(allow || is_here(host), "{base} is neither https nor here"),
        other => panic!("{other}"),
    }
}

fn is_here(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

fn use_it(endpoint: &Endpoint, path: &str, next: &str) {
    let token = &endpoint.token;
    let base = token.path().strip_suffix("token/").expect("below the base");
    if let Ok(url) = endpoint.join(path) {
        harness::planted(url.port().is_some_and(|port| port > 20_000));
        assert_eq!(url.origin(), token.origin(), "{path}");
        assert!(url.path().starts_with(base), "{url} is not below {base}");
        assert!(url.fragment().is_none() && url.username().is_empty());
        let again = Url::parse(url.as_str()).expect("a URL is one");
        assert_eq!(again, url);
        assert!(!display(&url).contains('?'));
    }
    if let Ok(url) = endpoint.follow(next) {
        assert_eq!(url.origin(), token.origin(), "{next}");
        assert!(url.username().is_empty() && url.password().is_none());
        assert!(url.fragment().is_none());
    }
}
