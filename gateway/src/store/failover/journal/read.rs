//! Reading a journal: what has not landed.

use super::line::{FORMAT, Line};
use crate::ledger::CallRecord;
use std::{collections::HashMap, sync::Arc};
use tollgate_core::{
    HoldId, Money,
    hold::{Ending, HoldRequest, NotAnId},
};

/// A hold that was granted without the shared store, which may not know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlanded {
    /// Whose.
    pub team: Arc<str>,
    /// What was granted, extensions included.
    pub(crate) request: HoldRequest,
    /// How it ended, if that is known.
    pub(crate) ending: Option<(Ending, Option<Arc<CallRecord>>)>,
    /// Under which number it was told last, if not the first.
    pub(crate) number: Option<u8>,
}

/// What a journal has.
#[derive(Debug)]
pub(super) struct Found {
    /// In the order of their grants.
    pub(super) unlanded: Vec<Unlanded>,
    /// Where the last whole line ends.
    pub(super) whole: u64,
}

/// Reads all lines, or says which one is wrong and how. A torn last line is left out.
pub(super) fn all(bytes: &[u8]) -> Result<Found, (usize, String)> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n');
    let whole = whole.map_or(0, |end| end + 1);
    let mut found: HashMap<HoldId, (usize, Unlanded)> = HashMap::new();
    for (place, text) in bytes[..whole].split_inclusive(|b| *b == b'\n').enumerate() {
        let line = serde_json::from_slice(text).map_err(|error| error.to_string());
        line.and_then(|line| take(line, place, &mut found))
            .map_err(|why| (place + 1, why))?;
    }
    let mut unlanded: Vec<_> = found.into_values().collect();
    unlanded.sort_by_key(|(place, _)| *place);
    Ok(Found {
        unlanded: unlanded.into_iter().map(|(_, one)| one).collect(),
        whole: whole as u64,
    })
}

fn take(
    line: Line,
    place: usize,
    found: &mut HashMap<HoldId, (usize, Unlanded)>,
) -> Result<(), String> {
    if (place == 0) != matches!(line, Line::Journal { .. }) {
        return Err("the first line says which format it is, and only that one".to_owned());
    }
    let mut known = |hold: &str, change: &dyn Fn(&mut Unlanded)| {
        if let Some((_, one)) = found.get_mut(&id(hold)?) {
            change(one);
        }
        Ok(())
    };
    match line {
        Line::Journal { format: FORMAT } => Ok(()),
        Line::Journal { format } => Err(format!(
            "format {format} is not known to this build, which reads {FORMAT}"
        )),
        Line::Held {
            hold,
            team,
            need,
            amount_nano_usd,
            lease_ms,
            run,
        } => {
            let request = HoldRequest {
                id: id(&hold)?,
                need: need.into(),
                amount: Money::from_nanos(amount_nano_usd),
                lease_ms,
                max_wait_ms: None,
                floor_permille: 0,
                run: run.map(Into::into),
                force: true,
            };
            let one = Unlanded {
                team,
                request,
                ending: None,
                number: None,
            };
            found.insert(one.request.id, (place, one));
            Ok(())
        }
        Line::Extended {
            hold,
            amount_nano_usd,
        } => known(&hold, &|one| {
            one.request.amount = Money::from_nanos(amount_nano_usd);
        }),
        Line::Ended {
            hold,
            used,
            cost_nano_usd,
            call,
        } => known(&hold, &|one| {
            let ending = Ending::Settled {
                used: used.into(),
                cost: Money::from_nanos(cost_nano_usd),
            };
            one.ending = Some((ending, call.clone()));
        }),
        Line::Renumbered { hold, number } => known(&hold, &|one| one.number = Some(number)),
        Line::Landed { hold } => {
            found.remove(&id(&hold)?);
            Ok(())
        }
    }
}

fn id(hold: &str) -> Result<HoldId, String> {
    let parsed: Result<_, NotAnId> = hold.parse();
    parsed.map_err(|error| format!("{hold} {error}"))
}
