import assert from "node:assert/strict";
import { test } from "node:test";
import { Amount } from "../src/index.js";

test("amounts are read as they are written", () => {
  for (const text of ["12.50 EUR", "0.00 EUR", "7 PTS", "90071992547409.93 EUR", "0.000000000000000001 ETH"]) {
    assert.equal(Amount.parse(text).toString(), text);
  }
  const large = Amount.parse("90071992547409.93 EUR");
  assert.deepEqual([large.minor, large.scale, large.currency], [9_007_199_254_740_993n, 2, "EUR"]);
});

test("what is no amount is refused", () => {
  for (const text of ["", "12.50", "EUR", "-1 EUR", "+1 EUR", "1e3 EUR", "01 EUR", "1. EUR", ".5 EUR", "1,5 EUR", "1 eur"]) {
    assert.throws(() => Amount.parse(text), RangeError, text);
  }
  assert.throws(() => new Amount(-1n, 2, "EUR"), RangeError);
  assert.throws(() => new Amount(1n, 19, "EUR"), RangeError);
});
