//! What a key may move: a payment at most so much, a day at most so much, of each asset that it names and nothing of
//! others. What it promises counts as what it spends: a hold when it is placed, a grant with all of a period.

use super::run::{Run, Trouble};
use crate::state::Overlay;
use crate::state::record::{AccountRecord, Holder, KeyRecord, KeySpentRecord, PartyRecord, key};
use std::collections::BTreeMap;
use tenor_abi::id::{AssetId, PartyId};
use tenor_abi::refusal::Refusal;
use tenor_wire::op::{KeyLimit, KeyNumber};

/// Assets that a key may name.
pub(super) const KEY_ASSETS_MAX: usize = 16;

/// Counts what the item took from accounts of signers whose keys are limited, or refuses it.
pub(super) fn count(state: &mut Overlay<'_>, run: &Run<'_>) -> Result<(), Trouble> {
    for (party, number) in &run.limited {
        let record: Option<KeyRecord> = state.get(&key::key(party, *number))?;
        let Some(limits) = record.and_then(|record| record.limits) else { continue };
        let taken = taken(state, run, party)?;
        if !taken.is_empty() {
            count_of(state, run, (party, *number), &limits, &taken)?;
        }
    }
    Ok(())
}

fn count_of(
    state: &mut Overlay<'_>,
    run: &Run<'_>,
    (party, number): (&PartyId, KeyNumber),
    limits: &[KeyLimit],
    taken: &BTreeMap<AssetId, u128>,
) -> Result<(), Trouble> {
    let home = state.get::<PartyRecord>(&party.0)?.map_or(*party, |record| record.home);
    let (row, day) = (key::key(party, number), run.business_date(state, &home)?);
    let kept: Option<KeySpentRecord> = state.get(&row)?;
    let mut spent = kept.filter(|kept| kept.day == day).map_or(vec![], |kept| kept.spent);
    for (asset, asked) in taken {
        let limit = limits.iter().find(|limit| limit.asset == *asset);
        let (per_payment, per_day) = limit.map_or((0, 0), |limit| (limit.per_payment, limit.per_day));
        let before = spent.iter().find(|(other, _)| other == asset).map_or(0, |(_, sum)| *sum);
        let allowed = per_payment.min(per_day.saturating_sub(before));
        if *asked > allowed {
            let (key, asset, asked) = (number, *asset, *asked);
            return Err(Refusal::KeyLimit { key, asset, allowed, asked }.into());
        }
        match spent.iter_mut().find(|(other, _)| other == asset) {
            Some((_, sum)) => *sum += asked,
            None => spent.push((*asset, *asked)),
        }
    }
    spent.sort();
    state.put(&row, &KeySpentRecord { day, spent });
    Ok(())
}

/// What was spent and promised of a party's own accounts, by asset.
fn taken(state: &Overlay<'_>, run: &Run<'_>, party: &PartyId) -> Result<BTreeMap<AssetId, u128>, Trouble> {
    let mut sums = BTreeMap::new();
    for (account, amount) in run.signed.taken() {
        let record: Option<AccountRecord> = state.get(&account.0)?;
        if let Some(record) = record.filter(|record| record.owner == Holder::Party(*party)) {
            let sum: &mut u128 = sums.entry(record.asset).or_default();
            *sum = sum.saturating_add(*amount);
        }
    }
    Ok(sums)
}

/// Whether limits are in their one form: assets ascending, each once, no payment above its day.
pub(super) fn check_form(limits: &[KeyLimit]) -> Result<(), Refusal> {
    let sound = limits.len() <= KEY_ASSETS_MAX
        && limits.is_sorted_by(|a, b| a.asset < b.asset)
        && limits.iter().all(|limit| limit.per_payment <= limit.per_day);
    match sound {
        true => Ok(()),
        false => {
            let rule = format!(
                "a key's limits name at most {KEY_ASSETS_MAX} assets, ascending, each once, and a payment is at most a day's"
            );
            Err(Refusal::BadValue { rule })
        }
    }
}

/// Whether a key with some limits may do no more than one with others.
pub(super) fn is_within(inner: Option<&[KeyLimit]>, outer: Option<&[KeyLimit]>) -> bool {
    let Some(outer) = outer else { return true };
    let Some(inner) = inner else { return false };
    inner.iter().all(|limit| {
        let above = outer.iter().find(|other| other.asset == limit.asset);
        above.map_or(limit.per_day == 0, |above| {
            limit.per_payment <= above.per_payment && limit.per_day <= above.per_day
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(asset: u8, per_payment: u128, per_day: u128) -> KeyLimit {
        KeyLimit { asset: AssetId([asset; 32]), per_payment, per_day }
    }

    #[test]
    fn limits_lie_within_others() {
        let outer = [limit(1, 10, 20), limit(2, 5, 5)];
        let within = |inner: &[KeyLimit]| is_within(Some(inner), Some(&outer));
        assert!(within(&[]) && within(&[limit(1, 10, 20)]) && within(&[limit(2, 1, 5), limit(3, 0, 0)]));
        assert!(!within(&[limit(1, 11, 20)]) && !within(&[limit(1, 10, 21)]) && !within(&[limit(3, 1, 1)]));
        assert!(!is_within(None, Some(&outer)) && is_within(None, None) && is_within(Some(&outer), None));
    }

    #[test]
    fn limits_have_one_form() {
        assert_eq!(check_form(&[limit(1, 1, 1), limit(2, 1, 2)]), Ok(()));
        let many: Vec<KeyLimit> = (0..17).map(|asset| limit(asset, 1, 1)).collect();
        for wrong in [&[limit(2, 1, 1), limit(1, 1, 1)][..], &[limit(1, 1, 1); 2], &[limit(1, 2, 1)], &many] {
            assert!(check_form(wrong).is_err(), "{wrong:?}");
        }
    }
}
