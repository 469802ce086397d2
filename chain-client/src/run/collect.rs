//! Takes articles as they end: to the files, to the sums, to the observer.

use crate::{observer::Observer, report::Spill, row::ArticleRow, tally::Tally};
use std::{io, sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::{task::JoinError, time::Instant};

/// So many articles must have ended before their times say how long the next one takes.
const ENOUGH_TO_TELL: u64 = 8;

pub(super) struct Collector {
    pub(super) spill: Spill,
    pub(super) tally: Tally,
    pub(super) input_complete: bool,
    /// The first failure to write; the run goes on, and ends with it.
    pub(super) write_error: Option<io::Error>,
    /// Articles whose task broke down.
    pub(super) lost: u64,
}

impl Collector {
    pub(super) fn new(spill: Spill) -> Self {
        Self {
            spill,
            tally: Tally::default(),
            input_complete: true,
            write_error: None,
            lost: 0,
        }
    }

    /// An article that was worked on.
    pub(super) fn article(&mut self, done: Result<ArticleRow, JoinError>, observer: &Observer) {
        match done {
            Ok(row) => {
                observer.article_ended(&row);
                self.keep(&row);
            }
            Err(error) => {
                observer.in_flight.fetch_sub(1, Relaxed);
                self.lost += 1;
                tracing::error!(%error, "article_lost");
            }
        }
    }

    /// Something that was not sent.
    pub(super) fn passed_over(&mut self, row: &ArticleRow, observer: &Observer) {
        observer.passed_over(row);
        self.keep(row);
    }

    fn keep(&mut self, row: &ArticleRow) {
        self.tally.add(row);
        if let Err(error) = self.spill.keep(row) {
            self.write_error.get_or_insert(error);
        }
    }

    /// Whether one more article is likely to end in time. Without experience: yes.
    pub(super) fn fits(&self, deadline: Option<Instant>) -> bool {
        let Some(deadline) = deadline else {
            return true;
        };
        if self.tally.article_times.count() < ENOUGH_TO_TELL {
            return true;
        }
        let usual = Duration::from_millis(self.tally.article_times.at(0.95));
        Instant::now() + usual < deadline
    }
}
