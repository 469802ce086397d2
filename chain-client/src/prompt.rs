//! Prompts: files of TOML front matter and two templates, each with a JSON schema beside it.
//!
//! A prompt is known by the digest of its text; the version is a name for it. The templates are
//! strict: a name that is not there is an error, found before the first call.

use crate::{failure::Class, hash, row::Fault, span, step::Step};
use minijinja::{Environment, UndefinedBehavior, Value};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path, time::Duration};
use tollgate_proto::v1::Complexity;

/// The version that is used unless another is asked for.
pub(crate) const DEFAULT_VERSION: &str = "v1";

/// The name of the prompt that mends an answer.
pub(crate) const REPAIR: &str = "repair";

/// A prompt, ready to be rendered.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The digest of the prompt file.
    pub(crate) sha256: String,
    pub(crate) complexity: Complexity,
    pub(crate) max_output_tokens: i32,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) schema: Option<Schema>,
    templates: Environment<'static>,
}

/// The form of an answer.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) text: String,
    pub(crate) sha256: String,
    pub(crate) validator: jsonschema::Validator,
}

/// What the templates may name.
pub(crate) type Names = BTreeMap<&'static str, Value>;

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) system: String,
    pub(crate) user: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Front {
    complexity: String,
    max_output_tokens: i32,
    timeout: String,
    retries: u32,
}

impl Prompt {
    /// Reads a prompt from its text; `schema` is the text of the schema file.
    pub(crate) fn parse(
        name: &str,
        version: &str,
        text: &str,
        schema: Option<&str>,
    ) -> Result<Self, String> {
        let (front, body) = split(text)?;
        let front: Front = toml::from_str(front).map_err(|error| error.message().to_owned())?;
        if front.max_output_tokens < 1 {
            return Err("max_output_tokens must be at least 1".into());
        }
        let (system, user) = parts(body)?;
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        for (part, source) in [("system", system), ("user", user)] {
            templates
                .add_template_owned(part, source.trim().to_owned())
                .map_err(|error| format!("# {part}: {error}"))?;
        }
        Ok(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            sha256: hash::of_text(text),
            complexity: complexity(&front.complexity)?,
            max_output_tokens: front.max_output_tokens,
            timeout: span::parse(&front.timeout)?,
            retries: front.retries,
            schema: schema.map(Schema::parse).transpose()?,
            templates,
        })
    }

    /// Fills the templates in.
    pub(crate) fn render(&self, names: &Names) -> Result<Rendered, Fault> {
        let fill = |part: &str| {
            let template = self.templates.get_template(part)?;
            template.render(names)
        };
        let wrong = |error: minijinja::Error| Fault {
            class: Class::InvalidRequest,
            message: format!("prompt {} {}: {error}", self.name, self.version),
        };
        Ok(Rendered {
            system: fill("system").map_err(wrong)?,
            user: fill("user").map_err(wrong)?,
        })
    }
}

impl Schema {
    /// Reads a JSON schema and checks that providers can enforce it strictly.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| format!("schema: {error}"))?;
        let mut loose = Vec::new();
        find_loose(&value, "", &mut loose);
        if !loose.is_empty() {
            return Err(format!("schema: {}", loose.join("; ")));
        }
        let validator =
            jsonschema::validator_for(&value).map_err(|error| format!("schema: {error}"))?;
        // One spelling, so that spaces in the file do not change the digest of the request.
        let text = value.to_string();
        Ok(Self {
            sha256: hash::of_text(&text),
            text,
            validator,
        })
    }
}

/// Strict mode asks that every object lists all its properties as required and allows no other.
fn find_loose(schema: &serde_json::Value, at: &str, loose: &mut Vec<String>) {
    if let Some(properties) = schema.get("properties").and_then(|value| value.as_object()) {
        if schema.get("additionalProperties") != Some(&serde_json::Value::Bool(false)) {
            loose.push(format!("{at}/additionalProperties must be false"));
        }
        let required = schema.get("required").and_then(|value| value.as_array());
        for (name, inner) in properties {
            let listed = required.is_some_and(|all| all.iter().any(|one| one == name.as_str()));
            if !listed {
                loose.push(format!("{at}/required must list {name:?}"));
            }
            find_loose(inner, &format!("{at}/properties/{name}"), loose);
        }
    }
    if let Some(items) = schema.get("items") {
        find_loose(items, &format!("{at}/items"), loose);
    }
}

fn split(text: &str) -> Result<(&str, &str), String> {
    let rest = text
        .strip_prefix("+++\n")
        .ok_or("the first line must be +++")?;
    rest.split_once("\n+++\n")
        .ok_or_else(|| "the front matter must end with a line +++".into())
}

fn parts(body: &str) -> Result<(&str, &str), String> {
    let rest = body
        .trim_start()
        .strip_prefix("# system\n")
        .ok_or("# system must come first")?;
    rest.split_once("\n# user\n")
        .ok_or_else(|| "# user must follow # system".into())
}

/// A complexity by its name in lower case.
pub(crate) fn complexity(name: &str) -> Result<Complexity, String> {
    match name {
        "simple" => Ok(Complexity::Simple),
        "moderate" => Ok(Complexity::Moderate),
        "complex" => Ok(Complexity::Complex),
        "critical" => Ok(Complexity::Critical),
        _ => Err(format!(
            "complexity {name:?} is none of simple, moderate, complex, critical"
        )),
    }
}

/// The prompts of a run.
#[derive(Debug)]
pub(crate) struct Library {
    steps: [Prompt; 4],
    pub(crate) repair: Prompt,
}

impl Library {
    pub(crate) fn step(&self, step: Step) -> &Prompt {
        &self.steps[step.index()]
    }

    /// The prompts of the program, or those of a directory; all that is wrong is told at once.
    pub(crate) fn load(dir: Option<&Path>, versions: &[String; 4]) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut keep = |name: &str, version: &str| match load(dir, name, version) {
            Ok(prompt) => Some(prompt),
            Err(problem) => {
                problems.push(format!("prompt {name}/{version}.md: {problem}"));
                None
            }
        };
        let steps = Step::ALL.map(|step| keep(step.name(), &versions[step.index()]));
        let repair = keep(REPAIR, DEFAULT_VERSION);
        let [Some(a), Some(b), Some(c), Some(d)] = steps else {
            return Err(problems);
        };
        let Some(repair) = repair else {
            return Err(problems);
        };
        Ok(Self {
            steps: [a, b, c, d],
            repair,
        })
    }
}

fn load(dir: Option<&Path>, name: &str, version: &str) -> Result<Prompt, String> {
    // A directory need not bring a repair prompt of its own.
    let own = dir.map(|dir| dir.join(name).join(format!("{version}.md")));
    match own {
        Some(path) if name != REPAIR || path.exists() => {
            let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
            let beside = path.with_extension("schema.json");
            let schema = if name == REPAIR {
                None
            } else {
                let wrong = |error| format!("{version}.schema.json: {error}");
                Some(fs::read_to_string(beside).map_err(wrong)?)
            };
            Prompt::parse(name, version, &text, schema.as_deref())
        }
        _ => {
            let (text, schema) = embedded(name, version)
                .ok_or("no such version in the program; name a directory with --prompts")?;
            Prompt::parse(name, version, text, schema)
        }
    }
}

fn embedded(name: &str, version: &str) -> Option<(&'static str, Option<&'static str>)> {
    macro_rules! prompt {
        ($name:literal) => {
            (
                include_str!(concat!("../prompts/", $name, "/v1.md")),
                Some(include_str!(concat!(
                    "../prompts/",
                    $name,
                    "/v1.schema.json"
                ))),
            )
        };
    }
    match (name, version) {
        ("extract_entities", "v1") => Some(prompt!("extract_entities")),
        ("generate_summary", "v1") => Some(prompt!("generate_summary")),
        ("classify_content", "v1") => Some(prompt!("classify_content")),
        ("score_quality", "v1") => Some(prompt!("score_quality")),
        (REPAIR, "v1") => Some((include_str!("../prompts/repair/v1.md"), None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions() -> [String; 4] {
        std::array::from_fn(|_| DEFAULT_VERSION.to_owned())
    }

    #[test]
    fn the_embedded_prompts_are_sound() {
        let library = Library::load(None, &versions()).unwrap();
        assert_eq!(
            library.step(Step::ScoreQuality).complexity,
            Complexity::Complex
        );
        assert_eq!(
            library.step(Step::GenerateSummary).complexity,
            Complexity::Moderate
        );
        assert!(library.step(Step::ExtractEntities).schema.is_some());
    }

    #[test]
    fn a_name_that_is_not_there_is_an_error() {
        let text = "+++\ncomplexity = \"simple\"\nmax_output_tokens = 9\ntimeout = \"1s\"\nretries = 0\n\
            +++\n# system\nBe good.\n# user\n{{ nothing }}\n";
        let prompt = Prompt::parse("p", "v1", text, None).unwrap();
        let fault = prompt.render(&Names::new()).unwrap_err();
        assert!(fault.message.contains("undefined"), "{}", fault.message);
    }

    #[test]
    fn a_schema_that_providers_cannot_enforce_is_refused() {
        let loose = r#"{"type":"object","properties":{"a":{"type":"string"}},"required":[]}"#;
        let problem = Schema::parse(loose).unwrap_err();
        assert!(
            problem.contains("additionalProperties must be false"),
            "{problem}"
        );
        assert!(problem.contains("required must list \"a\""), "{problem}");
    }

    #[test]
    fn a_directory_replaces_the_prompts_and_all_problems_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let problems = Library::load(Some(dir.path()), &versions()).unwrap_err();
        assert_eq!(problems.len(), 4, "{problems:?}");
    }
}
