//! The listener, its connections, and the way of one request through the server.

use super::payload::Payload;
use super::reply::{Call, Reply};
use super::shared::{PREFIX, Shared};
use super::wire::{Orders, Stream, Wire};
use super::{api, control, misbehave};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::future::{Future, poll_fn};
use std::io::Error;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// Serves until told to stop; the end of the runtime ends every connection.
pub fn run(
    listener: std::net::TcpListener,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return eprintln!("sandbox: no runtime: {error}"),
    };
    runtime.block_on(async move {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return eprintln!("sandbox: no listener: {error}"),
        };
        tokio::spawn(accept(listener, acceptor, shared));
        let _ = stopped.await;
    });
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                tokio::spawn(connection(tcp, acceptor.clone(), Arc::clone(&shared)));
            }
            // Out of descriptors, most likely: some will be closed soon.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Counts one connection as open while it lives.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Open {
        let counters = &mut shared.state().counters;
        counters.connections += 1;
        counters.open_connections += 1;
        Open(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.state().counters.open_connections -= 1;
    }
}

/// Counts one request as running while it lives, and notes when the connection was last used.
struct Running {
    shared: Arc<Shared>,
    counted: bool,
    use_of: Arc<Mutex<Use>>,
}

struct Use {
    requests: u64,
    running: u64,
    last: Instant,
}

impl Running {
    fn new(shared: &Arc<Shared>, use_of: &Arc<Mutex<Use>>, counted: bool) -> Running {
        if counted {
            let counters = &mut shared.state().counters;
            counters.running += 1;
            counters.peak_running = counters.peak_running.max(counters.running);
        }
        let mut used = lock(use_of);
        used.requests += 1;
        used.running += 1;
        Running {
            shared: Arc::clone(shared),
            counted,
            use_of: Arc::clone(use_of),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.counted {
            self.shared.state().counters.running -= 1;
        }
        let mut used = lock(&self.use_of);
        used.running -= 1;
        used.last = Instant::now();
    }
}

fn lock(use_of: &Mutex<Use>) -> std::sync::MutexGuard<'_, Use> {
    use_of
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

async fn connection(tcp: TcpStream, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let _open = Open::new(&shared);
    let _ = tcp.set_nodelay(true);
    let mut closing = shared.closing.subscribe();
    let stream = match acceptor {
        None => Stream::Plain(tcp),
        Some(acceptor) => match acceptor.accept(tcp).await {
            Ok(tls) => Stream::Tls(Box::new(tls)),
            Err(_) => {
                shared.state().counters.failed_handshakes += 1;
                return;
            }
        },
    };

    let orders = Arc::new(Orders::default());
    let used = Arc::new(Mutex::new(Use {
        requests: 0,
        running: 0,
        last: Instant::now(),
    }));
    let wire = TokioIo::new(Wire::new(stream, Arc::clone(&orders)));
    let service = service_fn(|request: Request<Incoming>| {
        let counted = !is_control(inner_path(request.uri().path()).1);
        let running = Running::new(&shared, &used, counted);
        request_on(Arc::clone(&shared), Arc::clone(&orders), request, running)
    });
    let mut http = http1::Builder::new();
    http.header_read_timeout(None);
    let mut http = pin!(http.serve_connection(wire, service));

    let mut end = pin!(async {
        match shared.config.keep_alive {
            None => drop(closing.changed().await),
            Some(limit) => {
                let idle = pin!(idle(&used, limit));
                let changed = pin!(closing.changed());
                first(idle, changed).await;
            }
        }
    });
    let finished = poll_fn(|context| {
        if http.as_mut().poll(context).is_ready() {
            return Poll::Ready(true);
        }
        end.as_mut().poll(context).map(|()| false)
    })
    .await;
    if !finished && lock(&used).requests > 0 {
        http.as_mut().graceful_shutdown();
        let _ = http.await;
    }
}

/// Ready when either is.
async fn first<A, B>(mut one: A, mut other: B)
where
    A: Future + Unpin,
    B: Future + Unpin,
{
    poll_fn(|context| {
        let one = std::pin::Pin::new(&mut one).poll(context).is_ready();
        let other = std::pin::Pin::new(&mut other).poll(context).is_ready();
        if one || other {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Ready once the connection has been idle for the time it may be.
async fn idle(used: &Mutex<Use>, limit: Duration) {
    loop {
        let left = {
            let used = lock(used);
            match used.running {
                0 => limit.saturating_sub(used.last.elapsed()),
                _ => limit,
            }
        };
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left).await;
    }
}

/// Whether a path begins with the prefix of the base URL, and the path without it.
fn inner_path(path: &str) -> (bool, &str) {
    match path.strip_prefix(PREFIX) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => (true, rest),
        _ => (false, path),
    }
}

fn is_control(path: &str) -> bool {
    path.starts_with("/sandbox/")
}

/// An error drops the connection without an answer.
async fn request_on(
    shared: Arc<Shared>,
    orders: Arc<Orders>,
    request: Request<Incoming>,
    _running: Running,
) -> Result<Response<Payload>, Error> {
    let (head, body) = request.into_parts();
    let (under_base, path) = inner_path(head.uri.path());
    let path = path.to_owned();
    if !is_control(&path) {
        let counters = &mut shared.state().counters;
        counters.total += 1;
        let name = format!("{} {path}", head.method);
        *counters.requests.entry(name).or_default() += 1;
    }
    let body = body.collect().await.map_err(Error::other)?.to_bytes();
    let call = Call {
        target: head.uri.to_string(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        method: head.method,
        path,
        headers: head.headers,
        body,
    };
    if let Some(reply) = control::answer(&shared, &call) {
        return Ok(reply.encode(&call).into_response());
    }

    let (delay, fault) = {
        let mut state = shared.state();
        let taken = state.faults.take(call.method.as_str(), &call.path);
        if taken.1.is_some() || !taken.0.is_zero() {
            state.counters.faults += 1;
        }
        taken
    };
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let answer = match fault {
        Some(kind) => misbehave::answer(&shared, &call, kind, &orders).await,
        None => Ok(right_answer(&shared, &call, under_base).await),
    };
    if let Ok(response) = &answer {
        let status = response.status().as_u16();
        *shared.state().counters.statuses.entry(status).or_default() += 1;
    }
    if shared.config.log {
        let outcome = match &answer {
            Ok(response) => response.status().to_string(),
            Err(_) => "cut".to_owned(),
        };
        eprintln!("{} {} {outcome}", call.method, call.target);
    }
    answer
}

async fn right_answer(shared: &Shared, call: &Call, under_base: bool) -> Response<Payload> {
    let reply: Reply = match under_base {
        true => api::answer(shared, call).await,
        // Paths are appended to the base URL; a client that resolves them against the host comes here.
        false => api::not_found(),
    };
    reply.encode(call).into_response()
}
