/** An amount of an asset: whole minor units, the number of decimals, and the code. Never a float. */
export class Amount {
  /**
   * @param minor minor units, from 0 on
   * @param scale decimals, 0 to 18
   * @param currency code, such as `EUR`
   */
  constructor(readonly minor: bigint, readonly scale: number, readonly currency: string) {
    if (minor < 0n) throw new RangeError("an amount is not below zero");
    if (!Number.isInteger(scale) || scale < 0 || scale > 18) throw new RangeError("decimals are 0 to 18");
    if (!/^[A-Z0-9]{1,12}$/.test(currency)) throw new RangeError(`\`${currency}\` is no currency code`);
  }

  /** Reads `12.50 EUR`. The decimals must be written out, so that nobody else decides what they are. */
  static parse(text: string): Amount {
    const read = /^(0|[1-9][0-9]*)(?:\.([0-9]{1,18}))? ([A-Z0-9]{1,12})$/.exec(text);
    if (read === null) throw new RangeError(`\`${text}\` is no amount: write it like 12.50 EUR`);
    const [, whole = "", decimals = "", currency = ""] = read;
    return new Amount(BigInt(whole + decimals), decimals.length, currency);
  }

  /** As it is read: `12.50 EUR`. */
  toString(): string {
    const digits = this.minor.toString().padStart(this.scale + 1, "0");
    const [whole, decimals] = [digits.slice(0, digits.length - this.scale), digits.slice(digits.length - this.scale)];
    return `${whole}${this.scale === 0 ? "" : `.${decimals}`} ${this.currency}`;
  }
}
