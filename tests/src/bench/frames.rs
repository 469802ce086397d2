//! What the gateway sends to Redis for one call, taken from MONITOR, so that the pass-through can
//! send the same: the same scripts, with as many keys and arguments, on keys of its own.

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

/// The teams of both sides, in the hash tags of their keys. Equally long.
pub(crate) const GATEWAY_TAG: &str = "{t:bench}";
pub(crate) const FLOOR_TAG: &str = "{t:floor}";

/// The length of a call's id.
const ID: usize = 26;

/// How long a call may take until it is seen.
const PATIENCE: Duration = Duration::from_secs(10);

/// One run of a script.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Frame {
    pub(crate) sha: String,
    pub(crate) keys: Vec<Vec<u8>>,
    pub(crate) args: Vec<Vec<u8>>,
}

/// The two of a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Frames {
    pub(crate) hold: Frame,
    pub(crate) settle: Frame,
    /// The id of the call that they were of.
    pub(crate) id: String,
}

/// Watches a Redis.
pub(crate) struct Watch(thread::JoinHandle<Result<Frames>>);

impl Watch {
    /// Begins to watch this address.
    pub(crate) fn start(address: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"MONITOR\r\n")?;
        let mut lines = BufReader::new(stream);
        let mut first = String::new();
        lines.read_line(&mut first)?;
        ensure!(first.starts_with("+OK"), "Redis says {first} to MONITOR");
        Ok(Self(thread::spawn(move || find(lines))))
    }

    /// What the next whole call sent.
    pub(crate) fn frames(self) -> Result<Frames> {
        let found = self.0.join();
        found.map_err(|_| anyhow::anyhow!("reading MONITOR panicked"))?
    }
}

/// The hold is the script with a record and one argument, the settlement the one with two.
fn find(mut lines: BufReader<TcpStream>) -> Result<Frames> {
    let until = Instant::now() + PATIENCE;
    let mut held: Option<(String, Frame)> = None;
    while Instant::now() < until {
        let mut line = Vec::new();
        ensure!(lines.read_until(b'\n', &mut line)? > 0, "MONITOR ended");
        let Some(frame) = frame(&words(&line)) else {
            continue;
        };
        let Some(id) = id(&frame) else { continue };
        match (frame.args.len(), &held) {
            (1, None) => held = Some((id, frame)),
            (2, Some((held_id, hold))) if *held_id == id => {
                return Ok(Frames {
                    hold: hold.clone(),
                    settle: frame,
                    id,
                });
            }
            _ => {}
        }
    }
    bail!("no call was seen")
}

/// The id in the name of a record of the gateway's team.
fn id(frame: &Frame) -> Option<String> {
    let record = frame.keys.get(1)?;
    let record = std::str::from_utf8(record).ok()?;
    let (tagged, id) = record.rsplit_once(":h:")?;
    (tagged.ends_with(GATEWAY_TAG) && id.len() == ID).then(|| id.to_owned())
}

fn frame(words: &[Vec<u8>]) -> Option<Frame> {
    let [verb, sha, count, rest @ ..] = words else {
        return None;
    };
    if verb != b"EVALSHA" {
        return None;
    }
    let count: usize = std::str::from_utf8(count).ok()?.parse().ok()?;
    let (keys, args) = rest.split_at_checked(count)?;
    Some(Frame {
        sha: String::from_utf8(sha.clone()).ok()?,
        keys: keys.to_vec(),
        args: args.to_vec(),
    })
}

/// The quoted words of a line of MONITOR.
fn words(line: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut bytes = line.iter().copied();
    let mut word: Option<Vec<u8>> = None;
    while let Some(byte) = bytes.next() {
        match (byte, &mut word) {
            (b'"', None) => word = Some(Vec::new()),
            (b'"', Some(_)) => words.extend(word.take()),
            (b'\\', Some(text)) => text.extend(escaped(&mut bytes)),
            (other, Some(text)) => text.push(other),
            (_, None) => {}
        }
    }
    words
}

fn escaped(bytes: &mut impl Iterator<Item = u8>) -> Option<u8> {
    Some(match bytes.next()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'a' => 7,
        b'b' => 8,
        b'x' => {
            let digits = [bytes.next()?, bytes.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
        }
        other => other,
    })
}

/// A frame whose id is filled in anew each time.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) sha: String,
    keys: Vec<Blank>,
    args: Vec<Blank>,
}

/// Bytes, and where the id goes.
#[derive(Clone, Debug)]
struct Blank {
    bytes: Vec<u8>,
    places: Vec<usize>,
}

impl Template {
    /// The frame of the call `id`, on the keys of another team.
    pub(crate) fn new(frame: &Frame, id: &str, tag: &str) -> Self {
        let blanks = |all: &[Vec<u8>]| {
            let blank = |bytes: &Vec<u8>| Blank::new(bytes, id, tag);
            all.iter().map(blank).collect()
        };
        Self {
            sha: frame.sha.clone(),
            keys: blanks(&frame.keys),
            args: blanks(&frame.args),
        }
    }

    /// The command, for a call that was not there before.
    pub(crate) fn command(&self, id: &str) -> redis::Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.sha).arg(self.keys.len());
        for blank in self.keys.iter().chain(&self.args) {
            command.arg(blank.filled(id));
        }
        command
    }
}

impl Blank {
    fn new(bytes: &[u8], id: &str, tag: &str) -> Self {
        let mut bytes = bytes.to_vec();
        for place in places(&bytes, GATEWAY_TAG) {
            bytes[place..place + tag.len()].copy_from_slice(tag.as_bytes());
        }
        Self {
            places: places(&bytes, id),
            bytes,
        }
    }

    fn filled(&self, id: &str) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for place in &self.places {
            bytes[*place..place + id.len()].copy_from_slice(id.as_bytes());
        }
        bytes
    }
}

fn places(bytes: &[u8], text: &str) -> Vec<usize> {
    let windows = bytes.windows(text.len()).enumerate();
    let same = windows.filter(|(_, window)| *window == text.as_bytes());
    same.map(|(place, _)| place).collect()
}

/// Ids that nobody else uses.
#[derive(Debug)]
pub(crate) struct Ids(std::sync::atomic::AtomicU64);

impl Ids {
    pub(crate) fn new() -> Self {
        Self(fastrand::u64(..u64::MAX / 2).into())
    }

    pub(crate) fn next(&self) -> String {
        let number = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        format!("{number:0ID$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_monitor_is_read_as_it_was_sent() {
        let line = br#"+1.5 [0 127.0.0.1:5] "EVALSHA" "ab" "1" "k\"\x00" "a\\\xff" "b" "#;
        let frame = frame(&words(line)).expect("a script");
        assert_eq!(frame.keys, [b"k\"\0".to_vec()]);
        assert_eq!(frame.args, [b"a\\\xff".to_vec(), b"b".to_vec()]);
    }

    #[test]
    fn a_template_has_another_id_and_another_team() {
        let id = "01M867VFTEG6SSXDJ7CGSH9VG0";
        let frame = Frame {
            sha: "ab".to_owned(),
            keys: vec![format!("tollgate:1:{GATEWAY_TAG}:h:{id}").into_bytes()],
            args: vec![format!("x{id}y").into_bytes()],
        };
        let template = Template::new(&frame, id, FLOOR_TAG);
        let other = Ids::new().next();
        assert_eq!(
            template.keys[0].filled(&other),
            format!("tollgate:1:{FLOOR_TAG}:h:{other}").into_bytes()
        );
        assert_eq!(
            template.args[0].filled(&other),
            format!("x{other}y").into_bytes()
        );
    }
}
