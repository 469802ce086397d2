//! The scripts, by the hash of their text: old and new gateways can share a Redis.

use redis::Cmd;

/// One script.
#[derive(Clone, Debug)]
pub(super) struct Script {
    body: String,
    sha: String,
}

impl Script {
    fn new(flags: &str, body: &str) -> Self {
        let body = format!("#!lua{flags}\n{}\n{body}", include_str!("prelude.lua"));
        let sha = redis::Script::new(&body).get_hash().to_owned();
        Self { body, sha }
    }

    /// The command that runs it by its hash.
    pub(super) fn by_hash(&self, keys: &[String], args: &[&[u8]]) -> Cmd {
        command("EVALSHA", &self.sha, keys, args)
    }

    /// The command that runs it by its text, which also makes its hash known.
    pub(super) fn by_text(&self, keys: &[String], args: &[&[u8]]) -> Cmd {
        command("EVAL", &self.body, keys, args)
    }

    /// The same with a changed text, for checks that a change is noticed.
    #[cfg(test)]
    pub(super) fn patched(&self, patch: &dyn Fn(&str) -> String) -> Self {
        let body = patch(&self.body);
        let sha = redis::Script::new(&body).get_hash().to_owned();
        Self { body, sha }
    }
}

fn command(verb: &str, script: &str, keys: &[String], args: &[&[u8]]) -> Cmd {
    let sizes = keys.iter().map(String::len).sum::<usize>()
        + args.iter().map(|arg| arg.len()).sum::<usize>();
    let mut command = Cmd::with_capacity(3 + keys.len() + args.len(), script.len() + sizes + 16);
    command.arg(verb).arg(script).arg(keys.len());
    for key in keys {
        command.arg(key);
    }
    for arg in args {
        command.arg(*arg);
    }
    command
}

/// All scripts.
#[derive(Clone, Debug)]
pub(super) struct Scripts {
    pub(super) hold: Script,
    pub(super) extend: Script,
    pub(super) settle: Script,
    pub(super) renew: Script,
    pub(super) due: Script,
    pub(super) provider: Script,
    pub(super) balances: Script,
    pub(super) seed: Script,
    pub(super) keep: Script,
    pub(super) term: Script,
    pub(super) claim: Script,
    pub(super) trim: Script,
    pub(super) top_up: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            hold: Script::new(
                "",
                concat!(
                    "local function hold(KEYS, ARGV)\n",
                    include_str!("hold.lua"),
                    "end\n",
                    include_str!("both.lua"),
                ),
            ),
            extend: Script::new("", include_str!("extend.lua")),
            // Endings free memory, so a full Redis must not refuse them.
            settle: Script::new(" flags=allow-oom", include_str!("settle.lua")),
            renew: Script::new("", include_str!("renew.lua")),
            due: Script::new(" flags=no-writes", include_str!("due.lua")),
            provider: Script::new("", include_str!("provider.lua")),
            balances: Script::new(" flags=no-writes", include_str!("balances.lua")),
            seed: Script::new("", include_str!("seed.lua")),
            keep: Script::new("", include_str!("keep.lua")),
            term: Script::new("", include_str!("term.lua")),
            claim: Script::new("", include_str!("claim.lua")),
            trim: Script::new(" flags=allow-oom", include_str!("trim.lua")),
            top_up: Script::new("", include_str!("top_up.lua")),
        }
    }
}

#[cfg(test)]
impl Scripts {
    /// All scripts with changed texts.
    pub(super) fn patched(&self, patch: &dyn Fn(&str) -> String) -> Self {
        Self {
            hold: self.hold.patched(patch),
            extend: self.extend.patched(patch),
            settle: self.settle.patched(patch),
            renew: self.renew.patched(patch),
            due: self.due.patched(patch),
            provider: self.provider.patched(patch),
            balances: self.balances.patched(patch),
            seed: self.seed.patched(patch),
            keep: self.keep.patched(patch),
            term: self.term.patched(patch),
            claim: self.claim.patched(patch),
            trim: self.trim.patched(patch),
            top_up: self.top_up.patched(patch),
        }
    }
}
