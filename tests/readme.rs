//! The program in README.md compiles, and prints what README.md says.

mod support;

use std::fs;

use support::c;
use support::sandbox::{Config, Sandbox};

#[test]
fn the_program_in_the_readme_prints_what_it_says() {
    let readme = fs::read_to_string(c::root().join("README.md")).expect("README.md");
    let source = c::scratch("source").join("program.c");
    fs::write(&source, block(&readme, "c")).expect("written");
    let program = c::compile(source.to_str().expect("UTF-8"));
    for tls in [false, true] {
        let sandbox = Sandbox::start(Config {
            tls,
            ..Config::default()
        });
        let printed = c::run(&mut c::command_at(&program, &sandbox));
        assert_eq!(printed, block(&readme, "text"));
    }
}

#[test]
fn what_the_readme_links_to_is_there() {
    let readme = fs::read_to_string(c::root().join("README.md")).expect("README.md");
    for link in readme.split("](").skip(1) {
        let target = link.split_once(')').expect("a closing bracket").0;
        assert!(c::root().join(target).exists(), "{target}");
    }
}

/// The only block of this language.
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let opening = format!("```{language}\n");
    let (_, rest) = text.split_once(&opening).expect("a block");
    assert!(
        !rest.contains(&opening),
        "more than one block of {language}"
    );
    rest.split_once("```").expect("its end").0
}
