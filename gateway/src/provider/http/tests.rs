//! The transport against servers that misbehave.

use super::{
    raw_server::{
        RawServer,
        Step::{self, Pause, Request, SomeBytes, Write},
        response,
    },
    *,
};
use crate::clock::SystemClock;

fn transport() -> Transport {
    install_tls();
    Transport::new(Arc::new(SystemClock)).expect("TLS is there")
}

fn write(bytes: &str) -> Step {
    Write(bytes.as_bytes().to_vec())
}

fn endpoint(base: &str) -> Endpoint {
    Endpoint::new(base, "chat/completions").expect("test URLs are valid")
}

async fn post(server: &RawServer) -> Result<Reply, Failure> {
    post_with(&transport(), server).await
}

async fn post_with(transport: &Transport, server: &RawServer) -> Result<Reply, Failure> {
    let endpoint = endpoint(&server.base_url());
    transport.post(&endpoint, b"{\"a\":1}".to_vec(), None).await
}

async fn failure_of(connection: Vec<Step>) -> (FailureKind, Option<u16>) {
    let server = RawServer::start(vec![connection]);
    let failure = post(&server).await.expect_err("no complete response");
    (failure.kind, failure.http_status)
}

#[tokio::test]
async fn a_request_is_one_post_with_only_the_headers_that_it_needs() {
    let server = RawServer::answering(response("200 OK", "x-left: 3\r\n", "{}"));
    let reply = post(&server).await.expect("a complete response");
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.body, "{}");
    assert_eq!(remaining(&reply.headers, "x-left"), Some(3));
    let [request] = &server.requests()[..] else {
        panic!("one request was sent");
    };
    let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
    let mut lines: Vec<_> = head.lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(
        lines,
        [
            "POST /v1/chat/completions HTTP/1.1",
            "accept: application/json",
            "content-length: 7",
            "content-type: application/json",
            &format!("host: {}", server.address),
            concat!("user-agent: tollgate/", env!("CARGO_PKG_VERSION")),
        ]
    );
    assert_eq!(body, r#"{"a":1}"#);
}

#[tokio::test]
async fn a_response_that_comes_in_drops_is_put_together() {
    let server = RawServer::start(vec![vec![
        Request,
        write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        Pause,
        write("3\r\nabc\r\n"),
        Pause,
        write("2\r\nde\r\n"),
        Pause,
        write("1\r\nf\r\n"),
        Pause,
        write("0\r\n\r\n"),
    ]]);
    let reply = post(&server).await.expect("a complete response");
    assert_eq!(reply.body, "abcdef");
}

#[tokio::test]
async fn a_response_may_be_empty() {
    let server = RawServer::answering(response("503 Service Unavailable", "", ""));
    let reply = post(&server).await.expect("a complete response");
    assert_eq!((reply.status.as_u16(), reply.body.len()), (503, 0));
}

#[tokio::test]
async fn a_body_that_is_cut_off_leaves_the_outcome_unknown() {
    for status in ["200 OK", "400 Bad Request", "429 Slow", "500 Oops"] {
        let code = status[..3].parse().ok();
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: 10\r\n\r\n");
        let cut = vec![Request, write(&head), write("abc")];
        assert_eq!(failure_of(cut).await, (FailureKind::Unknown, code));
        let none = vec![Request, write(&head)];
        assert_eq!(failure_of(none).await, (FailureKind::Unknown, code));
        let head = format!("HTTP/1.1 {status}\r\ntransfer-encoding: chunked\r\n\r\n");
        let cut = vec![
            Request,
            write(&head),
            write("3\r\nabc\r\n"),
            Pause,
            write("5\r\nd"),
        ];
        assert_eq!(failure_of(cut).await, (FailureKind::Unknown, code));
    }
}

#[tokio::test]
async fn a_connection_that_ends_without_a_response_leaves_the_outcome_unknown() {
    for connection in [
        vec![Request],
        vec![SomeBytes],
        vec![Request, write("HTTP/1.1 200")],
        vec![Request, write("SSH-2.0-OpenSSH_9.7\r\n")],
        vec![
            Request,
            write("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"),
        ],
    ] {
        assert_eq!(failure_of(connection).await, (FailureKind::Unknown, None));
    }
}

#[tokio::test]
async fn headers_are_bounded() {
    let many = "a: b\r\n".repeat(101);
    let server = RawServer::answering(response("200 OK", &many, "{}"));
    let failure = post(&server).await.expect_err("too many headers");
    assert_eq!(failure.kind, FailureKind::Unknown);
    let long = format!("a: {}\r\n", "b".repeat(1024 * 1024));
    let server = RawServer::answering(response("200 OK", &long, "{}"));
    let failure = post(&server).await.expect_err("too long a header");
    assert_eq!(failure.kind, FailureKind::Unknown);
}

#[tokio::test]
async fn a_body_beyond_the_cap_is_not_read() {
    let small = Transport {
        response_cap: 8,
        ..transport()
    };
    let exact = RawServer::answering(response("200 OK", "", "12345678"));
    let reply = post_with(&small, &exact).await.expect("within the cap");
    assert_eq!(reply.body, "12345678");

    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let (one, several) = ("9\r\n123456789\r\n0\r\n\r\n", "5\r\n12345\r\n");
    for connection in [
        // Nothing of it is sent, so that only the declaration can be refused.
        vec![
            Request,
            write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"),
        ],
        vec![Request, write(chunked), write(one)],
        vec![
            Request,
            write(chunked),
            write(several),
            Pause,
            write(several),
            Pause,
        ],
        // Without a length it ends with the connection.
        vec![Request, write("HTTP/1.1 200 OK\r\n\r\n123456789")],
    ] {
        let server = RawServer::start(vec![connection]);
        let failure = post_with(&small, &server)
            .await
            .expect_err("beyond the cap");
        assert_eq!(failure.kind, FailureKind::Unknown);
        assert_eq!(failure.detail, "the response is longer than the cap");
    }
}

#[tokio::test]
async fn nothing_is_sent_without_a_connection() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let closed = format!("http://{}", free.local_addr().expect("it is bound"));
    drop(free);
    // This one speaks no TLS.
    let plain = RawServer::start(vec![vec![SomeBytes, write("HTTP/1.1 400 Bad\r\n\r\n")]]);
    let no_tls = format!("https://{}", plain.address);
    // No name server is asked for a label of more than 63 letters.
    let no_host = format!("http://{}.invalid", "a".repeat(64));
    for (base, detail) in [
        (closed, "no connection"),
        (no_tls, "no connection"),
        (no_host, "the host name does not resolve"),
    ] {
        let result = transport()
            .post(&endpoint(&base), b"{}".to_vec(), None)
            .await;
        let failure = result.expect_err("no connection");
        assert_eq!(
            failure.kind,
            FailureKind::Unreachable,
            "{base}: {failure:?}"
        );
        assert_eq!(failure.detail, detail, "{base}");
        assert_eq!(failure.http_status, None);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = RawServer::answering(response("200 OK", "", "{}"));
    let location = format!("location: {}\r\n", other.base_url());
    let server = RawServer::answering(response("307 Temporary Redirect", &location, ""));
    let reply = post(&server).await.expect("a complete response");
    assert_eq!(reply.status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(other.requests(), [""; 0]);
    let failure = failure(
        &reply,
        crate::provider::Quota::default(),
        Timestamp::default(),
    );
    assert_eq!(failure.kind, FailureKind::Misconfigured);
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let answer = || Write(response("200 OK", "", "{}"));
    let server = RawServer::start(vec![vec![Request, answer(), Request, answer()]]);
    let transport = transport();
    for _ in 0..2 {
        post_with(&transport, &server).await.expect("a response");
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_connection_that_went_away_while_idle_costs_nothing() {
    let once = || vec![Request, Write(response("200 OK", "", "{}"))];
    let server = RawServer::start(vec![once(), once()]);
    let transport = transport();
    post_with(&transport, &server).await.expect("a response");
    server
        .closed
        .recv()
        .expect("the first connection is closed");
    // The end of the connection is seen only when its task runs.
    tokio::time::sleep(Duration::from_millis(50)).await;
    post_with(&transport, &server)
        .await
        .expect("a response from another connection");
}

#[tokio::test]
async fn what_was_sent_on_a_used_connection_is_never_sent_twice() {
    let answer = || Write(response("200 OK", "", "{}"));
    // The second connection would answer a repetition.
    let server = RawServer::start(vec![
        vec![Request, answer(), Request],
        vec![Request, answer()],
    ]);
    let transport = transport();
    post_with(&transport, &server).await.expect("a response");
    let failure = post_with(&transport, &server)
        .await
        .expect_err("closed after it was read");
    assert_eq!(failure.kind, FailureKind::Unknown);
    assert_eq!(server.requests().len(), 2);
}
