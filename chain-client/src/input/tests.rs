use super::*;
use std::{fs, path::Path};

fn read(inputs: &[&Path], options: &Options) -> Vec<Item> {
    let inputs: Vec<String> = inputs
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let plan = Plan::new(&inputs, options).unwrap();
    let mut items = Vec::new();
    read_all(&plan, options, &mut |item| {
        items.push(item);
        true
    });
    items
}

fn why(item: &Item) -> String {
    match item {
        Item::Article(article) => format!("article {}", article.id),
        Item::Unfit(unfit) => unfit.why.to_string(),
    }
}

#[test]
fn a_directory_is_read_in_order_and_what_is_unfit_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    write("a.txt", b"A title\n\nSome text.");
    write("b-empty.txt", b" \n ");
    write("c-binary.txt", b"\x00\x01\x02");
    write("d-latin1.txt", b"caf\xe9 au lait");
    write("e-big.txt", &b"word ".repeat(400));
    write("f-utf16.txt", b"\xff\xfeh\x00i\x00");
    write("g.pdf", b"%PDF");
    write("h.bom.txt", "\u{FEFF}Text".as_bytes());
    let options = Options {
        max_bytes: 1000,
        ..Options::default()
    };
    let items = read(&[dir.path()], &options);
    let told: Vec<String> = items.iter().map(why).collect();
    assert_eq!(
        told,
        [
            "article a.txt",
            "empty: no text",
            "binary: the file holds null bytes or control characters",
            "encoding: not valid UTF-8 at byte 3",
            "oversize: more than 1000 bytes",
            "encoding: not valid UTF-8 at byte 0",
            "unsupported: files of this kind are not read",
            "article h.bom.txt",
        ]
    );
    let Item::Article(first) = &items[0] else {
        panic!("an article")
    };
    assert_eq!(first.title, "A title");
}

#[test]
fn a_page_gives_its_main_text() {
    let dir = tempfile::tempdir().unwrap();
    let page = "<html><head><title> A &amp; B </title><style>x{}</style></head><body><nav>Home</nav>\
        <article><h1>Head</h1><p>One <b>two</b>\nthree.</p><script>evil()</script><p>Four.</p>\
        </article><footer>CC</footer></body></html>";
    let path = dir.path().join("page.html");
    fs::write(&path, page).unwrap();
    let items = read(&[&path], &Options::default());
    let Item::Article(article) = &items[0] else {
        panic!("an article")
    };
    assert_eq!(article.title, "A & B");
    assert_eq!(&*article.text, "Head\n\nOne two three.\n\nFour.");
}

#[test]
fn markdown_loses_its_front_matter() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("post.md");
    fs::write(
        &path,
        "---\ntitle: \"From front\"\ntags: [a]\n---\n# Heading\n\nBody.",
    )
    .unwrap();
    let Item::Article(article) = read(&[&path], &Options::default()).remove(0) else {
        panic!("an article")
    };
    assert_eq!(
        (article.title.as_str(), &*article.text),
        ("From front", "# Heading\n\nBody.")
    );
}

#[test]
fn a_bad_line_is_one_rejected_article() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("batch.jsonl");
    let lines = "{\"id\": \"one\", \"body\": {\"text\": \"First.\"}}\nnot json\n\n{\"id\": 4}\n\
        {\"id\": 5, \"body\": {\"text\": 7}}\n{\"id\": 6, \"title\": \"T\", \"body\": {\"text\": \"Last.\"}}";
    fs::write(&path, lines).unwrap();
    let options = Options {
        text_field: "/body/text".into(),
        ..Options::default()
    };
    let items = read(&[&path], &options);
    let told: Vec<String> = items.iter().map(why).collect();
    assert_eq!(told[0], "article one");
    assert!(told[1].starts_with("malformed: expected"), "{}", told[1]);
    assert!(told[2].ends_with("is missing"));
    assert!(told[3].ends_with("is not a text"));
    assert_eq!(told[4], "article 6");
    assert_eq!(
        count(&Plan::new(&[path.display().to_string()], &options).unwrap()),
        Some(5)
    );
}

#[test]
fn an_array_has_one_article_an_element() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("all.json");
    fs::write(
        &path,
        r#"[{"text": "a b"}, {"id": "x", "text": ""}, {"text": "c d"}]"#,
    )
    .unwrap();
    let told: Vec<String> = read(&[&path], &Options::default())
        .iter()
        .map(why)
        .collect();
    let first = format!("article {}:1", path.display());
    let third = format!("article {}:3", path.display());
    assert_eq!(told, [first.as_str(), "empty: no text", third.as_str()]);
}

#[test]
fn shards_part_the_input_without_loss() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.txt", "b.txt", "c.txt", "d.txt", "e.txt"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    let mut places = Vec::new();
    for index in 0..2 {
        let options = Options {
            shard: Some(Shard { index, of: 2 }),
            ..Options::default()
        };
        for item in read(&[dir.path()], &options) {
            let Item::Article(article) = item else {
                panic!("an article")
            };
            places.push(article.n);
        }
    }
    assert_eq!(places, [1, 3, 5, 2, 4]);
    assert!("4/4".parse::<Shard>().is_err() && "1".parse::<Shard>().is_err());
}

#[test]
fn filters_hold_for_directories() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.txt", "SOURCES.md", "b.md"] {
        fs::write(dir.path().join(name), "text").unwrap();
    }
    let options = Options {
        exclude: vec!["SOURCES.md".into()],
        ..Options::default()
    };
    let told: Vec<String> = read(&[dir.path()], &options).iter().map(why).collect();
    assert_eq!(told, ["article a.txt", "article b.md"]);
}

#[test]
fn an_oversize_line_does_not_end_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("batch.jsonl");
    let long = "x".repeat(200_000);
    fs::write(
        &path,
        format!("{{\"text\": \"{long}\"}}\n{{\"text\": \"fine\", \"id\": \"ok\"}}\n"),
    )
    .unwrap();
    let options = Options {
        max_bytes: 1000,
        ..Options::default()
    };
    let told: Vec<String> = read(&[&path], &options).iter().map(why).collect();
    assert_eq!(told, ["oversize: more than 1000 bytes", "article ok"]);
}
