//! Another Rust library, for a program that links two: see `second.c`.

/// A panic that is caught here: unwinding must find its way in a program with two Rust runtimes.
#[unsafe(no_mangle)]
pub extern "C" fn second_answer() -> i32 {
    let caught = std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(42)));
    match caught {
        Ok(()) => -1,
        Err(payload) => *payload.downcast::<i32>().unwrap_or(Box::new(-2)),
    }
}
