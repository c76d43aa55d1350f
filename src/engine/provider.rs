//! Requests to a provider: which model they are for, and the key that goes on in place of the caller's.

use super::Case;
use crate::cluster::Cluster;
use crate::credential::read::{parameters, query_of};
use crate::decision::Trace;
use crate::deny::Reason;
use crate::globs::Globs;
use crate::identity::Identity;
use crate::path::NormalPath;
use crate::provider::Provider;
use crate::provider::model;
use crate::provider::preset::Naming;

impl<'a, T: Trace> Case<'a, '_, '_, T> {
    /// The provider that the route leads to.
    pub(super) fn provider(&self) -> Option<&'a Provider> {
        self.policy.providers.get(self.route?.provider?)
    }

    /// Keeps whatever a caller shows from a provider, under every mode.
    pub(super) fn hide_from(&mut self, provider: &Provider) {
        self.edits.hide_credentials(self.places(), self.head);
        self.edits.hide_provider_keys(&provider.header, self.head);
    }

    /// Whether a request takes its credential to a provider by a route of the host, though no route of ours leads there.
    /// Asked only where credentials go on.
    pub(super) fn strays_to_provider(&self) -> bool {
        if self.policy.hides_credentials() || self.policy.providers.is_empty() || self.provider().is_some() {
            return false;
        }
        match self.means.destination.cluster() {
            Cluster::Right => false,
            cluster => self.policy.providers.iter().any(|provider| provider.is_at(&cluster)),
        }
    }

    /// Says early that the body may be looked at, so that it is not passed by while something else is waited for.
    pub(super) fn expect_body(&mut self) {
        if let Some(provider) = self.provider()
            && self.policy.checks_models(provider)
        {
            self.reads_body = Some(provider.longest);
        }
    }

    /// Puts the provider's key in place of the caller's, if the caller may use the model.
    pub(super) fn forward(&mut self, provider: &'a Provider, identities: &[Identity<'a>]) -> Result<(), Reason> {
        let own = identities.iter().filter_map(Identity::models);
        let lists: Vec<&Globs> = provider.models.iter().chain(own).collect();
        if !lists.is_empty() {
            self.check_model(provider, &lists)?;
        }
        // Last, since a host is slow to tell.
        if !provider.clusters.is_empty() && !provider.is_at(&self.means.destination.cluster()) {
            self.trace.step(|| format!("the host sends it elsewhere than to provider `{}`", provider.name));
            return Err(Reason::NoRoute);
        }
        self.hide_from(provider);
        let Some(value) = provider.value(identities) else {
            self.trace.step(|| format!("provider `{}` has no key for this caller", provider.name));
            return Err(Reason::ClientForbidden);
        };
        self.trace.step(|| format!("the key of provider `{}` goes into the header {}", provider.name, provider.header));
        self.edits.set_secret(&provider.header, value);
        Ok(())
    }

    fn check_model(&mut self, provider: &Provider, lists: &[&Globs]) -> Result<(), Reason> {
        let target = self.head.first(":path").unwrap_or_default();
        let path = NormalPath::read(target).map_err(|_| Reason::PathAmbiguous)?.display();
        let naming = provider.preset.naming(&path);
        // A connection that goes on has no body that could be awaited, and may ask for any model later.
        let goes_on = self.head.first("upgrade").is_some() || self.head.first(":protocol").is_some();
        let named_beside = parameters(query_of(target).unwrap_or_default()).any(|(name, _)| model::is_parameter(name));
        if goes_on || named_beside || naming == Naming::Nowhere {
            self.trace
                .step(|| String::from("the model cannot be known: the connection goes on, or it stands elsewhere"));
            return Err(Reason::ModelForbidden);
        }
        let reads = matches!(self.head.first(":method"), Some(b"GET" | b"HEAD"));
        let after = if let Naming::Path(after) = naming { Some(after) } else { None };
        let names_none = after.is_none_or(|after| !model::names(&path, after));
        // A list of what there is names none, and says nothing else.
        if reads && names_none && self.body(provider.longest)?.is_empty() {
            self.trace.step(|| String::from("the request names no model, and only reads"));
            return Ok(());
        }
        let model = match after {
            Some(after) => model::in_path(&path, after).map(String::from),
            // Some servers that speak the same take the model from the path before that of the body.
            None if model::stands_in(&path) => None,
            None => self.model_in_body(provider)?,
        };
        let Some(model) = model else {
            self.trace.step(|| String::from("the request names no model, or not clearly"));
            return Err(Reason::ModelForbidden);
        };
        if !lists.iter().all(|list| list.include(model.as_bytes())) {
            self.trace.step(|| String::from("the caller may use other models only"));
            return Err(Reason::ModelForbidden);
        }
        self.trace.step(|| String::from("the caller may use the model"));
        Ok(())
    }

    fn model_in_body(&mut self, provider: &Provider) -> Result<Option<String>, Reason> {
        let plain = |value: &[u8]| value.trim_ascii().eq_ignore_ascii_case(b"identity");
        if !self.head.spelled("content-encoding").is_some_and(|mut all| all.all(plain)) {
            self.trace.step(|| String::from("the body is packed, so that its model cannot be read"));
            return Err(Reason::ModelForbidden);
        }
        // A reader that goes by another type or charset sees other members.
        let typed = self.head.spelled("content-type").map(|mut all| (all.next(), all.next()));
        if !typed
            .is_some_and(|(one, more)| more.is_none() && one.is_none_or(|one| one.is_empty() || model::is_json(one)))
        {
            self.trace.step(|| String::from("the body is not called JSON in UTF-8, so that its model cannot be read"));
            return Err(Reason::ModelForbidden);
        }
        self.body(provider.longest).map(model::in_body)
    }
}
