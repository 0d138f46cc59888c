//! Makes the C header from `src/ffi/`, and gives the shared library its SONAME.
//!
//! The header goes to the build's own folder. With EVRIM_UPDATE_HEADER=1 in the environment it is also
//! written to `include/evrim.h`; a test fails when that is stale.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use cbindgen::{Builder, Config, ItemType};

/// The order of the header: a file of `src/ffi/`, its heading, and a word on it.
const GROUPS: [(&str, &str, &str); 10] = [
    (
        "library",
        "Library",
        "The version of the library, and strings that it made for the caller.",
    ),
    ("status", "Status codes", "What a call returns."),
    ("error", "Errors", "What an error tells besides its status."),
    (
        "options",
        "Options",
        "What can be chosen for a client. A value that is refused changes nothing.",
    ),
    (
        "callback",
        "Callbacks",
        "What a program can be told while its calls run.",
    ),
    (
        "client",
        "Clients",
        "Signing in, tokens, clones, cancelling, and the end.",
    ),
    ("request", "Requests", "Asking the server for something."),
    ("response", "Responses", "Reading what the server answered."),
    (
        "download",
        "Downloads",
        "Files that don't have to fit into memory.",
    ),
    (
        "resources",
        "Resources",
        "Reports, runs, tasks, sections, paragraphs, research, and lists in pages.",
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    for input in ["build.rs", "cbindgen.toml", "src/ffi", "Cargo.toml"] {
        println!("cargo:rerun-if-changed={input}");
    }
    println!("cargo:rerun-if-env-changed=EVRIM_UPDATE_HEADER");

    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let header = header(&root)?;
    let made = Path::new(&env::var("OUT_DIR")?).join("evrim.h");
    fs::write(&made, &header)?;
    println!("cargo:rustc-env=EVRIM_HEADER={}", made.display());
    if env::var_os("EVRIM_UPDATE_HEADER").is_some() {
        fs::write(root.join("include/evrim.h"), &header)?;
    }
    link_arguments()?;
    Ok(())
}

fn link_arguments() -> Result<(), Box<dyn Error>> {
    let major = env::var("CARGO_PKG_VERSION_MAJOR")?;
    if env::var("CARGO_CFG_TARGET_OS")? == "linux" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libevrim.so.{major}");
        // dlclose() then leaves the code in place: a name lookup that is still running needs it.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,relro,-z,now");
    }
    Ok(())
}

fn header(root: &Path) -> Result<String, Box<dyn Error>> {
    let ffi = root.join("src/ffi");
    let config = Config::from_file(root.join("cbindgen.toml"))?;
    let mut text = String::new();
    text.push_str("/* Made from src/ffi/ by build.rs; not to be edited. SPDX-License-Identifier: Apache-2.0 OR MIT */\n\n");
    text.push_str(&fs::read_to_string(ffi.join("opening.h"))?);
    text.push_str("\n#ifndef EVRIM_H\n#define EVRIM_H\n\n");
    text.push_str("#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n");
    version_macros(&mut text)?;
    text.push_str(ATTRIBUTES);
    text.push_str("#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    // Types first: a function may name those of another group.
    for (file, ..) in GROUPS {
        let types = fragment(
            &config,
            &ffi,
            file,
            vec![ItemType::Enums, ItemType::OpaqueItems, ItemType::Typedefs],
        )?;
        if !types.is_empty() {
            writeln!(text, "{types}\n")?;
        }
    }
    for (file, title, about) in GROUPS {
        let functions = fragment(&config, &ffi, file, vec![ItemType::Functions])?;
        writeln!(
            text,
            "/**\n * @name {title}\n * {about}\n * @{{\n */\n\n{functions}\n\n/** @}} */\n"
        )?;
    }
    text.push_str("#ifdef __cplusplus\n} /* extern \"C\" */\n#endif\n\n#endif /* EVRIM_H */\n");
    Ok(text)
}

/// One kind of items of one file, as cbindgen writes them.
fn fragment(
    config: &Config,
    ffi: &Path,
    file: &str,
    kinds: Vec<ItemType>,
) -> Result<String, Box<dyn Error>> {
    let mut config = config.clone();
    config.export.item_types = kinds;
    let bindings = Builder::new()
        .with_config(config)
        .with_src(ffi.join(file).with_extension("rs"))
        .generate()?;
    let mut bytes = Vec::new();
    bindings.write(&mut bytes);
    Ok(fold_comments(String::from_utf8(bytes)?.trim()))
}

/// Puts a comment of one line on one line: a list of codes then fits on a screen.
fn fold_comments(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut folded = Vec::new();
    let mut rest = lines.as_slice();
    loop {
        rest = match rest {
            [open, middle, close, after @ ..]
                if open.trim() == "/**" && close.trim() == "*/" && middle.len() < 94 =>
            {
                let indent = open.trim_end_matches("/**");
                let about = middle.trim_start().trim_start_matches('*').trim();
                folded.push(format!("{indent}/** {about} */"));
                after
            }
            [line, after @ ..] => {
                folded.push((*line).to_owned());
                after
            }
            [] => return folded.join("\n"),
        };
    }
}

fn version_macros(text: &mut String) -> Result<(), Box<dyn Error>> {
    let part = |name: &str| env::var(format!("CARGO_PKG_VERSION{name}"));
    let (major, minor, patch) = (part("_MAJOR")?, part("_MINOR")?, part("_PATCH")?);
    writeln!(
        text,
        "/** The version of this header; evrim_version() is that of the library. */"
    )?;
    writeln!(text, "#define EVRIM_VERSION \"{}\"", part("")?)?;
    for (name, number, about) in [
        ("MAJOR", &major, "changes with what breaks an older program"),
        (
            "MINOR",
            &minor,
            "changes with what is added; before 1.0 it may break an older program",
        ),
        ("PATCH", &patch, "changes with what is mended"),
    ] {
        writeln!(text, "/** The part of the version that {about}. */")?;
        writeln!(text, "#define EVRIM_VERSION_{name} {number}")?;
    }
    writeln!(
        text,
        "/** To compare: EVRIM_VERSION_NUMBER >= 0x000200 is 0.2.0 or later. */"
    )?;
    let number =
        (major.parse::<u32>()? << 16) | (minor.parse::<u32>()? << 8) | patch.parse::<u32>()?;
    writeln!(text, "#define EVRIM_VERSION_NUMBER 0x{number:06x}\n")?;
    Ok(())
}

const ATTRIBUTES: &str = "\
/** Marks a function whose result must be looked at. Define it as nothing to switch the warning off. */
#ifndef EVRIM_MUST_USE
#if defined(__GNUC__) || defined(__clang__)
#define EVRIM_MUST_USE __attribute__((__warn_unused_result__))
#else
#define EVRIM_MUST_USE
#endif
#endif

/** Marks what is to go in a later major version; the note says what to use instead. */
#ifndef EVRIM_DEPRECATED
#if defined(__GNUC__) || defined(__clang__)
#define EVRIM_DEPRECATED(note) __attribute__((__deprecated__(note)))
#elif defined(_MSC_VER)
#define EVRIM_DEPRECATED(note) __declspec(deprecated(note))
#else
#define EVRIM_DEPRECATED(note)
#endif
#endif

";
