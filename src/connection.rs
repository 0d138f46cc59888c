//! The connection of a lane to its server: made when one is needed, and kept for the next request. A lane
//! has one request at a time, so it needs no pool of them.

use std::cell::RefCell;
use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use reqwest::Method;
use reqwest::header::{HOST, HeaderMap, HeaderValue};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tower_service::Service;
use url::{Host, Position, Url};

use crate::cause::{BoxError, Cause, Stage};
use crate::error::{Error, Result, Status};
use crate::names::ThreadResolver;
use crate::socket::Socket;
use crate::watched::Watched;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub struct Connection {
    /// For the connector: scheme, host and port.
    origin: Uri,
    host: HeaderValue,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    tcp: HttpConnector<ThreadResolver>,
    connect_timeout: Duration,
    kept: RefCell<Option<SendRequest<Watched>>>,
}

impl Connection {
    pub fn new(
        server: &Url,
        tls: Arc<ClientConfig>,
        connect_timeout: Duration,
    ) -> Result<Connection> {
        let unusable = |why: &dyn StdError| {
            let message = format!("the URL's host can't be used: {why}");
            Error::new(Status::InvalidUrl, message)
        };
        let origin = &server[..Position::AfterPort];
        let host = &server[Position::BeforeHost..Position::AfterPort];
        let name = match server.host() {
            Some(Host::Domain(name)) => {
                ServerName::try_from(name.to_owned()).map_err(|why| unusable(&why))?
            }
            Some(Host::Ipv4(address)) => ServerName::from(std::net::IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => ServerName::from(std::net::IpAddr::V6(address)),
            None => return Err(Error::new(Status::InvalidUrl, "the URL has no host")),
        };
        let mut tcp = HttpConnector::new_with_resolver(ThreadResolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect_timeout));
        Ok(Connection {
            origin: Uri::try_from(origin).map_err(|why| unusable(&why))?,
            host: HeaderValue::from_str(host).map_err(|why| unusable(&why))?,
            tls: (server.scheme() == "https").then(|| (TlsConnector::from(tls), name)),
            tcp,
            connect_timeout,
            kept: RefCell::default(),
        })
    }

    pub async fn send(
        &self,
        method: &Method,
        url: &Url,
        mut headers: HeaderMap,
        body: Watched,
    ) -> Result<Response<Incoming>, Cause> {
        headers.insert(HOST, self.host.clone());
        let path = Uri::try_from(&url[Position::BeforePath..Position::AfterQuery]);
        let mut request = Request::new(body);
        *request.method_mut() = method.clone();
        *request.uri_mut() = path.map_err(|why| Cause::new(Stage::Making, why))?;
        *request.headers_mut() = headers;
        if let Some(mut kept) = self.take_kept().await {
            match kept.try_send_request(request).await {
                Ok(response) => return Ok(self.keep(kept, response)),
                // It was closed meanwhile: the request comes back as it was.
                Err(mut failure) => match failure.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(Cause::new(Stage::Exchanging, failure.into_error())),
                },
            }
        }
        let mut new = self.connect().await?;
        match new.try_send_request(request).await {
            Ok(response) => Ok(self.keep(new, response)),
            Err(mut failure) => {
                let stage = match failure.take_message() {
                    Some(_) => Stage::Unsent,
                    None => Stage::Exchanging,
                };
                Err(Cause::new(stage, failure.into_error()))
            }
        }
    }

    /// Leaves it as it is, for ever.
    pub fn abandon(&mut self) {
        std::mem::forget(self.kept.take());
    }

    async fn take_kept(&self) -> Option<SendRequest<Watched>> {
        let kept = self.kept.take()?;
        if !kept.is_ready() {
            // The end of the last answer may still have to be read.
            tokio::task::yield_now().await;
        }
        kept.is_ready().then_some(kept)
    }

    fn keep(
        &self,
        sender: SendRequest<Watched>,
        response: Response<Incoming>,
    ) -> Response<Incoming> {
        self.kept.replace(Some(sender));
        response
    }

    async fn connect(&self) -> Result<SendRequest<Watched>, Cause> {
        let connected = tokio::time::timeout(self.connect_timeout, async {
            let stream = self.open().await?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            // It ends with the connection. What went wrong, the request hears.
            tokio::spawn(async { drop(connection.await) });
            Ok::<_, BoxError>(sender)
        });
        let mut cause = match connected.await {
            Ok(Ok(sender)) => return Ok(sender),
            Ok(Err(why)) => Cause::new(Stage::Connecting, why),
            Err(late) => return Err(Cause::new(Stage::ConnectingLate, late)),
        };
        // The connector shares the time out among a host's addresses.
        if cause
            .find::<io::Error>()
            .is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
        {
            cause.stage = Stage::ConnectingLate;
        }
        Err(cause)
    }

    async fn open(&self) -> Result<Box<dyn Stream>, BoxError> {
        let tcp = self.tcp.clone().call(self.origin.clone()).await?;
        let socket = Socket(tcp.into_inner());
        Ok(match &self.tls {
            None => Box::new(socket),
            Some((tls, name)) => Box::new(tls.connect(name.clone(), socket).await?),
        })
    }
}
