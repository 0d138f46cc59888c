//! What went wrong, in a form that a caller can act on.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use zeroize::Zeroizing;

/// The kinds of failure. The groups are: the call, the way to the server, the server's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    InvalidArgument,
    InvalidUrl,
    InsecureUrl,
    NoCredentials,
    NoRefreshToken,
    Cancelled,
    Internal,
    Network,
    Tls,
    Timeout,
    Protocol,
    Redirect,
    TooLarge,
    Io,
    Authentication,
    Permission,
    NotFound,
    Conflict,
    RateLimited,
    Request,
    Server,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure: what happened, with which URL, and what to do about it. Never holds a secret.
#[derive(Clone, thiserror::Error)]
#[error("{}", .0.message)]
pub struct Error(Box<Details>);

#[derive(Clone)]
struct Details {
    status: Status,
    message: String,
    http_status: Option<u16>,
    server_code: Option<String>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    body: Option<Bytes>,
    retryable: bool,
    may_have_been_sent: bool,
}

impl Error {
    pub fn new(status: Status, message: impl Into<String>) -> Error {
        Error(Box::new(Details {
            status,
            message: message.into(),
            http_status: None,
            server_code: None,
            request_id: None,
            retry_after: None,
            body: None,
            retryable: matches!(status, Status::Network | Status::Timeout),
            may_have_been_sent: false,
        }))
    }

    pub fn invalid_argument(message: impl Into<String>) -> Error {
        Error::new(Status::InvalidArgument, message)
    }

    pub fn status(&self) -> Status {
        self.0.status
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The HTTP status of the answer, where there was one.
    pub fn http_status(&self) -> Option<u16> {
        self.0.http_status
    }

    /// The member `code` of the server's answer, such as `token_not_valid`.
    pub fn server_code(&self) -> Option<&str> {
        self.0.server_code.as_deref()
    }

    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How long the server asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The body of the server's answer.
    pub fn body(&self) -> Option<&Bytes> {
        self.0.body.as_ref()
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// Whether the server may have acted on the request.
    pub fn may_have_been_sent(&self) -> bool {
        self.0.may_have_been_sent
    }

    pub(crate) fn sent(mut self, sent: bool) -> Error {
        self.0.may_have_been_sent = sent;
        self
    }

    pub(crate) fn retryable(mut self, retryable: bool) -> Error {
        self.0.retryable = retryable;
        self
    }

    /// A server may quote what it was sent: what is quoted of a secret is taken out.
    pub(crate) fn without(mut self, secret: &str) -> Error {
        if secret.is_empty() {
            return self;
        }
        let details = &mut self.0;
        if details.message.contains(secret) {
            details.message = details.message.replace(secret, "…");
        }
        for text in [&mut details.server_code, &mut details.request_id] {
            *text = text.take().filter(|text| !text.contains(secret));
        }
        let in_json = Zeroizing::new(serde_json::to_string(secret).unwrap_or_default());
        // Without the quotes around it.
        let in_json = in_json.get(1..in_json.len().saturating_sub(1));
        let in_json = in_json.unwrap_or_default();
        details.body = details
            .body
            .take()
            .filter(|body| !holds(body, secret) && (in_json == secret || !holds(body, in_json)));
        self
    }

    pub(crate) fn without_body(mut self) -> Error {
        self.0.body = None;
        self
    }

    pub(crate) fn with_answer(mut self, answer: Answer) -> Error {
        self.0.http_status = Some(answer.http_status);
        self.0.server_code = answer.server_code;
        self.0.request_id = answer.request_id;
        self.0.retry_after = answer.retry_after;
        self.0.body = answer.body;
        self.0.may_have_been_sent = true;
        self
    }
}

fn holds(body: &[u8], text: &str) -> bool {
    !text.is_empty() && body.windows(text.len()).any(|part| part == text.as_bytes())
}

/// What an error keeps of the server's answer.
#[derive(Default)]
pub(crate) struct Answer {
    pub http_status: u16,
    pub server_code: Option<String>,
    pub request_id: Option<String>,
    pub retry_after: Option<Duration>,
    pub body: Option<Bytes>,
}

impl fmt::Debug for Error {
    // The body is the server's and may quote what was sent: only its length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("status", &self.0.status)
            .field("message", &self.0.message)
            .field("http_status", &self.0.http_status)
            .field("server_code", &self.0.server_code)
            .field("request_id", &self.0.request_id)
            .field("retry_after", &self.0.retry_after)
            .field("body_len", &self.0.body.as_ref().map(Bytes::len))
            .field("retryable", &self.0.retryable)
            .field("may_have_been_sent", &self.0.may_have_been_sent)
            .finish()
    }
}

/// Whether the system has run out of something of which there may be more later.
pub fn is_shortage(error: &std::io::Error) -> bool {
    let passing = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS];
    error
        .raw_os_error()
        .is_some_and(|code| passing.contains(&code))
}
