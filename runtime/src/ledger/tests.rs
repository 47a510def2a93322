//! The ledger against a model that knows nothing of plans, counters or history: a map from account to balance.

use super::{
    DatedBy, Draft, Line, Opening, Signed, check, commit, open_account, plan, settle_history, trial_balance,
};
use crate::fault::Stop;
use crate::state::record::{AccountRecord, AssetRecord, HistoryRecord, Holder, key, to_bytes};
use crate::state::{Kind, Nothing, Overlay};
use proptest::prelude::*;
use std::collections::BTreeMap;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{EntryId, FreezeReason, Side};
use tenor_abi::id::{AccountId, AssetId, Hash, PartyId};
use tenor_abi::money::Code;
use tenor_abi::tag;
use tenor_wire::merkle::Mmr;
use tenor_wire::op::{AccountKind, AssetKind, Spend};
use tenor_wire::receipt::{Act, EntrySource};

const PARTIES: usize = 3;
const ASSETS: [&str; 2] = ["EUR", "PTS"];
const ACCOUNTS: usize = PARTIES * ASSETS.len();

/// An account as the model has it.
struct Known {
    id: AccountId,
    owner: usize,
    asset: usize,
    floor: i128,
    ceiling: Option<i128>,
    balance: i128,
}

/// Lines of an entry: account (one of them does not exist), debit, amount; signers; what each account may lose.
#[derive(Clone, Debug)]
struct Asked {
    lines: Vec<(usize, bool, i128)>,
    signs: [bool; PARTIES],
    bounds: [u128; ACCOUNTS],
}

fn party(number: usize) -> PartyId {
    PartyId([number as u8 + 1; 32])
}

fn opened(state: &mut Overlay<'_>) -> Vec<Known> {
    let issuer = party(9);
    let mut accounts = vec![];
    for (asset, code) in ASSETS.iter().enumerate() {
        let id = AssetId([asset as u8 + 50; 32]);
        let (code, scale, kind) = (Code::of(code), 2, AssetKind::Money);
        state.put(&id.0, &AssetRecord { issuer, code, scale, kind, freezable: false, clawback: false });
        for owner in 0..PARTIES {
            // The first funds the others, the last has a ceiling.
            let floor = [-100_000, 0, -30][owner];
            let ceiling = (owner == 2).then_some(100);
            let holder = Holder::Party(party(owner));
            let (asset_id, kind) = (id, AccountKind::Plain);
            let opening = Opening { owner: holder, asset: asset_id, purpose: "main", floor, ceiling, kind };
            let id = open_account(state, opening).unwrap();
            accounts.push(Known { id, owner, asset, floor, ceiling, balance: 0 });
        }
    }
    accounts
}

/// Entries of which many balance: a debit and credits that come to it, and now and then something else.
fn asked() -> impl Strategy<Value = Asked> {
    let account = || 0..ACCOUNTS;
    let balanced = (account(), account(), account(), 1i128..60, 1i128..60)
        .prop_map(|(from, to, other, a, b)| vec![(from, true, a + b), (to, false, a), (other, false, b)]);
    let plain =
        (account(), account(), 1i128..80).prop_map(|(from, to, a)| vec![(from, true, a), (to, false, a)]);
    // Two assets in one entry.
    let both = (0..PARTIES, 0..PARTIES, 1i128..60, 1i128..60).prop_map(|(a, b, x, y)| {
        vec![(a, true, x), (b, false, x), (b + PARTIES, true, y), (a + PARTIES, false, y)]
    });
    let wild = prop::collection::vec((0..ACCOUNTS + 1, any::<bool>(), -1i128..60), 0..5);
    let lines = prop_oneof![4 => plain, 3 => balanced, 3 => both, 2 => wild];
    let bounds = prop::array::uniform6(prop_oneof![3 => Just(1_000u128), 1 => 0u128..60]);
    let signs = prop::array::uniform3(prop::bool::weighted(0.8));
    (lines, signs, bounds).prop_map(|(lines, signs, bounds)| Asked { lines, signs, bounds })
}

/// What the entry does to each account, if every rule lets it.
fn by_the_rules(accounts: &[Known], asked: &Asked) -> Option<BTreeMap<usize, i128>> {
    let sound = |(account, _, amount): &(usize, bool, i128)| *account < ACCOUNTS && *amount >= 1;
    if asked.lines.len() < 2 || !asked.lines.iter().all(sound) {
        return None;
    }
    let (mut changes, mut sums, mut sides) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (account, debit, amount) in &asked.lines {
        let signed = if *debit { -amount } else { *amount };
        *changes.entry(*account).or_insert(0) += signed;
        *sums.entry(accounts[*account].asset).or_insert(0) += signed;
        if sides.insert(account, debit).is_some_and(|before| before != debit) {
            return None;
        }
    }
    let may = |(account, change): (&usize, &i128)| {
        let known = &accounts[*account];
        let after = known.balance + change;
        match *change < 0 {
            true => {
                let allowed = asked.signs[known.owner] && change.unsigned_abs() <= asked.bounds[*account];
                allowed && after >= known.floor
            }
            false => known.ceiling.is_none_or(|ceiling| after <= ceiling),
        }
    };
    (sums.values().all(|sum| *sum == 0) && changes.iter().all(may)).then_some(changes)
}

fn book(state: &mut Overlay<'_>, accounts: &[Known], asked: &Asked, index: u32) -> Result<(), Stop> {
    let account = |place: usize| accounts.get(place).map_or(AccountId([99; 32]), |known| known.id);
    let line = |(place, debit, minor): &(usize, bool, i128)| Line {
        account: account(*place),
        side: if *debit { Side::Debit } else { Side::Credit },
        minor: *minor,
        currency: None,
    };
    let draft = Draft {
        id: EntryId { item: Hash([7; 32]), index },
        source: EntrySource::Party,
        act: Act::Post,
        booked_at: Timestamp(u64::from(index)),
        today: Date::of(2026, 1, 1),
        value_date: Date::of(2026, 1, 1),
        dated_by: DatedBy::Chain,
        lines: asked.lines.iter().map(line).collect(),
        narrative: None,
        reference: None,
    };
    let spend = accounts.iter().zip(asked.bounds).map(|(known, amount)| Spend { account: known.id, amount });
    let parties: Vec<_> = (0..PARTIES).filter(|number| asked.signs[*number]).map(party).collect();
    let mut signed = Signed::by(&parties, &spend.collect::<Vec<_>>(), None);
    let plan = plan(state, &draft, &signed)?;
    let mut entries = vec![];
    commit(state, plan, &mut signed, u64::from(index), &mut entries)?;
    assert_eq!(entries[0].postings.len(), asked.lines.len());
    Ok(())
}

/// The root over an account's postings, and its counters, made again from the rows.
fn history(state: &Overlay<'_>, account: &AccountId, count: u64) -> (Hash, u128, u128) {
    let (mut tree, mut debits, mut credits) = (Mmr::default(), 0, 0);
    for sequence in 0..count {
        let posting: HistoryRecord = state.get(&key::history(account, sequence)).unwrap().unwrap();
        match posting.side {
            Side::Debit => debits += posting.amount,
            Side::Credit => credits += posting.amount,
        }
        assert_eq!((posting.debits_posted, posting.credits_posted), (debits, credits));
        tree.push(tag::HISTORY, &to_bytes(&posting));
    }
    (tree.root(tag::HISTORY), debits, credits)
}

proptest! {
    #[test]
    fn entries_balance_and_go_by_the_rules(entries in prop::collection::vec(asked(), 1..40)) {
        let mut state = Overlay::new(&Nothing);
        let mut accounts = opened(&mut state);
        for (index, asked) in (0u32..).zip(&entries) {
            let expected = by_the_rules(&accounts, asked);
            let mark = state.mark();
            match (book(&mut state, &accounts, asked, index), expected) {
                (Ok(()), Some(changes)) => {
                    changes.into_iter().for_each(|(place, change)| accounts[place].balance += change);
                }
                (Err(Stop::Refused(_)), None) => prop_assert_eq!(state.mark(), mark, "a refusal wrote"),
                (said, expected) => prop_assert!(false, "{:?}, by the rules {:?}: {:?}", said, expected, asked),
            }
            check(&state).unwrap();
            for row in trial_balance(&state).unwrap().values() {
                prop_assert_eq!(row.debits, row.credits);
            }
        }
        settle_history(&mut state).unwrap();
        for known in &accounts {
            let record: AccountRecord = state.get(&known.id.0).unwrap().unwrap();
            prop_assert_eq!(record.balance(), known.balance);
            let (root, debits, credits) = history(&state, &known.id, record.history_count);
            prop_assert_eq!(record.counters.posted(), (debits, credits));
            prop_assert_eq!(record.history_root, root);
        }
    }
}

#[test]
fn nothing_is_booked_to_what_is_closed_or_frozen() {
    use tenor_abi::refusal::Refusal;
    let mut state = Overlay::new(&Nothing);
    let accounts = opened(&mut state);
    let (payer, payee) = (accounts[0].id, accounts[1].id);
    let pay = Asked {
        lines: vec![(0, true, 10), (1, false, 10)],
        signs: [true; PARTIES],
        bounds: [1_000; ACCOUNTS],
    };
    let mut tried = |change: &dyn Fn(&mut AccountRecord), account: AccountId| {
        let whole: AccountRecord = state.get(&account.0).unwrap().unwrap();
        let mut changed = whole;
        change(&mut changed);
        state.put(&account.0, &changed);
        let refused = match book(&mut state, &accounts, &pay, 0) {
            Err(Stop::Refused(refusal)) => Some(refusal),
            Err(Stop::Fault(fault)) => panic!("{fault}"),
            Ok(()) => None,
        };
        state.put(&account.0, &whole);
        refused
    };
    let closed = |record: &mut AccountRecord| record.closed = true;
    assert_eq!(tried(&closed, payer), Some(Refusal::Closed { account: payer }));
    assert_eq!(tried(&closed, payee), Some(Refusal::Closed { account: payee }));
    let reason = FreezeReason::Order;
    let frozen_out = |record: &mut AccountRecord| record.frozen_out = Some(reason);
    assert_eq!(tried(&frozen_out, payer), Some(Refusal::Frozen { account: payer, outgoing: true, reason }));
    let frozen_in = |record: &mut AccountRecord| record.frozen_in = Some(reason);
    assert_eq!(tried(&frozen_in, payee), Some(Refusal::Frozen { account: payee, outgoing: false, reason }));
    // What is frozen the other way does not matter, and untouched it is booked.
    assert_eq!(tried(&frozen_in, payer), None);
}

/// What an account takes once it has moved money, in the rows of its block and so in log and store, its history apart.
#[test]
fn an_account_takes_few_bytes_besides_its_history() {
    let mut state = Overlay::new(&Nothing);
    let accounts = opened(&mut state);
    let pay = Asked {
        lines: vec![(0, true, 50), (1, false, 50)],
        signs: [true; PARTIES],
        bounds: [1_000; ACCOUNTS],
    };
    for index in 0..1_000 {
        let back = Asked { lines: vec![(1, true, 50), (0, false, 50)], ..pay.clone() };
        book(&mut state, &accounts, if index % 2 == 0 { &pay } else { &back }, index).unwrap();
    }
    settle_history(&mut state).unwrap();
    let of = |full: &[u8], account: &AccountId| full.windows(32).any(|part| part == account.0);
    let rows = state.into_writes().unwrap();
    for known in &accounts[..2] {
        let is_history = |full: &[u8]| [Kind::History as u8, Kind::HistoryPeaks as u8].contains(&full[0]);
        let own = rows.iter().filter(|(full, _)| !is_history(full) && of(full, &known.id));
        let bytes: usize = own.map(|(full, value)| full.len() + value.map_or(0, <[u8]>::len)).sum();
        println!("{bytes} bytes for an account besides its history");
        assert!((200..=400).contains(&bytes), "{bytes} bytes");
    }
}
