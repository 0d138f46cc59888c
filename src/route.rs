//! The way a lane's requests take: straight to the server, or through a proxy. What proxies need (tunnels,
//! their own sign-in, what the environment says of them) is reqwest's; straight on, a request needs none of
//! that, and a connection of our own costs a third less.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use http_body::Body as _;
use hyper::Response;
use hyper::body::Incoming;
use reqwest::Method;
use reqwest::header::HeaderMap;
use url::Url;

use crate::cause::{Cause, Stage};
use crate::connection::Connection;
use crate::watched::Watched;

pub enum Route {
    Direct(Box<Connection>),
    Proxy(reqwest::Client),
}

impl Route {
    pub async fn send(
        &self,
        method: &Method,
        url: &Url,
        headers: HeaderMap,
        body: Watched,
    ) -> Result<Response<Body>, Cause> {
        match self {
            Route::Direct(connection) => {
                let response = connection.send(method, url, headers, body).await?;
                Ok(response.map(Body::Direct))
            }
            Route::Proxy(client) => {
                let mut request = reqwest::Request::new(method.clone(), url.clone());
                if !body.is_end_stream() {
                    *request.body_mut() = Some(reqwest::Body::wrap(body));
                }
                *request.headers_mut() = headers;
                let response = client.execute(request).await.map_err(through_proxy)?;
                Ok(Response::<reqwest::Body>::from(response).map(Body::Proxy))
            }
        }
    }

    /// Leaves the connections as they are, for ever.
    pub fn abandon(&mut self) {
        match self {
            Route::Direct(connection) => connection.abandon(),
            Route::Proxy(client) => std::mem::forget(client.clone()),
        }
    }
}

fn through_proxy(why: reqwest::Error) -> Cause {
    let stage = if why.is_connect() && why.is_timeout() {
        Stage::ConnectingLate
    } else if why.is_connect() {
        Stage::Connecting
    } else if why.is_builder() {
        Stage::Making
    } else {
        Stage::Exchanging
    };
    Cause::new(stage, why)
}

/// An answer's body as it comes.
pub enum Body {
    Direct(Incoming),
    Proxy(reqwest::Body),
}

impl Body {
    /// What the server announced.
    pub fn length(&self) -> Option<u64> {
        match self {
            Body::Direct(body) => body.size_hint().exact(),
            Body::Proxy(body) => body.size_hint().exact(),
        }
    }

    pub async fn next(&mut self) -> Result<Option<Bytes>, Cause> {
        loop {
            let frame = match self {
                Body::Direct(body) => poll_fn(|context| Pin::new(&mut *body).poll_frame(context))
                    .await
                    .map(|frame| frame.map_err(|why| Cause::new(Stage::Exchanging, why))),
                Body::Proxy(body) => poll_fn(|context| Pin::new(&mut *body).poll_frame(context))
                    .await
                    .map(|frame| frame.map_err(|why| Cause::new(Stage::Exchanging, why))),
            };
            match frame.transpose()?.map(|frame| frame.into_data()) {
                Some(Ok(bytes)) => return Ok(Some(bytes)),
                // Trailers.
                Some(Err(_)) => {}
                None => return Ok(None),
            }
        }
    }
}
