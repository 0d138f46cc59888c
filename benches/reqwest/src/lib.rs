//! What the benchmark uses of evrim.h, made the short way: `reqwest::blocking` behind C functions. It checks
//! little, renews nothing, and is no library to use.

// The caller keeps to what evrim.h says.
#![allow(clippy::missing_safety_doc)]

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use std::time::Duration;

use reqwest::blocking::Client as Http;
use reqwest::{Certificate, Method};
use serde_json::{Value, json};

const OK: i32 = 0;
const FAILED: i32 = 20;

type Failure = Box<dyn std::error::Error>;

pub struct Options {
    ca_file: Option<String>,
    system_ca: bool,
}

pub struct Client {
    http: Http,
    url: String,
    access: String,
}

pub struct Response {
    body: Vec<u8>,
    json: Option<Value>,
    /// As C wants the strings.
    strings: Vec<CString>,
}

#[unsafe(no_mangle)]
pub extern "C" fn evrim_options_new() -> *mut Options {
    Box::into_raw(Box::new(Options {
        ca_file: None,
        system_ca: true,
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_options_set_ca_file(
    options: &mut Options,
    path: *const c_char,
) -> i32 {
    options.ca_file = Some(unsafe { text(path) }.to_owned());
    OK
}

#[unsafe(no_mangle)]
pub extern "C" fn evrim_options_set_system_ca(options: &mut Options, trust: bool) -> i32 {
    options.system_ca = trust;
    OK
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_options_free(options: *mut Options) {
    drop(unsafe { Box::from_raw(options) });
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_new(
    url: *const c_char,
    username: *const c_char,
    password: *const c_char,
    options: &Options,
    client: &mut *mut Client,
    error: &mut *mut CString,
) -> i32 {
    let [url, username, password] =
        [url, username, password].map(|argument| unsafe { text(argument) });
    give(sign_in(url, username, password, options), client, error)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_request(
    client: &Client,
    method: *const c_char,
    path: *const c_char,
    _body: *const c_void,
    _body_len: usize,
    response: &mut *mut Response,
    error: &mut *mut CString,
) -> i32 {
    let [method, path] = [method, path].map(|argument| unsafe { text(argument) });
    give(request(client, method, path), response, error)
}

#[unsafe(no_mangle)]
pub extern "C" fn evrim_validate_token(
    client: &Client,
    valid: &mut bool,
    error: &mut *mut CString,
) -> i32 {
    let mut answer = ptr::null_mut();
    let status = give(verify(client), &mut answer, error);
    *valid = status == OK && *unsafe { Box::from_raw(answer) };
    status
}

#[unsafe(no_mangle)]
pub extern "C" fn evrim_response_body(response: &Response, len: &mut usize) -> *const u8 {
    *len = response.body.len();
    response.body.as_ptr()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_response_string(
    response: &mut Response,
    pointer: *const c_char,
) -> *const c_char {
    let found = response
        .at(unsafe { text(pointer) })
        .and_then(Value::as_str)
        .map(str::to_owned);
    let Some(string) = found.and_then(|string| CString::new(string).ok()) else {
        return ptr::null();
    };
    let start = string.as_ptr();
    response.strings.push(string);
    start
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_response_int(
    response: &mut Response,
    pointer: *const c_char,
    value: &mut i64,
) -> bool {
    let found = response
        .at(unsafe { text(pointer) })
        .and_then(Value::as_i64);
    *value = found.unwrap_or(0);
    found.is_some()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_response_count(
    response: &mut Response,
    pointer: *const c_char,
) -> usize {
    response
        .at(unsafe { text(pointer) })
        .and_then(Value::as_array)
        .map_or(0, Vec::len)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_response_free(response: *mut Response) {
    drop(unsafe { Box::from_raw(response) });
}

#[unsafe(no_mangle)]
pub extern "C" fn evrim_error_message(error: &CString) -> *const c_char {
    error.as_ptr()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_free(client: *mut Client) {
    drop(unsafe { Box::from_raw(client) });
}

fn sign_in(
    url: &str,
    username: &str,
    password: &str,
    options: &Options,
) -> Result<Client, Failure> {
    // The second client finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = Vec::new();
    if let Some(path) = &options.ca_file {
        roots = Certificate::from_pem_bundle(&std::fs::read(path)?)?;
    }
    let builder = Http::builder()
        .timeout(Duration::from_secs(60))
        .connect_timeout(Duration::from_secs(5))
        .http1_only();
    let builder = match options.system_ca {
        true => builder.tls_certs_merge(roots),
        false => builder.tls_certs_only(roots),
    };
    let http = builder.build()?;
    let credentials = json!({"username": username, "password": password});
    let answer = http
        .post(format!("{url}/token/"))
        .json(&credentials)
        .send()?
        .error_for_status()?;
    let pair: Value = answer.json()?;
    let access = pair["access"].as_str().ok_or("no access token")?.to_owned();
    Ok(Client {
        http,
        url: url.to_owned(),
        access,
    })
}

fn request(client: &Client, method: &str, path: &str) -> Result<Response, Failure> {
    let url = format!("{}/{path}", client.url);
    let request = client
        .http
        .request(Method::from_bytes(method.as_bytes())?, url)
        .bearer_auth(&client.access);
    let body = request.send()?.error_for_status()?.bytes()?.into();
    Ok(Response {
        body,
        json: None,
        strings: Vec::new(),
    })
}

fn verify(client: &Client) -> Result<bool, Failure> {
    let token = json!({"token": client.access});
    let answer = client
        .http
        .post(format!("{}/token/verify/", client.url))
        .json(&token)
        .send()?;
    Ok(answer.status() == 200)
}

impl Response {
    fn at(&mut self, pointer: &str) -> Option<&Value> {
        if self.json.is_none() {
            self.json = serde_json::from_slice(&self.body).ok();
        }
        self.json.as_ref()?.pointer(pointer)
    }
}

fn give<T>(result: Result<T, Failure>, out: &mut *mut T, error: &mut *mut CString) -> i32 {
    match result {
        Ok(value) => {
            *out = Box::into_raw(Box::new(value));
            OK
        }
        Err(why) => {
            let mut message = why.to_string();
            let mut cause = why.source();
            while let Some(why) = cause {
                message = format!("{message}: {why}");
                cause = why.source();
            }
            *error = Box::into_raw(Box::new(CString::new(message).unwrap_or_default()));
            FAILED
        }
    }
}

unsafe fn text<'a>(string: *const c_char) -> &'a str {
    unsafe { CStr::from_ptr(string) }
        .to_str()
        .unwrap_or_default()
}
