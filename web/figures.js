/** Figures as a person reads them. */

const number = (digits) =>
  new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const whole = number(0);
const tenths = number(1);
const hundredths = number(2);

export const count = (value) => whole.format(value);
export const rate = (value) => tenths.format(value);
export const percent = (share) => `${tenths.format(share * 100)} %`;

export function milliseconds(value) {
  if (value === null) return "–";
  return `${(value < 10 ? tenths : whole).format(value)} ms`;
}

export function bitRate(bitsPerSecond) {
  if (bitsPerSecond < 999_500) return `${whole.format(bitsPerSecond / 1e3)} kbit/s`;
  return `${hundredths.format(bitsPerSecond / 1e6)} Mbit/s`;
}

export function size(bytes) {
  if (bytes < 999_500) return `${whole.format(bytes / 1e3)} kB`;
  if (bytes < 999_500_000) return `${tenths.format(bytes / 1e6)} MB`;
  return `${hundredths.format(bytes / 1e9)} GB`;
}

export const resolution = ({ width, height }) => (width ? `${width} × ${height}` : "–");
