//! Bodies that go into a file, or to the caller, piece by piece; what a cut connection left is used.

use std::cell::{Cell, RefCell};
use std::fs::{self, File, OpenOptions};
use std::future::Future;
use std::io::{ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE,
};
use reqwest::{Method, Url};
use tokio::time::Instant;

use crate::call::{Call, Purpose};
use crate::callback::{Progress, Write as WriteTo};
use crate::client::{Ask, Client};
use crate::disposition;
use crate::endpoint;
use crate::error::{Error, Result, Status};
use crate::events::Hooks;
use crate::lane;
use crate::resources;
use crate::retry::PROGRESS;
use crate::transport::Sink;

/// The caller is not told of every piece.
const TICK: Duration = Duration::from_millis(100);
const IDLE_TICK: Duration = Duration::from_millis(250);

impl Client {
    /// Saves what is at a path in a file, or in a folder under the name that the server proposes. The
    /// file is there when it is whole. Returns where it is.
    pub fn download(
        &self,
        path: &str,
        destination: &Path,
        progress: Option<Progress<'_>>,
    ) -> Result<PathBuf> {
        let url = self.endpoint().join(path)?;
        let name = url.path_segments().and_then(|mut all| {
            // The last is empty, behind the final slash.
            all.rfind(|segment| !segment.is_empty())
                .and_then(disposition::safe)
        });
        let name = name.unwrap_or_else(|| "download".to_owned());
        self.download_named(url, destination, &name, progress)
    }

    /// Saves a report as "pdf" or "docx".
    pub fn download_report(
        &self,
        report_id: i64,
        format: &str,
        destination: &Path,
        progress: Option<Progress<'_>>,
    ) -> Result<PathBuf> {
        if !matches!(format, "pdf" | "docx") {
            return Err(Error::invalid_argument(
                "format must be \"pdf\" or \"docx\"",
            ));
        }
        let id = resources::checked(report_id)?;
        let url = self.endpoint().join(&format!("generate/{id}/{format}/"))?;
        let name = format!("report-{id}.{format}");
        self.download_named(url, destination, &name, progress)
    }

    /// Hands what is at a path to `write`, in order and each byte once.
    pub fn download_to(
        &self,
        path: &str,
        write: WriteTo<'_>,
        progress: Option<Progress<'_>>,
    ) -> Result<()> {
        let begun = self.begin();
        let url = self.endpoint().join(path)?;
        let hooks = Hooks {
            progress,
            write: Some(write),
        };
        self.run_with(begun, Purpose::Request, hooks, async |call| {
            let download = Download::new(call, &url, Target::Caller);
            self.pull(call, &url, &download).await
        })
    }

    fn download_named(
        &self,
        url: Url,
        destination: &Path,
        name: &str,
        progress: Option<Progress<'_>>,
    ) -> Result<PathBuf> {
        let begun = self.begin();
        let hooks = Hooks {
            progress,
            ..Hooks::default()
        };
        self.run_with(begun, Purpose::Request, hooks, async |call| {
            // Before the server is asked: a folder that can't be written to is noticed now.
            let partial = Partial::create(destination, name)?;
            let download = Download::new(call, &url, Target::File(RefCell::new(partial)));
            self.pull(call, &url, &download).await?;
            match download.target {
                Target::File(partial) => partial.into_inner().keep(),
                Target::Caller => Ok(PathBuf::new()),
            }
        })
    }

    async fn pull(&self, call: &Call<'_>, url: &Url, download: &Download<'_>) -> Result<()> {
        loop {
            let ask = Ask {
                sink: Some(download),
                ..Ask::new(Method::GET, url.clone())
            };
            let send = pin!(self.send(call, ask));
            match lane::first(send, pin!(download.keep_telling())).await {
                Ok(_) => return Ok(()),
                // The part that was asked for is not there: the whole may be.
                Err(error) if error.http_status() == Some(416) && download.forget() => {}
                Err(error) => return Err(error),
            }
        }
    }
}

enum Target {
    File(RefCell<Partial>),
    /// The write callback.
    Caller,
}

struct Download<'a> {
    call: &'a Call<'a>,
    url: &'a Url,
    target: Target,
    /// How much is here, of how much in all.
    done: Cell<u64>,
    total: Cell<Option<u64>>,
    /// What names this version of the file, where the server does.
    version: RefCell<Option<HeaderValue>>,
    /// The most there ever was, which the caller has; and what that was when the present attempt began,
    /// and when the clock was restarted.
    most: Cell<u64>,
    most_before: Cell<u64>,
    most_at_clock: Cell<u64>,
    /// When the caller was told last, and of how much.
    told: Cell<Option<(Instant, u64)>>,
}

impl<'a> Download<'a> {
    fn new(call: &'a Call<'a>, url: &'a Url, target: Target) -> Download<'a> {
        Download {
            call,
            url,
            target,
            done: Cell::new(0),
            total: Cell::new(None),
            version: RefCell::new(None),
            most: Cell::new(0),
            most_before: Cell::new(0),
            most_at_clock: Cell::new(0),
            told: Cell::new(None),
        }
    }

    fn error(&self, status: Status, what: &str) -> Error {
        Error::new(
            status,
            format!("GET {}: {what}", endpoint::display(self.url)),
        )
        .sent(true)
    }

    /// Has the next attempt ask for the whole; false where that is what was asked for.
    fn forget(&self) -> bool {
        self.version.take().is_some() && self.done.get() > 0
    }

    /// The rest of what was begun.
    fn go_on(&self, headers: &HeaderMap) -> Result<()> {
        let part = content_range(headers);
        let fits = part.is_some_and(|(start, total)| {
            let same = total.zip(self.total.get()).is_none_or(|(a, b)| a == b);
            start == self.done.get() && same
        });
        if self.done.get() == 0 || !fits {
            return Err(self.error(
                Status::Protocol,
                "the server sent another part of the file than was asked for",
            ));
        }
        let total = part.and_then(|(_, total)| total);
        self.total.set(self.total.get().or(total));
        Ok(())
    }

    /// The whole, from its first byte.
    fn start(&self, headers: &HeaderMap, length: Option<u64>) -> Result<()> {
        let version = version(headers);
        match &self.target {
            Target::File(partial) => {
                let mut partial = partial.borrow_mut();
                partial.restart()?;
                partial.name_after(headers)?;
            }
            Target::Caller if self.most.get() > 0 => {
                if version.is_none() || version != *self.version.borrow() {
                    return Err(self.error(
                        Status::Network,
                        "the connection ended before the whole answer, and the server does not let \
                         it be taken up again; what came first was passed on already",
                    ));
                }
            }
            Target::Caller => {}
        }
        self.done.set(0);
        self.version.replace(version);
        self.total.set(length);
        Ok(())
    }

    async fn store(&self, bytes: Bytes) -> Result<()> {
        let len = bytes.len() as u64;
        let before = self.done.get();
        self.done.set(before + len);
        match &self.target {
            Target::File(partial) => partial.borrow_mut().write(&bytes)?,
            Target::Caller => {
                // What comes again is passed over.
                let known = self.most.get().saturating_sub(before).min(len);
                let new = bytes.slice(usize::try_from(known).unwrap_or(bytes.len())..);
                if !new.is_empty() {
                    self.call.write(new).await;
                }
            }
        }
        self.most.set(self.most.get().max(self.done.get()));
        if self.most.get() - self.most_at_clock.get() >= PROGRESS {
            self.most_at_clock.set(self.most.get());
            self.call.restart_clock();
        }
        if self
            .told
            .get()
            .is_none_or(|(told, _)| told.elapsed() >= TICK)
        {
            self.tell().await;
        }
        Ok(())
    }

    async fn tell(&self) {
        if self
            .told
            .get()
            .is_none_or(|(_, told)| told < self.most.get())
        {
            self.tell_again().await;
        }
    }

    async fn tell_again(&self) {
        let most = self.most.get();
        self.told.set(Some((Instant::now(), most)));
        // A file that was begun anew may be a smaller one.
        let total = self.total.get();
        let done = total.map_or(most, |total| most.min(total));
        self.call.progress(done, total).await;
    }

    /// Never ends: also while nothing comes the caller is told, and may say that it is enough.
    async fn keep_telling<T>(&self) -> T {
        loop {
            tokio::time::sleep(IDLE_TICK).await;
            if self
                .told
                .get()
                .is_none_or(|(told, _)| told.elapsed() >= IDLE_TICK)
            {
                self.tell_again().await;
            }
        }
    }
}

impl Sink for Download<'_> {
    fn ask(&self, headers: &mut HeaderMap) {
        self.most_before.set(self.most.get());
        let range = HeaderValue::from_str(&format!("bytes={}-", self.done.get())).ok();
        if let (1.., Some(version), Some(range)) = (self.done.get(), &*self.version.borrow(), range)
        {
            headers.insert(RANGE, range);
            headers.insert(IF_RANGE, version.clone());
        }
    }

    fn begin(&self, status: u16, headers: &HeaderMap, length: Option<u64>) -> Result<()> {
        if status == 206 {
            self.go_on(headers)
        } else {
            self.start(headers, length)
        }
    }

    fn take(&self, bytes: Bytes) -> Pin<Box<dyn Future<Output = Result<()>> + '_>> {
        Box::pin(self.store(bytes))
    }

    fn end(&self) -> Pin<Box<dyn Future<Output = Result<()>> + '_>> {
        Box::pin(async {
            let done = self.done.get();
            match self.total.get() {
                Some(total) if total != done => Err(self.error(
                    Status::Protocol,
                    &format!("the server announced {total} bytes and sent {done}"),
                )),
                _ => {
                    self.tell().await;
                    Ok(())
                }
            }
        })
    }

    fn gained(&self) -> u64 {
        self.most.get() - self.most_before.get()
    }
}

/// What stays the same only as long as the file does: a strong entity tag, or else its date.
fn version(headers: &HeaderMap) -> Option<HeaderValue> {
    headers
        .get(ETAG)
        .filter(|tag| tag.as_bytes().starts_with(b"\""))
        .or_else(|| headers.get(LAST_MODIFIED))
        .cloned()
}

/// `bytes 100-199/200` as its first byte and the total; the total may be unknown.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

/// A file that is not whole yet, beside the place where it is to be. Dropped, it is gone.
struct Partial {
    file: File,
    path: PathBuf,
    folder: PathBuf,
    /// Its name in the end, if the caller chose it; else what it is called if the server does not say.
    name: String,
    is_named: bool,
    kept: bool,
}

impl Partial {
    fn create(destination: &Path, fallback: &str) -> Result<Partial> {
        let text = destination.as_os_str().to_str().unwrap_or_default();
        let is_folder = text.ends_with('/') || destination.is_dir();
        let (folder, name) = if is_folder {
            (destination.to_owned(), None)
        } else {
            let parent = destination.parent().unwrap_or(Path::new(""));
            let name = destination.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| {
                Error::invalid_argument("destination names neither a file nor a folder")
            })?;
            (parent.to_owned(), Some(name))
        };
        if name.is_some() {
            refuse_special(destination)?;
        }
        let folder = if folder.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            folder
        };
        let (file, path) = loop {
            let path = folder.join(format!(".evrim-{:016x}.part", fastrand::u64(..)));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => break (file, path),
                // A forked process draws the same numbers.
                Err(why) if why.kind() == ErrorKind::AlreadyExists => {}
                Err(why) => return Err(io(&why, "no file can be made in the folder", &folder)),
            }
        };
        Ok(Partial {
            file,
            path,
            folder,
            name: name.unwrap_or(fallback).to_owned(),
            is_named: name.is_some(),
            kept: false,
        })
    }

    fn restart(&mut self) -> Result<()> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.map_err(|why| io(&why, "the file can't be written again", &self.path))
    }

    fn name_after(&mut self, headers: &HeaderMap) -> Result<()> {
        if !self.is_named {
            if let Some(name) = disposition::file_name(headers) {
                self.name = name;
            }
            refuse_special(&self.target())?;
        }
        Ok(())
    }

    fn target(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(|why| io(&why, "the file can't be written", &self.target()))
    }

    /// Puts it in its place, where it survives a crash.
    fn keep(mut self) -> Result<PathBuf> {
        let target = self.target();
        self.file
            .sync_all()
            .map_err(|why| io(&why, "the file can't be written", &target))?;
        fs::rename(&self.path, &target)
            .map_err(|why| io(&why, "the file can't be put in its place", &target))?;
        self.kept = true;
        // The file is there. That some file systems can't sync a folder takes nothing from it.
        let _ = File::open(&self.folder).and_then(|folder| folder.sync_all());
        Ok(target)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.kept {
            // Where the folder has vanished it is gone already.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A device, a pipe or a folder would be replaced by the file.
fn refuse_special(target: &Path) -> Result<()> {
    match fs::metadata(target) {
        Ok(found) if !found.is_file() => Err(Error::new(
            Status::Io,
            format!(
                "{} is there and is no file: choose another name, or a callback",
                target.display()
            ),
        )),
        _ => Ok(()),
    }
}

fn io(why: &std::io::Error, what: &str, path: &Path) -> Error {
    Error::new(Status::Io, format!("{what}: {}: {why}", path.display()))
}
