use super::*;
use crate::prompt::{DEFAULT_VERSION, Library};
use serde_json::json;

fn check(step: Step, value: Value, text: &str) -> Result<Valid, Vec<String>> {
    let library = Library::load(None, &std::array::from_fn(|_| DEFAULT_VERSION.into())).unwrap();
    answer(
        step,
        library.step(step).schema.as_ref().unwrap(),
        value,
        text,
    )
}

fn people(names: &[&str]) -> Value {
    let people: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "mentions": 1}))
        .collect();
    json!({"people": people, "places": [], "organizations": [], "dates": []})
}

#[test]
fn names_are_looked_for_without_regard_to_case_width_and_spaces() {
    let text = "Yesterday ＮＡＳＡ met Marie\n  Curie and l’Oréal. 東芝は発表した。";
    for name in ["nasa", "Marie Curie", "l'Oréal", "東芝"] {
        assert_eq!(
            check(Step::ExtractEntities, people(&[name]), text)
                .unwrap()
                .ungrounded,
            0
        );
    }
}

#[test]
fn a_name_that_is_not_in_the_text_is_dropped_and_too_many_are_refused() {
    let text = "Ada met Bob and Cleo.";
    let valid = check(Step::ExtractEntities, people(&["Ada", "Bob", "Zed"]), text).unwrap();
    assert_eq!(valid.ungrounded, 1);
    assert_eq!(valid.value["people"].as_array().unwrap().len(), 2);
    let errors = check(Step::ExtractEntities, people(&["Ada", "Yan", "Zed"]), text).unwrap_err();
    assert!(errors[0].contains("remove these: Yan, Zed"), "{errors:?}");
    assert!(check(Step::ExtractEntities, people(&[]), text).is_ok());
}

#[test]
fn a_date_that_is_no_day_loses_its_iso_form() {
    let value = json!({"people": [], "places": [], "organizations": [], "dates": [
        {"text": "Tuesday", "iso": "next week"}, {"text": "1 May 2020", "iso": "2020-05-01"},
        {"text": "30 February", "iso": "2020-02-30"}, {"text": "soon", "iso": null}]});
    let valid = check(Step::ExtractEntities, value, "x").unwrap();
    let iso: Vec<&Value> = valid.value["dates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|date| &date["iso"])
        .collect();
    assert_eq!(
        iso,
        [
            &Value::Null,
            &json!("2020-05-01"),
            &Value::Null,
            &Value::Null
        ]
    );
    assert!(valid.mended);
}

#[test]
fn a_summary_has_two_or_three_sentences() {
    let summary = |text: &str| {
        check(
            Step::GenerateSummary,
            json!({"summary": text, "sentences": 2}),
            "",
        )
    };
    assert!(summary("One is here. Two is there.").is_ok());
    assert!(summary("Dr. Smith of the U.S. Army spoke. J. R. Doe listened.").is_ok());
    assert!(summary("東芝は撤退した。市場は驚いた。").is_ok());
    assert!(summary("Only one.").is_err());
    assert!(summary("A one. A two. A three. A four.").is_err());
    let miscounted = summary("A one. A two. A three.").unwrap();
    assert_eq!(miscounted.value["sentences"], 3);
}

#[test]
fn labels_are_folded_and_checked() {
    let one = |label: &str, primary: &str| {
        let labels = json!([{"label": label, "confidence": 0.9}]);
        check(
            Step::ClassifyContent,
            json!({"labels": labels, "primary": primary}),
            "",
        )
    };
    assert!(one(" Sports", "SPORTS").unwrap().mended);
    assert!(one("gossip", "gossip").is_err());
    assert!(one("sports", "tech").is_err());
    let twice = json!([{"label": "arts", "confidence": 1}, {"label": "arts", "confidence": 2}]);
    let errors = check(
        Step::ClassifyContent,
        json!({"labels": twice, "primary": "arts"}),
        "",
    );
    assert_eq!(errors.unwrap_err().len(), 2);
}

#[test]
fn scores_are_whole_numbers_with_a_reason() {
    let score = |relevance: Value, reason: &str| {
        check(
            Step::ScoreQuality,
            json!({"relevance": relevance, "quality": 5, "reason": reason}),
            "",
        )
    };
    assert!(score(json!(10), "Well sourced.").is_ok());
    assert!(score(json!(11), "Well sourced.").is_err());
    assert!(score(json!(7.5), "Well sourced.").is_err());
    assert!(score(json!(7), " ").is_err());
}
