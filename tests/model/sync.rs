//! In place of the kinds of `src/sync.rs`: the same promises, built of loom's mutex and atomics, so that
//! loom sees each step. What tokio, arc-swap and once_cell promise is taken as kept.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LockResult, PoisonError};
use std::task::{Context, Poll, Waker};

pub use loom::sync::MutexGuard;
use loom::sync::atomic::{AtomicBool as LoomBool, AtomicUsize};

use super::World;

/// loom's has no `const`.
macro_rules! model_thread_local {
    ($(#[$about:meta])* static $name:ident: $kind:ty = const { $value:expr };) => {
        loom::thread_local! {
            $(#[$about])*
            static $name: $kind = $value;
        }
    };
}
pub(crate) use model_thread_local as thread_local;

/// Each step is a place where a fork may find the thread.
fn step() {
    World::step();
}

/// For what is read by several threads and then written by one. Of each atomic loom knows the last access
/// only: where that is the writer's own, it does not try the write before the others' reads. A count, which
/// no two can make at once, puts them all in an order.
struct Order(AtomicUsize);

impl Order {
    fn new() -> Order {
        Order(AtomicUsize::new(0))
    }

    /// Before each access. Relaxed: it makes nothing visible.
    fn step(&self) {
        step();
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub fn new(value: T) -> Mutex<T> {
        Mutex(loom::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        step();
        let guard = self.0.lock();
        // A fork may find it locked.
        step();
        guard
    }
}

pub struct AtomicBool(LoomBool, Order);

impl AtomicBool {
    pub fn new(value: bool) -> AtomicBool {
        AtomicBool(LoomBool::new(value), Order::new())
    }

    pub fn load(&self, order: Ordering) -> bool {
        self.1.step();
        self.0.load(order)
    }

    pub fn store(&self, value: bool, order: Ordering) {
        self.1.step();
        self.0.store(value, order);
    }
}

impl std::fmt::Debug for AtomicBool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AtomicBool")
    }
}

/// All values that there were; the place of the present one is what threads share.
pub struct ArcSwap<T> {
    values: RefCell<Vec<Arc<T>>>,
    place: AtomicUsize,
    order: Order,
}

// loom runs all threads of the model on one.
#[allow(unsafe_code)]
unsafe impl<T: Send + Sync> Sync for ArcSwap<T> {}

impl<T> ArcSwap<T> {
    pub fn from_pointee(value: T) -> ArcSwap<T> {
        ArcSwap {
            values: RefCell::new(vec![Arc::new(value)]),
            place: AtomicUsize::new(0),
            order: Order::new(),
        }
    }

    pub fn load(&self) -> Arc<T> {
        self.load_full()
    }

    pub fn load_full(&self) -> Arc<T> {
        self.order.step();
        let place = self.place.load(Ordering::Acquire);
        self.values
            .borrow()
            .get(place)
            .expect("a stored value")
            .clone()
    }

    pub fn store(&self, value: Arc<T>) {
        self.order.step();
        let place = {
            let mut values = self.values.borrow_mut();
            values.push(value);
            values.len() - 1
        };
        self.place.store(place, Ordering::Release);
    }
}

/// Set once. Stands for `once_cell::sync::OnceCell`, and in a box for `once_cell::race::OnceBox`.
pub struct OnceCell<T> {
    is_set: LoomBool,
    order: Order,
    value: std::cell::OnceCell<T>,
}

pub type OnceBox<T> = OnceCell<Box<T>>;

// As above.
#[allow(unsafe_code)]
unsafe impl<T: Send + Sync> Sync for OnceCell<T> {}

impl<T> OnceCell<T> {
    pub fn new() -> OnceCell<T> {
        OnceCell {
            is_set: LoomBool::new(false),
            order: Order::new(),
            value: std::cell::OnceCell::new(),
        }
    }

    pub fn get(&self) -> Option<&T> {
        self.order.step();
        if self.is_set.load(Ordering::Acquire) {
            self.value.get()
        } else {
            None
        }
    }

    pub fn set(&self, value: T) -> Result<(), T> {
        self.order.step();
        match self
            .is_set
            .compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => self.value.set(value),
            Err(_) => Err(value),
        }
    }
}

impl<T> std::fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnceCell")
    }
}

/// Of tokio's: a wait ends with the first `notify_waiters` after it was made, polled before or not.
pub struct Notify {
    calls: AtomicUsize,
    order: Order,
    waits: loom::sync::Mutex<Waits>,
}

#[derive(Default)]
struct Waits {
    next: usize,
    wakers: Vec<(usize, Waker)>,
}

impl Notify {
    pub fn new() -> Notify {
        Notify {
            calls: AtomicUsize::new(0),
            order: Order::new(),
            waits: loom::sync::Mutex::new(Waits::default()),
        }
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        step();
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn notified(&self) -> Notified<'_> {
        self.order.step();
        Notified {
            notify: self,
            calls: self.calls.load(Ordering::Acquire),
            place: None,
        }
    }

    pub fn notify_waiters(&self) {
        let mut waits = self.waits();
        self.order.step();
        self.calls.fetch_add(1, Ordering::AcqRel);
        let wakers = std::mem::take(&mut waits.wakers);
        drop(waits);
        for (_, waker) in wakers {
            waker.wake();
        }
    }
}

pub struct Notified<'a> {
    notify: &'a Notify,
    calls: usize,
    place: Option<usize>,
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let notify = self.notify;
        let mut waits = notify.waits();
        if notify.calls.load(Ordering::Acquire) != self.calls {
            drop(waits);
            self.place = None;
            return Poll::Ready(());
        }
        match self.place {
            Some(place) => {
                if let Some((_, waker)) = waits.wakers.iter_mut().find(|(at, _)| *at == place) {
                    waker.clone_from(context.waker());
                }
            }
            None => {
                let place = waits.next;
                waits.next += 1;
                waits.wakers.push((place, context.waker().clone()));
                drop(waits);
                self.place = Some(place);
            }
        }
        Poll::Pending
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.notify.waits().wakers.retain(|(at, _)| *at != place);
        }
    }
}
