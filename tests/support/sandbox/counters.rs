//! What the server has seen so far.

use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted.
    pub connections: u64,
    pub open_connections: u64,
    pub failed_handshakes: u64,
    /// Requests of any kind; those to `/sandbox/` count nowhere.
    pub total: u64,
    /// Requests being worked on now, and the most there were at once.
    pub running: u64,
    pub peak_running: u64,
    /// By `METHOD /path/`, without the prefix of the base URL and without the query.
    pub requests: BTreeMap<String, u64>,
    /// Answers by status; a fault that gives none is not in it.
    pub statuses: BTreeMap<u16, u64>,
    /// Successful ones.
    pub sign_ins: u64,
    pub refused_sign_ins: u64,
    pub refreshes: u64,
    pub refused_refreshes: u64,
    /// Verify calls that said yes, and no.
    pub verifies: u64,
    pub refused_verifies: u64,
    /// Times a fault was applied.
    pub faults: u64,
    /// The bodies of accepted `POST /research/` requests.
    pub research: Vec<String>,
}

impl Counters {
    /// Requests of one kind, named as in `requests`.
    pub fn of(&self, request: &str) -> u64 {
        self.requests.get(request).copied().unwrap_or(0)
    }

    /// Answers with this status.
    pub fn answered(&self, status: u16) -> u64 {
        self.statuses.get(&status).copied().unwrap_or(0)
    }

    pub fn to_json(&self) -> Value {
        let statuses: BTreeMap<String, u64> = self
            .statuses
            .iter()
            .map(|(status, count)| (status.to_string(), *count))
            .collect();
        json!({
            "connections": self.connections,
            "open_connections": self.open_connections,
            "failed_handshakes": self.failed_handshakes,
            "total": self.total,
            "running": self.running,
            "peak_running": self.peak_running,
            "requests": self.requests,
            "statuses": statuses,
            "sign_ins": self.sign_ins,
            "refused_sign_ins": self.refused_sign_ins,
            "refreshes": self.refreshes,
            "refused_refreshes": self.refused_refreshes,
            "verifies": self.verifies,
            "refused_verifies": self.refused_verifies,
            "faults": self.faults,
            "research": self.research,
        })
    }

    pub(super) fn reset(&mut self) {
        *self = Counters {
            open_connections: self.open_connections,
            running: self.running,
            ..Counters::default()
        };
    }
}
