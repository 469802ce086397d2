//! Lines that wait, and the thread that writes them.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// The most bytes that wait to be written.
const MOST_WAITING_BYTES: usize = 16 << 20;
/// The room that is kept for lines. It is given back down to this after a jam.
const USUAL_BYTES: usize = 64 << 10;
/// How long lines gather before they are written together.
const GATHERS: Duration = Duration::from_millis(5);
/// How long the end of the process may wait for a reader that does not read.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Lines that wait for their thread.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// The thread has something to do, or nothing any more.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<u8>,
    dropped: u64,
    /// The thread waits to be woken.
    idles: bool,
    closed: bool,
    /// Everything is written.
    ended: bool,
}

/// Starts the thread that writes to `out`.
pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Arc<Queue>> {
    let queue = Arc::new(Queue::default());
    let lines = Arc::clone(&queue);
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || lines.write_out(out))?;
    Ok(queue)
}

impl Queue {
    /// Adds a line. Never blocks for the writing.
    fn push(&self, line: &[u8]) {
        let mut state = self.state();
        if state.closed || state.lines.len() + line.len() > MOST_WAITING_BYTES {
            state.dropped += 1;
            return;
        }
        state.lines.extend_from_slice(line);
        if state.idles {
            state.idles = false;
            self.changed.notify_all();
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// Writes what waits, if somebody reads it, and takes no more.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        self.changed.notify_all();
        drop(
            self.changed
                .wait_timeout_while(state, LAST_WAIT, |state| !state.ended),
        );
    }

    fn write_out(&self, mut out: impl Write) {
        let mut lines = Vec::with_capacity(USUAL_BYTES);
        loop {
            let closed = self.take(&mut lines);
            // Nobody is left to tell if the log itself can't be written.
            let _ = out.write_all(&lines).and_then(|()| out.flush());
            lines.clear();
            lines.shrink_to(USUAL_BYTES);
            if closed {
                self.state().ended = true;
                self.changed.notify_all();
                return;
            }
        }
    }

    /// Waits for lines and takes them. Tells whether they are the last.
    fn take(&self, lines: &mut Vec<u8>) -> bool {
        let mut state = self.state();
        while state.lines.is_empty() && !state.closed {
            state.idles = true;
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        // Others come meanwhile: a wake-up for each would cost more than its line.
        let gathered = self
            .changed
            .wait_timeout_while(state, GATHERS, |state| !state.closed);
        let (mut state, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.lines, lines);
        state.closed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Lines are added whole, so there is nothing that a panic could have left half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes whole lines only.
impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::testing::Captured;

    #[test]
    fn what_waits_is_written_when_it_is_closed() {
        let written = Captured::default();
        let queue = start(written.clone()).expect("a thread");
        for line in ["one\n", "two\n"] {
            queue.push(line.as_bytes());
        }
        queue.close();
        assert_eq!(written.text(), "one\ntwo\n");
        queue.push(b"late\n");
        assert_eq!((queue.dropped(), &*written.text()), (1, "one\ntwo\n"));
    }

    #[test]
    fn a_line_that_nobody_waits_for_is_written_soon() {
        let written = Captured::default();
        let queue = start(written.clone()).expect("a thread");
        queue.push(b"one\n");
        while written.text().is_empty() {
            thread::sleep(GATHERS);
        }
        assert_eq!(written.text(), "one\n");
    }

    #[test]
    fn beyond_the_bound_lines_are_dropped_and_counted() {
        let queue = Queue::default();
        let line = vec![b'x'; MOST_WAITING_BYTES / 2];
        for _ in 0..3 {
            queue.push(&line);
        }
        assert_eq!(queue.dropped(), 1);
    }
}
