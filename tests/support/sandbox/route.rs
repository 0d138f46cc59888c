//! From a path to what answers it.

use super::document::Format;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    Token,
    Refresh,
    Verify,
    /// A list, or one of its items.
    Resource(&'static str, Option<String>),
    Research,
    Generate(u64, Format),
    PagedReports,
    PagedReport(u64),
    Echo,
    Blob(u64),
}

impl Route {
    /// The route of a path that begins and ends with a slash.
    pub fn find(path: &str) -> Option<Route> {
        let inner = path.strip_prefix('/')?.strip_suffix('/')?;
        let parts: Vec<&str> = inner.split('/').collect();
        Some(match parts[..] {
            ["token"] => Route::Token,
            ["token", "refresh"] => Route::Refresh,
            ["token", "verify"] => Route::Verify,
            ["research"] => Route::Research,
            ["generate", id, format] => Route::Generate(number(id)?, Format::named(format)?),
            ["v0", "reports"] => Route::PagedReports,
            ["v0", "reports", id] => Route::PagedReport(number(id)?),
            ["blob", size] => Route::Blob(number(size)?),
            ["echo", ..] => Route::Echo,
            ["tasks", id] if is_uuid(id) => Route::Resource("tasks", Some(id.to_owned())),
            [list] => Route::Resource(resource(list)?, None),
            [list, id] if list != "tasks" => {
                number(id)?;
                Route::Resource(resource(list)?, Some(id.to_owned()))
            }
            _ => return None,
        })
    }

    pub fn is_token(&self) -> bool {
        matches!(self, Route::Token | Route::Refresh | Route::Verify)
    }

    pub fn allowed(&self) -> &'static str {
        match self {
            Route::Token | Route::Refresh | Route::Verify | Route::Research => "POST, OPTIONS",
            Route::Echo => "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS",
            _ => "GET, HEAD, OPTIONS",
        }
    }
}

fn resource(name: &str) -> Option<&'static str> {
    ["reports", "runs", "tasks", "sections", "paragraphs"]
        .into_iter()
        .find(|known| *known == name)
}

fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}
