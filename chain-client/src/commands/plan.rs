//! What a run would take and cost. Asks the gateway for estimates only; no model is called.
//!
//! Later steps need the output of earlier ones, which nobody knows yet; stand-ins of the usual size
//! take their place, so that their figures are estimates of estimates.

use crate::{
    answer::{self, Ask, Recipe},
    args::PlanArgs,
    call::Caller,
    chain::{Chain, first_names, learn},
    clock, config,
    exit::Exit,
    failure::Refusal,
    gateway::Gateway,
    input::{self, Article, Item, Plan},
    metrics::Metrics,
    money::Money,
    observer::Observer,
    output::Output,
    prompt::{Library, Names},
    row::Role,
    step::Step,
    stop::Stop,
};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::Instant;
use tollgate_proto::v1::EstimateCostResponse;
use tonic::Code;

/// The estimate of one step over all articles.
#[derive(Clone, Debug, Default)]
struct StepPlan {
    calls: u64,
    input_tokens: i64,
    max_output_tokens: i64,
    low: Money,
    high: Money,
    not_fitting: u64,
    refused_now: u64,
    models: std::collections::BTreeSet<String>,
}

#[derive(Default)]
struct Estimate {
    steps: [StepPlan; 4],
    articles: u64,
    unfit: Vec<(String, String)>,
    unfit_count: u64,
}

pub(super) async fn plan(args: PlanArgs, output: &Output) -> Exit {
    let base = config::for_gateway(&args.gateway);
    let options = config::for_input(&args.input, args.gateway.config.as_deref());
    let (base, options) = match (base, options) {
        (Ok(base), Ok(options)) => (base, options),
        (base, options) => {
            let problems = [base.err(), options.err()]
                .into_iter()
                .flatten()
                .flatten()
                .collect();
            return super::refuse(output, &problems);
        }
    };
    let sources = match Plan::new(&args.input.input, &options) {
        Ok(sources) => sources,
        Err(problems) => return super::refuse(output, &problems),
    };
    let gateway = match Gateway::new(&base.url, &base.key, base.ca_file.as_deref()) {
        Ok(gateway) => gateway,
        Err(problem) => return super::refuse(output, &vec![problem]),
    };
    let chain = dry_chain(gateway, base.library, base.recipes, args.max_cost);
    let mut items = input::stream(sources, options);
    let mut estimate = Estimate::default();
    while let Some(item) = items.recv().await {
        match item {
            Item::Article(article) => {
                if let Err(status) = add(&chain, &article, &mut estimate).await {
                    return unable(&status, output);
                }
            }
            Item::Unfit(unfit) => {
                estimate.unfit_count += 1;
                if estimate.unfit.len() < 20 {
                    estimate.unfit.push((unfit.id, unfit.why.to_string()));
                }
            }
        }
    }
    if args.json {
        output.data(&as_json(&estimate).to_string());
    } else {
        output.data(&as_text(&estimate, args.max_cost));
    }
    Exit::Ok
}

/// Tries all templates with stand-ins, so that a wrong name is found before a run.
pub(super) fn render_all(library: &Library) -> Result<(), String> {
    let article = Article {
        n: 1,
        id: "sample".into(),
        source: "sample".into(),
        title: "Sample".into(),
        text: "Sample text.".into(),
        sha256: String::new(),
    };
    let mut names = first_names(&article);
    for step in Step::ALL {
        library
            .step(step)
            .render(&names)
            .map_err(|fault| fault.message)?;
        learn(step, &stand_in(step), &mut names);
    }
    let repair = ["schema", "errors", "output"].map(|name| (name, minijinja::Value::from("x")));
    library
        .repair
        .render(&Names::from(repair))
        .map_err(|fault| fault.message)?;
    Ok(())
}

fn dry_chain(
    gateway: Gateway,
    library: Library,
    recipes: [Recipe; 4],
    run_budget: Option<Money>,
) -> Chain {
    Chain {
        caller: Caller {
            gateway,
            stop: Stop::new(),
            observer: Arc::new(Observer::new(Arc::new(Metrics::new()))),
            started: Instant::now(),
            deadline: None,
            run_id: format!("plan-{}", clock::run_id(clock::now())),
            own_keys: Arc::default(),
        },
        library,
        recipes,
        run_budget,
    }
}

async fn add(chain: &Chain, article: &Article, plan: &mut Estimate) -> Result<(), tonic::Status> {
    plan.articles += 1;
    let mut names = first_names(article);
    for step in Step::ALL {
        let prompt = chain.library.step(step);
        let rendered = prompt
            .render(&names)
            .map_err(|fault| tonic::Status::invalid_argument(fault.message))?;
        let spec = answer::spec(
            chain,
            &Ask {
                step,
                prompt,
                rendered,
                article,
                role: Role::Primary,
            },
        );
        let estimate = chain.caller.gateway.estimate_cost(spec).await?;
        plan.steps[step.index()].add(&estimate);
        learn(step, &stand_in(step), &mut names);
    }
    Ok(())
}

impl StepPlan {
    fn add(&mut self, estimate: &EstimateCostResponse) {
        self.calls += 1;
        self.refused_now += u64::from(!estimate.admitted);
        let Some(first) = estimate.targets.iter().find(|target| !target.skipped) else {
            self.not_fitting += 1;
            return;
        };
        self.models.insert(first.model.clone());
        self.input_tokens += first.input_tokens;
        self.max_output_tokens += first.max_output_tokens;
        self.low += Money::from_nano_usd(first.min_cost_nano_usd);
        self.high += Money::from_nano_usd(first.max_cost_nano_usd.max(estimate.hold_nano_usd));
    }
}

/// An output of usual size.
fn stand_in(step: Step) -> Value {
    let names = |count: usize| -> Vec<Value> {
        (0..count)
            .map(|at| json!({"name": format!("Some Name {at}"), "mentions": 1}))
            .collect()
    };
    match step {
        Step::ExtractEntities => json!({
            "people": names(5), "places": names(5), "organizations": names(5),
            "dates": [{"text": "1 January 2026", "iso": "2026-01-01"}],
        }),
        Step::GenerateSummary => {
            json!({"summary": "word ".repeat(50), "sentences": 2})
        }
        Step::ClassifyContent => {
            json!({"labels": [{"label": "other", "confidence": 1.0}], "primary": "other"})
        }
        Step::ScoreQuality => json!({"relevance": 5, "quality": 5, "reason": "word"}),
    }
}

fn unable(status: &tonic::Status, output: &Output) -> Exit {
    if status.code() == Code::Unimplemented {
        output.note("this gateway does not serve EstimateCost; a plan cannot be made with it");
    } else {
        output.note(&format!("error: {}", Refusal::read(status).message));
    }
    Exit::Systemic
}

fn as_json(plan: &Estimate) -> Value {
    let steps: Vec<Value> = Step::ALL
        .into_iter()
        .map(|step| {
            let one = &plan.steps[step.index()];
            json!({
                "step": step,
                "calls": one.calls,
                "models": one.models,
                "input_tokens": one.input_tokens,
                "max_output_tokens": one.max_output_tokens,
                "cost_low_nano_usd": one.low.nano_usd(),
                "cost_high_nano_usd": one.high.nano_usd(),
                "not_fitting": one.not_fitting,
                "refused_now": one.refused_now,
            })
        })
        .collect();
    json!({
        "schema": "chain-client/plan/v1",
        "articles": plan.articles,
        "not_sent": plan.unfit_count,
        "steps": steps,
        "cost_low_nano_usd": plan.steps.iter().map(|one| one.low).sum::<Money>().nano_usd(),
        "cost_high_nano_usd": plan.steps.iter().map(|one| one.high).sum::<Money>().nano_usd(),
    })
}

fn as_text(plan: &Estimate, max_cost: Option<Money>) -> String {
    let mut lines = vec![format!(
        "{} articles, {} not sent",
        plan.articles, plan.unfit_count
    )];
    for (id, why) in &plan.unfit {
        lines.push(format!("  {id}: {why}"));
    }
    lines.push(format!(
        "{:18} {:>6} {:>10} {:>10}  {:>12} {:>12}  MODEL",
        "STEP", "CALLS", "TOK IN", "TOK OUT <=", "COST LOW", "COST HIGH"
    ));
    for step in Step::ALL {
        let one = &plan.steps[step.index()];
        let models: Vec<&str> = one.models.iter().map(String::as_str).collect();
        let mut line = format!(
            "{:18} {:>6} {:>10} {:>10}  {:>12} {:>12}  {}",
            step.name(),
            one.calls,
            one.input_tokens,
            one.max_output_tokens,
            one.low.short(),
            one.high.short(),
            models.join(", ")
        );
        if one.not_fitting > 0 {
            line.push_str(&format!("  ({} do not fit any model)", one.not_fitting));
        }
        if one.refused_now > 0 {
            line.push_str(&format!("  ({} would be refused now)", one.refused_now));
        }
        lines.push(line);
    }
    let low: Money = plan.steps.iter().map(|one| one.low).sum();
    let high: Money = plan.steps.iter().map(|one| one.high).sum();
    lines.push(format!(
        "{:18} {:>28}  {:>12} {:>12}",
        "total",
        "",
        low.short(),
        high.short()
    ));
    if let Some(bound) = max_cost {
        let verdict = if high <= bound {
            "is enough"
        } else if low <= bound {
            "may be too little"
        } else {
            "is too little"
        };
        lines.push(format!("the run budget of {bound} {verdict}"));
    }
    lines.join("\n")
}
