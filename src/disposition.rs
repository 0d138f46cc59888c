//! The file name that a server proposes, as a bare and safe name.

use percent_encoding::percent_decode_str;
use reqwest::header::{CONTENT_DISPOSITION, HeaderMap};

/// In bytes: every file system takes it, with room for what a program may add.
const LONGEST: usize = 200;
const LONGEST_EXTENSION: usize = 20;

/// The name in `Content-Disposition`, RFC 6266; `filename*` counts before `filename`.
pub fn file_name(headers: &HeaderMap) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(CONTENT_DISPOSITION)?.as_bytes()).into_owned();
    let mut plain = None;
    let mut extended = None;
    for (name, value) in parameters(&value) {
        if name.eq_ignore_ascii_case("filename*") {
            extended = extended.or_else(|| decode(&value));
        } else if name.eq_ignore_ascii_case("filename") {
            plain = plain.or(Some(value));
        }
    }
    extended
        .as_deref()
        .and_then(safe)
        .or_else(|| plain.as_deref().and_then(safe))
}

/// What of a proposed name can be used: no folders, nothing hidden, nothing that is not text.
pub fn safe(name: &str) -> Option<String> {
    let bare = name.rsplit(['/', '\\']).next()?;
    let is_harmful = |letter: char| {
        // Also the marks that turn the reading order round and so disguise an ending.
        letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let clean: String = bare.chars().filter(|&letter| !is_harmful(letter)).collect();
    let clean = clean.trim_matches(is_edge);
    (!clean.is_empty()).then(|| shortened(clean))
}

/// What a name neither begins nor ends with.
fn is_edge(letter: char) -> bool {
    letter == '.' || letter.is_whitespace()
}

fn shortened(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= LONGEST_EXTENSION => (stem, extension),
        _ => (name, ""),
    };
    let mut room = LONGEST - LONGEST_EXTENSION - 1;
    while !stem.is_char_boundary(room) {
        room -= 1;
    }
    let stem = stem.get(..room).unwrap_or(stem).trim_end_matches(is_edge);
    if extension.is_empty() {
        stem.to_owned()
    } else {
        format!("{stem}.{extension}")
    }
}

/// `name=value` after the first semicolon; a value in quotes may hold semicolons and `\"`.
fn parameters(header: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut rest = header.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once('=') {
        // What has no value is passed over.
        let name = name.rsplit(';').next().unwrap_or(name).trim();
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => match after.split_once(';') {
                Some((value, next)) => (value.trim().to_owned(), next),
                None => (after.trim().to_owned(), ""),
            },
        };
        all.push((name.to_owned(), value));
        rest = next;
    }
    all
}

/// Up to the closing quote, and what follows it.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, text.get(at + 1..).unwrap_or("")),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            _ => value.push(letter),
        }
    }
    (value, "")
}

/// `UTF-8''%e2%82%ac%20rates`, RFC 8187.
fn decode(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, encoded) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let decoded = percent_decode_str(encoded).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn named(header: &[u8]) -> Option<String> {
        let value = HeaderValue::from_bytes(header).expect("a header");
        file_name(&HeaderMap::from_iter([(CONTENT_DISPOSITION, value)]))
    }

    #[test]
    fn the_name_is_read_as_the_standard_says() {
        for (header, name) in [
            (&b"attachment; filename=\"report.pdf\""[..], "report.pdf"),
            (b"attachment; filename=report.pdf", "report.pdf"),
            (b"Attachment ; FileName = \"a;b=c.pdf\" ; x=1", "a;b=c.pdf"),
            (
                b"attachment; filename=\"say \\\"hi\\\".pdf\"",
                "say \"hi\".pdf",
            ),
            (
                b"attachment; filename=\"EURO.pdf\"; filename*=UTF-8''%e2%82%ac%20rates.pdf",
                "\u{20ac} rates.pdf",
            ),
            (
                b"attachment; filename*=utf-8'de'Gr%C3%BC%C3%9Fe.docx; filename=x.docx",
                "Gr\u{fc}\u{df}e.docx",
            ),
            // What can't be decoded does not count.
            (
                b"attachment; filename*=UTF-8''%ff.pdf; filename=ok.pdf",
                "ok.pdf",
            ),
            (
                b"attachment; filename*=KOI8-R''%c1.pdf; filename=ok.pdf",
                "ok.pdf",
            ),
            (
                "attachment; filename=\"Gr\u{fc}\u{df}e.pdf\"".as_bytes(),
                "Gr\u{fc}\u{df}e.pdf",
            ),
            (b"attachment; flag; filename=a.pdf", "a.pdf"),
        ] {
            assert_eq!(named(header).as_deref(), Some(name));
        }
        for header in [
            &b"attachment"[..],
            b"attachment; filename=\"\"",
            b"attachment; filename=",
            b"attachment; filename=\"../..\"",
            b"attachment; filename*=UTF-8''%00",
        ] {
            assert_eq!(named(header), None);
        }
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        for (proposed, name) in [
            ("../../etc/passwd", "passwd"),
            ("/etc/passwd", "passwd"),
            ("C:\\Windows\\evil.exe", "evil.exe"),
            (".bashrc", "bashrc"),
            ("...hidden", "hidden"),
            ("a\0b\n.pdf", "ab.pdf"),
            ("gpj.\u{202e}fdp", "gpj.fdp"),
            ("  name.pdf . ", "name.pdf"),
        ] {
            assert_eq!(safe(proposed).as_deref(), Some(name));
        }
        for nothing in ["", ".", "..", "/", "a/", "\u{7f}", " . "] {
            assert_eq!(safe(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let name = safe(&format!("{}.pdf", "ü".repeat(300))).expect("a name");
        assert!(name.len() <= LONGEST && name.ends_with("ü.pdf"), "{name}");
        let name = safe(&"x".repeat(300)).expect("a name");
        assert!(name.len() <= LONGEST);
        let name = safe(&format!("a.{}", "x".repeat(300))).expect("a name");
        assert!(name.len() <= LONGEST);
        // Nor does it end with what was in the middle before.
        let name = safe(&format!("{} . {}", "x".repeat(177), "y".repeat(99))).expect("a name");
        assert_eq!(name, "x".repeat(177));
    }
}
