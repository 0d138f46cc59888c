//! Compiles C programs against the library that this test run built, and runs them.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

use super::sandbox::Sandbox;

/// What every C program must compile with.
pub const FLAGS: [&str; 7] = [
    "-std=c99",
    "-D_POSIX_C_SOURCE=200809L",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-Wstrict-prototypes",
];

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The shared library that cargo built beside this test, or another one, such as one with a sanitizer.
pub fn library() -> PathBuf {
    if let Some(library) = std::env::var_os("EVRIM_TEST_LIBRARY") {
        return library.into();
    }
    let deps = std::env::current_exe().expect("the test has a path");
    deps.with_file_name("libevrim.so")
}

/// A folder with the library under the names that a linker and a loader look for.
pub fn library_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = scratch("lib");
        let soname = format!("libevrim.so.{}", env!("CARGO_PKG_VERSION_MAJOR"));
        for name in ["libevrim.so", &soname] {
            let link = folder.join(name);
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(library(), &link).expect("a link to the library");
        }
        folder
    })
}

/// A folder of this test binary's own.
pub fn scratch(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let test = test.file_stem().expect("the test has a name");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test).join(name);
    fs::create_dir_all(&folder).expect("a scratch folder");
    folder
}

/// Compiles a program such as "tests/c/session.c"; once, however many tests ask for it.
pub fn compile(source: &str) -> PathBuf {
    static DONE: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut done = DONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let done = done.get_or_insert_with(HashMap::new);
    if let Some(program) = done.get(source) {
        return program.clone();
    }
    let program = scratch("bin").join(source.replace(['/', '.'], "_"));
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let output = Command::new(compiler)
        .args(FLAGS)
        .args(more_flags().split_whitespace())
        .arg("-g")
        .arg("-I")
        .arg(root().join("include"))
        .arg(root().join(source))
        .arg("-L")
        .arg(library_folder())
        .args(["-levrim", "-lpthread", "-ldl", "-o"])
        .arg(&program)
        .output()
        .expect("a C compiler");
    assert!(
        output.status.success(),
        "{source} does not compile:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    done.insert(source.to_owned(), program.clone());
    program
}

/// Flags besides, such as those for a sanitizer.
fn more_flags() -> String {
    std::env::var("EVRIM_TEST_CFLAGS").unwrap_or_default()
}

/// Whether the programs look for their faults themselves.
pub fn is_sanitized() -> bool {
    more_flags().contains("-fsanitize")
}

/// Compiles what is to be preloaded into a program.
pub fn preload(source: &str) -> PathBuf {
    let library = scratch("lib").join(source.replace(['/', '.'], "_") + ".so");
    let output = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()))
        .args(FLAGS)
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(root().join(source))
        .args(["-ldl", "-lpthread"])
        .output()
        .expect("a C compiler");
    assert_success(&output);
    library
}

/// A command that runs a program with the library, and with nothing else of Evrim's in its environment.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", library_folder());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("EVRIM_") {
            command.env_remove(name);
        }
    }
    command
}

/// The same with the variables that lead to a sandbox.
pub fn command_at(program: &Path, sandbox: &Sandbox) -> Command {
    let mut command = command(program);
    command.envs(sandbox.env());
    command
}

/// Whether a tool is there that not every machine has. If not, the test does without, and a line says
/// so; CI has them all.
pub fn has(tool: &str) -> bool {
    let is_there = Command::new(tool).arg("--version").output().is_ok();
    if !is_there {
        let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
        assert!(!in_ci, "{tool} is not installed: .ci/install-tools");
        // Straight to the descriptor: the output of a test that passes is not shown.
        let _ = writeln!(std::io::stderr(), "skipped: {tool} is not installed");
    }
    is_there
}

/// Runs to the end; the program must succeed. Returns what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program runs");
    assert_success(&output);
    String::from_utf8(output.stdout).expect("UTF-8")
}

pub fn assert_success(output: &Output) {
    assert!(
        output.status.success(),
        "{}\nstdout:\n{}\nstderr:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
