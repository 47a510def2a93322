//! Small modules written by hand, with specs: contracts that no product team would write.
#![allow(dead_code, reason = "each test file uses a part")]

use std::fmt::Write;
use tenor_abi::spec::{
    ABI_VERSION, Authority, Basic, CallDef, CallKind, SECTION, Setter, Spec, StateDef, StateKind, TermDef,
    Version,
};

/// A contract in the making: it can be opened and ended by anybody.
pub struct Module {
    spec: Spec,
    functions: String,
    data: String,
    pages: u32,
}

/// A call without arguments and answer.
pub fn call(name: &str, kind: CallKind) -> CallDef {
    CallDef {
        name: name.into(),
        kind,
        by: vec![],
        from: vec![],
        to: None,
        may_enter: vec![],
        four_eyes: None,
        exit: false,
        arguments: vec![],
        returns: Basic::Unit as u16,
        doc: String::new(),
    }
}

impl Module {
    /// A contract of a name.
    pub fn new(name: &str) -> Module {
        let state = |name: &str, kind| StateDef { name: name.into(), kind };
        let spec = Spec {
            abi: ABI_VERSION,
            name: name.into(),
            version: Version { major: 1, minor: 0, patch: 0 },
            doc: String::new(),
            types: vec![],
            terms: vec![],
            states: vec![state("On", StateKind::Initial), state("Over", StateKind::Terminal)],
            schedules: vec![],
            books: vec![],
            storage: vec![],
            calls: vec![],
            errors: vec![],
            events: vec![],
            purposes: vec![],
        };
        let module = Module { spec, functions: String::new(), data: String::new(), pages: 1 };
        let by = vec![Authority::Anyone];
        let open = CallDef { by: by.clone(), ..call("open", CallKind::Open) };
        let end = CallDef { by, exit: true, to: Some(1), ..call("end", CallKind::Action) };
        module.call(open, "i32.const 0").call(end, "i32.const 0")
    }

    /// Adds a call with its body in the text format; host functions are `$post`, `$refuse` and so on.
    pub fn call(mut self, def: CallDef, body: &str) -> Module {
        let _ = writeln!(self.functions, "(func (export \"{}\") (result i32) {body})", def.name);
        self.spec.calls.push(def);
        self
    }

    /// Adds a term of bytes.
    pub fn bytes_term(mut self, name: &str) -> Module {
        self.spec.terms.push(TermDef {
            name: name.into(),
            ty: Basic::Bytes as u16,
            setter: Setter::Fixed,
            default: None,
            debit: None,
            doc: String::new(),
        });
        self
    }

    /// Adds a schedule.
    pub fn schedule(mut self, name: &str) -> Module {
        self.spec.schedules.push(name.into());
        self
    }

    /// Adds a function that is no call.
    pub fn function(mut self, text: &str) -> Module {
        self.functions += text;
        self
    }

    /// Its spec so far.
    pub fn spec(&self) -> Spec {
        self.spec.clone()
    }

    /// Adds bytes to the memory.
    pub fn data(mut self, at: usize, bytes: &[u8]) -> Module {
        let text: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let _ = writeln!(self.data, "(data (i32.const {at}) \"{text}\")");
        self
    }

    /// The module's bytes.
    pub fn build(self) -> Vec<u8> {
        let mut imports = String::new();
        for function in tenor_abi::host::TABLE {
            let params = " i32".repeat(function.params.len());
            let params = if params.is_empty() { params } else { format!("(param{params})") };
            let result = if function.returns { "(result i32)" } else { "" };
            let name = function.name;
            let module = tenor_abi::host::MODULE;
            let _ = writeln!(imports, "(import \"{module}\" \"{name}\" (func ${name} {params} {result}))");
        }
        let text = format!(
            "(module {imports} (memory (export \"memory\") {} 4) {} {})",
            self.pages, self.data, self.functions
        );
        let mut wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"));
        let section = self.spec.to_section();
        let mut body = leb(SECTION.len());
        body.extend(SECTION.as_bytes());
        body.extend(section);
        wasm.push(0);
        wasm.extend(leb(body.len()));
        wasm.extend(body);
        wasm
    }
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = vec![];
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
