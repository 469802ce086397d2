//! Turns: who waits, who is next, and who gave up.

use super::*;
use futures_util::FutureExt as _;
use std::sync::Mutex;

fn who(team: &str, share: u32, priority: Priority) -> Who {
    Who {
        team: team.into(),
        share,
        priority,
        since: Instant::now(),
    }
}

fn news(priority: Priority) -> Who {
    who("news", 1, priority)
}

fn late() -> Instant {
    Instant::now() + Duration::from_mins(10)
}

/// Notes the order in which calls get their turns; each gives it up at once.
#[derive(Clone, Default)]
struct Order(Arc<Mutex<Vec<&'static str>>>);

impl Order {
    /// Joins and waits on a task of its own. Returns once it is in the line.
    async fn join(&self, line: &Arc<Line>, name: &'static str, who: Who) {
        let (line, order) = (Arc::clone(line), self.clone());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(async move {
            let turn = line.turn(who, late()).await.expect("its turn comes");
            order.0.lock().expect("no panic").push(name);
            drop(turn);
        });
        // In a runtime of one thread it runs until it waits.
        tokio::task::yield_now().await;
    }

    async fn all(&self, count: usize) -> Vec<&'static str> {
        loop {
            tokio::task::yield_now().await;
            let order = self.0.lock().expect("no panic").clone();
            if order.len() >= count {
                return order;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_came_first_goes_first_and_the_line_is_empty_after_the_last() {
    let (line, order) = (Arc::new(Line::default()), Order::default());
    assert!(!line.is_busy(Priority::Batch));
    let head = line.turn(news(Priority::Interactive), late()).await;
    for name in ["first", "second", "third"] {
        order.join(&line, name, news(Priority::Interactive)).await;
    }
    assert!(line.is_busy(Priority::Interactive));
    assert!(!line.is_busy(Priority::Critical), "it may ask at once");
    drop(head);
    assert_eq!(order.all(3).await, ["first", "second", "third"]);
    assert!(!line.is_busy(Priority::Batch));
}

#[tokio::test(start_paused = true)]
async fn the_more_important_goes_first_unless_batch_waited_long() {
    let (line, order) = (Arc::new(Line::default()), Order::default());
    let head = line.turn(news(Priority::Critical), late()).await;
    order.join(&line, "old batch", news(Priority::Batch)).await;
    tokio::time::advance(BATCH_AGES).await;
    for (name, priority) in [
        ("batch", Priority::Batch),
        ("interactive", Priority::Interactive),
        ("critical", Priority::Critical),
    ] {
        order.join(&line, name, news(priority)).await;
    }
    drop(head);
    let expected = ["critical", "old batch", "interactive", "batch"];
    assert_eq!(order.all(4).await, expected);
}

#[tokio::test(start_paused = true)]
async fn teams_take_turns_by_their_shares() {
    let (line, order) = (Arc::new(Line::default()), Order::default());
    let head = line.turn(news(Priority::Interactive), late()).await;
    for _ in 0..4 {
        let who = who("large", 2, Priority::Interactive);
        order.join(&line, "large", who).await;
    }
    for _ in 0..2 {
        let who = who("small", 1, Priority::Interactive);
        order.join(&line, "small", who).await;
    }
    drop(head);
    let expected = ["large", "large", "small", "large", "large", "small"];
    assert_eq!(order.all(6).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_head_lets_somebody_more_important_go_first_and_is_the_head_again() {
    let (line, order) = (Arc::new(Line::default()), Order::default());
    let head = line.turn(news(Priority::Batch), late()).await;
    let head = head.expect("the line was empty");
    order.join(&line, "next batch", news(Priority::Batch)).await;
    order
        .join(&line, "critical", news(Priority::Critical))
        .await;
    let wake = Instant::now() + Duration::from_mins(1);
    let head = head
        .pause(wake, late())
        .await
        .expect("it is its turn again");
    assert!(Instant::now() < wake, "it was told at once");
    assert_eq!(order.all(1).await, ["critical"]);
    drop(head);
    assert_eq!(order.all(2).await, ["critical", "next batch"]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_when_something_was_released_or_at_its_time() {
    let line = Arc::new(Line::default());
    let head = line.turn(news(Priority::Interactive), late()).await;
    let begun = Instant::now();
    let wake = begun + Duration::from_secs(1);
    line.released();
    let head = head.expect("empty").pause(wake, late()).await;
    assert_eq!(Instant::now(), begun);
    let _head = head.expect("it stays").pause(wake, late()).await;
    assert_eq!(Instant::now(), wake);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_is_passed_over_even_when_just_called() {
    let (line, order) = (Arc::new(Line::default()), Order::default());
    let head = line.turn(news(Priority::Interactive), late()).await;
    let soon = Instant::now() + Duration::from_secs(1);
    let given_up = line.turn(news(Priority::Interactive), soon).await;
    assert_eq!(given_up.err(), Some(NoTurn::Late));
    let mut hung_up = Box::pin(line.turn(news(Priority::Interactive), late()));
    assert!(hung_up.as_mut().now_or_never().is_none());
    order
        .join(&line, "patient", news(Priority::Interactive))
        .await;
    // It is called, and hangs up before it notices.
    drop(head);
    drop(hung_up);
    assert_eq!(order.all(1).await, ["patient"]);
    assert!(!line.is_busy(Priority::Batch));
}

#[tokio::test(start_paused = true)]
async fn a_line_is_bounded_by_those_who_still_wait() {
    let line = Arc::new(Line::default());
    let _head = line.turn(news(Priority::Interactive), late()).await;
    let mut waiting: Vec<_> = (0..MOST_WAITERS)
        .map(|_| Box::pin(line.turn(news(Priority::Interactive), late())))
        .collect();
    for turn in &mut waiting {
        assert!(turn.as_mut().now_or_never().is_none());
    }
    let refused = line.turn(news(Priority::Interactive), late()).await;
    assert_eq!(refused.err(), Some(NoTurn::Full));
    waiting.truncate(5);
    let next = line
        .turn(news(Priority::Interactive), late())
        .now_or_never();
    assert!(next.is_none(), "there is room for it to wait");
}
