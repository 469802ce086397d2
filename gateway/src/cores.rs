//! One thread per core, each with a runtime of its own, on which connections are served.
//!
//! A call stays on the thread that its caller's connection was given to, with its connection to
//! the provider. So no other thread is woken on its way, and nothing is fetched from another core's
//! cache. Its connection to Redis and its settlement are there too. What is not of a call
//! (housekeeping, metrics) runs on the process's own runtime.

use std::{
    cell::Cell,
    fmt,
    future::Future,
    io,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};
use tokio::runtime::{Builder, Handle};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// The most threads of a core for what would block it: the counting of long texts, and names that are
/// looked up.
const BLOCKING_THREADS: usize = 64;

thread_local! {
    static HERE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The number of this thread among the cores, if it is one of them.
#[must_use]
pub fn here() -> Option<usize> {
    HERE.get()
}

/// How many cores this process may use, by its affinity and its control group.
#[must_use]
pub fn count() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// The threads. They end when the last clone is dropped; what still runs on them is dropped too.
#[derive(Clone)]
pub struct Cores {
    cores: Arc<[Core]>,
    _stop: Arc<DropGuard>,
}

struct Core {
    runtime: Handle,
    /// How many tasks were given to it that have not ended.
    busy: Arc<AtomicUsize>,
}

/// A task is no more.
struct Ended(Arc<AtomicUsize>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Cores {
    /// Starts [`count`] threads.
    ///
    /// # Errors
    /// If the system has no thread or no descriptor to give.
    pub fn start() -> io::Result<Self> {
        let stop = CancellationToken::new();
        let cores = (0..count().get()).map(|number| Core::start(number, stop.clone()));
        Ok(Self {
            cores: cores.collect::<io::Result<_>>()?,
            _stop: Arc::new(stop.drop_guard()),
        })
    }

    /// Runs a task, such as a connection, on the thread that has the fewest.
    pub fn spawn<F>(&self, tasks: &TaskTracker, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let least = self.cores.iter().min_by_key(|core| core.busy.load(Relaxed));
        let core = least.expect("a process has a core");
        core.busy.fetch_add(1, Relaxed);
        let ended = Ended(Arc::clone(&core.busy));
        tasks.spawn_on(
            async move {
                let _ended = ended;
                task.await;
            },
            &core.runtime,
        );
    }

    /// Runs one of these tasks on each thread, in the order of [`here`]. There must be one for each.
    pub fn spawn_each<F>(&self, tasks: &TaskTracker, each: Vec<F>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        assert_eq!(each.len(), self.cores.len(), "one task for each core");
        for (core, task) in self.cores.iter().zip(each) {
            tasks.spawn_on(task, &core.runtime);
        }
    }
}

impl Core {
    fn start(number: usize, stop: CancellationToken) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .build()?;
        let handle = runtime.handle().clone();
        thread::Builder::new()
            .name(format!("core-{number}"))
            .spawn(move || {
                HERE.set(Some(number));
                runtime.block_on(stop.cancelled());
            })?;
        Ok(Self {
            runtime: handle,
            busy: Arc::default(),
        })
    }
}

impl fmt::Debug for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.cores.iter().map(|core| core.busy.load(Relaxed)))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn tasks_go_where_the_fewest_are() {
        let cores = Cores::start().expect("threads");
        let tasks = TaskTracker::new();
        let seen = Arc::new(Mutex::new(vec![0; count().get()]));
        let mut leave = Vec::new();
        for _ in 0..2 * count().get() {
            let (leaves, left) = oneshot::channel::<()>();
            let (runs, ran) = oneshot::channel();
            leave.push(leaves);
            let seen = Arc::clone(&seen);
            cores.spawn(&tasks, async move {
                let here = here().expect("a core");
                seen.lock().expect("nobody panics")[here] += 1;
                runs.send(()).expect("it is awaited");
                // An error means that the test is over.
                let _ = left.await;
            });
            ran.await.expect("it runs");
        }
        assert!(seen.lock().expect("nobody panics").iter().all(|n| *n == 2));
        drop(leave);
        tasks.close();
        tasks.wait().await;
        assert_eq!(
            format!("{cores:?}"),
            format!("{:?}", vec![0; count().get()])
        );
    }

    #[tokio::test]
    async fn what_runs_is_dropped_with_the_last_of_them() {
        let cores = Cores::start().expect("threads");
        let tasks = TaskTracker::new();
        let (held, dropped) = oneshot::channel::<()>();
        let (runs, ran) = oneshot::channel();
        cores.spawn(&tasks, async move {
            let _held = held;
            runs.send(()).expect("it is awaited");
            std::future::pending::<()>().await;
        });
        ran.await.expect("it runs");
        let another = cores.clone();
        drop(cores);
        another.spawn(&tasks, std::future::ready(()));
        drop(another);
        dropped.await.expect_err("it was dropped, not sent");
        tasks.close();
        tasks.wait().await;
    }
}
