//! One call of the caller's: its lane, its deadline, its retries.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use tokio::time::Instant;

use crate::callback::Level;
use crate::cancel::{Begun, Cancel};
use crate::endpoint::{self, Endpoint};
use crate::error::{Error, Result, Status};
use crate::events::{Events, Hooks};
use crate::lane::{self, Lane, Lanes};
#[cfg(evrim_model)]
use crate::model::exchange;
use crate::options::{MAX_TOKEN_BODY, Options};
use crate::outcome::Outcome;
use crate::process::Process;
use crate::retry::{Budget, PROGRESS, Policy};
use crate::secret;
use crate::timer;
#[cfg(not(evrim_model))]
use crate::transport::exchange;
use crate::transport::{Failure, Incoming, Outgoing, Sink};

pub struct Call<'a> {
    pub process: Process,
    pub options: &'a Options,
    pub endpoint: &'a Endpoint,
    lane: &'a Lane,
    budget: &'a Budget,
    events: &'a Events<'a>,
    ends: &'a Cell<Instant>,
    /// What the caller asked for: a renewal on the way to it is another matter.
    asked: Purpose,
    /// Whether the server may have what the caller asked for, whatever became of it since.
    sent: Arc<AtomicBool>,
}

/// A request as often as it takes.
pub struct Plan<'a> {
    pub method: Method,
    pub url: &'a Url,
    pub body: Option<Bytes>,
    /// The caller's own, sent with everything.
    pub headers: &'a HeaderMap,
    pub bearer: Option<HeaderValue>,
    pub policy: Policy,
    pub purpose: Purpose,
    /// Takes the body of a success.
    pub sink: Option<&'a dyn Sink>,
}

/// The answer that counts.
pub struct Reply {
    pub incoming: Incoming,
    /// An earlier attempt may have been handled, and its answer lost.
    pub lost_one: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
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
    /// Names the session for callbacks; 0 while there is none yet.
    pub session: usize,
    pub asked: Purpose,
    pub hooks: Hooks<'a>,
    pub deliver_tokens: &'a dyn Fn(),
}

impl Origin<'_> {
    /// Runs `work` on this thread until it ends, the deadline passes or someone cancels.
    pub fn run<T>(
        &self,
        begun: Begun<'_>,
        work: impl AsyncFnOnce(&Call<'_>) -> Result<T>,
    ) -> Result<T> {
        let Begun { process, cancelled } = begun;
        let events = Events::begin(self.options, self.session, self.hooks, self.deliver_tokens)?;
        if self.cancel.is_closed() {
            return Err(cancellation());
        }
        let sent = Arc::new(AtomicBool::new(false));
        let ends = Cell::new(Instant::now() + self.options.total_timeout);
        let result = self.lanes.run(process, &events, async |lane| {
            let call = Call {
                process,
                options: self.options,
                endpoint: self.endpoint,
                lane,
                budget: self.budget,
                events: &events,
                ends: &ends,
                asked: self.asked,
                sent: sent.clone(),
            };
            let stopped = pin!(async {
                cancelled.await;
                Err(cancellation())
            });
            let expired = pin!(async {
                // A call that makes progress gets more time meanwhile.
                poll_fn(|context| lane.call_timer.poll(context, ends.get())).await;
                Err(Error::new(
                    Status::Timeout,
                    format!(
                        "the call was given up after {} ms in all, waiting and retries included: \
                         try later, or raise the total timeout",
                        self.options.total_timeout.as_millis()
                    ),
                ))
            });
            let work = pin!(work(&call));
            lane::first(stopped, pin!(lane::first(work, expired))).await
        });
        // Here, since a callback may end the call as well.
        result.map_err(|error| {
            let sent = error.may_have_been_sent() || sent.load(Ordering::Relaxed);
            error.sent(sent)
        })
    }
}

fn cancellation() -> Error {
    Error::new(
        Status::Cancelled,
        "the call was cancelled: evrim_cancel, evrim_close or evrim_free was called on its client",
    )
}

impl Call<'_> {
    /// Sends until there is an answer that counts, or no hope of one.
    pub async fn send(&self, plan: &Plan<'_>) -> Result<Reply> {
        let renewal_sent = Arc::new(AtomicBool::new(false));
        let is_token_call = plan.purpose == Purpose::Token;
        let mut attempt = 0;
        let mut lost_one = false;
        loop {
            let outgoing = Outgoing {
                method: plan.method.clone(),
                url: plan.url,
                body: plan.body.clone(),
                bearer: plan.bearer.clone(),
                user_agent: self.options.user_agent.clone(),
                headers: plan.headers,
                timeout: if is_token_call {
                    self.options.token_timeout()
                } else {
                    self.options.timeout
                },
                limit: if is_token_call {
                    MAX_TOKEN_BODY
                } else {
                    self.options.max_body
                },
                is_secret: is_token_call,
                sink: plan.sink,
                sent: if plan.purpose == self.asked {
                    &self.sent
                } else {
                    &renewal_sent
                },
            };
            let sent = outgoing.sent.clone();
            let result = exchange(self.lane, outgoing).await;
            self.log_attempt(plan, &result);
            let outcome = match &result {
                Ok(incoming) => incoming.outcome(self.options.clock.wall()),
                Err(failure) => failure.outcome,
            };
            let gained = plan.sink.map_or(0, Sink::gained);
            if gained > 0 {
                attempt = 0;
            }
            match self.wait_before_retry(plan.policy, attempt, outcome, gained) {
                Some(wait) => {
                    self.log(Level::Info, "retry", || {
                        let (method, url) = (&plan.method, endpoint::display(plan.url));
                        format!("{method} {url}: once more in {} ms", wait.as_millis())
                    });
                    timer::sleep(wait).await;
                }
                None => {
                    if matches!(outcome, Outcome::Answer { status, .. } if status < 500) {
                        self.budget.earn();
                    }
                    return match result {
                        Ok(incoming) => Ok(Reply { incoming, lost_one }),
                        Err(failure) => Err(failure.error.sent(sent.load(Ordering::Relaxed))),
                    };
                }
            }
            lost_one |= outcome == Outcome::Broken;
            attempt += 1;
        }
    }

    /// Begins the time for the whole call anew: what has been done so far was worth it.
    pub fn restart_clock(&self) {
        self.ends.set(Instant::now() + self.options.total_timeout);
    }

    /// Waits because the caller asked for it: the time does not count.
    pub async fn rest_until(&self, until: Instant) {
        let rest = until.saturating_duration_since(Instant::now());
        self.ends.set(self.ends.get() + rest);
        timer::sleep_until(until).await;
    }

    /// Tells the caller how far the work is, who may end it.
    pub async fn progress(&self, done: u64, total: Option<u64>) {
        self.events.progress(done, total);
        self.hand_out().await;
    }

    /// Hands a piece of a body to the caller, who may end the call.
    pub async fn write(&self, bytes: Bytes) {
        self.events.write(bytes);
        self.hand_out().await;
    }

    /// Lets callbacks run, outside the runtime. Their time is the caller's own and does not count.
    async fn hand_out(&self) {
        if !self.events.is_empty() {
            let begun = Instant::now();
            tokio::task::yield_now().await;
            self.ends.set(self.ends.get() + begun.elapsed());
        }
    }

    pub fn time_left(&self) -> Duration {
        self.ends.get().saturating_duration_since(Instant::now())
    }

    fn wait_before_retry(
        &self,
        policy: Policy,
        attempt: u32,
        outcome: Outcome,
        gained: u64,
    ) -> Option<Duration> {
        let wait = policy.next(attempt, outcome, fastrand::f64())?;
        // What can't be waited out is returned now, while the answer still says why.
        let in_time = Instant::now() + wait < self.ends.get();
        // A server that gets on with a large file is not broken.
        let is_free = gained >= PROGRESS || policy.recovers(attempt, outcome);
        (in_time && (is_free || self.budget.spend())).then_some(wait)
    }

    pub fn log(&self, level: Level, target: &'static str, message: impl FnOnce() -> String) {
        self.events.log(level, target, message);
    }

    pub fn tokens_changed(&self) {
        self.events.tokens_changed();
    }

    fn log_attempt(&self, plan: &Plan<'_>, result: &Result<Incoming, Failure>) {
        match result {
            Ok(incoming) => self.log(Level::Debug, "request", || {
                format!(
                    "{} {}: {}, {} bytes",
                    plan.method,
                    endpoint::display(plan.url),
                    incoming.status,
                    incoming.body.len()
                )
            }),
            Err(failure) => self.log(Level::Warn, "request", || {
                // Its text may quote the server, which may quote the token.
                let error = failure.error.clone();
                match &plan.bearer {
                    Some(bearer) => error.without(secret::token_of(bearer)).message().to_owned(),
                    None => error.message().to_owned(),
                }
            }),
        }
    }
}
