//! Answers that become ready together leave in one write.
//!
//! hyper flushes a connection after each answer. Under load that is a system call, and a wake-up of
//! the client, per answer. So a flush waits until the tasks that are ready now had their turn. With
//! nothing else to do that is at once.

use std::{
    future::Future as _,
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes that wait for others. Large answers have no need to wait.
const MOST_WAITING_BYTES: usize = 64 << 10;

/// A stream whose writes wait for a flush, and whose flushes wait for each other.
#[derive(Debug)]
pub(super) struct Together<S> {
    stream: S,
    waiting: Vec<u8>,
    /// How much of `waiting` is written already.
    written: usize,
    turn: Arc<Turn>,
    /// A flush waits for its turn.
    queued: bool,
}

/// The others had their turn.
#[derive(Debug, Default)]
struct Turn {
    came: AtomicBool,
    /// The connection's task.
    task: Mutex<Option<Waker>>,
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.came.store(true, SeqCst);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = &*task {
            task.wake_by_ref();
        }
    }
}

impl<S> Together<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            waiting: Vec::new(),
            written: 0,
            turn: Arc::default(),
            queued: false,
        }
    }

    /// Ready after the tasks that are ready now have run.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        {
            let mut task = self
                .turn
                .task
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            match &mut *task {
                Some(task) => task.clone_from(cx.waker()),
                None => *task = Some(cx.waker().clone()),
            }
        }
        if !self.queued {
            self.queued = true;
            self.turn.came.store(false, SeqCst);
            let waker = Waker::from(Arc::clone(&self.turn));
            // It wakes once the runtime has run what was ready and looked for more.
            let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&waker));
        }
        if self.turn.came.load(SeqCst) {
            self.queued = false;
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl<S: AsyncWrite + Unpin> Together<S> {
    /// Writes all that waits.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.waiting.len() {
            let rest = &self.waiting[self.written..];
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        self.waiting.clear();
        self.waiting.shrink_to(MOST_WAITING_BYTES);
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// Makes room, so that one more write can wait.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.waiting.len() < MOST_WAITING_BYTES {
            return Poll::Ready(Ok(()));
        }
        self.poll_drain(cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Together<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_room(cx))?;
        self.waiting.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_room(cx))?;
        let before = self.waiting.len();
        for part in parts {
            self.waiting.extend_from_slice(part);
        }
        Poll::Ready(Ok(self.waiting.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.waiting.is_empty() {
            // What is under way need not wait again.
            if self.written == 0 {
                ready!(self.poll_turn(cx));
            }
            ready!(self.poll_drain(cx))?;
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Together<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::poll_fn;
    use std::collections::VecDeque;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// Takes at most so many bytes a write, and counts the writes.
    #[derive(Default)]
    struct Wire {
        writes: VecDeque<Vec<u8>>,
        most: usize,
    }

    impl AsyncWrite for Wire {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let taken = bytes.len().min(self.most);
            self.writes.push_back(bytes[..taken].to_vec());
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn wire(most: usize) -> Together<Wire> {
        let writes = VecDeque::new();
        Together::new(Wire { writes, most })
    }

    /// Flushes as hyper does: again with each answer, until it is done.
    async fn flush_among(stream: &mut Together<Wire>, answers: &[&[u8]]) {
        let mut answers = answers.iter();
        poll_fn(|cx| {
            if let Some(answer) = answers.next() {
                let written = Pin::new(&mut *stream).poll_write(cx, answer);
                assert!(matches!(written, Poll::Ready(Ok(n)) if n == answer.len()));
                // Another answer wakes the connection before its flush has its turn.
                cx.waker().wake_by_ref();
            }
            Pin::new(&mut *stream).poll_flush(cx)
        })
        .await
        .expect("it is written");
    }

    #[tokio::test]
    async fn answers_that_are_ready_together_leave_in_one_write() {
        let mut stream = wire(usize::MAX);
        flush_among(&mut stream, &[b"one ", b"two"]).await;
        assert_eq!(stream.stream.writes, [b"one two".to_vec()]);
        flush_among(&mut stream, &[b"later"]).await;
        assert_eq!(stream.stream.writes.len(), 2);
    }

    #[tokio::test]
    async fn a_wire_that_takes_little_gets_all_in_order() {
        let mut stream = wire(3);
        flush_among(&mut stream, &[b"abcd", b"efgh"]).await;
        assert_eq!(
            stream.stream.writes,
            [b"abc".to_vec(), b"def".to_vec(), b"gh".to_vec()]
        );
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_a_shutdown_writes_the_rest() {
        let mut stream = wire(usize::MAX);
        let large = vec![7; MOST_WAITING_BYTES];
        stream.write_all(&large).await.expect("it waits");
        assert!(stream.stream.writes.is_empty());
        stream.write_all(b"more").await.expect("it makes room");
        assert_eq!(stream.stream.writes, [large]);
        stream.shutdown().await.expect("it ends");
        assert_eq!(stream.stream.writes[1], b"more");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_real_connection_is_flushed_without_anybody_else() {
        let (here, mut there) = tokio::io::duplex(16);
        #[expect(clippy::disallowed_methods, reason = "it is awaited below")]
        let said = tokio::spawn(async move {
            let mut stream = Together::new(here);
            for word in ["hello, ", "and much more than fits into the pipe at once"] {
                stream.write_all(word.as_bytes()).await.expect("it waits");
                stream.flush().await.expect("it is written");
            }
        });
        let mut heard = String::new();
        there.read_to_string(&mut heard).await.expect("it is text");
        said.await.expect("it ends");
        assert_eq!(
            heard,
            "hello, and much more than fits into the pipe at once"
        );
    }
}
