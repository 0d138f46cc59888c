//! Renewal in every order that threads can take: each model below is run once for each. It ends at the
//! first that breaks a promise, which may be that a thread waits for ever.
//!
//!     renewal [NAME...]       all models, or those named

use std::panic;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use evrim::model::{Age, Habits, LIFE, LONG, URL, World, number};
use evrim::{Client, Options, Result, Status};
use loom::thread::JoinHandle;

/// What a call needs of a thread, and more.
const STACK: usize = 256 << 10;

static EXECUTIONS: AtomicU64 = AtomicU64::new(0);
static RUNNING: Mutex<&str> = Mutex::new("");

/// All orders of a few threads' steps are millions. Most defects need few preemptions: a thread that is taken
/// off at any step, where it could have gone on. So each model says how many of them are tried.
const MODELS: &[(&str, usize, fn())] = &[
    (
        "two_requests_meet_a_refused_token",
        4,
        two_requests_meet_a_refused_token,
    ),
    (
        "three_requests_meet_a_refused_token",
        2,
        three_requests_meet_a_refused_token,
    ),
    ("a_closed_leader_hands_over", 3, a_closed_leader_hands_over),
    (
        "a_closed_leader_hands_over_to_one_of_two",
        2,
        a_closed_leader_hands_over_to_one_of_two,
    ),
    (
        "a_cancel_ends_what_has_begun",
        3,
        a_cancel_ends_what_has_begun,
    ),
    (
        "a_freed_client_ends_its_calls",
        3,
        a_freed_client_ends_its_calls,
    ),
    ("a_deadline_ends_a_leader", 3, a_deadline_ends_a_leader),
    ("a_deadline_ends_a_waiter", 3, a_deadline_ends_a_waiter),
    (
        "a_refused_sign_in_is_not_repeated",
        4,
        a_refused_sign_in_is_not_repeated,
    ),
    (
        "a_changed_password_is_not_tried_twice",
        4,
        a_changed_password_is_not_tried_twice,
    ),
    ("set_token_during_a_renewal", 3, set_token_during_a_renewal),
    (
        "two_set_tokens_share_a_sign_in_or_follow_each_other",
        4,
        two_set_tokens,
    ),
    (
        "refresh_token_during_a_renewal",
        4,
        refresh_token_during_a_renewal,
    ),
    (
        "a_refused_new_token_is_not_sent_again",
        4,
        a_refused_new_token_is_not_sent_again,
    ),
    (
        "one_renews_early_and_the_other_goes_on",
        4,
        one_renews_early_and_the_other_goes_on,
    ),
    (
        "one_renews_at_the_end_and_the_other_waits",
        4,
        one_renews_at_the_end_and_the_other_waits,
    ),
    (
        "both_tokens_are_replaced_at_once",
        3,
        both_tokens_are_replaced_at_once,
    ),
    (
        "each_pair_is_told_once_in_order",
        3,
        each_pair_is_told_once_in_order,
    ),
    (
        "a_child_renews_wherever_it_was_forked",
        2,
        a_child_renews_wherever_it_was_forked,
    ),
];

fn main() {
    panic::set_hook(Box::new(|why| {
        let name = RUNNING.lock().map_or("?", |name| *name);
        let executions = EXECUTIONS.load(Ordering::Relaxed);
        println!("model: {name}: FAILED in execution {executions}: {why}");
        // Not unwound: the other threads of the model stand where they are.
        std::process::exit(1);
    }));
    let names: Vec<String> = std::env::args().skip(1).collect();
    // A number, or "all".
    let most = std::env::var("PREEMPTIONS").ok();
    let mut executions = 0;
    let mut models = 0;
    for (name, preemptions, model) in MODELS {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            let preemptions = match most.as_deref() {
                Some("all") => None,
                Some(most) => Some(most.parse().expect("PREEMPTIONS is a number or \"all\"")),
                None => Some(*preemptions),
            };
            executions += check(name, preemptions, *model);
            models += 1;
        }
    }
    assert!(models > 0, "no model has that name");
    println!("model: {models} models, {executions} executions: ok");
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
        let whole = spawn(move || {
            model();
            World::end();
        });
        whole.join().expect("a model that ends");
    });
    let executions = EXECUTIONS.load(Ordering::Relaxed);
    let bound = match preemptions {
        Some(most) => format!("all orders with at most {most} preemptions"),
        None => "all orders".to_owned(),
    };
    let seconds = begun.elapsed().as_secs_f64();
    println!("model: {name}: {bound}: {executions} executions, {seconds:.1} s");
    executions
}

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
    assert_eq!(
        (number(tokens.access.expose()), number(refresh.expose())),
        (wanted, wanted)
    );
}

/// What a call ends with.
fn status(result: Result<()>) -> Option<Status> {
    result.err().map(|error| error.status())
}

/// A second thread with a handle of its own.
fn at_once<T: Send + 'static>(
    client: &Client,
    set: impl FnOnce(&mut Options),
    call: impl FnOnce(&Client) -> T + Send + 'static,
) -> (Arc<Client>, JoinHandle<T>) {
    let own = handle(client, |options| {
        options.set_user_agent("second").expect("a name");
        set(options);
    });
    let moved = own.clone();
    (own, spawn(move || call(&moved)))
}

fn same(_: &mut Options) {}

fn short(options: &mut Options) {
    options
        .set_total_timeout(Duration::from_secs(60))
        .expect("a timeout");
}

fn request_once(client: &Client) -> Result<()> {
    request(client)
}

/// The token that was sent is the only one that is replaced: once, for both.
fn two_requests_meet_a_refused_token() {
    let (world, client) = signed_in(Habits::default(), same);
    world.revoke();
    let (_own, other) = at_once(&client, same, request_once);
    request(&client).expect("an answer");
    other.join().expect("a thread").expect("an answer");
    assert_eq!(world.seen().refreshed, [1]);
    assert_eq!(world.seen().sign_ins, 1);
    assert_pair(&client, 2);
}

fn three_requests_meet_a_refused_token() {
    let (world, client) = signed_in(Habits::default(), same);
    world.revoke();
    let (_second, second) = at_once(&client, same, request_once);
    let (_third, third) = at_once(&client, same, request_once);
    request(&client).expect("an answer");
    second.join().expect("a thread").expect("an answer");
    third.join().expect("a thread").expect("an answer");
    assert_eq!(world.seen().refreshed, [1]);
    assert_pair(&client, 2);
}

/// One whose renewals get no answer, and who is closed at any moment; the other needs the same token.
fn a_closed_leader_hands_over() {
    let habits = Habits {
        hangs_for: "second",
        ..Habits::default()
    };
    let (world, client) = signed_in(habits, same);
    world.revoke();
    let (own, other) = at_once(&client, same, request_once);
    let closing = spawn(move || own.close());
    request(&client).expect("an answer");
    closing.join().expect("a thread");
    let other = status(other.join().expect("a thread"));
    assert!(matches!(other, None | Some(Status::Cancelled)), "{other:?}");
    // The server rotates: what the other had asked for is lost, and only a sign-in helps then.
    let seen = world.seen();
    assert!(seen.refreshed.len() <= 2 && seen.sign_ins <= 2, "{seen:?}");
    assert_pair(&client, world.latest());
}

fn a_closed_leader_hands_over_to_one_of_two() {
    let habits = Habits {
        hangs_for: "second",
        ..Habits::default()
    };
    let (world, client) = signed_in(habits, same);
    world.revoke();
    let (own, other) = at_once(&client, same, request_once);
    let third = handle(&client, same);
    let third = spawn(move || request(&third));
    own.close();
    request(&client).expect("an answer");
    third.join().expect("a thread").expect("an answer");
    let other = status(other.join().expect("a thread"));
    assert!(matches!(other, None | Some(Status::Cancelled)), "{other:?}");
    assert_pair(&client, world.latest());
}

/// A cancel counts for a call that has begun, waiting or leading, and harms no other.
fn a_cancel_ends_what_has_begun() {
    let (world, client) = signed_in(Habits::default(), same);
    world.revoke();
    let (own, other) = at_once(&client, same, request_once);
    own.cancel();
    request(&client).expect("an answer");
    let other = status(other.join().expect("a thread"));
    assert!(matches!(other, None | Some(Status::Cancelled)), "{other:?}");
    // Once more: a cancel has no effect on what begins later.
    request(&own).expect("an answer");
    assert_pair(&client, world.latest());
}

/// As evrim_free does it: close, and let go of the handle. Neither gets an answer to its renewal.
fn a_freed_client_ends_its_calls() {
    let habits = Habits {
        hangs_for: "first",
        ..Habits::default()
    };
    let (world, client) = signed_in(habits, same);
    world.revoke();
    let calls = [client.clone(), client.clone()].map(|client| spawn(move || request(&client)));
    client.close();
    drop(client);
    for call in calls {
        assert_eq!(
            status(call.join().expect("a thread")),
            Some(Status::Cancelled)
        );
    }
}

/// The server answers one of them nothing: its time ends, and the other renews.
fn a_deadline_ends_a_leader() {
    let habits = Habits {
        hangs_for: "second",
        ..Habits::default()
    };
    let (world, client) = signed_in(habits, same);
    world.start_clock();
    world.revoke();
    let (_own, other) = at_once(&client, short, request_once);
    let passing = spawn(|| World::now().pass_time());
    request(&client).expect("an answer");
    passing.join().expect("a thread");
    let other = status(other.join().expect("a thread"));
    assert!(matches!(other, None | Some(Status::Timeout)), "{other:?}");
    assert_pair(&client, world.latest());
}

/// The leader hangs until it is closed, and that only when the waiter has ended.
fn a_deadline_ends_a_waiter() {
    let habits = Habits {
        hangs_for: "first",
        ..Habits::default()
    };
    let (world, client) = signed_in(habits, same);
    world.start_clock();
    world.revoke();
    let (_own, waiter) = at_once(&client, short, request_once);
    let leader = {
        let client = client.clone();
        spawn(move || request(&client))
    };
    world.pass_time();
    let waiter = status(waiter.join().expect("a thread"));
    assert!(matches!(waiter, None | Some(Status::Timeout)), "{waiter:?}");
    client.close();
    let leader = status(leader.join().expect("a thread"));
    assert!(
        matches!(leader, None | Some(Status::Cancelled)),
        "{leader:?}"
    );
}

/// Whoever meets the refusal, it is the only one.
fn a_refused_sign_in_is_not_repeated() {
    let habits = Habits {
        refuses_refresh: true,
        refuses_sign_in: true,
        ..Habits::default()
    };
    let (world, client) = signed_in(habits, same);
    world.revoke();
    let (_own, other) = at_once(&client, same, request_once);
    assert_eq!(status(request(&client)), Some(Status::Authentication));
    assert_eq!(
        status(other.join().expect("a thread")),
        Some(Status::Authentication)
    );
    let seen = world.seen();
    // The first sign-in of all was accepted.
    assert_eq!((seen.refreshed.len(), seen.sign_ins), (1, 2), "{seen:?}");
    assert_pair(&client, 1);
}

fn a_changed_password_is_not_tried_twice() {
    let habits = Habits {
        refuses_refresh: true,
        refuses_sign_in: true,
        code: "password_changed",
        ..Habits::default()
    };
    let (world, client) = signed_in(habits, same);
    world.revoke();
    let (_own, other) = at_once(&client, same, request_once);
    assert_eq!(status(request(&client)), Some(Status::Authentication));
    assert_eq!(
        status(other.join().expect("a thread")),
        Some(Status::Authentication)
    );
    let seen = world.seen();
    assert_eq!((seen.refreshed.len(), seen.sign_ins), (0, 2), "{seen:?}");
}

/// The program signs in anew while a request renews: each gets what it asked for.
fn set_token_during_a_renewal() {
    let (world, client) = signed_in(Habits::default(), same);
    world.revoke();
    let (_own, other) = at_once(&client, same, Client::set_token);
    request(&client).expect("an answer");
    other.join().expect("a thread").expect("a sign-in");
    let seen = world.seen();
    assert_eq!(seen.sign_ins, 2, "{seen:?}");
    assert!(seen.refreshed.len() <= 1, "{seen:?}");
    assert_pair(&client, world.latest());
}

fn two_set_tokens() {
    let (world, client) = signed_in(Habits::default(), same);
    let (_own, other) = at_once(&client, same, Client::set_token);
    client.set_token().expect("a sign-in");
    other.join().expect("a thread").expect("a sign-in");
    let seen = world.seen();
    assert!(seen.sign_ins == 2 || seen.sign_ins == 3, "{seen:?}");
    assert_pair(&client, world.latest());
}

/// The server takes each refresh token once: the explicit call and the request's own don't spend it twice.
fn refresh_token_during_a_renewal() {
    let (world, client) = signed_in(Habits::default(), same);
    world.revoke();
    let (_own, other) = at_once(&client, same, Client::refresh_token);
    request(&client).expect("an answer");
    other.join().expect("a thread").expect("a refresh");
    let seen = world.seen();
    assert!(
        seen.refreshed == [1] || seen.refreshed == [1, 2],
        "{seen:?}"
    );
    assert_eq!(seen.sign_ins, 1);
    assert_pair(&client, world.latest());
}

/// Whoever has seen the new token, and has it refused, does not take the renewal that it came from, and which may
/// not have ended yet, for one that replaces it.
fn a_refused_new_token_is_not_sent_again() {
    let (world, client) = signed_in(Habits::default(), same);
    let (_own, other) = at_once(&client, same, Client::refresh_token);
    if number(client.tokens().access.expose()) == 2 {
        world.revoke();
        request(&client).expect("an answer");
        assert_eq!(world.seen().requests, 2, "once with each token");
        assert_pair(&client, 3);
    }
    other.join().expect("a thread").expect("a refresh");
}

fn aged(seconds: u64) -> (Rc<World>, Arc<Client>) {
    let age = Age::new();
    let clock = age.clone();
    let (world, client) = signed_in(Habits::default(), |options| options.set_clock(clock));
    age.set(seconds);
    (world, client)
}

/// In the last fifth of its life the token still serves.
fn one_renews_early_and_the_other_goes_on() {
    let (world, client) = aged(LIFE - 40);
    let (_own, other) = at_once(&client, same, request_once);
    request(&client).expect("an answer");
    other.join().expect("a thread").expect("an answer");
    let seen = world.seen();
    assert_eq!(
        (&seen.refreshed[..], seen.sign_ins),
        (&[1][..], 1),
        "{seen:?}"
    );
    assert_pair(&client, 2);
}

/// In the last twentieth all wait, and nobody is refused.
fn one_renews_at_the_end_and_the_other_waits() {
    let (world, client) = aged(LIFE - 10);
    let (_own, other) = at_once(&client, same, request_once);
    request(&client).expect("an answer");
    other.join().expect("a thread").expect("an answer");
    let seen = world.seen();
    assert_eq!(
        (&seen.refreshed[..], seen.sign_ins),
        (&[1][..], 1),
        "{seen:?}"
    );
    assert_eq!(seen.requests, 2, "{seen:?}");
    assert_pair(&client, 2);
}

/// Whoever looks meanwhile sees both tokens of one pair, and never an older one after a newer one.
fn both_tokens_are_replaced_at_once() {
    let (_world, client) = signed_in(Habits::default(), same);
    let (_own, refresh) = at_once(&client, same, Client::refresh_token);
    let (_third, sign_in) = at_once(&client, same, Client::set_token);
    let mut last = 0;
    for _ in 0..3 {
        let tokens = client.tokens();
        let refresh = tokens.refresh.as_ref().expect("a refresh token");
        let pair = number(tokens.access.expose());
        assert_eq!(pair, number(refresh.expose()));
        assert!(pair >= last, "{pair} after {last}");
        last = pair;
    }
    refresh.join().expect("a thread").expect("a refresh");
    sign_in.join().expect("a thread").expect("a sign-in");
    assert_pair(&client, 3);
}

/// Each thread may tell the program: no pair twice, none after a later one, and the last for certain.
fn each_pair_is_told_once_in_order() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let hear = told.clone();
    let (world, client) = signed_in(Habits::default(), |options| {
        options.set_on_tokens(Some(Arc::new(move |change| {
            let refresh = change.refresh.map(number);
            // A callback takes its time.
            World::now().latest();
            assert_eq!(refresh, Some(number(change.access)));
            hear.lock().expect("what was told").extend(refresh);
        })));
    });
    let (_own, other) = at_once(&client, same, Client::set_token);
    client.refresh_token().expect("a refresh");
    other.join().expect("a thread").expect("a sign-in");
    let told = told.lock().expect("what was told").clone();
    assert!(told.is_sorted_by(|one, next| one < next), "{told:?}");
    assert_eq!(told.last(), Some(&world.latest()), "{told:?}");
}

/// The child begins while the parent's thread stands at any step of its renewal, with any lock in its hand.
fn a_child_renews_wherever_it_was_forked() {
    let (world, client) = signed_in(Habits::default(), same);
    world.revoke();
    world.allow_fork();
    let (_own, parent) = at_once(&client, same, request_once);
    world.fork();
    // An earlier fork finds the parent's token refused, a later one its new one good.
    request(&client).expect("an answer in the child");
    client.set_token().expect("a sign-in in the child");
    world.thaw();
    // In truth the parent's memory is its own: here it only has to end.
    let _ = parent.join().expect("a thread");
}
