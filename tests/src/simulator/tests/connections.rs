//! What a client sees of a connection.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let simulator = started().await;
    let mut socket = TcpStream::connect(simulator.address())
        .await
        .expect("it listens");
    for _ in 0..3 {
        socket
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .expect("it is open");
        let mut bytes = vec![0; 4096];
        let read = socket.read(&mut bytes).await.expect("it is open");
        let text = String::from_utf8_lossy(&bytes[..read]);
        assert!(
            text.starts_with("HTTP/1.1 200 OK") && text.contains("\"simulated\":true"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn dropping_the_simulator_closes_held_connections() {
    let simulator = started().await;
    let mut socket = TcpStream::connect(simulator.address())
        .await
        .expect("it listens");
    let request =
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-simulate: hang\r\ncontent-length: 2\r\n\r\n{}";
    socket
        .write_all(request.as_bytes())
        .await
        .expect("it is open");
    while simulator.stats().requests == 0 {
        tokio::task::yield_now().await;
    }
    drop(simulator);
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.ok();
    assert!(rest.is_empty());
}
