//! What the shared library exports, and how it was linked.
#![cfg(target_os = "linux")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use support::c;

/// What readelf, of binutils, says of the library; nothing where there is no readelf.
fn readelf(what: &str) -> Option<String> {
    if !c::has("readelf") {
        return None;
    }
    let output = Command::new("readelf")
        .args(["--wide", what])
        .arg(c::library())
        .env("LC_ALL", "C")
        .output()
        .expect("readelf runs");
    c::assert_success(&output);
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

/// All that a program could link to.
fn exported() -> Option<BTreeSet<String>> {
    let symbols = readelf("--dyn-syms")?;
    let defined = symbols.lines().filter_map(|line| {
        // Number, value, size, type, binding, visibility, section, name.
        let columns: Vec<&str> = line.split_whitespace().collect();
        match columns[..] {
            [_, _, _, _, "GLOBAL" | "WEAK" | "UNIQUE", _, section, name] if section != "UND" => {
                Some(name.split('@').next().unwrap_or(name).to_owned())
            }
            _ => None,
        }
    });
    Some(defined.collect())
}

/// All that the header declares.
fn declared() -> BTreeSet<String> {
    let header = fs::read_to_string(c::root().join("include/evrim.h")).expect("the header");
    functions(&header)
}

/// The functions of a header: names with a parenthesis, outside of comments and macros.
fn functions(header: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = header;
    let mut code = String::new();
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    for line in code.lines().filter(|line| !line.starts_with('#')) {
        let Some((before, _)) = line.split_once('(') else {
            continue;
        };
        let name = before.rsplit([' ', '*']).next().unwrap_or_default();
        if name.starts_with("evrim_") {
            found.insert(name.to_owned());
        }
    }
    found
}

#[test]
fn exactly_what_the_header_declares_is_exported() {
    let Some(exported) = exported() else { return };
    let declared = declared();
    assert!(declared.len() > 50, "{declared:?}");
    let hidden: Vec<_> = declared.difference(&exported).collect();
    assert!(hidden.is_empty(), "declared but not exported: {hidden:?}");
    let more: Vec<_> = exported.difference(&declared).collect();
    assert!(more.is_empty(), "exported but not declared: {more:?}");
}

#[test]
fn the_committed_list_of_symbols_is_up_to_date() {
    let Some(exported) = exported() else { return };
    let path = c::root().join("packaging/evrim.symbols");
    let now: String = exported.iter().map(|name| format!("{name}\n")).collect();
    if std::env::var_os("EVRIM_UPDATE_SYMBOLS").is_some() {
        fs::write(&path, &now).expect("the list is written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let list = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (old, new) = (list(&committed), list(&now));
    assert!(
        committed == now,
        "packaging/evrim.symbols is stale: new {:?}, gone {:?}. What is gone breaks programs: that takes a \
         new major version. If it is meant, EVRIM_UPDATE_SYMBOLS=1 cargo test --test symbols writes \
         the list anew",
        new.difference(&old).collect::<Vec<_>>(),
        old.difference(&new).collect::<Vec<_>>(),
    );
}

#[test]
fn the_soname_is_that_of_the_major_version() {
    let soname = concat!("[libevrim.so.", env!("CARGO_PKG_VERSION_MAJOR"), "]");
    let Some(dynamic) = readelf("--dynamic") else {
        return;
    };
    let line = dynamic.lines().find(|line| line.contains("(SONAME)"));
    assert!(line.is_some_and(|line| line.ends_with(soname)), "{line:?}");
}

#[test]
fn it_asks_for_nothing_but_the_system() {
    let Some(dynamic) = readelf("--dynamic") else {
        return;
    };
    let needed: Vec<&str> = dynamic
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split(['[', ']']).nth(1))
        .collect();
    for name in &needed {
        let system = [
            "libc.",
            "libm.",
            "libgcc_s.",
            "libpthread.",
            "libdl.",
            "librt.",
            "ld-",
        ];
        assert!(
            system.iter().any(|start| name.starts_with(start)),
            "{needed:?}"
        );
    }
    // A path to look for libraries in would be that of the machine it was built on.
    assert!(!dynamic.contains("(RPATH)") && !dynamic.contains("(RUNPATH)"));
}

#[test]
fn it_is_linked_as_a_library_should_be() {
    let Some(dynamic) = readelf("--dynamic") else {
        return;
    };
    let flags: String = dynamic
        .lines()
        .filter(|line| line.contains("(FLAGS"))
        .collect();
    assert!(flags.contains("NOW"), "{dynamic}");
    // What a name look-up runs in may not go away under it.
    assert!(flags.contains("NODELETE"), "{dynamic}");
    assert!(!dynamic.contains("TEXTREL"), "{dynamic}");

    let Some(segments) = readelf("--program-headers") else {
        return;
    };
    let flags_of = |kind: &str| {
        let line = segments.lines().find(|line| line.trim().starts_with(kind));
        line.unwrap_or_else(|| panic!("no {kind}: {segments}"))
            .to_owned()
    };
    assert!(flags_of("GNU_STACK").contains(" RW "), "{segments}");
    flags_of("GNU_RELRO");
    for line in segments
        .lines()
        .filter(|line| line.trim().starts_with("LOAD"))
    {
        assert!(!line.contains(" RWE "), "{line}");
    }
}
