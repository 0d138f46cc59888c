//! The header is the one that the source makes, and every C and C++ compiler takes it.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use support::c;

fn header() -> String {
    fs::read_to_string(c::root().join("include/evrim.h")).expect("the header")
}

#[test]
fn the_committed_header_is_the_generated_one() {
    let made = fs::read_to_string(env!("EVRIM_HEADER")).expect("build.rs made it");
    assert!(
        made == header(),
        "include/evrim.h is stale: EVRIM_UPDATE_HEADER=1 cargo build makes it anew"
    );
}

/// Everyone's compilers, or those that $CC and $CXX name; of C at least one.
fn compilers(language: &str) -> Vec<String> {
    let (variable, usual) = match language {
        "c" => ("CC", ["gcc", "clang"]),
        _ => ("CXX", ["g++", "clang++"]),
    };
    if let Ok(compiler) = std::env::var(variable) {
        return vec![compiler];
    }
    let found = usual.into_iter().filter(|it| c::has(it));
    let mut found: Vec<String> = found.map(str::to_owned).collect();
    if found.is_empty() && language == "c" {
        found.push("cc".to_owned());
    }
    found
}

/// What the compiler says about a text; empty if it takes it. `language` is "c" or "c++".
fn complaints(
    compiler: &[&str],
    language: &str,
    standard: &str,
    flags: &[&str],
    text: &str,
) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let source = c::scratch("header").join(format!("{count}.{language}"));
    fs::write(&source, text).expect("a source file");
    let output = Command::new(compiler[0])
        .args(&compiler[1..])
        .args(["-x", language])
        .arg(format!("-std={standard}"))
        .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wshadow"])
        .args(["-Wundef", "-Wconversion"])
        .args(flags)
        .args(["-c", "-o"])
        .arg(source.with_extension("o"))
        .arg("-I")
        .arg(c::root().join("include"))
        .arg(&source)
        .output()
        .expect("a compiler");
    match output.status.success() {
        true => String::new(),
        false => format!(
            "{compiler:?} -std={standard}:\n{}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

fn compiles(language: &str, standard: &str, flags: &[&str], text: &str) {
    for compiler in compilers(language) {
        let complaints = complaints(&[&compiler], language, standard, flags, text);
        assert!(complaints.is_empty(), "{complaints}");
    }
}

/// Alone, since a header must bring what it needs, and twice, since it may be included by two others.
const TWICE: &str = "#include <evrim.h>\n#include <evrim.h>\n";

const C_FLAGS: [&str; 2] = ["-Wstrict-prototypes", "-Wmissing-prototypes"];

#[test]
fn it_compiles_alone_and_twice_in_every_c() {
    for standard in ["c99", "c11", "c17", "c2x"] {
        compiles("c", standard, &C_FLAGS, TWICE);
    }
}

#[test]
fn it_compiles_alone_and_twice_in_every_cpp() {
    for standard in ["c++11", "c++14", "c++17", "c++20", "c++2b"] {
        compiles("c++", standard, &["-Wold-style-cast"], TWICE);
    }
}

/// Other C libraries, processors and systems, with the headers that zig brings for them.
#[test]
fn it_compiles_alone_and_twice_for_other_systems() {
    if !c::has("zig") {
        return;
    }
    for target in [
        "x86_64-linux-musl",
        "aarch64-linux-gnu",
        "arm-linux-gnueabihf",
        "aarch64-macos",
        "x86_64-windows-gnu",
    ] {
        for (command, language, standards, flags) in [
            ("cc", "c", ["c99", "c2x"], &C_FLAGS[..]),
            ("c++", "c++", ["c++11", "c++2b"], &["-Wold-style-cast"]),
        ] {
            for standard in standards {
                let compiler = ["zig", command, "-target", target];
                let complaints = complaints(&compiler, language, standard, flags, TWICE);
                assert!(complaints.is_empty(), "{complaints}");
            }
        }
    }
}

#[test]
fn a_result_that_is_ignored_is_a_warning_that_can_be_switched_off() {
    let ignoring = "#include <evrim.h>\nvoid f(evrim_options *o);\n\
                    void f(evrim_options *o) { evrim_options_set_timeout_ms(o, 1); }\n";
    let off = format!("#define EVRIM_MUST_USE\n{ignoring}");
    compiles("c", "c99", &[], &off);
    for compiler in compilers("c") {
        let complaints = complaints(&[&compiler], "c", "c99", &[], ignoring);
        assert!(complaints.contains("unused-result"), "{compiler}");
    }
}

#[test]
fn the_version_macros_are_those_of_the_crate() {
    let part = |text: &str| text.parse::<u32>().expect("a number");
    let major = part(env!("CARGO_PKG_VERSION_MAJOR"));
    let minor = part(env!("CARGO_PKG_VERSION_MINOR"));
    let patch = part(env!("CARGO_PKG_VERSION_PATCH"));
    let text = format!(
        "#include <evrim.h>\n\
         typedef char major[EVRIM_VERSION_MAJOR == {major} ? 1 : -1];\n\
         typedef char minor[EVRIM_VERSION_MINOR == {minor} ? 1 : -1];\n\
         typedef char patch[EVRIM_VERSION_PATCH == {patch} ? 1 : -1];\n\
         typedef char number[EVRIM_VERSION_NUMBER == {major} * 65536 + {minor} * 256 + {patch} ? 1 : -1];\n\
         typedef char text[sizeof EVRIM_VERSION == sizeof \"{0}\" ? 1 : -1];\n\
         #if EVRIM_VERSION_NUMBER < 0x000100\n#error a preprocessor must be able to compare it\n#endif\n",
        env!("CARGO_PKG_VERSION"),
    );
    compiles("c", "c99", &[], &text);
    let version = format!("#define EVRIM_VERSION \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(header().contains(&version));
}

/// The names and numbers of an enum, as the header has them.
fn enumerators(name: &str) -> Vec<(String, i32)> {
    let header = header();
    let (before, _) = header
        .split_once(&format!("}} {name};"))
        .unwrap_or_else(|| panic!("no enum {name}"));
    let (_, body) = before.rsplit_once("typedef enum {").expect("an enum");
    let lines = body.lines().filter_map(|line| {
        let (name, number) = line.trim().trim_end_matches(',').split_once(" = ")?;
        Some((name.to_owned(), number.parse().ok()?))
    });
    lines.collect()
}

#[test]
fn the_library_knows_every_status_by_the_name_that_the_header_gives_it() {
    let statuses = enumerators("evrim_status");
    assert!(statuses.len() >= 22, "{statuses:?}");
    let mut text = "#include <evrim.h>\n#include <stdio.h>\nint main(void)\n{\n".to_owned();
    for (name, _) in &statuses {
        text.push_str(&format!(
            "    printf(\"%d %s\\n\", (int){name}, evrim_status_name((int32_t){name}));\n"
        ));
    }
    // Numbers that no status has, at the ends and in the gaps.
    for number in ["-1", "8", "19", "27", "39", "47", "INT32_MAX", "INT32_MIN"] {
        text.push_str(&format!(
            "    printf(\"? %s\\n\", evrim_status_name({number}));\n"
        ));
    }
    text.push_str("    return 0;\n}\n");
    let source = c::scratch("header").join("names.c");
    fs::write(&source, text).expect("a source file");
    let program = c::compile(source.to_str().expect("UTF-8"));

    let mut expected: String = statuses
        .iter()
        .map(|(name, number)| format!("{number} {name}\n"))
        .collect();
    expected.push_str(&"? EVRIM_ERROR_UNKNOWN\n".repeat(8));
    assert_eq!(c::run(&mut c::command(&program)), expected);
}

#[test]
fn a_status_keeps_its_number_for_ever() {
    // Later versions add to this list and change nothing in it.
    let known = [
        ("EVRIM_OK", 0),
        ("EVRIM_ERROR_INVALID_ARGUMENT", 1),
        ("EVRIM_ERROR_INVALID_URL", 2),
        ("EVRIM_ERROR_INSECURE_URL", 3),
        ("EVRIM_ERROR_NO_CREDENTIALS", 4),
        ("EVRIM_ERROR_NO_REFRESH_TOKEN", 5),
        ("EVRIM_ERROR_CANCELLED", 6),
        ("EVRIM_ERROR_INTERNAL", 7),
        ("EVRIM_ERROR_NETWORK", 20),
        ("EVRIM_ERROR_TLS", 21),
        ("EVRIM_ERROR_TIMEOUT", 22),
        ("EVRIM_ERROR_PROTOCOL", 23),
        ("EVRIM_ERROR_REDIRECT", 24),
        ("EVRIM_ERROR_TOO_LARGE", 25),
        ("EVRIM_ERROR_IO", 26),
        ("EVRIM_ERROR_AUTHENTICATION", 40),
        ("EVRIM_ERROR_PERMISSION", 41),
        ("EVRIM_ERROR_NOT_FOUND", 42),
        ("EVRIM_ERROR_CONFLICT", 43),
        ("EVRIM_ERROR_RATE_LIMITED", 44),
        ("EVRIM_ERROR_REQUEST", 45),
        ("EVRIM_ERROR_SERVER", 46),
    ];
    let statuses = enumerators("evrim_status");
    for (name, number) in known {
        assert!(statuses.contains(&(name.to_owned(), number)), "{name}");
    }
}

#[test]
fn every_function_and_every_type_has_a_comment() {
    let header = header();
    let lines: Vec<&str> = header.lines().collect();
    let mut declared = 0;
    for (at, line) in lines.iter().enumerate() {
        let is_function = line.contains("evrim_")
            && line.contains('(')
            && !line.starts_with([' ', '#', '/', '*']);
        let is_type = line.starts_with("typedef ");
        if !is_function && !is_type {
            continue;
        }
        declared += 1;
        let above = lines[..at]
            .iter()
            .rfind(|line| **line != "EVRIM_MUST_USE")
            .expect("a line above");
        assert!(above.ends_with("*/"), "no comment above: {line}");
    }
    // So that a change in how functions are written does not make this test blind.
    assert!(declared > 50, "{declared}");
}

/// The names of the functions that it declares.
fn functions() -> BTreeSet<String> {
    let header = header();
    let lines = header
        .lines()
        .filter(|line| !line.starts_with([' ', '#', '/', '*']) && !line.starts_with("typedef"));
    let names = lines.filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next());
    let names: BTreeSet<String> = names.map(str::to_owned).collect();
    assert!(names.len() > 50, "{names:?}");
    names
}

#[test]
fn its_functions_are_those_that_the_installed_library_exports() {
    let listed = fs::read_to_string(c::root().join("packaging/evrim.symbols")).expect("the list");
    assert!(listed.lines().is_sorted());
    assert_eq!(functions(), listed.lines().map(str::to_owned).collect());
}

/// The C files of a folder.
fn programs(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(c::root().join(folder)).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "c"))
        .collect()
}

#[test]
fn every_function_is_called_from_c() {
    if !c::has("nm") {
        return;
    }
    let mut called = BTreeSet::new();
    for source in [programs("tests/c"), programs("examples/c")].concat() {
        let object = c::scratch("calls")
            .join(source.file_name().expect("a name"))
            .with_extension("o");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let output = Command::new(compiler)
            .args(c::FLAGS)
            .arg("-I")
            .arg(c::root().join("include"))
            .arg("-c")
            .arg(&source)
            .arg("-o")
            .arg(&object)
            .output()
            .expect("a C compiler");
        c::assert_success(&output);
        // What the object needs from elsewhere, so that a name in a comment does not count.
        let needed = c::run(Command::new("nm").arg("--undefined-only").arg(&object));
        called.extend(
            needed
                .split_whitespace()
                .filter(|it| it.starts_with("evrim_"))
                .map(str::to_owned),
        );
    }
    let forgotten: Vec<String> = functions().difference(&called).cloned().collect();
    assert!(forgotten.is_empty(), "no C program calls {forgotten:?}");
}

#[test]
fn every_example_in_a_comment_compiles() {
    let examples = examples();
    assert!(examples.len() > 3, "{examples:?}");
    for example in examples {
        // What an example takes for granted; what it declares itself hides it.
        let text = format!(
            "#include <evrim.h>\n#include <stdio.h>\n\
             int example(const char *url, const char *user, const char *password, evrim_client *client,\n\
             evrim_client *hurried, evrim_options *options, evrim_response *response, evrim_error *error);\n\
             int example(const char *url, const char *user, const char *password, evrim_client *client,\n\
             evrim_client *hurried, evrim_options *options, evrim_response *response, evrim_error *error)\n\
             {{\n(void)url, (void)user, (void)password, (void)client;\n\
             (void)hurried, (void)options, (void)response, (void)error;\n\
             {{\n{}}}\nreturn 0;\n}}\n",
            example.replace("...", ";")
        );
        let flags = ["-Wno-shadow", "-Wno-missing-prototypes"];
        compiles("c", "c99", &flags, &text);
    }
}

/// The indented parts of the comments.
fn examples() -> Vec<String> {
    let mut examples = vec![String::new()];
    for line in header().lines() {
        match (line.strip_prefix(" *     "), examples.last_mut()) {
            (Some(code), Some(example)) => example.push_str(&format!("{code}\n")),
            (None, Some(example)) if !example.is_empty() => examples.push(String::new()),
            _ => {}
        }
    }
    examples.retain(|example| !example.is_empty());
    examples
}

#[test]
fn no_line_is_too_long_to_read() {
    for line in header().lines() {
        assert!(line.chars().count() <= 110, "{line}");
    }
}

#[test]
fn it_defines_nothing_but_its_own_names() {
    for line in header().lines() {
        if let Some(name) = line.strip_prefix("#define ") {
            assert!(name.starts_with("EVRIM_"), "{line}");
        }
        let ends_an_enum = line.starts_with("} ") && line.ends_with(';');
        if ends_an_enum || line.starts_with("typedef struct ") {
            let name = line.rsplit(' ').next().unwrap_or_default();
            assert!(name.starts_with("evrim_"), "{line}");
        }
    }
    for (name, _) in ["evrim_status", "evrim_log_level", "evrim_tls_version"]
        .into_iter()
        .flat_map(enumerators)
    {
        assert!(name.starts_with("EVRIM_"), "{name}");
    }
}

#[test]
fn the_result_of_every_function_that_can_fail_must_be_used() {
    let header = header();
    let lines: Vec<&str> = header.lines().collect();
    let mut marked = 0;
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with([' ', '#', '/', '*'])
            || !line.contains(" evrim_")
            || !line.contains('(')
        {
            continue;
        }
        // That one asks for a status, and does nothing.
        let can_fail = line.starts_with("evrim_status ") && !line.contains(" evrim_error_status(");
        let is_marked = at > 0 && lines[at - 1] == "EVRIM_MUST_USE";
        assert_eq!(is_marked, can_fail, "{line}");
        marked += usize::from(is_marked);
    }
    // So that a change in how functions are written does not make this test blind.
    assert!(marked > 30, "{marked}");
    let all = lines.iter().filter(|line| **line == "EVRIM_MUST_USE");
    assert_eq!(all.count(), marked);
}

/// For the day when a function is to go: whoever calls it is told, and with what to do instead.
#[test]
fn a_deprecated_function_is_a_warning_that_names_its_successor() {
    let declared = "#include <evrim.h>\n\
                    EVRIM_DEPRECATED(\"use evrim_newer()\") int evrim_old(int number);\n";
    let called = format!("{declared}int f(void);\nint f(void) {{ return evrim_old(1); }}\n");
    for (language, standard) in [("c", "c99"), ("c++", "c++11")] {
        compiles(language, standard, &[], declared);
        let quiet = ["-Wno-deprecated-declarations"];
        compiles(language, standard, &quiet, &called);
    }
    let source = c::scratch("header").join("deprecated.c");
    fs::write(&source, &called).expect("a source file");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let output = Command::new(compiler)
        .args(c::FLAGS)
        .args(["-fsyntax-only", "-I"])
        .arg(c::root().join("include"))
        .arg(&source)
        .output()
        .expect("a C compiler");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    for word in ["evrim_old", "deprecated", "use evrim_newer()"] {
        assert!(said.contains(word), "{said}");
    }
}
