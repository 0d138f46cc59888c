//! Values that each process has for itself, so that nothing is shared with a forked child.
//!
//! After a fork a mutex may be held by a thread that the child does not have. So each process gets
//! a fresh value, found without a lock: a list with one entry per generation of processes, of which
//! only the last counts.

use std::sync::Arc;

use crate::fork;
use crate::sync::OnceBox;

/// The running process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    Generation(u32),
    /// Where generations can't be told. In a namespace of its own a child may have its parent's number.
    Number(u32),
}

impl Process {
    pub fn current() -> Process {
        match fork::generation() {
            Some(generation) => Process::Generation(generation),
            None => Process::Number(std::process::id()),
        }
    }
}

pub struct PerProcess<T> {
    first: OnceBox<Entry<T>>,
}

struct Entry<T> {
    process: Process,
    value: Arc<T>,
    next: OnceBox<Entry<T>>,
}

impl<T> PerProcess<T> {
    #[cfg(not(evrim_model))]
    pub const fn new() -> PerProcess<T> {
        PerProcess {
            first: OnceBox::new(),
        }
    }

    /// Those of the model can't be made before it runs.
    #[cfg(evrim_model)]
    pub fn new() -> PerProcess<T> {
        PerProcess {
            first: OnceBox::new(),
        }
    }

    /// The value of this process, made on first use, from the parent's if there is one: of that
    /// only what needs no lock may be read. Where two threads make one, one of them is kept.
    pub fn get(&self, process: Process, make: impl Fn(Option<&T>) -> T) -> &T {
        let mut link = &self.first;
        let mut parent = None;
        loop {
            match link.get() {
                Some(entry) if entry.process == process && entry.next.get().is_none() => {
                    return &entry.value;
                }
                Some(entry) => {
                    parent = Some(&*entry.value);
                    link = &entry.next;
                }
                None => {
                    let entry = Entry {
                        process,
                        value: Arc::new(make(parent)),
                        next: OnceBox::new(),
                    };
                    // Where another thread was first, the loop goes on with its entry.
                    drop(link.set(Box::new(entry)));
                }
            }
        }
    }
}

impl<T> Drop for Entry<T> {
    fn drop(&mut self) {
        // The parent may have been in the middle of changing it when the child began: there it is let be,
        // by one more reference that is never given back.
        if self.process != Process::current() {
            std::mem::forget(self.value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_has_its_own() {
        let value = PerProcess::new();
        let parent = Process::Number(1);
        let child = Process::Number(2);
        let made = std::cell::Cell::new(0);
        let make = |inherited: Option<&i32>| {
            assert_eq!(inherited.copied().unwrap_or(0), made.get());
            made.set(made.get() + 1);
            made.get()
        };
        assert_eq!(*value.get(parent, make), 1);
        assert_eq!(*value.get(parent, make), 1);
        assert_eq!(*value.get(child, make), 2);
        assert_eq!(*value.get(child, make), 2);
        // A grandchild that got its grandparent's number again is still a process of its own.
        assert_eq!(*value.get(parent, make), 3);
    }
}
