//! The interaction log: what was asked and answered, as far as each team's policy allows.
//!
//! One JSON line per call, written by a thread of its own. The request path never waits for it:
//! when too much waits, texts are left out first, and then whole records; both are counted. Keys
//! are in no call, so in no line.

mod line;
mod writer;

use crate::{
    call::{Call, Sampling},
    catalog::Bodies,
    complete::{Attempt, Completion},
    config,
};
use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};
use tollgate_core::{HoldId, Timestamp};
use writer::Writer;

/// The most records that wait to be written.
const MOST_WAITING: usize = 4_096;
/// The most bytes of bodies that wait to be written.
const MOST_WAITING_BYTES: usize = 64 << 20;

/// How long records gather before they are written together.
const GATHERS: Duration = Duration::from_millis(5);

/// One call with what came of it.
#[derive(Debug)]
pub struct Interaction {
    /// When it ended.
    pub at: Timestamp,
    /// The call.
    pub id: HoldId,
    /// The team.
    pub team: Arc<str>,
    /// What may be kept of prompt and answer.
    pub bodies: Bodies,
    /// What was asked.
    pub call: Arc<Call>,
    /// `ok`, or the reason of its error.
    pub outcome: &'static str,
    /// All attempts.
    pub attempts: Arc<[Attempt]>,
    /// The answer, if there was one.
    pub completion: Option<Arc<Completion>>,
    /// How long it waited for admission.
    pub waited: Duration,
}

impl Interaction {
    /// The bytes of its texts.
    fn bytes(&self) -> usize {
        let parts = self.call.messages.iter().flat_map(|message| &message.parts);
        let answer = self.completion.as_ref().map_or(0, |c| c.text.len());
        parts.map(String::len).sum::<usize>() + answer
    }

    /// The same without its texts, and without holding on to them.
    fn without_texts(self) -> Self {
        let call = Call {
            target: self.call.target.clone(),
            messages: Vec::new(),
            max_output_tokens: self.call.max_output_tokens,
            sampling: Sampling::default(),
            schema: None,
            attribution: self.call.attribution.clone(),
            idempotency_key: None,
            run_budget: self.call.run_budget,
            priority: self.call.priority,
            trace: self.call.trace,
        };
        let completion = self.completion.map(|completion| {
            Arc::new(Completion {
                text: String::new(),
                finish: completion.finish,
                receipt: completion.receipt.clone(),
            })
        });
        Self {
            bodies: Bodies::Off,
            call: Arc::new(call),
            completion,
            ..self
        }
    }
}

/// The interaction log of one process.
#[derive(Debug)]
pub struct Interactions {
    queue: Mutex<Option<SyncSender<Interaction>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    waiting_bytes: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
    cut: AtomicU64,
}

impl Interactions {
    /// Opens the log in its directory, which only its owner may read.
    ///
    /// # Errors
    /// If the directory or the file can't be made.
    pub fn open(settings: &config::interactions::Interactions) -> io::Result<Self> {
        let mut writer = Writer::open(settings)?;
        let (queue, records) = sync_channel::<Interaction>(MOST_WAITING);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let dropped = Arc::new(AtomicU64::new(0));
        let (waiting, lost) = (Arc::clone(&waiting_bytes), Arc::clone(&dropped));
        let thread = std::thread::Builder::new()
            .name("interactions".to_owned())
            .spawn(move || {
                while let Ok(first) = records.recv() {
                    // Half of what may wait, so that writing begins before there is no more room.
                    let others = records.try_iter().take(MOST_WAITING / 2);
                    for record in std::iter::once(first).chain(others) {
                        waiting.fetch_sub(record.bytes(), Relaxed);
                        writer.add(&record);
                    }
                    lost.fetch_add(writer.flush(), Relaxed);
                    // Others come meanwhile: a wake-up for each would cost more than its line.
                    std::thread::sleep(GATHERS);
                }
            })?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            waiting_bytes,
            dropped,
            cut: AtomicU64::new(0),
        })
    }

    /// Keeps a record, or what there is room for. Never blocks.
    pub fn record(&self, mut interaction: Interaction) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = &*queue else { return };
        let mut bytes = interaction.bytes();
        if self.waiting_bytes.fetch_add(bytes, Relaxed) + bytes > MOST_WAITING_BYTES {
            self.waiting_bytes.fetch_sub(bytes, Relaxed);
            self.cut.fetch_add(1, Relaxed);
            interaction = interaction.without_texts();
            bytes = 0;
        }
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            queue.try_send(interaction)
        {
            self.waiting_bytes.fetch_sub(bytes, Relaxed);
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// How many records were kept without their texts, because too many texts waited.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.cut.load(Relaxed)
    }

    /// How many records were lost: too much waited, or the disk refused.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Writes what waits and ends.
    pub fn close(&self) {
        drop(
            self.queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the interaction log panicked");
        }
    }
}

#[cfg(test)]
mod tests;
