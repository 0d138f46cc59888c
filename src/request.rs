//! A request that is built rather than written: its query, its headers and its JSON body.

use bytes::Bytes;
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::encode;
use crate::error::{Error, Result, Status};
use crate::header;
use crate::json;
use crate::json_value;

/// How deep a pointer may lead into a body.
const DEEPEST: usize = 100;

#[derive(Clone, Default)]
pub struct Request {
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Option<Value>,
}

impl Request {
    /// Adds a parameter to the query; one of the same name stays beside it.
    pub fn add_query(&mut self, name: &str, value: &str) -> Result<()> {
        if name.is_empty() {
            return Err(Error::invalid_argument("the parameter has no name"));
        }
        self.query.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Sets a header for this request; `None` takes it out again.
    pub fn set_header(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        header::set(&mut self.headers, name, value)
    }

    /// Puts a value into the JSON body at an RFC 6901 pointer. What leads there is made: arrays where
    /// "-", the place behind the last item, is named, and else objects.
    pub fn set(&mut self, pointer: &str, value: Value) -> Result<()> {
        if pointer.is_empty() {
            self.body = Some(value);
            return Ok(());
        }
        let Some(tokens) = pointer.strip_prefix('/') else {
            return Err(Error::invalid_argument(
                "a pointer begins with '/', or is empty for the whole body",
            ));
        };
        if tokens.split('/').count() > DEEPEST {
            return Err(Error::invalid_argument(format!(
                "the pointer leads more than {DEEPEST} levels deep"
            )));
        }
        // First, so that nothing is left half done.
        check(self.body.as_ref(), tokens)?;
        let mut place = self.body.get_or_insert(Value::Null);
        for token in tokens.split('/') {
            place = step(place, token)?;
        }
        *place = value;
        Ok(())
    }

    /// The same with a value that is JSON text.
    pub fn set_json(&mut self, pointer: &str, text: &[u8]) -> Result<()> {
        let value = json_value::parse(text).map_err(|why| not_json(&why))?;
        self.set(pointer, value)
    }

    pub(crate) fn query_into(&self, url: &mut Url) {
        if self.query.is_empty() {
            return;
        }
        let own = self.query.iter().map(|(name, value)| {
            format!("{}={}", encode::component(name), encode::component(value))
        });
        let all: Vec<String> = url
            .query()
            .filter(|query| !query.is_empty())
            .map(str::to_owned)
            .into_iter()
            .chain(own)
            .collect();
        url.set_query(Some(&all.join("&")));
    }

    pub(crate) fn headers_with(&self, others: &HeaderMap) -> HeaderMap {
        let mut headers = others.clone();
        headers.extend(self.headers.clone());
        headers
    }

    pub(crate) fn body(&self) -> Result<Option<Bytes>> {
        let Some(body) = &self.body else {
            return Ok(None);
        };
        let bytes = serde_json::to_vec(body).map_err(|why| not_json(&why))?;
        Ok(Some(Bytes::from(bytes)))
    }
}

/// A body that the caller wrote; none if it is empty. What is not JSON the server would only refuse.
pub fn json_body(body: &[u8]) -> Result<Option<Bytes>> {
    if body.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(body)
        .map_err(|_| Error::invalid_argument("the body is not valid UTF-8"))?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|why| not_json(&why))?;
    let mut copy = Vec::new();
    copy.try_reserve_exact(body.len())
        .map_err(|_| Error::new(Status::Io, "there is not enough memory left for the body"))?;
    copy.extend_from_slice(body);
    Ok(Some(Bytes::from(copy)))
}

fn not_json(why: &serde_json::Error) -> Error {
    Error::invalid_argument(format!("the body is not valid JSON: {why}"))
}

/// Whether every step of the way can be made, before any is.
fn check(body: Option<&Value>, tokens: &str) -> Result<()> {
    let mut place = body;
    for token in tokens.split('/') {
        place = match place {
            Some(Value::Array(items)) if token != "-" => match json::index(token) {
                Some(index) if index <= items.len() => items.get(index),
                _ => {
                    return Err(Error::invalid_argument(format!(
                        "\"{}\" is no place in an array of {} items: use \"-\" to append",
                        token.escape_debug(),
                        items.len()
                    )));
                }
            },
            Some(Value::Object(members)) => members.get(&json::name_of(token)),
            Some(Value::Array(_) | Value::Null) | None => None,
            Some(_) => {
                return Err(Error::invalid_argument(format!(
                    "the pointer leads through a value that is neither object nor array, to \"{}\"",
                    token.escape_debug()
                )));
            }
        };
    }
    Ok(())
}

fn step<'a>(place: &'a mut Value, token: &str) -> Result<&'a mut Value> {
    if place.is_null() {
        *place = if token == "-" {
            Value::Array(Vec::new())
        } else {
            Value::Object(Map::new())
        };
    }
    match place {
        Value::Object(members) => Ok(members.entry(json::name_of(token)).or_insert(Value::Null)),
        Value::Array(items) => {
            let index = json::index(token).unwrap_or(items.len());
            if index >= items.len() {
                items.push(Value::Null);
            }
            items.get_mut(index).ok_or_else(lost)
        }
        _ => Err(lost()),
    }
}

/// What `check` has ruled out.
fn lost() -> Error {
    Error::invalid_argument("the pointer leads nowhere")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(request: &Request) -> String {
        let body = request.body().expect("JSON").expect("a body");
        String::from_utf8(body.to_vec()).expect("UTF-8")
    }

    #[test]
    fn a_body_is_built_by_pointers() {
        let mut request = Request::default();
        assert!(request.body().expect("none").is_none());
        request
            .set("/title", "Grüße \"an\" \\ alle\n".into())
            .expect("set");
        request.set("/a~1b/c~0d", 1.into()).expect("set");
        request.set("/tags/-", "one".into()).expect("set");
        request.set("/tags/-", "two".into()).expect("set");
        request.set("/tags/0", "first".into()).expect("set");
        request
            .set_json("/more", b"[1, {\"x\": null}]")
            .expect("set");
        request.set("/more/1/x", true.into()).expect("set");
        assert_eq!(
            text(&request),
            "{\"a/b\":{\"c~d\":1},\"more\":[1,{\"x\":true}],\"tags\":[\"first\",\"two\"],\
             \"title\":\"Grüße \\\"an\\\" \\\\ alle\\n\"}"
        );
        request.set("", 7.into()).expect("set");
        assert_eq!(text(&request), "7");
    }

    #[test]
    fn a_pointer_that_leads_nowhere_changes_nothing() {
        let mut request = Request::default();
        request
            .set_json("", b"{\"a\": [1], \"b\": 2}")
            .expect("set");
        let before = text(&request);
        let deep = "/x".repeat(DEEPEST + 1);
        for pointer in [
            "a",
            "/a/2",
            "/a/x",
            "/a/01",
            "/b/c",
            "/new/way/b/../",
            &deep,
        ] {
            let outcome = request.set(pointer, 1.into());
            if pointer.starts_with("/new") {
                outcome.expect("names may be anything");
                request.set_json("", before.as_bytes()).expect("set");
                continue;
            }
            assert!(outcome.is_err(), "{pointer}");
            assert_eq!(text(&request), before, "{pointer}");
        }
        assert!(request.set_json("/a", b"{").is_err());
        assert_eq!(text(&request), before);
    }

    #[test]
    fn only_json_is_sent() {
        assert!(json_body(b"").expect("none").is_none());
        for good in ["{}", " [1] ", "\"x\"", "null"] {
            assert!(json_body(good.as_bytes()).expect(good).is_some());
        }
        for bad in [&b"{"[..], b"{'a': 1}", b"a=b", b"\"\xff\"", b"{} {}"] {
            assert!(json_body(bad).is_err());
        }
    }

    #[test]
    fn a_query_is_percent_encoded() {
        let mut url = Url::parse("https://host/prod/reports/?page=2").expect("a URL");
        let mut request = Request::default();
        request.add_query("q", "a&b=c d/ü?#%").expect("added");
        request.add_query("q", "").expect("added");
        request.query_into(&mut url);
        assert_eq!(
            url.query(),
            Some("page=2&q=a%26b%3Dc%20d%2F%C3%BC%3F%23%25&q=")
        );
        assert!(request.add_query("", "x").is_err());

        let mut url = Url::parse("https://host/prod/reports/?").expect("a URL");
        let mut request = Request::default();
        request.add_query("q", "x").expect("added");
        request.query_into(&mut url);
        assert_eq!(url.query(), Some("q=x"));
    }
}
