//! Calls between agreements: what stays and what does not, who pays which gas, how deep they go, and what is no call.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

mod modules;

use modules::{Module, call};
use proptest::prelude::*;
use std::sync::{Arc, Mutex};
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::id::{AgreementId, CodeHash};
use tenor_abi::interface::{CallAnswer, CallRequest, signature};
use tenor_abi::recurrence::Daily;
use tenor_abi::refusal::{Failure, Refusal};
use tenor_abi::spec::{Authority, Basic, CallDef, CallKind, Missed, Spec};
use tenor_runtime::fault::Fault;
use tenor_runtime::params::Limits;
use tenor_runtime::state::record::{AgreementRecord, key};
use tenor_runtime::vm::{Bounds, CallReport, Context, Engine, Guest, Session};
use tenor_testing::wire::op::{HookMoment, HookOf};
use tenor_testing::wire::receipt::{Fate, FullReceipt};
use tenor_testing::{Bank, Person};

/// A call that anybody may make.
fn open_to_all(name: &str, kind: CallKind) -> CallDef {
    let by = if kind == CallKind::Action { vec![Authority::Anyone] } else { vec![] };
    CallDef { by, ..call(name, kind) }
}

fn signature_of(def: &CallDef) -> Vec<u8> {
    let spec: Spec = Module::new("any").spec();
    signature(&spec, def).unwrap()
}

/// The bytes of a request for a call without arguments.
fn request(agreement: AgreementId, def: &CallDef, gas: u64) -> Vec<u8> {
    codec::encode(&CallRequest { agreement, signature: signature_of(def), arguments: vec![0], gas })
}

fn go() -> CallDef {
    open_to_all("go", CallKind::Action)
}

/// A call of a request that lies at a place; what it came to becomes the answer.
fn calls(at: usize, request: &[u8]) -> String {
    let answer = "i32.const 60000 i32.const 2000 call $call_answer";
    format!("i32.const {at} i32.const {} call $call drop {answer} drop ", request.len())
}

/// `calls`, and hands the answer on as the caller's own.
fn calls_and_tells(at: usize, request: &[u8]) -> String {
    let length = "i32.const 60000 i32.const 2000 call $call_answer";
    format!(
        "i32.const {at} i32.const {} call $call drop i32.const 60000 {length} call $ret i32.const 0",
        request.len()
    )
}

fn answer(receipt: &FullReceipt) -> CallAnswer {
    codec::decode(&receipt.data, 1 << 16).unwrap()
}

fn host_refusal(answer: CallAnswer) -> Refusal {
    let CallAnswer::Refused { code, data } = answer else { panic!("{answer:?}") };
    Refusal::from_data(&data).filter(|refusal| refusal.code() == code).unwrap()
}

/// A bank with one customer who opens everything.
struct Desk {
    bank: Bank,
    ada: Person,
    names: u32,
}

impl Desk {
    fn of(mut bank: Bank) -> Desk {
        let ada = bank.customer("ada", "10.00");
        Desk { bank, ada, names: 0 }
    }

    fn agreement(&mut self, build: impl FnOnce(Module) -> Module) -> AgreementId {
        self.names += 1;
        let wasm = build(Module::new(&format!("node-{}", self.names))).build();
        let code = self.bank.publish(&wasm);
        self.bank.opened(&self.ada.clone(), code, &0u8)
    }

    /// An agreement whose `go` calls another one and tells what came of it.
    fn caller(&mut self, request: &[u8]) -> AgreementId {
        self.agreement(|module| module.data(1024, request).call(go(), &calls_and_tells(1024, request)))
    }

    fn go(&mut self, agreement: AgreementId) -> FullReceipt {
        let ada = self.ada.clone();
        self.bank.invoke(&ada, agreement, "go", &[]).receipt.unwrap()
    }
}

const GAS: u64 = 2_000_000;
const DONE: &str = "i32.const 0";
const REFUSE: &str = "i32.const 0x8001 i32.const 0 i32.const 0 call $refuse i32.const 1";
const TRAP: &str = "unreachable";
const SPIN: &str = "(loop $l (br $l)) i32.const 0";

#[test]
fn what_is_no_call_is_refused_and_the_caller_goes_on() {
    let mut desk = Desk::of(Bank::new());
    let callee = desk.agreement(|module| {
        let staff = CallDef { by: vec![Authority::Role(tenor_abi::role::Role::Operations)], ..go() };
        module
            .call(open_to_all("look", CallKind::View), DONE)
            .call(CallDef { name: "staff".into(), ..staff }, DONE)
            .call(CallDef { from: vec![0], name: "early".into(), ..go() }, DONE)
    });
    let mut said = |request: &[u8]| {
        let caller = desk.caller(request);
        let receipt = desk.go(caller);
        assert_eq!(receipt.receipt.fate, Fate::Done, "the caller decides what to make of it");
        answer(&receipt)
    };
    let named = |name: &str| CallDef { name: name.into(), ..go() };
    let unknown = AgreementId([3; 32]);
    assert_eq!(
        host_refusal(said(&request(unknown, &go(), GAS))),
        Refusal::UnknownAgreement { agreement: unknown }
    );
    let none = |call: &str| Refusal::NoSuchCall { agreement: callee, call: call.into() };
    assert_eq!(host_refusal(said(&request(callee, &named("pay"), GAS))), none("pay"));
    // A name is not enough: kind and types must be those of the spec.
    let as_action = named("look");
    assert_eq!(host_refusal(said(&request(callee, &as_action, GAS))), none("look"));
    let typed = CallDef { returns: Basic::U64 as u16, ..named("early") };
    assert_eq!(host_refusal(said(&request(callee, &typed, GAS))), none("early"));
    // Nor can agreements be opened, signed or made to fall due by others.
    assert_eq!(host_refusal(said(&request(callee, &named("open"), GAS))), none("open"));
    assert_eq!(host_refusal(said(&request(callee, &named("staff"), GAS))), Refusal::NotAuthorised);
    let mut bad = CallRequest {
        agreement: callee,
        signature: signature_of(&named("early")),
        arguments: vec![7],
        gas: GAS,
    };
    assert_eq!(host_refusal(said(&codec::encode(&bad))).name(), "BadArguments");
    bad.arguments = vec![0];
    assert_eq!(said(&codec::encode(&bad)), CallAnswer::Done(vec![]));
    bad.signature = vec![];
    assert_eq!(host_refusal(said(&codec::encode(&bad))).name(), "NoSuchCall");
    let look = CallDef { kind: CallKind::View, ..named("look") };
    assert_eq!(said(&request(callee, &CallDef { by: vec![], ..look }, GAS)), CallAnswer::Done(vec![]));
    let ada = desk.ada.clone();
    desk.bank.invoke(&ada, callee, "end", &[]).done();
    let caller = desk.caller(&request(callee, &named("early"), GAS));
    assert_eq!(host_refusal(answer(&desk.go(caller))).name(), "WrongState");
}

#[test]
fn bytes_that_are_no_request_end_the_caller() {
    let mut desk = Desk::of(Bank::new());
    for bytes in [&[][..], &[1, 2, 3], &[0; 200]] {
        let caller = desk.caller(bytes);
        let receipt = desk.go(caller);
        assert_eq!((receipt.receipt.fate, receipt.receipt.code), (Fate::Failed, Failure::HostRule.code()));
    }
}

#[test]
fn what_is_forwarded_must_be_there() {
    let mut desk = Desk::of(Bank::new());
    let callee = desk.agreement(|module| module.call(go(), DONE));
    let caller = desk.caller(&request(callee, &go(), u64::MAX));
    let receipt = desk.go(caller);
    assert_eq!(receipt.receipt.code, Failure::OutOfGas.code());
    let caller = desk.caller(&request(callee, &go(), 0));
    assert_eq!(answer(&desk.go(caller)), CallAnswer::Failed { code: Failure::OutOfGas.code() });
}

#[test]
fn a_call_pays_for_long_terms_before_they_are_read() {
    // Count, length and bytes make up so many bytes of terms; 1,024 are read at the price of the call.
    const FREE: usize = 1_024;
    const LONG: usize = 21_024;
    let for_long = Limits::sandbox().tx_gas_per_byte * (LONG - FREE) as u64;
    let mut desk = Desk::of(Bank::new());
    let mut of_terms = |length: usize| {
        let module = Module::new(&format!("terms-{length}")).bytes_term("text");
        let staff = vec![Authority::Role(tenor_abi::role::Role::Operations)];
        let module = module
            .call(go(), DONE)
            .call(open_to_all("look", CallKind::View), DONE)
            .call(CallDef { by: staff, name: "staff".into(), ..go() }, DONE);
        let code = desk.bank.publish(&module.build());
        let head = codec::encode(&(1u16, length as u32)).len();
        let before = if length > 1 << 14 { 4 } else { 3 };
        assert_eq!(head, before);
        desk.bank.opened(&desk.ada.clone(), code, &(1u16, vec![7u8; length - head]))
    };
    let (short, long) = (of_terms(FREE), of_terms(LONG));
    let gas = |receipt: FullReceipt| receipt.receipt.gas;
    // Invoked, and from another agreement, whatever becomes of the call.
    assert_eq!(gas(desk.go(long)) - gas(desk.go(short)), for_long);
    let named = |name: &str, kind| CallDef { name: name.into(), ..open_to_all(name, kind) };
    for (def, is_done) in
        [(go(), true), (named("look", CallKind::View), true), (named("staff", CallKind::Action), false)]
    {
        let mut costs = |callee: AgreementId| {
            let caller = desk.caller(&request(callee, &def, GAS));
            let receipt = desk.go(caller);
            assert_eq!(matches!(answer(&receipt), CallAnswer::Done(_)), is_done, "{}", def.name);
            gas(receipt)
        };
        assert_eq!(costs(long) - costs(short), for_long, "{}", def.name);
    }
    // What is forwarded must pay for them.
    let caller = desk.caller(&request(long, &go(), for_long - 1));
    assert_eq!(answer(&desk.go(caller)), CallAnswer::Failed { code: Failure::OutOfGas.code() });
}

#[test]
fn long_terms_are_paid_for_when_they_are_signed_and_when_they_are_read() {
    const LONG: usize = 21_024;
    let mut desk = Desk::of(Bank::new());
    let code = desk.bank.publish(&Module::new("terms").bytes_term("text").build());
    let ada = desk.ada.clone();
    let mut opening = |length: usize| {
        let opened = desk.bank.open(&ada, code, &(1u16, vec![7u8; length]));
        opened.receipt.unwrap().receipt.gas
    };
    let (short, long) = (opening(900), opening(LONG));
    // In the transaction, where their length is a byte longer too; then those beyond 1,024 once more.
    let bytes = |length: usize| codec::encode(&(1u16, vec![7u8; length])).len() as u64;
    let (more, beyond) = (bytes(LONG) - bytes(900) + 1, bytes(LONG) - 1_024);
    assert_eq!(long - short, Limits::sandbox().tx_gas_per_byte * (more + beyond));
}

#[test]
fn nobody_is_entered_twice() {
    let mut desk = Desk::of(Bank::new());
    // The id of an agreement follows from what opens it, so a ring is closed through storage: the outer one hands its
    // own id on as the first bytes of the argument that it got.
    let inner = desk.agreement(|module| {
        // The call's bytes begin with this agreement; the actor's id stands behind it and the bank.
        let actor = 32 + 32;
        let body = format!(
            "i32.const 4096 i32.const 4000 call $arg_read drop
             (memory.copy (i32.const 1024) (i32.const {}) (i32.const 32))
             {}",
            4096 + actor,
            calls_and_tells(1024, &request(AgreementId([0; 32]), &go(), 1_000))
        );
        module.data(1024, &request(AgreementId([0; 32]), &go(), 1_000)).call(go(), &body)
    });
    let outer = desk.caller(&request(inner, &go(), GAS));
    let CallAnswer::Done(data) = answer(&desk.go(outer)) else { panic!("the inner one tells what it got") };
    let refused: CallAnswer = codec::decode(&data, 1 << 16).unwrap();
    assert_eq!(host_refusal(refused), Refusal::Reentered { agreement: outer });
}

/// A body that goes as deep as there is stack for with large frames, then does something.
fn deep(then: &str) -> (String, String) {
    let locals = "(local i64)".repeat(120);
    let load: String =
        (1..100).map(|local| format!("(local.set {local} (i64.load (i32.const {})))", 8 * local)).collect();
    let fold: String = (1..100).map(|local| format!("(local.get {local}) i64.xor ")).collect();
    let function = format!(
        "(func $deep (param i64) (result i64) {locals} {load}
           (if (i64.eqz (local.get 0)) (then {then}))
           (if (result i64) (i64.eqz (local.get 0)) (then (i64.const 1)) (else (call $deep (i64.sub (local.get 0) (i64.const 1)))))
           {fold})"
    );
    (function, "(drop (call $deep (i64.const 30))) i32.const 0".into())
}

#[test]
fn eight_are_at_work_at_once_each_with_the_whole_of_its_stack() {
    let mut desk = Desk::of(Bank::new());
    let limit = desk.bank.chain().genesis().parameters.limits.call_depth;
    assert_eq!(limit, 8);
    let mut next = desk.agreement(|module| module.call(go(), DONE));
    let mut gas = GAS;
    for _ in 0..usize::from(limit) {
        let bytes = request(next, &go(), gas);
        let (function, body) = deep(&calls(1024, &bytes));
        let tells = format!(
            "{body} drop i32.const 60000 i32.const 60000 i32.const 2000 call $call_answer call $ret i32.const 0"
        );
        next = desk.agreement(|module| module.data(1024, &bytes).function(&function).call(go(), &tells));
        gas += GAS;
    }
    // Nine in a row: the ninth is not entered, and the eighth is told why; everybody else is done.
    let receipt = desk.go(next);
    assert_eq!(receipt.receipt.fate, Fate::Done, "{receipt:?}");
    let (mut told, mut levels) = (answer(&receipt), 1);
    while let CallAnswer::Done(data) = told {
        told = codec::decode(&data, 1 << 16).unwrap();
        levels += 1;
    }
    assert_eq!((host_refusal(told), levels), (Refusal::CallsTooDeep { limit }, 8));
}

#[test]
fn views_call_views_and_hooks_call_nobody() {
    let mut desk = Desk::of(Bank::new());
    let callee =
        desk.agreement(|module| module.call(go(), DONE).call(open_to_all("look", CallKind::View), DONE));
    let look = open_to_all("look", CallKind::View);
    let asks = |def: &CallDef| {
        let bytes = request(callee, def, GAS);
        (calls_and_tells(1024, &bytes), bytes)
    };
    let ((read, first), (write, second)) = (asks(&look), asks(&go()));
    let viewer = desk.agreement(|module| {
        let writes = write.replace("i32.const 1024", "i32.const 2048");
        module
            .data(1024, &first)
            .data(2048, &second)
            .call(open_to_all("reads", CallKind::View), &read)
            .call(open_to_all("writes", CallKind::View), &writes)
            .call(call("before", CallKind::BeforeEntry), &read)
    });
    let ask = |desk: &Desk, name: &str| -> CallAnswer {
        codec::decode(&desk.bank.chain().view(viewer, name, &[0]).unwrap(), 1 << 16).unwrap()
    };
    assert_eq!(ask(&desk, "reads"), CallAnswer::Done(vec![]));
    assert_eq!(ask(&desk, "writes"), CallAnswer::Failed { code: Failure::HostRule.code() });
    let (ada, bank) = (desk.ada.clone(), desk.bank.bank.clone());
    desk.bank.attach(&ada, ada.account, HookOf::Owner, HookMoment::Before, viewer).done();
    let said = desk.bank.transfer(&ada, bank.account, "1.00").refusal();
    let failed = Refusal::HookFailed { account: ada.account, hook: viewer, code: Failure::HostRule.code() };
    assert_eq!(said, failed);
}

#[test]
fn an_agreement_that_is_behind_ends_the_whole_item() {
    // One occurrence fits a block before its transactions.
    let limits = Limits { due_gas: 300_000_000, block_gas: 600_000_000, ..Limits::sandbox() };
    let mut desk = Desk::of(Bank::with_limits(limits));
    let due = CallKind::Due { schedule: 0, retry: None, catch_up: Missed::Each, missed: Missed::Each };
    let every_day = codec::encode(&(0u16, Daily::from(Date::of(2026, 1, 2))));
    let dated = |module: Module| {
        let start = format!("i32.const 1024 i32.const {} call $schedule_start i32.const 0", every_day.len());
        let begin = CallDef { name: "begin".into(), ..go() };
        module
            .schedule("Daily")
            .data(1024, &every_day)
            .call(call("daily", due.clone()), DONE)
            .call(begin, &start)
            .call(go(), DONE)
    };
    let dated: Vec<AgreementId> = (0..2).map(|_| desk.agreement(dated)).collect();
    let ada = desk.ada.clone();
    for agreement in &dated {
        desk.bank.invoke(&ada, *agreement, "begin", &[]).done();
    }
    // Nothing ran for a day; in the block of the call only one of the two catches up before it.
    let callers: Vec<AgreementId> = dated
        .iter()
        .map(|agreement| {
            let inner = desk.caller(&request(*agreement, &go(), GAS));
            desk.caller(&request(inner, &go(), 2 * GAS))
        })
        .collect();
    let calling: Vec<_> =
        callers.iter().map(|caller| desk.bank.invocation(&ada, *caller, "go", &[])).collect();
    let receipts = desk.bank.block_of(Timestamp(Date::of(2026, 1, 2).midnight().0 + 1), calling);
    let mut fates: Vec<(Fate, u16)> = receipts
        .iter()
        .filter(|full| callers_of(full))
        .map(|full| (full.receipt.fate, full.receipt.code))
        .collect();
    fates.sort();
    let behind = Refusal::BehindSchedule { agreement: dated[0] }.code();
    // Even the outermost caller, two calls away, could not go on.
    assert_eq!(fates, [(Fate::Done, 0), (Fate::Refused, behind)]);
}

/// Receipts of transactions: occurrences answer nothing here.
fn callers_of(full: &FullReceipt) -> bool {
    !full.data.is_empty()
}

/// Notes how much gas each call was given and used, as a tree.
struct Recorder {
    engine: Engine,
    open: Mutex<Vec<Vec<Noted>>>,
}

#[derive(Clone, Debug)]
struct Noted {
    given: u64,
    used: u64,
    inner: Vec<Noted>,
}

impl Recorder {
    fn new() -> Recorder {
        Recorder { engine: Engine::new().unwrap(), open: Mutex::new(vec![vec![]]) }
    }
}

impl Guest for Recorder {
    fn load(&self, code: &CodeHash, wasm: &[u8], bounds: Bounds) -> Result<(), Fault> {
        self.engine.load(code, wasm, bounds)
    }
    fn is_loaded(&self, code: &CodeHash) -> bool {
        self.engine.is_loaded(code)
    }
    fn call(
        &self,
        code: &CodeHash,
        export: &str,
        context: Context,
        argument: &[u8],
        gas: u64,
        session: &mut dyn Session,
    ) -> Result<CallReport, Fault> {
        self.open.lock().unwrap().push(vec![]);
        let report = self.engine.call(code, export, context, argument, gas, session);
        let mut open = self.open.lock().unwrap();
        let inner = open.pop().unwrap();
        let used = report.as_ref().map_or(0, |report| report.gas_used);
        open.last_mut().unwrap().push(Noted { given: gas, used, inner });
        report
    }
}

/// A call of a random tree: how it ends, and what it calls before.
#[derive(Clone, Debug)]
struct Node {
    end: &'static str,
    gas: u64,
    inner: Vec<Node>,
}

fn nodes() -> impl Strategy<Value = Node> {
    let end = prop::sample::select(vec![DONE, DONE, DONE, REFUSE, TRAP, SPIN]);
    let leaf = (end.clone(), 100_000u64..400_000).prop_map(|(end, gas)| Node { end, gas, inner: vec![] });
    leaf.prop_recursive(4, 10, 3, move |inner| {
        let inner = prop::collection::vec(inner, 1..3);
        (end.clone(), 100_000u64..3_000_000, inner).prop_map(|(end, gas, inner)| Node { end, gas, inner })
    })
}

/// A node as agreements: stores a byte before its calls and one after them, and reports an event.
fn build(desk: &mut Desk, node: &Node, made: &mut Vec<AgreementId>) -> AgreementId {
    let requests: Vec<Vec<u8>> =
        node.inner.iter().map(|inner| request(build(desk, inner, made), &go(), inner.gas)).collect();
    let store = |byte: usize| {
        format!(
            "i32.const {byte} i32.const 1 i32.const {byte} i32.const 1 call $storage_set i32.const 0 i32.const {byte} i32.const 1 call $emit"
        )
    };
    let place = |at: usize| 1024 + 256 * at;
    let inner: String = requests.iter().enumerate().map(|(at, bytes)| calls(place(at), bytes)).collect();
    let body = format!("{} {inner} {} {}", store(0), store(1), node.end);
    let id = desk.agreement(|module| {
        let module = requests
            .iter()
            .enumerate()
            .fold(module.data(0, &[5, 6]), |module, (at, bytes)| module.data(place(at), bytes));
        module.call(go(), &body)
    });
    made.push(id);
    id
}

/// How a call ended, and for each node below it in the order of building whether what it wrote stays.
fn expect(node: &Node, noted: &Noted, stays: &mut Vec<bool>) -> bool {
    let first = stays.len();
    let mut entered = noted.inner.iter();
    // Where gas ended in the middle, later calls were never made; of them nothing stays.
    for inner in &node.inner {
        match entered.next() {
            Some(noted) => {
                expect(inner, noted, stays);
            }
            None => nothing(inner, stays),
        }
    }
    let done = node.end == DONE && noted.used < noted.given;
    stays.push(done);
    if !done {
        stays[first..].fill(false);
    }
    done
}

fn nothing(node: &Node, stays: &mut Vec<bool>) {
    node.inner.iter().for_each(|inner| nothing(inner, stays));
    stays.push(false);
}

/// Every call uses at most what it was given, and the gas of the calls in it is a part of its own.
fn check_gas(node: &Node, noted: &Noted) {
    assert!(noted.used <= noted.given, "{noted:?}");
    let inner: u64 = noted.inner.iter().map(|inner| inner.used).sum();
    assert!(inner < noted.used, "{noted:?}");
    if node.end == SPIN {
        assert_eq!(noted.used, noted.given, "all that was forwarded is gone");
    }
    for (node, noted) in node.inner.iter().zip(&noted.inner) {
        assert_eq!(noted.given, node.gas);
        check_gas(node, noted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_stays_and_what_is_paid_adds_up_in_every_tree(node in nodes()) {
        let recorder = Arc::new(Recorder::new());
        let mut desk = Desk::of(Bank::on(Arc::clone(&recorder) as Arc<dyn Guest>));
        let mut made = vec![];
        let top = build(&mut desk, &node, &mut made);
        recorder.open.lock().unwrap()[0].clear();
        let ada = desk.ada.clone();
        let tx = desk.bank.invocation(&ada, top, "go", &[]);
        let limits = desk.bank.chain().genesis().parameters.limits.clone();
        let base = limits.tx_gas_base + limits.tx_gas_per_byte * tx.to_bytes().len() as u64;
        let receipt = desk.bank.submit(tx).receipt.unwrap();
        let noted = recorder.open.lock().unwrap()[0].clone();
        prop_assert_eq!(noted.len(), 1);
        check_gas(&node, &noted[0]);
        prop_assert_eq!(receipt.receipt.gas, base + noted[0].used, "who signed pays for all of it, and no more");
        let mut stays = vec![];
        expect(&node, &noted[0], &mut stays);
        let state = desk.bank.chain().state();
        for (agreement, stays) in made.iter().zip(&stays) {
            for byte in [5u8, 6] {
                let row = state.get_row(&key::storage(agreement, &[byte])).unwrap();
                prop_assert_eq!(row, stays.then(|| vec![byte]));
            }
            let record: AgreementRecord = state.get(&agreement.0).unwrap().unwrap();
            prop_assert_eq!(record.keys, if *stays { 2 } else { 0 });
        }
        let events = stays.iter().filter(|stays| **stays).count() * 2;
        prop_assert_eq!(receipt.events.len(), events);
        prop_assert_eq!(desk.bank.replayed(), desk.bank.root());
    }
}
