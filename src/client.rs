//! The client: where session, retries and transport meet.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, Url};

use crate::call::{Call, Origin, Plan, Purpose};
use crate::callback::Level;
use crate::cancel::{Begun, Cancel};
use crate::clock::BootTime;
use crate::endpoint::{self, Endpoint};
use crate::error::{Error, Result, Status};
use crate::events::Hooks;
use crate::lane::{Lanes, Seat, SessionSeat};
use crate::options::Options;
use crate::outcome;
use crate::process::Process;
use crate::request::{Request, json_body};
use crate::response::Response;
use crate::retry::{Budget, Policy};
use crate::secret::Secret;
use crate::session::{Age, Kind, Leader, Need, Session, Tokens, Turn};
use crate::timer;
use crate::token_calls::{self, Credentials, Pair, Refreshed};
use crate::transport::{Incoming, Sink};

/// A request after a 401 is sent again with another token; no more often than this in all.
const MOST_SENDS: u32 = 3;
const MOST_REDIRECTS: u32 = 5;

/// A handle on a session. Clones share the session; options and cancel are each one's own.
pub struct Client {
    shared: Arc<Shared>,
    lanes: Seat,
    /// Where the lanes are not those that the session began with.
    _own_seat: Option<SessionSeat>,
    options: Options,
    cancel: Cancel,
}

/// What is asked of the server.
pub(crate) struct Ask<'a> {
    pub method: Method,
    pub url: Url,
    pub body: Option<Bytes>,
    /// In place of those of the options.
    pub headers: Option<&'a HeaderMap>,
    /// Takes the body of a success.
    pub sink: Option<&'a dyn Sink>,
}

impl Ask<'_> {
    pub fn new(method: Method, url: Url) -> Self {
        Ask {
            method,
            url,
            body: None,
            headers: None,
            sink: None,
        }
    }
}

struct Shared {
    endpoint: Endpoint,
    session: Session,
    budget: Budget,
    seat: SessionSeat,
}

impl Client {
    /// Signs in and keeps both tokens.
    pub fn sign_in(url: &str, username: &str, password: &str, options: Options) -> Result<Client> {
        let endpoint = Endpoint::parse(url, options.allow_insecure_http)?;
        for (value, name) in [(username, "username"), (password, "password")] {
            if value.is_empty() {
                return Err(Error::new(
                    Status::NoCredentials,
                    format!("{name} is empty: the server accepts no sign-in without it"),
                ));
            }
        }
        let credentials = Credentials {
            username: username.to_owned(),
            password: Secret::new(password),
        };
        Client::start(endpoint, options, async |call| {
            let sent = call.options.clock.boot();
            let pair = call.sign_in(&credentials).await?;
            let tokens = Tokens::new(pair, Age::NewAt(sent))?;
            Ok(Session::new(Some(credentials), tokens))
        })
    }

    /// Starts from an existing token, which is verified first unless the options say otherwise.
    pub fn from_token(
        url: &str,
        access: &str,
        refresh: Option<&str>,
        options: Options,
    ) -> Result<Client> {
        let endpoint = Endpoint::parse(url, options.allow_insecure_http)?;
        if access.is_empty() {
            return Err(Error::new(
                Status::NoCredentials,
                "access_token is empty: pass a token, or sign in with evrim_new",
            ));
        }
        if refresh.is_some_and(|refresh| !crate::secret::is_token(refresh)) {
            return Err(Error::invalid_argument(
                "refresh_token is empty or holds a character that no token has: pass it as the \
                 server gave it, or NULL if there is none",
            ));
        }
        let pair = Pair {
            access: Secret::new(access),
            refresh: refresh.map(Secret::new),
        };
        let tokens = Tokens::new(pair, Age::Unknown)?;
        if tokens.claims.is_refresh {
            return Err(Error::invalid_argument(
                "access_token is a refresh token: pass it as refresh_token",
            ));
        }
        Client::start(endpoint, options, async |call| {
            if call.options.validate_on_start && !call.verify(&tokens.access).await? {
                return Err(token_calls::refused_token());
            }
            Ok(Session::new(None, tokens))
        })
    }

    fn start(
        endpoint: Endpoint,
        options: Options,
        session: impl AsyncFnOnce(&Call<'_>) -> Result<Session>,
    ) -> Result<Client> {
        let lanes = Lanes::of(&options, &endpoint);
        let budget = Budget::new();
        let cancel = Cancel::new();
        let origin = Origin {
            options: &options,
            endpoint: &endpoint,
            lanes: &lanes,
            budget: &budget,
            cancel: &cancel,
            session: 0,
            asked: Purpose::Token,
            hooks: Hooks::default(),
            deliver_tokens: &|| {},
        };
        let session = origin.run(cancel.watch(), session)?;
        Ok(Client {
            shared: Arc::new(Shared {
                endpoint,
                session,
                budget,
                seat: SessionSeat::beside(&lanes),
            }),
            lanes,
            _own_seat: None,
            options,
            cancel,
        })
    }

    /// Another handle on the same session.
    pub fn clone_with(&self, options: Option<Options>) -> Result<Client> {
        let (options, lanes) = match options {
            Some(options) => {
                let options = options.or_callbacks_of(&self.options);
                let lanes = Lanes::of(&options, &self.shared.endpoint);
                (options, lanes)
            }
            None => (self.options.clone(), self.lanes.clone()),
        };
        self.shared.endpoint.check(options.allow_insecure_http)?;
        Ok(Client {
            shared: self.shared.clone(),
            _own_seat: (!self.shared.seat.covers(&lanes)).then(|| SessionSeat::beside(&lanes)),
            lanes,
            options,
            cancel: Cancel::new(),
        })
    }

    /// Whether its requests go through a proxy.
    pub fn is_proxied(&self) -> bool {
        self.lanes.is_proxied()
    }

    /// Ends the calls that are running on this handle, from any thread.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Ends the running calls and every later one on this handle.
    pub fn close(&self) {
        self.cancel.close();
    }

    /// This handle's own.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Both tokens as they belong together.
    pub fn tokens(&self) -> Arc<Tokens> {
        self.session().tokens()
    }

    pub fn copy_access_token(&self) -> Secret {
        self.session().tokens().access.clone()
    }

    pub fn copy_refresh_token(&self) -> Option<Secret> {
        self.session().tokens().refresh.clone()
    }

    /// Unix seconds, by the token's own word.
    pub fn token_expires_at(&self) -> Option<i64> {
        self.session().tokens().claims.expires_at
    }

    /// Signs in again and replaces both tokens, or neither.
    pub fn set_token(&self) -> Result<()> {
        if self.session().credentials.is_none() {
            return Err(Error::new(
                Status::NoCredentials,
                "there is no user name and password to sign in with: this client was made from a \
                 token",
            ));
        }
        self.run(self.begin(), Purpose::Token, async |call| {
            self.replace(call, Kind::SignIn).await
        })
    }

    /// Replaces the access token, and the refresh token where the server sends a new one.
    pub fn refresh_token(&self) -> Result<()> {
        if self.session().tokens().refresh.is_none() {
            return Err(Error::new(
                Status::NoRefreshToken,
                "there is no refresh token: pass one to evrim_from_token, or sign in with evrim_new",
            ));
        }
        self.run(self.begin(), Purpose::Token, async |call| {
            self.replace(call, Kind::Refresh).await
        })
    }

    /// Asks the server whether it accepts the access token. Changes nothing.
    pub fn validate_token(&self) -> Result<bool> {
        self.run(self.begin(), Purpose::Token, async |call| {
            let tokens = self.session().tokens();
            call.verify(&tokens.access).await
        })
    }

    /// Sends a request with a valid token; any answer but a success is an error.
    pub fn request(&self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Response> {
        let begun = self.begin();
        let method = parse_method(method)?;
        let url = self.endpoint().join(path)?;
        let body = match body {
            Some(body) => json_body(body)?,
            None => None,
        };
        self.run(begun, Purpose::Request, async |call| {
            self.answer(
                call,
                Ask {
                    body,
                    ..Ask::new(method, url)
                },
            )
            .await
        })
    }

    /// The same with a query, headers and a body that were built rather than written.
    pub fn request_with(&self, method: &str, path: &str, request: &Request) -> Result<Response> {
        let begun = self.begin();
        let method = parse_method(method)?;
        let mut url = self.endpoint().join(path)?;
        request.query_into(&mut url);
        let body = request.body()?;
        let headers = request.headers_with(&self.options.headers);
        self.run(begun, Purpose::Request, async |call| {
            let ask = Ask {
                body,
                headers: Some(&headers),
                ..Ask::new(method, url)
            };
            self.answer(call, ask).await
        })
    }

    /// Goes before all that a call does: from here on it can be cancelled.
    pub(crate) fn begin(&self) -> Begun<'_> {
        self.cancel.watch()
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    fn session(&self) -> &Session {
        &self.shared.session
    }

    pub(crate) fn run<T>(
        &self,
        begun: Begun<'_>,
        asked: Purpose,
        work: impl AsyncFnOnce(&Call<'_>) -> Result<T>,
    ) -> Result<T> {
        self.run_with(begun, asked, Hooks::default(), work)
    }

    pub(crate) fn run_with<T>(
        &self,
        begun: Begun<'_>,
        asked: Purpose,
        hooks: Hooks<'_>,
        work: impl AsyncFnOnce(&Call<'_>) -> Result<T>,
    ) -> Result<T> {
        let deliver_tokens = || {
            if let Some(callback) = &self.options.on_tokens {
                self.session().tell(Process::current(), callback);
            }
        };
        let origin = Origin {
            options: &self.options,
            endpoint: &self.shared.endpoint,
            lanes: &self.lanes,
            budget: &self.shared.budget,
            cancel: &self.cancel,
            session: Arc::as_ptr(&self.shared).addr(),
            asked,
            hooks,
            deliver_tokens: &deliver_tokens,
        };
        origin.run(begun, work)
    }

    /// The answer to one request, whole in memory.
    pub(crate) async fn answer(&self, call: &Call<'_>, ask: Ask<'_>) -> Result<Response> {
        let Incoming {
            status,
            headers,
            body,
        } = self.send(call, ask).await?;
        Ok(Response::new(status, headers, body))
    }

    /// A success, however many tokens and redirects it takes.
    pub(crate) async fn send(&self, call: &Call<'_>, ask: Ask<'_>) -> Result<Incoming> {
        let Ask {
            method,
            mut url,
            body,
            headers,
            sink,
        } = ask;
        let mut renewed = false;
        let mut sends = 0;
        let mut redirects = 0;
        loop {
            let tokens = self.ready_tokens(call).await?;
            let sent = self.now();
            let incoming = call
                .send(&Plan {
                    method: method.clone(),
                    url: &url,
                    body: body.clone(),
                    headers: headers.unwrap_or(&self.options.headers),
                    bearer: Some(tokens.bearer.clone()),
                    policy: self.policy(&method),
                    purpose: Purpose::Request,
                    sink,
                })
                .await
                .map_err(|error| error.without(tokens.access.expose()))?
                .incoming;
            sends += 1;
            tokens.learn(sent, outcome::server_time(&incoming.headers));
            if incoming.status == 401 && matches!(tokens.need(self.now()), Need::Now { .. }) {
                // It ran out on the way, while the server was slow or between two attempts: that says
                // nothing against the session, and no two renewals are closer than the life of a token.
                renewed = false;
                sends = 0;
            }
            match incoming.status {
                200..=299 => return Ok(incoming),
                401 if sends < MOST_SENDS
                    && self
                        .replace_refused(call, &tokens, &incoming, &mut renewed)
                        .await? => {}
                300..=399 if redirects < MOST_REDIRECTS => {
                    redirects += 1;
                    url = redirect(&method, &url, &incoming).map_err(|error| {
                        error
                            .with_answer(incoming.answer(outcome::Advice::default()))
                            .without(tokens.access.expose())
                    })?;
                }
                status => {
                    let hint = (status == 401).then_some(
                        "the access token is refused and can't be renewed: sign in again",
                    );
                    let wall = self.options.clock.wall();
                    let secret = tokens.access.expose();
                    return Err(incoming.error_with(&method, &url, wall, hint, secret));
                }
            }
        }
    }

    /// The tokens for the next request, renewed in time where the options allow it.
    ///
    /// Renewals are boxed, here and below: they are rare, and each call would carry their room about.
    async fn ready_tokens(&self, call: &Call<'_>) -> Result<Arc<Tokens>> {
        let session = self.session();
        let tokens = session.tokens();
        if !self.options.auto_renew {
            return Ok(tokens);
        }
        match tokens.need(self.now()) {
            Need::Nothing => Ok(tokens),
            _ if !session.can_renew(&tokens) => Ok(tokens),
            Need::Soon => {
                if let Some(leader) = session.early_turn(call.process, &tokens, self.now()) {
                    // The old token still serves, and half of the call's time is kept for using it.
                    let renewal = Box::pin(self.lead(call, leader, &tokens, false));
                    let _ = timer::timeout(call.time_left() / 2, renewal).await;
                }
                Ok(session.tokens())
            }
            Need::Now { expired } => match Box::pin(self.renew(call, &tokens, false)).await {
                // Until its very end the old token is as good as any. The caller's request has not
                // been sent, whatever the server knows of the renewal.
                Err(error) if expired => Err(error.sent(false)),
                _ => Ok(session.tokens()),
            },
        }
    }

    /// After a 401: whether there is another token to send the request with.
    async fn replace_refused(
        &self,
        call: &Call<'_>,
        tokens: &Tokens,
        incoming: &Incoming,
        renewed: &mut bool,
    ) -> Result<bool> {
        let session = self.session();
        if !self.options.auto_renew {
            return Ok(false);
        }
        if !tokens.is_same(&session.tokens()) {
            return Ok(true);
        }
        let code = incoming.code();
        let is_over = matches!(code.as_deref(), Some("user_not_found" | "user_inactive"));
        // A refresh token from before a change of password is refused like the access token.
        let by_credentials = code.as_deref() == Some("password_changed");
        let is_tried = *renewed && !by_credentials;
        if is_tried || is_over || !session.can_renew(tokens) {
            return Ok(false);
        }
        if by_credentials && !session.may_sign_in() {
            return Ok(false);
        }
        // What another call had begun before may bring a token that this refusal is true of as well.
        *renewed = Box::pin(self.renew(call, tokens, by_credentials)).await?;
        Ok(true)
    }

    /// Has `seen` replaced, by this call or by another that is at it already: whether by this one.
    async fn renew(&self, call: &Call<'_>, seen: &Tokens, by_credentials: bool) -> Result<bool> {
        loop {
            match self.session().turn(call.process, Kind::Renew, Some(seen)) {
                Turn::Fresh => return Ok(false),
                Turn::Lead(leader) => {
                    self.lead(call, leader, seen, by_credentials).await?;
                    return Ok(true);
                }
                Turn::Follow(attempt) => match attempt.shared(self.options.patience()).await {
                    // A refresh alone may fail where a sign-in still helps.
                    Some(Err(_)) if attempt.kind() != Kind::Renew => {}
                    Some(result) => return result.map(|()| false),
                    None => {}
                },
            }
        }
    }

    async fn lead(
        &self,
        call: &Call<'_>,
        leader: Leader<'_>,
        seen: &Tokens,
        by_credentials: bool,
    ) -> Result<()> {
        let result = match seen.usable_refresh() {
            Some(refresh) if !by_credentials => match self.refreshed(call, seen, refresh).await {
                Err(error)
                    if error.status() == Status::Authentication && self.session().may_sign_in() =>
                {
                    call.log(Level::Info, "token", || {
                        "the refresh token is refused: signing in again".to_owned()
                    });
                    self.signed_in_again(call).await
                }
                result => result,
            },
            _ => self.signed_in_again(call).await,
        };
        self.conclude(call, leader, result)
    }

    /// The explicit calls: a new sign-in or refresh, or the result of one that is running.
    async fn replace(&self, call: &Call<'_>, kind: Kind) -> Result<()> {
        let mut seen: Option<Arc<Tokens>> = None;
        loop {
            let before = self.session().tokens();
            match self.session().turn(call.process, kind, seen.as_deref()) {
                Turn::Fresh => return Ok(()),
                Turn::Lead(leader) => {
                    let tokens = self.session().tokens();
                    let result = match (kind, &tokens.refresh) {
                        (Kind::Refresh, Some(refresh)) => {
                            self.refreshed(call, &tokens, refresh).await
                        }
                        _ => self.signed_in(call).await,
                    };
                    return self.conclude(call, leader, result);
                }
                Turn::Follow(attempt) => match attempt.shared(self.options.patience()).await {
                    Some(result) if attempt.kind() == kind => return result,
                    // Handed over: another that waited may have refreshed before this one wakes.
                    None if attempt.kind() == kind && kind == Kind::Refresh => seen = Some(before),
                    _ => {}
                },
            }
        }
    }

    async fn refreshed(
        &self,
        call: &Call<'_>,
        tokens: &Tokens,
        refresh: &Secret,
    ) -> Result<Tokens> {
        let sent = self.now();
        let refreshed = call.refresh(refresh).await;
        // Only a 401 is the server's own word on the token; a gateway's 403 may pass.
        let is_refused = |error: &Error| error.status() == Status::Authentication;
        if matches!(&refreshed, Ok(Refreshed::Lost(_))) || refreshed.as_ref().is_err_and(is_refused)
        {
            tokens.refuse_refresh();
        }
        match refreshed? {
            Refreshed::Pair(pair) => Tokens::new(pair, Age::NewAt(sent)),
            Refreshed::Lost(_) if self.session().may_sign_in() => self.signed_in(call).await,
            Refreshed::Lost(error) => Err(error),
        }
    }

    /// By itself, and so not after a refusal: another call may have met one since this call looked.
    async fn signed_in_again(&self, call: &Call<'_>) -> Result<Tokens> {
        if self.session().credentials.is_some() && !self.session().may_sign_in() {
            return Err(Error::new(
                Status::Authentication,
                "the server has refused the user name and password, which are not tried again by \
                 themselves: sign in with evrim_set_token or evrim_new",
            ));
        }
        self.signed_in(call).await
    }

    async fn signed_in(&self, call: &Call<'_>) -> Result<Tokens> {
        let session = self.session();
        let Some(credentials) = &session.credentials else {
            return Err(Error::new(
                Status::NoCredentials,
                "there is no user name and password to sign in with",
            ));
        };
        let sent = self.now();
        let result = call.sign_in(credentials).await;
        match &result {
            Ok(_) => session.set_sign_in_refused(false),
            Err(error) if is_refusal(error) => session.set_sign_in_refused(true),
            Err(_) => {}
        }
        Tokens::new(result?, Age::NewAt(sent))
    }

    fn conclude(&self, call: &Call<'_>, leader: Leader<'_>, result: Result<Tokens>) -> Result<()> {
        match result {
            Ok(tokens) => {
                let tokens = leader.commit(tokens);
                call.tokens_changed();
                call.log(Level::Info, "token", || match tokens.claims.expires_at {
                    Some(end) => format!("the tokens were replaced; the new one ends at {end}"),
                    None => "the tokens were replaced".to_owned(),
                });
                Ok(())
            }
            Err(error) => {
                call.log(Level::Warn, "token", || {
                    format!("the tokens could not be replaced: {error}")
                });
                // A clone's own way to the server may fail where that of the others does not.
                if self._own_seat.is_none() || error.http_status().is_some() {
                    leader.fail(&error, self.options.patience());
                }
                Err(error)
            }
        }
    }

    fn policy(&self, method: &Method) -> Policy {
        let retries = self.options.retries;
        let idempotent = is_idempotent(method);
        Policy {
            retries,
            idempotent,
            resends: if idempotent { retries } else { 0 },
            recovers: false,
        }
    }

    fn now(&self) -> BootTime {
        self.options.clock.boot()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.shared.endpoint)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

fn parse_method(method: &str) -> Result<Method> {
    let is_upper = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    match Method::from_bytes(method.as_bytes()) {
        Ok(parsed) if is_upper && parsed != Method::CONNECT && parsed != Method::TRACE => {
            Ok(parsed)
        }
        _ => Err(Error::invalid_argument(
            "method must be an HTTP method in capitals, such as \"GET\" or \"POST\"",
        )),
    }
}

/// Whether the server will say no again. A locked account is a 403 or a 400 to some.
fn is_refusal(error: &Error) -> bool {
    error
        .http_status()
        .is_some_and(|status| (400..500).contains(&status) && !outcome::is_transient(status))
}

fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS
    )
}

/// Where a redirect may lead: to the same origin, and only where the request stays the same.
fn redirect(method: &Method, from: &Url, incoming: &Incoming) -> Result<Url> {
    let refuse = |why: &str| {
        Err(Error::new(
            Status::Redirect,
            format!(
                "{method} {}: the server answered {} and {why}",
                endpoint::display(from),
                incoming.status
            ),
        ))
    };
    let location = incoming
        .headers
        .get(LOCATION)
        .and_then(|value| value.to_str().ok());
    let Some(to) = location.and_then(|location| from.join(location).ok()) else {
        return refuse("named no place to go on: check the base URL");
    };
    if to.origin() != from.origin() {
        return refuse(&format!(
            "pointed to another server, {}: the token is not sent there; check the base URL",
            endpoint::display(&to)
        ));
    }
    let stays_the_same = match incoming.status {
        307 | 308 => true,
        301..=303 => matches!(*method, Method::GET | Method::HEAD),
        _ => false,
    };
    if !stays_the_same {
        return refuse(&format!(
            "pointed to {}, where the request would lose its body: ask there to begin with; every \
             path of the API ends with '/'",
            endpoint::display(&to)
        ));
    }
    Ok(to)
}
