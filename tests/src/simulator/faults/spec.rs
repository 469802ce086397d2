//! The grammar of fault rules.
//!
//! ```text
//! rule     = pair { "," pair }          pair = key "=" value        a value with a comma stands in "quotes"
//! scope    : model=NAME  api=openai|anthropic  path=PREFIX  contains=TEXT
//! schedule : first=N | after=N | every=N | probability=0.0-1.0 [seed=N]        (none: always)
//! action   : action=NAME and, where the action has one, its parameter:
//!   429 503 529  [retry-after=SECONDS | retry-after=date:SECONDS]
//!   quota 500 502 401 403 404 400 context-length 422
//!   hang stall cut close invalid-json empty error-inside
//!   usage-missing usage-negative  usage-output|usage-cached|usage-reasoning tokens=N
//!   redirect to=URL  truncate prose fenced missing-property wrong-enum refusal content-filter
//!   oversize mib=N   slow
//! delay-ms=N goes with every action.
//! ```
//! In TOML a rule is a `[[fault]]` table and in JSON an object with the same keys.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use super::{Action, Api, Fault, Refused, RetryAfter, Schedule, Scope};

type Pairs = BTreeMap<String, String>;

/// Reads a rule in the compact form.
///
/// # Errors
/// Names the unknown key, the missing parameter or the value that does not parse.
pub fn parse(text: &str) -> Result<Fault> {
    from_pairs(split(text)?).with_context(|| format!("in the fault rule `{text}`"))
}

/// Reads the rules of a TOML document: `[[fault]]` tables.
///
/// # Errors
/// As [`parse`], and for text that is not TOML.
pub fn parse_toml(text: &str) -> Result<Vec<Fault>> {
    let document: serde_json::Value =
        toml::from_str(text).context("the faults file is not TOML")?;
    let object = document.as_object().context("a TOML document is a table")?;
    if let Some(other) = object.keys().find(|key| *key != "fault") {
        bail!("unknown table `{other}`: a faults file has `[[fault]]` tables");
    }
    parse_json(
        object
            .get("fault")
            .unwrap_or(&serde_json::Value::Array(Vec::new())),
    )
}

/// Reads one rule (an object, or a string in the compact form) or an array of them.
///
/// # Errors
/// As [`parse`].
pub fn parse_json(value: &serde_json::Value) -> Result<Vec<Fault>> {
    match value {
        serde_json::Value::Array(rules) => rules
            .iter()
            .map(parse_json)
            .collect::<Result<Vec<_>>>()
            .map(|lists| lists.concat()),
        serde_json::Value::String(compact) => Ok(vec![parse(compact)?]),
        serde_json::Value::Object(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(key, value)| Ok((key.clone(), scalar(value)?)));
            Ok(vec![from_pairs(pairs.collect::<Result<Pairs>>()?)?])
        }
        _ => bail!("a fault rule is an object or a string"),
    }
}

fn scalar(value: &serde_json::Value) -> Result<String> {
    match value {
        serde_json::Value::String(text) => Ok(text.clone()),
        serde_json::Value::Number(number) => Ok(number.to_string()),
        _ => bail!("a fault rule holds only strings and numbers"),
    }
}

/// Splits at commas outside of quotes.
fn split(text: &str) -> Result<Pairs> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => parts.push(String::new()),
            _ => parts
                .last_mut()
                .expect("it starts with one part")
                .push(letter),
        }
    }
    ensure!(!quoted, "a quote is not closed");
    let mut pairs = Pairs::new();
    for part in parts
        .iter()
        .map(|part| part.trim())
        .filter(|part| !part.is_empty())
    {
        // `429` alone is short for `action=429`.
        let (key, value) = part.split_once('=').unwrap_or(("action", part));
        let before = pairs.insert(key.trim().to_owned(), value.trim().to_owned());
        ensure!(before.is_none(), "`{key}` is given twice");
    }
    Ok(pairs)
}

fn from_pairs(mut pairs: Pairs) -> Result<Fault> {
    let action = pairs.remove("action").context("`action` is missing")?;
    let fault = Fault {
        action: action_from(&action, &mut pairs)?,
        schedule: schedule(&mut pairs)?,
        delay: Duration::from_millis(number(&mut pairs, "delay-ms")?.unwrap_or(0)),
        scope: Scope {
            model: pairs.remove("model"),
            api: pairs.remove("api").map(|name| api(&name)).transpose()?,
            path: pairs.remove("path"),
            contains: pairs.remove("contains"),
        },
    };
    match pairs.keys().next() {
        Some(unknown) => Err(anyhow!(
            "`{unknown}` is unknown, or has no meaning for `{action}`"
        )),
        None => Ok(fault),
    }
}

fn api(name: &str) -> Result<Api> {
    match name {
        "openai" => Ok(Api::OpenAi),
        "anthropic" => Ok(Api::Anthropic),
        _ => bail!("`api` is openai or anthropic, not `{name}`"),
    }
}

fn schedule(pairs: &mut Pairs) -> Result<Schedule> {
    let first = number(pairs, "first")?.map(Schedule::First);
    let after = number(pairs, "after")?.map(Schedule::After);
    let every = number(pairs, "every")?.map(Schedule::Every);
    ensure!(every != Some(Schedule::Every(0)), "`every` is at least 1");
    let share = match pairs.remove("probability") {
        Some(text) => {
            let share: f64 = text.parse().context("`probability` is not a number")?;
            ensure!((0.0..=1.0).contains(&share), "`probability` is from 0 to 1");
            Some(Schedule::Probability {
                share,
                seed: number(pairs, "seed")?.unwrap_or(0),
            })
        }
        None => None,
    };
    let mut given = [first, after, every, share].into_iter().flatten();
    let schedule = given.next().unwrap_or(Schedule::Always);
    ensure!(given.next().is_none(), "a rule has one schedule");
    Ok(schedule)
}

fn number(pairs: &mut Pairs, key: &str) -> Result<Option<u64>> {
    pairs
        .remove(key)
        .map(|text| {
            text.parse()
                .with_context(|| format!("`{key}` is not a whole number"))
        })
        .transpose()
}

fn needed(pairs: &mut Pairs, key: &str) -> Result<u64> {
    number(pairs, key)?.with_context(|| format!("`{key}` is missing"))
}

fn retry_after(pairs: &mut Pairs) -> Result<RetryAfter> {
    let Some(text) = pairs.remove("retry-after") else {
        return Ok(RetryAfter::Absent);
    };
    let wrong = || format!("`retry-after` is seconds or date:seconds, not `{text}`");
    Ok(match text.strip_prefix("date:") {
        Some(seconds) => RetryAfter::Date(seconds.parse().with_context(wrong)?),
        None => RetryAfter::Seconds(text.parse().with_context(wrong)?),
    })
}

fn action_from(name: &str, pairs: &mut Pairs) -> Result<Action> {
    if let Some(refused) = refused(name) {
        return Ok(Action::Refuse(refused, retry_after(pairs)?));
    }
    Ok(match name {
        "hang" => Action::Hang,
        "stall" => Action::Stall,
        "slow" => Action::Slow,
        "cut" => Action::CutBody,
        "close" => Action::Close,
        "invalid-json" => Action::InvalidJson,
        "empty" => Action::Empty,
        "error-inside" => Action::ErrorInside,
        "usage-missing" => Action::UsageMissing,
        "usage-negative" => Action::UsageNegative,
        "usage-output" => Action::UsageOutput(needed(pairs, "tokens")?),
        "usage-cached" => Action::UsageCached(needed(pairs, "tokens")?),
        "usage-reasoning" => Action::UsageReasoning(needed(pairs, "tokens")?),
        "redirect" => Action::Redirect(pairs.remove("to").context("`to` is missing")?),
        "truncate" => Action::Truncate,
        "prose" => Action::Prose,
        "fenced" => Action::Fenced,
        "missing-property" => Action::MissingProperty,
        "wrong-enum" => Action::WrongEnum,
        "refusal" => Action::Refusal,
        "content-filter" => Action::ContentFilter,
        "oversize" => Action::Oversize(needed(pairs, "mib")?.min(1024)),
        _ => bail!("unknown action `{name}`"),
    })
}

fn refused(name: &str) -> Option<Refused> {
    Some(match name {
        "429" => Refused::TooManyRequests,
        "quota" => Refused::QuotaExhausted,
        "500" => Refused::ServerError,
        "502" => Refused::BadGateway,
        "503" => Refused::Unavailable,
        "529" => Refused::Overloaded,
        "401" => Refused::Unauthorized,
        "403" => Refused::Forbidden,
        "404" => Refused::NotFound,
        "400" => Refused::BadRequest,
        "context-length" => Refused::ContextLength,
        "422" => Refused::Unprocessable,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compact_rule_reads_as_it_says() {
        let fault = parse("model=gpt-4,first=2,action=429,retry-after=1").expect("it is right");
        assert_eq!(fault.scope.model.as_deref(), Some("gpt-4"));
        assert_eq!(fault.schedule, Schedule::First(2));
        let throttled = Action::Refuse(Refused::TooManyRequests, RetryAfter::Seconds(1));
        assert_eq!(fault.action, throttled);
    }

    #[test]
    fn an_action_alone_and_quoted_commas_are_fine() {
        assert_eq!(parse("hang").expect("short").action, Action::Hang);
        let fault = parse(r#"contains="a, b",slow,delay-ms=20"#).expect("quoted");
        assert_eq!(fault.scope.contains.as_deref(), Some("a, b"));
        assert_eq!(fault.delay, Duration::from_millis(20));
    }

    #[test]
    fn toml_and_json_say_the_same() {
        let toml = "[[fault]]\naction = \"503\"\nretry-after = \"date:30\"\nevery = 3\n";
        let json = serde_json::json!({"action": 503, "retry-after": "date:30", "every": 3});
        let from_toml = parse_toml(toml).expect("toml");
        assert_eq!(from_toml, parse_json(&json).expect("json"));
        assert_eq!(from_toml[0].schedule, Schedule::Every(3));
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |text| format!("{:#}", parse(text).expect_err("it is wrong"));
        assert!(wrong("model=gpt-4").contains("`action` is missing"));
        assert!(wrong("hang,modell=x").contains("`modell` is unknown"));
        assert!(wrong("hang,retry-after=1").contains("no meaning for `hang`"));
        assert!(wrong("usage-output").contains("`tokens` is missing"));
        assert!(wrong("hang,first=1,every=2").contains("one schedule"));
        assert!(wrong("boom").contains("unknown action"));
        assert!(wrong("hang,every=0").contains("at least 1"));
    }
}
