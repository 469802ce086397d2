//! Comparing what is kept, and what must hold of it.

use super::*;
use crate::store::redis::pack::Garbled;

impl Pair<'_> {
    /// All fields of the account.
    pub(super) fn account(&self) -> HashMap<String, Vec<u8>> {
        let value = self
            .world
            .command(redis::cmd("HGETALL").arg(self.keys.account()));
        HashMap::from_redis_value(value).expect("a hash")
    }

    /// I3, I4, I7 and I10, and that both keep the same.
    pub(super) fn look(&self) -> Result<(), String> {
        let account = self.account();
        self.look_at_buckets(&account)?;
        self.look_at_money(&account)?;
        let value = self
            .world
            .command(redis::cmd("ZCARD").arg(self.keys.leases()));
        let open = i64::try_from(self.model.open_holds()).expect("few");
        same(&Value::Int(open), &value)?;
        self.look_at_ledger()
    }

    fn look_at_buckets(&self, account: &HashMap<String, Vec<u8>>) -> Result<(), String> {
        for (field, value) in account {
            if let Some(name) = field.strip_prefix("b:") {
                let level = Unpacker::new(value).and_then(|mut bucket| bucket.int());
                let level = level.map_err(|_| format!("{field} is no integer"))?;
                // A bucket that only an earmark or a provider touched is full in the model.
                let known = self.model.level(name);
                if known.is_some_and(|known| known != level) {
                    return Err(format!("{field}: model {known:?}, redis {level}"));
                }
            }
            if let Some(name) = field.strip_prefix("g:") {
                same(&self.model.gauge(name).to_string(), &text(value))?;
            }
        }
        Ok(())
    }

    fn look_at_money(&self, account: &HashMap<String, Vec<u8>>) -> Result<(), String> {
        for (key, counter) in self.model.counters() {
            if counter.held != self.model.held_by_open(key) {
                return Err(format!("{key:?}: held is not the sum of open holds"));
            }
            let kept = if &*key.budget == RUN {
                self.run_of(&key.window)
            } else {
                let money = |kind| {
                    let field = format!("{kind}:{}:{}", key.budget, key.window);
                    account.get(&field).map(|value| text(value))
                };
                (money("s"), money("h"))
            };
            let number = |text: Option<String>| text.unwrap_or_else(|| "0".to_owned());
            let kept = (number(kept.0), number(kept.1));
            let model = (
                counter.spent.nanos().to_string(),
                counter.held.nanos().to_string(),
            );
            same(&model, &kept).map_err(|why| format!("{key:?}: {why}"))?;
        }
        Ok(())
    }

    fn run_of(&self, run: &str) -> (Option<String>, Option<String>) {
        let mut get = redis::cmd("HMGET");
        let value = self
            .world
            .command(get.arg(self.keys.run(run)).arg("s").arg("h"));
        <(Option<String>, Option<String>)>::from_redis_value(value).expect("two fields")
    }

    /// I4: what was spent, added and crossed is what the outbox says, which nobody drains here.
    fn look_at_ledger(&self) -> Result<(), String> {
        let mut range = redis::cmd("XRANGE");
        range.arg(self.keys.outbox()).arg("-").arg("+");
        let value = self.world.command(&range);
        let rows: Vec<(String, Vec<Vec<u8>>)> = Vec::from_redis_value(value).expect("entries");
        let mut sums = HashMap::new();
        for (_, fields) in rows {
            told(&fields[1], &mut sums).map_err(|_| "an entry can't be read".to_owned())?;
        }
        for (key, counter) in self.model.counters() {
            let told = sums.get(key).copied().unwrap_or_default();
            let known = Told {
                spent: counter.spent.nanos(),
                topped_up: counter.topped_up.nanos(),
                crossed: i64::from(counter.crossed_permille),
            };
            same(&known, &told).map_err(|why| format!("the ledger of {key:?}: {why}"))?;
        }
        Ok(())
    }

    /// Real time does not pass, so what the model forgets is deleted by hand.
    pub(super) fn forget(&mut self) {
        let limits = Arc::clone(self.limits());
        let nobody = HoldId::new(Timestamp::from_millis(1), 1 << 8);
        // An ending of nobody's hold makes the model look at its clock.
        let reply = self
            .model
            .end(&limits, nobody, Ending::Expired, self.now, MEMORY);
        assert_eq!(reply, SettleReply::Unknown);
        let mut delete = redis::cmd("DEL");
        delete.arg("nothing");
        for number in 0..24 {
            if self.model.state(id(number)).is_none() {
                delete.arg(self.keys.record(id(number)));
            }
        }
        self.world.command(&delete);
    }

    /// I8: when time has passed, every hold has ended.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        // Longer than any lease, even if the clock stepped back in every step.
        self.now = self.now + 500_000;
        self.set_time();
        self.sweep()?;
        self.look()?;
        self.balances()?;
        same(&0, &self.model.open_holds())
    }
}

/// What the outbox tells of one counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Told {
    spent: i64,
    topped_up: i64,
    crossed: i64,
}

/// Adds what one entry tells.
fn told(entry: &[u8], sums: &mut HashMap<CounterKey, Told>) -> Result<(), Garbled> {
    let mut entry = Unpacker::new(entry)?;
    let key = |entry: &mut Unpacker<'_>| -> Result<CounterKey, Garbled> {
        Ok(CounterKey {
            budget: entry.text()?.into(),
            window: entry.text()?.into(),
        })
    };
    let kind = entry.text()?.to_owned();
    entry.int()?;
    match &*kind {
        "M" => {
            let sum = sums.entry(key(&mut entry)?).or_default();
            entry.int()?;
            sum.crossed = sum.crossed.max(entry.int()?);
        }
        "T" => {
            entry.text()?;
            let amount = entry.number()?;
            let sum = sums.entry(key(&mut entry)?).or_default();
            sum.topped_up += amount;
            // A higher bound can be approached again.
            sum.crossed = 0;
        }
        _ => {
            entry.text()?;
            let charge = entry.number()?;
            for counter in reply::body(entry.bytes()?)?.counters {
                let key = CounterKey {
                    budget: counter.budget,
                    window: counter.window,
                };
                sums.entry(key).or_default().spent += charge;
            }
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl World {
    /// Lets the gateway's clock be off by so much, until the time is set again.
    pub(in crate::store::redis::tests) fn be_off_by(&self, millis: i64) {
        self.clock.step(millis);
    }
}
