//! What the connections, the thread of the server and its owner share.

use super::clock::now_us;
use super::config::Config;
use super::counters::Counters;
use super::document::{Document, Format};
use super::fault::Faults;
use super::token::{self, Kind};
use bytes::Bytes;
use ring::hmac;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::watch;

pub const DEMO_ID: u64 = 1;
pub const PREFIX: &str = "/prod";

/// What has become of the demo user's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    Active,
    Inactive,
    Deleted,
    PasswordChanged,
}

pub struct Shared {
    pub config: Config,
    pub port: u16,
    pub key: hmac::Key,
    /// Each change tells the connections to close.
    pub closing: watch::Sender<u64>,
    state: Mutex<State>,
}

pub struct State {
    pub counters: Counters,
    pub faults: Faults,
    pub user: UserState,
    /// How often the password was changed; tokens carry the count of their day.
    pub password_changes: u64,
    /// Access tokens issued up to here are refused.
    pub revoked_until: i64,
    /// The newest time of issue: no two tokens share one.
    last_issued: i64,
    pub blacklist: HashSet<String>,
    /// As in the config, until told otherwise.
    pub rotate: bool,
    pub throttle: Option<(Instant, u32)>,
    pub tasks: Vec<Submitted>,
    pub documents: HashMap<(u64, Format), Arc<Document>>,
    pub document_revision: u64,
}

/// A research that was submitted here.
pub struct Submitted {
    pub id: String,
    pub number: u64,
    pub title: String,
    pub description: String,
    input: String,
    created_us: i64,
    created: Instant,
}

impl Shared {
    pub fn new(config: Config, port: u16) -> Shared {
        Shared {
            key: token::key(&config.key),
            port,
            closing: watch::Sender::new(0),
            state: Mutex::new(State {
                counters: Counters::default(),
                faults: Faults::default(),
                user: UserState::Active,
                password_changes: 0,
                revoked_until: 0,
                last_issued: 0,
                blacklist: HashSet::new(),
                rotate: config.rotate,
                throttle: None,
                tasks: Vec::new(),
                documents: HashMap::new(),
                document_revision: 1,
            }),
            config,
        }
    }

    /// A panic elsewhere leaves nothing half done here, so a poisoned lock is as good as any.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn origin(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme(), self.port)
    }

    pub fn scheme(&self) -> &'static str {
        if self.config.tls { "https" } else { "http" }
    }

    pub fn url(&self) -> String {
        format!("{}{PREFIX}", self.origin())
    }

    /// A token of the demo user as things stand now.
    pub fn mint(&self, kind: Kind, lifetime: Duration) -> String {
        let mut state = self.state();
        let (issued, password) = (state.issue_time(), state.password_changes);
        drop(state);
        self.mint_as(kind, lifetime, issued, password)
    }

    /// An access token made from a refresh token shares what that one knew of the password.
    pub fn mint_derived(&self, kind: Kind, lifetime: Duration, password: u64) -> String {
        let issued = self.state().issue_time();
        self.mint_as(kind, lifetime, issued, password)
    }

    pub fn mint_expired(&self, kind: Kind) -> String {
        let hour = Duration::from_secs(3600);
        let password = self.state().password_changes;
        self.mint_as(kind, hour, now_us() - 2 * 3_600_000_000, password)
    }

    fn mint_as(&self, kind: Kind, lifetime: Duration, issued: i64, password: u64) -> String {
        token::mint(
            &self.key,
            kind,
            DEMO_ID,
            issued,
            lifetime,
            password,
            self.config.fractional_claims,
        )
    }

    pub fn revoke_access_tokens(&self) {
        let mut state = self.state();
        state.revoked_until = state.issue_time();
    }

    pub fn blacklist(&self, token: &str) {
        if let Some(id) = token::id(token) {
            self.state().blacklist.insert(id);
        }
    }

    pub fn set_user_state(&self, user: UserState) {
        let mut state = self.state();
        if user == UserState::PasswordChanged && state.user != user {
            state.password_changes += 1;
        }
        state.user = user;
    }

    pub fn renew_documents(&self) {
        let mut state = self.state();
        state.documents.clear();
        state.document_revision += 1;
    }

    pub fn drop_connections(&self) {
        self.closing.send_modify(|count| *count += 1);
    }
}

impl State {
    fn issue_time(&mut self) -> i64 {
        self.last_issued = now_us().max(self.last_issued + 1);
        self.last_issued
    }

    /// Takes one call from the bucket; how long to wait if it is empty.
    pub fn throttled(&mut self, limit: Option<u32>) -> Option<Duration> {
        const WINDOW: Duration = Duration::from_secs(60);
        let limit = limit?;
        let (since, count) = match self.throttle {
            Some((since, count)) if since.elapsed() < WINDOW => (since, count),
            _ => (Instant::now(), 0),
        };
        if count >= limit {
            return Some(WINDOW - since.elapsed().min(WINDOW));
        }
        self.throttle = Some((since, count + 1));
        None
    }

    pub fn submit(&mut self, body: &Bytes, fields: &Value) -> usize {
        let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
        self.tasks.push(Submitted {
            id: uuid(),
            number: 100 + self.tasks.len() as u64,
            title: text("title"),
            description: text("description"),
            input: fields.to_string(),
            created_us: now_us(),
            created: Instant::now(),
        });
        self.counters
            .research
            .push(String::from_utf8_lossy(body).into_owned());
        self.tasks.len() - 1
    }
}

impl Submitted {
    pub fn is_complete(&self, pending: Duration) -> bool {
        self.created.elapsed() >= pending
    }

    pub fn task(&self, pending: Duration) -> Value {
        let status = if self.is_complete(pending) { "C" } else { "P" };
        json!({
            "task_id": self.id,
            "event": {"id": self.number, "input": self.input},
            "created_at": super::clock::rfc3339(self.created_us),
            "status": status,
            "created_by": DEMO_ID,
        })
    }
}

/// A random UUID, version 4.
pub fn uuid() -> String {
    let bits = fastrand::u128(..) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}
