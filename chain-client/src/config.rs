//! What a run is told to do: flags and environment first, then chain.toml, then defaults.
//!
//! Everything is checked here, once, and all that is wrong is told at once.

mod environment;
mod file;
mod tolerance;

pub(crate) use environment::no_color;
pub(crate) use tolerance::Tolerance;

use crate::{
    answer::Recipe,
    args::{GatewayArgs, InputArgs, MetricsArgs, MetricsAt, RunArgs, metrics_at},
    input::Options,
    money::Money,
    prompt::{self, DEFAULT_VERSION, Library},
    span,
    step::Step,
};
use file::File;
use secrecy::SecretString;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};
use tollgate_proto::v1::completion_spec::Target;

const DEFAULT_URL: &str = "http://127.0.0.1:50051";
const DEFAULT_CONCURRENCY: usize = 8;
const MAX_CONCURRENCY: usize = 1024;
const DEFAULT_DRAIN: Duration = Duration::from_secs(20);
const DEFAULT_METRICS_PORT: u16 = 9465;

/// All problems of a configuration, worded for the one who can mend them.
pub(crate) type Problems = Vec<String>;

/// How to reach the gateway, and with which prompts.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) url: String,
    pub(crate) key: SecretString,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) library: Library,
    pub(crate) recipes: [Recipe; 4],
}

/// What a run is told to do.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) base: Base,
    pub(crate) inputs: Vec<String>,
    pub(crate) input: Options,
    pub(crate) out: Option<PathBuf>,
    pub(crate) concurrency: usize,
    pub(crate) time_budget: Option<Duration>,
    pub(crate) max_cost: Option<Money>,
    pub(crate) max_failures: Tolerance,
    pub(crate) drain: Duration,
    pub(crate) metrics: MetricsSettings,
}

#[derive(Clone, Debug)]
pub(crate) struct MetricsSettings {
    pub(crate) at: MetricsAt,
    /// Whether somebody asked for the address, so that not getting it is an error.
    pub(crate) asked_for: bool,
    pub(crate) linger: Option<Duration>,
    pub(crate) textfile: Option<PathBuf>,
}

/// Settings of a run.
pub(crate) fn for_run(args: RunArgs) -> Result<Settings, Problems> {
    let mut problems = Problems::new();
    let file = read_file(args.gateway.config.as_deref(), &mut problems);
    let base = base(&args.gateway, &file, &mut problems);
    let input = input(&args.input, &file, &mut problems);
    let metrics = metrics(args.metrics, &file, &mut problems);
    let mut keep = Keep(&mut problems);
    let time_budget = args.time_budget.or_else(|| {
        keep.some(
            "run.time_budget",
            file.run.time_budget.as_deref(),
            span::parse,
        )
    });
    let max_cost = args.max_cost.or_else(|| {
        keep.some("run.max_cost", file.run.max_cost.as_deref(), |text| {
            Money::parse_usd(text).map_err(|error| error.to_string())
        })
    });
    let drain = args
        .drain
        .or_else(|| keep.some("run.drain", file.run.drain.as_deref(), span::parse));
    let tolerance = args
        .max_failures
        .as_deref()
        .or(file.run.max_failures.as_deref());
    let max_failures = keep.some("max_failures", tolerance, Tolerance::parse);
    let concurrency = args
        .concurrency
        .or(file.run.concurrency)
        .unwrap_or(DEFAULT_CONCURRENCY);
    if !(1..=MAX_CONCURRENCY).contains(&concurrency) {
        problems.push(format!(
            "concurrency: {concurrency} is not between 1 and {MAX_CONCURRENCY}"
        ));
    }
    if max_cost == Some(Money::ZERO) {
        problems.push("max_cost: must be above 0".into());
    }
    if time_budget == Some(Duration::ZERO) {
        problems.push("time_budget: must be above 0".into());
    }
    match base {
        Some(base) if problems.is_empty() => Ok(Settings {
            base,
            inputs: args.input.input,
            input,
            out: args.out,
            concurrency,
            time_budget,
            max_cost,
            max_failures: max_failures.unwrap_or(Tolerance::Articles(0)),
            drain: drain.unwrap_or(DEFAULT_DRAIN),
            metrics,
        }),
        _ => Err(problems),
    }
}

/// How to reach the gateway, for `plan` and `doctor`.
pub(crate) fn for_gateway(args: &GatewayArgs) -> Result<Base, Problems> {
    let mut problems = Problems::new();
    let file = read_file(args.config.as_deref(), &mut problems);
    match base(args, &file, &mut problems) {
        Some(base) if problems.is_empty() => Ok(base),
        _ => Err(problems),
    }
}

/// How to read articles, for `plan`.
pub(crate) fn for_input(args: &InputArgs, config: Option<&Path>) -> Result<Options, Problems> {
    let mut problems = Problems::new();
    let file = read_file(config, &mut problems);
    let options = input(args, &file, &mut problems);
    if problems.is_empty() {
        Ok(options)
    } else {
        Err(problems)
    }
}

/// Prompts and configuration alone, for `validate`.
pub(crate) fn for_prompts(
    config: Option<&Path>,
    prompts: Option<&Path>,
) -> Result<(Library, [Recipe; 4]), Problems> {
    let mut problems = Problems::new();
    let file = read_file(config, &mut problems);
    let recipes = library(prompts, &file, &mut problems);
    let mut keep = Keep(&mut problems);
    keep.some(
        "run.time_budget",
        file.run.time_budget.as_deref(),
        span::parse,
    );
    keep.some("run.drain", file.run.drain.as_deref(), span::parse);
    keep.some(
        "run.max_failures",
        file.run.max_failures.as_deref(),
        Tolerance::parse,
    );
    keep.some("metrics.addr", file.metrics.addr.as_deref(), metrics_at);
    keep.some(
        "metrics.linger",
        file.metrics.linger.as_deref(),
        span::parse,
    );
    keep.some("run.max_cost", file.run.max_cost.as_deref(), |text| {
        Money::parse_usd(text).map_err(|error| error.to_string())
    });
    match recipes {
        Some(recipes) if problems.is_empty() => Ok(recipes),
        _ => Err(problems),
    }
}

/// Collects what is wrong and goes on.
struct Keep<'a>(&'a mut Problems);

impl Keep<'_> {
    fn some<T>(
        &mut self,
        path: &str,
        text: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(text?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.0.push(format!("{path}: {problem}"));
                None
            }
        }
    }
}

fn read_file(path: Option<&Path>, problems: &mut Problems) -> File {
    let Some(path) = path else {
        return File::default();
    };
    let read = fs::read_to_string(path).map_err(|error| error.to_string());
    let parsed = read.and_then(|text| toml::from_str(&text).map_err(|error| error.to_string()));
    parsed.unwrap_or_else(|problem| {
        problems.push(format!("{}: {problem}", path.display()));
        File::default()
    })
}

fn base(args: &GatewayArgs, file: &File, problems: &mut Problems) -> Option<Base> {
    let prompts = args.prompts.as_deref().or(file.run.prompts.as_deref());
    let recipes = library(prompts, file, problems);
    let key = match environment::key(args.key_file.as_deref()) {
        Ok(key) => Some(key),
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    let url = args.gateway.clone().or_else(|| file.gateway.url.clone());
    let (library, recipes) = recipes?;
    Some(Base {
        url: url.unwrap_or_else(|| DEFAULT_URL.to_owned()),
        key: key?,
        ca_file: args
            .ca_file
            .clone()
            .or_else(|| file.gateway.ca_file.clone()),
        library,
        recipes,
    })
}

fn library(
    prompts: Option<&Path>,
    file: &File,
    problems: &mut Problems,
) -> Option<(Library, [Recipe; 4])> {
    for name in file.steps.keys() {
        if Step::named(name).is_none() {
            let known = Step::ALL.map(Step::name).join(", ");
            problems.push(format!("steps.{name}: no such step; there are {known}"));
        }
    }
    let versions = Step::ALL.map(|step| {
        let version = file
            .steps
            .get(step.name())
            .and_then(|step| step.prompt_version.clone());
        version.unwrap_or_else(|| DEFAULT_VERSION.to_owned())
    });
    match Library::load(prompts, &versions) {
        Ok(library) => {
            let recipes = Step::ALL.map(|step| recipe(step, &library, file, problems));
            Some((library, recipes))
        }
        Err(more) => {
            problems.extend(more);
            None
        }
    }
}

fn recipe(step: Step, library: &Library, file: &File, problems: &mut Problems) -> Recipe {
    let prompt = library.step(step);
    let default = file::Step::default();
    let own = file.steps.get(step.name()).unwrap_or(&default);
    let path = format!("steps.{}", step.name());
    let named = [&own.model, &own.route, &own.complexity];
    if named.iter().filter(|name| name.is_some()).count() > 1 {
        problems.push(format!("{path}: name only one of model, route, complexity"));
    }
    let mut keep = Keep(problems);
    let complexity = keep
        .some(
            &format!("{path}.complexity"),
            own.complexity.as_deref(),
            prompt::complexity,
        )
        .unwrap_or(prompt.complexity);
    let timeout = keep
        .some(
            &format!("{path}.timeout"),
            own.timeout.as_deref(),
            span::parse,
        )
        .unwrap_or(prompt.timeout);
    let max_output_tokens = own.max_output_tokens.unwrap_or(prompt.max_output_tokens);
    if max_output_tokens < 1 {
        problems.push(format!("{path}.max_output_tokens: must be at least 1"));
    }
    Recipe {
        target: match (&own.model, &own.route) {
            (Some(model), _) => Target::Model(model.clone()),
            (None, Some(route)) => Target::Route(route.clone()),
            (None, None) => Target::Complexity(complexity.into()),
        },
        max_output_tokens,
        timeout,
        retries: own.retries.unwrap_or(prompt.retries),
    }
}

fn input(args: &InputArgs, file: &File, problems: &mut Problems) -> Options {
    let default = Options::default();
    let pick = |flag: &Option<String>, own: &Option<String>, default: &String| {
        flag.clone()
            .or_else(|| own.clone())
            .unwrap_or_else(|| default.clone())
    };
    let max_bytes = args
        .max_bytes
        .or(file.input.max_bytes)
        .unwrap_or(default.max_bytes);
    if max_bytes == 0 {
        problems.push("max_bytes: must be above 0".into());
    }
    Options {
        max_bytes,
        text_field: pick(
            &args.text_field,
            &file.input.text_field,
            &default.text_field,
        ),
        id_field: pick(&args.id_field, &file.input.id_field, &default.id_field),
        title_field: pick(
            &args.title_field,
            &file.input.title_field,
            &default.title_field,
        ),
        include: file.input.include.clone(),
        exclude: file.input.exclude.clone(),
        stdin_format: args.stdin_format,
        shard: args.shard,
    }
}

fn metrics(args: MetricsArgs, file: &File, problems: &mut Problems) -> MetricsSettings {
    let mut keep = Keep(problems);
    let at = args
        .metrics_addr
        .or_else(|| keep.some("metrics.addr", file.metrics.addr.as_deref(), metrics_at));
    let linger = args.metrics_linger.or_else(|| {
        keep.some(
            "metrics.linger",
            file.metrics.linger.as_deref(),
            span::parse,
        )
    });
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_METRICS_PORT));
    MetricsSettings {
        at: at.unwrap_or(MetricsAt::Address(default)),
        asked_for: at.is_some(),
        linger,
        textfile: args
            .metrics_textfile
            .or_else(|| file.metrics.textfile.clone()),
    }
}

#[cfg(test)]
mod tests;
