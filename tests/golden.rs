//! Golden hashes: the bytes of every signed and stored form of one small chain. A change here is a change of
//! form and needs a line in the changelog.
#![allow(clippy::unwrap_used)]

use tenor_abi::calendar::Calendar;
use tenor_abi::codec::encode;
use tenor_abi::date::{Date, DayOfMonth, Timestamp};
use tenor_abi::entry::{EntryId, FreezeReason, Side};
use tenor_abi::id::{AccountId, AgreementId, AssetId, ChainId, CodeHash, Hash, PartyId, ProposalId};
use tenor_abi::money::{Code, Currency};
use tenor_abi::recurrence::Monthly;
use tenor_abi::spec::{BookSide, Period, Version};
use tenor_abi::tag;
use tenor_runtime::chain::Replica;
use tenor_runtime::state::Kind;
use tenor_runtime::state::record::*;
use tenor_testing::Bank;
use tenor_wire::block::Item;
use tenor_wire::crypto::{PublicKey, plain_hash};
use tenor_wire::merkle::Mmr;
use tenor_wire::op::{
    AccountKind, AssetKind, HookMoment, HookOf, KeyLimit, KeyRole, Operation, PartyKind, Spend,
};
use tenor_wire::receipt::EntrySource;

fn short(bytes: &[u8]) -> String {
    plain_hash(&[bytes]).0[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_form_has_its_golden_hash() {
    let mut bank = Bank::new();
    let (ada, bob) = (bank.customer("ada", "10.00"), bank.customer("bob", "0.00"));
    bank.transfer(&ada, bob.account, "2.50").done();
    let chain = bank.chain();
    let block = chain.block(chain.tip().height).unwrap().unwrap();
    let Item::Tx(tx) = &block.items[0] else { panic!("the newest item is the transfer") };
    let certificate = chain.certificate(&block.header, None).unwrap().unwrap();
    let bundle = chain.prove_receipt(block.header.height, 0, None).unwrap().unwrap();
    let writes = chain.journal().writes(block.header.height).unwrap().unwrap();
    let forms = [
        ("genesis", short(&chain.genesis().to_bytes())),
        ("body", short(&tx.body.signing_bytes())),
        ("transaction", short(&tx.to_bytes())),
        ("receipt", short(&encode(&block.receipts[0].receipt))),
        ("entry", short(&encode(&block.receipts[0].entries[0]))),
        ("header", short(&encode(&block.header))),
        ("certificate", short(&encode(&certificate))),
        ("bundle", short(&bundle.to_bytes())),
        ("writes", short(writes.bytes())),
    ];
    let shown: Vec<String> = forms.iter().map(|(name, hash)| format!("{name} {hash}")).collect();
    assert_eq!(shown.join("\n"), GOLDEN);
}

const GOLDEN: &str = "\
genesis 8152662ecc0928b7
body 6114511a7c04c711
transaction bd1f59c046b3c3bc
receipt f017a5c227c01875
entry dc7befd7af5a0c65
header b89d4cfdfec66201
certificate c268784eb017a201
bundle 9d8071553bd09d5a
writes aaa8c2390f8115da";

/// The stored bytes of one fixed record of a kind; nothing for a kind that no code writes yet. A new kind does
/// not compile until it has its line here.
fn stored(kind: Kind) -> Option<Vec<u8>> {
    fn bytes<R: Record>(kind: Kind, record: R) -> Option<Vec<u8>> {
        assert_eq!(kind, R::KIND, "the record of another kind");
        Some(to_bytes(&record))
    }
    let (party, agreement) = (PartyId([1; 32]), AgreementId([2; 32]));
    let (asset, account, code) = (AssetId([3; 32]), AccountId([4; 32]), CodeHash([5; 32]));
    let (hash, other) = (Hash([6; 32]), Hash([7; 32]));
    let (date, time) = (Date::of(2026, 1, 31), Timestamp(1_770_000_000_000));
    match kind {
        Kind::Party => {
            bytes(kind, PartyRecord { home: party, kind: PartyKind::Person, person: hash, name: other })
        }
        Kind::Key => {
            let public = PublicKey { algorithm: 0, parity: 2, x: [8; 32] };
            let role = KeyRole::Device;
            let limit = KeyLimit { asset, per_payment: 500, per_day: 900 };
            bytes(
                kind,
                KeyRecord {
                    public,
                    role,
                    expires_at: Some(time),
                    limits: Some(vec![limit]),
                    revoked_at: None,
                },
            )
        }
        Kind::Role => bytes(kind, RoleRecord { since: time }),
        Kind::Asset => {
            let (code, kind_of) = (Code::of("EUR"), AssetKind::Money);
            bytes(
                kind,
                AssetRecord {
                    issuer: party,
                    code,
                    scale: 2,
                    kind: kind_of,
                    freezable: true,
                    clawback: false,
                },
            )
        }
        Kind::Account => bytes(
            kind,
            AccountRecord {
                owner: Holder::Agreement(agreement),
                asset,
                purpose: tenor_runtime::state::record::PurposeCode::of("main").unwrap(),
                currency: Currency::of("EUR", 2),
                kind: AccountKind::Plain,
                code: 7,
                control: Some(account),
                counters: Counters {
                    debits_posted: 100,
                    credits_posted: 1_000_000,
                    debits_pending: 10,
                    credits_pending: 1,
                },
                floor: -50_000,
                ceiling: Some(10_000_000),
                holds_overdraft: true,
                frozen_in: None,
                frozen_out: Some(FreezeReason::Order),
                closed: false,
                hooks: HookSet::default().with(HookOf::Bank, HookMoment::After, true),
                history_count: 3,
                history_root: hash,
            },
        ),
        Kind::Grant => bytes(
            kind,
            GrantRecord {
                code,
                given_at: time,
                per_entry: 1_000,
                per_period: 2_000,
                period: Period::Month,
                expires_at: Some(time),
                used: vec![(date, 500)],
            },
        ),
        Kind::Agreement => bytes(
            kind,
            AgreementRecord {
                code,
                bank: party,
                opened_by: party,
                opened_at: time,
                terms_version: 1,
                terms: vec![1, 2, 3].into(),
                state: 2,
                signers: vec![party],
                keys: 4,
            },
        ),
        Kind::Schedule => {
            let recurrence = Monthly::on(DayOfMonth::LAST).from(date).count(12);
            let waiting = Waiting::Due { date, attempt_date: date, due: time, attempt: 1, moved: true };
            bytes(kind, ScheduleRecord { recurrence, place: 3, base: 2, tried: 1, waiting })
        }
        Kind::Proposal => bytes(
            kind,
            ProposalRecord {
                proposer: party,
                key: 1,
                person: hash,
                operation: Operation::Approve(ProposalId([9; 32])),
                gas_limit: 1_000_000,
                spend_max: vec![Spend { account, amount: 500 }],
                expires_at: time,
            },
        ),
        Kind::KeySpent => bytes(kind, KeySpentRecord { day: date, spent: vec![(asset, 700)] }),
        Kind::Restart => {
            bytes(kind, RestartRecord { before: ChainId([10; 32]), parent: hash, abandoned: 12 })
        }
        Kind::Calendar => {
            let calendar = Calendar::named("TARGET", 2026, 2027).unwrap();
            bytes(kind, CalendarRecord { publisher: party, code: Code::of("TARGET"), calendar })
        }
        Kind::Contract => {
            let (name, version) = ("loan".into(), Version { major: 1, minor: 2, patch: 3 });
            bytes(kind, ContractRecord { bank: party, name, version, spec: vec![1, 2, 3], height: 7 })
        }
        Kind::Code => bytes(kind, CodeRecord { wasm: vec![0, 0x61, 0x73, 0x6d] }),
        Kind::Zone => {
            let row = ZoneRow { from: time, offset_minutes: -60, cutoff_minutes: 1_080 };
            bytes(kind, ZoneRecord { rows: vec![row] })
        }
        Kind::KeyDay => bytes(kind, KeyDayRecord { running: hash, count: 9 }),
        Kind::Hook => bytes(kind, HookRecord { agreement, attached_at: time }),
        Kind::Cursor => bytes(
            kind,
            CursorRecord {
                number: 4,
                last: Some(time),
                due: Some(time),
                stopped: false,
                accounts: vec![(account, 12)],
            },
        ),
        Kind::Exposure => bytes(kind, ExposureRecord { limit: 1_000_000, used: 10 }),
        Kind::KeyWindow => bytes(kind, KeyWindowRecord { oldest_day: 20_454 }),
        Kind::Idempotency => bytes(kind, IdempotencyRecord { operation: hash, height: 7, index: 3 }),
        Kind::History => bytes(
            kind,
            HistoryRecord {
                entry: EntryId { item: hash, index: 1 },
                height: 7,
                booked_at: time,
                value_date: date,
                side: Side::Credit,
                amount: 250,
                debits_posted: 100,
                credits_posted: 1_000_000,
            },
        ),
        Kind::HistoryPeaks => {
            let mut tree = Mmr::default();
            (0..3u8).for_each(|leaf| tree.push(tag::HISTORY, &[leaf]));
            bytes(kind, HistoryPeaksRecord { tree })
        }
        Kind::Due => bytes(kind, DueRow {}),
        Kind::Name => bytes(kind, NameRow { code }),
        Kind::AccountOf => bytes(kind, AccountOfRow {}),
        Kind::AgreementOf => bytes(kind, AgreementOfRow {}),
        // A contract's value, in its own encoding.
        Kind::Storage => Some(vec![1, 2, 3]),
        Kind::Hold => bytes(
            kind,
            HoldRecord {
                to: account,
                placed: 500,
                left: 200,
                expires_at: time,
                source: EntrySource::Agreement { agreement, purpose: 1 },
                entry: EntryId { item: hash, index: 1 },
            },
        ),
        Kind::AccountCode => {
            bytes(kind, AccountCodeRecord { gl: "2100".into(), side: BookSide::Liability, back_days: 30 })
        }
        Kind::ClosedBooks => bytes(kind, ClosedBooksRecord { until: date }),
        Kind::Correction => bytes(kind, CorrectionRecord { taken_back: 250 }),
        Kind::EntryKey => bytes(
            kind,
            EntryKeyRecord {
                entry: Some(EntryId { item: hash, index: 1 }),
                postings: other,
                purpose: 3,
                value_date: Some(date),
                narrative: None,
                reference: Some(hash),
            },
        ),
        Kind::HoldOf => bytes(kind, HoldOfRow {}),
        Kind::Expiry => bytes(kind, ExpiryRow {}),
        Kind::RateTable | Kind::Quota | Kind::Parameters => None,
    }
}

#[test]
fn every_record_has_its_golden_hash() {
    let shown = Kind::ALL.iter().map(|kind| {
        let hash = stored(*kind).map_or("number taken".into(), |bytes| short(&bytes));
        format!("{kind:?} {hash}")
    });
    assert_eq!(shown.collect::<Vec<_>>().join("\n"), RECORDS);
}

const RECORDS: &str = "\
Party fd3bc617aae56bb7
Key 0e8aefbc7d0c9d88
Role b3e7b683d30563b7
Asset ca9d38e45b18621f
Account 6f8fd998aec273b4
Hold 99983c8aefab774f
Grant 6a026a8a1061b500
Agreement 969914772372bbcb
Storage fd1780a6fc9ee0da
Schedule 6c217971c7bc9a08
Proposal e6ef2a44bc6ba4bc
Calendar aa7b6ff44e120d36
RateTable number taken
Quota number taken
Parameters number taken
Contract fbd10c05d8a8e687
Code 42e97da5a84b1517
Zone b932c81eca513eb8
KeyDay 83a69b027434b8d8
Exposure 372518d70f508b3b
KeyWindow 0fd2b12e6319866b
AccountCode 2a45b6feb08b49cb
ClosedBooks 524123461c4fa07a
Correction 39181af374d54d61
EntryKey 1bf121ad1e7c11bb
Hook 1eea16a1193fa9d9
Cursor 7f070db1da3c3945
Restart 8a6778ed3696fd19
KeySpent d25aec73652f78ce
Idempotency 05609c2ecc0dbd5e
History b80bfc02d13830b6
HistoryPeaks dfb0412320d00a43
Due 2767f15c8af2f2c7
Name 541d536dc500fcca
AccountOf 2767f15c8af2f2c7
AgreementOf 2767f15c8af2f2c7
HoldOf 2767f15c8af2f2c7
Expiry 2767f15c8af2f2c7";

/// The bytes of one fixed operation of each kind that moves or keeps money.
#[test]
fn every_ledger_operation_has_its_golden_hash() {
    use tenor_abi::entry::FreezeReason;
    use tenor_abi::id::HoldId;
    use tenor_wire::op::*;
    let (account, other, hash) = (AccountId([4; 32]), AccountId([5; 32]), Hash([6; 32]));
    let (date, time, hold) = (Date::of(2026, 1, 31), Timestamp(1_770_000_000_000), HoldId([7; 32]));
    let transfer =
        TransferOp { from: account, to: other, amount: 250, narrative: Some(hash), reference: None };
    let entry = EntryId { item: hash, index: 1 };
    let change = |change| Operation::AccountChange(AccountChangeOp { account, change });
    let books = |change| Operation::Books(BooksOp { bank: PartyId([1; 32]), change });
    let limit = ExposureLimit { asset: AssetId([3; 32]), limit: 1_000 };
    let operations = [
        Operation::Batch(BatchOp { transfers: vec![transfer.clone(), transfer] }),
        Operation::Hold(HoldOp {
            lines: vec![HoldLineOp { from: account, to: other, amount: 100 }],
            expires_at: time,
            narrative: None,
            reference: Some(hash),
        }),
        Operation::Capture(CaptureOp { hold, parts: vec![(account, 50)], last: true }),
        Operation::Release(hold),
        Operation::Correct(CorrectOp {
            entry,
            lines: vec![CorrectLineOp { account, sequence: 3, amount: 20 }],
            value_date: Some(date),
            narrative: None,
        }),
        Operation::Entry(EntryOp {
            lines: vec![EntryLineOp { account, side: Side::Debit, amount: 7 }],
            value_date: None,
            narrative: None,
            reference: None,
        }),
        change(AccountChange::Limits { floor: -5, ceiling: Some(9), holds_overdraft: true }),
        change(AccountChange::Freeze { incoming: true, outgoing: false, reason: FreezeReason::Sanctions }),
        change(AccountChange::Unfreeze),
        change(AccountChange::Close),
        change(AccountChange::Code(7)),
        change(AccountChange::Control(Some(other))),
        books(BooksChange::Code { code: 7, gl: "2100".into(), side: BookSide::Liability, back_days: 30 }),
        books(BooksChange::Close { until: date }),
        books(BooksChange::Exposure { product: "loan".into(), limit }),
    ];
    let shown =
        operations.iter().map(|operation| format!("{} {}", operation.name(), short(&encode(operation))));
    assert_eq!(shown.collect::<Vec<_>>().join("\n"), OPERATIONS);
    assert_eq!(Operation::NAMES.join(" "), NAMES);
}

const OPERATIONS: &str = "\
Batch 4bd62d2081ddc0a6
Hold d936993b07504b14
Capture 28bec94e0c4fc6a5
Release 567eaef314a6dc39
Correct 22fda6e8c99b8e72
Entry 6fe71e430ffbd0fe
AccountChange e8803256e33d2f78
AccountChange 97c196ff22c3fec4
AccountChange 5103ad4cb4a06483
AccountChange 1688e9698c56e26e
AccountChange aaf37ac190c449c6
AccountChange 0ee21ad7ba526dd9
Books 043e1ee958112ca3
Books 2b392590f169bdfc
Books a39b45973e28ac4d";

/// Names by their numbers: appended to, never changed.
const NAMES: &str = "Party Key Role Asset Account Publish Open Sign Invoke Transfer Batch Hold Capture Release Propose \
    Approve Withdraw Grant Revoke Hook Calendar Parameters Upgrade Halt Compiled Restart Clock Zone Rates Quota \
    Correct AccountChange Books Entry";
