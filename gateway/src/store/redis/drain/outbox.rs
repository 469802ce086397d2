//! What settle and hold wrote into an outbox, as the ledger's entries.

use super::super::{args, pack::Garbled, pack::Unpacker, reply};
use crate::ledger::{CounterRef, Entry, Kind};
use redis::{FromRedisValue as _, Value};
use std::sync::Arc;
use tollgate_core::Timestamp;

/// What one look at an outbox found.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The entries, in order.
    pub(super) entries: Vec<Entry>,
    /// Their places in the stream.
    pub(super) ids: Vec<String>,
    /// The places of what can't be read.
    pub(super) garbled: Vec<String>,
    /// The last place that was looked at; `None` if there was nothing.
    pub(super) last: Option<String>,
}

/// Reads the answer to `XRANGE`.
pub(super) fn read(team: &Arc<str>, value: Value) -> Result<Read, String> {
    let rows: Vec<(String, Vec<Vec<u8>>)> =
        Vec::from_redis_value(value).map_err(|error| error.to_string())?;
    let mut read = Read::default();
    for (id, fields) in rows {
        let entry = fields.get(1).ok_or(Garbled).and_then(|e| entry(team, e));
        read.last = Some(id.clone());
        match entry {
            Ok(entry) => {
                read.entries.push(entry);
                read.ids.push(id);
            }
            Err(Garbled) => read.garbled.push(id),
        }
    }
    Ok(read)
}

fn entry(team: &Arc<str>, bytes: &[u8]) -> Result<Entry, Garbled> {
    let mut rest = Unpacker::new(bytes)?;
    let kind = match rest.text()? {
        "S" => Kind::Settled,
        "C" => Kind::Cancelled,
        "X" => Kind::Expired,
        "R" => Kind::Corrected,
        "M" => Kind::Crossed,
        "T" => Kind::ToppedUp,
        _ => return Err(Garbled),
    };
    let blank = Entry {
        at_ms: rest.int()?,
        kind,
        team: Arc::clone(team),
        hold: "".into(),
        counters: Vec::new(),
        held_nano_usd: 0,
        charge_nano_usd: 0,
        top_up_nano_usd: None,
        permille: None,
        call: None,
    };
    if kind == Kind::ToppedUp {
        let request = rest.text()?.into();
        let amount = rest.number()?;
        let counter = counter(&mut rest)?;
        return Ok(Entry {
            hold: request,
            counters: vec![counter],
            top_up_nano_usd: Some(amount),
            ..blank
        });
    }
    if kind == Kind::Crossed {
        let counter = counter(&mut rest)?;
        let permille = u16::try_from(rest.int()?).map_err(|_| Garbled)?;
        return Ok(Entry {
            hold: format!("{}:{}:{permille}", counter.budget, counter.window).into(),
            counters: vec![counter],
            permille: Some(permille),
            ..blank
        });
    }
    let hold = rest.text()?.into();
    let charge_nano_usd = rest.number()?;
    let body = reply::body(rest.bytes()?)?;
    let call = match rest.bytes()? {
        [] => None,
        call => Some(serde_json::from_slice(call).map_err(|_| Garbled)?),
    };
    Ok(Entry {
        hold,
        counters: body.counters,
        held_nano_usd: body.amount.nanos(),
        charge_nano_usd,
        call,
        ..blank
    })
}

fn counter(rest: &mut Unpacker<'_>) -> Result<CounterRef, Garbled> {
    Ok(CounterRef {
        budget: rest.text()?.into(),
        window: rest.text()?.into(),
        ends_at_ms: args::end(rest.int()?).map(Timestamp::millis),
        limit_nano_usd: None,
    })
}
