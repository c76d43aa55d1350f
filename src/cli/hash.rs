//! `gatekey hash`: the line of a policy that stands for a key.

use std::io::{self, IsTerminal, Write};

use gatekey::credential::key::{LENGTH, digest};

use super::args::Args;
use super::keygen::has_bad_checksum;
use super::policy_file::read_text;
use super::{Failure, Outcome, complain};

pub(super) const HELP: &str = "\
usage: gatekey hash [KEY]

Prints `sha256:` and the digest of an API key, as `clients` of a policy take it. Without KEY, or with -, the key is
read from stdin, which keeps it out of the shell's history; a line break at its end does not count.
Only random keys are safe as plain digests: this is no way to keep passwords.
";

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Outcome {
    let key = match args.rest(1)?.first().map(String::as_str) {
        Some(key) if key != "-" => String::from(key),
        _ => {
            if io::stdin().is_terminal() {
                complain("key: ");
            }
            let text = read_text("-")?;
            let line = text.strip_suffix('\n').unwrap_or(&text);
            String::from(line.strip_suffix('\r').unwrap_or(line))
        }
    };
    let refuse = |message: String| Err(Failure::Input(format!("gatekey: {message}\n")));
    if !LENGTH.contains(&key.len()) {
        return refuse(format!("the key is {} octets; a key has {} to {}", key.len(), LENGTH.start(), LENGTH.end()));
    }
    if !key.bytes().all(|b| b.is_ascii_graphic()) {
        return refuse(String::from("a key is visible ASCII without spaces"));
    }
    if has_bad_checksum(&key) {
        complain("warning: this looks like a key of `gatekey keygen` whose checksum is wrong: mistyped?\n");
    }
    Ok(writeln!(out, "{}", line(&key))?)
}

/// The line of a policy that stands for a key.
pub(super) fn line(key: &str) -> String {
    let digits: String = digest(key.as_bytes()).iter().map(|octet| format!("{octet:02x}")).collect();
    format!("sha256:{digits}")
}
