//! Sets and maps filled one by one. To collect into them would sort first, and each kind of item brings a sort of its own
//! into the module, of some kilobytes.

use std::collections::{BTreeMap, BTreeSet};

/// The set of these items.
pub(crate) fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

/// The map of these pairs; of several with one key the last counts.
pub(crate) fn map<K: Ord, V>(pairs: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(pairs);
    map
}
