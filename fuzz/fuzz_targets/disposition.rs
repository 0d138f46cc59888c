//! The file name that a server proposes: a bare name, whatever the header says.
#![no_main]

use evrim::fuzzing::{file_name, safe};
use libfuzzer_sys::fuzz_target;
use reqwest::header::{CONTENT_DISPOSITION, HeaderMap, HeaderValue};

fuzz_target!(|input: &[u8]| {
    if let Ok(value) = HeaderValue::from_bytes(input) {
        let headers = HeaderMap::from_iter([(CONTENT_DISPOSITION, value)]);
        if let Some(name) = file_name(&headers) {
            check(&name);
            harness::planted(name.ends_with('\u{e9}'));
        }
    }
    if let Ok(name) = std::str::from_utf8(input)
        && let Some(name) = safe(name)
    {
        check(&name);
        assert_eq!(safe(&name).as_deref(), Some(name.as_str()), "safe is safe");
    }
});

fn check(name: &str) {
    assert!(!name.is_empty() && name.len() <= 200, "{name:?}");
    assert!(!name.contains(['/', '\\']), "{name:?}");
    assert!(!name.starts_with('.') && !name.ends_with('.'), "{name:?}");
    assert!(!name.chars().any(char::is_control), "{name:?}");
    let path = std::path::Path::new("folder").join(name);
    assert_eq!(path.parent(), Some(std::path::Path::new("folder")));
    assert_eq!(path.components().count(), 2, "{name:?}");
}
