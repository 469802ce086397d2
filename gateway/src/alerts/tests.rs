//! Alerts arrive, also when the other side is slow to take them.

use super::*;
use std::sync::Mutex;
use tollgate_core::{
    Money, Timestamp,
    budget::{Balance, Window},
};

/// Answers as scripted, then takes everything.
#[derive(Default)]
struct Scripted {
    answers: Mutex<Vec<Posted>>,
    bodies: Mutex<Vec<Value>>,
}

impl Post for Scripted {
    fn post<'a>(&'a self, body: &'a Value) -> BoxFuture<'a, Posted> {
        self.bodies.lock().expect("no panic").push(body.clone());
        let answer = self.answers.lock().expect("no panic").pop();
        Box::pin(std::future::ready(answer.unwrap_or(Posted::Taken)))
    }
}

fn crossing(permille: u16) -> Crossing {
    Crossing {
        balance: Balance {
            name: "day".into(),
            window: Window {
                id: "2026-11-24".into(),
                ends_at: Some(Timestamp::from_millis(1_764_028_800_000)),
            },
            limit: Some("10".parse().expect("money")),
            hard: true,
            spent: "8.03".parse().expect("money"),
            held: Money::ZERO,
        },
        permille,
    }
}

async fn delivered(answers: Vec<Posted>) -> Vec<Value> {
    let post = Arc::new(Scripted {
        answers: Mutex::new(answers),
        ..Scripted::default()
    });
    let (alerts, sink) = Alerts::new(Arc::clone(&post) as _, Arc::default());
    sink(&"news".into(), &crossing(800));
    drop(sink);
    alerts.run(std::future::pending()).await;
    let bodies = post.bodies.lock().expect("no panic");
    bodies.clone()
}

#[tokio::test]
async fn an_alert_says_what_a_person_and_a_program_need() {
    let bodies = delivered(Vec::new()).await;
    let text = bodies[0]["text"].as_str().expect("text");
    assert_eq!(
        text,
        "Team news has reached 80 % of its day budget: $8.03 of $10.00 spent, $0.00 held (2026-11-24)."
    );
    assert_eq!(bodies[0]["tollgate"]["spent_nano_usd"], 8_030_000_000_i64);
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_tried_until_it_is_taken() {
    let bodies = delivered(vec![Posted::Later(None), Posted::Later(Some(30_000))]).await;
    assert_eq!(bodies.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_is_refused_is_not_repeated() {
    assert_eq!(delivered(vec![Posted::Refused]).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn tries_have_an_end() {
    let never = vec![Posted::Later(None); 100];
    let most = usize::try_from(MOST_TRIES).expect("small");
    assert_eq!(delivered(never).await.len(), most);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_each_alert_that_waits_is_tried_once_more() {
    let post = Arc::new(Scripted {
        answers: Mutex::new(vec![Posted::Later(None); 4]),
        ..Scripted::default()
    });
    let (alerts, sink) = Alerts::new(Arc::clone(&post) as _, Arc::default());
    for permille in [500, 800, 1_000] {
        sink(&"news".into(), &crossing(permille));
    }
    // The first is tried, and pauses for up to a second when the end comes.
    alerts
        .run(tokio::time::sleep(Duration::from_nanos(1)))
        .await;
    let bodies = post.bodies.lock().expect("no panic");
    let marks: Vec<u64> = bodies
        .iter()
        .map(|body| body["tollgate"]["permille"].as_u64().expect("a number"))
        .collect();
    assert!(
        marks.starts_with(&[500]) && marks.ends_with(&[500, 800, 1_000]),
        "{marks:?}"
    );
}
