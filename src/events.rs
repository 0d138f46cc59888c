//! What a program is told while a call runs: log lines, and that the tokens have changed.
//!
//! A call gathers its events and hands them out between two steps of its work, on its own thread, with
//! no lock held and outside the runtime: so a callback may take its time, and may use other clients.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::options::Options;
use crate::process::Process;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error = 1,
    Warn = 2,
    Info = 3,
    Debug = 4,
}

pub type LogCallback = Arc<dyn Fn(Level, &str, &str) + Send + Sync>;
pub type TokenCallback = Arc<dyn Fn(&Change<'_>) + Send + Sync>;

/// The tokens of a session after they were replaced.
pub struct Change<'a> {
    pub access: &'a str,
    pub refresh: Option<&'a str>,
    pub expires_at: Option<i64>,
}

/// The events of one call.
pub struct Events<'a> {
    options: &'a Options,
    /// Names the session; 0 while there is none yet.
    session: usize,
    deliver_tokens: &'a dyn Fn(),
    queue: RefCell<Vec<Event>>,
}

enum Event {
    Log(Level, &'static str, String),
    Tokens,
}

impl<'a> Events<'a> {
    /// Refuses a call that comes from inside a callback of the same session: it could go on for ever.
    pub fn begin(
        options: &'a Options,
        session: usize,
        deliver_tokens: &'a dyn Fn(),
    ) -> Result<Events<'a>> {
        if session != 0 && INSIDE.get().contains(&session) {
            return Err(Error::invalid_argument(
                "called from inside a callback of the same client: note what is to be done, and do \
                 it when the call that led here has returned",
            ));
        }
        Ok(Events {
            options,
            session,
            deliver_tokens,
            queue: RefCell::new(Vec::new()),
        })
    }

    pub fn log(&self, level: Level, target: &'static str, message: impl FnOnce() -> String) {
        if matches!(&self.options.log, Some((most, _)) if level <= *most) {
            let event = Event::Log(level, target, message());
            self.queue.borrow_mut().push(event);
        }
    }

    pub fn tokens_changed(&self) {
        if self.options.on_tokens.is_some() {
            self.queue.borrow_mut().push(Event::Tokens);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    pub fn deliver(&self, process: Process) -> Result<()> {
        let events = self.queue.take();
        if events.is_empty() {
            return Ok(());
        }
        let _inside = Inside::enter(self.session)?;
        for event in events {
            match event {
                Event::Log(level, target, message) => {
                    if let Some((_, log)) = &self.options.log {
                        log(level, target, &message);
                    }
                }
                Event::Tokens => (self.deliver_tokens)(),
            }
            if Process::current() != process {
                // The callback forked. The rest is news of the parent's call.
                break;
            }
        }
        Ok(())
    }
}

/// How deep callbacks may nest across different clients.
const DEPTH: usize = 4;

thread_local! {
    /// The sessions whose callbacks are running on this thread.
    static INSIDE: Cell<[usize; DEPTH]> = const { Cell::new([0; DEPTH]) };
}

struct Inside {
    before: [usize; DEPTH],
}

impl Inside {
    fn enter(session: usize) -> Result<Inside> {
        let before = INSIDE.get();
        let mut now = before;
        match now.iter_mut().find(|slot| **slot == 0) {
            // A sign-in has no session yet; it still counts as one level.
            Some(slot) => *slot = session.max(1),
            None => {
                return Err(Error::invalid_argument(
                    "callbacks of different clients call each other too deeply",
                ));
            }
        }
        INSIDE.set(now);
        Ok(Inside { before })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(self.before);
    }
}
