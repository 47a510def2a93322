//! What the tests of this folder share: a small session in memory, and running one module once.

use std::collections::BTreeMap;
use tenor_abi::id::CodeHash;
use tenor_runtime::fault::Fault;
use tenor_runtime::vm::{
    Bounds, CallEnd, CallOutcome, CallReport, Context, Engine, Guest, HostError, HostRule, Session, admit,
};

/// Gas of a call where a test is not about gas.
pub const GAS: u64 = 100_000_000;

/// Storage and events in memory; what belongs to ledger and schedules answers something fixed.
#[derive(Default)]
pub struct Desk {
    pub rows: BTreeMap<Vec<u8>, Vec<u8>>,
    pub events: Vec<(u16, Vec<u8>)>,
    /// Bytes of the values of rows that every look for a key passes over.
    pub passed: Vec<usize>,
    /// Calls that reached the session.
    pub reached: u32,
}

type Answer<T> = Result<T, HostError>;

impl Desk {
    fn reach<T>(&mut self, answer: T) -> Answer<T> {
        self.reached += 1;
        Ok(answer)
    }
}

impl Session for Desk {
    fn emit(&mut self, event: u16, data: &[u8]) -> Answer<()> {
        self.events.push((event, data.to_vec()));
        self.reach(())
    }
    fn storage_get(&mut self, key: &[u8]) -> Answer<Option<&[u8]>> {
        self.reached += 1;
        Ok(self.rows.get(key).map(Vec::as_slice))
    }
    fn storage_set(&mut self, key: &[u8], value: &[u8]) -> Answer<()> {
        self.rows.insert(key.to_vec(), value.to_vec());
        self.reach(())
    }
    fn storage_remove(&mut self, key: &[u8]) -> Answer<bool> {
        let was = self.rows.remove(key).is_some();
        self.reach(was)
    }
    fn storage_next(
        &mut self,
        from: &[u8],
        end: &[u8],
        pay: &mut dyn FnMut(usize) -> bool,
    ) -> Answer<Option<(Vec<u8>, Vec<u8>)>> {
        if !self.passed.iter().all(|bytes| pay(*bytes)) {
            return self.reach(None);
        }
        let found = self.rows.range(from.to_vec()..).next().filter(|(key, _)| key.as_slice() < end);
        let found = found.map(|(key, value)| (key.clone(), value.clone()));
        self.reach(found)
    }
    fn post(&mut self, request: &[u8]) -> Answer<Option<u32>> {
        match request {
            b"refuse" => Err(HostError::Refused { code: 17, data: b"why".to_vec() }),
            b"rule" => Err(HostError::Rule(HostRule::Value, "no entry".into())),
            b"fault" => Err(HostError::Fault("a page is gone".into())),
            b"panic" => panic!("a mistake of ours"),
            _ => self.reach(Some(3)),
        }
    }
    fn try_post(&mut self, request: &[u8]) -> Answer<Option<Vec<u8>>> {
        self.reach((request == b"short").then(|| b"five".to_vec()))
    }
    fn collect_up_to(&mut self, _request: &[u8]) -> Answer<Vec<u8>> {
        self.reach(vec![7])
    }
    fn balance(&mut self, _account: &[u8]) -> Answer<Vec<u8>> {
        self.reach(b"balance".to_vec())
    }
    fn post_entry(&mut self, _request: &[u8]) -> Answer<Vec<u8>> {
        self.reach(vec![])
    }
    fn hold(&mut self, _request: &[u8]) -> Answer<Vec<u8>> {
        self.reach(vec![])
    }
    fn capture(&mut self, _request: &[u8]) -> Answer<()> {
        self.reach(())
    }
    fn release(&mut self, _request: &[u8]) -> Answer<()> {
        self.reach(())
    }
    fn statement(&mut self, _request: &[u8], _count: u32) -> Answer<Vec<u8>> {
        self.reach(vec![])
    }
    fn postings_since(&mut self, _request: &[u8]) -> Answer<u64> {
        self.reach(0)
    }
    fn balance_on(&mut self, _request: &[u8]) -> Answer<Vec<u8>> {
        self.reach(vec![])
    }
    fn call(&mut self, _request: &[u8], _context: Context, _gas_left: u64) -> CallEnd {
        CallEnd { gas_used: 0, answer: self.reach(vec![]) }
    }
    fn schedule_start(&mut self, _request: &[u8]) -> Answer<()> {
        self.reach(())
    }
    fn schedule_hold(&mut self, _kind: u16) -> Answer<()> {
        self.reach(())
    }
    fn schedule_resume(&mut self, _kind: u16) -> Answer<()> {
        self.reach(())
    }
    fn schedule_end(&mut self, _kind: u16) -> Answer<()> {
        self.reach(())
    }
    fn next_due(&mut self, kind: u16) -> Answer<Option<Vec<u8>>> {
        self.reach((kind == 1).then(|| b"date".to_vec()))
    }
    fn enter_state(&mut self, _state: u16) -> Answer<()> {
        self.reach(())
    }
    fn business_day(&mut self, _request: &[u8]) -> Answer<Vec<u8>> {
        self.reach(b"date".to_vec())
    }
}

/// A module from text, with the spec section that admission asks for.
pub fn module(body: &str) -> Vec<u8> {
    let text = format!("(module (@custom \"tenor_spec\" \"spec\") {body})");
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{}", &text[..text.len().min(2_000)]))
}

/// Admits a module and calls its `f` once.
pub fn call(
    body: &str,
    context: Context,
    argument: &[u8],
    gas: u64,
    desk: &mut Desk,
) -> Result<CallReport, Fault> {
    let wasm = module(body);
    admit(&wasm).unwrap_or_else(|finding| panic!("{finding}"));
    let (engine, code) = (Engine::new().unwrap(), CodeHash([1; 32]));
    engine.load(&code, &wasm, Bounds::NEW)?;
    engine.call(&code, "f", context, argument, gas, desk)
}

/// How a call ended, in a few words.
pub fn words(report: &Result<CallReport, Fault>) -> String {
    match report {
        Ok(report) => match &report.outcome {
            CallOutcome::Done { data } => format!("done {}", String::from_utf8_lossy(data)),
            CallOutcome::Refused { code, data } => {
                format!("refused {code:#x} {}", String::from_utf8_lossy(data))
            }
            CallOutcome::Failed(failure, text) => format!("failed {}: {text}", failure.name()),
        },
        Err(fault) => format!("fault: {fault}"),
    }
}
