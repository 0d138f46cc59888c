//! Renewal in every order that threads can take: each model below is run once for each. It ends at the
//! first that breaks a promise, which may be that a thread waits for ever.
//!
//!     renewal [NAME...]       all models, or those named

use std::panic;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use evrim::model::{Age, Habits, LONG, URL, World, number};
use evrim::{Client, Options, Result, Status};
use loom::thread::JoinHandle;

/// What a call needs of a thread, and more.
const STACK: usize = 256 << 10;

static EXECUTIONS: AtomicU64 = AtomicU64::new(0);
static RUNNING: Mutex<&str> = Mutex::new("");

fn main() {
    panic::set_hook(Box::new(|why| {
        let name = RUNNING.lock().map_or("?", |name| *name);
        let executions = EXECUTIONS.load(Ordering::Relaxed);
        println!("{name}: FAILED in execution {executions}: {why}");
        // Not unwound: the other threads of the model stand where they are.
        std::process::exit(1);
    }));
    // Its time is never waited for: the model has a clock of its own.
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut all = 0;
    let override_bound = std::env::var("BOUND").ok().and_then(|b| b.parse().ok());
    for (name, preemptions, model) in MODELS {
        let preemptions = &override_bound.or(*preemptions);
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        all += check(name, *preemptions, *model);
    }
    println!("model: {all} executions, ok");
}

fn check(name: &'static str, preemptions: Option<usize>, model: fn()) -> u64 {
    *RUNNING.lock().expect("the name") = name;
    EXECUTIONS.store(0, Ordering::Relaxed);
    let begun = Instant::now();
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    builder.preemption_bound = preemptions;
    builder.check(move || {
        EXECUTIONS.fetch_add(1, Ordering::Relaxed);
        // The first thread's stack is a small one.
        spawn(move || {
            model();
            World::end();
        })
        .join()
        .expect("a model that ends");
    });
    let executions = EXECUTIONS.load(Ordering::Relaxed);
    let bound = match preemptions {
        Some(most) => format!("at most {most} preemptions"),
        None => "all".to_owned(),
    };
    let seconds = begun.elapsed().as_secs_f64();
    println!("{name}: {executions} executions ({bound}), {seconds:.1} s");
    executions
}

/// Each with how many preemptions are tried, `None` for all orders.
const MODELS: &[(&str, Option<usize>, fn())] = &[
    ("two_requests_meet_a_refused_token", None, two_requests_meet_a_refused_token),
];

fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let builder = loom::thread::Builder::new().stack_size(STACK);
    builder.spawn(work).expect("a thread")
}

/// A client that signed in just now, and its world.
fn signed_in(habits: Habits, set: impl FnOnce(&mut Options)) -> (Rc<World>, Arc<Client>) {
    let world = World::begin(Habits::default());
    let mut options = Options::default();
    options.set_total_timeout(LONG).expect("a timeout");
    options.set_user_agent("first").expect("a name");
    set(&mut options);
    let client = Client::sign_in(URL, "alice", "secret", options).expect("a sign-in");
    world.habits.set(habits);
    (world, Arc::new(client))
}

/// Another handle on the same session: a cancel and a deadline of its own.
fn handle(client: &Client, set: impl FnOnce(&mut Options)) -> Arc<Client> {
    let mut options = client.options().clone();
    set(&mut options);
    Arc::new(client.clone_with(Some(options)).expect("a clone"))
}

fn request(client: &Client) -> Result<()> {
    client.request("GET", "things/", None).map(drop)
}

/// Both tokens are of one pair, and of this one.
fn assert_pair(client: &Client, wanted: u32) {
    let tokens = client.tokens();
    let refresh = tokens.refresh.as_ref().expect("a refresh token");
    assert_eq!((number(tokens.access.expose()), number(refresh.expose())), (wanted, wanted));
}

/// The token that was sent is the only one that is replaced: once, for both.
fn two_requests_meet_a_refused_token() {
    let (world, client) = signed_in(Habits::default(), |_| {});
    world.revoke();
    let clone = handle(&client, |_| {});
    let other = spawn(move || request(&clone));
    request(&client).expect("an answer");
    other.join().expect("a thread").expect("an answer");
    assert_eq!(world.seen().refreshed, [1]);
    assert_eq!(world.seen().sign_ins, 1);
    assert_pair(&client, 2);
}
