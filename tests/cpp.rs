//! `evrim.hpp`: every C++ program compiles as C++17, 20 and 23 without a warning, and does what it says.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use support::c;
use support::sandbox::{Config, Fault, FaultKind, Sandbox};

const FLAGS: [&str; 10] = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-Wshadow",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wold-style-cast",
    "-Wcast-qual",
    "-Wnon-virtual-dtor",
];

const SANITIZE: [&str; 3] = [
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-O1",
];

/// What C functions evrim.hpp has nothing for yet.
const NOT_YET: [&str; 0] = [];

/// g++ and clang++, or $CXX alone; one that is missing is left out, and with none so are these tests.
fn compilers() -> Vec<String> {
    match std::env::var("CXX") {
        Ok(compiler) => vec![compiler],
        Err(_) => ["g++", "clang++"]
            .into_iter()
            .filter(|compiler| c::has(compiler))
            .map(str::to_owned)
            .collect(),
    }
}

/// `.cpp` files of the examples or the tests.
fn programs(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(c::root().join(folder)).expect("the folder is there");
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "cpp"))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "nothing in {folder}");
    found
}

/// The name of a compiler or a program, without its folder.
fn stem(path: &Path) -> String {
    let name = path.file_stem().expect("a name");
    name.to_string_lossy().into_owned()
}

fn compiler(compiler: &str, standard: &str) -> Command {
    let mut command = Command::new(compiler);
    command
        .arg(format!("-std={standard}"))
        .args(FLAGS)
        .arg("-I")
        .arg(c::root().join("include"));
    command
}

/// Compiles and links; what the compiler said if it could not.
fn link(cxx: &str, standard: &str, more: &[&str], sources: &[PathBuf]) -> Result<PathBuf, Output> {
    let (cxx_name, source) = (stem(Path::new(cxx)), stem(&sources[0]));
    let folder = c::scratch(&format!("{cxx_name}-{standard}-{}", more.len()));
    let program = folder.join(source);
    let output = compiler(cxx, standard)
        .args(more)
        .arg("-g")
        .args(sources)
        .arg("-L")
        .arg(c::library_folder())
        .args(["-levrim", "-lpthread", "-o"])
        .arg(&program)
        .output()
        .expect("the compiler runs");
    match output.status.success() {
        true => Ok(program),
        false => Err(output),
    }
}

fn compile(cxx: &str, standard: &str, sources: &[PathBuf]) -> PathBuf {
    link(cxx, standard, &[], sources).unwrap_or_else(|output| {
        panic!(
            "{cxx} -std={standard}: {sources:?} does not compile:\n{}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// With the faults that the programs of tests/cpp ask for.
fn sandbox(tls: bool) -> Sandbox {
    let sandbox = Sandbox::start(Config {
        tls,
        pending: Duration::from_millis(300),
        ..Config::default()
    });
    for fault in [
        "/echo/limited/=status:429,header=Retry-After: 90,header=x-moesif-transaction-id: req-7,\
         body={\"detail\":\"slow down\",\"code\":\"throttled\"}",
        "/echo/broken/=status:503,header=Retry-After: 0",
        "/echo/values/=status:200,\
         body={\"yes\":true,\"half\":0.5,\"large\":9007199254740993,\"list\":[1,2]}",
        "/echo/shapes/=status:200,\
         body={\"z\": null, \"a/b\": [true, 7, 0.5, \"text\", {}], \"title\": \"Grüße\", \"yes\": true}",
    ] {
        sandbox.fault(Fault::parse(fault).expect("a fault"));
    }
    sandbox.fault(Fault::new("/echo/silent/", FaultKind::Silent));
    sandbox.fault(Fault::new("/echo/lost/", FaultKind::Lost));
    sandbox
}

/// Runs a program over http and https, with a folder that is empty; returns what it printed.
fn run(program: &Path) -> [String; 2] {
    [false, true].map(|tls| {
        let folder = empty_folder(program);
        c::run(c::command_at(program, &sandbox(tls)).arg(folder))
    })
}

/// A folder of this program's own.
fn empty_folder(program: &Path) -> PathBuf {
    let folder = program.with_extension("folder");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("a folder");
    folder
}

/// Everything that is there, as one standard; what the examples print is looked at.
fn compile_and_run_all(standard: &str) {
    for cxx in compilers() {
        for source in programs("tests/cpp") {
            run(&compile(&cxx, standard, &[source]));
        }
        for source in programs("examples/cpp") {
            let program = compile(&cxx, standard, std::slice::from_ref(&source));
            match stem(&source).as_str() {
                "quickstart" => reads_a_report(&program),
                "callbacks" => goes_on_with_the_session(&program),
                "report" => prints_reports(&program),
                "research" => saves_what_was_found(&program),
                other => panic!("say here what {other} is to print"),
            }
        }
    }
}

fn reads_a_report(program: &Path) {
    for printed in run(program) {
        assert!(printed.contains("the token is valid\n"), "{printed}");
        assert!(printed.contains("report 1 is \"Glaciers"), "{printed}");
    }
}

fn goes_on_with_the_session(program: &Path) {
    let saved = program.with_extension("session");
    for tls in [false, true] {
        let _ = fs::remove_file(&saved);
        let sandbox = sandbox(tls);
        let start = || c::run(c::command_at(program, &sandbox).arg(&saved));
        let printed = start();
        assert!(printed.contains("saved the new tokens\n"), "{printed}");
        assert!(!printed.contains("going on"), "{printed}");
        let printed = start();
        assert!(printed.contains("going on with the saved"), "{printed}");
        assert!(printed.contains("reports\n"), "{printed}");
        assert_eq!(sandbox.counters().sign_ins, 1);
    }
}

/// The whole of it, in order, and what is missing passed over.
fn prints_reports(program: &Path) {
    let sandbox = sandbox(false);
    let print = |id: &str| c::run(c::command_at(program, &sandbox).arg(id));
    let short = print("2");
    let start = "# Tides — Gezeiten, приливы, 潮汐\n\nA short one.\n\n## Ebbe und Flut\n\n";
    assert!(short.starts_with(start), "{short}");
    let sources = "\n\n- https://glaciers.example/données?année=2019\n- https://море.example/\n\n";
    assert!(short.ends_with(sources), "{short}");
    let long = print("1");
    let sections = long.lines().filter(|line| line.starts_with("## "));
    assert_eq!(sections.count(), 8, "{long}");
    assert_eq!(print("3"), "");
    let output = c::command_at(program, &sandbox).arg("999").output();
    let output = output.expect("the program runs");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("404"));
}

fn saves_what_was_found(program: &Path) {
    let (sandbox, folder) = (sandbox(false), empty_folder(program));
    let mut command = c::command_at(program, &sandbox);
    command.args(["https://example.org/", "Snow", "How much there is"]);
    let printed = c::run(command.arg(&folder));
    let saved = folder.join("report.pdf");
    let said = format!("saved as {}\n", saved.display());
    assert!(printed.ends_with(&said), "{printed}");
    let pdf = fs::read(&saved).expect("the report");
    assert!(pdf.starts_with(b"%PDF-"));
}

#[test]
fn as_cpp17() {
    compile_and_run_all("c++17");
}

#[test]
fn as_cpp20() {
    compile_and_run_all("c++20");
}

#[test]
fn as_cpp23() {
    compile_and_run_all("c++2b");
}

#[test]
fn under_sanitizers() {
    for cxx in compilers() {
        let nothing = c::scratch("source").join("nothing.cpp");
        fs::write(&nothing, "int main() { return 0; }\n").expect("a source file");
        if link(&cxx, "c++17", &SANITIZE, &[nothing]).is_err() {
            println!("{cxx} has no sanitizers: skipped");
            continue;
        }
        for source in programs("tests/cpp") {
            let program = link(&cxx, "c++17", &SANITIZE, &[source])
                .unwrap_or_else(|output| panic!("{}", String::from_utf8_lossy(&output.stderr)));
            run(&program);
        }
    }
}

/// Alone, included twice, and by two files of one program, which is then linked.
#[test]
fn the_header_stands_alone() {
    let folder = c::scratch("twice");
    let [main, other] = ["main", "other"].map(|name| folder.join(format!("{name}.cpp")));
    let body = "#include <evrim.hpp>\n#include <evrim.hpp>\n#include <evrim.h>\n";
    let uses = "{ return evrim::options().set_retries(1).get() != nullptr; }";
    fs::write(
        &main,
        format!("{body}bool other();\nint main() {{ return other() ? 0 : 1; }}\nbool mine();\nbool mine() {uses}\n"),
    )
    .expect("a source file");
    fs::write(
        &other,
        format!("{body}bool other();\nbool other() {uses}\n"),
    )
    .expect("a source file");
    for cxx in compilers() {
        for standard in ["c++17", "c++20", "c++2b"] {
            let program = compile(&cxx, standard, &[main.clone(), other.clone()]);
            c::run(&mut c::command(&program));
        }
    }
}

/// What can't work says so in a sentence.
#[test]
fn the_header_says_what_it_needs() {
    let source = c::scratch("source").join("needs.cpp");
    fs::write(&source, "#include <evrim.hpp>\n").expect("a source file");
    for cxx in compilers() {
        for (flag, sentence) in [
            ("-std=c++14", "needs C++17"),
            ("-fno-exceptions", "reports errors by exceptions"),
        ] {
            let output = compiler(&cxx, "c++17")
                .args([flag, "-fsyntax-only"])
                .arg(&source)
                .output()
                .expect("the compiler runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success(), "{cxx} {flag}");
            assert!(said.contains(sentence), "{cxx} {flag}: {said}");
        }
    }
}

/// A function that is added to evrim.h is not forgotten in evrim.hpp.
#[test]
fn the_header_covers_every_c_function() {
    let read = |name: &str| {
        let text = fs::read_to_string(c::root().join("include").join(name)).expect("the header");
        let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        (
            text.clone(),
            text.split(word)
                .map(str::to_owned)
                .collect::<std::collections::BTreeSet<_>>(),
        )
    };
    let ((header, names), (_, used)) = (read("evrim.h"), read("evrim.hpp"));
    let is_declared = |name: &str| {
        header.lines().any(|line| {
            let inside = line.starts_with(['/', ' ']);
            !inside && line.contains(&format!("{name}(")) && !line.contains(&format!("*{name})"))
        })
    };
    let declared: Vec<&String> = names
        .iter()
        .filter(|name| name.starts_with("evrim_") && is_declared(name))
        .collect();
    assert!(declared.len() > 50, "{declared:?}");
    let forgotten: Vec<_> = declared
        .into_iter()
        .filter(|name| !used.contains(*name) && !NOT_YET.contains(&name.as_str()))
        .collect();
    assert!(
        forgotten.is_empty(),
        "evrim.hpp has nothing for {forgotten:?}"
    );
    // And its codes.
    let forgotten: Vec<_> = names
        .iter()
        .filter(|name| name.starts_with("EVRIM_ERROR_") && *name != "EVRIM_ERROR_UNKNOWN")
        .filter(|name| !used.contains(*name))
        .collect();
    assert!(
        forgotten.is_empty(),
        "evrim.hpp has nothing for {forgotten:?}"
    );
}
