//! The C interface as a state machine: any calls with any arguments in any order, in several threads,
//! against a server that answers as the input says. Only what the header forbids is not done.
#![no_main]

mod api {
    pub mod answers;
    pub mod callbacks;
    pub mod world;
}

use std::sync::OnceLock;

use arbitrary::Unstructured;
use harness::server::{Script, Server};
use libfuzzer_sys::fuzz_target;

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        // Nothing outside this machine is asked for, and no session but those of the input.
        let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
        for name in names {
            let text = name.to_string_lossy().to_uppercase();
            if text.ends_with("_PROXY") || text.starts_with("EVRIM_") && text != "EVRIM_FUZZ_PLANT"
            {
                // SAFETY: before there is another thread.
                unsafe { std::env::remove_var(&name) };
            }
        }
        let server = Server::start_with(|port| {
            let url = format!("http://127.0.0.1:{port}/prod");
            // SAFETY: as above.
            unsafe {
                std::env::set_var("EVRIM_URL", url);
                std::env::set_var("EVRIM_USERNAME", "ada");
                std::env::set_var("EVRIM_PASSWORD", api::world::PASSWORD);
            }
        });
        api::world::prepare();
        server
    })
}

fuzz_target!(|input: &[u8]| {
    let server = server();
    let mut input = Unstructured::new(input);
    let scheme = match api::answers::byte(&mut input) % 2 {
        0 => "http",
        _ => "https",
    };
    let url = format!("{scheme}://127.0.0.1:{}/prod", server.port);
    let answers = api::answers::read(&mut input, &url);
    let script = server.play(Script::new(answers));
    let mut world = api::world::World::new(input, &url, script);
    world.live();
    drop(world);
    server.settle();
    api::callbacks::assert_all_destroyed();
});
