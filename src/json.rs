//! A JSON document that is read by RFC 6901 pointers and hands out C strings without copying.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

pub enum Node {
    Null,
    Bool(bool),
    Int(i64),
    /// Beyond the range of `Int`, or with a fraction.
    Double(f64),
    Text(Text),
    Array(Vec<Node>),
    /// In the server's order. A name that comes twice counts as its last.
    Object(Vec<(Text, Node)>),
}

/// A string with a NUL behind it, so that C can borrow it.
pub struct Text(Box<str>);

impl Text {
    fn new(text: &str) -> Text {
        let mut owned = String::with_capacity(text.len() + 1);
        owned.push_str(text);
        owned.push('\0');
        Text(owned.into_boxed_str())
    }

    pub fn as_str(&self) -> &str {
        self.0.strip_suffix('\0').unwrap_or(&self.0)
    }

    /// `None` where the text itself holds a NUL: C would take the first part for the whole.
    pub fn as_c_str(&self) -> Option<&CStr> {
        CStr::from_bytes_with_nul(self.0.as_bytes()).ok()
    }
}

impl Node {
    pub fn parse(bytes: &[u8]) -> Option<Node> {
        serde_json::from_slice(bytes).ok()
    }

    /// The value at an RFC 6901 pointer; the empty pointer is the whole document.
    pub fn pointer(&self, pointer: &str) -> Option<&Node> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer
            .strip_prefix('/')?
            .split('/')
            .try_fold(self, |node, token| match node {
                Node::Object(members) => members
                    .iter()
                    .rev()
                    .find(|(name, _)| is_named(name.as_str(), token))
                    .map(|(_, value)| value),
                Node::Array(items) => items.get(index(token)?),
                _ => None,
            })
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Node::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_double(&self) -> Option<f64> {
        match self {
            Node::Int(value) => Some(*value as f64),
            Node::Double(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Node::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_text(&self) -> Option<&Text> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The members of an object or the items of an array.
    pub fn count(&self) -> usize {
        match self {
            Node::Array(items) => items.len(),
            Node::Object(members) => members.len(),
            _ => 0,
        }
    }

    /// The name of a member of an object, in the server's order.
    pub fn key(&self, index: usize) -> Option<&Text> {
        match self {
            Node::Object(members) => members.get(index).map(|(name, _)| name),
            _ => None,
        }
    }

    /// What a value is called in a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Node::Null => "null",
            Node::Bool(_) => "a boolean",
            Node::Int(_) => "a whole number",
            Node::Double(_) => "a number",
            Node::Text(_) => "a string",
            Node::Array(_) => "an array",
            Node::Object(_) => "an object",
        }
    }

    pub fn first_member(&self) -> Option<(&str, &Node)> {
        match self {
            Node::Object(members) => members.first().map(|(name, value)| (name.as_str(), value)),
            _ => None,
        }
    }

    pub fn is_object(&self) -> bool {
        matches!(self, Node::Object(_))
    }
}

/// The text of the value at a pointer, exactly as it stands in the document.
pub fn text_at<'a>(document: &'a [u8], pointer: &str) -> Option<&'a str> {
    let document: &RawValue = serde_json::from_slice(document).ok()?;
    if pointer.is_empty() {
        return Some(document.get());
    }
    let value = pointer
        .strip_prefix('/')?
        .split('/')
        .try_fold(document, |value, token| {
            let text = value.get();
            if text.starts_with('{') {
                let mut members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
                members.remove(&name_of(token))
            } else {
                let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                items.get(index(token)?).copied()
            }
        })?;
    Some(value.get())
}

/// Whether a pointer's token, in which `~0` is `~` and `~1` is `/`, names this member.
fn is_named(name: &str, token: &str) -> bool {
    let mut parts = token.split('~');
    let mut rest = parts.next().and_then(|first| name.strip_prefix(first));
    for part in parts {
        let (letter, part) = match part.as_bytes().first() {
            Some(b'0') => ('~', part.get(1..)),
            Some(b'1') => ('/', part.get(1..)),
            // Not an escape: it stands for itself.
            _ => ('~', Some(part)),
        };
        rest = rest
            .and_then(|rest| rest.strip_prefix(letter))
            .zip(part)
            .and_then(|(rest, part)| rest.strip_prefix(part));
    }
    rest == Some("")
}

/// A token of a pointer as the name that it stands for.
pub fn name_of(token: &str) -> String {
    // In this order: "~01" is "~1", not "/".
    token.replace("~1", "/").replace("~0", "~")
}

/// An index has no sign and no leading zero.
pub fn index(token: &str) -> Option<usize> {
    let is_plain = token.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain || (token.len() > 1 && token.starts_with('0')) {
        return None;
    }
    token.parse().ok()
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Node, D::Error> {
        from.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(match i64::try_from(value) {
            Ok(value) => Node::Int(value),
            Err(_) => Node::Double(value as f64),
        })
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Double(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(Text::new(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Node::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = from.next_entry::<Text, Node>()? {
            members.push(member);
        }
        Ok(Node::Object(members))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Text, D::Error> {
        struct TextVisitor;
        impl Visitor<'_> for TextVisitor {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E>(self, value: &str) -> Result<Text, E> {
                Ok(Text::new(value))
            }
        }
        from.deserialize_str(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Node {
        Node::parse(text.as_bytes()).expect(text)
    }

    #[test]
    fn the_examples_of_rfc_6901() {
        let document = parse(
            r#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4,
                "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8}"#,
        );
        let int = |pointer: &str| document.pointer(pointer).and_then(Node::as_int);
        assert!(document.pointer("").is_some_and(Node::is_object));
        assert_eq!(document.pointer("/foo").map(Node::count), Some(2));
        let first = document.pointer("/foo/0").and_then(Node::as_text);
        assert_eq!(first.map(Text::as_str), Some("bar"));
        for (pointer, value) in [
            ("/", 0),
            ("/a~1b", 1),
            ("/c%d", 2),
            ("/e^f", 3),
            ("/g|h", 4),
            ("/i\\j", 5),
            ("/k\"l", 6),
            ("/ ", 7),
            ("/m~0n", 8),
        ] {
            assert_eq!(int(pointer), Some(value), "{pointer}");
        }
    }

    #[test]
    fn what_a_pointer_does_not_find() {
        let document = parse(r#"{"a": [1, 2], "b": {"~1": 3}}"#);
        for pointer in [
            "a",
            "/a/",
            "/a/00",
            "/a/+1",
            "/a/-",
            "/a/2",
            "/a/99999999999999999999",
        ] {
            assert!(document.pointer(pointer).is_none(), "{pointer}");
        }
        assert!(document.pointer("/b/~01").is_some());
    }

    #[test]
    fn names_with_tildes_are_told_apart() {
        let names = [
            "~1", "/", "~", "~0", "a~b", "a/b", "~~", "~/", "~x", "x~", "",
        ];
        for token in [
            "~01", "~1", "~0", "~00", "a~0b", "a~1b", "~0~0", "~0~1", "~x", "x~", "",
        ] {
            for name in names {
                assert_eq!(
                    is_named(name, token),
                    name == name_of(token),
                    "{name} {token}"
                );
            }
        }
    }

    #[test]
    fn the_text_of_a_value_is_the_servers_own() {
        let document = br#" {"a": {"b/c": [1.50, {"d" : "\u00e9"}]}, "a": {"b/c": [1e2, {}, 12345678901234567890]}} "#;
        assert_eq!(text_at(document, "/a/b~1c/0"), Some("1e2"));
        assert_eq!(text_at(document, "/a/b~1c/2"), Some("12345678901234567890"));
        assert_eq!(text_at(document, "/a/b~1c/1"), Some("{}"));
        assert_eq!(text_at(document, "/a/b~1c/3"), None);
        assert_eq!(text_at(document, "/a/b~1c/0/x"), None);
        assert_eq!(text_at(document, "a"), None);
        assert_eq!(text_at(b"[1] 2", ""), None);
        assert_eq!(text_at(b" [1, 2] ", ""), Some("[1, 2]"));
    }

    #[test]
    fn numbers_keep_their_kind() {
        let document = parse("[1, -9223372036854775808, 18446744073709551615, 1.5, 1e2]");
        let at = |pointer: &str| document.pointer(pointer).expect(pointer);
        assert_eq!(at("/1").as_int(), Some(i64::MIN));
        assert_eq!(at("/2").as_int(), None);
        assert_eq!(at("/2").as_double(), Some(18446744073709551615.0));
        assert_eq!(at("/3").as_int(), None);
        assert_eq!(at("/0").as_double(), Some(1.0));
        assert_eq!(at("/4").as_double(), Some(100.0));
    }

    #[test]
    fn a_string_with_a_nul_is_no_c_string() {
        let document = parse("[\"a\\u0000b\", \"Grüße\"]");
        let text = |pointer: &str| document.pointer(pointer).and_then(Node::as_text);
        assert_eq!(text("/0").map(Text::as_str), Some("a\0b"));
        assert!(text("/0").is_some_and(|text| text.as_c_str().is_none()));
        assert_eq!(text("/1").and_then(Text::as_c_str), Some(c"Grüße"));
    }

    #[test]
    fn nesting_without_end_is_refused() {
        assert!(Node::parse("[".repeat(100_000).as_bytes()).is_none());
        assert!(Node::parse(b"{\"a\": 1").is_none());
        assert!(Node::parse(b"<html>").is_none());
        assert!(Node::parse(b"").is_none());
    }
}
