//! Whatever a server sends, through the real transport: a known status, and a response or an error of
//! which everything can be read. The first byte is the method, the rest is on the wire.
#![no_main]

use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use evrim::fuzzing::c;
use harness::server::{Answer, Script, Server, Then};
use libfuzzer_sys::fuzz_target;

struct World {
    server: Server,
    client: usize,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let server = Server::start();
        let url = format!("http://127.0.0.1:{}\0", server.port);
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
        World {
            server,
            client: client as usize,
        }
    })
}

fuzz_target!(|input: &[u8]| {
    let Some((&first, wire)) = input.split_first() else {
        return;
    };
    let world = world();
    let answer = Answer {
        bytes: wire.to_vec(),
        then: if first & 64 == 0 {
            Then::Close
        } else {
            Then::Reset
        },
    };
    world.server.play(Script::new(vec![answer]));
    let method = [c"GET", c"POST", c"HEAD", c"DELETE"][usize::from(first % 4)];
    let mut response = null_mut();
    let mut error = null_mut();
    // SAFETY: a client that lives on, strings that outlive the call; what is made is freed once.
    unsafe {
        let status = c::evrim_request(
            world.client as *mut _,
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
        c::evrim_response_free(response);
        c::evrim_error_free(error);
    }
});
