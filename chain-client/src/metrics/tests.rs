use super::*;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

#[test]
fn every_bounded_combination_starts_at_zero() {
    let text = Metrics::new().render();
    for family in families().filter(|family| family.kind == Kind::Counter) {
        for labels in table::combinations(family) {
            let labels: Vec<String> = labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{value}\""))
                .collect();
            let line = format!("{}{{{}}} 0\n", family.name, labels.join(","));
            assert!(text.contains(&line), "missing {line}\n{text}");
        }
    }
}

#[test]
fn names_follow_the_conventions() {
    for family in families() {
        assert_eq!(
            family.kind == Kind::Counter,
            family.name.ends_with("_total"),
            "{}",
            family.name
        );
        if family.kind == Kind::Histogram {
            assert!(family.name.ends_with("_seconds"));
        }
        assert!(family.help.ends_with('.'));
        assert!(!family.help.contains(['\n', '|']), "{}", family.name);
    }
    assert!(table::SECONDS.is_sorted());
    assert!(table::SECONDS.iter().all(|edge| edge.fract() != 0.0));
}

#[test]
fn money_is_counted_in_whole_nano_dollars() {
    let metrics = Metrics::new();
    let times = crate::receipt::Times {
        at: Duration::ZERO,
        took: Duration::ZERO,
    };
    let cost = Some(crate::money::Money::from_nano_usd(12_345));
    metrics.call_ended(
        Step::ScoreQuality,
        &crate::receipt::refused("timeout", Role::Retry, times, cost),
    );
    let text = metrics.render();
    let line = "chain_client_cost_nano_usd_total{chain=\"content-analysis\",step=\"score_quality\",role=\"retry\"} 12345";
    assert!(text.contains(line), "{text}");
    assert!(text.contains(
        "chain_client_attempt_errors_total{chain=\"content-analysis\",class=\"timeout\"} 1"
    ));
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_metrics_are_served_and_scrapes_are_counted() {
    let metrics = Arc::new(Metrics::new());
    let server = Server::start("127.0.0.1:0".parse().unwrap(), metrics)
        .await
        .unwrap();
    assert!(
        get(server.address, "/healthz")
            .await
            .starts_with("HTTP/1.1 200")
    );
    assert_eq!(server.scrapes.count(), 0);
    let answer = get(server.address, "/metrics").await;
    assert!(answer.contains("# TYPE chain_client_runs_total counter"));
    assert_eq!(server.scrapes.count(), 1);
    assert!(
        get(server.address, "/other")
            .await
            .starts_with("HTTP/1.1 404")
    );
}
