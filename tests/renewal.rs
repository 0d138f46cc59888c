//! A session renews its tokens in time, once for all who ask, and never kills itself.
//!
//! Time is the tests' own: a token lives 300 s, and the clock is moved to the moment of interest.

mod support;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use evrim::{BootTime, Client, Clock, Error, Options, Status};
use serde_json::{Value, json};
use support::sandbox::{
    API_TOKEN, Config, Fault, FaultKind, PASSWORD, Sandbox, USERNAME, UserState,
};

const LIFE: u64 = 300;
/// In the last fifth whatever the jitter, and far from the last twentieth.
const SOON: u64 = LIFE - LIFE / 5 + LIFE / 25 + 1;
/// In the last twentieth.
const NOW: u64 = LIFE - LIFE / 20 + 1;
const PAST: u64 = LIFE + 1;
/// Nothing here takes longer, however slow the machine.
const LONG: Duration = Duration::from_secs(10);

const REFRESH: &str = "POST /token/refresh/";
const SIGN_IN: &str = "POST /token/";
const RESEARCH: &str = "POST /research/";
const RESEARCH_BODY: &[u8] =
    br#"{"url": "https://example.org/", "title": "t", "description": "d"}"#;

/// Boot time stands still until it is moved; wall time is the real one plus an error.
#[derive(Debug, Default)]
struct TestClock {
    boot_ms: AtomicU64,
    wall_error: AtomicI64,
}

impl TestClock {
    fn pass(&self, seconds: u64) {
        self.boot_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    fn set_wall_off(&self, seconds: i64) {
        self.wall_error.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn boot(&self) -> BootTime {
        // The machine has been up for a day.
        let up = Duration::from_secs(86_400);
        BootTime(up + Duration::from_millis(self.boot_ms.load(Ordering::SeqCst)))
    }

    fn wall(&self) -> SystemTime {
        let error = self.wall_error.load(Ordering::SeqCst);
        let size = Duration::from_secs(error.unsigned_abs());
        match error < 0 {
            true => SystemTime::now() - size,
            false => SystemTime::now() + size,
        }
    }
}

/// A server, and a clock for its clients.
struct Scene {
    sandbox: Sandbox,
    clock: Arc<TestClock>,
}

impl Scene {
    fn new() -> Scene {
        Scene::with(Config::default())
    }

    fn rotating() -> Scene {
        Scene::with(Config {
            rotate: true,
            ..Config::default()
        })
    }

    fn with(config: Config) -> Scene {
        assert_eq!(config.access_lifetime, Duration::from_secs(LIFE));
        Scene {
            sandbox: Sandbox::start(config),
            clock: Arc::default(),
        }
    }

    fn options(&self) -> Options {
        let mut options = Options::default();
        options.set_clock(self.clock.clone());
        options
    }

    /// Without retries a failure shows at once.
    fn no_retries(&self) -> Options {
        let mut options = self.options();
        options.set_retries(0).expect("0 is allowed");
        options
    }

    /// Signed in, with every count of the server back at nothing.
    fn signed_in(&self) -> Client {
        self.signed_in_with(self.options())
    }

    fn signed_in_with(&self, options: Options) -> Client {
        let client = Client::sign_in(&self.sandbox.url(), USERNAME, PASSWORD, options)
            .expect("the sandbox lets the demo user in");
        self.sandbox.reset_counters();
        client
    }

    /// From tokens alone, unverified.
    fn resumed(&self, access: &str, refresh: Option<&str>) -> Client {
        let mut options = self.options();
        options.set_validate_on_start(false);
        Client::from_token(&self.sandbox.url(), access, refresh, options)
            .expect("nothing is asked of the server")
    }

    /// With good tokens, but no credentials.
    fn without_credentials(&self) -> Client {
        let (access, refresh) = self.sandbox.token_pair();
        let client = self.resumed(&access, Some(&refresh));
        // The first answer tells how old the token is.
        get(&client).expect("a good token");
        self.sandbox.reset_counters();
        client
    }

    fn seen(&self, request: &str) -> u64 {
        self.sandbox.counters().of(request)
    }

    /// From here on the server refuses the tokens that it gave out, so that any use of one shows.
    fn refuse_old_tokens(&self) {
        self.sandbox.revoke_access_tokens();
    }

    fn fault(&self, request: &str, kind: FaultKind, times: u32) {
        self.sandbox.fault(Fault::new(request, kind).times(times));
    }

    /// Waits until the server has seen so many of these requests.
    fn wait_for(&self, request: &str, count: u64) {
        until(request, || self.seen(request) >= count);
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn get(client: &Client) -> Result<Value, Error> {
    let response = client.request("GET", "echo/", None)?;
    Ok(serde_json::from_slice(response.body()).expect("JSON"))
}

/// A request that may not be acted on twice.
fn submit(client: &Client) -> Result<u16, Error> {
    let response = client.request("POST", "research/", Some(RESEARCH_BODY))?;
    Ok(response.status())
}

/// The token that a request goes out with.
fn token_in_use(client: &Client) -> String {
    let seen = get(client).expect("an answer");
    let header = seen["headers"]["authorization"].as_str().expect("a header");
    header.strip_prefix("Bearer ").expect("a token").to_owned()
}

fn access_of(client: &Client) -> String {
    client.copy_access_token().expose().to_owned()
}

fn refresh_of(client: &Client) -> String {
    let token = client.copy_refresh_token().expect("a refresh token");
    token.expose().to_owned()
}

/// The same call from so many threads at once.
fn at_once<T: Send>(threads: usize, call: impl Fn() -> T + Sync) -> Vec<T> {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    call()
                })
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    })
}

// ---- how a session begins, and how its tokens are replaced on demand

#[test]
fn a_sign_in_keeps_both_tokens() {
    let scene = Scene::new();
    let client = Client::sign_in(&scene.sandbox.url(), USERNAME, PASSWORD, scene.options())
        .expect("the sandbox lets the demo user in");
    assert_eq!(
        (scene.seen(SIGN_IN), scene.sandbox.counters().total),
        (1, 1)
    );
    let (access, refresh) = (access_of(&client), refresh_of(&client));
    assert_eq!(token_in_use(&client), access);
    assert!(client.validate_token().expect("an answer"));
    // The refresh token that was kept does its work, too.
    client.refresh_token().expect("a new access token");
    assert_eq!(refresh_of(&client), refresh);
    assert_eq!((scene.seen(SIGN_IN), scene.seen(REFRESH)), (1, 1));
}

#[test]
fn a_start_from_a_token_keeps_what_it_was_given() {
    let scene = Scene::new();
    let (access, refresh) = scene.sandbox.token_pair();
    for given in [Some(refresh.as_str()), None] {
        let url = scene.sandbox.url();
        let client = Client::from_token(&url, &access, given, scene.options()).expect("good");
        assert_eq!(access_of(&client), access);
        let kept = client.copy_refresh_token();
        assert_eq!(kept.as_ref().map(|token| token.expose()), given);
        assert_eq!(token_in_use(&client), access);
    }
    assert_eq!(scene.seen("POST /token/verify/"), 2);
}

#[test]
fn set_token_signs_in_again_and_replaces_both_tokens() {
    for scene in [Scene::new(), Scene::rotating()] {
        let client = scene.signed_in();
        let (access, refresh) = (access_of(&client), refresh_of(&client));
        client.set_token().expect("the credentials are good");
        assert_ne!(access_of(&client), access);
        assert_ne!(refresh_of(&client), refresh);
        assert_eq!(token_in_use(&client), access_of(&client));
        assert_eq!((scene.seen(SIGN_IN), scene.seen(REFRESH)), (1, 0));
    }
}

#[test]
fn refresh_token_replaces_the_access_token_and_signs_in_nowhere() {
    for (scene, rotates) in [(Scene::new(), false), (Scene::rotating(), true)] {
        let client = scene.signed_in();
        let (access, refresh) = (access_of(&client), refresh_of(&client));
        client.refresh_token().expect("the refresh token is good");
        assert_ne!(access_of(&client), access);
        assert_eq!(refresh_of(&client) != refresh, rotates);
        assert_eq!(token_in_use(&client), access_of(&client));
        assert_eq!((scene.seen(SIGN_IN), scene.seen(REFRESH)), (0, 1));
    }
}

// ---- the two windows

#[test]
fn before_the_last_fifth_nothing_is_renewed() {
    let scene = Scene::new();
    let client = scene.signed_in();
    let token = access_of(&client);
    scene.clock.pass(LIFE - LIFE / 5 - 1);
    assert_eq!(token_in_use(&client), token);
    assert_eq!(scene.seen(REFRESH), 0);
}

#[test]
fn in_the_last_fifth_one_call_renews_before_its_own_request() {
    let scene = Scene::new();
    let client = scene.signed_in();
    let old = access_of(&client);
    scene.clock.pass(SOON);
    let used = token_in_use(&client);
    assert_ne!(used, old);
    assert_eq!(used, access_of(&client));
    // The new token is young.
    assert_eq!(token_in_use(&client), used);
    assert_eq!((scene.seen(REFRESH), scene.seen(SIGN_IN)), (1, 0));
}

#[test]
fn in_the_last_fifth_the_others_go_on_with_the_old_token() {
    let scene = Scene::new();
    let client = scene.signed_in();
    let old = access_of(&client);
    scene.fault(REFRESH, FaultKind::Silent, 1);
    scene.clock.pass(SOON);
    thread::scope(|scope| {
        let renewing = scope.spawn(|| get(&client));
        scene.wait_for(REFRESH, 1);
        for used in at_once(8, || {
            token_in_use(&client.clone_with(None).expect("a clone"))
        }) {
            assert_eq!(used, old);
        }
        assert_eq!(scene.seen(REFRESH), 1);
        client.cancel();
        let ended = renewing.join().expect("no panic");
        assert_eq!(ended.expect_err("cancelled").status(), Status::Cancelled);
    });
}

#[test]
fn an_early_renewal_that_fails_is_let_pass_and_not_tried_by_every_call() {
    let scene = Scene::new();
    let client = scene.signed_in_with(scene.no_retries());
    let old = access_of(&client);
    scene.sandbox.fault(Fault::status(REFRESH, 503));
    scene.clock.pass(SOON);
    for _ in 0..5 {
        assert_eq!(token_in_use(&client), old);
    }
    assert_eq!(scene.seen(REFRESH), 1);
    // A twentieth of its life later it is time for another.
    scene.clock.pass(LIFE / 20 + 1);
    assert_eq!(token_in_use(&client), old);
    assert_eq!(scene.seen(REFRESH), 2);
}

#[test]
fn an_early_renewal_that_fails_is_tried_once_however_many_call() {
    let scene = Scene::new();
    let client = scene.signed_in_with(scene.no_retries());
    scene.sandbox.fault(Fault::status(REFRESH, 503));
    scene.clock.pass(SOON);
    at_once(16, || {
        for _ in 0..10 {
            get(&client).expect("the old token still serves");
        }
    });
    assert_eq!(scene.seen(REFRESH), 1);
}

#[test]
fn an_early_renewal_that_hangs_is_let_pass_too() {
    let scene = Scene::new();
    let mut options = scene.options();
    let short = Duration::from_secs(1);
    options.set_total_timeout(short).expect("a good value");
    let client = scene.signed_in_with(options);
    let old = access_of(&client);
    scene.sandbox.fault(Fault::new(REFRESH, FaultKind::Silent));
    scene.clock.pass(SOON);
    for _ in 0..5 {
        assert_eq!(token_in_use(&client), old);
    }
    assert_eq!(scene.seen(REFRESH), 1);
}

#[test]
fn in_the_last_twentieth_every_call_waits_for_the_renewal() {
    let scene = Scene::new();
    let client = scene.signed_in();
    scene.refuse_old_tokens();
    scene.fault(REFRESH, FaultKind::Delay(Duration::from_millis(300)), 1);
    scene.clock.pass(NOW);
    for answer in at_once(16, || get(&client)) {
        answer.expect("a new token");
    }
    assert_eq!(scene.seen(REFRESH), 1);
    assert_eq!(scene.sandbox.counters().answered(401), 0);
}

#[test]
fn a_failed_renewal_is_let_pass_while_the_old_token_still_lives() {
    let scene = Scene::new();
    let client = scene.signed_in_with(scene.no_retries());
    scene.sandbox.fault(Fault::status(REFRESH, 503));
    scene.clock.pass(NOW);
    get(&client).expect("the old token still serves");
    assert_eq!(scene.seen(REFRESH), 1);

    scene.clock.pass(PAST - NOW);
    let error = get(&client).expect_err("no token at all");
    assert_eq!(
        (error.status(), error.http_status()),
        (Status::Server, Some(503))
    );
    assert_eq!(scene.seen("GET /echo/"), 1);
}

#[test]
fn the_windows_of_a_long_lived_token_are_two_minutes_and_fifteen_seconds() {
    let day = 24 * 60 * 60;
    let scene = Scene {
        sandbox: Sandbox::start(Config {
            access_lifetime: Duration::from_secs(day),
            ..Config::default()
        }),
        clock: Arc::default(),
    };
    let client = scene.signed_in_with(scene.no_retries());
    scene.clock.pass(day - 121);
    get(&client).expect("an answer");
    assert_eq!(scene.seen(REFRESH), 0);
    scene.fault(REFRESH, FaultKind::status(503), 1);
    // Less a fifth of jitter.
    scene.clock.pass(121 - 95);
    get(&client).expect("an answer");
    assert_eq!(scene.seen(REFRESH), 1);
    scene.refuse_old_tokens();
    scene.clock.pass(95 - 14);
    get(&client).expect("an answer");
    assert_eq!(
        (scene.seen(REFRESH), scene.sandbox.counters().answered(401)),
        (2, 0)
    );
}

// ---- the clocks

#[test]
fn deadlines_count_from_the_moment_the_request_was_sent() {
    let scene = Scene::new();
    scene.fault(SIGN_IN, FaultKind::Delay(Duration::from_millis(500)), 1);
    let client = thread::scope(|scope| {
        let signing_in = scope
            .spawn(|| Client::sign_in(&scene.sandbox.url(), USERNAME, PASSWORD, scene.options()));
        scene.wait_for(SIGN_IN, 1);
        // The answer takes most of the token's life.
        scene.clock.pass(200);
        signing_in.join().expect("no panic").expect("signed in")
    });
    scene.clock.pass(SOON - 200);
    get(&client).expect("an answer");
    assert_eq!(scene.seen(REFRESH), 1);
}

#[test]
fn a_wall_clock_a_day_off_makes_no_needless_renewal_and_no_dead_session() {
    let day = 24 * 60 * 60;
    for off in [-day, day] {
        let scene = Scene::new();
        let client = scene.signed_in();
        let resumed = scene.without_credentials();
        scene.clock.set_wall_off(off);
        // One that starts with the wrong time, and one of unknown age.
        let late = scene.signed_in();
        let late_resumed = scene.without_credentials();
        let clients = [client, resumed, late, late_resumed];
        for client in &clients {
            get(client).expect("an answer");
        }
        assert_eq!(scene.seen(REFRESH), 0, "{off}");

        scene.refuse_old_tokens();
        scene.clock.pass(NOW);
        for client in &clients {
            get(client).expect("an answer");
        }
        assert_eq!(scene.seen(REFRESH), 4, "{off}");
        assert_eq!(scene.sandbox.counters().answered(401), 0, "{off}");
        scene.clock.set_wall_off(0);
        for client in &clients {
            get(client).expect("an answer");
        }
        assert_eq!(scene.seen(REFRESH), 4, "{off}");
    }
}

#[test]
fn a_machine_that_was_suspended_renews_before_its_first_request() {
    let scene = Scene::new();
    let client = scene.signed_in();
    scene.refuse_old_tokens();
    scene.clock.pass(3 * 60 * 60);
    submit(&client).expect("a new token");
    assert_eq!((scene.seen(REFRESH), scene.seen(RESEARCH)), (1, 1));
}

// ---- tokens that come from elsewhere

/// Seconds since 1970, where the sandbox is.
fn unix() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

#[test]
fn a_token_of_unknown_age_learns_it_from_the_servers_date() {
    let scene = Scene::new();
    let refresh = scene.sandbox.refresh_token(Duration::from_secs(3600));
    let used_up = scene.sandbox.signed_token(&json!({
        "token_type": "access", "jti": "a", "user_id": 1,
        "iat": unix() - 200, "exp": unix() + LIFE - 200,
    }));
    // Our own clock knows nothing.
    scene.clock.set_wall_off(-7 * 86_400);
    let client = scene.resumed(&used_up, Some(&refresh));
    // Nobody knows how long it was kept: that is no reason to renew it.
    scene.clock.pass(10 * LIFE);
    assert_eq!(token_in_use(&client), used_up);
    assert_eq!(scene.seen(REFRESH), 0);

    scene.clock.pass(SOON - 200 - LIFE / 25 - 5);
    assert_eq!(token_in_use(&client), used_up);
    scene.clock.pass(LIFE / 25 + 5);
    assert_ne!(token_in_use(&client), used_up);
    assert_eq!(
        (scene.seen(REFRESH), scene.sandbox.counters().answered(401)),
        (1, 0)
    );
}

#[test]
fn an_opaque_token_is_renewed_on_a_401_only() {
    let scene = Scene::new();
    let refresh = scene.sandbox.refresh_token(Duration::from_secs(3600));
    let client = scene.resumed(API_TOKEN, Some(&refresh));
    for _ in 0..3 {
        scene.clock.pass(365 * 86_400);
        assert_eq!(token_in_use(&client), API_TOKEN);
    }
    assert_eq!(scene.seen(REFRESH), 0);
    assert_eq!(client.token_expires_at(), None);

    scene.fault("/echo/", FaultKind::status(401), 1);
    assert_ne!(token_in_use(&client), API_TOKEN);
    assert_eq!(scene.seen(REFRESH), 1);
}

#[test]
fn a_token_without_an_end_is_renewed_on_a_401_only() {
    let scene = Scene::new();
    let refresh = scene.sandbox.refresh_token(Duration::from_secs(3600));
    let endless = json!({"token_type": "access", "jti": "a", "user_id": 1, "iat": unix()});
    let endless = scene.sandbox.signed_token(&endless);
    let client = scene.resumed(&endless, Some(&refresh));
    scene.clock.pass(365 * 86_400);
    // The sandbox, like SimpleJWT, takes no token without `exp`.
    get(&client).expect("renewed");
    assert_eq!((scene.seen(REFRESH), scene.seen("GET /echo/")), (1, 2));
}

#[test]
fn an_expired_session_is_resumed_by_its_first_call() {
    for rotate in [false, true] {
        let scene = Scene::with(Config {
            rotate,
            ..Config::default()
        });
        let refresh = scene.sandbox.refresh_token(Duration::from_secs(3600));
        let client = scene.resumed(&scene.sandbox.expired_access_token(), Some(&refresh));
        assert_eq!(scene.sandbox.counters().total, 0);
        assert_eq!(submit(&client).expect("renewed"), 201);
        assert_eq!(scene.seen(REFRESH), 1);
        assert_eq!(scene.sandbox.counters().research.len(), 1);
    }
}

#[test]
fn an_expired_token_is_refused_at_the_start_where_it_is_validated() {
    let scene = Scene::new();
    let (_, refresh) = scene.sandbox.token_pair();
    let expired = scene.sandbox.expired_access_token();
    let started = Client::from_token(
        &scene.sandbox.url(),
        &expired,
        Some(&refresh),
        scene.options(),
    );
    assert_eq!(
        started.expect_err("refused").status(),
        Status::Authentication
    );
    assert_eq!(scene.seen(REFRESH), 0);
}

// ---- after a 401

#[test]
fn a_401_renews_once_and_the_request_is_sent_once_more() {
    for method in ["GET", "POST", "PUT", "DELETE"] {
        let scene = Scene::new();
        let client = scene.signed_in();
        scene.refuse_old_tokens();
        let answer = client.request(method, "echo/", None);
        assert_eq!(answer.expect("renewed").status(), 200);
        let sent = scene.seen(&format!("{method} /echo/"));
        assert_eq!((scene.seen(REFRESH), sent), (1, 2), "{method}");
    }
}

#[test]
fn a_post_after_a_401_is_acted_on_once() {
    let scene = Scene::new();
    let client = scene.signed_in();
    scene.refuse_old_tokens();
    submit(&client).expect("renewed");
    let counters = scene.sandbox.counters();
    assert_eq!((counters.of(RESEARCH), counters.research.len()), (2, 1));
}

#[test]
fn a_second_401_is_the_answer() {
    let scene = Scene::new();
    let client = scene.signed_in();
    scene.sandbox.fault(Fault::status(RESEARCH, 401));
    let error = submit(&client).expect_err("refused twice");
    assert_eq!(error.status(), Status::Authentication);
    assert!(error.may_have_been_sent());
    assert_eq!(
        (
            scene.seen(RESEARCH),
            scene.seen(REFRESH),
            scene.seen(SIGN_IN)
        ),
        (2, 1, 0)
    );
}

#[test]
fn a_token_that_another_thread_has_replaced_is_not_replaced_again() {
    let scene = Scene::new();
    let client = scene.signed_in();
    // The request arrives with the old token and is looked at when that is good no more.
    scene.fault(RESEARCH, FaultKind::Delay(Duration::from_millis(500)), 1);
    thread::scope(|scope| {
        let posting = scope.spawn(|| submit(&client));
        scene.wait_for(RESEARCH, 1);
        scene.refuse_old_tokens();
        client.refresh_token().expect("a new token");
        posting.join().expect("no panic").expect("sent again");
    });
    let counters = scene.sandbox.counters();
    assert_eq!((counters.of(RESEARCH), counters.answered(401)), (2, 1));
    assert_eq!((counters.of(REFRESH), counters.of(SIGN_IN)), (1, 0));
}

#[test]
fn a_user_who_is_gone_or_inactive_ends_it_at_once() {
    for (state, code) in [
        (UserState::Deleted, "user_not_found"),
        (UserState::Inactive, "user_inactive"),
    ] {
        let scene = Scene::new();
        let client = scene.signed_in();
        let token = access_of(&client);
        scene.sandbox.set_user_state(state);
        let error = get(&client).expect_err("refused");
        assert_eq!(error.status(), Status::Authentication);
        assert_eq!(error.server_code(), Some(code));
        assert_eq!(scene.sandbox.counters().total, 1, "{code}");
        assert_eq!(access_of(&client), token);
        // The account comes back, and with it the session.
        scene.sandbox.set_user_state(UserState::Active);
        get(&client).expect("an answer");
    }
}

#[test]
fn a_changed_password_goes_straight_to_the_credentials() {
    let scene = Scene::new();
    let client = scene.signed_in();
    let body = json!({"detail": "…", "code": "password_changed"});
    scene.fault("/echo/", FaultKind::json(401, &body), 1);
    get(&client).expect("signed in again");
    assert_eq!((scene.seen(REFRESH), scene.seen(SIGN_IN)), (0, 1));
}

#[test]
fn a_changed_password_ends_a_session_without_credentials() {
    let scene = Scene::new();
    let client = scene.without_credentials();
    scene.sandbox.set_user_state(UserState::PasswordChanged);
    let error = get(&client).expect_err("refused");
    assert_eq!(error.server_code(), Some("password_changed"));
    assert_eq!(scene.sandbox.counters().total, 1);
}

// ---- refusals

#[test]
fn a_refused_refresh_token_leads_to_the_credentials() {
    let scene = Scene::new();
    let client = scene.signed_in();
    let old = refresh_of(&client);
    scene.sandbox.blacklist(&old);
    scene.clock.pass(PAST);
    get(&client).expect("signed in again");
    let counters = scene.sandbox.counters();
    assert_eq!((counters.refused_refreshes, counters.sign_ins), (1, 1));
    assert_ne!(refresh_of(&client), old);
}

#[test]
fn a_refused_refresh_token_without_credentials_is_a_clear_error() {
    let scene = Scene::new();
    let client = scene.without_credentials();
    let (access, refresh) = (access_of(&client), refresh_of(&client));
    scene.sandbox.blacklist(&refresh);
    scene.clock.pass(PAST);
    let error = get(&client).expect_err("no way to renew");
    assert_eq!(error.status(), Status::Authentication);
    assert_eq!(error.server_code(), Some("token_not_valid"));
    assert!(error.message().contains("sign in again"), "{error}");
    assert!(!error.message().contains(&refresh));
    assert_eq!((access_of(&client), refresh_of(&client)), (access, refresh));
}

#[test]
fn a_refused_sign_in_is_not_repeated_by_itself() {
    let scene = Scene::new();
    let client = scene.signed_in();
    scene.sandbox.set_user_state(UserState::PasswordChanged);
    at_once(8, || {
        for _ in 0..3 {
            let error = get(&client).expect_err("refused");
            assert_eq!(error.status(), Status::Authentication);
        }
    });
    assert_eq!(scene.sandbox.counters().refused_sign_ins, 1);
    // Nor when the token has run out, nor when the refresh token is refused.
    scene.sandbox.blacklist(&refresh_of(&client));
    scene.clock.pass(PAST);
    for _ in 0..3 {
        let error = get(&client).expect_err("refused");
        assert_eq!(error.status(), Status::Authentication);
    }
    assert_eq!(scene.sandbox.counters().refused_sign_ins, 1);
}

/// Some servers say of a locked account that it is forbidden, or that the request is bad.
#[test]
fn a_sign_in_that_is_refused_in_another_way_is_not_repeated_either() {
    for status in [400, 403] {
        let scene = Scene::new();
        let client = scene.signed_in();
        scene.refuse_old_tokens();
        scene.sandbox.blacklist(&refresh_of(&client));
        scene.fault(SIGN_IN, FaultKind::status(status), u32::MAX);
        for _ in 0..6 {
            get(&client).expect_err("refused");
        }
        assert_eq!(scene.seen(SIGN_IN), 1, "{status}");
        // Nor is the refresh token sent again that the server has refused.
        assert_eq!(scene.seen(REFRESH), 1, "{status}");
        // Asked for explicitly both are tried.
        client.refresh_token().expect_err("refused");
        client.set_token().expect_err("refused");
        assert_eq!((scene.seen(SIGN_IN), scene.seen(REFRESH)), (2, 2));
    }
}

/// A failure that may pass is no refusal.
#[test]
fn a_sign_in_that_only_fails_is_tried_again_by_the_next_call() {
    let scene = Scene::new();
    let mut options = scene.options();
    options.set_retries(0).expect("a good value");
    let client = scene.signed_in_with(options);
    scene.refuse_old_tokens();
    scene.sandbox.blacklist(&refresh_of(&client));
    for status in [429, 503] {
        scene.fault(SIGN_IN, FaultKind::status(status), 1);
        get(&client).expect_err("away");
    }
    get(&client).expect("signed in");
    assert_eq!(scene.seen(SIGN_IN), 3);
}

#[test]
fn an_explicit_sign_in_tries_a_refused_password_again_and_clears_the_refusal() {
    let scene = Scene::new();
    let client = scene.signed_in();
    scene.sandbox.set_user_state(UserState::PasswordChanged);
    get(&client).expect_err("refused");
    let (access, refresh) = (access_of(&client), refresh_of(&client));
    let error = client.set_token().expect_err("refused again");
    assert_eq!(error.status(), Status::Authentication);
    assert_eq!(scene.sandbox.counters().refused_sign_ins, 2);
    assert_eq!((access_of(&client), refresh_of(&client)), (access, refresh));

    // The old password is made good again.
    scene.sandbox.set_user_state(UserState::Active);
    client.set_token().expect("signed in");
    get(&client).expect("an answer");
    // And from now on it may be used by itself as well.
    scene.sandbox.reset_counters();
    scene.sandbox.blacklist(&refresh_of(&client));
    scene.clock.pass(PAST);
    get(&client).expect("signed in again");
    assert_eq!(scene.sandbox.counters().sign_ins, 1);
}

#[test]
fn a_failing_server_destroys_no_token() {
    let scene = Scene::new();
    for client in [
        scene.signed_in_with(scene.no_retries()),
        scene.without_credentials(),
    ] {
        let before = (access_of(&client), refresh_of(&client));
        scene.clock.pass(PAST);
        for status in [500, 502, 503, 504, 429, 400, 403, 404] {
            let fault = FaultKind::Status {
                status,
                headers: vec![("x-should-retry".into(), "false".into())],
                body: b"{}".to_vec(),
            };
            scene.fault(REFRESH, fault, 1);
            let error = get(&client).expect_err("no token");
            assert_eq!(error.http_status(), Some(status));
            assert_eq!(
                (access_of(&client), refresh_of(&client)),
                before,
                "{status}"
            );
        }
        for kind in [FaultKind::Html, FaultKind::Garbage, FaultKind::Empty] {
            scene.fault(REFRESH, kind, 1);
            let error = get(&client).expect_err("no token");
            assert_eq!(error.status(), Status::Protocol);
            assert_eq!((access_of(&client), refresh_of(&client)), before);
        }
        assert_eq!(scene.seen(SIGN_IN), 0);
        get(&client).expect("the server is well again");
    }
}

#[test]
fn a_dead_network_destroys_no_token() {
    let scene = Scene::new();
    let client = scene.signed_in_with(scene.no_retries());
    let before = (access_of(&client), refresh_of(&client));
    scene.clock.pass(PAST);
    let Scene { sandbox, clock } = scene;
    let port = sandbox.port();
    sandbox.stop();
    let error = get(&client).expect_err("no server");
    assert_eq!(error.status(), Status::Network);
    assert!(error.is_retryable() && !error.may_have_been_sent());
    assert_eq!((access_of(&client), refresh_of(&client)), before);

    let scene = Scene {
        sandbox: Sandbox::start(Config {
            port,
            ..Config::default()
        }),
        clock,
    };
    get(&client).expect("the network is back");
    assert_eq!((scene.seen(REFRESH), scene.seen(SIGN_IN)), (1, 0));
}

#[test]
fn a_request_that_waited_in_vain_for_a_token_was_not_sent() {
    let scene = Scene::new();
    let client = scene.signed_in_with(scene.no_retries());
    scene.clock.pass(PAST);
    scene.fault(REFRESH, FaultKind::status(503), 1);
    let error = submit(&client).expect_err("no token");
    assert_eq!(error.status(), Status::Server);
    assert!(!error.may_have_been_sent());
    assert_eq!(scene.seen(RESEARCH), 0);
}

// ---- rotation

#[test]
fn a_rotated_refresh_token_is_stored_with_the_access_token() {
    let scene = Scene::rotating();
    for client in [scene.signed_in(), scene.without_credentials()] {
        scene.sandbox.reset_counters();
        for round in 1..=5 {
            let before = (access_of(&client), refresh_of(&client));
            scene.clock.pass(PAST);
            get(&client).expect("renewed");
            let after = (access_of(&client), refresh_of(&client));
            assert!(before.0 != after.0 && before.1 != after.1);
            let counters = scene.sandbox.counters();
            assert_eq!((counters.refreshes, counters.refused_refreshes), (round, 0));
        }
        client.refresh_token().expect("still good");
        assert_eq!(scene.seen(SIGN_IN), 0);
    }
}

#[test]
fn without_rotation_the_refresh_token_stays() {
    let scene = Scene::new();
    let client = scene.signed_in();
    let refresh = refresh_of(&client);
    scene.clock.pass(PAST);
    get(&client).expect("renewed");
    assert_eq!(refresh_of(&client), refresh);
}

#[test]
fn a_lost_answer_to_a_refresh_is_asked_for_once_more() {
    let scene = Scene::new();
    let client = scene.without_credentials();
    scene.clock.pass(PAST);
    scene.fault(REFRESH, FaultKind::Lost, 1);
    get(&client).expect("renewed");
    assert_eq!(scene.seen(REFRESH), 2);
    // Once, not for ever.
    scene.clock.pass(PAST);
    scene.fault(REFRESH, FaultKind::Lost, 2);
    assert_eq!(get(&client).expect_err("lost").status(), Status::Network);
    assert_eq!(scene.seen(REFRESH), 4);

    // Also where nothing else is tried again: what is lost may be the only good token.
    let scene = Scene::rotating();
    let mut options = scene.options();
    options.set_retries(0).expect("a good value");
    let client = scene.signed_in_with(options);
    scene.fault(REFRESH, FaultKind::Lost, 1);
    client.refresh_token().expect("signed in again");
    assert_eq!(scene.seen(REFRESH), 2);
}

#[test]
fn a_lost_rotation_leads_to_the_credentials() {
    for kind in [FaultKind::Lost, FaultKind::Truncate(20)] {
        let scene = Scene::rotating();
        let client = scene.signed_in();
        scene.clock.pass(PAST);
        scene.fault(REFRESH, kind.clone(), 1);
        get(&client).expect("signed in again");
        let counters = scene.sandbox.counters();
        assert_eq!(counters.of(REFRESH), 2, "{kind:?}");
        assert_eq!((counters.refused_refreshes, counters.sign_ins), (1, 1));
        // An explicit refresh as well.
        scene.fault(REFRESH, kind, 1);
        client.refresh_token().expect("signed in again");
        assert_eq!(scene.sandbox.counters().sign_ins, 2);
    }
}

#[test]
fn a_lost_rotation_without_credentials_is_a_clear_error() {
    let scene = Scene::rotating();
    let client = scene.without_credentials();
    scene.clock.pass(PAST);
    scene.fault(REFRESH, FaultKind::Lost, 1);
    let error = get(&client).expect_err("lost");
    assert_eq!(error.status(), Status::Authentication);
    let says = |what| error.message().contains(what);
    assert!(says("ended before") && says("sign in again"), "{error}");
    assert_eq!(scene.seen(REFRESH), 2);
}

// ---- the option

#[test]
fn without_auto_renew_nothing_is_renewed() {
    let scene = Scene::new();
    let mut options = scene.options();
    options.set_auto_renew(false);
    let client = scene.signed_in_with(options);
    let token = access_of(&client);
    for seconds in [SOON, NOW - SOON, PAST - NOW] {
        scene.clock.pass(seconds);
        assert_eq!(token_in_use(&client), token);
    }
    scene.refuse_old_tokens();
    let error = get(&client).expect_err("refused");
    assert_eq!(error.server_code(), Some("token_not_valid"));
    assert_eq!((scene.seen(REFRESH), scene.seen(SIGN_IN)), (0, 0));
    client.refresh_token().expect("asked for");
    get(&client).expect("an answer");
}

// ---- one renewal at a time

#[test]
fn a_renewal_that_had_begun_before_a_refusal_is_not_the_last_word_on_it() {
    let scene = Scene::new();
    let client = scene.signed_in();
    // The token that it brings is made at once, refused with the others, and a second on its way.
    let slow = FaultKind::Drip {
        chunk: 16,
        pause: Duration::from_millis(60),
    };
    scene.fault("POST /token/refresh/", slow, 1);
    thread::scope(|scope| {
        let refresh = scope.spawn(|| client.refresh_token());
        scene.wait_for("POST /token/refresh/", 1);
        thread::sleep(Duration::from_millis(100));
        scene.refuse_old_tokens();
        get(&client).expect("renewed once more");
        refresh.join().expect("no panic").expect("an answer");
    });
    assert_eq!(scene.seen("POST /token/refresh/"), 2);
}

#[test]
fn however_many_threads_ask_there_is_one_renewal() {
    for rotate in [false, true] {
        let scene = Scene::with(Config {
            rotate,
            rotation_gap: Duration::from_millis(20),
            ..Config::default()
        });
        let client = scene.signed_in();
        for round in 1..=5 {
            scene.clock.pass(PAST);
            scene.refuse_old_tokens();
            for answer in at_once(16, || get(&client)) {
                answer.expect("renewed");
            }
            let counters = scene.sandbox.counters();
            assert_eq!((counters.of(REFRESH), counters.answered(401)), (round, 0));
        }
    }
}

#[test]
fn threads_that_ask_for_the_same_share_one_explicit_call() {
    let scene = Scene::rotating();
    let client = scene.signed_in();
    let pause = FaultKind::Delay(Duration::from_millis(500));
    scene.fault("/token/*", pause, 2);
    for result in at_once(8, || client.refresh_token()) {
        result.expect("refreshed");
    }
    for result in at_once(8, || client.set_token()) {
        result.expect("signed in");
    }
    assert_eq!((scene.seen(REFRESH), scene.seen(SIGN_IN)), (1, 1));
}

#[test]
fn those_who_wait_share_a_failure() {
    let scene = Scene::new();
    let client = scene.signed_in_with(scene.no_retries());
    scene.clock.pass(PAST);
    scene.fault(REFRESH, FaultKind::Delay(Duration::from_secs(1)), 1);
    scene.sandbox.fault(Fault::status(REFRESH, 503));
    for answer in at_once(16, || get(&client)) {
        let error = answer.expect_err("no token");
        assert_eq!(
            (error.status(), error.http_status()),
            (Status::Server, Some(503))
        );
    }
    assert_eq!((scene.seen(REFRESH), scene.seen("GET /echo/")), (1, 0));
}

#[test]
fn each_who_waits_has_a_deadline_of_its_own() {
    let scene = Scene::new();
    let client = scene.signed_in();
    scene.fault(REFRESH, FaultKind::Silent, 1);
    scene.clock.pass(PAST);
    let mut options = scene.options();
    let short = Duration::from_millis(300);
    options.set_total_timeout(short).expect("a good value");
    let hurried = client.clone_with(Some(options)).expect("a clone");
    thread::scope(|scope| {
        let renewing = scope.spawn(|| get(&client));
        scene.wait_for(REFRESH, 1);
        let start = Instant::now();
        let error = get(&hurried).expect_err("no time");
        assert_eq!(error.status(), Status::Timeout);
        assert!(!error.may_have_been_sent());
        assert!((short..LONG).contains(&start.elapsed()));
        client.cancel();
        renewing.join().expect("no panic").expect_err("cancelled");
    });
    assert_eq!(scene.seen(REFRESH), 1);
}

#[test]
fn a_leader_who_is_cancelled_hands_the_renewal_to_one_who_waits() {
    let scene = Scene::new();
    let client = scene.signed_in();
    let leading = client.clone_with(None).expect("a clone");
    scene.refuse_old_tokens();
    scene.fault(REFRESH, FaultKind::Silent, 1);
    scene.clock.pass(PAST);
    thread::scope(|scope| {
        let leader = scope.spawn(|| get(&leading));
        scene.wait_for(REFRESH, 1);
        let waiting: Vec<_> = (0..8).map(|_| scope.spawn(|| get(&client))).collect();
        // They can't be seen waiting. If they come late, they lead or follow all the same.
        thread::sleep(Duration::from_millis(200));
        leading.cancel();
        let ended = leader.join().expect("no panic");
        assert_eq!(ended.expect_err("cancelled").status(), Status::Cancelled);
        for thread in waiting {
            thread.join().expect("no panic").expect("renewed");
        }
    });
    assert_eq!(
        (scene.seen(REFRESH), scene.sandbox.counters().answered(401)),
        (2, 0)
    );
}

#[test]
fn a_leader_whose_time_is_up_hands_the_renewal_to_one_who_waits() {
    // Neither the limit of a whole call nor that of one attempt is the others' affair.
    for set_limit in [Options::set_total_timeout, Options::set_timeout] {
        let scene = Scene::new();
        let client = scene.signed_in();
        let mut options = scene.options();
        set_limit(&mut options, Duration::from_millis(500)).expect("a good value");
        let hurried = client.clone_with(Some(options)).expect("a clone");
        scene.fault(REFRESH, FaultKind::Silent, 1);
        scene.clock.pass(PAST);
        thread::scope(|scope| {
            let leader = scope.spawn(|| get(&hurried));
            scene.wait_for(REFRESH, 1);
            let waiting: Vec<_> = (0..8).map(|_| scope.spawn(|| get(&client))).collect();
            let ended = leader.join().expect("no panic");
            assert_eq!(ended.expect_err("no time").status(), Status::Timeout);
            for thread in waiting {
                thread.join().expect("no panic").expect("renewed");
            }
        });
        assert_eq!(scene.seen(REFRESH), 2);
    }
}
