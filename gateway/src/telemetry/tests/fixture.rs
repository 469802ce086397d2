//! A catalog of any size, and an observer that has seen everything.

use crate::{
    calendar::{Span, ZonedCalendar},
    call::{Attribution, Call, Message, Role, Sampling, Target},
    catalog::{Bodies, Catalog, Deployment, Model, Pressure, Route, Team, Tokenizer},
    complete::{Attempt, AttemptOutcome, Completion, Receipt},
    provider::{Answer, Ask, Failure, FailureKind, Finish, Provider},
    telemetry::{Build, Observer},
    testing::ManualClock,
};
use futures_util::future::BoxFuture;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tollgate_core::{
    HoldId, Money, Timestamp, Usage,
    budget::{BudgetSpec, Mark},
    limit::{BucketSpec, GaugeSpec, Limits, Scope, Unit},
    price::{Price, Rate, Rates},
    quote::TokenFactor,
};

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// Answers nothing: the tests tell the observer what happened.
struct Mute;

impl Provider for Mute {
    fn complete(&self, _ask: Ask) -> BoxFuture<'static, Result<Answer, Failure>> {
        Box::pin(std::future::pending())
    }
}

pub(super) fn deployment(id: &str) -> Arc<Deployment> {
    Arc::new(Deployment {
        id: id.into(),
        provider: "provider".into(),
        upstream_model: "upstream".into(),
        limits: Arc::new(Limits::none(Scope::Deployment(id.into()))),
        adapter: Arc::new(Mute),
    })
}

fn model(name: &str, deployments: Vec<Arc<Deployment>>) -> Arc<Model> {
    let free = Rate::from_picos(0);
    Arc::new(Model {
        name: name.into(),
        context_tokens: 8_192,
        max_output_tokens: 4_096,
        default_output_tokens: 1_024,
        price: Price {
            base: Rates {
                input: free,
                output: free,
                cache_read: free,
                cache_write: free,
            },
            long_context: None,
        },
        price_as_of: "".into(),
        tokenizer: Tokenizer::O200k,
        token_factor: TokenFactor::default(),
        deployments,
    })
}

/// The limits of a team: everything that can be limited, and a budget per day and month.
pub(super) fn limits(team: &str) -> Limits {
    let units = [
        Unit::Requests,
        Unit::Tokens,
        Unit::InputTokens,
        Unit::OutputTokens,
    ];
    let budget = |span: Span| BudgetSpec {
        name: span.name().into(),
        limit: Some(Money::from_nanos(1_000_000)),
        hard: true,
        calendar: Arc::new(ZonedCalendar::new(span, chrono_tz::Tz::UTC)),
        marks: [500, 800, 1_000].map(|permille| Mark { permille }).into(),
    };
    Limits {
        scope: Scope::Team(team.into()),
        buckets: units.map(|unit| BucketSpec::per_minute(unit, 1_000)).into(),
        gauges: vec![GaugeSpec {
            name: "concurrency".into(),
            limit: 32,
        }],
        budgets: vec![budget(Span::Day), budget(Span::Month)],
    }
}

pub(super) fn team(name: &str, models: &BTreeSet<Arc<str>>) -> Arc<Team> {
    Arc::new(Team {
        name: name.into(),
        routes: BTreeSet::from(["route-0".into()]),
        models: models.clone(),
        limits: Arc::new(limits(name)),
        pipelines: BTreeSet::from(["content-analysis".into()]),
        log_bodies: Bodies::Off,
        share: 1,
    })
}

/// A catalog in which every team can reach every model.
pub(super) fn catalog(teams: usize, models: usize, deployments: usize) -> Catalog {
    let models: Vec<Arc<Model>> = (0..models)
        .map(|number| {
            let mine = (0..deployments).filter(|d| d % models == number || models > deployments);
            let own = if models > deployments {
                number % deployments
            } else {
                usize::MAX
            };
            let ids = mine.filter(|d| own == usize::MAX || *d == own);
            let all = ids.map(|d| deployment(&format!("provider/deployment-{d}")));
            model(&format!("model-{number}"), all.collect())
        })
        .collect();
    // Every third model has the next two behind it.
    let routes = models.chunks(3).enumerate().map(|(number, targets)| Route {
        name: format!("route-{number}").into(),
        targets: targets.to_vec(),
        attempt_timeout: Duration::from_secs(30),
        retries: 1,
        under_pressure: targets.first().map(|first| Pressure {
            from_permille: 800,
            targets: vec![Arc::clone(first)],
        }),
    });
    let names: BTreeSet<Arc<str>> = models.iter().map(|m| Arc::clone(&m.name)).collect();
    let teams = (0..teams).map(|number| team(&format!("team-{number}"), &names));
    Catalog {
        routes: routes.map(|r| (Arc::clone(&r.name), Arc::new(r))).collect(),
        models: models
            .iter()
            .map(|m| (Arc::clone(&m.name), Arc::clone(m)))
            .collect(),
        teams: teams.map(|team| (Arc::clone(&team.name), team)).collect(),
        complexity: BTreeMap::new(),
        price_version: "2026-11-24".into(),
    }
}

pub(super) fn observer(catalog: &Catalog) -> Arc<Observer> {
    let build = Build {
        version: "0.1.0",
        revision: "abcdef",
    };
    let observer = Observer::new(catalog, build, Arc::new(ManualClock::at(NOW.millis())));
    observer.configured(catalog, "hash-1");
    Arc::new(observer)
}

pub(super) fn call(target: Target, pipeline: &str) -> Arc<Call> {
    Arc::new(Call {
        target,
        messages: vec![Message {
            role: Role::User,
            parts: vec!["the secret prompt".into()],
        }],
        max_output_tokens: None,
        sampling: Sampling::default(),
        schema: None,
        attribution: Attribution {
            pipeline: pipeline.into(),
            run: "run-7\n{\"level\":\"ERROR\"}".into(),
            step: "summary".into(),
            ..Attribution::default()
        },
        idempotency_key: None,
        run_budget: None,
        priority: crate::call::Priority::default(),
        trace: None,
    })
}

pub(super) fn id(number: u128) -> HoldId {
    HoldId::new(NOW, number << 8).call()
}

pub(super) const USAGE: Usage = Usage {
    input: 100,
    cache_read: 20,
    cache_write: 3,
    output: 50,
    reasoning: 7,
};

pub(super) fn attempt(outcome: AttemptOutcome, cost: i64) -> Attempt {
    Attempt {
        model: "model-0".into(),
        deployment: "provider/deployment-0".into(),
        outcome,
        usage: USAGE,
        cost: Money::from_nanos(cost),
        duration: Duration::from_millis(700),
        http_status: Some(200),
        estimated: false,
    }
}

pub(super) fn failure(kind: FailureKind) -> Failure {
    Failure::new(kind, "what the provider's code was")
}

pub(super) fn completion(replayed: bool) -> Completion {
    Completion {
        text: "the secret answer".into(),
        finish: Finish::Stop,
        receipt: Receipt {
            id: id(1),
            route: "route-0".into(),
            attempts: [attempt(AttemptOutcome::Ok, 900)].into(),
            held: Money::from_nanos(1_000),
            price_version: "2026-11-24".into(),
            waited: Duration::from_millis(5),
            budgets: Vec::new(),
            replayed,
            under_pressure: false,
        },
    }
}
