//! One call of the caller's: its lane, its deadline, its retries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use tokio::time::Instant;

use crate::cancel::Cancel;
use crate::endpoint::Endpoint;
use crate::error::{Error, Result, Status};
use crate::lane::{self, Lane, Lanes};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::process::Process;
use crate::retry::{Budget, Policy};
use crate::transport::{self, Incoming, Outgoing};

pub struct Call<'a> {
    pub process: Process,
    pub options: &'a Options,
    pub endpoint: &'a Endpoint,
    lane: &'a Lane,
    budget: &'a Budget,
    ends: Instant,
    /// Whether the server may have the caller's own request, whatever became of it since.
    sent: Arc<AtomicBool>,
}

/// A request as often as it takes.
pub struct Plan<'a> {
    pub method: Method,
    pub url: &'a Url,
    pub body: Option<Bytes>,
    pub bearer: Option<HeaderValue>,
    pub policy: Policy,
    pub timeout: Duration,
    pub limit: u64,
    pub purpose: Purpose,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// What the caller asked for.
    Request,
    /// A sign-in, refresh or verification.
    Token,
}

/// Where a call comes from: what it needs of its client.
pub struct Origin<'a> {
    pub options: &'a Options,
    pub endpoint: &'a Endpoint,
    pub lanes: &'a Lanes,
    pub budget: &'a Budget,
    pub cancel: &'a Cancel,
}

impl Origin<'_> {
    /// Runs `work` on this thread until it ends, the deadline passes or someone cancels.
    pub fn run<T>(&self, work: impl AsyncFnOnce(&Call<'_>) -> Result<T>) -> Result<T> {
        let process = Process::current();
        let cancelled = self.cancel.watch(process);
        let sent = Arc::new(AtomicBool::new(false));
        self.lanes.run(process, async |lane| {
            let ends = Instant::now() + self.options.total_timeout;
            let call = Call {
                process,
                options: self.options,
                endpoint: self.endpoint,
                lane,
                budget: self.budget,
                ends,
                sent: sent.clone(),
            };
            let stopped = async {
                cancelled.await;
                Err(Error::new(
                    Status::Cancelled,
                    "the call was cancelled: evrim_cancel or evrim_free was called on its client",
                ))
            };
            let expired = async {
                tokio::time::sleep_until(ends).await;
                Err(Error::new(
                    Status::Timeout,
                    format!(
                        "the call was given up after {} ms in all, waiting and retries included: \
                         try later, or raise the total timeout",
                        self.options.total_timeout.as_millis()
                    ),
                ))
            };
            let result = lane::first(stopped, lane::first(work(&call), expired)).await;
            result.map_err(|error| {
                let sent = error.may_have_been_sent() || sent.load(Ordering::Relaxed);
                error.sent(sent)
            })
        })
    }
}

impl Call<'_> {
    /// Sends until there is an answer that counts, or no hope of one.
    pub async fn send(&self, plan: &Plan<'_>) -> Result<Incoming> {
        let unobserved = Arc::new(AtomicBool::new(false));
        let mut attempt = 0;
        loop {
            let outgoing = Outgoing {
                method: plan.method.clone(),
                url: plan.url,
                body: plan.body.clone(),
                bearer: plan.bearer.clone(),
                user_agent: self.options.user_agent.clone(),
                timeout: plan.timeout,
                limit: plan.limit,
                is_secret: plan.purpose == Purpose::Token,
                sent: match plan.purpose {
                    Purpose::Request => &self.sent,
                    Purpose::Token => &unobserved,
                },
            };
            let result = transport::exchange(self.lane, outgoing).await;
            let outcome = match &result {
                Ok(incoming) => incoming.outcome(self.options.clock.wall()),
                Err(failure) => failure.outcome,
            };
            match self.wait_before_retry(plan.policy, attempt, outcome) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => {
                    if matches!(outcome, Outcome::Answer { status, .. } if status < 500) {
                        self.budget.earn();
                    }
                    return result.map_err(|failure| failure.error);
                }
            }
            attempt += 1;
        }
    }

    fn wait_before_retry(
        &self,
        policy: Policy,
        attempt: u32,
        outcome: Outcome,
    ) -> Option<Duration> {
        let wait = policy.next(attempt, outcome, fastrand::f64())?;
        // What can't be waited out is returned now, while the answer still says why.
        let in_time = Instant::now() + wait < self.ends;
        (in_time && self.budget.spend()).then_some(wait)
    }
}
