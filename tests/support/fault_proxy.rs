//! A TCP proxy on loopback that spoils what comes back, and can be told at any time what to do.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

/// What happens to the next bytes, on old connections as on new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Fair,
    /// Answers come so much later.
    Late(Duration),
    /// Requests arrive, answers don't.
    Never,
    /// So many bytes of an answer, then the end of the connection.
    Half(usize),
    /// So many bytes of an answer, then silence.
    Stall(usize),
    /// Answers in pieces of so many bytes, with a pause after each.
    Drip(usize, Duration),
    /// The request does not arrive, and the answer is not HTTP.
    Garbage,
    /// The request does not arrive; the connection is reset.
    Reset,
    /// Every so many-th connection ends when its request comes, which does not arrive.
    DropRequest(u64),
    /// The same, but the request arrives.
    DropAnswer(u64),
    /// The connection comes about and ends.
    Shut,
    /// The request is not taken off the wire.
    Deaf,
    /// What follows this place in an answer is spoilt.
    Spoilt(Place, Spoiling),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// So many bytes from the start, whatever they are: for TLS.
    Byte(usize),
    StatusLine,
    Headers,
    Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoiling {
    Cut,
    Reset,
    Stall,
    Drip,
    /// In a body as many bytes as there were; before it other ones, and then the end.
    Garbage,
}

impl Place {
    /// Where it is in an answer that begins with these bytes.
    fn find(self, answer: &[u8]) -> usize {
        match self {
            Place::Byte(at) => at,
            Place::StatusLine => 9,
            // In the middle of the first one.
            Place::Headers => 30,
            Place::Body => {
                let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
                end.map_or(answer.len(), |end| end + 4)
            }
        }
    }
}

/// What spoilt answers drip by.
const DRIP: Duration = Duration::from_millis(300);

pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    /// Where the server is; it may come and go.
    target: u16,
    mode: Mutex<Mode>,
    connections: AtomicU64,
    open: Mutex<Vec<(u64, Arc<TcpStream>)>>,
    stopped: AtomicBool,
}

impl FaultProxy {
    /// In front of a server on this port of 127.0.0.1.
    pub fn start(target: u16) -> FaultProxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            target,
            mode: Mutex::new(Mode::Fair),
            connections: AtomicU64::new(0),
            open: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let accepting = {
            let shared = shared.clone();
            thread::spawn(move || accept(&listener, &shared))
        };
        FaultProxy {
            port,
            shared,
            accepting: Some(accepting),
        }
    }

    /// The base URL of a sandbox behind it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/prod", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn set(&self, mode: Mode) {
        *lock(&self.shared.mode) = mode;
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Ends every connection there is.
    pub fn cut(&self) {
        for (_, client) in lock(&self.shared.open).drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        self.cut();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        let number = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
        if *lock(&shared.mode) == Mode::Shut {
            continue;
        }
        let shared = shared.clone();
        thread::spawn(move || connection(number, Arc::new(client), &shared));
    }
}

/// Of one connection.
#[derive(Default)]
struct State {
    /// How much of the present answer has come.
    passed: AtomicUsize,
    /// Where it is spoilt.
    place: AtomicUsize,
    is_reset: AtomicBool,
}

impl State {
    fn end(&self, client: &TcpStream) {
        if !self.is_reset.load(Ordering::SeqCst) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

fn connection(number: u64, client: Arc<TcpStream>, shared: &Arc<Shared>) {
    // Without a server the connection ends, as with a gateway that has lost its own.
    let Ok(server) = TcpStream::connect(("127.0.0.1", shared.target)) else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    lock(&shared.open).push((number, client.clone()));
    let state = Arc::new(State::default());
    let down = {
        let (client, shared, state) = (client.clone(), shared.clone(), state.clone());
        let server = server.try_clone().expect("a handle");
        thread::spawn(move || {
            answers(number, &client, server, &shared, &state);
            state.end(&client);
        })
    };
    requests(number, &client, &server, shared, &state);
    state.end(&client);
    let _ = server.shutdown(Shutdown::Both);
    lock(&shared.open).retain(|(other, _)| *other != number);
    // The last handle goes with this function: to close it with bytes unread makes a reset.
    let _ = down.join();
}

/// Passes requests on, as far as the mode lets them.
fn requests(
    number: u64,
    mut client: &TcpStream,
    mut server: &TcpStream,
    shared: &Shared,
    state: &State,
) {
    let mut buffer = [0; 64 << 10];
    loop {
        if !matches!(client.peek(&mut buffer[..1]), Ok(1)) {
            return;
        }
        let mode = *lock(&shared.mode);
        match mode {
            Mode::Reset => return state.is_reset.store(true, Ordering::SeqCst),
            Mode::DropRequest(every) if number % every == 0 => return,
            Mode::Deaf => {
                thread::sleep(Duration::from_millis(10));
                if shared.stopped.load(Ordering::SeqCst) {
                    return;
                }
                continue;
            }
            _ => {}
        }
        let Ok(count) = client.read(&mut buffer) else {
            return;
        };
        if mode == Mode::Garbage {
            let _ = client.write_all(b"\x16\x03\x01 220 mail.example.org ESMTP\r\n\r\n");
            return;
        }
        state.passed.store(0, Ordering::SeqCst);
        if server.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

/// Passes answers on, as far as the mode lets them.
fn answers(
    number: u64,
    mut client: &TcpStream,
    mut server: TcpStream,
    shared: &Shared,
    state: &State,
) {
    let mut buffer = [0; 64 << 10];
    loop {
        let count = match server.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        let before = state.passed.fetch_add(count, Ordering::SeqCst);
        let bytes = &buffer[..count];
        // What is left of the first so many bytes of this answer.
        let first = |most: usize| &bytes[..most.saturating_sub(before).min(count)];
        // Not in the match itself: the lock is not for the time of a pause.
        let mode = *lock(&shared.mode);
        let sent = match mode {
            Mode::Never => Ok(()),
            Mode::DropAnswer(every) if number % every == 0 => return,
            Mode::Half(most) if before + count >= most => {
                let _ = client.write_all(first(most));
                return;
            }
            Mode::Stall(most) => client.write_all(first(most)),
            Mode::Late(pause) => {
                if before == 0 {
                    thread::sleep(pause);
                }
                client.write_all(bytes)
            }
            Mode::Spoilt(place, spoiling) => {
                if before == 0 {
                    state.place.store(place.find(bytes), Ordering::SeqCst);
                }
                let (good, rest) = bytes.split_at(first(state.place.load(Ordering::SeqCst)).len());
                let good = client.write_all(good);
                if !rest.is_empty() && !spoil(client, rest, place, spoiling, shared, state) {
                    return;
                }
                good
            }
            Mode::Drip(size, pause) => bytes.chunks(size).try_for_each(|piece| {
                thread::sleep(pause);
                client.write_all(piece)
            }),
            _ => client.write_all(bytes),
        };
        if sent.is_err() {
            return;
        }
    }
}

/// What comes in place of these bytes; false if that is the end.
fn spoil(
    mut client: &TcpStream,
    rest: &[u8],
    place: Place,
    spoiling: Spoiling,
    shared: &Shared,
    state: &State,
) -> bool {
    match spoiling {
        Spoiling::Cut => false,
        Spoiling::Stall => true,
        Spoiling::Reset => {
            let _ = SockRef::from(client).set_linger(Some(Duration::ZERO));
            state.is_reset.store(true, Ordering::SeqCst);
            // Ends the thread that reads, and sends nothing: the last handle's end is the reset.
            let _ = client.shutdown(Shutdown::Read);
            false
        }
        Spoiling::Garbage if place == Place::Body => {
            client.write_all(&vec![b'~'; rest.len()]).is_ok()
        }
        Spoiling::Garbage => {
            let _ = client.write_all(b"220 mail.example.org ESMTP\0\r\n\r\n");
            false
        }
        Spoiling::Drip => rest.iter().all(|byte| {
            thread::sleep(DRIP);
            !shared.stopped.load(Ordering::SeqCst) && client.write_all(&[*byte]).is_ok()
        }),
    }
}
