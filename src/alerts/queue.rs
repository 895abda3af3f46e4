//! Bounded queue from the engine to the notifiers. The sender never waits: when the queue is
//! full, the oldest item is dropped and counted.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::News;

/// Maximum number of queued items. Ten thousand servers may send at once.
const MOST: usize = 20_000;

/// The queue of news.
#[derive(Debug, Default)]
pub struct NewsQueue {
    queue: Mutex<(VecDeque<News>, u64)>,
    came: Notify,
}

impl NewsQueue {
    /// Adds an item without waiting.
    pub fn put(&self, news: News) {
        {
            let mut queue = self.queue();
            if queue.0.len() >= MOST {
                queue.0.pop_front();
                queue.1 += 1;
            }
            queue.0.push_back(news);
        }
        self.came.notify_one();
    }

    /// Removes and returns all items. Also returns how many were dropped since the last call.
    pub fn drain(&self) -> (Vec<News>, u64) {
        let mut queue = self.queue();
        let dropped = std::mem::take(&mut queue.1);
        (queue.0.drain(..).collect(), dropped)
    }

    /// Waits until an item has been added since the last call.
    pub async fn came(&self) {
        self.came.notified().await;
    }

    fn queue(&self) -> MutexGuard<'_, (VecDeque<News>, u64)> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::AlertKey;

    #[test]
    fn a_full_queue_drops_the_oldest_items_and_counts_them() {
        let tap = NewsQueue::default();
        let cleared = |n: usize| {
            News::Cleared(AlertKey {
                kind: "blocked".to_owned(),
                server: None,
                about: n.to_string(),
            })
        };
        for n in 0..MOST + 3 {
            tap.put(cleared(n));
        }
        let (news, dropped) = tap.drain();
        assert_eq!((news.len(), dropped), (MOST, 3));
        assert_eq!(news.first(), Some(&cleared(3)));
        assert_eq!(news.last(), Some(&cleared(MOST + 2)));
        assert_eq!(tap.drain(), (Vec::new(), 0));
    }
}
