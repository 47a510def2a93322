//! A receipt verified offline, from a file, by somebody who has only the header that the chain began with.

use anyhow::{Context, Result, ensure};
use tenor_testing::Bank;
use tenor_wire::proof::Bundle;

pub fn main() -> Result<()> {
    let mut bank = Bank::new();
    let ada = bank.customer("ada", "10.00");
    let shop = bank.customer("shop", "0.00");
    bank.transfer(&ada, shop.account, "2.50").done();

    // The bank hands over one file, and long ago it handed over the first header and who signs after it.
    let chain = bank.chain();
    let bundle = chain
        .prove_receipt(chain.tip().height, 0, None)?
        .context("the payment stands in the newest block")?;
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), bundle.to_bytes())?;
    let trusted = chain.first_checkpoint()?;

    // From here on there is no bank: bytes and arithmetic only.
    let bundle = Bundle::from_bytes(&std::fs::read(file.path())?)?;
    let shown = bundle.verify(&trusted)?;
    println!("{} is final in block {} of {}", shown.item, shown.height, shown.time);

    // One changed cent, and nothing holds any more.
    let mut forged = bundle;
    forged.receipt.entries[0].postings[0].amount += 1;
    ensure!(forged.verify(&trusted).is_err());
    println!("with one cent more it is refused: {}", forged.verify(&trusted).err().context("it is refused")?);
    Ok(())
}
