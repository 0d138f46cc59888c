//! The C examples do what their comments say, over http and https.

mod support;

use support::c;
use support::sandbox::{Config, Sandbox};

fn sandbox(tls: bool) -> Sandbox {
    Sandbox::start(Config {
        tls,
        ..Config::default()
    })
}

#[test]
fn quickstart_signs_in_and_reads_a_report() {
    let program = c::compile("examples/c/quickstart.c");
    for tls in [false, true] {
        let sandbox = sandbox(tls);
        let printed = c::run(&mut c::command_at(&program, &sandbox));
        assert!(printed.contains("the token is valid\n"), "{printed}");
        assert!(printed.contains("report 1 is \"Glaciers"), "{printed}");
    }
}
