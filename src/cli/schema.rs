//! `gatekey schema`: prints the JSON Schema of policies.

use std::io::Write;

use super::Outcome;
use super::args::Args;

pub(super) const HELP: &str = "\
usage: gatekey schema

Prints the JSON Schema (draft 2020-12) of policies. Editors use it for completion; it knows the form of a policy,
and `gatekey check` knows its sense.
";

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Outcome {
    args.rest(0)?;
    Ok(out.write_all(include_bytes!("../../schema/policy.schema.json"))?)
}
