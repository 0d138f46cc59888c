//! The server that every client is measured against. A thread for each connection, ready-made answers, one
//! write for each: little enough work that the client is what is measured.
//!
//!     bench-server CA_FILE
//!
//! writes the certificate of its authority to CA_FILE, prints its two ports as JSON, and then for each line
//! on standard input a line with what it counted since the last one. What it reads there is how many
//! microseconds it waits before each answer from then on. It ends with its input.

mod answers;
mod count;
mod tls;

use std::io::{BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use answers::Answers;
use count::Count;

/// A connection's stack: 1,000 of them are open at once.
const STACK: usize = 128 << 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ca_file = std::env::args()
        .nth(1)
        .ok_or("usage: bench-server CA_FILE")?;
    let tls = tls::prepare(&ca_file)?;
    let answers: &'static Answers = Box::leak(Box::new(Answers::make()));
    let count: &'static Count = Box::leak(Box::default());

    let http = TcpListener::bind("127.0.0.1:0")?;
    let https = TcpListener::bind("127.0.0.1:0")?;
    println!(
        "{}",
        serde_json::json!({"http": http.local_addr()?.port(), "https": https.local_addr()?.port()})
    );
    listen(http, count, move |stream| serve(stream, answers, count));
    listen(https, count, move |mut stream| {
        let mut connection =
            rustls::ServerConnection::new(Arc::clone(&tls)).map_err(std::io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        count.handshake(&connection);
        serve(rustls::StreamOwned::new(connection, stream), answers, count)
    });
    for line in std::io::stdin().lock().lines() {
        count.wait.store(line?.parse()?, Ordering::Relaxed);
        println!("{}", count.take());
    }
    Ok(())
}

fn listen(
    listener: TcpListener,
    count: &'static Count,
    serve: impl Fn(TcpStream) -> std::io::Result<()> + Clone + Send + 'static,
) {
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            count.connection();
            let serve = serve.clone();
            let connection = thread::Builder::new().stack_size(STACK);
            connection
                .spawn(move || {
                    stream.set_nodelay(true)?;
                    // It ends when the client closes: an error then is nobody's.
                    serve(stream)
                })
                .expect("a thread");
        }
    });
}

fn serve(mut stream: impl Read + Write, answers: &Answers, count: &Count) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    let mut filled = 0;
    loop {
        let received = stream.read(&mut buffer[filled..])?;
        if received == 0 {
            return Ok(());
        }
        filled += received;
        while let Some((answer, used)) = answers.to(&buffer[..filled]) {
            let wait = count.wait.load(Ordering::Relaxed);
            if wait > 0 {
                thread::sleep(Duration::from_micros(wait));
            }
            // Before the client can have it, and look.
            count.request();
            stream.write_all(answer)?;
            stream.flush()?;
            buffer.copy_within(used..filled, 0);
            filled -= used;
        }
    }
}
