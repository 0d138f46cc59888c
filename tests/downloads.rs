//! Files come whole or not at all, in little memory, and a cut connection costs only what was lost.

mod support;

#[path = "support/dialogue.rs"]
mod dialogue;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dialogue::{Answer, Dialogue};
use support::c;
use support::sandbox::{Config, Fault, FaultKind, Sandbox, blob};

fn sandbox() -> Sandbox {
    Sandbox::start(Config::default())
}

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = c::scratch("downloads").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

fn is_blob(path: &Path, size: u64) -> bool {
    let bytes = fs::read(path).expect("the file");
    bytes.len() as u64 == size
        && bytes
            .iter()
            .zip(0..)
            .all(|(&found, place)| found == blob::byte(place))
}

/// What `hear_bytes` in tests/c/dialogue.c adds up.
fn blob_sum(size: u64) -> u64 {
    (0..size).fold(0u64, |sum, place| {
        sum.wrapping_add(u64::from(blob::byte(place)).wrapping_mul(place + 1))
    })
}

fn expect_blob(answer: &Answer, path: &Path, size: u64) {
    answer.expect("OK").expect_same_tokens();
    assert_eq!(answer.get("saved_as"), text(path));
    assert_eq!(answer.number("done"), size as i64, "{answer:?}");
    assert_eq!(answer.get("backwards"), "no", "{answer:?}");
    assert!(is_blob(path, size));
}

const SIZE: u64 = 3_000_000;

fn blob_path(size: u64) -> String {
    format!("blob/{size}/")
}

#[test]
fn a_report_is_saved_as_pdf_and_as_docx() {
    for tls in [false, true] {
        let sandbox = Sandbox::start(Config {
            tls,
            ..Config::default()
        });
        let folder = folder(if tls { "https" } else { "http" });
        let mut program = Dialogue::signed_in(&sandbox);
        for (format, magic) in [("pdf", b"%PDF"), ("docx", b"PK\x03\x04")] {
            let answer = program.ask(&["download_report", "1", format, text(&folder)]);
            let place = folder.join(format!("report.{format}"));
            assert_eq!(answer.expect("OK").get("saved_as"), text(&place));
            let bytes = fs::read(&place).expect("the file");
            assert!(bytes.starts_with(magic));
            assert_eq!(answer.number("done"), bytes.len() as i64);
            assert_eq!(answer.number("total"), bytes.len() as i64);
        }
        let answer = program.ask(&["download_report", "1", "txt", text(&folder)]);
        answer.expect("ERROR_INVALID_ARGUMENT");
        let answer = program.ask(&["download_report", "99", "pdf", text(&folder)]);
        assert_eq!(answer.expect("ERROR_NOT_FOUND").number("http"), 404);
        assert_eq!(names(&folder), ["report.docx", "report.pdf"]);
    }
}

#[test]
fn the_destination_is_a_file_or_a_folder() {
    let sandbox = sandbox();
    let folder = folder("destination");
    let mut program = Dialogue::signed_in(&sandbox);
    let file = folder.join("Grüße.bin");
    let answer = program.ask(&["download", &blob_path(SIZE), text(&file)]);
    expect_blob(&answer, &file, SIZE);
    // Without a proposal of the server it is the end of the path.
    let answer = program.ask(&["download", &blob_path(1000), &format!("{}/", text(&folder))]);
    expect_blob(&answer, &folder.join("1000"), 1000);
    // An old file is replaced, a link is not followed.
    let link = folder.join("link");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    let answer = program.ask(&["download", &blob_path(70_000), text(&link)]);
    expect_blob(&answer, &link, 70_000);
    assert!(is_blob(&file, SIZE));
    assert!(link.symlink_metadata().expect("there").is_file());
    // An empty file is one too.
    let answer = program.ask(&["download", &blob_path(0), text(&file)]);
    expect_blob(&answer, &file, 0);
    assert_eq!(names(&folder), ["1000", "Grüße.bin", "link"]);
}

#[test]
fn an_old_file_stays_until_the_new_one_is_whole() {
    let sandbox = sandbox();
    let folder = folder("old");
    let file = folder.join("report.pdf");
    fs::write(&file, "old").expect("written");
    let mut program = Dialogue::start();
    program.option("retries", "0");
    program.sign_in(&sandbox).expect("OK");
    for (fault, status) in [
        ("truncate:1000000", "ERROR_NETWORK"),
        ("status:500", "ERROR_SERVER"),
        ("reset", "ERROR_NETWORK"),
        ("redirect:http://127.0.0.2:1/x/", "ERROR_REDIRECT"),
    ] {
        sandbox.fault(Fault::parse(&format!("/blob/*={fault},times=1")).expect("a fault"));
        let answer = program.ask(&["download", &blob_path(SIZE), text(&file)]);
        answer.expect(status).expect_same_tokens();
        assert_eq!(answer.get("saved_as"), "");
        assert_eq!(fs::read_to_string(&file).expect("the file"), "old");
        assert_eq!(names(&folder), ["report.pdf"], "{fault}");
    }
    // A callback that says stop is another end.
    let answer = program.ask(&["download", &blob_path(SIZE), text(&file), "1"]);
    answer.expect("ERROR_CANCELLED");
    assert_eq!(fs::read_to_string(&file).expect("the file"), "old");
    assert_eq!(names(&folder), ["report.pdf"]);
    let answer = program.ask(&["download", &blob_path(SIZE), text(&file)]);
    expect_blob(&answer, &file, SIZE);
}

#[test]
fn a_cut_connection_is_taken_up_where_it_ended() {
    for tls in [false, true] {
        let sandbox = Sandbox::start(Config {
            tls,
            ..Config::default()
        });
        let file = folder(if tls { "cut-tls" } else { "cut" }).join("file");
        sandbox.fault(Fault::new("/blob/*", FaultKind::Truncate(700_000)).times(3));
        let mut program = Dialogue::signed_in(&sandbox);
        let answer = program.ask(&["download", &blob_path(SIZE), text(&file)]);
        expect_blob(&answer, &file, SIZE);
        let counters = sandbox.counters();
        assert_eq!(counters.of("GET /blob/3000000/"), 4);
        // The first is the whole, the others are parts.
        assert_eq!(counters.statuses.get(&206), Some(&3));

        // Each byte once, also for a callback.
        sandbox.fault(Fault::new("/blob/*", FaultKind::Truncate(700_000)).times(3));
        let answer = program.ask(&["download_to", &blob_path(SIZE)]);
        answer.expect("OK");
        assert_eq!(answer.get("sum"), blob_sum(SIZE).to_string());
        assert_eq!(answer.number("written"), SIZE as i64);
        assert_eq!(answer.get("backwards"), "no");
    }
}

#[test]
fn without_ranges_a_file_is_begun_anew_and_a_callback_is_told_the_truth() {
    let sandbox = sandbox();
    let file = folder("anew").join("file");
    let mut program = Dialogue::signed_in(&sandbox);
    let path = format!("{}?plain", blob_path(SIZE));
    sandbox.fault(Fault::new("/blob/*", FaultKind::Truncate(700_000)).times(2));
    let answer = program.ask(&["download", &path, text(&file)]);
    expect_blob(&answer, &file, SIZE);
    assert_eq!(sandbox.counters().statuses.get(&206), None);
    sandbox.fault(Fault::new("/blob/*", FaultKind::Truncate(700_000)).times(1));
    let answer = program.ask(&["download_to", &path]);
    answer.expect("ERROR_NETWORK");
    assert!(answer.message().contains("passed on already"), "{answer:?}");
    assert_eq!(answer.number("written"), 700_000);
}

#[test]
fn a_file_that_has_changed_meanwhile_is_begun_anew() {
    let sandbox = sandbox();
    let folder = folder("changed");
    let mut program = Dialogue::signed_in(&sandbox);
    // The same version: the rest is enough.
    sandbox.fault(Fault::new("/generate/*", FaultKind::Truncate(5_000)).times(1));
    let before = program.ask(&["download_report", "1", "pdf", text(&folder)]);
    let first = fs::read(folder.join("report.pdf")).expect("the file");
    before.expect("OK");
    assert_eq!(sandbox.counters().statuses.get(&206), Some(&1));
    sandbox.renew_documents();
    let second_version = program.ask(&["download_report", "1", "pdf", text(&folder)]);
    second_version.expect("OK");
    assert_ne!(
        fs::read(folder.join("report.pdf")).expect("the file"),
        first
    );
    // The first part is of a version that is there no more: not one byte of it is kept.
    sandbox.fault(
        Fault::parse(
            "/blob/*=raw:HTTP/1.1 200 OK\\r\\nEtag: \"first\"\\r\\nContent-Length: 900\\r\\n\\r\\nAAAA,times=1",
        )
        .expect("a fault"),
    );
    let answer = program.ask(&["download", &blob_path(SIZE), text(&folder.join("file"))]);
    expect_blob(&answer, &folder.join("file"), SIZE);
    assert_eq!(sandbox.counters().of("GET /blob/3000000/"), 2);
    assert_eq!(sandbox.counters().statuses.get(&206), Some(&1));
}

#[test]
fn a_server_that_only_ever_cuts_is_not_asked_for_ever() {
    let sandbox = sandbox();
    let folder = folder("always");
    let mut program = Dialogue::signed_in(&sandbox);
    sandbox.fault(Fault::new("/blob/*", FaultKind::Truncate(1_000)));
    let path = format!("{}?plain", blob_path(SIZE));
    let answer = program.ask(&["download", &path, text(&folder)]);
    answer.expect("ERROR_NETWORK");
    // The first attempt gains something, the two after it nothing.
    assert_eq!(sandbox.counters().of("GET /blob/3000000/"), 3);
    // With ranges each attempt gains a little; the budget ends it.
    let answer = program.ask(&["download", &blob_path(SIZE), text(&folder)]);
    answer.expect("ERROR_NETWORK");
    assert!(sandbox.counters().of("GET /blob/3000000/") < 30);
    assert!(names(&folder).is_empty());
}

#[test]
fn lengths_that_do_not_agree_are_an_error() {
    let sandbox = sandbox();
    let folder = folder("length");
    let mut program = Dialogue::start();
    program.option("retries", "1");
    program.sign_in(&sandbox).expect("OK");
    for fault in [
        // A part that is not the one that was asked for, or of another whole.
        "status:206,header=content-range: bytes 5-8/9,body=AAAA",
        "status:206,body=AAAA",
    ] {
        sandbox.fault(Fault::parse(&format!("/blob/*={fault}")).expect("a fault"));
        let answer = program.ask(&["download", &blob_path(SIZE), text(&folder)]);
        answer.expect("ERROR_PROTOCOL");
        sandbox.clear_faults();
    }
    // More was announced than ever comes.
    sandbox.fault(Fault::parse("/echo/=length:100000").expect("a fault"));
    let answer = program.ask(&["download", "echo/", text(&folder)]);
    answer.expect("ERROR_NETWORK");
    assert!(names(&folder).is_empty());
    // Without a length there is nothing to compare.
    let answer = program.ask(&[
        "download",
        &format!("{}?chunked", blob_path(SIZE)),
        text(&folder),
    ]);
    assert_eq!(answer.expect("OK").number("total"), -1);
    assert!(is_blob(&folder.join("3000000"), SIZE));
}

#[test]
fn a_proposed_name_leads_nowhere_but_into_the_folder() {
    let sandbox = sandbox();
    let folder = folder("names");
    let inner = folder.join("inner");
    let mut program = Dialogue::signed_in(&sandbox);
    let long = "x".repeat(300);
    for (proposed, name) in [
        ("filename=\"../evil.txt\"", "evil.txt"),
        ("filename=\"/etc/evil.txt\"", "evil.txt"),
        ("filename=\"..\\evil.txt\"", "evil.txt"),
        ("filename=\"..\"", "echo"),
        ("filename=\"\"", "echo"),
        ("filename=\".hidden\"", "hidden"),
        ("filename*=UTF-8''%2e%2e%2fevil%00.txt", "evil.txt"),
        (
            "filename=\"e.txt\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%e6%b0%b7.pdf",
            "Grüße 氷.pdf",
        ),
        (
            &format!("filename=\"{long}.pdf\""),
            &format!("{}.pdf", &long[..179]),
        ),
        (
            &format!("filename=\"{} . {long}\"", &long[..177]),
            &long[..177],
        ),
    ] {
        let _ = fs::remove_dir_all(&inner);
        fs::create_dir(&inner).expect("a folder");
        let header = format!("attachment; {proposed}");
        sandbox.clear_faults();
        sandbox.fault(Fault::new(
            "/echo/",
            FaultKind::Status {
                status: 200,
                headers: vec![("content-disposition".to_owned(), header)],
                body: b"body".to_vec(),
            },
        ));
        let answer = program.ask(&["download", "echo/", text(&inner)]);
        assert_eq!(answer.expect("OK").get("saved_as"), text(&inner.join(name)));
        assert_eq!(names(&inner), [name]);
        assert_eq!(names(&folder), ["inner"], "{proposed}");
    }
}

#[test]
fn what_can_not_be_written_is_a_clear_error_and_leaves_nothing() {
    let sandbox = sandbox();
    let folder = folder("io");
    let mut program = Dialogue::signed_in(&sandbox);
    let file = folder.join("file");
    fs::write(&file, "old").expect("written");
    let pipe = folder.join("pipe");
    c::run(Command::new("mkfifo").arg(&pipe));
    for (destination, why) in [
        (folder.join("no/such/file"), "No such file"),
        (folder.join("no/"), "No such file"),
        (file.join("below"), "Not a directory"),
        // Nobody, root included, makes files there.
        (PathBuf::from("/proc/file"), "/proc"),
        // Devices and pipes are not replaced.
        (PathBuf::from("/dev/null"), "is no file"),
        (pipe.clone(), "is no file"),
    ] {
        let answer = program.ask(&["download", &blob_path(SIZE), text(&destination)]);
        answer.expect("ERROR_IO").expect_same_tokens();
        assert!(answer.message().contains(why), "{answer:?}");
        assert_eq!(answer.get("sent"), "no", "{answer:?}");
    }
    // The folder that a name is proposed for may hold a folder of that name.
    fs::create_dir(folder.join("report.pdf")).expect("a folder");
    let answer = program.ask(&["download_report", "1", "pdf", text(&folder)]);
    answer.expect("ERROR_IO");
    assert!(answer.message().contains("is no file"), "{answer:?}");
    assert_eq!(names(&folder), ["file", "pipe", "report.pdf"]);
    assert_eq!(fs::read_to_string(&file).expect("the file"), "old");
}

#[test]
fn a_folder_that_vanishes_is_a_clear_error() {
    let sandbox = sandbox();
    let folder = folder("vanishes");
    let gone = folder.join("gone");
    fs::create_dir(&gone).expect("a folder");
    sandbox.fault(Fault::parse("/blob/*=drip:100k:50ms").expect("a fault"));
    let mut program = Dialogue::signed_in(&sandbox);
    sandbox.fault(Fault::parse("/blob/*=delay:300ms").expect("a fault"));
    let answer = std::thread::scope(|scope| {
        let download = scope.spawn(|| program.ask(&["download", &blob_path(SIZE), text(&gone)]));
        // Once the first part is there.
        while names(&gone).is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        fs::remove_dir_all(&gone).expect("removed");
        download.join().expect("an answer")
    });
    answer.expect("ERROR_IO");
    assert!(answer.message().contains("No such file"), "{answer:?}");
    assert!(names(&folder).is_empty());
}

/// A file system of its own, as large as is said; `None` where that can't be had.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(place: PathBuf, options: &str) -> Option<SmallDisk> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "evrim-test"])
            .arg(&place)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(SmallDisk(place))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_and_a_read_only_folder_are_clear_errors() {
    let sandbox = sandbox();
    let place = folder("small");
    let Some(disk) = SmallDisk::mount(place, "size=1m") else {
        println!("skipped: only root can mount a file system");
        return;
    };
    let mut program = Dialogue::signed_in(&sandbox);
    let file = disk.0.join("file");
    fs::write(&file, "old").expect("written");
    let answer = program.ask(&["download", &blob_path(SIZE), text(&file)]);
    answer.expect("ERROR_IO");
    assert!(answer.message().contains("No space left"), "{answer:?}");
    assert_eq!(fs::read_to_string(&file).expect("the file"), "old");
    assert_eq!(names(&disk.0), ["file"]);
    // There is room for this one.
    let answer = program.ask(&["download", &blob_path(100_000), text(&file)]);
    expect_blob(&answer, &file, 100_000);

    let remounted = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(&disk.0)
        .status();
    assert!(remounted.expect("mount runs").success());
    let answer = program.ask(&["download", &blob_path(1000), text(&file)]);
    answer.expect("ERROR_IO");
    assert!(answer.message().contains("Read-only"), "{answer:?}");
    assert!(is_blob(&file, 100_000));
    assert_eq!(names(&disk.0), ["file"]);
}

#[test]
fn a_callback_gets_every_byte_and_may_take_its_time() {
    let sandbox = sandbox();
    let mut program = Dialogue::start();
    program.option("timeout_ms", "1000");
    program.option("total_timeout_ms", "1500");
    program.sign_in(&sandbox).expect("OK");
    let answer = program.ask(&["download_to", &blob_path(SIZE)]);
    answer.expect("OK");
    assert_eq!(answer.get("sum"), blob_sum(SIZE).to_string());
    assert_eq!(answer.number("total"), SIZE as i64);
    // Its time is its own: no timeout counts it.
    let answer = program.ask(&["download_to", &blob_path(SIZE), "0", "300"]);
    answer.expect("OK");
    assert!(answer.took.as_millis() > 1500, "{answer:?}");
    // Saying stop ends it.
    let answer = program.ask(&["download_to", &blob_path(SIZE), "1000"]);
    answer.expect("ERROR_CANCELLED");
    assert!(answer.message().contains("write callback"), "{answer:?}");
    assert_eq!(answer.get("sent"), "yes");
    assert!(answer.number("written") < SIZE as i64);
    // The client is as good as before.
    program.get("reports/").expect("OK");
}

#[test]
fn a_download_that_stalls_can_be_stopped_by_its_progress_callback() {
    let sandbox = sandbox();
    let folder = folder("stalls");
    let mut program = Dialogue::signed_in(&sandbox);
    for fault in ["/generate/*=silent", "/generate/*=drip:5k:30s"] {
        sandbox.fault(Fault::parse(fault).expect("a fault"));
        let answer = program.ask(&["download_stalled", "generate/1/pdf/", text(&folder)]);
        answer.expect("ERROR_CANCELLED");
        assert!(answer.number("times") >= 3, "{answer:?}");
        sandbox.clear_faults();
    }
    assert!(names(&folder).is_empty());
}

#[test]
fn a_download_that_no_longer_gets_on_ends() {
    let sandbox = sandbox();
    let folder = folder("slow");
    let mut program = Dialogue::start();
    program.option("timeout_ms", "1000");
    program.option("total_timeout_ms", "2500");
    program.sign_in(&sandbox).expect("OK");
    // Nothing more within the timeout.
    sandbox.fault(Fault::parse("/generate/*=drip:1000:5s").expect("a fault"));
    let answer = program.ask(&["download_report", "1", "pdf", text(&folder)]);
    answer.expect("ERROR_TIMEOUT");
    assert!(answer.message().contains("1000 ms"), "{answer:?}");
    sandbox.clear_faults();
    // A little, always in time, but never enough.
    sandbox.fault(Fault::parse("/generate/*=drip:10:50ms").expect("a fault"));
    let answer = program.ask(&["download_report", "1", "pdf", text(&folder)]);
    answer.expect("ERROR_TIMEOUT");
    assert!(answer.message().contains("2500 ms"), "{answer:?}");
    sandbox.clear_faults();
    assert!(names(&folder).is_empty());
    // Longer than both in all, but it gets on.
    sandbox.fault(Fault::parse("/runs/=drip:10k:200ms").expect("a fault"));
    let answer = program.ask(&["download", "runs/", text(&folder)]);
    answer.expect("OK");
    assert!(answer.took.as_millis() > 2500, "{answer:?}");
}

#[test]
fn a_token_that_ends_before_a_download_or_within_it_is_renewed() {
    let sandbox = sandbox();
    let folder = folder("token");
    let mut program = Dialogue::signed_in(&sandbox);
    sandbox.revoke_access_tokens();
    let file = folder.join("file");
    let answer = program.ask(&["download", &blob_path(SIZE), text(&file)]);
    answer.expect("OK");
    assert!(is_blob(&file, SIZE));
    // Revoked while it runs, and then cut: the rest is asked for with a new token.
    sandbox.fault(Fault::new("/blob/*", FaultKind::Truncate(700_000)).times(1));
    sandbox.fault(
        Fault::parse("/blob/*=status:401,times=1,body={\"code\": \"token_not_valid\"}")
            .expect("a fault"),
    );
    let answer = program.ask(&["download", &blob_path(SIZE), text(&file)]);
    answer.expect("OK");
    assert!(is_blob(&file, SIZE));
    assert_eq!(sandbox.counters().refreshes, 2);
}

/// More than all that is kept of a body otherwise; the limit for bodies does not apply.
#[test]
fn a_large_file_takes_little_memory() {
    const LARGE: u64 = 2 << 30;
    let sandbox = sandbox();
    let file = folder("large").join("file");
    let mut program = Dialogue::signed_in(&sandbox);
    program.get("reports/1/").expect("OK");
    let idle = program.peak_memory();
    sandbox.fault(Fault::new("/blob/*", FaultKind::Truncate(500 << 20)).times(3));
    let answer = program.ask(&["download", &blob_path(LARGE), text(&file)]);
    answer.expect("OK");
    assert_eq!(answer.number("done"), LARGE as i64);
    assert_eq!(fs::metadata(&file).expect("the file").len(), LARGE);
    fs::remove_file(&file).expect("removed");
    let more = program.peak_memory() - idle;
    assert!(more < 16 << 20, "{more} bytes more");
    assert_eq!(sandbox.counters().statuses.get(&206), Some(&3));
}
