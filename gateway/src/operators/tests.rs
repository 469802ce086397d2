use super::{file::FileBoard, *};
use crate::{clock::SystemClock, error::StoreError};
use futures_util::future::FutureExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _};
use tempfile::TempDir;
use tollgate_core::breaker::Policy;

/// A board that can be emptied and taken away, as a shared store can.
#[derive(Default)]
struct Shared {
    notes: Mutex<Notes>,
    away: Mutex<bool>,
}

impl Shared {
    fn notes(&self) -> Result<MutexGuard<'_, Notes>, StoreError> {
        if *self.away.lock().expect("whole") {
            let detail = "away".to_owned();
            return Err(StoreError { detail });
        }
        Ok(self.notes.lock().expect("whole"))
    }
}

impl Board for Shared {
    fn read(&self) -> Reply<'_, Notes> {
        async { Ok(self.notes()?.clone()) }.boxed()
    }

    fn add<'a>(&'a self, name: &'a str, note: &'a str) -> Reply<'a, bool> {
        async move {
            let mut notes = self.notes()?;
            let is_new = !notes.contains_key(name);
            notes.entry(name.to_owned()).or_insert(note.to_owned());
            Ok(is_new)
        }
        .boxed()
    }

    fn replace<'a>(&'a self, name: &'a str, note: &'a str) -> Reply<'a, ()> {
        async move {
            self.notes()?.insert(name.to_owned(), note.to_owned());
            Ok(())
        }
        .boxed()
    }
}

fn configured() -> Configured {
    let pepper: SecretString = "a pepper of more than thirty-two characters".into();
    let key = Key {
        team: "news".into(),
        hmac: [7; 32],
    };
    Configured {
        keys: BTreeMap::from([("k1".into(), key)]),
        operators: BTreeSet::from(["ops".into()]),
        pepper,
    }
}

fn replica(board: &Arc<dyn Board>) -> (Operators, Arc<Health>) {
    let health = Arc::new(Health::new(Policy::default()));
    let (board, clock) = (Arc::clone(board), Arc::new(SystemClock));
    let operators = Operators::new(board, clock, Arc::clone(&health), configured());
    (operators, health)
}

fn may(operators: &Operators, key: &ApiKey) -> bool {
    let bearer = format!("Bearer {}", key.text().expose_secret());
    let keyring = operators.keyring();
    let keyring = keyring.load();
    keyring.authenticate(Some(&bearer)).is_ok()
}

fn on_disk(dir: &TempDir) -> Arc<dyn Board> {
    Arc::new(FileBoard::open(dir.path()).expect("it opens"))
}

#[tokio::test]
async fn a_key_works_until_it_is_revoked_over_restarts() {
    let dir = TempDir::new().expect("a directory");
    let news: Arc<str> = "news".into();
    let (operators, _) = replica(&on_disk(&dir));
    let (issued, key) = operators.create_key(&news, "").await.expect("made");
    assert!(issued.id.starts_with("news-"));
    assert!(may(&operators, &key));
    drop(operators);
    let (operators, _) = replica(&on_disk(&dir));
    assert!(
        !may(&operators, &key),
        "nothing is known before the first look"
    );
    operators.refresh().await.expect("read");
    assert!(may(&operators, &key));
    let revoked = operators.revoke_key(&issued.id).await.expect("revoked");
    assert!(!may(&operators, &key));
    let again = operators.revoke_key(&issued.id).await.expect("no change");
    assert_eq!(again, revoked);
    drop(operators);
    let (operators, _) = replica(&on_disk(&dir));
    operators.refresh().await.expect("read");
    assert!(!may(&operators, &key));
    assert_eq!(operators.keys(Some("news")).len(), 2);
    assert_eq!(operators.keys(Some("other")), []);
}

#[tokio::test]
async fn ids_are_taken_once_and_the_configurations_keys_are_its_own() {
    let board: Arc<dyn Board> = Arc::new(Shared::default());
    let (one, _) = replica(&board);
    let (two, _) = replica(&board);
    let news: Arc<str> = "news".into();
    one.create_key(&news, "mine").await.expect("made");
    let taken = two.create_key(&news, "mine").await;
    assert_eq!(taken.err(), Some(Refusal::KeyExists("mine".to_owned())));
    for id in ["k1", "ops"] {
        let taken = one.create_key(&news, id).await.err();
        assert_eq!(taken, Some(Refusal::KeyExists(id.to_owned())));
        let kept = one.revoke_key(id).await.err();
        assert_eq!(kept, Some(Refusal::KeyConfigured(id.to_owned())));
    }
    assert!(one.create_key(&news, "Not An Id").await.is_err());
    let unknown = two.revoke_key("nobody").await.err();
    assert_eq!(unknown, Some(Refusal::UnknownKey("nobody".to_owned())));
    two.revoke_key("mine").await.expect("made by the other one");
}

#[tokio::test]
async fn what_a_store_lost_is_put_back_and_without_it_the_last_look_counts() {
    let shared = Arc::new(Shared::default());
    let board: Arc<dyn Board> = Arc::clone(&shared) as _;
    let (one, health) = replica(&board);
    let (two, health_there) = replica(&board);
    let (news, target): (Arc<str>, Arc<str>) = ("news".into(), "openai/gpt-4".into());
    let (_, kept) = one.create_key(&news, "kept").await.expect("made");
    let (_, ended) = one.create_key(&news, "ended").await.expect("made");
    one.revoke_key("ended").await.expect("revoked");
    one.set_drained(&target, true).await.expect("drained");
    two.refresh().await.expect("read");
    *shared.away.lock().expect("whole") = true;
    assert!(two.refresh().await.is_err());
    assert!(may(&two, &kept) && !may(&two, &ended));
    *shared.away.lock().expect("whole") = false;
    shared.notes.lock().expect("whole").clear();
    two.refresh().await.expect("read");
    assert_eq!(shared.notes.lock().expect("whole").len(), 3);
    let (three, _) = replica(&board);
    three.refresh().await.expect("read");
    assert!(may(&three, &kept) && !may(&three, &ended));
    let drained = |health: &Health| health.condition(&target, SystemClock.now()).drained;
    assert!(drained(&health) && drained(&health_there));
    three.set_drained(&target, false).await.expect("restored");
    two.refresh().await.expect("read");
    assert!(!drained(&health_there));
}

#[tokio::test]
async fn a_reload_changes_configured_keys_alone() {
    let board: Arc<dyn Board> = Arc::new(Shared::default());
    let (operators, _) = replica(&board);
    let (_, key) = operators
        .create_key(&"news".into(), "mine")
        .await
        .expect("made");
    operators.configure(Configured {
        keys: BTreeMap::new(),
        ..configured()
    });
    assert!(may(&operators, &key));
    assert_eq!(operators.keys(None).len(), 1);
}

#[tokio::test]
async fn the_file_is_for_its_owner_a_torn_line_is_cut_and_a_garbled_one_is_told() {
    let dir = TempDir::new().expect("a directory");
    let board = on_disk(&dir);
    assert!(board.add("a", "1").await.expect("written"));
    assert!(!board.add("a", "2").await.expect("looked at"));
    board.replace("b", "3").await.expect("written");
    drop(board);
    let path = dir.path().join(file::NAME);
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let whole = fs::read_to_string(&path).expect("text");
    fs::write(&path, format!("{whole}{{\"name\":\"c\"")).expect("written");
    let board = on_disk(&dir);
    let notes = board.read().await.expect("read");
    let expected = [("a", "1"), ("b", "3")].map(|(name, note)| (name.to_owned(), note.to_owned()));
    assert_eq!(notes, Notes::from(expected));
    board.replace("c", "4").await.expect("written");
    drop(board);
    assert_eq!(on_disk(&dir).read().await.expect("read").len(), 3);
    fs::write(&path, format!("no json\n{whole}")).expect("written");
    let told = FileBoard::open(dir.path()).err().expect("it can't be read");
    assert!(told.to_string().contains("line 1"), "{told}");
}
