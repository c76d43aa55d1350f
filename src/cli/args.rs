//! Splits the words after a subcommand into options and the rest.

use super::Failure;

/// The arguments of one subcommand.
pub(super) struct Args {
    options: Vec<(String, String)>,
    flags: Vec<String>,
    rest: Vec<String>,
}

impl Args {
    /// Takes `--flag`, `--option value` and `--option=value`; `--` ends the options.
    ///
    /// # Errors
    /// A sentence about the first word that does not fit.
    pub(super) fn parse(words: &[String], flags: &[&str], values: &[&str]) -> Result<Self, String> {
        let mut args = Self { options: Vec::new(), flags: Vec::new(), rest: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                args.rest.extend(words.by_ref().cloned());
                break;
            }
            let Some(option) = word.strip_prefix("--") else {
                if word.len() > 1 && word.starts_with('-') {
                    return Err(format!("unknown option {word}"));
                }
                args.rest.push(word.clone());
                continue;
            };
            let (name, given) = match option.split_once('=') {
                Some((name, value)) => (name, Some(String::from(value))),
                None => (option, None),
            };
            if flags.contains(&name) {
                if given.is_some() {
                    return Err(format!("--{name} takes no value"));
                }
                args.flags.push(String::from(name));
            } else if values.contains(&name) {
                let value = match given {
                    Some(value) => value,
                    None => words.next().cloned().ok_or_else(|| format!("--{name} needs a value"))?,
                };
                args.options.push((String::from(name), value));
            } else {
                return Err(format!("unknown option --{name}"));
            }
        }
        Ok(args)
    }

    /// Whether a flag was given.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.flags.iter().any(|flag| flag == name)
    }

    /// Every value of an option, in order.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.options.iter().filter(move |(option, _)| option == name).map(|(_, value)| value.as_str())
    }

    /// The value of an option that may stand once.
    ///
    /// # Errors
    /// [`Failure::Usage`] if it stands twice.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Failure> {
        let mut values = self.options.iter().filter(|(option, _)| option == name).map(|(_, value)| value.as_str());
        let value = values.next();
        match values.next() {
            Some(_) => Err(Failure::Usage(format!("--{name} is given twice"))),
            None => Ok(value),
        }
    }

    /// What is no option: at most `most` words.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there are more.
    pub(super) fn rest(&self, most: usize) -> Result<&[String], Failure> {
        match self.rest.get(most) {
            Some(word) => Err(Failure::Usage(format!("{word:?} is too much"))),
            None => Ok(&self.rest),
        }
    }

    /// The one file that the command works on.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there is none or another word.
    pub(super) fn file(&self) -> Result<&str, Failure> {
        let file = self.rest(1)?.first().map(String::as_str);
        file.ok_or_else(|| Failure::Usage(String::from("which policy? name a file, or - for stdin")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Args, String> {
        let words: Vec<String> = words.iter().map(|word| String::from(*word)).collect();
        Args::parse(&words, &["json"], &["env"])
    }

    #[test]
    fn takes_options_anywhere() {
        let args = parse(&["a", "--env=x=1", "--json", "--env", "--y", "-", "--", "--b"]).unwrap();
        assert!(args.flag("json") && !args.flag("env"));
        assert_eq!(args.all("env").collect::<Vec<_>>(), ["x=1", "--y"]);
        assert_eq!(args.rest, ["a", "-", "--b"]);
        assert!(args.one("env").is_err() && args.rest(2).is_err() && args.rest(3).is_ok());
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for words in [&["--nope"][..], &["-x"], &["--env"], &["--json=1"]] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
