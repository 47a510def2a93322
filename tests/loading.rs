//! What is loaded for a block: a block has room for so many contracts, and an item that calls many pays for them.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

mod modules;

use modules::{Module, call};
use tenor_abi::codec;
use tenor_abi::date::Timestamp;
use tenor_abi::id::AgreementId;
use tenor_abi::interface::{CallAnswer, CallRequest, signature};
use tenor_abi::refusal::Failure;
use tenor_abi::spec::{Authority, CallDef, CallKind};
use tenor_runtime::params::Limits;
use tenor_testing::wire::receipt::{Fate, FullReceipt};
use tenor_testing::{Bank, Person};

/// Gas that an item pays for loading a module, and modules that it calls without: price table 6.
const MODULE: u64 = 200_000 + 8 * 512 * 1024;
const FREE: usize = 8;
/// Room that a first call of an idle contract takes, more or less: its own gas, and that of loading a module of 1 KB.
const FIRST: u64 = 58_000 + 200_000 + 8 * 1_200;
/// Gas that a transaction of the test bank signs for.
const SIGNED: u64 = 200_000_000;

fn go() -> CallDef {
    CallDef { by: vec![Authority::Anyone], ..call("go", CallKind::Action) }
}

/// An agreement of a contract of its own that does nothing.
fn idle(bank: &mut Bank, ada: &Person, number: usize) -> AgreementId {
    let code = bank.publish(&Module::new(&format!("idle-{number}")).call(go(), "i32.const 0").build());
    bank.opened(ada, code, &0u8)
}

/// An agreement that calls others in turn, each within so much gas, and tells how the last call ended.
fn caller(bank: &mut Bank, ada: &Person, others: &[AgreementId], gas: u64) -> AgreementId {
    let signature = signature(&Module::new("any").spec(), &go()).unwrap();
    let request = |agreement: &AgreementId| {
        let signature = signature.clone();
        codec::encode(&CallRequest { agreement: *agreement, signature, arguments: vec![0], gas })
    };
    let requests: Vec<Vec<u8>> = others.iter().map(request).collect();
    let mut module = Module::new(&format!("caller-{}-{gas}", others.len()));
    let mut body = String::new();
    for (place, request) in requests.iter().enumerate() {
        let at = 1024 + 256 * place;
        module = module.data(at, request);
        body += &format!("i32.const {at} i32.const {} call $call drop ", request.len());
    }
    body += "i32.const 60000 i32.const 60000 i32.const 2000 call $call_answer call $ret i32.const 0";
    let code = bank.publish(&module.call(go(), &body).build());
    bank.opened(ada, code, &0u8)
}

fn run(bank: &mut Bank, ada: &Person, agreement: AgreementId) -> FullReceipt {
    bank.invoke(ada, agreement, "go", &[]).receipt.unwrap()
}

fn said(receipt: &FullReceipt) -> CallAnswer {
    codec::decode(&receipt.data, 1 << 16).unwrap()
}

#[test]
fn a_block_has_room_for_so_many_contracts() {
    const CONTRACTS: usize = 12;
    // Room for one transaction as it is signed, behind four that call other contracts.
    let block_gas = SIGNED + 4 * FIRST + FIRST / 2;
    let limits = Limits { block_gas, due_gas: block_gas / 2, ..Limits::sandbox() };
    let mut bank = Bank::with_limits(limits);
    let ada = bank.customer("ada", "10.00");
    let agreements: Vec<AgreementId> = (0..CONTRACTS).map(|number| idle(&mut bank, &ada, number)).collect();
    let mut block = |agreements: &mut dyn Iterator<Item = AgreementId>| {
        let calls = agreements.map(|agreement| bank.invocation(&ada, agreement, "go", &[])).collect();
        let time = Timestamp(bank.chain().tip().time.0 + 1_000);
        let receipts = bank.block_of(time, calls);
        assert!(receipts.iter().all(|full| full.receipt.fate == Fate::Done));
        receipts
    };
    // One that was called in the block before is not called first any more.
    let same = block(&mut std::iter::repeat_n(agreements[0], CONTRACTS));
    let each = block(&mut agreements.iter().copied());
    assert_eq!((same.len(), each.len()), (CONTRACTS, 5));
    // Nobody pays for it, whatever else is in the block.
    assert!(same.iter().chain(&each).all(|full| full.receipt.gas == same[0].receipt.gas));
    assert_eq!(bank.replayed(), bank.root());
}

#[test]
fn an_item_pays_for_loading_what_it_calls_beyond_a_few() {
    let mut bank = Bank::new();
    let ada = bank.customer("ada", "10.00");
    let others: Vec<AgreementId> = (0..FREE + 1).map(|number| idle(&mut bank, &ada, number)).collect();
    let mut gas = |count: usize| {
        let caller = caller(&mut bank, &ada, &others[..count], 2 * MODULE);
        let receipt = run(&mut bank, &ada, caller);
        assert_eq!(said(&receipt), CallAnswer::Done(vec![]));
        receipt.receipt.gas
    };
    // The caller's own contract is one of them.
    let costs: Vec<u64> = (FREE - 2..=FREE + 1).map(&mut gas).collect();
    let more: Vec<u64> = costs.windows(2).map(|pair| (pair[1] - pair[0]) / MODULE).collect();
    assert_eq!(more, [0, 1, 1]);
    // A call finds loaded what is one of the last so many.
    let mut twice = |count: usize| {
        let ring: Vec<AgreementId> = others[..count].iter().chain(&others[..count]).copied().collect();
        let caller = caller(&mut bank, &ada, &ring, 2 * MODULE);
        run(&mut bank, &ada, caller).receipt.gas / MODULE
    };
    assert_eq!((twice(FREE - 1), twice(FREE + 1)), (0, 2 * (FREE as u64 + 1) - (FREE as u64 - 1)));
    // What is forwarded must pay for it; what does not is gone, and the next one is not loaded either.
    let short = caller(&mut bank, &ada, &others, MODULE - 1);
    assert_eq!(said(&run(&mut bank, &ada, short)), CallAnswer::Failed { code: Failure::OutOfGas.code() });
}
