//! The connection under hyper, for what hyper rightly refuses to do: bytes that are no HTTP, and a reset.

use std::io::Result;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// What a request's handler may ask of the connection it came on.
#[derive(Default)]
pub struct Orders {
    raw: Mutex<Option<Vec<u8>>>,
    reset: AtomicBool,
}

impl Orders {
    /// Sends these bytes instead of anything that hyper writes from now on.
    pub fn send_raw(&self, bytes: Vec<u8>) {
        *self.raw.lock().unwrap_or_else(|lock| lock.into_inner()) = Some(bytes);
    }

    /// Ends the connection with RST rather than FIN.
    pub fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }
}

pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

pub struct Wire {
    stream: Stream,
    orders: Arc<Orders>,
    /// The raw bytes being sent, and how many are out.
    raw: Option<(Vec<u8>, usize)>,
}

impl Wire {
    pub fn new(stream: Stream, orders: Arc<Orders>) -> Wire {
        Wire {
            stream,
            orders,
            raw: None,
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.orders.reset.load(Ordering::Relaxed) {
            let tcp = match &self.stream {
                Stream::Plain(tcp) => tcp,
                Stream::Tls(tls) => tls.get_ref().0,
            };
            let _ = tcp.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Stream::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let Wire {
            stream,
            orders,
            raw,
        } = &mut *self;
        if raw.is_none() {
            let mut ordered = orders.raw.lock().unwrap_or_else(|lock| lock.into_inner());
            *raw = ordered.take().map(|bytes| (bytes, 0));
        }
        let Some((raw, sent)) = raw else {
            return stream.poll_write(context, bytes);
        };
        while *sent < raw.len() {
            *sent += ready!(stream.poll_write(context, &raw[*sent..]))?;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}

impl Stream {
    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        match self {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Stream::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }
}
