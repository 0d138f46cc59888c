//! The two clocks: boot time for deadlines, wall time for dates. Tests put their own in place.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time since the machine started, time asleep included: nothing sets it, nothing stops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime(pub Duration);

impl BootTime {
    pub fn after(self, wait: Duration) -> BootTime {
        BootTime(self.0.saturating_add(wait))
    }

    pub fn until(self, later: BootTime) -> Duration {
        later.0.saturating_sub(self.0)
    }
}

pub trait Clock: fmt::Debug + Send + Sync {
    fn boot(&self) -> BootTime;
    fn wall(&self) -> SystemTime;

    /// Seconds since 1970 by the wall clock.
    fn unix(&self) -> i64 {
        match self.wall().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            Err(_) => 0,
        }
    }
}

#[derive(Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(unsafe_code)]
    fn boot(&self) -> BootTime {
        // Elsewhere than on Linux the monotonic clock goes on during sleep.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        const CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `time` is a valid timespec to write to. On failure it stays zero.
        unsafe { libc::clock_gettime(CLOCK, &mut time) };
        BootTime(Duration::new(
            u64::try_from(time.tv_sec).unwrap_or(0),
            u32::try_from(time.tv_nsec).unwrap_or(0),
        ))
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_time_goes_forward() {
        let before = SystemClock.boot();
        std::thread::sleep(Duration::from_millis(2));
        assert!(before.until(SystemClock.boot()) >= Duration::from_millis(2));
        assert!(before.0 > Duration::ZERO);
    }
}
