//! What is known of the providers of models: where their libraries put the key, where the model is named, and in which words
//! errors are told.

use crate::credential::Location;

/// A kind of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// OpenAI, Mistral, and whatever speaks like OpenAI.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Azure OpenAI.
    Azure,
    /// Gemini.
    Gemini,
    /// Any service that takes a key in a header.
    Plain,
}

/// Where a request names its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// In the member `model` of its body.
    Body,
    /// In the segment of the path that follows this one, up to a colon.
    Path(&'static str),
    /// Nowhere.
    Nowhere,
}

/// The words in a policy.
pub const WORDS: [(&str, Preset); 6] = [
    ("openai", Preset::OpenAi),
    ("anthropic", Preset::Anthropic),
    ("azure", Preset::Azure),
    ("gemini", Preset::Gemini),
    ("mistral", Preset::OpenAi),
    ("compatible", Preset::OpenAi),
];

impl Preset {
    /// The header that the key goes in; a service of no special kind has none that is known.
    pub const fn header(self) -> Option<&'static str> {
        match self {
            Preset::OpenAi => Some("authorization"),
            Preset::Anthropic => Some("x-api-key"),
            Preset::Azure => Some("api-key"),
            Preset::Gemini => Some("x-goog-api-key"),
            Preset::Plain => None,
        }
    }

    /// Where callers' libraries put a key.
    pub fn places(self, header: &str) -> Vec<Location> {
        let own = match header {
            "authorization" => Location::Bearer,
            name => Location::Header(String::from(name)),
        };
        match self {
            Preset::OpenAi => vec![Location::Bearer],
            // An authentication token in place of the key; Azure's newer paths.
            Preset::Anthropic | Preset::Azure => vec![own, Location::Bearer],
            Preset::Gemini => vec![own, Location::Query(String::from(super::KEY_PARAMETER))],
            Preset::Plain => vec![own],
        }
    }

    /// Where a request to this path, in its normal form, names its model.
    pub fn naming(self, path: &str) -> Naming {
        const DEPLOYMENTS: &str = "deployments";
        match self {
            Preset::OpenAi | Preset::Anthropic => Naming::Body,
            Preset::Azure if path.split('/').any(|segment| segment.eq_ignore_ascii_case(DEPLOYMENTS)) => {
                Naming::Path(DEPLOYMENTS)
            }
            Preset::Azure => Naming::Body,
            Preset::Gemini => Naming::Path("models"),
            Preset::Plain => Naming::Nowhere,
        }
    }

    /// Whether requests name models, so that their bodies are looked at: for the model, or that there is none.
    pub const fn names_models(self) -> bool {
        !matches!(self, Preset::Plain)
    }
}
