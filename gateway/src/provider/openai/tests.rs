use super::*;
use crate::{
    call::{Call, Role, Sampling},
    clock::SystemClock,
    provider::{
        Finish, Quota,
        http::{
            install_tls,
            raw_server::{RawServer, response},
            sample::{ask, full_call, message, pretty, small_call},
        },
    },
};
use insta::{assert_debug_snapshot, assert_snapshot};
use proptest::prelude::*;
use serde_json::json;

const COMPLETION: &str = include_str!("fixtures/completion.json");
const OLLAMA: &str = include_str!("fixtures/ollama.json");

fn every_option() -> Call {
    let call = full_call();
    Call {
        sampling: Sampling {
            seed: Some(-7),
            frequency_penalty: Some(0.5),
            presence_penalty: Some(-2.0),
            ..call.sampling
        },
        ..call
    }
}

fn body_of(call: Call, model: &str, flavour: Flavour) -> String {
    String::from_utf8(request::body(&ask(call, model), flavour)).expect("JSON is UTF-8")
}

fn parsed(call: Call, model: &str, flavour: Flavour) -> serde_json::Value {
    serde_json::from_str(&body_of(call, model, flavour)).expect("bodies are JSON")
}

fn answer(body: &str, flavour: Flavour) -> Result<Answer, Failure> {
    response::answer(body.as_bytes(), flavour, Quota::default())
}

#[test]
fn a_call_becomes_a_request_to_openai() {
    let body = request::body(&ask(every_option(), "gpt-4.1-mini"), Flavour::OpenAi);
    assert_snapshot!(pretty(&body));
}

#[test]
fn a_call_becomes_a_request_to_a_compatible_server() {
    let body = request::body(&ask(every_option(), "llama3.2:3b"), Flavour::Compatible);
    assert_snapshot!(pretty(&body));
}

#[test]
fn a_schema_is_sent_in_the_callers_own_spelling() {
    let call = full_call();
    let schema = call.schema.clone().expect("it has one");
    for flavour in [Flavour::OpenAi, Flavour::Compatible] {
        let body = body_of(call.clone(), "gpt-5", flavour);
        assert!(body.contains(schema.json.get()), "{body}");
    }
}

#[test]
fn a_model_with_json_mode_gets_the_schema_as_an_instruction() {
    let body = request::body(&ask(full_call(), "gpt-4-turbo"), Flavour::OpenAi);
    assert_snapshot!(pretty(&body));
}

#[test]
fn a_model_without_json_mode_gets_only_the_instruction() {
    let body = parsed(full_call(), "gpt-4", Flavour::OpenAi);
    assert_eq!(body.get("response_format"), None);
    let instruction = body["messages"][0]["content"].as_str().expect("a text");
    assert!(instruction.contains(r#"{ "type": "object", "required": ["zeta", "alpha"],"#));
    // Without a schema nothing is added.
    let body = parsed(small_call(), "gpt-4", Flavour::OpenAi);
    assert_eq!(
        body["messages"],
        json!([{ "role": "user", "content": "Hi" }])
    );
}

#[test]
fn a_small_call_becomes_a_small_request() {
    assert_eq!(
        body_of(small_call(), "gpt-5", Flavour::OpenAi),
        r#"{"model":"gpt-5","messages":[{"role":"user","content":"Hi"}],"max_completion_tokens":512}"#
    );
    assert_eq!(
        body_of(small_call(), "phi", Flavour::Compatible),
        r#"{"model":"phi","messages":[{"role":"user","content":"Hi"}],"max_tokens":512}"#
    );
}

#[test]
fn options_are_sent_even_to_models_that_refuse_them() {
    let body = parsed(every_option(), "o3", Flavour::OpenAi);
    for option in [
        "temperature",
        "top_p",
        "stop",
        "seed",
        "frequency_penalty",
        "presence_penalty",
    ] {
        assert!(body.get(option).is_some(), "{option}");
    }
}

#[test]
fn a_completion_becomes_an_answer() {
    assert_debug_snapshot!(answer(COMPLETION, Flavour::OpenAi));
    assert_debug_snapshot!(answer(OLLAMA, Flavour::Compatible));
}

fn transport() -> Transport {
    install_tls();
    Transport::new(Arc::new(SystemClock)).expect("TLS is there")
}

fn account(server: &RawServer) -> OpenAi {
    let key = Some("sk-hush".into());
    OpenAi::new(&server.base_url(), key, Flavour::OpenAi, transport()).expect("a valid account")
}

#[tokio::test]
async fn a_call_goes_out_and_its_answer_comes_back() {
    let headers = "x-ratelimit-remaining-requests: 59\r\nretry-after: 9\r\n";
    let server = RawServer::answering(response("200 OK", headers, COMPLETION));
    let account = account(&server);
    let answer = account
        .complete(ask(small_call(), "gpt-5"))
        .await
        .expect("an answer");
    assert_eq!(answer.quota.requests, Some(59));
    assert_eq!(answer.finish, Finish::Stop);
    let [request] = &server.requests()[..] else {
        panic!("one request was sent");
    };
    assert!(
        request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("authorization: Bearer sk-hush\r\n"),
        "{request}"
    );
    let sent = body_of(small_call(), "gpt-5", Flavour::OpenAi);
    assert!(request.ends_with(&format!("\r\n\r\n{sent}")), "{request}");
    assert!(!format!("{account:?}").contains("hush"));
}

#[tokio::test]
async fn an_error_comes_back_with_all_that_it_says() {
    let headers = "retry-after-ms: 840\r\nx-ratelimit-remaining-tokens: 12\r\n";
    let body = r#"{"error":{"message":"Rate limit reached for my secret prompt","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#;
    let server = RawServer::answering(response("429 Too Many Requests", headers, body));
    let failure = account(&server).complete(ask(small_call(), "gpt-5")).await;
    assert_debug_snapshot!(failure.expect_err("throttled"));
}

#[test]
fn only_openai_itself_needs_a_key() {
    let base = "http://127.0.0.1:11434/v1";
    let without = |flavour| OpenAi::new(base, None, flavour, transport()).map(|_| ());
    assert_eq!(without(Flavour::Compatible), Ok(()));
    assert_eq!(without(Flavour::OpenAi), Err(BadAccount::NoKey));
}

proptest! {
    #[test]
    fn every_prompt_arrives_as_it_was(parts in proptest::collection::vec(any::<String>(), 1..4)) {
        let texts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let call = Call { messages: vec![message(Role::User, &texts)], ..small_call() };
        let body = parsed(call, "gpt-5", Flavour::OpenAi);
        let content = &body["messages"][0]["content"];
        let arrived: Vec<&str> = match content.as_array() {
            Some(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
            None => content.as_str().into_iter().collect(),
        };
        prop_assert_eq!(arrived, texts);
    }
}
