//! `tollgate keys create`, `list` and `revoke`.

use super::{
    Shown,
    args::Keys,
    connection::{Connection, Failure},
    table::{Side::Left, table},
    time,
};
use serde_json::{Value, json};
use tollgate_proto::admin::v1 as admin;

pub(super) async fn ask(keys: &Keys, mut connection: Connection) -> Result<Shown, Failure> {
    match keys {
        Keys::Create { team, id, .. } => {
            let request = connection.request(admin::CreateKeyRequest {
                team: team.clone(),
                key_id: id.clone().unwrap_or_default(),
            });
            let made = connection.office.create_key(request).await?.into_inner();
            let key = made.key.unwrap_or_default();
            let mut json = json(&key);
            json["key"] = made.secret.as_str().into();
            let text = format!(
                "# The key {} of {}. It is shown once and stored nowhere: give it to the team.\n{}\n",
                key.key_id, key.team, made.secret
            );
            Ok(Shown { text, json })
        }
        Keys::List { team, .. } => {
            let request = connection.request(admin::ListKeysRequest {
                team: team.clone().unwrap_or_default(),
            });
            let listed = connection.office.list_keys(request).await?.into_inner();
            let rows: Vec<Vec<String>> = listed.keys.iter().map(row).collect();
            let heads = ["TEAM", "ID", "FROM", "CREATED", "REVOKED"].map(|head| (head, Left));
            Ok(Shown {
                text: table(&heads, &rows),
                json: listed.keys.iter().map(json).collect(),
            })
        }
        Keys::Revoke { id, .. } => {
            let request = connection.request(admin::RevokeKeyRequest { key_id: id.clone() });
            let revoked = connection.office.revoke_key(request).await?.into_inner();
            let key = revoked.key.unwrap_or_default();
            let at = time(key.revoked_at.as_ref()).unwrap_or_default();
            let text = format!(
                "the key {} of {} is revoked since {at}\n",
                key.key_id, key.team
            );
            let json = json(&key);
            Ok(Shown { text, json })
        }
    }
}

const fn from(key: &admin::ApiKey) -> &'static str {
    if key.configured {
        "configuration"
    } else {
        "operator"
    }
}

fn row(key: &admin::ApiKey) -> Vec<String> {
    vec![
        key.team.clone(),
        key.key_id.clone(),
        from(key).to_owned(),
        time(key.created_at.as_ref()).unwrap_or_else(|| "-".to_owned()),
        time(key.revoked_at.as_ref()).unwrap_or_else(|| "-".to_owned()),
    ]
}

fn json(key: &admin::ApiKey) -> Value {
    json!({
        "id": key.key_id,
        "team": key.team,
        "from": from(key),
        "created_at": time(key.created_at.as_ref()),
        "revoked_at": time(key.revoked_at.as_ref()),
    })
}
