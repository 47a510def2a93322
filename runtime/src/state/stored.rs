//! Stored bytes of accounts and postings, of which a block has most: what the codec makes of these records, written
//! without asking each field for its form.

use super::record::{AccountRecord, Holder, PURPOSE_LENGTH_MAX, RECORD_VERSION};
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{EntryId, Side};
use tenor_abi::money::Code;

/// Longest stored number of 128, 64, 32 and 16 bits.
const NUMBER_BYTES_MAX: [usize; 4] = [19, 10, 5, 3];
/// Longest stored bytes of an account: four ids, two texts, six amounts, a count, a code, and single bytes.
pub(super) const ACCOUNT_BYTES_MAX: usize = 4 * 32
    + PURPOSE_LENGTH_MAX
    + Code::LENGTH_MAX
    + 6 * NUMBER_BYTES_MAX[0]
    + NUMBER_BYTES_MAX[1]
    + NUMBER_BYTES_MAX[3]
    + 16;
/// Longest stored bytes that say when an entry was booked: height, time and value date.
pub(super) const WHEN_BYTES_MAX: usize = 2 * NUMBER_BYTES_MAX[1] + NUMBER_BYTES_MAX[2];
/// Longest stored bytes with which the postings of an entry begin.
pub(super) const HEAD_BYTES_MAX: usize = 1 + 32 + NUMBER_BYTES_MAX[2] + WHEN_BYTES_MAX;

/// Bytes in the making, in room for the longest ones.
struct Writer<'w> {
    to: &'w mut [u8],
    end: usize,
}

impl Writer<'_> {
    fn byte(&mut self, byte: u8) {
        self.to[self.end] = byte;
        self.end += 1;
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.to[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// A text that is shorter than 128 bytes.
    fn text(&mut self, bytes: &[u8]) {
        self.byte(bytes.len() as u8);
        self.raw(bytes);
    }

    fn number(&mut self, mut rest: u128) {
        // Most are short.
        while rest > u64::MAX.into() {
            self.byte(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.short(rest as u64);
    }

    fn short(&mut self, mut rest: u64) {
        while rest >= 0x80 {
            self.byte(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.byte(rest as u8);
    }

    /// A signed number's sign is its lowest bit.
    fn signed(&mut self, number: i128) {
        self.number((number << 1 ^ number >> 127) as u128);
    }
}

/// Writes the stored bytes of an account and says how many these are.
pub(super) fn write_account(to: &mut [u8; ACCOUNT_BYTES_MAX], record: &AccountRecord) -> usize {
    let mut bytes = Writer { to, end: 0 };
    bytes.byte(RECORD_VERSION);
    bytes.byte(u8::from(matches!(record.owner, Holder::Agreement(_))));
    bytes.raw(record.owner.bytes());
    bytes.raw(&record.asset.0);
    bytes.text(record.purpose.as_bytes());
    bytes.text(record.currency.code.as_str().as_bytes());
    bytes.byte(record.currency.scale);
    bytes.byte(record.kind as u8);
    bytes.short(record.code.into());
    bytes.byte(record.control.is_some().into());
    if let Some(control) = &record.control {
        bytes.raw(&control.0);
    }
    let (debits, credits) = record.counters.posted();
    let (debits_pending, credits_pending) = record.counters.pending();
    [debits, credits, debits_pending, credits_pending].into_iter().for_each(|counter| bytes.number(counter));
    bytes.signed(record.floor);
    bytes.byte(record.ceiling.is_some().into());
    if let Some(ceiling) = record.ceiling {
        bytes.signed(ceiling);
    }
    bytes.byte(record.holds_overdraft.into());
    for frozen in [record.frozen_in, record.frozen_out] {
        bytes.byte(frozen.is_some().into());
        if let Some(reason) = frozen {
            bytes.byte(reason as u8);
        }
    }
    bytes.byte(record.closed.into());
    bytes.byte(record.hooks.bits());
    bytes.short(record.history_count);
    bytes.raw(&record.history_root.0);
    bytes.end
}

/// Writes the part of postings' stored bytes that says when, and says how long it is.
pub(super) fn write_when(
    to: &mut [u8; WHEN_BYTES_MAX],
    (height, booked_at, value_date): (u64, Timestamp, Date),
) -> usize {
    let mut bytes = Writer { to, end: 0 };
    let days = value_date.days();
    bytes.short(height);
    bytes.short(booked_at.0);
    bytes.short(u64::from((days << 1 ^ days >> 31) as u32));
    bytes.end
}

/// Writes the stored bytes with which every posting of an entry begins, up to those that say when, and says how many
/// these are.
pub(super) fn write_entry(to: &mut [u8; HEAD_BYTES_MAX], entry: &EntryId) -> usize {
    let mut bytes = Writer { to, end: 0 };
    bytes.byte(RECORD_VERSION);
    bytes.raw(&entry.item.0);
    bytes.short(entry.index.into());
    bytes.end
}

/// Writes the stored bytes of a posting that follow on its head from a place on, with debits and credits that the
/// account counts after the posting, and says where they end.
pub(super) fn write_tail(
    to: &mut [u8],
    place: usize,
    (side, amount): (Side, u128),
    (debits, credits): (u128, u128),
) -> usize {
    let mut bytes = Writer { to, end: place };
    bytes.byte(side as u8);
    [amount, debits, credits].into_iter().for_each(|number| bytes.number(number));
    bytes.end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::record::{Counters, HistoryRecord, HookSet, PurposeCode, to_bytes};
    use proptest::prelude::*;
    use tenor_abi::entry::FreezeReason;
    use tenor_abi::id::{AccountId, AgreementId, AssetId, Hash, PartyId};
    use tenor_abi::money::Currency;
    use tenor_wire::op::{AccountKind, HookMoment, HookOf};

    fn reason() -> impl Strategy<Value = Option<FreezeReason>> {
        prop::option::of(prop::sample::select(vec![
            FreezeReason::Order,
            FreezeReason::Fraud,
            FreezeReason::Request,
        ]))
    }

    /// Numbers of every length.
    fn amount() -> impl Strategy<Value = u128> {
        (any::<u128>(), 0u32..128).prop_map(|(number, shift)| number >> shift)
    }

    fn account() -> impl Strategy<Value = AccountRecord> {
        let who = (any::<[u8; 32]>(), any::<bool>(), any::<[u8; 32]>(), prop::option::of(any::<[u8; 32]>()));
        let what = ("[a-z0-9-]{1,16}", "[A-Z]{3,5}", any::<u8>(), 0u8..3, any::<u16>());
        let limits = (amount(), any::<bool>(), prop::option::of(amount()), any::<bool>());
        let flags = (reason(), reason(), any::<bool>(), any::<[bool; 4]>(), amount());
        (who, what, [amount(), amount(), amount(), amount()], limits, flags).prop_map(
            |(
                (owner, is_party, asset, control),
                (purpose, code, scale, kind, number),
                counters,
                limits,
                flags,
            )| {
                let [debits_posted, credits_posted, debits_pending, credits_pending] = counters;
                let (floor, is_below, ceiling, holds_overdraft) = limits;
                let (frozen_in, frozen_out, closed, hooks, count) = flags;
                let all = [
                    (HookOf::Owner, HookMoment::Before),
                    (HookOf::Bank, HookMoment::Before),
                    (HookOf::Owner, HookMoment::After),
                    (HookOf::Bank, HookMoment::After),
                ];
                let hooks = all
                    .into_iter()
                    .zip(hooks)
                    .fold(HookSet::default(), |set, ((of, moment), there)| set.with(of, moment, there));
                AccountRecord {
                    owner: match is_party {
                        true => Holder::Party(PartyId(owner)),
                        false => Holder::Agreement(AgreementId(owner)),
                    },
                    asset: AssetId(asset),
                    purpose: PurposeCode::of(&purpose).unwrap(),
                    currency: Currency { code: Code::parse(&code).unwrap(), scale },
                    kind: [AccountKind::Plain, AccountKind::Issuance, AccountKind::Control]
                        [usize::from(kind)],
                    code: number,
                    control: control.map(AccountId),
                    counters: Counters { debits_posted, credits_posted, debits_pending, credits_pending },
                    floor: if is_below { !(floor as i128) } else { floor as i128 },
                    ceiling: ceiling.map(|ceiling| ceiling as i128),
                    holds_overdraft,
                    frozen_in,
                    frozen_out,
                    closed,
                    hooks,
                    history_count: count as u64,
                    history_root: Hash(owner),
                }
            },
        )
    }

    proptest! {
        #[test]
        fn an_account_is_stored_as_the_record_that_it_is(record in account()) {
            let mut bytes = [0; ACCOUNT_BYTES_MAX];
            let end = write_account(&mut bytes, &record);
            prop_assert_eq!(&bytes[..end], to_bytes(&record));
        }
    }

    #[test]
    fn the_longest_account_has_room() {
        let longest = AccountRecord {
            owner: Holder::Agreement(AgreementId([1; 32])),
            asset: AssetId([2; 32]),
            purpose: PurposeCode::of(&"a".repeat(PURPOSE_LENGTH_MAX)).unwrap(),
            currency: Currency { code: Code::parse(&"A".repeat(Code::LENGTH_MAX)).unwrap(), scale: 255 },
            kind: AccountKind::Control,
            code: u16::MAX,
            control: Some(AccountId([3; 32])),
            counters: Counters {
                debits_posted: u128::MAX,
                credits_posted: u128::MAX,
                debits_pending: u128::MAX,
                credits_pending: u128::MAX,
            },
            floor: i128::MIN,
            ceiling: Some(i128::MAX),
            holds_overdraft: true,
            frozen_in: Some(FreezeReason::Request),
            frozen_out: Some(FreezeReason::Request),
            closed: true,
            hooks: HookSet::default(),
            history_count: u64::MAX,
            history_root: Hash([4; 32]),
        };
        let mut bytes = [0; ACCOUNT_BYTES_MAX];
        let end = write_account(&mut bytes, &longest);
        assert_eq!(bytes[..end], to_bytes(&longest));
    }

    #[test]
    fn a_posting_is_stored_as_the_record_that_it_is() {
        let (side, amount, debits_posted, credits_posted) = (Side::Credit, 1u128 << 90, 5u128, 1u128 << 100);
        let (entry, height) = (EntryId { item: Hash([7; 32]), index: 300 }, 1 << 33);
        let (booked_at, value_date) = (Timestamp(1 << 40), Date::of(2026, 2, 28));
        let (mut head, mut when, mut bytes) = ([0; HEAD_BYTES_MAX], [0; WHEN_BYTES_MAX], [0; 127]);
        let (start, length) =
            (write_entry(&mut head, &entry), write_when(&mut when, (height, booked_at, value_date)));
        bytes[..start].copy_from_slice(&head[..start]);
        bytes[start..start + length].copy_from_slice(&when[..length]);
        let (posting, posted) = ((side, amount), (debits_posted, credits_posted));
        let end = write_tail(&mut bytes, start + length, posting, posted);
        let record = HistoryRecord {
            entry,
            height,
            booked_at,
            value_date,
            side,
            amount,
            debits_posted,
            credits_posted,
        };
        assert_eq!(bytes[..end], to_bytes(&record));
    }
}
