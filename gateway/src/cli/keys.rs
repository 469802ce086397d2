//! `tollgate keys new`.

use super::{NewKey, Output, Verdict};
use crate::{
    config::{self, Environment, server::PEPPER_VARIABLE},
    keys::{self, ApiKey, NoKey},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use std::io;

/// Parses `--id`.
pub(super) fn id(text: &str) -> Result<String, String> {
    keys::check_id(text).map_err(|wrong| wrong.to_string())?;
    Ok(text.to_owned())
}

/// Parses `--team`.
pub(super) fn team(text: &str) -> Result<String, String> {
    config::check_name(text)?;
    Ok(text.to_owned())
}

pub(super) fn new(
    asked: &NewKey,
    environment: &dyn Environment,
    output: Output<'_>,
) -> io::Result<Verdict> {
    let made = match make(asked, environment) {
        Ok(made) => made,
        Err(no_key) => {
            writeln!(output.err, "no key was made: {no_key}")?;
            return Ok(Verdict::Bad);
        }
    };
    if asked.json {
        writeln!(output.out, "{:#}", made.json(asked))?;
    } else {
        write!(output.out, "{}", made.text(asked))?;
    }
    Ok(Verdict::Good)
}

struct Made {
    key: ApiKey,
    hmac: String,
    /// The variable that holds the HMAC.
    variable: String,
    /// The pepper, if it was made now.
    new_pepper: Option<SecretString>,
}

fn make(asked: &NewKey, environment: &dyn Environment) -> Result<Made, NoKey> {
    let key = ApiKey::generate(&asked.id)?;
    // Trimmed as the configuration does, so that both hash alike.
    let pepper = environment
        .variable(PEPPER_VARIABLE)
        .map(|pepper| SecretString::from(pepper.trim()))
        .filter(|pepper| !pepper.expose_secret().is_empty());
    let new_pepper = match &pepper {
        Some(_) => None,
        None => Some(keys::generate_pepper()?),
    };
    let hmac = pepper
        .as_ref()
        .or(new_pepper.as_ref())
        .map(|pepper| keys::hmac_text(&key.hmac(pepper)))
        .expect("one of both is there");
    Ok(Made {
        hmac,
        variable: variable(asked),
        key,
        new_pepper,
    })
}

/// `TOLLGATE_NEWS_KEY` for the team `news`, or for the id `news` without a team.
fn variable(asked: &NewKey) -> String {
    let name = asked.team.as_deref().unwrap_or(&asked.id);
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    format!("TOLLGATE_{}_KEY", name.to_ascii_uppercase())
}

impl Made {
    fn json(&self, asked: &NewKey) -> serde_json::Value {
        let mut object = json!({
            "id": self.key.id(),
            "key": self.key.text().expose_secret(),
            "hmac": self.hmac,
            "hmac_env": self.variable,
        });
        if let Some(team) = &asked.team {
            object["team"] = json!(team);
        }
        if let Some(pepper) = &self.new_pepper {
            object["new_pepper"] = json!(pepper.expose_secret());
            object["new_pepper_env"] = json!(PEPPER_VARIABLE);
        }
        object
    }

    /// Lines that a shell can run, with comments around them.
    fn text(&self, asked: &NewKey) -> String {
        let id = self.key.id();
        let mut text = format!(
            "# The key. It is shown once and stored nowhere: give it to the team.\n{}\n\n\
             # For the gateway's environment:\n",
            self.key.text().expose_secret()
        );
        if let Some(pepper) = &self.new_pepper {
            text.push_str(&format!(
                "export {PEPPER_VARIABLE}={}   # new; all keys need it, so keep it\n",
                pepper.expose_secret()
            ));
        }
        text.push_str(&format!("export {}={}\n\n", self.variable, self.hmac));
        let team = asked.team.as_deref().unwrap_or("NAME");
        text.push_str(&format!(
            "# For tollgate.toml, in the table [teams.{team}]:\n\
             keys = [{{ id = \"{id}\", hmac_env = \"{}\" }}]\n",
            self.variable
        ));
        text
    }
}
