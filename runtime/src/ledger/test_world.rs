//! A small world for tests of the ledger alone: a bank with an asset, a customer, an agreement of a product.

use super::{
    Capture, DatedBy, Draft, HoldPart, Line, Opening, Signed, check, commit, open_account, plan,
    plan_capture, plan_hold, plan_release,
};
use crate::fault::Stop;
use crate::state::record::{
    AgreementRecord, AssetRecord, ContractRecord, ExposureRecord, GrantRecord, Holder, PartyRecord, key,
};
use crate::state::{Nothing, Overlay};
use tenor_abi::date::{DAY_MS, Date, Timestamp};
use tenor_abi::entry::{EntryId, Side};
use tenor_abi::id::{AccountId, AgreementId, AssetId, CodeHash, Hash, HoldId, PartyId};
use tenor_abi::money::Code;
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::{Period, Version};
use tenor_wire::op::{AccountKind, AssetKind, PartyKind, Spend};
use tenor_wire::receipt::{Act, EntrySource};

pub const BANK: PartyId = PartyId([1; 32]);
pub const OTHER_BANK: PartyId = PartyId([2; 32]);
pub const OWNER: PartyId = PartyId([3; 32]);
pub const EUR: AssetId = AssetId([4; 32]);
pub const LOAN: AgreementId = AgreementId([5; 32]);
pub const CODE: CodeHash = CodeHash([6; 32]);
pub const TODAY: Date = Date::of(2026, 3, 16);
pub const HOLD: HoldId = HoldId([7; 32]);

/// A bank with an asset, a customer, and an agreement of a product whose books may go below zero.
pub struct World {
    pub state: Overlay<'static>,
    pub entries: u32,
}

impl World {
    pub fn new() -> World {
        let mut state = Overlay::new(&Nothing);
        for (party, home) in [(BANK, BANK), (OTHER_BANK, OTHER_BANK), (OWNER, BANK)] {
            let record = PartyRecord { home, kind: PartyKind::Bank, person: Hash::ZERO, name: Hash::ZERO };
            state.put(&party.0, &record);
        }
        let (code, kind) = (Code::of("EUR"), AssetKind::Money);
        let asset = AssetRecord { issuer: BANK, code, scale: 2, kind, freezable: true, clawback: false };
        state.put(&EUR.0, &asset);
        let (name, version, spec) = ("loan".into(), Version { major: 1, minor: 0, patch: 0 }, vec![]);
        state.put(&CODE.0, &ContractRecord { bank: BANK, name, version, spec, height: 1 });
        let agreement = AgreementRecord {
            code: CODE,
            bank: BANK,
            opened_by: OWNER,
            opened_at: Timestamp(0),
            terms_version: 0,
            terms: vec![].into(),
            state: 0,
            signers: vec![],
            keys: 0,
        };
        state.put(&LOAN.0, &agreement);
        World { state, entries: 0 }
    }

    pub fn open(&mut self, owner: Holder, purpose: &str, floor: i128) -> AccountId {
        self.open_as(owner, purpose, floor, AccountKind::Plain)
    }

    pub fn open_as(&mut self, owner: Holder, purpose: &str, floor: i128, kind: AccountKind) -> AccountId {
        let opening = Opening { owner, asset: EUR, purpose, floor, ceiling: None, kind };
        open_account(&mut self.state, opening).unwrap()
    }

    /// The customer's account with so much on it, from one that the issuer keeps.
    pub fn customer(&mut self, minor: i128) -> AccountId {
        let (cash, own) =
            (self.open(Holder::Party(BANK), "cash", -1_000_000), self.open(Holder::Party(OWNER), "main", 0));
        let by = Signed::by([&BANK], &[Spend { account: cash, amount: u128::MAX }], None);
        let draft = self
            .draft(EntrySource::Party, vec![line(cash, Side::Debit, minor), line(own, Side::Credit, minor)]);
        self.book(draft, &by).unwrap();
        own
    }

    pub fn draft(&mut self, source: EntrySource, lines: Vec<Line>) -> Draft {
        self.entries += 1;
        Draft {
            id: EntryId { item: Hash([9; 32]), index: self.entries },
            source,
            act: Act::Post,
            booked_at: Timestamp(TODAY.midnight().0),
            today: TODAY,
            value_date: TODAY,
            dated_by: DatedBy::Asker { ahead_days: 366 },
            lines: lines.into(),
            narrative: None,
            reference: None,
        }
    }

    pub fn book(&mut self, draft: Draft, signed: &Signed) -> Result<(), Refusal> {
        let planned = refused(plan(&self.state, &draft, signed))?;
        commit(&mut self.state, planned, &mut signed.clone(), 1, &mut vec![]).unwrap();
        check(&self.state).unwrap();
        Ok(())
    }

    /// A hold by the agreement for a day.
    pub fn hold(&mut self, from: AccountId, to: AccountId, minor: i128) -> Result<(), Refusal> {
        self.hold_for(from, to, minor, DAY_MS)
    }

    pub fn hold_for(&mut self, from: AccountId, to: AccountId, minor: i128, ms: u64) -> Result<(), Refusal> {
        let mut draft = self.draft(agreement(), vec![]);
        draft.act = Act::Hold { hold: HOLD, expires_at: Timestamp(draft.booked_at.0 + ms) };
        let parts = [HoldPart { from, to, line: line(from, Side::Debit, minor) }];
        let planned = refused(plan_hold(&self.state, &mut draft, &parts, 5, &Signed::default()))?;
        commit(&mut self.state, planned, &mut Signed::default(), 1, &mut vec![]).unwrap();
        check(&self.state).unwrap();
        Ok(())
    }

    pub fn capture(&mut self, parts: &[(AccountId, u128)]) -> Result<(), Refusal> {
        let mut draft = self.draft(agreement(), vec![]);
        let asked = Capture { hold: HOLD, parts, last: false };
        let planned = refused(plan_capture(&self.state, &mut draft, &asked, &Signed::default()))?;
        commit(&mut self.state, planned, &mut Signed::default(), 1, &mut vec![]).unwrap();
        check(&self.state).unwrap();
        Ok(())
    }

    pub fn release(&mut self) {
        let mut draft = self.draft(agreement(), vec![]);
        let planned = plan_release(&self.state, &mut draft, HOLD, &Signed::default()).unwrap();
        commit(&mut self.state, planned, &mut Signed::default(), 1, &mut vec![]).unwrap();
        check(&self.state).unwrap();
    }

    pub fn exposure(&self) -> u128 {
        self.state.get::<ExposureRecord>(&key::exposure(&BANK, &EUR, "loan")).unwrap().unwrap().used
    }

    pub fn grant(&mut self, account: AccountId, per_period: u128) {
        let (per_entry, period) = (per_period, Period::Day);
        let (given_at, expires_at) = (Timestamp(0), None);
        let record =
            GrantRecord { code: CODE, per_entry, per_period, period, given_at, expires_at, used: vec![] };
        self.state.put(&key::grant(&account, &LOAN), &record);
    }
}

pub fn refused<T>(said: Result<T, Stop>) -> Result<T, Refusal> {
    match said {
        Ok(value) => Ok(value),
        Err(Stop::Refused(refusal)) => Err(refusal),
        Err(Stop::Fault(fault)) => panic!("{fault}"),
    }
}

pub fn line(account: AccountId, side: Side, minor: i128) -> Line {
    Line { account, side, minor, currency: None }
}

pub fn agreement() -> EntrySource {
    EntrySource::Agreement { agreement: LOAN, purpose: 0 }
}
