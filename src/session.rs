//! The token pair, its deadlines, and one renewal at a time. A state machine without I/O: what is
//! needed is told, what came of it is reported back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::HeaderValue;

use crate::callback::{Change, TokenCallback};
use crate::clock::BootTime;
use crate::error::{Error, Result, Status};
use crate::jwt::{self, Claims};
use crate::lane::lock;
use crate::options::Patience;
use crate::process::{PerProcess, Process};
use crate::secret::{self, Secret};
use crate::sync::{ArcSwap, AtomicBool, Mutex, MutexGuard, Notify, OnceBox, OnceCell};
use crate::token_calls::{Credentials, Pair};

/// How long before its end a token is renewed while it still serves, and how long before its end
/// every call waits for the new one: shares of its life, up to a limit.
const SOON: (u32, Duration) = (5, Duration::from_secs(120));
const NOW: (u32, Duration) = (20, Duration::from_secs(15));

pub struct Session {
    pub credentials: Option<Credentials>,
    tokens: ArcSwap<Tokens>,
    gate: PerProcess<Gate>,
    /// A refused sign-in is not repeated by itself: servers lock accounts.
    sign_in_refused: AtomicBool,
}

/// One pair of tokens; never changed, only replaced.
#[derive(Debug)]
pub struct Tokens {
    pub access: Secret,
    pub bearer: HeaderValue,
    pub refresh: Option<Secret>,
    pub claims: Claims,
    /// The server refused the refresh token: it is not sent again by itself.
    refresh_refused: AtomicBool,
    serial: u64,
    /// Set with the pair if its age is known, else by the first answer that tells the server's time.
    window: OnceBox<Window>,
}

/// When to renew, on the boot clock.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Window {
    soon: BootTime,
    now: BootTime,
    end: BootTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Nothing,
    /// One call renews before its own request; the others go on with the old token.
    Soon,
    /// Every call waits for the renewal. Whether the old token might still do.
    Now {
        expired: bool,
    },
}

/// How old a token is when it comes in.
#[derive(Clone, Copy, Debug)]
pub enum Age {
    /// The server made it in answer to a request that was sent then.
    NewAt(BootTime),
    Unknown,
}

impl Tokens {
    pub fn new(pair: Pair, age: Age) -> Result<Tokens> {
        let bearer = secret::bearer(pair.access.expose()).ok_or_else(|| {
            Error::invalid_argument(
                "the access token holds a space, a line break or a character beyond ASCII: pass it \
                 as the server gave it",
            )
        })?;
        let tokens = Tokens {
            claims: jwt::claims(pair.access.expose()).unwrap_or_default(),
            access: pair.access,
            bearer,
            refresh: pair.refresh,
            refresh_refused: AtomicBool::new(false),
            serial: 0,
            window: OnceBox::new(),
        };
        if let (Age::NewAt(sent), Some(life)) = (age, tokens.life()) {
            tokens.set_window(sent, life, life);
        }
        Ok(tokens)
    }

    /// Tells the token's age by the server's clock, where it was unknown.
    pub fn learn(&self, sent: BootTime, server_time: Option<SystemTime>) {
        if self.window.get().is_some() {
            return;
        }
        let (Some(life), Some(end), Some(time)) =
            (self.life(), self.claims.expires_at, server_time)
        else {
            return;
        };
        let end = UNIX_EPOCH + Duration::from_secs(u64::try_from(end).unwrap_or(0));
        let left = end.duration_since(time).unwrap_or_default();
        self.set_window(sent, life, left.min(life));
    }

    /// Whole life in seconds, by the server's own figures; our wall clock has no part in it.
    fn life(&self) -> Option<Duration> {
        let (end, start) = (self.claims.expires_at?, self.claims.issued_at?);
        let seconds = u64::try_from(end.checked_sub(start)?).ok()?;
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    fn set_window(&self, sent: BootTime, life: Duration, left: Duration) {
        let before_end = |(share, limit): (u32, Duration)| (life / share).min(limit);
        // Up to a fifth later, so that clients that signed in together don't renew together.
        let soon = before_end(SOON).mul_f64(1.0 - 0.2 * fastrand::f64());
        let window = Window {
            soon: sent.after(left.saturating_sub(soon)),
            now: sent.after(left.saturating_sub(before_end(NOW))),
            end: sent.after(left),
        };
        // Another thread may have learned it as well.
        let _ = self.window.set(Box::new(window));
    }

    pub fn need(&self, now: BootTime) -> Need {
        match self.window.get() {
            Some(window) if now >= window.now => Need::Now {
                expired: now >= window.end,
            },
            Some(window) if now >= window.soon => Need::Soon,
            _ => Need::Nothing,
        }
    }

    /// The refresh token, unless it is known to be of no use.
    pub fn usable_refresh(&self) -> Option<&Secret> {
        let refused = self.refresh_refused.load(Ordering::Relaxed);
        self.refresh.as_ref().filter(|_| !refused)
    }

    pub fn refuse_refresh(&self) {
        self.refresh_refused.store(true, Ordering::Relaxed);
    }

    pub fn is_same(&self, other: &Tokens) -> bool {
        self.serial == other.serial
    }
}

/// What kind of renewal is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Refresh, or else sign in: whatever works.
    Renew,
    Refresh,
    SignIn,
}

/// At most one renewal at a time, in each process.
struct Gate {
    state: Mutex<GateState>,
}

#[derive(Default)]
struct GateState {
    running: Option<Arc<Attempt>>,
    /// After an early renewal was begun: when the next one may be tried.
    rest_until: Option<BootTime>,
    /// The last tokens that the program was told of, and whether a thread is telling it now.
    told: u64,
    is_telling: bool,
}

/// A renewal that is going on, as those who wait for it see it.
pub struct Attempt {
    kind: Kind,
    ended: OnceCell<Ended>,
    wake: Notify,
}

#[derive(Clone, Debug)]
enum Ended {
    Done,
    Failed(Error),
    /// The server took longer than whoever led it would wait: one with more patience may lead.
    TimedOut(Error, Patience),
    /// Whoever led it was cancelled or ran out of time: another may lead.
    Abandoned,
}

pub enum Turn<'a> {
    Lead(Leader<'a>),
    Follow(Arc<Attempt>),
    /// The token in question has been replaced already.
    Fresh,
}

impl Attempt {
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The result for one who waited; `None` where that one had better try itself.
    pub async fn shared(&self, patience: Patience) -> Option<Result<()>> {
        match self.ended().await {
            Ended::Done => Some(Ok(())),
            Ended::Failed(error) => Some(Err(error)),
            Ended::TimedOut(error, leaders) if leaders.covers(patience) => Some(Err(error)),
            Ended::TimedOut(..) | Ended::Abandoned => None,
        }
    }

    async fn ended(&self) -> Ended {
        loop {
            let woken = self.wake.notified();
            if let Some(ended) = self.ended.get() {
                return ended.clone();
            }
            woken.await;
        }
    }
}

impl Session {
    pub fn new(credentials: Option<Credentials>, tokens: Tokens) -> Session {
        Session {
            credentials,
            tokens: ArcSwap::from_pointee(tokens),
            gate: PerProcess::new(),
            sign_in_refused: AtomicBool::new(false),
        }
    }

    pub fn tokens(&self) -> Arc<Tokens> {
        self.tokens.load_full()
    }

    /// Whether a renewal could be tried at all.
    pub fn can_renew(&self, tokens: &Tokens) -> bool {
        tokens.usable_refresh().is_some() || self.may_sign_in()
    }

    pub fn may_sign_in(&self) -> bool {
        self.credentials.is_some() && !self.sign_in_refused.load(Ordering::Relaxed)
    }

    pub fn set_sign_in_refused(&self, refused: bool) {
        self.sign_in_refused.store(refused, Ordering::Relaxed);
    }

    /// Who renews: this caller, or another whose result is then shared. `seen` is the token that is
    /// to be replaced; `None` asks for a new one in any case.
    pub fn turn(&self, process: Process, kind: Kind, seen: Option<&Tokens>) -> Turn<'_> {
        let gate = self.gate(process);
        let mut state = lock(&gate.state);
        if seen.is_some_and(|seen| !seen.is_same(&self.tokens.load())) {
            return Turn::Fresh;
        }
        match &state.running {
            Some(attempt) => Turn::Follow(attempt.clone()),
            None => Turn::Lead(self.lead(gate, &mut state, kind)),
        }
    }

    /// The lead of an early renewal, if nobody has it and none was tried just now. The pause begins
    /// with the attempt: so threads that call while it fails don't each try it too.
    pub fn early_turn(&self, process: Process, seen: &Tokens, now: BootTime) -> Option<Leader<'_>> {
        let gate = self.gate(process);
        let mut state = lock(&gate.state);
        let is_due = seen.is_same(&self.tokens.load())
            && state.running.is_none()
            && state.rest_until.is_none_or(|until| now >= until);
        is_due.then(|| {
            let pause = seen.life().unwrap_or_default() / NOW.0;
            state.rest_until = Some(now.after(pause.min(NOW.1)));
            self.lead(gate, &mut state, Kind::Renew)
        })
    }

    /// Tells the program of new tokens, each once, in their order and by one thread at a time. A
    /// thread that finds another at it leaves the news to that one.
    pub fn tell(&self, process: Process, callback: &TokenCallback) {
        let gate = self.gate(process);
        let mut state = lock(&gate.state);
        if state.is_telling {
            return;
        }
        loop {
            let tokens = self.tokens();
            if tokens.serial == state.told {
                state.is_telling = false;
                return;
            }
            state.told = tokens.serial;
            state.is_telling = true;
            drop(state);
            let telling = Telling { gate, process };
            callback(&Change {
                access: tokens.access.expose(),
                refresh: tokens.refresh.as_ref().map(Secret::expose),
                expires_at: tokens.claims.expires_at,
            });
            if Process::current() != process {
                // The callback forked: this gate is the parent's, and may be locked for ever here.
                return;
            }
            std::mem::forget(telling);
            state = lock(&gate.state);
        }
    }

    fn lead<'a>(&'a self, gate: &'a Gate, state: &mut GateState, kind: Kind) -> Leader<'a> {
        let attempt = Arc::new(Attempt {
            kind,
            ended: OnceCell::new(),
            wake: Notify::new(),
        });
        state.running = Some(attempt.clone());
        Leader {
            session: self,
            gate,
            attempt,
        }
    }

    fn gate(&self, process: Process) -> &Gate {
        self.gate.get(process, |_| {
            // A child has its parent's tokens, of which the parent was told.
            let state = GateState {
                told: self.tokens.load().serial,
                ..GateState::default()
            };
            Gate {
                state: Mutex::new(state),
            }
        })
    }
}

/// A thread that tells the program of new tokens; a callback that panics does not silence the others.
struct Telling<'a> {
    gate: &'a Gate,
    process: Process,
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if Process::current() == self.process {
            lock(&self.gate.state).is_telling = false;
        }
    }
}

/// The one who renews. Letting go of it in any way lets the others go on.
pub struct Leader<'a> {
    session: &'a Session,
    gate: &'a Gate,
    attempt: Arc<Attempt>,
}

impl Leader<'_> {
    /// Replaces both tokens at once. Where no refresh token came, the old one stays.
    ///
    /// The lock makes it one step with the attempt's end: whoever has seen the new tokens does not take
    /// this renewal for one that replaces them.
    pub fn commit(self, mut tokens: Tokens) -> Arc<Tokens> {
        let state = lock(&self.gate.state);
        let old = self.session.tokens.load();
        tokens.serial = old.serial + 1;
        if tokens.refresh.is_none() {
            tokens.refresh = old.refresh.clone();
        }
        let tokens = Arc::new(tokens);
        self.session.tokens.store(tokens.clone());
        self.end(state, Ended::Done);
        tokens
    }

    pub fn fail(self, error: &Error, patience: Patience) {
        let error = error.clone();
        let ended = if error.status() == Status::Timeout {
            Ended::TimedOut(error, patience)
        } else {
            Ended::Failed(error)
        };
        self.end(lock(&self.gate.state), ended);
    }

    fn end(&self, mut state: MutexGuard<'_, GateState>, ended: Ended) {
        if self.attempt.ended.set(ended).is_ok() {
            state.running = None;
            drop(state);
            self.attempt.wake.notify_waiters();
        }
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.end(lock(&self.gate.state), Ended::Abandoned);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::options::Options;

    const SENT: BootTime = BootTime(Duration::from_secs(1000));

    /// New tokens, the access token with so many seconds to live.
    fn tokens(life: u64) -> Tokens {
        let claims = format!("{{\"iat\":1700000000,\"exp\":{}}}", 1_700_000_000 + life);
        let access = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let pair = Pair {
            access: Secret::new(&access),
            refresh: Some(Secret::new("the-refresh-token")),
        };
        Tokens::new(pair, Age::NewAt(SENT)).expect("good tokens")
    }

    /// When it is renewed while it still serves, when every call waits, and its end: seconds after it was made.
    fn window(life: u64) -> [f64; 3] {
        let tokens = tokens(life);
        let window = tokens.window.get().expect("its age is known");
        [window.soon, window.now, window.end].map(|at| SENT.until(at).as_secs_f64())
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(future)
    }

    /// On the real locks and atomics, and under Miri: it sees what is read while another thread writes it.
    #[test]
    fn threads_that_meet_a_refused_token_get_the_one_that_replaced_it() {
        let session = Session::new(None, tokens(300));
        let process = Process::current();
        let patience = Options::default().patience();
        let led = AtomicU32::new(0);
        let meet = || {
            for _ in 0..3 {
                let seen = session.tokens();
                match session.turn(process, Kind::Renew, Some(&seen)) {
                    Turn::Lead(leader) => {
                        led.fetch_add(1, Ordering::Relaxed);
                        std::thread::yield_now();
                        leader.commit(tokens(300));
                    }
                    Turn::Follow(attempt) => {
                        let shared = block_on(attempt.shared(patience));
                        shared.expect("it is not given up").expect("it succeeds");
                    }
                    Turn::Fresh => {}
                }
                assert!(!session.tokens().is_same(&seen));
            }
        };
        std::thread::scope(|scope| {
            (0..3).for_each(|_| drop(scope.spawn(meet)));
        });
        let led = u64::from(led.into_inner());
        assert_eq!(session.tokens().serial, led, "each renewal counts once");
        assert!((3..=9).contains(&led), "{led}");
    }

    #[test]
    fn whoever_waits_for_a_leader_that_gives_up_leads() {
        let session = Session::new(None, tokens(300));
        let seen = session.tokens();
        let process = Process::current();
        let patience = Options::default().patience();
        let Turn::Lead(leader) = session.turn(process, Kind::Renew, Some(&seen)) else {
            panic!("nobody else leads");
        };
        let wait = || loop {
            match session.turn(process, Kind::Renew, Some(&seen)) {
                Turn::Lead(leader) => drop(leader.commit(tokens(100))),
                Turn::Follow(attempt) => {
                    assert!(block_on(attempt.shared(patience)).is_none_or(|it| it.is_ok()))
                }
                Turn::Fresh => break,
            }
        };
        std::thread::scope(|scope| {
            (0..2).for_each(|_| drop(scope.spawn(wait)));
            std::thread::yield_now();
            drop(leader);
        });
        assert_eq!(session.tokens().serial, 1);
    }

    /// The early window begins a fifth before the end, at most 120 s, and up to a fifth of that later.
    #[test]
    fn the_jitter_of_the_early_renewal_stays_in_its_bounds_and_fills_them() {
        for (life, early, late) in [
            (300, 60.0, 15.0),
            (100, 20.0, 5.0),
            (5, 1.0, 0.25),
            // Where the limits count.
            (3600, 120.0, 15.0),
            (86_400, 120.0, 15.0),
        ] {
            let end = life as f64;
            // A thousand times as slow under Miri.
            let tries = if cfg!(miri) { 10 } else { 1000 };
            let begins: Vec<f64> = (0..tries)
                .map(|_| {
                    let [soon, now, over] = window(life);
                    // No jitter in when everyone must wait, nor in the end.
                    assert!((now - (end - late)).abs() < 1e-6, "{life}: {now}");
                    assert_eq!(over, end);
                    assert!(soon < now, "{life}: {soon} {now}");
                    // How far into its jitter, 0 to 1.
                    (soon - (end - early)) / (early / 5.0)
                })
                .collect();
            let in_bounds = |at: &f64| (-1e-6..=1.0 + 1e-6).contains(at);
            assert!(begins.iter().all(in_bounds), "{life}: {begins:?}");
            if cfg!(miri) {
                continue;
            }
            // Of a thousand each tenth gets about a hundred; fewer than 40 is no chance.
            for tenth in 0..10 {
                let from = f64::from(tenth) / 10.0;
                let count = begins.iter().filter(|at| (from..from + 0.1).contains(*at));
                assert!(count.count() >= 40, "{life}: {tenth}: {begins:?}");
            }
        }
    }

    #[test]
    fn the_need_to_renew_grows_with_time() {
        let tokens = tokens(300);
        let need = |seconds: f64| tokens.need(SENT.after(Duration::from_secs_f64(seconds)));
        assert_eq!(need(0.0), Need::Nothing);
        assert_eq!(need(239.9), Need::Nothing);
        assert_eq!(need(252.1), Need::Soon);
        assert_eq!(need(284.9), Need::Soon);
        assert_eq!(need(285.1), Need::Now { expired: false });
        assert_eq!(need(300.1), Need::Now { expired: true });
    }

    #[test]
    fn tokens_are_masked_when_printed() {
        let tokens = tokens(300);
        for printed in [format!("{tokens:?}"), format!("{tokens:#?}")] {
            assert!(printed.contains("expires_at"), "{printed}");
            let access = tokens.access.expose();
            for secret in [access, &access[4..20], "the-refresh-token"] {
                assert!(!printed.contains(secret), "{printed}");
            }
        }
    }
}
