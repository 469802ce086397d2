//! Where Alertmanager delivers: a webhook on loopback that takes Slack's format.

use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::{Duration, Instant},
};

/// A message: the place that it was posted to, and what it says.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) place: String,
    pub(super) title: String,
    pub(super) text: String,
}

/// The receiver of messages.
pub(super) struct Webhook {
    pub(super) address: SocketAddr,
    told: Receiver<Message>,
}

impl Webhook {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let (tell, told) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let tell = tell.clone();
                std::thread::spawn(move || take(stream, &tell));
            }
        });
        Self { address, told }
    }

    /// Waits for a message that is as wanted; tells what came instead if it does not come.
    pub(super) fn wait_for(&self, within: Duration, wanted: impl Fn(&Message) -> bool) -> Message {
        let begin = Instant::now();
        let mut others = Vec::new();
        loop {
            let left = within.saturating_sub(begin.elapsed());
            match self.told.recv_timeout(left) {
                Ok(message) if wanted(&message) => return message,
                Ok(message) => others.push(message),
                Err(RecvTimeoutError::Timeout) => panic!("only these came: {others:#?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the webhook is gone"),
            }
        }
    }
}

/// Answers one connection's posts until it ends.
fn take(stream: TcpStream, tell: &Sender<Message>) {
    let mut answers = stream.try_clone().expect("a second handle");
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        let place = line.split(' ').nth(1).unwrap_or_default();
        let place = place.trim_start_matches('/').to_owned();
        let mut length = 0;
        line.clear();
        while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            line.clear();
        }
        line.clear();
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let attachment = &body["attachments"][0];
        let text = |name: &str| attachment[name].as_str().unwrap_or_default().to_owned();
        let (title, text) = (text("title"), text("text"));
        let _ = tell.send(Message { place, title, text });
        if answers
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            .is_err()
        {
            return;
        }
    }
}
