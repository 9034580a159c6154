//! How a stop reaches the driver.

use migration::Stop;
use tokio::sync::watch;

/// The asking end: whoever handles signals.
#[derive(Debug, Clone)]
pub struct StopSwitch(watch::Sender<Option<Stop>>);

/// The listening end.
#[derive(Debug, Clone)]
pub struct StopSignal(watch::Receiver<Option<Stop>>);

/// Returns a switch and what listens to it.
#[must_use]
pub fn stop_switch() -> (StopSwitch, StopSignal) {
    let (sender, receiver) = watch::channel(None);
    (StopSwitch(sender), StopSignal(receiver))
}

impl StopSwitch {
    /// Asks the run to stop.
    pub fn stop(&self, stop: Stop) {
        self.0.send_replace(Some(stop));
    }
}

impl StopSignal {
    /// Returns whether a stop was asked for.
    #[must_use]
    pub fn get(&self) -> Option<Stop> {
        *self.0.borrow()
    }

    /// Waits until a stop is asked for; for ever when nobody can ask any more.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn asked(&mut self) -> Stop {
        loop {
            if let Some(stop) = self.get() {
                return stop;
            }
            if self.0.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
