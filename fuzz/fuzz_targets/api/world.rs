//! All handles that one input has, and the calls that it makes with them.

use std::collections::BTreeSet;
use std::ffi::{CString, c_char, c_void};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use arbitrary::Unstructured;
use evrim::fuzzing::c;
use harness::server::Script;
use harness::{check, check_status, text};

use super::answers;
use super::callbacks::{self, during};

pub const PASSWORD: &str = "correct-horse";

/// Of each kind of handle.
const SLOTS: usize = 3;
const MOST_CALLS: usize = 48;

/// A folder of this process alone, in memory where the system has that.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        parent.join(format!("evrim-fuzz-{}", std::process::id()))
    })
}

pub fn prepare() {
    std::fs::create_dir_all(folder()).expect("a scratch folder");
}

pub struct World<'a> {
    input: Unstructured<'a>,
    url: CString,
    script: Arc<Script>,
    clients: [*mut c::evrim_client; SLOTS],
    options: [*mut c::evrim_options; SLOTS],
    requests: [*mut c::evrim_request_options; SLOTS],
    responses: [*mut c::evrim_response; SLOTS],
    errors: [*mut c::evrim_error; SLOTS],
    threads: Vec<Running>,
    /// Files that downloads have made.
    saved: BTreeSet<PathBuf>,
}

/// A call in a thread of its own.
struct Running {
    client: *mut c::evrim_client,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    /// Whether the server has seen it, so that the client may be freed under it.
    has_begun: bool,
}

/// A pointer that a thread takes along.
struct Carried(*mut c::evrim_client);
// SAFETY: clients are made for that.
unsafe impl Send for Carried {}

impl Carried {
    fn get(&self) -> *mut c::evrim_client {
        self.0
    }
}

type Text = Option<CString>;

fn at(text: &Text) -> *const c_char {
    text.as_ref().map_or(null(), |text| text.as_ptr())
}

impl<'a> World<'a> {
    pub fn new(input: Unstructured<'a>, url: &str, script: Arc<Script>) -> World<'a> {
        World {
            input,
            url: CString::new(url).expect("no NUL"),
            script,
            clients: [null_mut(); SLOTS],
            options: [null_mut(); SLOTS],
            requests: [null_mut(); SLOTS],
            responses: [null_mut(); SLOTS],
            errors: [null_mut(); SLOTS],
            threads: Vec::new(),
            saved: BTreeSet::new(),
        }
    }

    pub fn live(&mut self) {
        for _ in 0..MOST_CALLS {
            if self.input.is_empty() {
                break;
            }
            let call = self.byte();
            // SAFETY: `World` keeps to the header: what a slot holds is alive, and in one thread's hands
            // where it has to be.
            unsafe { self.call(call) };
        }
    }

    fn byte(&mut self) -> u8 {
        answers::byte(&mut self.input)
    }

    fn slot(&mut self) -> usize {
        usize::from(self.byte()) % SLOTS
    }

    fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    /// One of these, or what the input has, or NULL.
    fn text(&mut self, known: &[&str]) -> Text {
        let choice = usize::from(self.byte());
        match choice % 16 {
            0 => None,
            1..=3 => {
                let mut bytes = answers::bytes(&mut self.input);
                bytes.retain(|&byte| byte != 0);
                CString::new(bytes).ok()
            }
            _ => CString::new(known[choice / 16 % known.len()]).ok(),
        }
    }

    fn path(&mut self) -> Text {
        self.text(&[
            "reports/1/",
            "v0/x/",
            "runs/?page=2",
            "generate/1/pdf/",
            "../x",
            "",
            "http://127.0.0.1:9/",
            "a#b",
            "%2e%2e/%2e%2e/",
            "ü/",
        ])
    }

    fn pointer(&mut self) -> Text {
        self.text(&[
            "",
            "/a",
            "/results/0",
            "/a~1b/~0",
            "/tags/-",
            "/-/-",
            "x",
            "/0",
            "/next",
        ])
    }

    /// Where the error of a call goes; NULL now and then.
    fn error(&mut self) -> *mut *mut c::evrim_error {
        let slot = self.slot();
        // SAFETY: made by the library, or NULL, and replaced below.
        unsafe { c::evrim_error_free(self.errors[slot]) };
        self.errors[slot] = null_mut();
        match self.byte() % 8 {
            0 => null_mut(),
            _ => &raw mut self.errors[slot],
        }
    }

    /// `has_result` may be more than is known; `error` is where the error went.
    unsafe fn judge(
        &self,
        status: c::evrim_status,
        has_result: bool,
        error: *mut *mut c::evrim_error,
    ) {
        let status = status as i32;
        // SAFETY: just written by the call, or NULL.
        match unsafe { error.as_ref() } {
            // SAFETY: as above, but for the defect.
            Some(error) => unsafe {
                check(status, has_result, *error);
                if harness::is_planted() && c::evrim_error_http_status(*error) >= 500 {
                    c::evrim_error_free(*error);
                    text(c::evrim_error_message(*error));
                }
            },
            None => {
                check_status(status);
                assert!(!has_result || status == 0);
            }
        }
    }

    /// Options for a client: what waits, waits briefly.
    unsafe fn brief(&mut self) -> *mut c::evrim_options {
        let slot = self.slot();
        let wait = 5 + u32::from(self.byte() % 4) * 15;
        // SAFETY: options in a slot are alive.
        unsafe {
            if self.options[slot].is_null() {
                self.options[slot] = c::evrim_options_new();
            }
            let options = self.options[slot];
            assert_eq!(
                c::evrim_options_set_total_timeout_ms(options, wait) as i32,
                0
            );
            options
        }
    }

    unsafe fn put_client(&mut self, client: *mut c::evrim_client) {
        if client.is_null() {
            return;
        }
        let slot = self.slot();
        // SAFETY: what was there is not used any more.
        unsafe { self.free_client(slot) };
        self.clients[slot] = client;
    }

    unsafe fn put_response(&mut self, response: *mut c::evrim_response) {
        if response.is_null() {
            return;
        }
        let slot = self.slot();
        // SAFETY: as above.
        unsafe { c::evrim_response_free(self.responses[slot]) };
        self.responses[slot] = response;
    }

    /// Waits for the calls of which it is not known that they have begun, and frees it under the others.
    unsafe fn free_client(&mut self, slot: usize) {
        let client = self.clients[slot];
        self.join(|running| running.client == client && !running.has_begun);
        // SAFETY: no call begins on it any more.
        unsafe { c::evrim_free(client) };
        self.clients[slot] = null_mut();
        self.forget(client);
    }

    /// Those that run on a freed client still do; another client may get its address.
    fn forget(&mut self, client: *mut c::evrim_client) {
        for running in &mut self.threads {
            if running.client == client {
                running.client = null_mut();
            }
        }
    }

    fn join(&mut self, which: impl Fn(&Running) -> bool) {
        let (over, others) = std::mem::take(&mut self.threads)
            .into_iter()
            .partition(which);
        self.threads = others;
        let over: Vec<Running> = over;
        for running in over {
            running
                .thread
                .join()
                .expect("no promise is broken in another thread");
        }
    }

    unsafe fn call(&mut self, call: u8) {
        // SAFETY: `live` says why.
        unsafe {
            match call % 20 {
                0 => self.sign_in(),
                1 => self.from_token(),
                2 => self.option(),
                3 => self.log_or_token_callback(),
                4 => self.body(),
                5 | 6 => self.request(),
                7 => self.resource(),
                8 => self.tokens(),
                9 => self.copies(),
                10 => self.clone_or_options(),
                11 => self.download(),
                12 => self.wait_or_next(),
                13 | 14 => self.in_a_thread(),
                15 => self.read_response(),
                16 => self.read_error(),
                17 => self.end(),
                18 => self.null_handles(),
                _ => self.free_something(),
            }
        }
    }

    unsafe fn sign_in(&mut self) {
        // SAFETY: as above; so everywhere below.
        unsafe {
            let options = self.brief();
            let error = self.error();
            let mut client = null_mut();
            let status = if self.byte() % 4 == 0 {
                c::evrim_from_env(options, &mut client, error)
            } else {
                let own = self.url.clone();
                // What is no server of this process is refused before it is asked.
                let url = match self.byte() % 8 {
                    0 => self.byte_url(),
                    _ => Some(own),
                };
                let name = self.text(&["ada", "", "ü", "a\nb"]);
                let password = self.text(&[PASSWORD, PASSWORD, PASSWORD, ""]);
                c::evrim_new(
                    at(&url),
                    at(&name),
                    at(&password),
                    options,
                    &mut client,
                    error,
                )
            };
            self.judge(status, !client.is_null(), error);
            assert_eq!(status as i32 == 0, !client.is_null());
            self.put_client(client);
        }
    }

    fn byte_url(&mut self) -> Text {
        let urls = [
            "",
            "127.0.0.1",
            "ftp://127.0.0.1",
            "http://ada:pw@127.0.0.1/",
            "http://127.0.0.1/?q",
            "http://127.0.0.1\n",
            "https://",
            "http://[::1",
        ];
        let choice = usize::from(self.byte());
        (choice > 0).then(|| CString::new(urls[choice % urls.len()]).expect("no NUL"))
    }

    unsafe fn from_token(&mut self) {
        unsafe {
            let options = self.brief();
            let validate = self.byte() % 4 == 0;
            assert_eq!(
                c::evrim_options_set_validate_on_start(options, validate) as i32,
                0
            );
            let error = self.error();
            let ended = harness::token(br#"{"exp": 100, "iat": 50}"#);
            let good = harness::token(br#"{"exp": 4000000300, "iat": 4000000000}"#);
            let access = self.text(&["opaque", &good, &ended]);
            let refresh = self.text(&["refresh", &good]);
            let mut client = null_mut();
            let status = c::evrim_from_token(
                self.url.as_ptr(),
                at(&access),
                at(&refresh),
                options,
                &mut client,
                error,
            );
            self.judge(status, !client.is_null(), error);
            assert_eq!(status as i32 == 0, !client.is_null());
            self.put_client(client);
        }
    }

    unsafe fn option(&mut self) {
        unsafe {
            let slot = self.slot();
            let options = self.options[slot];
            let number = u32::from(self.byte());
            let status = match self.byte() % 14 {
                0 => c::evrim_options_set_timeout_ms(options, number),
                1 => c::evrim_options_set_connect_timeout_ms(options, number.saturating_mul(40)),
                2 => c::evrim_options_set_retries(options, number % 13),
                3 => c::evrim_options_set_max_body_size(options, u64::from(number) * 64),
                4 => {
                    let name = self.text(&["x-key", "Authorization", "x y", ""]);
                    let value = self.text(&["v", "a\nb", ""]);
                    c::evrim_options_set_header(options, at(&name), at(&value))
                }
                5 => c::evrim_options_set_allow_insecure_http(options, number % 2 == 1),
                6 => c::evrim_options_set_auto_renew(options, number % 2 == 1),
                7 => {
                    let name = self.text(&["fuzz/1", "a\nb", ""]);
                    c::evrim_options_set_user_agent(options, at(&name))
                }
                8 => c::evrim_options_set_min_tls_version(options, number as i32 % 16),
                9 => {
                    // Its own server is no proxy; port 9 is nobody's.
                    let url = [
                        c"http://127.0.0.1:9".as_ptr(),
                        c"nonsense".as_ptr(),
                        c"".as_ptr(),
                        null(),
                    ];
                    c::evrim_options_set_proxy(options, url[number as usize % 4])
                }
                10 => {
                    let pem = answers::bytes(&mut self.input);
                    c::evrim_options_set_ca_pem(options, pem.as_ptr().cast(), pem.len())
                }
                11 => c::evrim_options_set_ca_file(
                    options,
                    [
                        c"/dev/null".as_ptr(),
                        c"".as_ptr(),
                        c"/nowhere".as_ptr(),
                        null(),
                    ][number as usize % 4],
                ),
                12 => c::evrim_options_set_client_certificate(
                    options,
                    c"/dev/null".as_ptr(),
                    c"/nowhere".as_ptr(),
                ),
                _ => c::evrim_options_set_system_ca(options, number % 2 == 1),
            };
            check_status(status as i32);
            assert!(!options.is_null() || status as i32 == 1);
        }
    }

    unsafe fn log_or_token_callback(&mut self) {
        unsafe {
            let slot = self.slot();
            let options = self.options[slot];
            let choice = self.byte();
            let level = i32::from(choice % 6);
            let status = if choice & 128 == 0 {
                let callback: c::evrim_log_fn = if choice & 64 == 0 {
                    Some(callbacks::log)
                } else {
                    None
                };
                let data = callbacks::data(level);
                let status = c::evrim_options_set_log_callback(
                    options,
                    level,
                    callback,
                    data,
                    Some(callbacks::destroy),
                );
                if status as i32 != 0 {
                    callbacks::destroy(data);
                }
                status
            } else {
                let callback: c::evrim_token_fn = if choice & 64 == 0 {
                    Some(callbacks::tokens)
                } else {
                    None
                };
                let data = callbacks::data(0);
                let status = c::evrim_options_set_token_callback(
                    options,
                    callback,
                    data,
                    Some(callbacks::destroy),
                );
                if status as i32 != 0 {
                    callbacks::destroy(data);
                }
                status
            };
            check_status(status as i32);
        }
    }

    unsafe fn body(&mut self) {
        unsafe {
            let slot = self.slot();
            if self.requests[slot].is_null() && self.flag() {
                self.requests[slot] = c::evrim_request_options_new();
            }
            let request = self.requests[slot];
            let choice = self.byte();
            let status = match choice % 7 {
                0 => {
                    let (name, value) = (self.text(&["q", "", "a b"]), self.text(&["v", "", "&ü"]));
                    c::evrim_request_options_add_query(request, at(&name), at(&value))
                }
                1 => {
                    let (name, value) = (self.text(&["x-a", "host", ""]), self.text(&["v", "\n"]));
                    c::evrim_request_options_set_header(request, at(&name), at(&value))
                }
                2 => {
                    let (pointer, value) = (self.pointer(), self.text(&["v", ""]));
                    c::evrim_request_options_set_string(request, at(&pointer), at(&value))
                }
                3 => {
                    let pointer = self.pointer();
                    c::evrim_request_options_set_int(
                        request,
                        at(&pointer),
                        [0, i64::MIN, i64::MAX][usize::from(choice) % 3],
                    )
                }
                4 => {
                    let pointer = self.pointer();
                    c::evrim_request_options_set_double(
                        request,
                        at(&pointer),
                        [0.5, f64::NAN, f64::INFINITY, -0.0][usize::from(choice) % 4],
                    )
                }
                5 => {
                    let pointer = self.pointer();
                    c::evrim_request_options_set_bool(request, at(&pointer), choice > 99)
                }
                _ => {
                    let (pointer, json) = (self.pointer(), self.json());
                    c::evrim_request_options_set_json(
                        request,
                        at(&pointer),
                        json.as_ptr().cast(),
                        json.len(),
                    )
                }
            };
            check_status(status as i32);
            assert!(!request.is_null() || status as i32 == 1);
        }
    }

    fn json(&mut self) -> Vec<u8> {
        let choice = usize::from(self.byte());
        match ["{}", "[1]", "null", "{\"a\": [{}]}", "{", ""].get(choice % 8) {
            Some(text) => text.as_bytes().to_vec(),
            None => answers::bytes(&mut self.input),
        }
    }

    /// A call on a client, with callbacks that conduct themselves as the input says.
    unsafe fn on<T>(&mut self, slot: usize, call: impl FnOnce(*mut c::evrim_client) -> T) -> T {
        let conduct = self.byte();
        let client = self.clients[slot];
        // A callback that frees it must be the only one who uses it.
        let is_shared = self.threads.iter().any(|running| running.client == client);
        let conduct = if conduct % 8 == 4 && is_shared {
            0
        } else {
            conduct
        };
        let (result, is_freed) = during(client, conduct, || call(client));
        if is_freed {
            self.clients[slot] = null_mut();
        }
        result
    }

    unsafe fn request(&mut self) {
        unsafe {
            let slot = self.slot();
            let method = self.text(&["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "get", ""]);
            let path = self.path();
            let error = self.error();
            let mut response = null_mut();
            let status = if self.flag() {
                let options = self.slot();
                let options = self.requests[options];
                self.on(slot, |client| {
                    c::evrim_request_with(
                        client,
                        at(&method),
                        at(&path),
                        options,
                        &mut response,
                        error,
                    )
                })
            } else {
                let json = self.json();
                let body: *const c_void = if json.is_empty() {
                    null()
                } else {
                    json.as_ptr().cast()
                };
                self.on(slot, |client| {
                    c::evrim_request(
                        client,
                        at(&method),
                        at(&path),
                        body,
                        json.len(),
                        &mut response,
                        error,
                    )
                })
            };
            self.judge(status, !response.is_null(), error);
            assert_eq!(status as i32 == 0, !response.is_null());
            self.put_response(response);
        }
    }

    unsafe fn resource(&mut self) {
        unsafe {
            let slot = self.slot();
            let kind = self.byte();
            let id = [1, 0, -1, i64::MAX][usize::from(kind / 16) % 4];
            let task = self.text(&["t", "", "a/b", "..", "ü"]);
            let error = self.error();
            let mut response = null_mut();
            let to = &raw mut response;
            let status = self.on(slot, |client| match kind % 11 {
                0 => c::evrim_get_reports(client, to, error),
                1 => c::evrim_get_report(client, id, to, error),
                2 => c::evrim_get_runs(client, to, error),
                3 => c::evrim_get_run(client, id, to, error),
                4 => c::evrim_get_sections(client, to, error),
                5 => c::evrim_get_section(client, id, to, error),
                6 => c::evrim_get_paragraphs(client, to, error),
                7 => c::evrim_get_paragraph(client, id, to, error),
                8 => c::evrim_get_tasks(client, to, error),
                9 => c::evrim_get_task(client, at(&task), to, error),
                _ => c::evrim_submit_research(
                    client,
                    at(&task),
                    at(&task),
                    at(&task),
                    at(&task),
                    null(),
                    null(),
                    to,
                    error,
                ),
            });
            self.judge(status, !response.is_null(), error);
            assert_eq!(status as i32 == 0, !response.is_null());
            self.put_response(response);
        }
    }

    unsafe fn tokens(&mut self) {
        unsafe {
            let slot = self.slot();
            let kind = self.byte();
            let error = self.error();
            let mut valid = true;
            let status = self.on(slot, |client| match kind % 3 {
                0 => c::evrim_set_token(client, error),
                1 => c::evrim_refresh_token(client, error),
                _ => c::evrim_validate_token(client, &mut valid, error),
            });
            self.judge(status, false, error);
            assert!(kind % 3 != 2 || status as i32 == 0 || !valid);
        }
    }

    unsafe fn copies(&mut self) {
        unsafe {
            let slot = self.slot();
            let client = self.clients[slot];
            let error = self.error();
            let (mut access, mut refresh, mut expires_at) = (null_mut(), null_mut(), -9);
            let status = match self.byte() % 3 {
                0 => c::evrim_copy_access_token(client, &mut access, error),
                1 => c::evrim_copy_refresh_token(client, &mut refresh, error),
                _ => {
                    c::evrim_copy_tokens(client, &mut access, &mut refresh, &mut expires_at, error)
                }
            };
            self.judge(status, !access.is_null() || !refresh.is_null(), error);
            assert!(expires_at >= -1 || expires_at == -9);
            for copy in [access, refresh] {
                assert!(text(copy).is_none_or(|token| !token.is_empty()));
                c::evrim_string_free(copy);
            }
            assert!(c::evrim_token_expires_at(client) >= -1);
        }
    }

    unsafe fn clone_or_options(&mut self) {
        unsafe {
            let slot = self.slot();
            let client = self.clients[slot];
            let kind = self.byte();
            if kind % 3 == 0 {
                let error = self.error();
                let to = self.slot();
                c::evrim_options_free(self.options[to]);
                self.options[to] = null_mut();
                let mut options = null_mut();
                let status = c::evrim_copy_options(client, &mut options, error);
                self.judge(status, !options.is_null(), error);
                self.options[to] = options;
                return;
            }
            let options = if kind % 3 == 1 {
                self.brief()
            } else {
                null_mut()
            };
            let error = self.error();
            let mut clone = null_mut();
            let status = c::evrim_clone(client, options, &mut clone, error);
            self.judge(status, !clone.is_null(), error);
            assert_eq!(status as i32 == 0, !clone.is_null());
            self.put_client(clone);
        }
    }

    unsafe fn download(&mut self) {
        unsafe {
            let slot = self.slot();
            let path = self.path();
            let name = ["", "/a", "/b.pdf", "/none/c"][usize::from(self.byte()) % 4];
            let destination =
                CString::new(format!("{}{name}", folder().display())).expect("no NUL");
            let mut left = u32::from(self.byte());
            let data: *mut c_void = (&raw mut left).cast();
            let progress: c::evrim_progress_fn = if self.flag() {
                Some(callbacks::progress)
            } else {
                None
            };
            let error = self.error();
            let kind = self.byte();
            let mut saved_as = null_mut();
            let to = &raw mut saved_as;
            if kind % 3 == 0 {
                let status = self.on(slot, |client| {
                    c::evrim_download_to(
                        client,
                        at(&path),
                        Some(callbacks::write),
                        progress,
                        data,
                        error,
                    )
                });
                self.judge(status, false, error);
                return;
            }
            let before = listing();
            let status = self.on(slot, |client| match kind % 3 {
                1 => c::evrim_download(
                    client,
                    at(&path),
                    destination.as_ptr(),
                    progress,
                    data,
                    to,
                    error,
                ),
                _ => c::evrim_download_report(
                    client,
                    1,
                    [c"pdf", c"docx", c"exe"][usize::from(kind) % 7 % 3].as_ptr(),
                    destination.as_ptr(),
                    progress,
                    data,
                    to,
                    error,
                ),
            });
            self.judge(status, !saved_as.is_null(), error);
            assert_eq!(status as i32 == 0, !saved_as.is_null());
            if let Some(path) = text(saved_as) {
                let path = PathBuf::from(path);
                assert_eq!(path.parent(), Some(folder()), "{path:?}");
                assert!(path.is_file(), "{path:?}");
                self.saved.insert(path);
            }
            c::evrim_string_free(saved_as);
            let after = listing();
            let new: Vec<_> = after
                .difference(&before)
                .filter(|path| !self.saved.contains(*path))
                .collect();
            assert!(new.is_empty(), "{new:?} was left behind");
        }
    }

    unsafe fn wait_or_next(&mut self) {
        unsafe {
            let slot = self.slot();
            let error = self.error();
            let mut response = null_mut();
            let to = &raw mut response;
            let kind = self.byte();
            if kind % 2 == 0 {
                let page = self.slot();
                let page = self.responses[page];
                let status = self.on(slot, |client| c::evrim_next_page(client, page, to, error));
                self.judge(status, !response.is_null(), error);
            } else {
                let task = self.text(&["t", "", "../t"]);
                let mut left = u32::from(self.byte());
                let data: *mut c_void = (&raw mut left).cast();
                let timeout = u32::from(self.byte() % 64);
                let status = self.on(slot, |client| {
                    c::evrim_wait_for_task(
                        client,
                        at(&task),
                        timeout,
                        Some(callbacks::progress),
                        data,
                        to,
                        error,
                    )
                });
                self.judge(status, !response.is_null(), error);
                assert_eq!(status as i32 == 0, !response.is_null());
            }
            self.put_response(response);
        }
    }

    /// The server sees when it has begun; then the client may be cancelled, closed and freed under it.
    unsafe fn in_a_thread(&mut self) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let slot = self.slot();
        let client = self.clients[slot];
        if client.is_null() || self.threads.len() >= 4 {
            return;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let carried = Carried(client);
        let kind = self.byte();
        let thread = thread::spawn(move || {
            // SAFETY: who started it frees the client only after it has begun.
            unsafe { one_call(carried.get(), kind, number) };
            over.store(true, Ordering::SeqCst);
        });
        let waits = kind & 64 == 0;
        if waits {
            self.script.wait(number, || is_over.load(Ordering::SeqCst));
        }
        self.threads.push(Running {
            client,
            is_over,
            thread,
            has_begun: waits,
        });
        self.join(|running| running.is_over.load(Ordering::SeqCst));
    }

    unsafe fn read_response(&mut self) {
        unsafe {
            let slot = self.slot();
            let pointer = self.pointer();
            let response = self.responses[slot];
            if !response.is_null() {
                let pointer = pointer.as_ref().and_then(|pointer| pointer.to_str().ok());
                harness::response::read(response, pointer.as_slice());
            } else {
                assert_eq!(c::evrim_response_status(response), 0);
                assert!(c::evrim_response_string(response, at(&pointer)).is_null());
                assert_eq!(c::evrim_response_count(response, at(&pointer)), 0);
            }
        }
    }

    unsafe fn read_error(&mut self) {
        unsafe {
            let slot = self.slot();
            let error = self.errors[slot];
            check(c::evrim_error_status(error) as i32, false, error);
        }
    }

    unsafe fn end(&mut self) {
        unsafe {
            let slot = self.slot();
            let client = self.clients[slot];
            match self.byte() % 4 {
                0 => c::evrim_cancel(client),
                1 => c::evrim_close(client),
                2 => self.join(|_| true),
                _ => {
                    c::evrim_close(client);
                    self.join(|running| running.client == client);
                    self.free_client(slot);
                }
            }
        }
    }

    unsafe fn null_handles(&mut self) {
        unsafe {
            let error = self.error();
            let mut response = null_mut();
            let status = match self.byte() % 6 {
                0 => c::evrim_request(
                    null_mut(),
                    c"GET".as_ptr(),
                    c"x/".as_ptr(),
                    null(),
                    0,
                    &mut response,
                    error,
                ),
                1 => c::evrim_request(
                    self.clients[0],
                    c"GET".as_ptr(),
                    c"x/".as_ptr(),
                    null(),
                    0,
                    null_mut(),
                    error,
                ),
                2 => c::evrim_request(
                    self.clients[0],
                    c"GET".as_ptr(),
                    c"x/".as_ptr(),
                    null(),
                    7,
                    &mut response,
                    error,
                ),
                3 => c::evrim_next_page(self.clients[0], null(), &mut response, error),
                4 => {
                    c::evrim_copy_tokens(self.clients[0], null_mut(), null_mut(), null_mut(), error)
                }
                _ => c::evrim_download_to(
                    self.clients[0],
                    c"x/".as_ptr(),
                    None,
                    None,
                    null_mut(),
                    error,
                ),
            };
            assert_eq!(status as i32, 1, "NULL is refused");
            self.judge(status, !response.is_null(), error);
            c::evrim_free(null_mut());
            c::evrim_cancel(null_mut());
            c::evrim_error_free(null_mut());
            c::evrim_response_free(null_mut());
            c::evrim_options_free(null_mut());
            c::evrim_request_options_free(null_mut());
            c::evrim_string_free(null_mut());
        }
    }

    unsafe fn free_something(&mut self) {
        unsafe {
            let slot = self.slot();
            match self.byte() % 5 {
                0 => self.free_client(slot),
                1 => c::evrim_options_free(std::mem::replace(&mut self.options[slot], null_mut())),
                2 => c::evrim_request_options_free(std::mem::replace(
                    &mut self.requests[slot],
                    null_mut(),
                )),
                3 => {
                    c::evrim_response_free(std::mem::replace(&mut self.responses[slot], null_mut()))
                }
                _ => c::evrim_error_free(std::mem::replace(&mut self.errors[slot], null_mut())),
            }
        }
    }
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        // Clients last or first: responses and errors don't need theirs.
        // SAFETY: each is freed once, and no thread runs any more when it is over.
        unsafe {
            for slot in 0..SLOTS {
                self.free_client(slot);
            }
            self.join(|_| true);
            for slot in 0..SLOTS {
                c::evrim_options_free(self.options[slot]);
                c::evrim_request_options_free(self.requests[slot]);
                c::evrim_response_free(self.responses[slot]);
                c::evrim_error_free(self.errors[slot]);
            }
        }
        let left = listing();
        for path in &left {
            let _ = std::fs::remove_file(path);
        }
        assert!(left.is_subset(&self.saved), "{left:?} but {:?}", self.saved);
    }
}

fn listing() -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the scratch folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

unsafe fn one_call(client: *mut c::evrim_client, kind: u8, number: u32) {
    let path = CString::new(format!("t/{number}/")).expect("no NUL");
    let mut response = null_mut();
    let mut error = null_mut();
    let mut left = 3_u32;
    let data: *mut c_void = (&raw mut left).cast();
    // SAFETY: a client that is not freed before the call has begun.
    unsafe {
        let status = match kind % 3 {
            0 => c::evrim_request(
                client,
                c"GET".as_ptr(),
                path.as_ptr(),
                null(),
                0,
                &mut response,
                &mut error,
            ),
            1 => c::evrim_request(
                client,
                c"POST".as_ptr(),
                path.as_ptr(),
                b"{}".as_ptr().cast(),
                2,
                &mut response,
                &mut error,
            ),
            _ => c::evrim_download_to(
                client,
                path.as_ptr(),
                Some(callbacks::write),
                Some(callbacks::progress),
                data,
                &mut error,
            ),
        };
        check(status as i32, !response.is_null(), error);
        c::evrim_response_free(response);
        c::evrim_error_free(error);
    }
}
