//! When to try again, and after how long. No I/O, no clock: what decides is what came back.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::outcome::{LONGEST_ASKED_WAIT, Outcome, is_transient};

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// A download gets on if it brings this much more, in one attempt or in the time for a whole call.
pub const PROGRESS: u64 = 64 << 10;

/// Whether the server may act on it twice without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub retries: u32,
    pub idempotent: bool,
    /// How often it may be sent again when the connection ended before the answer.
    pub resends: u32,
    /// The answer may hold what can't be had again.
    pub recovers: bool,
}

impl Policy {
    /// `attempt` counts from 0. `None`: what came back is the result.
    pub fn next(self, attempt: u32, outcome: Outcome, jitter: f64) -> Option<Duration> {
        let is_spent = attempt >= self.retries && !self.recovers(attempt, outcome);
        if is_spent || !self.allows(attempt, outcome) {
            return None;
        }
        let asked = match outcome {
            // The server may just have closed a kept connection: a new one is tried at once.
            Outcome::Broken if attempt == 0 => Some(Duration::ZERO),
            Outcome::Answer { advice, .. } => advice.after,
            _ => None,
        };
        match asked {
            Some(wait) if wait > LONGEST_ASKED_WAIT => None,
            Some(wait) => Some(wait),
            None => Some(back_off(attempt, jitter)),
        }
    }

    /// Whether a lost answer is asked for once more, however little else may be tried again.
    pub fn recovers(self, attempt: u32, outcome: Outcome) -> bool {
        self.recovers && attempt == 0 && outcome == Outcome::Broken
    }

    fn allows(self, attempt: u32, outcome: Outcome) -> bool {
        match outcome {
            Outcome::NotConnected => true,
            Outcome::Broken => attempt < self.resends || self.recovers(attempt, outcome),
            // Whatever its headers say, a success is not asked for twice.
            Outcome::Answer { status, .. } if status < 400 => false,
            Outcome::Answer { advice, status } => match advice.should_retry {
                // A 5xx may come after the work was done, whatever it says.
                Some(true) => self.idempotent || status < 500,
                Some(false) => false,
                None => self.idempotent && is_transient(status),
            },
            Outcome::Final => false,
        }
    }
}

/// Half a second, doubled each time, less up to a quarter so that clients spread out.
fn back_off(attempt: u32, jitter: f64) -> Duration {
    let wait = FIRST_WAIT
        .saturating_mul(1 << attempt.min(10))
        .min(LONGEST_WAIT);
    wait.mul_f64(1.0 - 0.25 * jitter.clamp(0.0, 1.0))
}

/// Keeps a broken server from being hammered: a retry costs ten, a success gives one back.
pub struct Budget(AtomicU32);

impl Budget {
    const FULL: u32 = 200;
    const RETRY: u32 = 10;

    pub fn new() -> Budget {
        Budget(AtomicU32::new(Budget::FULL))
    }

    pub fn spend(&self) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(Budget::RETRY)
            })
            .is_ok()
    }

    pub fn earn(&self) {
        // Nearly always full: then nothing is written, and threads don't fight for the cache line.
        if self.0.load(Ordering::Relaxed) < Budget::FULL {
            let _ = self
                .0
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    (left < Budget::FULL).then(|| left + 1)
                });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Advice, advice};

    const GET: Policy = Policy {
        retries: 2,
        idempotent: true,
        resends: 2,
        recovers: false,
    };
    const POST: Policy = Policy {
        retries: 2,
        idempotent: false,
        resends: 0,
        recovers: false,
    };

    fn answer(status: u16) -> Outcome {
        Outcome::Answer {
            status,
            advice: Advice::default(),
        }
    }

    #[test]
    fn waits_double_up_to_eight_seconds_less_a_quarter() {
        let many = Policy { retries: 9, ..GET };
        let wait = |attempt, jitter| many.next(attempt, Outcome::NotConnected, jitter);
        assert_eq!(wait(0, 0.0), Some(Duration::from_millis(500)));
        assert_eq!(wait(1, 0.0), Some(Duration::from_secs(1)));
        assert_eq!(wait(4, 0.0), Some(Duration::from_secs(8)));
        assert_eq!(wait(8, 0.0), Some(Duration::from_secs(8)));
        assert_eq!(wait(4, 1.0), Some(Duration::from_secs(6)));
    }

    #[test]
    fn two_retries_and_no_more() {
        assert!(GET.next(1, answer(503), 0.5).is_some());
        assert!(GET.next(2, answer(503), 0.5).is_none());
    }

    #[test]
    fn what_is_tried_again() {
        for status in [408, 429, 500, 502, 503, 504, 599] {
            assert!(GET.next(0, answer(status), 0.0).is_some(), "{status}");
            assert!(POST.next(0, answer(status), 0.0).is_none(), "{status}");
        }
        for status in [200, 301, 400, 401, 403, 404, 409, 501] {
            assert!(GET.next(0, answer(status), 0.0).is_none(), "{status}");
        }
        assert!(GET.next(0, Outcome::Final, 0.0).is_none());
    }

    #[test]
    fn a_post_that_may_have_been_handled_is_not_sent_twice() {
        assert!(POST.next(0, Outcome::Broken, 0.0).is_none());
        assert!(POST.next(0, Outcome::NotConnected, 0.0).is_some());
    }

    #[test]
    fn a_lost_answer_to_a_refresh_is_asked_for_once_more() {
        let refresh = Policy { resends: 1, ..GET };
        assert!(refresh.next(0, Outcome::Broken, 0.0).is_some());
        assert!(refresh.next(1, Outcome::Broken, 0.0).is_none());
        assert!(refresh.next(1, answer(503), 0.0).is_some());
    }

    #[test]
    fn a_closed_connection_is_replaced_at_once() {
        assert_eq!(GET.next(0, Outcome::Broken, 0.0), Some(Duration::ZERO));
        assert!(GET.next(1, Outcome::Broken, 0.0) > Some(Duration::ZERO));
    }

    #[test]
    fn the_servers_word_counts() {
        let told = |status, headers: &[(&'static str, &'static str)]| Outcome::Answer {
            status,
            advice: advice(headers),
        };
        let wait = |outcome| GET.next(0, outcome, 0.0);
        assert_eq!(
            wait(told(503, &[("retry-after", "7")])),
            Some(Duration::from_secs(7))
        );
        assert_eq!(
            wait(told(503, &[("retry-after-ms", "70"), ("retry-after", "7")])),
            Some(Duration::from_millis(70))
        );
        assert_eq!(wait(told(429, &[("retry-after", "61")])), None);
        assert_eq!(wait(told(503, &[("x-should-retry", "false")])), None);
        assert!(
            POST.next(0, told(409, &[("x-should-retry", "true")]), 0.0)
                .is_some()
        );
        for status in [200, 201, 301] {
            assert_eq!(wait(told(status, &[("x-should-retry", "true")])), None);
        }
    }

    #[test]
    fn a_broken_server_is_not_hammered() {
        let budget = Budget::new();
        let spent = std::iter::from_fn(|| budget.spend().then_some(())).count();
        assert_eq!(spent, 20);
        for _ in 0..10 {
            budget.earn();
        }
        assert!(budget.spend());
        assert!(!budget.spend());
    }
}
