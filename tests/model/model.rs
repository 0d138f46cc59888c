//! The world around the library in one execution of the model: the server, the clock, and a fork.

#[path = "sync.rs"]
pub mod sync;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use loom::sync::atomic::AtomicBool;
use loom::sync::{Condvar, Mutex, MutexGuard};
use loom::thread::ThreadId;
use reqwest::header::HeaderMap;
use tokio::time::Instant;

use crate::clock::{BootTime, Clock};
use crate::lane::Lane;
use crate::transport::{Failure, Incoming, Outgoing};

pub const URL: &str = "http://127.0.0.1:1/";
/// How long an access token lives.
pub const LIFE: u64 = 300;
/// A call with a shorter time than this ends when the clock is moved.
pub const LONG: Duration = Duration::from_secs(1_000_000);

/// How the server behaves.
#[derive(Clone, Copy, Default)]
pub struct Habits {
    pub refuses_refresh: bool,
    pub refuses_sign_in: bool,
    /// Answers 401 with this code.
    pub code: &'static str,
    /// Calls on the handle with this name never get an answer to a renewal.
    pub hangs_for: &'static str,
}

/// What the server has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub sign_ins: u32,
    pub requests: u32,
    /// Refresh tokens that were sent, in order.
    pub refreshed: Vec<u32>,
}

#[derive(Default)]
struct Server {
    /// The number of the pair handed out last.
    latest: u32,
    /// Access tokens of pairs up to this one are refused.
    revoked: u32,
    in_flight: u32,
    seen: Seen,
}

pub struct World {
    pub habits: Cell<Habits>,
    server: Mutex<Server>,
    clock: Mutex<ModelClock>,
    has_clock: Cell<bool>,
    /// The thread that is a forked child, and whether the parent's threads stand still meanwhile.
    child: Cell<Option<ThreadId>>,
    can_fork: Cell<bool>,
    is_frozen: AtomicBool,
    thaw: (Mutex<()>, Condvar),
}

#[derive(Default)]
struct ModelClock {
    has_passed: bool,
    wakers: Vec<Waker>,
}

thread_local! {
    // loom runs all threads of the model on one.
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("a lock of the model")
}

impl World {
    /// Begins an execution.
    pub fn begin(habits: Habits) -> Rc<World> {
        let world = Rc::new(World {
            habits: Cell::new(habits),
            server: Mutex::new(Server::default()),
            clock: Mutex::new(ModelClock::default()),
            has_clock: Cell::new(false),
            child: Cell::new(None),
            can_fork: Cell::new(false),
            is_frozen: AtomicBool::new(false),
            thaw: (Mutex::new(()), Condvar::new()),
        });
        WORLD.set(Some(world.clone()));
        world
    }

    /// Ends it: nothing of loom's may outlive its execution.
    pub fn end() {
        WORLD.set(None);
    }

    pub fn now() -> Rc<World> {
        WORLD
            .with_borrow(|world| world.clone())
            .expect("an execution that has begun")
    }

    // --- the server

    /// The access tokens that there are are refused from now on.
    pub fn revoke(&self) {
        let mut server = locked(&self.server);
        server.revoked = server.latest;
    }

    pub fn seen(&self) -> Seen {
        locked(&self.server).seen.clone()
    }

    /// The number of the pair that is good.
    pub fn latest(&self) -> u32 {
        locked(&self.server).latest
    }

    fn answer(&self, request: &Outgoing<'_>) -> (u16, String) {
        let habits = self.habits.get();
        let refusal = (401, format!("{{\"code\":\"{}\"}}", habits.code));
        let body: serde_json::Value =
            serde_json::from_slice(request.body.as_deref().unwrap_or(b"{}")).expect("JSON");
        let mut server = locked(&self.server);
        match request.url.path() {
            "/token/" => {
                server.seen.sign_ins += 1;
                if habits.refuses_sign_in {
                    return refusal;
                }
            }
            "/token/refresh/" => {
                let sent = number(body["refresh"].as_str().expect("a refresh token"));
                // It takes each once.
                let is_used = server.seen.refreshed.contains(&sent);
                server.seen.refreshed.push(sent);
                if habits.refuses_refresh || is_used {
                    return refusal;
                }
            }
            _ => {
                server.seen.requests += 1;
                let bearer = request
                    .bearer
                    .as_ref()
                    .and_then(|bearer| bearer.to_str().ok());
                let sent = number(bearer.expect("a bearer"));
                if sent <= server.revoked {
                    return refusal;
                }
                return (200, "{}".to_owned());
            }
        }
        server.latest += 1;
        let number = server.latest;
        drop(server);
        (
            200,
            format!(
                "{{\"access\":\"{}\",\"refresh\":\"r.{number}\"}}",
                access(number)
            ),
        )
    }

    // --- the clock

    /// From now on time can pass.
    pub fn start_clock(&self) {
        self.has_clock.set(true);
    }

    /// The time of every call that is not `LONG` is up.
    pub fn pass_time(&self) {
        let mut clock = locked(&self.clock);
        clock.has_passed = true;
        let wakers = std::mem::take(&mut clock.wakers);
        drop(clock);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn poll_clock(&self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if !self.has_clock.get() || deadline > Instant::now() + LONG / 2 {
            return Poll::Pending;
        }
        let mut clock = locked(&self.clock);
        if clock.has_passed {
            return Poll::Ready(());
        }
        clock.wakers.push(context.waker().clone());
        Poll::Pending
    }

    // --- a fork

    pub fn allow_fork(&self) {
        self.can_fork.set(true);
    }

    /// This thread is a child from now on: the parent's threads stand still wherever they are.
    pub fn fork(&self) {
        self.child.set(Some(loom::thread::current().id()));
        self.is_frozen.store(true, Ordering::SeqCst);
    }

    /// The child is done, and the parent's threads go on.
    pub fn thaw(&self) {
        self.is_frozen.store(false, Ordering::SeqCst);
        let guard = locked(&self.thaw.0);
        self.thaw.1.notify_all();
        drop(guard);
    }

    pub(crate) fn generation(&self) -> u32 {
        match self.child.get() {
            Some(child) if child == loom::thread::current().id() => 2,
            _ => 1,
        }
    }

    fn step() {
        // An execution ends with its world.
        let Some(world) = WORLD.with_borrow(|world| world.clone()) else {
            return;
        };
        if !world.can_fork.get() || world.generation() == 2 {
            return;
        }
        if world.is_frozen.load(Ordering::SeqCst) {
            let mut guard = locked(&world.thaw.0);
            while world.is_frozen.load(Ordering::SeqCst) {
                guard = world.thaw.1.wait(guard).expect("a lock of the model");
            }
        }
    }
}

/// An access token by its number.
fn access(number: u32) -> String {
    let claims = format!("{{\"iat\":1700000000,\"exp\":{}}}", 1_700_000_000 + LIFE);
    format!("e30.{}.{number}", URL_SAFE_NO_PAD.encode(claims))
}

/// The number of a token's pair.
pub fn number(token: &str) -> u32 {
    let (_, number) = token.rsplit_once('.').expect("a token of the model");
    number.parse().expect("a token of the model")
}

/// A renewal between its request and its answer, or the moment it was given up.
struct InFlight(Rc<World>);

impl InFlight {
    fn begin(world: &Rc<World>) -> InFlight {
        let mut server = locked(&world.server);
        server.in_flight += 1;
        let is_child = world.child.get().is_some();
        assert!(server.in_flight == 1 || is_child, "two renewals at a time");
        drop(server);
        InFlight(world.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        locked(&self.0.server).in_flight -= 1;
    }
}

/// In place of the transport. The server acts on a request at once; the answer to a renewal takes a while, in
/// which the call may be ended.
pub(crate) async fn exchange(_: &Lane, request: Outgoing<'_>) -> Result<Incoming, Failure> {
    let world = World::now();
    let is_renewal = request.url.path().starts_with("/token/");
    request.sent.store(true, Ordering::Relaxed);
    let in_flight = is_renewal.then(|| InFlight::begin(&world));
    let (status, body) = world.answer(&request);
    if is_renewal {
        let name = request.user_agent.to_str().unwrap_or_default();
        let hangs_for = world.habits.get().hangs_for;
        if !hangs_for.is_empty() && name.starts_with(hangs_for) {
            pending::<()>().await;
        }
        pause().await;
    }
    drop(in_flight);
    Ok(Incoming {
        status,
        headers: HeaderMap::new(),
        body: Bytes::from(body),
    })
}

/// Lets the call look whether it is to end.
async fn pause() {
    let mut has_paused = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Whether this defect of `planted.patch` is to be there: the program must find it.
pub fn planted(name: &str) -> bool {
    static NAME: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    name == NAME.get_or_init(|| std::env::var("PLANTED").unwrap_or_default())
}

/// The age of the first token when the calls begin.
#[derive(Debug)]
pub struct Age(std::sync::atomic::AtomicU64);

impl Age {
    pub fn new() -> Arc<Age> {
        Arc::new(Age(std::sync::atomic::AtomicU64::new(0)))
    }

    pub fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for Age {
    fn boot(&self) -> BootTime {
        BootTime(Duration::from_secs(self.0.load(Ordering::Relaxed)))
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}
