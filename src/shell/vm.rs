//! What lives in one VM: instances of the filter, their streams, and calls that are under way.
//!
//! None of these tables is borrowed while a host call is made: some hosts call back before they return.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use foldhash::fast::FixedState;

use super::abi::{self, Failure, Map};
use super::fetcher::Waiting;
use super::plugin::Plugin;
use super::{configure, stream};
use crate::jwks::fetch::{Answer, MAX_DOCUMENT};
use crate::list::load;

type Table<T> = RefCell<HashMap<u32, T, FixedState>>;

/// One VM. Contexts are numbered by the host.
pub(super) struct Vm {
    /// Instances of the filter, by their root contexts; without a policy one refuses every request.
    plugins: Table<Option<Rc<Plugin>>>,
    /// The instance of each stream.
    streams: Table<Option<Rc<Plugin>>>,
    /// Calls whose answers have not come yet.
    calls: Table<Call>,
}

/// What a call is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The keys of the issuer with this index.
    Keys(usize),
    /// The question about a token that has this number.
    Introspection(u32),
    /// The list with this index.
    List(usize),
}

impl Purpose {
    /// The longest body that is read of an answer with this status; `None` for none.
    fn longest(self, status: Option<u16>, background: bool) -> Option<usize> {
        match (self, status) {
            (Purpose::Keys(_) | Purpose::Introspection(_), Some(200)) => Some(MAX_DOCUMENT),
            (Purpose::List(_), Some(200)) if background => Some(load::LONGEST_WHOLE),
            (Purpose::List(_), Some(200)) => Some(load::LONGEST_AT_ONCE),
            (Purpose::List(_), Some(206)) => usize::try_from(load::PIECE).ok(),
            _ => None,
        }
    }
}

/// A call whose answer has not come yet.
struct Call {
    plugin: Rc<Plugin>,
    /// The root context of that instance.
    root: u32,
    /// What it is made for.
    purpose: Purpose,
    /// The request that waits for it and is decided when the answer comes, on hosts that tie calls to streams.
    held: Option<Waiting>,
}

thread_local! {
    static VM: Vm = const {
        Vm {
            plugins: RefCell::new(HashMap::with_hasher(FixedState::with_seed(0))),
            streams: RefCell::new(HashMap::with_hasher(FixedState::with_seed(0))),
            calls: RefCell::new(HashMap::with_hasher(FixedState::with_seed(0))),
        }
    };
}

/// What the proxy is to do with a request whose head it handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Pass it on.
    Continue,
    /// Hold it: it was answered, or will be resumed.
    Pause,
    /// Hold it whole, body and trailers too. Envoy takes a mere pause for this, unless it is told otherwise
    /// (`allow_on_headers_stop_iteration`): the body would then send the head on before it is decided.
    PauseAll,
}

impl Action {
    /// The number that the ABI has for it.
    pub(super) const fn number(self) -> u32 {
        match self {
            Action::Continue => 0,
            Action::Pause => 1,
            Action::PauseAll => 4,
        }
    }
}

fn with<T, R>(table: impl Fn(&Vm) -> &Table<T>, run: impl FnOnce(&mut HashMap<u32, T, FixedState>) -> R) -> Option<R> {
    VM.try_with(|vm| table(vm).try_borrow_mut().ok().map(|mut table| run(&mut table))).ok().flatten()
}

fn plugin_of_root(root: u32) -> Option<Rc<Plugin>> {
    with(|vm| &vm.plugins, |plugins| plugins.get(&root).cloned()).flatten().flatten()
}

fn plugin_of_stream(context: u32) -> Option<Rc<Plugin>> {
    with(|vm| &vm.streams, |streams| streams.get(&context).cloned()).flatten().flatten()
}

/// A context begins: a root if it has no parent, else a stream of its parent.
pub(super) fn create(context: u32, parent: u32) {
    if parent == 0 {
        with(|vm| &vm.plugins, |plugins| plugins.insert(context, None));
    } else {
        let plugin = plugin_of_root(parent);
        with(|vm| &vm.streams, |streams| streams.insert(context, plugin));
    }
}

/// A root gets its configuration. Whether it is taken.
pub(super) fn configure(root: u32, size: usize) -> bool {
    let plugin = configure::load(root, size).map(Rc::new);
    let loaded = plugin.is_some();
    with(|vm| &vm.plugins, |plugins| plugins.insert(root, plugin.clone()));
    if let Some(plugin) = plugin {
        plugin.start();
    }
    loaded
}

/// The head of a request has come.
pub(super) fn request(context: u32, ended: bool) -> Action {
    match plugin_of_stream(context) {
        Some(plugin) => stream::begin(&plugin, context, ended),
        None => stream::refuse_without_policy(),
    }
}

/// A part of a request's body has come, of which `size` octets are held.
pub(super) fn body(context: u32, size: usize, ended: bool) -> Action {
    match plugin_of_stream(context) {
        Some(plugin) => stream::body(&plugin, context, size, ended),
        // Its head was refused.
        None => Action::Pause,
    }
}

/// The trailers of a request have come. Some services read them as headers.
pub(super) fn trailers(context: u32) -> Action {
    match plugin_of_stream(context) {
        Some(plugin) => stream::trailers(&plugin, context),
        None => stream::refuse_without_policy(),
    }
}

/// Time has passed.
pub(super) fn tick(root: u32) {
    if let Some(plugin) = plugin_of_root(root) {
        plugin.tick();
    }
}

/// A context ends, and with it the calls that only it was waiting for.
pub(super) fn delete(context: u32) {
    match with(|vm| &vm.streams, |streams| streams.remove(&context)).flatten() {
        Some(plugin) => {
            if let Some(plugin) = plugin {
                plugin.fetcher.forget(context);
                plugin.introspector.forget(context);
                plugin.checker.forget(&plugin, context);
                plugin.bodies.forget(context);
            }
            drop_calls(|call| call.held.is_some_and(|held| held.stream == context));
        }
        None => {
            with(|vm| &vm.plugins, |plugins| plugins.remove(&context));
            drop_calls(|call| call.root == context);
        }
    }
}

fn drop_calls(is_over: impl Fn(&Call) -> bool) {
    let over = with(|vm| &vm.calls, |calls| calls.extract_if(|_, call| is_over(call)).collect::<Vec<_>>());
    for (_, call) in over.into_iter().flatten() {
        call.plugin.abandoned(call.purpose);
    }
}

/// Notes whom the answer to a call is for.
pub(super) fn expect(token: u32, plugin: &Rc<Plugin>, root: u32, purpose: Purpose, held: Option<Waiting>) {
    let call = Call { plugin: Rc::clone(plugin), root, purpose, held };
    with(|vm| &vm.calls, |calls| calls.insert(token, call));
}

/// The answer to a call has come, or the news that none will.
pub(super) fn answered(token: u32, headers: usize, size: usize) {
    if let Some(Some(call)) = with(|vm| &vm.calls, |calls| calls.remove(&token)) {
        let answer = read_answer(headers, size, call.purpose, call.plugin.host.has_background()).unwrap_or_default();
        call.plugin.answered(call.purpose, answer, call.held);
    }
}

/// The answer at hand. A host that could not make the call hands over no headers, and must not be asked for any.
fn read_answer(headers: usize, size: usize, purpose: Purpose, background: bool) -> Result<Answer, Failure> {
    if headers == 0 {
        return Ok(Answer::default());
    }
    let status = abi::header(Map::CallResponse, ":status")?;
    let status = str::from_utf8(&status).ok().and_then(|status| status.parse().ok());
    let etag = abi::header(Map::CallResponse, "etag").unwrap_or_default();
    // Only what is to be read is copied, and nothing that is longer than a document may be.
    let body = match purpose.longest(status, background) {
        Some(_) if size == 0 => Some(Vec::new()),
        Some(longest) if size <= longest => Some(abi::call_body(size)?),
        _ => None,
    };
    let content_range = match status {
        Some(206) => abi::header(Map::CallResponse, "content-range").unwrap_or_default(),
        _ => Vec::new(),
    };
    let plain = etag.len() <= 256 && etag.iter().all(|b| b.is_ascii_graphic());
    Ok(Answer { status, etag: if plain { etag } else { Vec::new() }, body, content_range })
}
