//! Finds the subcommand, and turns what becomes of it into output and an exit code.

mod args;
mod check;
mod explain;
mod fmt;
mod hash;
mod key_life;
mod keygen;
mod list;
mod mint;
mod policy_file;
mod requests;
mod schema;
mod stand_in;
mod yaml;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use args::Args;

const HELP: &str = "\
gatekey authenticates requests at the proxy by one policy. This command works on policies beforehand.

usage: gatekey COMMAND ...

  check FILE             tell everything that is wrong with a policy
  explain FILE           tell how a policy decides requests, and why
  keygen                 make an API key and the line for the policy
  hash [KEY]             make the line for the policy from a key
  mint                   make a test token
  list VERB FILE         make or check the document of a list that the filter fetches
  schema                 print the JSON Schema of policies
  fmt FILE               print a policy as the JSON that hosts take
  help COMMAND           tell more about a command

  --version              print the version

Exit codes: 0 all is well, 1 something is wrong with the input, 2 the command was not understood.
";

/// Why a command ends early.
pub(crate) enum Failure {
    /// It was not understood.
    Usage(String),
    /// Something is wrong with the input; the text, of whole lines, goes to stderr.
    Input(String),
    /// Everything was said already.
    Told,
    /// Output could not be written.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

type Outcome = Result<(), Failure>;

struct Command {
    name: &'static str,
    help: &'static str,
    /// Options without and with a value.
    flags: &'static [&'static str],
    values: &'static [&'static str],
    run: fn(&Args, &mut dyn Write) -> Outcome,
}

const COMMANDS: [Command; 8] = [
    Command {
        name: "check",
        help: check::HELP,
        flags: &["allow-missing-env"],
        values: &["env", "now"],
        run: check::run,
    },
    Command {
        name: "explain",
        help: explain::HELP,
        flags: &["allow-missing-env", "json", "human"],
        values: explain::VALUES,
        run: explain::run,
    },
    Command { name: "keygen", help: keygen::HELP, flags: &["json"], values: &["prefix", "name"], run: keygen::run },
    Command { name: "hash", help: hash::HELP, flags: &["password"], values: &["cost"], run: hash::run },
    Command {
        name: "mint",
        help: mint::HELP,
        flags: &["weak"],
        values: &[
            "env",
            "name",
            "alg",
            "secret",
            "secret-env",
            "private-key",
            "secret-base64url",
            "claims",
            "expires-in",
            "not-before",
            "issuer",
            "subject",
            "audience",
            "kid",
            "type",
            "now",
        ],
        run: mint::run,
    },
    Command { name: "list", help: list::HELP, flags: &[], values: &[], run: list::run },
    Command { name: "schema", help: schema::HELP, flags: &[], values: &[], run: schema::run },
    Command { name: "fmt", help: fmt::HELP, flags: &["pretty"], values: &["env"], run: fmt::run },
];

/// Runs the command that the arguments name.
pub(crate) fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let outcome = dispatch(arguments, &mut out).and_then(|()| out.flush().map_err(Failure::Output));
    // What was printed before a failure is part of the answer.
    let flushed = out.flush();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => {
            complain(&format!("gatekey: {message}\n"));
            ExitCode::from(2)
        }
        Err(Failure::Input(message)) => {
            complain(&message);
            ExitCode::FAILURE
        }
        Err(Failure::Told) => match flushed {
            Ok(()) => ExitCode::FAILURE,
            Err(error) => unwritten(&error),
        },
        Err(Failure::Output(error)) => unwritten(&error),
    }
}

/// A reader that has seen enough and left is no failure.
fn unwritten(error: &io::Error) -> ExitCode {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return ExitCode::SUCCESS;
    }
    complain(&format!("gatekey: cannot write: {error}\n"));
    ExitCode::FAILURE
}

/// Writes to stderr, if anybody listens.
pub(crate) fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

fn dispatch(arguments: impl Iterator<Item = OsString>, out: &mut dyn Write) -> Outcome {
    let mut words = Vec::new();
    for argument in arguments {
        words.push(argument.into_string().map_err(|_| Failure::Usage(String::from("an argument is not UTF-8")))?);
    }
    let Some((first, rest)) = words.split_first() else {
        return Err(Failure::Usage(format!("no command\n\n{}", HELP.trim_end())));
    };
    match first.as_str() {
        "--version" | "-V" | "version" => return Ok(writeln!(out, "gatekey {}", gatekey::VERSION)?),
        "--help" | "-h" => return Ok(out.write_all(HELP.as_bytes())?),
        "help" => {
            let help = match rest.first() {
                Some(name) => find(name)?.help,
                None => HELP,
            };
            return Ok(out.write_all(help.as_bytes())?);
        }
        _ => {}
    }
    let command = find(first)?;
    if rest.iter().take_while(|word| *word != "--").any(|word| word == "--help" || word == "-h") {
        return Ok(out.write_all(command.help.as_bytes())?);
    }
    let args = Args::parse(rest, command.flags, command.values)
        .map_err(|message| Failure::Usage(format!("{message}; try `gatekey help {}`", command.name)))?;
    (command.run)(&args, out)
}

fn find(name: &str) -> Result<&'static Command, Failure> {
    COMMANDS
        .iter()
        .find(|command| command.name == name)
        .ok_or_else(|| Failure::Usage(format!("unknown command {name:?}; try `gatekey --help`")))
}
