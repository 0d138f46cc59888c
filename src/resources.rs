//! Evrim's own things by name: reports, runs, tasks, sections, paragraphs, research and pages.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::call::{Call, Purpose};
use crate::callback::Progress;
use crate::client::{Ask, Client};
use crate::encode;
use crate::error::{Error, Result, Status};
use crate::events::Hooks;
use crate::json::Node;
use crate::response::Response;

/// Between two looks at a task, longer each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// So often a waiting caller is told that it still waits, and asked whether to go on.
const TICK: Duration = Duration::from_millis(250);

const PENDING: &str = "P";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    Reports,
    Runs,
    Tasks,
    Sections,
    Paragraphs,
}

impl List {
    fn path(self) -> &'static str {
        match self {
            List::Reports => "reports/",
            List::Runs => "runs/",
            List::Tasks => "tasks/",
            List::Sections => "sections/",
            List::Paragraphs => "paragraphs/",
        }
    }
}

/// What to look into, and how to write about it.
#[derive(Clone, Copy, Debug)]
pub struct Research<'a> {
    pub url: &'a str,
    pub title: &'a str,
    pub description: &'a str,
    pub style: &'a str,
    pub tone: &'a str,
    pub point_of_view: &'a str,
}

impl Research<'_> {
    pub const STYLE: &'static str = "NARRATIVE";
    pub const TONE: &'static str = "ANALYTICAL";
    pub const POINT_OF_VIEW: &'static str = "THIRD_PERSON";
}

impl Client {
    /// All of a kind.
    pub fn list(&self, list: List) -> Result<Response> {
        self.get(list.path())
    }

    /// One of a kind; a task has no number.
    pub fn item(&self, list: List, id: i64) -> Result<Response> {
        self.get(&format!("{}{}/", list.path(), checked(id)?))
    }

    pub fn task(&self, task_id: &str) -> Result<Response> {
        self.get(&task_path(task_id)?)
    }

    /// Starts a piece of research; the answer is its task.
    pub fn submit_research(&self, research: &Research<'_>) -> Result<Response> {
        let begun = self.begin();
        let Research {
            url,
            title,
            description,
            style,
            tone,
            point_of_view,
        } = research;
        let body: Value = json!({
            "url": url,
            "title": title,
            "description": description,
            "style": style,
            "tone": tone,
            "point_of_view": point_of_view,
        });
        let url = self.endpoint().join("research/")?;
        self.run(begun, Purpose::Request, async |call| {
            let ask = Ask {
                body: Some(Bytes::from(body.to_string())),
                ..Ask::new(Method::POST, url)
            };
            self.json(call, ask).await
        })
    }

    /// Asks for a task until it is no longer pending. A failure that may pass does not end the wait.
    /// `progress` is told how many milliseconds have gone by, and says whether to go on.
    pub fn wait_for_task(
        &self,
        task_id: &str,
        timeout: Duration,
        progress: Option<Progress<'_>>,
    ) -> Result<Response> {
        if timeout.is_zero() {
            return Err(Error::invalid_argument(
                "a timeout of zero leaves no time to wait: to look at a task once, ask for it with \
                 evrim_get_task",
            ));
        }
        let begun = self.begin();
        let path = task_path(task_id)?;
        let hooks = Hooks {
            progress,
            ..Hooks::default()
        };
        self.run_with(begun, Purpose::Request, hooks, async |call| {
            let wait = Wait {
                begun: Instant::now(),
                ends: Instant::now() + timeout,
            };
            let mut pause = FIRST_PAUSE;
            loop {
                call.restart_clock();
                let looked = timeout_at(wait.ends, self.look(call, &path)).await;
                let (rest, failure) = match looked {
                    Ok(Ok(task)) if !is_pending(&task)? => return Ok(task),
                    Ok(Ok(_)) => (pause, None),
                    Ok(Err(error)) if error.is_retryable() => (
                        error.retry_after().unwrap_or_default().max(pause),
                        Some(error),
                    ),
                    Ok(Err(error)) => return Err(error),
                    Err(_) => (Duration::ZERO, None),
                };
                if !wait.sleep(call, rest).await {
                    return Err(failure.unwrap_or_else(|| still_pending(task_id, timeout)));
                }
                pause = (pause * 3 / 2).min(LONGEST_PAUSE);
            }
        })
    }

    /// The page after this one of a list that comes in pages; `None` after the last.
    pub fn next_page(&self, page: &Response) -> Result<Option<Response>> {
        let begun = self.begin();
        let next = match page.pointer("/next") {
            None | Some(Node::Null) => return Ok(None),
            Some(next) => next.as_text().ok_or_else(|| {
                Error::new(
                    Status::Protocol,
                    format!("a page names the next one by a URL, not by {}", next.kind()),
                )
            })?,
        };
        let url = self.endpoint().follow(next.as_str())?;
        self.run(begun, Purpose::Request, async |call| {
            self.json(call, Ask::new(Method::GET, url)).await
        })
        .map(Some)
    }

    fn get(&self, path: &str) -> Result<Response> {
        self.run(self.begin(), Purpose::Request, async |call| {
            self.look(call, path).await
        })
    }

    async fn look(&self, call: &Call<'_>, path: &str) -> Result<Response> {
        let url = self.endpoint().join(path)?;
        self.json(call, Ask::new(Method::GET, url)).await
    }

    /// An answer that is what the API promises, an array or an object: neither a gateway's page nor half
    /// of a list may pass for the end of one. What is parsed for that is what the caller reads.
    async fn json(&self, call: &Call<'_>, ask: Ask<'_>) -> Result<Response> {
        let (method, url) = (ask.method.clone(), ask.url.clone());
        let incoming = self.send(call, ask).await?;
        match Node::parse(&incoming.body) {
            Some(json @ (Node::Array(_) | Node::Object(_))) => Ok(Response::parsed(
                incoming.status,
                incoming.headers,
                incoming.body,
                json,
            )),
            _ => {
                let wall = self.options().clock.wall();
                let why = "no JSON where some was due";
                let tokens = self.tokens();
                let error = incoming.protocol_error(&method, &url, wall, why);
                Err(error.without(tokens.access.expose()))
            }
        }
    }
}

struct Wait {
    begun: Instant,
    ends: Instant,
}

impl Wait {
    /// False where the time is over.
    async fn sleep(&self, call: &Call<'_>, rest: Duration) -> bool {
        // A server may ask for a rest that no clock can hold.
        let until = Instant::now().checked_add(rest);
        let until = until.map_or(self.ends, |until| until.min(self.ends));
        loop {
            let waited = u64::try_from(self.begun.elapsed().as_millis());
            call.progress(waited.unwrap_or(u64::MAX), None).await;
            let now = Instant::now();
            if now >= until {
                return now < self.ends;
            }
            call.rest_until((now + TICK).min(until)).await;
        }
    }
}

fn is_pending(task: &Response) -> Result<bool> {
    task.require("/status", "string", Node::as_text)
        .map(|status| status.as_str() == PENDING)
}

fn still_pending(task_id: &str, timeout: Duration) -> Error {
    Error::new(
        Status::Timeout,
        format!(
            "the task {} is still pending after {} ms: wait for it again, or longer",
            task_id.escape_debug(),
            timeout.as_millis()
        ),
    )
}

fn task_path(task_id: &str) -> Result<String> {
    if matches!(task_id, "" | "." | "..") {
        return Err(Error::invalid_argument(
            "task_id is empty or no id: pass the task_id of a task",
        ));
    }
    Ok(format!(
        "{}{}/",
        List::Tasks.path(),
        encode::component(task_id)
    ))
}

pub fn checked(id: i64) -> Result<i64> {
    if id < 0 {
        return Err(Error::invalid_argument(format!(
            "{id} is no id: ids are not negative"
        )));
    }
    Ok(id)
}
