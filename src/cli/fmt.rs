//! `gatekey fmt`: prints a policy as the JSON that hosts take.

use std::io::Write;

use gatekey::config;

use super::args::Args;
use super::policy_file::{Env, compile, read};
use super::{Failure, Outcome};

pub(super) const HELP: &str = "\
usage: gatekey fmt FILE [--pretty]

Prints a policy, YAML or JSON (- is stdin), as JSON on one line, members sorted: the text that hosts hand to the
filter. A policy with errors is refused, as by `gatekey check`; variables need not be set here.

  --pretty               on many lines
";

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Outcome {
    let value = read(args.file()?)?;
    compile(&value, &Env::new(args)?.with_stand_ins())?;
    let text = config::canonical(&value).to_string();
    let text = if args.flag("pretty") { pretty(&text)? } else { text };
    Ok(writeln!(out, "{text}")?)
}

fn pretty(text: &str) -> Result<String, Failure> {
    let broken = |error: serde_json::Error| Failure::Input(format!("policy: {error}\n"));
    let value: serde_json::Value = serde_json::from_str(text).map_err(broken)?;
    serde_json::to_string_pretty(&value).map_err(broken)
}
