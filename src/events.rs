//! What a program is told while a call runs: log lines, that the tokens have changed, how far a long
//! call is, and the pieces of a body.
//!
//! A call gathers its events and hands them out between two steps of its work, on its own thread, with
//! no lock held and outside the runtime: so a callback may take its time, and may use other clients.

use std::cell::{Cell, RefCell};

use bytes::Bytes;

use crate::callback::{Level, Progress, Write};
use crate::error::{Error, Result, Status};
use crate::options::Options;
use crate::process::Process;
use crate::sync::thread_local;

/// The callbacks of one call.
#[derive(Clone, Copy, Default)]
pub struct Hooks<'a> {
    pub progress: Option<Progress<'a>>,
    /// Takes the body instead of a file.
    pub write: Option<Write<'a>>,
}

/// The events of one call.
pub struct Events<'a> {
    options: &'a Options,
    hooks: Hooks<'a>,
    /// Names the session; 0 while there is none yet.
    session: usize,
    deliver_tokens: &'a dyn Fn(),
    queue: RefCell<Vec<Event>>,
}

enum Event {
    Log(Level, &'static str, String),
    Tokens,
    Progress(u64, Option<u64>),
    Write(Bytes),
}

impl<'a> Events<'a> {
    /// Refuses a call that comes from inside a callback of the same session: it could go on for ever.
    pub fn begin(
        options: &'a Options,
        session: usize,
        hooks: Hooks<'a>,
        deliver_tokens: &'a dyn Fn(),
    ) -> Result<Events<'a>> {
        let inside = INSIDE.with(Cell::get);
        if !inside.contains(&0) {
            return Err(Error::invalid_argument(
                "callbacks of different clients call each other too deeply",
            ));
        }
        if session != 0 && inside.contains(&session) {
            return Err(Error::invalid_argument(
                "called from inside a callback of the same client: note what is to be done, and do \
                 it when the call that led here has returned",
            ));
        }
        Ok(Events {
            options,
            hooks,
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

    pub fn progress(&self, done: u64, total: Option<u64>) {
        if self.hooks.progress.is_some() {
            self.queue.borrow_mut().push(Event::Progress(done, total));
        }
    }

    pub fn write(&self, bytes: Bytes) {
        self.queue.borrow_mut().push(Event::Write(bytes));
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
                Event::Progress(done, total) => {
                    if self.hooks.progress.is_some_and(|tell| !tell(done, total)) {
                        return Err(stopped("progress"));
                    }
                }
                Event::Write(bytes) => {
                    if self.hooks.write.is_some_and(|write| !write(&bytes)) {
                        return Err(stopped("write"));
                    }
                }
            }
            if Process::current() != process {
                // The callback forked. The rest is news of the parent's call.
                break;
            }
        }
        Ok(())
    }
}

fn stopped(callback: &str) -> Error {
    Error::new(
        Status::Cancelled,
        format!("the {callback} callback returned false, which ended the call"),
    )
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
        let before = INSIDE.with(Cell::get);
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
        INSIDE.with(|inside| inside.set(now));
        Ok(Inside { before })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with(|inside| inside.set(self.before));
    }
}
