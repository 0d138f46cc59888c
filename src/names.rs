//! Resolves host names on a thread that ends with the answer, so that a slow name server holds up
//! neither a deadline nor a cancel.

use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{fmt, io, vec};

use hyper_util::client::legacy::connect::dns;
use reqwest::dns::{Addrs, Resolve, Resolving};
use tokio::sync::oneshot;
use tower_service::Service;

#[derive(Clone)]
pub struct ThreadResolver;

#[derive(Debug)]
pub struct NoSuchName(io::Error);

impl fmt::Display for NoSuchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NoSuchName {}

type Found = Result<vec::IntoIter<SocketAddr>, NoSuchName>;

fn resolve(name: String) -> Pin<Box<dyn Future<Output = Found> + Send>> {
    let (answer, answered) = oneshot::channel();
    let lookup = std::thread::Builder::new()
        .name("evrim-resolve".to_owned())
        .stack_size(256 << 10)
        .spawn(move || {
            // Nobody may be waiting any more.
            let _ = answer.send((name.as_str(), 0).to_socket_addrs());
        });
    Box::pin(async move {
        lookup.map_err(NoSuchName)?;
        let gone = |_| NoSuchName(io::Error::other("the lookup was given up"));
        answered.await.map_err(gone)?.map_err(NoSuchName)
    })
}

/// For direct connections.
impl Service<dns::Name> for ThreadResolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = NoSuchName;
    type Future = Pin<Box<dyn Future<Output = Found> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoSuchName>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: dns::Name) -> Self::Future {
        resolve(name.as_str().to_owned())
    }
}

/// For those to a proxy.
impl Resolve for ThreadResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> Resolving {
        let found = resolve(name.as_str().to_owned());
        Box::pin(async move { Ok(Box::new(found.await?) as Addrs) })
    }
}
