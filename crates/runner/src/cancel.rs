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
    /// Asks the run to stop. After a signal nothing softer is heard any more.
    pub fn stop(&self, stop: Stop) {
        self.0.send_if_modified(|known| {
            let heard = *known != Some(Stop::Signal);
            if heard {
                *known = Some(stop);
            }
            heard
        });
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
        self.asked_beyond(None).await
    }

    /// Waits until something else is asked for than what is `known`: a signal may follow a stop in good order.
    pub(crate) async fn asked_beyond(&mut self, known: Option<Stop>) -> Stop {
        loop {
            if let Some(stop) = self.get()
                && known != Some(stop)
            {
                return stop;
            }
            if self.0.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_signal_is_heard_after_a_stop_in_good_order_and_is_not_softened() {
        let (switch, mut signal) = stop_switch();
        switch.stop(Stop::Asked);
        assert_eq!(signal.asked().await, Stop::Asked);
        switch.stop(Stop::Signal);
        assert_eq!(signal.asked_beyond(Some(Stop::Asked)).await, Stop::Signal);
        switch.stop(Stop::Asked);
        assert_eq!(signal.get(), Some(Stop::Signal));
    }
}
