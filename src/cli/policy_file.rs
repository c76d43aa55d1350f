//! Reads a policy file, and finds the variables that it names.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};

use gatekey::config::{self, Loaded};
use gatekey::credential::key::digest;
use gatekey::json::{self, Json};

use super::args::Args;
use super::{Failure, complain, stand_in, yaml};

/// The longest text that is read, in octets: a device that never ends is no policy.
const LONGEST: u64 = 64 * 1024 * 1024;

/// Variables of the host's VM environment: those given, else those of this process.
pub(super) struct Env {
    given: HashMap<String, String>,
    /// Whether a variable that is not set is made up.
    stand_in: bool,
    made_up: RefCell<Vec<String>>,
}

impl Env {
    /// Takes `--env NAME=VALUE` and `--allow-missing-env`.
    pub(super) fn new(args: &Args) -> Result<Self, Failure> {
        let mut given = HashMap::new();
        for pair in args.all("env") {
            let (name, value) =
                pair.split_once('=').ok_or_else(|| Failure::Usage(String::from("write --env NAME=VALUE")))?;
            given.insert(String::from(name), String::from(value));
        }
        Ok(Self { given, stand_in: args.flag("allow-missing-env"), made_up: RefCell::default() })
    }

    /// The same, with every variable that is not set made up.
    pub(super) fn with_stand_ins(self) -> Self {
        Self { stand_in: true, ..self }
    }

    /// The value of a variable that a policy names.
    pub(super) fn get(&self, name: &str, policy: &Json<'_>) -> Option<String> {
        let value = self.given.get(name).cloned().or_else(|| std::env::var(name).ok());
        if value.is_some() || !self.stand_in {
            return value;
        }
        self.made_up.borrow_mut().push(String::from(name));
        if let Some(pem) = stand_in::pem(policy, name).or_else(|| stand_in::private_key(policy, name)) {
            return Some(String::from(pem));
        }
        // Long enough for every algorithm, and good in every encoding that a secret may have.
        let digits: String = digest(name.as_bytes()).iter().map(|octet| format!("{octet:02x}")).collect();
        Some(digits.repeat(2))
    }

    /// The names of variables that were made up.
    pub(super) fn made_up(&self) -> Vec<String> {
        let mut names = self.made_up.borrow().clone();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Reads a policy file, YAML or JSON; `-` is stdin.
pub(super) fn read(file: &str) -> Result<Json<'static>, Failure> {
    let text = read_text(file)?;
    if text.len() > config::MAX_TEXT {
        return Err(Failure::Input(format!("policy: is longer than {} octets\n", config::MAX_TEXT)));
    }
    // JSON is read as such, for its messages and because it needs no YAML.
    let value = match json::read(text.as_bytes(), config::LIMITS) {
        Ok(value) => value.into_owned(),
        Err(error) if file.ends_with(".json") => return Err(Failure::Input(format!("policy: is no JSON: {error}\n"))),
        Err(_) => yaml::read(&text, config::LIMITS)
            .map_err(|error| Failure::Input(format!("policy: is no YAML: {error}\n")))?,
    };
    match &value {
        Json::Str(inner) => match json::read(inner.as_bytes(), config::LIMITS) {
            Ok(value) => Ok(value.into_owned()),
            Err(_) => Ok(value),
        },
        _ => Ok(value),
    }
}

/// The text of a file, or of stdin.
pub(super) fn read_text(file: &str) -> Result<String, Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::Input(format!("gatekey: cannot read {file}: {error}\n"));
    let source: Box<dyn Read> = match file {
        "-" => Box::new(io::stdin()),
        _ => Box::new(fs::File::open(file).map_err(|error| refused(&error))?),
    };
    let mut text = String::new();
    let read = source.take(LONGEST).read_to_string(&mut text).map_err(|error| refused(&error))?;
    if u64::try_from(read).is_ok_and(|read| read == LONGEST) {
        return Err(refused(&format!("it has {LONGEST} octets or more")));
    }
    Ok(text)
}

/// Compiles a policy, or tells everything that is wrong with it.
pub(super) fn compile(value: &Json<'_>, env: &Env) -> Result<Loaded, Failure> {
    config::load(value.to_string().as_bytes(), &|name| env.get(name, value)).map_err(|errors| {
        let lines: String = errors.iter().map(|error| format!("{error}\n")).collect();
        Failure::Input(lines)
    })
}

/// As [`compile`], telling which variables were made up.
pub(super) fn compile_aloud(value: &Json<'_>, env: &Env) -> Result<Loaded, Failure> {
    let loaded = compile(value, env);
    for name in env.made_up() {
        complain(&format!("warning: {name} is not set, a stand-in is used\n"));
    }
    loaded
}

/// A member of an object that may be missing.
pub(super) fn member<'j>(value: &'j Json<'j>, name: &str) -> Option<&'j Json<'j>> {
    value.get(name).filter(|value| **value != Json::Null)
}

/// Text as a JSON value.
pub(super) fn text(text: impl Into<String>) -> Json<'static> {
    Json::Str(Cow::Owned(text.into()))
}
