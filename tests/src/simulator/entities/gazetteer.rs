//! Names and name parts that are well known. Lists are separated by semicolons or spaces.

use std::collections::HashSet;
use std::sync::LazyLock;

/// A set of words or phrases.
pub(super) type Set = LazyLock<HashSet<&'static str>>;

macro_rules! set {
    ($name:ident, $separator:literal, $doc:literal, $text:expr) => {
        #[doc = $doc]
        pub(super) static $name: Set = LazyLock::new(|| {
            $text
                .split($separator)
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .collect()
        });
    };
}

set!(
    PLACES,
    ';',
    "Countries, regions and large cities.",
    "Accra;Addis Ababa;Alicante;Almería;Anaga;Andalucía;Astoria;Auckland;Aberdeen;Azores;Bangalore;Basel;\
Belfast;Bergen;Bern;Bilbao;Birmingham;Bogotá;Bologna;Bordeaux;Bratislava;Brest;Brighton;Brisbane;Bristol;Brno;Caracas;\
Cardiff;Casablanca;Catalonia;Chennai;Cologne;Cork;Cornwall;Dakar;Derby;Dortmund;Dresden;Düsseldorf;Exeter;Faial;\
Florence;Galway;Gdansk;Genoa;Gothenburg;Gran Canaria;Granada;Graz;Grenoble;Guadalajara;Hanover;Hull;Islay;Izmir;\
Kraków;Krakow;Kampala;Karachi;Kent;Kumasi;Kuopio;La Laguna;La Paz;Lagos;Lahore;Lapland;Leeds;Leicester;Leipzig;Leith;\
Lille;Lyons;Malaga;Málaga;Marrakesh;Monterrey;Murcia;Nantes;Newcastle;Nice;Norwich;Nottingham;Nuremberg;Orkney;Oulu;\
Palermo;Pamplona;Plymouth;Porto;Quito;Reykjavik;Riga;Rotterdam;Salamanca;Salzburg;San José;Santa Cruz;Santa Cruz de Tenerife;\
Sevilla;Seville;Sheffield;Skye;Southampton;Stuttgart;Strasbourg;Tallinn;Tampere;Tenerife;Canarias;Toulouse;Turku;Ullapool;\
Utrecht;Vilnius;Wellington;York;Zaragoza;Seaside;Highlands;Hebrides;Afghanistan;Africa;Alabama;Alaska;Albania;Alberta;Algeria;\
America;Amsterdam;Andorra;Angola;Antarctica;Arctic;Argentina;Arizona;Arkansas;Armenia;Asia;Athens;Atlanta;Atlantic;\
Australia;Austria;Azerbaijan;Baghdad;Bahrain;Bangkok;Bangladesh;Barcelona;Bavaria;Beijing;Beirut;Belarus;Belgium;\
Belgrade;Berlin;Bolivia;Bosnia;Boston;Brazil;Britain;Great Britain;Brussels;Bucharest;Budapest;Buenos Aires;Bulgaria;\
Cairo;Calcutta;California;Cambodia;Cambridge;Cameroon;Canada;Cape Canaveral;Cape Town;Caribbean;Central America;\
Chicago;Chile;China;Clearwater;Colombia;Colorado;Connecticut;Copenhagen;Costa Rica;Croatia;Cuba;Cyprus;\
Czech Republic;Dakota;Dallas;Damascus;Delaware;Delhi;New Delhi;Denmark;Denver;Detroit;Dubai;Dublin;East Asia;\
Eastern Europe;Ecuador;Edinburgh;Egypt;England;Eritrea;Estonia;Ethiopia;Eurasia;Europe;Finland;Florida;France;\
Frankfurt;Gaza;Geneva;Georgia;Germany;Ghana;Glasgow;Greece;Greenland;Guatemala;Guyana;Haiti;Hamburg;Havana;Hawaii;\
Helsinki;Hiroshima;Honduras;Hong Kong;Houston;Hungary;Iceland;Idaho;Illinois;India;Indiana;Indonesia;Iowa;Iran;Iraq;\
Ireland;Northern Ireland;Israel;Istanbul;Italy;Jakarta;Jamaica;Japan;Jerusalem;Johannesburg;Jordan;Kabul;Kansas;\
Kazakhstan;Kentucky;Kenya;Kiev;Kyiv;Korea;North Korea;South Korea;Kosovo;Kuwait;Kyoto;Kowloon;Lagos;Las Vegas;\
Latin America;Latvia;Lebanon;Libya;Lima;Lisbon;Lithuania;Liverpool;London;Los Angeles;Louisiana;Luxembourg;Lyon;\
Macau;Macedonia;Madagascar;Madrid;Maine;Malaysia;Mali;Malta;Manchester;Manhattan;Manitoba;Maryland;Marseille;\
Massachusetts;Mediterranean;Melbourne;Mexico;Mexico City;Miami;Michigan;Middle East;Milan;Minnesota;Mississippi;\
Missouri;Moldova;Monaco;Mongolia;Montana;Montenegro;Montreal;Morocco;Moscow;Mozambique;Mumbai;Munich;Myanmar;Nagasaki;\
Nairobi;Namibia;Naples;Nebraska;Nepal;Netherlands;The Netherlands;Nevada;New Brunswick;New England;New Hampshire;\
New Jersey;New Mexico;New Orleans;New South Wales;New York;New York City;New Zealand;Newfoundland;Nicaragua;Niger;\
Nigeria;North America;North Carolina;North Dakota;Norway;Nova Scotia;Ohio;Oklahoma;Oman;Ontario;Oregon;Osaka;Oslo;\
Ottawa;Oxford;Pacific;Pakistan;Palestine;Panama;Paraguay;Paris;Pennsylvania;Perth;Peru;Philadelphia;Philippines;\
Phoenix;Poland;Portland;Portugal;Prague;Puerto Rico;Qatar;Quebec;Queensland;Rhode Island;Rio de Janeiro;Riyadh;\
Romania;Rome;Russia;Rwanda;Samara;San Diego;San Francisco;Santiago;Sarajevo;Saskatchewan;Saudi Arabia;Scandinavia;\
Scotland;Seattle;Senegal;Seoul;Serbia;Shanghai;Siberia;Sicily;Silicon Valley;Singapore;Slovakia;Slovenia;Sochi;\
Somalia;South Africa;South America;South Carolina;South Dakota;Southeast Asia;Soviet Union;Spain;Sparta;Sri Lanka;\
St. Louis;St. Petersburg;Saint Petersburg;Stockholm;Sudan;Sweden;Switzerland;Sydney;Syria;Taipei;Taiwan;Tanzania;\
Tasmania;Tehran;Tel Aviv;Tennessee;Texas;Thailand;Tibet;Tokyo;Toronto;Trieste;Tunisia;Turin;Turkey;U.K.;U.S.;U.S.A.;\
UAE;UK;US;USA;USSR;Uganda;Ukraine;United Arab Emirates;United Kingdom;United States;United States of America;Uruguay;\
Utah;Uzbekistan;Valencia;Vancouver;Vatican;Venezuela;Venice;Vermont;Victoria;Vienna;Vietnam;Virginia;Wales;Warsaw;\
Washington;Washington D.C.;Washington, D.C.;West Virginia;Western Europe;Wisconsin;Wyoming;Yemen;Yugoslavia;Zagreb;\
Zambia;Zimbabwe;Zurich;Nizhny Novgorod;Volgograd;Kazan;Kaliningrad;Rostov;Yekaterinburg;Saransk;\
Allemagne;Angleterre;Belgique;Brésil;Chine;Espagne;Grèce;Italie;Japon;Londres;Maroc;Mexique;Russie;Suisse;\
États-Unis;Afrique;Europa;Alemania;Argentina;Brasil;Chile;España;Estados Unidos;Francia;Inglaterra;Italia;Japón;\
México;Perú;Reino Unido;Rusia;Venezuela;Deutschland;England;Frankreich;Griechenland;Großbritannien;Italien;\
Japan;Österreich;Russland;Schweden;Schweiz;Spanien;Vereinigte Staaten;München;Wien;Köln;Zürich"
);

set!(
    ORGS,
    ';',
    "Well-known organizations.",
    "ABC;ACLU;AFP;AP;AOL;Adobe;Airbus;Al Jazeera;Amazon;AMD;Anthropic;Apple;\
Associated Press;AT&T;BBC;BBC News;BMW;BP;Bloomberg;Blue Origin;Boeing;Budweiser;CBS;CDC;CERN;CIA;CNBC;CNN;Coca-Cola;\
Creative Commons;Dell;Democratic Party;Deutsche Bank;Disney;EPA;ESA;EU;European Union;European Commission;\
European Central Bank;Exxon;ExxonMobil;FBI;FCC;FDA;FIFA;FOMC;Facebook;Fed;Federal Reserve;Financial Times;Ford;\
Fox News;Free Software Foundation;GitHub;GitLab;General Electric;General Motors;Getty Images;Goldman Sachs;Google;\
Greenpeace;Guardian;HP;Harvard;Hezbollah;Hitachi;Homebrew;Honda;Huawei;IAEA;IBM;IMF;IOC;ISRO;ITAR-TASS;Intel;Interfax;\
International Monetary Fund;JPMorgan;Kremlin;LinkedIn;Lockheed Martin;Los Angeles Times;MIT;MSNBC;Mercedes;Meta;\
Microsoft;Mozilla;NASA;NATO;NBA;NBC;NFL;NHL;NHS;NPR;NSA;Netflix;New York Times;Nintendo;Nokia;OECD;OPEC;OSCE;OpenAI;\
Oracle;Oxfam;PBS;Panasonic;Pentagon;Red Cross;Reddit;Renault;Republican Party;Repsol;Reuters;Roscosmos;SEC;Samsung;\
Sea Launch;Siemens;Sony;SpaceX;Stanford;Supreme Court;Taliban;Tesla;The Guardian;The New York Times;Times;Toshiba;\
Toyota;Tsinghua;Twitter;UEFA;UN;UNESCO;UNHCR;UNICEF;United Nations;USDA;Verizon;Virgin Galactic;Volkswagen;WHO;WTO;\
Wall Street Journal;Walmart;Warner Bros;Washington Post;White House;Wikimedia Foundation;Wikinews;Wikipedia;\
World Bank;World Health Organization;World Trade Organization;Xinhua;YPF;Yahoo;Yale;YouTube;Linux Foundation;\
Apache Software Foundation;Church of Scientology;Google Analytics;Open Collective;Patreon;Kickstarter;Gratipay;\
Congress;Senate;Parliament;House of Representatives;House of Commons;House of Lords"
);

set!(
    FIRST_NAMES,
    ' ',
    "Common first names.",
    "Aaron Abdul Abdullah Adam Adrian Agnes Ahmad Ahmed Aisha Alan Albert \
Alejandro Alex Alexander Alexandra Alexei Alfred Ali Alice Alison Allan Allen Amanda Amir Amy Ana Andre Andrea Andreas \
Andrei Andrew Andrés Andy Angela Angelo Anita Ann Anna Anne Annie Anthony Antoine Anton Antonio António Ariel Arnold \
Arthur Barack Barbara Barry Bashar Ben Benjamin Bernard Bernie Bill Bob Boris Brad Brandon Brendan Brian Bruce Bryan \
Camille Carl Carla Carlos Carmen Carol Caroline Catherine Cathy Charles Charlie Chloé Chris Christian Christina \
Christine Christopher Claire Clara Claude Claudia Colin Connie Craig Cristiano Cristina Daniel Daniela Danielle Danny \
Dave David Dean Deborah Denis Dennis Diana Diane Diego Dmitri Dmitry Don Donald Donna Dorothy Douglas Dries Duncan \
Dwight Eden Edgar Eduardo Edward Elena Eli Elinor Elisabeth Elizabeth Elon Emily Emma Emmanuel Enrique Eric Erik Ernest \
Eugene Eva Evan Evelyn Fatima Felipe Felix Fernando Florian Frances Francis Francisco Frank Franklin Fred Frederick \
Gabriel Gareth Gary Gavin Geoffrey George Georges Gerald Gerard Giovanni Giuseppe Gordon Graham Greg Gregory Guido \
Guillaume Guillermo Gustav Hans Harold Harry Hassan Heather Helen Helena Henri Henry Herbert Hillary Howard Hugh Hugo \
Ian Igor Isaac Isabel Ivan Jack Jacob Jacques Jake James Jamie Jan Jane Janet Jason Javier Jean Jeff Jeffrey Jennifer \
Jeremy Jerry Jesse Jessica Jesús Jill Jim Jimmy Joan Joe Joel Johan Johannes John Johnny Jon Jonathan Jordi Jorge José \
Jose Joseph Joshua Juan Judith Judy Julia Julian Julie Julien Jürgen Karen Karim Karl Kate Katherine Kathleen Katie \
Keith Kelly Ken Kenneth Kevin Kim Klaus Kofi Kurt Larry Laura Lauren Laurent Lawrence Leo Leon Leonard Leonardo Lewis \
Liam Linda Lionel Lisa Logan Louis Louise Luc Lucas Lucy Luis Luiz Luka Lukas Luke Léa Magnus Manuel Marc Marcel Marco \
Marcus Margaret Maria María Marie Mario Mark Marta Martha Martin Martín Mary Mathieu Matt Matthew Maurice Mauricio \
Max Megan Melissa Michael Michel Michelle Miguel Mike Mikhail Mohamed Mohammad Mohammed Monica Muhammad Nancy Natalie \
Nathan Neil Nelson Nicholas Nick Nicolas Nicole Nigel Nikolai Noah Nora Norman Oliver Olivia Olivier Omar Oscar Osama \
Otto Pablo Pamela Patricia Patrick Paul Paula Paulo Pavel Pedro Peter Phil Philip Philippe Pierre Rachel Rafael Ralph \
Raúl Ray Raymond Rebecca Recep Ricardo Richard Rick Robert Roberto Robin Rodrigo Roger Roland Roman Romelu Ronald Rosa \
Rose Roy Russell Ruth Ryan Saddam Sally Salvador Sam Samuel Sandra Sara Sarah Scott Sean Sebastian Sergei Sergey Sergio \
Seth Shane Sharon Shinzo Simon Sofia Sonia Sophie Stacy Stan Stanley Stefan Stephane Stephanie Stephen Steve Steven \
Stuart Sue Susan Suzanne Sylvia Ted Teresa Terry Theodore Theresa Thierry Thomas Tim Timothy Tina Toby Todd Tom Tommy \
Tony Tracy Ursula Valentina Vanessa Vera Victor Vincent Viktor Virginie Vladimir Walter Warren Wayne Wendy Werner \
William Willy Wolfgang Xavier Xi Yann Yannick Yasser Yuri Yves Zachary Zoe Álvaro Ángel Óscar Kristen Hwang Shin Joo"
);

set!(
    ORG_HEADS,
    ' ',
    "Words that head the name of an organization.",
    "Academy Administration Agency Airlines Airways \
Alliance Army Assembly Associates Association Authority Bank Board Brothers Bureau Cabinet Center Centre Chamber Church \
Club Coalition College Commission Committee Community Companies Company Confederation Congress Consortium Cooperative \
Corporation Corps Council Court Department Federation Force Forces Forum Foundation Fund Gazette Group Guild Herald \
Holdings Hospital Industries Initiative Institute Institution Journal Laboratories Laboratory Labs League Legislature \
Ministry Mission Movement Museum Navy Network Observatory Office Organisation Organization Orchestra Parliament Partners \
Party Police Post Press Project School Senate Service Services Society Software Studios Systems Team Telegraph Times \
Tribunal Tribune Trust Union University Ministerio Universidad Banco Gobierno Instituto Ministère Université Banque \
Institut Fondation Fundación Comisión Commission Ministerium Universität Bundesbank Partei"
);

set!(
    ORG_SUFFIXES,
    ' ',
    "Legal forms.",
    "Inc Inc. Corp Corp. Ltd Ltd. LLC PLC plc GmbH AG SA S.A. SE NV N.V. Co Co."
);

set!(
    PLACE_HEADS,
    ' ',
    "Words that head the name of a place.",
    "Airport Arena Avenue Basin Bay Beach Boulevard Bridge \
Canal Canyon Cape Castle City Coast County Desert District Fjord Forest Garden Gardens Gulf Harbor Harbour Highway \
Hill Hills Island Islands Isle Lake Mount Mountain Mountains Ocean Palace Park Peninsula Plateau Plaza Port Prefecture \
Province Republic River Road Sea Square Stadium Station Strait Street Territory Tower Valley Village Volcano"
);

set!(
    TITLES,
    ' ',
    "Titles and offices that stand before a person's name, in lower case.",
    "mr mr. mrs mrs. ms ms. dr \
dr. sir lady lord prof prof. professor president minister chief premier chancellor senator sen sen. governor gov gov. mayor \
congressman congresswoman representative rep. judge justice general gen. colonel captain lieutenant sergeant officer \
king queen prince princess pope archbishop bishop cardinal father sister coach manager striker midfielder defender \
goalkeeper referee director chairman chairwoman chairperson ceo founder co-founder spokesman spokeswoman spokesperson \
secretary ambassador commissioner author writer poet singer actor actress architect economist lawyer attorney \
researcher scientist astronaut commander player forward teammate editor analyst activist leader candidate m. mme \
monsieur madame señor señora don doña herr frau presidente ministro président ministre präsident kanzler kanzlerin"
);

set!(
    NOT_NAMES,
    ';',
    "Capitalised phrases that name no person, place or organization.",
    "Vice Chair;Chair;Chairman;Confederacy;Introduction;Conclusion;Abstract;Discussion;Mission Control;Federalist;\
Independence Day;World Cup;Prime Minister;\
Vice President;Secretary;Secretary General;Man of the Match;Internet;Internet Explorer;Open Source;Nobel Prize;Olympic;\
Olympics;Olympic Games;Winter Olympics;Summer Olympics;Paralympic;Paralympics;Paralympic Games;World War;World War II;\
World War I;Cold War;Civil War;Second World War;Christmas;Easter;Ramadan;God;Bible;Koran;Internet Explorer;Group;\
Android;Windows;HyperLink;Image;Commission Scolaire;English;Chief Executive;Chief;Director;Web;General;State;States;\
Union;Court;Constitution;City;River;University;Committee;Church;Government;Ministry;Minister;President;Senator;Party;\
Company;Council;Department;Federal;National;International;Central;North;South;East;West;Northern;Southern;Eastern;\
Western;New;Old;Great;Mission;Post;Journal;Team;Office;Service;Project;Software;Community;Center;Board;Street;Park;\
Republic;Island;Port;Lake;Sea;Road;Station;Tower;School;Group Stage;Times New Roman;Trade;Day;Year;Series;Video"
);

set!(
    DEMONYMS,
    ' ',
    "Words for people and languages.",
    "African American Americans Arab Arabic Argentine Argentinian \
Asian Australian Austrian Belgian Brazilian British Britons Bulgarian Canadian Catholic Chinese Christian Christians \
Colombian Croatian Cuban Czech Danish Dutch Egyptian English European Europeans Finnish French German Germans Greek \
Greeks Hindu Hungarian Indian Indonesian Iranian Iraqi Irish Islamic Israeli Italian Japanese Jewish Jews Kenyan Korean \
Latin Lebanese Malaysian Mexican Muslim Muslims Nigerian Norwegian Orthodox Pakistani Palestinian Peruvian Polish \
Portuguese Protestant Roman Romanian Russian Russians Saudi Scottish Serbian Spanish Swedish Swiss Syrian Taiwanese \
Thai Tunisian Turkish Ukrainian Vietnamese Welsh Democrats Democrat Republican Republicans Democratic Communist"
);

/// Names in scripts that have no capital letters: (name, whether it is a place).
pub(super) const UNCASED: &[(&str, bool)] = &[
    ("日本", true),
    ("アメリカ", true),
    ("米国", true),
    ("中国", true),
    ("韓国", true),
    ("北朝鮮", true),
    ("東京", true),
    ("大阪", true),
    ("京都", true),
    ("北京", true),
    ("上海", true),
    ("香港", true),
    ("台湾", true),
    ("ロシア", true),
    ("イギリス", true),
    ("英国", true),
    ("フランス", true),
    ("ドイツ", true),
    ("イタリア", true),
    ("ヨーロッパ", true),
    ("欧州", true),
    ("北米", true),
    ("インド", true),
    ("美国", true),
    ("俄罗斯", true),
    ("法国", true),
    ("德国", true),
    ("东京", true),
    ("台湾", true),
    ("臺灣", true),
    ("巴黎", true),
    ("伦敦", true),
    ("纽约", true),
    ("东芝", false),
    ("東芝", false),
    ("ソニー", false),
    ("松下", false),
    ("日立", false),
    ("パナソニック", false),
    ("トヨタ", false),
    ("ホンダ", false),
    ("任天堂", false),
    ("シャープ", false),
    ("マイクロソフト", false),
    ("グーグル", false),
    ("アップル", false),
    ("アマゾン", false),
    ("ネットフリックス", false),
    ("ベストバイ", false),
    ("ウォルマート", false),
    ("ワーナーブラザーズ", false),
    ("国連", false),
    ("联合国", false),
    ("谷歌", false),
    ("微软", false),
    ("华为", false),
    ("مصر", true),
    ("السعودية", true),
    ("القاهرة", true),
    ("سوريا", true),
    ("العراق", true),
    ("لبنان", true),
    ("فلسطين", true),
    ("إسرائيل", true),
    ("الولايات المتحدة", true),
    ("أمريكا", true),
    ("فرنسا", true),
    ("بريطانيا", true),
    ("روسيا", true),
    ("الصين", true),
    ("إيران", true),
    ("تركيا", true),
    ("الأردن", true),
    ("تونس", true),
    ("الجزائر", true),
    ("المغرب", true),
    ("الأمم المتحدة", false),
    ("الاتحاد الأوروبي", false),
    ("ناسا", false),
    ("جوجل", false),
    ("مايكروسوفت", false),
];

/// Endings of organizations' names in Chinese characters.
pub(super) const UNCASED_ORG_ENDINGS: &[&str] = &[
    "新聞",
    "通信",
    "銀行",
    "大学",
    "大學",
    "公司",
    "新聞社",
    "电视台",
    "研究所",
    "委员会",
    "委員会",
    "銀行",
    "银行",
];

/// Words behind a person's name in Chinese characters or kana.
pub(super) const UNCASED_PERSON_ENDINGS: &[&str] = &[
    "さん",
    "氏",
    "首相",
    "大統領",
    "社長",
    "会長",
    "选手",
    "選手",
    "主席",
    "总统",
    "先生",
    "教授",
    "监督",
    "監督",
];
