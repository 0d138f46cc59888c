//! A local Evrim server to test against: the tokens, resources and failures of the real one, on 127.0.0.1.
#![allow(dead_code, unused_imports)]

mod api;
mod auth;
pub mod blob;
mod clock;
mod config;
mod control;
mod counters;
mod data;
mod document;
mod fault;
mod gzip;
mod misbehave;
mod payload;
mod range;
mod reply;
mod route;
mod server;
mod shared;
mod tls;
mod token;
mod wire;

pub use config::{Certificate, Config};
pub use counters::Counters;
pub use fault::{Fault, FaultKind};
pub use shared::UserState;
pub use tls::SERVER_NAMES;

use shared::Shared;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

pub const USERNAME: &str = "demo";
pub const PASSWORD: &str = "demo-password";
/// The demo user's password once the state is `UserState::PasswordChanged`.
pub const CHANGED_PASSWORD: &str = "changed-demo-password";
/// A user whose account is switched off; the password is `PASSWORD`.
pub const INACTIVE_USERNAME: &str = "inactive";
/// The static token of the later generation: not a JWT, never expires.
pub const API_TOKEN: &str = "evrim-sandbox-api-token-2f6c1b";

/// A running server; dropping it stops it.
pub struct Sandbox {
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    ca: Option<tls::CaFile>,
}

impl Sandbox {
    /// Starts the server on its own thread. It accepts connections when this returns.
    ///
    /// # Panics
    /// If the port is taken: a test can do nothing about it.
    pub fn start(config: Config) -> Sandbox {
        Sandbox::try_start(config)
            .unwrap_or_else(|error| panic!("the sandbox can't start: {error}"))
    }

    pub fn try_start(config: Config) -> std::io::Result<Sandbox> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", config.port))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let (acceptor, ca) = match config.tls {
            true => {
                let (acceptor, ca) = tls::prepare(&config)?;
                (Some(acceptor), Some(ca))
            }
            false => (None, None),
        };
        // Now rather than in the time of the first request.
        data::Library::get();
        let shared = Arc::new(Shared::new(config, port));
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("sandbox".into())
            .spawn(move || server::run(listener, acceptor, served, stopped))?;
        Ok(Sandbox {
            shared,
            stop: Some(stop),
            thread: Some(thread),
            ca,
        })
    }

    /// The base URL, with its path prefix and without a final slash.
    pub fn url(&self) -> String {
        self.shared.url()
    }

    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// The certificate authority to trust, in PEM; none without TLS.
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.ca.as_ref().map(|ca| ca.path.clone())
    }

    /// The environment of a program that is to use this server.
    pub fn env(&self) -> Vec<(String, String)> {
        let (access, refresh) = match self.shared.config.opaque_only {
            true => (API_TOKEN.to_owned(), String::new()),
            false => self.token_pair(),
        };
        let mut env = vec![
            ("EVRIM_URL".to_owned(), self.url()),
            ("EVRIM_USERNAME".to_owned(), USERNAME.to_owned()),
            ("EVRIM_PASSWORD".to_owned(), PASSWORD.to_owned()),
            ("EVRIM_TOKEN".to_owned(), access),
            ("EVRIM_REFRESH_TOKEN".to_owned(), refresh),
        ];
        if let Some(ca) = self.ca_file() {
            env.push(("SSL_CERT_FILE".to_owned(), ca.display().to_string()));
        }
        env
    }

    /// A new access token of the demo user.
    pub fn access_token(&self, lifetime: Duration) -> String {
        self.shared.mint(token::Kind::Access, lifetime)
    }

    /// A new refresh token of the demo user.
    pub fn refresh_token(&self, lifetime: Duration) -> String {
        self.shared.mint(token::Kind::Refresh, lifetime)
    }

    /// Access and refresh token of the demo user, with the lifetimes of the config.
    pub fn token_pair(&self) -> (String, String) {
        let config = &self.shared.config;
        (
            self.access_token(config.access_lifetime),
            self.refresh_token(config.refresh_lifetime),
        )
    }

    /// An access token that ran out an hour ago.
    pub fn expired_access_token(&self) -> String {
        self.shared.mint_expired(token::Kind::Access)
    }

    /// A refresh token that ran out an hour ago.
    pub fn expired_refresh_token(&self) -> String {
        self.shared.mint_expired(token::Kind::Refresh)
    }

    /// A token with any payload at all, properly signed: for odd claims.
    pub fn signed_token(&self, payload: &serde_json::Value) -> String {
        token::sign(&self.shared.key, payload)
    }

    /// Adds a fault; the first that applies to a request takes it.
    pub fn fault(&self, fault: Fault) {
        self.shared.state().faults.add(fault);
    }

    pub fn clear_faults(&self) {
        self.shared.state().faults.clear();
    }

    pub fn counters(&self) -> Counters {
        self.shared.state().counters.clone()
    }

    /// Every count back to nothing; the connections that are open stay counted as open.
    pub fn reset_counters(&self) {
        self.shared.state().counters.reset();
    }

    /// From now on the API and verify refuse all access tokens issued so far.
    pub fn revoke_access_tokens(&self) {
        self.shared.revoke_access_tokens();
    }

    /// Refuses this one refresh token from now on, as after rotation.
    pub fn blacklist(&self, token: &str) {
        self.shared.blacklist(token);
    }

    /// What has become of the demo user's account.
    pub fn set_user_state(&self, user: UserState) {
        self.shared.set_user_state(user);
    }

    /// Makes the rendered reports different ones, with other ETags: a download can't be resumed any more.
    pub fn renew_documents(&self) {
        self.shared.renew_documents();
    }

    /// Closes all kept connections: idle ones now, busy ones after their answer.
    pub fn drop_connections(&self) {
        self.shared.drop_connections();
    }

    /// Stops the server; its port is free when this returns, for another `start` on it.
    pub fn stop(self) {}
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
