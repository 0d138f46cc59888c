//! Tells the library that this is the model. Not by RUSTFLAGS, which would build every other crate anew.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(evrim_model, fuzzing)");
    println!("cargo:rustc-cfg=evrim_model");
}
