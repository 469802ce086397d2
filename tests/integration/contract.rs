//! The contract as other languages find it: health, reflection, usage, metrics.

use crate::catalogue::promtool_accepts;
use tollgate_proto::v1;
use tollgate_tests::harness::{Gateway, scrape::Scrape, simulator, spec};
use tonic::transport::Channel;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

#[tokio::test]
async fn health_is_served_by_service() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let mut health = HealthClient::new(gateway.channel());
    for service in [
        "",
        "tollgate.v1.CompletionService",
        "tollgate.v1.UsageService",
    ] {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let status = health
            .check(request)
            .await
            .expect("an answer")
            .into_inner()
            .status();
        assert_eq!(status, ServingStatus::Serving, "{service}");
    }
    gateway.stop().await;
}

/// What reflection says of a listener: its services, and of which of these symbols it has files.
pub(crate) async fn reflected(channel: Channel, symbols: &[&str]) -> (Vec<String>, Vec<bool>) {
    let mut reflection = ServerReflectionClient::new(channel);
    let ask = |message| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(message),
    };
    let mut asks = vec![ask(MessageRequest::ListServices(String::new()))];
    asks.extend(symbols.iter().map(|&symbol| {
        let symbol = symbol.to_owned();
        ask(MessageRequest::FileContainingSymbol(symbol))
    }));
    let mut services = Vec::new();
    let mut has = Vec::new();
    // One stream for each: the first symbol that is unknown ends its stream.
    for one in asks {
        let answers = reflection.server_reflection_info(tokio_stream::iter([one]));
        let mut answers = answers.await.expect("an answer").into_inner();
        match answers.message().await {
            Ok(Some(answer)) => match answer.message_response {
                Some(MessageResponse::ListServicesResponse(listed)) => {
                    services.extend(listed.service.into_iter().map(|service| service.name));
                }
                Some(MessageResponse::FileDescriptorResponse(_)) => has.push(true),
                other => panic!("{other:?}"),
            },
            Err(status) if status.code() == tonic::Code::NotFound => has.push(false),
            other => panic!("{other:?}"),
        }
    }
    services.sort();
    (services, has)
}

#[tokio::test]
async fn reflection_names_what_callers_find_and_has_their_files() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let symbols = [
        "tollgate.v1.CompletionService.Complete",
        "google.rpc.ErrorInfo",
        // Operators have a listener of their own.
        "tollgate.admin.v1.AdminService",
    ];
    let (services, has) = reflected(gateway.channel(), &symbols).await;
    let expected = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "tollgate.v1.CompletionService",
        "tollgate.v1.UsageService",
    ];
    assert_eq!(services, expected);
    assert_eq!(has, [true, true, false]);
    gateway.stop().await;
}

#[tokio::test]
async fn models_budgets_and_tokens_are_told_to_their_team() {
    let simulator = simulator(0).await;
    let bounds = "budgets = [{ per = \"day\", amount = \"25.00\", zone = \"Europe/Berlin\" }]";
    let gateway = Gateway::start(&simulator.base_url(), &[("news", bounds)]).await;
    let caller = gateway.caller("news");
    let mut usage = caller.usage();
    let listed = usage
        .list_models(caller.request(v1::ListModelsRequest {}))
        .await;
    let listed = listed.expect("an answer").into_inner();
    let gpt4 = listed
        .models
        .iter()
        .find(|model| model.name == "gpt-4")
        .expect("it is there");
    assert_eq!(
        gpt4.price
            .as_ref()
            .expect("priced")
            .input_pico_usd_per_token,
        30_000_000
    );
    assert_eq!(listed.routes.len(), 2);
    let request = v1::GetBudgetRequest {
        name: "day".to_owned(),
        run: String::new(),
    };
    let day = usage
        .get_budget(caller.request(request))
        .await
        .expect("an answer")
        .into_inner();
    let day = day.budget.expect("it has one");
    assert_eq!(day.limit_nano_usd, Some(25_000_000_000));
    assert!(day.hard && day.resets_at.is_some());
    let month = caller.budget("month").await;
    assert_eq!(month.limit_nano_usd, None, "a counter");
    let request = v1::CountTokensRequest {
        spec: Some(spec("strong", "tiktoken is great!")),
    };
    let counts = caller
        .completions()
        .count_tokens(caller.request(request))
        .await;
    let counts = counts.expect("an answer").into_inner().counts;
    // 6 for the text, 4 for the message, 3 for the answer's start.
    assert_eq!(counts[0].input_tokens, 13);
    gateway.stop().await;
}

#[tokio::test]
async fn metrics_satisfy_promtool_and_count_what_happened() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let fresh = Scrape::of(&gateway.metrics_url()).await;
    assert!(
        fresh.len() > 100,
        "counters are there before their first event"
    );
    let caller = gateway.caller("news");
    caller
        .complete(spec("cheap", "Hello"))
        .await
        .expect("an answer");
    for number in 0..200 {
        let unknown = v1::CompletionSpec {
            target: Some(v1::completion_spec::Target::Model(format!(
                "model-{number}"
            ))),
            ..spec("unused", "Hello")
        };
        caller.complete(unknown).await.expect_err("unknown");
    }
    caller.settled_spend().await;
    let scrape = Scrape::of(&gateway.metrics_url()).await;
    assert_eq!(
        scrape
            .sum("tollgate_requests_total", &["outcome=\"ok\""])
            .to_string(),
        "1"
    );
    let unknown = scrape.sum("tollgate_requests_total", &["outcome=\"unknown_model\""]);
    assert_eq!(unknown.to_string(), "200");
    let handled = scrape.sum("grpc_server_handled_total", &["grpc_method=\"Complete\""]);
    assert_eq!(handled.to_string(), "201");
    assert!(
        scrape.len() <= fresh.len() + 20,
        "names of callers make no series"
    );
    let text = reqwest::get(gateway.metrics_url())
        .await
        .expect("an answer")
        .text()
        .await
        .expect("text");
    promtool_accepts(&text);
    gateway.stop().await;
}
