//! Checkpoints: all balances as of the beginning of a segment, so that a start need not read what
//! came before.
//!
//! A file of two lines: the checkpoint, and the hash of the first line. It is put in place whole,
//! after the segments before it are durable; so where a checkpoint is, nothing before it is torn.

use super::{
    Book, CounterRef, Fold, LedgerError, OpenEntry, RunLimit, TopUpMade,
    segment::{FORMAT, checkpoint_path},
};
use ring::digest;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
    sync::Arc,
};
use tollgate_core::{
    Money, Timestamp, Usage,
    account::{Counter, CounterKey},
    tally::{OTHER, Tally, UsageKey, UsageSum},
};

/// What is in a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    format: u32,
    segment: u64,
    entries: u64,
    latest_ms: i64,
    previous: Previous,
    teams: Vec<TeamPage>,
    open: Vec<OpenPage>,
}

/// The segment before, for whoever checks that it was not changed: `sha256sum` says the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Previous {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TeamPage {
    team: Arc<str>,
    counters: Vec<CounterPage>,
    runs: Vec<RunPage>,
    usage: UsagePage,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    top_ups: Vec<TopUpPage>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TopUpPage {
    request: Arc<str>,
    budget: Arc<str>,
    window: Arc<str>,
    amount_nano_usd: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CounterPage {
    budget: Arc<str>,
    window: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends_at_ms: Option<i64>,
    spent_nano_usd: i64,
    topped_up_nano_usd: i64,
    crossed_permille: u16,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunPage {
    run: Arc<str>,
    limit_nano_usd: i64,
    last_used_ms: i64,
}

/// Rows of usage refer to texts by their place: nearly all of a checkpoint is usage.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UsagePage {
    texts: Vec<Arc<str>>,
    days: Vec<(Arc<str>, Vec<Row>)>,
}

/// Pipeline, run, step, model; calls; input, cache read, cache write, output, reasoning; cost.
type Row = (
    usize,
    usize,
    usize,
    usize,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    i64,
);

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenPage {
    hold: Arc<str>,
    team: Arc<str>,
    at_ms: i64,
    held_nano_usd: i64,
    counters: Vec<CounterRef>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    sha256: String,
}

/// A checkpoint as text: `fold` as of the beginning of `segment`.
pub(super) fn encode(fold: &Fold, segment: u64, previous: Previous) -> Vec<u8> {
    let page = Page {
        format: FORMAT,
        segment,
        entries: fold.entries(),
        latest_ms: fold.latest().millis(),
        previous,
        teams: fold
            .teams()
            .map(|(name, book)| team_page(name, book))
            .collect(),
        open: fold.open().map(|(id, hold)| open_page(id, hold)).collect(),
    };
    let mut text = serde_json::to_vec(&page).expect("texts and numbers are JSON");
    let sha256 = hex(digest::digest(&digest::SHA256, &text).as_ref());
    text.push(b'\n');
    serde_json::to_writer(&mut text, &Seal { sha256 }).expect("a text is JSON");
    text.push(b'\n');
    text
}

/// Reads the checkpoint of a segment; says what is wrong with it if it can't be used.
pub(super) fn read(dir: &Path, segment: u64) -> Result<(Fold, Previous), String> {
    let path = checkpoint_path(dir, segment);
    let text = fs::read(path).map_err(|error| error.to_string())?;
    let mut lines = text.splitn(2, |byte| *byte == b'\n');
    let (page, seal) = (lines.next().unwrap_or(&[]), lines.next().unwrap_or(&[]));
    let seal: Seal = serde_json::from_slice(seal).map_err(|_| "it has no seal".to_owned())?;
    if seal.sha256 != hex(digest::digest(&digest::SHA256, page).as_ref()) {
        return Err("its hash is not that of its content".to_owned());
    }
    let page: Page = serde_json::from_slice(page).map_err(|error| error.to_string())?;
    if (page.format, page.segment) != (FORMAT, segment) {
        return Err("it is of another segment or format".to_owned());
    }
    let previous = page.previous.clone();
    Ok((fold(page)?, previous))
}

/// The size and the hash of a file.
pub(super) fn fingerprint(path: &Path) -> Result<Previous, LedgerError> {
    let sum = || -> io::Result<Previous> {
        let mut file = File::open(path)?;
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut piece = vec![0; 1 << 16];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                let sha256 = hex(hash.finish().as_ref());
                return Ok(Previous { bytes, sha256 });
            }
            hash.update(&piece[..read]);
            bytes += u64::try_from(read).expect("fits");
        }
    };
    sum().map_err(|source| LedgerError::io("read", path, source))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

fn team_page(name: &Arc<str>, book: &Book) -> TeamPage {
    TeamPage {
        team: Arc::clone(name),
        counters: book.counters.iter().map(counter_page).collect(),
        runs: book
            .runs
            .iter()
            .map(|(run, bound)| RunPage {
                run: Arc::clone(run),
                limit_nano_usd: bound.limit.nanos(),
                last_used_ms: bound.last_used.millis(),
            })
            .collect(),
        usage: usage_page(&book.tally),
        top_ups: book.top_ups.iter().map(top_up_page).collect(),
    }
}

fn top_up_page((request, made): (&Arc<str>, &TopUpMade)) -> TopUpPage {
    TopUpPage {
        request: Arc::clone(request),
        budget: Arc::clone(&made.counter.budget),
        window: Arc::clone(&made.counter.window),
        amount_nano_usd: made.amount.nanos(),
    }
}

/// Without what is held: the open holds say that.
fn counter_page((key, counter): (&CounterKey, &Counter)) -> CounterPage {
    CounterPage {
        budget: Arc::clone(&key.budget),
        window: Arc::clone(&key.window),
        ends_at_ms: counter.ends_at.map(Timestamp::millis),
        spent_nano_usd: counter.spent.nanos(),
        topped_up_nano_usd: counter.topped_up.nanos(),
        crossed_permille: counter.crossed_permille,
    }
}

fn open_page(id: &Arc<str>, hold: &OpenEntry) -> OpenPage {
    OpenPage {
        hold: Arc::clone(id),
        team: Arc::clone(&hold.team),
        at_ms: hold.at.millis(),
        held_nano_usd: hold.amount.nanos(),
        counters: hold.counters.clone(),
    }
}

fn usage_page(tally: &Tally) -> UsagePage {
    let mut page = UsagePage::default();
    let mut places: HashMap<Arc<str>, usize> = HashMap::new();
    for (day, key, sum) in all_rows(tally) {
        if page.days.last().is_none_or(|(last, _)| last != day) {
            page.days.push((Arc::clone(day), Vec::new()));
        }
        let mut place = |text: &Arc<str>| {
            *places.entry(Arc::clone(text)).or_insert_with(|| {
                page.texts.push(Arc::clone(text));
                page.texts.len() - 1
            })
        };
        let row = (
            place(&key.pipeline),
            place(&key.run),
            place(&key.step),
            place(&key.model),
            sum.calls,
            sum.usage.input,
            sum.usage.cache_read,
            sum.usage.cache_write,
            sum.usage.output,
            sum.usage.reasoning,
            sum.cost.nanos(),
        );
        page.days.last_mut().expect("just pushed").1.push(row);
    }
    page
}

/// All rows of a tally, by day.
pub(super) fn all_rows(tally: &Tally) -> impl Iterator<Item = (&Arc<str>, &UsageKey, &UsageSum)> {
    tally.rows("", "\u{10ffff}")
}

fn fold(page: Page) -> Result<Fold, String> {
    let mut teams = BTreeMap::new();
    for team in page.teams {
        let runs = team.runs.into_iter().map(|run| {
            let limit = Money::from_nanos(run.limit_nano_usd);
            let last_used = Timestamp::from_millis(run.last_used_ms);
            (run.run, RunLimit { limit, last_used })
        });
        let book = Book {
            counters: team.counters.into_iter().map(counter).collect(),
            runs: runs.collect(),
            top_ups: team.top_ups.into_iter().map(top_up).collect(),
            tally: tally(&team.usage).ok_or("a row of usage refers to no text")?,
        };
        teams.insert(team.team, book);
    }
    let open = page.open.into_iter().map(|hold| {
        let entry = OpenEntry {
            team: hold.team,
            at: Timestamp::from_millis(hold.at_ms),
            amount: Money::from_nanos(hold.held_nano_usd),
            counters: hold.counters,
        };
        (hold.hold, entry)
    });
    let read_so_far = (page.entries, Timestamp::from_millis(page.latest_ms));
    Ok(Fold::from_parts(teams, open.collect(), read_so_far))
}

fn top_up(page: TopUpPage) -> (Arc<str>, TopUpMade) {
    let made = TopUpMade {
        counter: CounterKey {
            budget: page.budget,
            window: page.window,
        },
        amount: Money::from_nanos(page.amount_nano_usd),
    };
    (page.request, made)
}

fn counter(page: CounterPage) -> (CounterKey, Counter) {
    let key = CounterKey {
        budget: page.budget,
        window: page.window,
    };
    let counter = Counter {
        spent: Money::from_nanos(page.spent_nano_usd),
        held: Money::ZERO,
        topped_up: Money::from_nanos(page.topped_up_nano_usd),
        crossed_permille: page.crossed_permille,
        ends_at: page.ends_at_ms.map(Timestamp::from_millis),
    };
    (key, counter)
}

fn tally(page: &UsagePage) -> Option<Tally> {
    let mut tally = Tally::default();
    for (day, rows) in &page.days {
        let mut rows = rows
            .iter()
            .map(|row| usage_row(&page.texts, *row))
            .collect::<Option<Vec<_>>>()?;
        // Rows that are sums of the rest come last: they may not take the place of a row.
        rows.sort_by_key(|(key, _)| &*key.run == OTHER && &*key.pipeline == OTHER);
        for (key, sum) in rows {
            tally.add(day, key, &sum);
        }
    }
    Some(tally)
}

fn usage_row(texts: &[Arc<str>], row: Row) -> Option<(UsageKey, UsageSum)> {
    let text = |place: usize| texts.get(place).cloned();
    let (
        pipeline,
        run,
        step,
        model,
        calls,
        input,
        cache_read,
        cache_write,
        output,
        reasoning,
        cost,
    ) = row;
    let key = UsageKey {
        pipeline: text(pipeline)?,
        run: text(run)?,
        step: text(step)?,
        model: text(model)?,
    };
    let usage = Usage {
        input,
        cache_read,
        cache_write,
        output,
        reasoning,
    };
    let cost = Money::from_nanos(cost);
    Some((key, UsageSum { calls, usage, cost }))
}
