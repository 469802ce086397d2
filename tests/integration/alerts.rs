//! Budget alerts reach a webhook, once per mark and window, also over restarts.

use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};
use tempfile::TempDir;
use tollgate_tests::harness::{Credentials, GatewayProcess, Settings, simulator, spec};

/// Takes posts on loopback; refuses the first, to see it come again.
fn webhook() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!(
        "http://{}/services/secret",
        listener.local_addr().expect("bound")
    );
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut first = true;
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let status = if first {
                "503 Service Unavailable"
            } else {
                "200 OK"
            };
            if !first {
                let _ = tell.send(serde_json::from_slice(&body).expect("JSON"));
            }
            first = false;
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            reader
                .into_inner()
                .write_all(answer.as_bytes())
                .expect("it listens");
        }
    });
    (url, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mark_is_posted_once_and_not_again_after_a_restart() {
    let simulator = simulator(0).await;
    let (url, told) = webhook();
    let dir = TempDir::new().expect("a directory");
    let credentials = Credentials::new(&["news"]);
    let settings = Settings::new(&simulator.base_url(), dir.path())
        .section("[alerts]\nthresholds = [0.5, 0.8, 1.0]\nwebhook_env = \"TEST_WEBHOOK\"")
        .team("news", "budgets = [{ per = \"day\", amount = \"0.03\" }]");
    let config = dir.path().join("tollgate.toml");
    fs::write(&config, settings.text()).expect("it is written");
    let mut variables: Vec<_> = credentials.variables().clone().into_iter().collect();
    variables.push(("TEST_WEBHOOK".to_owned(), url));
    let mut marks = Vec::new();
    for _ in 0..2 {
        let gateway = GatewayProcess::start_with(&config, &variables).expect("it starts");
        let caller = gateway.caller(&credentials, "news").await;
        // Until the budget refuses; the second process is refused at once.
        while caller
            .complete(spec("strong", "What is new in town?"))
            .await
            .is_ok()
        {
            caller.settled_spend().await;
        }
        while let Ok(body) = told.recv_timeout(Duration::from_secs(4)) {
            assert!(body["text"].as_str().expect("text").contains("Team news"));
            marks.push(body["tollgate"]["permille"].as_u64().expect("a mark"));
            if marks.len() == 3 {
                break;
            }
        }
        assert!(gateway.terminate().success());
    }
    assert_eq!(marks, [500, 800, 1_000]);
    assert!(
        told.recv_timeout(Duration::from_millis(200)).is_err(),
        "and no more"
    );
}
