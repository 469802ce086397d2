//! What one hold and one settlement cost Redis, by its own account.

use super::{
    floor::check,
    frames::{Frames, Ids, Template},
    packed::Packed,
    report::median,
};
use anyhow::{Context as _, Result};
use redis::{Value, aio::MultiplexedConnection};
use serde::Serialize;

/// The tag of the team that is measured with all that a script can have. As long as the others.
const FULL_TAG: &str = "{t:wider}";

/// How many are sent in a round, and how many at once.
const CALLS: usize = 10_000;
const AT_ONCE: usize = 100;

/// Microseconds for one call.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cost {
    /// Within the script, by `INFO commandstats`.
    pub script_us: f64,
    /// All that Redis' main thread used, reading and answering included, by `INFO cpu`.
    pub cpu_us: f64,
}

/// Both scripts.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Costs {
    /// Taking.
    pub hold: Cost,
    /// Ending.
    pub settle: Cost,
}

impl Costs {
    /// The median of each figure.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure).collect());
        Self {
            hold: Cost {
                script_us: of(|costs| costs.hold.script_us),
                cpu_us: of(|costs| costs.hold.cpu_us),
            },
            settle: Cost {
                script_us: of(|costs| costs.settle.script_us),
                cpu_us: of(|costs| costs.settle.cpu_us),
            },
        }
    }
}

/// Sends holds and their settlements.
pub(super) struct Meter {
    connection: MultiplexedConnection,
    tag: String,
    hold: Template,
    settle: Template,
    ids: Ids,
}

impl Meter {
    /// The scripts with four buckets, two gauges and four budgets.
    pub(super) async fn full(url: &str, frames: &Frames) -> Result<Self> {
        let client = redis::Client::open(url)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let (seconds, _): (i64, i64) = redis::cmd("TIME").query_async(&mut connection).await?;
        let now_ms = seconds * 1_000;
        let mut hold = frames.hold.clone();
        hold.args = vec![hold_args(&frames.id, now_ms)];
        // The call for the ledger stays as it was.
        let mut settle = frames.settle.clone();
        settle.args[0] = settle_args(&frames.id);
        let account = format!("tollgate:1:{FULL_TAG}:a");
        let mut seed = redis::cmd("HSET");
        seed.arg(account).arg("ep").arg(now_ms);
        seed.query_async::<i64>(&mut connection).await?;
        Ok(Self {
            connection,
            tag: FULL_TAG.to_owned(),
            hold: Template::new(&hold, &frames.id, FULL_TAG),
            settle: Template::new(&settle, &frames.id, FULL_TAG),
            ids: Ids::new(),
        })
    }

    /// One round.
    pub(super) async fn round(&mut self) -> Result<Costs> {
        let ids: Vec<String> = (0..CALLS).map(|_| self.ids.next()).collect();
        let hold = self.send(&self.hold.clone(), &ids, b'H').await?;
        let settle = self.send(&self.settle.clone(), &ids, b'E').await?;
        // Nobody drains this team's outbox.
        let outbox = format!("tollgate:1:{}:o", self.tag);
        let mut forget = redis::cmd("DEL");
        forget.arg(outbox);
        forget.query_async::<i64>(&mut self.connection).await?;
        Ok(Costs { hold, settle })
    }

    async fn send(&mut self, template: &Template, ids: &[String], expected: u8) -> Result<Cost> {
        let before = self.figures().await?;
        for some in ids.chunks(AT_ONCE) {
            let mut pipe = redis::pipe();
            for id in some {
                pipe.add_command(template.command(id));
            }
            let values: Vec<Value> = pipe.query_async(&mut self.connection).await?;
            values.iter().try_for_each(|value| check(value, expected))?;
        }
        let after = self.figures().await?;
        let each = |figure: fn(&Figures) -> f64| (figure(&after) - figure(&before)) / CALLS as f64;
        Ok(Cost {
            script_us: each(|figures| figures.script_us),
            cpu_us: each(|figures| figures.cpu_us),
        })
    }

    async fn figures(&mut self) -> Result<Figures> {
        let mut ask = redis::cmd("INFO");
        ask.arg("commandstats").arg("cpu");
        let info: String = ask.query_async(&mut self.connection).await?;
        Figures::read(&info)
    }
}

/// Sums since Redis started.
struct Figures {
    script_us: f64,
    cpu_us: f64,
}

impl Figures {
    fn read(info: &str) -> Result<Self> {
        let line = |name: &str| {
            let found = info.lines().find_map(|line| line.strip_prefix(name));
            found.with_context(|| format!("INFO has no {name}"))
        };
        let stats = line("cmdstat_evalsha:")?.split(',');
        let usec = stats.filter_map(|field| field.strip_prefix("usec=")).next();
        let seconds = |name| -> Result<f64> { Ok(line(name)?.trim().parse()?) };
        let user = seconds("used_cpu_user_main_thread:")?;
        let system = seconds("used_cpu_sys_main_thread:")?;
        Ok(Self {
            script_us: usec.context("no usec")?.parse()?,
            cpu_us: (user + system) * 1e6,
        })
    }
}

const BUCKETS: [(&str, i64, i64, i64); 4] = [
    ("b:requests_per_minute", 10_000_000, 1, 1),
    ("b:tokens_per_minute", 10_000_000_000, 2, 356),
    ("b:input_tokens_per_minute", 10_000_000_000, 3, 100),
    ("b:output_tokens_per_minute", 10_000_000_000, 4, 256),
];
const BUDGETS: [&str; 4] = ["day", "month", "pipeline-day", "pipeline-month"];
const LIMIT_NANOS: i64 = 1_000_000_000_000_000;
const MINUTE_MS: i64 = 60_000;

/// As `hold.lua` describes them.
fn hold_args(id: &str, now_ms: i64) -> Vec<u8> {
    let hours = |count: i64| now_ms + count * 60 * MINUTE_MS;
    let mut args = Packed::new();
    args.text(id).int(30_000).int(5_000).int(0).int(0).int(1);
    args.int(now_ms - 2 * MINUTE_MS).text("18360000");
    args.int(1).int(100).int(256).text("").text("");
    args.int(4).int(2).int(4);
    for (field, rate, _, need) in BUCKETS {
        args.text(field).int(rate).int(MINUTE_MS);
        args.int(rate).int(need).int(0);
    }
    for field in ["g:team", "g:pipeline"] {
        args.text(field).int(1_000_000);
    }
    for name in BUDGETS {
        args.text(name).int(LIMIT_NANOS).int(1);
        args.text("this").int(hours(12)).text("next").int(hours(36));
    }
    args.finish()
}

/// As `settle.lua` describes them.
fn settle_args(id: &str) -> Vec<u8> {
    let mut args = Packed::new();
    args.text(id)
        .text("S")
        .int(1)
        .int(7)
        .int(35)
        .text("2310000");
    args.int(15 * MINUTE_MS).int(24 * 60 * MINUTE_MS);
    args.int(1).int(4).int(4).int(1);
    args.text("nobody").int(2_000).int(32 * 24 * 60 * MINUTE_MS);
    for (field, rate, unit, _) in BUCKETS {
        args.text(field).int(rate).int(MINUTE_MS);
        args.int(rate).int(unit);
    }
    for name in BUDGETS {
        args.text(name).int(LIMIT_NANOS).int(3);
        args.int(500).int(800).int(1_000);
    }
    args.text("content-analysis ask gpt-4").text("rest");
    args.int(1)
        .int(7)
        .int(0)
        .int(0)
        .int(35)
        .int(0)
        .int(2_310_000);
    args.finish()
}
