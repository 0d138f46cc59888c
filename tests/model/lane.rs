//! In place of `src/lane.rs`: a thread drives its call with loom's executor, and there is no network.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use hyper::Response;
use loom::sync::Condvar;
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};

use crate::cause::Cause;
use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::events::Events;
use crate::options::Options;
use crate::process::Process;
use crate::route::Body;
use crate::sync::{Mutex, MutexGuard};
use crate::timer::Timer;
use crate::watched::Watched;

pub struct Lanes;

#[derive(Clone)]
pub struct Seat(Arc<Lanes>);

impl Deref for Seat {
    type Target = Lanes;

    fn deref(&self) -> &Lanes {
        &self.0
    }
}

pub struct SessionSeat;

impl SessionSeat {
    pub fn beside(_: &Seat) -> SessionSeat {
        SessionSeat
    }

    pub fn covers(&self, _: &Seat) -> bool {
        true
    }
}

#[derive(Default)]
pub struct Lane {
    pub route: Route,
    pub call_timer: Timer,
    pub attempt_timer: Timer,
}

#[derive(Default)]
pub struct Route;

impl Route {
    pub async fn send(
        &self,
        _: &Method,
        _: &Url,
        _: HeaderMap,
        _: Watched,
    ) -> Result<Response<Body>, Cause> {
        unreachable!("the model answers in the transport's place")
    }
}

impl Lanes {
    pub fn of(_: &Options, _: &Endpoint) -> Seat {
        Seat(Arc::new(Lanes))
    }

    pub fn is_proxied(&self) -> bool {
        false
    }

    /// The steps of the real one: work until it waits, hand out events, go on.
    pub fn run<T>(
        &self,
        process: Process,
        events: &Events<'_>,
        work: impl AsyncFnOnce(&Lane) -> Result<T>,
    ) -> Result<T> {
        let lane = Lane::default();
        let mut work = Box::pin(work(&lane));
        loop {
            let step = block_on(|context| match work.as_mut().poll(context) {
                Poll::Ready(result) => Poll::Ready(Some(result)),
                Poll::Pending if !events.is_empty() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            if !events.is_empty() {
                events.deliver(process)?;
            }
            if let Some(result) = step {
                return result;
            }
        }
    }
}

/// A thread sleeps until it is woken; a wake-up that comes first is kept. loom's own park loses one that
/// comes while the thread waits for a lock.
fn block_on<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    #[derive(Default)]
    struct Sleeper(loom::sync::Mutex<bool>, Condvar);
    impl Wake for Sleeper {
        fn wake(self: Arc<Sleeper>) {
            *self.0.lock().expect("a lock of the model") = true;
            self.1.notify_one();
        }
    }
    let sleeper = Arc::new(Sleeper::default());
    let waker = Waker::from(sleeper.clone());
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(result) = poll(&mut context) {
            return result;
        }
        let mut is_woken = sleeper.0.lock().expect("a lock of the model");
        while !std::mem::take(&mut *is_woken) {
            is_woken = sleeper.1.wait(is_woken).expect("a lock of the model");
        }
    }
}

pub async fn first<T>(
    mut one: Pin<&mut impl Future<Output = T>>,
    mut other: Pin<&mut impl Future<Output = T>>,
) -> T {
    std::future::poll_fn(|context| match one.as_mut().poll(context) {
        Poll::Pending => other.as_mut().poll(context),
        ready => ready,
    })
    .await
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
