//! Keys for tests: made anew each time, so that none is ever written down.

use secrecy::{ExposeSecret as _, SecretString};
use std::{collections::BTreeMap, fmt::Write as _};
use tollgate::{config::Variables, keys};

/// The keys of teams, and the variables that tell a gateway about them.
pub struct Credentials {
    keys: BTreeMap<String, SecretString>,
    operator: SecretString,
    variables: BTreeMap<String, String>,
}

impl Credentials {
    /// A key for each team, under a new pepper.
    #[must_use]
    pub fn new(teams: &[&str]) -> Self {
        let pepper = keys::generate_pepper().expect("randomness");
        let mut keys = BTreeMap::new();
        let mut variables = BTreeMap::from([
            (
                "TOLLGATE_KEY_PEPPER".to_owned(),
                pepper.expose_secret().to_owned(),
            ),
            (
                "SIMULATED_PROVIDER_KEY".to_owned(),
                "simulated-provider-key".to_owned(),
            ),
        ]);
        let operator = keys::ApiKey::generate("ops").expect("randomness and a valid id");
        let hmac = keys::hmac_text(&operator.hmac(&pepper));
        variables.insert("TEST_OPERATOR_HMAC".to_owned(), hmac);
        for team in teams {
            let key = keys::ApiKey::generate(team).expect("randomness and a valid id");
            let mut hmac = String::new();
            for byte in key.hmac(&pepper) {
                write!(hmac, "{byte:02x}").expect("a string takes all");
            }
            variables.insert(Self::variable(team), hmac);
            keys.insert((*team).to_owned(), key.text().clone());
        }
        Self {
            keys,
            operator: operator.text().clone(),
            variables,
        }
    }

    /// The variable that holds the HMAC of a team's key.
    #[must_use]
    pub fn variable(team: &str) -> String {
        format!("TEST_{}_HMAC", team.to_uppercase().replace('-', "_"))
    }

    /// The key of a team.
    #[must_use]
    pub fn key(&self, team: &str) -> &str {
        self.keys[team].expose_secret()
    }

    /// The key of an operator, where [`super::Settings::operators`] are served.
    #[must_use]
    pub fn operator(&self) -> &str {
        self.operator.expose_secret()
    }

    /// What a gateway process needs in its environment.
    #[must_use]
    pub const fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// The same for a gateway in this process.
    #[must_use]
    pub fn environment(&self) -> Variables {
        self.variables.clone().into_iter().collect()
    }
}
