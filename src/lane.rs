//! The pool that runs requests. A lane is a current-thread runtime with a kept connection of its own;
//! the calling thread borrows one and drives it, so that no thread of ours is needed.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::runtime::{Handle, Runtime};
use url::Url;

use crate::clock::{BootTime, Clock, SystemClock};
use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::error::{Error, Result, Status};
use crate::events::Events;
use crate::names::ThreadResolver;
use crate::options::Options;
use crate::process::{PerProcess, Process};
use crate::proxy::Proxy;
use crate::route::Route;
use crate::timer::Timer;
use crate::tls::{TlsOptions, Trust};

/// A kept connection that is older than this is not used again.
const KEEP_IDLE: Duration = Duration::from_secs(90);
/// Sets of options that stay ready although no client uses them any more.
const KEEP_UNUSED: usize = 8;

/// What two clients must have in common to share lanes.
#[derive(PartialEq, Eq)]
struct Profile {
    /// The base URL down to its port.
    server: Url,
    tls: TlsOptions,
    connect_timeout: Duration,
    proxy: Proxy,
}

impl Profile {
    /// A proxy's password or a client's key: not to be kept for a client that may come.
    fn holds_secret(&self) -> bool {
        matches!(self.proxy, Proxy::Url(_)) || self.tls.identity.is_some()
    }
}

/// The lanes of all clients with the same profile.
pub struct Lanes {
    profile: Profile,
    trust: Arc<Trust>,
    idle: PerProcess<Mutex<VecDeque<Lane>>>,
    clients: AtomicUsize,
    /// Counts the sessions that have ended.
    era: AtomicU64,
}

/// A client's share in the lanes. With the last one the kept connections are closed: whoever frees a
/// client expects its sockets to go.
pub struct Seat(Arc<Lanes>);

impl Seat {
    fn take(lanes: Arc<Lanes>) -> Seat {
        lanes.clients.fetch_add(1, Ordering::Relaxed);
        Seat(lanes)
    }
}

impl Clone for Seat {
    fn clone(&self) -> Seat {
        Seat::take(self.0.clone())
    }
}

impl Deref for Seat {
    type Target = Lanes;

    fn deref(&self) -> &Lanes {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.0.clients.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.close_idle();
            if self.0.profile.holds_secret() {
                self.0.forget();
            }
        }
    }
}

/// A session's share: at its end every connection is closed that may have carried its tokens, for
/// these still stand in the connection's buffers.
pub struct SessionSeat(Arc<Lanes>);

impl SessionSeat {
    pub fn beside(seat: &Seat) -> SessionSeat {
        SessionSeat(seat.0.clone())
    }

    pub fn covers(&self, seat: &Seat) -> bool {
        Arc::ptr_eq(&self.0, &seat.0)
    }
}

impl Drop for SessionSeat {
    fn drop(&mut self) {
        // Those in use meanwhile are closed when they come back.
        self.0.era.fetch_add(1, Ordering::Relaxed);
        self.0.close_idle();
    }
}

/// A forked child finds a list of its own; see `process.rs`.
static ALL: PerProcess<Mutex<Vec<Arc<Lanes>>>> = PerProcess::new();

impl Lanes {
    pub fn of(options: &Options, endpoint: &Endpoint) -> Seat {
        let server = endpoint.server();
        Seat::take(Lanes::find(Profile {
            tls: options.tls.clone(),
            connect_timeout: options.connect_timeout,
            proxy: options.proxy.for_server(&server, endpoint.is_loopback()),
            server,
        }))
    }

    /// Whether requests go through a proxy.
    pub fn is_proxied(&self) -> bool {
        self.profile.proxy != Proxy::Direct
    }

    fn find(profile: Profile) -> Arc<Lanes> {
        let mut all = lock(ALL.get(Process::current(), |_| Mutex::default()));
        if let Some(lanes) = all.iter().find(|lanes| lanes.profile == profile) {
            return lanes.clone();
        }
        let mut unused = Vec::new();
        if all.len() >= KEEP_UNUSED {
            let (used, others) = all
                .drain(..)
                .partition(|lanes| Arc::strong_count(lanes) > 1);
            *all = used;
            unused = others;
        }
        let lanes = Arc::new(Lanes {
            // Its authorities are read once for all servers.
            trust: all
                .iter()
                .find(|lanes| lanes.profile.tls == profile.tls)
                .map(|lanes| lanes.trust.clone())
                .unwrap_or_else(|| Arc::new(Trust::new(profile.tls.clone()))),
            profile,
            idle: PerProcess::new(),
            clients: AtomicUsize::new(0),
            era: AtomicU64::new(0),
        });
        all.push(lanes.clone());
        // Closing their connections takes time: not under the lock.
        drop(all);
        drop(unused);
        lanes
    }

    /// Runs `work` on a lane, driven by this thread. Events are handed out while it waits.
    pub fn run<T>(
        &self,
        process: Process,
        events: &Events<'_>,
        work: impl AsyncFnOnce(&Lane) -> Result<T>,
    ) -> Result<T> {
        if Handle::try_current().is_ok() {
            return Err(Error::invalid_argument(
                "called from inside an async runtime, which this call would block: call it from a \
                 thread of its own, such as with spawn_blocking",
            ));
        }
        let lane = self.borrow(process)?;
        let Some(runtime) = &lane.runtime else {
            return Err(Error::new(Status::Internal, "a lane without its runtime"));
        };
        let result = {
            let mut work = Box::pin(async {
                let result = work(&lane).await;
                if result.is_err() {
                    settle().await;
                }
                result
            });
            loop {
                let step = runtime.block_on(poll_fn(|context| match work.as_mut().poll(context) {
                    Poll::Ready(result) => Poll::Ready(Some(result)),
                    Poll::Pending if !events.is_empty() => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }));
                if !events.is_empty() {
                    let delivered = events.deliver(process);
                    if Process::current() != process {
                        // It holds places in queues of the parent, whose locks another thread may
                        // have had when the child began: those are not to be waited for.
                        std::mem::forget(work);
                        return Err(Error::new(
                            Status::Cancelled,
                            "a callback forked: this call belongs to the parent process",
                        ));
                    }
                    delivered?;
                }
                if let Some(result) = step {
                    break result;
                }
            }
        };
        self.give_back(lane);
        result
    }

    fn borrow(&self, process: Process) -> Result<Lane> {
        // The one used last is taken first: its connections are the freshest.
        let mut idle = lock(self.idle(process));
        let stale = match idle.pop_back() {
            Some(lane) if lane.used.until(SystemClock.boot()) <= KEEP_IDLE => return Ok(lane),
            Some(lane) => {
                let mut stale = std::mem::take(&mut *idle);
                stale.push_back(lane);
                stale
            }
            None => VecDeque::new(),
        };
        drop(idle);
        drop(stale);
        self.open(process)
    }

    /// Takes these lanes out of the list; they go with the last who holds them.
    fn forget(&self) {
        let mut all = lock(ALL.get(Process::current(), |_| Mutex::default()));
        let place = all
            .iter()
            .position(|lanes| std::ptr::eq(Arc::as_ptr(lanes), self));
        let gone = place.map(|place| all.swap_remove(place));
        drop(all);
        drop(gone);
    }

    fn close_idle(&self) {
        let idle = std::mem::take(&mut *lock(self.idle(Process::current())));
        drop(idle);
    }

    fn give_back(&self, mut lane: Lane) {
        lane.used = SystemClock.boot();
        let mut idle = lock(self.idle(lane.process));
        // Looked at under the lock: a session that ends now closes what is in the list.
        if lane.era != self.era.load(Ordering::Relaxed) {
            drop(idle);
            return;
        }
        // After a burst of threads the extra lanes go, one with each call.
        let stale = match idle.front() {
            Some(oldest) if oldest.used.until(lane.used) > KEEP_IDLE => idle.pop_front(),
            _ => None,
        };
        idle.push_back(lane);
        drop(idle);
        drop(stale);
    }

    fn idle(&self, process: Process) -> &Mutex<VecDeque<Lane>> {
        self.idle.get(process, |_| Mutex::default())
    }

    fn open(&self, process: Process) -> Result<Lane> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|why| {
                Error::new(
                    Status::Io,
                    format!("the system gives no means to wait for the network: {why}"),
                )
            })?;
        let tls = self.trust.config(process)?;
        let route = if self.is_proxied() {
            Route::Proxy(self.proxy_client(&tls)?)
        } else {
            let Profile {
                server,
                connect_timeout,
                ..
            } = &self.profile;
            Route::Direct(Box::new(Connection::new(server, tls, *connect_timeout)?))
        };
        Ok(Lane {
            process,
            era: self.era.load(Ordering::Relaxed),
            used: SystemClock.boot(),
            route,
            call_timer: Timer::default(),
            attempt_timer: Timer::default(),
            runtime: Some(runtime),
        })
    }

    fn proxy_client(&self, tls: &ClientConfig) -> Result<reqwest::Client> {
        let builder = self.profile.proxy.apply(reqwest::Client::builder())?;
        builder
            .tls_backend_preconfigured(tls.clone())
            .connect_timeout(self.profile.connect_timeout)
            .pool_idle_timeout(KEEP_IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .tcp_nodelay(true)
            .dns_resolver(ThreadResolver)
            .build()
            .map_err(|why| {
                Error::new(
                    Status::Internal,
                    format!("the HTTP client can't be made: {why}"),
                )
            })
    }
}

pub struct Lane {
    process: Process,
    era: u64,
    /// On the clock that goes on while the machine sleeps: what was fresh before may be dead after.
    used: BootTime,
    pub route: Route,
    pub call_timer: Timer,
    pub attempt_timer: Timer,
    /// Always there, but while it is dropped.
    runtime: Option<Runtime>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        // A parent's sockets and its poller are not the child's to close: what is never dropped stays as
        // it is.
        let runtime = self.runtime.take();
        if self.process != Process::current() {
            self.route.abandon();
            std::mem::forget(runtime);
            self.call_timer.abandon();
            self.attempt_timer.abandon();
        } else if let (Some(runtime), Ok(_)) = (runtime, Handle::try_current()) {
            // A Rust program may drop a client in a runtime of its own, where no other may be waited for.
            runtime.shutdown_background();
        }
    }
}

/// Lets the connections of the running lane notice what happened to them: that the server closed
/// one, or that a call was given up.
pub async fn settle() {
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}

/// The first of the two to end. They come pinned: a future that is passed on takes its room twice.
pub async fn first<T>(
    mut one: Pin<&mut impl Future<Output = T>>,
    mut other: Pin<&mut impl Future<Output = T>>,
) -> T {
    poll_fn(|context| match one.as_mut().poll(context) {
        Poll::Pending => other.as_mut().poll(context),
        ready => ready,
    })
    .await
}

/// A panic under one of our locks leaves nothing half done.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
