//! A caller's JSON text as a value that can be changed.
//!
//! With the feature `raw_value`, serde_json's own way of reading a `Value` takes an object for something
//! else where its first member has a name that serde_json uses inside. Here a name is a name.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

pub fn parse(text: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(text).map(|Plain(value)| value)
}

struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Plain, D::Error> {
        from.deserialize_any(PlainVisitor).map(Plain)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value);
        number
            .map(Value::Number)
            .ok_or_else(|| E::custom("no number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Plain(item)) = from.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Plain(value))) = from.next_entry::<String, Plain>()? {
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_serde_json_reads() {
        for text in [
            "null",
            "[true, false, -1, 0, 18446744073709551615, 1.5, -0.0, 1e300, \"\\u00e9\"]",
            r#"{"b": {"": [], "x": {}}, "a": 1, "a": 2}"#,
            "123456789012345678901234567890",
        ] {
            let theirs: Value = serde_json::from_str(text).expect(text);
            assert_eq!(parse(text.as_bytes()).expect(text), theirs, "{text}");
        }
        for text in [
            "",
            "{",
            "1 2",
            "nul",
            "1e999",
            "\"\\ud800\"",
            &"[".repeat(1000),
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn no_name_has_a_meaning_of_its_own() {
        for text in [
            r#"{"$serde_json::private::RawValue":"[1]"}"#,
            r#"{"$serde_json::private::RawValue":1,"a":2}"#,
            r#"[{"$serde_json::private::Number":"1"}]"#,
        ] {
            let value = parse(text.as_bytes()).expect(text);
            assert_eq!(serde_json::to_string(&value).expect(text), text);
        }
    }
}
