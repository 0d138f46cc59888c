//! Whatever a server sends, through the real transport: a known status, and a response or an error of
//! which everything can be read. The first byte is the method and the way, the rest is on the wire: inside
//! TLS, or past it.
#![no_main]

use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use evrim::fuzzing::c;
use harness::server::{Answer, Script, Server, Then};
use libfuzzer_sys::fuzz_target;

struct World {
    server: Server,
    /// Without TLS and with it.
    clients: [usize; 2],
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let server = Server::start();
        let port = server.port;
        World {
            server,
            clients: ["http", "https"].map(|scheme| client(scheme, port)),
        }
    })
}

fn client(scheme: &str, port: u16) -> usize {
    let url = format!("{scheme}://127.0.0.1:{port}\0");
    let mut client = null_mut();
    // SAFETY: the strings outlive the calls; the client lives as long as the process.
    unsafe {
        let options = c::evrim_options_new();
        for status in [
            c::evrim_options_set_validate_on_start(options, false),
            c::evrim_options_set_total_timeout_ms(options, 2000),
            c::evrim_options_set_retries(options, 0),
            c::evrim_options_set_max_body_size(options, 1 << 20),
        ] {
            assert_eq!(status as i32, 0);
        }
        let status = c::evrim_from_token(
            url.as_ptr().cast(),
            c"opaque".as_ptr(),
            null(),
            options,
            &mut client,
            null_mut(),
        );
        assert_eq!(status as i32, 0);
        c::evrim_options_free(options);
    }
    client as usize
}

fuzz_target!(|input: &[u8]| {
    let Some((&first, wire)) = input.split_first() else {
        return;
    };
    let world = world();
    let answer = Answer {
        bytes: wire.to_vec(),
        then: match first & (64 | 16) {
            0 => Then::Close,
            16 => Then::Cut,
            _ => Then::Reset,
        },
        is_raw: first & 128 != 0,
    };
    world.server.play(Script::new(vec![answer]));
    let method = [c"GET", c"POST", c"HEAD", c"DELETE"][usize::from(first % 4)];
    let mut response = null_mut();
    let mut error = null_mut();
    // SAFETY: a client that lives on, strings that outlive the call; what is made is freed once.
    unsafe {
        let status = c::evrim_request(
            world.clients[usize::from(first & 32 != 0)] as *mut _,
            method.as_ptr(),
            c"x/".as_ptr(),
            null(),
            0,
            &mut response,
            &mut error,
        );
        harness::check(status as i32, !response.is_null(), error);
        let success = (200..300).contains(&c::evrim_error_http_status(error));
        match status as i32 {
            0 => {
                assert!(!response.is_null());
                harness::response::read(response, &["/", "/0", "/a", "/a/0", "a", "/~1", "/~"]);
            }
            // Only what does not come, or is no HTTP, or too much.
            _ if success => assert!([20, 22, 23, 25].contains(&(status as i32)), "{status:?}"),
            _ => {}
        }
        let is_planted =
            harness::is_planted() && (402..429).contains(&c::evrim_error_http_status(error));
        c::evrim_response_free(response);
        c::evrim_error_free(error);
        if is_planted {
            harness::text(c::evrim_error_message(error));
        }
    }
    world.server.settle();
});
