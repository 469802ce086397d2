//! Words that carry no subject, in the languages that the simulator knows a little.

use std::collections::HashSet;
use std::sync::LazyLock;

const STOP: &str = "a about above after again against all almost along already also although always am among an \
and another any anyone anything are around as at away back be became because become been before began behind being \
below best better between both but by came can cannot could despite did do does doing done down during each early \
either else enough even ever every everyone everything few first following for former four from further gave get \
give given go good got great had has have having he hence her here hers herself him himself his how however i if \
in indeed instead into is it its itself just keep kept last later least less let like likely little long made main \
make many may maybe me meanwhile might mine more moreover most much must my myself near nearly need neither never \
new next no nobody none nor not nothing now of off often oh ok on once one only onto or other others otherwise our \
ours out over own part people per perhaps please put quite rather read really recent recently said same saw say \
says second see seem seen several shall she should since so some someone something sometimes soon still such sure \
take taken than that the their theirs them themselves then there therefore these they thing things third this those \
though three through throughout thus till to today together tomorrow too took toward towards two under unless unlike \
until up upon us use used using usually very via was way we well went were what when where whether which while who \
whole whom whose why will with within without would yes yesterday yet you your yours note source interview according \
additionally consequently finally furthermore generally given historically image initially nevertheless nonetheless \
originally overall previously similarly specifically subsequently table figure section chapter part prior thanks \
welcome imagine consider unfortunately fortunately currently currently eventually apparently clearly obviously \
le la les un une des du de et en au aux dans par pour sur avec sans sous que qui quoi dont ce cet cette ces son sa \
ses leur leurs il elle ils elles nous vous je tu on ne pas plus est sont était été être avoir fait mais ou où donc or \
ni car si comme aussi tout tous toute toutes même très peut selon après avant depuis entre lors ainsi pourquoi \
comment quand voici voilà certains certaines beaucoup plusieurs \
el los las una unos unas del al y e o u pero sino porque como más menos muy ya no sí su sus lo le se me te nos que \
qué quien quién cual cuál cuando cuándo donde dónde por para con sin sobre entre desde hasta este esta estos estas \
ese esa eso esto aquel es son era fue ser estar está están han ha hay también así si tu tus mi mis \
der die das den dem des ein eine einer eines einem einen und oder aber denn weil dass wenn ob als wie wo wer was \
ist sind war waren sein hat haben hatte wird werden wurde kann können soll muss nicht kein keine auch nur noch schon \
mit von vom zum zur zu im in am an auf aus bei bis durch für gegen nach über um unter vor zwischen seit er sie es \
wir ihr ich du man sich mich dich uns euch dieser diese dieses jeder jede jedes mehr sehr so dann doch";

static STOPWORDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| STOP.split_whitespace().collect());

/// Whether a lower-case word carries no subject.
pub(crate) fn is_stopword(lower: &str) -> bool {
    STOPWORDS.contains(lower)
}
