//! A module that is admitted and does not compile here: no fault, and nothing published; where a block holds it, what a
//! compiler may take is no rule.

mod modules;

use modules::Module;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tenor_runtime::execute::Rejection;
use tenor_runtime::state::record::ContractRecord;
use tenor_runtime::vm::{Bounds, CompileError, Compiler, Engine, Inside, Settings};
use tenor_testing::Bank;
use tenor_testing::wire::op::{Operation, PublishOp};

/// A compiler that gets through with nothing new until it is fast.
#[derive(Default)]
struct Slow {
    is_fast: AtomicBool,
}

impl Compiler for Slow {
    fn compile(&self, module: &[u8], settings: &Settings, bounds: Bounds) -> Result<Vec<u8>, CompileError> {
        if bounds == Bounds::NEW && !self.is_fast.load(Ordering::Relaxed) {
            return Err(CompileError::Time(bounds.cpu_seconds));
        }
        Inside.compile(module, settings, bounds)
    }
}

fn bank(slow: &Arc<Slow>) -> Bank {
    let engine = Engine::new().map(|engine| engine.compiled_by(Arc::clone(slow) as _));
    Bank::on(Arc::new(engine.unwrap_or_else(|fault| panic!("{fault}"))))
}

fn contracts(bank: &Bank) -> usize {
    bank.chain().records::<ContractRecord>(&[]).map_or(0, |contracts| contracts.len())
}

#[test]
fn what_does_not_compile_is_left_out_and_may_come_again() {
    let slow = Arc::new(Slow::default());
    let mut bank = bank(&slow);
    let ada = bank.customer("ada", "10.00");
    let op = PublishOp { bank: bank.bank.party, wasm: Module::new("heavy").build(), exposure: vec![] };
    let officer = bank.officer.clone();
    let tx = bank.signed(&officer, Operation::Publish(op), vec![]);
    let root = bank.root();
    let rejection = bank.submit(tx.clone()).rejection();
    assert!(matches!(rejection, Rejection::Uncompiled(_)));
    let said = rejection.to_string();
    assert!(said.contains("not compiled: compiling took more than 5 s of processor time"), "{said}");
    assert_eq!((contracts(&bank), bank.root()), (0, root), "nothing is left of it");
    // The bank goes on, and the same transaction may come again: its key was not used.
    let bob = bank.customer("bob", "0.00");
    bank.transfer(&ada, bob.account, "2.50").done();
    slow.is_fast.store(true, Ordering::Relaxed);
    bank.submit(tx).done();
    assert_eq!(contracts(&bank), 1);
}

#[test]
fn where_a_block_holds_it_it_is_compiled_with_patience() {
    let fast = Arc::new(Slow { is_fast: AtomicBool::new(true) });
    let mut first = bank(&fast);
    first.publish(&Module::new("heavy").build());
    let mut other = bank(&Arc::new(Slow::default()));
    let blocks = first.blocks();
    let known = other.chain().tip().height;
    for block in blocks.iter().filter(|block| block.header.height > known) {
        other.follow(block);
    }
    assert_eq!((contracts(&other), other.root()), (1, first.root()));
}
