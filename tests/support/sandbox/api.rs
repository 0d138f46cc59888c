//! The endpoints under the base URL.

use super::auth;
use super::data::{self, Library};
use super::document::Document;
use super::range;
use super::reply::{Call, Reply};
use super::route::Route;
use super::shared::{PREFIX, Shared};
use hyper::{Method, header};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub async fn answer(shared: &Shared, call: &Call) -> Reply {
    let find = |path: &str| {
        Route::find(path).filter(|route| !(shared.config.opaque_only && route.is_token()))
    };
    let Some(route) = find(&call.path) else {
        // Django's own redirect to the path with its slash.
        if find(&format!("{}/", call.path)).is_some() {
            let query = match call.query.is_empty() {
                true => String::new(),
                false => format!("?{}", call.query),
            };
            let location = format!("{PREFIX}{}/{query}", call.path);
            return Reply::new(301, "text/html; charset=utf-8", "").header("location", location);
        }
        return not_found();
    };

    let negotiated = match route {
        Route::Generate(..) | Route::Echo | Route::Blob(_) => Some(Shape::Json),
        _ => negotiate(call.header(header::ACCEPT)),
    };
    let reply = match negotiated {
        None => Reply::detail(406, "Could not satisfy the request Accept header."),
        Some(_) => view(shared, &route, call).await,
    };
    let is_json = reply
        .headers
        .iter()
        .any(|(_, value)| value == "application/json");
    let reply = match negotiated {
        Some(Shape::Html) if is_json => reply.into_html(),
        _ => reply,
    };
    if reply.status.is_server_error() {
        return reply;
    }
    reply
        .header("vary", "Accept")
        .header("allow", route.allowed())
}

pub fn not_found() -> Reply {
    Reply::html(404, "Not Found", "There is nothing at this address.")
}

async fn view(shared: &Shared, route: &Route, call: &Call) -> Reply {
    if !route.is_token() {
        if let Err(refused) = auth::authenticate(shared, call) {
            return refused;
        }
    }
    let allowed = route.allowed().split(", ");
    if !allowed.into_iter().any(|method| method == call.method) {
        let detail = format!("Method \"{}\" not allowed.", call.method);
        return Reply::detail(405, &detail);
    }
    if call.method == Method::OPTIONS && *route != Route::Echo {
        let renders = ["application/json", "text/html"];
        let parses = ["application/json", "application/x-www-form-urlencoded"];
        return Reply::json(200, &json!({"renders": renders, "parses": parses}));
    }
    match route {
        Route::Token | Route::Refresh | Route::Verify => {
            auth::token_call(shared, route, call).await
        }
        Route::Resource(list, None) => list_of(shared, list),
        Route::Resource(list, Some(id)) => item_of(shared, list, id),
        Route::Research => research(shared, call),
        Route::Generate(report, format) => {
            let Some(document) = document(shared, *report, *format) else {
                return missing("reports");
            };
            let disposition = format!("attachment; filename=\"report.{}\"", format.extension());
            let reply = Reply::new(200, format.media_type(), document.bytes.clone())
                .header("content-disposition", disposition);
            range::apply(reply, &document.etag, call)
        }
        Route::PagedReports => paged(shared, call),
        Route::PagedReport(id) => match data::paged_reports().get((*id as usize).wrapping_sub(1)) {
            Some(report) => Reply::json(200, report),
            None => missing("reports"),
        },
        Route::Echo => echo(call),
        Route::Blob(size) => blob(*size, call),
    }
}

/// A file of so many bytes; `?plain` has nothing to take it up again by, `?chunked` no length.
fn blob(size: u64, call: &Call) -> Reply {
    let mut reply = Reply::new(200, "application/octet-stream", "");
    reply.blob = Some(0..size);
    match call.query.as_str() {
        "plain" => reply,
        "chunked" => reply.header("x-chunked", "yes"),
        _ => range::apply(reply, &format!("\"blob-{size}\""), call),
    }
}

fn missing(list: &str) -> Reply {
    let model = match list {
        "runs" => "CrewRun",
        "tasks" => "Task",
        "sections" => "Section",
        "paragraphs" => "Paragraph",
        _ => "ReportV2",
    };
    Reply::detail(404, &format!("No {model} matches the given query."))
}

/// The prebuilt list, and what was submitted since then.
fn list_of(shared: &Shared, list: &str) -> Reply {
    let page = &Library::get().pages[&format!("/{list}/")];
    let pending = shared.config.pending;
    let state = shared.state();
    let added: Vec<Value> = match list {
        "tasks" => state.tasks.iter().map(|task| task.task(pending)).collect(),
        "reports" => {
            let complete = state.tasks.iter().filter(|task| task.is_complete(pending));
            complete.map(data::submitted_report).collect()
        }
        _ => Vec::new(),
    };
    drop(state);
    if added.is_empty() {
        return Reply::prebuilt(page);
    }
    let mut body = page.plain[..page.plain.len() - 1].to_vec();
    for item in added {
        body.push(b',');
        body.extend_from_slice(item.to_string().as_bytes());
    }
    body.push(b']');
    Reply::new(200, "application/json", body)
}

fn item_of(shared: &Shared, list: &str, id: &str) -> Reply {
    // `007` is 7 to Django.
    let id = match list {
        "tasks" => id,
        _ => id.trim_start_matches('0'),
    };
    if let Some(page) = Library::get().pages.get(&format!("/{list}/{id}/")) {
        return Reply::prebuilt(page);
    }
    let pending = shared.config.pending;
    let state = shared.state();
    let item = match list {
        "tasks" => {
            let task = state.tasks.iter().find(|task| task.id == id);
            task.map(|task| task.task(pending))
        }
        "reports" => {
            let mut complete = state.tasks.iter().filter(|task| task.is_complete(pending));
            let task = complete.find(|task| task.number.to_string() == id);
            task.map(data::submitted_report)
        }
        _ => None,
    };
    item.map_or_else(|| missing(list), |item| Reply::json(200, &item))
}

fn research(shared: &Shared, call: &Call) -> Reply {
    let body = match auth::object(call) {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let mut fields = Map::new();
    let mut errors = Map::new();
    let wanted = [
        ("url", None),
        ("title", None),
        ("description", None),
        ("style", Some("NARRATIVE")),
        ("tone", Some("ANALYTICAL")),
        ("point_of_view", Some("THIRD_PERSON")),
    ];
    for (name, default) in wanted {
        let text = match (body.get(name), default) {
            (None, Some(default)) => Ok(default.to_owned()),
            (value, _) => auth::text(value),
        };
        match text {
            Ok(text) if name == "url" && !is_url(&text) => {
                errors.insert(name.to_owned(), json!(["Enter a valid URL."]));
            }
            Ok(text) => {
                fields.insert(name.to_owned(), text.into());
            }
            Err(wrong) => {
                errors.insert(name.to_owned(), json!([wrong]));
            }
        }
    }
    if !errors.is_empty() {
        return Reply::json(400, &Value::Object(errors));
    }
    let mut state = shared.state();
    let at = state.submit(&call.body, &Value::Object(fields));
    Reply::json(201, &state.tasks[at].task(shared.config.pending))
}

fn is_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
}

/// A rendered report, made when it is first asked for.
fn document(
    shared: &Shared,
    report: u64,
    format: super::document::Format,
) -> Option<Arc<Document>> {
    let mut state = shared.state();
    if let Some(document) = state.documents.get(&(report, format)) {
        return Some(Arc::clone(document));
    }
    let pending = shared.config.pending;
    let text = match Library::get().texts.get(&report) {
        Some(text) => text.clone(),
        None => {
            let mut complete = state.tasks.iter().filter(|task| task.is_complete(pending));
            data::submitted_text(complete.find(|task| task.number == report)?)
        }
    };
    let document = Arc::new(Document::new(&text, format, state.document_revision));
    state
        .documents
        .insert((report, format), Arc::clone(&document));
    Some(document)
}

const PAGE_SIZE: usize = 10;

fn paged(shared: &Shared, call: &Call) -> Reply {
    let all = data::paged_reports();
    let last = all.len().div_ceil(PAGE_SIZE);
    let page = match call.parameter("page") {
        None => 1,
        Some("last") => last,
        Some(page) => page.parse().unwrap_or(0),
    };
    if !(1..=last).contains(&page) {
        return Reply::detail(404, "Invalid page.");
    }
    let origin = match call.header(header::HOST) {
        "" => shared.origin(),
        host => format!("{}://{host}", shared.scheme()),
    };
    let link = |page: usize| match page {
        1 => format!("{origin}{PREFIX}/v0/reports/"),
        page => format!("{origin}{PREFIX}/v0/reports/?page={page}"),
    };
    let start = (page - 1) * PAGE_SIZE;
    let end = all.len().min(start + PAGE_SIZE);
    Reply::json(
        200,
        &json!({
            "count": all.len(),
            "next": (page < last).then(|| link(page + 1)),
            "previous": (page > 1).then(|| link(page - 1)),
            "results": all[start..end],
        }),
    )
}

/// What arrived; `?status=` chooses the status of the answer.
fn echo(call: &Call) -> Reply {
    let mut headers: Map<String, Value> = Map::new();
    for name in call.headers.keys() {
        let values = call.headers.get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        headers.insert(name.to_string(), values.join(", ").into());
    }
    let status = call
        .parameter("status")
        .and_then(|status| status.parse().ok());
    Reply::json(
        status
            .filter(|status| (200..600).contains(status))
            .unwrap_or(200),
        &json!({
            "method": call.method.as_str(),
            "path": call.path,
            "target": call.target,
            "query": call.query,
            "headers": headers,
            "body": String::from_utf8_lossy(&call.body),
            "length": call.body.len(),
        }),
    )
}

#[derive(Clone, Copy)]
enum Shape {
    Json,
    Html,
}

/// Django's choice: the most exact of the accepted types wins, JSON among equals, and `q` counts for nothing.
fn negotiate(accept: &str) -> Option<Shape> {
    if accept.trim().is_empty() {
        return Some(Shape::Json);
    }
    let mut best = None;
    for entry in accept.split(',') {
        let mut parts = entry.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let exact = parts.any(|part| !part.starts_with("q=") && !part.is_empty());
        let (rank, shape) = match media.as_str() {
            "*/*" => (0, Shape::Json),
            "application/*" => (1, Shape::Json),
            "text/*" => (1, Shape::Html),
            "application/json" => (2 + u8::from(exact), Shape::Json),
            "text/html" => (2 + u8::from(exact), Shape::Html),
            _ => continue,
        };
        let better = match best {
            None => true,
            Some((old, Shape::Html)) => rank > old || (rank == old && matches!(shape, Shape::Json)),
            Some((old, Shape::Json)) => rank > old,
        };
        if better {
            best = Some((rank, shape));
        }
    }
    best.map(|(_, shape)| shape)
}
