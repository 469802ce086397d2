//! The configuration that is in force, as TOML: with all defaults, without secrets.
//!
//! It is a configuration itself: read again where the same secrets are set, it is the same.

use super::{
    Config,
    admin::Admin,
    alerts, budget, catalogue,
    model::{self, Model},
    provider, route,
    secret::Secret,
    server, store,
    team::{self, Key, Team},
    telemetry,
    text::{duration_text, permille_text, size_text},
};
use crate::tls::Files;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tollgate_core::{
    limit::Limits,
    price::{Price, Rate, Rates},
};
use toml::{Table, Value};

const HEADER: &str = "\
# What is in force, with all defaults.
# Secrets are [redacted]: only their variables or files are named.
";

impl Config {
    /// What is in force as TOML, with all defaults, and secrets named but not shown.
    #[must_use]
    pub fn redacted(&self) -> String {
        let complexity = self.complexity.iter();
        let complexity: Table = complexity
            .map(|(complexity, route)| (complexity.name().to_owned(), text(route)))
            .collect();
        let breaker = table([
            ("failures", number(self.breaker.failures)),
            (
                "open",
                duration(Duration::from_millis(self.breaker.open_ms)),
            ),
        ]);
        let telemetry = table([
            (
                "log_format",
                word(&telemetry::FORMATS, self.telemetry.log_format),
            ),
            (
                "log_level",
                word(&telemetry::LEVELS, self.telemetry.log_level),
            ),
        ]);
        // One by one, to keep the order in which people write them.
        let sections = [
            ("server", server(&self.server)),
            ("admin", admin(&self.admin)),
            ("store", store(&self.store)),
            ("ledger", ledger(&self.ledger)),
            ("interactions", interactions(&self.interactions)),
            ("providers", named(&self.providers, provider)),
            ("models", named(&self.models, model)),
            ("routes", named(&self.routes, route)),
            ("complexity", complexity),
            ("teams", named(&self.teams, team)),
            ("alerts", alerts(&self.alerts)),
            ("breaker", breaker),
            ("telemetry", telemetry),
        ];
        let mut printed = HEADER.to_owned();
        for (name, section) in sections
            .into_iter()
            .filter(|(_, section)| !section.is_empty())
        {
            printed.push('\n');
            printed.push_str(&table([(name, section.into())]).to_string());
        }
        printed
    }
}

fn server(server: &server::Server) -> Table {
    let mut table = table([
        ("listen", text(&server.listen.to_string())),
        ("metrics_listen", text(&server.metrics_listen.to_string())),
        ("plaintext", server.plaintext.into()),
        ("max_in_flight", number(server.max_in_flight)),
        ("shutdown_grace", duration(server.shutdown_grace)),
        ("max_message_bytes", size(server.max_message_bytes)),
        ("reflection", server.reflection.into()),
        ("idempotency_window", duration(server.idempotency_window)),
        ("hangup_grace", duration(server.hangup_grace)),
        ("max_wait", duration(server.max_wait)),
    ]);
    name_secret(&mut table, "key_pepper", server.key_pepper.as_ref());
    if let Some(Files {
        cert_file,
        key_file,
    }) = &server.tls
    {
        let tls = self::table([
            ("cert_file", text(&cert_file.to_string_lossy())),
            ("key_file", text(&key_file.to_string_lossy())),
        ]);
        table.insert("tls".into(), tls.into());
    }
    table
}

fn store(store: &store::Store) -> Table {
    let budgets = store.on_failure.budgets;
    let mut on_failure = table([
        ("limits", word(&store::LIMITS, store.on_failure.limits)),
        ("budgets", word(&store::BUDGETS, budgets.word())),
    ]);
    if let store::BudgetsOnFailure::Grace(grace) = budgets {
        let grace = table([
            ("amount", text(&grace.amount.to_string())),
            ("lasts", duration(grace.lasts)),
        ]);
        on_failure.insert("grace".into(), grace.into());
    }
    if let Some(journal) = &store.on_failure.journal {
        on_failure.insert("journal".into(), text(&journal.to_string_lossy()));
    }
    let mut table = table([
        ("on_failure", on_failure.into()),
        ("expected_replicas", number(store.expected_replicas.get())),
    ]);
    match &store.kind {
        store::Kind::Memory => {
            table.insert("kind".into(), text("memory"));
        }
        store::Kind::Redis(redis) => {
            table.insert("kind".into(), text("redis"));
            let topology = word(&store::TOPOLOGIES, redis.topology.word());
            table.insert("topology".into(), topology);
            let timeout = duration(redis.command_timeout);
            table.insert("command_timeout".into(), timeout);
            table.insert("drain".into(), redis.drain.into());
            name_secret(&mut table, "url", Some(&redis.url));
            if let store::Topology::Sentinel { master, master_url } = &redis.topology {
                table.insert("master".into(), text(master));
                name_secret(&mut table, "master_url", master_url.as_ref());
            }
        }
    }
    table
}

fn ledger(ledger: &super::ledger::Ledger) -> Table {
    table([
        ("dir", text(&ledger.dir.to_string_lossy())),
        ("fsync_interval", duration(ledger.fsync_interval)),
        ("segment_bytes", size(ledger.segment_bytes)),
    ])
}

fn interactions(interactions: &super::interactions::Interactions) -> Table {
    table([
        ("dir", text(&interactions.dir.to_string_lossy())),
        ("max_body_bytes", size(interactions.max_body_bytes)),
        ("segment_bytes", size(interactions.segment_bytes)),
        ("keep_segments", number(interactions.keep_segments)),
    ])
}

fn provider(provider: &provider::Provider) -> Table {
    let mut table = table([
        ("kind", word(&provider::KINDS, provider.kind)),
        ("base_url", text(&provider.base_url)),
        ("allow_private", provider.allow_private.into()),
    ]);
    name_secret(&mut table, "api_key", provider.api_key.as_ref());
    table
}

fn model(model: &Model) -> Table {
    let deployments: Vec<Value> = model
        .deployments
        .iter()
        .map(
            |model::Deployment {
                 provider,
                 name,
                 limits,
             }| {
                let mut table = table([("provider", text(provider)), ("name", text(name))]);
                add_limits(&mut table, limits);
                table.into()
            },
        )
        .collect();
    table([
        ("context_tokens", number(model.context_tokens)),
        ("max_output_tokens", number(model.max_output_tokens)),
        ("default_output_tokens", number(model.default_output_tokens)),
        ("price", price(&model.price, &model.price_as_of).into()),
        ("tokenizer", word(&catalogue::TOKENIZERS, model.tokenizer)),
        (
            "token_factor",
            text(&permille_text(model.token_factor.permille)),
        ),
        ("deployments", deployments.into()),
    ])
}

fn price(price: &Price, as_of: &str) -> Table {
    let mut table = rates(&price.base);
    if let Some(long) = &price.long_context {
        let mut long_context = rates(&long.rates);
        let above = number(long.above_input_tokens);
        long_context.insert("above_input_tokens".into(), above);
        table.insert("long_context".into(), long_context.into());
    }
    if !as_of.is_empty() {
        table.insert("as_of".into(), text(as_of));
    }
    table
}

fn rates(rates: &Rates) -> Table {
    table([
        ("input", rate(rates.input)),
        ("output", rate(rates.output)),
        ("cached_input", rate(rates.cache_read)),
        ("cache_write", rate(rates.cache_write)),
    ])
}

/// Dollars per million tokens, exact.
fn rate(rate: Rate) -> Value {
    let micros = rate.picos();
    let fraction = format!("{:06}", micros % 1_000_000);
    let kept = fraction.trim_end_matches('0');
    let point = if kept.is_empty() { "" } else { "." };
    text(&format!("{}{point}{kept}", micros / 1_000_000))
}

fn route(route: &route::Route) -> Table {
    let mut table = table([
        ("targets", texts(&route.targets)),
        ("attempt_timeout", duration(route.attempt_timeout)),
        ("retries", number(route.retries)),
    ]);
    if let Some(pressure) = &route.under_pressure {
        let mut under_pressure = Table::new();
        under_pressure.insert("from".into(), share(pressure.from_permille));
        under_pressure.insert("targets".into(), texts(&pressure.targets));
        table.insert("under_pressure".into(), under_pressure.into());
    }
    table
}

fn team(team: &Team) -> Table {
    let budgets: Vec<Value> = team
        .budgets
        .iter()
        .map(|budget| {
            Value::from(table([
                ("per", word(&budget::SPANS, budget.per)),
                ("amount", text(&budget.amount.to_string())),
                ("hard", budget.hard.into()),
                ("zone", text(budget.zone.name())),
            ]))
        })
        .collect();
    let mut table = table([
        ("keys", keys(&team.keys)),
        ("routes", texts(&team.routes)),
        ("budgets", budgets.into()),
        ("pipelines", texts(&team.pipelines)),
        ("log_bodies", word(&team::BODIES, team.log_bodies)),
        ("share", i64::from(team.share).into()),
    ]);
    if let Some(models) = &team.models {
        table.insert("models".into(), texts(models));
    }
    add_limits(&mut table, &team.limits);
    table
}

fn keys(keys: &[Key]) -> Value {
    let one = |key: &Key| {
        let mut table = table([("id", text(&key.id))]);
        name_secret(&mut table, "hmac", Some(&key.secret));
        Value::from(table)
    };
    keys.iter().map(one).collect::<Vec<_>>().into()
}

fn admin(admin: &Admin) -> Table {
    let Some(listen) = admin.listen else {
        return Table::new();
    };
    table([
        ("listen", text(&listen.to_string())),
        ("keys", keys(&admin.keys)),
    ])
}

fn add_limits(to: &mut Table, limits: &Limits) {
    let rates = limits
        .buckets
        .iter()
        .map(|bucket| (&bucket.name, bucket.limit));
    let gauges = limits.gauges.iter().map(|gauge| (&gauge.name, gauge.limit));
    let limits: Table = rates
        .chain(gauges)
        .map(|(name, limit)| (name.to_string(), number(limit)))
        .collect();
    if !limits.is_empty() {
        to.insert("limits".into(), limits.into());
    }
}

fn alerts(alerts: &alerts::Alerts) -> Table {
    let thresholds: Vec<Value> = alerts
        .marks
        .iter()
        .map(|mark| share(mark.permille))
        .collect();
    let mut table = table([("thresholds", thresholds.into())]);
    name_secret(&mut table, "webhook", alerts.webhook.as_ref());
    table
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn named<T>(all: &BTreeMap<Arc<str>, T>, print: impl Fn(&T) -> Table) -> Table {
    all.iter()
        .map(|(name, one)| (name.to_string(), print(one).into()))
        .collect()
}

fn name_secret(to: &mut Table, stem: &str, secret: Option<&Secret>) {
    let reference = secret.map(|secret| secret.reference(stem));
    to.extend(reference.map(|(key, value)| (key, Value::from(value))));
}

fn text(text: &str) -> Value {
    Value::from(text)
}

fn texts<'a>(all: impl IntoIterator<Item = &'a Arc<str>>) -> Value {
    let all: Vec<Value> = all.into_iter().map(|one| text(one)).collect();
    all.into()
}

/// A number that its bounds keep within what TOML has.
fn number(number: impl TryInto<i64>) -> Value {
    Value::from(number.try_into().unwrap_or(i64::MAX))
}

fn size(bytes: impl TryInto<u64>) -> Value {
    text(&size_text(bytes.try_into().unwrap_or(u64::MAX)))
}

fn duration(duration: Duration) -> Value {
    text(&duration_text(duration))
}

/// A share with the digits that it is read by: the nearest double of three decimal places.
fn share(permille: u16) -> Value {
    let digits = permille_text(permille.into());
    Value::from(digits.parse::<f64>().expect("decimal digits are a float"))
}

fn word<T: PartialEq>(words: &[(&str, T)], meaning: T) -> Value {
    let found = words.iter().find(|(_, candidate)| *candidate == meaning);
    text(found.expect("every meaning has its word").0)
}
