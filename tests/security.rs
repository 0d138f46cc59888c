//! SECURITY.md names a test for each promise: each of them is there.

use std::fs;
use std::path::Path;

/// The pairs of file and test that a page names: `file`: `test`, `test`; `file`: `test`.
fn named(page: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let mut file = None;
        for word in line.split('`').skip(1).step_by(2) {
            if word.ends_with(".rs") && word.contains('/') {
                file = Some(word);
            } else if let Some(file) = file {
                pairs.push((file.to_owned(), word.to_owned()));
            }
        }
    }
    pairs
}

/// Whether a file has a function of that name which is run: as a test, or in the model's list.
fn has_test(file: &str, test: &str) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let Ok(source) = fs::read_to_string(path) else {
        return false;
    };
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let Some(at) = lines
        .iter()
        .position(|line| line.starts_with(&format!("fn {test}(")))
    else {
        return false;
    };
    let is_marked = lines[..at]
        .iter()
        .rev()
        .take_while(|line| line.starts_with('#') || line.starts_with("//"))
        .any(|line| *line == "#[test]");
    let is_listed = file == "tests/model/renewal.rs"
        && lines.iter().any(|line| {
            line.trim_start_matches('(')
                .starts_with(&format!("\"{test}\","))
        });
    is_marked || is_listed
}

#[test]
fn every_promise_names_tests_that_exist() {
    let page = include_str!("../SECURITY.md");
    let pairs = named(page);
    assert!(pairs.len() > 40, "{}", pairs.len());
    let missing: Vec<_> = pairs
        .iter()
        .filter(|(file, test)| !has_test(file, test))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let (_, promises) = page.split_once("| promise |").expect("the table");
    for row in promises
        .lines()
        .skip(2)
        .take_while(|row| row.starts_with('|'))
    {
        assert!(!named(row).is_empty(), "no test: {row}");
    }
}

#[test]
fn a_test_that_does_not_exist_is_noticed() {
    assert!(has_test(
        "tests/security.rs",
        "a_test_that_does_not_exist_is_noticed"
    ));
    assert!(!has_test("tests/security.rs", "has_test"));
    assert!(!has_test("tests/security.rs", "no_such_test"));
    assert!(has_test(
        "tests/model/renewal.rs",
        "a_cancel_ends_what_has_begun"
    ));
    assert!(!has_test("tests/model/renewal.rs", "check"));
    assert!(!has_test("tests/no_such_file.rs", "has_test"));
}
