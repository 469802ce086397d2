//! Which of the labels of an enum fits an article, by key words.

use std::collections::HashMap;

use super::article::{Article, content_words};

/// Key words of the topics: beginnings of words in English, French, Spanish and German; words in other scripts.
const TOPICS: &[(&str, &str)] = &[
    (
        "tech",
        "software browser internet web comput code coder program open-source opensource wiki website online app \
      digital data server hardware chip semiconductor algorithm robot artificial startup cyber hack network device \
      smartphone github linux microsoft google apple user version download logiciel ordinateur código codigo métricas \
      proyecto projet technolog tecnolog contributeur mainteneur maintainer developer développeur entwickler anonymous \
      rechner netz explorer analytics repository ディスク dvd メディア 規格 机器 软件 互联网 تقنية برنامج",
    ),
    (
        "business",
        "company compan market econom bank invest inflation stock share price profit revenue trade financ \
      fund merger acquisition business customer sale firm industr institution contract property employment monetary \
      committee treasury rate tax debt dollar euro growth founder advertis entreprise marché financement financ \
      empresa mercado dinero unternehmen markt wirtschaft capital privatiz expropriat oil 企業 市場 撤退 経済 公司 经济 \
      شركة اقتصاد",
    ),
    (
        "science",
        "research scien stud experiment laborator species dinosaur physic chemi biolog genetic cell climate \
      ozone whale marine ocean seabed carcass sediment hidrolog hydrolog agua niebla clima litro científic astronom space nasa shuttle orbit planet telescope hypothes evolution theropod chicken femur locomot \
      emission atmospher crop yield model measure recherche scientifi investigac forsch wissenschaft specimen mission \
      satellite rocket 研究 科学 宇宙 علم بحث",
    ),
    (
        "politics",
        "government govern election elect vote voter minister president parliament senate congress party \
      politic policy law court constitution republic state federal democrat campaign candidate treaty citizen legisl \
      union war rule ruling gouvernement élection politique loi gobierno elecc política ley regierung wahl politik \
      opposition protest rights council 政府 選挙 大統領 政治 选举 حكومة انتخاب سياس",
    ),
    (
        "sports",
        "match goal team player coach tournament league cup championship olympic paralympic basketball football \
      soccer tennis score scored game half season medal athlete win won victory defeat penalty referee captain stadium \
      équipe joueur joueuse partido equipo jugador mannschaft spieler wheelchair fifa 試合 選手 比赛 مباراة",
    ),
    (
        "health",
        "health hospital patient disease virus vaccin doctor medic clinic treatment drug cancer infection \
      epidemic pandemic symptom nurs surgery mental diet therap mortality diagnos santé maladie hôpital salud \
      enfermedad gesundheit krankheit arzt 健康 病院 医療 医院 صحة مرض",
    ),
    (
        "arts",
        "art artist exhibit curator craft sewing tailor dress fashion fabric textile garment contemporary pattern design museum music musician film movie cinema theatre theater novel poet poem book author painting \
      paint exhibition gallery concert album song dance opera literature culture sculpture actor actress director \
      festival musique peinture música pintura arte kunst musik buch 音楽 映画 芸術 艺术 فن موسيقى",
    ),
];

/// A label and how sure the simulator is of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Label {
    pub(crate) name: String,
    /// From 0 to 1, in hundredths.
    pub(crate) confidence: f64,
}

/// The allowed labels that fit, the best first, at least one and at most three.
pub(crate) fn rank(article: &Article, allowed: &[String]) -> Vec<Label> {
    let text = format!("{}\n{}\n{}", article.title, article.title, article.raw);
    let mut words: HashMap<String, f64> = HashMap::new();
    for word in content_words(&text) {
        *words.entry(word).or_default() += 1.0;
    }
    let mut scores: Vec<(f64, &String)> = allowed
        .iter()
        .map(|name| (score(name, &words, &text), name))
        .collect();
    scores.sort_by(|left, right| right.0.total_cmp(&left.0));
    let total: f64 = scores.iter().map(|(score, _)| score).sum();
    let best = scores.first().map_or(0.0, |(score, _)| *score);
    if best <= 0.0 {
        let name = allowed
            .iter()
            .find(|name| is_rest(name))
            .or(allowed.first());
        return name
            .map(|name| Label {
                name: name.clone(),
                confidence: 0.4,
            })
            .into_iter()
            .collect();
    }
    scores
        .into_iter()
        .filter(|(score, _)| *score >= best * 0.5)
        .take(3)
        .map(|(score, name)| {
            let share = score / total;
            // One key word is not much to go by, whatever its share.
            let confidence = 0.35 + 0.6 * share * (score / (score + 1.5));
            Label {
                name: name.clone(),
                confidence: (confidence.min(0.97) * 100.0).round() / 100.0,
            }
        })
        .collect()
}

fn is_rest(name: &str) -> bool {
    [
        "other", "misc", "none", "general", "unknown", "autre", "otro",
    ]
    .contains(&name.to_lowercase().as_str())
}

/// Different key words count more than the same one again.
fn score(name: &str, words: &HashMap<String, f64>, text: &str) -> f64 {
    let Some(topic) = topic(name) else {
        return if is_rest(name) {
            0.0
        } else {
            words
                .get(&name.to_lowercase())
                .copied()
                .unwrap_or(0.0)
                .sqrt()
        };
    };
    topic
        .split_whitespace()
        .map(|key| {
            let hits: f64 = if key.is_ascii() || key.chars().all(|letter| letter < '\u{0600}') {
                words
                    .iter()
                    .filter(|(word, _)| begins(word, key))
                    .map(|(_, count)| count)
                    .sum()
            } else {
                // A script that the word splitter cuts letter by letter.
                super::article::count(text.matches(key).count())
            };
            hits.sqrt()
        })
        .sum()
}

/// Short keys stand for the whole word (`art` is not `article`), perhaps in the plural.
fn begins(word: &str, key: &str) -> bool {
    match word.strip_prefix(key) {
        Some(rest) if key.len() <= 4 => rest.is_empty() || rest == "s",
        Some(_) => true,
        None => false,
    }
}

/// The key words of a label, by its name or a usual synonym.
fn topic(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let same = match name.as_str() {
        "technology" | "technologie" | "tecnología" | "it" => "tech",
        "economy" | "finance" | "economics" | "wirtschaft" => "business",
        "research" | "wissenschaft" | "sciences" => "science",
        "government" | "world" | "politik" | "política" => "politics",
        "sport" | "deportes" => "sports",
        "medicine" | "medical" | "wellness" => "health",
        "culture" | "art" | "entertainment" => "arts",
        other => other,
    };
    TOPICS
        .iter()
        .find(|(topic, _)| *topic == same)
        .map(|(_, keys)| *keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<Label> {
        let allowed = [
            "tech", "business", "science", "politics", "sports", "health", "arts", "other",
        ];
        rank(&Article::read(text, ""), &allowed.map(str::to_owned))
    }

    #[test]
    fn the_key_words_decide() {
        let sports =
            labels("The team won the match with a late goal, and the coach praised the players.");
        assert_eq!(sports[0].name, "sports");
        let health =
            labels("The hospital treated patients with the new vaccine against the virus.");
        assert_eq!(health[0].name, "health");
        assert!(health[0].confidence > 0.5 && health[0].confidence <= 1.0);
        assert_eq!(
            labels("Le gouvernement a perdu les élections.")[0].name,
            "politics"
        );
    }

    #[test]
    fn nothing_known_is_other() {
        assert_eq!(labels("Lorem ipsum dolor sit amet.")[0].name, "other");
    }

    #[test]
    fn only_allowed_labels_are_given() {
        let article = Article::read("The team won the match.", "");
        assert_eq!(
            rank(&article, &["red".to_owned(), "blue".to_owned()])[0].name,
            "red"
        );
    }
}
