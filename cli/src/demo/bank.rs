//! The bank that `tenor node run --demo` serves: the demo's products and staff, some to pay to, no customers yet.

use super::cast::Cast;
use super::script;
use crate::desk::Desk;
use crate::folder::Folder;
use crate::output::say;
use anyhow::{Result, bail};
use std::path::Path;
use tenor_runtime::state::Room;

/// What the keys and ids of this bank are derived from.
const SEED: u64 = 1;
/// Who can be paid, by their roles; the shop is where points are earned and redeemed.
const PEOPLE: [&str; 4] = ["landlord", "shop", "energy", "savings-club"];
const SHOP: &str = "shop";
const PROGRAMME: &str = "programme";

/// Makes the bank in a folder, or goes on with making it; one that is there already stays as it is.
///
/// # Errors
/// When the folder holds something else, or the disk says no.
pub fn prepare(path: &Path, room: Room) -> Result<()> {
    let cast = Cast::of(SEED, &PEOPLE);
    if !path.exists() {
        Folder::create(path, &cast.genesis(), &cast.keys(), &cast.names(), None)?;
    }
    if !Folder::exists(path) || Folder::genesis(path)? != cast.genesis() {
        bail!("{} holds something else than the demo bank; name another folder with --data", path.display());
    }
    if Folder::names(path)?.agreements.contains_key(PROGRAMME) {
        return Ok(());
    }
    say("making the demo bank");
    let mut desk = script::found(Desk::from_genesis(Folder::open(path, room)?)?, &cast, SHOP)?;
    desk.folder_mut().chain.flush()?;
    // The names last: with them the bank is whole.
    let agreements = desk.folder().names.agreements.clone();
    desk.folder_mut().name(|names| {
        names.agreements = agreements;
        Ok(())
    })
}
