//! The rules of function bodies: how large, how nested, and which operators.

use super::weight::Work;
use super::{Finding, Pass, at_most, invalid, name, value_type};
use crate::vm::limit::LIMITS;
use wasmparser::{BlockType, FunctionBody, Operator};

/// What is counted over one body.
#[derive(Default)]
struct Counts {
    loops: u32,
    blocks: u32,
    calls: u32,
    locals: u64,
    depth: u32,
    deepest: u32,
    work: Work,
}

impl Pass {
    /// Judges a function's body; the function's index.
    pub(super) fn body(&mut self, body: &FunctionBody<'_>) -> u32 {
        let function = self.imports + self.bodies;
        self.bodies += 1;
        let mut counts = Counts::default();
        let before = self.findings.len();
        let read = self.body_of(function, body, &mut counts);
        self.note(read);
        self.loops = self.loops.saturating_add(counts.loops);
        let at = body.range().start;
        for checked in [
            at_most("bytes of the body", body.range().end - at, LIMITS.body_bytes.into(), at),
            at_most("loops", counts.loops.into(), LIMITS.loops.into(), at),
            at_most("loops of the module up to here", self.loops.into(), LIMITS.loops_all.into(), at),
            at_most("blocks and ifs", counts.blocks.into(), LIMITS.blocks.into(), at),
            at_most("calls", counts.calls.into(), LIMITS.calls.into(), at),
            at_most("levels of nesting", counts.deepest.into(), LIMITS.nesting.into(), at),
        ] {
            self.note(checked);
        }
        let weighed = self.weigh(&counts, at);
        self.note(weighed);
        for finding in &mut self.findings[before..] {
            finding.function = Some(function);
        }
        function
    }

    /// Asks what compiling the function takes, alone and with those before it; of the module it is told once.
    fn weigh(&mut self, counts: &Counts, at: u64) -> Result<(), Finding> {
        let (weight, most) = counts.work.weigh(counts.locals);
        let before = self.weight;
        self.weight = before.saturating_add(weight);
        let (limit, limit_all) = (u64::from(LIMITS.weight), u64::from(LIMITS.weight_all));
        let too_heavy = |value, limit, text: String| {
            Err(Finding { value: Some(value), limit: Some(limit), ..Finding::new("weight", at, text) })
        };
        if weight > limit {
            let text = format!(
                "weight for the compiler: {weight}, at most {limit} allowed, most of it from {most}; split the function"
            );
            return too_heavy(weight, limit, text);
        }
        if before <= limit_all && self.weight > limit_all {
            let all = self.weight;
            let text = format!(
                "weight of the module for the compiler up to here: {all}, at most {limit_all} allowed, {weight} of it from here \
                 ({most}); make it smaller, or publish parts of it as contracts of their own"
            );
            return too_heavy(all, limit_all, text);
        }
        Ok(())
    }

    fn body_of(
        &mut self,
        function: u32,
        body: &FunctionBody<'_>,
        counts: &mut Counts,
    ) -> Result<(), Finding> {
        let at = body.range().start;
        let ty = self.functions.get(function as usize).and_then(|ty| self.types.get(*ty as usize));
        let mut locals = ty.map_or(0, |ty| ty.params().len() as u64);
        for group in body.get_locals_reader().map_err(invalid)? {
            let (count, ty) = group.map_err(invalid)?;
            locals += u64::from(count);
            self.note(value_type(ty, "a local", at));
        }
        self.note(at_most("locals", locals, LIMITS.locals.into(), at));
        counts.locals = locals;
        let mut operators = body.get_operators_reader().map_err(invalid)?;
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset().map_err(invalid)?;
            if !allowed(&operator) {
                self.find(refused(&operator, offset));
            }
            self.note(counts.add(&operator, offset));
        }
        Ok(())
    }
}

impl Counts {
    fn add(&mut self, operator: &Operator<'_>, offset: u64) -> Result<(), Finding> {
        self.work.see(operator);
        match operator {
            Operator::Loop { blockty } => {
                (self.loops, self.depth) = (self.loops + 1, self.depth + 1);
                block_type(blockty, offset)?;
            }
            Operator::Block { blockty } | Operator::If { blockty } => {
                (self.blocks, self.depth) = (self.blocks + 1, self.depth + 1);
                block_type(blockty, offset)?;
            }
            Operator::End => self.depth = self.depth.saturating_sub(1),
            Operator::Call { .. } | Operator::CallIndirect { .. } => self.calls += 1,
            Operator::BrTable { targets } => {
                at_most("targets of a branch table", targets.len().into(), LIMITS.branches.into(), offset)?;
            }
            _ => {}
        }
        self.deepest = self.deepest.max(self.depth);
        Ok(())
    }
}

fn block_type(ty: &BlockType, offset: u64) -> Result<(), Finding> {
    match ty {
        BlockType::Empty => Ok(()),
        BlockType::Type(ty) => value_type(*ty, "a block", offset),
        BlockType::FuncType(_) => Err(Finding::new(
            "multi_value",
            offset,
            "a block with parameters or several results: build without multivalue",
        )),
    }
}

/// Names the rule that an operator breaks, and what to change.
fn refused(operator: &Operator<'_>, offset: u64) -> Finding {
    // Nothing here computes with floats or vectors: the words are parts of the names of what is refused.
    let name = name::of_operator(operator);
    let any = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let (rule, change) = if any(&["v128", "x16", "x8", "x4", "x2"]) {
        ("simd", "build without simd128")
    } else if any(&["f32", "f64"]) {
        ("float", "floats are not allowed; use `Rate` and `Money`")
    } else if any(&["atomic"]) {
        ("threads", "build without atomics")
    } else if any(&["return_call"]) {
        ("tail_call", "build without tail-call")
    } else if any(&["throw", "try", "catch", "rethrow", "delegate"]) {
        ("exceptions", "build with `panic = \"abort\"` and without exception-handling")
    } else if any(&["table.get", "table.set", "table.size", "table.grow", "table.fill"]) {
        ("reference", "a table stays as it begins: build without reference types")
    } else if any(&["ref.", "ref_", "struct", "array", "i31", "extern", "typed_select"]) {
        ("reference", "references and garbage collection are not allowed; build without them")
    } else {
        ("operator", "this operator is not allowed; build for the first version of wasm with bulk memory")
    };
    Finding::new(rule, offset, format!("{name}: {change}"))
}

/// Control, integers, and one memory. A list of what is allowed, so that what wasm may become is refused.
#[rustfmt::skip]
fn allowed(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::Unreachable | O::Nop | O::Block { .. } | O::Loop { .. } | O::If { .. } | O::Else | O::End
        | O::Br { .. } | O::BrIf { .. } | O::BrTable { .. } | O::Return | O::Call { .. } | O::CallIndirect { .. }
        | O::Drop | O::Select
        | O::LocalGet { .. } | O::LocalSet { .. } | O::LocalTee { .. } | O::GlobalGet { .. } | O::GlobalSet { .. }
        | O::I32Load { .. } | O::I64Load { .. } | O::I32Load8S { .. } | O::I32Load8U { .. }
        | O::I32Load16S { .. } | O::I32Load16U { .. } | O::I64Load8S { .. } | O::I64Load8U { .. }
        | O::I64Load16S { .. } | O::I64Load16U { .. } | O::I64Load32S { .. } | O::I64Load32U { .. }
        | O::I32Store { .. } | O::I64Store { .. } | O::I32Store8 { .. } | O::I32Store16 { .. }
        | O::I64Store8 { .. } | O::I64Store16 { .. } | O::I64Store32 { .. }
        | O::MemorySize { .. } | O::MemoryGrow { .. } | O::MemoryCopy { .. } | O::MemoryFill { .. }
        | O::I32Const { .. } | O::I64Const { .. }
        | O::I32Eqz | O::I32Eq | O::I32Ne | O::I32LtS | O::I32LtU | O::I32GtS | O::I32GtU
        | O::I32LeS | O::I32LeU | O::I32GeS | O::I32GeU
        | O::I64Eqz | O::I64Eq | O::I64Ne | O::I64LtS | O::I64LtU | O::I64GtS | O::I64GtU
        | O::I64LeS | O::I64LeU | O::I64GeS | O::I64GeU
        | O::I32Clz | O::I32Ctz | O::I32Popcnt | O::I32Add | O::I32Sub | O::I32Mul
        | O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU | O::I32And | O::I32Or | O::I32Xor
        | O::I32Shl | O::I32ShrS | O::I32ShrU | O::I32Rotl | O::I32Rotr
        | O::I64Clz | O::I64Ctz | O::I64Popcnt | O::I64Add | O::I64Sub | O::I64Mul
        | O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU | O::I64And | O::I64Or | O::I64Xor
        | O::I64Shl | O::I64ShrS | O::I64ShrU | O::I64Rotl | O::I64Rotr
        | O::I32WrapI64 | O::I64ExtendI32S | O::I64ExtendI32U
        | O::I32Extend8S | O::I32Extend16S | O::I64Extend8S | O::I64Extend16S | O::I64Extend32S
    )
}
