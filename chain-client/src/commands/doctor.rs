//! Checks everything that a run needs, one line each.

use crate::{
    args::DoctorArgs, config, exit::Exit, failure::Refusal, gateway::Gateway, output::Output,
    report::target_text, step::Step,
};
use std::time::{Duration, Instant};
use tollgate_proto::v1::{Complexity, ListModelsResponse, completion_spec::Target};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn doctor(args: DoctorArgs, output: &Output) -> Exit {
    let base = match config::for_gateway(&args.gateway) {
        Ok(base) => base,
        Err(problems) => return super::refuse(output, &problems),
    };
    output.data(&format!("ok    prompts    {} steps", Step::ALL.len()));
    let gateway = match Gateway::new(&base.url, &base.key, base.ca_file.as_deref()) {
        Ok(gateway) => gateway,
        Err(problem) => return super::refuse(output, &vec![problem]),
    };
    if !health(&gateway, &base.url, output).await {
        return Exit::Systemic;
    }
    match gateway.list_models().await {
        Ok(models) => {
            output.data("ok    key        accepted");
            list(&models, output);
            let bad = Step::ALL.into_iter().filter(|step| {
                let target = &base.recipes[step.index()].target;
                let known = knows(&models, target);
                let mark = if known { "ok   " } else { "BAD  " };
                output.data(&format!(
                    "{mark} {:10} {}",
                    step.name(),
                    target_text(target)
                ));
                !known
            });
            if bad.count() > 0 {
                Exit::Systemic
            } else {
                Exit::Ok
            }
        }
        Err(status) if status.code() == Code::Unimplemented => {
            output.data("note  key        not checked: this gateway does not list its models");
            Exit::Ok
        }
        Err(status) => {
            output.data(&format!(
                "BAD   key        {}",
                Refusal::read(&status).message
            ));
            Exit::Systemic
        }
    }
}

async fn health(gateway: &Gateway, url: &str, output: &Output) -> bool {
    let started = Instant::now();
    let mut client = HealthClient::new(gateway.channel());
    let asked = client.check(HealthCheckRequest {
        service: String::new(),
    });
    let answer = tokio::time::timeout(PATIENCE, asked).await;
    let took = started.elapsed().as_millis();
    let (good, text) = match answer {
        Ok(Ok(answer)) => {
            let status = answer.into_inner().status();
            let name = status.as_str_name().to_lowercase();
            (name == "serving", format!("{url} is {name} ({took} ms)"))
        }
        Ok(Err(status)) if status.code() == Code::Unimplemented => (
            true,
            format!("{url} answers, without a health service ({took} ms)"),
        ),
        Ok(Err(status)) => (false, format!("{url}: {}", Refusal::read(&status).message)),
        Err(_) => (
            false,
            format!("{url}: no answer within {} s", PATIENCE.as_secs()),
        ),
    };
    output.data(&format!(
        "{} gateway    {text}",
        if good { "ok   " } else { "BAD  " }
    ));
    good
}

fn list(models: &ListModelsResponse, output: &Output) {
    output.data(&format!(
        "ok    prices     version {}",
        models.price_version
    ));
    for model in &models.models {
        let price = model.price.clone().unwrap_or_default();
        output.data(&format!(
            "      model      {}: {} tokens of context, ${} in and ${} out per million",
            model.name,
            model.context_tokens,
            dollars(price.input_pico_usd_per_token),
            dollars(price.output_pico_usd_per_token)
        ));
    }
    for route in &models.routes {
        let complexities: Vec<&str> = route.complexities().map(|one| one.as_str_name()).collect();
        output.data(&format!(
            "      route      {}: {} ({})",
            route.name,
            route.targets.join(" -> "),
            complexities
                .join(", ")
                .replace("COMPLEXITY_", "")
                .to_lowercase()
        ));
    }
}

/// Pico-dollars a token are micro-dollars a million tokens.
fn dollars(pico_usd: i64) -> String {
    crate::money::Money::from_nano_usd(pico_usd.saturating_mul(1000)).usd_text()
}

fn knows(models: &ListModelsResponse, target: &Target) -> bool {
    match target {
        Target::Model(name) => models.models.iter().any(|model| model.name == *name),
        Target::Route(name) => models.routes.iter().any(|route| route.name == *name),
        Target::Complexity(number) => Complexity::try_from(*number).is_ok_and(|wanted| {
            models
                .routes
                .iter()
                .any(|route| route.complexities().any(|one| one == wanted))
        }),
    }
}
