//! How long a request that has no definite answer waits before it is sent again.

use std::time::Duration;

use crate::journaled::pause;

/// The first pause, and the longest; each is twice the one before.
const RESEND_AFTER: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// The pauses between the tries of one request.
pub(super) struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Pauses(RESEND_AFTER.0)
    }
}

impl Pauses {
    /// Waits.
    pub(super) async fn next(&mut self) {
        pause(self.0).await;
        self.0 = RESEND_AFTER.1.min(self.0 * 2);
    }
}
