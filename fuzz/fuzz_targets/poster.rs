//! The poster: any bytes are read as requests; whatever is a request is judged and booked, and
//! the books hold afterwards.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{AccountRef, EntryId, EntryRequest};
use tenor_abi::id::{AccountId, AgreementId, AssetId, Hash, PartyId};
use tenor_abi::money::Code;
use tenor_runtime::fault::Stop;
use tenor_runtime::ledger::{self, Asked, DatedBy, Draft, Line, Opening, Signed};
use tenor_runtime::state::record::{AssetRecord, Holder, PartyRecord};
use tenor_runtime::state::{Committed, Overlay};
use tenor_wire::op::{AccountKind, AssetKind, PartyKind, Spend};
use tenor_wire::receipt::{Act, EntrySource};

const OWNER: PartyId = PartyId([1; 32]);
/// The agreement that is called, by which the owner's accounts may be debited.
const AGREEMENT: AgreementId = AgreementId([9; 32]);
const ACCOUNTS: usize = 6;

fn set_up(state: &mut Overlay<'_>) -> Vec<AccountId> {
    let record = PartyRecord { home: OWNER, kind: PartyKind::Bank, person: Hash::ZERO, name: Hash::ZERO };
    state.put(&OWNER.0, &record);
    let mut accounts = vec![];
    for number in 0..ACCOUNTS {
        let asset = AssetId([number as u8 % 2 + 2; 32]);
        let (code, kind) = (Code::of("EUR"), AssetKind::Money);
        state.put(&asset.0, &AssetRecord { issuer: OWNER, code, scale: 2, kind, freezable: false, clawback: false });
        let (owner, purpose) = (Holder::Party(OWNER), format!("a{number}"));
        let (floor, ceiling) = (-(1000 * number as i128), (number == 3).then_some(500));
        let kind = AccountKind::Plain;
        let opening = Opening { owner, asset, purpose: &purpose, floor, ceiling, kind };
        accounts.push(ledger::open_account(state, opening).expect("a fresh account opens"));
    }
    accounts
}

fn post(state: &mut Overlay<'_>, accounts: &[AccountId], request: &EntryRequest, index: u32) -> Result<(), Stop> {
    let account = |asked: AccountRef| match asked {
        AccountRef::Book(number) => accounts[usize::from(number) % ACCOUNTS],
        AccountRef::Account(id) => id,
    };
    let asked = request.postings.iter().map(|posting| {
        let (minor, currency) = (posting.money.minor, Some(posting.money.currency));
        Asked {
            line: Line { account: account(posting.account), side: posting.side, minor, currency },
            mode: posting.mode,
        }
    });
    let spends: Vec<_> = accounts.iter().map(|account| Spend { account: *account, amount: u128::MAX }).collect();
    let mut signed = Signed::by([&OWNER], &spends, Some(AGREEMENT));
    let (today, now) = (Date::of(2026, 1, 1), Timestamp(0));
    let draft = Draft {
        id: EntryId { item: Hash::ZERO, index },
        source: EntrySource::Party,
        act: Act::Post,
        booked_at: now,
        today,
        value_date: request.value_date.unwrap_or(today),
        dated_by: DatedBy::Asker { ahead_days: 366 },
        lines: ledger::settle(state, &asked.collect::<Vec<_>>(), &AGREEMENT, now, &signed)?,
        narrative: request.narrative,
        reference: request.reference,
    };
    let plan = ledger::plan(state, &draft, &signed)?;
    ledger::commit(state, plan, &mut signed, 1, &mut vec![])?;
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let base = Committed::in_memory();
    let mut state = Overlay::new(&base);
    let accounts = set_up(&mut state);
    // Requests one after the other, each behind its length.
    let (mut rest, mut index) = (data, 0);
    while let Some((length, after)) = rest.split_first() {
        let (bytes, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        let Ok(request) = codec::decode::<EntryRequest>(bytes, 1 << 16) else { continue };
        assert_eq!(codec::encode(&request), bytes);
        let mark = state.mark();
        match post(&mut state, &accounts, &request, index) {
            Ok(()) => index += 1,
            Err(Stop::Refused(_)) => assert_eq!(state.mark(), mark, "a refusal wrote"),
            Err(Stop::Fault(fault)) => panic!("{fault}"),
        }
        ledger::check(&state).expect("the books hold after every entry");
    }
});
