//! No argument of any function crashes the program, whatever it is.

mod support;

use std::collections::BTreeSet;
use std::fs;

use support::c;
use support::sandbox::{Config, Sandbox};

/// The functions that the header declares: names with a parenthesis, outside of comments and macros.
fn declared() -> BTreeSet<String> {
    let header = fs::read_to_string(c::root().join("include/evrim.h")).expect("the header");
    let is_code = |line: &&str| !line.starts_with([' ', '#', '/', '}']);
    let names = header.lines().filter(is_code).filter_map(|line| {
        let (before, _) = line.split_once('(')?;
        let name = before.rsplit([' ', '*']).next()?;
        name.starts_with("evrim_").then(|| name.to_owned())
    });
    names.collect()
}

#[test]
fn every_function_of_the_header_is_tried() {
    let program = c::compile("tests/c/arguments.c");
    let printed = c::run(c::command(&program).arg("list"));
    let tried: BTreeSet<String> = printed.lines().map(str::to_owned).collect();
    let declared = declared();
    assert!(declared.len() > 50, "{declared:?}");
    let missing: Vec<_> = declared.difference(&tried).collect();
    assert!(
        missing.is_empty(),
        "the table in tests/c/arguments.c has nothing for {missing:?}"
    );
}

#[test]
fn null_and_text_that_is_none_are_refused_by_every_function() {
    let program = c::compile("tests/c/arguments.c");
    for tls in [false, true] {
        let sandbox = Sandbox::start(Config {
            tls,
            ..Config::default()
        });
        let folder = c::scratch("downloads");
        let printed = c::run(c::command_at(&program, &sandbox).arg(&folder));
        assert_eq!(printed, "");
        // A sign-in and seven requests that are as they should be; nothing that was refused came here.
        assert_eq!(sandbox.counters().total, 8);
    }
}
