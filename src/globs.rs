//! Names of models and clusters, in which a `*` at the end stands for any rest.

/// Some names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globs(pub Vec<String>);

impl Globs {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a name is one of these.
    pub fn include(&self, name: &[u8]) -> bool {
        self.0.iter().any(|glob| match glob.strip_suffix('*') {
            Some(start) => name.starts_with(start.as_bytes()),
            None => name == glob.as_bytes(),
        })
    }

    /// Whether some name could be one of these that goes by this name or glob.
    pub fn meet(&self, other: &str) -> bool {
        let Some(start) = other.strip_suffix('*') else {
            return self.include(other.as_bytes());
        };
        self.0.iter().any(|glob| match glob.strip_suffix('*') {
            Some(own) => own.starts_with(start) || start.starts_with(own),
            None => glob.starts_with(start),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_names() {
        let models = Globs(vec!["gpt-4o".into(), "claude-3*".into()]);
        for (model, included) in [
            ("gpt-4o", true),
            ("gpt-4o-mini", false),
            ("claude-3-opus", true),
            ("claude-3", true),
            ("claude", false),
            ("GPT-4o", false),
        ] {
            assert_eq!(models.include(model.as_bytes()), included, "{model}");
        }
        assert!(Globs(vec!["*".into()]).include(b"x") && !Globs::default().include(b"x"));
    }
}
