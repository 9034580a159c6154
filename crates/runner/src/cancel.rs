//! How a stop reaches the driver.

use tokio::sync::watch;

/// The asking end: whoever handles signals.
#[derive(Debug, Clone)]
pub struct StopSwitch(watch::Sender<bool>);

/// The listening end.
#[derive(Debug, Clone)]
pub struct StopSignal(watch::Receiver<bool>);

/// Returns a switch and what listens to it.
#[must_use]
pub fn stop_switch() -> (StopSwitch, StopSignal) {
    let (sender, receiver) = watch::channel(false);
    (StopSwitch(sender), StopSignal(receiver))
}

impl StopSwitch {
    /// Asks the run to end within seconds.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl StopSignal {
    /// Returns whether a stop was asked for.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until a stop is asked for; for ever when nobody can ask any more.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stop_is_heard_by_whoever_listens_later() {
        let (switch, mut signal) = stop_switch();
        switch.stop();
        assert!(signal.is_asked());
        signal.asked().await;
        signal.clone().asked().await;
    }
}
