//! An answer of the server: immutable, and read without a JSON library.

use std::ffi::{CStr, CString};

use bytes::Bytes;
use once_cell::race::OnceBox;
use reqwest::header::HeaderMap;

use crate::error::{Error, Result, Status};
use crate::json::{self, Node, Text};

pub struct Response {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    /// Without locks: a child that was forked while a thread of its parent was at it must not wait for it.
    json: OnceBox<Option<Node>>,
    c_headers: OnceBox<Vec<(String, CString)>>,
}

impl Response {
    pub(crate) fn new(status: u16, headers: HeaderMap, body: Bytes) -> Response {
        Response {
            status,
            headers,
            body,
            json: OnceBox::new(),
            c_headers: OnceBox::new(),
        }
    }

    /// One whose body was looked at already.
    pub(crate) fn parsed(status: u16, headers: HeaderMap, body: Bytes, json: Node) -> Response {
        Response {
            json: OnceBox::with_value(Box::new(Some(json))),
            ..Response::new(status, headers, body)
        }
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// A header's value; its name in any case. Several of one name are joined by commas.
    pub fn header(&self, name: &str) -> Option<&CStr> {
        self.c_headers
            .get_or_init(|| Box::new(c_headers(&self.headers)))
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_c_str())
    }

    /// The whole document; parsed once, when first asked for. `None` where the body is no JSON.
    pub fn json(&self) -> Option<&Node> {
        self.json
            .get_or_init(|| Box::new(Node::parse(&self.body)))
            .as_ref()
    }

    pub fn pointer(&self, pointer: &str) -> Option<&Node> {
        self.json()?.pointer(pointer)
    }

    /// The text of the value at a pointer, exactly as the server wrote it.
    pub fn json_text(&self, pointer: &str) -> Option<&str> {
        // What can't be read as a whole has no parts, though its text could be taken apart.
        self.json()?;
        json::text_at(&self.body, pointer)
    }

    /// What `read` finds at a pointer, or an error that says what is there instead.
    pub fn require<'a, T>(
        &'a self,
        pointer: &str,
        wanted: &str,
        read: impl FnOnce(&'a Node) -> Option<T>,
    ) -> Result<T> {
        let found = self.pointer(pointer);
        found.and_then(read).ok_or_else(|| {
            let instead = match (found, self.json()) {
                (Some(Node::Text(text)), _) if text.as_c_str().is_none() => {
                    "there is a string with a NUL character in it".to_owned()
                }
                (Some(node), _) => format!("there is {}", node.kind()),
                (None, Some(_)) => "there is nothing".to_owned(),
                (None, None) => "it is not JSON".to_owned(),
            };
            Error::new(
                Status::Protocol,
                format!(
                    "the answer has no {wanted} at \"{}\": {instead}",
                    pointer.escape_debug()
                ),
            )
        })
    }

    pub fn string(&self, pointer: &str) -> Option<&str> {
        self.pointer(pointer)?.as_text().map(Text::as_str)
    }
}

fn c_headers(headers: &HeaderMap) -> Vec<(String, CString)> {
    headers
        .keys()
        .filter_map(|name| {
            let values: Vec<&[u8]> = headers
                .get_all(name)
                .iter()
                .map(|value| value.as_bytes())
                .collect();
            let value = CString::new(values.join(&b", "[..])).ok()?;
            Some((name.as_str().to_owned(), value))
        })
        .collect()
}
