//! One step of one article: ask, read, check, and mend once if need be.

use crate::{
    call::Call,
    chain::Chain,
    failure::Class,
    hash,
    input::Article,
    parse,
    prompt::{Names, Prompt, Rendered, Schema},
    row::{Fault, Role, StepRow},
    step::{CHAIN, Step},
    validate,
};
use minijinja::Value as Name;
use serde_json::Value;
use std::time::Duration;
use tollgate_proto::v1::{
    Attribution, CompleteResponse, CompletionSpec, FinishReason, JsonSchemaFormat, Message, Part,
    ResponseFormat, Role as Speaker, RunBudget, completion_spec::Target, part::Content,
    response_format::Format,
};

/// Where a step goes and within which bounds: its prompt's wishes, and the configuration's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recipe {
    pub(crate) target: Target,
    pub(crate) max_output_tokens: i32,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
}

/// The valid output of a step, or why there is none. Every call goes into `row`.
pub(crate) async fn get(
    chain: &Chain,
    step: Step,
    article: &Article,
    names: &Names,
    row: &mut StepRow,
) -> Result<Value, Fault> {
    let prompt = chain.library.step(step);
    let rendered = prompt.render(names)?;
    let spec = spec(
        chain,
        &Ask {
            step,
            prompt,
            rendered,
            article,
            role: Role::Primary,
        },
    );
    let text = ask(chain, step, Role::Primary, spec, row).await?;
    let schema = schema_of(prompt)?;
    let errors = match read(step, schema, &text, article, row) {
        Ok(value) => return Ok(value),
        Err(errors) => errors,
    };
    mend(chain, step, article, Broken { text, errors }, row).await
}

/// An answer that did not pass, and why.
struct Broken {
    text: String,
    errors: Vec<String>,
}

/// Asks once for a corrected answer. The model sees the schema, its answer and what is wrong with
/// it, and nothing else: no history, so that a repair stays cheap.
async fn mend(
    chain: &Chain,
    step: Step,
    article: &Article,
    broken: Broken,
    row: &mut StepRow,
) -> Result<Value, Fault> {
    let schema = schema_of(chain.library.step(step))?;
    let names = Names::from([
        ("schema", Name::from(schema.text.clone())),
        (
            "errors",
            Name::from(format!("- {}", broken.errors.join("\n- "))),
        ),
        (
            "output",
            Name::from(broken.text.replace("</answer>", "&lt;/answer>")),
        ),
    ]);
    let prompt = &chain.library.repair;
    let rendered = prompt.render(&names)?;
    let spec = spec(
        chain,
        &Ask {
            step,
            prompt,
            rendered,
            article,
            role: Role::Repair,
        },
    );
    chain
        .caller
        .observer
        .repair_asked(step, &article.id, &broken.errors);
    let text = ask(chain, step, Role::Repair, spec, row).await?;
    let mended = read(step, schema, &text, article, row);
    row.repaired = mended.is_ok();
    mended.map_err(|errors| Fault {
        class: Class::InvalidOutput,
        message: format!("not valid, also after one repair: {}", errors.join("; ")),
    })
}

fn schema_of(prompt: &Prompt) -> Result<&Schema, Fault> {
    let missing = || Fault {
        class: Class::InvalidRequest,
        message: format!("prompt {} {} has no schema", prompt.name, prompt.version),
    };
    prompt.schema.as_ref().ok_or_else(missing)
}

fn read(
    step: Step,
    schema: &Schema,
    text: &str,
    article: &Article,
    row: &mut StepRow,
) -> Result<Value, Vec<String>> {
    let parsed = parse::object(text).map_err(|error| vec![error])?;
    // Names may come from the title too: it is part of the prompt.
    let source = format!("{}\n{}", article.title, article.text);
    let valid = validate::answer(step, schema, parsed.value, &source)?;
    row.repaired_locally = parsed.mended || valid.mended;
    row.ungrounded_dropped = valid.ungrounded;
    Ok(valid.value)
}

/// The text of an answer that was not cut. A cut one is asked for again once, with twice the room:
/// the same cap would only cut it again.
async fn ask(
    chain: &Chain,
    step: Step,
    role: Role,
    mut spec: CompletionSpec,
    row: &mut StepRow,
) -> Result<String, Fault> {
    let recipe = &chain.recipes[step.index()];
    let (timeout, retries) = (recipe.timeout, recipe.retries);
    let call = Call {
        step,
        role,
        spec: &spec,
        timeout,
        retries,
    };
    let mut response = chain.caller.complete(&call, row).await?;
    if response.finish_reason() == FinishReason::Length {
        let doubled = spec.max_output_tokens.unwrap_or_default().saturating_mul(2);
        spec.max_output_tokens = Some(doubled);
        spec.idempotency_key =
            hash::of_parts(&[spec.idempotency_key.as_bytes(), &doubled.to_be_bytes()]);
        let call = Call {
            step,
            role: Role::Retry,
            spec: &spec,
            timeout,
            retries,
        };
        response = chain.caller.complete(&call, row).await?;
    }
    match response.finish_reason() {
        FinishReason::Length => Err(Fault {
            class: Class::Truncated,
            message: format!(
                "cut at {} output tokens",
                spec.max_output_tokens.unwrap_or_default()
            ),
        }),
        FinishReason::ContentFilter => Err(Fault {
            class: Class::Refused,
            message: "the model or its content filter refused".to_owned(),
        }),
        FinishReason::Stop | FinishReason::Unspecified | FinishReason::ToolCalls => {
            Ok(text_of(&response))
        }
    }
}

fn text_of(response: &CompleteResponse) -> String {
    let parts = response.message.iter().flat_map(|message| &message.parts);
    let texts = parts.filter_map(|part| match &part.content {
        Some(Content::Text(text)) => Some(text.as_str()),
        Some(Content::Image(_) | Content::ToolCall(_) | Content::ToolResult(_)) | None => None,
    });
    texts.collect()
}

/// What to ask, and whose work it is.
pub(crate) struct Ask<'a> {
    pub(crate) step: Step,
    pub(crate) prompt: &'a Prompt,
    pub(crate) rendered: Rendered,
    pub(crate) article: &'a Article,
    pub(crate) role: Role,
}

/// The call as the gateway sees it.
pub(crate) fn spec(chain: &Chain, ask: &Ask<'_>) -> CompletionSpec {
    let recipe = &chain.recipes[ask.step.index()];
    let schema = chain.library.step(ask.step).schema.as_ref();
    let cap = match ask.role {
        Role::Repair => recipe.max_output_tokens.max(ask.prompt.max_output_tokens),
        Role::Primary | Role::Retry => recipe.max_output_tokens,
    };
    CompletionSpec {
        target: Some(recipe.target.clone()),
        messages: vec![
            message(Speaker::System, &ask.rendered.system),
            message(Speaker::User, &ask.rendered.user),
        ],
        max_output_tokens: Some(cap),
        response_format: schema.map(|schema| ResponseFormat {
            format: Some(Format::JsonSchema(JsonSchemaFormat {
                name: ask.step.name().to_owned(),
                schema_json: schema.text.clone(),
                strict: true,
            })),
        }),
        attribution: Some(Attribution {
            pipeline: CHAIN.to_owned(),
            run: chain.caller.run_id.clone(),
            step: ask.step.name().to_owned(),
            prompt_name: ask.prompt.name.clone(),
            prompt_version: ask.prompt.version.clone(),
        }),
        idempotency_key: idempotency_key(ask, schema, recipe, cap),
        run_budget: chain.run_budget.map(|limit| RunBudget {
            limit_nano_usd: limit.nano_usd(),
        }),
        ..CompletionSpec::default()
    }
}

/// The same for the same question, whichever run or try asks it; so an answer is paid for once
/// while the gateway remembers it.
fn idempotency_key(ask: &Ask<'_>, schema: Option<&Schema>, recipe: &Recipe, cap: i32) -> String {
    let input = hash::of_parts(&[ask.rendered.system.as_bytes(), ask.rendered.user.as_bytes()]);
    let target = match &recipe.target {
        Target::Model(name) => format!("model {name}"),
        Target::Route(name) => format!("route {name}"),
        Target::Complexity(number) => format!("complexity {number}"),
    };
    hash::of_parts(&[
        CHAIN.as_bytes(),
        ask.step.name().as_bytes(),
        ask.article.sha256.as_bytes(),
        ask.prompt.sha256.as_bytes(),
        schema.map_or("", |schema| &schema.sha256).as_bytes(),
        input.as_bytes(),
        target.as_bytes(),
        &cap.to_be_bytes(),
        ask.role.name().as_bytes(),
    ])
}

fn message(speaker: Speaker, text: &str) -> Message {
    let content = Some(Content::Text(text.to_owned()));
    Message {
        role: speaker.into(),
        parts: vec![Part { content }],
    }
}
