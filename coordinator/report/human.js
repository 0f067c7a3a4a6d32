"use strict";
/* Numbers for people, as common/human.c writes them: three significant digits below 100, whole numbers in full with their
 * thousands grouped, never an exponent. With `digits`: so many after the point at most. */
const stop = (t) => /[.?…]$/.test(t) ? t : t + "."; /* a sentence with its end */
const human = (v, digits) => {
  if (v === null || v === undefined || !isFinite(v)) return "n/a";
  const a = Math.abs(v);
  if (digits === undefined) {
    if (a > 0 && a < 1e-6) return v > 0 ? "<0.000001" : ">-0.000001";
    if (a >= 1e15) return v > 0 ? ">999,999,999,999,999" : "<-999,999,999,999,999";
    digits = 0;
    for (let top = 100; a > 0 && a < top && digits < 8; top /= 10) digits++;
  }
  const text = v.toLocaleString("en-US", {minimumFractionDigits: 0, maximumFractionDigits: digits});
  return text === "-0" ? "0" : text;
};
