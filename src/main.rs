//! The native command `gatekey`: checks policies, explains decisions, makes keys and test tokens.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os().skip(1))
}
