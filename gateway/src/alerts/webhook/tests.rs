//! What a webhook's answers mean, from a server on this machine.

use super::*;
use crate::provider::http::install_tls;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// Posts once to a server that answers so. Returns what came of it and what the server was sent.
async fn posted(answer: &str) -> (Posted, String) {
    install_tls();
    let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = server.local_addr().expect("bound");
    let webhook = Webhook::new(format!("http://{address}/services/T0/SECRET").into());
    let webhook = webhook.expect("a client");
    let body = json!({ "text": "80 %" });
    let serve = async {
        let (mut stream, _) = server.accept().await.expect("a caller");
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            let read = stream.read_buf(&mut request).await.expect("a request");
            assert!(read > 0, "the whole request comes");
        }
        stream
            .write_all(answer.as_bytes())
            .await
            .expect("it listens");
        String::from_utf8(request).expect("text")
    };
    tokio::join!(webhook.post(&body), serve)
}

fn status(line: &str, more: &str) -> String {
    format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n{more}\r\n")
}

#[tokio::test]
async fn what_is_taken_was_json() {
    let (posted, request) = posted(&status("200 OK", "")).await;
    assert_eq!(posted, Posted::Taken);
    assert!(
        request.starts_with("POST /services/T0/SECRET HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("content-type: application/json"),
        "{request}"
    );
    assert!(request.ends_with(r#"{"text":"80 %"}"#), "{request}");
}

#[tokio::test]
async fn what_is_busy_or_broken_is_asked_again_when_it_says() {
    let (posted_to_busy, _) = posted(&status("429 Too Many Requests", "retry-after: 7\r\n")).await;
    assert_eq!(posted_to_busy, Posted::Later(Some(7_000)));
    let (posted_to_broken, _) = posted(&status("503 Service Unavailable", "")).await;
    assert_eq!(posted_to_broken, Posted::Later(None));
    let (posted_to_silent, _) = posted("").await;
    assert_eq!(posted_to_silent, Posted::Later(None));
}

#[tokio::test]
async fn what_is_refused_or_moved_is_not_asked_again() {
    for line in ["404 Not Found", "400 Bad Request"] {
        assert_eq!(posted(&status(line, "")).await.0, Posted::Refused, "{line}");
    }
    // The alert is not carried to wherever an answer points.
    let (posted, _) = posted(&status("302 Found", "location: http://127.0.0.1:1/\r\n")).await;
    assert_eq!(posted, Posted::Refused);
}

#[tokio::test]
async fn nobody_there_is_no_refusal() {
    install_tls();
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = gone.local_addr().expect("bound");
    drop(gone);
    let webhook = Webhook::new(format!("http://{address}/").into()).expect("a client");
    assert_eq!(webhook.post(&json!({})).await, Posted::Later(None));
}
