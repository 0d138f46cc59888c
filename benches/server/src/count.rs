//! What came in, so that a client's own count can be checked.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::{HandshakeKind, ServerConnection};
use serde_json::{Value, json};

#[derive(Default)]
pub struct Count {
    requests: AtomicU64,
    connections: AtomicU64,
    resumed: AtomicU64,
    /// What was agreed on: every client should get the same.
    tls: Mutex<BTreeSet<String>>,
    /// Microseconds before an answer.
    pub wait: AtomicU64,
}

impl Count {
    pub fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub fn connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub fn handshake(&self, connection: &ServerConnection) {
        if connection.handshake_kind() == Some(HandshakeKind::Resumed) {
            self.resumed.fetch_add(1, Ordering::Relaxed);
        }
        if let (Some(suite), Some(group)) = (
            connection.negotiated_cipher_suite(),
            connection.negotiated_key_exchange_group(),
        ) {
            let agreed = format!("{:?} {:?}", suite.suite(), group.name());
            self.tls.lock().expect("no panic under it").insert(agreed);
        }
    }

    /// What was counted since the last time.
    pub fn take(&self) -> Value {
        json!({
            "requests": self.requests.swap(0, Ordering::Relaxed),
            "connections": self.connections.swap(0, Ordering::Relaxed),
            "resumed": self.resumed.swap(0, Ordering::Relaxed),
            "tls": std::mem::take(&mut *self.tls.lock().expect("no panic under it")),
        })
    }
}
