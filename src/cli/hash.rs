//! `gatekey hash`: the line of a policy that stands for a key.

use std::io::{self, IsTerminal, Write};

use gatekey::credential::key::{LENGTH, digest};
use gatekey::password::bcrypt;
use gatekey::password::stored::BCRYPT_COST;

use super::args::Args;
use super::keygen::has_bad_checksum;
use super::policy_file::read_text;
use super::{Failure, Outcome, complain};

pub(super) const HELP: &str = "\
usage: gatekey hash [KEY]
       gatekey hash --password [--cost 10]

Prints `sha256:` and the digest of an API key, as `clients` of a policy take it. Without KEY, or with -, the key is
read from stdin, which keeps it out of the shell's history; a line break at its end does not count.
Only random keys are safe as plain digests: for passwords there is --password, which reads one from stdin and prints
its bcrypt hash, as `users` of a policy take it.

  --cost N    how much work it is to check the password, 4 to 12: one more doubles it
";

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Outcome {
    if args.flag("password") {
        return password(args, out);
    }
    let key = match args.rest(1)?.first().map(String::as_str) {
        Some(key) if key != "-" => String::from(key),
        _ => line_of_stdin("key: ")?,
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

/// What stands in stdin, without the line break at its end.
fn line_of_stdin(prompt: &str) -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        complain(prompt);
    }
    let text = read_text("-")?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(String::from(line.strip_suffix('\r').unwrap_or(line)))
}

/// Prints the bcrypt hash of a password.
fn password(args: &Args, out: &mut dyn Write) -> Outcome {
    const COST: u32 = 10;
    if !args.rest(0)?.is_empty() {
        return Err(Failure::Usage(String::from("a password is read from stdin, not from the command line")));
    }
    let cost = match args.one("cost")? {
        None => COST,
        Some(text) => text
            .parse()
            .ok()
            .filter(|cost| BCRYPT_COST.contains(cost))
            .ok_or_else(|| Failure::Usage(format!("--cost is {} to {}", BCRYPT_COST.start(), BCRYPT_COST.end())))?,
    };
    let password = line_of_stdin("password: ")?;
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| Failure::Input(String::from("gatekey: the system has no randomness\n")))?;
    if password.is_empty() {
        return Err(Failure::Input(String::from("gatekey: the password is empty\n")));
    }
    match bcrypt::hash(cost, salt, password.as_bytes()) {
        Some(text) => Ok(writeln!(out, "{text}")?),
        None => Err(Failure::Input(format!("gatekey: a password has at most {} octets\n", bcrypt::LONGEST))),
    }
}

/// The line of a policy that stands for a key.
pub(super) fn line(key: &str) -> String {
    let digits: String = digest(key.as_bytes()).iter().map(|octet| format!("{octet:02x}")).collect();
    format!("sha256:{digits}")
}
