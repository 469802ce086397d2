//! A server that does exactly what a test tells it to, byte by byte.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

/// What a connection does next. At its end it is closed.
pub(in crate::provider) enum Step {
    /// Reads one whole request.
    Request,
    /// Reads some bytes of one and leaves the rest unread, so that closing resets the connection.
    SomeBytes,
    /// Writes this.
    Write(Vec<u8>),
    /// Lets some time pass, so that what was written before arrives alone.
    Pause,
}

/// A server on a port of its own; each script serves one connection, in order.
pub(in crate::provider) struct RawServer {
    pub(in crate::provider) address: SocketAddr,
    requests: Receiver<String>,
    /// Gets a message whenever a connection has been closed.
    pub(in crate::provider) closed: Receiver<()>,
}

impl RawServer {
    pub(in crate::provider) fn start(connections: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (seen, requests) = channel();
        let (done, closed) = channel();
        // Ends by itself once all scripts were played, or with the test's process.
        thread::spawn(move || {
            for script in connections {
                let Ok((stream, _)) = listener.accept() else {
                    return;
                };
                let (seen, done) = (seen.clone(), done.clone());
                thread::spawn(move || {
                    play(stream, script, &seen);
                    let _ = done.send(());
                });
            }
        });
        Self {
            address,
            requests,
            closed,
        }
    }

    /// One connection, one request, this response.
    pub(in crate::provider) fn answering(response: impl Into<Vec<u8>>) -> Self {
        Self::start(vec![vec![Step::Request, Step::Write(response.into())]])
    }

    pub(in crate::provider) fn base_url(&self) -> Arc<str> {
        format!("http://{}/v1", self.address).into()
    }

    /// All requests that were read so far.
    pub(in crate::provider) fn requests(&self) -> Vec<String> {
        self.requests.try_iter().collect()
    }
}

fn play(mut stream: TcpStream, script: Vec<Step>, seen: &Sender<String>) {
    for step in script {
        match step {
            Step::Request => {
                let Some(request) = read_request(&mut stream) else {
                    return;
                };
                let _ = seen.send(request);
            }
            Step::SomeBytes => {
                let _ = stream.read_exact(&mut [0; 10]);
            }
            Step::Write(bytes) => {
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
            Step::Pause => thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().expect("a length"));
        if body.len() >= length {
            return Some(text.into_owned());
        }
    }
}

/// A response with a length.
pub(in crate::provider) fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}").into_bytes()
}
