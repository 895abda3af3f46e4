//! The tick: one job of tokio-cron-scheduler that only wakes the engine.
//!
//! No slot depends on it; a lost tick delays the engine by seconds. The scheduler polls the wall
//! clock, so it stops for an hour after the clock is set back an hour (docs/development.md,
//! "Measured pitfalls"). Ten seconds of monotonic time without a tick therefore count as a tick,
//! and the job is replaced.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// Every two seconds, in UTC: the scheduler fixes a zone's offset when the job is made.
const SCHEDULE: &str = "*/2 * * * * *";

/// Longest time without a tick.
const SILENCE: Duration = Duration::from_secs(10);

/// A source of ticks.
pub struct Ticker {
    scheduler: Option<JobScheduler>,
    ticks: watch::Receiver<()>,
    last: Instant,
}

impl Ticker {
    /// Starts the ticks.
    pub async fn start() -> Self {
        let (scheduler, ticks) = begin(SCHEDULE).await;
        Self {
            scheduler,
            ticks,
            last: Instant::now(),
        }
    }

    /// Waits for the next tick. Returns false after ten seconds without one; then the job must be
    /// replaced. Cancel-safe.
    pub async fn next(&mut self) -> bool {
        let came = tokio::time::timeout_at(self.last + SILENCE, async {
            if self.ticks.changed().await.is_err() {
                // The scheduler is gone, so the timeout ends the wait.
                std::future::pending::<()>().await;
            }
        });
        let came = came.await.is_ok();
        self.last = Instant::now();
        came
    }

    /// Replaces a job that stopped ticking.
    pub async fn renew(&mut self) {
        self.stop().await;
        (self.scheduler, self.ticks) = begin(SCHEDULE).await;
    }

    /// Stops the ticks.
    pub async fn stop(&mut self) {
        if let Some(mut scheduler) = self.scheduler.take() {
            let _silent = scheduler.shutdown().await;
        }
    }
}

/// Starts the scheduler. Without one, the timeout is the only source of ticks, one every ten
/// seconds, which is enough for rotation.
async fn begin(schedule: &str) -> (Option<JobScheduler>, watch::Receiver<()>) {
    let (sender, ticks) = watch::channel(());
    let scheduler = match schedule_job(schedule, sender).await {
        Ok(scheduler) => Some(scheduler),
        Err(error) => {
            tracing::warn!(%error, "the ticker can't be started; the engine checks every ten seconds instead");
            None
        }
    };
    (scheduler, ticks)
}

async fn schedule_job(
    schedule: &str,
    sender: watch::Sender<()>,
) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let job = Job::new_async(schedule, move |_, _| {
        sender.send_replace(());
        Box::pin(async {})
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(scheduler)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ticker_ticks_and_still_ticks_after_its_job_is_replaced() {
        let mut ticker = Ticker::start().await;
        assert!(ticker.next().await);
        ticker.renew().await;
        assert!(ticker.next().await);
        ticker.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_noticed_after_ten_seconds() {
        let (_sender, ticks) = watch::channel(());
        let mut ticker = Ticker {
            scheduler: None,
            ticks,
            last: Instant::now(),
        };
        let began = Instant::now();
        assert!(!ticker.next().await);
        assert_eq!(began.elapsed(), SILENCE);
        assert!(
            !ticker.next().await,
            "silence is noticed again after ten more seconds"
        );
        assert_eq!(began.elapsed(), 2 * SILENCE);
    }
}
