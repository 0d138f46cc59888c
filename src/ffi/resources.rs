use std::ffi::{c_char, c_void};
use std::time::Duration;

use crate::client::Client;
use crate::error::Result;
use crate::ffi::client::evrim_client;
use crate::ffi::download::{evrim_progress_fn, teller, told};
use crate::ffi::error::evrim_error;
use crate::ffi::guard;
use crate::ffi::response::evrim_response;
use crate::ffi::status::evrim_status;
use crate::resources::{List, Research};
use crate::response::Response;

/// Asks for all reports: an array. This and the calls below send one request each, like evrim_request(),
/// and have its errors; `EVRIM_ERROR_NOT_FOUND` for an id that there is not, and `EVRIM_ERROR_PROTOCOL` for
/// an answer that is neither a JSON array nor an object. `*response` is freed with evrim_response_free().
///
/// A report has "/id", and in "/report" its "title", "description" and "sections", and as "task" the id of
/// the task that it came of; a section has "title", "paragraphs" and "sources"; a paragraph has "title" and
/// "sentences". Members may be null or missing, and there may be others.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_get_reports(
    client: *mut evrim_client,
    response: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
) -> evrim_status {
    answer(client, response, error, |client| client.list(List::Reports))
}

/// Asks for one report. An id is not negative.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_get_report(
    client: *mut evrim_client,
    id: i64,
    response: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
) -> evrim_status {
    answer(client, response, error, |client| {
        client.item(List::Reports, id)
    })
}

/// Asks for all runs: an array. A run has "/id", "/result" and "/tasks".
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_get_runs(
    client: *mut evrim_client,
    response: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
) -> evrim_status {
    answer(client, response, error, |client| client.list(List::Runs))
}

/// Asks for one run.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_get_run(
    client: *mut evrim_client,
    id: i64,
    response: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
) -> evrim_status {
    answer(client, response, error, |client| {
        client.item(List::Runs, id)
    })
}

/// Asks for all sections: an array.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_get_sections(
    client: *mut evrim_client,
    response: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
) -> evrim_status {
    answer(client, response, error, |client| {
        client.list(List::Sections)
    })
}

/// Asks for one section.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_get_section(
    client: *mut evrim_client,
    id: i64,
    response: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
) -> evrim_status {
    answer(client, response, error, |client| {
        client.item(List::Sections, id)
    })
}

/// Asks for all paragraphs: an array.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_get_paragraphs(
    client: *mut evrim_client,
    response: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
) -> evrim_status {
    answer(client, response, error, |client| {
        client.list(List::Paragraphs)
    })
}

/// Asks for one paragraph.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_get_paragraph(
    client: *mut evrim_client,
    id: i64,
    response: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
) -> evrim_status {
    answer(client, response, error, |client| {
        client.item(List::Paragraphs, id)
    })
}

/// Asks for all tasks: an array. A task has "/task_id", a string; "/status"; "/created_at", a time such as
/// "2025-01-31T12:00:00Z"; and "/event/input", what was asked for, as a string of JSON.
///
/// The status is "P" while the task is pending and "C" when it is complete; any other letter, too, says
/// that it has ended.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_get_tasks(
    client: *mut evrim_client,
    response: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
) -> evrim_status {
    answer(client, response, error, |client| client.list(List::Tasks))
}

/// Asks for one task by its "/task_id". An empty id is refused.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_get_task(
    client: *mut evrim_client,
    task_id: *const c_char,
    response: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
) -> evrim_status {
    answer(client, response, error, |client| {
        client.task(guard::text(task_id, "task_id")?)
    })
}

/// Starts a piece of research on what is at `url`, and writes its task to `*response`. It costs the
/// server work and is not sent twice; see evrim_request(). NULL stands for "NARRATIVE" as `style`,
/// "ANALYTICAL" as `tone` and "THIRD_PERSON" as `point_of_view`; `url`, `title` and `description` may not
/// be NULL. `EVRIM_ERROR_REQUEST` if the server does not like a value: the message names it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_submit_research(
    client: *mut evrim_client,
    url: *const c_char,
    title: *const c_char,
    description: *const c_char,
    style: *const c_char,
    tone: *const c_char,
    point_of_view: *const c_char,
    response: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
) -> evrim_status {
    answer(client, response, error, |client| {
        let style = guard::optional_text(style, "style")?;
        let tone = guard::optional_text(tone, "tone")?;
        let point_of_view = guard::optional_text(point_of_view, "point_of_view")?;
        client.submit_research(&Research {
            url: guard::text(url, "url")?,
            title: guard::text(title, "title")?,
            description: guard::text(description, "description")?,
            style: style.unwrap_or(Research::STYLE),
            tone: tone.unwrap_or(Research::TONE),
            point_of_view: point_of_view.unwrap_or(Research::POINT_OF_VIEW),
        })
    })
}

/// Waits until a task is no longer pending, and writes it to `*response`; its "/status" says how it ended.
/// It does not name its report: look for the one with its id as "/report/task" in evrim_get_reports().
/// The server is asked at once, after half a second, and then less and less often, down to every ten
/// seconds. A failure that may pass, such as a server that restarts, does not end the wait.
///
/// `timeout_ms` is for the whole wait, in milliseconds: then it is `EVRIM_ERROR_TIMEOUT`, or the error of
/// the last attempt if that failed. 0 is refused. `progress`, unless NULL, is called with `user_data` about
/// four times a second, with the milliseconds that have gone by and -1; if it returns false, the call ends
/// with `EVRIM_ERROR_CANCELLED`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_wait_for_task(
    client: *mut evrim_client,
    task_id: *const c_char,
    timeout_ms: u32,
    progress: evrim_progress_fn,
    user_data: *mut c_void,
    response: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
) -> evrim_status {
    answer(client, response, error, |client| {
        let task_id = guard::text(task_id, "task_id")?;
        let timeout = Duration::from_millis(u64::from(timeout_ms));
        let tell = teller(progress, user_data);
        client.wait_for_task(task_id, timeout, told(progress, &tell))
    })
}

/// Asks for the page after `page` of a list that comes in pages, and writes it to `*next`; NULL, with
/// `EVRIM_OK`, after the last, and for an answer that is not a page. A page has its items in "/results" and
/// the number of them all in "/count". A page on another server is not asked for:
/// `EVRIM_ERROR_REDIRECT`.
///
///     evrim_response *page, *next;
///     evrim_status status = evrim_request(client, "GET", "v0/reports/", NULL, 0, &page, &error);
///     while (status == EVRIM_OK && page != NULL) {
///         ...
///         status = evrim_next_page(client, page, &next, &error);
///         evrim_response_free(page);
///         page = next;
///     }
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_next_page(
    client: *mut evrim_client,
    page: *const evrim_response,
    next: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::io(client, error, || {
        let next = guard::out(next, std::ptr::null_mut(), "next")?;
        let client = guard::shared(client, "client")?;
        if let Some(page) = client.0.next_page(&guard::handle(page, "page")?.0)? {
            *next = evrim_response::hand_over(page);
        }
        Ok(())
    })
}

fn answer(
    client: *mut evrim_client,
    response: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
    ask: impl FnOnce(&Client) -> Result<Response>,
) -> evrim_status {
    guard::io(client, error, || {
        let response = guard::out(response, std::ptr::null_mut(), "response")?;
        let client = guard::shared(client, "client")?;
        *response = evrim_response::hand_over(ask(&client.0)?);
        Ok(())
    })
}
