//! Why a request is refused: the closed list of reasons, and what the caller is told of each.

use crate::answer::Custom;
use crate::login::Login;

/// How refusals look to the caller.
#[derive(Clone, Debug)]
pub struct DenyStyle {
    /// The form of the body.
    pub body: Body,
    /// The protection space named in every challenge (RFC 9110 section 11.5).
    pub realm: String,
    /// Whether the reason itself is shown in place of its coarse code; for development.
    pub show_reason: bool,
    /// Answers of the operator's own.
    pub custom: Vec<Custom>,
    /// Where browsers are sent.
    pub login: Option<Login>,
    /// Where the metadata of the resource stand, for challenges (RFC 9728 section 5.1).
    pub metadata: Option<String>,
}

impl DenyStyle {
    /// What is said where there is no policy.
    pub fn bare() -> Self {
        Self {
            body: Body::Problem,
            realm: String::new(),
            show_reason: false,
            custom: Vec::new(),
            login: None,
            metadata: None,
        }
    }

    /// The operator's own answer for a reason, else for its code.
    pub fn custom(&self, reason: Reason) -> Option<&Custom> {
        let of = |word: &str| self.custom.iter().find(|custom| custom.word == word);
        of(reason.word()).or_else(|| of(reason.code().word()))
    }
}

/// The form of a refusal's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// `application/problem+json` (RFC 9457).
    Problem,
    /// `{"code","message"}`.
    Json,
    /// One line of text.
    Text,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $word:literal => $code:ident,)*) => {
        /// Why a request is refused. The same word stands in logs, metrics, filter state and explanations.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];

            /// The word for this reason.
            pub const fn word(self) -> &'static str {
                match self { $(Reason::$name => $word,)* }
            }

            /// The place of this reason in [`Reason::ALL`].
            pub fn index(self) -> usize {
                Self::ALL.iter().position(|reason| *reason == self).unwrap_or_default()
            }

            /// What the caller is told.
            pub const fn code(self) -> Code {
                match self { $(Reason::$name => Code::$code,)* }
            }
        }
    };
}

reasons! {
    /// No credential where the route looks for one.
    CredentialMissing "credential_missing" => CredentialMissing,
    /// More than one credential of a kind.
    CredentialAmbiguous "credential_ambiguous" => InvalidRequest,
    /// The head of the request cannot be made sense of.
    RequestMalformed "request_malformed" => InvalidRequest,
    /// The path could mean different things to different readers.
    PathAmbiguous "path_ambiguous" => InvalidRequest,
    /// Not a compact JWS with strict base64url and strict JSON in it.
    TokenMalformed "token_malformed" => InvalidToken,
    /// Longer than a token may be.
    TokenTooLarge "token_too_large" => InvalidToken,
    /// `alg` is not one that the issuer's keys carry.
    AlgorithmNotAllowed "algorithm_not_allowed" => InvalidToken,
    /// The issuer has no key for this `kid` and `alg`.
    KeyUnknown "key_unknown" => InvalidToken,
    /// No key of the issuer made this signature.
    SignatureInvalid "signature_invalid" => InvalidToken,
    /// Its issuer says that the token does not count.
    TokenInactive "token_inactive" => InvalidToken,
    /// No issuer of the policy is named by `iss`.
    IssuerUnknown "issuer_unknown" => InvalidToken,
    /// The token is meant for somebody else.
    AudienceMismatch "audience_mismatch" => InvalidToken,
    /// `typ` is not one that the issuer's tokens have.
    TypeMismatch "type_mismatch" => InvalidToken,
    /// Before `nbf` or `iat`.
    TokenNotYetValid "token_not_yet_valid" => InvalidToken,
    /// At or after `exp`.
    TokenExpired "token_expired" => TokenExpired,
    /// Older than the issuer's `max_age`.
    TokenTooOld "token_too_old" => InvalidToken,
    /// The token endpoint gives tokens to clients for themselves, and was asked for others.
    GrantUnsupported "grant_unsupported" => InvalidRequest,
    /// The body is longer than what is read of one.
    BodyTooLarge "body_too_large" => ContentTooLarge,
    /// A claim that the issuer's tokens must have is missing, other than required, or unfit for a header.
    ClaimMismatch "claim_mismatch" => InvalidToken,
    /// The token is on a revocation list, or was issued before a time that one names.
    TokenRevoked "token_revoked" => InvalidToken,
    /// The token is bound to a key or certificate whose possession was not shown.
    BindingMismatch "binding_mismatch" => InvalidToken,
    /// No client has this key.
    KeyInvalid "key_invalid" => InvalidKey,
    /// The key's time is over.
    KeyExpired "key_expired" => InvalidKey,
    /// The key or its client is on a revocation list.
    KeyRevoked "key_revoked" => InvalidKey,
    /// No user has this password.
    PasswordInvalid "password_invalid" => InvalidPassword,
    /// This user, or this source, has shown too many wrong passwords to try another now.
    TooManyFailures "too_many_failures" => TooManyRequests,
    /// More passwords are to be checked than can be.
    PasswordsBusy "passwords_busy" => TemporarilyUnavailable,
    /// None of the roles that the route asks for.
    RoleMissing "role_missing" => Forbidden,
    /// Not all of the scopes that the route asks for.
    ScopeMissing "scope_missing" => InsufficientScope,
    /// A claim is not what the route asks for.
    ClaimForbidden "claim_forbidden" => Forbidden,
    /// Not one of the clients that the route asks for.
    ClientForbidden "client_forbidden" => Forbidden,
    /// The caller may not use the model that the request names, or it names none clearly.
    ModelForbidden "model_forbidden" => ModelForbidden,
    /// The caller's address is not one from which this is allowed.
    AddressForbidden "address_forbidden" => Forbidden,
    /// A good credential of somebody whom the route does not take.
    CredentialNotAccepted "credential_not_accepted" => Forbidden,
    /// No route matches.
    NoRoute "no_route" => Forbidden,
    /// The issuer's keys are fetched, and could not be had so far, or not for too long.
    KeysUnavailable "keys_unavailable" => TemporarilyUnavailable,
    /// The issuer of the token had to be asked, and could not be.
    IssuerUnavailable "issuer_unavailable" => TemporarilyUnavailable,
    /// The proxy's route names a policy that there is not.
    PolicyUnknown "policy_unknown" => TemporarilyUnavailable,
    /// A list that is fetched could not be had so far, or not for too long.
    ListUnavailable "list_unavailable" => TemporarilyUnavailable,
    /// The filter cannot decide: no policy, or no believable clock.
    Internal "internal" => TemporarilyUnavailable,
}

/// What a caller is told: enough to act on, nothing about the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Show a credential.
    CredentialMissing,
    /// Mend the request (RFC 6750 section 3.1).
    InvalidRequest,
    /// Get another token (RFC 6750 section 3.1).
    InvalidToken,
    /// Refresh the token.
    TokenExpired,
    /// Get another key.
    InvalidKey,
    /// Get the password right.
    InvalidPassword,
    /// Try again later, and not that often.
    TooManyRequests,
    /// Ask for more scope (RFC 6750 section 3.1).
    InsufficientScope,
    /// Another credential would be needed.
    Forbidden,
    /// Name another model.
    ModelForbidden,
    /// Send less (RFC 9110 section 15.5.14).
    ContentTooLarge,
    /// Try again later.
    TemporarilyUnavailable,
}

impl Code {
    /// Every code there is.
    pub const ALL: [Code; 12] = [
        Code::CredentialMissing,
        Code::InvalidRequest,
        Code::InvalidToken,
        Code::TokenExpired,
        Code::InvalidKey,
        Code::InvalidPassword,
        Code::TooManyRequests,
        Code::InsufficientScope,
        Code::Forbidden,
        Code::ModelForbidden,
        Code::ContentTooLarge,
        Code::TemporarilyUnavailable,
    ];

    /// The word in the body.
    pub const fn word(self) -> &'static str {
        match self {
            Code::CredentialMissing => "credential_missing",
            Code::InvalidRequest => "invalid_request",
            Code::InvalidToken => "invalid_token",
            Code::TokenExpired => "token_expired",
            Code::InvalidKey => "invalid_key",
            Code::InvalidPassword => "invalid_password",
            Code::TooManyRequests => "too_many_requests",
            Code::InsufficientScope => "insufficient_scope",
            Code::Forbidden => "forbidden",
            Code::ModelForbidden => "model_forbidden",
            Code::ContentTooLarge => "content_too_large",
            Code::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Code::CredentialMissing
            | Code::InvalidToken
            | Code::TokenExpired
            | Code::InvalidKey
            | Code::InvalidPassword => 401,
            Code::TooManyRequests => 429,
            Code::InvalidRequest => 400,
            Code::ContentTooLarge => 413,
            Code::InsufficientScope | Code::Forbidden | Code::ModelForbidden => 403,
            Code::TemporarilyUnavailable => 503,
        }
    }

    /// The gRPC status: UNAUTHENTICATED, INVALID_ARGUMENT, PERMISSION_DENIED or UNAVAILABLE.
    pub const fn grpc_status(self) -> u32 {
        match self.status() {
            401 => 16,
            400 | 413 => 3,
            403 => 7,
            _ => 14,
        }
    }

    /// The short name of the problem (RFC 9457 `title`).
    pub const fn title(self) -> &'static str {
        match self {
            Code::CredentialMissing => "Credential missing",
            Code::InvalidRequest => "Invalid request",
            Code::InvalidToken => "Invalid token",
            Code::TokenExpired => "Token expired",
            Code::InvalidKey => "Invalid key",
            Code::InvalidPassword => "Invalid password",
            Code::TooManyRequests => "Too many requests",
            Code::InsufficientScope => "Insufficient scope",
            Code::Forbidden => "Forbidden",
            Code::ModelForbidden => "Model forbidden",
            Code::ContentTooLarge => "Content too large",
            Code::TemporarilyUnavailable => "Temporarily unavailable",
        }
    }

    /// One sentence for people. It is also the `error_description` of a challenge, so it has no quotes.
    pub const fn message(self) -> &'static str {
        match self {
            Code::CredentialMissing => "A credential is required",
            Code::InvalidRequest => "The request is malformed, or its path or credentials are ambiguous",
            Code::InvalidToken => "The token is not valid",
            Code::TokenExpired => "The token has expired",
            Code::InvalidKey => "The API key is not valid",
            Code::InvalidPassword => "The user name or the password is not valid",
            Code::TooManyRequests => "There were too many wrong passwords, try again later",
            Code::InsufficientScope => "The credential does not have the scope that this needs",
            Code::Forbidden => "This is not allowed",
            Code::ModelForbidden => "This key may not use the model that the request names, or the request names none",
            Code::ContentTooLarge => "The body is longer than what is taken here",
            Code::TemporarilyUnavailable => "The request cannot be authenticated now",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_its_own() {
        let mut words: Vec<&str> = Reason::ALL.iter().map(|r| r.word()).collect();
        words.sort_unstable();
        let all = words.len();
        words.dedup();
        assert_eq!(words.len(), all);
    }
}
