//! The vectors of Wycheproof, natively and inside WebAssembly: every good signature is taken, every other refused.

mod support;

#[path = "support/wasm_host/module.rs"]
mod module;
#[path = "support/vectors.rs"]
mod vectors;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use gatekey::jose::alg::Alg;
use gatekey::jose::hmac::HmacKey;
use gatekey::jose::keyset::Key;
use gatekey::jose::offload::NoOffload;
use gatekey::jose::pem;
use gatekey::redact::Secret;
use support::say;
use vectors::{Group, Verdict};
use wasmtime::{Instance, Linker, Memory, Module, Store, TypedFunc};

/// What is counted.
#[derive(Default)]
struct Count {
    vectors: usize,
    good: usize,
    files: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Count {
    fn note(&mut self, group: &Group, id: usize, verdict: Verdict, taken: bool) {
        self.vectors += 1;
        self.good += usize::from(taken);
        self.files.insert(group.file.clone());
        let right = match verdict {
            Verdict::Good => taken,
            Verdict::Bad => !taken,
            Verdict::Either => true,
        };
        if !right {
            self.wrong.push(format!("{} {id}: {verdict:?}, but taken: {taken}", group.file));
        }
    }

    fn finish(self, place: &str) {
        say(&format!(
            "WYCHEPROOF {place}: {} vectors in {} files, {} signatures taken, {} wrong",
            self.vectors,
            self.files.len(),
            self.good,
            self.wrong.len()
        ));
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        assert!(self.vectors >= 15_000 && self.good > 2_000, "{} vectors, {} taken", self.vectors, self.good);
    }
}

#[test]
fn natively() {
    let mut count = Count::default();
    for group in vectors::all() {
        let keys: Vec<Key> = if group.alg.is_asymmetric() {
            let read = pem::read(std::str::from_utf8(&group.key).expect("PEM text"));
            read.into_iter().flatten().flat_map(|public| public.bind(None, &[group.alg])).collect()
        } else {
            let key = HmacKey::new(group.alg, &Secret::new(group.key.clone())).expect("HMAC takes every secret");
            vec![Key { kid: None, verifier: Box::new(key) }]
        };
        for vector in &group.vectors {
            let taken = keys.iter().any(|key| key.verifier.verify(&vector.message, &vector.signature, &NoOffload));
            count.note(&group, vector.id, vector.verdict, taken);
        }
    }
    count.finish("native");
}

/// The checks as a module of their own, run by an engine.
struct Inside {
    store: Store<()>,
    memory: Memory,
    allocate: TypedFunc<u32, u32>,
    set_key: TypedFunc<(u32, u32, u32), u32>,
    verify: TypedFunc<(u32, u32, u32, u32), u32>,
}

impl Inside {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/vectors");
        let built = Command::new(&script).output().expect("scripts/vectors runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let bytes = std::fs::read(String::from_utf8_lossy(&built.stdout).trim()).expect("the module");
        let engine = module::engine();
        let module = Module::new(engine, &bytes).unwrap_or_else(|error| panic!("{error:?}"));
        let mut store = Store::new(engine, ());
        store.set_fuel(u64::MAX).expect("fuel");
        let mut linker = Linker::new(engine);
        // What the standard library would ask the system for, it does not get.
        linker.define_unknown_imports_as_traps(&module).expect("imports");
        let instance: Instance = linker.instantiate(&mut store, &module).expect("an instance");
        Self {
            memory: instance.get_memory(&mut store, "memory").expect("memory"),
            allocate: instance.get_typed_func(&mut store, "allocate").expect("allocate"),
            set_key: instance.get_typed_func(&mut store, "set_key").expect("set_key"),
            verify: instance.get_typed_func(&mut store, "verify").expect("verify"),
            store,
        }
    }

    fn give(&mut self, octets: &[u8]) -> (u32, u32) {
        let size = u32::try_from(octets.len()).expect("short");
        let at = self.allocate.call(&mut self.store, size).expect("no trap");
        self.memory.write(&mut self.store, usize::try_from(at).expect("fits"), octets).expect("in memory");
        (at, size)
    }

    fn set_key(&mut self, alg: Alg, key: &[u8]) {
        let alg = Alg::ALL.iter().position(|known| *known == alg).expect("known");
        let (at, size) = self.give(key);
        self.set_key.call(&mut self.store, (u32::try_from(alg).expect("few"), at, size)).expect("no trap");
    }

    fn verify(&mut self, message: &[u8], signature: &[u8]) -> bool {
        let ((message, m), (signature, s)) = (self.give(message), self.give(signature));
        self.verify.call(&mut self.store, (message, m, signature, s)).expect("no trap") == 1
    }
}

#[test]
fn inside_webassembly() {
    let mut inside = Inside::start();
    let mut count = Count::default();
    for group in vectors::all() {
        inside.set_key(group.alg, &group.key);
        for vector in &group.vectors {
            let taken = inside.verify(&vector.message, &vector.signature);
            count.note(&group, vector.id, vector.verdict, taken);
        }
    }
    count.finish("wasm");
}
