//! A profile: where the gas of a call went, function by function, host calls and calls of other agreements included.
//!
//! Made on request and never in consensus: the instrumented module is watched at each function's entry and exit, which
//! changes nothing of what it is charged. A profile's gas is that of the chain to the unit.

use super::instrument::InstrumentError;
use crate::fault::Fault;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    BlockType, CodeSection, EntityType, Function, ImportSection, Instruction as I, Module, TypeSection,
    ValType,
};
use wasmparser::{
    FunctionBody, ImportSectionReader, KnownCustom, Name, Operator as Op, Parser, Payload, TypeRef,
    TypeSectionReader,
};

/// Module and name of the function that a watched module calls.
pub(super) const WATCH: (&str, &str) = ("tenor_profile", "at");
/// What it is called with when a function ends.
pub(super) const LEFT: i32 = -1;

/// A function, host function or call, in the place where it was called from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether it is the host's.
    pub is_host: bool,
    /// Gas of its own, without what it called.
    pub gas: u64,
    /// How often it was called there.
    pub calls: u64,
    /// Places of what it called.
    pub inner: Vec<usize>,
    outer: usize,
}

/// One instance at work.
#[derive(Debug)]
struct Level {
    names: Arc<Vec<String>>,
    given: u64,
    /// Gas left when it was last looked at.
    left: i64,
    /// Gas since then that was used by agreements that it called, and is theirs.
    of_others: u64,
    /// Where whoever called it stands.
    outer: usize,
}

/// Where gas went, as a tree; its root is at place 0.
#[derive(Debug)]
pub struct Profile {
    nodes: Vec<Node>,
    current: usize,
    levels: Vec<Level>,
}

impl Default for Profile {
    fn default() -> Profile {
        let root = Node { name: "all".into(), is_host: false, gas: 0, calls: 1, inner: vec![], outer: 0 };
        Profile { nodes: vec![root], current: 0, levels: vec![] }
    }
}

impl Profile {
    /// The nodes; what calls stands before what it calls.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Gas of a node with all that it called.
    pub fn gas_of(&self, place: usize) -> u64 {
        let node = &self.nodes[place];
        node.gas + node.inner.iter().map(|inner| self.gas_of(*inner)).sum::<u64>()
    }

    /// Calls, own gas, and whether it is the host's, by name.
    pub fn by_name(&self) -> BTreeMap<&str, (u64, u64, bool)> {
        let mut sums: BTreeMap<&str, (u64, u64, bool)> = BTreeMap::new();
        for node in &self.nodes[1..] {
            let sum = sums.entry(&node.name).or_insert((0, 0, node.is_host));
            *sum = (sum.0 + node.calls, sum.1 + node.gas, node.is_host);
        }
        sums
    }

    fn go_in(&mut self, name: &str, is_host: bool) {
        let outer = self.current;
        let known = self.nodes[outer].inner.iter().copied().find(|place| self.nodes[*place].name == name);
        self.current = known.unwrap_or_else(|| {
            let place = self.nodes.len();
            self.nodes.push(Node { name: name.into(), is_host, gas: 0, calls: 0, inner: vec![], outer });
            self.nodes[outer].inner.push(place);
            place
        });
        self.nodes[self.current].calls += 1;
    }

    fn go_out(&mut self) {
        self.current = self.nodes[self.current].outer;
    }

    /// What was used since the last look is what stands here has used.
    fn settle(&mut self, left: i64) {
        let Some(level) = self.levels.last_mut() else { return };
        let used = level.left.saturating_sub(left).max(0).unsigned_abs();
        self.nodes[self.current].gas += used.saturating_sub(level.of_others);
        (level.left, level.of_others) = (left, 0);
    }
}

/// A profile in the making.
#[derive(Clone, Default, Debug)]
pub(super) struct Recorder(Arc<Mutex<Profile>>);

impl Recorder {
    fn profile(&self) -> MutexGuard<'_, Profile> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins: of its gas the start is gone.
    pub(super) fn begin(&self, call: &str, names: &Arc<Vec<String>>, given: u64, start_gas: u64) {
        let mut profile = self.profile();
        let outer = profile.current;
        profile.go_in(call, false);
        let left = i64::try_from(given.saturating_sub(start_gas)).unwrap_or(i64::MAX);
        profile.go_in("(start)", true);
        let start = profile.current;
        profile.nodes[start].gas += start_gas.min(given);
        profile.go_out();
        profile.levels.push(Level { names: Arc::clone(names), given, left, of_others: 0, outer });
    }

    /// A function of the module begins, or ends.
    pub(super) fn at(&self, function: i32, left: i64) {
        let mut profile = self.profile();
        profile.settle(left);
        if function == LEFT {
            profile.go_out();
            return;
        }
        let names = profile.levels.last().map(|level| Arc::clone(&level.names)).unwrap_or_default();
        let name = names.get(function as usize).map_or("?", String::as_str);
        profile.go_in(name, false);
    }

    /// A host function begins.
    pub(super) fn enter_host(&self, name: &str, left: i64) {
        let mut profile = self.profile();
        profile.settle(left);
        profile.go_in(name, true);
    }

    /// A host function ends.
    pub(super) fn leave_host(&self, left: i64) {
        let mut profile = self.profile();
        profile.settle(left);
        profile.go_out();
    }

    /// The call is over, however it ended; what was not looked at is of where it ended.
    pub(super) fn end(&self, used: u64) {
        let mut profile = self.profile();
        let Some(level) = profile.levels.pop() else { return };
        let seen = level.given.saturating_sub(u64::try_from(level.left).unwrap_or(0));
        let current = profile.current;
        profile.nodes[current].gas += used.saturating_sub(seen).saturating_sub(level.of_others);
        profile.current = level.outer;
        if let Some(outer) = profile.levels.last_mut() {
            outer.of_others += used;
        }
    }

    /// What was recorded; the recorder begins anew.
    pub(super) fn take(&self) -> Profile {
        std::mem::take(&mut *self.profile())
    }
}

/// Names of a module's functions, imported ones first: from its name section, its exports, or their numbers.
pub(super) fn names(wasm: &[u8]) -> Vec<String> {
    let mut names: BTreeMap<u32, String> = BTreeMap::new();
    let (mut imported, mut own) = (0, 0);
    for payload in Parser::new(0).parse_all(wasm).flatten() {
        match payload {
            Payload::ImportSection(section) => {
                let functions = section.into_imports().flatten();
                imported = functions.filter(|import| matches!(import.ty, TypeRef::Func(_))).count() as u32;
            }
            Payload::FunctionSection(section) => own = section.count(),
            Payload::ExportSection(section) => {
                for export in section.into_iter().flatten() {
                    if export.kind == wasmparser::ExternalKind::Func {
                        names.entry(export.index).or_insert_with(|| export.name.into());
                    }
                }
            }
            Payload::CustomSection(section) => {
                let KnownCustom::Name(subsections) = section.as_known() else { continue };
                for subsection in subsections.into_iter().flatten() {
                    let Name::Function(functions) = subsection else { continue };
                    for naming in functions.into_iter().flatten() {
                        names.insert(naming.index, plain(naming.name));
                    }
                }
            }
            _ => {}
        }
    }
    (0..imported + own)
        .map(|index| names.remove(&index).unwrap_or_else(|| format!("function {index}")))
        .collect()
}

/// A name without the hash that the compiler puts behind it, and not too long.
fn plain(name: &str) -> String {
    let hash = name
        .rsplit_once("::h")
        .filter(|(_, hash)| hash.len() == 16 && hash.bytes().all(|c| c.is_ascii_hexdigit()));
    hash.map_or(name, |(name, _)| name).chars().take(200).collect()
}

/// The bytes of a module's code section, by which a build with names is known to be of the same module.
pub fn code_of(wasm: &[u8]) -> Option<&[u8]> {
    Parser::new(0).parse_all(wasm).flatten().find_map(|payload| match payload {
        Payload::CodeSectionStart { unchecked_range: at, .. } => {
            wasm.get(usize::try_from(at.start).ok()?..usize::try_from(at.end).ok()?)
        }
        _ => None,
    })
}

/// An instrumented module that says when one of its first `own` functions begins and ends.
pub(super) fn watch(instrumented: &[u8], own: u32) -> Result<Vec<u8>, Fault> {
    let mut watcher = Watcher { own, ..Watcher::default() };
    watcher.read(instrumented).map_err(|error| Fault::Engine(error.to_string()))?;
    let mut module = Module::new();
    let done = watcher.parse_core_module(&mut module, Parser::new(0), instrumented);
    done.map_err(|error| Fault::Engine(format!("a module cannot be watched: {error}")))?;
    Ok(module.finish())
}

#[derive(Default)]
struct Watcher {
    own: u32,
    imported: u32,
    /// Whether each function of the module answers, and with what.
    results: Vec<Option<wasmparser::ValType>>,
    types: u32,
    bodies: u32,
}

impl Watcher {
    fn read(&mut self, wasm: &[u8]) -> Result<(), InstrumentError> {
        let failed = super::instrument::failed;
        let mut signatures = vec![];
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(failed)? {
                Payload::TypeSection(section) => {
                    for ty in section.into_iter_err_on_gc_types() {
                        signatures.push(ty.map_err(failed)?.results().first().copied());
                    }
                }
                Payload::ImportSection(section) => self.imported = section.into_imports().count() as u32,
                Payload::FunctionSection(section) => {
                    for ty in section {
                        let ty = ty.map_err(failed)?;
                        self.results.push(signatures.get(ty as usize).copied().flatten());
                    }
                }
                _ => {}
            }
        }
        self.types = signatures.len() as u32;
        Ok(())
    }
}

impl Reencode for Watcher {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<Self::Error>> {
        Ok(if function < self.imported { function } else { function + 1 })
    }

    fn parse_type_section(
        &mut self,
        types: &mut TypeSection,
        section: TypeSectionReader<'_>,
    ) -> Result<(), Error<Self::Error>> {
        utils::parse_type_section(self, types, section)?;
        types.ty().function([ValType::I32], []);
        Ok(())
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: ImportSectionReader<'_>,
    ) -> Result<(), Error<Self::Error>> {
        utils::parse_import_section(self, imports, section)?;
        imports.import(WATCH.0, WATCH.1, EntityType::Function(self.types));
        Ok(())
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), Error<Self::Error>> {
        let place = self.bodies;
        self.bodies += 1;
        if place >= self.own {
            return utils::parse_function_body(self, code, body);
        }
        let mut locals = vec![];
        for group in body.get_locals_reader()? {
            let (count, ty) = group?;
            locals.push((count, self.val_type(ty)?));
        }
        let mut function = Function::new(locals);
        let result = match self.results.get(place as usize).copied().flatten() {
            Some(ty) => BlockType::Result(self.val_type(ty)?),
            None => BlockType::Empty,
        };
        let say = [I::I32Const((self.imported + place) as i32), I::Call(self.imported)];
        say.iter().chain([&I::Block(result)]).for_each(|instruction| {
            function.instruction(instruction);
        });
        let (mut operators, mut depth) = (body.get_operators_reader()?, 0u32);
        while !operators.eof() {
            let operator = operators.read()?;
            match &operator {
                Op::Block { .. } | Op::Loop { .. } | Op::If { .. } => depth += 1,
                Op::End => depth = depth.wrapping_sub(1),
                _ => {}
            }
            match &operator {
                // Every way out passes the end of the block.
                Op::Return => function.instruction(&I::Br(depth)),
                _ => function.instruction(&self.instruction(operator)?),
            };
        }
        function.instruction(&I::I32Const(LEFT)).instruction(&I::Call(self.imported)).instruction(&I::End);
        code.function(&function);
        Ok(())
    }
}
