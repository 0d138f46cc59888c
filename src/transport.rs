//! One request, one answer, one deadline. Says what happened; decides nothing.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::Response;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION,
    USER_AGENT,
};
use reqwest::{Method, Url};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::cause::{Cause, Stage};
use crate::endpoint;
use crate::error::{self, Answer, Error, Status};
use crate::json::Node;
use crate::lane::{self, Lane};
use crate::outcome::{self, Advice, LONGEST_ASKED_WAIT, Outcome};
use crate::route::Body;
use crate::secret;
use crate::tls;
use crate::unpack::{self, Damaged, Fault, Gathered, Unpacker};
use crate::watched::Watched;

const GZIP: HeaderValue = HeaderValue::from_static("gzip");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// DRF answers with HTML, errors too, unless JSON is asked for first.
const JSON_FIRST: HeaderValue = HeaderValue::from_static("application/json, */*;q=0.1");

pub struct Outgoing<'a> {
    pub method: Method,
    pub url: &'a Url,
    pub body: Option<Bytes>,
    pub bearer: Option<HeaderValue>,
    pub user_agent: HeaderValue,
    /// The caller's own, sent with everything.
    pub headers: &'a HeaderMap,
    pub timeout: Duration,
    pub limit: u64,
    /// Whether the answer holds tokens: then it is wiped after use.
    pub is_secret: bool,
    /// Set once the server may have the request.
    pub sent: &'a Arc<AtomicBool>,
    /// Takes the body of a success instead of memory.
    pub sink: Option<&'a dyn Sink>,
}

/// Where a body goes piece by piece. It outlives a cut connection, and then asks for the rest.
pub trait Sink {
    /// Says in the request which part is wanted.
    fn ask(&self, headers: &mut HeaderMap);

    /// The answer begins; its length where the server tells it.
    fn begin(&self, status: u16, headers: &HeaderMap, length: Option<u64>) -> Result<(), Error>;

    /// More of it. Waits where the caller has something to do first.
    fn take(&self, bytes: Bytes) -> Pin<Box<dyn Future<Output = Result<(), Error>> + '_>>;

    /// All of it, as far as HTTP can tell.
    fn end(&self) -> Pin<Box<dyn Future<Output = Result<(), Error>> + '_>>;

    /// How many bytes the last attempt has brought that there were not before.
    fn gained(&self) -> u64;
}

#[derive(Debug)]
pub struct Incoming {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// No answer, or half of one.
pub struct Failure {
    pub error: Error,
    pub outcome: Outcome,
}

impl Outgoing<'_> {
    fn label(&self) -> String {
        format!("{} {}", self.method, endpoint::display(self.url))
    }
}

pub async fn exchange(lane: &Lane, request: Outgoing<'_>) -> Result<Incoming, Failure> {
    // A kept connection that the server has closed meanwhile is noticed here. If it is chosen all the
    // same, it looks before it sends, and the HTTP client takes another.
    tokio::task::yield_now().await;
    let Some(sink) = request.sink else {
        let whole = pin!(async { read(&request, send(lane, &request).await?).await });
        return in_time(lane, &request, whole).await;
    };
    let response = in_time(lane, &request, pin!(send(lane, &request))).await?;
    if response.status().is_success() {
        pour(lane, &request, response, sink).await
    } else {
        in_time(lane, &request, pin!(read(&request, response))).await
    }
}

async fn in_time<T>(
    lane: &Lane,
    request: &Outgoing<'_>,
    work: Pin<&mut impl Future<Output = Result<T, Failure>>>,
) -> Result<T, Failure> {
    let deadline = Instant::now() + request.timeout;
    let late = pin!(async {
        poll_fn(|context| lane.attempt_timer.poll(context, deadline)).await;
        None
    });
    match lane::first(pin!(async { Some(work.await) }), late).await {
        Some(result) => result,
        None => {
            let what = match request.sink {
                None => "no whole answer",
                Some(_) => "nothing more came",
            };
            let message = format!(
                "{}: {what} within {} ms: the server is slow or out of reach; try later, or raise \
                 the timeout",
                request.label(),
                request.timeout.as_millis()
            );
            Err(Failure {
                error: Error::new(Status::Timeout, message),
                outcome: Outcome::Final,
            })
        }
    }
}

async fn send(lane: &Lane, request: &Outgoing<'_>) -> Result<Response<Body>, Failure> {
    let mut headers = request.headers.clone();
    headers.reserve(6);
    headers.insert(ACCEPT, JSON_FIRST);
    // Unpacking would leave copies of the tokens about; and lengths and parts of a file are counted
    // as they are sent.
    let packing = match request.is_secret || request.sink.is_some() {
        true => IDENTITY,
        false => GZIP,
    };
    headers.insert(ACCEPT_ENCODING, packing);
    if let Some(sink) = request.sink {
        sink.ask(&mut headers);
    }
    headers.insert(USER_AGENT, request.user_agent.clone());
    if let Some(bearer) = &request.bearer {
        headers.insert(AUTHORIZATION, bearer.clone());
    }
    if request.body.is_some() {
        headers.insert(CONTENT_TYPE, JSON);
    }
    let body = Watched::new(request.body.clone(), request.sent);
    // Without a body there is nothing to watch: it counts as sent unless no connection came about.
    let was_sent = request.sent.load(Ordering::Relaxed);
    if request.body.is_none() {
        request.sent.store(true, Ordering::Relaxed);
    }
    let answer = lane
        .route
        .send(&request.method, request.url, headers, body)
        .await;
    answer.map_err(|cause| {
        if cause.stage != Stage::Exchanging {
            request.sent.store(was_sent, Ordering::Relaxed);
        }
        failure(request, &cause)
    })
}

async fn read(request: &Outgoing<'_>, response: Response<Body>) -> Result<Incoming, Failure> {
    let (head, mut pieces) = response.into_parts();
    let status = head.status.as_u16();
    let mut headers = head.headers;
    let announced = pieces.length();
    let faulty = |fault| match fault {
        Fault::TooLarge => too_large(request, status),
        Fault::NoRoom => no_room(request),
        Fault::Damaged(why) => failure(request, &Cause::new(Stage::Exchanging, Damaged(why))),
    };
    let mut body = Gathered::new(&mut headers, request.limit);
    if announced.is_some_and(|length| length > request.limit) {
        return Err(too_large(request, status));
    }
    // What the server announces is believed up to a point: memory follows what really comes.
    body.expect(announced.unwrap_or(0).min(16 << 20))
        .map_err(faulty)?;
    while let Some(piece) = next(request, &mut pieces).await? {
        body.push(&piece).map_err(faulty)?;
    }
    let body = body.finish().map_err(faulty)?;
    Ok(Incoming {
        status,
        headers,
        body: if request.is_secret {
            secret::wiped(Zeroizing::new(body))
        } else {
            Bytes::from(body)
        },
    })
}

async fn next(request: &Outgoing<'_>, body: &mut Body) -> Result<Option<Bytes>, Failure> {
    let piece = body.next().await;
    piece.map_err(|cause| failure(request, &cause))
}

/// The same into a sink. The timeout is for each piece: a large file may take as long as it comes.
async fn pour(
    lane: &Lane,
    request: &Outgoing<'_>,
    response: Response<Body>,
    sink: &dyn Sink,
) -> Result<Incoming, Failure> {
    let local = |error| Failure {
        error,
        outcome: Outcome::Final,
    };
    let damaged = |why| failure(request, &Cause::new(Stage::Exchanging, why));
    let (mut head, mut pieces) = response.into_parts();
    let status = head.status.as_u16();
    let mut length = pieces.length();
    let mut unpacker = None;
    // It was asked not to be. The whole can be unpacked, a part of it is of no use.
    if unpack::is_packed(&head.headers) {
        if status == 206 {
            let message = format!(
                "{}: the server sent a part of a packed file",
                request.label()
            );
            return Err(local(Error::new(Status::Protocol, message)));
        }
        unpacker = Some(Unpacker::new(&mut head.headers));
        length = None;
    }
    sink.begin(status, &head.headers, length).map_err(local)?;
    while let Some(bytes) = in_time(lane, request, pin!(next(request, &mut pieces))).await? {
        match &mut unpacker {
            None => sink.take(bytes).await.map_err(local)?,
            Some(unpacker) => {
                for piece in bytes.chunks(Unpacker::PIECE) {
                    let unpacked = unpacker.push(piece).map_err(damaged)?;
                    if !unpacked.is_empty() {
                        sink.take(unpacked).await.map_err(local)?;
                    }
                }
            }
        }
    }
    if let Some(unpacker) = unpacker {
        let rest = unpacker.finish().map_err(damaged)?;
        if !rest.is_empty() {
            sink.take(rest).await.map_err(local)?;
        }
    }
    sink.end().await.map_err(local)?;
    Ok(Incoming {
        status,
        headers: head.headers,
        body: Bytes::new(),
    })
}

fn no_room(request: &Outgoing<'_>) -> Failure {
    let message = format!(
        "{}: there is not enough memory left for the answer",
        request.label()
    );
    Failure {
        error: Error::new(Status::Io, message),
        outcome: Outcome::Final,
    }
}

fn too_large(request: &Outgoing<'_>, status: u16) -> Failure {
    let message = format!(
        "{}: the answer is larger than the limit of {} bytes",
        request.label(),
        request.limit
    );
    let answer = Answer {
        http_status: status,
        ..Answer::default()
    };
    Failure {
        error: Error::new(Status::TooLarge, message).with_answer(answer),
        outcome: Outcome::Final,
    }
}

fn failure(request: &Outgoing<'_>, cause: &Cause) -> Failure {
    let label = request.label();
    let root = cause.root();
    let (error, outcome) = if let Some(tls) = cause.find::<rustls::Error>() {
        let advice = tls::advice(tls);
        let message = format!("{label}: no secure connection: {tls}; {advice}");
        (Error::new(Status::Tls, message), Outcome::Final)
    } else if let Some(short) = cause
        .find::<std::io::Error>()
        .filter(|io| error::is_shortage(io))
    {
        let message = format!("{label}: the system gives no more resources: {short}");
        let outcome = match cause.stage {
            Stage::Exchanging => Outcome::Broken,
            _ => Outcome::NotConnected,
        };
        (Error::new(Status::Io, message).retryable(true), outcome)
    } else if cause.stage == Stage::ConnectingLate {
        let message = format!(
            "{label}: no connection within the connect timeout: check that the host is reachable, \
             or raise it with evrim_options_set_connect_timeout_ms"
        );
        (Error::new(Status::Timeout, message), Outcome::NotConnected)
    } else if cause.is_name() {
        let message =
            format!("{label}: the host name can't be resolved: {root}; check the name and the DNS");
        (Error::new(Status::Network, message), Outcome::NotConnected)
    } else if cause.stage == Stage::Connecting {
        let message = format!(
            "{label}: can't connect: {root}; check that the server is running and the port is right"
        );
        (Error::new(Status::Network, message), Outcome::NotConnected)
    } else if cause.stage == Stage::Making {
        let message = format!("{label}: the request can't be made: {root}");
        (Error::invalid_argument(message), Outcome::Final)
    } else if cause.stage == Stage::Unsent || cause.is_broken_connection() {
        let message = format!("{label}: the connection ended before the whole answer: {root}");
        // An unsent body means an untouched request.
        let outcome = if request.sent.load(Ordering::Relaxed) {
            Outcome::Broken
        } else {
            Outcome::NotConnected
        };
        (Error::new(Status::Network, message), outcome)
    } else {
        let message = format!(
            "{label}: the answer is not proper HTTP: {root}; check that the URL is the Evrim API's"
        );
        (Error::new(Status::Protocol, message), Outcome::Final)
    };
    Failure { error, outcome }
}

impl Incoming {
    pub fn outcome(&self, wall: SystemTime) -> Outcome {
        Outcome::Answer {
            status: self.status,
            advice: Advice::read(&self.headers, wall),
        }
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The member `code`, on which alone the reasons for a 401 may be told apart.
    pub fn code(&self) -> Option<String> {
        let json = Node::parse(&self.body)?;
        let code = json.pointer("/code")?.as_text()?;
        Some(code.as_str().to_owned())
    }

    /// An answer that is no success, as an error; `hint` says what to do where the caller knows, and
    /// `secret` is what was sent and must not come back in it.
    pub fn error_with(
        &self,
        method: &Method,
        url: &Url,
        wall: SystemTime,
        hint: Option<&str>,
        secret: &str,
    ) -> Error {
        let status = match self.status {
            401 => Status::Authentication,
            403 => Status::Permission,
            404 => Status::NotFound,
            409 => Status::Conflict,
            429 => Status::RateLimited,
            400..=499 => Status::Request,
            500..=599 => Status::Server,
            300..=399 => Status::Redirect,
            _ => Status::Protocol,
        };
        let advice = Advice::read(&self.headers, wall);
        let status = match advice.after {
            // Whatever the reason: what counts is the wait.
            Some(wait) if wait > LONGEST_ASKED_WAIT && outcome::is_transient(self.status) => {
                Status::RateLimited
            }
            _ => status,
        };
        let mut message = format!(
            "{method} {}: the server answered {}",
            endpoint::display(url),
            self.status
        );
        if let Some(detail) = self.detail(secret) {
            message.push_str(": ");
            message.push_str(&detail);
        }
        if let Some(place) = self.location(url) {
            message.push_str(" and pointed to ");
            message.push_str(&place);
        }
        let hint = hint.map(str::to_owned);
        if let Some(hint) = hint.or_else(|| what_to_do(status, advice)) {
            message.push_str("; ");
            message.push_str(&hint);
        }
        let retryable = advice
            .should_retry
            .unwrap_or(outcome::is_transient(self.status));
        Error::new(status, message)
            .retryable(retryable)
            .with_answer(self.answer(advice))
            .without(secret)
    }

    /// An answer that is not what the API promises.
    pub fn protocol_error(&self, method: &Method, url: &Url, wall: SystemTime, why: &str) -> Error {
        let kind = match self.headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes()) {
            Some(kind) => String::from_utf8_lossy(kind).into_owned(),
            None => "nothing that it names".to_owned(),
        };
        let message = format!(
            "{method} {}: {why} (the server answered {} with {} bytes of {kind}): check that the \
             URL is the Evrim API's and not a web page or a proxy's",
            endpoint::display(url),
            self.status,
            self.body.len(),
        );
        Error::new(Status::Protocol, message)
            .with_answer(self.answer(Advice::read(&self.headers, wall)))
    }

    pub fn answer(&self, advice: Advice) -> Answer {
        let header = |name: &str| {
            let value = self.headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        Answer {
            http_status: self.status,
            server_code: self.code(),
            request_id: header("x-moesif-transaction-id").or_else(|| header("apigw-requestid")),
            retry_after: advice.after,
            body: Some(self.body.clone()),
        }
    }

    /// Where a redirect leads.
    fn location(&self, from: &Url) -> Option<String> {
        let place = self.headers.get(LOCATION)?.to_str().ok()?;
        let place = from.join(place).ok()?;
        (300..400)
            .contains(&self.status)
            .then(|| endpoint::display(&place))
    }

    /// The server's own sentence, for people; programs go by status and code.
    fn detail(&self, secret: &str) -> Option<String> {
        let json = Node::parse(&self.body)?;
        let mut detail = match json.pointer("/detail") {
            Some(detail) => detail.as_text()?.as_str().to_owned(),
            // So DRF names a field that it does not like.
            None => {
                let (field, reasons) = json.first_member()?;
                let reason = reasons.pointer("/0")?.as_text()?.as_str();
                format!("{field}: {reason}")
            }
        };
        if !secret.is_empty() {
            // Before it is cut short: half of a secret would not be known for one any more.
            detail = detail.replace(secret, "…");
        }
        let short: String = detail
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect();
        Some(format!("\"{short}\""))
    }
}

fn what_to_do(status: Status, advice: Advice) -> Option<String> {
    match (status, advice.after) {
        (_, Some(wait)) => Some(format!("try again after {} s", wait.as_secs_f64().ceil())),
        (Status::Redirect, _) => Some("check the base URL, and http or https in it".to_owned()),
        (Status::NotFound, _) => Some("check the id and the base URL".to_owned()),
        (Status::Permission, _) => Some("this user may not do this".to_owned()),
        (Status::RateLimited | Status::Server, _) => Some("try again later".to_owned()),
        _ => None,
    }
}
