//! `gatekey check`: tells everything that is wrong with a policy.

use std::io::Write;

use gatekey::json::Json;

use super::args::Args;
use super::explain::now;
use super::key_life;
use super::policy_file::{Env, compile_aloud, read};
use super::{Failure, Outcome, complain};

pub(super) const HELP: &str = "\
usage: gatekey check FILE [--env NAME=VALUE]... [--allow-missing-env] [--now TIME]

Reads a policy, YAML or JSON (- is stdin), and tells everything that is wrong with it, one line each on stderr:
the place, what is wrong, and how to mend it. Lines that begin with `warning:` tell what is odd, also keys that have
ended, last keys that end within 14 days, and times in which a client has none. A good policy is named on stdout by the digest
that the filter's start line shows.

  --env NAME=VALUE       a variable of the host's VM environment; those of this process count too
  --allow-missing-env    make up variables that are not set
  --now TIME             look at keys as at this RFC 3339 time

Exit codes: 0 the policy can be used, 1 it cannot.
";

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Outcome {
    let (file, now) = (args.file()?, now(args)?);
    let env = Env::new(args)?;
    let value = read(file)?;
    if value.get("static_resources").is_some() {
        return Err(Failure::Input(format!(
            "gatekey: {file} is a configuration of Envoy; the policy stands in it under `configuration`, and goes into a file of its own\n"
        )));
    }
    let loaded = compile_aloud(&value, &env)?;
    for warning in &loaded.warnings {
        complain(&format!("warning: {warning}\n"));
    }
    for warning in key_life::warnings(loaded.policy.clients(), now) {
        complain(&format!("warning: {warning}\n"));
    }
    let count = |section: &str| match value.get(section) {
        Some(Json::Object(members)) => members.len(),
        _ => 0,
    };
    let policy = &loaded.policy;
    let (named, users) = (policy.all().skip(1).count(), policy.users().iter().count());
    let routes = policy.all().map(|policy| policy.routes().len()).sum();
    let mut parts = vec![counted(count("issuers"), "issuer"), counted(count("clients"), "client")];
    parts.extend((users > 0).then(|| counted(users, "user")));
    parts.push(counted(routes, "route"));
    match named {
        0 => {}
        1 => parts.push(String::from("1 policy by name")),
        _ => parts.push(format!("{named} policies by name")),
    }
    writeln!(out, "ok: policy {}, {}", policy.digest(), parts.join(", "))?;
    Ok(())
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
